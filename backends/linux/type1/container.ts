/**
 * A group of the kernel below in a container of its own: what its devices reach is what is mapped here.
 *
 * @module
 */
import * as uapi from "../../../uapi/codec.ts";
import { ERRNO } from "../../../uapi/errno.ts";
import { type Block, type Kernel, O_CLOEXEC, O_RDWR } from "../../../uapi/kernel.ts";
import type { Area } from "./areas.ts";
import { allocate, type IovaSpan, readIovaRanges } from "./info.ts";

/** The node that makes containers. */
export const CONTAINER_NODE = "/dev/vfio/vfio";
/** The longest name of a device, and any struct of type1. */
const ARGUMENT_LENGTH = 64;

/**
 * Whether a container can be made into one of type1, version 2: 0, or −errno.
 *
 * Version 1 would let an unmap take more than it was asked for.
 */
export function checkType1(kernel: Kernel, container: number): number {
  const version = kernel.ioctl(container, uapi.GET_API_VERSION, 0);
  if (version !== 0) return version < 0 ? version : -ERRNO.EOPNOTSUPP;
  const has = kernel.ioctl(container, uapi.CHECK_EXTENSION, uapi.TYPE1v2_IOMMU);
  if (has > 0) return 0;
  return has < 0 ? has : -ERRNO.EOPNOTSUPP;
}

/** See the module. Open for as long as a device of the group is bound. */
export class Container {
  /** What can be mapped; undefined: the kernel below does not tell (before Linux 5.4). */
  readonly ranges: readonly IovaSpan[] | undefined;
  #kernel: Kernel;
  #group: number;
  #container: number;
  #argument: Block;
  /** What is mapped now, by IOVA: what requests that succeeded have made of it. */
  #mapped = new Map<bigint, Area>();

  private constructor(kernel: Kernel, group: number, container: number, argument: Block, ranges: readonly IovaSpan[] | undefined) {
    this.#kernel = kernel;
    this.#group = group;
    this.#container = container;
    this.#argument = argument;
    this.ranges = ranges;
  }

  /**
   * Take a group, by its number, and put it into a new container, which maps nothing.
   *
   * −EPERM if another program, or a driver of the kernel, has the group or a device of it.
   */
  static open(kernel: Kernel, number: string): Container | number {
    const opened: number[] = [];
    const argument = allocate(kernel, ARGUMENT_LENGTH);
    if (argument === undefined) return -ERRNO.ENOMEM;
    const made = setUp(kernel, number, argument, opened);
    if (typeof made !== "number") return new Container(kernel, made.group, made.container, argument, made.ranges);
    for (const fd of opened.reverse()) kernel.close(fd);
    argument[Symbol.dispose]();
    return made;
  }

  /** Open a device of the group by its PCI address. The fd, or −errno. */
  openDevice(address: string): number {
    const name = new TextEncoder().encode(address);
    this.#argument.bytes.fill(0);
    this.#argument.bytes.set(name);
    return this.#kernel.ioctl(this.#group, uapi.GROUP_GET_DEVICE_FD, this.#argument);
  }

  /** Map an area. 0, or −errno: nothing has changed. */
  map(area: Area): number {
    const { access, va, iova, length } = area;
    uapi.putIommuType1DmaMap(this.#argument.view, 0, { flags: access, vaddr: va, iova, size: length });
    const result = this.#kernel.ioctl(this.#container, uapi.IOMMU_MAP_DMA, this.#argument);
    if (result < 0) return result;
    this.#mapped.set(iova, area);
    return 0;
  }

  /**
   * Unmap areas between which nothing else is mapped, ascending. 0, or −errno: nothing has changed.
   *
   * One request for all of them: it removes every mapping that lies wholly in its range.
   */
  unmap(areas: readonly Area[]): number {
    const there = areas.filter(({ iova }) => this.#mapped.has(iova));
    if (there.length === 0) return 0;
    const first = there[0]!;
    const last = there[there.length - 1]!;
    uapi.putIommuType1DmaUnmap(this.#argument.view, 0, { flags: 0, iova: first.iova, size: last.iova + last.length - first.iova });
    const result = this.#kernel.ioctl(this.#container, uapi.IOMMU_UNMAP_DMA, this.#argument);
    if (result < 0) return result;
    for (const { iova } of there) this.#mapped.delete(iova);
    return 0;
  }

  /**
   * Map `wanted` and nothing else. What is mapped already as it is wanted stays, without a moment of absence; the rest goes before others come.
   *
   * 0, or −errno: all is mapped again as it was, as far as the kernel below lets it be. What it refuses to map again is not mapped.
   */
  become(wanted: readonly Area[]): number {
    const gone = this.#without(wanted);
    const kept = new Set(this.#mapped.values());
    for (const area of gone) kept.delete(area);
    const keptAt = new Set([...kept].map(({ iova }) => iova));
    const added = wanted.filter(({ iova }) => !keptAt.has(iova));
    const removed: Area[] = [];
    const mapped: Area[] = [];
    const result = this.#removeAll(gone, removed) || this.#mapAll(added, mapped);
    if (result === 0) return 0;
    for (const area of mapped) this.unmap([area]);
    for (const area of removed) this.map(area);
    return result;
  }

  /** What is mapped. */
  get mapped(): Iterable<Area> {
    return this.#mapped.values();
  }

  /** Give the group back. Its devices are closed. */
  close(): void {
    this.#kernel.close(this.#group);
    this.#kernel.close(this.#container);
    this.#argument[Symbol.dispose]();
  }

  #without(wanted: readonly Area[]): Area[] {
    const byIova = new Map(wanted.map((area) => [area.iova, area]));
    return [...this.#mapped.values()].filter((area) => {
      const other = byIova.get(area.iova);
      return other === undefined || other.va !== area.va || other.length !== area.length || other.access !== area.access;
    });
  }

  #removeAll(areas: readonly Area[], removed: Area[]): number {
    if (areas.length === this.#mapped.size) {
      const result = this.unmap([...areas].sort((a, b) => (a.iova < b.iova ? -1 : 1)));
      if (result === 0) removed.push(...areas);
      return result;
    }
    for (const area of areas) {
      const result = this.unmap([area]);
      if (result < 0) return result;
      removed.push(area);
    }
    return 0;
  }

  #mapAll(areas: readonly Area[], mapped: Area[]): number {
    for (const area of areas) {
      const result = this.map(area);
      if (result < 0) return result;
      mapped.push(area);
    }
    return 0;
  }
}

/** What a container was made of. */
interface Made {
  readonly group: number;
  readonly container: number;
  readonly ranges: readonly IovaSpan[] | undefined;
}

/** The steps from a number to a container that maps. What was opened is in `opened`, whatever comes of it. */
function setUp(kernel: Kernel, number: string, argument: Block, opened: number[]): Made | number {
  const group = kernel.open(`/dev/vfio/${number}`, O_RDWR | O_CLOEXEC);
  // A group is open once: another program has it, or it is open as device nodes.
  if (group < 0) return group === -ERRNO.EBUSY ? -ERRNO.EPERM : group;
  opened.push(group);
  uapi.putGroupStatus(argument.view, 0, {});
  const status = kernel.ioctl(group, uapi.GROUP_GET_STATUS, argument);
  if (status < 0) return status;
  if ((uapi.getGroupStatusFlags(argument.view, 0) & uapi.GROUP_FLAGS_VIABLE) === 0) return -ERRNO.EPERM;
  const container = kernel.open(CONTAINER_NODE, O_RDWR | O_CLOEXEC);
  if (container < 0) return container;
  opened.push(container);
  const usable = checkType1(kernel, container);
  if (usable < 0) return usable;
  uapi.putGroupContainer(argument.view, 0, { container });
  const put = kernel.ioctl(group, uapi.GROUP_SET_CONTAINER, argument);
  if (put < 0) return put === -ERRNO.EBUSY ? -ERRNO.EPERM : put;
  const set = kernel.ioctl(container, uapi.SET_IOMMU, uapi.TYPE1v2_IOMMU);
  if (set < 0) return set;
  const ranges = readIovaRanges(kernel, container);
  return typeof ranges === "number" ? ranges : { group, container, ranges: ranges.spans };
}
