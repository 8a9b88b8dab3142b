/**
 * An I/O address space: what devices attached to it see.
 *
 * @module
 */
import * as uapi from "../uapi/codec.ts";
import { ERRNO } from "../uapi/errno.ts";
import { MAP_ANONYMOUS, MAP_HUGETLB, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "../uapi/kernel.ts";
import { checkCount, checkLength, checkU64, PAGE, roundUp, U64_LAST } from "./arguments.ts";
import { BufferTable } from "./buffer_table.ts";
import { checkDevice, type DeviceObject } from "./device_object.ts";
import { DmaBuffer } from "./dma_buffer.ts";
import { DmaPool, type DmaPoolOptions, layoutOf } from "./dma_pool.ts";
import { allocateBlock, closed, failed, IommuError, unmapMemory } from "./error.ts";
import { explainFilling } from "./explain/attach.ts";
import { explainUnsupported } from "./explain/hwpt.ts";
import { explainType1 } from "./explain/type1.ts";
import { explainAllow, explainMap, explainUnmap, type MapRequest } from "./explain/mapping.ts";
import { explainMmap } from "./explain/memory.ts";
import type { SpaceFacts } from "./explain/ranges.ts";
import { setSpaceFacts } from "./explain/space.ts";
import { checkFaultQueue } from "./fault_queue.ts";
import { type Life, takeAll, track } from "./handle.ts";
import { Hwpt, type HwptOptions } from "./hwpt.ts";
import { readHwInfo } from "./hw_info.ts";
import type { IommuFd } from "./iommu_fd.ts";
import { type IovaRange, type IovaRanges, readRanges } from "./iova_ranges.ts";
import { DmaBuf } from "./dma_buf.ts";
import type { MemFd } from "./mem_file.ts";
import { type Session, sessionOf } from "./session.ts";

/** What devices may do with a mapping, and where it is. */
export interface MapOptions {
  /** The first I/O address. Default: a free one is chosen. */
  readonly iova?: bigint;
  /** Whether devices may read it. Default: true. */
  readonly read?: boolean;
  /** Whether devices may write it. Default: true. */
  readonly write?: boolean;
}

/** How {@linkcode Ioas.createDmaBuffer} maps, and from what memory. */
export interface BufferOptions extends MapOptions {
  /**
   * Bytes of the pages that the memory has: 4 KiB, or huge pages of 2 MiB or 1 GiB from the kernel's pool (nr_hugepages), of which whole ones are
   * taken. Fewer pages are faster to pin and to translate. A simulated machine has no pool, and needs none. Default: 4,096.
   */
  readonly pageSize?: number;
}

/** Memory of the process. A {@linkcode DmaBuffer} is such. */
export interface UserMemory {
  /** First address in the address space of the process. */
  readonly address: bigint;
  /** Bytes. */
  readonly length: number | bigint;
}

/** Which part of a file {@linkcode Ioas.mapFile} maps. */
export interface MapFileOptions extends MapOptions {
  /** First byte in the file. Default: 0. */
  readonly start?: bigint;
  /** Bytes. Default: to the end of the file. */
  readonly length?: number | bigint;
}

/** Where memory is for a device that no IOMMU translates for. */
export interface PhysicalRange {
  /** The first physical address. */
  readonly address: bigint;
  /** Bytes that follow each other there, as many as were asked for at most. */
  readonly length: bigint;
}

/** What {@linkcode Ioas.copy} copies. */
export interface CopyOptions extends MapOptions {
  /** First I/O address in the source. */
  readonly sourceIova: bigint;
  /** Bytes. */
  readonly length: number | bigint;
}

/** Page sizes that {@linkcode BufferOptions} has. */
const PAGE_SIZES: readonly number[] = [PAGE, 2 ** 21, 2 ** 30];
/** The binary logarithm of a huge page's size is above these bits of the flags of mmap. */
const MAP_HUGE_SHIFT = 26;
/**
 * An I/O address space. Made by {@linkcode IommuFd.createIoas}.
 *
 * Disposing it detaches devices that are attached to it and disposes its page tables and buffers.
 */
export class Ioas implements Disposable {
  /** The iommufd that it belongs to. */
  readonly iommu: IommuFd;
  /** Its id in the iommufd. */
  readonly id: number;
  #session: Session;
  #life: Life;
  #buffers = new BufferTable();
  #tables = new Set<Hwpt>();
  /** Whether the buffers that are being disposed are unmapped already. */
  #isUnmapped = false;
  #facts: SpaceFacts;
  /** What {@linkcode Ioas.allow} allowed last, for explanations. */
  #allowed: readonly IovaRange[] = [];

  /** Made by {@linkcode IommuFd.createIoas}. */
  constructor(iommu: IommuFd, id: number, gone: () => void) {
    this.iommu = iommu;
    this.id = id;
    this.#session = sessionOf(iommu);
    this.#life = track(this, this.#session.kernel, "Ioas");
    this.#session.add(id, this, () => {
      this.#life.end();
      gone();
      this.#forgetBuffers(this.#buffers.within(0n, U64_LAST));
    });
    this.#facts = this.#makeFacts();
    setSpaceFacts(this, this.#facts);
  }

  /**
   * Map memory of the process: IOAS_MAP. Returns its first I/O address.
   *
   * Nothing keeps the memory in the process: who unmaps it there while it is mapped here leaves the device with the pages that were pinned.
   *
   * @throws {IommuError} EEXIST, ENOSPC, EINVAL, EOVERFLOW, EFAULT, ENOMEM: nothing is mapped then.
   */
  map({ address, length }: UserMemory, options: MapOptions = {}): bigint {
    const bytes = checkLength(length, "a length");
    checkU64(address, "an address");
    const view = this.#begin("IOAS_MAP");
    const { flags, iova } = mapping(options);
    uapi.putIoasMap(view, 0, { flags, ioasId: this.id, userVa: address, length: bytes, iova });
    const result = this.#session.send(uapi.IOAS_MAP);
    if (result < 0) {
      const values = { length: bytes, address, ...fixed(options), ioas: this.id };
      throw failed("ioasMap", result, values, this.#explain(result, bytes, options, { address }));
    }
    return uapi.getIoasMapIova(view, 0);
  }

  /**
   * Map a part of a memory file (Linux 6.13), or of a dma-buf of another device's BAR (Linux 6.19): IOAS_MAP_FILE. Returns its first I/O address.
   *
   * @throws {IommuError} as {@linkcode Ioas.map}; EBADF, ENOTTY; ENODEV for a dma-buf whose device has taken the memory back
   */
  mapFile(file: MemFd | DmaBuf, options: MapFileOptions = {}): bigint {
    const start = checkU64(options.start ?? 0n, "the start in a file");
    const length = checkLength(options.length ?? (start < BigInt(file.length) ? BigInt(file.length) - start : 0n), "a length");
    const view = this.#begin("IOAS_MAP_FILE");
    // The number of a closed file may be that of another one by now.
    if (!file.isOpen) throw closed(file instanceof DmaBuf ? "DmaBuf" : "MemFd", "IOAS_MAP_FILE");
    if (file.kernel !== this.#session.kernel) {
      const values = { length, start, fd: file.fd, ...fixed(options), ioas: this.id };
      throw failed("ioasMapFile", -ERRNO.EBADF, values, "The file belongs to another kernel than the IOAS.");
    }
    const { flags, iova } = mapping(options);
    uapi.putIoasMapFile(view, 0, { flags, ioasId: this.id, fd: file.fd, start, length, iova });
    const result = this.#session.send(uapi.IOAS_MAP_FILE);
    if (result < 0) {
      const values = { length, start, fd: file.fd, ...fixed(options), ioas: this.id };
      throw failed("ioasMapFile", result, values, this.#explain(result, length, options, { file: { start, length: file.length } }));
    }
    return uapi.getIoasMapFileIova(view, 0);
  }

  /**
   * Map what another IOAS has mapped, without a look at the process's memory: IOAS_COPY. Returns its first I/O address here.
   *
   * @throws {IommuError} ENOENT, EPERM; and as {@linkcode Ioas.map}
   */
  copy(source: Ioas, options: CopyOptions): bigint {
    const sourceIova = checkU64(options.sourceIova, "an I/O address");
    const length = checkLength(options.length, "a length");
    const view = this.#begin("IOAS_COPY");
    const { flags, iova } = mapping(options);
    const values = { length, sourceIova, source: source.id, ...fixed(options), ioas: this.id };
    // Another iommufd may have an IOAS of the same id.
    if (!this.#session.owns(source.id, source)) {
      throw failed("ioasCopy", -ERRNO.ENOENT, values, "The source was disposed, or belongs to another iommu_fd.");
    }
    uapi.putIoasCopy(view, 0, { flags, dstIoasId: this.id, srcIoasId: source.id, length, dstIova: iova, srcIova: sourceIova });
    const result = this.#session.send(uapi.IOAS_COPY);
    if (result < 0) {
      const from = { iova: sourceIova, facts: source.#facts };
      throw failed("ioasCopy", result, values, this.#explain(result, length, options, { source: from }));
    }
    return uapi.getIoasCopyDstIova(view, 0);
  }

  /**
   * Unmap whole mappings: IOAS_UNMAP. Returns how many bytes that were. Buffers in the range are disposed.
   *
   * @throws {IommuError} ENOENT if the range has no mapping or cuts one, EINVAL, EOVERFLOW. Nothing is unmapped then, but for one case: where
   * the end of the range cuts a mapping that is no buffer, the kernel has unmapped those below it. Buffers among them are disposed.
   */
  unmap(iova: bigint, length: number | bigint): bigint {
    checkU64(iova, "an I/O address");
    const bytes = checkLength(length, "a length");
    // Bigints that nobody needs would double what the call costs.
    if (this.#buffers.size === 0) return this.#unmap(iova, bytes);
    const last = bytes === U64_LAST ? U64_LAST : iova + bytes - 1n;
    const buffers = this.#buffers.within(iova, last);
    if (buffers[0] !== undefined && lastOf(buffers[0]) > last) {
      const advice = explainUnmap(-ERRNO.ENOENT, this.#facts, iova, bytes);
      throw failed("ioasUnmap", -ERRNO.ENOENT, { length: bytes, iova, ioas: this.id }, advice);
    }
    try {
      const unmapped = this.#unmap(iova, bytes);
      this.#forgetBuffers(buffers);
      return unmapped;
    } catch (error) {
      if (error instanceof IommuError && error.errno === ERRNO.ENOENT) {
        this.#forgetBuffers(buffers.filter((buffer) => buffer.isLive && !this.#isMapped(buffer)));
      }
      throw error;
    }
  }

  /** Unmap everything; that there is nothing is no error. Returns how many bytes that were. Buffers are disposed. */
  unmapAll(): bigint {
    return this.unmap(0n, U64_LAST);
  }

  /** Where mappings can be: IOAS_IOVA_RANGES. */
  get ranges(): IovaRanges {
    this.#begin("IOAS_IOVA_RANGES");
    return readRanges(this.#session, this.id);
  }

  /**
   * Say where automatic placement may map: IOAS_ALLOW_IOVAS. An empty list allows everything again.
   *
   * @throws {IommuError} EINVAL for ranges that overlap, EADDRINUSE where a device reserves addresses
   */
  allow(ranges: readonly IovaRange[]): void {
    this.#begin("IOAS_ALLOW_IOVAS");
    for (const { start, last } of ranges) {
      checkU64(start, "the start of a range");
      checkU64(last, "the last address of a range");
    }
    using block = allocateBlock(this.#session.kernel, uapi.IoasAllowIovasSize + ranges.length * uapi.IovaRangeSize);
    const allowedIovas = block.address + BigInt(uapi.IoasAllowIovasSize);
    uapi.putIoasAllowIovas(block.view, 0, { ioasId: this.id, numIovas: ranges.length, allowedIovas });
    ranges.forEach((range, index) => uapi.putIovaRange(block.view, uapi.IoasAllowIovasSize + index * uapi.IovaRangeSize, range));
    const result = this.#session.kernel.ioctl(this.#session.fd, uapi.IOAS_ALLOW_IOVAS, block);
    if (result < 0) {
      throw failed("ioasAllow", result, { count: ranges.length, ioas: this.id }, explainAllow(result, this.#facts, ranges));
    }
    this.#allowed = ranges.map(({ start, last }) => ({ start, last }));
  }

  /**
   * Where mapped memory is for a device without an IOMMU, which works by physical addresses: IOAS_NOIOMMU_GET_PA, Linux 7.3. Ask again behind the
   * answer for the rest.
   *
   * The answer holds as long as the mapping, and a device without an IOMMU is attached or a page table made for one exists. After that the memory may be
   * somebody else's, and the device reaches it still: stop it before. See docs/no_iommu.md.
   *
   * @param length bytes to look at, at least 1.
   * @throws {IommuError} EOPNOTSUPP unless a device without an IOMMU is attached, which a kernel without CONFIG_IOMMUFD_NOIOMMU does not hand out;
   * EPERM without CAP_SYS_RAWIO, ENOENT if nothing is mapped at `iova`, EOVERFLOW.
   */
  physicalRange(iova: bigint, length: number | bigint): PhysicalRange {
    checkU64(iova, "an I/O address");
    const bytes = checkLength(length, "a length");
    const view = this.#begin("IOAS_NOIOMMU_GET_PA");
    uapi.putIoasNoiommuGetPa(view, 0, { flags: 0, ioasId: this.id, iova, length: bytes });
    const result = this.#session.send(uapi.IOAS_NOIOMMU_GET_PA);
    if (result < 0) throw failed("ioasPhysical", result, { length: bytes, iova, ioas: this.id });
    return { address: uapi.getIoasNoiommuGetPaOutPhys(view, 0), length: uapi.getIoasNoiommuGetPaLength(view, 0) };
  }

  /**
   * Whether page tables may use pages larger than 4 KiB: OPTION HUGE_PAGES. Default: true.
   *
   * @throws {IommuError} EINVAL if it is switched off while devices are attached and something is mapped
   */
  get hugePages(): boolean {
    return this.#option(uapi.OPTION_OP_GET, 0n) !== 0n;
  }

  set hugePages(value: boolean) {
    this.#option(uapi.OPTION_OP_SET, value ? 1n : 0n);
  }

  /**
   * Make a page table for the IOMMU of a device: HWPT_ALLOC. Attaching a device to the IOAS makes one by itself; this is for programs that need
   * its abilities, or one of their own.
   *
   * @throws {IommuError} EOPNOTSUPP if the IOMMU lacks an ability, ENOMEM, EFAULT
   */
  createHwpt(device: DeviceObject, options: HwptOptions = {}): Hwpt {
    const { nestParent, dirtyTracking, pasid, faultQueue } = options;
    const view = this.#begin("HWPT_ALLOC");
    const flags = (nestParent ? uapi.HWPT_ALLOC_NEST_PARENT : 0) | (dirtyTracking ? uapi.HWPT_ALLOC_DIRTY_TRACKING : 0) |
      (pasid ? uapi.HWPT_ALLOC_PASID : 0) | (faultQueue ? uapi.HWPT_FAULT_ID_VALID : 0);
    const values = { ioas: this.id, device: device.id };
    checkDevice(device, this.iommu, "HWPT_ALLOC", "hwptAlloc", values);
    checkFaultQueue(faultQueue, this.#session, "hwptAlloc", values);
    const data = { dataType: uapi.HWPT_DATA_NONE, dataLen: 0, dataUptr: 0n, faultId: faultQueue?.id ?? 0 };
    uapi.putHwptAlloc(view, 0, { flags, devId: device.id, ptId: this.id, ...data });
    const result = this.#session.send(uapi.HWPT_ALLOC);
    if (result < 0) {
      const type1 = explainType1(this.#session.kernel, result, "options of page tables");
      const unsupported = type1 ?? explainUnsupported(result, () => readHwInfo(this.#session, device.id), options);
      throw failed("hwptAlloc", result, values, unsupported ?? explainFilling(result, this.#facts, device.address));
    }
    const hwpt = new Hwpt(this, uapi.getHwptAllocOutHwptId(view, 0), options, () => {
      this.#tables.delete(hwpt);
      leaveQueue?.();
    });
    this.#tables.add(hwpt);
    const leaveQueue = faultQueue?.reportedBy(hwpt);
    return hwpt;
  }

  /**
   * Allocate zeroed memory of `length` bytes and map it. Whole pages are mapped.
   *
   * @param options `iova` must be a multiple of 4,096.
   * @throws {RangeError} if `pageSize` is none of a page.
   * @throws {IommuError} ENOMEM; and as {@linkcode Ioas.map}: nothing is left then.
   */
  createDmaBuffer(length: number, options: BufferOptions = {}): DmaBuffer {
    const { pageSize = PAGE } = options;
    if (!PAGE_SIZES.includes(pageSize)) throw new RangeError(`Cannot use ${pageSize} as a page size: it is ${PAGE_SIZES.join(", ")}`);
    checkCount(length, "the length of a buffer", 1, Number.MAX_SAFE_INTEGER - pageSize);
    if (options.iova !== undefined && checkU64(options.iova, "an I/O address") % BigInt(PAGE) !== 0n) {
      throw new RangeError(`Cannot use 0x${options.iova.toString(16)} as the I/O address of a buffer: a multiple of ${PAGE} is needed`);
    }
    this.#begin("IOAS_MAP");
    const { kernel } = this.#session;
    const mappedLength = roundUp(length, pageSize);
    const huge = pageSize === PAGE ? 0 : MAP_HUGETLB | Math.log2(pageSize) << MAP_HUGE_SHIFT;
    const address = kernel.mmap(0n, mappedLength, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | huge, -1, 0);
    if (address < 0n) {
      const advice = explainMmap(kernel, address, mappedLength, huge === 0 ? undefined : pageSize);
      throw failed("mmap", address, { length: mappedLength }, advice);
    }
    try {
      const bytes = kernel.view(address, length);
      if (bytes.length !== length) throw failed("mmap", -ERRNO.EFAULT, { length }, "The kernel shows no memory of the process.");
      const iova = this.map({ address, length: mappedLength }, options);
      const buffer = new DmaBuffer({ ioas: this, iova, address, bytes, mappedLength, release: (buffer) => this.#release(buffer) });
      this.#buffers.add(buffer);
      return buffer;
    } catch (error) {
      kernel.munmap(address, mappedLength);
      throw error;
    }
  }

  /** Make a buffer of equal pieces. @throws {IommuError} as {@linkcode Ioas.createDmaBuffer} */
  createDmaPool(options: DmaPoolOptions): DmaPool {
    const layout = layoutOf(options);
    return new DmaPool(this.createDmaBuffer(layout.length), layout);
  }

  /** The buffer that has an I/O address. O(log n). */
  bufferAt(iova: bigint): DmaBuffer | undefined {
    return this.#buffers.at(checkU64(iova, "an I/O address"));
  }

  /** The buffer that `bytes` is a part of. O(log n). */
  bufferOf(bytes: Uint8Array): DmaBuffer | undefined {
    return this.#buffers.of(bytes);
  }

  /** The I/O address of the first of `bytes`; undefined if they are no part of a buffer. O(log n). */
  iovaOf(bytes: Uint8Array): bigint | undefined {
    const buffer = this.#buffers.of(bytes);
    return buffer && buffer.iova + BigInt(bytes.byteOffset - buffer.bytes.byteOffset);
  }

  /** Detach its devices, destroy its page tables and itself, and give the memory of its buffers back. */
  [Symbol.dispose](): void {
    if (!this.#life.isOpen) return;
    takeAll([
      ...this.#session.detachFrom((target) => this.#isTarget(target)),
      ...[...this.#tables].map((hwpt) => () => hwpt[Symbol.dispose]()),
      () => this.#session.dispose(this.id),
    ]);
  }

  #begin(operation: string): DataView {
    if (!this.#life.isOpen) throw closed("Ioas", operation);
    return this.#session.begin(operation);
  }

  #unmap(iova: bigint, length: bigint): bigint {
    const view = this.#begin("IOAS_UNMAP");
    uapi.putIoasUnmap(view, 0, { ioasId: this.id, iova, length });
    const result = this.#session.send(uapi.IOAS_UNMAP);
    if (result < 0) {
      throw failed("ioasUnmap", result, { length, iova, ioas: this.id }, explainUnmap(result, this.#facts, iova, length));
    }
    return uapi.getIoasUnmapLength(view, 0);
  }

  /** Whether a buffer is still mapped. Nothing tells, but that nothing else can be mapped where it is. */
  #isMapped({ iova, address }: DmaBuffer): boolean {
    const flags = uapi.IOAS_MAP_READABLE | uapi.IOAS_MAP_FIXED_IOVA;
    uapi.putIoasMap(this.#begin("IOAS_MAP"), 0, { flags, ioasId: this.id, userVa: address, length: BigInt(PAGE), iova });
    if (this.#session.send(uapi.IOAS_MAP) < 0) return true;
    this.#unmap(iova, BigInt(PAGE));
    return false;
  }

  /** The kernel has unmapped these buffers: dispose them. */
  #forgetBuffers(buffers: readonly DmaBuffer[]): void {
    if (buffers.length === 0) return;
    this.#isUnmapped = true;
    try {
      takeAll(buffers.map((buffer) => () => buffer[Symbol.dispose]()));
    } finally {
      this.#isUnmapped = false;
    }
  }

  #release(buffer: DmaBuffer): void {
    const { kernel } = this.#session;
    this.#buffers.delete(buffer);
    takeAll([
      () => this.#isUnmapped || this.#unmap(buffer.iova, BigInt(buffer.mappedLength)),
      () => unmapMemory(kernel, buffer.address, buffer.mappedLength),
    ]);
  }

  /** What the machine says of a mapping that the kernel refused. */
  #explain(result: number, length: bigint, { iova, read = true, write = true }: MapOptions, what: Partial<MapRequest>): string | undefined {
    return explainMap(result, this.#facts, { length, iova, hasAccess: read || write, ...what });
  }

  /** Whether what a device is attached to shows this address space: it itself, a page table of it, or one on top of that. */
  #isTarget(target: object): boolean {
    return target === this || ("ioas" in target && target.ioas === this);
  }

  #makeFacts(): SpaceFacts {
    const allowed = () => this.#allowed;
    return {
      kernel: this.#session.kernel,
      ranges: () => this.ranges,
      devices: () => {
        const attached = this.#session.attachedTo((target) => this.#isTarget(target));
        return attached.flatMap(({ address }) => address ?? []);
      },
      buffers: ({ start, last }) => {
        const first = this.#buffers.at(start);
        const found = this.#buffers.within(start, last).filter((buffer) => buffer !== first);
        return [...first === undefined ? [] : [first], ...found].map((buffer) => ({ start: buffer.iova, last: lastOf(buffer) }));
      },
      get allowed() {
        return allowed();
      },
    };
  }

  #option(op: number, value: bigint): bigint {
    const view = this.#begin("OPTION");
    uapi.putOption(view, 0, { optionId: uapi.OPTION_HUGE_PAGES, op, objectId: this.id, val64: value });
    const result = this.#session.send(uapi.OPTION);
    const verb = op === uapi.OPTION_OP_SET ? "set" : "read";
    if (result < 0) {
      const advice = explainType1(this.#session.kernel, result, "page tables without large pages");
      throw failed("option", result, { verb, option: `large pages of IOAS ${this.id}` }, advice);
    }
    return uapi.getOptionVal64(view, 0);
  }
}

/** The last I/O address that is mapped for a buffer. */
function lastOf({ iova, mappedLength }: DmaBuffer): bigint {
  return iova + BigInt(mappedLength - 1);
}

/** Flags and address of a request that maps. */
function mapping({ iova, read = true, write = true }: MapOptions): { flags: number; iova: bigint } {
  const access = (read ? uapi.IOAS_MAP_READABLE : 0) | (write ? uapi.IOAS_MAP_WRITEABLE : 0);
  if (iova === undefined) return { flags: access, iova: 0n };
  return { flags: access | uapi.IOAS_MAP_FIXED_IOVA, iova: checkU64(iova, "an I/O address") };
}

/** The address for an error. */
function fixed({ iova }: MapOptions): { iova?: bigint } {
  return iova === undefined ? {} : { iova };
}
