/**
 * The programs of docs/hardware.md compile. That they run, and its commands with them, is shown in the virtual machine: tests/vm.
 *
 * @module
 */
import { strictEqual } from "node:assert/strict";
import { join } from "node:path";

const ROOT = join(import.meta.dirname!, "../..");

Deno.test("the programs of the guide to hardware compile", async () => {
  const guide = await Deno.readTextFile(join(ROOT, "docs/hardware.md"));
  const programs = [...guide.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, code]) => code!.replaceAll('from "../', `from "file://${ROOT}/`));
  strictEqual(programs.length, 3);
  const folder = await Deno.makeTempDir();
  try {
    const paths = programs.map((_, index) => join(folder, `${index}.ts`));
    for (const [index, path] of paths.entries()) await Deno.writeTextFile(path, programs[index]!);
    const args = ["check", "--config", join(ROOT, "deno.json"), ...paths];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    strictEqual(success, true, new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
