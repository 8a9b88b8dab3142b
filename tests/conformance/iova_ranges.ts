/**
 * IOAS_IOVA_RANGES and IOAS_ALLOW_IOVAS: which addresses an IOAS can map, and which automatic placement may take.
 *
 * @module
 */
import { check, equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import {
  allow,
  attach,
  attached,
  detach,
  iommuWithIoas,
  mapAnywhere,
  mapAt,
  MAX64,
  NO_ID,
  PAGE,
  PAGE64,
  usableRanges,
  USER_BASE,
} from "./steps.ts";

/** The reserved ranges that /sys shows for a device's group, without those that are free once its driver is gone. */
function reservedOf(t: Caller, address: string): [bigint, bigint][] {
  const content = t.kernel.readFile(`/sys/bus/pci/devices/${address}/iommu_group/reserved_regions`);
  check(content instanceof Uint8Array, `${address} has no reserved_regions`);
  const lines = new TextDecoder().decode(content).split("\n").filter((line) => line !== "" && !line.endsWith("direct-relaxable"));
  return lines.map((line): [bigint, bigint] => [BigInt(line.split(" ")[0]!), BigInt(line.split(" ")[1]!)]);
}

/** What is left of all addresses when ranges, in ascending order, are taken away. */
function without(taken: readonly (readonly [bigint, bigint])[]): [bigint, bigint][] {
  const left: [bigint, bigint][] = [];
  let next = 0n;
  for (const [start, last] of taken) {
    if (start > next) left.push([next, start - 1n]);
    next = last + 1n;
  }
  if (next <= MAX64) left.push([next, MAX64]);
  return left;
}

const RANGES: Suite<Caller>["cases"] = [
  {
    name: "without devices everything can be mapped, byte by byte",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      equal(usableRanges(t, iommu, ioas), { ranges: [[0n, MAX64]], alignment: 1n });
    },
  },
  {
    name: "an attached device takes away what is reserved for it and what the IOMMU cannot translate, and gives it back",
    run(t) {
      const { iommu, ioas, device } = attached(t);
      const reserved = reservedOf(t, t.devices.alone).filter(([start]) => start <= t.setup.apertureLast);
      const beyond: [bigint, bigint][] = t.setup.apertureLast === MAX64 ? [] : [[t.setup.apertureLast + 1n, MAX64]];
      check(reserved.length > 0, "nothing is reserved for the device");
      equal(usableRanges(t, iommu, ioas), { ranges: without([...reserved, ...beyond]), alignment: PAGE64 });
      detach(t, device);
      equal(usableRanges(t, iommu, ioas), { ranges: [[0n, MAX64]], alignment: 1n });
    },
  },
  {
    name: "mappings and allowed ranges do not show",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      mapAt(t, iommu, ioas, 0x1_0000n, USER_BASE, PAGE);
      allow(t, iommu, ioas, [[0x4_0000n, 0x4_ffffn]]);
      equal(usableRanges(t, iommu, ioas).ranges, [[0n, MAX64]]);
    },
  },
  {
    name: "with too little room the ranges that fit and their number are written, and the answer is EMSGSIZE",
    run(t) {
      const { iommu, ioas } = attached(t);
      const { ranges } = usableRanges(t, iommu, ioas);
      check(ranges.length >= 2, "there is only one range");
      for (let room = 0; room <= ranges.length; room++) {
        const array = t.block(16 * (ranges.length + 1));
        array.bytes.fill(0xee);
        const answer = t.ask(iommu, "IOAS_IOVA_RANGES", { ioas_id: ioas, num_iovas: room, allowed_iovas: array.address });
        equal(answer.code, room < ranges.length ? "EMSGSIZE" : "OK", `room for ${room}`);
        equal(answer.number("num_iovas"), ranges.length);
        equal(answer.big("out_iova_alignment"), PAGE64);
        equal(array.bytes.slice(16 * room), new Uint8Array(16 * (ranges.length + 1 - room)).fill(0xee), "behind the room");
        for (let index = 0; index < room; index++) equal(array.view.getBigUint64(16 * index, true), ranges[index]![0]);
      }
    },
  },
  {
    name: "a reserved field is EOPNOTSUPP, no such IOAS ENOENT, no memory for the ranges EFAULT",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      t.refused("EOPNOTSUPP", iommu, "IOAS_IOVA_RANGES", { ioas_id: NO_ID, __reserved: 1 });
      t.refused("ENOENT", iommu, "IOAS_IOVA_RANGES", { ioas_id: NO_ID, num_iovas: 1 });
      t.refused("EFAULT", iommu, "IOAS_IOVA_RANGES", { ioas_id: ioas, num_iovas: 1 });
    },
  },
  {
    name: "two devices in one IOAS take away the ranges of both once, and each gives back its own",
    run(t) {
      const { iommu, ioas, device } = attached(t);
      const { ranges } = usableRanges(t, iommu, ioas);
      const other = t.device(t.devices.other);
      t.do(other, "DEVICE_BIND_IOMMUFD", { iommufd: iommu });
      attach(t, other, ioas);
      equal(usableRanges(t, iommu, ioas).ranges, ranges);
      detach(t, device);
      equal(usableRanges(t, iommu, ioas).ranges, ranges);
      detach(t, other);
      equal(usableRanges(t, iommu, ioas).ranges, [[0n, MAX64]]);
    },
  },
];

/** What ALLOW_IOVAS refuses: name, error, ranges. The ranges before stay. */
const REFUSED: readonly (readonly [string, string, readonly (readonly [bigint, bigint])[]])[] = [
  ["a range that ends before it starts", "EINVAL", [[0x2000n, 0x1fffn]]],
  ["a range of one address", "EINVAL", [[0x2000n, 0x2000n]]],
  ["ranges that overlap by one address", "EINVAL", [[0x2000n, 0x2fffn], [0x2fffn, 0x3fffn]]],
  ["the same range twice", "EINVAL", [[0x2000n, 0x2fffn], [0x2000n, 0x2fffn]]],
  ["a range in another", "EINVAL", [[0x2000n, 0x8fffn], [0x4000n, 0x4fffn]]],
];

const ALLOWED: Suite<Caller>["cases"] = [
  ...REFUSED.map(([what, code, ranges]) => ({
    name: `ALLOW_IOVAS of ${what} is ${code}, and what was allowed stays`,
    run(t: Caller) {
      const { iommu, ioas } = iommuWithIoas(t);
      equal(allow(t, iommu, ioas, [[0x40_0000n, 0x40_ffffn]]).code, "OK");
      equal(allow(t, iommu, ioas, ranges).code, code);
      equal(mapAnywhere(t, iommu, ioas, USER_BASE, PAGE), 0x40_0000n);
    },
  })),
  {
    name: "ALLOW_IOVAS replaces all ranges at once, and none allows everything again",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      allow(t, iommu, ioas, [[0x40_0000n, 0x40_ffffn], [0x80_0000n, 0x80_ffffn]]);
      allow(t, iommu, ioas, [[0x60_0000n, 0x60_ffffn]]);
      equal(mapAnywhere(t, iommu, ioas, USER_BASE, PAGE), 0x60_0000n);
      equal(allow(t, iommu, ioas, []).code, "OK");
      equal(mapAnywhere(t, iommu, ioas, USER_BASE, PAGE), 0x1000n);
    },
  },
  {
    name: "ALLOW_IOVAS: a reserved field is EOPNOTSUPP, no such IOAS ENOENT, ranges that cannot be read EFAULT",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      t.refused("EOPNOTSUPP", iommu, "IOAS_ALLOW_IOVAS", { ioas_id: NO_ID, __reserved: 1 });
      t.refused("ENOENT", iommu, "IOAS_ALLOW_IOVAS", { ioas_id: NO_ID, num_iovas: 1 });
      t.refused("EFAULT", iommu, "IOAS_ALLOW_IOVAS", { ioas_id: ioas, num_iovas: 1 });
    },
  },
  {
    name: "ranges are compared while they are read: an overlap before the one that cannot be read is EINVAL",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const at = t.memory(2 * PAGE);
      t.kernel.munmap(at + PAGE64, PAGE);
      const bytes = t.bytes(at, PAGE);
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      const array = at + PAGE64 - 32n;
      const write = (index: number, start: bigint, last: bigint) => {
        view.setBigUint64(PAGE - 32 + 16 * index, start, true);
        view.setBigUint64(PAGE - 24 + 16 * index, last, true);
      };
      write(0, 0x1000n, 0x1fffn);
      write(1, 0x3000n, 0x3fffn);
      t.refused("EFAULT", iommu, "IOAS_ALLOW_IOVAS", { ioas_id: ioas, num_iovas: 3, allowed_iovas: array });
      write(1, 0x1800n, 0x3fffn);
      t.refused("EINVAL", iommu, "IOAS_ALLOW_IOVAS", { ioas_id: ioas, num_iovas: 3, allowed_iovas: array });
    },
  },
  {
    name: "ALLOW_IOVAS of what is reserved for a device is EADDRINUSE",
    run(t) {
      const { iommu, ioas } = attached(t);
      equal(allow(t, iommu, ioas, [[0xfee0_0000n, 0xfee0_0fffn]]).code, "EADDRINUSE");
      equal(allow(t, iommu, ioas, [[0n, 0xfedf_ffffn], [0xfeef_ffffn, 0xfef0_0000n]]).code, "EADDRINUSE");
      equal(allow(t, iommu, ioas, [[0n, 0xfedf_ffffn]]).code, "OK");
    },
  },
  {
    name: "a device for which an allowed address is reserved cannot be attached: EADDRINUSE",
    run(t) {
      const { iommu, ioas, device } = attached(t);
      detach(t, device);
      allow(t, iommu, ioas, [[0xfeef_f000n, 0xfef0_0fffn]]);
      t.refused("EADDRINUSE", device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: ioas });
      allow(t, iommu, ioas, [[0xfef0_0000n, 0xfef0_0fffn]]);
      attach(t, device, ioas);
    },
  },
];

/** IOAS_IOVA_RANGES, IOAS_ALLOW_IOVAS. */
export const IOVA_RANGES: Suite<Caller> = { name: "IOVA ranges", cases: [...RANGES, ...ALLOWED] };
