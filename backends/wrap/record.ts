/**
 * Records what a program asks of a kernel, so that {@linkcode replay} can answer for the kernel.
 *
 * @module
 */
import type { Kernel } from "../../uapi/kernel.ts";
import { MemoryWatch } from "./memory_watch.ts";
import { TappedKernel } from "./tap.ts";
import { type CallName, TRACE_VERSION, type TraceEntry, type TraceHeader } from "./trace.ts";

/** How {@linkcode record} works. */
export interface RecordOptions {
  /**
   * The calls at whose end memory is compared. Default: every call during which devices may run, that is `close`, `ioctl`, `read`, `write`,
   * `pread`, `pwrite`, `wait` (both ends) and `relax`. Fewer make recording faster; changes are then found at the next of them, later than
   * the program saw them.
   */
  readonly scanAt?: readonly CallName[];
}

/** `view` is always among them: a range that is looked at for the first time must be recorded before the caller sees it. */
const SCAN_AT: readonly CallName[] = ["close", "ioctl", "read", "write", "pread", "pwrite", "wait", "woke", "relax"];

/** Joins the `relax` calls of a polling loop, of which there may be millions, into one line. */
class RelaxCounter {
  readonly #emit: (entry: TraceEntry) => void;
  #times = 0;

  constructor(emit: (entry: TraceEntry) => void) {
    this.#emit = emit;
  }

  add(entry: TraceEntry): void {
    if (entry.call === "relax" && !entry.memory) {
      this.#times++;
      return;
    }
    this.flush();
    this.#emit(entry);
  }

  flush(): void {
    if (this.#times > 0) this.#emit({ call: "relax", args: {}, ...(this.#times > 1 ? { times: this.#times } : {}) });
    this.#times = 0;
  }
}

/**
 * A kernel that passes every call on to `inner` and gives a line of a trace (see {@linkcode TraceEntry}) to `sink` for each, without a
 * newline at its end. Disposing it disposes `inner` and completes the trace.
 *
 * What devices write into memory is found by comparison: all memory that the program looks at through `view` is compared with a copy at the
 * end of each call in `scanAt`. That costs about a millisecond for each 4 MiB and call, and as much memory again; memory that is mapped and
 * never looked at costs nothing. The program's own writes are recorded too, since nothing tells them apart. Two limits: a device that writes
 * into a {@linkcode Block} outside a call is not seen, and what hardware writes between a call's end and the program's look is replayed one
 * call later.
 *
 * @example
 * ```ts
 * import { record, replay } from "./mod.ts";
 * import { UnsupportedKernel } from "../../uapi/kernel.ts";
 *
 * const lines: string[] = [];
 * const recorded = record(new UnsupportedKernel(), (line) => lines.push(line));
 * recorded.open("/dev/iommu", 2);
 *
 * console.log(replay(lines).open("/dev/iommu", 2)); // -2, as the recorded kernel answered
 * ```
 */
export function record(inner: Kernel, sink: (line: string) => void, options: RecordOptions = {}): Kernel {
  const header: TraceHeader = { trace: "iommufd", version: TRACE_VERSION, kernel: inner.name };
  sink(JSON.stringify(header));
  const counter = new RelaxCounter((entry) => sink(JSON.stringify(entry)));
  return new TappedKernel(inner, {
    name: `record(${inner.name})`,
    emit: (entry) => counter.add(entry),
    watch: new MemoryWatch(),
    scanAt: new Set([...(options.scanAt ?? SCAN_AT), "view"]),
    finish: () => counter.flush(),
  });
}
