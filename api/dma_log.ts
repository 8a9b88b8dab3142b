/**
 * The log that a device keeps of what it writes.
 *
 * @module
 */
import * as uapi from "../uapi/codec.ts";
import { checkCount, checkLength, checkU64, PAGE } from "./arguments.ts";
import type { DeviceState } from "./device_state.ts";
import { bitmapBlock, checkRange, type DirtyBitmap, type DirtyRange } from "./dirty_bitmap.ts";
import { allocateBlock, closed, failed } from "./error.ts";
import { type Life, track } from "./handle.ts";

/** What a device shall log. */
export interface DmaLogOptions {
  /** Ranges of I/O addresses, 1 to 256, of whole pages, without overlap. */
  readonly ranges: readonly { readonly iova: bigint; readonly length: number | bigint }[];
  /** Bytes of a page that the device should tell apart; it may take others. Default: 4,096. */
  readonly pageSize?: number;
}

const HEADER = uapi.DeviceFeatureSize;

/**
 * A log of the DMA of a device, until it is disposed. Made by {@linkcode BoundDevice.logDma}.
 *
 * Drivers that are made for migration keep one in the device (mlx5-vfio-pci); vfio-pci does not. It says what the device itself has written, whatever
 * page table it is attached to: {@linkcode Hwpt.dirtyBitmap} says what all devices of a page table have.
 */
export class DmaLog implements Disposable {
  /** Bytes of a page that the device tells apart. */
  readonly pageSize: number;
  #state: DeviceState;
  #life: Life;
  #leave: () => void;

  /** Made by {@linkcode BoundDevice.logDma}. @throws {TypeError} @throws {RangeError} @throws {IommuError} */
  constructor(state: DeviceState, options: DmaLogOptions) {
    this.#state = state;
    this.pageSize = startLog(state, options);
    this.#life = track(this, state.kernel, "DmaLog");
    // The log ends with the file.
    const life = this.#life;
    this.#leave = state.onClose(() => life.end());
  }

  /**
   * Which pages the device has written to since it was asked last: DMA_LOGGING_REPORT. Pages outside of what it logs are not told of.
   *
   * @throws {TypeError} @throws {RangeError} for a range that is not of whole pages.
   * @throws {IommuError} what the device's driver answers. The log is then of no use: take all memory for written to.
   */
  report(range: DirtyRange): DirtyBitmap {
    const asked = checkRange(range, PAGE);
    if (!this.#life.isOpen) throw closed("DmaLog", "DMA_LOGGING_REPORT");
    const { kernel, fd, name } = this.#state;
    using memory = bitmapBlock(kernel, asked);
    const { block, address } = memory;
    putFeature(block.view, uapi.DEVICE_FEATURE_GET | uapi.DEVICE_FEATURE_DMA_LOGGING_REPORT, uapi.DmaLoggingReportSize);
    const { iova, length, pageSize } = asked;
    uapi.putDmaLoggingReport(block.view, HEADER, { iova, length, pageSize: BigInt(pageSize), bitmap: address });
    const result = kernel.ioctl(fd, uapi.DEVICE_FEATURE, block);
    if (result < 0) throw failed("dmaLogReport", result, { device: name, iova, length });
    return memory.read();
  }

  /** Stop the log: DMA_LOGGING_STOP. */
  [Symbol.dispose](): void {
    if (!this.#life.isOpen) return;
    this.#life.end();
    this.#leave();
    const view = this.#state.begin("DMA_LOGGING_STOP");
    putFeature(view, uapi.DEVICE_FEATURE_SET | uapi.DEVICE_FEATURE_DMA_LOGGING_STOP, 0);
    const result = this.#state.send(uapi.DEVICE_FEATURE);
    if (result < 0) throw failed("dmaLogStop", result, { device: this.#state.name });
  }
}

/** Whether a device can keep a log. */
export function canLogDma(state: DeviceState): boolean {
  const view = state.begin("DEVICE_FEATURE");
  putFeature(view, uapi.DEVICE_FEATURE_PROBE | uapi.DEVICE_FEATURE_SET | uapi.DEVICE_FEATURE_DMA_LOGGING_START, 0);
  return state.send(uapi.DEVICE_FEATURE) >= 0;
}

/** `length`: bytes of data behind the struct. */
function putFeature(view: DataView, flags: number, length: number): void {
  uapi.putDeviceFeature(view, 0, { flags }, HEADER + length);
}

/** DMA_LOGGING_START. Returns the bytes of a page that the device takes. */
function startLog(state: DeviceState, { ranges, pageSize = PAGE }: DmaLogOptions): number {
  state.begin("DMA_LOGGING_START");
  checkCount(pageSize, "a page size", 1, Number.MAX_SAFE_INTEGER);
  checkCount(ranges.length, "the number of ranges to log", 1, 256);
  const list = ranges.map(({ iova, length }) => {
    return { iova: checkU64(iova, "the start of a range"), length: checkLength(length, "the length of a range") };
  });
  const behind = HEADER + uapi.DmaLoggingControlSize;
  using block = allocateBlock(state.kernel, behind + list.length * uapi.DmaLoggingRangeSize);
  putFeature(block.view, uapi.DEVICE_FEATURE_SET | uapi.DEVICE_FEATURE_DMA_LOGGING_START, uapi.DmaLoggingControlSize);
  const control = { pageSize: BigInt(pageSize), numRanges: list.length, ranges: block.address + BigInt(behind) };
  uapi.putDmaLoggingControl(block.view, HEADER, control);
  list.forEach((range, index) => uapi.putDmaLoggingRange(block.view, behind + index * uapi.DmaLoggingRangeSize, range));
  const result = state.kernel.ioctl(state.fd, uapi.DEVICE_FEATURE, block);
  if (result < 0) throw failed("dmaLogStart", result, { device: state.name, count: list.length });
  return Number(uapi.getDmaLoggingControl(block.view, HEADER).pageSize);
}
