/**
 * A device that is bound to an iommufd: it can be attached to an address space and driven.
 *
 * @module
 */
import * as uapi from "../uapi/codec.ts";
import { ERRNO } from "../uapi/errno.ts";
import { checkCount, U32_LAST } from "./arguments.ts";
import type { DeviceFd } from "./device_fd.ts";
import type { DeviceState } from "./device_state.ts";
import { canLogDma, DmaLog, type DmaLogOptions } from "./dma_log.ts";
import { failed, type FailedValues } from "./error.ts";
import { explainAttach } from "./explain/attach.ts";
import { addressOf } from "./explain/group.ts";
import { explainPasid } from "./explain/pasid.ts";
import { spaceFacts } from "./explain/space.ts";
import { type HotResetDevice, readHotResetDevices } from "./hot_reset.ts";
import type { Hwpt } from "./hwpt.ts";
import type { NestedHwpt } from "./nested_hwpt.ts";
import { type HwInfo, readHwInfo } from "./hw_info.ts";
import type { Ioas } from "./ioas.ts";
import type { IommuFd } from "./iommu_fd.ts";
import { Irq, type IrqKind } from "./irq.ts";
import { shareAttachment } from "./pci/sharing.ts";
import { Region } from "./region.ts";
import { type Session, sessionOf } from "./session.ts";

/** What a device has: DEVICE_GET_INFO. */
export interface DeviceInfo {
  /** Regions by index: BARs 0 to 5, expansion ROM, configuration space, VGA. */
  readonly regions: number;
  /** Kinds of interrupts by index. */
  readonly irqs: number;
  /** Whether {@linkcode BoundDevice.reset} can reset it. */
  readonly canReset: boolean;
  /** Whether it is a PCI device. */
  readonly isPci: boolean;
}

/** Which requests of a device an attachment is about. */
export interface AttachOptions {
  /** Requests with this PASID, 1 to 2^20 − 1. Default: requests without a PASID. */
  readonly pasid?: number;
}

/** What a {@linkcode BoundDevice} is made from. */
export interface BoundDeviceParts {
  /** The file. */
  readonly deviceFd: DeviceFd;
  /** The iommufd. */
  readonly iommu: IommuFd;
  /** The id there. */
  readonly id: number;
  /** What the program calls it. */
  readonly label: bigint | undefined;
  /** What handles of the file share. */
  readonly state: DeviceState;
}

/**
 * A bound device. Made by {@linkcode DeviceFd.bind}. Until it is attached, it can be driven but reaches no memory.
 *
 * Disposing it closes its device_fd: there is no other way out of an iommufd.
 */
export class BoundDevice implements Disposable {
  /** The file. */
  readonly deviceFd: DeviceFd;
  /** The iommufd that it is bound to. */
  readonly iommu: IommuFd;
  /** Its id in the iommufd. */
  readonly id: number;
  /** What the program calls it in faults and events; undefined: nothing. */
  readonly label: bigint | undefined;
  #state: DeviceState;
  #session: Session;
  #attachments = new Map<number | undefined, Ioas | Hwpt | NestedHwpt>();
  #config: Region | undefined;

  /** Made by {@linkcode DeviceFd.bind}. */
  constructor({ deviceFd, iommu, id, label, state }: BoundDeviceParts) {
    this.deviceFd = deviceFd;
    this.iommu = iommu;
    this.id = id;
    this.label = label;
    this.#state = state;
    this.#session = sessionOf(iommu);
    this.#session.members.add(this);
    state.onClose(() => {
      this.#attachments.clear();
      this.#session.members.delete(this);
    });
  }

  /** What errors call it: its PCI address if known. */
  get name(): string {
    return this.#state.name;
  }

  /** Its PCI address; undefined: not known. */
  get address(): string | undefined {
    const { address, node } = this.#state.device;
    return address ?? (node === undefined ? undefined : addressOf(this.#state.kernel, node));
  }

  /** What it is attached to; undefined: nothing, so that its requests without a PASID reach no memory. */
  get attachedTo(): Ioas | Hwpt | NestedHwpt | undefined {
    return this.#attachments.get(undefined);
  }

  /** What it is attached to, by PASID; under undefined {@linkcode attachedTo}. */
  get attachments(): ReadonlyMap<number | undefined, Ioas | Hwpt | NestedHwpt> {
    return this.#attachments;
  }

  /**
   * Attach it to an address space, or move it there: DEVICE_ATTACH_IOMMUFD_PT. A move leaves no moment in which it sees neither, and takes along the
   * devices of its group that are attached and must share its page table.
   *
   * With a PASID the target must be a page table made for that ({@linkcode HwptOptions.pasid}), and the device itself be attached to such a one or
   * to nothing. Linux attaches any PASID to a device without PASIDs, which uses none: {@linkcode HwInfo.maxPasidLog2} says what it has.
   *
   * @returns the id of the page table that the device uses now.
   * @throws {RangeError} for a PASID that cannot be.
   * @throws {IommuError} EINVAL if other devices of its group must share one page table, or a PASID does not go with it; ENOENT, EADDRINUSE, EFAULT,
   * ENOMEM. It stays where it is.
   */
  attach(target: Ioas | Hwpt | NestedHwpt, options: AttachOptions = {}): number {
    const fields = portOf(options);
    const view = this.#state.begin("DEVICE_ATTACH_IOMMUFD_PT");
    const values = { device: this.#state.name, requests: requestsOf(options), target: describe(target) };
    // Another iommufd may have an object of the same id.
    if (!this.#session.owns(target.id, target)) {
      throw failed("attach", -ERRNO.ENOENT, values, "The target was disposed, or belongs to another iommu_fd than the device.");
    }
    uapi.putDeviceAttachIommufdPt(view, 0, { ...fields, ptId: target.id });
    const result = this.#state.send(uapi.DEVICE_ATTACH_IOMMUFD_PT);
    if (result < 0) throw this.#notAttached(result, target, options, values);
    const isMove = this.#attachments.has(options.pasid);
    this.#attachments.set(options.pasid, target);
    if (isMove) this.#takeAlong(options.pasid, target);
    return uapi.getDeviceAttachIommufdPtPtId(view, 0);
  }

  /** A move takes along what is attached of the group. */
  #takeAlong(pasid: number | undefined, target: Ioas | Hwpt | NestedHwpt): void {
    for (const member of this.#session.members) {
      if (!(member instanceof BoundDevice) || member.#attachments.get(pasid) === target || !member.#attachments.has(pasid)) continue;
      const [own, other] = [this.address, member.address];
      const isTaken = own !== undefined && other !== undefined && shareAttachment(this.#state.kernel, own, other);
      if (isTaken) member.#attachments.set(pasid, target);
    }
  }

  #notAttached(result: number, target: Ioas | Hwpt | NestedHwpt, options: AttachOptions, values: FailedValues): Error {
    const others = [...this.#session.members].map(({ address, attachments }) => {
      const other = attachments.get(options.pasid);
      return { address, target: other === undefined ? undefined : describe(other as Ioas | Hwpt | NestedHwpt) };
    });
    const facts = spaceFacts("ioas" in target ? target.ioas : target);
    const advice = explainPasid(result, target, options.pasid, this.#attachments, () => this.hwInfo()) ??
      (facts && explainAttach(result, facts, this.address, describe(target), others));
    return failed("attach", result, values, advice);
  }

  /**
   * Attach it, or with a PASID that, to nothing: DEVICE_DETACH_IOMMUFD_PT. That it is attached to nothing already is no error.
   *
   * @throws {RangeError} for a PASID that cannot be.
   */
  detach(options: AttachOptions = {}): void {
    const fields = portOf(options);
    uapi.putDeviceDetachIommufdPt(this.#state.begin("DEVICE_DETACH_IOMMUFD_PT"), 0, fields);
    const result = this.#state.send(uapi.DEVICE_DETACH_IOMMUFD_PT);
    if (result < 0) throw failed("detach", result, { device: this.#state.name, requests: requestsOf(options) });
    this.#attachments.delete(options.pasid);
  }

  /** What it has. */
  get info(): DeviceInfo {
    const view = this.#state.begin("DEVICE_GET_INFO");
    uapi.putDeviceInfo(view, 0, {});
    const result = this.#state.send(uapi.DEVICE_GET_INFO);
    if (result < 0) throw failed("deviceInfo", result, { device: this.#state.name });
    const { flags, numRegions, numIrqs } = uapi.getDeviceInfo(view, 0);
    const has = (flag: number) => (flags & flag) !== 0;
    return { regions: numRegions, irqs: numIrqs, canReset: has(uapi.DEVICE_FLAGS_RESET), isPci: has(uapi.DEVICE_FLAGS_PCI) };
  }

  /** A region of its registers: a handle of its own each time. @param index as VFIO counts: BARs 0 to 5, 6 expansion ROM, 7 configuration space. @throws {IommuError} EINVAL */
  region(index: number): Region {
    checkCount(index, "a region", 0, U32_LAST);
    this.#state.begin("DEVICE_GET_REGION_INFO");
    return new Region(this.#state, index);
  }

  /** A base address register. @param index 0 to 5. A BAR that the device lacks has size 0. */
  bar(index: number): Region {
    return this.region(checkCount(index, "a BAR", 0, 5));
  }

  /** Configuration space: the same handle each time, until it is disposed. */
  get config(): Region {
    this.#state.begin("DEVICE_GET_REGION_INFO");
    if (!this.#config?.isOpen) this.#config = this.region(uapi.PCI_CONFIG_REGION_INDEX);
    return this.#config;
  }

  /** Its interrupts of one kind. */
  irq(kind: IrqKind): Irq {
    return new Irq(this.#state, kind);
  }

  /**
   * Reset the device: DEVICE_RESET. Registers are as after power-on, DMA stops; it stays attached.
   *
   * Configuration space is restored by the kernel: bus mastering and the interrupts that are enabled stay as they were.
   *
   * @throws {IommuError} EINVAL or ENOTTY if it cannot be reset alone, EAGAIN while the kernel takes it away.
   */
  reset(): void {
    this.#state.begin("DEVICE_RESET");
    const result = this.#state.kernel.ioctl(this.#state.fd, uapi.DEVICE_RESET, 0);
    if (result < 0) throw failed("reset", result, { device: this.#state.name });
  }

  /**
   * The functions that {@linkcode BoundDevice.hotReset} resets, this one among them: DEVICE_GET_PCI_HOT_RESET_INFO.
   *
   * @throws {IommuError} ENODEV if the device is on a bus that cannot be reset, as the root bus.
   */
  hotResetDevices(): HotResetDevice[] {
    this.#state.begin("DEVICE_GET_PCI_HOT_RESET_INFO");
    return readHotResetDevices(this.#state);
  }

  /**
   * Reset the device with everything on its bus: DEVICE_PCI_HOT_RESET. For devices that cannot be reset alone, or hang too deep for it.
   *
   * All functions of {@linkcode BoundDevice.hotResetDevices} must be this iommufd's: bound to it, or in a group that it has. As with
   * {@linkcode BoundDevice.reset} they stay attached, and configuration space is restored.
   *
   * @throws {IommuError} ENODEV if the bus cannot be reset, EINVAL if a function is not owned, EAGAIN while the kernel takes one away.
   */
  hotReset(): void {
    uapi.putPciHotReset(this.#state.begin("DEVICE_PCI_HOT_RESET"), 0, { flags: 0, count: 0 });
    const result = this.#state.send(uapi.DEVICE_PCI_HOT_RESET);
    if (result < 0) throw failed("hotReset", result, { device: this.#state.name });
  }

  /** What the device's IOMMU is and can do: GET_HW_INFO. @throws {IommuError} EOPNOTSUPP */
  hwInfo(): HwInfo {
    this.#state.begin("GET_HW_INFO");
    return readHwInfo(this.#session, this.id);
  }

  /** Whether it can log what it writes ({@linkcode BoundDevice.logDma}): devices of drivers made for migration can, those of vfio-pci cannot. */
  get canLogDma(): boolean {
    return canLogDma(this.#state);
  }

  /**
   * Have the device log what it writes, until the log is disposed: DMA_LOGGING_START of DEVICE_FEATURE. One log at a time.
   *
   * @throws {TypeError} @throws {RangeError} for a range that cannot be, or more than 256 of them.
   * @throws {IommuError} ENOTTY if it keeps no log; EINVAL if there is one, or ranges overlap or are not of whole pages; ENOMEM, and what its driver answers.
   */
  logDma(options: DmaLogOptions): DmaLog {
    return new DmaLog(this.#state, options);
  }

  /** Close its device_fd. */
  [Symbol.dispose](): void {
    this.deviceFd[Symbol.dispose]();
  }
}

/** The largest PASID: 20 bits (PCI Express Base 6.20). To Linux 0 stands for requests without a PASID. */
const PASID_MAX = 2 ** 20 - 1;

/** The fields of ATTACH and DETACH that say which requests. Both flags are the same bit. */
function portOf({ pasid }: AttachOptions): { readonly flags: number; readonly pasid: number } {
  return pasid === undefined
    ? { flags: 0, pasid: 0 }
    : { flags: uapi.DEVICE_ATTACH_PASID, pasid: checkCount(pasid, "a PASID", 1, PASID_MAX) };
}

/** What an error adds to the device's name. */
function requestsOf({ pasid }: AttachOptions): string {
  return pasid === undefined ? "" : ` with PASID ${pasid}`;
}

/** What an error calls a target. */
function describe(target: Ioas | Hwpt | NestedHwpt): string {
  return `${"ioas" in target ? "page table" : "IOAS"} ${target.id}`;
}
