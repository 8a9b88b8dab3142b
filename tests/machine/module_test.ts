/**
 * The core as a compiled module, for runtimes that compile no bytes.
 */
import { join } from "node:path";
import { type Machine, simulated } from "../../mod.ts";
import { equal } from "../check.ts";

const DIST = join(import.meta.dirname!, "../../core-wasm/dist");

/** A core that the build made, compiled. */
async function moduleOf(name: string): Promise<WebAssembly.Module> {
  return await WebAssembly.compile(await Deno.readFile(join(DIST, name)));
}

async function failureOf(machine: Machine, options: Parameters<typeof simulated>[1]): Promise<string> {
  const outcome = await simulated(machine, options).catch((error) => error);
  return outcome instanceof TypeError ? outcome.message : `no TypeError: ${outcome}`;
}

Deno.test("a machine starts from a compiled core, and compiles nothing", async () => {
  const module = await moduleOf("core.wasm");
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

Deno.test("what takes the full core works with core_full.wasm, and is refused with core.wasm", async () => {
  const [lean, full] = [await moduleOf("core.wasm"), await moduleOf("core_full.wasm")];
  for (
    const [machine, checks] of [[{ pci: [] }, true], [{ pci: [], sanitizer: {} }, false], [
      { pci: [], iommu: { kind: "mock" } },
      false,
    ], [{ pci: [], iommu: { kind: "smmuv3", stage: "nested" } }, false]] as const
  ) {
    using kernel = await simulated(machine, { module: full, checks });
    equal(kernel.list("/dev"), ["iommu"]);
    equal(
      await failureOf(machine, { module: lean, checks }),
      "Cannot start the machine: its checks, its sanitizer, its mock IOMMU or its guests need the full core, and the module given is the lean one; give core_full.wasm",
    );
  }
});

Deno.test("invariants are checked where that was asked for, and nowhere else", async () => {
  using checked = await simulated({ pci: [] }, { checks: true });
  equal(checked.inspect.check(), []);
  for (const machine of [{ pci: [] }, { pci: [], sanitizer: {} }]) {
    using kernel = await simulated(machine);
    let message = "nothing";
    try {
      kernel.inspect.check();
    } catch (error) {
      message = error instanceof TypeError ? error.message : `no TypeError: ${error}`;
    }
    equal(message, "Cannot check the invariants: the machine has no checker; build it by simulated(machine, { checks: true })");
  }
});
