/**
 * The core as a file, and how long it takes until it runs.
 *
 * @module
 */
import { join } from "node:path";
import { instantiate } from "../../../core-wasm/mod.ts";
import { atMost, type Figure, fixed, type Line } from "../line.ts";

const DIST = join(import.meta.dirname!, "../../../core-wasm/dist");
const ROUNDS = 21;

async function size(): Promise<Figure> {
  const { core: { gzipped } } = JSON.parse(await Deno.readTextFile(join(DIST, "source.json")));
  return { value: gzipped };
}

/** The module with a section that says nothing but a number: V8 does not compile bytes twice that it has seen. */
function different(bytes: Uint8Array, number: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array([...bytes, 0, 3, 1, 0x6e, number]);
}

/** Compile and instantiate, as the first machine of a program does. */
async function start(): Promise<Figure> {
  const bytes = await Deno.readFile(join(DIST, "core.wasm"));
  const samples: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const fresh = different(bytes, round);
    const begin = performance.now();
    await instantiate({ module: await WebAssembly.compile(fresh) });
    samples.push(performance.now() - begin);
  }
  return { value: samples.sort((a, b) => a - b)[ROUNDS >> 1]! };
}

/** The lines. */
export const MODULES: readonly Line[] = [
  { name: "core.wasm, gzipped", unit: "bytes", nativeParts: 0, goal: fixed(60_000, "60 KB"), measure: size },
  { name: "core.wasm, compile and instantiate", unit: "ms", nativeParts: 0, goal: atMost(5, "5 ms"), measure: start },
];
