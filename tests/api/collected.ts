/**
 * Loses handles, has the garbage collected, and prints what the library says of it. Run by leaks_test.ts in a process of its own, since the
 * collector must be called.
 *
 * @module
 */
import { IommuFd, leaks, MemFd, simulated, trackLeaks } from "../../mod.ts";

const { gc } = globalThis as unknown as { gc(): void };
const warnings: string[] = [];
console.warn = (text: string) => warnings.push(text);
trackLeaks(Deno.args[0] === "tracked");

const kernel = await simulated({ pci: [] });

/** In a function, so that nothing on the stack keeps the handles. */
function lose(): void {
  IommuFd.open(kernel).createIoas().createDmaBuffer(4096);
  for (let file = 0; file < 3; file++) MemFd.create(kernel, "lost", 4096);
}

function dispose(): void {
  using iommu = IommuFd.open(kernel);
  iommu.createIoas().createDmaBuffer(4096);
}

lose();
dispose();
// Finalizers run as tasks some time after the collection.
for (let turn = 0; turn < 200 && leaks(kernel).some(({ open }) => open > 0); turn++) {
  gc();
  await new Promise((resolve) => setTimeout(resolve, 5));
}
console.log(JSON.stringify({ warnings, report: leaks(kernel).map(({ kind, open, collected }) => ({ kind, open, collected })) }));
