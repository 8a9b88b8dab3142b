/**
 * The program of docs/sanitizer.md prints what the guide says.
 */
import { strictEqual } from "node:assert/strict";
import { join } from "node:path";

const ROOT = join(import.meta.dirname!, "../..");

Deno.test("the guide's program prints the guide's report", async () => {
  const guide = await Deno.readTextFile(join(ROOT, "docs/sanitizer.md"));
  const program = /```ts\n([^]*?)```/.exec(guide)![1]!.replace("../mod.ts", `file://${ROOT}/mod.ts`);
  const expected = /```\n([^]*?)```/.exec(guide.slice(guide.indexOf("\nprints\n")))![1]!;
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(path, program);
    const args = ["run", "--no-check", "--config", join(ROOT, "deno.json"), path];
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    strictEqual(new TextDecoder().decode(stderr), "");
    strictEqual(new TextDecoder().decode(stdout), expected);
  } finally {
    await Deno.remove(path);
  }
});
