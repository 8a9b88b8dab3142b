/**
 * QEMU's educational device: a factorial unit, a DMA engine with a 4 KiB buffer, and interrupts.
 *
 * Registers and behaviour: QEMU's docs/specs/edu.rst. A driver for the one drives the other.
 *
 * @module
 */
import type { Bus, DeviceDescription, DeviceModel } from "../device.ts";
import { checkOptionKeys, type OptionKeys } from "./option_keys.ts";

const IDENTIFICATION = 0x00;
const LIVENESS = 0x04;
const FACTORIAL = 0x08;
const STATUS = 0x20;
const INTERRUPT_STATUS = 0x24;
const INTERRUPT_RAISE = 0x60;
const INTERRUPT_ACKNOWLEDGE = 0x64;
const DMA_SOURCE = 0x80;
const DMA_DESTINATION = 0x88;
const DMA_COUNT = 0x90;
const DMA_COMMAND = 0x98;

const STATUS_COMPUTING = 0x01;
const STATUS_INTERRUPT = 0x80;
const COMMAND_RUN = 1n;
const COMMAND_TO_MEMORY = 2n;
const COMMAND_INTERRUPT = 4n;
const FACTORIAL_INTERRUPT = 0x001;
const DMA_INTERRUPT = 0x100;

/** The buffer as the DMA engine addresses it. */
const BUFFER_START = 0x40000n;
const BUFFER_LENGTH = 4096;
/** What an access of a width or to a place that the device does not know reads: all ones. */
const NOTHING = 0xffff_ffff;

/** Options of {@linkcode EduDevice}. */
export interface EduOptions {
  /** The addresses that the DMA engine emits: others are cut to it, silently, as the device does. Default: 2^28 − 1, that is 256 MiB. */
  readonly dmaMask?: bigint;
  /** Nanoseconds that a DMA takes; up to a tenth more by chance. Default: 100,000. QEMU takes 100 ms. */
  readonly dmaLatency?: number;
  /**
   * Whether it asks for pages that are missing and waits for them, as a PCI Express function with the Page Request Interface does, behind a VT-d in scalable mode. QEMU's is a conventional
   * one that does not. Default: false.
   */
  readonly pageRequests?: boolean;
  /** Nanoseconds for each multiplication of a factorial, likewise. Default: 1,000. */
  readonly factorialLatency?: number;
}

const KEYS: OptionKeys<EduOptions> = { dmaMask: true, dmaLatency: true, factorialLatency: true, pageRequests: true };

/** The state that a reset clears. */
class Registers {
  liveness = 0;
  factorial = 0;
  status = 0;
  interruptStatus = 0;
  source = 0n;
  destination = 0n;
  count = 0n;
  command = 0n;
}

/** The edu device. */
export class EduDevice implements DeviceModel {
  /** As {@linkcode DeviceModel.description}. */
  readonly description: DeviceDescription;
  #options: Required<EduOptions>;
  #bus!: Bus;
  #buffer!: Uint8Array;
  #registers = new Registers();

  /** Latencies of 0 or more; the mask is 1 to 2^64 − 1. */
  constructor(options: EduOptions = {}) {
    checkOptionKeys("make an edu device", options, KEYS);
    this.#options = { dmaMask: (1n << 28n) - 1n, dmaLatency: 100_000, factorialLatency: 1_000, pageRequests: false, ...options };
    const { pageRequests } = this.#options;
    this.description = {
      vendor: 0x1234,
      device: 0x11e8,
      revision: 0x10,
      classCode: 0x00ff00,
      subsystemVendor: 0x1af4,
      subsystem: 0x1100,
      bars: [{ index: 0, length: 0x100000 }],
      interruptPin: 1,
      msi: 1,
      express: pageRequests,
      ...(pageRequests ? { pageRequests } : {}),
    };
  }

  /** As {@linkcode DeviceModel.connect}. */
  connect(bus: Bus): void {
    this.#bus = bus;
    this.#buffer = bus.allocate(BUFFER_LENGTH);
  }

  /** As {@linkcode DeviceModel.reset}. */
  reset(): void {
    this.#registers = new Registers();
    this.#buffer.fill(0);
  }

  /** As {@linkcode DeviceModel.read}. */
  read(_bar: number, offset: number, width: 1 | 2 | 4): number {
    if (width !== 4) return NOTHING >>> (32 - 8 * width);
    const registers = this.#registers;
    switch (offset) {
      case IDENTIFICATION:
        return 0x0100_00ed;
      case LIVENESS:
        return registers.liveness;
      case FACTORIAL:
        return registers.factorial;
      case STATUS:
        return registers.status;
      case INTERRUPT_STATUS:
        return registers.interruptStatus;
      default:
        return Number(this.#readDma(offset) & 0xffff_ffffn);
    }
  }

  /** As {@linkcode DeviceModel.write}. */
  write(_bar: number, offset: number, width: 1 | 2 | 4, value: number): void {
    if (width !== 4) return;
    const registers = this.#registers;
    switch (offset) {
      case LIVENESS:
        registers.liveness = ~value >>> 0;
        break;
      case FACTORIAL:
        this.#startFactorial(value);
        break;
      case STATUS:
        registers.status = (registers.status & ~STATUS_INTERRUPT) | (value & STATUS_INTERRUPT);
        break;
      case INTERRUPT_RAISE:
        this.#raise(value);
        break;
      case INTERRUPT_ACKNOWLEDGE:
        this.#acknowledge(value);
        break;
      default:
        this.#writeDma(offset, BigInt(value));
    }
  }

  /** Eight bytes at once are for the DMA registers only. */
  read64(_bar: number, offset: number): bigint {
    return this.#readDma(offset);
  }

  /** As {@linkcode EduDevice.read64}. */
  write64(_bar: number, offset: number, value: bigint): void {
    this.#writeDma(offset, value);
  }

  /** The unit is busy for a while, whatever the number; what comes out is the factorial modulo 2^32. */
  #startFactorial(value: number): void {
    const registers = this.#registers;
    if ((registers.status & STATUS_COMPUTING) !== 0) return;
    registers.factorial = value;
    registers.status |= STATUS_COMPUTING;
    const multiplications = Math.min(value, FACTORIAL_ZERO_FROM);
    this.#bus.clock.after(this.#jitter((multiplications + 1) * this.#options.factorialLatency), () => {
      registers.factorial = factorial32(value);
      registers.status &= ~STATUS_COMPUTING;
      if ((registers.status & STATUS_INTERRUPT) !== 0) this.#raise(FACTORIAL_INTERRUPT);
    });
  }

  #raise(bits: number): void {
    this.#registers.interruptStatus = (this.#registers.interruptStatus | bits) >>> 0;
    if (this.#registers.interruptStatus !== 0) this.#bus.raise(0);
  }

  #acknowledge(bits: number): void {
    this.#registers.interruptStatus = (this.#registers.interruptStatus & ~bits) >>> 0;
    if (this.#registers.interruptStatus === 0) this.#bus.lower();
  }

  #readDma(offset: number): bigint {
    const registers = this.#registers;
    switch (offset) {
      case DMA_SOURCE:
        return registers.source;
      case DMA_DESTINATION:
        return registers.destination;
      case DMA_COUNT:
        return registers.count;
      case DMA_COMMAND:
        return registers.command;
      default:
        return 0xffff_ffff_ffff_ffffn;
    }
  }

  /** A running transfer keeps its registers. */
  #writeDma(offset: number, value: bigint): void {
    const registers = this.#registers;
    if ((registers.command & COMMAND_RUN) !== 0n) return;
    if (offset === DMA_SOURCE) registers.source = value;
    if (offset === DMA_DESTINATION) registers.destination = value;
    if (offset === DMA_COUNT) registers.count = value;
    if (offset !== DMA_COMMAND || (value & COMMAND_RUN) === 0n) return;
    registers.command = value;
    this.#bus.clock.after(this.#jitter(this.#options.dmaLatency), () => this.#finishDma());
  }

  /** The device has no way to report a refused or misdirected transfer: it ends like any other, and moved nothing. */
  #finishDma(): void {
    const { source, destination, count, command } = this.#registers;
    const end = () => {
      this.#registers.command = command & ~COMMAND_RUN;
      if ((command & COMMAND_INTERRUPT) !== 0n) this.#raise(DMA_INTERRUPT);
    };
    const toMemory = (command & COMMAND_TO_MEMORY) !== 0n;
    const inBuffer = (toMemory ? source : destination) - BUFFER_START;
    const iova = (toMemory ? destination : source) & this.#options.dmaMask;
    if (0n <= inBuffer && inBuffer + count <= BigInt(BUFFER_LENGTH) && iova + count <= 2n ** 64n) {
      const bytes = this.#buffer.subarray(Number(inBuffer), Number(inBuffer + count));
      this.#bus.dma.onDemand(toMemory ? "write" : "read", iova, bytes, end);
    } else end();
  }

  #jitter(nanoseconds: number): number {
    return nanoseconds + this.#bus.random(Math.floor(nanoseconds / 10) + 1);
  }
}

/** From this number on, a factorial has 32 factors of two or more, and its low 32 bits are 0. */
const FACTORIAL_ZERO_FROM = 34;

function factorial32(value: number): number {
  if (value >= FACTORIAL_ZERO_FROM) return 0;
  let result = 1;
  for (let factor = 2; factor <= value; factor++) result = Math.imul(result, factor);
  return result >>> 0;
}
