/**
 * Checks a device model's description, so that a mistake in it is an error that names the field and not a strange configuration space.
 *
 * @module
 */
import type { BarDescription, DeviceDescription } from "./device.ts";
import { checkBoolean, checkKeys, checkNumber, MachineError } from "./machine.ts";

const DESCRIPTION_KEYS = [
  "vendor",
  "device",
  "classCode",
  "revision",
  "subsystemVendor",
  "subsystem",
  "bars",
  "interruptPin",
  "msi",
  "msix",
  "express",
  "pasid",
  "pageRequests",
  "dmaLogging",
  "addressBits",
];

/** @throws {MachineError} naming the field below `path` that is wrong. */
export function checkDescription(path: string, description: DeviceDescription): void {
  checkKeys(path, description, DESCRIPTION_KEYS);
  checkNumber(`${path}.vendor`, description.vendor, 0, 0xfffe);
  checkNumber(`${path}.device`, description.device, 0, 0xffff);
  checkNumber(`${path}.classCode`, description.classCode, 0, 0xffffff);
  checkNumber(`${path}.revision`, description.revision ?? 0, 0, 0xff);
  checkNumber(`${path}.subsystemVendor`, description.subsystemVendor ?? 0, 0, 0xffff);
  checkNumber(`${path}.subsystem`, description.subsystem ?? 0, 0, 0xffff);
  checkNumber(`${path}.interruptPin`, description.interruptPin ?? 0, 0, 4);
  checkNumber(`${path}.addressBits`, description.addressBits ?? 64, 12, 64);
  const express = checkBoolean(`${path}.express`, description.express, true);
  const pageRequests = checkBoolean(`${path}.pageRequests`, description.pageRequests, false);
  if (pageRequests && !express) throw new MachineError(`${path}.pageRequests`, true, "false for a function that is not PCI Express");
  checkBoolean(`${path}.dmaLogging`, description.dmaLogging, false);
  const msi = checkNumber(`${path}.msi`, description.msi ?? 0, 0, 32);
  if (msi !== 0 && !isPowerOfTwo(msi)) throw new MachineError(`${path}.msi`, msi, "0 or a power of two of at most 32");
  checkBars(`${path}.bars`, description.bars);
  if (description.pasid !== undefined) checkPasid(`${path}.pasid`, description.pasid);
  if (description.msix !== undefined) checkMsix(`${path}.msix`, description.msix, description.bars);
}

function checkPasid(path: string, pasid: NonNullable<DeviceDescription["pasid"]>): void {
  checkKeys(path, pasid, ["bits", "execute", "privileged"]);
  checkNumber(`${path}.bits`, pasid.bits, 1, 20);
  checkBoolean(`${path}.execute`, pasid.execute, false);
  checkBoolean(`${path}.privileged`, pasid.privileged, false);
}

function checkBars(path: string, bars: readonly BarDescription[]): void {
  if (!Array.isArray(bars)) throw new MachineError(path, bars, "a list of BARs");
  const taken = new Set<number>();
  bars.forEach((bar: BarDescription, position) => {
    const at = `${path}[${position}]`;
    checkKeys(at, bar, ["index", "length", "wide", "prefetchable"]);
    const wide = checkBoolean(`${at}.wide`, bar.wide, false);
    checkBoolean(`${at}.prefetchable`, bar.prefetchable, false);
    checkNumber(`${at}.index`, bar.index, 0, wide ? 4 : 5);
    checkNumber(`${at}.length`, bar.length, 16, wide ? 2 ** 39 : 2 ** 28);
    if (!isPowerOfTwo(bar.length)) throw new MachineError(`${at}.length`, bar.length, "a power of two of 16 or more");
    for (const slot of wide ? [bar.index, bar.index + 1] : [bar.index]) {
      if (taken.has(slot)) throw new MachineError(`${at}.index`, bar.index, `a free BAR: slot ${slot} is taken by another`);
      taken.add(slot);
    }
  });
}

/** The table and the pending bits must lie in the BAR, aligned to 8, and not on each other (PCI Local Bus 3.0, 6.8.2). */
function checkMsix(path: string, msix: NonNullable<DeviceDescription["msix"]>, bars: readonly BarDescription[]): void {
  checkKeys(path, msix, ["vectors", "bar", "table", "pending"]);
  const vectors = checkNumber(`${path}.vectors`, msix.vectors, 1, 2048);
  const bar = bars.find((candidate) => candidate.index === msix.bar);
  if (bar === undefined) throw new MachineError(`${path}.bar`, msix.bar, "the index of a BAR of the device");
  const tableLength = vectors * 16;
  const pendingLength = Math.ceil(vectors / 64) * 8;
  checkNumber(`${path}.table`, msix.table, 0, bar.length - tableLength, 8);
  checkNumber(`${path}.pending`, msix.pending, 0, bar.length - pendingLength, 8);
  if (msix.table < msix.pending + pendingLength && msix.pending < msix.table + tableLength) {
    throw new MachineError(`${path}.pending`, msix.pending, `a place outside the table, which is ${tableLength} bytes at ${msix.table}`);
  }
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}
