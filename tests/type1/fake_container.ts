/**
 * A container of the model: type1's mappings, which an IOAS of the simulated kernel has as well, so that devices reach them.
 *
 * @module
 */
import * as uapi from "../../uapi/codec.ts";
import { ERRNO } from "../../uapi/errno.ts";
import { type Block, type Kernel, O_CLOEXEC, O_RDWR } from "../../uapi/kernel.ts";
import type { FakeOptions } from "./fake.ts";

const PAGE = 4096n;
const U64 = 2n ** 64n;
const APERTURE_LAST = 2n ** 48n - 1n;
const EXTENSIONS: readonly number[] = [uapi.TYPE1_IOMMU, uapi.TYPE1v2_IOMMU];

/** One request to the simulated kernel. `write` fills the struct. Returns the result and the struct. */
export function tell(sim: Kernel, fd: number, request: number, write: (view: DataView) => void): { result: number; view: DataView } {
  using block = sim.block(64);
  write(block.view);
  const result = sim.ioctl(fd, request, block);
  return { result, view: new DataView(block.bytes.slice().buffer) };
}

/** A mapping. */
export interface Dma {
  readonly iova: bigint;
  readonly size: bigint;
  readonly vaddr: bigint;
  readonly flags: number;
}

/** See the module. */
export class FakeContainer {
  #sim: Kernel;
  #options: FakeOptions;
  #isOpen = true;
  #groups = new Set<string>();
  #dmas: Dma[] = [];
  /** The simulated iommufd and its IOAS, once type1 is chosen. */
  #iommu: { readonly fd: number; readonly ioas: number } | undefined;

  constructor(sim: Kernel, options: FakeOptions) {
    this.#sim = sim;
    this.#options = options;
  }

  /** Whether type1 is chosen, so that devices can be opened. */
  get isSet(): boolean {
    return this.#iommu !== undefined;
  }

  /** What is mapped, by IOVA. */
  get dmas(): readonly Dma[] {
    return [...this.#dmas].sort((a, b) => (a.iova < b.iova ? -1 : 1));
  }

  join(group: string): void {
    this.#groups.add(group);
  }

  /** Without a group a container is as new. */
  leave(group: string): void {
    this.#groups.delete(group);
    if (this.#groups.size === 0) this.#reset();
  }

  /** The file is closed. Groups keep what is in it. */
  closed(): void {
    this.#isOpen = false;
    if (this.#groups.size === 0) this.#reset();
  }

  #reset(): void {
    if (this.#iommu !== undefined) this.#sim.close(this.#iommu.fd);
    this.#iommu = undefined;
    this.#dmas = [];
  }

  /** A device of a group here is opened: it reaches what is mapped. */
  adopt(ask: (request: number, write: (view: DataView) => void) => { result: number }): number {
    const { fd, ioas } = this.#iommu!;
    const { result } = ask(
      uapi.DEVICE_BIND_IOMMUFD,
      (view) => uapi.putDeviceBindIommufd(view, 0, { flags: 0, iommufd: fd, tokenUuidPtr: 0n }),
    );
    if (result < 0) return result;
    return ask(uapi.DEVICE_ATTACH_IOMMUFD_PT, (view) => uapi.putDeviceAttachIommufdPt(view, 0, { flags: 0, ptId: ioas, pasid: 0 })).result;
  }

  ioctl(request: number, argument: Block | number): number {
    if (!this.#isOpen) return -ERRNO.EBADF;
    switch (request) {
      case uapi.GET_API_VERSION:
        return 0;
      case uapi.CHECK_EXTENSION:
        return (this.#options.extensions ?? EXTENSIONS).includes(argument as number) ? 1 : 0;
      case uapi.SET_IOMMU:
        return this.#set(argument as number);
    }
    if (this.#iommu === undefined) return -ERRNO.EINVAL;
    if (typeof argument === "number") return -ERRNO.EFAULT;
    switch (request) {
      case uapi.IOMMU_GET_INFO:
        return this.#info(argument.view);
      case uapi.IOMMU_MAP_DMA:
        return this.#map(argument.view);
      case uapi.IOMMU_UNMAP_DMA:
        return this.#unmap(argument.view);
      default:
        return -ERRNO.ENOTTY;
    }
  }

  #set(type: number): number {
    if (this.#groups.size === 0 || this.#iommu !== undefined) return -ERRNO.EINVAL;
    if (type !== uapi.TYPE1v2_IOMMU || !(this.#options.extensions ?? EXTENSIONS).includes(type)) return -ERRNO.ENODEV;
    const fd = this.#sim.open("/dev/iommu", O_RDWR | O_CLOEXEC);
    if (fd < 0) return fd;
    const { view } = tell(this.#sim, fd, uapi.IOAS_ALLOC, (view) => uapi.putIoasAlloc(view, 0, { flags: 0 }));
    this.#iommu = { fd, ioas: uapi.getIoasAllocOutIoasId(view, 0) };
    return 0;
  }

  /** What can be mapped, without what the groups' devices reserve. */
  #ranges(): { start: bigint; last: bigint }[] {
    const reserved = [...this.#groups].flatMap((group) => {
      const text = this.#sim.readFile(`/sys/kernel/iommu_groups/${group}/reserved_regions`) as Uint8Array;
      return new TextDecoder().decode(text).split("\n").filter((line) => line !== "" && !line.includes("direct-relaxable"));
    }).map((line) => line.split(" ").slice(0, 2).map(BigInt) as [bigint, bigint]);
    const ranges: { start: bigint; last: bigint }[] = [];
    let next = 0n;
    for (const [start, last] of reserved.sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (start > next) ranges.push({ start: next, last: start - 1n });
      if (last + 1n > next) next = last + 1n;
    }
    if (next <= APERTURE_LAST) ranges.push({ start: next, last: APERTURE_LAST });
    return ranges;
  }

  #info(view: DataView): number {
    const room = view.getUint32(0, true);
    if (room < 16) return -ERRNO.EINVAL;
    const ranges = this.#ranges();
    const hasRanges = this.#options.ranges ?? true;
    // The count of mappings comes first, so that a reader has to follow the chain.
    const first = uapi.IommuType1InfoSize;
    const second = first + 16;
    const size = hasRanges ? second + uapi.IommuType1InfoCapIovaRangeSize + ranges.length * uapi.VfioIovaRangeSize : first;
    uapi.putIommuType1Info(view, 0, {
      flags: uapi.IOMMU_INFO_PGSIZES | (hasRanges ? uapi.IOMMU_INFO_CAPS : 0),
      iovaPgsizes: 0x40201000n,
      capOffset: hasRanges && room >= size ? first : 0,
      pad: 0,
    });
    view.setUint32(0, Math.max(room < size ? size : room, 0), true);
    if (!hasRanges || room < size) return 0;
    const avail = this.#mappings() - this.#dmas.length;
    uapi.putIommuType1InfoDmaAvail(view, first, { id: uapi.IOMMU_TYPE1_INFO_DMA_AVAIL, version: 1, next: second, avail });
    const capability = { id: uapi.IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, version: 1, next: 0, nrIovas: ranges.length };
    uapi.putIommuType1InfoCapIovaRange(view, second, capability);
    ranges.forEach(({ start, last }, index) => {
      const at = second + uapi.IommuType1InfoCapIovaRangeSize + index * uapi.VfioIovaRangeSize;
      uapi.putVfioIovaRange(view, at, { start, end: last });
    });
    return 0;
  }

  #mappings(): number {
    return this.#options.mappings ?? 65_535;
  }

  #map(view: DataView): number {
    const { flags, vaddr, iova, size } = uapi.getIommuType1DmaMap(view, 0);
    const known = uapi.DMA_MAP_FLAG_READ | uapi.DMA_MAP_FLAG_WRITE;
    if (view.getUint32(0, true) < uapi.IommuType1DmaMapSize || (flags & ~known) !== 0 || size === 0n) return -ERRNO.EINVAL;
    if (iova + size > U64 || vaddr + size > U64) return -ERRNO.EOVERFLOW;
    if (flags === 0 || ((size | iova | vaddr) & (PAGE - 1n)) !== 0n) return -ERRNO.EINVAL;
    const last = iova + size - 1n;
    if (this.#dmas.some((dma) => dma.iova <= last && iova < dma.iova + dma.size)) return -ERRNO.EEXIST;
    if (this.#dmas.length >= this.#mappings()) return -ERRNO.ENOSPC;
    if (!this.#ranges().some((range) => range.start <= iova && last <= range.last)) return -ERRNO.EINVAL;
    const { fd, ioas } = this.#iommu!;
    const access = (flags & uapi.DMA_MAP_FLAG_READ ? uapi.IOAS_MAP_READABLE : 0) |
      (flags & uapi.DMA_MAP_FLAG_WRITE ? uapi.IOAS_MAP_WRITEABLE : 0);
    const { result } = tell(
      this.#sim,
      fd,
      uapi.IOAS_MAP,
      (struct) => uapi.putIoasMap(struct, 0, { flags: access | uapi.IOAS_MAP_FIXED_IOVA, ioasId: ioas, userVa: vaddr, length: size, iova }),
    );
    if (result === 0) this.#dmas.push({ iova, size, vaddr, flags });
    return result;
  }

  /** Version 2: no mapping may be cut, and what lies wholly in the range goes. */
  #unmap(view: DataView): number {
    const { flags, iova, size } = uapi.getIommuType1DmaUnmap(view, 0);
    if (view.getUint32(0, true) < uapi.IommuType1DmaUnmapSize || flags !== 0) return -ERRNO.EINVAL;
    if (size === 0n || ((iova | size) & (PAGE - 1n)) !== 0n) return -ERRNO.EINVAL;
    if (iova + size > U64) return -ERRNO.EOVERFLOW;
    const end = iova + size;
    const touching = this.#dmas.filter((dma) => dma.iova < end && iova < dma.iova + dma.size);
    if (touching.some((dma) => dma.iova < iova || dma.iova + dma.size > end)) return -ERRNO.EINVAL;
    const { fd, ioas } = this.#iommu!;
    for (const dma of touching) {
      tell(this.#sim, fd, uapi.IOAS_UNMAP, (struct) => uapi.putIoasUnmap(struct, 0, { ioasId: ioas, iova: dma.iova, length: dma.size }));
    }
    this.#dmas = this.#dmas.filter((dma) => !touching.includes(dma));
    view.setBigUint64(16, touching.reduce((sum, dma) => sum + dma.size, 0n), true);
    return 0;
  }
}
