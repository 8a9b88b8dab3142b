/**
 * A part of a BAR as a file: what lets other devices reach the registers or the memory of a device.
 *
 * @module
 */
import * as uapi from "../uapi/codec.ts";
import { type Kernel, O_CLOEXEC, O_RDWR } from "../uapi/kernel.ts";
import { checkCount } from "./arguments.ts";
import type { DeviceState } from "./device_state.ts";
import { closeFile, failed } from "./error.ts";
import { explainExport } from "./explain/dma_buf.ts";
import { type Life, track } from "./handle.ts";

/** Which part of a region {@linkcode Region.exportDmaBuf} exports. */
export interface DmaBufOptions {
  /** First byte in the region, a multiple of 4,096. Default: 0. */
  readonly offset?: number;
  /** Bytes, a multiple of 4,096. Default: to the end of the region. */
  readonly length?: number;
}

/**
 * A dma-buf of a BAR. Made by {@linkcode Region.exportDmaBuf}, mapped by {@linkcode Ioas.mapFile}.
 *
 * The kernel takes the memory back when the device stops answering: its memory is switched off or it is put to sleep, it is reset, its device_fd is closed. What is
 * mapped is without memory from then on, so that transfers there are refused, and stays so; once the device answers again the file can be mapped anew, and after
 * the device_fd was closed never.
 */
export class DmaBuf implements Disposable {
  /** The kernel that it is a file of. */
  readonly kernel: Kernel;
  /** The file descriptor. */
  readonly fd: number;
  /** Bytes. */
  readonly length: number;
  #life: Life;

  /** Made by {@linkcode Region.exportDmaBuf}. @throws {TypeError} @throws {RangeError} @throws {IommuError} */
  constructor(state: DeviceState, region: { readonly index: number; readonly size: number }, options: DmaBufOptions) {
    const { index, size } = region;
    const view = state.begin("DMA_BUF");
    const offset = checkCount(options.offset ?? 0, "an offset in a region", 0, Number.MAX_SAFE_INTEGER);
    const length = checkCount(options.length ?? Math.max(size - offset, 0), "a length", 0, Number.MAX_SAFE_INTEGER);
    const ranges = uapi.DeviceFeatureSize + uapi.DmaBufSize;
    const flags = uapi.DEVICE_FEATURE_GET | uapi.DEVICE_FEATURE_DMA_BUF;
    uapi.putDeviceFeature(view, 0, { flags }, ranges + uapi.RegionDmaRangeSize);
    uapi.putDmaBuf(view, uapi.DeviceFeatureSize, { regionIndex: index, openFlags: O_RDWR | O_CLOEXEC, flags: 0, nrRanges: 1 });
    uapi.putRegionDmaRange(view, ranges, { offset: BigInt(offset), length: BigInt(length) });
    const fd = state.send(uapi.DEVICE_FEATURE);
    if (fd < 0) {
      const values = { length, offset, region: index, device: state.name };
      throw failed("exportDmaBuf", fd, values, explainExport(state.kernel, fd, { index, size, offset, length }));
    }
    this.kernel = state.kernel;
    this.fd = fd;
    this.length = length;
    this.#life = track(this, state.kernel, "DmaBuf");
  }

  /** False once it was disposed. */
  get isOpen(): boolean {
    return this.#life.isOpen;
  }

  /** Close it. What an IOAS has mapped of it stays mapped there. */
  [Symbol.dispose](): void {
    if (!this.#life.isOpen) return;
    this.#life.end();
    closeFile(this.kernel, this.fd, "a dma-buf");
  }
}
