/**
 * An NVMe driver on the public API alone: admin queue, I/O queues with MSI-X or polling, PRP lists, timeouts, orderly shutdown.
 *
 * It knows nothing of the kernel below: a simulated controller and a real one get the same bytes. Sections are those of NVMe 1.4.
 *
 * @module
 */
import { type BoundDevice, DeviceFd, type Hwpt, type Ioas, IommuFd, type Irq, type Kernel, pollUntil } from "../../mod.ts";
import { AdminCommands } from "./admin.ts";
import { Controller } from "./controller.ts";
import type { ControllerInfo } from "./identify.ts";
import { allocateQueue, type QueueShape } from "./memory.ts";
import { NvmeNamespace } from "./namespace.ts";
import { type DriverSettings, type NvmeDriverOptions, readOptions } from "./options.ts";
import { QueuePair } from "./queue.ts";
import { Scheduler } from "./scheduler.ts";
import { Staging } from "./staging.ts";
import { NvmeControllerError, NvmeTimeoutError } from "./status.ts";
import { Watchdog } from "./watchdog.ts";
import { Command, type CommandFields, type Work } from "./work.ts";

/** Command register of configuration space, and its bits that let a device answer accesses and do DMA. */
const COMMAND = 0x04;
const COMMAND_MEMORY = 0x2;
const COMMAND_MASTER = 0x4;

const ADMIN_ENTRIES = 32;
/** Bytes of a command where the controller has no limit, and of one piece through staging memory. */
const TRANSFER_MAX = 2 ** 21;
const STAGING_LENGTH = 2 ** 17;
/** While it polls: microtasks for a caller to go on after a completion, one for each function around it; milliseconds between turns of timers. */
const CALLER_HOPS = 16;
const TURN = 16;

/** A command that a program makes itself. */
export interface NvmeCommand extends CommandFields {
  /** Which queue it goes to. Default: `"admin"`. */
  readonly queue?: "admin" | "io";
  /** What it is called in errors. Default: its opcode. */
  readonly name?: string;
}

/**
 * A controller in service. `await using` takes it out of service in order and gives everything back.
 *
 * A command that takes too long, or a controller that reports a fatal status, ends the driver: the device is detached from its memory, every
 * promise is rejected with the reason, and a new driver can be opened once this one is disposed.
 */
export class NvmeDriver implements AsyncDisposable {
  /** What the device reaches. Buffers made here are moved without a copy. */
  readonly ioas: Ioas;
  /** The page table that tells which pages the device writes to; undefined unless that was asked for. */
  hwpt: Hwpt | undefined;
  /** What the controller says of itself. */
  info!: ControllerInfo;
  /** Its namespaces, in the order of their identifiers. */
  namespaces: readonly NvmeNamespace[] = [];
  /** Bytes of the largest command. */
  transferMax: number = TRANSFER_MAX;
  /** Why the driver is out of service; undefined while it is in service. */
  failure: Error | undefined;
  #kernel: Kernel;
  #settings: DriverSettings;
  #stack: DisposableStack;
  #device: BoundDevice;
  #controller: Controller;
  #commands: AdminCommands;
  #irq: Irq | undefined;
  #vectors = 0;
  #isPolling = false;
  #turn: number = performance.now();
  #admin = new Scheduler();
  #io = new Scheduler();
  #listeners: { readonly scheduler: Scheduler; readonly queue: QueuePair }[][] = [];
  #watchdog: Watchdog;
  #closing: Promise<void> | undefined;

  private constructor(stack: DisposableStack, device: BoundDevice, ioas: Ioas, kernel: Kernel, settings: DriverSettings) {
    this.#stack = stack;
    this.#device = device;
    this.ioas = ioas;
    this.#kernel = kernel;
    this.#settings = settings;
    this.#commands = new AdminCommands(ioas, (command) => this.#run(this.#admin, command));
    this.#watchdog = new Watchdog(settings.timeout, () => this.#visit());
    this.#controller = new Controller(kernel, device.bar(0));
  }

  /**
   * Take the controller at a PCI address into service.
   *
   * @throws {IommuError} if the kernel refuses. @throws {NvmeControllerError} if it is no controller for this driver.
   * @throws {NvmeTimeoutError} if it does not become ready. @throws {NvmeError} if it refuses a command of the set-up.
   */
  static async open(kernel: Kernel, address: string, options: NvmeDriverOptions = {}): Promise<NvmeDriver> {
    const settings = readOptions(options);
    using stack = new DisposableStack();
    const iommu = stack.use(IommuFd.open(kernel));
    const ioas = stack.use(iommu.createIoas());
    const deviceFd = stack.use(DeviceFd.open(kernel, address));
    const device = stack.use(deviceFd.bind(iommu, settings.label === undefined ? {} : { label: settings.label }));
    const hwpt = settings.dirtyTracking ? trackingTable(ioas, device) : undefined;
    device.attach(hwpt ?? ioas);
    device.config.write16(COMMAND, device.config.read16(COMMAND) | COMMAND_MEMORY);
    const driver = new NvmeDriver(stack, device, ioas, kernel, settings);
    driver.hwpt = hwpt;
    driver.#stack = stack.move();
    try {
      await driver.#start();
    } catch (error) {
      driver.#fail(asError(error));
      driver.#stack.dispose();
      throw error;
    }
    return driver;
  }

  /** I/O queues. */
  get queues(): number {
    return this.#io.queues.length;
  }

  /** Commands under way at once in each I/O queue. */
  get depth(): number {
    return this.#io.queues[0]?.depth ?? 0;
  }

  /** How completions are noticed. */
  get completions(): "interrupts" | "polling" {
    return this.#irq === undefined ? "polling" : "interrupts";
  }

  /** I/O commands completed so far. */
  get completed(): number {
    return this.#io.queues.reduce((sum, { completed }) => sum + completed, 0);
  }

  /**
   * Send a command as it is, and return dword 0 of its completion.
   *
   * It may point anywhere: what is not mapped, the IOMMU refuses. A command that waits for an event has as much time as any other.
   *
   * @throws {NvmeError} if the controller ends it with an error.
   */
  async submit(command: NvmeCommand): Promise<number> {
    const { queue = "admin", name = `Command 0x${command.opcode.toString(16).padStart(2, "0")}` } = command;
    const work = new Command(name, command);
    await this.#run(queue === "admin" ? this.#admin : this.#io, work);
    return work.result;
  }

  /** Finish what is under way, take the controller out of service, give everything back. Rejects with what went wrong on the way. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #start(): Promise<void> {
    const { page, capabilities } = this.#controller;
    // The controller may still have queues of somebody else: it must be stopped before it is let near memory.
    await this.#controller.disable();
    this.#setMaster(true);
    this.#enableInterrupts();
    const shape = { entries: ADMIN_ENTRIES, depth: ADMIN_ENTRIES / 2, transferMax: TRANSFER_MAX, page };
    const memory = allocateQueue(this.ioas, this.#stack, shape);
    await this.#controller.enable(memory.submission, memory.completion, ADMIN_ENTRIES);
    this.#addQueue(this.#admin, new QueuePair(0, memory, this.#controller.doorbells(0), ADMIN_ENTRIES, page), 0);
    this.info = await this.#commands.identifyController();
    if (this.info.mdts !== 0) this.transferMax = Math.min(TRANSFER_MAX, capabilities.pageMin * 2 ** this.info.mdts);
    await this.#createQueues();
    this.namespaces = await this.#openNamespaces();
  }

  /** One vector for each queue, the admin queue included, or as many as there are. Without MSI-X the driver polls. */
  #enableInterrupts(): void {
    if (this.#settings.completions === "polling") return;
    const irq = this.#stack.use(this.#device.irq("msix"));
    if (irq.count === 0) return;
    this.#vectors = Math.min(irq.count, this.#settings.queues + 1);
    irq.enable(this.#vectors);
    this.#irq = irq;
  }

  async #createQueues(): Promise<void> {
    const { page, capabilities } = this.#controller;
    const count = await this.#commands.requestQueues(this.#settings.queues);
    const entries = Math.min(this.#settings.depth + 1, capabilities.queueEntries);
    const shape: QueueShape = { entries, depth: entries - 1, transferMax: this.transferMax, page };
    for (let id = 1; id <= count; id++) {
      const vector = this.#vectors > 1 ? 1 + (id - 1) % (this.#vectors - 1) : 0;
      const memory = allocateQueue(this.ioas, this.#stack, shape);
      await this.#commands.createQueuePair(id, memory, entries, this.#irq === undefined ? undefined : vector);
      this.#addQueue(this.#io, new QueuePair(id, memory, this.#controller.doorbells(id), entries, page), vector);
    }
  }

  async #openNamespaces(): Promise<NvmeNamespace[]> {
    const { canTrim: trim, canWriteZeroes: writeZeroes, canCompare: compare } = this.info;
    const { ioas, transferMax } = this;
    const staging = this.#stack.use(new Staging(ioas, Math.min(STAGING_LENGTH, transferMax), this.#controller.page));
    const check = () => this.#check();
    const run = (work: Work) => this.#run(this.#io, work);
    const port = { ioas, staging, transferMax, supports: { trim, writeZeroes, compare }, check, run };
    return (await this.#commands.identifyNamespaces()).map((info) => new NvmeNamespace(port, info));
  }

  #addQueue(scheduler: Scheduler, queue: QueuePair, vector: number): void {
    scheduler.add(queue);
    if (this.#irq === undefined) return;
    const listeners = this.#listeners[vector];
    if (listeners !== undefined) return void listeners.push({ scheduler, queue });
    this.#listeners[vector] = [{ scheduler, queue }];
    this.#listen(this.#irq, vector);
  }

  /** The interrupt handler of a vector. It waits by hand: an iterator can be left while it waits, and that costs some microseconds a step. */
  async #listen(irq: Irq, index: number): Promise<void> {
    try {
      const vector = irq.vector(index);
      while (await vector.wait() !== undefined) {
        for (const { scheduler, queue } of this.#listeners[index]!) scheduler.service(queue);
      }
    } catch (error) {
      this.#fail(asError(error));
    }
  }

  /** @throws why the driver is out of service, if it is. */
  #check(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  /** Do work. Interrupts drive it, or polling does. An async function would cost each command a further promise. */
  #run(scheduler: Scheduler, work: Work): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    let done: Promise<void>;
    try {
      done = scheduler.run(work);
    } catch (error) {
      // A doorbell that cannot be rung leaves the device in no known state.
      this.#fail(asError(error));
      return Promise.reject(error);
    }
    this.#watchdog.start();
    this.#poll();
    return done;
  }

  /** Without interrupts: look for completions until nothing is under way. One loop for all work, so that calls do not wait for each other. */
  async #poll(): Promise<void> {
    if (this.#irq !== undefined || this.#isPolling) return;
    this.#isPolling = true;
    try {
      for (;;) {
        // What callers do next with what is done goes along, and is looked for meanwhile.
        for (let hop = 0; hop < CALLER_HOPS; hop++) {
          await undefined;
          if (this.#serviceAll() === 0) continue;
          hop = 0;
          if (this.#isTurnDue) await this.#giveTurn();
        }
        if (this.#isIdle) break;
        await pollUntil(this.#kernel, () => this.#serviceAll() > 0 || this.#isIdle);
        if (this.#isTurnDue) await this.#giveTurn();
      }
    } catch (error) {
      this.#fail(asError(error));
    } finally {
      this.#isPolling = false;
    }
  }

  #serviceAll(): number {
    return this.#admin.serviceAll() + this.#io.serviceAll();
  }

  get #isTurnDue(): boolean {
    return performance.now() - this.#turn >= TURN;
  }

  /** Timers and files have their turn from time to time. */
  async #giveTurn(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve));
    this.#turn = performance.now();
  }

  get #isIdle(): boolean {
    return this.#admin.isIdle && this.#io.isIdle;
  }

  /** The watchdog's visit: takes completions that no interrupt told of, and ends the driver if a command has had too long. */
  #visit(): boolean {
    try {
      const { trouble } = this.#controller;
      if (trouble !== undefined) throw new NvmeControllerError(trouble);
      for (const scheduler of [this.#admin, this.#io]) {
        scheduler.serviceAll();
        for (const queue of scheduler.queues) {
          if (queue.tick() <= this.#watchdog.visitsMax) continue;
          throw new NvmeTimeoutError(`A command in queue ${queue.id} did not complete within ${this.#settings.timeout} ms`);
        }
      }
      return !this.#isIdle;
    } catch (error) {
      this.#fail(asError(error));
      return false;
    }
  }

  /** Out of service at once. The device keeps no way to memory, so that what it still has in mind can harm nobody. */
  #fail(error: Error): void {
    if (this.failure !== undefined) return;
    this.failure = error;
    this.#watchdog.stop();
    for (const stop of [() => this.#controller.halt(), () => this.#setMaster(false), () => this.#device.detach()]) {
      try {
        stop();
      } catch {
        // A device that is gone answers nothing, and reaches nothing either.
      }
    }
    this.#admin.abandon(error);
    this.#io.abandon(error);
  }

  async #close(): Promise<void> {
    const reason = new NvmeControllerError("The driver is closed");
    try {
      if (this.failure === undefined) await this.#shutDown(reason);
    } finally {
      this.#fail(reason);
      this.#stack.dispose();
    }
  }

  /** What is under way ends by itself; then queues are deleted, and caches written (7.6.2). */
  async #shutDown(reason: Error): Promise<void> {
    await this.#io.close(reason);
    for (const { id } of this.#io.queues) await this.#commands.deleteQueuePair(id);
    await this.#admin.close(reason);
    await this.#controller.shutDown();
    await this.#controller.disable();
  }

  #setMaster(isMaster: boolean): void {
    const { config } = this.#device;
    const command = config.read16(COMMAND);
    config.write16(COMMAND, isMaster ? command | COMMAND_MASTER : command & ~COMMAND_MASTER);
  }
}

/** A page table with dirty tracking. A large page would be dirty as a whole. */
function trackingTable(ioas: Ioas, device: BoundDevice): Hwpt {
  ioas.hugePages = false;
  return ioas.createHwpt(device, { dirtyTracking: true });
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
