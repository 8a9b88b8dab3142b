/**
 * An open device: inoperable until it is bound to an iommufd.
 *
 * @module
 */
import * as uapi from "../uapi/codec.ts";
import { ERRNO } from "../uapi/errno.ts";
import { type Kernel, O_CLOEXEC, O_RDWR } from "../uapi/kernel.ts";
import { checkFd, nodeOfFd, probeDevice, takeOver } from "./adopt.ts";
import { checkU64 } from "./arguments.ts";
import { BoundDevice } from "./bound_device.ts";
import { DeviceState } from "./device_state.ts";
import { failed, type FailedValues } from "./error.ts";
import { explainBind } from "./explain/bind.ts";
import { addressOf } from "./explain/group.ts";
import { explainAdopt, explainOpenDevice } from "./explain/open.ts";
import { track } from "./handle.ts";
import type { IommuFd } from "./iommu_fd.ts";
import { openDevices } from "./open_devices.ts";
import { findNode, isNoIommu, normalizeAddress } from "./pci/node.ts";
import { sessionOf } from "./session.ts";

const NOT_ASKED_FOR =
  "The device has no IOMMU: it reads and writes all of the machine's memory, that of the kernel and of other programs too, and nothing " +
  "of iommufd keeps it from that. If this is meant, pass { unsafeNoIommu: true }; what follows from it is in docs/no_iommu.md.";

/** How {@linkcode DeviceFd.open} opens. */
export interface DeviceOpenOptions {
  /**
   * Whether it may be a device without an IOMMU. Such a device reads and writes all of the machine's memory, by physical addresses
   * ({@linkcode Ioas.physicalRange} says which): a wrong one destroys other programs or the kernel, and no rule of groups, IOASes or page tables
   * holds for it. See docs/no_iommu.md. Default: false.
   */
  readonly unsafeNoIommu?: boolean;
}

/** How {@linkcode DeviceFd.bind} binds. */
export interface BindOptions {
  /** What the program calls the device: 64 bits, for faults and events. Default: none. */
  readonly label?: bigint;
}

/** How {@linkcode DeviceFd.adopt} takes a file over. */
export interface AdoptOptions extends DeviceOpenOptions {
  /** The PCI address ("0000:00:04.0") or the path of the node: what errors call the device. Default: what the kernel says of the fd. */
  readonly device?: string;
}

/**
 * An open /dev/vfio/devices/vfioN.
 *
 * Only one can be open for a device, in the whole machine. It cannot touch the device: {@linkcode DeviceFd.bind} it to an iommufd first, which
 * gives the handle that can.
 */
export class DeviceFd implements Disposable {
  /** The kernel that it is a file of. */
  readonly kernel: Kernel;
  /** Path of the node; undefined: not known, for a file that was taken over. */
  readonly node: string | undefined;
  /** The PCI address, if it was opened by that; of a file that was taken over, if it is known. */
  readonly address: string | undefined;
  #state: DeviceState;

  private constructor(kernel: Kernel, fd: number, node: string | undefined, address: string | undefined) {
    this.kernel = kernel;
    this.node = node;
    this.address = address;
    const life = track(this, kernel, "DeviceFd");
    try {
      this.#state = new DeviceState(kernel, { fd, node, address, boundTo: undefined }, life);
    } catch (error) {
      life.end();
      throw error;
    }
  }

  /**
   * Open a device that the driver vfio-pci has.
   *
   * @param device its PCI address ("0000:00:04.0", or "00:04.0" in domain 0), or the path of its node ("/dev/vfio/devices/vfio0").
   * @throws {IommuError} EBUSY if it is open already, ENODEV if there is none or another driver has it, EACCES; EPERM for a device without an IOMMU
   * unless that is asked for and the program has CAP_SYS_RAWIO
   */
  static open(kernel: Kernel, device: string, options: DeviceOpenOptions = {}): DeviceFd {
    const { node, address } = findNode(kernel, device);
    const values = { path: node, ...(address === undefined ? {} : { device: address }) };
    checkProtected("openDevice", node, values, options);
    const fd = kernel.open(node, O_RDWR | O_CLOEXEC);
    if (fd < 0) throw failed("openDevice", fd, values, explainOpenDevice(kernel, fd, node));
    try {
      return new DeviceFd(kernel, fd, node, address);
    } catch (error) {
      kernel.close(fd);
      throw error;
    }
  }

  /**
   * Take over an open device, in place of opening one: an fd that a privileged helper passed in, as containers get theirs. It is closed when the
   * `DeviceFd` is disposed. It must not be bound yet: the device's id in the iommufd is known to who bound it alone.
   *
   * @param options `device` is what errors call it, by PCI address or node. Default: what the kernel says of the fd.
   * @throws {TypeError} if `device` is neither. @throws {IommuError} EBADF if no file has the number, EBADFD if it is no device, EINVAL if it is
   * bound, EBUSY if a `DeviceFd` has it or the device is open elsewhere, EPERM for a device without an IOMMU that was not asked for, as far as the
   * node is known: the fd stays open and whose it was.
   */
  static adopt(kernel: Kernel, fd: number, options: AdoptOptions = {}): DeviceFd {
    const { device } = options;
    const named = device === undefined ? undefined : device.startsWith("/") ? device : normalizeAddress(device);
    if (device !== undefined && named === undefined) {
      throw new TypeError(`Cannot call a device "${device}": a PCI address ("0000:00:04.0") or the path of a node is needed`);
    }
    const values = { fd: checkFd(fd), ...(named === undefined ? {} : { device: named }) };
    const own = [...openDevices(kernel)].find((device) => device.fd === fd);
    if (own !== undefined) throw failed("adoptDevice", -ERRNO.EBUSY, values, "A DeviceFd of this program has it already.");
    const node = named?.startsWith("/") ? named : nodeOfFd(kernel, fd);
    if (node !== undefined) checkProtected("adoptDevice", node, values, options);
    const address = named?.startsWith("/") ? undefined : named;
    return takeOver(kernel, fd, {
      probe: probeDevice,
      make: () => new DeviceFd(kernel, fd, node, address ?? (node && addressOf(kernel, node))),
      fail: (result) => failed("adoptDevice", result, values, explainAdopt(kernel, result, fd)),
    });
  }

  /** Whether the device has no IOMMU, as far as its node is known: see {@linkcode DeviceOpenOptions.unsafeNoIommu}. */
  get noIommu(): boolean {
    return this.node !== undefined && isNoIommu(this.node);
  }

  /** The file descriptor, for raw requests. */
  get fd(): number {
    return this.#state.fd;
  }

  /** False once it was disposed. */
  get isOpen(): boolean {
    return this.#state.life.isOpen;
  }

  /**
   * Bind the device to an iommufd: DEVICE_BIND_IOMMUFD. The first device of a group obtains the group for that iommufd.
   *
   * If it fails, the fd stays open and inoperable, and can be bound later. Once bound, the only way out is to close it: that is also done if
   * the kernel refuses the label.
   *
   * @throws {IommuError} EPERM if another iommufd has the group, EINVAL if the fd is bound already
   */
  bind(iommu: IommuFd, { label }: BindOptions = {}): BoundDevice {
    if (label !== undefined) checkU64(label, "a label");
    const state = this.#state;
    const session = sessionOf(iommu);
    session.begin("DEVICE_BIND_IOMMUFD");
    // Another kernel may have another file of that number.
    if (session.kernel !== this.kernel) {
      const values = { device: state.name, iommufd: iommu.fd };
      throw failed("bind", -ERRNO.EBADFD, values, "The iommu_fd belongs to another kernel than the device_fd.");
    }
    const view = state.begin("DEVICE_BIND_IOMMUFD");
    uapi.putDeviceBindIommufd(view, 0, { flags: 0, iommufd: iommu.fd, tokenUuidPtr: 0n });
    const result = state.send(uapi.DEVICE_BIND_IOMMUFD);
    if (result < 0) {
      throw failed("bind", result, { device: state.name, iommufd: iommu.fd }, explainBind(this.kernel, result, state.device));
    }
    state.device.boundTo = iommu.fd;
    const id = uapi.getDeviceBindIommufdOutDevid(view, 0);
    if (label !== undefined) this.#tellLabel(label);
    return new BoundDevice({ deviceFd: this, iommu, id, label, state });
  }

  /** Stop the device, release it and close the file. A handle from {@linkcode DeviceFd.bind} ends with it. */
  [Symbol.dispose](): void {
    this.#state.close();
  }

  /** A simulated machine names devices by their labels; a real kernel does not know the request, and the library keeps the label alone. */
  #tellLabel(label: bigint): void {
    uapi.putSimulatedDeviceSetLabel(this.#state.begin("SIMULATED_DEVICE_SET_LABEL"), 0, { flags: 0, label });
    const result = this.#state.send(uapi.SIMULATED_DEVICE_SET_LABEL);
    if (result >= 0 || result === -ERRNO.ENOTTY) return;
    // A device that is bound without a handle would be in nobody's hand.
    this.#state.close();
    throw failed("label", result, { device: this.#state.name, label });
  }
}

/** Without the caller's word no device gets past the IOMMU. @throws {IommuError} EPERM */
function checkProtected(
  operation: "openDevice" | "adoptDevice",
  node: string,
  values: FailedValues,
  { unsafeNoIommu = false }: DeviceOpenOptions,
): void {
  if (unsafeNoIommu || !isNoIommu(node)) return;
  throw failed(operation, -ERRNO.EPERM, values, NOT_ASKED_FOR);
}
