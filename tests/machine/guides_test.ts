/**
 * The programs of guides print what the guides say.
 */
import { strictEqual } from "node:assert/strict";
import { join } from "node:path";

const ROOT = join(import.meta.dirname!, "../..");

for (const name of ["sanitizer", "memory", "nesting", "no_iommu", "peer_to_peer", "vtd", "smmuv3", "riscv", "page_tables"]) {
  Deno.test(`the program of docs/${name}.md prints what the guide says`, async () => {
    const guide = await Deno.readTextFile(join(ROOT, `docs/${name}.md`));
    const program = /```ts\n([^]*?)```/.exec(guide)![1]!.replace("../mod.ts", `file://${ROOT}/mod.ts`);
    const expected = /```\n([^]*?)```/.exec(guide.slice(guide.indexOf("\nprints\n")))![1]!;
    const path = await Deno.makeTempFile({ suffix: ".ts" });
    try {
      await Deno.writeTextFile(path, program);
      const args = ["run", "--check", "--config", join(ROOT, "deno.json"), path];
      const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
      strictEqual(success, true, new TextDecoder().decode(stderr));
      strictEqual(new TextDecoder().decode(stdout), expected);
    } finally {
      await Deno.remove(path);
    }
  });
}
