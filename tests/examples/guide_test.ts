/**
 * The code of docs/writing_a_device.md, both blocks as they stand, on the real core.
 *
 * @module
 */
import { deepStrictEqual, strictEqual } from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url);

/** The guide's blocks as one program, with its imports by name turned into imports by path. */
function program(): string {
  const guide = Deno.readTextFileSync(new URL("docs/writing_a_device.md", ROOT));
  const blocks = [...guide.matchAll(/```ts\n([^]*?)```/g)].map(([, code]) => code!);
  const [model, script] = blocks;
  const imports = (code: string) =>
    code.replaceAll('"@iommufd/iommufd/simulated"', `"${new URL("backends/simulated/mod.ts", ROOT)}"`)
      .replaceAll('"@iommufd/iommufd"', `"${new URL("mod.ts", ROOT)}"`);
  return imports(`${script!.slice(0, script!.indexOf("\n\n"))}\n${model}\n${script!.slice(script!.indexOf("\n\n"))}`);
}

Deno.test("the guide's device sums the memory that the guide's program gives it", async () => {
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(path, program());
    const options = {
      args: ["run", "--check", "--no-prompt", "--config", new URL("deno.json", ROOT).pathname, path],
      stdin: "null",
    } as const;
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { ...options, args: [...options.args] }).output();
    strictEqual(code, 0, new TextDecoder().decode(stderr));
    deepStrictEqual(new TextDecoder().decode(stdout), "4096\n");
  } finally {
    await Deno.remove(path);
  }
});
