/**
 * QEMU's IOMMU in the place of our hardware half: it is given the tables, commands and register writes of our driver half, while devices are
 * attached and detached. core-wasm/crates/iommu/examples/contexts.rs does that and says what our own hardware half finds.
 */

import { type Board, Machine } from "./machine.ts";
import { hexadecimal, runExample } from "./shapes.ts";

/** Devices that the example has. */
const DEVICES = 6;
const WORD = 0xffff_ffffn;

/** The words of a fault record, two or four. */
export type RawRecord = readonly bigint[];

/** A kind of IOMMU. */
export interface Kind {
  /** For people. */
  readonly name: string;
  /** As the example names it. */
  readonly example: string;
  /** The machine. */
  readonly board: Board;
  /** Where the IOMMU's registers are. */
  readonly registers: bigint;
  /** Queues what the machine needs before the registers answer. */
  start?(machine: Machine): void;
  /** Queues reads of the record there is, and what clears it; undefined if there is none. What takes a second round trip it sends itself. */
  takeRecord(machine: Machine): Promise<RawRecord | undefined>;
  /** What QEMU's model must record where our hardware half does `record`; undefined if it records nothing. */
  expected(verdict: string, record: RawRecord): RawRecord | undefined;
  /** The same where it has the page cached, but not for this; it may record nothing then. Default: as {@linkcode expected}. */
  expectedOfCached?(record: RawRecord): RawRecord;
}

/** Accesses that were compared, by what they came to. */
export type ContextTally = Record<string, number>;

/** A log that is played. */
class Player {
  readonly tally: ContextTally = { ok: 0, absent: 0, denied: 0, blocked: 0 };
  readonly #kind: Kind;
  readonly #machine: Machine;
  #marker = 0x1234_5678n;
  #step = "";

  constructor(kind: Kind) {
    this.#kind = kind;
    this.#machine = new Machine(kind.board, DEVICES);
    kind.start?.(this.#machine);
  }

  stop(): Promise<void> {
    return this.#machine.stop();
  }

  async play(line: string): Promise<void> {
    const [word, ...rest] = line.split(" ");
    const { qtest } = this.#machine;
    if (word === "step") this.#step = line;
    if (word === "words") qtest.writeWords(hexadecimal(rest[0]), rest.slice(1));
    if (word === "register") qtest.write(rest[1] === "8" ? 8 : 4, this.#kind.registers + hexadecimal(rest[0]), hexadecimal(rest[2]));
    if (word !== "access") return;
    const text = await this.#access(rest);
    if (text !== undefined) throw new Error(`${this.#kind.name}, after "${this.#step}": ${line}: ${text}`);
  }

  async #access([device, direction, iova, verdict = "", ...words]: readonly string[]): Promise<string | undefined> {
    const who = Number(hexadecimal(device));
    const at = hexadecimal(iova);
    this.tally[verdict]!++;
    this.#marker = this.#marker + 0x1_0001n & WORD;
    const numbers = words.map(hexadecimal);
    if (verdict === "ok") return await this.#allowed(who, direction === "w", at, numbers);
    await this.#machine.transfer(direction === "w", at, who);
    const record = this.#kind.takeRecord(this.#machine);
    await this.#machine.qtest.flush();
    const found = describe(await record);
    const expected = describe(this.#kind.expected(verdict, numbers));
    // A page that is cached, but not for this: blocked without a record, or with less.
    const cached = [undefined, this.#kind.expectedOfCached?.(numbers)].map(describe);
    if (found === expected || verdict === "denied" && cached.includes(found)) return undefined;
    return `recorded ${found}, expected ${expected}`;
  }

  async #allowed(device: number, write: boolean, iova: bigint, words: readonly bigint[]): Promise<string | undefined> {
    const { qtest } = this.#machine;
    const [pa = 0n, windowIova = 0n, windowPa = 0n] = words;
    const [from, to] = write ? [windowPa, pa] : [pa, windowPa];
    qtest.write(4, from, this.#marker);
    await this.#machine.transfer(false, write ? windowIova : iova, device);
    if (from !== to) qtest.write(4, to, this.#marker ^ WORD);
    await this.#machine.transfer(true, write ? iova : windowIova, device);
    const found = qtest.read(4, to);
    const taken = this.#kind.takeRecord(this.#machine);
    await qtest.flush();
    const record = await taken;
    if (await found === this.#marker) return undefined;
    return `the data did not arrive; recorded ${describe(record)}`;
  }
}

function describe(record: RawRecord | undefined): string {
  return record === undefined ? "nothing" : record.map((word) => word.toString(16)).join(" ");
}

/** Plays a log of so many steps; throws a text about the first difference. */
export async function playContexts(kind: Kind, seed: number, steps: number): Promise<ContextTally> {
  const log = await runExample("iommu", "contexts", [kind.example, String(seed), String(steps)]);
  const player = new Player(kind);
  try {
    for (const line of log.split("\n")) await player.play(line);
  } finally {
    await player.stop();
  }
  return player.tally;
}
