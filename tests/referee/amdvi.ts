/** AMD-Vi on q35: AMD I/O Virtualization Technology, 48882, sections 2.2.2 (device table), 2.4 (commands) and 3.4 (registers). */

import type { Kind } from "./contexts.ts";
import type { Case, Fault, Iommu, Root } from "./iommu.ts";
import { type Board, DEVICE_ID, type Machine, MEMORY_OPTION, OWN_MEMORY, SLEEPING_X86 } from "./machine.ts";

const REGISTERS = 0xfed8_0000n;
const DEVICE_TABLE_BASE = REGISTERS;
const COMMAND_BASE = REGISTERS + 0x8n;
const EVENT_BASE = REGISTERS + 0x10n;
const CONTROL = REGISTERS + 0x18n;
const COMMAND_TAIL = REGISTERS + 0x2008n;
const EVENT_TAIL = REGISTERS + 0x2018n;

/** The IOMMU, its event log and its command buffer. */
const ENABLE = 1n << 0n | 1n << 2n | 1n << 12n;
/** A buffer of 256 entries, 4 KiB. */
const ENTRIES_256 = 8n << 56n;
const BUFFER_BYTES = 4096n;
const INVALIDATE_ENTRY = 2n << 60n;
const INVALIDATE_ALL = 8n << 60n;

const VALID = 1n << 0n | 1n << 1n;
const READ_AND_WRITE = 3n << 61n;
const DOMAIN = 7n;

const DEVICE_TABLE = OWN_MEMORY;
const COMMANDS = OWN_MEMORY + 0x1000n;
const EVENTS = OWN_MEMORY + 0x2000n;

class AmdVi implements Iommu {
  readonly #machine: Machine;
  #tail = 0n;
  #isOn = false;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  attach(root: Root): void {
    const { qtest } = this.#machine;
    const entry = DEVICE_TABLE + BigInt(DEVICE_ID) * 32n;
    qtest.write(8, entry, VALID | BigInt(root.levels) << 9n | root.pa | READ_AND_WRITE);
    qtest.write(8, entry + 8n, DOMAIN);
    if (!this.#isOn) {
      qtest.write(8, DEVICE_TABLE_BASE, DEVICE_TABLE);
      qtest.write(8, COMMAND_BASE, COMMANDS | ENTRIES_256);
      qtest.write(8, EVENT_BASE, EVENTS | ENTRIES_256);
      qtest.write(8, CONTROL, ENABLE);
      this.#isOn = true;
    }
    this.#command(INVALIDATE_ENTRY | BigInt(DEVICE_ID));
    this.invalidate();
  }

  invalidate(): void {
    this.#command(INVALIDATE_ALL);
  }

  /** Of an entry that is zero, or does not allow what is asked, QEMU's model leaves no event. */
  expected(): undefined {
    return undefined;
  }

  async takeFault(): Promise<Fault | undefined> {
    const tail = await this.#machine.qtest.read(8, EVENT_TAIL);
    return tail === 0n ? undefined : { reason: Number(tail), write: false, iova: 0n, device: DEVICE_ID };
  }

  #command(first: bigint): void {
    const { qtest } = this.#machine;
    qtest.write(8, COMMANDS + this.#tail, first);
    qtest.write(8, COMMANDS + this.#tail + 8n, 0n);
    this.#tail = (this.#tail + 16n) % BUFFER_BYTES;
    qtest.write(8, COMMAND_TAIL, this.#tail);
  }
}

const BOARD: Board = {
  binary: "qemu-system-x86_64",
  args: ["-machine", `q35,${MEMORY_OPTION}`, "-device", "amd-iommu,pt=off"],
  boot: SLEEPING_X86,
  configuration: { kind: "ports" },
  bar: 0xc000_0000n,
};

/** What QEMU's AMD-Vi can judge. With its default of pt=on it translates nothing. */
export const CASES: readonly Case[] = [{
  name: "AMD-Vi host tables v1",
  format: "amd_v1",
  levels: new Map([[3, 39], [4, 48], [5, 57], [6, 64]]),
  board: BOARD,
  open: (machine) => new AmdVi(machine),
}];

/** The one whose table of devices QEMU's AMD-Vi can judge. It records nothing of what is compared here. */
export const KINDS: readonly Kind[] = [{
  name: "AMD-Vi",
  example: "amdvi",
  board: BOARD,
  registers: REGISTERS,
  takeRecord: async ({ qtest }) => {
    const tail = await qtest.read(8, EVENT_TAIL);
    return tail === 0n ? undefined : [tail, 0n];
  },
  expected: () => undefined,
}];
