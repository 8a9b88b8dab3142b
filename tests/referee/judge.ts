/** Compares what QEMU's IOMMU does with page tables of ours, and what our own walk says of them. */

import type { Case, Fault, Iommu } from "./iommu.ts";
import { Machine } from "./machine.ts";
import { type Access, argumentsOf, makeShapes, type Request, type Shape } from "./shapes.ts";

/** Where page tables begin. */
const TABLES = 0x1_0000_0000n;
const ALL_SIZES = 0xffff_ffff_ffff_ffffn;
const WORD = 0xffff_ffffn;

/** What one access did. */
interface Outcome {
  /** What is where it must, or must not, have arrived. */
  readonly found: bigint;
  readonly fault: Fault | undefined;
}

/** An access about which the two do not agree. */
export interface Difference {
  readonly shape: Shape;
  readonly access: Access;
  readonly text: string;
}

/** How much was compared. */
export interface Tally {
  shapes: number;
  ok: number;
  absent: number;
  denied: number;
}

/** One machine, which takes shape after shape. */
class Bench {
  readonly #machine: Machine;
  readonly #iommu: Iommu;
  readonly #levels: number;
  #used = 0n;
  #root: bigint | undefined;
  #marker = 0x1234_5678n;

  constructor(subject: Case, levels: number) {
    this.#machine = new Machine(subject.board);
    this.#iommu = subject.open(this.#machine);
    this.#levels = levels;
  }

  stop(): Promise<void> {
    return this.#machine.stop();
  }

  /** Walks one shape; the first difference, or undefined. */
  async compare(shape: Shape): Promise<Difference | undefined> {
    this.#load(shape);
    for (const [index, access] of shape.accesses.entries()) {
      const text = await this.#access(shape, access, index);
      if (text !== undefined) return { shape, access, text };
    }
    return undefined;
  }

  #load(shape: Shape): void {
    const { qtest } = this.#machine;
    if (this.#used !== 0n) qtest.clear(TABLES, this.#used);
    this.#used = 0n;
    for (const { pa, words } of shape.memory) {
      qtest.writeWords(pa, words);
      this.#used = pa + BigInt(words.length * 8) - TABLES;
    }
    // The top table is at the same place in nearly all shapes, and VT-d's model takes ten milliseconds for a new context. What it has cached of the
    // shape before is invalidated before the first access.
    if (this.#root !== shape.root) this.#iommu.attach({ pa: shape.root, levels: this.#levels });
    this.#root = shape.root;
  }

  /** One access and what it needs; what differs, as text. */
  async #access(shape: Shape, access: Access, index: number): Promise<string | undefined> {
    const isRefused = access.verdict !== "ok";
    // Every second access that is allowed may be answered from what is cached; for one that is refused see docs/referee.md.
    if (isRefused || index % 2 === 0) this.#iommu.invalidate();
    this.#marker = this.#marker + 0x1_0001n & WORD;
    const { found, fault } = await (access.write ? this.#write : this.#read).call(this, shape, access, this.#marker);
    const hasArrived = found === this.#marker;
    if (access.pa !== 0n && hasArrived === isRefused) {
      return hasArrived ? "the data arrived" : `the data did not arrive: ${found.toString(16)}`;
    }
    const expected = isRefused ? this.#iommu.expected(access.verdict, access.write, access.iova) : undefined;
    return describe(fault) === describe(expected) ? undefined : `recorded ${describe(fault)}, expected ${describe(expected)}`;
  }

  /** From memory into the device; from there, through the window, to where it is looked at. */
  async #read(shape: Shape, access: Access, marker: bigint): Promise<Outcome> {
    const { qtest } = this.#machine;
    if (access.pa !== 0n) qtest.write(4, access.pa, marker);
    await this.#machine.transfer(false, access.iova);
    const fault = this.#takeFault(access);
    await this.#machine.transfer(true, shape.window.iova);
    return await this.#outcome(shape.window.pa, fault);
  }

  /** From the window into the device; from there to memory. */
  async #write(shape: Shape, access: Access, marker: bigint): Promise<Outcome> {
    const { qtest } = this.#machine;
    qtest.write(4, shape.window.pa, marker);
    await this.#machine.transfer(false, shape.window.iova);
    if (access.pa !== 0n) qtest.write(4, access.pa, marker ^ WORD);
    await this.#machine.transfer(true, access.iova);
    return await this.#outcome(access.pa === 0n ? shape.window.pa : access.pa, this.#takeFault(access));
  }

  #takeFault(access: Access): Promise<Fault | undefined> | undefined {
    return access.verdict === "ok" ? undefined : this.#iommu.takeFault();
  }

  async #outcome(pa: bigint, fault: Promise<Fault | undefined> | undefined): Promise<Outcome> {
    const { qtest } = this.#machine;
    const found = qtest.read(4, pa);
    await qtest.flush();
    return { found: await found, fault: await fault };
  }
}

function describe(fault: Fault | undefined): string {
  if (fault === undefined) return "no fault";
  const { reason, write, iova, device } = fault;
  return `fault ${reason.toString(16)} of a ${write ? "write" : "read"} at ${iova.toString(16)} by ${device.toString(16)}`;
}

/** Compares `count` shapes of a format with so many levels; throws a text about the first difference, made as small as it gets. */
export async function judge(subject: Case, levels: number, seed: number, count: number): Promise<Tally> {
  const { format, pageSizes = ALL_SIZES } = subject;
  const request: Request = { format, levels, iovaLg2: subject.levels.get(levels) ?? 0, pageSizes, seed, count };
  const tally: Tally = { shapes: 0, ok: 0, absent: 0, denied: 0 };
  const bench = new Bench(subject, levels);
  let difference: Difference | undefined;
  try {
    for (const shape of await makeShapes(request)) {
      difference = await bench.compare(shape);
      if (difference !== undefined) break;
      tally.shapes++;
      for (const { verdict } of shape.accesses) tally[verdict]++;
    }
  } finally {
    await bench.stop();
  }
  if (difference !== undefined) throw new Error(await shrunk(subject, { ...request, seed: difference.shape.seed, count: 1 }, difference));
  return tally;
}

/** Leaves out one operation after the other while the difference remains. */
async function shrunk(subject: Case, request: Request, difference: Difference): Promise<string> {
  const { access } = difference;
  const numbers = difference.shape.operations.map((operation) => parseInt(operation, 16));
  let smallest = { difference, probe: { operations: numbers, access } };
  for (const number of numbers) {
    const probe = { operations: smallest.probe.operations.filter((other) => other !== number), access };
    const found = await compareOnce(subject, { ...request, probe });
    if (found !== undefined) smallest = { difference: found, probe };
  }
  const { shape, text } = smallest.difference;
  const found = smallest.difference.access;
  return [
    `${subject.name}, ${request.levels} levels, seed ${request.seed}: ${found.write ? "write" : "read"} at ${found.iova.toString(16)}: ` +
    `our walk says ${found.verdict}; ${text}`,
    ...shape.operations,
    ...shape.memory.map(({ pa, words }) =>
      `${pa.toString(16)}: ${words.slice(0, 8).join(" ")}${words.length > 8 ? ` … ${words.length}` : ""}`
    ),
    `shapes ${argumentsOf({ ...request, probe: smallest.probe }).join(" ")}`,
  ].join("\n");
}

async function compareOnce(subject: Case, request: Request): Promise<Difference | undefined> {
  const [shape] = await makeShapes(request);
  return shape === undefined ? undefined : await compareShape(subject, request.levels, shape);
}

/** Compares one shape on a machine of its own. */
export async function compareShape(subject: Case, levels: number, shape: Shape): Promise<Difference | undefined> {
  const bench = new Bench(subject, levels);
  try {
    return await bench.compare(shape);
  } finally {
    await bench.stop();
  }
}
