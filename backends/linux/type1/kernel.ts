/**
 * A kernel that speaks iommufd and VFIO's device nodes, on one that has VFIO's older groups and containers only.
 *
 * @module
 */
import { ERRNO } from "../../../uapi/errno.ts";
import { type Block, type Kernel, MAP_ANONYMOUS, O_CLOEXEC } from "../../../uapi/kernel.ts";
import { checkType1, CONTAINER_NODE } from "./container.ts";
import { Context } from "./context.ts";
import { Shadow } from "./core.ts";
import { DeviceRequests } from "./device.ts";
import { Devices } from "./devices.ts";
import { type DeviceFile, type IommufdFile, readArgument, refuseMmap, type ShadowedFile } from "./files.ts";
import { IommufdRequests } from "./iommufd.ts";
import { Nodes } from "./nodes.ts";
import { UserMemory } from "./user_memory.ts";

const NODES = "/dev/vfio/devices/";

/** What a {@linkcode Type1Kernel} may be given. */
export interface Type1Options {
  /**
   * Opens the file that stands for an open device until it is bound, to be read only: its configuration space in /sys. A backend that can, locks it, so that no
   * other program opens the device: −EBUSY then. Default: opens it and locks nothing.
   */
  readonly openUnbound?: (path: string) => number;
}

/**
 * See the module. The core, as a shadow, decides about objects, ids, IOVAs and owners; each group with a bound device has a container of its own,
 * which maps what the group's IOAS has, or nothing.
 *
 * Differences from iommufd: a move from one IOAS to another is not atomic; memory is pinned, and charged to the process, once for each group; a
 * container takes 65,535 mappings; what the IOMMU is, page tables with options, nesting, dirty tracking, PASIDs and page faults are EOPNOTSUPP.
 */
export class Type1Kernel<Below extends Kernel = Kernel> implements Kernel {
  /** "type1(linux)": with the name of the kernel below. */
  readonly name: string;
  /** Which interface of the kernel below is used. */
  readonly interface = "type1" as const;
  /** The kernel below. */
  readonly below: Below;
  #shadow: Shadow;
  #files = new Map<number, ShadowedFile>();
  #nodes: Nodes;
  #devices: Devices;
  #iommufd: IommufdRequests;
  #device: DeviceRequests;
  #memory: UserMemory;
  #openUnbound: (path: string) => number;

  /** Use {@linkcode type1}, which has the core. The kernel below is disposed with this one. */
  constructor(below: Below, shadow: Shadow, { openUnbound }: Type1Options = {}) {
    this.name = `type1(${below.name})`;
    this.below = below;
    this.#shadow = shadow;
    this.#memory = new UserMemory(below);
    this.#nodes = new Nodes(below);
    this.#devices = new Devices(below, shadow.core);
    this.#iommufd = new IommufdRequests(shadow, below, this.#memory, {
      isShadowed: (fd) => this.#files.has(fd),
      apertureOf: ({ context }, id) => context.devices.get(id)?.group.apertureLast ?? 2n ** 64n - 1n,
    });
    this.#device = new DeviceRequests({ shadow, kernel: below, memory: this.#memory, devices: this.#devices, files: this.#files });
    this.#openUnbound = openUnbound ?? ((path) => below.open(path, O_CLOEXEC));
  }

  /** As {@linkcode Kernel.open}. EBUSY for a device that is open; EOPNOTSUPP for an iommufd where the kernel below has another IOMMU interface. */
  open(path: string, flags: number): number {
    if (path === "/dev/iommu") return this.#openIommufd(flags);
    const address = this.#nodes.addressOf(path);
    if (typeof address === "number") return address;
    if (address !== undefined) return this.#openDevice(address);
    // The folder is not there below, and is listed here.
    if (path === NODES.slice(0, -1)) return -ERRNO.EISDIR;
    return path.startsWith(NODES) ? -ERRNO.ENOENT : this.below.open(path, flags);
  }

  /** As {@linkcode Kernel.adopt}. Files of iommufd and of device nodes are not of use here. */
  adopt(fd: number): number {
    return this.#files.has(fd) ? fd : this.below.adopt?.(fd) ?? -ERRNO.EBADF;
  }

  /** As {@linkcode Kernel.disown}. */
  disown(fd: number): number {
    return this.#files.has(fd) ? -ERRNO.EBADF : this.below.disown?.(fd) ?? -ERRNO.EBADF;
  }

  /** As {@linkcode Kernel.close}. */
  close(fd: number): number {
    const file = this.#files.get(fd);
    if (file !== undefined) this.#forget(file);
    return this.below.close(fd);
  }

  /** As {@linkcode Kernel.ioctl}. */
  ioctl(fd: number, request: number, argument: Block | number): number {
    const file = this.#files.get(fd);
    if (file === undefined) return this.below.ioctl(fd, request, argument);
    if (typeof argument === "number" && !Number.isSafeInteger(argument)) return -ERRNO.EINVAL;
    const number = request >>> 0;
    if (file.kind === "device" && !this.#device.isOurs(file, number)) return this.#device.pass(file, number, argument);
    const struct = readArgument(this.#memory, argument);
    // An answer that cannot be given is refused before something is changed for it.
    if (typeof argument === "number" && struct.answer() < 0) return -ERRNO.EFAULT;
    const result = file.kind === "device" ? this.#device.ask(file, number, struct.bytes) : this.#iommufd.ask(file, number, struct.bytes);
    return struct.answer() || result;
  }

  /** As {@linkcode Kernel.read}. */
  read(fd: number, into: Block, length: number): number {
    return this.#files.has(fd) ? -ERRNO.EINVAL : this.below.read(fd, into, length);
  }

  /** As {@linkcode Kernel.write}. */
  write(fd: number, from: Block, length: number): number {
    return this.#files.has(fd) ? -ERRNO.EINVAL : this.below.write(fd, from, length);
  }

  /** As {@linkcode Kernel.pread}. */
  pread(fd: number, into: Block, length: number, offset: number): number {
    const real = this.#real(fd);
    return real < 0 ? -ERRNO.EINVAL : this.below.pread(real, into, length, offset);
  }

  /** As {@linkcode Kernel.pwrite}. */
  pwrite(fd: number, from: Block, length: number, offset: number): number {
    const real = this.#real(fd);
    return real < 0 ? -ERRNO.EINVAL : this.below.pwrite(real, from, length, offset);
  }

  /** As {@linkcode Kernel.mmap}. */
  mmap(at: bigint, length: number, prot: number, flags: number, fd: number, offset: number): bigint {
    const file = (flags & MAP_ANONYMOUS) === 0 ? this.#files.get(fd) : undefined;
    if (file === undefined) return this.below.mmap(at, length, prot, flags, fd, offset);
    const real = this.#real(fd);
    return real < 0 ? BigInt(refuseMmap(file, prot, flags)) : this.below.mmap(at, length, prot, flags, real, offset);
  }

  /** As {@linkcode Kernel.munmap}. */
  munmap(at: bigint, length: number): number {
    return this.below.munmap(at, length);
  }

  /** As {@linkcode Kernel.view}. */
  view(at: bigint, length: number): Uint8Array {
    return this.below.view(at, length);
  }

  /** As {@linkcode Kernel.block}. */
  block(length: number): Block {
    return this.below.block(length);
  }

  /** As {@linkcode Kernel.eventfd}. */
  eventfd(initial: number, flags: number): number {
    return this.below.eventfd(initial, flags);
  }

  /** As {@linkcode Kernel.memfd}. */
  memfd(name: string, length: number): number {
    return this.below.memfd(name, length);
  }

  /** As {@linkcode Kernel.wait}. Iommufds and devices have nothing to wait for: they are ready. */
  wait(fd: number, signal?: AbortSignal): Promise<number> {
    return this.#files.has(fd) ? Promise.resolve(0) : this.below.wait(fd, signal);
  }

  /** As {@linkcode Kernel.relax}. */
  relax(): void {
    this.below.relax();
  }

  /** As {@linkcode Kernel.list}. */
  list(path: string): string[] | number {
    return this.#nodes.list(path);
  }

  /** As {@linkcode Kernel.readlink}. */
  readlink(path: string): string | number {
    return this.below.readlink(path);
  }

  /** As {@linkcode Kernel.readFile}. */
  readFile(path: string): Uint8Array | number {
    return this.below.readFile(path);
  }

  /** Close what is open, devices first, and dispose the kernel below. */
  [Symbol.dispose](): void {
    const files = [...this.#files.values()].sort((a, b) => a.kind.localeCompare(b.kind));
    for (const { fd } of files) this.close(fd);
    this.below[Symbol.dispose]();
  }

  /** What does not hold, a line each: whether containers map what their groups' IOASes have, and the core's own invariants. For tests. */
  audit(): string[] {
    const problems = this.#shadow.core.check()?.split("\n").filter((line) => line !== "") ?? ["the core has no memory left"];
    for (const { number, container, bound, attached, space } of this.#devices.groups) {
      const said = (what: string) => problems.push(`group ${number} ${what}`);
      if ((container === undefined) !== (bound.size === 0)) {
        said(`has ${bound.size} bound devices, and its container is ${container && "there"}`);
      }
      if ((space === undefined) !== (attached.size === 0)) said(`has ${attached.size} attached devices, and its IOAS is ${space?.id}`);
      const mapped = new Map([...container?.mapped ?? []].map((area) => [area.iova, area]));
      const areas = space?.areas.all ?? [];
      if (mapped.size !== areas.length) said(`maps ${mapped.size} areas, its IOAS has ${areas.length}`);
      for (const { iova, va, length, access } of areas) {
        const other = mapped.get(iova);
        if (other?.va !== va || other.length !== length || other.access !== access) {
          said(`does not map 0x${iova.toString(16)} as its IOAS does`);
        }
      }
    }
    return problems;
  }

  /** The file of the kernel below for reads, writes and mappings; −1 for one that has none. */
  #real(fd: number): number {
    const file = this.#files.get(fd);
    if (file === undefined) return fd;
    return file.kind === "device" ? file.bound?.real ?? -1 : -1;
  }

  #openIommufd(flags: number): number {
    const fd = this.below.open(CONTAINER_NODE, flags);
    if (fd < 0) return fd;
    const usable = checkType1(this.below, fd);
    const core = usable < 0 ? usable : this.#shadow.core.open_iommufd();
    if (core < 0) {
      this.below.close(fd);
      return core;
    }
    this.#files.set(fd, { kind: "iommufd", fd, core, context: new Context() } satisfies IommufdFile);
    return fd;
  }

  #openDevice(address: string): number {
    const device = this.#devices.find(address);
    if (typeof device === "number") return device;
    const core = this.#shadow.core.open_device(device.index);
    if (core < 0) return core;
    const fd = this.#openUnbound(`/sys/bus/pci/devices/${address}/config`);
    if (fd < 0) {
      this.#shadow.close(core);
      return fd;
    }
    this.#files.set(fd, { kind: "device", fd, core, device, bound: undefined } satisfies DeviceFile);
    return fd;
  }

  #forget(file: ShadowedFile): void {
    this.#files.delete(file.fd);
    if (file.kind === "device") return this.#device.close(file);
    this.#shadow.close(file.core);
    file.context.drop();
  }
}
