/**
 * Registers of real devices: accesses of mapped BARs reach the device once and in the width asked for, and a device that is switched off is an error
 * and not the end of the process.
 *
 * What reaches the device is read from QEMU's log, which `--trace memory_region_ops_read --trace memory_region_ops_write` makes.
 *
 * @module
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { Caller, codeOf } from "../conformance/caller.ts";
import { readRegion, writeRegion } from "../conformance/edu.ts";
import { attached } from "../conformance/steps.ts";
import { openLinux } from "./linux_setup.ts";
import { IS_IOMMUFD } from "./this_guest.ts";

const CONFIG = 7;
const COMMAND = 4;
const COMMAND_MEMORY = 2n;
const CAPABILITIES = 0x34;
const CAPABILITY_POWER = 1n;
/** edu: identification, what inverts what is written, source of DMA, a register of 64 bits. */
const IDENTIFICATION = 0x00;
const LIVENESS = 0x04;
const DMA_SOURCE = 0x80;
/** NVMe: version. */
const VERSION = 0x08;
const LOG = "/share/trace.log";

/** A test with a kernel object of its own, at whose end nothing is left over. */
function test(name: string, run: (t: Caller) => void | Promise<void>): void {
  Deno.test({
    name: `registers: ${name}`,
    ignore: !IS_IOMMUFD,
    fn: async () => {
      const t = new Caller(await openLinux());
      try {
        await run(t);
      } finally {
        deepStrictEqual(await t.finish(), []);
      }
    },
  });
}

/** The BARs of devices that this process has mapped. */
function mappedDevices(): number {
  return Deno.readTextFileSync("/proc/self/maps").split("\n").filter((line) => /vfio/.test(line)).length;
}

/** The code of a read of 4 bytes. */
function readCode(t: Caller, device: number, offset: number): string {
  using block = t.kernel.block(8);
  const result = t.kernel.pread(device, block, 4, offset);
  return result === 4 ? "OK" : codeOf(result);
}

/** Where the capability of power management is in configuration space. */
function powerCapability(t: Caller, device: number): number {
  let at = Number(readRegion(t, device, CONFIG, CAPABILITIES, 1));
  while (at !== 0 && readRegion(t, device, CONFIG, at, 1) !== CAPABILITY_POWER) at = Number(readRegion(t, device, CONFIG, at + 1, 1));
  ok(at !== 0, "no power management");
  return at;
}

test("a BAR is mapped by the first access, and given back with the device's file", (t) => {
  const before = mappedDevices();
  const { device } = attached(t);
  strictEqual(readRegion(t, device, 0, IDENTIFICATION, 4) & 0xffn, 0xedn);
  strictEqual(mappedDevices(), before + 1);
  t.close(device);
  strictEqual(mappedDevices(), before);
});

test("while memory is switched off an access is EIO, and works again when it is on", (t) => {
  const { device } = attached(t);
  for (let round = 0; round < 100; round++) {
    writeRegion(t, device, 0, LIVENESS, 4, BigInt(round));
    strictEqual(readRegion(t, device, 0, LIVENESS, 4), ~BigInt(round) & 0xffff_ffffn);
    const command = readRegion(t, device, CONFIG, COMMAND, 2);
    writeRegion(t, device, CONFIG, COMMAND, 2, command & ~COMMAND_MEMORY);
    deepStrictEqual([readCode(t, device, LIVENESS), readCode(t, device, LIVENESS)], ["EIO", "EIO"]);
    // Also by a wider write, of which the command is a part.
    writeRegion(t, device, CONFIG, COMMAND, 4, command | COMMAND_MEMORY);
  }
});

test("a device that sleeps is an error, and works again when it is awake", (t) => {
  const { device } = attached(t, t.devices.messages);
  const state = powerCapability(t, device) + 4;
  const version = readRegion(t, device, 0, VERSION, 4);
  ok(version > 0n);
  const awake = readRegion(t, device, CONFIG, state, 2);
  for (let round = 0; round < 3; round++) {
    writeRegion(t, device, CONFIG, state, 2, awake | 3n);
    strictEqual(readCode(t, device, VERSION), "EIO");
    writeRegion(t, device, CONFIG, state, 2, awake & ~3n);
    strictEqual(readRegion(t, device, 0, VERSION, 4), version);
  }
});

test("registers work after a reset, whatever the reset switched off", (t) => {
  const { device } = attached(t, t.devices.messages);
  const version = readRegion(t, device, 0, VERSION, 4);
  for (let round = 0; round < 3; round++) {
    const { code } = t.ask(device, "DEVICE_RESET");
    strictEqual(code, "OK");
    const command = readRegion(t, device, CONFIG, COMMAND, 2);
    if ((command & COMMAND_MEMORY) === 0n) strictEqual(readCode(t, device, VERSION), "EIO");
    writeRegion(t, device, CONFIG, COMMAND, 2, command | COMMAND_MEMORY);
    strictEqual(readRegion(t, device, 0, VERSION, 4), version);
  }
});

test("a device that may sleep by a request of the program is not touched in its mapping", (t) => {
  const { device } = attached(t);
  strictEqual(readRegion(t, device, 0, IDENTIFICATION, 4) & 0xffn, 0xedn);
  const feature = (index: number) => {
    using block = t.kernel.block(8);
    block.view.setUint32(0, 8, true);
    block.view.setUint32(4, 0x2_0000 | index, true);
    return codeOf(t.kernel.ioctl(device, 0x3b75, block));
  };
  // Not every kernel can let this device sleep; then nothing changes.
  const entered = feature(3);
  ok(["OK", "ENOTTY"].includes(entered), entered);
  using block = t.kernel.block(8);
  const result = t.kernel.pread(device, block, 4, 0);
  ok(result === 4 || codeOf(result) === "EIO", codeOf(result));
  if (entered === "OK") strictEqual(feature(5), "OK");
  strictEqual(readRegion(t, device, 0, IDENTIFICATION, 4) & 0xffn, 0xedn);
});

/** One access as QEMU logs it. */
interface Access {
  readonly kind: string;
  readonly offset: number;
  readonly width: number;
}

/** Accesses of edu devices in a part of the log. To its end would be without end: to read it is logged too. */
async function accesses(from: number, end: number): Promise<Access[]> {
  using file = await Deno.open(LOG);
  await file.seek(from, Deno.SeekMode.Start);
  const bytes = new Uint8Array(end - from);
  for (let at = 0; at < bytes.length;) {
    const count = await file.read(bytes.subarray(at));
    if (count === null) break;
    at += count;
  }
  const line = /memory_region_ops_(read|write) .* addr 0x([0-9a-f]+) .* size (\d+) name 'edu-mmio'$/gm;
  return [...new TextDecoder().decode(bytes).matchAll(line)].map(([, kind, addr, size]) => ({
    kind: kind!,
    // The address is one of the bus; BARs are aligned to their length, which is 1 MiB.
    offset: parseInt(addr!, 16) & 0xfffff,
    width: Number(size),
  }));
}

/** What the device's registers take: 4 bytes everywhere, 8 where they are that wide. */
const PLAN: readonly Access[] = [
  { kind: "read", offset: IDENTIFICATION, width: 4 },
  { kind: "write", offset: LIVENESS, width: 4 },
  { kind: "read", offset: LIVENESS, width: 4 },
  { kind: "write", offset: DMA_SOURCE, width: 8 },
  { kind: "read", offset: DMA_SOURCE, width: 8 },
];
/** Enough for every tier of the compiler. */
const ROUNDS = 3000;

const hasLog = IS_IOMMUFD && await Deno.stat(LOG).then(() => true, () => false);

Deno.test({
  name: "registers: each access reaches the device once, in its width and in order, whichever compiler made the code",
  ignore: !hasLog,
  fn: async () => {
    const t = new Caller(await openLinux());
    const { device } = attached(t);
    readRegion(t, device, 0, IDENTIFICATION, 4);
    const from = (await Deno.stat(LOG)).size;
    using block = t.kernel.block(8);
    for (let round = 0; round < ROUNDS; round++) {
      for (const { kind, offset, width } of PLAN) {
        if (kind === "read") strictEqual(t.kernel.pread(device, block, width, offset), width);
        else strictEqual(t.kernel.pwrite(device, block, width, offset), width);
      }
    }
    const end = (await Deno.stat(LOG)).size;
    ok(mappedDevices() > 0);
    const seen = await accesses(from, end);
    deepStrictEqual(seen.slice(0, PLAN.length), PLAN);
    deepStrictEqual(seen.length, ROUNDS * PLAN.length);
    ok(seen.every((access, index) => JSON.stringify(access) === JSON.stringify(PLAN[index % PLAN.length])));
    t.close(device);
    deepStrictEqual(await t.finish(), []);
  },
});
