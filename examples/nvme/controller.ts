/**
 * The registers of a controller: capabilities, enabling, shutting down, doorbells (NVMe 1.4, 3.1 and 7.6).
 *
 * @module
 */
import { IommuError, type Kernel, pollUntil, type Region } from "../../mod.ts";
import type { Area } from "./prp.ts";
import type { Doorbells } from "./queue.ts";
import { type Capabilities, CC, CSTS, parseCapabilities, REGISTER } from "./registers.ts";
import { NvmeControllerError, NvmeTimeoutError } from "./status.ts";

/** What the controller gets at most for an orderly shutdown, where it does not say itself (RTD3E): milliseconds. */
const SHUTDOWN_TIMEOUT = 10_000;
/** What reads of a device answer that is not there. */
const ABSENT = 0xffff_ffff;

/** A controller by its BAR. */
export class Controller {
  /** CAP. */
  readonly capabilities: Capabilities;
  /** Bytes of a memory page: the usual 4,096 where the controller can. */
  readonly page: number;
  #kernel: Kernel;
  #bar: Region;

  /** @throws {NvmeControllerError} if there is no controller that this driver can drive. */
  constructor(kernel: Kernel, bar: Region) {
    this.#kernel = kernel;
    this.#bar = bar;
    const low = bar.read32(REGISTER.capabilities);
    const high = bar.read32(REGISTER.capabilities + 4);
    if (low === ABSENT && high === ABSENT) throw new NvmeControllerError("The controller does not answer: its registers read as ones");
    this.capabilities = parseCapabilities(low, high);
    if (!this.capabilities.nvm) throw new NvmeControllerError("The controller does not support the NVM command set");
    this.page = Math.max(4096, this.capabilities.pageMin);
  }

  /** Why the controller cannot go on, as CSTS tells; undefined if it can. */
  get trouble(): string | undefined {
    const status = this.#status;
    if (status === ABSENT) return "The controller does not answer any more: its registers read as ones";
    return (status & CSTS.fatal) !== 0 ? "The controller reports a fatal status: only a reset helps" : undefined;
  }

  /** Take a controller out of service, whatever state it is in. Commands under way are gone, and with them its DMA. */
  async disable(): Promise<void> {
    const configuration = this.#bar.read32(REGISTER.configuration);
    if ((configuration & CC.enable) !== 0) {
      // Clearing CC.EN before CSTS.RDY has followed is not allowed, unless the controller died on the way.
      await this.#until(() => (this.#status & (CSTS.ready | CSTS.fatal)) !== 0, this.capabilities.timeout, "become ready before its reset");
      this.#bar.write32(REGISTER.configuration, configuration & ~CC.enable & ~CC.shutdownMask);
    }
    await this.#until(() => (this.#status & CSTS.ready) === 0, this.capabilities.timeout, "end its reset");
  }

  /** Stop all DMA at once, without waiting: what is left when nothing else works. */
  halt(): void {
    this.#bar.write32(REGISTER.configuration, 0);
  }

  /** Put a disabled controller into service, with its admin queue. @param entries of both rings. */
  async enable(submission: Area, completion: Area, entries: number): Promise<void> {
    this.#bar.write32(REGISTER.adminAttributes, ((entries - 1) << 16) | (entries - 1));
    this.#writeAddress(REGISTER.adminSubmission, submission);
    this.#writeAddress(REGISTER.adminCompletion, completion);
    const memoryPage = (Math.log2(this.page) - 12) << 7;
    this.#bar.write32(REGISTER.configuration, CC.entrySizes | memoryPage | CC.enable);
    await this.#until(() => (this.#status & (CSTS.ready | CSTS.fatal)) !== 0, this.capabilities.timeout, "become ready");
    if (this.trouble !== undefined) throw new NvmeControllerError("The controller reports a fatal status instead of becoming ready");
  }

  /** Tell the controller that power may go: what was written is made to last. */
  async shutDown(): Promise<void> {
    const configuration = this.#bar.read32(REGISTER.configuration);
    this.#bar.write32(REGISTER.configuration, (configuration & ~CC.shutdownMask) | CC.shutdown);
    await this.#until(() => (this.#status & CSTS.shutdownMask) === CSTS.shutdownComplete, SHUTDOWN_TIMEOUT, "shut down");
  }

  /** The doorbells of a queue pair. */
  doorbells(id: number): Doorbells {
    const bar = this.#bar;
    const { doorbellStride } = this.capabilities;
    const submission = REGISTER.doorbells + 2 * id * doorbellStride;
    const completion = submission + doorbellStride;
    return { submission: (tail) => bar.write32(submission, tail), completion: (head) => bar.write32(completion, head) };
  }

  get #status(): number {
    return this.#bar.read32(REGISTER.status);
  }

  #writeAddress(register: number, { low, high }: Area): void {
    this.#bar.write32(register, low);
    this.#bar.write32(register + 4, high);
  }

  async #until(predicate: () => boolean, timeout: number, what: string): Promise<void> {
    try {
      await pollUntil(this.#kernel, predicate, { timeout });
    } catch (cause) {
      if (!(cause instanceof IommuError && cause.code === "ETIMEDOUT")) throw cause;
      throw new NvmeTimeoutError(`The controller did not ${what} within ${timeout} ms`, { cause });
    }
  }
}
