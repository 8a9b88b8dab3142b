/**
 * A strict model of VFIO's groups, containers and type1: the rules of Linux 7.3, with a simulated machine's devices and IOMMU behind them, so that
 * what a container maps is what devices reach.
 *
 * @module
 */
import * as uapi from "../../uapi/codec.ts";
import { ERRNO } from "../../uapi/errno.ts";
import { type Block, type Kernel, O_CLOEXEC, O_RDWR, UnsupportedKernel } from "../../uapi/kernel.ts";
import { type Dma, FakeContainer, tell } from "./fake_container.ts";

const O_WRONLY = 1;

/** How the fake differs from a Debian kernel of today. */
export interface FakeOptions {
  /** Show the names that Linux 6.1 and later gives devices, below `vfio-dev`. Default: no. */
  readonly vfioDev?: boolean;
  /** Mappings that a container takes. Default: 65,535. */
  readonly mappings?: number;
  /** Extensions that CHECK_EXTENSION knows. Default: type1 in both versions. */
  readonly extensions?: readonly number[];
  /** Whether GET_INFO tells ranges, as it does since Linux 5.4. Default: yes. */
  readonly ranges?: boolean;
}

const PCI = "/sys/bus/pci/devices";
const HARMLESS_DRIVERS: readonly (string | undefined)[] = [undefined, "vfio-pci", "pcieport"];

/** A group, while its file or a device of it is open. */
interface OpenGroup {
  readonly number: string;
  /** −1 once the file is closed, and devices keep the group. */
  fd: number;
  container: FakeContainer | undefined;
  devices: number;
}

/** See the module. Requests that it does not know, as of blocks and files in memory, the simulated kernel answers. */
export class FakeType1 extends UnsupportedKernel {
  override readonly name: string = "fake";
  #sim: Kernel;
  #options: FakeOptions;
  #containers = new Map<number, FakeContainer>();
  #groups = new Map<string, OpenGroup>();
  #devices = new Map<number, OpenGroup>();

  constructor(sim: Kernel, options: FakeOptions = {}) {
    super();
    this.#sim = sim;
    this.#options = options;
  }

  /** What is still open, in words. */
  leftovers(): string[] {
    const count = (what: string, { size }: { readonly size: number }) => size === 0 ? [] : [`${size} ${what} open`];
    return [...count("containers", this.#containers), ...count("groups", this.#groups), ...count("devices of groups", this.#devices)];
  }

  /** What the container of a group maps; nothing if it has none. */
  mapped(number: string): readonly Dma[] {
    return this.#groups.get(number)?.container?.dmas ?? [];
  }

  override open(path: string, flags: number): number {
    if (path === "/dev/iommu" || path.startsWith("/dev/vfio/devices")) return -ERRNO.ENOENT;
    const number = /^\/dev\/vfio\/(\d+)$/.exec(path)?.[1];
    if (number !== undefined) return this.#openGroup(number);
    if (path === "/dev/vfio/vfio") {
      const fd = this.#placeholder();
      if (fd >= 0) this.#containers.set(fd, new FakeContainer(this.#sim, this.#options));
      return fd;
    }
    // A file of /sys: nothing but its number matters.
    const isReadable = (flags & (O_RDWR | O_WRONLY)) === 0 && typeof this.#sim.readFile(path) !== "number";
    return isReadable ? this.#placeholder() : this.#sim.open(path, flags);
  }

  /** A file that is none of those which requests take. */
  #placeholder(): number {
    return this.#sim.memfd("fake", 0);
  }

  override close(fd: number): number {
    const result = this.#sim.close(fd);
    if (result < 0) return result;
    const container = this.#containers.get(fd);
    this.#containers.delete(fd);
    container?.closed();
    const group = this.#groupOf(fd);
    if (group !== undefined) group.fd = -1;
    const owner = this.#devices.get(fd);
    this.#devices.delete(fd);
    if (owner !== undefined) owner.devices--;
    this.#settle(group ?? owner);
    return result;
  }

  override ioctl(fd: number, request: number, argument: Block | number): number {
    const container = this.#containers.get(fd);
    if (container !== undefined) return container.ioctl(request, argument);
    const group = this.#groupOf(fd);
    if (group !== undefined) return this.#groupIoctl(group, request, argument);
    // The simulated devices are bound to iommufds that programs of this kernel must not know of.
    const isBinding = [uapi.DEVICE_BIND_IOMMUFD, uapi.DEVICE_ATTACH_IOMMUFD_PT, uapi.DEVICE_DETACH_IOMMUFD_PT].includes(request);
    if (this.#devices.has(fd) && (isBinding || request === uapi.SIMULATED_DEVICE_SET_LABEL)) return -ERRNO.ENOTTY;
    return this.#sim.ioctl(fd, request, argument);
  }

  #groupOf(fd: number): OpenGroup | undefined {
    return [...this.#groups.values()].find((group) => group.fd === fd);
  }

  #settle(group: OpenGroup | undefined): void {
    if (group === undefined || group.fd >= 0 || group.devices > 0) return;
    group.container?.leave(group.number);
    this.#groups.delete(group.number);
  }

  #members(number: string): { readonly address: string; readonly driver: string | undefined }[] {
    const addresses = this.#sim.list(`/sys/kernel/iommu_groups/${number}/devices`);
    if (typeof addresses === "number") return [];
    return addresses.map((address) => {
      const driver = this.#sim.readlink(`${PCI}/${address}/driver`);
      return { address, driver: typeof driver === "number" ? undefined : driver.split("/").at(-1) };
    });
  }

  #openGroup(number: string): number {
    if (!this.#members(number).some(({ driver }) => driver === "vfio-pci")) return -ERRNO.ENOENT;
    if (this.#groups.has(number)) return -ERRNO.EBUSY;
    const fd = this.#placeholder();
    if (fd >= 0) this.#groups.set(number, { number, fd, container: undefined, devices: 0 });
    return fd;
  }

  #isViable(number: string): boolean {
    return this.#members(number).every(({ driver }) => HARMLESS_DRIVERS.includes(driver));
  }

  #groupIoctl(group: OpenGroup, request: number, argument: Block | number): number {
    if (request === uapi.GROUP_UNSET_CONTAINER) return this.#unset(group);
    if (typeof argument === "number") return -ERRNO.EFAULT;
    const { view } = argument;
    switch (request) {
      case uapi.GROUP_GET_STATUS: {
        if (view.getUint32(0, true) < uapi.GroupStatusSize) return -ERRNO.EINVAL;
        const viable = this.#isViable(group.number) ? uapi.GROUP_FLAGS_VIABLE : 0;
        view.setUint32(4, viable | (group.container === undefined ? 0 : uapi.GROUP_FLAGS_CONTAINER_SET), true);
        return 0;
      }
      case uapi.GROUP_SET_CONTAINER:
        return this.#setContainer(group, uapi.getGroupContainer(view, 0).container);
      case uapi.GROUP_GET_DEVICE_FD:
        return this.#openDevice(group, argument.bytes);
      default:
        return -ERRNO.ENOTTY;
    }
  }

  #setContainer(group: OpenGroup, fd: number): number {
    const container = this.#containers.get(fd);
    if (group.container !== undefined) return -ERRNO.EINVAL;
    if (container === undefined) return -ERRNO.EBADFD;
    if (!this.#isViable(group.number)) return -ERRNO.EPERM;
    group.container = container;
    container.join(group.number);
    return 0;
  }

  #unset(group: OpenGroup): number {
    if (group.container === undefined) return -ERRNO.EINVAL;
    if (group.devices > 0) return -ERRNO.EBUSY;
    group.container.leave(group.number);
    group.container = undefined;
    return 0;
  }

  #openDevice(group: OpenGroup, bytes: Uint8Array): number {
    if (group.container?.isSet !== true) return -ERRNO.EINVAL;
    const end = bytes.indexOf(0);
    if (end < 0) return -ERRNO.EFAULT;
    const address = new TextDecoder().decode(bytes.subarray(0, end));
    if (!this.#members(group.number).some((member) => member.address === address && member.driver === "vfio-pci")) return -ERRNO.ENODEV;
    const [name] = this.#sim.list(`${PCI}/${address}/vfio-dev`) as string[];
    const fd = this.#sim.open(`/dev/vfio/devices/${name}`, O_RDWR | O_CLOEXEC);
    if (fd < 0) return fd;
    const result = group.container.adopt((request, write) => tell(this.#sim, fd, request, write));
    if (result < 0) {
      this.#sim.close(fd);
      return result;
    }
    this.#devices.set(fd, group);
    group.devices++;
    return fd;
  }

  override list(path: string): string[] | number {
    const found = this.#sim.list(path);
    if (path === "/dev/vfio/devices" || (path.endsWith("/vfio-dev") && !this.#options.vfioDev)) return -ERRNO.ENOENT;
    if (typeof found === "number") return found;
    if (path === "/dev") return found.filter((name) => name !== "iommu");
    if (path === "/dev/vfio") return [...found.filter((name) => name !== "devices"), "vfio"];
    return this.#options.vfioDev ? found : found.filter((name) => name !== "vfio-dev");
  }

  override read(fd: number, into: Block, length: number): number {
    return this.#isOurs(fd) ? -ERRNO.EINVAL : this.#sim.read(fd, into, length);
  }

  override write(fd: number, from: Block, length: number): number {
    return this.#isOurs(fd) ? -ERRNO.EINVAL : this.#sim.write(fd, from, length);
  }

  #isOurs(fd: number): boolean {
    return this.#containers.has(fd) || this.#groupOf(fd) !== undefined;
  }

  override pread(fd: number, into: Block, length: number, offset: number): number {
    return this.#sim.pread(fd, into, length, offset);
  }

  override pwrite(fd: number, from: Block, length: number, offset: number): number {
    return this.#sim.pwrite(fd, from, length, offset);
  }

  override mmap(at: bigint, length: number, prot: number, flags: number, fd: number, offset: number): bigint {
    return this.#sim.mmap(at, length, prot, flags, fd, offset);
  }

  override munmap(at: bigint, length: number): number {
    return this.#sim.munmap(at, length);
  }

  override view(at: bigint, length: number): Uint8Array {
    return this.#sim.view(at, length);
  }

  override block(length: number): Block {
    return this.#sim.block(length);
  }

  override eventfd(initial: number, flags: number): number {
    return this.#sim.eventfd(initial, flags);
  }

  override memfd(name: string, length: number): number {
    return this.#sim.memfd(name, length);
  }

  override wait(fd: number, signal?: AbortSignal): Promise<number> {
    return this.#sim.wait(fd, signal);
  }

  override relax(): void {
    this.#sim.relax();
  }

  override readlink(path: string): string | number {
    return this.#sim.readlink(path);
  }

  override readFile(path: string): Uint8Array | number {
    return this.#sim.readFile(path);
  }
}
