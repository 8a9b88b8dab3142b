/**
 * A stray DMA on purpose: the disk is told to read into memory that nobody gave it.
 *
 * @module
 */
import type { Ioas } from "../../mod.ts";
import type { NvmeDriver } from "./driver.ts";
import type { NvmeMachine, Refusal } from "./machine.ts";
import { NvmeError, statusName } from "./status.ts";

const READ = 0x02;
/** Where a first address without a mapping is looked for, and the distance to the next. */
const FIRST = 0xdead_0000n;
const STEP = 2n ** 32n;

/** What came of it. */
export interface StrayReport {
  /** The address that the disk was given. */
  readonly iova: bigint;
  /** Bytes that it was told to put there. */
  readonly length: number;
  /** Whether the command failed, as it must. */
  readonly refused: boolean;
  /** How the controller ended the command. */
  readonly status: { readonly code: number; readonly name: string };
  /** The IOMMU's record; undefined where the kernel does not tell. */
  readonly fault: Refusal | undefined;
}

/** Tell the disk to read its first block to an address where nothing is mapped. The driver goes on afterwards. */
export async function provokeStray(driver: NvmeDriver, machine: NvmeMachine): Promise<StrayReport> {
  const { id, blockLength: length } = driver.namespaces[0]!.info;
  const iova = findHole(driver.ioas);
  const before = machine.activity()?.faults ?? 0;
  let code = 0;
  try {
    await driver.submit({ queue: "io", name: "Stray read", opcode: READ, namespace: id, iova, length });
  } catch (error) {
    if (!(error instanceof NvmeError)) throw error;
    code = error.status;
  }
  const isRecorded = (machine.activity()?.faults ?? 0) > before;
  const fault = isRecorded ? machine.lastRefusal() : undefined;
  return { iova, length, refused: code !== 0, status: { code, name: statusName(code) }, fault };
}

/** An address that the IOMMU could translate, were something mapped there. */
export function findHole(ioas: Ioas): bigint {
  const { ranges } = ioas.ranges;
  for (let iova = FIRST; iova < 2n ** 64n; iova += STEP) {
    const isAllowed = ranges.some(({ start, last }) => start <= iova && iova <= last);
    if (isAllowed && ioas.bufferAt(iova) === undefined) return iova;
  }
  // An IOMMU with fewer than 32 bits of address: its last page is a long way from what is mapped first.
  return (ranges.at(-1)?.last ?? 0xfffn) & ~0xfffn;
}
