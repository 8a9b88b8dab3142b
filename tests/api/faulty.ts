/**
 * Makes each kernel call of an operation fail in turn.
 *
 * @module
 */
import type { SimulatedKernel } from "../../backends/simulated/mod.ts";
import { type ErrnoName, type Fault, type FaultCall, faults, type FaultyKernel } from "../../backends/wrap/mod.ts";
import { type Attached, attached, type Booted } from "./machine.ts";

/** Every call that can fail. */
export const CALLS: readonly FaultCall[] = [
  "open",
  "close",
  "ioctl",
  "read",
  "write",
  "pread",
  "pwrite",
  "mmap",
  "munmap",
  "block",
  "eventfd",
  "memfd",
  "wait",
  "list",
  "readlink",
  "readFile",
];

/** What an operation works with. */
export interface Faulty extends Attached {
  /** The kernel some of whose calls fail. */
  readonly kernel: FaultyKernel;
}

/** What came of one fault. */
export interface Outcome {
  /** The kernel that failed. */
  readonly kernel: FaultyKernel;
  /** Where the fault struck: while the world was made, or in the operation. */
  readonly stage: "setup" | "operation";
  /** What was thrown; undefined: nothing. */
  readonly error: unknown;
}

/** What {@linkcode sweep} tells apart. */
export interface Sweep {
  /** The operation. */
  readonly run: (world: Faulty) => unknown;
  /** Called before the operation, and after it: whatever it did. */
  readonly before?: (world: Faulty) => void;
  /** As {@linkcode Sweep.before}. `error` is what the operation threw. */
  readonly after?: (world: Faulty, error: unknown) => unknown;
}

/**
 * Run an operation once for each of its calls, and make that one fail: the first, the second, and so on until there is none.
 *
 * Nothing of a round is left for the next; what calls that failed have left below is taken away.
 */
export async function sweep({ kernel }: Booted, fault: Omit<Fault, "nth">, { run, before, after }: Sweep): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let nth = 1;; nth++) {
    const faulty = faults(kernel, [{ ...fault, nth }]);
    let world: Attached | undefined;
    let error: unknown;
    let stage: Outcome["stage"] = "setup";
    try {
      world = attached(faulty);
      stage = "operation";
      const whole = { ...world, kernel: faulty };
      before?.(whole);
      try {
        await run(whole);
      } catch (thrown) {
        error = thrown;
      }
      await after?.(whole, error);
    } catch (thrown) {
      if (stage === "operation") throw thrown;
      error = thrown;
    }
    try {
      world?.[Symbol.dispose]();
    } catch (thrown) {
      error ??= thrown;
    }
    if (faulty.fired === 0) return outcomes;
    closeAll(kernel);
    outcomes.push({ kernel: faulty, stage, error });
  }
}

/** A close that failed did nothing below; on Linux it would have closed the file. */
function closeAll(kernel: SimulatedKernel): void {
  for (let fd = 0; fd < 64; fd++) kernel.close(fd);
}

/** An error that the call may answer without being taken for something else. `block` has one only. */
export function errnoFor(call: FaultCall): ErrnoName {
  return call === "block" ? "ENOMEM" : "EIO";
}
