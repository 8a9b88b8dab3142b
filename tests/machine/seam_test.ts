/**
 * The seam of the simulated kernel on the real core, where numbers of JavaScript meet 32 bits, where blocks meet the memory that they are cut
 * from, and where the kernel's memory is full.
 *
 * @module
 */
import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { simulated, type SimulatedKernel } from "../../backends/simulated/mod.ts";
import { instantiate } from "../../core-wasm/mod.ts";
import { getIoasAllocOutIoasId, IOAS_ALLOC, IOAS_COPY, IOAS_MAP, putIoasAlloc, putIoasCopy, putIoasMap } from "../../uapi/codec.ts";
import { ERRNO } from "../../uapi/errno.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_PRIVATE, O_RDWR } from "../../uapi/kernel.ts";
import { Puppet } from "../rules/puppet.ts";
import { DeviceFd, IommuFd } from "../../mod.ts";
import { allowDma } from "../rules/world.ts";
import { FAKE_BIND, FAKE_SET_IRQS, onFakeCore } from "./fake_core.ts";
import { ProbeDevice } from "./probe_device.ts";

const MEBIBYTE = 2 ** 20;
const ANONYMOUS = MAP_PRIVATE | MAP_ANONYMOUS;
const READ_WRITE = 3;

function machine(puppet: Puppet = new Puppet()): Promise<SimulatedKernel> {
  return simulated({ memory: 4 * MEBIBYTE, kernelMemory: MEBIBYTE, pci: [{ slot: "04.0", model: puppet }] }, { checks: true });
}

/** Numbers that 32 bits would turn into `fd`. */
function aliases(fd: number): number[] {
  return [fd + 2 ** 32, fd - 2 ** 32, fd + 0.5, NaN, Infinity];
}

Deno.test("a number that is no fd is EBADF, and not the fd that 32 bits make of it", async () => {
  using kernel = await machine();
  using block = kernel.block(64);
  const fd = kernel.eventfd(1, 0);
  for (const other of aliases(fd)) {
    strictEqual(kernel.close(other), -ERRNO.EBADF, String(other));
    strictEqual(kernel.read(other, block, 8), -ERRNO.EBADF);
    strictEqual(kernel.write(other, block, 8), -ERRNO.EBADF);
    strictEqual(kernel.ioctl(other, IOAS_ALLOC, block), -ERRNO.EBADF);
    strictEqual(kernel.pread(other, block, 8, 0), -ERRNO.EBADF);
    strictEqual(kernel.pwrite(other, block, 8, 0), -ERRNO.EBADF);
    strictEqual(kernel.mmap(0n, 4096, READ_WRITE, MAP_PRIVATE, other, 0), BigInt(-ERRNO.EBADF));
    strictEqual(await kernel.wait(other), -ERRNO.EBADF);
  }
  strictEqual(kernel.close(fd), 0);
});

Deno.test("a request is 32 bits of a number, for the core and for the device alike", () => {
  const device = new ProbeDevice({ msix: { vectors: 4, bar: 0, table: 0x1000, pending: 0x1800 } });
  const { kernel, core } = onFakeCore({ pci: [{ slot: "04.0", model: device }] });
  const fd = kernel.open("/dev/vfio/devices/vfio0", O_RDWR);
  strictEqual(kernel.ioctl(fd, FAKE_BIND, 0), 0);
  strictEqual(device.bus.interruptMode, "none");
  core.route(0, 2, 0, kernel.eventfd(0, 0));
  strictEqual(kernel.ioctl(fd, FAKE_SET_IRQS + 2 ** 32, 0), 0);
  strictEqual(device.bus.interruptMode, "msix");
});

Deno.test("counts and flags of an eventfd that are no numbers of 32 bits are EINVAL", async () => {
  using kernel = await machine();
  for (const value of [-1, 0.5, NaN, 2 ** 32, Infinity]) {
    strictEqual(kernel.eventfd(value, 0), -ERRNO.EINVAL, `count ${value}`);
    strictEqual(kernel.eventfd(0, value), -ERRNO.EINVAL, `flags ${value}`);
  }
  strictEqual(kernel.inspect.usage.files, 0);
});

Deno.test("an offset of a region that is no whole number is EINVAL", () => {
  const device = new ProbeDevice();
  const { kernel } = onFakeCore({ pci: [{ slot: "04.0", model: device }] });
  const fd = kernel.open("/dev/vfio/devices/vfio0", O_RDWR);
  kernel.ioctl(fd, FAKE_BIND, 0);
  using block = kernel.block(8);
  for (const offset of [0.5, NaN, -4, Infinity, 2 ** 53, 7 * 2 ** 40 + 0.5]) {
    strictEqual(kernel.pread(fd, block, 4, offset), -ERRNO.EINVAL, String(offset));
    strictEqual(kernel.pwrite(fd, block, 4, offset), -ERRNO.EINVAL, String(offset));
  }
  deepStrictEqual(device.log, ["reset"]);
});

Deno.test("an address outside the process is no memory, also where 64 bits make one of it that is", async () => {
  using kernel = await machine();
  const at = kernel.mmap(0n, 4096, READ_WRITE, ANONYMOUS, -1, 0);
  strictEqual(kernel.view(at, 4096).length, 4096);
  for (const other of [at + 2n ** 64n, at - 2n ** 64n, -1n]) strictEqual(kernel.view(other, 4096).length, 0);
});

Deno.test("a range that ends beyond the process's addresses is EINVAL, and nothing of it is unmapped", async () => {
  using kernel = await machine();
  const at = 2n ** 47n - 2n ** 34n;
  strictEqual(kernel.mmap(at, 4096, READ_WRITE, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), at);
  strictEqual(kernel.munmap(at, 2 ** 34), -ERRNO.EINVAL);
  strictEqual(kernel.view(at, 4096).length, 4096);
  strictEqual(kernel.munmap(at, 2 ** 34 - 4096), 0);
  strictEqual(kernel.view(at, 4096).length, 0);
});

Deno.test("memory of blocks can be neither unmapped nor replaced", async () => {
  using kernel = await machine();
  const [short, long] = [kernel.block(64), kernel.block(100_000)];
  for (const { address, bytes } of [short, long]) {
    bytes.fill(0x5e);
    const page = address & ~4095n;
    strictEqual(kernel.munmap(page, 4096), -ERRNO.EPERM);
    strictEqual(kernel.munmap(page - 2n ** 20n, 2 ** 21), -ERRNO.EPERM);
    strictEqual(kernel.mmap(page, 4096, READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0), BigInt(-ERRNO.EPERM));
    strictEqual(kernel.mmap(page, 4096, READ_WRITE, ANONYMOUS | MAP_FIXED | MAP_FIXED_NOREPLACE, -1, 0), BigInt(-ERRNO.EEXIST));
    ok(kernel.view(address, bytes.length).every((byte) => byte === 0x5e));
  }
  const last = (long.address + 100_000n) & ~4095n;
  strictEqual(kernel.munmap(last, 1), -ERRNO.EPERM);
  const next = kernel.mmap(last + 4096n, 4096, READ_WRITE, ANONYMOUS | MAP_FIXED, -1, 0);
  ok(next === BigInt(-ERRNO.EPERM) || next === last + 4096n);
  long[Symbol.dispose]();
  strictEqual(kernel.munmap(last, 1), 0);
});

Deno.test("a block that was given back has no bytes, and an access with it is EFAULT", () => {
  const device = new ProbeDevice();
  const { kernel } = onFakeCore({ pci: [{ slot: "04.0", model: device }] });
  const fd = kernel.open("/dev/vfio/devices/vfio0", O_RDWR);
  kernel.ioctl(fd, FAKE_BIND, 0);
  for (const length of [64, 100_000]) {
    const block = kernel.block(length);
    block[Symbol.dispose]();
    deepStrictEqual([block.bytes.length, block.view.byteLength], [0, 0]);
    strictEqual(kernel.pread(fd, block, 4, 0), -ERRNO.EFAULT);
    strictEqual(kernel.pwrite(fd, block, 4, 0), -ERRNO.EFAULT);
  }
  deepStrictEqual(device.log, ["reset"]);
});

Deno.test("a block is zeroed although the kernel wrote behind the end of the one before", async () => {
  using kernel = await machine();
  const fd = kernel.open("/dev/iommu", O_RDWR);
  const short = kernel.block(40);
  const { address } = short;
  // The answer goes where the caller says, which is behind the block and in the same piece of memory.
  const behind = kernel.view(address + 48n, 12);
  putIoasAlloc(new DataView(behind.buffer, behind.byteOffset, 12), 0, { flags: 0 });
  strictEqual(kernel.ioctl(fd, IOAS_ALLOC, Number(address + 48n)), 0);
  ok(kernel.view(address, 64).some((byte) => byte !== 0));
  short[Symbol.dispose]();
  using long = kernel.block(64);
  strictEqual(long.address, address);
  deepStrictEqual(long.bytes, new Uint8Array(64));
});

Deno.test("a PASID that is none is an error of the model, and no transfer without a PASID", async () => {
  const puppet = new Puppet();
  using kernel = await machine(puppet);
  using iommu = IommuFd.open(kernel);
  using ioas = iommu.createIoas();
  using buffer = ioas.createDmaBuffer(4096, { iova: 0x10_0000n });
  using device = DeviceFd.open(kernel, "00:04.0").bind(iommu);
  device.attach(ioas);
  allowDma(device);
  buffer.bytes.fill(0x5e);
  for (const pasid of [-1, 0.5, NaN, 2 ** 20, 2 ** 32 - 1, 2 ** 32]) {
    for (const bytes of [new Uint8Array(4), puppet.bus.allocate(4)]) {
      throws(() => puppet.bus.dma.read(buffer.iova, bytes, pasid), RangeError, String(pasid));
      deepStrictEqual([...bytes], [0, 0, 0, 0]);
    }
  }
  strictEqual(puppet.bus.dma.read(buffer.iova, new Uint8Array(4), 0), "blocked");
  strictEqual(puppet.bus.dma.read(buffer.iova, new Uint8Array(4)), undefined);
});

/** Ask for one thing more, time after time, until the kernel has no memory for it. */
function untilFull(ask: () => number): void {
  for (;;) {
    const result = ask();
    if (result < 0) return strictEqual(result, -ERRNO.ENOMEM);
  }
}

/** Use up the kernel's memory: by address spaces, then by mappings in each of them, whose lists are small and grow until they fit nowhere. */
function fillHeap(kernel: SimulatedKernel, fd: number, userVa: bigint): void {
  using block = kernel.block(64);
  const ids: number[] = [];
  const alloc = () => {
    putIoasAlloc(block.view, 0, { flags: 0 });
    const result = kernel.ioctl(fd, IOAS_ALLOC, block);
    if (result === 0) ids.push(getIoasAllocOutIoasId(block.view, 0));
    return result;
  };
  strictEqual(alloc(), 0);
  const srcIoasId = ids[0]!;
  putIoasMap(block.view, 0, { flags: 7, ioasId: srcIoasId, userVa, length: 4096n, iova: 0n });
  strictEqual(kernel.ioctl(fd, IOAS_MAP, block), 0);
  untilFull(alloc);
  for (const dstIoasId of ids) {
    let page = 0n;
    untilFull(() => {
      putIoasCopy(block.view, 0, { flags: 7, dstIoasId, srcIoasId, length: 4096n, dstIova: ++page * 8192n, srcIova: 0n });
      return kernel.ioctl(fd, IOAS_COPY, block);
    });
  }
}

Deno.test("a machine whose kernel has no memory left can be looked at, and says that it cannot be checked", async () => {
  const puppet = new Puppet();
  using kernel = await machine(puppet);
  using iommu = IommuFd.open(kernel);
  const device = DeviceFd.open(kernel, "00:04.0").bind(iommu, { label: 2n ** 64n - 2n });
  allowDma(device);
  strictEqual(puppet.writes(0x1000n, Uint8Array.of(1)), "blocked");
  // A check makes a list of all memory of the process, for which there must be no room.
  let memory = 0n;
  for (let mapping = 0; mapping < 600; mapping++) memory = kernel.mmap(0n, 4096, READ_WRITE, ANONYMOUS, -1, 0);
  const fd = kernel.open("/dev/iommu", O_RDWR);
  fillHeap(kernel, fd, memory);
  const { files, objects, pinnedPages } = kernel.inspect.usage;
  deepStrictEqual([files, objects > 2, pinnedPages], [3, true, 0]);
  const [fault] = kernel.inspect.faults;
  deepStrictEqual([fault?.iova, fault?.label, fault?.access, fault?.pasid], [0x1000n, 2n ** 64n - 2n, "write", undefined]);
  strictEqual(kernel.inspect.device("0000:00:04.0").faults, 1);
  strictEqual(kernel.inspect.statistics.maps, 0);
  deepStrictEqual(kernel.inspect.check(), ["the kernel's memory has no room for checking the invariants"]);
  strictEqual(kernel.close(fd), 0);
  deepStrictEqual(kernel.inspect.check(), []);
  device[Symbol.dispose]();
});

Deno.test("a damaged page table is found, and told in lines none of which is empty", async () => {
  using kernel = await machine();
  using iommu = IommuFd.open(kernel);
  using ioas = iommu.createIoas();
  using buffers = new DisposableStack();
  for (let page = 1n; page < 4n; page++) buffers.use(ioas.createDmaBuffer(4096, { iova: page * 8192n }));
  using device = DeviceFd.open(kernel, "00:04.0").bind(iommu);
  // Tables are taken from the end of RAM, first those of the IOMMU, which an empty page table fills in. The next root is the one whose first entry is new.
  device.attach(iommu.createIoas());
  const { buffer } = kernel.view(kernel.mmap(0n, 4096, READ_WRITE, ANONYMOUS, -1, 0), 4096);
  const frames = Array.from({ length: 16 }, (_, frame) => new DataView(buffer, buffer.byteLength - 4096 * (frame + 1), 4096));
  const before = frames.map((frame) => frame.getBigUint64(0, true));
  device.attach(ioas);
  deepStrictEqual(kernel.inspect.check(), []);
  const root = frames.find((frame, index) => before[index] === 0n && frame.getBigUint64(0, true) !== 0n)!;
  const entry = root.getBigUint64(0, true);
  root.setBigUint64(0, 0n, true);
  const lines = kernel.inspect.check();
  root.setBigUint64(0, entry, true);
  strictEqual(lines.length, 3, lines.join("\n"));
  ok(lines.every((line) => line.startsWith("the page table ")), lines.join("\n"));
  deepStrictEqual(kernel.inspect.check(), []);
});

Deno.test("a machine whose memory for the kernel is just too small is a RangeError and no trap", async () => {
  const config = { iommu: "vtd", levels: 4, singleOpen: true, groupIoas: "linux", memlock: undefined, openFiles: 64 } as const;
  const boots = async (frames: number): Promise<boolean> => {
    const instance = await instantiate({ full: true });
    try {
      instance.boot(MEBIBYTE, frames * 4096, config);
      return true;
    } catch (error) {
      ok(error instanceof RangeError, `${frames} frames: ${String(error)}`);
      return false;
    }
  };
  // RAM takes 8 bytes of the kernel's memory for each of its frames. The heap, which ends with a page of WebAssembly, has up to 64 KiB more.
  let [enough, tooMany] = [MEBIBYTE / 16, Math.floor(MEBIBYTE / 7)];
  while (tooMany - enough > 1) {
    const middle = Math.floor((enough + tooMany) / 2);
    if (await boots(middle)) enough = middle;
    else tooMany = middle;
  }
  for (let frames = enough - 4; frames < enough + 24; frames++) strictEqual(await boots(frames), frames <= enough);
});

Deno.test("a model that throws, and a handler of its errors that throws, make no system call throw", async () => {
  const broken = new Puppet();
  broken.read = () => {
    throw new Error("the model is broken");
  };
  const caught: string[] = [];
  const listen = (event: ErrorEvent) => {
    event.preventDefault();
    caught.push(event.message);
  };
  addEventListener("error", listen);
  try {
    const onModelError = (error: unknown) => {
      throw new Error("so is the handler", { cause: error });
    };
    using kernel = await simulated({ pci: [{ slot: "04.0", model: broken }] }, { onModelError });
    using iommu = IommuFd.open(kernel);
    using device = DeviceFd.open(kernel, "00:04.0").bind(iommu);
    throws(() => device.bar(0).read32(0), { code: "EIO" });
    await undefined;
    strictEqual(kernel.inspect.modelErrors.length, 1);
    strictEqual(caught.length, 1);
    ok(caught[0]!.includes("so is the handler"), caught[0]);
  } finally {
    removeEventListener("error", listen);
  }
});
