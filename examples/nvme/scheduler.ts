/**
 * Shares queues among works: each queue is kept full while there is something to put, and works take turns.
 *
 * @module
 */
import type { QueuePair } from "./queue.ts";
import type { Work } from "./work.ts";

/** The queues of one kind, and the work for them. */
export class Scheduler {
  #queues: QueuePair[] = [];
  #waiting: Work[] = [];
  #active = new Set<Work>();
  #nextQueue = 0;
  #nextWork = 0;
  #closed: Error | undefined;

  /** The queues. */
  get queues(): readonly QueuePair[] {
    return this.#queues;
  }

  /** Whether no work goes on. */
  get isIdle(): boolean {
    return this.#active.size === 0;
  }

  /** Add a queue. */
  add(queue: QueuePair): void {
    this.#queues.push(queue);
  }

  /** Start work that has something to put. Settles with it; rejects with its error. @throws what a doorbell throws. */
  run(work: Work): Promise<void> {
    if (this.#closed !== undefined) {
      work.fail(this.#closed);
      return work.done;
    }
    work.onSettled = this.#settled;
    this.#active.add(work);
    this.#waiting.push(work);
    try {
      this.#spread();
    } catch (error) {
      // Nobody gets the promise, and it is rejected when the work is abandoned.
      work.done.catch(() => {});
      throw error;
    }
    return work.done;
  }

  /** Take the completions of a queue, and fill it up again. @returns how many there were. */
  service(queue: QueuePair): number {
    const count = queue.reap();
    while (queue.hasRoom && this.#issue(queue));
    queue.ring();
    return count;
  }

  /** As {@linkcode Scheduler.service}, for all queues. */
  serviceAll(): number {
    let count = 0;
    for (let index = 0; index < this.#queues.length; index++) count += this.service(this.#queues[index]!);
    return count;
  }

  /**
   * Take no further work and put no further commands: work that has some left fails with `reason`, once those that are under way are done.
   *
   * @returns a promise of all that is under way; it never rejects.
   */
  close(reason: Error): Promise<unknown> {
    this.#closed ??= reason;
    const ends = Promise.allSettled([...this.#active].map(({ done }) => done));
    for (const work of [...this.#active]) if (work.hasMore) work.fail(reason);
    return ends;
  }

  /** Give up on everything. Only when the controller can reach no memory. */
  abandon(reason: Error): void {
    this.#closed ??= reason;
    for (const work of [...this.#active]) work.fail(reason);
    for (const queue of this.#queues) queue.abandon();
  }

  /** One for all work, so that work costs no closure. */
  #settled = (work: Work): void => {
    this.#active.delete(work);
  };

  /** New work goes to all queues in turn, so that it does not fill one while others are idle. */
  #spread(): void {
    const queues = this.#queues;
    for (let full = 0; full < queues.length;) {
      const queue = queues[this.#nextQueue]!;
      this.#nextQueue = (this.#nextQueue + 1) % queues.length;
      if (!queue.hasRoom) full++;
      else if (this.#issue(queue)) full = 0;
      else break;
    }
    for (let index = 0; index < queues.length; index++) queues[index]!.ring();
  }

  /** Put one command of the work whose turn it is. @returns false if no work has any. */
  #issue(queue: QueuePair): boolean {
    while (this.#waiting.length > 0) {
      if (this.#nextWork >= this.#waiting.length) this.#nextWork = 0;
      const work = this.#waiting[this.#nextWork]!;
      if (work.hasMore) {
        work.issue(queue);
        this.#nextWork++;
        return true;
      }
      this.#waiting.splice(this.#nextWork, 1);
    }
    return false;
  }
}
