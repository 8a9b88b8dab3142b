/**
 * What VFIO says of a PCI device's regions: where they are in the file, and which parts of BARs may be mapped.
 *
 * @module
 */
import * as uapi from "../../uapi/codec.ts";
import type { System } from "./system.ts";

/** Room for a region's description with its capabilities. */
const INFO_LENGTH = 4096;
const BARS = 6;
const CONFIG_REGION = 7;
/** The part of configuration space where capabilities are. */
const CONFIG_LENGTH = 256;
const PAGE = 4096;
/** A BAR is mapped in pieces of at most this many bytes, each when it is needed. */
const PIECE_LENGTH_MAX = 2 ** 30;

const STATUS_OFFSET = 0x06;
const STATUS_CAPABILITIES = 0x10;
const CAPABILITIES_OFFSET = 0x34;
const CAPABILITY_POWER = 0x01;
const CAPABILITY_MSIX = 0x11;
const MAPPABLE = uapi.REGION_INFO_FLAG_READ | uapi.REGION_INFO_FLAG_WRITE | uapi.REGION_INFO_FLAG_MMAP;

/** A part of the file, in bytes from its start. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A device's regions. */
export interface DeviceLayout {
  /** Where configuration space begins in the file. */
  readonly config: number;
  /** Offset of the capability of power management in configuration space; 0: none. */
  readonly power: number;
  /** The parts of the file that may be mapped and used as memory. */
  readonly mappable: readonly Span[];
}

interface RegionInfo extends uapi.RegionInfo {
  /** From SPARSE_MMAP: the parts that may be mapped, by offset in the region. Undefined: all of it. */
  readonly parts: readonly Span[] | undefined;
}

/** Ask a device for its regions; undefined: it does not answer (yet), or is no PCI device. */
export function readLayout(system: System, fd: number): DeviceLayout | undefined {
  const { libc: { symbols }, address, view } = system;
  uapi.putDeviceInfo(view, 0, {});
  if (symbols.ioctl_value(fd, uapi.DEVICE_GET_INFO, address) < 0) return undefined;
  if ((uapi.getDeviceInfo(view, 0).flags & uapi.DEVICE_FLAGS_PCI) === 0) return undefined;
  const config = readRegion(system, fd, CONFIG_REGION);
  if (config === undefined) return undefined;
  const start = Number(config.offset);
  const found = readCapabilities(system, fd, start);
  const mappable: Span[] = [];
  for (let index = 0; index < BARS; index++) {
    const region = readRegion(system, fd, index);
    if (region !== undefined) mappable.push(...mappableSpans(region, found.table?.bar === index ? found.table : undefined));
  }
  return { config: start, power: found.power, mappable };
}

function readRegion({ libc: { symbols }, address, view }: System, fd: number, index: number): RegionInfo | undefined {
  uapi.putRegionInfo(view, 0, { index }, INFO_LENGTH);
  if (symbols.ioctl_value(fd, uapi.DEVICE_GET_REGION_INFO, address) < 0) return undefined;
  const info = uapi.getRegionInfo(view, 0);
  let parts: Span[] | undefined;
  const hasChain = (info.flags & uapi.REGION_INFO_FLAG_CAPS) !== 0;
  for (let at = hasChain ? info.capOffset : 0; 0 < at && at <= INFO_LENGTH - 16; at = view.getUint32(at + 4, true)) {
    if (view.getUint16(at, true) === uapi.REGION_INFO_CAP_SPARSE_MMAP) parts = sparseParts(view, at);
  }
  return { ...info, parts };
}

function sparseParts(view: DataView, at: number): Span[] {
  const count = Math.min(view.getUint32(at + 8, true), (INFO_LENGTH - at - 16) / 16 | 0);
  return Array.from({ length: count }, (_, index) => {
    const start = Number(view.getBigUint64(at + 16 + 16 * index, true));
    return { start, end: start + Number(view.getBigUint64(at + 24 + 16 * index, true)) };
  });
}

/** The table of MSI-X, by BAR and offset. */
interface MessageTable extends Span {
  readonly bar: number;
}

function readCapabilities(
  { libc: { symbols }, address, view }: System,
  fd: number,
  config: number,
): { power: number; table?: MessageTable } {
  if (symbols.pread(fd, address, BigInt(CONFIG_LENGTH), BigInt(config)) !== CONFIG_LENGTH) return { power: 0 };
  const found: { power: number; table?: MessageTable } = { power: 0 };
  if ((view.getUint16(STATUS_OFFSET, true) & STATUS_CAPABILITIES) === 0) return found;
  // A list that leads back to itself ends when there is no more room for capabilities.
  let left = CONFIG_LENGTH / 4;
  for (let at = view.getUint8(CAPABILITIES_OFFSET) & ~3; at >= 0x40 && left > 0; at = view.getUint8(at + 1) & ~3, left--) {
    const id = view.getUint8(at);
    if (id === CAPABILITY_POWER) found.power = at;
    if (id === CAPABILITY_MSIX && at + 8 <= CONFIG_LENGTH) {
      const place = view.getUint32(at + 4, true);
      const start = (place & ~7) >>> 0;
      found.table = { bar: place & 7, start, end: start + 16 * ((view.getUint16(at + 2, true) & 0x7ff) + 1) };
    }
  }
  return found;
}

/**
 * What of a BAR is used as memory. Not the table of MSI-X, mappable (MSIX_MAPPABLE) or not: the kernel keeps it from programs that read and write
 * the file, and a program must not see a difference.
 */
function mappableSpans({ flags, size, offset, parts }: RegionInfo, table: Span | undefined): Span[] {
  if ((flags & MAPPABLE) !== MAPPABLE) return [];
  const start = Number(offset);
  const spans = (parts ?? [{ start: 0, end: Number(size) }]).flatMap((span) => table === undefined ? [span] : without(span, table));
  return spans.flatMap(pieces).map((span) => ({ start: start + span.start, end: start + span.end }));
}

/** What is left of a span without the pages that another touches. */
function without(span: Span, hole: Span): Span[] {
  const before = { start: span.start, end: Math.min(span.end, Math.floor(hole.start / PAGE) * PAGE) };
  const after = { start: Math.max(span.start, Math.ceil(hole.end / PAGE) * PAGE), end: span.end };
  return [before, after].filter(({ start, end }) => start < end);
}

function pieces({ start, end }: Span): Span[] {
  const found: Span[] = [];
  for (let at = start; at < end; at += PIECE_LENGTH_MAX) found.push({ start: at, end: Math.min(end, at + PIECE_LENGTH_MAX) });
  return found;
}
