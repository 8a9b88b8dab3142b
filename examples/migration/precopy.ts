/**
 * Pre-copy: memory is sent while devices go on writing to it, then again what they wrote meanwhile, until so little is left that they can be stopped
 * for it.
 *
 * @module
 */
import type { DmaBuffer, Hwpt } from "../../mod.ts";

/** Bytes of a page. */
export const PAGE = 4096;

/** Where memory goes: the other machine. */
export interface Target {
  /** Take a copy of `bytes`, which belong at `offset` of the memory. */
  receive(offset: number, bytes: Uint8Array): void;
}

/** What pre-copy works with. */
export interface PrecopyOptions {
  /** The memory. */
  readonly buffer: DmaBuffer;
  /** The page table that its devices use, made with dirty tracking. */
  readonly hwpt: Hwpt;
  /** Where it goes. */
  readonly target: Target;
  /** So few pages are sent while devices stand still. */
  readonly restPages: number;
  /** Rounds after which devices are stopped in any case. */
  readonly roundsMax: number;
  /** Pages that are sent at once. */
  readonly burstPages: number;
  /** Called after each burst: devices work while it resolves. */
  readonly meanwhile: () => Promise<void>;
  /** Stop all devices that write to the memory. Called once, before the last pages are sent. */
  readonly stop: () => Promise<void>;
}

/** What was sent. */
export interface Precopy {
  /** Pages of each round while devices worked; the first is the whole memory. */
  readonly rounds: readonly number[];
  /** Pages that were sent while devices stood still. */
  readonly rest: number;
}

/** Send a buffer that devices write to. Afterwards the target has what the memory has. */
export async function precopy(options: PrecopyOptions): Promise<Precopy> {
  const { buffer, hwpt, target, restPages, roundsMax, burstPages, meanwhile, stop } = options;
  const range = { iova: buffer.iova, length: buffer.length };
  const send = (at: number, length: number) => target.receive(at, buffer.bytes.subarray(at, at + length));
  // From here on no write is missed; what was written before is in the first round.
  hwpt.setDirtyTracking(true);
  let dirty: Iterable<{ iova: bigint; length: number }> = [range];
  const rounds: number[] = [];
  for (;;) {
    let pages = 0;
    for (const { iova, length } of dirty) {
      const start = Number(iova - buffer.iova);
      for (let at = start; at < start + length; at += PAGE) {
        send(at, PAGE);
        if (++pages % burstPages === 0) await meanwhile();
      }
    }
    await meanwhile();
    rounds.push(pages);
    // The marks go before the pages are read: a write in between marks its page again.
    const bitmap = hwpt.dirtyBitmap({ ...range, clear: false });
    if (bitmap.dirtyPages <= restPages || rounds.length === roundsMax) break;
    dirty = hwpt.dirtyBitmap(range);
  }
  await stop();
  const last = hwpt.dirtyBitmap(range);
  for (const { iova, length } of last) send(Number(iova - buffer.iova), length);
  hwpt.setDirtyTracking(false);
  return { rounds, rest: last.dirtyPages };
}
