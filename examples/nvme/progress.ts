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
  /** So many bytes are done, in so many seconds. */
  update(bytes: number, seconds: number): void;
}

/** A bar on the error output if that is a terminal, else nothing. Disposing takes it away. @param total bytes. */
export function showProgress(total: number): Progress {
  if (!process.stderr.isTTY) return { update() {}, [Symbol.dispose]() {} };
  const bar = new cliProgress.SingleBar({
    stream: process.stderr,
    format: "reading {bar} {percentage} % | {rate}",
    clearOnComplete: true,
    hideCursor: true,
  }, cliProgress.Presets.shades_classic);
  bar.start(total, 0, { rate: "" });
  return {
    update: (bytes, seconds) => bar.update(bytes, { rate: perSecond(bytes, seconds) }),
    [Symbol.dispose]: () => bar.stop(),
  };
}
