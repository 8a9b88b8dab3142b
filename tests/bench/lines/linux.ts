/**
 * What the seam costs on the running kernel beside the same foreign call made directly. Needs Linux, no device.
 *
 * @module
 */
import { acquireLibc } from "../../../backends/linux/libc_unsafe.ts";
import { LinuxKernel } from "../../../backends/linux/kernel.ts";
import { EFD_NONBLOCK, MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "../../../uapi/kernel.ts";
import type { Line } from "../line.ts";
import { each } from "../measure.ts";

const PAGE = 4096;
const CALLS = 1_000;
/** A request that an eventfd does not know: the way into the kernel and back, and nothing else. */
const NO_REQUEST = 0x3b81;

type Once = () => void;

/** The same work by the kernel object, and by the library of C. */
type Pair = (kernel: LinuxKernel, symbols: ReturnType<typeof acquireLibc>["symbols"]) => { readonly ours: Once; readonly libc: Once };

function line(name: string, make: Pair): Line {
  return {
    name,
    unit: "ns",
    nativeParts: 0,
    measure: async () => {
      if (Deno.build.os !== "linux") return undefined;
      const { ours, libc } = make(new LinuxKernel(), acquireLibc().symbols);
      const peers = { "libc, called directly": await each(CALLS, libc) };
      return { value: await each(CALLS, ours), peers };
    },
  };
}

/** The lines. */
export const LINUX_SEAM: readonly Line[] = [
  line("Linux: an ioctl that fails at once", (kernel, symbols) => {
    const block = kernel.block(64);
    const fd = kernel.eventfd(1, EFD_NONBLOCK);
    const pointer = (block as unknown as { pointer: Deno.PointerObject }).pointer;
    return { ours: () => void kernel.ioctl(fd, NO_REQUEST, block), libc: () => void symbols.ioctl(fd, NO_REQUEST, pointer) };
  }),
  line("Linux: an eventfd written and read", (kernel, symbols) => {
    const block = kernel.block(64);
    const fd = kernel.eventfd(1, EFD_NONBLOCK);
    return {
      ours: () => {
        kernel.write(fd, block, 8);
        kernel.read(fd, block, 8);
      },
      libc: () => {
        symbols.write(fd, block.address, 8n);
        symbols.read(fd, block.address, 8n);
      },
    };
  }),
  line("Linux: a page mapped and unmapped", (kernel, symbols) => {
    const [prot, flags] = [PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS];
    return {
      ours: () => void kernel.munmap(kernel.mmap(0n, PAGE, prot, flags, -1, 0), PAGE),
      libc: () => void symbols.munmap(symbols.mmap(0n, 4096n, prot, flags, -1, 0n), 4096n),
    };
  }),
];
