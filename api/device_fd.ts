/**
 * An open device: inoperable until it is bound to an iommufd.
 *
 * @module
 */
import * as uapi from "../uapi/codec.ts";
import { ERRNO } from "../uapi/errno.ts";
import { type Kernel, O_CLOEXEC, O_RDWR } from "../uapi/kernel.ts";
import { checkU64 } from "./arguments.ts";
import { BoundDevice } from "./bound_device.ts";
import { DeviceState } from "./device_state.ts";
import { failed } from "./error.ts";
import { explainBind } from "./explain/bind.ts";
import { explainOpenDevice } from "./explain/open.ts";
import { track } from "./handle.ts";
import type { IommuFd } from "./iommu_fd.ts";
import { findNode } from "./pci/node.ts";
import { sessionOf } from "./session.ts";

/** How {@linkcode DeviceFd.bind} binds. */
export interface BindOptions {
  /** What the program calls the device: 64 bits, for faults and events. Default: none. */
  readonly label?: bigint;
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
  /** Path of the node. */
  readonly node: string;
  /** The PCI address, if it was opened by that. */
  readonly address: string | undefined;
  #state: DeviceState;

  private constructor(kernel: Kernel, fd: number, node: string, address: string | undefined) {
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
   * @throws {IommuError} EBUSY if it is open already, ENODEV if there is none or another driver has it, EACCES
   */
  static open(kernel: Kernel, device: string): DeviceFd {
    const { node, address } = findNode(kernel, device);
    const fd = kernel.open(node, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
      const values = { path: node, ...(address === undefined ? {} : { device: address }) };
      throw failed("openDevice", fd, values, explainOpenDevice(kernel, fd, node));
    }
    try {
      return new DeviceFd(kernel, fd, node, address);
    } catch (error) {
      kernel.close(fd);
      throw error;
    }
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
