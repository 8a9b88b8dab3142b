/**
 * Parts of the core as WebAssembly, with exports that take plain numbers: core-wasm/bench/src/exports.rs.
 *
 * @module
 */
import { buildBench } from "../../core-wasm/build.ts";

/** Its exports. Addresses and lengths are in pages of 4 KiB. */
export interface BenchModule {
  /** Make a page table whose tables may take so many bytes. */
  tables_new(bytes: number): void;
  /** Map. */
  tables_map(page: number, pages: number): void;
  /** Unmap. @returns how many there were. */
  tables_unmap(page: number, pages: number): number;
  /** @returns the page that it leads to. */
  tables_translate(page: number): number;
  /** @returns bytes that its tables take. */
  tables_bytes(): number;
  /** Make a space with so many areas. */
  addresses_new(count: number): void;
  /** Take an area. @returns its first page. */
  addresses_allocate(pages: number): number;
  /** Give it back. */
  addresses_free(page: number): void;
  /** Choose areas and sizes for so many calls of {@linkcode BenchModule.addresses_replace}. */
  addresses_draw(count: number): void;
  /** Free an area and allocate one, as drawn. */
  addresses_replace(): void;
  /** Make a machine whose device has so many pages, none a neighbour of another. */
  transfers_new(pages: number): void;
  /** The device reads so many bytes, at most 1 MiB. */
  transfers_read(page: number, length: number): void;
  /** A plain copy of as many bytes. */
  transfers_copy(length: number): void;
}

/** The module, built where the core's compiler is; undefined elsewhere, with the reason given to `tell`. */
export async function loadModule(tell: (reason: string) => void): Promise<BenchModule | undefined> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = new Uint8Array(await buildBench());
  } catch (error) {
    tell(`The core's parts were not measured: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
  const module = new WebAssembly.Module(bytes);
  // What wasm-bindgen imports is for values of JavaScript, and there are none here.
  const imports: WebAssembly.Imports = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    imports[from] = { ...imports[from], [name]: () => {} };
  }
  return new WebAssembly.Instance(module, imports).exports as unknown as BenchModule;
}
