/**
 * Waiting on the running kernel: no thread for each file, no event of a file that had the number before, and an end of the program.
 *
 * @module
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { LinuxKernel } from "../../backends/linux/kernel.ts";
import { ERRNO } from "../../uapi/errno.ts";
import { type Block, EFD_NONBLOCK, O_CLOEXEC } from "../../uapi/kernel.ts";
import { descriptors, runScript, test } from "./open.ts";

/** Add one to an eventfd. */
function add(kernel: LinuxKernel, fd: number, block: Block): void {
  block.view.setBigUint64(0, 1n, true);
  strictEqual(kernel.write(fd, block, 8), 8);
}

/** Threads of this process. */
function threads(): number {
  return [...Deno.readDirSync("/proc/self/task")].length;
}

/** Let the event loop go round. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

test("hundreds of waits need one thread, and each ends by its own file", async (kernel) => {
  using block = kernel.block(8);
  const files = Array.from({ length: 300 }, () => kernel.eventfd(0, EFD_NONBLOCK));
  const ended: number[] = [];
  const before = threads();
  const waits = files.map((fd, index) => kernel.wait(fd).then((result) => ended.push(result === 0 ? index : result)));
  await turn();
  // The runtime may start threads of its own meanwhile; one for each wait would be hundreds.
  ok(threads() - before < 50, `${threads() - before} more threads`);
  deepStrictEqual(ended, []);
  const order = [7, 299, 0, 150];
  for (const index of order) {
    add(kernel, files[index]!, block);
    await waits[index];
  }
  deepStrictEqual(ended, order);
  for (const fd of files) add(kernel, fd, block);
  await Promise.all(waits);
  strictEqual(new Set(ended).size, 300);
});

test("the event loop goes on while somebody waits", async (kernel) => {
  using block = kernel.block(8);
  const fd = kernel.eventfd(0, EFD_NONBLOCK);
  let [turns, isOver] = [0, false];
  const waiting = kernel.wait(fd).then(() => isOver = true);
  while (turns < 20) {
    await turn();
    turns++;
  }
  strictEqual(isOver, false);
  add(kernel, fd, block);
  await waiting;
});

test("one file after the other, thousands of times: every wait ends, and nothing is left", async (kernel) => {
  using block = kernel.block(8);
  const files = [kernel.eventfd(0, EFD_NONBLOCK), kernel.eventfd(0, EFD_NONBLOCK)];
  for (let round = 0; round < 2000; round++) {
    const fd = files[round % 2]!;
    const waiting = kernel.wait(fd);
    if (round % 3 === 0) await turn();
    add(kernel, fd, block);
    strictEqual(await waiting, 0);
    strictEqual(kernel.read(fd, block, 8), 8);
  }
});

test("a wait that is aborted ends alone, and the file can be waited for again", async (kernel) => {
  using block = kernel.block(8);
  const fd = kernel.eventfd(0, EFD_NONBLOCK);
  const stays = kernel.wait(fd);
  for (let round = 0; round < 50; round++) {
    const controller = new AbortController();
    const waiting = kernel.wait(fd, controller.signal);
    if (round % 2 === 0) await turn();
    controller.abort();
    strictEqual(await waiting, -ERRNO.EINTR);
  }
  add(kernel, fd, block);
  strictEqual(await stays, 0);
});

test("a number that is used again is another file: its waits get no event of the old one", async (kernel) => {
  using block = kernel.block(8);
  for (let round = 0; round < 200; round++) {
    const old = kernel.eventfd(0, EFD_NONBLOCK);
    const ends = kernel.wait(old);
    if (round % 2 === 0) await turn();
    // The event may be on its way already.
    add(kernel, old, block);
    kernel.close(old);
    const file = kernel.eventfd(0, EFD_NONBLOCK);
    strictEqual(file, old);
    const controller = new AbortController();
    const waiting = kernel.wait(file, controller.signal);
    strictEqual(await ends, -ERRNO.EBADF);
    await turn();
    controller.abort();
    strictEqual(await waiting, -ERRNO.EINTR);
    kernel.close(file);
  }
});

test("what another part of the program reads first wakes nobody", async (kernel) => {
  using block = kernel.block(8);
  const fd = kernel.eventfd(0, EFD_NONBLOCK);
  let isOver = false;
  const waiting = kernel.wait(fd).then(() => isOver = true);
  for (let round = 0; round < 100; round++) {
    add(kernel, fd, block);
    strictEqual(kernel.read(fd, block, 8), 8);
    await turn();
  }
  strictEqual(isOver, false);
  add(kernel, fd, block);
  await waiting;
});

test("files that epoll refuses can be read at any time", async (kernel) => {
  for (const fd of [kernel.open(new URL(import.meta.url).pathname, O_CLOEXEC), kernel.memfd("ready", 1)]) {
    ok(fd >= 0);
    strictEqual(await kernel.wait(fd), 0);
  }
});

test("at the end of a kernel object its waits end, and its files are closed", async () => {
  await turn();
  const before = descriptors();
  const kernel = new LinuxKernel();
  const waits = [0, 0].map(() => kernel.wait(kernel.eventfd(0, EFD_NONBLOCK)));
  await turn();
  kernel[Symbol.dispose]();
  deepStrictEqual(await Promise.all(waits), [-ERRNO.EBADF, -ERRNO.EBADF]);
  strictEqual(await kernel.wait(3), -ERRNO.EBADF);
  // The thread that was in the kernel comes back.
  for (let tries = 0; tries < 1000 && descriptors().length > before.length; tries++) await turn();
  deepStrictEqual(descriptors(), before);
});

test("a program ends when nobody waits any more, and when a kernel object ends amid a wait", async () => {
  const { code, stdout, stderr } = await runScript(`
    using kernel = new LinuxKernel();
    const fd = kernel.eventfd(0, uapi.EFD_NONBLOCK);
    using block = kernel.block(8);
    block.view.setBigUint64(0, 1n, true);
    setTimeout(() => kernel.write(fd, block, 8), 10);
    console.log(await kernel.wait(fd));
    const other = new LinuxKernel();
    const waiting = other.wait(other.eventfd(0, uapi.EFD_NONBLOCK));
    setTimeout(() => other[Symbol.dispose](), 10);
    console.log(await waiting);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 10);
    console.log(await kernel.wait(kernel.eventfd(0, 0), controller.signal));
  `);
  deepStrictEqual({ code, stdout, stderr }, { code: 0, stdout: "0\n-9\n-4\n", stderr: "" });
});
