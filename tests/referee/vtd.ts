/** Intel VT-d on q35: Intel Virtualization Technology for Directed I/O, sections 9 (tables) and 11.4 (registers). */

import type { Kind, RawRecord } from "./contexts.ts";
import type { Case, Fault, Iommu, Root, Verdict } from "./iommu.ts";
import { type Board, DEVICE_ID, type Machine, MEMORY_OPTION, OWN_MEMORY, SLEEPING_X86 } from "./machine.ts";

const REGISTERS = 0xfed9_0000n;
const GLOBAL_COMMAND = REGISTERS + 0x18n;
const ROOT_TABLE = REGISTERS + 0x20n;
const CONTEXT_COMMAND = REGISTERS + 0x28n;
const FAULT_STATUS = REGISTERS + 0x34n;
const IOTLB_INVALIDATE = REGISTERS + 0xf8n;
const FAULT_RECORD = REGISTERS + 0x220n;

const SET_ROOT_TABLE = 1n << 30n;
const TRANSLATE = 1n << 31n;
/** Invalidate, globally: of the context command and of the IOTLB. */
const ALL_CONTEXTS = 1n << 63n | 1n << 61n;
const ALL_TRANSLATIONS = 1n << 63n | 1n << 60n;
const SCALABLE = 1n << 10n;
const PRESENT = 1n;
const FIRST_STAGE = 1n << 6n;
/** The width of a second stage of four levels. It means nothing to a first stage, but QEMU's model checks addresses against it. */
const WIDTH_48 = 2n << 2n;
const DOMAIN = 7n;

const REASON_WRITE = 5;
const REASON_READ = 6;
const REASON_FIRST_STAGE_ABSENT = 0x71;
const REASON_FIRST_STAGE_DENIED = 0x85;

const ROOT = OWN_MEMORY;
const CONTEXT = OWN_MEMORY + 0x1000n;
const PASID_DIRECTORY = OWN_MEMORY + 0x2000n;
const PASID_TABLE = OWN_MEMORY + 0x3000n;

class Vtd implements Iommu {
  readonly #machine: Machine;
  readonly #isFirstStage: boolean;

  constructor(machine: Machine, isFirstStage: boolean) {
    this.#machine = machine;
    this.#isFirstStage = isFirstStage;
  }

  attach(root: Root): void {
    const { qtest } = this.#machine;
    const table = this.#isFirstStage ? this.#scalable(root) : this.#legacy(root);
    qtest.write(8, ROOT_TABLE, table);
    qtest.write(4, GLOBAL_COMMAND, SET_ROOT_TABLE);
    qtest.write(8, CONTEXT_COMMAND, ALL_CONTEXTS);
    this.invalidate();
    qtest.write(4, GLOBAL_COMMAND, TRANSLATE);
  }

  #legacy(root: Root): bigint {
    const { qtest } = this.#machine;
    qtest.write(8, ROOT, CONTEXT | PRESENT);
    const entry = CONTEXT + BigInt(DEVICE_ID) * 16n;
    qtest.write(8, entry, root.pa | PRESENT);
    qtest.write(8, entry + 8n, DOMAIN << 8n | BigInt(root.levels - 2));
    return ROOT;
  }

  #scalable(root: Root): bigint {
    const { qtest } = this.#machine;
    qtest.write(8, ROOT, CONTEXT | PRESENT);
    qtest.write(8, CONTEXT + BigInt(DEVICE_ID) * 32n, PASID_DIRECTORY | PRESENT);
    qtest.write(8, PASID_DIRECTORY, PASID_TABLE | PRESENT);
    qtest.write(8, PASID_TABLE, FIRST_STAGE | WIDTH_48 | PRESENT);
    qtest.write(8, PASID_TABLE + 8n, DOMAIN);
    qtest.write(8, PASID_TABLE + 16n, root.pa | BigInt(root.levels - 4) << 2n);
    return ROOT | SCALABLE;
  }

  invalidate(): void {
    this.#machine.qtest.write(8, IOTLB_INVALIDATE, ALL_TRANSLATIONS);
  }

  expected(verdict: Verdict, write: boolean, iova: bigint): Fault {
    let reason = write ? REASON_WRITE : REASON_READ;
    if (this.#isFirstStage) reason = verdict === "absent" ? REASON_FIRST_STAGE_ABSENT : REASON_FIRST_STAGE_DENIED;
    return { reason, write, iova: iova & ~0xfffn, device: DEVICE_ID };
  }

  async takeFault(): Promise<Fault | undefined> {
    const record = await takeRecord(this.#machine);
    if (record === undefined) return undefined;
    const [iova = 0n, high = 0n] = record;
    const isRead = (high >> 62n & 1n) === 1n;
    return { reason: Number(high >> 32n & 0xffn), write: !isRead, iova, device: Number(high & 0xffffn) };
  }
}

async function takeRecord({ qtest }: Machine): Promise<RawRecord | undefined> {
  const low = qtest.read(8, FAULT_RECORD);
  const high = qtest.read(8, FAULT_RECORD + 8n);
  qtest.write(4, FAULT_RECORD + 12n, 1n << 31n);
  qtest.write(4, FAULT_STATUS, 1n);
  const record = await high;
  return record >> 63n === 0n ? undefined : [await low, record];
}

const bar = 0xc000_0000n;

function board(iommu: string): Board {
  const args = ["-machine", `q35,${MEMORY_OPTION}`, "-device", `intel-iommu,intremap=off,${iommu}`];
  return { binary: "qemu-system-x86_64", args, boot: SLEEPING_X86, configuration: { kind: "ports" }, bar };
}

/** What QEMU's VT-d can judge. */
export const CASES: readonly Case[] = [
  {
    name: "VT-d second stage",
    format: "vtd_ss",
    levels: new Map([[3, 39], [4, 48]]),
    board: board("aw-bits=48"),
    open: (machine) => new Vtd(machine, false),
  },
  {
    name: "VT-d first stage",
    format: "vtd_fs",
    levels: new Map([[4, 47]]),
    board: board("x-scalable-mode=on,x-flts=on,aw-bits=48"),
    open: (machine) => new Vtd(machine, true),
  },
];

/** Bits of a record that are no matter where the request had no PASID: the PASID; and that it had one, which QEMU says of all in scalable mode. */
const PASID_OF_RECORD = 0xf_ffffn << 40n | 1n << 31n;
const REASON_OF_RECORD = 0xffn << 32n;

function kind(name: string, example: string, iommu: string, expected: Kind["expected"]): Kind {
  const take: Kind["takeRecord"] = async (machine) => {
    const record = await takeRecord(machine);
    return record && [record[0]!, record[1]! & ~PASID_OF_RECORD];
  };
  return { name, example, board: board(iommu), registers: REGISTERS, takeRecord: take, expected };
}

/** Of the second stage QEMU's model has the reasons of legacy mode alone. */
function legacyReason(verdict: string, [iova = 0n, high = 0n]: RawRecord): RawRecord {
  if (verdict === "blocked") return [iova, high];
  const isRead = (high >> 62n & 1n) === 1n;
  return [iova, high & ~REASON_OF_RECORD | BigInt(isRead ? REASON_READ : REASON_WRITE) << 32n];
}

/** Those whose tables of devices QEMU's VT-d can judge. */
export const KINDS: readonly Kind[] = [
  kind("VT-d, legacy mode", "vtd", "aw-bits=48", (_verdict, record) => record),
  kind("VT-d, scalable mode", "vtd_scalable", "x-scalable-mode=on,aw-bits=48", legacyReason),
  kind("VT-d, first stage", "vtd_first", "x-scalable-mode=on,x-flts=on,aw-bits=48", (_verdict, record) => record),
];
