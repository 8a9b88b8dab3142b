/**
 * Asynchronous events: what happened, and the requests of the host that wait to be told (NVMe 1.4, 5.2).
 *
 * @module
 */

/** Requests that may wait at once. */
export const EVENT_REQUESTS = 4;

/** Events: type, information and the log page to read. */
export const EVENT = {
  invalidDoorbell: { type: 0, information: 0, page: 1 },
  invalidDoorbellValue: { type: 0, information: 1, page: 1 },
  temperature: { type: 1, information: 1, page: 2 },
} as const;

/** One of {@linkcode EVENT}. */
export type AsyncEvent = typeof EVENT[keyof typeof EVENT];

/** Events and requests of one controller. */
export class AsyncEvents {
  #finish: (slot: number, result: number) => void;
  #requests: number[] = [];
  #events: AsyncEvent[] = [];
  #masked = 0;

  /** @param finish completes the request in `slot` with dword 0. */
  constructor(finish: (slot: number, result: number) => void) {
    this.#finish = finish;
  }

  /** A request came. False if too many wait. */
  request(slot: number): boolean {
    if (this.#requests.length >= EVENT_REQUESTS) return false;
    this.#requests.push(slot);
    return true;
  }

  /** Something happened. Events of one type are reported once until their log page is read. */
  happened(event: AsyncEvent): void {
    if (!this.#events.includes(event)) this.#events.push(event);
    this.deliver();
  }

  /** Tell requests of events. Not while the command that asks is still being executed. */
  deliver(): void {
    for (let index = 0; index < this.#events.length && this.#requests.length > 0;) {
      const event = this.#events[index]!;
      if ((this.#masked & (1 << event.type)) !== 0) {
        index++;
        continue;
      }
      this.#events.splice(index, 1);
      this.#masked |= 1 << event.type;
      this.#finish(this.#requests.shift()!, (event.page << 16) | (event.information << 8) | event.type);
    }
  }

  /** The host read a log page: events that point to it are reported again. */
  read(page: number): void {
    for (const event of Object.values(EVENT)) {
      if (event.page === page) this.#masked &= ~(1 << event.type);
    }
    this.deliver();
  }

  /** Take back a request that waits. */
  withdraw(slot: number): boolean {
    const index = this.#requests.indexOf(slot);
    if (index >= 0) this.#requests.splice(index, 1);
    return index >= 0;
  }

  /** Slots of the requests that wait. */
  get requests(): readonly number[] {
    return this.#requests;
  }

  /** Controller reset. */
  reset(): void {
    this.#requests.length = 0;
    this.#events.length = 0;
    this.#masked = 0;
  }
}
