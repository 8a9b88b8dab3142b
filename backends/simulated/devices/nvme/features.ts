/**
 * Features of the controller (NVMe 1.4, 5.21): a table of what exists, and the current values.
 *
 * @module
 */
import { STATUS } from "./status.ts";

/** Feature identifiers. */
export const FEATURE = {
  arbitration: 0x01,
  powerManagement: 0x02,
  temperatureThreshold: 0x04,
  errorRecovery: 0x05,
  writeCache: 0x06,
  numberOfQueues: 0x07,
  interruptCoalescing: 0x08,
  interruptVector: 0x09,
  writeAtomicity: 0x0a,
  asyncEvents: 0x0b,
} as const;

/** Bits of the value that a feature keeps, and its value after a reset. */
interface Feature {
  readonly mask: number;
  readonly initial: number;
}

const FEATURES: Readonly<Record<number, Feature>> = {
  [FEATURE.arbitration]: { mask: 0xffff_ff07, initial: 6 },
  [FEATURE.powerManagement]: { mask: 0xff, initial: 0 },
  [FEATURE.errorRecovery]: { mask: 0xffff, initial: 0 },
  [FEATURE.writeCache]: { mask: 1, initial: 1 },
  [FEATURE.interruptCoalescing]: { mask: 0xffff, initial: 0 },
  [FEATURE.writeAtomicity]: { mask: 1, initial: 0 },
  [FEATURE.asyncEvents]: { mask: 0x1f, initial: 0x1f },
};

/** Features whose value is more than a number are answered by the admin command set; the others live here. */
export class Features {
  #values = new Map<number, number>();

  /** Whether the feature is one of those that are plain values. */
  has(feature: number): boolean {
    return feature in FEATURES;
  }

  /** Back to the initial values. */
  reset(): void {
    this.#values.clear();
  }

  /** The current value. */
  current(feature: number): number {
    return this.#values.get(feature) ?? this.initial(feature);
  }

  /** The value after a reset. */
  initial(feature: number): number {
    return FEATURES[feature]!.initial;
  }

  /** Set a value. @returns a status. */
  set(feature: number, value: number): number {
    const known = FEATURES[feature]!;
    // Power states other than 0 do not exist.
    if (feature === FEATURE.powerManagement && (value & 0x1f) !== 0) return STATUS.invalidField;
    this.#values.set(feature, (value & known.mask) >>> 0);
    return STATUS.success;
  }
}
