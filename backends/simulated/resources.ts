/**
 * Where the BARs of the machine's devices lie in its physical address space, as firmware would place them.
 *
 * @module
 */
import type { BarDescription } from "./device.ts";
import { MachineError } from "./machine.ts";
import type { PciFunction } from "./pci_tree.ts";

/** 32-bit BARs: up to where the I/O APIC and the interrupt window begin. */
const LOW = { start: 0xc000_0000n, end: 0xfec0_0000n };
/** 64-bit BARs: a window high above RAM, as servers have it. */
const HIGH = { start: 0x3800_0000_0000n, end: 0x4000_0000_0000n };

/** The low four bits of a BAR: memory, 64-bit, prefetchable. */
export function barFlags(bar: BarDescription): number {
  return (bar.wide ? 0x4 : 0) | (bar.prefetchable ? 0x8 : 0);
}

/**
 * An address for each BAR, by index, 0 where there is none; for each function of the list.
 *
 * Each BAR is aligned to its length. @throws {MachineError} if they do not fit.
 */
export function placeBars(functions: readonly PciFunction[]): Map<PciFunction, bigint[]> {
  const next = { low: LOW.start, high: HIGH.start };
  const result = new Map<PciFunction, bigint[]>();
  for (const pci of functions) {
    const addresses = new Array<bigint>(6).fill(0n);
    pci.device?.model.description.bars.forEach((bar, index) => {
      const window = bar.wide ? "high" : "low";
      const length = BigInt(bar.length);
      const address = (next[window] + length - 1n) / length * length;
      next[window] = address + length;
      if (next[window] > (bar.wide ? HIGH : LOW).end) {
        throw new MachineError(
          `${pci.path}.model.description.bars[${index}].length`,
          bar.length,
          "less: the address window for BARs is full",
        );
      }
      addresses[bar.index] = address;
    });
    result.set(pci, addresses);
  }
  return result;
}
