/**
 * Properties of groups that hold for every PCI tree.
 *
 * @module
 */
import { deepStrictEqual, ok } from "node:assert/strict";
import fc from "fast-check";
import { planMachine } from "../../backends/simulated/assembly.ts";
import {
  type Bridge,
  type DeviceNode,
  type DownstreamPort,
  MachineError,
  type PciNode,
  type Slot,
} from "../../backends/simulated/machine.ts";
import { enumerate } from "../../backends/simulated/pci_tree.ts";
import { computeGroups, type Group, isolates } from "../../backends/simulated/topology.ts";
import { device } from "./shapes.ts";

type Make<T> = (slot: Slot) => T;

const acs = fc.boolean();
const endpoint: fc.Arbitrary<Make<DeviceNode>> = fc.record({ acs, express: fc.boolean() }).map((options) => (slot) =>
  device(slot, options)
);

/** Nodes for one bus: the first function of each device, and perhaps a second. */
function bus<T>(node: fc.Arbitrary<Make<T>>, devices: number): fc.Arbitrary<T[]> {
  const pair = fc.tuple(node, fc.option(node, { nil: undefined }));
  return fc.array(pair, { maxLength: devices }).map((pairs) =>
    pairs.flatMap(([first, second], index) => {
      const slot = (number: number): Slot => `${(index + 1).toString(16).padStart(2, "0")}.${number}`;
      return second === undefined ? [first(slot(0))] : [first(slot(0)), second(slot(1))];
    })
  );
}

/** What is below a port: one device of at most two functions. */
function link(node: fc.Arbitrary<Make<PciNode>>): fc.Arbitrary<PciNode[]> {
  return fc.tuple(node, fc.option(node, { nil: undefined })).map(([first, second]) =>
    second === undefined ? [first("00.0")] : [first("00.0"), second("00.1")]
  );
}

const { conventional } = fc.letrec<{ conventional: Make<DeviceNode | Bridge>; bridge: Make<DeviceNode | Bridge> }>((tie) => ({
  conventional: fc.oneof({ depthSize: "small", withCrossShrink: true }, endpoint, tie("bridge")),
  bridge: bus(tie("conventional"), 2).map((below) => (slot: Slot) => ({ kind: "pci-to-pci" as const, slot, below })),
}));

const { linked } = fc.letrec<{ linked: Make<PciNode>; switched: Make<PciNode>; port: Make<DownstreamPort> }>((tie) => ({
  linked: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    endpoint,
    bus(conventional, 2).map((below) => (slot: Slot) => ({ kind: "pcie-to-pci" as const, slot, below })),
    tie("switched"),
  ),
  switched: fc.tuple(acs, bus(tie("port"), 2)).map(([own, ports]) => (slot: Slot) => ({ kind: "switch" as const, slot, acs: own, ports })),
  port: fc.tuple(acs, link(tie("linked"))).map(([own, below]) => (slot: Slot) => ({ slot, acs: own, below })),
}));

const rootNode: fc.Arbitrary<Make<PciNode>> = fc.oneof(
  endpoint,
  fc.tuple(acs, link(linked)).map(([own, below]) => (slot: Slot) => ({ kind: "root-port" as const, slot, acs: own, below })),
  bus(conventional, 2).map((below) => (slot: Slot) => ({ kind: "pci-to-pci" as const, slot, below })),
);

/** Few trees have more buses than there are numbers. */
function hasNumbers(pci: readonly PciNode[]): boolean {
  try {
    enumerate({ pci });
    return true;
  } catch (error) {
    if (error instanceof MachineError && error.wanted === "at most 256 buses") return false;
    throw error;
  }
}

const tree = bus(rootNode, 4).filter(hasNumbers);

function groupOf(groups: readonly Group[]): Map<string, number> {
  return new Map(groups.flatMap(({ number, members }) => members.map(({ pci }) => [pci.address, number!] as const)));
}

Deno.test("groups are a partition of all functions, in the order of discovery", () => {
  fc.assert(fc.property(tree, (pci) => {
    const { groups } = planMachine({ pci });
    const all = enumerate({ pci }).map(({ address }) => address);
    deepStrictEqual(groups.map(({ number }) => number), groups.map((_, index) => index));
    deepStrictEqual(groups.flatMap(({ members }) => members.map((member) => member.pci.address)).sort(), [...all].sort());
    const first = groups.map(({ members }) => all.indexOf(members[0]!.pci.address));
    deepStrictEqual(first, [...first].sort((one, other) => one - other));
  }));
});

Deno.test("functions that share a requester ID share a group", () => {
  fc.assert(fc.property(tree, (pci) => {
    const seen = new Map<number, number | undefined>();
    for (const { number, members } of planMachine({ pci }).groups) {
      for (const { requester } of members) {
        if (seen.has(requester)) deepStrictEqual(number, seen.get(requester));
        seen.set(requester, number);
      }
    }
  }));
});

Deno.test("ACS on one function more never joins groups", () => {
  fc.assert(fc.property(tree, fc.nat(), (pci, choice) => {
    const functions = enumerate({ pci });
    const without = functions.filter((candidate) => !candidate.acs);
    fc.pre(without.length > 0);
    const chosen = without[choice % without.length]!;
    // Flipped in place: functions point to each other by parent, so that a copy of one would have to be a copy of all.
    const before = groupOf(computeGroups(functions));
    Object.assign(chosen, { acs: true });
    const after = groupOf(computeGroups(functions));
    for (const [one, group] of after) {
      for (const [other, otherGroup] of after) {
        if (group === otherGroup) deepStrictEqual(before.get(one), before.get(other), `${one} and ${other}`);
      }
    }
  }));
});

Deno.test("only a function alone in its group is called isolated, and the others are given a cause that holds", () => {
  fc.assert(fc.property(tree, (pci) => {
    const { groups } = planMachine({ pci });
    const numbers = groupOf(groups);
    for (const { number, members } of groups) {
      for (const { pci: member, reason } of members) {
        deepStrictEqual(members.length === 1, reason.kind === "isolated", member.address);
        if (reason.kind !== "no-acs") deepStrictEqual(numbers.get(reason.at), number, `${member.address}: ${reason.text}`);
        else ok(!isolates(enumerate({ pci }).find(({ address }) => address === reason.at)!));
      }
    }
  }));
});

Deno.test("groups are the connected parts of what cannot be told apart or kept apart", () => {
  fc.assert(fc.property(tree, (pci) => {
    const functions = enumerate({ pci });
    const leader = new Map(functions.map((one) => [one, one]));
    const find = (one: typeof functions[number]): typeof one => leader.get(one) === one ? one : find(leader.get(one)!);
    const join = (one: typeof functions[number], other: typeof one) => leader.set(find(one), find(other));
    for (const one of functions) {
      for (let above = one.parent; above !== undefined; above = above.parent) {
        if (above.kind === "pcie-to-pci" || above.kind === "pci-to-pci" || !isolates(above)) join(one, one.parent!);
      }
      for (const other of functions) {
        if (one.bus === other.bus && one.devfn >> 3 === other.devfn >> 3 && !isolates(one) && !isolates(other)) join(one, other);
      }
    }
    const expected = new Map<string, string[]>();
    for (const one of functions) expected.set(find(one).address, [...(expected.get(find(one).address) ?? []), one.address]);
    const sorted = (lists: string[][]) => lists.map((list) => [...list].sort()).sort((one, other) => one[0]! < other[0]! ? -1 : 1);
    deepStrictEqual(
      sorted(computeGroups(functions).map(({ members }) => members.map((member) => member.pci.address))),
      sorted([...expected.values()]),
    );
  }));
});
