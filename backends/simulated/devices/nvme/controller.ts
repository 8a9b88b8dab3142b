/**
 * An NVMe 1.4 controller with its namespaces, as a PCI function: registers, enabling, resetting and shutting down.
 *
 * @module
 */
import type { Bus, ClockEvent, DeviceDescription, DeviceModel } from "../../device.ts";
import { AdminCommands } from "./admin.ts";
import { Engine } from "./engine.ts";
import { EVENT } from "./events.ts";
import { padded } from "./identify.ts";
import { IO, IoCommands } from "./io.ts";
import { Health } from "./logs.ts";
import { Staging, StagingPool } from "./memory.ts";
import { Namespace } from "./namespace.ts";
import { type NvmeOptions, readOptions, type Settings } from "./options.ts";
import { PrpWalker } from "./prp.ts";
import { ringFits } from "./queues.ts";
import {
  capabilitiesHigh,
  capabilitiesLow,
  CC_ENABLE,
  CC_WRITABLE,
  CSTS,
  isPossible,
  lg2PageOf,
  REGISTER,
  shutdownOf,
  VERSION,
} from "./registers.ts";
import { WORDS } from "./slots.ts";

/** What drivers take for a usual disk: 1b36:0010 is QEMU's. */
const VENDOR = 0x1b36;
const DEVICE = 0x0010;
const CLASS_NVME = 0x010802;
const PAGE = 4096;

/** The NVMe controller. */
export class NvmeController implements DeviceModel {
  /** As {@linkcode DeviceModel.description}. */
  readonly description: DeviceDescription;
  /** Counters and temperature, as the SMART log shows them. A test may make it hot. */
  readonly health: Health = new Health();
  #settings: Settings;
  #namespaces: readonly Namespace[];
  #bus!: Bus;
  #engine!: Engine;
  #admin!: AdminCommands;
  #io!: IoCommands;
  #prp!: PrpWalker;
  #configuration = 0;
  #status = 0;
  #adminQueues = new DataView(new ArrayBuffer(20));
  #transition: ClockEvent | undefined;

  /** A controller that is off. @throws {RangeError} if an option is out of range. */
  constructor(options: NvmeOptions) {
    this.#settings = readOptions(options);
    this.#namespaces = options.namespaces.map((namespace, index) => new Namespace(index + 1, namespace));
    padded(this.#settings.serial, 20);
    padded(this.#settings.model, 40);
    padded(this.#settings.firmware, 8);
    const { vectors, doorbellsEnd, transferMax } = this.#settings;
    for (const { id, blockLength } of this.#namespaces) {
      if (blockLength > transferMax) {
        throw new RangeError(`Cannot make namespace ${id}: a block is longer than the largest transfer, ${transferMax}`);
      }
    }
    this.description = {
      vendor: VENDOR,
      device: DEVICE,
      subsystemVendor: VENDOR,
      subsystem: DEVICE,
      classCode: CLASS_NVME,
      bars: [{ index: 0, length: 2 ** Math.ceil(Math.log2(doorbellsEnd + 2 * PAGE * Math.ceil(vectors * 16 / PAGE))), wide: true }],
      interruptPin: 1,
      dmaLogging: this.#settings.dmaLogging,
      msix: { vectors, bar: 0, table: doorbellsEnd, pending: doorbellsEnd + PAGE * Math.ceil(vectors * 16 / PAGE) },
    };
  }

  /** As {@linkcode DeviceModel.connect}. */
  connect(bus: Bus): void {
    const settings = this.#settings;
    this.#bus = bus;
    const host = {
      latency: (slot: number) => this.#latency(slot),
      execute: (slot: number) => this.#engine.slots.queue[slot] === 0 ? this.#admin.execute(slot) : this.#io.execute(slot),
      badDoorbell: (value: boolean) => this.#admin.events.happened(value ? EVENT.invalidDoorbellValue : EVENT.invalidDoorbell),
    };
    this.#engine = new Engine(bus, host, settings.latency, settings.queues + 1);
    const pages = settings.transferMax / PAGE + 1;
    this.#prp = new PrpWalker(this.#engine.memory, bus.allocate(PrpWalker.listLength(pages)), pages);
    const shared = {
      engine: this.#engine,
      prp: this.#prp,
      pool: new StagingPool(new Staging(bus.allocate(settings.transferMax))),
      namespaces: this.#namespaces,
      health: this.health,
      transferMax: settings.transferMax,
    };
    this.#admin = new AdminCommands({
      ...shared,
      ioQueues: settings.queues,
      queueEntries: settings.queueEntries,
      vectors: settings.vectors,
      identity: { vendor: VENDOR, serial: settings.serial, model: settings.model, firmware: settings.firmware, mdts: settings.mdts },
      configuration: () => this.#configuration,
      now: () => bus.clock.now,
    });
    this.#io = new IoCommands({
      ...shared,
      writeCache: () => this.#admin.writeCache,
      pending: (work) => bus.pending(work),
    });
  }

  /** As {@linkcode DeviceModel.reset}. */
  reset(): void {
    this.#stop();
    this.#configuration = 0;
    this.#status = 0;
    this.#adminQueues = new DataView(new ArrayBuffer(20));
  }

  /** As {@linkcode DeviceModel.read}. Accesses narrower than a register read a part of it. */
  read(_bar: number, offset: number, width: 1 | 2 | 4): number {
    const register = this.#read32(offset & ~3);
    return width === 4 ? register : (register >>> (8 * (offset & 3))) & (2 ** (8 * width) - 1);
  }

  /** As {@linkcode DeviceModel.write}. NVMe allows whole registers only: a narrower write does nothing. */
  write(_bar: number, offset: number, width: 1 | 2 | 4, value: number): void {
    if (width !== 4) return;
    if (offset >= REGISTER.doorbells) return this.#ring(offset - REGISTER.doorbells, value);
    switch (offset) {
      case REGISTER.interruptMaskSet:
        return this.#mask(this.#engine.interrupts.mask | value);
      case REGISTER.interruptMaskClear:
        return this.#mask(this.#engine.interrupts.mask & ~value);
      case REGISTER.configuration:
        return this.#configure(value);
      default:
        return this.#writeAdminQueue(offset, value);
    }
  }

  #read32(offset: number): number {
    switch (offset) {
      case REGISTER.capabilities:
        return capabilitiesLow(this.#settings);
      case REGISTER.capabilities + 4:
        return capabilitiesHigh(this.#settings);
      case REGISTER.version:
        return VERSION;
      case REGISTER.interruptMaskSet:
      case REGISTER.interruptMaskClear:
        return this.#engine.interrupts.mask >>> 0;
      case REGISTER.configuration:
        return this.#configuration;
      case REGISTER.status:
        return this.#status | (this.#engine.fatal ? CSTS.fatal : 0);
      default: {
        const at = offset - REGISTER.adminQueueAttributes;
        return 0 <= at && at < 20 ? this.#adminQueues.getUint32(at, true) : 0;
      }
    }
  }

  /** AQA, ASQ and ACQ: sizes of 12 bits each, addresses of whole pages. They keep still while the controller is enabled. */
  #writeAdminQueue(offset: number, value: number): void {
    const at = offset - REGISTER.adminQueueAttributes;
    if (at < 0 || at >= 20 || (this.#configuration & CC_ENABLE) !== 0) return;
    const isLow = offset === REGISTER.adminSubmissionQueue || offset === REGISTER.adminCompletionQueue;
    const mask = offset === REGISTER.adminQueueAttributes ? 0x0fff_0fff : isLow ? 0xffff_f000 : 0xffff_ffff;
    this.#adminQueues.setUint32(at, value & mask, true);
  }

  #mask(mask: number): void {
    this.#engine.interrupts.mask = mask;
    this.#engine.interrupts.updatePin();
  }

  /** Doorbells alternate: tail of submission queue n, head of completion queue n. */
  #ring(offset: number, value: number): void {
    const { doorbellStride, doorbellsEnd } = this.#settings;
    const index = offset / (4 << doorbellStride);
    const id = index >>> 1;
    if (!Number.isInteger(index) || offset + REGISTER.doorbells >= doorbellsEnd || !this.#engine.running) return;
    if ((index & 1) === 0) this.#engine.ringSubmission(id, value & 0xffff);
    else this.#engine.ringCompletion(id, value & 0xffff);
  }

  #configure(value: number): void {
    const before = this.#configuration;
    this.#configuration = value & CC_WRITABLE;
    const shutdown = shutdownOf(value);
    if (((before ^ value) & CC_ENABLE) !== 0) {
      if ((value & CC_ENABLE) !== 0) this.#enable();
      else this.#disable();
    } else if (shutdown !== 0 && shutdown !== shutdownOf(before)) {
      this.#shutDown();
    }
  }

  #after(nanoseconds: number, callback: () => void): void {
    this.#transition?.cancel();
    this.#transition = this.#bus.clock.after(this.#jitter(nanoseconds), () => {
      this.#transition = undefined;
      callback();
    });
  }

  #enable(): void {
    this.#status = 0;
    this.#after(this.#settings.latency.enable, () => {
      const queues = this.#adminQueues;
      const attributes = queues.getUint32(0, true);
      const ring = (at: number, last: number) => ({
        low: queues.getUint32(at, true),
        high: queues.getUint32(at + 4, true),
        entries: last + 1,
      });
      const submission = ring(4, attributes & 0xfff);
      const completion = ring(12, attributes >>> 16);
      const fits = submission.entries > 1 && completion.entries > 1 && ringFits(submission, 64) && ringFits(completion, 16);
      if (!fits || !isPossible(this.#configuration, this.#settings)) {
        this.#engine.fatal = true;
        return;
      }
      this.#prp.setPageSize(lg2PageOf(this.#configuration));
      this.#engine.start(submission, completion);
      this.#status = CSTS.ready;
    });
  }

  /** Controller reset: queues and commands are gone at once, CSTS.RDY falls a little later. */
  #disable(): void {
    const status = this.#status;
    if ((status & CSTS.shutdownMask) !== CSTS.shutdownComplete && status !== 0) this.health.unsafeShutdowns++;
    this.#stop();
    this.#status = status & CSTS.ready;
    this.#after(this.#settings.latency.disable, () => this.#status = 0);
  }

  #stop(): void {
    this.#transition?.cancel();
    this.#transition = undefined;
    this.#engine.stop();
    this.#admin.reset();
    this.#engine.burst = 2 ** 6;
  }

  /** Commands that were fetched still complete; then everything written is made to last. */
  #shutDown(): void {
    this.#status = (this.#status & ~CSTS.shutdownMask) | CSTS.shutdownOccurring;
    this.#engine.pause();
    this.#after(this.#settings.latency.shutdown, () => {
      const { epoch } = this.#engine;
      const done = () => {
        if (this.#engine.epoch !== epoch) return;
        this.#status = (this.#status & ~CSTS.shutdownMask) | CSTS.shutdownComplete;
      };
      const works = this.#namespaces.map(({ media }) => media.flush?.()).filter((work) => work !== undefined);
      if (works.length === 0) done();
      else this.#bus.pending(Promise.allSettled(works)).then(done);
    });
  }

  /** How long a command takes: its kind, its data, and chance. */
  #latency(slot: number): number {
    const { latency } = this.#settings;
    const { words, queue } = this.#engine.slots;
    const at = WORDS * slot;
    if (queue[slot] === 0) return this.#jitter(latency.admin);
    const opcode = words[at]! & 0xff;
    if (opcode === IO.flush) return this.#jitter(latency.flush);
    const blocks = (words[at + 12]! & 0xffff) + 1;
    const data = opcode === IO.read || opcode === IO.write ? blocks * (this.#namespaces[words[at + 1]! - 1]?.blockLength ?? 1) : 0;
    return this.#jitter((opcode === IO.read ? latency.read : latency.write) + data / 1024 * latency.kibibyte);
  }

  #jitter(nanoseconds: number): number {
    const span = Math.floor(nanoseconds * this.#settings.latency.jitter);
    return span === 0 ? nanoseconds : nanoseconds + this.#bus.random(span + 1);
  }
}
