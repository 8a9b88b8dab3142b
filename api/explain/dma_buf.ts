/**
 * Why a BAR was not exported, or the file of one not mapped.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import type { Kernel } from "../../uapi/kernel.ts";
import { hex } from "../error.ts";
import { guess, kernelRelease } from "./facts.ts";
import { explainNewFile } from "./open.ts";

/** Memory is shared in pages of this many bytes. */
const PAGE = 4096;
/** BARs come before this region. */
const BARS_END = 6;

/** What was to be exported. */
export interface ExportRequest {
  /** Which region, and how many bytes it has. */
  readonly index: number;
  readonly size: number;
  /** The part of it. */
  readonly offset: number;
  readonly length: number;
}

/** What to say of an export that answered `result`. */
export function explainExport(kernel: Kernel, result: number, request: ExportRequest): string | undefined {
  if (result === -ERRNO.EMFILE) return explainNewFile(kernel, result);
  return guess(() => {
    if (result === -ERRNO.ENOTTY) return tooOld(kernel);
    const { index, size, offset, length } = request;
    if (result === -ERRNO.ENODEV && index >= BARS_END) return `Only BARs, regions 0 to ${BARS_END - 1}, can be exported.`;
    if (result === -ERRNO.ENODEV && size === 0) return `The device has no BAR ${index}.`;
    if (result !== -ERRNO.EINVAL) return undefined;
    if (offset % PAGE !== 0) return `The offset ${hex(BigInt(offset))} is no multiple of ${hex(BigInt(PAGE))}.`;
    if (length === 0 || length % PAGE !== 0) {
      return `The length ${hex(BigInt(length))} is none of whole pages of ${hex(BigInt(PAGE))} bytes.`;
    }
    if (offset + length <= size) return undefined;
    return `The region has ${hex(BigInt(size))} bytes, and ${hex(BigInt(length))} from ${hex(BigInt(offset))} on go beyond them.`;
  });
}

function tooOld(kernel: Kernel): string | undefined {
  const release = kernelRelease(kernel);
  if (release === undefined) return undefined;
  return `This kernel, Linux ${release}, or the driver of the device exports no BARs: that came with Linux 6.19, and needs CONFIG_VFIO_PCI_DMABUF.`;
}
