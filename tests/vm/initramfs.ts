/**
 * The guest's file system: this machine's own Deno, C library and busybox, in one archive.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { cacheFolder, contentName, exists } from "./kernel.ts";
import { run } from "./command.ts";

const INIT = join(import.meta.dirname!, "init.sh");
const BUSYBOX = "/bin/busybox";
/** Milliseconds. */
const DAY = 86_400_000;
/** Folders that are mounted over. */
const FOLDERS = ["proc", "sys", "dev", "tmp", "root", "share", "deno", "run", "etc", "usr/bin", "bin"];

/** The libraries that a program loads, its loader included. */
async function librariesOf(program: string): Promise<string[]> {
  const text = await run("ldd", [program], { capture: true });
  return [...text.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path!);
}

/** What stands for a file in the name of the archive: its content is too much to read at each start. */
async function stamp(path: string): Promise<string> {
  const { size, mtime } = await Deno.stat(path);
  return `${path} ${size} ${mtime?.getTime()}`;
}

/** The archive, made if the cache lacks it. It is not compressed: an emulated processor copies faster than it unpacks. */
export async function buildInitramfs(): Promise<string> {
  const deno = Deno.execPath();
  const libraries = await librariesOf(deno);
  const stamps = await Promise.all([deno, BUSYBOX, ...libraries].map(stamp));
  const name = contentName([await Deno.readTextFile(INIT), await Deno.readTextFile(import.meta.filename!), ...stamps]);
  const archive = join(cacheFolder(), `initramfs-${name}.cpio`);
  if (await exists(archive)) return archive;
  await Deno.mkdir(cacheFolder(), { recursive: true });
  const tree = await Deno.makeTempDir({ dir: cacheFolder(), prefix: "tree-" });
  try {
    const copy = async (from: string, to: string) => {
      await Deno.mkdir(dirname(join(tree, to)), { recursive: true });
      await Deno.copyFile(from, join(tree, to));
      await Deno.chmod(join(tree, to), 0o755);
    };
    for (const folder of FOLDERS) await Deno.mkdir(join(tree, folder), { recursive: true });
    await copy(INIT, "init");
    await copy(BUSYBOX, "bin/busybox");
    await copy(deno, "usr/bin/deno");
    for (const library of libraries) await copy(library, library);
    const part = `${archive}.${Deno.pid}`;
    await run("sh", ["-c", `cd "$1" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 >"$2"`, "sh", tree, part]);
    await Deno.rename(part, archive);
  } finally {
    await Deno.remove(tree, { recursive: true });
  }
  await forgetOthers(archive);
  return archive;
}

/** Archives of other Deno versions are not needed again, and each has 100 MB. A young one may be another checkout's. */
async function forgetOthers(archive: string): Promise<void> {
  for await (const { name } of Deno.readDir(cacheFolder())) {
    const path = join(cacheFolder(), name);
    if (!/^initramfs-\w+\.cpio$/.test(name) || path === archive) continue;
    const { mtime } = await Deno.stat(path);
    if (mtime !== null && Date.now() - mtime.getTime() > DAY) await Deno.remove(path);
  }
}
