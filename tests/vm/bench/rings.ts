/**
 * The NVMe example's rings by hand: what reads cost without the promises, the scheduler and the event loop of its driver.
 *
 * @module
 */
import { AdminCommands } from "../../../examples/nvme/admin.ts";
import { Controller } from "../../../examples/nvme/controller.ts";
import { allocateQueue } from "../../../examples/nvme/memory.ts";
import { QueuePair } from "../../../examples/nvme/queue.ts";
import { Scheduler } from "../../../examples/nvme/scheduler.ts";
import { DeviceFd, type DmaBuffer, type Ioas, IommuFd, pollUntil } from "../../../mod.ts";
import { type Bench, WARM_UPS } from "./typed.ts";
import { type ReadWork, type Round, sequenceOf, type Side } from "./workload.ts";

const COMMAND_REGISTER = 4;
const COMMAND_ON = 6;
const ADMIN = { entries: 32, depth: 16 } as const;
const READ = 0x02;

/** A controller's I/O queue, and what its first namespace is. */
interface Rings {
  readonly ioas: Ioas;
  readonly queue: QueuePair;
  readonly namespace: { readonly id: number; readonly blockLength: number; readonly length: number };
  /** Stop the controller, so that it reaches nothing that is about to go. */
  stop(): Promise<void>;
}

async function openRings({ kernel, nvme }: Bench, { depth, length }: ReadWork, stack: DisposableStack): Promise<Rings> {
  const iommu = stack.use(IommuFd.open(kernel));
  const ioas = stack.use(iommu.createIoas());
  const device = stack.use(stack.use(DeviceFd.open(kernel, nvme)).bind(iommu));
  device.attach(ioas);
  device.config.write16(COMMAND_REGISTER, device.config.read16(COMMAND_REGISTER) | COMMAND_ON);
  const controller = new Controller(kernel, device.bar(0));
  const { page } = controller;
  await controller.disable();
  const adminMemory = allocateQueue(ioas, stack, { ...ADMIN, transferMax: page, page });
  await controller.enable(adminMemory.submission, adminMemory.completion, ADMIN.entries);
  const scheduler = new Scheduler();
  scheduler.add(new QueuePair(0, adminMemory, controller.doorbells(0), ADMIN.entries, page));
  const commands = new AdminCommands(ioas, async (command) => {
    const done = scheduler.run(command);
    await pollUntil(kernel, () => scheduler.serviceAll() > 0 || scheduler.isIdle);
    await done;
  });
  const [namespace] = await commands.identifyNamespaces();
  if (namespace === undefined) throw new Error(`The controller at ${nvme} has no namespace`);
  await commands.requestQueues(1);
  const memory = allocateQueue(ioas, stack, { entries: depth + 1, depth, transferMax: length, page });
  await commands.createQueuePair(1, memory, depth + 1, undefined);
  const queue = new QueuePair(1, memory, controller.doorbells(1), depth + 1, page);
  return { ioas, queue, namespace, stop: () => controller.disable() };
}

/** The commands of one sample. */
class Batch {
  #rings: Rings;
  #work: ReadWork;
  #next: () => number;
  #buffers: readonly DmaBuffer[];
  /** By the identifier of the command that reads into it. */
  #byId: DmaBuffer[] = [];
  #left = 0;
  #open = 0;
  check = 0;

  constructor(rings: Rings, work: ReadWork, next: () => number, buffers: readonly DmaBuffer[]) {
    [this.#rings, this.#work, this.#next, this.#buffers] = [rings, work, next, buffers];
  }

  run(relax: () => void): void {
    const { queue } = this.#rings;
    this.#left = this.#work.batch;
    for (const buffer of this.#buffers) this.#put(buffer);
    queue.ring();
    while (this.#open > 0) {
      if (queue.reap() > 0) queue.ring();
      else relax();
    }
  }

  #put(buffer: DmaBuffer): void {
    if (this.#left-- <= 0) return;
    const { queue, namespace } = this.#rings;
    const { length } = this.#work;
    const blocks = length / namespace.blockLength;
    const low = Number(buffer.iova & 0xffff_ffffn);
    const id = queue.putBlocks(READ, namespace.id, this.#next() * blocks, blocks, low, Number(buffer.iova >> 32n), length, this.#done);
    this.#byId[id] = buffer;
    this.#open++;
  }

  #done = (id: number, status: number): void => {
    if (status !== 0) throw new Error(`A read ended with status 0x${status.toString(16)}`);
    const buffer = this.#byId[id]!;
    this.check = (this.check + buffer.view.getUint32(0, true)) >>> 0;
    this.#open--;
    this.#put(buffer);
  };
}

async function readRound(bench: Bench, work: ReadWork, seed: number): Promise<Round> {
  using stack = new DisposableStack();
  const rings = await openRings(bench, work, stack);
  try {
    const buffers = Array.from({ length: work.depth }, () => stack.use(rings.ioas.createDmaBuffer(work.length)));
    const places = Math.floor(rings.namespace.length / work.length);
    const batch = new Batch(rings, work, sequenceOf(work.order, seed, places), buffers);
    const relax = () => bench.kernel.relax();
    const times: number[] = [];
    for (let sample = 0; sample < work.samples; sample++) {
      const start = performance.now();
      batch.run(relax);
      times.push((performance.now() - start) * 1e6 / work.batch);
    }
    return { samples: times, check: batch.check };
  } finally {
    await rings.stop();
  }
}

/** Reads by polling, without the driver around the rings. */
export function ringsSide(bench: Bench): Side {
  return {
    name: "TypeScript, rings only",
    warmUps: WARM_UPS,
    run: async (work, seed) => work.kind === "read" && work.completions === "polling" ? await readRound(bench, work, seed) : undefined,
  };
}
