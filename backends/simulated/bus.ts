/**
 * The bus that a device model sees: DMA gated by the bus master bit and translated by the core, interrupts, time and randomness.
 *
 * @module
 */
import type { DeviceClock, Random, VirtualClock } from "./clock.ts";
import type { ConfigSpace } from "./config_space.ts";
import { type Core, dmaFaultOf, LENGTH_MAX, PEER } from "./core.ts";
import type { Bus, Clock, DeviceDescription, Dma, DmaFault, PinnedMemory } from "./device.ts";
import { PageRequests } from "./page_requests.ts";
import { Pins } from "./pins.ts";

/** VFIO's index of the interrupt kinds of a PCI device. */
export const IRQ = { intx: 0, msi: 1, msix: 2, error: 3, request: 4 } as const;

/** PASIDs are 20 bits wide (PCI Express Base 5.0, 6.20). */
const PASID_MAX = 2 ** 20 - 1;
/** How the core is told of a transfer without one. */
const NO_PASID = -1;

/** What all buses of a machine share. */
export interface BusHost {
  /** The core. */
  readonly core: Core;
  /** The core's memory, which never grows. */
  readonly memory: WebAssembly.Memory;
  /** Where DMA of arrays outside that memory is staged: a byte offset, and a length. */
  readonly bounce: { readonly offset: number; readonly length: number };
  /** The machine's time. */
  readonly clock: VirtualClock;
  /** Move bytes to or from a BAR of a device of the machine, by its physical address. Nobody answers where there is none. */
  peer(address: bigint, bytes: Uint8Array, write: boolean): void;
  /** Something may have become readable, or held time goes on. */
  wake(): void;
}

/** The {@linkcode Bus} of one device, and its interrupt state. */
export class DeviceBus implements Bus {
  /** @inheritdoc */
  readonly dma: Dma;
  /** DMA that the bus master bit held back. */
  refusedByMaster = 0;
  #host: BusHost;
  /** The machine's memory, which asking the `WebAssembly.Memory` for costs as much as a small transfer. */
  #memory: ArrayBufferLike;
  #device: number;
  #description: DeviceDescription;
  #config: () => ConfigSpace;
  #clock: DeviceClock;
  #random: Random;
  #mode: Bus["interruptMode"] | undefined;
  #asserted = false;
  #driven = false;
  #pendingVectors = new Set<number>();
  #pins: Pins | undefined;
  #works: Promise<unknown> = Promise.resolve();
  /** Whatever begins below this ends within the address bits of the function. */
  #addressEasy: bigint;
  /** Its page requests; undefined: it has none. */
  readonly pageRequests: PageRequests | undefined;
  #isCut = false;

  /**
   * @param device the core's index of the device.
   * @param config the configuration space, which needs this bus itself and so comes as a function.
   * @param emulated its memory accesses go through an access object, not through the IOMMU.
   */
  constructor(
    host: BusHost,
    device: number,
    description: DeviceDescription,
    config: () => ConfigSpace,
    random: Random,
    emulated = false,
  ) {
    this.#host = host;
    this.#memory = host.memory.buffer;
    this.#device = device;
    this.#description = description;
    this.#addressEasy = 2n ** BigInt(description.addressBits ?? 64) - 2n ** 32n;
    this.#config = config;
    this.#clock = host.clock.device();
    this.#random = random;
    this.pageRequests = description.pageRequests && !emulated ? this.#makePageRequests() : undefined;
    this.#pins = emulated ? new Pins(host.core, host.memory, device) : undefined;
    this.dma = {
      read: (iova, into, pasid) => this.#transfer(iova, into, pasid, false),
      write: (iova, from, pasid) => this.#transfer(iova, from, pasid, true),
      onDemand: (access, iova, bytes, done, pasid) => this.#onDemand(iova, bytes, pasid, access === "write", done),
    };
  }

  /** @inheritdoc */
  get clock(): Clock {
    return this.#clock;
  }

  /** @inheritdoc */
  get interruptMode(): Bus["interruptMode"] {
    return this.#mode ??= this.#findMode();
  }

  /** Whether the device is out of its slot: nothing of it reaches the machine. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** Whether the device asserts its INTx pin. */
  get intxAsserted(): boolean {
    return this.#asserted;
  }

  /** Whether MSI-X vector `vector` waits for being enabled, as the pending bit array shows. */
  isPending(vector: number): boolean {
    return this.#pendingVectors.has(vector);
  }

  /** @inheritdoc */
  random(limit: number): number {
    return this.#random.below(limit);
  }

  /** @inheritdoc */
  allocate(length: number): Uint8Array {
    if (!Number.isSafeInteger(length) || length < 1) {
      throw new RangeError(`Cannot allocate ${length} bytes for a device: 1 or more are needed`);
    }
    const offset = length <= LENGTH_MAX ? this.#host.core.staging_alloc(length) : -1;
    if (offset < 0) throw new RangeError(`Cannot allocate ${length} bytes for a device: the machine's memory is used up`);
    return new Uint8Array(this.#memory, offset, length);
  }

  /** @inheritdoc */
  pin(iova: bigint, length: number, write: boolean): PinnedMemory | DmaFault {
    if (this.#pins === undefined) throw new TypeError("Cannot pin memory for a PCI function: it reaches memory through the IOMMU, by dma");
    if (!Number.isSafeInteger(length) || length < 1 || length > LENGTH_MAX) {
      throw new RangeError(`Cannot pin ${length} bytes: 1 to ${LENGTH_MAX} are needed`);
    }
    this.#checkAddress(iova, length);
    return this.#pins.pin(iova, length, write);
  }

  /** @inheritdoc */
  raise(vector: number): void {
    if (this.#isCut) return;
    const mode = this.interruptMode;
    if (mode === "msix") this.#raiseMsix(vector);
    else if (mode === "msi") this.#raiseMessage(IRQ.msi, vector);
    else if ((this.#description.interruptPin ?? 0) > 0) {
      this.#asserted = true;
      this.driveIntx();
    }
  }

  /** @inheritdoc */
  lower(): void {
    this.#asserted = false;
    this.driveIntx();
  }

  /** @inheritdoc */
  pending<T>(work: Promise<T>): Promise<T> {
    // Results are handed on in the order of asking: which read of a real disk ends first must not show in the run.
    const ordered = this.#works.then(() => work);
    this.#works = ordered.catch(() => {});
    this.#host.clock.hold();
    this.#releaseAfter(this.#works);
    return ordered;
  }

  async #releaseAfter(work: Promise<unknown>): Promise<void> {
    await work;
    // What the model does with the result runs in microtasks, one more for each async function around it. Time goes on only after that.
    for (let turn = 0; turn < 16; turn++) await undefined;
    this.#host.clock.release();
    this.#host.wake();
  }

  /** The program enabled or disabled interrupts: forget what was known, and deliver what waited. */
  interruptsChanged(): void {
    this.#mode = undefined;
    if (this.#isCut) return;
    for (const vector of this.#pendingVectors) {
      if (this.#host.core.irq_enabled(this.#device, IRQ.msix, vector)) this.#raiseMsix(vector);
    }
    this.driveIntx();
  }

  /** Bring the line of the INTx pin to what the device asserts and the command register lets through. */
  driveIntx(): void {
    const level = this.#asserted && !this.#config().intxDisabled && this.interruptMode !== "msi" && this.interruptMode !== "msix";
    if (level === this.#driven) return;
    this.#driven = level;
    if (level) {
      this.#host.core.raise(this.#device, IRQ.intx, 0);
      this.#host.wake();
    } else {
      this.#host.core.lower(this.#device, IRQ.intx);
    }
  }

  /** Function reset: no event, no interrupt survives. */
  reset(): void {
    this.#clock.cancelAll();
    this.pageRequests?.reset();
    this.#pendingVectors.clear();
    this.#mode = undefined;
    this.lower();
  }

  /** The device is taken out: its events do not happen, its pin is low, its DMA ends here. */
  cut(): void {
    this.reset();
    this.#isCut = true;
  }

  /** The device is put back. */
  mend(): void {
    this.#isCut = false;
    this.reset();
  }

  #raiseMsix(vector: number): void {
    if (vector < 0 || vector >= this.#description.msix!.vectors) return;
    if (this.#host.core.irq_enabled(this.#device, IRQ.msix, vector)) {
      this.#pendingVectors.delete(vector);
      this.#raiseMessage(IRQ.msix, vector);
    } else {
      this.#pendingVectors.add(vector);
    }
  }

  #raiseMessage(index: number, vector: number): void {
    // Messages are memory writes of the device: without bus mastering they do not leave it.
    if (!this.#config().busMaster) return;
    this.#host.core.raise(this.#device, index, vector);
    this.#host.wake();
  }

  #findMode(): Bus["interruptMode"] {
    const enabled = (index: number, vectors: number) =>
      Array.from({ length: vectors }, (_, vector) => vector).some((vector) => this.#host.core.irq_enabled(this.#device, index, vector));
    const { msix, msi = 0, interruptPin = 0 } = this.#description;
    if (msix !== undefined && enabled(IRQ.msix, msix.vectors)) return "msix";
    if (enabled(IRQ.msi, msi)) return "msi";
    return interruptPin > 0 && enabled(IRQ.intx, 1) ? "intx" : "none";
  }

  #transfer(iova: bigint, bytes: Uint8Array, pasid: number | undefined, write: boolean): DmaFault | undefined {
    if (this.#isCut) return "unplugged";
    // The driver of an emulated device is software, which no bit of a register stops.
    if (this.#pins === undefined && !this.#config().busMaster) {
      this.refusedByMaster++;
      return "bus-master-off";
    }
    this.#checkAddress(iova, bytes.length);
    if (pasid !== undefined) checkPasid(pasid);
    const tag = pasid ?? NO_PASID;
    if (bytes.buffer !== this.#memory) return this.#bounce(iova, bytes, tag, write);
    const code = this.#move(iova, bytes.byteOffset, bytes.length, tag, write);
    return code === 0 ? undefined : dmaFaultOf(code);
  }

  #makePageRequests(): PageRequests {
    return new PageRequests({
      core: this.#host.core,
      device: this.#device,
      transfer: (iova, bytes, pasid, write) => this.#transfer(iova, bytes, pasid, write),
      after: (nanoseconds, step) => this.#clock.after(nanoseconds, step),
      wake: () => this.#host.wake(),
    });
  }

  #onDemand(
    iova: bigint,
    bytes: Uint8Array,
    pasid: number | undefined,
    write: boolean,
    done: (fault: DmaFault | undefined) => void,
  ): void {
    // A transfer that does not leave the function asks for nothing.
    if (this.pageRequests === undefined || this.#isCut || !this.#config().busMaster) return done(this.#transfer(iova, bytes, pasid, write));
    this.#checkAddress(iova, bytes.length);
    if (pasid !== undefined) checkPasid(pasid);
    this.pageRequests.run({ iova, bytes, write, pasid, done });
  }

  /** One transfer, between memory and a place in the machine's; `staged`: what of the staging area it is in. Returns 0 or −reason. */
  #move(iova: bigint, offset: number, length: number, pasid: number, write: boolean, staged?: Uint8Array): number {
    const { core } = this.#host;
    if (this.#pins !== undefined) return core.access_copy(this.#device, iova, offset, length, write);
    for (let done = 0;;) {
      const at = iova + BigInt(done);
      const [from, left] = [offset + done, length - done];
      const code = write ? core.dma_write(this.#device, pasid, at, from, left) : core.dma_read(this.#device, pasid, at, from, left);
      if (code !== PEER) return code;
      done += this.#movePeer(from, write, staged);
      if (done === length) return 0;
    }
  }

  /** The core has come to memory of another device. Returns the bytes that are done then. */
  #movePeer(offset: number, write: boolean, staged: Uint8Array | undefined): number {
    const { core } = this.#host;
    // Registers may start other transfers, which tell the core where they are and use the same staging area.
    const [done, address, length] = [core.peer_done(), core.peer_address(), core.peer_length()];
    if (staged === undefined) {
      this.#host.peer(address, new Uint8Array(this.#memory, offset + done, length), write);
    } else {
      const kept = staged.slice();
      const at = offset + done - staged.byteOffset;
      this.#host.peer(address, kept.subarray(at, at + length), write);
      staged.set(kept);
    }
    return done + length;
  }

  /** DMA of an array outside the machine's memory, through the staging area piece by piece. */
  #bounce(iova: bigint, bytes: Uint8Array, pasid: number, write: boolean): DmaFault | undefined {
    const { bounce } = this.#host;
    for (let done = 0; done < bytes.length; done += bounce.length) {
      const piece = bytes.subarray(done, done + bounce.length);
      const staged = new Uint8Array(this.#memory, bounce.offset, piece.length);
      // A read is staged too: what a refused transfer does not reach must come back as it was.
      staged.set(piece);
      const at = iova + BigInt(done);
      const code = this.#move(at, bounce.offset, piece.length, pasid, write, staged);
      if (!write) piece.set(staged);
      if (code !== 0) return dmaFaultOf(code);
    }
    return undefined;
  }

  #checkAddress(iova: bigint, length: number): void {
    // Almost all transfers: no arithmetic on bigints, which would make one.
    if (iova >= 0n && iova < this.#addressEasy && length <= LENGTH_MAX) return;
    const bits = this.#description.addressBits ?? 64;
    const last = iova + BigInt(Math.max(length, 1)) - 1n;
    if (iova < 0n || last >> BigInt(bits) !== 0n) {
      throw new RangeError(`Cannot do DMA at 0x${iova.toString(16)}, ${length} bytes: the device has ${bits} address bits`);
    }
  }
}

/** A PASID that is none must not be cut to another one, and least of all to a transfer without. */
function checkPasid(pasid: number): void {
  if (Number.isSafeInteger(pasid) && pasid >= 0 && pasid <= PASID_MAX) return;
  throw new RangeError(`Cannot do DMA with PASID ${pasid}: it must be a whole number from 0 to ${PASID_MAX}`);
}
