/**
 * The core as a compiled module, for runtimes that compile no bytes.
 */
import { join } from "node:path";
import { simulated } from "../../mod.ts";
import { equal } from "../check.ts";

Deno.test("a machine starts from a compiled core, and compiles nothing", async () => {
  const module = await WebAssembly.compile(await Deno.readFile(join(import.meta.dirname!, "../../core-wasm/dist/core.wasm")));
  const { compile } = WebAssembly;
  let compiled = 0;
  WebAssembly.compile = (bytes) => (compiled++, compile(bytes));
  try {
    using kernel = await simulated({ pci: [] }, { module });
    equal(kernel.list("/dev"), ["iommu"]);
    equal(compiled, 0, "modules compiled");
  } finally {
    WebAssembly.compile = compile;
  }
});
