/**
 * Argument blocks, mappings of memory and views of both.
 *
 * @module
 */
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from "../../uapi/kernel.ts";
import { check, CheckError, equal, thrown } from "../check.ts";
import type { Suite } from "../harness.ts";
import { type Caller, codeOf } from "./caller.ts";
import { PAGE, PAGE64, USER_BASE } from "./steps.ts";

const ANONYMOUS = MAP_PRIVATE | MAP_ANONYMOUS;
const READ_WRITE = PROT_READ | PROT_WRITE;

/** Fill bytes with something that depends on the place. */
function fill(bytes: Uint8Array, seed: number): void {
  for (let at = 0; at < bytes.length; at++) bytes[at] = at * 7 + seed;
}

/** A mapping of which nothing may be read any more. */
function isUnmapped(t: Caller, at: bigint, length = PAGE): boolean {
  return t.kernel.view(at, length).length === 0;
}

const BLOCKS: Suite<Caller>["cases"] = [
  {
    name: "a block is zeroed, has the length asked for, and its bytes and view are the same memory",
    run(t) {
      const block = t.block(100);
      equal(block.bytes, new Uint8Array(100));
      equal(block.view.byteLength, 100);
      block.view.setUint32(8, 0x0403_0201, true);
      equal(block.bytes.subarray(8, 12), Uint8Array.of(1, 2, 3, 4));
    },
  },
  {
    name: "a block that was used before comes back zeroed",
    run(t) {
      for (let round = 0; round < 3; round++) {
        using block = t.kernel.block(64);
        equal(block.bytes, new Uint8Array(64));
        block.bytes.fill(0xff);
      }
    },
  },
  {
    name: "blocks do not overlap, and fields of 64 bits are aligned in them",
    run(t) {
      const blocks = [8, 24, 40, 100, PAGE, 3 * PAGE, 100_000].map((length) => t.block(length));
      blocks.forEach((block, index) => block.bytes.fill(index + 1));
      blocks.forEach((block, index) => check(block.bytes.every((byte) => byte === index + 1), `block ${index} was overwritten`));
      for (const block of blocks) equal(block.address % 8n, 0n);
    },
  },
  {
    name: "a block's address is memory of the process, as view shows it",
    run(t) {
      const block = t.block(64);
      block.bytes[5] = 42;
      equal(t.bytes(block.address, 64)[5], 42);
    },
  },
  {
    name: "a block without a length, and one that is too long for any memory, are range errors",
    run(t) {
      for (const length of [0, -1, 0.5, 2 ** 45]) {
        const error = thrown(() => t.kernel.block(length)[Symbol.dispose](), `block(${length}) was given out`);
        check(error instanceof RangeError, `block(${length}) threw ${String(error)}`);
      }
    },
  },
];

const PLACES: Suite<Caller>["cases"] = [
  {
    name: "anonymous memory is page aligned, zeroed, and whole pages long",
    run(t) {
      const at = t.memory(PAGE + 1);
      equal(at % PAGE64, 0n);
      equal(t.bytes(at, 2 * PAGE), new Uint8Array(2 * PAGE));
    },
  },
  {
    name: "MAP_FIXED_NOREPLACE maps at the very address, and answers EEXIST where something is",
    run(t) {
      equal(t.memory(2 * PAGE, USER_BASE, READ_WRITE, MAP_FIXED_NOREPLACE), USER_BASE);
      const over = t.tryMmap(USER_BASE + PAGE64, PAGE, READ_WRITE, ANONYMOUS | MAP_FIXED_NOREPLACE);
      equal(codeOf(over), "EEXIST");
      equal(t.memory(PAGE, USER_BASE + 2n * PAGE64, READ_WRITE, MAP_FIXED_NOREPLACE), USER_BASE + 2n * PAGE64);
    },
  },
  {
    name: "MAP_FIXED replaces what is there, also a part in the middle, and leaves the rest",
    run(t) {
      const at = t.memory(3 * PAGE, USER_BASE, READ_WRITE, MAP_FIXED_NOREPLACE);
      t.bytes(at, 3 * PAGE).fill(0x55);
      equal(t.memory(PAGE, at + PAGE64, READ_WRITE, MAP_FIXED), at + PAGE64);
      equal(t.bytes(at, PAGE), new Uint8Array(PAGE).fill(0x55));
      equal(t.bytes(at + PAGE64, PAGE), new Uint8Array(PAGE));
      equal(t.bytes(at + 2n * PAGE64, PAGE), new Uint8Array(PAGE).fill(0x55));
    },
  },
  {
    name: "a hint that is free is taken, one that is not leads elsewhere",
    run(t) {
      equal(t.memory(PAGE, USER_BASE), USER_BASE);
      const other = t.memory(PAGE, USER_BASE);
      check(other !== USER_BASE, "a hint replaced a mapping");
    },
  },
  {
    name: "what mmap cannot do has Linux's errors",
    run(t) {
      const mmap = (at: bigint, length: number, flags: number) => codeOf(t.tryMmap(at, length, READ_WRITE, flags));
      equal(mmap(0n, 0, ANONYMOUS), "EINVAL", "no length");
      equal(mmap(USER_BASE + 1n, PAGE, ANONYMOUS | MAP_FIXED), "EINVAL", "a fixed address inside a page");
      equal(mmap(0n, PAGE, MAP_ANONYMOUS), "EINVAL", "neither shared nor private");
      // Processors with page tables of five levels give 57 bits to who asks for an address above 47.
      equal(mmap(2n ** 57n, PAGE, ANONYMOUS | MAP_FIXED), "ENOMEM", "beyond the process's addresses");
      equal(mmap(0n, 2 ** 47, ANONYMOUS), "ENOMEM", "longer than all addresses");
      equal(codeOf(t.tryMmap(0n, PAGE, READ_WRITE, MAP_SHARED, 999)), "EBADF", "no file");
      equal(codeOf(t.tryMmap(0n, PAGE, READ_WRITE, MAP_SHARED, t.memfd(PAGE), 100)), "EINVAL", "an offset inside a page");
    },
  },
  {
    name: "mmap takes the next mapping from elsewhere: two mappings never overlap",
    run(t) {
      const places = Array.from({ length: 8 }, (_, index) => ({ at: t.memory((index + 1) * PAGE), length: (index + 1) * PAGE }));
      places.sort((one, other) => one.at < other.at ? -1 : 1);
      for (let index = 1; index < places.length; index++) {
        const before = places[index - 1]!;
        check(before.at + BigInt(before.length) <= places[index]!.at, "mappings overlap");
      }
    },
  },
];

const VIEWS: Suite<Caller>["cases"] = [
  {
    name: "a view stays the mapping's memory, however much is mapped after it",
    run(t) {
      const at = t.memory(4 * PAGE);
      const early = t.bytes(at, 4 * PAGE);
      fill(early, 1);
      for (let round = 0; round < 32; round++) t.memory(16 * PAGE);
      t.block(200_000);
      equal(early.length, 4 * PAGE);
      equal(t.bytes(at, 4 * PAGE), early);
      t.bytes(at, 4 * PAGE)[9] = 0xee;
      equal(early[9], 0xee);
    },
  },
  {
    name: "a view of a part, over the border of two mappings or of what is not mapped",
    run(t) {
      const at = t.memory(2 * PAGE, USER_BASE, READ_WRITE, MAP_FIXED_NOREPLACE);
      fill(t.bytes(at, 2 * PAGE), 3);
      equal(t.bytes(at + 4000n, 200), t.bytes(at, 2 * PAGE).slice(4000, 4200));
      equal(t.kernel.view(at + PAGE64, PAGE + 1).length, 0, "beyond the mapping");
      equal(t.kernel.view(USER_BASE - PAGE64, PAGE).length, 0, "before the mapping");
      equal(t.kernel.view(at, 0).length, 0, "no bytes");
    },
  },
  {
    name: "munmap of a part leaves both ends with their content",
    run(t) {
      const at = t.memory(3 * PAGE);
      fill(t.bytes(at, 3 * PAGE), 5);
      const [head, tail] = [t.bytes(at, PAGE).slice(), t.bytes(at + 2n * PAGE64, PAGE).slice()];
      equal(t.kernel.munmap(at + PAGE64, PAGE), 0);
      check(isUnmapped(t, at + PAGE64), "the middle is still mapped");
      check(isUnmapped(t, at, 3 * PAGE), "a view reaches over the hole");
      equal(t.bytes(at, PAGE), head);
      equal(t.bytes(at + 2n * PAGE64, PAGE), tail);
    },
  },
  {
    name: "munmap rounds up to pages, does not mind holes, and refuses an address inside a page",
    run(t) {
      const at = t.memory(4 * PAGE);
      equal(codeOf(t.kernel.munmap(at + 1n, PAGE)), "EINVAL");
      equal(codeOf(t.kernel.munmap(at, 0)), "EINVAL");
      equal(t.kernel.munmap(at + PAGE64, 1), 0);
      check(isUnmapped(t, at + PAGE64), "one byte did not unmap its page");
      equal(t.kernel.munmap(at, 4 * PAGE), 0);
      equal(t.kernel.munmap(at, 4 * PAGE), 0);
    },
  },
  {
    name: "memory without access takes addresses and nothing else: no view, no argument",
    run(t) {
      const at = t.memory(PAGE, 0n, PROT_NONE);
      check(isUnmapped(t, at), "a view of PROT_NONE");
      equal(t.askAt(t.iommu(), "IOAS_ALLOC", at), "EFAULT");
      equal(codeOf(t.tryMmap(at, PAGE, READ_WRITE, ANONYMOUS | MAP_FIXED_NOREPLACE)), "EEXIST");
    },
  },
];

const FILES: Suite<Caller>["cases"] = [
  {
    name: "two shared mappings of a memory file are the same memory, a private one is a copy",
    run(t) {
      const file = t.memfd(2 * PAGE);
      const map = (flags: number, offset: number) => t.tryMmap(0n, PAGE, READ_WRITE, flags, file, offset);
      const [one, other, second] = [map(MAP_SHARED, 0), map(MAP_SHARED, 0), map(MAP_SHARED, PAGE)];
      t.bytes(one, PAGE)[7] = 99;
      equal(t.bytes(other, PAGE)[7], 99);
      equal(t.bytes(second, PAGE), new Uint8Array(PAGE));
      const copy = map(MAP_PRIVATE, 0);
      equal(t.bytes(copy, PAGE)[7], 99);
      t.bytes(copy, PAGE)[7] = 1;
      equal(t.bytes(one, PAGE)[7], 99);
    },
  },
  {
    name: "a mapping of a memory file outlives its descriptor",
    run(t) {
      const file = t.memfd(PAGE);
      const at = t.tryMmap(0n, PAGE, READ_WRITE, MAP_SHARED, file);
      t.bytes(at, PAGE)[0] = 17;
      t.close(file);
      equal(t.bytes(at, PAGE)[0], 17);
    },
  },
  {
    name: "files without memory cannot be mapped",
    run(t) {
      const map = (fd: number, flags: number) => codeOf(t.tryMmap(0n, PAGE, PROT_READ, flags, fd));
      equal(map(t.eventfd(), MAP_SHARED), "ENODEV");
      equal(map(t.iommu(), MAP_SHARED), "ENXIO");
      equal(map(t.iommu(), MAP_PRIVATE), "EINVAL");
      equal(map(t.device(t.devices.alone), MAP_SHARED), "EINVAL");
    },
  },
  {
    name: "when memory is used up, the answer is ENOMEM and what was mapped stays",
    run(t) {
      const kept = t.memory(PAGE);
      fill(t.bytes(kept, PAGE), 11);
      const copy = t.bytes(kept, PAGE).slice();
      // More than any process has addresses for, in pieces that a kernel without overcommit runs out of long before.
      for (let pieces = 0;; pieces++) {
        const at = t.tryMmap(0n, 2 ** 44, READ_WRITE, ANONYMOUS);
        if (at < 0n) {
          equal(codeOf(at), "ENOMEM");
          break;
        }
        if (pieces > 16) throw new CheckError("There is no end of memory");
      }
      equal(t.bytes(kept, PAGE), copy);
      t.memory(PAGE);
    },
  },
];

/** Blocks, mmap, munmap, view. */
export const MEMORY: Suite<Caller> = { name: "memory", cases: [...BLOCKS, ...PLACES, ...VIEWS, ...FILES] };
