/**
 * Controller registers of NVMe 1.4 (section 3.1): offsets, fields, and the capabilities that this controller has.
 *
 * @module
 */

/** Offsets in BAR 0, bytes. */
export const REGISTER = {
  capabilities: 0x00,
  version: 0x08,
  interruptMaskSet: 0x0c,
  interruptMaskClear: 0x10,
  configuration: 0x14,
  status: 0x1c,
  adminQueueAttributes: 0x24,
  adminSubmissionQueue: 0x28,
  adminCompletionQueue: 0x30,
  doorbells: 0x1000,
} as const;

/** NVMe 1.4.0. */
export const VERSION = 0x0001_0400;

/** Bits of the controller status, CSTS. */
export const CSTS = { ready: 0x1, fatal: 0x2, shutdownOccurring: 0x4, shutdownComplete: 0x8, shutdownMask: 0xc } as const;

/** CC.EN. */
export const CC_ENABLE = 1;
/** The fields of CC that software may write. */
export const CC_WRITABLE = 0x00ff_fff1;

/** What decides the capabilities register. */
export interface Capabilities {
  /** Entries of the largest queue, 2 to 65,536. */
  readonly queueEntries: number;
  /** Half seconds that becoming ready may take at worst, 1 to 255. */
  readonly timeout: number;
  /** Doorbells are 4 << stride bytes apart. */
  readonly doorbellStride: number;
  /** log2 of the smallest memory page, 12 or more. */
  readonly lg2PageMin: number;
  /** log2 of the largest memory page. */
  readonly lg2PageMax: number;
}

/** CAP, bits 31 to 0: MQES, contiguous queues required, round robin only, TO. */
export function capabilitiesLow({ queueEntries, timeout }: Capabilities): number {
  return ((timeout << 24) | (1 << 16) | (queueEntries - 1)) >>> 0;
}

/** CAP, bits 63 to 32: DSTRD, the NVM command set, MPSMIN, MPSMAX. */
export function capabilitiesHigh({ doorbellStride, lg2PageMin, lg2PageMax }: Capabilities): number {
  return (((lg2PageMax - 12) << 20) | ((lg2PageMin - 12) << 16) | (1 << 5) | doorbellStride) >>> 0;
}

/** log2 of the memory page size that CC.MPS selects. */
export function lg2PageOf(configuration: number): number {
  return 12 + ((configuration >>> 7) & 0xf);
}

/** CC.SHN: 0 none, 1 normal, 2 abrupt. */
export function shutdownOf(configuration: number): number {
  return (configuration >>> 14) & 3;
}

/** Whether CC asks for something that this controller can be: the NVM command set, round robin, a page size in range. */
export function isPossible(configuration: number, { lg2PageMin, lg2PageMax }: Capabilities): boolean {
  const lg2Page = lg2PageOf(configuration);
  const commandSet = (configuration >>> 4) & 7;
  const arbitration = (configuration >>> 11) & 7;
  return commandSet === 0 && arbitration === 0 && lg2PageMin <= lg2Page && lg2Page <= lg2PageMax;
}

/** Whether CC gives I/O queue entries the sizes that NVMe requires: 64 bytes to submit, 16 to complete. */
export function hasEntrySizes(configuration: number): boolean {
  return ((configuration >>> 16) & 0xff) === 0x46;
}
