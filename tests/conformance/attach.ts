/**
 * ATTACH_IOMMUFD_PT and DETACH_IOMMUFD_PT of one device: what it sees, and what the objects are in between.
 *
 * @module
 */
import { MAP_SHARED, PROT_READ, PROT_WRITE } from "../../uapi/kernel.ts";
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import {
  attach,
  attached,
  detach,
  iommuWithIoas,
  mapAt,
  MAX64,
  newHwpt,
  newIoas,
  NO_ID,
  openBound,
  PAGE,
  PAGE64,
  unmap,
  usableRanges,
  USER_BASE,
} from "./steps.ts";

const CHECKS: Suite<Caller>["cases"] = [
  {
    name: "no such page table is ENOENT, a device EINVAL, an unknown flag EINVAL before either",
    run(t) {
      const { iommu } = iommuWithIoas(t);
      const { device, id } = openBound(t, iommu);
      for (const wrong of [0, NO_ID]) t.refused("ENOENT", device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: wrong });
      t.refused("EINVAL", device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: id });
      for (const flags of [2, 0x8000_0000]) t.refused("EINVAL", device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: NO_ID, flags });
      t.refused("EINVAL", device, "DEVICE_DETACH_IOMMUFD_PT", { flags: 2 });
    },
  },
  {
    name: "the minimum of 12 bytes attaches, and a longer argsz is not looked behind",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { device } = openBound(t, iommu);
      t.do(device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: ioas }, { size: 12 });
      t.do(device, "DEVICE_DETACH_IOMMUFD_PT", {}, { size: 8 });
      t.do(device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: ioas }, { tail: new Uint8Array(8).fill(0xff) });
      t.do(device, "DEVICE_DETACH_IOMMUFD_PT", {}, { tail: new Uint8Array(8).fill(0xff) });
    },
  },
  {
    name: "detaching what is not attached is no error",
    run(t) {
      const { iommu } = iommuWithIoas(t);
      const { device } = openBound(t, iommu);
      detach(t, device);
      detach(t, device);
    },
  },
  {
    name: "a failed attach leaves nothing: no table, no id, no reserved range, no alignment",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { device } = openBound(t, iommu);
      mapAt(t, iommu, ioas, 0x1_0000n, USER_BASE, 0x800);
      t.refused("EADDRINUSE", device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: ioas });
      unmap(t, iommu, ioas, 0n, MAX64);
      mapAt(t, iommu, ioas, 0xfee0_0000n, t.memory(PAGE), PAGE);
      t.refused("EADDRINUSE", device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: ioas });
      unmap(t, iommu, ioas, 0n, MAX64);
      mapAt(t, iommu, ioas, 0x1_0000n, USER_BASE, PAGE);
      t.refused("EFAULT", device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: ioas });
      equal(usableRanges(t, iommu, ioas), { ranges: [[0n, MAX64]], alignment: 1n });
      equal(newIoas(t, iommu), 3);
      t.do(iommu, "DESTROY", { id: ioas });
    },
  },
  {
    name: "an answer that cannot be written back is EFAULT, and detaches",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { device } = openBound(t, iommu);
      const file = t.memfd(PAGE);
      const writable = t.tryMmap(0n, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file);
      const bytes = t.bytes(writable, PAGE);
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      view.setUint32(0, 12, true);
      view.setUint32(8, ioas, true);
      equal(t.askAt(device, "DEVICE_ATTACH_IOMMUFD_PT", t.tryMmap(0n, PAGE, PROT_READ, MAP_SHARED, file)), "EFAULT");
      equal(usableRanges(t, iommu, ioas).alignment, 1n);
      attach(t, device, ioas);
    },
  },
];

const AUTOMATIC: Suite<Caller>["cases"] = [
  {
    name: "attaching to an IOAS makes a table with the next id; a second device takes the same",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const [one, two] = [openBound(t, iommu), openBound(t, iommu, t.devices.other)];
      const hwpt = attach(t, one.device, ioas);
      equal(hwpt, 4);
      equal(attach(t, two.device, ioas), hwpt);
      equal(newIoas(t, iommu), 5);
    },
  },
  {
    name: "a table that the program made is never chosen for it",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { device, id } = openBound(t, iommu);
      const own = newHwpt(t, iommu, id, ioas);
      const automatic = attach(t, device, ioas);
      equal(automatic, own + 1);
      equal(attach(t, device, own), own);
    },
  },
  {
    name: "the table goes with its last device, and not with the first",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const [one, two] = [openBound(t, iommu), openBound(t, iommu, t.devices.other)];
      const hwpt = attach(t, one.device, ioas);
      attach(t, two.device, ioas);
      detach(t, one.device);
      t.refused("EBUSY", iommu, "DESTROY", { id: hwpt });
      detach(t, two.device);
      t.refused("ENOENT", iommu, "DESTROY", { id: hwpt });
    },
  },
  {
    name: "closing an attached device_fd detaches it",
    run(t) {
      const { iommu, ioas, device } = attached(t);
      t.close(device);
      equal(usableRanges(t, iommu, ioas), { ranges: [[0n, MAX64]], alignment: 1n });
      t.do(iommu, "DESTROY", { id: ioas });
    },
  },
];

const REPLACE: Suite<Caller>["cases"] = [
  {
    name: "attaching an attached device moves it; the old table goes if it was automatic",
    run(t) {
      const { iommu, device, hwpt } = attached(t);
      const other = newIoas(t, iommu);
      const next = attach(t, device, other);
      equal(next, other + 1);
      t.refused("ENOENT", iommu, "DESTROY", { id: hwpt });
      equal(usableRanges(t, iommu, 1), { ranges: [[0n, MAX64]], alignment: 1n });
      equal(usableRanges(t, iommu, other).alignment, PAGE64);
    },
  },
  {
    name: "attaching to the table that a device has already changes nothing",
    run(t) {
      const { iommu, ioas, device, hwpt } = attached(t);
      equal(attach(t, device, ioas), hwpt);
      equal(attach(t, device, hwpt), hwpt);
      detach(t, device);
      t.refused("ENOENT", iommu, "DESTROY", { id: hwpt });
      t.do(iommu, "DESTROY", { id: ioas });
    },
  },
  {
    name: "a table of the program's own stays when its device moves on",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { device, id } = openBound(t, iommu);
      const own = newHwpt(t, iommu, id, ioas);
      attach(t, device, own);
      attach(t, device, newIoas(t, iommu));
      t.do(iommu, "DESTROY", { id: own });
      t.do(iommu, "DESTROY", { id: ioas });
    },
  },
  {
    name: "a move that fails leaves the device where it is, and nothing in the other IOAS",
    run(t) {
      const { iommu, ioas, device, hwpt } = attached(t);
      const other = newIoas(t, iommu);
      const refused = (code: string) => {
        t.refused(code, device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: other });
        equal(usableRanges(t, iommu, other), { ranges: [[0n, MAX64]], alignment: 1n });
        t.refused("EBUSY", iommu, "DESTROY", { id: hwpt });
      };
      mapAt(t, iommu, other, 0xfee0_0000n, t.memory(PAGE), PAGE);
      refused("EADDRINUSE");
      unmap(t, iommu, other, 0n, MAX64);
      mapAt(t, iommu, other, 0x1_0000n, USER_BASE, PAGE);
      refused("EFAULT");
      t.refused("ENOENT", device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: NO_ID });
      t.do(iommu, "DESTROY", { id: other });
      equal(attach(t, device, ioas), hwpt);
    },
  },
];

/** ATTACH and DETACH. */
export const ATTACH: Suite<Caller> = { name: "ATTACH and DETACH", cases: [...CHECKS, ...AUTOMATIC, ...REPLACE] };
