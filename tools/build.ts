/**
 * Bundles the library for runtimes without TypeScript: `deno task build`.
 *
 * dist/iommufd.js is one ES module for Node, Bun, browsers and edge runtimes; the core is inside as base64. dist/core.wasm is the same core for
 * runtimes that compile no bytes (workerd): import it as a module and pass it to `simulated(machine, { module })`.
 *
 * @module
 */
import * as esbuild from "esbuild";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const ROOT = join(import.meta.dirname!, "..");

/** Bundle `entry` into one ES module that names nothing of Deno. */
export async function bundle(entry: string, outfile: string, options: { minify?: boolean } = {}): Promise<void> {
  await esbuild.build({
    entryPoints: [join(ROOT, entry)],
    outfile,
    bundle: true,
    format: "esm",
    // Node 20 and today's browsers: `using` is lowered, bigint and top-level await stay.
    target: "es2022",
    platform: "neutral",
    minify: options.minify ?? false,
    sourcemap: options.minify ? false : "inline",
    logLevel: "error",
  });
}

/** End esbuild's helper process; without it a script does not end. */
export async function stopBundler(): Promise<void> {
  await esbuild.stop();
}

if (import.meta.main) {
  const dist = join(ROOT, "dist");
  await Deno.mkdir(dist, { recursive: true });
  await bundle("mod.ts", join(dist, "iommufd.js"));
  await bundle("mod.ts", join(dist, "iommufd.min.js"), { minify: true });
  const cores = ["core.wasm", "core_full.wasm"];
  for (const name of cores) await Deno.copyFile(join(ROOT, "core-wasm/dist", name), join(dist, name));
  await stopBundler();
  for (const name of ["iommufd.js", "iommufd.min.js", "core.wasm"]) {
    const bytes = await Deno.readFile(join(dist, name));
    console.log(`dist/${name}: ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} gzipped`);
  }
}
