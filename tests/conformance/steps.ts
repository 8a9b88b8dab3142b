/**
 * What many cases begin with: spaces, mappings, bound and attached devices.
 *
 * @module
 */
import { IOAS_MAP_FIXED_IOVA, IOAS_MAP_READABLE, IOAS_MAP_WRITEABLE } from "../../uapi/codec.ts";
import { equal } from "../check.ts";
import type { Caller } from "./caller.ts";
import type { Answer } from "./struct.ts";

/** Bytes of a page. */
export const PAGE = 4096;
/** The same as a bigint. */
export const PAGE64 = 4096n;
/** The largest 64-bit number. */
export const MAX64: bigint = 2n ** 64n - 1n;
/** An id that no case gives out. */
export const NO_ID = 0x7fff_fff0;
/** Flags of a mapping that devices read and write. */
export const READ_WRITE: number = IOAS_MAP_READABLE | IOAS_MAP_WRITEABLE;
/** The same, at an address that the caller chooses. */
export const FIXED: number = READ_WRITE | IOAS_MAP_FIXED_IOVA;
/** Where cases put memory that shall have a known address: far from where kernels place mappings, all low bits zero. */
export const USER_BASE = 0x10_0000_0000n;

/** Make an IOAS. Returns its id. */
export function newIoas(t: Caller, iommu: number): number {
  return t.do(iommu, "IOAS_ALLOC").number("out_ioas_id");
}

/** An iommufd with one IOAS. */
export function iommuWithIoas(t: Caller): { iommu: number; ioas: number } {
  const iommu = t.iommu();
  return { iommu, ioas: newIoas(t, iommu) };
}

/** Map memory of the process where the kernel likes. Returns the IOVA. */
export function mapAnywhere(
  t: Caller,
  iommu: number,
  ioas: number,
  userVa: bigint,
  length: number | bigint,
  flags: number = READ_WRITE,
): bigint {
  return t.do(iommu, "IOAS_MAP", { ioas_id: ioas, flags, user_va: userVa, length }).big("iova");
}

/** Map memory of the process at an IOVA. */
export function mapAt(
  t: Caller,
  iommu: number,
  ioas: number,
  iova: bigint,
  userVa: bigint,
  length: number | bigint,
  access: number = READ_WRITE,
): void {
  const fields = { ioas_id: ioas, flags: access | IOAS_MAP_FIXED_IOVA, user_va: userVa, length, iova };
  equal(t.do(iommu, "IOAS_MAP", fields).big("iova"), iova, "IOAS_MAP with FIXED_IOVA");
}

/** Unmap. Returns the bytes that were mapped. */
export function unmap(t: Caller, iommu: number, ioas: number, iova: bigint, length: number | bigint): bigint {
  return t.do(iommu, "IOAS_UNMAP", { ioas_id: ioas, iova, length }).big("length");
}

/** Bind a device_fd. Returns the device's id. */
export function bind(t: Caller, device: number, iommu: number): number {
  return t.do(device, "DEVICE_BIND_IOMMUFD", { iommufd: iommu }).number("out_devid");
}

/** Bind a device_fd, whatever comes of it. */
export function tryBind(t: Caller, device: number, iommu: number): Answer {
  return t.ask(device, "DEVICE_BIND_IOMMUFD", { iommufd: iommu });
}

/** Attach a device. Returns the id of the page table that it uses then. */
export function attach(t: Caller, device: number, target: number): number {
  return t.do(device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: target }).number("pt_id");
}

/** Detach a device. */
export function detach(t: Caller, device: number): void {
  t.do(device, "DEVICE_DETACH_IOMMUFD_PT");
}

/** A device that is open and bound. */
export interface Bound {
  readonly device: number;
  readonly id: number;
}

/** Open the device at a PCI address and bind it. */
export function openBound(t: Caller, iommu: number, address: string = t.devices.alone): Bound {
  const device = t.device(address);
  return { device, id: bind(t, device, iommu) };
}

/** An iommufd, an IOAS, and a device that is bound and attached to it. */
export function attached(t: Caller, address: string = t.devices.alone): Bound & { iommu: number; ioas: number; hwpt: number } {
  const { iommu, ioas } = iommuWithIoas(t);
  const bound = openBound(t, iommu, address);
  return { iommu, ioas, ...bound, hwpt: attach(t, bound.device, ioas) };
}

/** A device of the mock IOMMU. */
export interface Mock {
  /** The test object. */
  readonly stdev: number;
  /** The device as bound. */
  readonly idev: number;
  /** The page table that it is attached to. */
  readonly hwpt: number;
}

/** Make a mock device that is attached to `target`. */
export function newMock(t: Caller, iommu: number, target: number): Mock {
  const answer = t.do(iommu, "TEST_CMD/TestMockDomain", { id: target });
  return { stdev: answer.number("out_stdev_id"), idev: answer.number("out_idev_id"), hwpt: answer.number("out_hwpt_id") };
}

/** Make a page table of an IOAS for a device. Returns its id. */
export function newHwpt(t: Caller, iommu: number, deviceId: number, ioas: number): number {
  return t.do(iommu, "HWPT_ALLOC", { dev_id: deviceId, pt_id: ioas }).number("out_hwpt_id");
}

/** The address ranges that an IOAS can map now, and what they must be multiples of. */
export function usableRanges(t: Caller, iommu: number, ioas: number): { ranges: [bigint, bigint][]; alignment: bigint } {
  const room = 32;
  const array = t.block(16 * room);
  const answer = t.do(iommu, "IOAS_IOVA_RANGES", { ioas_id: ioas, num_iovas: room, allowed_iovas: array.address });
  const ranges = Array.from({ length: answer.number("num_iovas") }, (_, index): [bigint, bigint] => [
    array.view.getBigUint64(16 * index, true),
    array.view.getBigUint64(16 * index + 8, true),
  ]);
  return { ranges, alignment: answer.big("out_iova_alignment") };
}

/** Write ranges as the kernel's struct has them, for ALLOW_IOVAS. */
export function allow(t: Caller, iommu: number, ioas: number, ranges: readonly (readonly [bigint, bigint])[]): Answer {
  const array = t.block(Math.max(16 * ranges.length, 16));
  ranges.forEach(([start, last], index) => {
    array.view.setBigUint64(16 * index, start, true);
    array.view.setBigUint64(16 * index + 8, last, true);
  });
  return t.ask(iommu, "IOAS_ALLOW_IOVAS", { ioas_id: ioas, num_iovas: ranges.length, allowed_iovas: array.address });
}
