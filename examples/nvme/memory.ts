/**
 * Memory of queues: rings and PRP lists, where the device reaches them.
 *
 * @module
 */
import type { DmaPool, Ioas } from "../../mod.ts";
import { Area, listLength } from "./prp.ts";
import { COMMAND, COMPLETION, type QueueMemory } from "./queue.ts";

/** What decides how much memory a queue pair needs. */
export interface QueueShape {
  /** Entries of both rings. */
  readonly entries: number;
  /** Commands under way at once, fewer than entries. */
  readonly depth: number;
  /** Bytes of the largest transfer. */
  readonly transferMax: number;
  /** Bytes of a memory page, as CC.MPS has it. */
  readonly page: number;
}

/** Zeroed memory for one queue pair, which goes when `stack` is disposed. */
export function allocateQueue(ioas: Ioas, stack: DisposableStack, shape: QueueShape): QueueMemory {
  const { entries, depth, transferMax, page } = shape;
  const whole = (length: number) => Math.ceil(length / page) * page;
  const submission = whole(entries * COMMAND);
  const completion = whole(entries * COMPLETION);
  // Rings and lists begin on a page of the controller, which may be larger than one of the IOMMU.
  const rings = stack.use(ioas.createDmaPool({ size: submission + completion, count: 1, alignment: page }));
  const lists = stack.use(ioas.createDmaPool({ size: listLength(transferMax, page), count: depth, alignment: page }));
  const take = (pool: DmaPool) => {
    const { iova, bytes } = stack.use(pool.take());
    return new Area(iova, bytes);
  };
  const ring = take(rings);
  return {
    submission: ring.slice(0, submission),
    completion: ring.slice(submission, completion),
    lists: Array.from({ length: depth }, () => take(lists)),
  };
}
