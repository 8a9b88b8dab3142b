/**
 * The life of a handle: what must be disposed is counted from its creation to its disposal, so that what was forgotten can be named.
 *
 * @module
 */
import type { Kernel } from "../uapi/kernel.ts";

/** Handles of one class that were made at one place of the program and not disposed. */
export interface LeakReport {
  /** The class: "Ioas". */
  readonly kind: string;
  /** How many are open. */
  readonly open: number;
  /** How many were garbage collected while open: nothing can dispose them any more. */
  readonly collected: number;
  /** Where they were made; undefined unless {@linkcode trackLeaks} was on then. */
  readonly stack: string | undefined;
}

/** Handles that are counted together. */
interface Place {
  readonly kernel: string;
  readonly kind: string;
  readonly stack: string | undefined;
  open: number;
  collected: number;
}

/** Weak, so that a machine that is gone takes its counts along. */
const PLACES = new WeakMap<Kernel, Map<string, Place>>();
let isTracking = false;

/** The state that a handle shares with its parts: whether it may still be used. It must not refer to the handle, or that is never collected. */
export class Life {
  /** False once the handle was disposed. */
  isOpen = true;
  #place: Place;

  /** Begins. */
  constructor(place: Place) {
    this.#place = place;
    place.open++;
  }

  /** The handle was disposed. Ending twice is ending once. */
  end(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#place.open--;
  }

  /** The handle was garbage collected. */
  lose(): void {
    if (!this.isOpen) return;
    this.end();
    const { kind, kernel, stack } = this.#place;
    // Once for each place: a leak in a loop would flood the console.
    if (this.#place.collected++ > 0) return;
    const where = stack === undefined ? "trackLeaks(true) tells where it was made." : `It was made at\n${stack}`;
    const article = /^[AEIOU]/.test(kind) ? "an" : "a";
    console.warn(`Leak: ${article} ${kind} of the kernel "${kernel}" was garbage collected without being disposed. ${where}`);
  }
}

/** Missing in a few edge runtimes, where leaks are found by {@linkcode leaks} alone. */
const COLLECTED = typeof FinalizationRegistry === "function" ? new FinalizationRegistry<Life>((life) => life.lose()) : undefined;

/** Begin the life of a handle. `kind` is its class. */
export function track(handle: object, kernel: Kernel, kind: string): Life {
  const stack = isTracking ? creationStack() : undefined;
  let places = PLACES.get(kernel);
  if (places === undefined) PLACES.set(kernel, places = new Map());
  const key = stack === undefined ? kind : `${kind}\n${stack}`;
  let place = places.get(key);
  if (place === undefined) places.set(key, place = { kernel: kernel.name, kind, stack, open: 0, collected: 0 });
  const life = new Life(place);
  COLLECTED?.register(handle, life);
  return life;
}

/** The caller's lines of a stack: without the message and without this file. */
function creationStack(): string {
  const lines = (new Error().stack ?? "").split("\n").filter((line) => !/^Error\b/.test(line) && !line.includes("/api/handle."));
  return lines.map((line) => line.trim()).join("\n");
}

/**
 * Remember where each handle is made from now on, or stop doing so. Off by default: it costs a stack trace for each handle.
 *
 * Handles that exist already stay without a place.
 */
export function trackLeaks(enabled: boolean): void {
  isTracking = enabled;
}

/**
 * What the program made on a kernel and has not disposed: an entry for each class, or with {@linkcode trackLeaks} for each place.
 *
 * Empty when everything was given back. A handle that is garbage collected while open is named on the console as well.
 *
 * @example
 * ```ts
 * import { leaks, simulated, trackLeaks } from "./mod.ts";
 *
 * using kernel = await simulated({ pci: [] });
 * trackLeaks(true);
 * // … the program …
 * for (const { kind, open, stack } of leaks(kernel)) console.error(`${open} ${kind} left open, made at ${stack}`);
 * ```
 */
export function leaks(kernel: Kernel): LeakReport[] {
  const places = [...PLACES.get(kernel)?.values() ?? []].filter(({ open, collected }) => open > 0 || collected > 0);
  return places.map(({ kind, open, collected, stack }) => ({ kind, open, collected, stack }));
}

/** Take every step, whatever the others do: giving back must not stop half-way. @throws what the first that failed threw. */
export function takeAll(steps: Iterable<() => void>): void {
  let failure: { readonly error: unknown } | undefined;
  for (const step of steps) {
    try {
      step();
    } catch (error) {
      failure ??= { error };
    }
  }
  if (failure !== undefined) throw failure.error;
}
