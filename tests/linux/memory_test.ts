/**
 * Memory of the running process: what arrays over it do when it goes, and that nobody else's is touched.
 *
 * @module
 */
import { deepStrictEqual, notStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { LinuxKernel } from "../../backends/linux/kernel.ts";
import { ERRNO } from "../../uapi/errno.ts";
import {
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_HUGE_1GB,
  MAP_HUGE_2MB,
  MAP_HUGETLB,
  MAP_SHARED,
  PROT_NONE,
  PROT_READ,
} from "../../uapi/kernel.ts";
import { ANONYMOUS, memory, PAGE, PAGE64, READ_WRITE, test } from "./open.ts";

test("arrays over memory that is unmapped have no length, those over the rest of the mapping stay", (kernel) => {
  const at = memory(kernel, 4 * PAGE);
  const [whole, head, border, tail] = [[0, 4 * PAGE], [0, PAGE], [PAGE - 8, 16], [3 * PAGE, PAGE]].map(([start, length]) =>
    kernel.view(at + BigInt(start!), length!)
  );
  const fields = new DataView(whole!.buffer);
  whole!.fill(9);
  strictEqual(kernel.munmap(at + PAGE64, PAGE), 0);
  deepStrictEqual([whole, head, border, tail].map((array) => array!.length), [0, PAGE, 0, PAGE]);
  deepStrictEqual([head![5], tail![5]], [9, 9]);
  throws(() => fields.getUint8(0), TypeError);
  strictEqual(kernel.view(at, 2 * PAGE).length, 0);
  head![5] = 8;
  strictEqual(kernel.view(at, PAGE)[5], 8);
});

test("arrays over memory that MAP_FIXED replaces have no length", (kernel) => {
  const at = memory(kernel, 2 * PAGE);
  const [first, second] = [kernel.view(at, PAGE), kernel.view(at + PAGE64, PAGE)];
  first.fill(1);
  strictEqual(memory(kernel, PAGE, at, MAP_FIXED), at);
  deepStrictEqual([first.length, second.length, kernel.view(at, PAGE)[0]], [0, PAGE, 0]);
});

test("the arrays of a kernel object end with it: of mappings, of blocks that were not disposed, of long blocks", () => {
  const kernel = new LinuxKernel();
  const mapped = kernel.view(memory(kernel, PAGE), PAGE);
  const blocks = [kernel.block(8), kernel.block(100_000)];
  const alias = kernel.view(blocks[0]!.address, 8);
  kernel[Symbol.dispose]();
  deepStrictEqual([mapped.length, alias.length, ...blocks.flatMap(({ bytes, view: { buffer } }) => [bytes.length, buffer.byteLength])], [
    0,
    0,
    0,
    0,
    0,
    0,
  ]);
  throws(() => kernel.block(8), RangeError);
  strictEqual(kernel.mmap(0n, PAGE, READ_WRITE, ANONYMOUS, -1, 0), BigInt(-ERRNO.EBADF));
  kernel[Symbol.dispose]();
});

test("a block that was disposed shows nothing, and a long one's memory is gone", (kernel) => {
  for (const length of [8, 70_000]) {
    const block = kernel.block(length);
    const kept = block.bytes;
    block[Symbol.dispose]();
    block[Symbol.dispose]();
    deepStrictEqual([block.bytes.length, block.view.byteLength], [0, 0]);
    if (length > 65_536) strictEqual(kept.length, 0);
  }
});

test("memory of blocks is neither unmapped nor replaced by a program", (kernel) => {
  using block = kernel.block(100);
  block.bytes[3] = 3;
  const page = block.address / PAGE64 * PAGE64;
  strictEqual(kernel.munmap(page, PAGE), -ERRNO.EPERM);
  strictEqual(kernel.mmap(page, PAGE, READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0), BigInt(-ERRNO.EPERM));
  strictEqual(block.bytes[3], 3);
});

test("memory that the kernel object did not map is neither unmapped, replaced nor shown", (kernel) => {
  using other = new LinuxKernel();
  const at = memory(other, 3 * PAGE);
  const bytes = other.view(at, 3 * PAGE);
  bytes.fill(7);
  strictEqual(kernel.munmap(at, 3 * PAGE), 0);
  strictEqual(kernel.view(at, PAGE).length, 0);
  strictEqual(kernel.mmap(at, PAGE, READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0), BigInt(-ERRNO.EPERM));
  // Beginning in a hole and ending in somebody else's memory.
  other.munmap(at, PAGE);
  strictEqual(kernel.mmap(at, 2 * PAGE, READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0), BigInt(-ERRNO.EPERM));
  deepStrictEqual(other.view(at + PAGE64, 2 * PAGE), new Uint8Array(2 * PAGE).fill(7));
  // The room that was looked at is free again.
  strictEqual(other.mmap(at, PAGE, READ_WRITE, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), at);
});

test("an mmap that fails keeps what it was to replace, and the arrays over it", (kernel) => {
  const at = memory(kernel, PAGE);
  const bytes = kernel.view(at, PAGE);
  bytes[0] = 5;
  using other = new LinuxKernel();
  const file = kernel.eventfd(0, 0);
  strictEqual(kernel.mmap(at, PAGE, READ_WRITE, MAP_SHARED | MAP_FIXED, file, 0), BigInt(-ERRNO.ENODEV));
  // A kernel that takes the old mapping away all the same must not leave an array over nothing.
  ok(bytes.length === 0 || bytes[0] === 5);
  strictEqual(kernel.view(at, PAGE).length, bytes.length);
  strictEqual(kernel.mmap(at, PAGE, READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0), at);
  ok(other);
});

test("memory that cannot be written is not shown, since a write would end the process", (kernel) => {
  for (const prot of [PROT_NONE, PROT_READ]) {
    const at = kernel.mmap(0n, PAGE, prot, ANONYMOUS, -1, 0);
    ok(at > 0n);
    strictEqual(kernel.view(at, 1).length, 0);
  }
});

test("a mapping beyond the end of its file is shown up to the end's page, and the file cannot shrink", (kernel) => {
  const file = kernel.memfd("short", PAGE + 1);
  const at = kernel.mmap(0n, 4 * PAGE, READ_WRITE, MAP_SHARED, file, 0);
  deepStrictEqual([2 * PAGE, 2 * PAGE + 1].map((length) => kernel.view(at, length).length), [2 * PAGE, 0]);
  const second = kernel.mmap(0n, 4 * PAGE, READ_WRITE, MAP_SHARED, file, PAGE);
  deepStrictEqual([PAGE, PAGE + 1].map((length) => kernel.view(second, length).length), [PAGE, 0]);
  throws(() => Deno.truncateSync(`/proc/self/fd/${file}`, 0));
});

/** Free huge pages of a length, from what the kernel says. */
function freeHugePages(kibibytes: number): number {
  try {
    return Number(Deno.readTextFileSync(`/sys/kernel/mm/hugepages/hugepages-${kibibytes}kB/free_hugepages`));
  } catch {
    return 0;
  }
}

test("huge pages are whole in length, and ENOMEM where the pool has none", (kernel) => {
  for (const [flag, length] of [[MAP_HUGE_2MB, 2 ** 21], [MAP_HUGE_1GB, 2 ** 30]] as const) {
    const at = kernel.mmap(0n, PAGE, READ_WRITE, ANONYMOUS | MAP_HUGETLB | flag, -1, 0);
    const free = freeHugePages(length / 1024);
    // Only sizes that the processor has are known at all.
    if (free === 0) ok(at === BigInt(-ERRNO.ENOMEM) || at === BigInt(-ERRNO.EINVAL), `${at}`);
    else {
      strictEqual(at % BigInt(length), 0n);
      strictEqual(kernel.view(at, length).length, length);
      strictEqual(kernel.munmap(at, PAGE), -ERRNO.EINVAL);
      strictEqual(kernel.munmap(at, length), 0);
    }
  }
});

test("a range is shown by one buffer for as long as somebody has it, and many ranges cost no memory that stays", (kernel) => {
  const at = memory(kernel, 64 * PAGE);
  strictEqual(kernel.view(at, PAGE).buffer, kernel.view(at, PAGE).buffer);
  notStrictEqual(kernel.view(at, PAGE).buffer, kernel.view(at, PAGE + 1).buffer);
  for (let round = 0; round < 20_000; round++) kernel.view(at + BigInt(round % PAGE), 1 + round % 100)[0] = round;
  strictEqual(kernel.munmap(at, 64 * PAGE), 0);
});
