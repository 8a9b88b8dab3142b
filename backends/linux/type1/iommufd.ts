/**
 * Requests to an iommufd.
 *
 * @module
 */
import * as uapi from "../../../uapi/codec.ts";
import { ERRNO } from "../../../uapi/errno.ts";
import type { Kernel } from "../../../uapi/kernel.ts";
import type { Shadow } from "./core.ts";
import type { IommufdFile } from "./files.ts";
import { SpaceRequests } from "./spaces.ts";
import type { UserMemory } from "./user_memory.ts";

/** More ranges than an IOAS has. */
const RANGES_MAX = 65536;

/** What else is known of open files and devices. */
export interface Surroundings {
  /** Whether a number is that of an iommufd or device. */
  isShadowed(fd: number): boolean;
  /** The last IOVA that the IOMMU of a bound device translates. */
  apertureOf(file: IommufdFile, device: number): bigint;
}

/** See the module. */
export class IommufdRequests {
  #shadow: Shadow;
  #memory: UserMemory;
  #spaces: SpaceRequests;
  #surroundings: Surroundings;

  /** `kernel` is the one below. */
  constructor(shadow: Shadow, kernel: Kernel, memory: UserMemory, surroundings: Surroundings) {
    this.#shadow = shadow;
    this.#memory = memory;
    this.#spaces = new SpaceRequests(shadow, kernel);
    this.#surroundings = surroundings;
  }

  /** One request. `bytes` is the struct, which gets the answer. */
  ask(file: IommufdFile, request: number, bytes: Uint8Array | undefined): number {
    switch (request) {
      case uapi.IOAS_MAP:
        return this.#spaces.map(file, bytes);
      case uapi.IOAS_UNMAP:
        return this.#spaces.unmap(file, bytes);
      case uapi.IOAS_COPY:
        return this.#spaces.copy(file, bytes);
      case uapi.IOAS_MAP_FILE:
        return this.#spaces.mapFile(file, bytes, (fd) => this.#surroundings.isShadowed(fd));
      case uapi.IOAS_ALLOC:
        return this.#allocate(file, bytes);
      case uapi.DESTROY:
        return this.#destroy(file, bytes);
      case uapi.HWPT_ALLOC:
        return this.#allocateTable(file, bytes);
      case uapi.IOAS_IOVA_RANGES:
        return this.#ranges(file, bytes);
      case uapi.IOAS_ALLOW_IOVAS:
        return this.#allow(file, bytes);
      case uapi.OPTION:
        return this.#option(file, bytes);
      default:
        return this.#plain(file, request, bytes);
    }
  }

  #plain(file: IommufdFile, request: number, bytes: Uint8Array | undefined): number {
    const result = this.#shadow.ask(file.core, request, bytes);
    // Some requests answer in their struct although they fail.
    if (bytes !== undefined) this.#shadow.commit(bytes);
    return result;
  }

  #allocate(file: IommufdFile, bytes: Uint8Array | undefined): number {
    const result = this.#plain(file, uapi.IOAS_ALLOC, bytes);
    if (result >= 0) file.context.addSpace(uapi.getIoasAllocOutIoasId(this.#shadow.answer, 0));
    return result;
  }

  #destroy(file: IommufdFile, bytes: Uint8Array | undefined): number {
    const result = this.#plain(file, uapi.DESTROY, bytes);
    if (result >= 0) file.context.destroyed(uapi.getDestroy(this.#shadow.answer, 0).id);
    return result;
  }

  #allocateTable(file: IommufdFile, bytes: Uint8Array | undefined): number {
    const device = bytes !== undefined && bytes.length >= 12 ? new DataView(bytes.buffer, bytes.byteOffset).getUint32(8, true) : 0;
    this.#shadow.core.set_remote_aperture(this.#surroundings.apertureOf(file, device));
    const result = this.#plain(file, uapi.HWPT_ALLOC, bytes);
    if (result < 0) return result;
    const { answer } = this.#shadow;
    const space = file.context.spaceOf(answer.getUint32(12, true));
    if (space !== undefined) file.context.addTable(answer.getUint32(16, true), space);
    return result;
  }

  #ranges(file: IommufdFile, bytes: Uint8Array | undefined): number {
    if (bytes === undefined || bytes.length < uapi.IoasIovaRangesSize) return this.#plain(file, uapi.IOAS_IOVA_RANGES, bytes);
    const { numIovas, allowedIovas } = uapi.getIoasIovaRanges(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0);
    const room = Math.min(numIovas, RANGES_MAX);
    using lent = this.#shadow.lend(new Uint8Array(room * uapi.IovaRangeSize));
    if (lent === undefined) return -ERRNO.ENOMEM;
    const result = this.#shadow.ask(file.core, uapi.IOAS_IOVA_RANGES, bytes, (view) => {
      view.setUint32(8, room, true);
      view.setBigUint64(16, lent.address, true);
    });
    const answered = result >= 0 || result === -ERRNO.EMSGSIZE;
    if (!answered) return result;
    const { answer } = this.#shadow;
    const written = Math.min(room, answer.getUint32(8, true));
    if (!this.#memory.write(allowedIovas, lent.bytes.slice(0, written * uapi.IovaRangeSize))) return -ERRNO.EFAULT;
    answer.setBigUint64(16, allowedIovas, true);
    this.#shadow.commit(bytes);
    return result;
  }

  #allow(file: IommufdFile, bytes: Uint8Array | undefined): number {
    if (bytes === undefined || bytes.length < uapi.IoasAllowIovasSize) return this.#plain(file, uapi.IOAS_ALLOW_IOVAS, bytes);
    const { numIovas, allowedIovas } = uapi.getIoasAllowIovas(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0);
    const list = numIovas <= RANGES_MAX ? this.#memory.read(allowedIovas, numIovas * uapi.IovaRangeSize) : undefined;
    using lent = list && this.#shadow.lend(list);
    if (list !== undefined && lent === undefined) return -ERRNO.ENOMEM;
    // An address that cannot be read stays one for the core, which finds that out when it comes to it.
    return this.#shadow.ask(file.core, uapi.IOAS_ALLOW_IOVAS, bytes, (view) => view.setBigUint64(16, lent?.address ?? 0n, true));
  }

  /** Options are type1's own: memory is charged to the process, and page tables have what pages fit. They can be asked for and not changed. */
  #option(file: IommufdFile, bytes: Uint8Array | undefined): number {
    const view = bytes && new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (view === undefined || view.byteLength < uapi.OptionSize) return this.#plain(file, uapi.OPTION, bytes);
    const { optionId, op, val64 } = uapi.getOption(view, 0);
    const isSet = op === uapi.OPTION_OP_SET;
    // The core checks all but the value.
    const result = this.#shadow.ask(file.core, uapi.OPTION, bytes, (struct) => {
      if (isSet) struct.setUint16(8, uapi.OPTION_OP_GET, true);
    });
    if (result < 0) return result;
    if (isSet) return val64 === 1n ? 0 : val64 === 0n ? -ERRNO.EOPNOTSUPP : -ERRNO.EINVAL;
    this.#shadow.commit(bytes!);
    if (optionId === uapi.OPTION_RLIMIT_MODE) view.setBigUint64(16, 1n, true);
    return 0;
  }
}
