/**
 * Every call with any arguments, and error numbers under load.
 *
 * @module
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import type { LinuxKernel } from "../../backends/linux/kernel.ts";
import { ERRNO } from "../../uapi/errno.ts";
import { EFD_NONBLOCK, type Kernel, O_RDWR } from "../../uapi/kernel.ts";
import { test } from "./open.ts";

/** What a program without types can pass. Signals and blocks apart, which are objects that it must have made. */
const ANYTHING: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    undefined,
    null,
    NaN,
    Infinity,
    -Infinity,
    -0,
    0.5,
    -1,
    -1n,
    2 ** 31,
    2 ** 32,
    2 ** 53,
    -(2 ** 53),
    2n ** 64n,
    {},
    [],
    "",
  ),
  fc.constantFrom<unknown>("length", "__proto__", "\0", "/dev/null", "/proc/self/fd", true, Symbol.iterator, () => 1),
  fc.integer({ min: -2, max: 4096 }),
  fc.bigInt({ min: -1n, max: 2n ** 64n }),
  fc.string(),
);

const CALLS = [
  "close",
  "ioctl",
  "read",
  "write",
  "pread",
  "pwrite",
  "munmap",
  "view",
  "eventfd",
  "memfd",
  "list",
  "readlink",
  "readFile",
] as const;

/** Answers: results, −errno, or what the call gives. */
function isAnswer(answer: unknown): boolean {
  if (typeof answer === "number") return Number.isInteger(answer) && answer >= -133;
  return typeof answer === "bigint" ? answer >= -133n : answer instanceof Uint8Array || Array.isArray(answer) || typeof answer === "string";
}

test("calls with any arguments answer and never throw", (kernel) => {
  const anyCall = fc.tuple(fc.constantFrom(...CALLS), fc.array(ANYTHING, { minLength: 4, maxLength: 6 }));
  fc.assert(
    fc.property(anyCall, ([call, values]) => {
      const answer = (kernel[call] as (...values: unknown[]) => unknown).apply(kernel, values);
      ok(isAnswer(answer), `${call}: ${String(answer)}`);
      // Files that were made by chance would use up the numbers.
      if ((call === "eventfd" || call === "memfd") && typeof answer === "number" && answer >= 0) strictEqual(kernel.close(answer), 0);
    }),
    { numRuns: 20_000 },
  );
});

test("an open file takes any other argument, and mmap does", (kernel) => {
  const fd = kernel.eventfd(1, EFD_NONBLOCK);
  const file = kernel.memfd("any", 4096);
  const onFile = ["ioctl", "read", "write", "pread", "pwrite"] as const;
  fc.assert(
    fc.property(
      fc.constantFrom(...onFile),
      fc.constantFrom(fd, file),
      fc.array(ANYTHING, { minLength: 3, maxLength: 3 }),
      (call, fd, values) => {
        using block = kernel.block(64);
        // An address that is no block's is the program's own risk, so a block it is.
        const rest = call === "ioctl" ? [0x5401, block] : [block, ...values.slice(1)];
        const answer = (kernel[call] as (...values: unknown[]) => unknown).apply(kernel, [fd, ...rest]);
        ok(isAnswer(answer), `${call}: ${String(answer)}`);
      },
    ),
    { numRuns: 5000 },
  );
  fc.assert(
    fc.property(fc.array(ANYTHING, { minLength: 6, maxLength: 6 }), fc.constantFrom(fd, file, -1), (values, fd) => {
      const arguments_ = values.with(4, fd) as Parameters<Kernel["mmap"]>;
      const at = kernel.mmap(...arguments_);
      ok(isAnswer(at), String(at));
      if (at >= 0n) strictEqual(kernel.munmap(at, arguments_[1]), 0);
    }),
    { numRuns: 5000 },
  );
});

/** Calls that fail, each with its own number. */
function failures(kernel: LinuxKernel): { readonly run: () => number; readonly code: number }[] {
  const eventfd = kernel.eventfd(0, EFD_NONBLOCK);
  const block = kernel.block(64);
  return [
    { run: () => kernel.open("/dev/no-such", O_RDWR), code: ERRNO.ENOENT },
    { run: () => kernel.open("/proc", O_RDWR), code: ERRNO.EISDIR },
    { run: () => kernel.open("/proc/self/status/x", O_RDWR), code: ERRNO.ENOTDIR },
    { run: () => kernel.ioctl(eventfd, 0x3b81, block), code: ERRNO.ENOTTY },
    { run: () => kernel.read(eventfd, block, 8), code: ERRNO.EAGAIN },
    { run: () => kernel.read(eventfd, block, 7), code: ERRNO.EINVAL },
    { run: () => kernel.pread(eventfd, block, 8, 0), code: ERRNO.ESPIPE },
    { run: () => Number(kernel.mmap(0n, 4096, 3, 1, eventfd, 0)), code: ERRNO.ENODEV },
  ];
}

test("each call that fails has its own error number, whatever is allocated, collected and awaited in between", async (kernel) => {
  const calls = failures(kernel);
  const controller = new AbortController();
  const waiting = kernel.wait(kernel.eventfd(0, EFD_NONBLOCK), controller.signal);
  const wrong: string[] = [];
  let garbage: unknown[] = [];
  for (let round = 0; round < 100_000; round++) {
    const { run, code } = calls[round * 7 % calls.length]!;
    const result = run();
    if (result !== -code) wrong.push(`${result}, not ${-code}`);
    garbage.push(new Array(16).fill(round), new Uint8Array(round % 2000));
    if (garbage.length > 2000) garbage = [];
    if (round % 10_000 === 0) await Deno.stat("/").catch(() => {});
  }
  controller.abort();
  strictEqual(await waiting, -ERRNO.EINTR);
  deepStrictEqual(wrong, []);
});
