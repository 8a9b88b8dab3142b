/**
 * Requests that change what an I/O address space maps: the core decides, then the containers of its groups follow, or nothing has changed.
 *
 * @module
 */
import * as uapi from "../../../uapi/codec.ts";
import { ERRNO } from "../../../uapi/errno.ts";
import { type Kernel, MAP_SHARED, PROT_READ, PROT_WRITE } from "../../../uapi/kernel.ts";
import { type Area, FileMemory } from "./areas.ts";
import type { AddressSpace } from "./context.ts";
import type { Shadow } from "./core.ts";
import type { IommufdFile } from "./files.ts";

const LAST = 2n ** 64n - 1n;
const PAGE_MASK = 4095n;

/** type1's flags for those of IOAS_MAP. */
function accessOf(flags: number): number {
  const read = (flags & uapi.IOAS_MAP_READABLE) === 0 ? 0 : uapi.DMA_MAP_FLAG_READ;
  return read | ((flags & uapi.IOAS_MAP_WRITEABLE) === 0 ? 0 : uapi.DMA_MAP_FLAG_WRITE);
}

/** Map areas for all groups of an IOAS. 0, or −errno: none is mapped. */
function show(space: AddressSpace, areas: readonly Area[]): number {
  for (const { container } of space.groups) {
    for (const area of areas) {
      const result = container!.map(area);
      if (result < 0) {
        for (const { container } of space.groups) container!.unmap(areas);
        return result;
      }
    }
  }
  return 0;
}

/** Unmap areas, between which there is nothing else, for all groups of an IOAS. 0, or −errno: all that can be is mapped again. */
function hide(space: AddressSpace, areas: readonly Area[]): number {
  for (const { container } of space.groups) {
    const result = container!.unmap(areas);
    if (result < 0) {
      const all = space.areas.all;
      for (const { container } of space.groups) container!.become(all);
      return result;
    }
  }
  return 0;
}

/** See the module. */
export class SpaceRequests {
  #shadow: Shadow;
  #kernel: Kernel;
  #struct = new DataView(new ArrayBuffer(uapi.IoasMapSize));

  /** `kernel` is the one below. */
  constructor(shadow: Shadow, kernel: Kernel) {
    this.#shadow = shadow;
    this.#kernel = kernel;
  }

  /** IOAS_MAP. */
  map(file: IommufdFile, bytes: Uint8Array | undefined): number {
    const result = this.#shadow.ask(file.core, uapi.IOAS_MAP, bytes);
    if (result < 0 || bytes === undefined) return result;
    const { flags, ioasId, userVa, length, iova } = uapi.getIoasMap(this.#shadow.answer, 0);
    const area: Area = { iova, length, va: userVa, access: accessOf(flags), file: undefined };
    return this.#settle(file, file.context.space(ioasId)!, [area], bytes);
  }

  /**
   * IOAS_MAP_FILE: the file is mapped in the process for as long as an area shows it. `isOurs` tells a number that is no file in memory.
   *
   * To the core it is a mapping of memory whose address is the place in the file, so that it is placed as iommufd does.
   */
  mapFile(file: IommufdFile, bytes: Uint8Array | undefined, isOurs: (fd: number) => boolean): number {
    let memory = -1;
    const result = this.#shadow.ask(file.core, uapi.IOAS_MAP, bytes, (view) => {
      if (view.byteLength < uapi.IoasMapFileSize) return;
      memory = view.getInt32(12, true);
      view.setUint32(12, 0, true);
    });
    if (result < 0 || bytes === undefined) return result;
    // The core has left the fd's place empty.
    this.#shadow.answer.setInt32(12, memory, true);
    const { flags, ioasId, start, length, iova } = uapi.getIoasMapFile(this.#shadow.answer, 0);
    const access = accessOf(flags);
    const mapped = isOurs(memory) ? -ERRNO.EINVAL : this.#mmapFile(memory, start, length, access);
    const space = file.context.space(ioasId)!;
    if (typeof mapped === "number") {
      this.#forget(file, ioasId, iova, length);
      return mapped;
    }
    const area: Area = { iova, length, va: mapped.va, access, file: mapped.file };
    // Until the area is there, this holds the memory.
    mapped.file.hold();
    const settled = this.#settle(file, space, [area], bytes);
    mapped.file.drop();
    // Memory behind the end of a file is an invalid range to iommufd.
    return settled === -ERRNO.EFAULT ? -ERRNO.EINVAL : settled;
  }

  /** IOAS_COPY. */
  copy(file: IommufdFile, bytes: Uint8Array | undefined): number {
    const result = this.#shadow.ask(file.core, uapi.IOAS_COPY, bytes);
    if (result < 0 || bytes === undefined) return result;
    const { flags, dstIoasId, srcIoasId, length, dstIova, srcIova } = uapi.getIoasCopy(this.#shadow.answer, 0);
    const pieces = file.context.space(srcIoasId)!.areas.copied(srcIova, length, dstIova, accessOf(flags));
    return this.#settle(file, file.context.space(dstIoasId)!, pieces, bytes);
  }

  /** IOAS_UNMAP. Areas before one that reaches out of the range go even so, as iommufd has it. */
  unmap(file: IommufdFile, bytes: Uint8Array | undefined): number {
    const result = this.#shadow.ask(file.core, uapi.IOAS_UNMAP, bytes);
    if (bytes === undefined || (result < 0 && result !== -ERRNO.ENOENT)) return result;
    const { ioasId, iova, length } = uapi.getIoasUnmap(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0);
    const space = file.context.space(ioasId);
    if (space === undefined) return result;
    const gone = space.areas.inside(iova, length === LAST ? LAST : iova + length - 1n);
    const hidden = hide(space, gone);
    if (hidden < 0) {
      for (const area of gone) this.#remember(file, ioasId, area);
      return hidden;
    }
    space.areas.remove(gone);
    this.#shadow.commit(bytes);
    return result;
  }

  /** The core has made areas: show them, or take them away again. */
  #settle(file: IommufdFile, space: AddressSpace, areas: readonly Area[], bytes: Uint8Array): number {
    const result = space.groups.size === 0 ? 0 : show(space, areas);
    if (result < 0) {
      const first = areas[0]!;
      const last = areas[areas.length - 1]!;
      this.#forget(file, space.id, first.iova, last.iova + last.length - first.iova);
      return result;
    }
    for (const area of areas) space.areas.add(area);
    this.#shadow.commit(bytes);
    return 0;
  }

  #forget(file: IommufdFile, ioasId: number, iova: bigint, length: bigint): void {
    uapi.putIoasUnmap(this.#struct, 0, { ioasId, iova, length });
    this.#shadow.ask(file.core, uapi.IOAS_UNMAP, new Uint8Array(this.#struct.buffer, 0, uapi.IoasUnmapSize));
  }

  /** The core has its area again, where it was. */
  #remember(file: IommufdFile, ioasId: number, { iova, length, va, access }: Area): void {
    const read = (access & uapi.DMA_MAP_FLAG_READ) === 0 ? 0 : uapi.IOAS_MAP_READABLE;
    const write = (access & uapi.DMA_MAP_FLAG_WRITE) === 0 ? 0 : uapi.IOAS_MAP_WRITEABLE;
    uapi.putIoasMap(this.#struct, 0, { flags: uapi.IOAS_MAP_FIXED_IOVA | read | write, ioasId, userVa: va, length, iova });
    this.#shadow.ask(file.core, uapi.IOAS_MAP, new Uint8Array(this.#struct.buffer));
  }

  #mmapFile(fd: number, start: bigint, length: bigint, access: number): { readonly va: bigint; readonly file: FileMemory } | number {
    const offset = start & ~PAGE_MASK;
    const bytes = (start - offset + length + PAGE_MASK) & ~PAGE_MASK;
    if (bytes > BigInt(Number.MAX_SAFE_INTEGER) || offset > BigInt(Number.MAX_SAFE_INTEGER)) return -ERRNO.EINVAL;
    const prot = (access & uapi.DMA_MAP_FLAG_WRITE) === 0 ? PROT_READ : PROT_READ | PROT_WRITE;
    const va = this.#kernel.mmap(0n, Number(bytes), prot, MAP_SHARED, fd, Number(offset));
    if (va < 0n) return va === BigInt(-ERRNO.EBADF) || va === BigInt(-ERRNO.ENOMEM) ? Number(va) : -ERRNO.EINVAL;
    const file = new FileMemory(() => this.#munmapFile(va, Number(bytes)));
    return { va: va + (start - offset), file };
  }

  /** A mapping of huge pages is given back whole: its length is one of theirs, which only the kernel below knows. */
  #munmapFile(va: bigint, length: number): void {
    for (const unit of [1, 2 ** 21, 2 ** 30]) {
      if (this.#kernel.munmap(va, Math.ceil(length / unit) * unit) !== -ERRNO.EINVAL) return;
    }
  }
}
