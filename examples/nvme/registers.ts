/**
 * Controller registers as a driver sees them: NVMe 1.4, 3.1.
 *
 * @module
 */

/** Offsets in BAR 0. */
export const REGISTER = {
  capabilities: 0x00,
  version: 0x08,
  configuration: 0x14,
  status: 0x1c,
  adminAttributes: 0x24,
  adminSubmission: 0x28,
  adminCompletion: 0x30,
  doorbells: 0x1000,
} as const;

/** Bits of CC. */
export const CC = { enable: 0x1, shutdown: 0x4000, shutdownMask: 0xc000, entrySizes: 0x46_0000 } as const;

/** Bits of CSTS. */
export const CSTS = { ready: 0x1, fatal: 0x2, shutdownMask: 0xc, shutdownComplete: 0x8 } as const;

/** The fields of CAP that matter here. */
export interface Capabilities {
  /** Entries of the largest I/O queue. */
  readonly queueEntries: number;
  /** Milliseconds that CSTS.RDY may take. */
  readonly timeout: number;
  /** Bytes from one doorbell to the next. */
  readonly doorbellStride: number;
  /** Bytes of the smallest memory page. */
  readonly pageMin: number;
  /** Bytes of the largest memory page. */
  readonly pageMax: number;
  /** The NVM command set. */
  readonly nvm: boolean;
}

/** Read CAP from its halves. */
export function parseCapabilities(low: number, high: number): Capabilities {
  return {
    queueEntries: (low & 0xffff) + 1,
    // Controllers are known to say 0; none becomes ready in no time.
    timeout: Math.max(1, low >>> 24) * 500,
    doorbellStride: 4 << (high & 0xf),
    nvm: ((high >>> 5) & 1) === 1,
    pageMin: 2 ** (12 + ((high >>> 16) & 0xf)),
    pageMax: 2 ** (12 + ((high >>> 20) & 0xf)),
  };
}
