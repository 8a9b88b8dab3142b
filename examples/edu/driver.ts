/**
 * A driver for QEMU's edu device, on the public API alone.
 *
 * Registers: QEMU's docs/specs/edu.rst.
 *
 * @module
 */
import { type BoundDevice, DeviceFd, type DmaBuffer, type Ioas, IommuFd, type Irq, type Kernel, type Region } from "../../mod.ts";

const IDENTIFICATION = 0x00;
const LIVENESS = 0x04;
const FACTORIAL = 0x08;
const STATUS = 0x20;
const INTERRUPT_STATUS = 0x24;
const INTERRUPT_ACKNOWLEDGE = 0x64;
const DMA_SOURCE = 0x80;
const DMA_DESTINATION = 0x88;
const DMA_COUNT = 0x90;
const DMA_COMMAND = 0x98;

const STATUS_INTERRUPT = 0x80;
const DMA_START = 1;
const DMA_TO_MEMORY = 2;
const DMA_INTERRUPT = 4;
const INTERRUPT_FACTORIAL = 0x001;
const INTERRUPT_DMA = 0x100;

/** The device's own buffer, as its DMA engine addresses it. */
const BUFFER_ADDRESS = 0x40000n;
/** Bytes of that buffer, the most that one transfer moves. */
export const BUFFER_LENGTH = 4096;
/** The addresses that the DMA engine can emit. */
const DMA_ADDRESS_LAST = 0x0fff_ffffn;

/** Command register of configuration space, and its bit that lets a device do DMA. */
const COMMAND = 0x04;
const COMMAND_MASTER = 0x4;

/** The device is none that this driver can drive, or does not do what it should. */
export class EduError extends Error {
  /** "EduError". */
  override name = "EduError";
}

/** A bound and attached edu device. Disposing it releases the device, its memory and the IOMMU. */
export class EduDriver implements Disposable {
  #stack: DisposableStack;
  #device: BoundDevice;
  #registers: Region;
  #irq: Irq;
  #interrupts: AsyncIterator<unknown>;
  #memory: DmaBuffer;

  private constructor(stack: DisposableStack, device: BoundDevice, ioas: Ioas) {
    this.#stack = stack;
    this.#device = device;
    this.#registers = device.bar(0);
    this.#memory = stack.use(ioas.createDmaBuffer(BUFFER_LENGTH));
    if (this.#memory.iova + BigInt(BUFFER_LENGTH) - 1n > DMA_ADDRESS_LAST) {
      throw new EduError(`Cannot reach the buffer at IOVA 0x${this.#memory.iova.toString(16)}: the device has 28 address bits`);
    }
    this.#irq = stack.use(device.irq("msi"));
    this.#irq.enable(1);
    this.#interrupts = this.#irq[Symbol.asyncIterator]();
    device.config.write16(COMMAND, device.config.read16(COMMAND) | COMMAND_MASTER);
  }

  /** Take the device at `address`. @throws {IommuError} if the kernel refuses. @throws {EduError} if it is no edu device. */
  static open(kernel: Kernel, address: string): EduDriver {
    using stack = new DisposableStack();
    const iommu = stack.use(IommuFd.open(kernel));
    const ioas = stack.use(iommu.createIoas());
    const device = stack.use(stack.use(DeviceFd.open(kernel, address)).bind(iommu));
    device.attach(ioas);
    // Before anything else is touched: what registers do is known of this device only.
    const identification = device.bar(0).read32(IDENTIFICATION);
    if ((identification & 0xffff) !== 0x00ed) {
      throw new EduError(`Cannot drive ${address}: its identification is 0x${identification.toString(16)}, not 0x....00ed`);
    }
    const driver = new EduDriver(stack, device, ioas);
    driver.#stack = stack.move();
    return driver;
  }

  /** Major version, minor version and 0x00ed, as 0xRRrr00ed. */
  get identification(): number {
    return this.#registers.read32(IDENTIFICATION);
  }

  /** What the card makes of `value`: its bits inverted. */
  checkLiveness(value: number): number {
    this.#registers.write32(LIVENESS, value);
    return this.#registers.read32(LIVENESS);
  }

  /** The factorial of `number`, modulo 2^32. Resolves when the card's interrupt has come. */
  async factorial(number: number): Promise<number> {
    this.#registers.write32(STATUS, STATUS_INTERRUPT);
    this.#registers.write32(FACTORIAL, number);
    await this.#interrupt(INTERRUPT_FACTORIAL);
    return this.#registers.read32(FACTORIAL);
  }

  /** Send bytes to the card's buffer, by DMA. At most 4,096 with the offset. */
  async write(bytes: Uint8Array, offset = 0): Promise<void> {
    this.#memory.bytes.set(bytes);
    await this.#transfer(this.#memory.iova, BUFFER_ADDRESS + BigInt(offset), bytes.length, DMA_START | DMA_INTERRUPT);
  }

  /** Fetch `length` bytes from the card's buffer, by DMA. The result is a copy. */
  async read(length: number, offset = 0): Promise<Uint8Array> {
    await this.#transfer(BUFFER_ADDRESS + BigInt(offset), this.#memory.iova, length, DMA_START | DMA_TO_MEMORY | DMA_INTERRUPT);
    return this.#memory.bytes.slice(0, length);
  }

  /** Stop DMA and give everything back. */
  [Symbol.dispose](): void {
    try {
      this.#device.config.write16(COMMAND, this.#device.config.read16(COMMAND) & ~COMMAND_MASTER);
    } finally {
      this.#stack.dispose();
    }
  }

  async #transfer(source: bigint, destination: bigint, length: number, command: number): Promise<void> {
    this.#registers.write64(DMA_SOURCE, source);
    this.#registers.write64(DMA_DESTINATION, destination);
    this.#registers.write64(DMA_COUNT, BigInt(length));
    this.#registers.write32(DMA_COMMAND, command);
    await this.#interrupt(INTERRUPT_DMA);
  }

  /** Wait for the card's next interrupt, and acknowledge it. */
  async #interrupt(expected: number): Promise<void> {
    await this.#interrupts.next();
    const status = this.#registers.read32(INTERRUPT_STATUS);
    this.#registers.write32(INTERRUPT_ACKNOWLEDGE, status);
    if ((status & expected) === 0) {
      throw new EduError(`Cannot go on: interrupt status is 0x${status.toString(16)}, expected 0x${expected.toString(16)}`);
    }
  }
}
