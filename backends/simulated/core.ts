/**
 * What the simulated machine needs of the core: the exports of core-wasm's binding crate, as their consumer sees them.
 *
 * @module
 */
import type { BootConfig } from "../../core-wasm/mod.ts";
import type { DmaFault } from "./device.ts";

/** Set in the answer of `ioctl`: the host resets the model of the device in the low bits; the request itself succeeded. */
export const HOST_RESET = 0x4000_0000;
/** Set in the answer of `close`: the last fd of the device in the low bits went away. */
export const HOST_RELEASE = 0x2000_0000;

/** Set in the answer of `ioctl`: the host resets the models of all devices on the bus of the device in the low bits. */
export const HOST_HOT_RESET = 0x1000_0000;
/** The device in such an answer. */
export const HOST_DEVICE = 0xff_ffff;

/** `plug_state`: the device is not there; it leaves once its files are closed; it is there. */
export const PLUG = { gone: 0, leaving: 1, present: 2 } as const;
/** `request_state`: a request to give the device back was taken, and who listens waits for the next. */
export const REQUEST_TAKEN = 2;
/** The answer of `ioctl`, `close` and `restart`: models must let go of memory, see `take_notice`; then `restart` goes on. */
export const HOST_UNMAP = 0x0800_0000;

/** `add_device`: the group may be given to programs. */
export const DEVICE_VIABLE = 1;
/** `add_device`: the device can be reset. */
export const DEVICE_RESET = 2;
/** `add_device`: DMA is coherent with caches. */
export const DEVICE_COHERENT = 4;
/** `add_device`: requests with a PASID may be for execution. */
export const DEVICE_PASID_EXECUTE = 8;
/** `add_device`: requests with a PASID may be privileged. */
export const DEVICE_PASID_PRIVILEGED = 16;
/** `add_device`: the device asks for pages that are missing. */
export const DEVICE_PAGE_REQUESTS = 32;
/** `add_device`: where the number of bits of a PASID is. */
export const DEVICE_PASID_BITS_SHIFT = 8;
/** `add_device`: the device logs what it writes. */
export const DEVICE_LOGS_DMA = 128;
/** `add_device`: no IOMMU, it reaches all memory by its address there. */
export const DEVICE_NO_IOMMU = 65_536;
/** `add_device`: no IOMMU, its model reaches memory through an access object. */
export const DEVICE_EMULATED = 64;

/** What a page request wants, as the core and Linux number it. */
export const PAGE_PERMISSION = { read: 1, write: 2 } as const;

/** The longest length that the core's 32-bit calls take; it has no more memory either. */
export const LENGTH_MAX: number = 2 ** 32 - 1;

/** The core's system calls and device side. Results below 0 are −errno. */
export interface Core {
  /** Before anything else. `replacement` is an index of {@linkcode REPLACEMENTS}. 0 or −errno. */
  set_iotlb(entries: number, ways: number, structures: number, replacement: number, seed: bigint): number;
  /** Unmapped ranges that wait for the caches to be told; 0: none waits. 0 or −errno. */
  set_batch(batch: number): number;
  flush_iotlb(): void;
  add_group(): number;
  add_device(group: number, requester: number, flags: number): number;
  add_region(device: number, index: number, size: bigint, flags: number, address: bigint): number;
  add_irq(device: number, index: number, count: number, flags: number): number;
  add_reserved(device: number, start: bigint, last: bigint, kind: number): number;
  /** Whether a device answers to memory accesses. */
  set_memory_enabled(device: number, enabled: boolean): number;
  set_driver_blocks(device: number, blocks: boolean): number;
  add_reset_bus(): number;
  add_reset_function(bus: number, location: number, device: number, inSet: boolean): number;
  /** One of {@linkcode PLUG}, or −errno. */
  unplug(device: number): number;
  plug(device: number): number;
  /** One of {@linkcode PLUG}. */
  plug_state(device: number): number;
  request_state(device: number): number;

  open_iommufd(): number;
  open_device(device: number): number;
  close(fd: number): number;
  ioctl(fd: number, request: number, argument: bigint): number;
  read(fd: number, va: bigint, length: number): number;
  write(fd: number, va: bigint, length: number): number;
  poll(fd: number): number;
  device_of(fd: number): number;
  mmap(at: bigint, length: number, prot: number, flags: number, fd: number, offset: number): bigint;
  munmap(at: bigint, length: number): number;
  view(at: bigint, length: number): number;
  eventfd(initial: number, flags: number): number;
  memfd(length: number): number;

  staging_alloc(length: number): number;
  staging_free(offset: number, length: number): void;
  /** 0, or the code of a fault; or {@linkcode PEER}: it has come to memory of another device. */
  dma_read(device: number, pasid: number, iova: bigint, offset: number, length: number): number;
  dma_write(device: number, pasid: number, iova: bigint, offset: number, length: number): number;
  /** Bytes that the last transfer to answer {@linkcode PEER} had moved. */
  peer_done(): number;
  /** Physical address of what comes next. */
  peer_address(): bigint;
  /** Bytes there, which the host moves. */
  peer_length(): number;
  /** Whether a device may read or write at an address: 0, or the code of a fault. */
  probe(device: number, pasid: number, iova: bigint, write: boolean): number;
  /** 0: the answer comes later, if the request is the last of its group; else the answer, or −errno. */
  page_request(device: number, pasid: number, group: number, permissions: number, address: bigint, last: boolean): number;
  /** The next answer: the device above 32 bits, the group above 8, the answer; −1 if there is none. */
  take_page_response(): bigint;
  /** Note a transfer that was given up. */
  give_up(device: number, pasid: number, iova: bigint, length: number, write: boolean): void;
  access_copy(device: number, iova: bigint, offset: number, length: number, write: boolean): number;
  access_pin(device: number, iova: bigint, length: number, write: boolean, id: number): number;
  access_unpin(device: number, id: number): number;
  /** A piece of what is pinned: its offset in the linear memory, or its length. −1 behind the last. */
  pinned_run(device: number, id: number, position: number, length: boolean): number;
  /** The next device whose model must let go of `notice_start()` to `notice_last()`; −1: none. */
  take_notice(): number;
  notice_start(): bigint;
  notice_last(): bigint;
  restart(): number;
  raise(device: number, index: number, vector: number): number;
  lower(device: number, index: number): number;
  irq_enabled(device: number, index: number, vector: number): boolean;

  /** Areas that came or went since the last call, or −errno; each is read by {@linkcode Core.area_change}. For the sanitizer, as the next seven. */
  find_area_changes(): number;
  /** A field of a change: one of {@linkcode AREA_CHANGE}. */
  area_change(index: number, field: number): bigint;
  /** The space that a device uses, or {@linkcode NO_SPACE}. */
  space_of(device: number, pasid: number): bigint;
  attached_pasid(device: number, index: number): number;
  has_space(space: bigint): boolean;
  label_of(device: number): bigint | undefined;
  add_quarantine(space: bigint, start: bigint, last: bigint): number;
  end_quarantine(space: bigint, start: bigint): void;
  /** As `ioctl`, placing mappings `margin` bytes apart and outside of the quarantine. */
  ioctl_apart(fd: number, request: number, argument: bigint, margin: bigint): number;

  faults_len(): number;
  faults_lost(): number;
  /** A field of a fault record: one of {@linkcode FAULT}. */
  fault(index: number, field: number): bigint;
  /** reads, writes, bytes, tlb hits, tlb misses, walk reads, faults, structure hits, evictions, dropped, stale hits. */
  device_statistic(device: number, count: number): number;
  /** A fact about the page table of a device's transfers; a negative PASID is none. */
  page_table(device: number, pasid: number, field: number): bigint;
  /** A field of the first entry there from an IOVA on, at most of that level if it begins there. */
  page_table_row(device: number, pasid: number, iova: bigint, level: number, field: number): bigint;
  /** maps, unmaps, invalidations, tables, ranges that wait. */
  global_statistic(count: number): number;
  /** Leaves of 2^`lg2` bytes. */
  pages_of_size(lg2: number): number;
  /** What the IOMMU can do: VT-d's capabilities and extended ones, AMD-Vi's extended features; 0 of other kinds. */
  iommu_register(index: number): bigint;
  /** open files, objects, pinned pages. */
  usage(count: number): number;
  /** Violated invariants, a line each; undefined where the core has no memory for finding out. */
  check(): string | undefined;
}

/** What `dma_read` and `dma_write` answer where the host goes on. */
export const PEER = 1;

/** The fields of a change of areas, by the core's numbers. A space is an IOAS: number of its iommufd << 32 | object id. */
export const AREA_CHANGE = { space: 0, start: 1, last: 2, flags: 3 } as const;
/** Bits of {@linkcode AREA_CHANGE}'s flags: what devices may do, and whether it came. */
export const AREA_FLAG = { read: 1n, write: 2n, added: 4n } as const;
/** The space of a device that is attached to none. */
export const NO_SPACE: bigint = 2n ** 64n - 1n;

/** The fields of a fault record, by the core's numbers. */
export const FAULT = { sequence: 0, device: 1, flags: 2, label: 3, pasid: 4, iova: 5, length: 6, reason: 7, code: 8, words: 9 } as const;
/** Bits of {@linkcode FAULT}'s flags. */
export const FAULT_FLAG = { write: 1n, label: 2n, pasid: 4n, record: 8n } as const;

/** The core's codes of refused DMA, from −1 down. −7 is a mistake of the device's side. */
const DMA_FAULTS: readonly (DmaFault | undefined)[] = [
  ...["blocked", "not-present", "no-read", "no-write", "beyond-aperture", "bus-master-off"] as const,
  undefined,
  ...["bad-table", "table-unreachable", "second-stage", "kernel-memory", "not-accessed"] as const,
];

/** The fault of a negative answer of `dma_read` or `dma_write`. @throws {RangeError} for a mistake of the device's side. */
export function dmaFaultOf(code: number): DmaFault {
  const fault = DMA_FAULTS[-code - 1];
  if (fault === undefined) {
    throw new RangeError(`Cannot do DMA with this array: the core answers ${code}, since it is no memory of the machine`);
  }
  return fault;
}

/** Replacement policies; the index is the core's number. */
export const REPLACEMENTS = ["lru", "tree-plru", "fifo", "random"] as const;

/** Kinds of reserved ranges; the index is the core's number. */
export const RESERVED_KINDS = ["direct", "direct-relaxable", "reserved", "msi", "software-msi"] as const;

/** A fresh instance of the core. */
export interface Instance {
  readonly memory: WebAssembly.Memory;
  /** Reserve memory once and for all, and start the machine. */
  boot(heapBytes: number, ramBytes: number, config: BootConfig): Core;
}
