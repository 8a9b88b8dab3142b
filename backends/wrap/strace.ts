/**
 * Prints what a program asks of a kernel, one readable line for each call.
 *
 * @module
 */
import type { Kernel } from "../../uapi/kernel.ts";
import { describeCall, describeResult } from "./describe.ts";
import { TappedKernel } from "./tap.ts";
import type { CallName, TraceEntry } from "./trace.ts";

/** How {@linkcode strace} works. */
export interface StraceOptions {
  /** The calls to print. Default: all but `block` and `view`, which are no system calls. */
  readonly calls?: readonly CallName[];
}

/** What a line of {@linkcode strace} says of one entry of a trace; also for traces that were recorded. */
export function traceLine(entry: TraceEntry): string {
  const times = entry.times === undefined ? "" : ` × ${entry.times}`;
  const result = describeResult(entry);
  return `${describeCall(entry)}${times}${result === "" ? "" : ` = ${result}`}`;
}

/**
 * A kernel that passes every call on to `inner` and gives a line for each to `sink`, without a newline at its end:
 *
 * ```text
 * open("/dev/iommu", RDWR|CLOEXEC) = 3
 * ioctl(3, IOAS_ALLOC, {flags=0}) = 0 {out_ioas_id=1}
 * ```
 *
 * A polling loop prints its `relax` calls as one line, `relax() × 57`, when the next call comes.
 *
 * @example
 * ```ts
 * import { strace } from "./mod.ts";
 * import { UnsupportedKernel } from "../../uapi/kernel.ts";
 *
 * const kernel = strace(new UnsupportedKernel(), console.log);
 * kernel.open("/dev/iommu", 2); // open("/dev/iommu", RDWR) = -ENOENT (nothing has this id, address or name)
 * ```
 */
export function strace(inner: Kernel, sink: (line: string) => void, options: StraceOptions = {}): Kernel {
  const isShown = (call: CallName) => options.calls ? options.calls.includes(call) : call !== "block" && call !== "view";
  let relaxed = 0;
  const flush = () => {
    if (relaxed > 0) sink(traceLine({ call: "relax", args: {}, ...(relaxed > 1 ? { times: relaxed } : {}) }));
    relaxed = 0;
  };
  return new TappedKernel(inner, {
    name: `strace(${inner.name})`,
    emit: (entry) => {
      if (!isShown(entry.call)) return;
      if (entry.call === "relax") {
        relaxed++;
        return;
      }
      flush();
      sink(traceLine(entry));
    },
    finish: flush,
  });
}
