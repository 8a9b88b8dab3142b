/**
 * Builds the guest's kernel, once: what it is made from names it in the cache.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { join } from "node:path";
import { run } from "./command.ts";
import { type VariantName, VARIANTS } from "./variants.ts";

const HERE = import.meta.dirname!;
/** What is made of the source, in this order; the fragments are merged after the first. */
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

async function kernelFolder(variant: VariantName): Promise<string> {
  const names = [...VARIANTS[variant].fragments, "kernel_source.sh"];
  const parts = await Promise.all(names.map((name) => Deno.readTextFile(join(HERE, name))));
  parts.push(...GOALS);
  return join(cacheFolder(), `kernel-${variant}-${contentName(parts)}`);
}

/** A built kernel. */
export interface BuiltKernel {
  /** The image to boot. */
  readonly image: string;
  /** The headers for programs, as `make headers_install` leaves them: `<headers>/linux/iommufd.h`. */
  readonly headers: string;
}

/** The kernels of the variants, built where the cache lacks them. Several share one source tree, and what they have in common. */
export async function buildKernels(variants: readonly VariantName[]): Promise<Map<VariantName, BuiltKernel>> {
  const folders = new Map(await Promise.all(variants.map(async (variant) => [variant, await kernelFolder(variant)] as const)));
  const missing: VariantName[] = [];
  for (const [variant, folder] of folders) if (!await exists(join(folder, "bzImage"))) missing.push(variant);
  if (missing.length > 0) {
    await run("bash", [join(HERE, "install.sh"), "kernel"]);
    await Deno.mkdir(cacheFolder(), { recursive: true });
    const work = await Deno.makeTempDir({ dir: cacheFolder(), prefix: "build-" });
    try {
      const source = (await run("bash", [join(HERE, "kernel_source.sh"), work], { capture: true })).trim().split("\n").at(-1)!;
      for (const variant of missing) await buildKernel(source, join(work, "build"), variant, folders.get(variant)!);
    } finally {
      await Deno.remove(work, { recursive: true });
    }
  }
  return new Map([...folders].map(([variant, folder]) => [variant, { image: join(folder, "bzImage"), headers: join(folder, "include") }]));
}

async function buildKernel(source: string, build: string, variant: VariantName, folder: string): Promise<void> {
  const began = performance.now();
  const make = (...goals: string[]) =>
    run("make", ["-s", "-C", source, `O=${build}`, `-j${navigator.hardwareConcurrency}`, ...goals], { quiet: true });
  const fragments = VARIANTS[variant].fragments.map((name) => join(HERE, name));
  console.error(`Building the kernel of the variant ${variant}, once: some minutes`);
  const [start, complete, image, headers] = GOALS;
  await make(start);
  await run("bash", [join(source, "scripts/kconfig/merge_config.sh"), "-m", "-O", build, join(build, ".config"), ...fragments], {
    quiet: true,
  });
  await make(complete);
  await checkConfig(join(build, ".config"), fragments);
  await make(image);
  const staging = await Deno.makeTempDir({ dir: cacheFolder(), prefix: "install-" });
  await Deno.chmod(staging, 0o755);
  await make(`INSTALL_HDR_PATH=${staging}`, headers);
  await Deno.copyFile(join(build, "arch/x86/boot/bzImage"), join(staging, "bzImage"));
  await Deno.rename(staging, folder);
  console.error(`Built it in ${Math.round((performance.now() - began) / 1000)} s`);
}

/** An option that depends on one that is off would be dropped silently: an error instead. */
async function checkConfig(path: string, fragments: readonly string[]): Promise<void> {
  const made = new Set((await Deno.readTextFile(path)).split("\n"));
  const wanted = new Map<string, string>();
  for (const fragment of fragments) {
    for (const line of (await Deno.readTextFile(fragment)).split("\n")) {
      const name = /^(?:# )?(CONFIG_\w+)[= ]/.exec(line)?.[1];
      if (name !== undefined) wanted.set(name, line);
    }
  }
  const lost = [...wanted].filter(([name, line]) => line.startsWith("#") ? made.has(`${name}=y`) : !made.has(line)).map(([, line]) => line);
  if (lost.length > 0) throw new Error(`Cannot configure the kernel: it does not take ${lost.join(", ")}`);
}
