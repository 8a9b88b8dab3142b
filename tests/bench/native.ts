/**
 * The same core, and crates that do the same work, compiled natively and measured by criterion: core-wasm/bench/benches.
 *
 * @module
 */
import { join } from "node:path";

const CORE = join(import.meta.dirname!, "../../core-wasm");

/** Nanoseconds by criterion's names. A peer's is "name of the line / peer". */
export type Native = Readonly<Record<string, number>>;

interface Found {
  readonly full_id: string;
}

interface Estimates {
  readonly median: { readonly point_estimate: number };
}

async function* results(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (!isDirectory) continue;
    if (name === "new") yield join(folder, name);
    else yield* results(join(folder, name));
  }
}

async function read<T>(path: string): Promise<T> {
  return JSON.parse(await Deno.readTextFile(path)) as T;
}

/** Names, for criterion's filter: a regular expression. */
function pattern(names: readonly string[]): string {
  return `^(${names.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})( /|$)`;
}

/** Measure what has one of the names. @throws {Error} if cargo is not there or fails. */
async function measure(names: readonly string[]): Promise<Native> {
  const target = Deno.env.get("CARGO_TARGET_DIR") ?? join(CORE, "target");
  const home = join(target, "criterion-lines");
  await Deno.remove(home, { recursive: true }).catch(() => {});
  const { success, stderr } = await new Deno.Command("cargo", {
    args: ["bench", "--locked", "--quiet", "--manifest-path", join(CORE, "bench/Cargo.toml"), "--", "--quiet", "--noplot", pattern(names)],
    env: { CARGO_TARGET_DIR: target, CRITERION_HOME: home },
    stdout: "null",
  }).output().catch((cause) => {
    throw new Error("Cannot run cargo: is it installed?", { cause });
  });
  if (!success) throw new Error(`cargo bench failed: ${new TextDecoder().decode(stderr).trim()}`);
  const found: Record<string, number> = {};
  for await (const folder of results(home)) {
    const { full_id } = await read<Found>(join(folder, "benchmark.json"));
    const { median } = await read<Estimates>(join(folder, "estimates.json"));
    found[full_id] = median.point_estimate;
  }
  return found;
}

/** Measure what has one of the names; nothing, with the reason told to `tell`, where there is no Rust. */
export async function measureNative(names: readonly string[], tell: (reason: string) => void): Promise<Native> {
  if (names.length === 0) return {};
  return await measure(names).catch((error: Error) => {
    tell(`Nothing was measured natively: ${error.message}`);
    return {};
  });
}
