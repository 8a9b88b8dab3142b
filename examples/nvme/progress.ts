/**
 * A progress bar with throughput, for people who look at a terminal.
 *
 * @module
 */
import process from "node:process";
import cliProgress from "cli-progress";
import { perSecond } from "./units.ts";

/** Told how far a job is. */
export interface Progress extends Disposable {
  /** So many bytes of `total` are done, in so many seconds. */
  update(bytes: number, seconds: number, total: number): void;
}

/** A bar on the error output if that is a terminal, else nothing. Disposing takes it away. */
export function showProgress(): Progress {
  if (!process.stderr.isTTY) return { update() {}, [Symbol.dispose]() {} };
  const bar = new cliProgress.SingleBar({
    stream: process.stderr,
    format: "reading {bar} {percentage} % | {rate}",
    clearOnComplete: true,
    hideCursor: true,
  }, cliProgress.Presets.shades_classic);
  return {
    update(bytes, seconds, total) {
      if (!bar.isActive) bar.start(total, 0, { rate: "" });
      bar.update(bytes, { rate: perSecond(bytes, seconds) });
    },
    [Symbol.dispose]: () => bar.stop(),
  };
}
