/**
 * Eventfds, and waiting for them.
 *
 * @module
 */
import { EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE } from "../../uapi/kernel.ts";
import { check, equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import { type Caller, codeOf } from "./caller.ts";
import { MAX64 } from "./steps.ts";

/** What a read takes, or the error. */
export function take(t: Caller, fd: number): bigint | string {
  using block = t.kernel.block(8);
  const result = t.kernel.read(fd, block, 8);
  return result === 8 ? block.view.getBigUint64(0, true) : codeOf(result);
}

/** Add to an eventfd. The code of the answer. */
export function add(t: Caller, fd: number, value: bigint): string {
  using block = t.kernel.block(8);
  block.view.setBigUint64(0, value, true);
  const result = t.kernel.write(fd, block, 8);
  return result === 8 ? "OK" : codeOf(result);
}

const COUNTING: Suite<Caller>["cases"] = [
  {
    name: "a read takes the whole count, and the next finds nothing",
    run(t) {
      const fd = t.eventfd(3, EFD_NONBLOCK);
      equal([add(t, fd, 4n), take(t, fd), take(t, fd)], ["OK", 7n, "EAGAIN"]);
    },
  },
  {
    name: "a read of a semaphore takes one",
    run(t) {
      const fd = t.eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE);
      equal([take(t, fd), take(t, fd), take(t, fd)], [1n, 1n, "EAGAIN"]);
    },
  },
  {
    name: "the count goes up to 2^64 − 2: a write that would pass it waits, one of 2^64 − 1 is never right",
    run(t) {
      const fd = t.eventfd(0, EFD_NONBLOCK);
      equal(add(t, fd, MAX64), "EINVAL");
      equal([add(t, fd, MAX64 - 1n), add(t, fd, 1n), add(t, fd, 0n)], ["OK", "EAGAIN", "OK"]);
      equal(take(t, fd), MAX64 - 1n);
    },
  },
  {
    name: "fewer than eight bytes are EINVAL, more are eight",
    run(t) {
      const fd = t.eventfd(5, EFD_NONBLOCK);
      const block = t.block(16);
      equal(codeOf(t.kernel.read(fd, block, 7)), "EINVAL");
      equal(codeOf(t.kernel.write(fd, block, 7)), "EINVAL");
      equal(t.kernel.read(fd, block, 16), 8);
      equal(block.view.getBigUint64(0, true), 5n);
    },
  },
  {
    name: "unknown flags are EINVAL, the initial count is 32 bits",
    run(t) {
      equal(codeOf(t.adopt(t.kernel.eventfd(0, 0x1000))), "EINVAL");
      const fd = t.eventfd(0xffff_ffff, EFD_NONBLOCK | EFD_CLOEXEC);
      equal(take(t, fd), 0xffff_ffffn);
    },
  },
];

const WAITING: Suite<Caller>["cases"] = [
  {
    name: "waiting for what is readable ends at once, and takes nothing",
    async run(t) {
      const fd = t.eventfd(1, EFD_NONBLOCK);
      equal([await t.kernel.wait(fd), await t.kernel.wait(fd)], [0, 0]);
      equal(take(t, fd), 1n);
    },
  },
  {
    name: "waiting ends when another part of the program writes",
    async run(t) {
      const fd = t.eventfd(0, EFD_NONBLOCK);
      const waiting = t.kernel.wait(fd);
      equal(add(t, fd, 1n), "OK");
      equal(await waiting, 0);
    },
  },
  {
    name: "waiting ends with EINTR when the signal aborts, before or during",
    async run(t) {
      const fd = t.eventfd(0, EFD_NONBLOCK);
      equal(codeOf(await t.kernel.wait(fd, AbortSignal.abort())), "EINTR");
      const controller = new AbortController();
      const waiting = t.kernel.wait(fd, controller.signal);
      controller.abort();
      equal(codeOf(await waiting), "EINTR");
      add(t, fd, 1n);
      equal(await t.kernel.wait(fd), 0, "a wait after one that was aborted");
    },
  },
  {
    name: "waiting ends with EBADF when the file is closed, and is EBADF for no file",
    async run(t) {
      const fd = t.eventfd(0, EFD_NONBLOCK);
      const waiting = t.kernel.wait(fd);
      t.close(fd);
      equal(codeOf(await waiting), "EBADF");
      equal(codeOf(await t.kernel.wait(999)), "EBADF");
    },
  },
  {
    name: "several waits for one file all end, and one for another does not",
    async run(t) {
      const [one, other] = [t.eventfd(0, EFD_NONBLOCK), t.eventfd(0, EFD_NONBLOCK)];
      const controller = new AbortController();
      const waiting = [t.kernel.wait(one), t.kernel.wait(one)];
      const idle = t.kernel.wait(other, controller.signal);
      add(t, one, 1n);
      equal(await Promise.all(waiting), [0, 0]);
      controller.abort();
      check(codeOf(await idle) === "EINTR", "the wait for another file ended");
    },
  },
];

/** Eventfds. */
export const EVENTFD: Suite<Caller> = { name: "eventfd", cases: [...COUNTING, ...WAITING] };
