/**
 * The programs of guides print what the guides say.
 */
import { strictEqual } from "node:assert/strict";
import { join } from "node:path";

const ROOT = join(import.meta.dirname!, "../..");

for (const name of ["sanitizer", "memory", "nesting", "no_iommu", "peer_to_peer", "vtd", "smmuv3", "riscv", "page_tables"]) {
  Deno.test(`the program of docs/${name}.md prints what the guide says`, async () => {
    const guide = await Deno.readTextFile(join(ROOT, `docs/${name}.md`));
    const printing = [...guide.matchAll(/```ts\n([^]*?)```\s+prints\s+```\n([^]*?)```/g)];
    strictEqual(printing.length, name === "smmuv3" ? 2 : 1);
    for (const [, program = "", expected] of printing) await prints(program, expected);
  });
}

async function prints(source: string, expected: string | undefined): Promise<void> {
  const program = source.replace(/"\.\.\/((uapi\/)?mod\.ts)"/g, (_, module) => `"file://${ROOT}/${module}"`);
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
}
