/**
 * Topologies and the groups that Linux 7.3 makes of them, each with its reasons.
 *
 * @module
 */
import { deepStrictEqual } from "node:assert/strict";
import { planMachine } from "../../backends/simulated/assembly.ts";
import type { PciNode } from "../../backends/simulated/machine.ts";
import { device, groupLines, pcieToPci, pciToPci, port, rootPort, switchOf } from "./shapes.ts";

const ALONE = "isolated by ACS up to the root";

function check(pci: readonly PciNode[], expected: string[]): void {
  deepStrictEqual(groupLines(pci), expected);
}

Deno.test("devices on the root bus are groups of their own", () => {
  check([device("04.0"), device("05.0")], [`00:04.0 ${ALONE}`, `00:05.0 ${ALONE}`]);
});

Deno.test("slots that are not given start at 01 and skip what is taken", () => {
  check([device(), device("02.0"), device()], [`00:01.0 ${ALONE}`, `00:02.0 ${ALONE}`, `00:03.0 ${ALONE}`]);
});

Deno.test("a root port with ACS isolates what is below it", () => {
  check([rootPort("05.0", [device()])], [`00:05.0 ${ALONE}`, `01:00.0 ${ALONE}`]);
});

Deno.test("a root port without ACS shares its group with what is below it", () => {
  check([rootPort("05.0", [device()], false)], ["00:05.0 what is below 00:05.0 is not isolated from it; 01:00.0 no ACS on 00:05.0"]);
});

Deno.test("functions of one device with ACS are groups of their own", () => {
  check([device("04.0", { acs: true }), device("04.1", { acs: true })], [`00:04.0 ${ALONE}`, `00:04.1 ${ALONE}`]);
});

Deno.test("functions of one device without ACS are one group", () => {
  const reason = "function of multifunction device 00:04 without ACS";
  check([device("04.0"), device("04.1"), device("05.0")], [`00:04.0 ${reason}; 00:04.1 ${reason}`, `00:05.0 ${ALONE}`]);
});

Deno.test("a function with ACS stays out of the group of those without", () => {
  const reason = "function of multifunction device 00:04 without ACS";
  check(
    [device("04.0"), device("04.1", { acs: true }), device("04.2")],
    [`00:04.0 ${reason}; 00:04.2 ${reason}`, `00:04.1 ${ALONE}`],
  );
});

Deno.test("a single function needs no ACS", () => {
  check([rootPort("01.0", [device("00.0", { acs: false })])], [`00:01.0 ${ALONE}`, `01:00.0 ${ALONE}`]);
});

Deno.test("a switch with ACS on its ports isolates the devices below", () => {
  check(
    [rootPort("01.0", [switchOf([port("00.0", [device()]), port("01.0", [device()])])])],
    [`00:01.0 ${ALONE}`, `01:00.0 ${ALONE}`, `02:00.0 ${ALONE}`, `02:01.0 ${ALONE}`, `03:00.0 ${ALONE}`, `04:00.0 ${ALONE}`],
  );
});

Deno.test("a downstream port without ACS takes what is below it into its group", () => {
  check(
    [rootPort("01.0", [switchOf([port("00.0", [device()], false), port("01.0", [device()])])])],
    [
      `00:01.0 ${ALONE}`,
      `01:00.0 ${ALONE}`,
      "02:00.0 what is below 02:00.0 is not isolated from it; 03:00.0 no ACS on 02:00.0",
      `02:01.0 ${ALONE}`,
      `04:00.0 ${ALONE}`,
    ],
  );
});

Deno.test("everything below a root port without ACS is one group, switch included", () => {
  check(
    [rootPort("01.0", [switchOf([port("00.0", [device()]), port("01.0", [device()])])], false)],
    [
      "00:01.0 what is below 00:01.0 is not isolated from it; 01:00.0 no ACS on 00:01.0; 02:00.0 no ACS on 00:01.0; " +
      "02:01.0 no ACS on 00:01.0; 03:00.0 no ACS on 00:01.0; 04:00.0 no ACS on 00:01.0",
    ],
  );
});

Deno.test("downstream ports that are functions of one device without ACS are one group, with all below", () => {
  check(
    [rootPort("01.0", [switchOf([port("00.0", [device()], false), port("00.1", [device()], false)])])],
    [
      `00:01.0 ${ALONE}`,
      `01:00.0 ${ALONE}`,
      "02:00.0 function of multifunction device 02:00 without ACS; 02:00.1 function of multifunction device 02:00 without ACS; " +
      "03:00.0 no ACS on 02:00.0; 04:00.0 no ACS on 02:00.1",
    ],
  );
});

Deno.test("devices behind a bridge to conventional PCI are aliases of it", () => {
  check(
    [rootPort("01.0", [pcieToPci("00.0", [device("00.0"), device("06.0")])])],
    [
      `00:01.0 ${ALONE}`,
      "01:00.0 what is below 01:00.0 shares its requester ID; 02:00.0 alias behind bridge 01:00.0; 02:06.0 alias behind bridge 01:00.0",
    ],
  );
});

Deno.test("a bridge behind a bridge is in the group of the upper one", () => {
  check(
    [rootPort("01.0", [pcieToPci("00.0", [pciToPci("03.0", [device("01.0")])])])],
    [
      `00:01.0 ${ALONE}`,
      "01:00.0 what is below 01:00.0 shares its requester ID; 02:03.0 alias behind bridge 01:00.0; 03:01.0 alias behind bridge 02:03.0",
    ],
  );
});

Deno.test("a bridge below a root port without ACS is in the port's group, and so are its devices", () => {
  check(
    [rootPort("01.0", [pcieToPci("00.0", [device("00.0")])], false)],
    ["00:01.0 what is below 00:01.0 is not isolated from it; 01:00.0 no ACS on 00:01.0; 02:00.0 alias behind bridge 01:00.0"],
  );
});

Deno.test("a conventional bridge on the root bus takes its devices into its group", () => {
  check(
    [pciToPci("1e.0", [device("01.0"), device("02.0")]), device("1f.0")],
    [
      "00:1e.0 what is below 00:1e.0 shares its requester ID; 01:01.0 alias behind bridge 00:1e.0; 01:02.0 alias behind bridge 00:1e.0",
      `00:1f.0 ${ALONE}`,
    ],
  );
});

Deno.test("functions of a conventional device are one group even with ACS, which such a device cannot have", () => {
  const reason = "function of multifunction device 00:04 without ACS";
  check(
    [device("04.0", { acs: true, express: false }), device("04.1", { acs: true, express: false })],
    [`00:04.0 ${reason}; 00:04.1 ${reason}`],
  );
});

Deno.test("root ports that are functions of one device without ACS are one group with all that is below", () => {
  const reason = "function of multifunction device 00:1c without ACS";
  check(
    [rootPort("1c.0", [device()], false), rootPort("1c.1", [device()], false)],
    [`00:1c.0 ${reason}; 00:1c.1 ${reason}; 01:00.0 no ACS on 00:1c.0; 02:00.0 no ACS on 00:1c.1`],
  );
});

Deno.test("devices behind one bridge share a requester ID, the others have their own", () => {
  const groups =
    planMachine({ pci: [rootPort("01.0", [pcieToPci("00.0", [device("01.0"), device("02.0")])]), device("04.0"), device("04.1")] }).groups;
  const ids = groups.flatMap(({ members }) => members.map(({ pci, requester }) => [pci.address.slice(5), requester.toString(16)]));
  deepStrictEqual(Object.fromEntries(ids), {
    "00:01.0": "8",
    "00:04.0": "20",
    "00:04.1": "21",
    "01:00.0": "100",
    "02:01.0": "200",
    "02:02.0": "200",
  });
});

Deno.test("a sibling bound to a kernel driver blocks the group", () => {
  const blockedBy = (driver: string | null) => planMachine({ pci: [device("04.0"), device("04.1", { driver })] }).groups[0]!.blockedBy;
  deepStrictEqual(blockedBy("e1000e"), ["0000:00:04.1"]);
  deepStrictEqual(blockedBy("vfio-pci"), []);
  deepStrictEqual(blockedBy("pci-stub"), []);
  deepStrictEqual(blockedBy(null), []);
});

Deno.test("ports and bridges do not block a group", () => {
  const { groups } = planMachine({ pci: [rootPort("01.0", [pcieToPci("00.0", [device("00.0")])], false)] });
  deepStrictEqual(groups.map(({ members, blockedBy }) => [members.length, blockedBy.length]), [[3, 0]]);
});

Deno.test("a kernel driver in another group blocks nothing", () => {
  const { groups } = planMachine({ pci: [device("04.0"), device("05.0", { driver: "ahci" })] });
  deepStrictEqual(groups.map(({ blockedBy }) => blockedBy), [[], ["0000:00:05.0"]]);
});
