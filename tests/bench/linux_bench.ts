/**
 * What the seam costs on the running kernel beside the same foreign call made directly. Needs Linux, no device.
 *
 * @module
 */
import { acquireLibc } from "../../backends/linux/libc_unsafe.ts";
import { LinuxKernel } from "../../backends/linux/kernel.ts";
import { EFD_NONBLOCK, MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "../../uapi/kernel.ts";

const PAGE = 4096;
/** A request that an eventfd does not know: the way into the kernel and back, and nothing else. */
const NO_REQUEST = 0x3b81;

if (Deno.build.os === "linux") {
  const { symbols } = acquireLibc();
  const kernel = new LinuxKernel();
  const block = kernel.block(64);
  const fd = kernel.eventfd(1, EFD_NONBLOCK);
  const pointer = (block as unknown as { pointer: Deno.PointerObject }).pointer;

  {
    const group = "an ioctl that fails at once";
    Deno.bench("libc.ioctl", { group, baseline: true }, () => {
      symbols.ioctl(fd, NO_REQUEST, pointer);
    });
    Deno.bench("kernel.ioctl with a block", { group }, () => {
      kernel.ioctl(fd, NO_REQUEST, block);
    });
    Deno.bench("kernel.ioctl with a number", { group }, () => {
      kernel.ioctl(fd, NO_REQUEST, 0);
    });
  }

  {
    const group = "an eventfd written and read";
    Deno.bench("libc.write and libc.read", { group, baseline: true }, () => {
      symbols.write(fd, block.address, 8n);
      symbols.read(fd, block.address, 8n);
    });
    Deno.bench("kernel.write and kernel.read", { group }, () => {
      kernel.write(fd, block, 8);
      kernel.read(fd, block, 8);
    });
  }

  {
    const group = "a page mapped and unmapped";
    const [prot, flags] = [PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS];
    Deno.bench("libc.mmap and libc.munmap", { group, baseline: true }, () => {
      symbols.munmap(symbols.mmap(0n, 4096n, prot, flags, -1, 0n), 4096n);
    });
    Deno.bench("kernel.mmap and kernel.munmap", { group }, () => {
      kernel.munmap(kernel.mmap(0n, PAGE, prot, flags, -1, 0), PAGE);
    });
    Deno.bench("kernel.mmap, view and kernel.munmap", { group }, () => {
      const at = kernel.mmap(0n, PAGE, prot, flags, -1, 0);
      kernel.view(at, PAGE);
      kernel.munmap(at, PAGE);
    });
  }

  {
    const group = "a block of 64 bytes";
    Deno.bench("new Uint8Array(64)", { group, baseline: true }, () => {
      new Uint8Array(64).fill(1);
    });
    Deno.bench("kernel.block(64)", { group }, () => {
      using one = kernel.block(64);
      one.bytes[0] = 1;
    });
  }

  {
    const group = "a wait";
    const ready = kernel.eventfd(1, EFD_NONBLOCK);
    const pipe = kernel.eventfd(0, EFD_NONBLOCK);
    Deno.bench("for what is readable", { group, baseline: true }, async () => {
      await kernel.wait(ready);
    });
    Deno.bench("for what is written meanwhile", { group }, async () => {
      const waiting = kernel.wait(pipe);
      block.view.setBigUint64(0, 1n, true);
      kernel.write(pipe, block, 8);
      await waiting;
      kernel.read(pipe, block, 8);
    });
  }
}
