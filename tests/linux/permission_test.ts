/**
 * What a program is told where the running kernel cannot be reached.
 *
 * @module
 */
import { match, ok, strictEqual } from "node:assert/strict";
import { IS_LINUX } from "./open.ts";

/** What `linux()` throws in a process with some permissions; "" where it opens the kernel. */
async function refusal(...permissions: string[]): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    const module = new URL("../../backends/linux/mod.ts", import.meta.url).href;
    const source =
      `import { linux } from "${module}";\ntry { (await linux())[Symbol.dispose](); } catch (error) { console.log(error.message); }\n`;
    await Deno.writeTextFile(`${folder}/main.ts`, source);
    const args = ["run", "--no-prompt", "--no-lock", ...permissions, `${folder}/main.ts`];
    const { code, stdout } = await new Deno.Command(Deno.execPath(), { args, stderr: "inherit" }).output();
    strictEqual(code, 0);
    return new TextDecoder().decode(stdout);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test({
  name: "linux: without the permission for foreign functions, or with that for one library alone, the error names the flag",
  ignore: !IS_LINUX,
  fn: async () => {
    const maps = await Deno.readTextFile("/proc/self/maps");
    const library = /\/\S*(libc\.so\.6|ld-musl\S*)$/m.exec(maps)![0];
    for (const permissions of [[], [`--allow-ffi=${library}`]]) match(await refusal(...permissions), /run with --allow-ffi\. A path/);
  },
});

Deno.test({
  name: "linux: with that permission alone the kernel is opened, or the error says which interfaces are missing and what shows it",
  ignore: !IS_LINUX,
  fn: async () => {
    const text = await refusal("--allow-ffi");
    const has = async (path: string) => await Deno.stat(path).then(() => true, () => false);
    if (await has("/dev/iommu") || await has("/dev/vfio/vfio")) strictEqual(text, "");
    else ok(text.includes("/dev/iommu") && text.includes("grep -E 'CONFIG_(IOMMUFD"), text);
  },
});
