import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { join } from "node:path";

const GENERATED = [
  "uapi/codec.ts",
  "docs/requests.md",
  "docs/coverage.md",
  "core-wasm/crates/uapi/src/errno.rs",
  "core-wasm/crates/uapi/src/iommufd.rs",
  "core-wasm/crates/uapi/src/vfio.rs",
  "core-wasm/crates/uapi/src/selftest.rs",
  "core-wasm/crates/uapi/src/simulated.rs",
  "core-wasm/crates/uapi/src/requests.rs",
];

const GENERATOR = join(import.meta.dirname!, "../../tools/generate.ts");

async function generate(...args: string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args: ["run", "--allow-all", GENERATOR, ...args] }).output();
  return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

Deno.test("the generated files follow from the schema as it is", async () => {
  const { code, text } = await generate("--check");
  strictEqual(code, 0, text);
});

Deno.test("the check lists every file that is missing or differs, and writes nothing", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const missing = await generate("--check", `--into=${folder}`);
    strictEqual(missing.code, 1);
    for (const path of GENERATED) ok(missing.text.includes(path), `${path} is not in: ${missing.text}`);
    deepStrictEqual([...Deno.readDirSync(folder)], []);

    strictEqual((await generate(`--into=${folder}`)).code, 0);
    await Deno.writeTextFile(join(folder, "docs/requests.md"), "edited by hand\n");
    const edited = await generate("--check", `--into=${folder}`);
    strictEqual(edited.code, 1);
    deepStrictEqual(GENERATED.filter((path) => edited.text.includes(path)), ["docs/requests.md"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("each generated file says so in its first line, with a hash of its sources", async () => {
  const firstLines = await Promise.all(
    GENERATED.map(async (path) => (await Deno.readTextFile(join(import.meta.dirname!, "../..", path))).split("\n")[0]!),
  );
  const hashes = firstLines.map((line) =>
    /GENERATED from uapi\/schema by `deno task generate`.*Source hash: ([0-9a-f]{16})/.exec(line)?.[1]
  );
  ok(hashes[0] !== undefined);
  strictEqual(new Set(hashes).size, 1, firstLines.join("\n"));
});
