/**
 * GET_PCI_HOT_RESET_INFO and PCI_HOT_RESET: a bus and all functions on it.
 *
 * @module
 */
import { PCI_CONFIG_REGION_INDEX, PCI_HOT_RESET_FLAG_DEV_ID, PCI_HOT_RESET_FLAG_DEV_ID_OWNED } from "../../uapi/codec.ts";
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import { readRegion, setBusMaster } from "./edu.ts";
import { attached, openBound } from "./steps.ts";

/** Bytes of an entry of the list. */
const ENTRY = 8;
const COMMAND = 0x04;
const COMMAND_MASTER = 4n;
const OWNED = 0;

/** A function of the list: its id, bus, and device << 3 | function. */
type Entry = readonly [id: number, bus: number, devfn: number];

/** Ask with room for so many functions. */
function list(t: Caller, device: number, room: number): { code: string; flags: number; count: number; entries: Entry[] } {
  const answer = t.ask(device, "DEVICE_GET_PCI_HOT_RESET_INFO", {}, { tail: new Uint8Array(room * ENTRY) });
  const view = new DataView(answer.after.buffer, answer.after.byteOffset + 12);
  const entries = Array.from({ length: answer.code === "OK" ? answer.number("count") : 0 }, (_, index): Entry => {
    equal(view.getUint16(ENTRY * index + 4, true), 0, "segment");
    return [view.getUint32(ENTRY * index, true), view.getUint8(ENTRY * index + 6), view.getUint8(ENTRY * index + 7)];
  });
  return { code: answer.code, flags: answer.number("flags"), count: answer.number("count"), entries };
}

/** Both flags, or the first alone. */
function flagsOf(isOwned: boolean): number {
  return isOwned ? PCI_HOT_RESET_FLAG_DEV_ID | PCI_HOT_RESET_FLAG_DEV_ID_OWNED : PCI_HOT_RESET_FLAG_DEV_ID;
}

/** Requests of devices on a bus behind a bridge, which can be reset as a whole. */
export const HOT_RESET: Suite<Caller> = {
  name: "hot reset",
  cases: [
    {
      name: "the list names both functions of the bus; ENOSPC tells how many there are",
      run(t) {
        const [first] = t.devices.aliases;
        const { device, id } = openBound(t, t.iommu(), first);
        for (const room of [0, 1]) equal(list(t, device, room), { code: "ENOSPC", flags: 0, count: 2, entries: [] });
        const whole = { code: "OK", flags: flagsOf(true), count: 2, entries: [[id, 1, 8], [OWNED, 1, 16]] as Entry[] };
        for (const room of [2, 5]) equal(list(t, device, room), whole);
      },
    },
    {
      name: "a second device that is bound has its id in the list of the first",
      run(t) {
        const iommu = t.iommu();
        const [first, second] = t.devices.aliases.map((address) => openBound(t, iommu, address));
        equal(list(t, first!.device, 2).entries, [[first!.id, 1, 8], [second!.id, 1, 16]]);
        equal(list(t, second!.device, 2).entries, [[first!.id, 1, 8], [second!.id, 1, 16]]);
      },
    },
    {
      name: "a struct that is too short is EINVAL, for both requests",
      run(t) {
        const { device } = openBound(t, t.iommu(), t.devices.aliases[0]);
        for (const name of ["DEVICE_GET_PCI_HOT_RESET_INFO", "DEVICE_PCI_HOT_RESET"]) t.refused("EINVAL", device, name, {}, { size: 11 });
      },
    },
    {
      name: "flags, and files of groups for a device that is bound to an iommufd, are EINVAL",
      run(t) {
        const { device } = openBound(t, t.iommu(), t.devices.aliases[0]);
        t.refused("EINVAL", device, "DEVICE_PCI_HOT_RESET", { flags: 1 });
        t.refused("EINVAL", device, "DEVICE_PCI_HOT_RESET", { count: 1 }, { tail: new Uint8Array(4) });
      },
    },
    {
      name: "who has the group resets the bus: devices stay attached, configuration space is restored",
      run(t) {
        const { device, hwpt, ioas } = attached(t, t.devices.aliases[0]);
        setBusMaster(t, device);
        for (let round = 0; round < 2; round++) t.do(device, "DEVICE_PCI_HOT_RESET");
        equal(readRegion(t, device, PCI_CONFIG_REGION_INDEX, COMMAND, 2) & COMMAND_MASTER, COMMAND_MASTER);
        equal(readRegion(t, device, 0, 0, 4), 0x0100_00edn);
        // To attach what is attached to the same is no change.
        equal(t.do(device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: ioas }).number("pt_id"), hwpt);
      },
    },
  ],
};
