import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { record, replay, strace, type TraceEntry, traceLine } from "../../backends/wrap/mod.ts";
import { drive } from "./driver.ts";
import { ToyKernel } from "./toy_kernel.ts";

const EXPECTED = `
open("/dev/iommu", RDWR) = 3
open("/dev/vfio/devices/vfio0", RDWR) = 4
ioctl(3, IOAS_ALLOC, {flags=0}) = 0 {out_ioas_id=1}
mmap(0x0, 4096, READ|WRITE, PRIVATE|ANONYMOUS, -1, 0) = 0x12000
ioctl(3, IOAS_MAP, {flags=READABLE, ioas_id=1, user_va=0x12000, length=4096, iova=0x0}) = 0 {iova=0x12000}
pwrite(4, [10 20 01 00 00 00 00 00], region 0 + 0x0) = 8
relax() × 2
eventfd(0, NONBLOCK) = 5
ioctl(4, DEVICE_SET_IRQS, {argsz=24, flags=DATA_EVENTFD|ACTION_TRIGGER, index=1, start=0, count=1, data=[5]}) = 0
read(5, 8 bytes) = -EAGAIN (nothing there now)
pwrite(4, [10 20 01 00 00 00 00 00], region 0 + 0x0) = 8
wait(5)
woke(5) = 0
read(5, 8 bytes) = 8 [01 00 00 00 00 00 00 00]
pread(4, 4 bytes, region 0 + 0x7) = 4 [07 08 09 0a]
ioctl(3, IOAS_IOVA_RANGES, {ioas_id=1, num_iovas=1, allowed_iovas=0x13060}) = 0 {num_iovas=1, out_iova_alignment=4096, *allowed_iovas=[{start=0x0, last=0xffff}]}
list("/sys/bus/pci/devices") = [0000:00:04.0]
readFile("/sys/bus/pci/devices/0000:00:04.0/vendor") = 7 [30 78 31 32 33 34 0a]
readlink("/sys/bus/pci/devices/0000:00:04.0/iommu_group") = "../../../kernel/iommu_groups/7"
readFile("/sys/nothing") = -ENOENT (nothing has this id, address or name)
ioctl(4, DEVICE_RESET, 0) = 0
munmap(0x12000, 4096) = 0
close(5) = 0
close(99) = -EBADF (no open file has this descriptor)
`.trim().split("\n");

Deno.test("every call of a driver prints as one readable line", async () => {
  const lines: string[] = [];
  await drive(strace(new ToyKernel(), (line) => lines.push(line)));
  deepStrictEqual(lines, EXPECTED);
});

Deno.test("a recorded trace prints as strace would have printed it", async () => {
  const trace: string[] = [];
  {
    using kernel = record(new ToyKernel(), (line) => trace.push(line));
    await drive(kernel);
  }
  const entries = trace.slice(1).map((line) => JSON.parse(line) as TraceEntry);
  const printed = entries.filter(({ call }) => call !== "block" && call !== "view").map(traceLine);
  deepStrictEqual(printed.filter((line) => !line.startsWith("relax")), EXPECTED.filter((line) => !line.startsWith("relax")));
});

Deno.test("only the calls asked for print, and relaxes at the end still do", () => {
  const lines: string[] = [];
  {
    using kernel = strace(new ToyKernel(), (line) => lines.push(line), { calls: ["relax", "block"] });
    kernel.open("/dev/iommu", 2);
    kernel.block(24);
    kernel.relax();
  }
  deepStrictEqual(lines, ["block(24) = 0x11000", "relax()"]);
});

Deno.test("an unknown request prints its number and bytes", () => {
  const lines: string[] = [];
  const kernel = strace(new ToyKernel(), (line) => lines.push(line));
  const block = kernel.block(4);
  block.bytes.set([1, 2, 3, 4]);
  kernel.ioctl(3, 0x3bff, block);
  strictEqual(lines[0], "ioctl(3, 0x3bff, [01 02 03 04]) = -ENOTTY (the file does not know this request)");
});

Deno.test("names tell the order of the wrapping", () => {
  strictEqual(strace(record(new ToyKernel(), () => {}), () => {}).name, "strace(record(toy))");
  strictEqual(replay(['{"trace":"iommufd","version":1,"kernel":"toy"}']).name, "replay(toy)");
});
