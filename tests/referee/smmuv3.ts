/** Arm SMMUv3 on virt: Arm System Memory Management Unit Architecture, IHI 0070, chapters 4 (commands), 5 (tables), 6 (registers) and 7 (events). */

import type { Kind, RawRecord } from "./contexts.ts";
import type { Case, Fault, Iommu, Root, Verdict } from "./iommu.ts";
import { type Board, DEVICE_ID, type Machine, MEMORY_OPTION, OWN_MEMORY } from "./machine.ts";

const REGISTERS = 0x0905_0000n;
const CR0 = REGISTERS + 0x20n;
const STREAM_TABLE_BASE = REGISTERS + 0x80n;
const STREAM_TABLE_CONFIGURATION = REGISTERS + 0x88n;
const COMMAND_QUEUE_BASE = REGISTERS + 0x90n;
const COMMAND_PRODUCER = REGISTERS + 0x98n;
const EVENT_QUEUE_BASE = REGISTERS + 0xa0n;
const EVENT_PRODUCER = REGISTERS + 0xa8n;
const EVENT_CONSUMER = REGISTERS + 0xacn;

/** The SMMU and its two queues. */
const ENABLE = 1n << 0n | 1n << 2n | 1n << 3n;

const EVENT_ADDRESS = 0x000f_ffff_ffff_f000n;

/** Entries of a queue, lg2; the producer's and consumer's numbers have one bit more. */
const QUEUE_LG2 = 7n;
const QUEUE_MASK = (1n << QUEUE_LG2) - 1n;
const QUEUE_NUMBERS = (2n << QUEUE_LG2) - 1n;
const STREAMS_LG2 = 8n;

const INVALIDATE_CONFIGURATION = 0x4n;
const INVALIDATE_TRANSLATIONS = 0x30n;
const ALL_STREAMS = 31n;

const TRANSLATION_FAULT = 0x10;
const PERMISSION_FAULT = 0x13;

const STREAM_TABLE = OWN_MEMORY;
const CONTEXT_DESCRIPTOR = OWN_MEMORY + 0x8000n;
const COMMANDS = OWN_MEMORY + 0x9000n;
const EVENTS = OWN_MEMORY + 0xa000n;

const VALID = 1n;
const STAGE_1 = 5n << 1n;
const STAGE_2 = 6n << 1n;
/** 48 bits; the model has 44 and takes the less. */
const OUTPUT_48 = 5n;
const GRANULE_CODE = new Map([[12, 0n], [14, 2n], [16, 1n]]);

/** What a stage-1 table of so many bits of input needs in its context descriptor, besides its address. */
function contextDescriptor(inputLg2: number, granuleLg2: number): bigint {
  const size = BigInt(64 - inputLg2) | (GRANULE_CODE.get(granuleLg2) ?? 0n) << 6n;
  const noUpperHalf = 1n << 30n;
  const valid = 1n << 31n;
  const aarch64 = 1n << 9n;
  const record = 1n << 13n;
  const abort = 1n << 14n;
  const space = 1n << 16n;
  return size | noUpperHalf | valid | (OUTPUT_48 | aarch64 | record | abort | space) << 32n;
}

/** The third 64-bit word of a stream table entry for stage 2. */
function stage2(inputLg2: number, granuleLg2: number, levels: number): bigint {
  // Of 4 KiB tables the code is the number of levels less two; of the others less one.
  const start = BigInt(granuleLg2 === 12 ? levels - 2 : levels - 1);
  const aarch64 = 1n << 19n;
  const record = 1n << 26n;
  const translation = BigInt(64 - inputLg2) | start << 6n | (GRANULE_CODE.get(granuleLg2) ?? 0n) << 14n | OUTPUT_48 << 16n;
  const machine = 9n;
  return machine | (translation | aarch64 | record) << 32n;
}

class Smmuv3 implements Iommu {
  readonly #machine: Machine;
  readonly #stage: 1 | 2;
  readonly #granuleLg2: number;
  readonly #inputLg2: ReadonlyMap<number, number>;
  #commands = 0n;
  #events = 0n;
  #isOn = false;

  constructor(machine: Machine, stage: 1 | 2, granuleLg2: number, inputLg2: ReadonlyMap<number, number>) {
    this.#machine = machine;
    this.#stage = stage;
    this.#granuleLg2 = granuleLg2;
    this.#inputLg2 = inputLg2;
  }

  attach(root: Root): void {
    const { qtest } = this.#machine;
    const entry = STREAM_TABLE + BigInt(DEVICE_ID) * 64n;
    const inputLg2 = this.#inputLg2.get(root.levels) ?? 48;
    if (this.#stage === 1) {
      qtest.write(8, CONTEXT_DESCRIPTOR, contextDescriptor(inputLg2, this.#granuleLg2));
      qtest.write(8, CONTEXT_DESCRIPTOR + 8n, root.pa);
      qtest.write(8, entry, VALID | STAGE_1 | CONTEXT_DESCRIPTOR);
    } else {
      qtest.write(8, entry, VALID | STAGE_2);
      qtest.write(8, entry + 16n, stage2(inputLg2, this.#granuleLg2, root.levels));
      qtest.write(8, entry + 24n, root.pa);
    }
    if (!this.#isOn) this.#switchOn();
    this.#command(INVALIDATE_CONFIGURATION, ALL_STREAMS);
    this.invalidate();
  }

  #switchOn(): void {
    const { qtest } = this.#machine;
    qtest.write(8, STREAM_TABLE_BASE, STREAM_TABLE);
    qtest.write(4, STREAM_TABLE_CONFIGURATION, STREAMS_LG2);
    qtest.write(8, COMMAND_QUEUE_BASE, COMMANDS | QUEUE_LG2);
    qtest.write(8, EVENT_QUEUE_BASE, EVENTS | QUEUE_LG2);
    qtest.write(4, CR0, ENABLE);
    this.#isOn = true;
  }

  invalidate(): void {
    this.#command(INVALIDATE_TRANSLATIONS, 0n);
  }

  expected(verdict: Verdict, write: boolean, iova: bigint): Fault {
    return { reason: verdict === "absent" ? TRANSLATION_FAULT : PERMISSION_FAULT, write, iova, device: DEVICE_ID };
  }

  /** The record where the next one must be; whoever expected none finds the producer's number moved on. */
  async takeFault(): Promise<Fault | undefined> {
    const { qtest } = this.#machine;
    const record = EVENTS + (this.#events & QUEUE_MASK) * 32n;
    const producer = qtest.read(4, EVENT_PRODUCER);
    const words = [0n, 8n, 16n].map((offset) => qtest.read(8, record + offset));
    const before = this.#events;
    this.#events = this.#events + 1n & QUEUE_NUMBERS;
    qtest.write(4, EVENT_CONSUMER, this.#events);
    if (await producer === before) return undefined;
    const [first = 0n, second = 0n, iova = 0n] = await Promise.all(words);
    const isRead = (second >> 35n & 1n) === 1n;
    return { reason: Number(first & 0xffn), write: !isRead, iova, device: Number(first >> 32n) };
  }

  #command(code: bigint, second: bigint): void {
    const { qtest } = this.#machine;
    const at = COMMANDS + (this.#commands & QUEUE_MASK) * 16n;
    qtest.write(8, at, code);
    qtest.write(8, at + 8n, second);
    this.#commands = this.#commands + 1n & QUEUE_NUMBERS;
    qtest.write(4, COMMAND_PRODUCER, this.#commands);
  }
}

function board(stage: 1 | 2 | "nested"): Board {
  const machine = ["-machine", `virt,iommu=smmuv3,highmem-ecam=off,${MEMORY_OPTION}`, "-global", `arm-smmuv3.stage=${stage}`];
  const args = [...machine, "-cpu", "max", "-global", "arm-cpu.start-powered-off=on"];
  return { binary: "qemu-system-aarch64", args, configuration: { kind: "memory", base: 0x3f00_0000n }, bar: 0x1000_0000n };
}

function arm(stage: 1 | 2, granuleLg2: number, levels: ReadonlyMap<number, number>): Case {
  const granule = `${1 << (granuleLg2 - 10)}k`;
  return {
    name: `SMMUv3 stage ${stage}, ${granule}`,
    format: `arm_s${stage}_${granule}`,
    levels,
    board: board(stage),
    open: (machine) => new Smmuv3(machine, stage, granuleLg2, levels),
  };
}

/**
 * What QEMU's SMMUv3 can judge. Its addresses have 44 bits, so that stage 2 translates no more; and of top tables side by side it walks the
 * first alone, so that stage 2 has as many bits here as one table gives.
 */
export const CASES: readonly Case[] = [
  arm(1, 12, new Map([[2, 30], [3, 39], [4, 48]])),
  arm(1, 14, new Map([[2, 36], [3, 47], [4, 48]])),
  arm(1, 16, new Map([[2, 42], [3, 48]])),
  arm(2, 12, new Map([[2, 30], [3, 39], [4, 44]])),
  arm(2, 14, new Map([[2, 36], [3, 44]])),
  arm(2, 16, new Map([[2, 42], [3, 44]])),
];

/** The oldest record, of which none is left. */
async function takeRecord({ qtest }: Machine): Promise<RawRecord | undefined> {
  const registers = [qtest.read(8, EVENT_QUEUE_BASE), qtest.read(4, EVENT_PRODUCER), qtest.read(4, EVENT_CONSUMER)];
  const [base = 0n, producer = 0n, consumer = 0n] = await Promise.all(registers);
  if (producer === consumer) return undefined;
  const record = (base & EVENT_ADDRESS) + (consumer & QUEUE_MASK) * 32n;
  const words = [0n, 8n, 16n, 24n].map((at) => qtest.read(8, record + at));
  qtest.write(4, EVENT_CONSUMER, producer);
  await qtest.flush();
  return await Promise.all(words);
}

const READ = 1n << 35n;
const OF_STAGE_2 = 1n << 39n;

/**
 * Nothing is recorded of what a stream table entry aborts. Of stage 2 QEMU's model has the address within the page too. Below a guest, of a descriptor it says
 * that the transfer was a read, and of a table that it was stage 1 which refused.
 */
function asQemu(_verdict: string, [low = 0n, high = 0n, iova = 0n, page = 0n]: RawRecord): RawRecord | undefined {
  if (low === 0n) return undefined;
  if ((high & OF_STAGE_2) === 0n) return [low, high, iova, page];
  const what = high >> 40n & 3n;
  if (what === 0n) return [low, high | READ, iova, page];
  return what === 1n ? [low, high & ~OF_STAGE_2, iova, page] : [low, high, iova, page | iova & 0xfffn];
}

/** Of both stages it does not know what stage 1 led to. */
function cachedByQemu([low = 0n, high = 0n, iova = 0n]: RawRecord): RawRecord {
  return [low, high, iova, 0n];
}

/** Those whose stream tables and context descriptors QEMU's SMMUv3 can judge; it has no substreams. */
export const KINDS: readonly Kind[] = ([
  ["SMMUv3, stage 1", "smmuv3", 1],
  ["SMMUv3, stage 2", "smmuv3_second", 2],
  ["SMMUv3, both stages", "smmuv3_nested", "nested"],
] as const).map(([name, example, stage]) => ({
  name,
  example,
  board: board(stage),
  registers: REGISTERS,
  takeRecord,
  expected: asQemu,
  expectedOfCached: cachedByQemu,
}));
