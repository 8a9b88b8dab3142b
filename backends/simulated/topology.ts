/**
 * IOMMU groups, computed from the PCI tree with Linux's rules (`pci_device_group` in drivers/iommu/iommu.c, 7.3), each with its reason.
 *
 * A group is what the IOMMU can isolate. Functions fall together when the IOMMU sees one requester ID for them (behind a conventional
 * bridge), or when they can reach each other without passing it (no ACS on the way up, or between the functions of one device).
 *
 * @module
 */
import type { PciFunction } from "./pci_tree.ts";

/** Why a function is in its group. */
export interface GroupReason {
  /**
   * `"isolated"`: alone, nothing joins it to others; `"no-acs"`: a port or bridge above lets it reach others; `"alias"`: the IOMMU cannot tell
   * it from others; `"function"`: functions of one device without ACS; `"bridge"`: it is what others below are joined to; `"no-iommu"`: no IOMMU is
   * behind it, so that nothing isolates it.
   */
  readonly kind: "isolated" | "no-acs" | "alias" | "function" | "bridge" | "no-iommu";
  /** The address of the function that causes it; for `"isolated"` its own. */
  readonly at: string;
  /** In words: "no ACS on 00:05.0". */
  readonly text: string;
}

/** A member of a group. */
export interface GroupMember {
  /** The function. */
  readonly pci: PciFunction;
  /** Why it is here. */
  readonly reason: GroupReason;
  /** The requester ID of its DMA, bus << 8 | devfn: its own, or that of a bridge above it. */
  readonly requester: number;
}

/** An IOMMU group. */
export interface Group {
  /** From 0, in the order of discovery; undefined: it stands for one function without an IOMMU, which is in no group. */
  readonly number: number | undefined;
  /** Members in the order of discovery, bridges and ports included. */
  readonly members: readonly GroupMember[];
  /** Addresses of the devices whose kernel driver does DMA; while there is one, no program gets the group. */
  readonly blockedBy: readonly string[];
}

/** Drivers that leave DMA to others, so that they do not block a group (`driver_managed_dma` in Linux). */
const HARMLESS_DRIVERS: ReadonlySet<string> = new Set(["vfio-pci", "pci-stub", "pcieport"]);

/** Whether a driver uses DMA through the kernel's own mappings. */
export function driverDoesDma(driver: string | null): boolean {
  return driver !== null && !HARMLESS_DRIVERS.has(driver);
}

/** The groups of all functions, which come in the order of discovery. */
export function computeGroups(functions: readonly PciFunction[]): Group[] {
  const drafts: Draft[] = [];
  const draftOf = new Map<PciFunction, Draft>();
  for (const pci of functions) {
    const link = pci.noIommu ? undefined : findLink(pci, functions, draftOf);
    const draft = link === undefined ? newDraft(drafts, pci.noIommu) : draftOf.get(link.to)!;
    // What has no group joins nobody, and nobody joins it.
    if (!pci.noIommu) draftOf.set(pci, draft);
    draft.members.push({ pci, link, requester: requesterOf(pci) });
  }
  return drafts.map(finish);
}

/** How a function falls into the group of another. */
interface Link {
  to: PciFunction;
  kind: "no-acs" | "alias" | "function";
  at: PciFunction;
}

interface Draft {
  number: number | undefined;
  members: { pci: PciFunction; link: Link | undefined; requester: number }[];
}

function newDraft(drafts: Draft[], noIommu: boolean): Draft {
  const number = noIommu ? undefined : drafts.filter(({ number }) => number !== undefined).length;
  const draft = { number, members: [] };
  drafts.push(draft);
  return draft;
}

/** Linux's order: aliases on the way up, then the first stretch without ACS, then functions of the same device. */
function findLink(pci: PciFunction, functions: readonly PciFunction[], draftOf: Map<PciFunction, Draft>): Link | undefined {
  for (let bridge = pci.parent; bridge !== undefined; bridge = bridge.parent) {
    if (isAliasing(bridge)) return { to: bridge, kind: "alias", at: bridge };
  }
  const leaky = pci.parent === undefined ? undefined : firstWithoutAcs(pci.parent);
  if (leaky !== undefined) return { to: pci.parent!, kind: "no-acs", at: leaky };
  if (!pci.multifunction || isolates(pci)) return undefined;
  const twin = functions.find((other) =>
    other !== pci && other.bus === pci.bus && other.devfn >> 3 === pci.devfn >> 3 && !isolates(other) && draftOf.has(other)
  );
  return twin === undefined ? undefined : { to: twin, kind: "function", at: twin };
}

function isAliasing(pci: PciFunction): boolean {
  return pci.kind === "pcie-to-pci" || pci.kind === "pci-to-pci";
}

/** The first function from `start` up to the root that does not isolate what is below it. */
function firstWithoutAcs(start: PciFunction): PciFunction | undefined {
  for (let pci: PciFunction | undefined = start; pci !== undefined; pci = pci.parent) {
    if (!isolates(pci)) return pci;
  }
  return undefined;
}

/**
 * Whether ACS, or the lack of anything to isolate, keeps a function from its peers (`pci_acs_enabled`).
 *
 * Ports need the capability. Other Express functions need it only among several functions of one device; conventional ones never have it.
 */
export function isolates(pci: PciFunction): boolean {
  if (!pci.express || isAliasing(pci)) return false;
  if (pci.kind === "root-port" || pci.kind === "downstream-port") return pci.acs;
  return !pci.multifunction || pci.acs;
}

/** The last alias on the way to the root, which is the ID that the IOMMU sees (`pci_for_each_dma_alias`). */
function requesterOf(pci: PciFunction): number {
  let id = pci.bus << 8 | pci.devfn;
  // Where no IOMMU is nobody asks, and each function is alone.
  if (pci.noIommu) return id;
  for (let bridge = pci.parent; bridge !== undefined; bridge = bridge.parent) {
    if (bridge.kind === "pcie-to-pci") id = bridge.secondaryBus! << 8;
    if (bridge.kind === "pci-to-pci") id = bridge.bus << 8 | bridge.devfn;
  }
  return id;
}

function finish(draft: Draft): Group {
  const members = draft.members.map((member) => {
    const link = member.link ?? linkOfFounder(member.pci, draft);
    if (draft.number === undefined) {
      const reason: GroupReason = { kind: "no-iommu", at: member.pci.address, text: "no IOMMU" };
      return { pci: member.pci, reason, requester: member.requester };
    }
    return { pci: member.pci, reason: reasonFor(member.pci, link), requester: member.requester };
  });
  const blockedBy = members.filter(({ pci }) => driverDoesDma(pci.driver)).map(({ pci }) => pci.address);
  return { number: draft.number, members, blockedBy };
}

/** The first member joined nobody; what ties it to the group is the link of the first one that joined it. */
function linkOfFounder(pci: PciFunction, draft: Draft): Link | undefined {
  const joined = draft.members.find(({ link }) => link?.to === pci)?.link;
  return joined?.kind === "function" ? joined : joined && { ...joined, to: pci, at: pci };
}

function reasonFor(pci: PciFunction, link: Link | undefined): GroupReason {
  if (link === undefined) return { kind: "isolated", at: pci.address, text: "isolated by ACS up to the root" };
  const at = link.at.address;
  if (link.kind === "function") {
    return { kind: "function", at, text: `function of multifunction device ${short(at).slice(0, -2)} without ACS` };
  }
  if (link.to === pci) {
    const cause = link.kind === "alias" ? "shares its requester ID" : "is not isolated from it";
    return { kind: "bridge", at, text: `what is below ${short(at)} ${cause}` };
  }
  return link.kind === "alias"
    ? { kind: "alias", at, text: `alias behind bridge ${short(at)}` }
    : { kind: "no-acs", at, text: `no ACS on ${short(at)}` };
}

/** An address without its domain, as people write it. */
export function short(address: string): string {
  return address.slice(address.indexOf(":") + 1);
}
