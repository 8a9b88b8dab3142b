import { deepStrictEqual, ok, rejects, strictEqual, throws } from "node:assert/strict";
import { record, replay, ReplayError, TRACE_VERSION } from "../../backends/wrap/mod.ts";
import * as codec from "../../uapi/codec.ts";
import { ERRNO } from "../../uapi/errno.ts";
import * as os from "../../uapi/kernel.ts";
import { drive } from "./driver.ts";
import { ToyKernel } from "./toy_kernel.ts";

const ANONYMOUS = os.MAP_PRIVATE | os.MAP_ANONYMOUS;

/** The trace of what `program` does on a toy kernel. */
async function traceOf(program: (kernel: os.Kernel) => unknown): Promise<string[]> {
  const lines: string[] = [];
  {
    using kernel = record(new ToyKernel(), (line) => lines.push(line));
    await program(kernel);
  }
  return lines;
}

Deno.test("a driver runs against its recording alone and finds the same", async () => {
  const found = await drive(new ToyKernel());
  const lines: string[] = [];
  using recorded = record(new ToyKernel(), (line) => lines.push(line));
  deepStrictEqual(await drive(recorded), found);
  recorded[Symbol.dispose]();
  const replayed = replay(lines);
  deepStrictEqual(await drive(replayed), found);
  strictEqual(replayed.remaining, 0);
  // The number that the device raised twice, and the relaxes until it did, came from the recording.
  deepStrictEqual([found[1], found[5]], [2, 43n]);
});

Deno.test("a recording can be replayed more than once, and a replay recorded", async () => {
  const lines = await traceOf(drive);
  const again: string[] = [];
  {
    using kernel = record(replay(lines), (line) => again.push(line));
    strictEqual(kernel.name, "record(replay(toy))");
    await drive(kernel);
  }
  deepStrictEqual(again.slice(1), lines.slice(1));
});

Deno.test("a trace is lines of JSON behind a header that names its version", async () => {
  const lines = await traceOf((kernel) => kernel.open("/dev/iommu", os.O_RDWR));
  deepStrictEqual(lines.map((line) => JSON.parse(line)), [
    { trace: "iommufd", version: TRACE_VERSION, kernel: "toy" },
    { call: "open", args: { path: "/dev/iommu", flags: 2 }, result: 3 },
  ]);
});

Deno.test("recording hands on the kernel's own blocks and views", () => {
  const toy = new ToyKernel();
  const kernel = record(toy, () => {});
  const block = kernel.block(16);
  block.bytes[3] = 7;
  strictEqual(toy.view(block.address, 16)[3], 7);
  const at = kernel.mmap(0n, 4096, 3, ANONYMOUS, -1, 0);
  strictEqual(kernel.view(at, 4096).buffer, toy.view(at, 4096).buffer);
});

Deno.test("another call than the recorded one is an error that names the call, what was expected and what came", async () => {
  const lines = await traceOf((kernel) => {
    kernel.open("/dev/iommu", os.O_RDWR);
    kernel.eventfd(0, 0);
  });
  const kernel = replay(lines);
  kernel.open("/dev/iommu", os.O_RDWR);
  throws(() => kernel.close(3), (error: unknown) => {
    ok(error instanceof ReplayError);
    deepStrictEqual([error.call, error.expected, error.got], [2, "eventfd(0, 0)", "close(3)"]);
    strictEqual(error.message, "Call 2 differs from the recording: expected eventfd(0, 0), got close(3)");
    return true;
  });
});

Deno.test("a request with other bytes than the recorded one is an error in words", async () => {
  const ask = (flags: number) => (kernel: os.Kernel) => {
    using block = kernel.block(codec.IoasAllocSize);
    codec.putIoasAlloc(block.view, 0, { flags });
    return kernel.ioctl(3, codec.IOAS_ALLOC, block);
  };
  const lines = await traceOf(ask(0));
  throws(() => ask(1)(replay(lines)), {
    message: "Call 2 differs from the recording: expected ioctl(3, IOAS_ALLOC, {flags=0}), got ioctl(3, IOAS_ALLOC, {flags=0x1})",
  });
});

Deno.test("what a pointer of a request reaches is compared too", async () => {
  const allow = (last: bigint) => (kernel: os.Kernel) => {
    using block = kernel.block(codec.IoasAllowIovasSize + codec.IovaRangeSize);
    const allowedIovas = block.address + BigInt(codec.IoasAllowIovasSize);
    codec.putIoasAllowIovas(block.view, 0, { ioasId: 1, numIovas: 1, allowedIovas });
    codec.putIovaRange(block.view, codec.IoasAllowIovasSize, { start: 0n, last });
    return kernel.ioctl(3, codec.IOAS_ALLOW_IOVAS, block);
  };
  const lines = await traceOf(allow(0xfffn));
  strictEqual(allow(0xfffn)(replay(lines)), -ERRNO.ENOTTY);
  throws(() => allow(0x1fffn)(replay(lines)), /last=0xfff}\].*got .*last=0x1fff}\]/);
});

Deno.test("calls behind the end of a recording are an error, and calls that are missing are counted", async () => {
  const lines = await traceOf((kernel) => kernel.open("/dev/iommu", 2));
  const kernel = replay(lines);
  strictEqual(kernel.remaining, 1);
  kernel.open("/dev/iommu", 2);
  strictEqual(kernel.remaining, 0);
  throws(() => kernel.relax(), /expected the end of the trace, got relax\(\)/);
});

Deno.test("a polling loop's relaxes are one line, and their number is checked", async () => {
  const lines = await traceOf((kernel) => {
    for (let index = 0; index < 1000; index++) kernel.relax();
    kernel.close(99);
  });
  strictEqual(lines.length, 3);
  strictEqual(JSON.parse(lines[1]!).times, 1000);
  const kernel = replay(lines);
  for (let index = 0; index < 999; index++) kernel.relax();
  throws(() => kernel.close(99), ReplayError);
  kernel.relax();
  strictEqual(kernel.close(99), -ERRNO.EBADF);
});

Deno.test("a change of memory appears at the call during which the device made it", async () => {
  const watchNumber = (kernel: os.Kernel): number[] => {
    const at = kernel.mmap(0n, 4096, 3, ANONYMOUS, -1, 0);
    const bytes = kernel.view(at, 4096);
    const block = kernel.block(8);
    block.view.setBigUint64(0, at + 4088n, true);
    kernel.pwrite(4, block, 8, 0);
    return [0, 1, 2, 3].map(() => {
      kernel.relax();
      return bytes[4088]!;
    });
  };
  const lines = await traceOf(watchNumber);
  deepStrictEqual(watchNumber(replay(lines)), [0, 1, 1, 1]);
  const changes = lines.map((line) => JSON.parse(line)).filter(({ memory }) => memory);
  deepStrictEqual(changes.map(({ call, memory }) => [call, memory]), [["relax", [{ at: "0x11ff8", bytes: "01" }]]]);
});

Deno.test("memory that holds something when it is first looked at holds it in the replay", async () => {
  const look = (kernel: os.Kernel): number => {
    const at = kernel.mmap(0n, 4096, 3, ANONYMOUS, -1, 0);
    using block = kernel.block(8);
    block.view.setBigUint64(0, at, true);
    kernel.pwrite(4, block, 8, 0);
    kernel.relax();
    kernel.relax();
    return kernel.view(at, 16)[0]!;
  };
  const lines = await traceOf(look);
  strictEqual(look(replay(lines)), 1);
});

Deno.test("two mappings of a memory file show the same bytes in a replay", async () => {
  const share = (kernel: os.Kernel): number => {
    const fd = kernel.memfd("shared", 8192);
    const one = kernel.view(kernel.mmap(0n, 8192, 3, os.MAP_SHARED, fd, 0), 8192);
    const two = kernel.view(kernel.mmap(0n, 4096, 3, os.MAP_SHARED, fd, 4096), 4096);
    one[4097] = 9;
    return two[1]!;
  };
  const lines = await traceOf(share);
  strictEqual(share(replay(lines)), 9);
});

Deno.test("a view may cross mappings that lie side by side, and ends where nothing is mapped", async () => {
  const cross = (kernel: os.Kernel): number[] => {
    const first = kernel.mmap(0n, 4096, 3, ANONYMOUS, -1, 0);
    const second = kernel.mmap(0n, 4096, 3, ANONYMOUS, -1, 0);
    strictEqual(second, first + 4096n);
    kernel.view(second, 1)[0] = 5;
    return [kernel.view(first, 8192)[4096]!, kernel.view(first, 1 << 30).byteLength];
  };
  const lines = await traceOf(cross);
  deepStrictEqual(cross(replay(lines)), [5, 0]);
});

Deno.test("unmapping a part leaves the rest of a replay's mapping", async () => {
  const part = (kernel: os.Kernel): bigint => {
    const at = kernel.mmap(0n, 3 * 4096, 3, ANONYMOUS, -1, 0);
    kernel.view(at, 3 * 4096).fill(1);
    kernel.munmap(at + 4096n, 4096);
    return at;
  };
  const lines = await traceOf(part);
  const kernel = replay(lines);
  const at = part(kernel);
  deepStrictEqual([0, 4096, 8192].map((offset) => kernel.view(at + BigInt(offset), 4096).byteLength), [4096, 0, 4096]);
  strictEqual(kernel.view(at + 8192n, 4096)[4095], 1);
});

Deno.test("a fixed mapping replaces what was there, with zeros", async () => {
  const replace = (kernel: os.Kernel): number[] => {
    const at = kernel.mmap(0n, 8192, 3, ANONYMOUS, -1, 0);
    kernel.view(at, 8192).fill(7);
    kernel.mmap(at, 4096, 3, ANONYMOUS | os.MAP_FIXED, -1, 0);
    return [...[0n, 4096n].map((offset) => kernel.view(at + offset, 1)[0]!)];
  };
  const lines = await traceOf(replace);
  deepStrictEqual(replace(replay(lines)), [0, 7]);
});

Deno.test("a wait that its signal ended ends in the replay once the program aborts", async () => {
  const interrupted = async (kernel: os.Kernel): Promise<[number, boolean]> => {
    const controller = new AbortController();
    const waiting = kernel.wait(kernel.eventfd(0, 0), controller.signal);
    let isOver = false;
    waiting.then(() => isOver = true);
    await new Promise((resolve) => setTimeout(resolve, 5));
    const wasOver = isOver;
    controller.abort();
    return [await waiting, wasOver];
  };
  const lines = await traceOf(interrupted);
  deepStrictEqual(await interrupted(replay(lines)), [-ERRNO.EINTR, false]);
});

Deno.test("waits resolve in the recording's order, between the calls where they did", async () => {
  const two = async (kernel: os.Kernel): Promise<string[]> => {
    const order: string[] = [];
    const [one, other] = [kernel.eventfd(0, 0), kernel.eventfd(0, 0)];
    const block = kernel.block(8);
    block.view.setBigUint64(0, 1n, true);
    const waits = [kernel.wait(one).then(() => order.push("one")), kernel.wait(other).then(() => order.push("other"))];
    kernel.write(other, block, 8);
    await waits[1];
    kernel.write(one, block, 8);
    await waits[0];
    return order;
  };
  const lines = await traceOf(two);
  deepStrictEqual(await two(replay(lines)), ["other", "one"]);
});

Deno.test("what changed when a wait ended is not seen by a caller that has not yielded since", async () => {
  const background = async (kernel: os.Kernel): Promise<number[]> => {
    const at = kernel.mmap(0n, 4096, 3, ANONYMOUS, -1, 0);
    const bytes = kernel.view(at, 4096);
    const [irq, block] = [kernel.eventfd(0, 0), kernel.block(codec.IrqSetSize + 4)];
    block.view.setInt32(codec.IrqSetSize, irq, true);
    kernel.ioctl(4, codec.DEVICE_SET_IRQS, block);
    const waiting = kernel.wait(irq);
    block.view.setBigUint64(0, at, true);
    kernel.pwrite(4, block, 8, 0);
    const before = bytes[0]!;
    await waiting;
    return [before, bytes[0]!];
  };
  const lines = await traceOf(background);
  deepStrictEqual(await background(replay(lines)), [0, 1]);
});

Deno.test("a block that the kernel refused is refused again", async () => {
  const refuse = (kernel: os.Kernel) => throws(() => kernel.block(1 << 24), RangeError);
  refuse(replay(await traceOf(refuse)));
});

Deno.test("what is no trace, or one of another version, is refused", async () => {
  throws(() => replay([]), SyntaxError);
  throws(() => replay(['{"name":"x"}']), SyntaxError);
  throws(() => replay([`{"trace":"iommufd","version":${TRACE_VERSION + 1},"kernel":"toy"}`]), /version 2, this code reads version 1/);
  await rejects(Promise.resolve().then(() => replay(["no json"])), SyntaxError);
});

Deno.test("disposing the recorder disposes the kernel below, once", () => {
  const toy = new ToyKernel();
  record(toy, () => {})[Symbol.dispose]();
  strictEqual(toy.disposed, 1);
});
