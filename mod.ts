/**
 * A userspace IOMMU toolkit: open an iommufd and devices, map memory for DMA, drive a device. The same program runs on a simulated machine, in
 * any JavaScript runtime, and on the devices of the Linux below it, in Deno.
 *
 * @example
 * ```ts
 * import { DeviceFd, EduDevice, IommuFd, simulated } from "./mod.ts";
 *
 * using kernel = await simulated({ pci: [{ slot: "04.0", model: () => new EduDevice() }] });
 * using iommu = IommuFd.open(kernel);
 * using ioas = iommu.createIoas();
 * using file = DeviceFd.open(kernel, "0000:00:04.0");
 * using device = file.bind(iommu, { label: 1n });
 * device.attach(ioas);
 * using buffer = ioas.createDmaBuffer(4096);
 * console.log(`The device may use I/O address 0x${buffer.iova.toString(16)}`);
 * ```
 *
 * @module
 */
export { type AttachOptions, BoundDevice, type DeviceInfo } from "./api/bound_device.ts";
export { type AdoptOptions, type BindOptions, DeviceFd, type DeviceOpenOptions } from "./api/device_fd.ts";
export { DmaBuffer } from "./api/dma_buffer.ts";
export { DmaPool, type DmaPoolOptions, type DmaSlice } from "./api/dma_pool.ts";
export { type FailedValues, type Failure, IommuError } from "./api/error.ts";
export { DirtyBitmap, type DirtyPages, type DirtyRange } from "./api/dirty_bitmap.ts";
export { DmaBuf, type DmaBufOptions } from "./api/dma_buf.ts";
export { DmaLog, type DmaLogOptions } from "./api/dma_log.ts";
export type { FaultAnswer, FaultGroup, FaultQueue, PageFault } from "./api/fault_queue.ts";
export { type LeakReport, leaks, trackLeaks } from "./api/handle.ts";
export { type HotResetDevice } from "./api/hot_reset.ts";
export { type HwInfo } from "./api/hw_info.ts";
export { type DirtyBitmapRequest, Hwpt, type HwptOptions } from "./api/hwpt.ts";
export {
  type FirstStage,
  type Invalidation,
  NestedHwpt,
  type NestedOptions,
  type RawFirstStage,
  type VtdFirstStage,
} from "./api/nested_hwpt.ts";
export type { RawInvalidation } from "./api/invalidation.ts";
export type { DeviceObject } from "./api/device_object.ts";
export { EventQueue, type EventQueueOptions, type VirtualEvent } from "./api/event_queue.ts";
export { HwQueue, type HwQueueOptions } from "./api/hw_queue.ts";
export { Vdevice, Viommu, type ViommuOptions } from "./api/viommu.ts";
export { Ioas } from "./api/ioas.ts";
export type { BufferOptions, CopyOptions, MapFileOptions, MapOptions, PhysicalRange, UserMemory } from "./api/ioas.ts";
export type { IovaRange, IovaRanges } from "./api/iova_ranges.ts";
export { IommuFd } from "./api/iommu_fd.ts";
export { Irq, type IrqFlags, type IrqKind } from "./api/irq.ts";
export { IrqVector } from "./api/irq_vector.ts";
export { MemFd } from "./api/mem_file.ts";
export { type ConfigSpace, parseConfigSpace, type PciBar, type PciCapability } from "./api/pci/config_space.ts";
export { listDevices, type PciDevice, type ReservedRange } from "./api/pci/devices.ts";
export { type PollOptions, pollUntil } from "./api/poll.ts";
export * as raw from "./api/raw.ts";
export { Region, type RegionFlags } from "./api/region.ts";
export * from "./backends/linux/mod.ts";
export * from "./backends/simulated/mod.ts";
export * from "./backends/simulated/devices/nvme/mod.ts";
export { ERRNO, type ErrnoName } from "./uapi/errno.ts";
export { type Block, type Kernel, UnsupportedKernel } from "./uapi/kernel.ts";
