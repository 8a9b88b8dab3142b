/**
 * The dumbest core that a machine can stand on: device memory is RAM at IOVA 0, checked against a list of allowed ranges.
 *
 * It separates tests of the TypeScript side (time, registers, interrupts, staging) from the Rust core, and shows what the machine asks of a core.
 *
 * @module
 */
import type { Core, Instance } from "../../backends/simulated/core.ts";
import { HOST_RELEASE, HOST_RESET } from "../../backends/simulated/core.ts";
import { assemble, planMachine } from "../../backends/simulated/assembly.ts";
import { SimulatedKernel } from "../../backends/simulated/kernel.ts";
import type { Machine } from "../../backends/simulated/machine.ts";

const EBADF = 9;
const EAGAIN = 11;
const ENOMEM = 12;
const EINVAL = 22;

/** Requests of the fake: bind makes a device fd operable, reset asks the host to reset. */
export const FAKE_BIND = 0x3b76;
export const FAKE_RESET = 0x3b6f;
export const FAKE_SET_IRQS = 0x3b6e;

/** Where DMA reaches: bytes of WASM memory from this offset on are IOVA 0 and up. */
const DMA_OFFSET = 0x10_0000;

type File = { readonly kind: "iommufd" } | { readonly kind: "eventfd"; count: bigint } | {
  readonly kind: "device";
  readonly device: number;
  bound: boolean;
};

export class FakeCore implements Core {
  readonly memory: WebAssembly.Memory = new WebAssembly.Memory({ initial: 64 });
  readonly files: Map<number, File> = new Map<number, File>();
  /** Calls that describe the machine, in order. */
  readonly described: unknown[][] = [];
  /** IOVA ranges that devices may touch, and whether they may write. */
  readonly allowed: { start: number; last: number; writable: boolean }[] = [];
  /** Eventfd by "device/index/vector". */
  readonly irqs: Map<string, number> = new Map<string, number>();
  /** Whether a device answers to memory accesses, as the host said last. */
  readonly answering: Map<number, boolean> = new Map<number, boolean>();
  /** Fields of each fault, in the core's order. */
  readonly faults: bigint[][] = [];
  #nextFd = 3;
  #nextOffset = 1024;
  #devices = 0;
  #groups = 0;
  #resetBuses = 0;
  #gone = new Set<number>();

  set_iotlb(): number {
    return 0;
  }
  set_batch(): number {
    return 0;
  }
  flush_iotlb(): void {}
  add_group(): number {
    this.described.push(["group"]);
    return this.#groups++;
  }
  add_device(...rest: [number, number, number]): number {
    this.described.push(["device", ...rest]);
    return this.#devices++;
  }
  add_region(...rest: [number, number, bigint, number, bigint]): number {
    this.described.push(["region", ...rest]);
    return 0;
  }
  add_irq(...rest: [number, number, number, number]): number {
    this.described.push(["irq", ...rest]);
    return 0;
  }
  add_reserved(...rest: [number, bigint, bigint, number]): number {
    this.described.push(["reserved", ...rest]);
    return 0;
  }
  probe(): number {
    return 0;
  }
  page_request(): number {
    return 1;
  }
  take_page_response(): bigint {
    return -1n;
  }
  give_up(): void {}
  /** No transfer of this core comes to memory of a device. */
  peer_done(): number {
    return 0;
  }
  peer_address(): bigint {
    return 0n;
  }
  peer_length(): number {
    return 0;
  }
  set_memory_enabled(device: number, enabled: boolean): number {
    this.answering.set(device, enabled);
    return 0;
  }
  set_driver_blocks(...rest: [number, boolean]): number {
    this.described.push(["blocks", ...rest]);
    return 0;
  }
  add_reset_bus(): number {
    this.described.push(["reset bus"]);
    return this.#resetBuses++;
  }
  add_reset_function(...rest: [number, number, number, boolean]): number {
    this.described.push(["reset", ...rest]);
    return 0;
  }
  unplug(device: number): number {
    this.#gone.add(device);
    return 0;
  }
  plug(device: number): number {
    this.#gone.delete(device);
    return 0;
  }
  plug_state(device: number): number {
    return this.#gone.has(device) ? 0 : 2;
  }
  request_state(): number {
    return 0;
  }

  access_copy(): number {
    return -1;
  }
  access_pin(): number {
    return -EINVAL;
  }
  access_unpin(): number {
    return -EINVAL;
  }
  pinned_run(): number {
    return -1;
  }
  take_notice(): number {
    return -1;
  }
  notice_start(): bigint {
    return 0n;
  }
  notice_last(): bigint {
    return 0n;
  }
  restart(): number {
    return -EINVAL;
  }

  open_iommufd(): number {
    return this.#open({ kind: "iommufd" });
  }
  open_device(device: number): number {
    return this.#open({ kind: "device", device, bound: false });
  }
  eventfd(initial: number): number {
    return this.#open({ kind: "eventfd", count: BigInt(initial) });
  }
  memfd(): number {
    return -ENOMEM;
  }
  #open(file: File): number {
    this.files.set(this.#nextFd, file);
    return this.#nextFd++;
  }
  close(fd: number): number {
    const file = this.files.get(fd);
    if (file === undefined) return -EBADF;
    this.files.delete(fd);
    return file.kind === "device" ? HOST_RELEASE | file.device : 0;
  }
  ioctl(fd: number, request: number): number {
    const file = this.files.get(fd);
    if (file === undefined) return -EBADF;
    if (file.kind !== "device") return -EINVAL;
    if (request === FAKE_BIND) file.bound = true;
    return request === FAKE_RESET ? HOST_RESET | file.device : 0;
  }
  device_of(fd: number): number {
    const file = this.files.get(fd);
    if (file === undefined) return -EBADF;
    return file.kind === "device" && file.bound ? file.device : -EINVAL;
  }
  read(fd: number, va: bigint, length: number): number {
    const file = this.files.get(fd);
    if (file?.kind !== "eventfd") return -EBADF;
    if (length < 8) return -EINVAL;
    if (file.count === 0n) return -EAGAIN;
    new DataView(this.memory.buffer).setBigUint64(Number(va), file.count, true);
    file.count = 0n;
    return 8;
  }
  write(fd: number, va: bigint): number {
    const file = this.files.get(fd);
    if (file?.kind !== "eventfd") return -EBADF;
    file.count += new DataView(this.memory.buffer).getBigUint64(Number(va), true);
    return 8;
  }
  poll(fd: number): number {
    const file = this.files.get(fd);
    if (file === undefined) return -EBADF;
    return file.kind === "eventfd" && file.count > 0n ? 1 : 0;
  }

  /** Addresses are offsets, so that a test can compute either from the other. */
  mmap(_at: bigint, length: number): bigint {
    return BigInt(this.staging_alloc(length));
  }
  munmap(_at: bigint, _length: number): number {
    return 0;
  }
  view(at: bigint): number {
    return Number(at);
  }
  staging_alloc(length: number): number {
    const offset = this.#nextOffset;
    if (offset + length > DMA_OFFSET) return -ENOMEM;
    this.#nextOffset += (length + 63) & ~63;
    return offset;
  }
  staging_free(): void {}

  /** The bytes that devices reach at `iova`. */
  ram(iova: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, DMA_OFFSET + iova, length);
  }
  dma_read(device: number, pasid: number, iova: bigint, offset: number, length: number): number {
    return this.#dma(device, pasid, Number(iova), offset, length, false);
  }
  dma_write(device: number, pasid: number, iova: bigint, offset: number, length: number): number {
    return this.#dma(device, pasid, Number(iova), offset, length, true);
  }
  /** Page by page, so that a refused transfer has moved what lies before the bad page. */
  #dma(device: number, pasid: number, iova: number, offset: number, length: number, write: boolean): number {
    for (let done = 0; done < length;) {
      const at = iova + done;
      const piece = Math.min(length - done, 4096 - at % 4096);
      const range = this.allowed.find(({ start, last }) => start <= at && at + piece - 1 <= last);
      if (range === undefined || (write && !range.writable)) {
        const reason = range === undefined ? -2 : -4;
        const flags = (write ? 1n : 0n) | (pasid < 0 ? 0n : 4n);
        const numbers = [this.faults.length, device, Number(flags), 0, Math.max(pasid, 0), at, length, -reason];
        this.faults.push(numbers.map(BigInt));
        return reason;
      }
      const local = new Uint8Array(this.memory.buffer, offset + done, piece);
      if (write) this.ram(at, piece).set(local);
      else local.set(this.ram(at, piece));
      done += piece;
    }
    return 0;
  }

  /** As SET_IRQS would: route an interrupt to an eventfd. */
  route(device: number, index: number, vector: number, fd: number): void {
    this.irqs.set(`${device}/${index}/${vector}`, fd);
  }
  raise(device: number, index: number, vector: number): number {
    const file = this.files.get(this.irqs.get(`${device}/${index}/${vector}`) ?? -1);
    if (file?.kind === "eventfd") file.count++;
    return 0;
  }
  lower(): number {
    return 0;
  }
  irq_enabled(device: number, index: number, vector: number): boolean {
    return this.irqs.has(`${device}/${index}/${vector}`);
  }

  find_area_changes(): number {
    return 0;
  }
  area_change(): bigint {
    return 0n;
  }
  space_of(): bigint {
    return 2n ** 64n - 1n;
  }
  attached_pasid(): number {
    return -1;
  }
  has_space(): boolean {
    return false;
  }
  label_of(): bigint | undefined {
    return undefined;
  }
  add_quarantine(): number {
    return 0;
  }
  end_quarantine(): void {}
  ioctl_apart(fd: number, request: number): number {
    return this.ioctl(fd, request);
  }
  faults_len(): number {
    return this.faults.length;
  }
  faults_lost(): number {
    return 0;
  }
  fault(index: number, field: number): bigint {
    return this.faults[index]![field]!;
  }
  page_table(): bigint {
    return 0n;
  }
  page_table_row(): bigint {
    return 0n;
  }
  device_statistic(): number {
    return 0;
  }
  global_statistic(): number {
    return 0;
  }
  pages_of_size(): number {
    return 0;
  }
  /** Those of a VT-d with 4 levels. */
  iommu_register(index: number): bigint {
    return [0x12_008c_002f_0406n, 0x8bn][index]!;
  }
  usage(count: number): number {
    return count === 0 ? this.files.size : 0;
  }
  check(): string {
    return "";
  }
}

/** A machine on a fake core. Exceptions of models are in `kernel.inspect.modelErrors`. */
export function onFakeCore(machine: Machine): { kernel: SimulatedKernel; core: FakeCore } {
  const core = new FakeCore();
  const instance: Instance = { memory: core.memory, boot: () => core };
  return { kernel: new SimulatedKernel(assemble(planMachine(machine), instance, () => {})), core };
}
