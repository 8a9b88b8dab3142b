/**
 * The device of docs/writing_a_device.md works as the guide says.
 *
 * @module
 */
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import type { DeviceModel } from "../../backends/simulated/device.ts";
import { O_RDWR } from "../../uapi/kernel.ts";
import { FAKE_BIND, FAKE_SET_IRQS, onFakeCore } from "./fake_core.ts";

/** The first code block of the guide as a module; its only import is of types, so it needs nothing to resolve. */
async function loadGuide(): Promise<{ Checksum: new () => DeviceModel }> {
  const guide = Deno.readTextFileSync(new URL("../../docs/writing_a_device.md", import.meta.url));
  const code = /```ts\n([^]*?)```/.exec(guide)![1]!;
  return await import(`data:application/typescript,${encodeURIComponent(code)}`);
}

async function run(readable: boolean): Promise<{ sum: number; status: number; modelErrors: readonly unknown[] }> {
  const { Checksum } = await loadGuide();
  const { kernel, core } = onFakeCore({ pci: [{ slot: "04.0", model: new Checksum() }] });
  if (readable) core.allowed.push({ start: 0x2000, last: 0x2fff, writable: false });
  core.ram(0x2000, 4096).fill(1);
  const fd = kernel.open("/dev/vfio/devices/vfio0", O_RDWR);
  kernel.ioctl(fd, FAKE_BIND, 0);
  const eventfd = kernel.eventfd(0, 0);
  core.route(0, 2, 0, eventfd);
  kernel.ioctl(fd, FAKE_SET_IRQS, 0);
  using block = kernel.block(8);
  block.view.setUint16(0, 6, true);
  kernel.pwrite(fd, block, 2, 7 * 2 ** 40 + 4);
  block.view.setBigUint64(0, 0x2000n, true);
  strictEqual(kernel.pwrite(fd, block, 8, 0), 8);
  for (const [offset, value] of [[0x08, 4096], [0x0c, 1]] as const) {
    block.view.setUint32(0, value, true);
    strictEqual(kernel.pwrite(fd, block, 4, offset), 4);
  }
  strictEqual(await kernel.wait(eventfd), 0);
  const read = (offset: number) => (kernel.pread(fd, block, 4, offset), block.view.getUint32(0, true));
  return { sum: read(0x10), status: read(0x14), modelErrors: kernel.inspect.modelErrors };
}

Deno.test("the guide's device sums memory and signals by MSI-X", async () => {
  deepStrictEqual(await run(true), { sum: 4096, status: 0, modelErrors: [] });
});

Deno.test("the guide's device reports memory that it could not read", async () => {
  deepStrictEqual(await run(false), { sum: 0, status: 2, modelErrors: [] });
});
