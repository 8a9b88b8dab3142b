/**
 * Regions of a device: configuration space and BARs, by accesses of each width.
 *
 * @module
 */
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import { type Caller, codeOf } from "./caller.ts";
import { DMA_SOURCE, readRegion, setBusMaster, writeRegion } from "./edu.ts";
import { openBound } from "./steps.ts";

const REGION_SPAN = 2 ** 40;
const CONFIG = 7;
/** The edu device: identification, and a register that inverts what is written. */
const IDENTIFICATION = 0x00;
const LIVENESS = 0x04;
/** The NVMe controller: its configuration (CC), here the sizes of queue entries, which a reset clears. */
const NVME_CONFIGURATION = 0x14;
const NVME_ENTRY_SIZES = 0x0046_0000n;

function bound(t: Caller, address: string = t.devices.alone): number {
  return openBound(t, t.iommu(), address).device;
}

/** Read some bytes of a region at once, whatever comes of it. */
function pread(
  t: Caller,
  device: number,
  region: number,
  offset: number,
  length: number,
): { code: string; result: number; bytes: Uint8Array } {
  const block = t.block(Math.max(length, 1));
  block.bytes.fill(0xee);
  const result = t.kernel.pread(device, block, length, region * REGION_SPAN + offset);
  return { code: codeOf(result), result, bytes: block.bytes.slice(0, Math.max(result, 0)) };
}

function pwriteCode(t: Caller, device: number, region: number, offset: number, length: number): string {
  return codeOf(t.kernel.pwrite(device, t.block(Math.max(length, 1)), length, region * REGION_SPAN + offset));
}

const CONFIGURATION: Suite<Caller>["cases"] = [
  {
    name: "configuration space reads the same in bytes, words and double words",
    run(t) {
      const device = bound(t);
      equal(readRegion(t, device, CONFIG, 0, 4), 0x11e8_1234n);
      equal([readRegion(t, device, CONFIG, 0, 2), readRegion(t, device, CONFIG, 2, 2)], [0x1234n, 0x11e8n]);
      equal([0, 1, 2, 3].map((at) => readRegion(t, device, CONFIG, at, 1)), [0x34n, 0x12n, 0xe8n, 0x11n]);
      equal(readRegion(t, device, CONFIG, 9, 2), 0xff00n, "a word at an odd address");
      equal(pread(t, device, CONFIG, 0, 64).bytes.slice(0, 4), Uint8Array.of(0x34, 0x12, 0xe8, 0x11));
    },
  },
  {
    name: "the identity cannot be written",
    run(t) {
      const device = bound(t);
      writeRegion(t, device, CONFIG, 0, 4, 0xffff_ffffn);
      equal(readRegion(t, device, CONFIG, 0, 4), 0x11e8_1234n);
    },
  },
  {
    name: "memory is on and bus mastering off when a device is bound, and again when the next program binds it",
    run(t) {
      for (let round = 0; round < 2; round++) {
        const device = bound(t);
        equal(readRegion(t, device, CONFIG, 4, 2) & 0x6n, 0x2n, `command register, round ${round}`);
        setBusMaster(t, device);
        equal(readRegion(t, device, CONFIG, 4, 2) & 0x6n, 0x6n);
        t.close(device);
      }
    },
  },
  {
    name: "a BAR tells its length by the bits that stay 0, and keeps what is written above them",
    run(t) {
      const device = bound(t);
      const before = readRegion(t, device, CONFIG, 0x10, 4);
      writeRegion(t, device, CONFIG, 0x10, 4, 0xffff_ffffn);
      equal(readRegion(t, device, CONFIG, 0x10, 4) & 0xffff_fff0n, 0xfff0_0000n);
      writeRegion(t, device, CONFIG, 0x10, 4, before);
      equal(readRegion(t, device, CONFIG, 0x10, 4), before);
    },
  },
  {
    name: "an access that reaches beyond the space is EFAULT, wholly inside is whole",
    run(t) {
      const device = bound(t);
      equal(pread(t, device, CONFIG, 252, 4).result, 4);
      equal(pread(t, device, CONFIG, 254, 4).code, "EFAULT");
      equal(pread(t, device, CONFIG, 256, 1).code, "EFAULT");
      equal(pwriteCode(t, device, CONFIG, 256, 1), "EFAULT");
      equal(pread(t, device, CONFIG, 0, 256).result, 256);
    },
  },
  {
    name: "the capability list ends, and every entry lies in the space",
    run(t) {
      for (const address of [t.devices.alone, t.devices.messages]) {
        const device = bound(t, address);
        const seen: number[] = [];
        for (let at = Number(readRegion(t, device, CONFIG, 0x34, 1)) & 0xfc; at !== 0;) {
          equal(at >= 0x40 && !seen.includes(at), true, `capability at 0x${at.toString(16)} of ${address}`);
          seen.push(at);
          at = Number(readRegion(t, device, CONFIG, at + 1, 1)) & 0xfc;
        }
        equal(seen.length > 0, true, `${address} has no capability`);
        t.close(device);
      }
    },
  },
];

const BARS: Suite<Caller>["cases"] = [
  {
    name: "a register of a BAR is read and written at once",
    run(t) {
      const device = bound(t);
      equal(readRegion(t, device, 0, IDENTIFICATION, 4), 0x0100_00edn);
      writeRegion(t, device, 0, LIVENESS, 4, 0x1234_5678n);
      equal(readRegion(t, device, 0, LIVENESS, 4), 0xedcb_a987n);
    },
  },
  {
    name: "eight bytes are one access of eight bytes",
    run(t) {
      const device = bound(t);
      writeRegion(t, device, 0, DMA_SOURCE, 8, 0x1122_3344_5566_7788n);
      equal(readRegion(t, device, 0, DMA_SOURCE, 8), 0x1122_3344_5566_7788n);
    },
  },
  {
    name: "a narrower access is of its own width: the device, which knows none below 4 bytes there, ignores it",
    run(t) {
      const device = bound(t);
      writeRegion(t, device, 0, LIVENESS, 4, 0xaaaa_5555n);
      writeRegion(t, device, 0, LIVENESS, 2, 0n);
      writeRegion(t, device, 0, LIVENESS, 1, 0n);
      equal(readRegion(t, device, 0, LIVENESS, 4), 0x5555_aaaan);
    },
  },
  {
    name: "beyond the end of a BAR is EINVAL, over the end is cut",
    run(t) {
      const device = bound(t);
      equal(pread(t, device, 0, 0x10_0000, 4).code, "EINVAL");
      equal(pwriteCode(t, device, 0, 0x10_0000, 4), "EINVAL");
      equal(pread(t, device, 0, 0xf_fffc, 16).result, 4);
    },
  },
  {
    name: "regions that a device does not have are EINVAL, and writing a ROM is",
    run(t) {
      const device = bound(t);
      for (const region of [1, 2, 3, 4, 5, 6, 8, 9, 200]) {
        equal(pread(t, device, region, 0, 4).code, "EINVAL", `read of region ${region}`);
        equal(pwriteCode(t, device, region, 0, 4), "EINVAL", `write of region ${region}`);
      }
    },
  },
  {
    name: "an access of no bytes answers 0, wherever it goes",
    run(t) {
      const device = bound(t);
      equal([pread(t, device, 0, 0, 0).result, pread(t, device, CONFIG, 300, 0).result, pread(t, device, 5, 0, 0).result], [0, 0, 0]);
    },
  },
  {
    name: "with memory off in the command register a BAR answers EIO",
    run(t) {
      const device = bound(t);
      writeRegion(t, device, CONFIG, 4, 2, 0n);
      equal(pread(t, device, 0, IDENTIFICATION, 4).code, "EIO");
      equal(pwriteCode(t, device, 0, LIVENESS, 4), "EIO");
      writeRegion(t, device, CONFIG, 4, 2, 2n);
      equal(readRegion(t, device, 0, IDENTIFICATION, 4), 0x0100_00edn);
    },
  },
  {
    name: "the MSI-X table is the kernel's: it reads all ones, and a write goes nowhere",
    run(t) {
      const device = bound(t, t.devices.messages);
      const capability = findCapability(t, device, 0x11);
      const table = Number(readRegion(t, device, CONFIG, capability + 4, 4));
      const [bar, offset] = [table & 7, table & ~7];
      writeRegion(t, device, bar, offset, 4, 0n);
      equal(readRegion(t, device, bar, offset, 4), 0xffff_ffffn);
    },
  },
  {
    name: "RESET brings registers back and leaves configuration space",
    run(t) {
      const device = bound(t, t.devices.messages);
      setBusMaster(t, device);
      writeRegion(t, device, 0, NVME_CONFIGURATION, 4, NVME_ENTRY_SIZES);
      equal(readRegion(t, device, 0, NVME_CONFIGURATION, 4), NVME_ENTRY_SIZES);
      t.do(device, "DEVICE_RESET");
      equal(readRegion(t, device, CONFIG, 4, 2) & 0x6n, 0x6n);
      equal(readRegion(t, device, 0, NVME_CONFIGURATION, 4), 0n);
    },
  },
];

/** Where a capability begins. */
function findCapability(t: Caller, device: number, id: number): number {
  let at = Number(readRegion(t, device, CONFIG, 0x34, 1));
  while (at !== 0 && Number(readRegion(t, device, CONFIG, at, 1)) !== id) at = Number(readRegion(t, device, CONFIG, at + 1, 1));
  equal(at !== 0, true, `capability 0x${id.toString(16)}`);
  return at;
}

/** Regions. */
export const REGIONS: Suite<Caller> = { name: "regions", cases: [...CONFIGURATION, ...BARS] };
