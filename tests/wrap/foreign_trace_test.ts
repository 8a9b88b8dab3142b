/**
 * The raw path: a trace of another program's system calls, with addresses of that program's choice, is played byte for byte on the simulated
 * kernel.
 *
 * The program maps a queue and a buffer as a C library would, and makes a few mistakes. The answers follow from Linux's rules: ids count from 1,
 * an automatic address is the first that fits and is aligned as the memory is, a byte behind the struct that the kernel does not know is E2BIG.
 */
import { EduDevice, raw, simulated, type SimulatedKernel } from "../../mod.ts";
import { fromHex } from "../../backends/wrap/trace.ts";
import { MAP_ANONYMOUS, MAP_FIXED_NOREPLACE, MAP_PRIVATE, O_RDWR, PROT_READ, PROT_WRITE } from "../../uapi/kernel.ts";
import { check, equal } from "../check.ts";

const PAGE = 4096;

/** One call of the program: a mapping at an address, or a request with its bytes, the result and the bytes that came back. */
type Step =
  | { readonly mmap: bigint; readonly length: number }
  | { readonly fd: "iommu" | "device"; readonly request: number; readonly bytes: string; readonly result?: number; readonly out?: string };

/** Little-endian fields as a trace shows them. */
function le(value: bigint | number, width: 4 | 8): string {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return [...bytes.subarray(0, width)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const QUEUE = 0x7f3a_5c21_d000n;
const BUFFER = 0x7f3a_5be0_0000n;
const MIB2 = 2 * 2 ** 20;

/** struct iommu_ioas_map: size, flags, ioas_id, reserved, user_va, length, iova. */
const map = (flags: number, va: bigint, length: number, iova: bigint) =>
  le(40, 4) + le(flags, 4) + le(1, 4) + le(0, 4) + le(va, 8) + le(length, 8) + le(iova, 8);
/** struct iommu_ioas_unmap: size, ioas_id, iova, length. */
const unmap = (iova: bigint, length: number) => le(24, 4) + le(1, 4) + le(iova, 8) + le(length, 8);

const TRACE: readonly Step[] = [
  { fd: "iommu", request: 0x3b81, bytes: le(12, 4) + le(0, 4) + le(0, 4), out: le(12, 4) + le(0, 4) + le(1, 4) },
  { mmap: QUEUE, length: PAGE },
  { mmap: BUFFER, length: MIB2 },
  { fd: "iommu", request: 0x3b85, bytes: map(7, QUEUE, PAGE, 0x1000n) },
  { fd: "iommu", request: 0x3b85, bytes: map(6, BUFFER, MIB2, 0n), out: map(6, BUFFER, MIB2, 0x20_0000n) },
  { fd: "iommu", request: 0x3b85, bytes: map(7, QUEUE, PAGE, 0x20_0000n), result: -17 },
  // A byte behind the struct that a newer program may have, but this kernel does not know.
  { fd: "iommu", request: 0x3b86, bytes: le(28, 4) + unmap(0x1000n, PAGE).slice(8) + le(1, 4), result: -7 },
  { fd: "iommu", request: 0x3b86, bytes: unmap(0x20_0000n, PAGE), result: -2 },
  { fd: "iommu", request: 0x3b86, bytes: unmap(0x20_0000n, MIB2) },
  { fd: "device", request: 0x3b6b, bytes: le(24, 4) + le(0, 8) + le(0, 8) + le(0, 4), result: -22 },
  { fd: "iommu", request: 0x3bff, bytes: le(8, 4) + le(0, 4), result: -25 },
];

function play(kernel: SimulatedKernel, trace: readonly Step[]): void {
  const fds = { iommu: kernel.open("/dev/iommu", O_RDWR), device: kernel.open("/dev/vfio/devices/vfio0", O_RDWR) };
  trace.forEach((step, index) => {
    if ("mmap" in step) {
      const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
      return equal(kernel.mmap(step.mmap, step.length, PROT_READ | PROT_WRITE, flags, -1, 0), step.mmap, `step ${index}`);
    }
    const { result, bytes } = raw.ioctl(kernel, fds[step.fd], step.request, fromHex(step.bytes));
    equal(result, step.result ?? 0, `the result of step ${index}`);
    equal(bytes, fromHex(step.out ?? step.bytes), `the bytes of step ${index}`);
  });
  for (const fd of Object.values(fds)) equal(kernel.close(fd), 0);
}

Deno.test("another program's requests are played byte for byte, at its own addresses", async () => {
  using kernel = await simulated({ memory: 16 * 2 ** 20, pci: [{ slot: "04.0", model: () => new EduDevice() }] });
  play(kernel, TRACE);
  check(kernel.inspect.usage.files === 0 && kernel.inspect.usage.objects === 0, "something is left");
});
