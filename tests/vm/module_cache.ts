/**
 * Deno's cache for the guest, filled on this machine: an emulated processor takes seconds to compile TypeScript.
 *
 * @module
 */
import { join } from "node:path";
import { run } from "./command.ts";

const HERE = import.meta.dirname!;
const ROOT = join(HERE, "../..");

/** The tests of this folder and the programs that they start. */
async function entryPoints(): Promise<string[]> {
  const found = [join(ROOT, "mod.ts")];
  for (const folder of [HERE, join(HERE, "bench")]) {
    for await (const { name } of Deno.readDir(folder)) if (name.endsWith(".ts")) found.push(join(folder, name));
  }
  for await (const { name, isDirectory } of Deno.readDir(join(ROOT, "examples"))) {
    found.push(join(ROOT, "examples", name, ...(isDirectory ? ["main.ts"] : [])));
  }
  return found.filter((path) => path.endsWith(".ts"));
}

/** A cache with all modules of the entry points, as a tar archive; without packages, which the guest has by another way. */
export async function packModuleCache(): Promise<Uint8Array<ArrayBuffer>> {
  const folder = await Deno.makeTempDir({ prefix: "iommufd-vm-cache-" });
  try {
    const { npmCache } = JSON.parse(await run(Deno.execPath(), ["info", "--json"], { capture: true }));
    await Deno.mkdir(npmCache, { recursive: true });
    await Deno.symlink(npmCache, join(folder, "npm"));
    const cache = ["cache", "--quiet", "--no-check", ...await entryPoints()];
    await run(Deno.execPath(), cache, { quiet: true, cwd: ROOT, env: { DENO_DIR: folder } });
    const archive = join(folder, "cache.tar");
    await run("tar", ["-C", folder, "--exclude=./npm", "--exclude=./cache.tar", "-cf", archive, "."]);
    return await Deno.readFile(archive);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
