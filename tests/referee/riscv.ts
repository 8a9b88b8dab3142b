/** The RISC-V IOMMU on virt: RISC-V IOMMU Architecture, chapters "Data Structures", "In-memory queue interface" and "Memory-mapped register interface". */

import type { Kind, RawRecord } from "./contexts.ts";
import type { Case, Fault, Iommu, Root, Verdict } from "./iommu.ts";
import { type Board, DEVICE_ID, type Machine, MEMORY_OPTION, OWN_MEMORY } from "./machine.ts";

/** The IOMMU is a PCI device itself. */
const SLOT = 1;
const REGISTERS = 0x4100_0000n;
const DIRECTORY_POINTER = REGISTERS + 0x10n;
const COMMAND_QUEUE_BASE = REGISTERS + 0x18n;
const COMMAND_TAIL = REGISTERS + 0x24n;
const FAULT_QUEUE_BASE = REGISTERS + 0x28n;
const FAULT_HEAD = REGISTERS + 0x30n;
const FAULT_TAIL = REGISTERS + 0x34n;
const COMMAND_QUEUE_CONTROL = REGISTERS + 0x48n;
const FAULT_QUEUE_CONTROL = REGISTERS + 0x4cn;

const ENABLE = 1n;
const ONE_LEVEL = 2n;
/** Entries of a queue, lg2; in its register less one. */
const QUEUE_LG2 = 7n;
const QUEUE_MASK = (1n << QUEUE_LG2) - 1n;

const INVALIDATE_TRANSLATIONS = 1n;
const INVALIDATE_DIRECTORY = 3n;
const READ_PAGE_FAULT = 13;
const WRITE_PAGE_FAULT = 15;

const DIRECTORY = OWN_MEMORY;
const COMMANDS = OWN_MEMORY + 0x1000n;
const FAULTS = OWN_MEMORY + 0x2000n;

const VALID = 1n;
/** The mode of a first stage of three levels is 8, and so on. */
const MODE_OF_NO_LEVELS = 5n;

/** A physical address as page number in the place where registers have it. */
const pageNumber = (pa: bigint): bigint => pa >> 12n << 10n;

class RiscV implements Iommu {
  readonly #machine: Machine;
  #commands = 0n;
  #faults = 0n;
  #isOn = false;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  attach(root: Root): void {
    const { qtest } = this.#machine;
    const entry = DIRECTORY + BigInt(DEVICE_ID) * 64n;
    qtest.write(8, entry, VALID);
    qtest.write(8, entry + 16n, 1n << 12n);
    qtest.write(8, entry + 24n, MODE_OF_NO_LEVELS + BigInt(root.levels) << 60n | root.pa >> 12n);
    if (!this.#isOn) this.#switchOn();
    this.#command(INVALIDATE_DIRECTORY);
    this.invalidate();
  }

  #switchOn(): void {
    const { qtest } = this.#machine;
    this.#machine.enable(SLOT, REGISTERS);
    qtest.write(8, COMMAND_QUEUE_BASE, pageNumber(COMMANDS) | QUEUE_LG2 - 1n);
    qtest.write(4, COMMAND_QUEUE_CONTROL, ENABLE);
    qtest.write(8, FAULT_QUEUE_BASE, pageNumber(FAULTS) | QUEUE_LG2 - 1n);
    qtest.write(4, FAULT_QUEUE_CONTROL, ENABLE);
    qtest.write(8, DIRECTORY_POINTER, pageNumber(DIRECTORY) | ONE_LEVEL);
    this.#isOn = true;
  }

  invalidate(): void {
    this.#command(INVALIDATE_TRANSLATIONS);
  }

  expected(_verdict: Verdict, write: boolean, iova: bigint): Fault {
    return { reason: write ? WRITE_PAGE_FAULT : READ_PAGE_FAULT, write, iova, device: DEVICE_ID };
  }

  /** The record where the next one must be; whoever expected none finds the tail moved on. */
  async takeFault(): Promise<Fault | undefined> {
    const { qtest } = this.#machine;
    const record = FAULTS + this.#faults * 32n;
    const tail = qtest.read(4, FAULT_TAIL);
    const header = qtest.read(8, record);
    const iova = qtest.read(8, record + 16n);
    const before = this.#faults;
    this.#faults = this.#faults + 1n & QUEUE_MASK;
    qtest.write(4, FAULT_HEAD, this.#faults);
    if (await tail === before) return undefined;
    const word = await header;
    const reason = Number(word & 0xfffn);
    // The record's type of transaction is no help: QEMU's model says that each is a write.
    return { reason, write: reason === WRITE_PAGE_FAULT, iova: await iova, device: Number(word >> 40n) };
  }

  #command(code: bigint): void {
    const { qtest } = this.#machine;
    qtest.write(8, COMMANDS + this.#commands * 16n, code);
    qtest.write(8, COMMANDS + this.#commands * 16n + 8n, 0n);
    this.#commands = this.#commands + 1n & QUEUE_MASK;
    qtest.write(4, COMMAND_TAIL, this.#commands);
  }
}

/** `wfi` and a jump back to it, where the processor starts. */
const SLEEP = ["-bios", "none", "-device", "loader,addr=0x80000000,data=0xffdff06f10500073,data-len=8"];

const BOARD: Board = {
  binary: "qemu-system-riscv64",
  args: ["-machine", `virt,${MEMORY_OPTION}`, ...SLEEP, "-device", `riscv-iommu-pci,addr=${SLOT}`],
  configuration: { kind: "memory", base: 0x3000_0000n },
  bar: 0x4000_0000n,
};

/** What QEMU's RISC-V IOMMU can judge; it does not know the 64 KiB pages of Svnapot. */
export const CASES: readonly Case[] = [{
  name: "RISC-V first stage",
  format: "riscv",
  levels: new Map([[3, 38], [4, 47], [5, 56]]),
  pageSizes: ~(1n << 16n) & 0xffff_ffff_ffff_ffffn,
  board: BOARD,
  open: (machine) => new RiscV(machine),
}];

/** The oldest record; whatever is in the queue goes. */
async function takeRecord({ qtest }: Machine): Promise<RawRecord | undefined> {
  const registers = [qtest.read(8, FAULT_QUEUE_BASE), qtest.read(4, FAULT_HEAD), qtest.read(4, FAULT_TAIL)];
  const [base = 0n, head = 0n, tail = 0n] = await Promise.all(registers);
  if (head === tail) return undefined;
  const record = (base >> 10n << 12n) + head * 32n;
  const words = [0n, 8n, 16n, 24n].map((at) => qtest.read(8, record + at));
  qtest.write(4, FAULT_HEAD, tail);
  await qtest.flush();
  return await Promise.all(words);
}

/** Of a record: the type of transaction is a write and not a read; the device's request had a process id. */
const WRITES = 1n << 34n;
const HAS_PROCESS = 1n << 32n;

/**
 * What QEMU's model writes: that each request was of process 0; of what a page table refuses, that it was a write, and no address of a guest; of what a
 * directory does, that it was a read, and no address at all.
 */
function asQemu(verdict: string, [header = 0n, custom = 0n, iova = 0n]: RawRecord): RawRecord {
  if (verdict === "blocked") return [header & ~WRITES | HAS_PROCESS, 0n, 0n, 0n];
  return [header | WRITES | HAS_PROCESS, custom, iova, 0n];
}

function kind(name: string, example: string): Kind {
  const start: Kind["start"] = (machine) => machine.enable(SLOT, REGISTERS);
  return { name, example, board: BOARD, registers: REGISTERS, start, takeRecord, expected: asQemu };
}

/** Those whose directories QEMU's RISC-V IOMMU can judge. */
export const KINDS: readonly Kind[] = [
  kind("RISC-V, first stage", "riscv"),
  kind("RISC-V, first stage by process", "riscv_processes"),
  kind("RISC-V, second stage", "riscv_second"),
];
