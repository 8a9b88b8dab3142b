/**
 * The edu device register by register, as QEMU's docs/specs/edu.rst describes them.
 *
 * @module
 */
import { deepStrictEqual, notStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { EduDevice, type EduOptions } from "../../backends/simulated/devices/edu.ts";
import { ERRNO } from "../../uapi/errno.ts";
import { O_RDWR } from "../../uapi/kernel.ts";
import { FAKE_BIND, FAKE_RESET, FAKE_SET_IRQS, onFakeCore } from "./fake_core.ts";

const CONFIG = 7 * 2 ** 40;
const BUFFER = 0x40000n;

function open(options: EduOptions = {}, seed = 1) {
  const { kernel, core } = onFakeCore({ pci: [{ slot: "04.0", model: new EduDevice(options) }], seed });
  const fd = kernel.open("/dev/vfio/devices/vfio0", O_RDWR);
  kernel.ioctl(fd, FAKE_BIND, 0);
  const block = kernel.block(16);
  const read32 = (offset: number) => (kernel.pread(fd, block, 4, offset), block.view.getUint32(0, true));
  const read64 = (offset: number) => (kernel.pread(fd, block, 8, offset), block.view.getBigUint64(0, true));
  const write32 = (offset: number, value: number) => (block.view.setUint32(0, value, true), kernel.pwrite(fd, block, 4, offset));
  const write64 = (offset: number, value: bigint) => (block.view.setBigUint64(0, value, true), kernel.pwrite(fd, block, 8, offset));
  const pin = kernel.eventfd(0, 0);
  core.route(0, 0, 0, pin);
  kernel.ioctl(fd, FAKE_SET_IRQS, 0);
  block.view.setUint16(0, 6, true);
  kernel.pwrite(fd, block, 2, CONFIG + 4);
  core.allowed.push({ start: 0, last: 0xffff, writable: true });
  const pinRaised = () => kernel.read(pin, block, 8) === 8;
  const transfer = (source: bigint, destination: bigint, count: bigint, command: number) => {
    [source, destination, count].forEach((value, index) => write64(0x80 + 8 * index, value));
    write32(0x98, command);
    while ((read32(0x98) & 1) !== 0) kernel.relax();
  };
  return { kernel, core, fd, block, read32, read64, write32, write64, pin, pinRaised, transfer };
}

Deno.test("edu identifies itself and inverts what is written to the liveness register", () => {
  const { read32, write32 } = open();
  strictEqual(read32(0x00), 0x0100_00ed);
  write32(0x00, 5);
  strictEqual(read32(0x00), 0x0100_00ed);
  write32(0x04, 0x1234_5678);
  strictEqual(read32(0x04), 0xedcb_a987);
});

Deno.test("edu computes factorials modulo 2^32, busy meanwhile", () => {
  fc.assert(
    fc.property(fc.nat(40), (number) => {
      const { kernel, read32, write32 } = open();
      write32(0x08, number);
      strictEqual(read32(0x20) & 1, 1);
      write32(0x08, 3);
      while ((read32(0x20) & 1) !== 0) kernel.relax();
      let expected = 1n;
      for (let factor = 2n; factor <= BigInt(number); factor++) expected *= factor;
      strictEqual(BigInt(read32(0x08)), expected % 2n ** 32n);
    }),
    { numRuns: 45 },
  );
});

Deno.test("the largest factorial ends as soon as any that is 0", () => {
  const { kernel, read32, write32 } = open();
  write32(0x08, 0xffff_ffff);
  while ((read32(0x20) & 1) !== 0) kernel.relax();
  strictEqual(read32(0x08), 0);
  ok(kernel.inspect.now < 1_000_000);
});

Deno.test("edu raises its interrupt after a factorial only if asked, and holds it until acknowledged", () => {
  const { kernel, read32, write32, pinRaised } = open();
  write32(0x08, 4);
  kernel.relax();
  strictEqual(pinRaised(), false);
  strictEqual(read32(0x24), 0);
  write32(0x20, 0xff);
  strictEqual(read32(0x20), 0x80);
  write32(0x08, 4);
  kernel.relax();
  strictEqual(pinRaised(), true);
  strictEqual(read32(0x24), 1);
  write32(0x64, 1);
  strictEqual(read32(0x24), 0);
  strictEqual(read32(0x08), 24);
});

Deno.test("interrupts raised by hand add up in the status, and the pin stays up until all are acknowledged", () => {
  const { kernel, fd, block, read32, write32, pinRaised } = open();
  const asserted = () => (kernel.pread(fd, block, 2, CONFIG + 6), (block.view.getUint16(0, true) & 8) !== 0);
  write32(0x60, 0x10);
  write32(0x60, 0x8000_0000);
  strictEqual(pinRaised(), true);
  strictEqual(read32(0x24), 0x8000_0010);
  write32(0x64, 0x10);
  strictEqual(asserted(), true);
  write32(0x64, 0x8000_0000);
  strictEqual(asserted(), false);
});

Deno.test("DMA goes from memory to the buffer and back, with an interrupt if asked", () => {
  const { core, read32, transfer, pinRaised } = open();
  const data = Uint8Array.from({ length: 100 }, (_, index) => index + 1);
  core.ram(0x1000, 100).set(data);
  transfer(0x1000n, BUFFER + 8n, 100n, 1);
  strictEqual(pinRaised(), false);
  transfer(BUFFER + 8n, 0x2004n, 100n, 7);
  deepStrictEqual(core.ram(0x2004, 100), data);
  strictEqual(pinRaised(), true);
  strictEqual(read32(0x24), 0x100);
  strictEqual(read32(0x98), 6);
});

Deno.test("the DMA registers are read and written in 4 or 8 bytes, and keep still while a transfer runs", () => {
  const { kernel, read32, read64, write32, write64 } = open();
  write64(0x80, 0x1_2345_6789n);
  strictEqual(read64(0x80), 0x1_2345_6789n);
  strictEqual(read32(0x80), 0x2345_6789);
  write32(0x80, 7);
  strictEqual(read64(0x80), 7n);
  write64(0x88, BUFFER);
  write32(0x98, 2);
  strictEqual(read32(0x98), 0);
  write32(0x98, 1);
  write64(0x80, 9n);
  strictEqual(read64(0x80), 7n);
  kernel.relax();
  write64(0x80, 9n);
  strictEqual(read64(0x80), 9n);
});

Deno.test("a transfer outside the buffer moves nothing", () => {
  const { core, transfer } = open();
  for (const [place, count] of [[0x3_ffffn, 4n], [BUFFER + 4095n, 2n], [BUFFER, 4097n], [0n, 1n], [2n ** 64n - 1n, 8n]] as const) {
    core.ram(0, 8192).fill(7);
    transfer(0n, place, count, 1);
    transfer(place, 0n, count, 3);
    strictEqual(core.ram(0, 8192).every((byte) => byte === 7), true, String(place));
  }
});

Deno.test("the DMA mask cuts addresses: 28 bits if nothing else is said", () => {
  const data = Uint8Array.of(1, 2, 3, 4);
  const check = (options: EduOptions, address: bigint, reached: number) => {
    const { core, transfer } = open(options);
    core.ram(reached, 4).set(data);
    transfer(address, BUFFER, 4n, 1);
    transfer(BUFFER, address + 0x100n, 4n, 3);
    deepStrictEqual(core.ram(reached + 0x100, 4), data);
  };
  check({}, 0xf000_1000n, 0x1000);
  check({ dmaMask: 0xfffn }, 0x2010n, 0x10);
});

Deno.test("a refused transfer ends like any other, and the machine has the fault", () => {
  const { kernel, core, read32, transfer } = open();
  core.allowed.length = 0;
  transfer(0x1000n, BUFFER, 4n, 5);
  strictEqual(read32(0x24), 0x100);
  strictEqual(kernel.inspect.faults.length, 1);
  deepStrictEqual(kernel.inspect.modelErrors, []);
});

Deno.test("accesses of other widths and to unknown registers read ones and change nothing", () => {
  const { kernel, fd, block, read32, read64, write32 } = open();
  write32(0x04, 0);
  for (const width of [1, 2]) {
    block.bytes.fill(0);
    strictEqual(kernel.pread(fd, block, width, 0x04), width);
    deepStrictEqual([...block.bytes.subarray(0, 3)], width === 1 ? [0xff, 0, 0] : [0xff, 0xff, 0]);
    block.bytes.fill(5);
    strictEqual(kernel.pwrite(fd, block, width, 0x04), width);
  }
  strictEqual(read32(0x04), 0xffff_ffff);
  strictEqual(read32(0x30), 0xffff_ffff);
  strictEqual(read64(0x00), 2n ** 64n - 1n);
});

Deno.test("reset stops a transfer and clears registers and buffer", () => {
  const { kernel, core, fd, read32, read64, write32, write64, transfer } = open();
  core.ram(0, 16).fill(9);
  transfer(0n, BUFFER, 16n, 1);
  write32(0x04, 1);
  write64(0x80, BUFFER);
  write32(0x98, 7);
  strictEqual(kernel.ioctl(fd, FAKE_RESET, 0), 0);
  deepStrictEqual([read32(0x04), read32(0x98), read64(0x80)], [0, 0, 0n]);
  kernel.relax();
  strictEqual(read32(0x24), 0);
  transfer(BUFFER, 0x100n, 16n, 3);
  deepStrictEqual(core.ram(0x100, 16), new Uint8Array(16));
});

/** When each of ten factorials and transfers ends. */
async function trace(seed: number): Promise<number[]> {
  const { kernel, pin, block, write32, write64 } = open({}, seed);
  const times: number[] = [];
  write32(0x20, 0x80);
  for (let round = 0; round < 10; round++) {
    write32(0x08, round);
    write64(0x88, BUFFER);
    write64(0x90, 64n);
    write32(0x98, 5);
    for (const bits of [1, 0x100]) {
      strictEqual(await kernel.wait(pin), 0);
      times.push(kernel.inspect.now);
      strictEqual(kernel.read(pin, block, 8), 8);
      write32(0x64, bits);
    }
  }
  return times;
}

Deno.test("the same seed gives the same run, and another seed another", async () => {
  const first = await trace(11);
  deepStrictEqual(await trace(11), first);
  notStrictEqual(String(await trace(12)), String(first));
  strictEqual(new Set(first).size, 20);
});

Deno.test("a device fd that is closed is EBADF", () => {
  const { kernel, fd, block } = open();
  kernel.close(fd);
  strictEqual(kernel.pread(fd, block, 4, 0), -ERRNO.EBADF);
});
