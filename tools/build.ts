/**
 * Bundles the library for runtimes without TypeScript: `deno task build`.
 *
 * dist/iommufd.js is an ES module for Node, Bun, browsers and edge runtimes. The cores are in files of their own beside it, as base64, each of which it
 * imports when a machine needs it. dist/core.wasm and dist/core_full.wasm are the same cores for runtimes that compile no bytes (workerd): import one as
 * a module and pass it to `simulated(machine, { module })`.
 *
 * @module
 */
import * as esbuild from "esbuild";
import { basename, dirname, join } from "node:path";
import { gzipSync } from "node:zlib";

const ROOT = join(import.meta.dirname!, "..");

/** Bundle `entry` into an ES module that names nothing of Deno, with what it imports when it needs it in files beside it. */
export async function bundle(entry: string, outfile: string, options: { minify?: boolean } = {}): Promise<void> {
  await esbuild.build({
    entryPoints: [{ in: join(ROOT, entry), out: basename(outfile, ".js") }],
    outdir: dirname(outfile),
    bundle: true,
    splitting: true,
    chunkNames: "[name]-[hash]",
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
  // Files of an earlier build have other names.
  await Deno.remove(dist, { recursive: true }).catch(() => {});
  await Deno.mkdir(dist, { recursive: true });
  await bundle("mod.ts", join(dist, "iommufd.js"));
  await bundle("mod.ts", join(dist, "iommufd.min.js"), { minify: true });
  const cores = ["core.wasm", "core_full.wasm"];
  for (const name of cores) await Deno.copyFile(join(ROOT, "core-wasm/dist", name), join(dist, name));
  await stopBundler();
  for await (const { name } of Deno.readDir(dist)) {
    const bytes = await Deno.readFile(join(dist, name));
    console.log(`dist/${name}: ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} gzipped`);
  }
}
