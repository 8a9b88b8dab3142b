/**
 * Files that others opened are taken over in place of opening them; what is of the wrong kind stays open and whose it was.
 */
import { ERRNO } from "../../uapi/errno.ts";
import { O_CLOEXEC, O_RDWR } from "../../uapi/kernel.ts";
import { record, replay } from "../../backends/wrap/mod.ts";
import { DeviceFd, IommuFd, type Kernel } from "../../mod.ts";
import { check, equal } from "../check.ts";
import { attached, boot, failure, finish, nameOf } from "./machine.ts";

const NODE = "/dev/vfio/devices/vfio0";
const FLAGS = O_RDWR | O_CLOEXEC;

function open(kernel: Kernel, path: string): number {
  const fd = kernel.open(path, FLAGS);
  check(fd >= 0, `${path} opens`);
  return fd;
}

Deno.test("an iommufd and a device that others opened drive a device", async () => {
  using machine = await boot();
  const { kernel, puppets } = machine;
  const [iommuFd, deviceFd] = [open(kernel, "/dev/iommu"), open(kernel, NODE)];
  {
    using iommu = IommuFd.adopt(kernel, iommuFd);
    using file = DeviceFd.adopt(kernel, deviceFd, { device: "00:03.0" });
    equal([iommu.fd, file.fd, file.address, file.node], [iommuFd, deviceFd, "0000:00:03.0", undefined]);
    const device = file.bind(iommu, { label: 3n });
    const ioas = iommu.createIoas();
    device.config.write16(4, 6);
    device.attach(ioas);
    const buffer = ioas.createDmaBuffer(4096);
    equal(puppets[0].writes(buffer.iova, Uint8Array.of(1, 2, 3)), "OK");
    equal(buffer.bytes.slice(0, 3), Uint8Array.of(1, 2, 3));
  }
  equal([kernel.close(iommuFd), kernel.close(deviceFd)], [-ERRNO.EBADF, -ERRNO.EBADF], "both are closed with their handles");
});

Deno.test("errors call a device that was taken over by its address, its node, or its number", async () => {
  using machine = await boot();
  const { kernel } = machine;
  for (const [options, name] of [[{ device: "0000:00:03.0" }, "0000:00:03.0"], [{ device: NODE }, "0000:00:03.0"], [{}, "fd "]] as const) {
    using file = DeviceFd.adopt(kernel, open(kernel, NODE), options);
    using iommu = IommuFd.open(kernel);
    file.bind(iommu);
    const error = failure(() => file.bind(iommu), "EINVAL");
    check(error.message.startsWith(`Cannot bind ${name}`), error.message);
  }
  equal(nameOf(() => DeviceFd.adopt(kernel, 3, { device: "eth0" })), "TypeError");
});

/** Files of every kind but the one wanted. */
function others(kernel: Kernel, wanted: "iommu" | "device"): { readonly fd: number; readonly code: string }[] {
  const files = [{ fd: kernel.eventfd(5, 0), code: "EBADFD" }, { fd: kernel.memfd("file", 4096), code: "EBADFD" }];
  const path = wanted === "iommu" ? NODE : "/dev/iommu";
  return [...files, { fd: open(kernel, path), code: "EBADFD" }];
}

for (const [kind, adopt] of [["iommu", IommuFd.adopt], ["device", DeviceFd.adopt]] as const) {
  Deno.test(`what is no ${kind} is refused, and stays open and as it was`, async () => {
    using machine = await boot();
    const { kernel } = machine;
    const before = kernel.inspect.usage.files;
    const files = others(kernel, kind);
    for (const { fd, code } of files) {
      const error = failure(() => adopt(kernel, fd), code);
      equal([error.operation, error.values.fd], ["adopt", fd]);
    }
    using block = kernel.block(8);
    equal([kernel.read(files[0]!.fd, block, 8), block.view.getBigUint64(0, true)], [8, 5n], "the eventfd has its count");
    failure(() => adopt(kernel, 4000), "EBADF");
    for (const [fd, name] of [[-1, "RangeError"], [1.5, "RangeError"], ["3", "TypeError"], [2 ** 31, "RangeError"]] as const) {
      equal(nameOf(() => adopt(kernel, fd as number)), name, String(fd));
    }
    for (const { fd } of files) equal(kernel.close(fd), 0, "it is still open");
    equal(kernel.inspect.usage.files, before);
  });
}

Deno.test("a device that is bound already is refused, and goes on as it was", async () => {
  using machine = await boot();
  const { kernel, puppets } = machine;
  using world = attached(kernel);
  const buffer = world.ioas.createDmaBuffer(4096);
  // As another part of the program would see it: through a kernel object of its own.
  const other = new Proxy(kernel, { get: (target, name) => bound(target, name) });
  const error = failure(() => DeviceFd.adopt(other, world.device.deviceFd.fd), "EINVAL");
  check(error.advice.includes("bound to an iommufd already"), error.message);
  equal(puppets[0].writes(buffer.iova, Uint8Array.of(1)), "OK");
});

function bound(target: object, name: string | symbol): unknown {
  const value = Reflect.get(target, name, target);
  return typeof value === "function" ? value.bind(target) : value;
}

Deno.test("a file has one handle: what this program has already cannot be taken over", async () => {
  using machine = await boot();
  const { kernel } = machine;
  using iommu = IommuFd.open(kernel);
  using file = DeviceFd.open(kernel, NODE);
  failure(() => IommuFd.adopt(kernel, iommu.fd), "EBUSY");
  failure(() => DeviceFd.adopt(kernel, file.fd), "EBUSY");
  using _device = file.bind(iommu);
  check(iommu.isOpen && file.isOpen, "both go on");
});

/** A kernel object that knows only files that it was given, as Linux's does. */
function closedKernel(kernel: Kernel, foreign: Set<number>): { readonly kernel: Kernel; readonly log: string[] } {
  const log: string[] = [];
  const closed = new Proxy(kernel, {
    get(target, name) {
      if (name === "adopt") return (fd: number) => (log.push(`adopt ${fd}`), foreign.delete(fd) ? fd : -ERRNO.EBADF);
      if (name === "disown") return (fd: number) => (log.push(`disown ${fd}`), foreign.add(fd), 0);
      if (name !== "ioctl") return bound(target, name);
      return (fd: number, ...rest: [number, never]) => foreign.has(fd) ? -ERRNO.EBADF : target.ioctl(fd, ...rest);
    },
  });
  return { kernel: closed, log };
}

Deno.test("a kernel that knows its own files only takes them over, and gives up what is refused", async () => {
  using machine = await boot();
  const [iommuFd, deviceFd, eventfd] = [open(machine.kernel, "/dev/iommu"), open(machine.kernel, NODE), machine.kernel.eventfd(0, 0)];
  const { kernel, log } = closedKernel(machine.kernel, new Set([iommuFd, deviceFd, eventfd]));
  failure(() => IommuFd.adopt(kernel, eventfd), "EBADFD");
  failure(() => DeviceFd.adopt(kernel, iommuFd), "EBADFD");
  failure(() => IommuFd.adopt(kernel, 999), "EBADF");
  equal(log, [`adopt ${eventfd}`, `disown ${eventfd}`, `adopt ${iommuFd}`, `disown ${iommuFd}`, "adopt 999"]);
  using iommu = IommuFd.adopt(kernel, iommuFd);
  using device = DeviceFd.adopt(kernel, deviceFd).bind(iommu);
  check(device.id > 0, "it is bound");
  equal(machine.kernel.close(eventfd), 0);
});

Deno.test("a program that takes files over is recorded and replayed", async () => {
  const machine = await boot();
  const lines: string[] = [];
  const fd = open(machine.kernel, "/dev/iommu");
  const { kernel } = closedKernel(machine.kernel, new Set([fd]));
  const run = (kernel: Kernel) => {
    using iommu = IommuFd.adopt(kernel, fd);
    return iommu.createIoas().id;
  };
  const id = run(record(kernel, (line) => lines.push(line)));
  finish(machine.kernel);
  check(lines.some((line) => line.includes('"adopt"')), "the call is in the trace");
  equal(run(replay(lines)), id);
});
