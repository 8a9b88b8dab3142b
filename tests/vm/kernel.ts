/**
 * Builds the guest's kernel, once: what it is made from names it in the cache.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { join } from "node:path";
import { run } from "./command.ts";

const HERE = import.meta.dirname!;
const FRAGMENT = join(HERE, "kernel.config");
const SOURCE = join(HERE, "kernel_source.sh");
/** What is made of the source, in this order; the fragment is merged after the first. */
const GOALS = ["tinyconfig", "olddefconfig", "bzImage", "headers_install"] as const;

/** What was built before: kernels and file systems. */
export function cacheFolder(): string {
  return join(Deno.env.get("XDG_CACHE_HOME") ?? join(homedir(), ".cache"), "iommufd-vm");
}

/** Whether a file is there. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A name for what `parts` make. */
export function contentName(parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  return hash.digest("hex").slice(0, 16);
}

/** A built kernel. */
export interface BuiltKernel {
  /** The image to boot. */
  readonly image: string;
  /** The headers for programs, as `make headers_install` leaves them: `<headers>/linux/iommufd.h`. */
  readonly headers: string;
}

/** The kernel, built where the cache lacks it. */
export async function buildKernel(): Promise<BuiltKernel> {
  const parts = await Promise.all([FRAGMENT, SOURCE].map((path) => Deno.readTextFile(path)));
  const folder = join(cacheFolder(), `kernel-${contentName([...parts, ...GOALS])}`);
  const built = { image: join(folder, "bzImage"), headers: join(folder, "include") };
  if (await exists(built.image)) return built;
  await run("bash", [join(HERE, "install.sh"), "kernel"]);
  await Deno.mkdir(cacheFolder(), { recursive: true });
  const work = await Deno.makeTempDir({ dir: cacheFolder(), prefix: "build-" });
  try {
    const source = (await run("bash", [SOURCE, work], { capture: true })).trim().split("\n").at(-1)!;
    await make(source, join(work, "build"), folder);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
  return built;
}

async function make(source: string, build: string, folder: string): Promise<void> {
  const began = performance.now();
  const goal = (...goals: string[]) =>
    run("make", ["-s", "-C", source, `O=${build}`, `-j${navigator.hardwareConcurrency}`, ...goals], { quiet: true });
  console.error("Building the guest's kernel, once: some minutes");
  const [start, complete, image, headers] = GOALS;
  await goal(start);
  await run("bash", [join(source, "scripts/kconfig/merge_config.sh"), "-m", "-O", build, join(build, ".config"), FRAGMENT], {
    quiet: true,
  });
  await goal(complete);
  await checkConfig(join(build, ".config"));
  await goal(image);
  const staging = await Deno.makeTempDir({ dir: cacheFolder(), prefix: "install-" });
  await Deno.chmod(staging, 0o755);
  await goal(`INSTALL_HDR_PATH=${staging}`, headers);
  await Deno.copyFile(join(build, "arch/x86/boot/bzImage"), join(staging, "bzImage"));
  await Deno.rename(staging, folder);
  console.error(`Built it in ${Math.round((performance.now() - began) / 1000)} s`);
}

/** An option that depends on one that is off would be dropped silently: an error instead. */
async function checkConfig(path: string): Promise<void> {
  const made = new Set((await Deno.readTextFile(path)).split("\n"));
  const wanted = new Map<string, string>();
  for (const line of (await Deno.readTextFile(FRAGMENT)).split("\n")) {
    const name = /^(?:# )?(CONFIG_\w+)[= ]/.exec(line)?.[1];
    if (name !== undefined) wanted.set(name, line);
  }
  const lost = [...wanted].filter(([name, line]) => line.startsWith("#") ? made.has(`${name}=y`) : !made.has(line)).map(([, line]) => line);
  if (lost.length > 0) throw new Error(`Cannot configure the kernel: it does not take ${lost.join(", ")}`);
}
