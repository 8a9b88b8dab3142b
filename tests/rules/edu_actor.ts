/**
 * An actor that is QEMU's edu device, driven through its registers: a model of it on a simulated machine, QEMU's own on Linux.
 *
 * The device tells nobody that a transfer was refused. So its buffer has marks before each try, and what it has afterwards is fetched through
 * memory that it can reach: a page that is mapped, for the time of the fetching only, into every IOAS of the iommufd.
 *
 * @module
 */
import { type BoundDevice, type IommuFd, type Kernel, pollUntil, raw, type Region } from "../../mod.ts";
import * as uapi from "../../uapi/codec.ts";
import { MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "../../uapi/kernel.ts";
import { check, CheckError, equal } from "../check.ts";
import { BUFFER, DMA_COMMAND, DMA_COUNT, DMA_DESTINATION, DMA_SOURCE, PATIENCE } from "../conformance/edu.ts";
import { type Actor, allowDma, REFUSED, type Transfer, UNTOUCHED } from "./world.ts";

const RUN = 1;
const TO_MEMORY = 2;
const BUFFER_LENGTH = 4096;
/** What a write put into memory is read back to here. */
const HALF = BUFFER_LENGTH / 2;
const UNTOUCHED_HALF = 0x32;
/** Where the page for fetching is mapped: within the device's 28 bits, and where no case maps anything. */
const WINDOW = 0x0f00_0000n;
/** What that page has before. */
const NOT_FETCHED = 0xee;
/** IOASes have the lowest ids that are free. */
const IDS = 24;
const MAP_FLAGS = uapi.IOAS_MAP_FIXED_IOVA | uapi.IOAS_MAP_READABLE | uapi.IOAS_MAP_WRITEABLE;

/** What an edu device needs of its world. */
export interface EduSurroundings {
  /** The kernel. */
  readonly kernel: Kernel;
  /** Resolves when a transfer that was started before is certainly over. */
  settle(): Promise<void>;
  /** Milliseconds that a transfer takes at least; undefined: it takes none while the program does not wait. */
  readonly transferMin?: number;
}

/** An edu device in its place. */
export class EduActor implements Actor {
  /** As {@linkcode Actor.address}. */
  readonly address: string;
  /** As {@linkcode Actor.interrupts}. */
  readonly interrupts = "msi";
  /** As {@linkcode Actor.register}. */
  readonly register: number = DMA_SOURCE;
  /** Actors that have their page table in common with this one, whoever of them is attached. */
  mates: readonly EduActor[] = [];
  /** Whether the device reaches no memory at all, wherever it is attached. See {@linkcode World.aliasesReach}. */
  isCutOff = false;
  #surroundings: EduSurroundings;
  #device: BoundDevice | undefined;
  #isMarked = false;

  /** @param address "0000:00:04.0" */
  constructor(address: string, surroundings: EduSurroundings) {
    this.address = address;
    this.#surroundings = surroundings;
  }

  /** As {@linkcode Actor.use}. */
  use(device: BoundDevice): void {
    this.#device = device;
    // Without a reset the buffer survives its program, and the marks in it.
    if (device.info.canReset) this.#isMarked = false;
    allowDma(device);
  }

  /** As {@linkcode Actor.reads}. */
  async reads(iova: bigint, length: number): Promise<Uint8Array | typeof REFUSED> {
    if (!this.#isDriven) return REFUSED;
    await this.#mark();
    await this.#transfer(iova, BUFFER, length, RUN);
    const buffer = await this.#fetch();
    if (buffer === undefined) return REFUSED;
    equal(buffer.subarray(length, HALF), marks().subarray(length, HALF), "what the device has behind the bytes that it read");
    const bytes = buffer.slice(0, length);
    // The model keeps its buffer; QEMU gives a refused read zeros, as a bus gives ones. No case has either in memory.
    const isNothing = [UNTOUCHED, 0].some((nothing) => bytes.every((byte) => byte === nothing));
    return isNothing ? REFUSED : bytes;
  }

  /** As {@linkcode Actor.writes}. */
  async writes(iova: bigint, length: number): Promise<"OK" | typeof REFUSED> {
    if (!this.#isDriven) return REFUSED;
    check(0 < length && length <= HALF, `${length} bytes are too many to write`);
    await this.#mark();
    await this.#transfer(BUFFER, iova, length, RUN | TO_MEMORY);
    await this.#transfer(iova, BUFFER + BigInt(HALF), length, RUN);
    const back = (await this.#fetch())?.subarray(HALF, HALF + length);
    return back?.every((byte) => byte === UNTOUCHED) ? "OK" : REFUSED;
  }

  /** As {@linkcode Actor.start}. */
  async start(iova: bigint, length: number): Promise<Transfer> {
    check(this.#isDriven, "nobody drives the device");
    await this.#mark();
    const { transferMin = Infinity } = this.#surroundings;
    const start = performance.now();
    this.#command(BUFFER, iova, length, RUN | TO_MEMORY);
    return {
      finish: async () => {
        const isUnderWay = performance.now() - start < transferMin;
        await this.#surroundings.settle();
        return isUnderWay;
      },
    };
  }

  /** A device of this kind keeps no count of what is done to it. */
  noticed(): unknown {
    return undefined;
  }

  get #isDriven(): boolean {
    return this.#device?.deviceFd.isOpen ?? false;
  }

  get #registers(): Region {
    return this.#device!.bar(0);
  }

  #command(source: bigint, destination: bigint, length: number, command: number): void {
    using registers = this.#registers;
    registers.write64(DMA_SOURCE, source);
    registers.write64(DMA_DESTINATION, destination);
    registers.write64(DMA_COUNT, BigInt(length));
    registers.write32(DMA_COMMAND, command);
  }

  async #transfer(source: bigint, destination: bigint, length: number, command: number): Promise<void> {
    this.#command(source, destination, length, command);
    using registers = this.#registers;
    await pollUntil(this.#surroundings.kernel, () => (registers.read32(DMA_COMMAND) & RUN) === 0, { timeout: PATIENCE });
  }

  /** See to it that the buffer has the marks. */
  async #mark(): Promise<void> {
    if (this.#isMarked) return;
    await this.#withWindow(async (bytes) => {
      bytes.set(marks());
      await this.#transfer(WINDOW, BUFFER, BUFFER_LENGTH, RUN);
    });
    this.#isMarked = true;
  }

  /** What the buffer has; undefined where the device is cut off. Afterwards it has the marks again. */
  async #fetch(): Promise<Uint8Array | undefined> {
    return await this.#withWindow(async (bytes) => {
      bytes.fill(NOT_FETCHED);
      await this.#transfer(BUFFER, WINDOW, BUFFER_LENGTH, RUN | TO_MEMORY);
      const found = bytes.slice();
      const isReached = found.some((byte) => byte !== NOT_FETCHED);
      equal(isReached, !this.isCutOff, `${this.address} reaches the page that its buffer is fetched through`);
      if (!isReached) return undefined;
      bytes.set(marks());
      await this.#transfer(WINDOW, BUFFER, BUFFER_LENGTH, RUN);
      return found;
    });
  }

  /** Give the device a page that it reaches, wherever it is attached; if it is not, it is attached to an IOAS of its own meanwhile. */
  async #withWindow<T>(use: (bytes: Uint8Array) => Promise<T>): Promise<T> {
    const { kernel } = this.#surroundings;
    const device = this.#device!;
    const isAttached = [this, ...this.mates].some((actor) => actor.#isDriven && actor.#device!.attachedTo !== undefined);
    using own = isAttached ? undefined : device.iommu.createIoas();
    using page = pageOf(kernel);
    using _mapped = mapEverywhere(kernel, device.iommu, page.address);
    if (own === undefined) return await use(page.bytes);
    device.attach(own);
    try {
      return await use(page.bytes);
    } finally {
      device.detach();
    }
  }
}

function marks(): Uint8Array {
  return new Uint8Array(BUFFER_LENGTH).fill(UNTOUCHED, 0, HALF).fill(UNTOUCHED_HALF, HALF);
}

/** A page of memory. */
function pageOf(kernel: Kernel): Disposable & { readonly address: bigint; readonly bytes: Uint8Array } {
  const address = kernel.mmap(0n, BUFFER_LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(address >= 0n, `no page of memory: ${address}`);
  const bytes = kernel.view(address, BUFFER_LENGTH);
  return { address, bytes, [Symbol.dispose]: () => equal(kernel.munmap(address, BUFFER_LENGTH), 0, "munmap") };
}

/** Map a page into every IOAS of an iommufd. Disposing takes it out of them. */
function mapEverywhere(kernel: Kernel, iommu: IommuFd, address: bigint): Disposable {
  const mapped: number[] = [];
  const bytes = new Uint8Array(uapi.IoasMapSize);
  const view = new DataView(bytes.buffer);
  for (let ioasId = 1; ioasId <= IDS; ioasId++) {
    uapi.putIoasMap(view, 0, { flags: MAP_FLAGS, ioasId, userVa: address, length: BigInt(BUFFER_LENGTH), iova: WINDOW });
    if (raw.ioctl(kernel, iommu.fd, uapi.IOAS_MAP, bytes).result === 0) mapped.push(ioasId);
  }
  if (mapped.length === 0) throw new CheckError("The iommufd has no IOAS that a page can be mapped into");
  return {
    [Symbol.dispose]() {
      const request = new Uint8Array(uapi.IoasUnmapSize);
      for (const ioasId of mapped) {
        uapi.putIoasUnmap(new DataView(request.buffer), 0, { ioasId, iova: WINDOW, length: BigInt(BUFFER_LENGTH) });
        equal(raw.ioctl(kernel, iommu.fd, uapi.IOAS_UNMAP, request).result, 0, `unmap of IOAS ${ioasId}`);
      }
    },
  };
}
