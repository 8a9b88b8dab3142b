/**
 * Why a device could not be attached, or a page table not be made.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import { guess } from "./facts.ts";
import { groupOf, reservedOf } from "./group.ts";
import { pinningRefused } from "./memory.ts";
import { overlap, show, showAll, type SpaceFacts } from "./ranges.ts";

/** A bound device as an explanation needs it. */
export interface AttachedDevice {
  /** PCI address; undefined: not known. */
  readonly address: string | undefined;
  /** "IOAS 3" or "page table 4"; undefined: attached to nothing. */
  readonly target: string | undefined;
}

/** What to say of an attachment that answered `result`. `others` are the other devices of the iommufd. */
export function explainAttach(
  result: number,
  facts: SpaceFacts,
  address: string | undefined,
  target: string,
  others: readonly AttachedDevice[],
): string | undefined {
  return guess(() => {
    if (result === -ERRNO.EINVAL) return siblingElsewhere(facts, address, target, others);
    return explainFilling(result, facts, address);
  });
}

/** What to say of a page table that could not be filled with what the IOAS maps. */
export function explainFilling(result: number, facts: SpaceFacts, address: string | undefined): string | undefined {
  return guess(() => {
    if (result === -ERRNO.ENOMEM) return pinningRefused(facts.kernel);
    return result === -ERRNO.EADDRINUSE && address !== undefined ? clash(facts, address) : undefined;
  });
}

function siblingElsewhere(
  { kernel }: SpaceFacts,
  address: string | undefined,
  target: string,
  others: readonly AttachedDevice[],
): string | undefined {
  const group = address === undefined ? undefined : groupOf(kernel, address);
  if (group === undefined) return undefined;
  const members = group.members.map((member) => member.address);
  const other = others.find((device) =>
    device.address !== undefined && device.address !== address && members.includes(device.address) &&
    device.target !== undefined && device.target !== target
  );
  if (other === undefined) return undefined;
  return `${other.address} of the same IOMMU group, ${group.number}, is attached to ${other.target}: attach both to the same, or detach that first.`;
}

function clash(facts: SpaceFacts, address: string): string | undefined {
  const reserved = reservedOf(facts.kernel, address);
  if (reserved.length === 0) return undefined;
  for (const range of reserved) {
    const buffer = facts.buffers(range)[0];
    const what = buffer === undefined ? "The allowed range" : "The DMA buffer";
    const found = buffer ?? facts.allowed.find((allowed) => overlap(allowed, range));
    if (found !== undefined) return `${what} ${show(found)} touches ${show(range)}, which the device's group reserves (${range.kind}).`;
  }
  return `The device's group reserves ${showAll(reserved)}: a mapping or an allowed range lies there, or where its IOMMU translates none.`;
}
