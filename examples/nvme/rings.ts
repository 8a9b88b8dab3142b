/**
 * A controller's rings driven by hand: for programs that count or time what commands cost, without promises, a scheduler or an event loop.
 *
 * @module
 */
import { type BoundDevice, type Ioas, type Kernel, pollUntil } from "../../mod.ts";
import { AdminCommands } from "./admin.ts";
import { Controller } from "./controller.ts";
import type { NamespaceInfo } from "./identify.ts";
import { allocateQueue } from "./memory.ts";
import { QueuePair } from "./queue.ts";
import { Scheduler } from "./scheduler.ts";
import { NvmeControllerError } from "./status.ts";

const COMMAND_REGISTER = 0x04;
/** The device answers accesses and does DMA. */
const COMMAND_ON = 0x6;
const ADMIN = { entries: 32, depth: 16 } as const;

/** What the I/O queue is for. */
export interface RingsShape {
  /** Commands under way at once. */
  readonly depth: number;
  /** Bytes of the largest transfer. */
  readonly transferMax: number;
}

/** A controller in service. */
export interface Rings {
  /** Its only I/O queue, which is polled. */
  readonly queue: QueuePair;
  /** Its first namespace. */
  readonly namespace: NamespaceInfo;
  /** Stop the controller, so that it reaches nothing that is about to go. */
  stop(): Promise<void>;
}

/**
 * Take a controller into service with one I/O queue.
 *
 * @param device is attached to `ioas`, where the queues' memory is mapped; that goes when `stack` is disposed.
 * @throws {NvmeControllerError} if it is no controller for this driver, or has no namespace.
 */
export async function openRings(
  kernel: Kernel,
  device: BoundDevice,
  ioas: Ioas,
  { depth, transferMax }: RingsShape,
  stack: DisposableStack,
): Promise<Rings> {
  device.config.write16(COMMAND_REGISTER, device.config.read16(COMMAND_REGISTER) | COMMAND_ON);
  const controller = new Controller(kernel, device.bar(0));
  const { page } = controller;
  await controller.disable();
  const admin = allocateQueue(ioas, stack, { ...ADMIN, transferMax: page, page });
  await controller.enable(admin.submission, admin.completion, ADMIN.entries);
  const scheduler = new Scheduler();
  scheduler.add(new QueuePair(0, admin, controller.doorbells(0), ADMIN.entries, page));
  const commands = new AdminCommands(ioas, async (command) => {
    const done = scheduler.run(command);
    await pollUntil(kernel, () => scheduler.serviceAll() > 0 || scheduler.isIdle);
    await done;
  });
  const [namespace] = await commands.identifyNamespaces();
  if (namespace === undefined) throw new NvmeControllerError("The controller has no namespace");
  await commands.requestQueues(1);
  const entries = depth + 1;
  const memory = allocateQueue(ioas, stack, { entries, depth, transferMax, page });
  await commands.createQueuePair(1, memory, entries, undefined);
  return { queue: new QueuePair(1, memory, controller.doorbells(1), entries, page), namespace, stop: () => controller.disable() };
}
