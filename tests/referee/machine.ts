/** What the referees have in common: a machine with an IOMMU, and one device behind it that copies memory at our command. */

import { Qtest } from "./qtest.ts";

/** Bytes of memory: up to where tests/referee's shapes put data. */
const MEMORY = ["-m", "64G", "-object", "memory-backend-ram,id=memory,size=64G,reserve=off"];

/** Where a referee keeps tables and queues of its own: 5 GiB, above the page tables and below the window. */
export const OWN_MEMORY = 0x1_4000_0000n;

/** The first device's slot on the first bus; its function is 0. */
const SLOT = 4;

/** The number by which an IOMMU knows the first device: bus, slot and function. */
export const DEVICE_ID: number = SLOT << 3;

/** Room for the BAR of a device. */
const BAR_BYTES = 0x10_0000n;

const BAR0 = 0x10;
const COMMAND = 0x04;
/** Of the command register: the BAR answers, and the device may reach memory. */
const ENABLE = 0x6;

/** Of the device's command, which keeps START until it has finished; and where its own memory is. */
const START = 1n;
const TO_MEMORY = 2n;
const BUFFER = 0x4_0000n;

/** How PCI configuration space is reached. */
export type ConfigurationSpace = { kind: "ports" } | { kind: "memory"; base: bigint };

/** What differs between machines. */
export interface Board {
  /** The program. */
  readonly binary: string;
  /** Its arguments: machine, processors that sleep, the IOMMU. */
  readonly args: readonly string[];
  /** The boot image, if it takes one for the processor to sleep. */
  readonly boot?: Uint8Array;
  /** How its devices are set up. */
  readonly configuration: ConfigurationSpace;
  /** Where BARs of devices may lie; 1 MiB each. */
  readonly bar: bigint;
}

/** The machine and its devices, which are QEMU's "edu". */
export class Machine {
  /** The machine's memory and registers. */
  readonly qtest: Qtest;
  readonly #board: Board;
  readonly #boot: string | undefined;

  /** Starts it, with so many devices in slots that follow each other. */
  constructor(board: Board, devices = 1) {
    this.#board = board;
    const slots = Array.from({ length: devices }, (_, index) => SLOT + index);
    const device = slots.flatMap((slot) => ["-device", `edu,addr=${slot},dma_mask=0xffffffffffffffff`]);
    const boot = [];
    if (board.boot !== undefined) {
      this.#boot = Deno.makeTempFileSync({ suffix: ".rom" });
      Deno.writeFileSync(this.#boot, board.boot);
      boot.push("-bios", this.#boot);
    }
    this.qtest = new Qtest(board.binary, [...board.args, ...boot, ...MEMORY, ...device]);
    for (const slot of slots) this.enable(slot, this.#bar(slot << 3));
  }

  /** Where the registers of a device are, by its number. */
  #bar(device: number): bigint {
    return this.#board.bar + BigInt((device >> 3) - SLOT) * BAR_BYTES;
  }

  /** Ends it. */
  async stop(): Promise<void> {
    await this.qtest.stop();
    if (this.#boot !== undefined) Deno.removeSync(this.#boot);
  }

  /** Gives the device in a slot its BAR and lets it reach memory. */
  enable(slot: number, bar: bigint): void {
    this.#configure(slot, BAR0, Number(bar & 0xffff_ffffn));
    this.#configure(slot, COMMAND, ENABLE);
  }

  /** Copies 4 bytes between memory at `iova` and a device, after what is queued. More would be as many accesses, each with its own fault. */
  async transfer(write: boolean, iova: bigint, device: number = DEVICE_ID): Promise<void> {
    const bar = this.#bar(device);
    this.qtest.write(8, bar + 0x80n, write ? BUFFER : iova);
    this.qtest.write(8, bar + 0x88n, write ? iova : BUFFER);
    this.qtest.write(8, bar + 0x90n, 4n);
    this.qtest.write(8, bar + 0x98n, write ? START | TO_MEMORY : START);
    await this.qtest.flush();
    let state;
    do {
      state = this.qtest.read(8, bar + 0x98n);
      await this.qtest.flush();
    } while ((await state & START) !== 0n);
  }

  #configure(slot: number, register: number, value: number): void {
    const space = this.#board.configuration;
    if (space.kind === "memory") {
      this.qtest.write(4, space.base + BigInt(slot << 15 | register), BigInt(value));
      return;
    }
    this.qtest.writePort(0xcf8, (0x8000_0000 | slot << 11 | register) >>> 0);
    this.qtest.writePort(0xcfc, value >>> 0);
  }
}

/** A boot image of HLT alone: a processor of x86 that sleeps. */
export const SLEEPING_X86: Uint8Array = new Uint8Array(0x1_0000).fill(0xf4);

/** Memory as QEMU's machine option. */
export const MEMORY_OPTION = "memory-backend=memory";
