/**
 * Requests to a device: those that change whose it is and what it reaches; all others go to the kernel below.
 *
 * @module
 */
import * as uapi from "../../../uapi/codec.ts";
import { ERRNO } from "../../../uapi/errno.ts";
import type { Block, Kernel } from "../../../uapi/kernel.ts";
import { Container } from "./container.ts";
import type { Shadow } from "./core.ts";
import type { Device, Devices, Group } from "./devices.ts";
import type { DeviceFile, IommufdFile, ShadowedFile } from "./files.ts";
import type { AddressSpace } from "./context.ts";
import type { UserMemory } from "./user_memory.ts";

/** A number that no file of the core has. */
const NO_FILE = 0x7fff_ffff;
const TOKEN_BYTES = 16;

/** See the module. */
export class DeviceRequests {
  #shadow: Shadow;
  #kernel: Kernel;
  #memory: UserMemory;
  #devices: Devices;
  #files: ReadonlyMap<number, ShadowedFile>;
  #struct = new DataView(new ArrayBuffer(uapi.DeviceAttachIommufdPtSize));

  /** `kernel` is the one below. */
  constructor(parts: { shadow: Shadow; kernel: Kernel; memory: UserMemory; devices: Devices; files: ReadonlyMap<number, ShadowedFile> }) {
    this.#shadow = parts.shadow;
    this.#kernel = parts.kernel;
    this.#memory = parts.memory;
    this.#devices = parts.devices;
    this.#files = parts.files;
  }

  /** Whether the core answers a request to this device. Without a bind it is inoperable, and the core says so. */
  isOurs({ bound }: DeviceFile, request: number): boolean {
    const ours = request === uapi.DEVICE_BIND_IOMMUFD || request === uapi.DEVICE_ATTACH_IOMMUFD_PT ||
      request === uapi.DEVICE_DETACH_IOMMUFD_PT;
    return ours || bound === undefined;
  }

  /** A request that is not ours. */
  pass({ bound }: DeviceFile, request: number, argument: Block | number): number {
    return bound === undefined ? -ERRNO.EINVAL : this.#kernel.ioctl(bound.real, request, argument);
  }

  /** One of our requests. `bytes` is the struct, which gets the answer. */
  ask(file: DeviceFile, request: number, bytes: Uint8Array | undefined): number {
    switch (request) {
      case uapi.DEVICE_BIND_IOMMUFD:
        return this.#bind(file, bytes);
      case uapi.DEVICE_ATTACH_IOMMUFD_PT:
        return this.#attach(file, bytes);
      case uapi.DEVICE_DETACH_IOMMUFD_PT:
        return this.#detach(file, bytes);
      default:
        // A simulated machine knows labels before the bind; here nobody does.
        return -ERRNO.EINVAL;
    }
  }

  /** Close the file: the device leaves its group, and the last one of the group gives it back. */
  close({ core, device, bound }: DeviceFile): void {
    this.#shadow.close(core);
    if (bound === undefined) return;
    const { group } = device;
    bound.context.devices.delete(bound.id);
    group.bound.delete(device);
    group.attached.delete(device);
    // What was mapped for the last attached device goes before that device does: another one of the group may still do DMA.
    if (group.attached.size === 0) this.#leave(group, group.bound.size > 0);
    this.#kernel.close(bound.real);
    this.#releaseContainer(group);
    bound.context.drop();
  }

  /** BIND: the core agrees, then the group is taken from the kernel below. */
  #bind(file: DeviceFile, bytes: Uint8Array | undefined): number {
    let iommufd: IommufdFile | undefined;
    using token = this.#shadow.lend(new Uint8Array(TOKEN_BYTES));
    const result = this.#shadow.ask(file.core, uapi.DEVICE_BIND_IOMMUFD, bytes, (view) => {
      if (view.byteLength < 12) return;
      const fd = view.getInt32(8, true);
      const target = this.#files.get(fd);
      if (target?.kind === "iommufd") iommufd = target;
      if (fd >= 0) view.setInt32(8, this.#coreFileOf(fd), true);
      if (view.byteLength >= uapi.DeviceBindIommufdSize) this.#replaceToken(view, token?.address ?? 0n);
    });
    if (result < 0 || bytes === undefined || iommufd === undefined) return result;
    const id = uapi.getDeviceBindIommufdOutDevid(this.#shadow.answer, 0);
    const real = this.#acquire(file.device);
    if (real < 0) {
      // Closing is the only way back; the file stays, inoperable, and can be bound later.
      this.#shadow.close(file.core);
      file.core = this.#shadow.core.open_device(file.device.index);
      return real;
    }
    const { context } = iommufd;
    file.bound = { real, context, id };
    context.hold();
    context.devices.set(id, file.device);
    file.device.group.bound.add(file.device);
    new DataView(bytes.buffer, bytes.byteOffset, bytes.length).setUint32(12, id, true);
    return result;
  }

  /** The core's file for one of the program's. */
  #coreFileOf(fd: number): number {
    const file = this.#files.get(fd);
    if (file !== undefined) return file.core;
    // Whether there is such a file only the kernel below knows. No file but a container answers this.
    const isOpen = this.#kernel.ioctl(fd, uapi.GET_API_VERSION, 0) !== -ERRNO.EBADF;
    return isOpen ? this.#shadow.foreign : NO_FILE;
  }

  #replaceToken(view: DataView, address: bigint): void {
    if ((view.getUint32(4, true) & uapi.DEVICE_BIND_FLAG_TOKEN) === 0) return;
    const isThere = this.#memory.read(view.getBigUint64(16, true), TOKEN_BYTES) !== undefined;
    view.setBigUint64(16, isThere ? address : 0n, true);
  }

  /** Open a device of the kernel below, and its group if nobody has yet. The fd, or −errno: nothing has changed. */
  #acquire(device: Device): number {
    const { group } = device;
    if (group.container === undefined) {
      const container = Container.open(this.#kernel, group.number);
      if (typeof container === "number") return container;
      group.container = container;
    }
    const reserved = this.#devices.reserve(device);
    const real = reserved < 0 ? reserved : group.container.openDevice(device.address);
    if (real < 0) this.#releaseContainer(group);
    return real;
  }

  #releaseContainer(group: Group): void {
    if (group.bound.size > 0) return;
    group.container?.close();
    group.container = undefined;
  }

  /** ATTACH, also as a replacement. Between two IOASes there is a moment in which neither is whole: type1 has no other way. */
  #attach(file: DeviceFile, bytes: Uint8Array | undefined): number {
    const { device: { group }, bound } = file;
    this.#shadow.core.set_remote_aperture(group.apertureLast);
    const result = this.#shadow.ask(file.core, uapi.DEVICE_ATTACH_IOMMUFD_PT, bytes);
    if (result < 0 || bytes === undefined || bound === undefined) return result;
    const target = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(8, true);
    const table = uapi.getDeviceAttachIommufdPtPtId(this.#shadow.answer, 0);
    const space = bound.context.spaceOf(target)!;
    const before = group.space;
    const shown = space === before ? 0 : group.container!.become(space.areas.all);
    if (shown < 0) {
      this.#undoAttach(file, before);
      return shown;
    }
    if (before !== space) before?.groups.delete(group);
    space.groups.add(group);
    group.space = space;
    group.hwpt = table;
    group.attached.add(file.device);
    bound.context.addTable(table, space);
    new DataView(bytes.buffer, bytes.byteOffset, bytes.length).setUint32(8, table, true);
    return result;
  }

  #undoAttach(file: DeviceFile, before: AddressSpace | undefined): void {
    if (before === undefined) this.#tellDetach(file);
    else if (this.#tellAttach(file, before) < 0) {
      // Without memory for the core the way back is closed: better nothing than half.
      const { group } = file.device;
      for (const { device, core } of this.#filesOf(group)) {
        if (group.attached.has(device)) this.#tellDetach({ core });
      }
      group.attached.clear();
      this.#leave(group, true);
    }
  }

  /** DETACH: the last one of its group leaves an empty container. */
  #detach(file: DeviceFile, bytes: Uint8Array | undefined): number {
    const { group } = file.device;
    const result = this.#shadow.ask(file.core, uapi.DEVICE_DETACH_IOMMUFD_PT, bytes);
    const isWhole = result >= 0 && bytes !== undefined && (this.#shadow.answer.getUint32(4, true) & uapi.DEVICE_DETACH_PASID) === 0;
    if (!isWhole || !group.attached.has(file.device)) return result;
    if (group.attached.size === 1) {
      const emptied = group.container!.become([]);
      if (emptied < 0) {
        this.#tellAttach(file, group.space!);
        return emptied;
      }
    }
    group.attached.delete(file.device);
    if (group.attached.size === 0) this.#leave(group, false);
    return result;
  }

  /** No device of the group is attached any more. */
  #leave(group: Group, mustEmpty: boolean): void {
    // A second try area by area: a mapping that cannot be removed must not keep the others.
    if (mustEmpty && group.container!.become([]) < 0) { for (const area of [...group.container!.mapped]) group.container!.unmap([area]); }
    group.space?.groups.delete(group);
    group.space = undefined;
  }

  *#filesOf(group: Group): Generator<DeviceFile> {
    for (const file of this.#files.values()) if (file.kind === "device" && file.device.group === group) yield file;
  }

  #tellDetach({ core }: { readonly core: number }): void {
    uapi.putDeviceDetachIommufdPt(this.#struct, 0, { flags: 0, pasid: 0 });
    this.#shadow.ask(core, uapi.DEVICE_DETACH_IOMMUFD_PT, new Uint8Array(this.#struct.buffer, 0, uapi.DeviceDetachIommufdPtSize));
  }

  /** Back to the page table that the group had, or to a new one of its IOAS if that went with its last device. */
  #tellAttach({ core, device }: DeviceFile, space: AddressSpace): number {
    let result = -ERRNO.ENOENT as number;
    for (const ptId of [device.group.hwpt, space.id]) {
      if (result >= 0) break;
      uapi.putDeviceAttachIommufdPt(this.#struct, 0, { flags: 0, ptId, pasid: 0 });
      result = this.#shadow.ask(core, uapi.DEVICE_ATTACH_IOMMUFD_PT, new Uint8Array(this.#struct.buffer));
    }
    if (result >= 0) device.group.hwpt = uapi.getDeviceAttachIommufdPtPtId(this.#shadow.answer, 0);
    return result;
  }
}
