/**
 * Looks after commands from time to time while there are any.
 *
 * It counts its own visits and not the clock's milliseconds: a program that was busy for a minute has not given the controller a minute.
 *
 * @module
 */

/** Visits in the time that a command has. */
const VISITS = 4;
/** A controller that died is noticed after so long at the latest: milliseconds. */
const PERIOD_MAX = 500;

/** A timer that runs only while there is something to look after. */
export class Watchdog {
  /** More visits than this have passed in a command's time: it has had too long. */
  readonly visitsMax: number;
  #period: number;
  #visit: () => boolean;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param timeout milliseconds that a command has. @param visit looks, and says whether there is something to look after. */
  constructor(timeout: number, visit: () => boolean) {
    this.#period = Math.max(1, Math.min(PERIOD_MAX, timeout / VISITS));
    // The first visit may come at once after a command has begun, so it does not count.
    this.visitsMax = Math.ceil(timeout / this.#period);
    this.#visit = visit;
  }

  /** There is something to look after. */
  start(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#visit()) this.start();
    }, this.#period);
  }

  /** There is nothing any more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
