/**
 * The I/O addresses that an address space can map: IOAS_IOVA_RANGES.
 *
 * @module
 */
import * as uapi from "../uapi/codec.ts";
import { ERRNO } from "../uapi/errno.ts";
import { allocateBlock, failed } from "./error.ts";
import type { Session } from "./session.ts";

/** I/O addresses from `start` to `last`, both included. */
export type IovaRange = uapi.IovaRange;

/** Where an {@linkcode Ioas} can map. */
export interface IovaRanges {
  /** Allowed addresses by start, without those that attached devices reserve. */
  readonly ranges: readonly IovaRange[];
  /** What addresses and lengths must be multiples of. */
  readonly alignment: bigint;
}

/** Ranges that the first try of IOVA_RANGES has room for. */
const RANGES_EXPECTED = 16;

/** Ask for the ranges of an IOAS. @throws {IommuError} ENOENT, ENOMEM */
export function readRanges({ kernel, fd }: Session, ioas: number): IovaRanges {
  for (let count = RANGES_EXPECTED;;) {
    using block = allocateBlock(kernel, uapi.IoasIovaRangesSize + count * uapi.IovaRangeSize);
    const allowedIovas = block.address + BigInt(uapi.IoasIovaRangesSize);
    uapi.putIoasIovaRanges(block.view, 0, { ioasId: ioas, numIovas: count, allowedIovas });
    const result = kernel.ioctl(fd, uapi.IOAS_IOVA_RANGES, block);
    const { numIovas, outIovaAlignment } = uapi.getIoasIovaRanges(block.view, 0);
    if (result < 0 && (result !== -ERRNO.EMSGSIZE || numIovas <= count)) throw failed("ioasRanges", result, { ioas });
    if (result >= 0) {
      const at = (index: number) => uapi.IoasIovaRangesSize + index * uapi.IovaRangeSize;
      return {
        ranges: Array.from({ length: numIovas }, (_, index) => uapi.getIovaRange(block.view, at(index))),
        alignment: outIovaAlignment,
      };
    }
    count = numIovas;
  }
}
