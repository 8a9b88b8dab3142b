/**
 * The drivers of the examples make no mistake that the sanitizer knows.
 */
import { strictEqual } from "node:assert/strict";
import { onDisk, pattern } from "./disk.ts";

Deno.test("the NVMe driver writes, reads, trims and flushes without a finding", async () => {
  for (const completions of ["polling", "interrupts"] as const) {
    await onDisk({ machine: { sanitizer: {} }, driver: { completions } }, async ({ namespaces: [namespace] }, kernel) => {
      const data = pattern(700 * 512, 3);
      await namespace!.write(5, data);
      const back = new Uint8Array(data.length);
      await namespace!.read(5, back);
      strictEqual(back.every((byte, index) => byte === data[index]), true);
      await namespace!.trim([{ lba: 5, blocks: 8 }]);
      await namespace!.flush();
      kernel.sanitizer!.assertClean();
      strictEqual(kernel.inspect.faults.length, 0);
    });
  }
});
