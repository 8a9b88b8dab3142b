/**
 * Dma-bufs of BARs: VFIO's feature DMA_BUF, DMA of a device that comes to another one, and what takes the memory back.
 *
 * @module
 */
import { MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE } from "../../uapi/kernel.ts";
import { DeviceFd, IommuFd } from "../../mod.ts";
import { check, equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import { type Caller, codeOf } from "./caller.ts";
import { Edu, readRegion, writeRegion } from "./edu.ts";
import { attached, bind, FIXED, openBound, PAGE, PAGE64, READ_WRITE, unmap } from "./steps.ts";
import type { Answer } from "./struct.ts";
import { errorOf } from "./typed.ts";

const GET = 0x1_0000 | 11;
const PROBE = 0x4_0000;
const O_RDWR_CLOEXEC = 0o2000002;
const O_WRONLY = 1;
const PROT_EXEC = 4;
/** The edu device's BAR, and its register that inverts what is written. */
const BAR_LENGTH = 0x10_0000;
const LIVENESS = 0x04;
const CONFIG = 7;
const COMMAND = 4;
/** The NVMe controller's configuration. */
const NVME_CONFIGURATION = 0x14;
/** Capabilities, and the bit of device control that resets a function. */
const [POWER, EXPRESS] = [0x01n, 0x10n];
const FUNCTION_RESET = 0x8000n;
/** Where a page of memory is mapped, and where a BAR; both in reach of the edu device. */
const MEMORY = 0x10_0000n;
const PEER = 0x20_0000n;

/** The feature's data: which BAR, its header's other fields, and the ranges. */
interface Wanted {
  readonly region?: number;
  readonly openFlags?: number;
  readonly flags?: number;
  readonly count?: number;
  readonly ranges?: readonly (readonly [offset: number | bigint, length: number | bigint])[];
}

function dataOf({ region = 0, openFlags = O_RDWR_CLOEXEC, flags = 0, ranges = [[0, PAGE]], count = ranges.length }: Wanted): Uint8Array {
  const view = new DataView(new ArrayBuffer(16 + 16 * ranges.length));
  [region, openFlags, flags, count].forEach((value, index) => view.setUint32(4 * index, value, true));
  ranges.flat().forEach((value, index) => view.setBigUint64(16 + 8 * index, BigInt(value), true));
  return new Uint8Array(view.buffer);
}

function feature(t: Caller, device: number, wanted: Wanted, flags = GET): Answer {
  return t.ask(device, "DEVICE_FEATURE", { flags }, { tail: dataOf(wanted) });
}

/** Make a dma-buf. Returns its fd. */
function exportBar(t: Caller, device: number, wanted: Wanted = {}): number {
  const { code, result } = feature(t, device, wanted);
  equal(code, "OK", "DMA_BUF");
  return t.adopt(result);
}

function mapFile(t: Caller, iommu: number, ioas: number, fd: number, start: number, length: number, iova = 0n): string {
  const flags = iova === 0n ? READ_WRITE : FIXED;
  return t.ask(iommu, "IOAS_MAP_FILE", { ioas_id: ioas, flags, fd, start, length, iova }).code;
}

/** A device that is attached and may do DMA, with a page of memory; and another one, of which a page is mapped for it. */
function prepared(t: Caller) {
  const source = attached(t);
  const { iommu, ioas } = source;
  const memory = t.memory(PAGE);
  t.do(iommu, "IOAS_MAP", { ioas_id: ioas, flags: FIXED, user_va: memory, length: PAGE, iova: MEMORY });
  const target = openBound(t, iommu, t.devices.other).device;
  const file = exportBar(t, target);
  equal(mapFile(t, iommu, ioas, file, 0, PAGE, PEER), "OK");
  return { iommu, ioas, edu: new Edu(t, source.device), bytes: t.bytes(memory, PAGE), target, file };
}

type Prepared = ReturnType<typeof prepared>;

/** The source writes four bytes to the target's register. Returns what the program finds there, inverted again. */
async function writeRegister(t: Caller, { edu, bytes, target }: Prepared, value: number): Promise<number> {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, value, true);
  await edu.fetch(MEMORY, 0, 4);
  await edu.store(0, PEER + BigInt(LIVENESS), 4);
  return ~Number(readRegion(t, target, 0, LIVENESS, 4)) >>> 0;
}

function setCommand(t: Caller, device: number, value: bigint): void {
  writeRegion(t, device, CONFIG, COMMAND, 2, value);
}

/** Flags of the file; what mapping it shared for reading, for writing, privately for writing, for running answers, what reading and writing. */
const USES: readonly (readonly [flags: number, maps: readonly string[], calls: readonly string[]])[] = [
  [0, ["EINVAL", "EACCES", "EINVAL", "EPERM"], ["EINVAL", "EBADF"]],
  [1, ["EACCES", "EACCES", "EACCES", "EACCES"], ["EBADF", "EINVAL"]],
  [2, ["EINVAL", "EINVAL", "EINVAL", "EPERM"], ["EINVAL", "EINVAL"]],
  [3, ["EACCES", "EACCES", "EACCES", "EACCES"], ["EBADF", "EBADF"]],
];

const REFUSALS: Suite<Caller>["cases"] = [
  {
    name: "DMA_BUF: probed and got, nothing else; a struct that is too short is EINVAL",
    run(t) {
      const device = openBound(t, t.iommu()).device;
      t.do(device, "DEVICE_FEATURE", { flags: PROBE | 11 });
      t.do(device, "DEVICE_FEATURE", { flags: PROBE | GET });
      t.refused("EINVAL", device, "DEVICE_FEATURE", { flags: PROBE | 0x2_0000 | 11 });
      equal([feature(t, device, {}, 0x2_0000 | 11).code, feature(t, device, {}, 11).code], ["EINVAL", "EINVAL"]);
      t.refused("EINVAL", device, "DEVICE_FEATURE", { flags: GET }, { tail: dataOf({ ranges: [] }).slice(0, 15) });
    },
  },
  {
    name: "DMA_BUF: no ranges and flags are EINVAL before a BAR that is not there is ENODEV, and that before ranges are looked at",
    run(t) {
      const device = openBound(t, t.iommu()).device;
      const code = (wanted: Wanted) => feature(t, device, wanted).code;
      equal([code({ region: 9, ranges: [] }), code({ region: 9, flags: 1 })], ["EINVAL", "EINVAL"]);
      for (const region of [1, 5, 6, 7, 8, 9, 2 ** 32 - 1]) equal(code({ region, ranges: [[1, 1]] }), "ENODEV");
      for (const count of [2 ** 18 + 1, 2 ** 32 - 1]) equal(code({ count }), "ENOMEM");
    },
  },
  {
    name: "DMA_BUF: ranges are of whole pages and in the BAR",
    run(t) {
      const device = openBound(t, t.iommu()).device;
      const code = (...ranges: NonNullable<Wanted["ranges"]>) => feature(t, device, { ranges }).code;
      for (const range of [[0, 0], [1, PAGE], [0, 1], [0, 1n << 63n], [BAR_LENGTH, PAGE], [0, BAR_LENGTH + PAGE]] as const) {
        equal(code(range), "EINVAL", String(range));
      }
      equal([code([0, PAGE], [0, 1]), code([0, 1n << 63n], [0, 1n << 63n])], ["EINVAL", "EINVAL"]);
      equal([code([2n ** 64n - PAGE64, PAGE]), code([2n ** 63n, PAGE])], ["EOVERFLOW", "EINVAL"]);
      // All are looked at for one kind of error before the next kind is.
      equal(code([2n ** 64n - PAGE64, PAGE], [0, 1]), "EINVAL");
      exportBar(t, device, { ranges: [[0, BAR_LENGTH]] });
      exportBar(t, device, { ranges: [[PAGE, PAGE], [0, PAGE], [PAGE, PAGE]] });
    },
  },
  {
    name: "DMA_BUF: a list that cannot be read is EFAULT before what is in it is EINVAL",
    run(t) {
      const device = openBound(t, t.iommu()).device;
      const at = t.memory(2 * PAGE);
      equal(codeOf(t.kernel.munmap(at + PAGE64, PAGE)), "OK");
      const data = dataOf({ ranges: [[1, 1]], count: 2 });
      const bytes = t.bytes(at, PAGE);
      const start = PAGE - 8 - data.length;
      new DataView(bytes.buffer, bytes.byteOffset).setUint32(start, 64, true);
      new DataView(bytes.buffer, bytes.byteOffset).setUint32(start + 4, GET, true);
      bytes.set(data, start + 8);
      equal(t.askAt(device, "DEVICE_FEATURE", at + BigInt(start)), "EFAULT");
    },
  },
  {
    name: "the file of a BAR is neither mapped, read nor written by the process, and what it was opened for says why",
    run(t) {
      const device = openBound(t, t.iommu()).device;
      const block = t.block(8);
      for (const [openFlags, maps, calls] of USES) {
        const file = exportBar(t, device, { openFlags });
        const ways = [[PROT_READ, MAP_SHARED], [PROT_WRITE, MAP_SHARED], [PROT_WRITE, MAP_PRIVATE], [PROT_READ | PROT_EXEC, MAP_PRIVATE]];
        equal(ways.map(([prot, flags]) => codeOf(t.tryMmap(0n, PAGE, prot!, flags!, file))), maps, `opened with ${openFlags}`);
        equal([t.kernel.read(file, block, 8), t.kernel.write(file, block, 8)].map(codeOf), calls, `opened with ${openFlags}`);
        equal(codeOf(t.kernel.ioctl(file, 0x3b64, 0)), "ENOTTY");
      }
    },
  },
];

const MAPPINGS: Suite<Caller>["cases"] = [
  {
    name: "an IOAS maps a dma-buf of one range, in its bounds, whatever its file was opened for",
    run(t) {
      const { iommu, ioas } = attached(t);
      const target = openBound(t, iommu, t.devices.other).device;
      const file = exportBar(t, target, { ranges: [[PAGE, 2 * PAGE]], openFlags: O_WRONLY });
      equal([mapFile(t, iommu, ioas, file, 0, 2 * PAGE), mapFile(t, iommu, ioas, file, PAGE, PAGE)], ["OK", "OK"]);
      equal([mapFile(t, iommu, ioas, file, PAGE, 2 * PAGE), mapFile(t, iommu, ioas, file, 0, 0)], ["EINVAL", "EINVAL"]);
      const several = exportBar(t, target, { ranges: [[0, PAGE], [PAGE, PAGE]] });
      equal([mapFile(t, iommu, ioas, several, 0, PAGE), mapFile(t, iommu, ioas, several, 0, 3 * PAGE)], ["EOPNOTSUPP", "EINVAL"]);
      setCommand(t, target, 0n);
      equal([mapFile(t, iommu, ioas, several, 0, PAGE), mapFile(t, iommu, ioas, file, 0, 3 * PAGE)], ["ENODEV", "EINVAL"]);
    },
  },
  {
    name: "the device's own IOAS takes its BAR, and that of another iommufd does",
    run(t) {
      const own = attached(t);
      equal(mapFile(t, own.iommu, own.ioas, exportBar(t, own.device), 0, PAGE), "OK");
      const other = attached(t, t.devices.other);
      equal(mapFile(t, other.iommu, other.ioas, exportBar(t, own.device), 0, PAGE), "OK");
    },
  },
  {
    name: "DMA reaches registers of another device, and reads them",
    async run(t) {
      const all = prepared(t);
      equal(await writeRegister(t, all, 0x1234_5678), 0x1234_5678);
      equal(await writeRegister(t, all, 0xdead_beef), 0xdead_beef);
      await all.edu.fetch(PEER + BigInt(LIVENESS), 0, 4);
      await all.edu.store(0, MEMORY + 64n, 4);
      equal(new DataView(all.bytes.buffer, all.bytes.byteOffset).getUint32(64, true), ~0xdead_beef >>> 0);
    },
  },
];

/** What takes the BAR of a device back for a moment. The NVMe controller can do all of it, on both machines. */
const INTERRUPTIONS: Readonly<Record<string, (t: Caller, device: number) => void>> = {
  "a device that is reset": (t, device) => void t.do(device, "DEVICE_RESET"),
  "a function that its own register resets": (t, device) => {
    const at = capabilityOf(t, device, EXPRESS) + 8;
    writeRegion(t, device, CONFIG, at, 2, readRegion(t, device, CONFIG, at, 2) | FUNCTION_RESET);
  },
  "a device that sleeps and wakes": (t, device) => {
    const at = capabilityOf(t, device, POWER) + 4;
    writeRegion(t, device, CONFIG, at, 2, 3n);
    writeRegion(t, device, CONFIG, at, 2, 0n);
  },
};

/** Where a capability is in configuration space. */
function capabilityOf(t: Caller, device: number, id: bigint): number {
  let at = Number(readRegion(t, device, CONFIG, 0x34, 1));
  while (at !== 0 && readRegion(t, device, CONFIG, at, 1) !== id) at = Number(readRegion(t, device, CONFIG, at + 1, 1));
  check(at !== 0, `there is no capability ${id}`);
  return at;
}

const INTERRUPTED: Suite<Caller>["cases"] = Object.entries(INTERRUPTIONS).map(([what, interrupt]) => ({
  name: `${what} takes its BAR back, and lets it be mapped anew`,
  async run(t) {
    const { iommu, ioas, device } = attached(t);
    const [edu, memory] = [new Edu(t, device), t.memory(PAGE)];
    t.do(iommu, "IOAS_MAP", { ioas_id: ioas, flags: FIXED, user_va: memory, length: PAGE, iova: MEMORY });
    const target = openBound(t, iommu, t.devices.messages).device;
    const file = exportBar(t, target);
    equal(mapFile(t, iommu, ioas, file, 0, PAGE, PEER), "OK");
    const write = async (value: number) => {
      const bytes = t.bytes(memory, PAGE);
      new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, value, true);
      await edu.fetch(MEMORY, 0, 4);
      await edu.store(0, PEER + BigInt(NVME_CONFIGURATION), 4);
      return Number(readRegion(t, target, 0, NVME_CONFIGURATION, 4));
    };
    equal(await write(0x0046_0000), 0x0046_0000);
    interrupt(t, target);
    writeRegion(t, target, 0, NVME_CONFIGURATION, 4, 0n);
    equal(await write(0x0046_0000), 0, "what was mapped before leads nowhere");
    equal(unmap(t, iommu, ioas, PEER, PAGE), PAGE64);
    equal(mapFile(t, iommu, ioas, file, 0, PAGE, PEER), "OK");
    equal(await write(0x0046_0000), 0x0046_0000);
  },
}));

const ENDS: Suite<Caller>["cases"] = [
  {
    name: "a device whose memory is off takes its BAR back for good, and lets it be mapped anew when it is on",
    async run(t) {
      const all = prepared(t);
      equal(await writeRegister(t, all, 1), 1);
      setCommand(t, all.target, 0n);
      equal(mapFile(t, all.iommu, all.ioas, all.file, 0, PAGE), "ENODEV");
      const late = exportBar(t, all.target, { ranges: [[PAGE, PAGE]] });
      equal(mapFile(t, all.iommu, all.ioas, late, 0, PAGE), "ENODEV", "a file that was made meanwhile");
      setCommand(t, all.target, 2n);
      equal(await writeRegister(t, all, 2), 1, "what was mapped before leads nowhere");
      equal(mapFile(t, all.iommu, all.ioas, late, 0, PAGE), "OK");
      equal(unmap(t, all.iommu, all.ioas, PEER, PAGE), PAGE64);
      equal(mapFile(t, all.iommu, all.ioas, all.file, 0, PAGE, PEER), "OK");
      equal(await writeRegister(t, all, 3), 3);
    },
  },
  {
    name: "writing the command register as it is takes nothing back",
    async run(t) {
      const all = prepared(t);
      setCommand(t, all.target, 2n);
      writeRegion(t, all.target, CONFIG, COMMAND, 1, 6n);
      writeRegion(t, all.target, CONFIG, COMMAND + 1, 1, 4n);
      equal(await writeRegister(t, all, 4), 4);
    },
  },
  {
    name: "closing the device takes its BAR back for good, closing the file does not",
    async run(t) {
      const all = prepared(t);
      const second = exportBar(t, all.target);
      t.close(all.file);
      equal(await writeRegister(t, all, 5), 5);
      t.close(all.target);
      equal(mapFile(t, all.iommu, all.ioas, second, 0, PAGE), "ENODEV");
      const target = t.device(t.devices.other);
      bind(t, target, all.iommu);
      equal(mapFile(t, all.iommu, all.ioas, second, 0, PAGE), "ENODEV", "the device is open again");
      const before = readRegion(t, target, 0, LIVENESS, 4);
      await writeRegister(t, { ...all, target }, 6);
      equal(readRegion(t, target, 0, LIVENESS, 4), before, "what was mapped leads nowhere");
      equal(mapFile(t, all.iommu, all.ioas, exportBar(t, target), 0, PAGE), "OK");
      equal(unmap(t, all.iommu, all.ioas, PEER, PAGE), PAGE64);
    },
  },
  {
    name: "copies and page tables that come later have the BAR, and lose it with the rest",
    async run(t) {
      const all = prepared(t);
      const copied = 0x40_0000n;
      t.do(all.iommu, "IOAS_COPY", {
        flags: FIXED,
        src_ioas_id: all.ioas,
        dst_ioas_id: all.ioas,
        src_iova: PEER,
        dst_iova: copied,
        length: PAGE,
      });
      equal(unmap(t, all.iommu, all.ioas, PEER, PAGE), PAGE64);
      const through = async (value: number) => {
        new DataView(all.bytes.buffer, all.bytes.byteOffset).setUint32(0, value, true);
        await all.edu.fetch(MEMORY, 0, 4);
        await all.edu.store(0, copied + BigInt(LIVENESS), 4);
        return ~Number(readRegion(t, all.target, 0, LIVENESS, 4)) >>> 0;
      };
      equal(await through(7), 7);
      setCommand(t, all.target, 0n);
      setCommand(t, all.target, 2n);
      equal(await through(8), 7);
      check(unmap(t, all.iommu, all.ioas, copied, PAGE) === PAGE64, "it is unmapped as any other");
    },
  },
];

const TYPED: Suite<Caller>["cases"] = [
  {
    name: "by the typed API a BAR is exported, mapped and taken back, and its file is closed with its handle",
    run(t) {
      using iommu = IommuFd.open(t.kernel);
      using file = DeviceFd.open(t.kernel, t.devices.other);
      const device = file.bind(iommu);
      using ioas = iommu.createIoas();
      using memory = device.bar(0).exportDmaBuf({ offset: PAGE, length: PAGE });
      equal(memory.length, PAGE);
      equal(errorOf(() => device.bar(0).exportDmaBuf({ offset: BAR_LENGTH, length: PAGE })), "EINVAL");
      equal(errorOf(() => device.bar(1).exportDmaBuf({ length: PAGE })), "ENODEV");
      const iova = ioas.mapFile(memory);
      device.config.write16(COMMAND, 0);
      equal(errorOf(() => ioas.mapFile(memory)), "ENODEV");
      device.config.write16(COMMAND, 2);
      ioas.mapFile(memory);
      equal(ioas.unmap(iova, PAGE), PAGE64);
      memory[Symbol.dispose]();
      equal([errorOf(() => ioas.mapFile(memory)), codeOf(t.kernel.close(memory.fd))], ["EBADF", "EBADF"]);
    },
  },
];

/** Peer-to-peer DMA. */
export const PEERS: Suite<Caller> = { name: "peers", cases: [...REFUSALS, ...MAPPINGS, ...INTERRUPTED, ...ENDS, ...TYPED] };
