/**
 * A guest's share of an IOMMU.
 *
 * @module
 */
import * as uapi from "../uapi/codec.ts";
import { checkCount, checkU64, U32_LAST } from "./arguments.ts";
import { checkDevice, type DeviceObject } from "./device_object.ts";
import { allocateBlock, closed, failed } from "./error.ts";
import { createEventQueue, type EventQueue, type EventQueueOptions } from "./event_queue.ts";
import { explainParent } from "./explain/hwpt.ts";
import { type Life, takeAll, track } from "./handle.ts";
import { allocateHwQueue, HwQueue, type HwQueueOptions } from "./hw_queue.ts";
import type { Hwpt } from "./hwpt.ts";
import { checkRaw, invalidate, type RawInvalidation } from "./invalidation.ts";
import { allocateNested, type FirstStage, NestedHwpt, type NestedOptions } from "./nested_hwpt.ts";
import { type Session, sessionOf } from "./session.ts";

/** Which virtual IOMMU. */
export interface ViommuOptions {
  /** The kind, which the IOMMU's driver must know: one of iommufd's VIOMMU_TYPE, 2^32 − 1 at most. */
  readonly type: number;
  /** What the driver takes for this kind, and answers in the same bytes: {@linkcode Viommu.data}. Default: nothing. */
  readonly data?: Uint8Array;
}

/** A device by the name that a guest has for it. Made by {@linkcode Viommu.createDevice}. Goes with its device. */
export class Vdevice implements Disposable {
  /** The virtual IOMMU. */
  readonly viommu: Viommu;
  /** The device. */
  readonly device: DeviceObject;
  /** What the guest calls it: on Arm a stream id, on AMD a device id. */
  readonly virtualId: bigint;
  /** Its id in the iommufd, which Linux gives to nothing else when the device goes before it. */
  readonly id: number;
  #session: Session;
  #life: Life;

  /** Made by {@linkcode Viommu.createDevice}. */
  constructor(viommu: Viommu, device: DeviceObject, virtualId: bigint, id: number, gone: () => void) {
    this.viommu = viommu;
    this.device = device;
    this.virtualId = virtualId;
    this.id = id;
    this.#session = sessionOf(device.iommu);
    this.#life = track(this, this.#session.kernel, "Vdevice");
    this.#session.add(id, this, () => {
      this.#life.end();
      gone();
    });
  }

  /** Destroy it: the guest has no such device any more. */
  [Symbol.dispose](): void {
    if (this.#life.isOpen) this.#session.dispose(this.id);
  }
}

/**
 * A virtual IOMMU: what a guest sees of a physical one. Made by {@linkcode Hwpt.createViommu}.
 *
 * It knows the guest's names of devices, takes the guest's invalidations, and has queues for what the IOMMU reports of those devices.
 * Linux 7.3 has it for Arm's SMMUv3 (and Tegra's extension of it); for VT-d and AMD, nested page tables do without.
 *
 * Disposing it disposes what was made of it.
 */
export class Viommu implements Disposable {
  /** The nesting parent: what the guest's memory is. */
  readonly parent: Hwpt;
  /** Its id in the iommufd. */
  readonly id: number;
  /** The kind. */
  readonly type: number;
  /** What the driver answered. */
  readonly data: Uint8Array;
  #session: Session;
  #life: Life;
  #devices = new Set<Vdevice>();
  #nested = new Set<NestedHwpt>();
  #queues = new Set<EventQueue>();
  #hwQueues = new Set<HwQueue>();

  /** Made by {@linkcode Hwpt.createViommu}. */
  constructor(parent: Hwpt, { id, type, data }: { id: number; type: number; data: Uint8Array }, gone: () => void) {
    this.parent = parent;
    this.id = id;
    this.type = type;
    this.data = data;
    this.#session = sessionOf(parent.ioas.iommu);
    this.#life = track(this, this.#session.kernel, "Viommu");
    this.#session.add(id, this, () => {
      this.#life.end();
      gone();
    });
  }

  /**
   * Make a device known to the guest: VDEVICE_ALLOC.
   *
   * @param virtualId what the guest calls it, up to 2^64 − 1.
   * @throws {RangeError} for a number that is none.
   * @throws {IommuError} EEXIST if the device has a virtual one already, or the number is another's; EINVAL for another IOMMU's device; ENOENT, ENOMEM.
   */
  createDevice(device: DeviceObject, virtualId: bigint): Vdevice {
    const virtId = checkU64(virtualId, "a virtual id");
    if (!this.#life.isOpen) throw closed("Viommu", "VDEVICE_ALLOC");
    const view = this.#session.begin("VDEVICE_ALLOC");
    const values = { viommu: this.id, device: device.id, virtualId: virtId };
    checkDevice(device, this.parent.ioas.iommu, "VDEVICE_ALLOC", "vdeviceAlloc", values);
    uapi.putVdeviceAlloc(view, 0, { viommuId: this.id, devId: device.id, virtId });
    const result = this.#session.send(uapi.VDEVICE_ALLOC);
    if (result < 0) throw failed("vdeviceAlloc", result, values);
    const made = new Vdevice(this, device, virtId, uapi.getVdeviceAlloc(view, 0).outVdeviceId, () => this.#devices.delete(made));
    this.#devices.add(made);
    return made;
  }

  /**
   * Make a page table of the guest's: HWPT_ALLOC with the virtual IOMMU as its parent. Devices come to it that {@linkcode createDevice} has made known.
   *
   * @throws {TypeError} @throws {RangeError} for a table that cannot be.
   * @throws {IommuError} EOPNOTSUPP if the driver takes no such table, EINVAL, ENOENT, ENOMEM.
   */
  createNested(device: DeviceObject, table: FirstStage, options: NestedOptions = {}): NestedHwpt {
    if (!this.#life.isOpen) throw closed("Viommu", "HWPT_ALLOC");
    const id = allocateNested(this, device, table, options);
    const nested = new NestedHwpt(this, id, options, () => this.#nested.delete(nested));
    this.#nested.add(nested);
    return nested;
  }

  /**
   * Pass on what the guest has put into its IOMMU's queue of commands: HWPT_INVALIDATE of a virtual IOMMU. An empty list asks whether the kind is known.
   *
   * @throws {RangeError} for what is no whole number of entries.
   * @throws {IommuError} EINVAL, EOPNOTSUPP, EIO: `values.done` says how many entries were done before the one that is wrong.
   */
  invalidate(entries: RawInvalidation): void {
    const checked = checkRaw(entries);
    if (!this.#life.isOpen) throw closed("Viommu", "HWPT_INVALIDATE");
    this.#session.begin("HWPT_INVALIDATE");
    invalidate(this.#session, this.id, checked);
  }

  /**
   * Make a queue for events of its devices: VEVENTQ_ALLOC. There is one for each kind.
   *
   * @throws {RangeError} for a depth that cannot be.
   * @throws {IommuError} EEXIST if there is one of this kind, EOPNOTSUPP for a kind that the driver does not know; EMFILE, ENOMEM.
   */
  createEventQueue(options: EventQueueOptions): EventQueue {
    if (!this.#life.isOpen) throw closed("Viommu", "VEVENTQ_ALLOC");
    const queue = createEventQueue(this, options, () => this.#queues.delete(queue));
    this.#queues.add(queue);
    return queue;
  }

  /**
   * Let the hardware work on a queue in the guest's memory: HW_QUEUE_ALLOC, Linux 6.17. Of Linux's drivers, Tegra's extension of SMMUv3 has such queues.
   *
   * @throws {TypeError} @throws {RangeError} for what is no number, address or length.
   * @throws {IommuError} EOPNOTSUPP for a kind that the driver does not know, ENOENT for memory that is not mapped, EFAULT for memory that is in pieces,
   * EEXIST for an index that is taken, EIO for one whose predecessor is missing, EINVAL for one beyond the last; EOVERFLOW, ENOMEM.
   */
  createHwQueue(options: HwQueueOptions): HwQueue {
    if (!this.#life.isOpen) throw closed("Viommu", "HW_QUEUE_ALLOC");
    const id = allocateHwQueue(this, options);
    const behind = () => [...this.#hwQueues].filter(({ index }) => index > options.index);
    const queue = new HwQueue(this, id, options, () => this.#hwQueues.delete(queue), behind);
    this.#hwQueues.add(queue);
    return queue;
  }

  /** Dispose its page tables, virtual devices and queues, and destroy it. */
  [Symbol.dispose](): void {
    if (!this.#life.isOpen) return;
    // One behind another holds that one: the first to go takes the rest along.
    const parts: readonly Disposable[] = [...this.#nested, ...this.#devices, ...this.#queues, ...this.#hwQueues];
    takeAll([...parts.map((part) => () => part[Symbol.dispose]()), () => this.#session.dispose(this.id)]);
  }
}

/** VIOMMU_ALLOC. Returns the id, and the data as the driver answered it. */
export function allocateViommu(
  parent: Hwpt,
  device: DeviceObject,
  { type, data }: ViommuOptions,
): { id: number; type: number; data: Uint8Array } {
  checkCount(type, "the type of a virtual IOMMU", 0, U32_LAST);
  const { iommu } = parent.ioas;
  const session = sessionOf(iommu);
  session.begin("VIOMMU_ALLOC");
  const values = { parent: parent.id, device: device.id, type };
  checkDevice(device, iommu, "VIOMMU_ALLOC", "viommuAlloc", values);
  const length = data?.length ?? 0;
  using block = allocateBlock(session.kernel, uapi.ViommuAllocSize + length);
  if (data !== undefined) block.bytes.set(data, uapi.ViommuAllocSize);
  const dataUptr = length === 0 ? 0n : block.address + BigInt(uapi.ViommuAllocSize);
  uapi.putViommuAlloc(block.view, 0, { flags: 0, type, devId: device.id, hwptId: parent.id, dataLen: length, dataUptr });
  const result = session.kernel.ioctl(session.fd, uapi.VIOMMU_ALLOC, block);
  if (result < 0) throw failed("viommuAlloc", result, values, explainParent(result, parent.options));
  const answer = block.bytes.slice(uapi.ViommuAllocSize, uapi.ViommuAllocSize + length);
  return { id: uapi.getViommuAlloc(block.view, 0).outViommuId, type, data: answer };
}
