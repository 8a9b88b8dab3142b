/**
 * Short ways to write machines in tests.
 *
 * @module
 */
import { planMachine } from "../../backends/simulated/assembly.ts";
import { InertDevice } from "../../backends/simulated/devices/inert.ts";
import type { Bridge, DeviceNode, DownstreamPort, PciNode, RootPort, Slot, Switch } from "../../backends/simulated/machine.ts";

type Extra<T> = Partial<Omit<T, "kind" | "model" | "slot">>;

export function device(slot?: Slot, extra: Extra<DeviceNode> & { express?: boolean } = {}): DeviceNode {
  const { express = true, ...rest } = extra;
  return { ...(slot === undefined ? {} : { slot }), model: () => new InertDevice({ express }), ...rest };
}

export function rootPort(slot: Slot, below: readonly PciNode[], acs = true): RootPort {
  return { kind: "root-port", slot, acs, below };
}

export function switchOf(ports: readonly DownstreamPort[]): Switch {
  return { kind: "switch", slot: "00.0", ports };
}

export function port(slot: Slot, below: readonly PciNode[], acs = true): DownstreamPort {
  return { slot, acs, below };
}

export function pcieToPci(slot: Slot, below: Bridge["below"] & object): Bridge {
  return { kind: "pcie-to-pci", slot, below };
}

export function pciToPci(slot: Slot, below: Bridge["below"] & object): Bridge {
  return { kind: "pci-to-pci", slot, below };
}

/** Each group as a line: its members, each with its reason, without the domain. */
export function groupLines(pci: readonly PciNode[]): string[] {
  return planMachine({ pci }).groups.map(({ members }) =>
    members.map((member) => `${member.pci.address.slice(5)} ${member.reason.text}`).join("; ")
  );
}
