/**
 * Arguments of system calls drawn at random, biased to what is alive and to the edges of each type.
 *
 * @module
 */
import { Random } from "../../backends/simulated/clock.ts";
import type { FileKind, ObjectKind } from "../../uapi/schema/types.ts";

/** The page of the machine. */
export const PAGE = 4096;
/** Memory of the process that no request may name, at the lowest address that can be mapped, so that no range reaches into it from below. */
export const SECRET = { start: 0x1_0000n, end: 0x2_0000n };
const U64_MAX = 2n ** 64n - 1n;

const U32_EDGES: readonly number[] = [0, 1, 2, 3, 7, 8, PAGE - 1, PAGE, PAGE + 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
const U64_EDGES: readonly bigint[] = [
  0n,
  1n,
  4095n,
  4096n,
  4097n,
  2n ** 32n,
  2n ** 47n - 4096n,
  2n ** 47n,
  2n ** 48n,
  U64_MAX - 4095n,
  U64_MAX,
];
const NUMBER_EDGES: readonly number[] = [
  ...U32_EDGES,
  ...[-1, -PAGE, 0.5, NaN, Infinity, -Infinity, -0, 2 ** 32, 2 ** 32 + PAGE, 2 ** 40, 2 ** 53 - 1, 2 ** 53, -(2 ** 53), 1e300],
];

/** The objects of an iommufd, by kind. */
export type Ids = Map<ObjectKind, number[]>;

/** Memory that an IOAS mapped at some time. */
export interface Area {
  /** First address. */
  readonly iova: bigint;
  /** Bytes. */
  readonly length: bigint;
}

/** What a program has got so far, by which arguments make sense. */
export class Live {
  /** Open files, by fd. */
  readonly files: Map<number, FileKind> = new Map();
  /** By iommufd: its objects. */
  readonly ids: Map<number, Ids> = new Map();
  /** By device_fd that is bound: the iommufd. */
  readonly bound: Map<number, number> = new Map();
  /** Mappings of the process. */
  readonly mapped: { readonly at: bigint; readonly length: number }[] = [];
  /** Mappings of IOASes. */
  readonly areas: Area[] = [];

  /** Forget a file. */
  closed(fd: number): void {
    this.files.delete(fd);
    this.ids.delete(fd);
    this.bound.delete(fd);
  }
}

/** A source of arguments. Equal seeds and equal states give equal arguments. */
export class Draw {
  readonly #random: Random;
  readonly #live: Live;

  constructor(seed: number, live: Live) {
    this.#random = new Random(seed);
    this.#live = live;
  }

  /** 0 or more, below `limit`. */
  below(limit: number): number {
    return this.#random.below(limit);
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  /** One of a list, which is not empty. */
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** One of a list that may be empty. */
  any<T>(list: readonly T[]): T | undefined {
    return list.length === 0 ? undefined : this.of(list);
  }

  /** A file, mostly of this kind and one for which `fits` holds. */
  fd(kind?: FileKind, fits: (fd: number) => boolean = () => true): number {
    const right = [...this.#live.files].filter(([, of]) => kind === undefined || of === kind).map(([fd]) => fd);
    const best = right.filter(fits);
    if (best.length > 0 && !this.once(12)) return this.of(best);
    if (right.length > 0 && !this.once(4)) return this.of(right);
    return this.once(2) ? this.any([...this.#live.files.keys()]) ?? -1 : this.of([...NUMBER_EDGES, 2 ** 32 + 3, 3.5, 99]);
  }

  /** A device_fd that is bound, mostly. */
  boundFd(): number {
    return this.fd("device", (fd) => this.#live.bound.has(fd));
  }

  /** The id of an object of one of these kinds in an iommufd, mostly. */
  id(iommufd: number, kinds: readonly ObjectKind[]): number {
    const known = kinds.flatMap((kind) => this.#live.ids.get(iommufd)?.get(kind) ?? []);
    return known.length > 0 && !this.once(16) ? this.of(known) : this.of(U32_EDGES);
  }

  /** A mapping of some IOAS, if any. */
  area(): Area | undefined {
    return this.any(this.#live.areas);
  }

  /** A number as it may come from a careless program. */
  number(): number {
    return this.of(NUMBER_EDGES);
  }

  /** A length of memory, mostly of some pages. */
  length(): number {
    if (this.once(10)) return this.number();
    if (this.once(10)) return this.below(40) * PAGE + this.below(PAGE);
    return this.once(20) ? 2 ** 21 : (1 + this.below(12)) * PAGE;
  }

  /** A field of 32 bits, mostly small. */
  u32(): number {
    return this.once(6) ? this.of(U32_EDGES) : this.below(5);
  }

  /** A field of 64 bits that is a length. */
  u64Length(): bigint {
    return this.once(8) ? this.of(U64_EDGES) : BigInt((1 + this.below(12)) * PAGE);
  }

  /** An I/O virtual address: where something is, somewhere in a small part of the space, or at an edge. */
  iova(): bigint {
    const known = this.area();
    if (known !== undefined && this.once(2)) return BigInt.asUintN(64, known.iova + this.#near());
    return this.once(6) ? this.of(U64_EDGES) : BigInt(this.below(96) * PAGE);
  }

  /** An address of the process. Never in {@linkcode SECRET}. */
  address(): bigint {
    const known = this.any(this.#live.mapped);
    const at = known !== undefined && !this.once(8) ? known.at + this.#near() : this.of(U64_EDGES);
    return SECRET.start <= at && at < SECRET.end ? SECRET.end : BigInt.asUintN(64, at);
  }

  /** Where something is mapped that holds `length` bytes, if anywhere; else any address. */
  memory(length: bigint): bigint {
    const fits = this.#live.mapped.filter((one) => BigInt(one.length) >= length);
    return fits.length > 0 && !this.once(8) ? this.of(fits).at : this.address();
  }

  #near(): bigint {
    return this.once(3) ? this.of([0n, 1n, -1n, 4096n, -4096n, 8192n, 65536n]) : 0n;
  }
}
