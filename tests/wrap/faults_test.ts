import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { type Fault, type FaultCall, faults, record, replay, strace } from "../../backends/wrap/mod.ts";
import * as codec from "../../uapi/codec.ts";
import { ERRNO } from "../../uapi/errno.ts";
import type { Kernel } from "../../uapi/kernel.ts";
import { drive } from "./driver.ts";
import { ToyKernel } from "./toy_kernel.ts";

function allocate(kernel: Kernel): [number, number] {
  using block = kernel.block(codec.IoasAllocSize);
  codec.putIoasAlloc(block.view, 0, { flags: 0 });
  return [kernel.ioctl(3, codec.IOAS_ALLOC, block), codec.getIoasAllocOutIoasId(block.view, 0)];
}

Deno.test("the nth request of a kind fails and does not reach the kernel, the others do", () => {
  const kernel = faults(new ToyKernel(), [{ call: "ioctl", request: "IOAS_ALLOC", nth: 2, errno: "ENOMEM" }]);
  strictEqual(kernel.ioctl(4, codec.DEVICE_RESET, 0), 0);
  deepStrictEqual([allocate(kernel), allocate(kernel), allocate(kernel)], [[0, 1], [-ERRNO.ENOMEM, 0], [0, 2]]);
  strictEqual(kernel.fired, 1);
});

/** Each call once, as a number: −errno if it failed. */
const CALLS: Readonly<Record<FaultCall, (kernel: Kernel) => unknown>> = {
  open: (kernel) => kernel.open("/dev/iommu", 2),
  close: (kernel) => kernel.close(3),
  ioctl: (kernel) => kernel.ioctl(4, codec.DEVICE_RESET, 0),
  read: (kernel) => kernel.read(kernel.eventfd(1, 0), kernel.block(8), 8),
  write: (kernel) => kernel.write(kernel.eventfd(0, 0), kernel.block(8), 8),
  pread: (kernel) => kernel.pread(4, kernel.block(8), 8, 0),
  pwrite: (kernel) => kernel.pwrite(4, kernel.block(8), 8, 0),
  mmap: (kernel) => Number(kernel.mmap(0n, 4096, 3, 0x22, -1, 0)),
  munmap: (kernel) => kernel.munmap(0x10000n, 4096),
  block: (kernel) => {
    try {
      return kernel.block(8).bytes.byteLength;
    } catch (error) {
      return error instanceof RangeError ? -ERRNO.EIO : error;
    }
  },
  eventfd: (kernel) => kernel.eventfd(0, 0),
  memfd: (kernel) => kernel.memfd("x", 4096),
  wait: (kernel) => kernel.wait(kernel.eventfd(1, 0)),
  list: (kernel) => kernel.list("/sys/bus/pci/devices"),
  readlink: (kernel) => kernel.readlink("/x/iommu_group"),
  readFile: (kernel) => kernel.readFile("/x/vendor"),
};

for (const [call, run] of Object.entries(CALLS) as [FaultCall, (kernel: Kernel) => unknown][]) {
  Deno.test(`a fault in ${call} is answered once, then the kernel answers again`, async () => {
    const kernel = faults(new ToyKernel(), [{ call, nth: 1, errno: "EIO" }]);
    strictEqual(await run(kernel), -ERRNO.EIO);
    const answer = await run(kernel);
    strictEqual(typeof answer === "number" && answer < 0, false, String(answer));
    strictEqual(kernel.fired, 1);
  });
}

Deno.test("a fault that never comes due changes nothing", async () => {
  const kernel = faults(new ToyKernel(), [{ call: "ioctl", nth: 1000, errno: "EIO" }]);
  deepStrictEqual(await drive(kernel), await drive(new ToyKernel()));
  strictEqual(kernel.fired, 0);
});

Deno.test("faults that make no sense are refused", () => {
  const make = (fault: unknown) => () => faults(new ToyKernel(), [fault as Fault]);
  throws(make({ call: "open", nth: 0, errno: "EIO" }), RangeError);
  throws(make({ call: "open", nth: 1.5, errno: "EIO" }), RangeError);
  throws(make({ call: "open", nth: 1, errno: "ENOTHING" }), TypeError);
  throws(make({ call: "open", request: "IOAS_MAP", nth: 1, errno: "EIO" }), TypeError);
  throws(make({ call: "ioctl", request: "NO_SUCH_REQUEST", nth: 1, errno: "EIO" }), TypeError);
});

Deno.test("wrapped kernels wrap again: a recorded fault is replayed, and seen by strace", () => {
  const trace: string[] = [];
  const printed: string[] = [];
  const list: Fault[] = [{ call: "ioctl", request: codec.IOAS_ALLOC, nth: 1, errno: "ENOMEM" }];
  const kernel = strace(record(faults(new ToyKernel(), list), (line) => trace.push(line)), (line) => printed.push(line));
  strictEqual(kernel.name, "strace(record(faults(toy)))");
  const seen = [allocate(kernel), allocate(kernel)];
  deepStrictEqual(seen, [[-ERRNO.ENOMEM, 0], [0, 1]]);
  strictEqual(printed[0], "ioctl(3, IOAS_ALLOC, {flags=0}) = -ENOMEM (out of memory, or over the limit of locked memory)");
  const replayed = replay(trace);
  deepStrictEqual([allocate(replayed), allocate(replayed)], seen);
});
