/**
 * mmap and munmap of the running process, kept to the program's own memory.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_HUGE_SHIFT,
  MAP_HUGETLB,
  MAP_NORESERVE,
  MAP_PRIVATE,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from "../../uapi/kernel.ts";
import { hugePageOfFd, statusOfFd } from "./file_status.ts";
import { type Mapping, Mappings } from "./mappings.ts";
import { readFile } from "./sysfs.ts";
import type { System } from "./system.ts";

const PAGE = 4096;
const ADDRESS_SPACE = 2n ** 64n;
/** Bits of the flags that hold the binary logarithm of a huge page's length. */
const HUGE_MASK = 0x3f;
const READ_WRITE = PROT_READ | PROT_WRITE;
/** Room is held without memory. */
const RESERVATION = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;

/** Arguments of mmap. */
interface Request {
  readonly at: bigint;
  readonly length: number;
  readonly prot: number;
  readonly flags: number;
  readonly fd: number;
  readonly offset: number;
}

/** The memory of the process that one kernel object mapped. */
export class Memory {
  /** What is mapped. */
  readonly mappings: Mappings = new Mappings();
  #system: System;

  /** Nothing is mapped yet. */
  constructor(system: System) {
    this.#system = system;
  }

  /**
   * As the seam's `mmap`. EPERM for `MAP_FIXED` where the process has memory of another owner: argument blocks, the runtime's.
   *
   * @param isSealed whether {@linkcode Memory.munmap} and `MAP_FIXED` leave it alone.
   */
  mmap(request: Request, isSealed = false): bigint {
    const { at, length, prot, flags, fd, offset } = request;
    if (!isLength(length) || !isLength(offset) || !isInteger(prot) || !isInteger(flags)) return BigInt(-ERRNO.EINVAL);
    if (typeof at !== "bigint" || at < 0n || at >= ADDRESS_SPACE) return BigInt(-ERRNO.EINVAL);
    const isReplacing = (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) === MAP_FIXED && at % BigInt(PAGE) === 0n && length > 0;
    const whole = this.#wholeLength(request);
    const reserved = isReplacing ? this.#reserve(at, at + whole) : [];
    if (typeof reserved === "number") return BigInt(reserved);
    const { symbols, errno } = this.#system.libc;
    const result = symbols.mmap(at, BigInt(length), prot | 0, flags | 0, fd, BigInt(offset));
    if (result === -1n) {
      const code = BigInt(-errno[0]!);
      for (const { start, end } of reserved) symbols.munmap(start, end - start);
      if (isReplacing) this.#forgetLost(at, at + whole);
      return code;
    }
    const end = result + whole;
    this.mappings.cut(result, end);
    this.mappings.add({ start: result, end, shownEnd: this.#shownEnd(request, result, end), isSealed });
    return result;
  }

  /** As the seam's `munmap`, of the program's own memory; what else is in the range stays. EPERM for argument blocks. */
  munmap(at: bigint, length: number): number {
    if (!isLength(length) || length === 0 || typeof at !== "bigint" || at < 0n || at % BigInt(PAGE) !== 0n) return -ERRNO.EINVAL;
    const end = at + wholePages(length);
    if (end > ADDRESS_SPACE) return -ERRNO.EINVAL;
    const parts = this.mappings.within(at, end);
    if (parts.some(({ isSealed }) => isSealed)) return -ERRNO.EPERM;
    for (const one of parts) {
      const result = this.#unmap(one);
      if (result < 0) return result;
    }
    return 0;
  }

  /** Unmap a part of a mapping, sealed or not. The arrays over it end. */
  #unmap({ start, end }: Mapping): number {
    const result = this.#system.answer(this.#system.libc.symbols.munmap(start, end - start));
    // Nothing runs between the two, so no array is used in between.
    if (result === 0) this.mappings.cut(start, end);
    return result;
  }

  /** Unmap whole pages, argument memory too. */
  release(start: bigint, length: number): void {
    for (const one of this.mappings.within(start, start + wholePages(length))) this.#unmap(one);
  }

  /** As the seam's `view`. */
  view(at: bigint, length: number): Uint8Array<ArrayBuffer> {
    return typeof at === "bigint" && isLength(length) ? this.mappings.show(at, length) : new Uint8Array(0);
  }

  /** Unmap everything. */
  [Symbol.dispose](): void {
    for (const one of this.mappings.within(0n, ADDRESS_SPACE)) this.#unmap(one);
  }

  /**
   * Hold the holes of a range, so that `MAP_FIXED` can replace nothing but the program's own memory. Returns them, or −EPERM where memory of
   * the runtime is in a hole.
   */
  #reserve(start: bigint, end: bigint): { start: bigint; end: bigint }[] | number {
    const parts = this.mappings.within(start, end);
    if (parts.some(({ isSealed }) => isSealed)) return -ERRNO.EPERM;
    const { symbols, errno } = this.#system.libc;
    const held: { start: bigint; end: bigint }[] = [];
    let at = start;
    for (const next of [...parts, { start: end, end }]) {
      if (at < next.start) {
        if (symbols.mmap(at, next.start - at, PROT_NONE, RESERVATION, -1, 0n) === -1n) {
          const code = errno[0]!;
          for (const hole of held) symbols.munmap(hole.start, hole.end - hole.start);
          return code === ERRNO.EEXIST ? -ERRNO.EPERM : -code;
        }
        held.push({ start: at, end: next.start });
      }
      at = next.end;
    }
    return held;
  }

  /** A failed `MAP_FIXED` has taken away what was there on some kernels: what room can be held in is not mapped any more. */
  #forgetLost(start: bigint, end: bigint): void {
    const { symbols } = this.#system.libc;
    for (const one of this.mappings.within(start, end)) {
      const length = one.end - one.start;
      if (symbols.mmap(one.start, length, PROT_NONE, RESERVATION, -1, 0n) === -1n) continue;
      symbols.munmap(one.start, length);
      this.mappings.cut(one.start, one.end);
    }
  }

  /** Bytes that a mapping takes: whole pages, which are huge ones where it was asked for or the file has them. */
  #wholeLength({ length, flags, fd }: Request): bigint {
    let page: number | undefined;
    if ((flags & MAP_ANONYMOUS) === 0) page = hugePageOfFd(this.#system, fd);
    else if ((flags & MAP_HUGETLB) !== 0) page = 2 ** (flags >>> MAP_HUGE_SHIFT & HUGE_MASK);
    // 2^0: the length that the kernel was told to take by default.
    if (page === 1) page = this.#defaultHugePage();
    return page === undefined ? wholePages(length) : (BigInt(length) + BigInt(page) - 1n) / BigInt(page) * BigInt(page);
  }

  #defaultHugePage(): number {
    const text = readFile(this.#system, "/proc/meminfo");
    const match = typeof text === "number" ? null : /^Hugepagesize:\s*(\d+) kB$/m.exec(new TextDecoder().decode(text));
    return match === null ? 2 ** 21 : Number(match[1]) * 1024;
  }

  /** Where arrays must end: a write to read-only memory, and an access behind the end of a file, would end the process. */
  #shownEnd({ prot, flags, fd, offset }: Request, start: bigint, end: bigint): bigint {
    if ((prot & READ_WRITE) !== READ_WRITE) return start;
    if ((flags & MAP_ANONYMOUS) !== 0) return end;
    const status = statusOfFd(this.#system, fd);
    if (typeof status === "number") return start;
    // A device says no size. Whether its memory answers is between the program and the device.
    if (status.kind !== "regular") return end;
    const left = wholePages(Math.max(status.size - offset, 0));
    return start + left < end ? start + left : end;
  }
}

function isLength(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isInteger(value: number): boolean {
  return typeof value === "number" && (value | 0) === value;
}

function wholePages(length: number): bigint {
  return (BigInt(length) + BigInt(PAGE - 1)) / BigInt(PAGE) * BigInt(PAGE);
}
