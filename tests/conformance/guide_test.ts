/**
 * The code of docs/writing_a_backend.md works as the guide says.
 */
import { join } from "node:path";
import { check, equal } from "../check.ts";
import { CONFORMANCE } from "./mod.ts";

const ROOT = join(import.meta.dirname!, "../..");

/** The guide's two files, in a folder of their own below the root, with the package's name resolved to the files here. */
async function runGuide(): Promise<string[]> {
  const guide = await Deno.readTextFile(join(ROOT, "docs/writing_a_backend.md"));
  const [kernel, measure] = [...guide.matchAll(/```ts\n([^]*?)```/g)].map(([, code]) => code!);
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(join(folder, "my_kernel.ts"), kernel!.replace("@iommufd/iommufd/uapi", `file://${ROOT}/uapi/mod.ts`));
    await Deno.writeTextFile(join(folder, "measure.ts"), measure!.replace("../tests/", `file://${ROOT}/tests/`));
    const args = ["run", "--check", "--allow-read", "--config", join(ROOT, "deno.json"), join(folder, "measure.ts")];
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    check(success, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout).trim().split("\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the guide's kernel compiles, and the suite tells how far it is: one case", async () => {
  const lines = await runGuide();
  const cases = CONFORMANCE.reduce((sum, suite) => sum + suite.cases.length, 0);
  equal(lines.at(-1), `1 passed, ${cases - 1} failed`);
  equal(lines.length, cases);
});
