/**
 * Files of the running kernel: who may use which number, that a device node is open once, and discovery against what the runtime reads.
 *
 * @module
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { claim } from "../../backends/linux/claim.ts";
import { LinuxKernel } from "../../backends/linux/kernel.ts";
import { System } from "../../backends/linux/system.ts";
import { ERRNO } from "../../uapi/errno.ts";
import { EFD_CLOEXEC, O_CLOEXEC, O_RDWR } from "../../uapi/kernel.ts";
import { descriptors, memory, PAGE, spawnScript, test } from "./open.ts";

test("a kernel object that was used for everything leaves no file open", () => {
  const before = descriptors();
  for (let round = 0; round < 50; round++) {
    using kernel = new LinuxKernel();
    kernel.eventfd(0, EFD_CLOEXEC);
    kernel.memfd("left open", PAGE);
    ok(kernel.open("/proc/self/status", O_CLOEXEC) >= 0);
    strictEqual(kernel.open("/dev/no-such", O_RDWR), -ERRNO.ENOENT);
    kernel.list("/sys/class");
    kernel.readFile("/proc/self/limits");
    memory(kernel, PAGE);
    kernel.block(100);
  }
  deepStrictEqual(descriptors(), before);
});

test("a number that the kernel object did not make is EBADF for every call, also where the process has such a file", async (kernel) => {
  using file = await Deno.open("/proc/self/status");
  using other = new LinuxKernel();
  using block = kernel.block(8);
  for (const fd of [0, 1, 2, other.eventfd(1, 0), 999, -1, 0.5, NaN, 2 ** 32 + 3]) {
    deepStrictEqual([
      kernel.close(fd),
      kernel.ioctl(fd, 0x3b81, block),
      kernel.read(fd, block, 8),
      kernel.write(fd, block, 8),
      kernel.pread(fd, block, 8, 0),
      kernel.pwrite(fd, block, 8, 0),
      Number(kernel.mmap(0n, PAGE, 1, 1, fd, 0)),
      await kernel.wait(fd),
    ], new Array(8).fill(-ERRNO.EBADF));
  }
  ok((await file.stat()).isFile);
});

test("a file that another part of the program opened can be adopted, is closed on exec then, and closed with the kernel object", () => {
  const opener = new LinuxKernel();
  const kernel = new LinuxKernel();
  const fd = opener.eventfd(5, 0);
  strictEqual(kernel.adopt(fd), fd);
  strictEqual(kernel.adopt(fd), fd, "a second time");
  using block = kernel.block(8);
  strictEqual(kernel.read(fd, block, 8), 8);
  strictEqual(block.view.getBigUint64(0, true), 5n);
  const flags = /^flags:\s*(\d+)$/m.exec(Deno.readTextFileSync(`/proc/self/fdinfo/${fd}`))![1]!;
  ok((parseInt(flags, 8) & O_CLOEXEC) !== 0);
  kernel[Symbol.dispose]();
  strictEqual(opener.close(fd), -ERRNO.EBADF);
  for (const bad of [fd, 999, -1, 0.5, NaN]) {
    using fresh = new LinuxKernel();
    strictEqual(fresh.adopt(bad), -ERRNO.EBADF);
  }
  opener[Symbol.dispose]();
});

test("a lock of a file is one for all opens of it, in this process and in another, and goes with a process that is killed", async (kernel) => {
  const path = Deno.makeTempFileSync();
  using system = new System();
  try {
    const [one, two] = [kernel.open(path, O_RDWR), kernel.open(path, O_RDWR)];
    deepStrictEqual([claim(system, one), claim(system, one), claim(system, two)], [0, 0, -ERRNO.EBUSY]);
    kernel.close(one);
    strictEqual(claim(system, two), 0);
    kernel.close(two);
    using child = spawnScript(`
      import { System } from "${new URL("../../backends/linux/system.ts", import.meta.url).href}";
      import { claim } from "${new URL("../../backends/linux/claim.ts", import.meta.url).href}";
      const kernel = new LinuxKernel();
      console.log(claim(new System(), kernel.open(${JSON.stringify(path)}, uapi.O_RDWR)));
      await kernel.wait(kernel.eventfd(0, 0));
    `);
    const reader = child.process.stdout.getReader();
    strictEqual(new TextDecoder().decode((await reader.read()).value), "0\n");
    const three = kernel.open(path, O_RDWR);
    strictEqual(claim(system, three), -ERRNO.EBUSY);
    child.process.kill("SIGKILL");
    await child.process.status;
    strictEqual(claim(system, three), 0);
    await Promise.all([reader.cancel(), child.process.stdin.close(), child.process.stderr.cancel()]);
  } finally {
    Deno.removeSync(path);
  }
});

/** A directory of /sys and the names in it, as the runtime has them. */
function* walk(path: string, depth: number): Generator<{ path: string; entries: Deno.DirEntry[] }> {
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(path)];
  } catch {
    return;
  }
  yield { path, entries };
  if (depth > 0) { for (const { name, isDirectory } of entries) if (isDirectory) yield* walk(`${path}/${name}`, depth - 1); }
}

/** What never changes while a test runs. */
const CONSTANT = /\/(vendor|device|class|revision|subsystem_vendor|subsystem_device|modalias|resource|config|version|dev)$/;

test("directories, links and files of /sys are what the runtime reads", (kernel) => {
  let [directories, links, files] = [0, 0, 0];
  for (const { path, entries } of [...walk("/sys/devices/pci0000:00", 2), ...walk("/sys/bus/pci", 2), ...walk("/sys/kernel", 1)]) {
    deepStrictEqual(kernel.list(path), entries.map(({ name }) => name).sort(), path);
    directories++;
    for (const { name, isSymlink, isFile } of entries) {
      const file = `${path}/${name}`;
      if (isSymlink) strictEqual(kernel.readlink(file), Deno.readLinkSync(file), `link ${links++}`);
      if (isFile && CONSTANT.test(file)) deepStrictEqual(kernel.readFile(file), Deno.readFileSync(file), `file ${files++}`);
    }
  }
  ok(directories > 3, `${directories} directories`);
});

test("a file of many pieces is read whole, and one without an end is refused", (kernel) => {
  const maps = kernel.readFile("/proc/self/maps");
  ok(maps instanceof Uint8Array && new TextDecoder().decode(maps).includes("libc"));
  const names = kernel.list("/proc/self/fd");
  ok(Array.isArray(names) && names.includes("0"));
  strictEqual(kernel.readFile("/proc/kmsg") instanceof Uint8Array, false);
});

test("discovery reads /sys, /dev and /proc alone, and opens no device", (kernel) => {
  for (const path of ["/etc/passwd", "/sys/../etc/passwd", "/system", "", "relative", "/sys\0/kernel"]) {
    deepStrictEqual([kernel.readFile(path), kernel.readlink(path), kernel.list(path)], new Array(3).fill(-ERRNO.ENOENT), path);
  }
  deepStrictEqual([kernel.readFile("/dev/zero"), kernel.list("/dev/zero")], [-ERRNO.EACCES, -ERRNO.ENOTDIR]);
  strictEqual(kernel.readFile(`/sys/${"x".repeat(5000)}`), -ERRNO.ENAMETOOLONG);
});

test("names that no file can have are errors of Linux", (kernel) => {
  strictEqual(kernel.open("/dev/\0iommu", O_RDWR), -ERRNO.ENOENT);
  strictEqual(kernel.open("", O_RDWR), -ERRNO.ENOENT);
  strictEqual(kernel.open(`/${"x".repeat(4096)}`, O_RDWR), -ERRNO.ENAMETOOLONG);
  strictEqual(kernel.open(`/${"ü".repeat(100_000)}`, O_RDWR), -ERRNO.ENAMETOOLONG);
  strictEqual(kernel.memfd("a\0b", 1), -ERRNO.EINVAL);
  strictEqual(kernel.memfd("x".repeat(300), 1), -ERRNO.EINVAL);
});
