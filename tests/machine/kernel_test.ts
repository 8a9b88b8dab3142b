/**
 * The simulated kernel above a device: waiting, time, blocks, files, and what the core is told of the machine.
 *
 * @module
 */
import { deepStrictEqual, notStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { InertDevice } from "../../backends/simulated/devices/inert.ts";
import { ERRNO } from "../../uapi/errno.ts";
import { O_RDWR } from "../../uapi/kernel.ts";
import { onFakeCore } from "./fake_core.ts";
import { ProbeDevice } from "./probe_device.ts";
import { device as deviceNode, pcieToPci, rootPort } from "./shapes.ts";

/** A machine whose device signals `eventfd` by a message that needs no driver. */
function machineWithSignal() {
  const device = new ProbeDevice({ interruptPin: 1 });
  const { kernel, core } = onFakeCore({ pci: [{ slot: "04.0", model: device }] });
  const eventfd = kernel.eventfd(0, 0);
  core.route(0, 0, 0, eventfd);
  return { kernel, core, eventfd, device, bus: device.bus };
}

Deno.test("wait runs the machine's events until the file is readable, and no further", async () => {
  const { kernel, eventfd, bus } = machineWithSignal();
  const ran: string[] = [];
  bus.clock.after(5_000, () => ran.push("before"));
  bus.clock.after(10_000, () => bus.raise(0));
  bus.clock.after(20_000, () => ran.push("after"));
  strictEqual(await kernel.wait(eventfd), 0);
  deepStrictEqual(ran, ["before"]);
  ok(10_000 <= kernel.inspect.now && kernel.inspect.now < 11_000, String(kernel.inspect.now));
});

Deno.test("wait on a file that is readable answers at once", async () => {
  const { kernel, bus } = machineWithSignal();
  bus.clock.after(5_000, () => bus.raise(0));
  strictEqual(await kernel.wait(kernel.eventfd(1, 0)), 0);
  ok(kernel.inspect.now < 5_000);
});

Deno.test("wait ends with EBADF for no file and when the file closes, with EINTR when the signal aborts", async () => {
  const { kernel, eventfd } = machineWithSignal();
  strictEqual(await kernel.wait(999), -ERRNO.EBADF);
  const closed = kernel.wait(eventfd);
  kernel.close(eventfd);
  strictEqual(await closed, -ERRNO.EBADF);
  const controller = new AbortController();
  const aborted = kernel.wait(kernel.eventfd(0, 0), controller.signal);
  controller.abort();
  strictEqual(await aborted, -ERRNO.EINTR);
  strictEqual(await kernel.wait(kernel.eventfd(0, 0), AbortSignal.abort()), -ERRNO.EINTR);
  strictEqual(kernel.inspect.usage.waits, 0);
});

Deno.test("a wait with nothing due goes on when another part of the program writes the eventfd", async () => {
  const { kernel, eventfd } = machineWithSignal();
  const waiting = kernel.wait(eventfd);
  await new Promise((resolve) => setTimeout(resolve, 1));
  using block = kernel.block(8);
  block.view.setBigUint64(0, 1n, true);
  strictEqual(kernel.write(eventfd, block, 8), 8);
  strictEqual(await waiting, 0);
});

Deno.test("a wait goes on when another part of the program makes the device work", async () => {
  const { kernel, eventfd, bus } = machineWithSignal();
  const waiting = kernel.wait(eventfd);
  await new Promise((resolve) => setTimeout(resolve, 1));
  bus.clock.after(1_000, () => bus.raise(0));
  kernel.close(kernel.eventfd(0, 0));
  strictEqual(await waiting, 0);
});

Deno.test("of several waits each ends at the time its file becomes readable", async () => {
  const { kernel, core, eventfd, device, bus } = machineWithSignal();
  const other = kernel.eventfd(0, 0);
  const start = bus.clock.now;
  bus.clock.after(1_000, () => bus.raise(0));
  bus.clock.after(2_000, () => {
    core.route(0, 0, 0, other);
    bus.lower();
    bus.raise(0);
  });
  const order: [string, number][] = [];
  const waiting = [
    kernel.wait(other).then(() => order.push(["other", bus.clock.now])),
    kernel.wait(eventfd).then(() => order.push(["first", bus.clock.now])),
  ];
  await Promise.all(waiting);
  deepStrictEqual(order, [["first", 1_000 + start], ["other", 2_000 + start]]);
  deepStrictEqual(device.log, ["reset"]);
});

Deno.test("an endless run of events lets timers and abort signals of the program through", async () => {
  const { kernel, eventfd, bus } = machineWithSignal();
  const again = () => void bus.clock.after(10, again);
  again();
  strictEqual(await kernel.wait(eventfd, AbortSignal.timeout(20)), -ERRNO.EINTR);
  ok(kernel.inspect.statistics.events > 1024);
});

/** Let as many microtasks go by as deep async functions take between two system calls. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await undefined;
}

Deno.test("while a program does what a wait was for, time passes by its system calls alone", async () => {
  const { kernel, core, eventfd, bus } = machineWithSignal();
  const ran: string[] = [];
  bus.clock.after(1_000, () => bus.raise(0));
  bus.clock.after(50_000, () => ran.push("much later"));
  core.route(0, 0, 0, eventfd);
  const other = kernel.wait(kernel.eventfd(0, 0));
  strictEqual(await kernel.wait(eventfd), 0);
  const start = kernel.inspect.now;
  for (let call = 0; call < 20; call++) {
    await turns(20);
    kernel.close(999);
  }
  strictEqual(kernel.inspect.now, start + 20 * 300);
  deepStrictEqual(ran, []);
  // Once the program does nothing any more, its other wait goes on.
  await turns(100);
  deepStrictEqual(ran, ["much later"]);
  kernel[Symbol.dispose]();
  strictEqual(await other, -ERRNO.EBADF);
});

Deno.test("a wait that begins at once leaves the rest of the program its turn", async () => {
  const { kernel, eventfd, bus } = machineWithSignal();
  using block = kernel.block(8);
  const ran: string[] = [];
  bus.clock.after(1_000, () => bus.raise(0));
  bus.clock.after(50_000, () => ran.push("much later"));
  const rest = async () => {
    await turns(20);
    ran.push("rest");
  };
  strictEqual(await kernel.wait(eventfd), 0);
  kernel.read(eventfd, block, 8);
  const resting = rest();
  const again = kernel.wait(eventfd);
  await resting;
  await turns(100);
  deepStrictEqual(ran, ["rest", "much later"]);
  kernel.close(eventfd);
  strictEqual(await again, -ERRNO.EBADF);
});

Deno.test("a part of the program that never rests does not keep another one waiting", async () => {
  const { kernel, eventfd, bus } = machineWithSignal();
  bus.clock.after(20_000, () => bus.raise(0));
  let isWoken = false;
  const waiting = kernel.wait(eventfd).then((result) => {
    isWoken = true;
    return result;
  });
  let calls = 0;
  for (; !isWoken && calls < 1_000; calls++) {
    await undefined;
    kernel.close(999);
  }
  ok(60 < calls && calls < 80, String(calls));
  strictEqual(await waiting, 0);
});

Deno.test("relax runs the next event, however far it is", () => {
  const { kernel, bus } = machineWithSignal();
  let ran = 0;
  bus.clock.after(1_000_000, () => ran++);
  kernel.relax();
  strictEqual(ran, 1);
  strictEqual(kernel.inspect.now >= 1_000_000, true);
});

Deno.test("system calls take time, in which devices run", () => {
  const { kernel, bus } = machineWithSignal();
  let ran = 0;
  bus.clock.after(1_000, () => ran++);
  const calls = () => Array.from({ length: 3 }, () => kernel.close(999));
  calls();
  strictEqual(ran, 0);
  calls();
  strictEqual(ran, 1);
});

Deno.test("work outside virtual time stops it, and its results come in the order of asking", async () => {
  const { kernel, eventfd, bus } = machineWithSignal();
  const { promise: slow, resolve } = Promise.withResolvers<string>();
  const done: string[] = [];
  const use = async (work: Promise<string>) => {
    done.push(await bus.pending(work));
    bus.clock.after(100, () => done.length === 2 && bus.raise(0));
  };
  use(slow);
  use(Promise.resolve("fast"));
  bus.clock.after(1, () => done.push("too early"));
  const before = kernel.inspect.now;
  kernel.relax();
  kernel.close(999);
  strictEqual(kernel.inspect.now, before);
  setTimeout(() => resolve("slow"), 5);
  const waiting = kernel.wait(eventfd);
  await slow;
  strictEqual(await Promise.race([waiting, new Promise((end) => setTimeout(() => end("none"), 20))]), "none");
  deepStrictEqual(done, ["slow", "fast", "too early"]);
});

Deno.test("work that fails does not stop time for good", async () => {
  const { kernel, eventfd, bus } = machineWithSignal();
  bus.pending(Promise.reject(new Error("media gone"))).catch(() => bus.raise(0));
  strictEqual(await kernel.wait(eventfd), 0);
  kernel.close(999);
  ok(kernel.inspect.now > 0);
});

Deno.test("blocks are zeroed, apart, aligned to 8, and used again", () => {
  const { kernel } = machineWithSignal();
  const one = kernel.block(40);
  const other = kernel.block(40);
  strictEqual(one.bytes.length, 40);
  strictEqual(one.view.byteLength, 40);
  strictEqual(one.address % 8n, 0n);
  notStrictEqual(one.address, other.address);
  one.bytes.fill(0xff);
  deepStrictEqual(other.bytes, new Uint8Array(40));
  strictEqual(kernel.inspect.usage.blocks, 2);
  const { address } = one;
  one[Symbol.dispose]();
  one[Symbol.dispose]();
  strictEqual(kernel.inspect.usage.blocks, 1);
  const again = kernel.block(48);
  strictEqual(again.address, address);
  deepStrictEqual(again.bytes, new Uint8Array(48));
  deepStrictEqual(kernel.view(again.address, 48).buffer, again.bytes.buffer);
});

Deno.test("a block of no length, and one that memory has no room for, is a RangeError", () => {
  const { kernel } = machineWithSignal();
  for (const length of [0, -1, 0.5, 2 ** 40]) throws(() => kernel.block(length), RangeError);
  kernel.block(100_000)[Symbol.dispose]();
  strictEqual(kernel.inspect.usage.blocks, 0);
});

Deno.test("files are opened by path, with Linux's errors for what cannot be", () => {
  const { kernel } = machineWithSignal();
  ok(kernel.open("/dev/iommu", O_RDWR) > 2);
  strictEqual(kernel.open("/dev/vfio/devices/vfio1", O_RDWR), -ERRNO.ENOENT);
  strictEqual(kernel.open("/dev/vfio/devices", O_RDWR), -ERRNO.EISDIR);
  strictEqual(kernel.open("/sys/bus/pci/devices/0000:00:04.0/vendor", O_RDWR), -ERRNO.EACCES);
});

Deno.test("arguments that are no numbers of a system call are errors and not exceptions", () => {
  const { kernel } = machineWithSignal();
  const fd = kernel.open("/dev/iommu", O_RDWR);
  for (const value of [NaN, 0.5, Infinity]) strictEqual(kernel.ioctl(fd, 0x3b80, value), -ERRNO.EINVAL);
  strictEqual(kernel.mmap(0n, -1, 3, 0x22, -1, 0), BigInt(-ERRNO.EINVAL));
  strictEqual(kernel.mmap(-1n, 4096, 3, 0x22, -1, 0), BigInt(-ERRNO.EINVAL));
  strictEqual(kernel.munmap(0n, NaN), -ERRNO.EINVAL);
  strictEqual(kernel.memfd("x", -1), -ERRNO.EINVAL);
  strictEqual(kernel.view(0n, -1).length, 0);
});

Deno.test("the core is told of groups, requesters, regions, interrupts and reserved ranges", () => {
  const reserved = [{ start: 0x1000n, last: 0x1fffn, kind: "direct" as const }];
  const model = new InertDevice({ bars: [{ index: 2, length: 4096 }], interruptPin: 1, msi: 2 });
  const { core } = onFakeCore({
    iommu: { kind: "amdvi" },
    pci: [{ slot: "04.0", model, reserved }, deviceNode("05.0"), deviceNode("05.1", { driver: "ahci" })],
  });
  deepStrictEqual(core.described.filter(([what]) => what === "group" || what === "device" || what === "blocks"), [
    ["group"],
    ["device", 0, 0x20, 7],
    ["blocks", 0, false],
    ["group"],
    ["device", 1, 0x28, 7],
    ["blocks", 1, false],
    ["device", 1, 0x29, 7],
    ["blocks", 2, true],
  ]);
  const ofFirst = (kind: string) => core.described.filter(([what, device]) => what === kind && device === 0).map((call) => call.slice(2));
  deepStrictEqual(
    ofFirst("region"),
    [0, 1, 2, 3, 4, 5, 6, 7].map((region) => {
      const isThere = region === 2 || region === 7;
      return [region, isThere ? 4096n : 0n, isThere ? 3 : 0, region === 2 ? 0xc000_0000n : 0n];
    }),
  );
  deepStrictEqual(ofFirst("irq"), [[0, 1, 7], [1, 2, 9], [2, 0, 1], [3, 1, 9], [4, 1, 9]]);
  deepStrictEqual(ofFirst("reserved"), [[0xfee0_0000n, 0xfeef_ffffn, 3], [0xfd_0000_0000n, 0xff_ffff_ffffn, 2], [0x1000n, 0x1fffn, 0]]);
});

Deno.test("devices that the IOMMU cannot tell apart have one requester for the core", () => {
  const { core } = onFakeCore({ pci: [rootPort("01.0", [pcieToPci("00.0", [deviceNode("01.0"), deviceNode("02.0")])])] });
  const requesters = core.described.filter(([what]) => what === "device").map(([, , requester]) => requester);
  deepStrictEqual(requesters, [0x200, 0x200]);
});

Deno.test("inspection shows each function's group and why", () => {
  const { kernel } = onFakeCore({ pci: [rootPort("01.0", [deviceNode()], false)] });
  deepStrictEqual(kernel.inspect.groups.map(({ address, group, reason }) => [address, group, reason.kind]), [
    ["0000:00:01.0", 0, "bridge"],
    ["0000:01:00.0", 0, "no-acs"],
  ]);
});

Deno.test("a length beyond 32 bits is refused or taken in pieces, and never cut", () => {
  const { kernel, core } = machineWithSignal();
  strictEqual(kernel.mmap(0n, 2 ** 32 + 4096, 3, 0x22, -1, 0), BigInt(-ERRNO.ENOMEM));
  strictEqual(kernel.memfd("x", 2 ** 32 + 4096), -ERRNO.ENOMEM);
  strictEqual(kernel.view(4096n, 2 ** 32 + 4096).length, 0);
  const pieces: [bigint, number][] = [];
  core.munmap = (...piece: [bigint, number]) => (pieces.push(piece), 0);
  strictEqual(kernel.munmap(4096n, 2 ** 33), 0);
  deepStrictEqual(pieces, [[4096n, 2 ** 32 - 4096], [2n ** 32n, 2 ** 32 - 4096], [2n ** 33n - 4096n, 8192]]);
  strictEqual(kernel.munmap(2n ** 47n - 4096n, 8192), -ERRNO.EINVAL);
});
