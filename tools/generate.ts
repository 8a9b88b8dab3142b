/**
 * Makes everything that follows from uapi/schema: the codec, the Rust structs, docs/requests.md and docs/coverage.md.
 *
 * `deno task generate` writes the files; with `--check` it writes nothing, lists the files that are stale and exits with 1. `--into=FOLDER` takes another root for the results.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { DESCRIBED, FAMILIES } from "../uapi/schema/layout.ts";
import { coverage } from "./coverage.ts";
import { codec } from "./generate/codec.ts";
import { coveragePage } from "./generate/coverage_page.ts";
import { requestsPage } from "./generate/requests_page.ts";
import { errnoModule, familyModule, requestsModule } from "./generate/rust.ts";

const ROOT = join(import.meta.dirname!, "..");
const CRATE = "core-wasm/crates/uapi/src";

/** The files that the output follows from, in a fixed order. */
async function sourceFiles(): Promise<string[]> {
  const found = ["uapi/errno.ts", "tools/generate.ts"];
  for (const folder of ["uapi/schema", "tools/generate"]) {
    // What the page of coverage says has no part in the other files, which need not change with it.
    for await (const { name } of Deno.readDir(join(ROOT, folder))) if (name !== "coverage_page.ts") found.push(`${folder}/${name}`);
  }
  return found.sort();
}

/** The beginning of the SHA-256 of all sources: tells at a glance whether two generated files belong together. */
async function sourceHash(): Promise<string> {
  const texts = await Promise.all((await sourceFiles()).map((path) => Deno.readTextFile(join(ROOT, path))));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(texts.join("\0")));
  return [...new Uint8Array(digest, 0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function formatted(text: string, extension: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", `--ext=${extension}`, "-"],
    cwd: ROOT,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  if (!success) throw new Error(`Cannot format generated .${extension}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** Every generated file: path → content. The Rust is written as rustfmt would, so that checking needs no Rust. */
async function outputs(): Promise<Map<string, string>> {
  const note = `GENERATED from uapi/schema by \`deno task generate\`, do not edit. Source hash: ${await sourceHash()}`;
  const files = new Map<string, string>();
  files.set("uapi/codec.ts", await formatted(`// ${note}\n${codec(DESCRIBED)}`, "ts"));
  files.set("docs/coverage.md", await formatted(`<!-- ${note} -->\n\n${coveragePage(coverage())}`, "md"));
  files.set("docs/requests.md", await formatted(`<!-- ${note} -->\n\n${requestsPage(DESCRIBED)}`, "md"));
  files.set(`${CRATE}/errno.rs`, `// ${note}\n${errnoModule()}`);
  // An iommufd answers the requests of containers too; their numbers are in no table, as they are also those of devices' requests.
  for (const family of DESCRIBED) files.set(`${CRATE}/${family.name}.rs`, `// ${note}\n${familyModule(family)}`);
  files.set(`${CRATE}/requests.rs`, `// ${note}\n${requestsModule(FAMILIES)}`);
  return files;
}

async function isStale(path: string, text: string): Promise<boolean> {
  try {
    return await Deno.readTextFile(path) !== text;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}

if (import.meta.main) {
  const check = Deno.args.includes("--check");
  const into = Deno.args.find((argument) => argument.startsWith("--into="))?.slice("--into=".length) ?? ROOT;
  const stale: string[] = [];
  for (const [name, text] of await outputs()) {
    const path = join(into, name);
    if (!await isStale(path, text)) continue;
    stale.push(name);
    if (check) continue;
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeTextFile(path, text);
  }
  if (check && stale.length > 0) {
    console.error(`Stale, run \`deno task generate\`:\n${stale.map((name) => `  ${name}`).join("\n")}`);
    Deno.exit(1);
  }
  if (!check) console.log(stale.length > 0 ? `Wrote ${stale.join(", ")}` : "Everything is up to date");
}
