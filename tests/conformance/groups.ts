/**
 * Devices of one IOMMU group: what they must share, by Linux's rule and by ours.
 *
 * @module
 */
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import { Edu } from "./edu.ts";
import type { Depends } from "./setup.ts";
import { attach, detach, iommuWithIoas, mapAt, newHwpt, newIoas, openBound, PAGE } from "./steps.ts";

/** Two devices with requester IDs of their own in different IOASes. */
const DIFFERENT_IOASES: Depends<string> = {
  feature: "one-table-a-group",
  with: "EINVAL",
  without: "OK",
  why: "Linux has one domain for a group; where the IOMMU can tell devices apart, ours may sit in different IOASes",
};

/** Two bound devices of a group, and two IOASes. */
function pair(t: Caller, addresses: readonly [string, string]): { iommu: number; spaces: [number, number]; one: number; two: number } {
  const { iommu, ioas } = iommuWithIoas(t);
  const other = newIoas(t, iommu);
  return { iommu, spaces: [ioas, other], one: openBound(t, iommu, addresses[0]).device, two: openBound(t, iommu, addresses[1]).device };
}

/** Whether a device reads `mark` at an IOVA, told by what it writes back 256 bytes further on. */
async function sees(t: Caller, device: number, iova: bigint, bytes: Uint8Array, mark: number): Promise<boolean> {
  bytes.fill(mark, 0, 16).fill(0, 256, 272);
  const edu = new Edu(t, device);
  await edu.fetch(iova, 0, 16);
  await edu.store(0, iova + 256n, 16);
  return bytes.subarray(256, 272).every((byte) => byte === mark);
}

/** Whether a device behind a bridge reaches what it is attached to. */
const BEHIND_BRIDGE: Depends<boolean> = {
  feature: "bridge-dma",
  with: true,
  without: false,
  why:
    "in scalable mode Linux's driver for VT-d makes entries for a device itself and not for the bridge by which it is known: all its DMA faults",
};

/** Groups. */
export const GROUPS: Suite<Caller> = {
  name: "groups",
  cases: [
    {
      name: "devices of a group share the automatic table of an IOAS",
      run(t) {
        for (const addresses of [t.devices.siblings, t.devices.aliases]) {
          const { spaces, one, two } = pair(t, addresses);
          equal(attach(t, two, spaces[0]), attach(t, one, spaces[0]));
        }
      },
    },
    {
      name: "devices behind one requester ID cannot be in different IOASes: EINVAL, and nothing is left",
      run(t) {
        const { iommu, spaces, one, two } = pair(t, t.devices.aliases);
        attach(t, one, spaces[0]);
        t.refused("EINVAL", two, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: spaces[1] });
        t.do(iommu, "DESTROY", { id: spaces[1] });
        attach(t, two, spaces[0]);
      },
    },
    {
      name: "devices behind one requester ID cannot use different tables of one IOAS: EINVAL",
      run(t) {
        const { iommu, ioas } = iommuWithIoas(t);
        const [one, two] = [openBound(t, iommu, t.devices.aliases[0]), openBound(t, iommu, t.devices.aliases[1])];
        const tables = [newHwpt(t, iommu, one.id, ioas), newHwpt(t, iommu, two.id, ioas)];
        attach(t, one.device, tables[0]!);
        t.refused("EINVAL", two.device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: tables[1]! });
        attach(t, two.device, tables[0]!);
      },
    },
    {
      name: "devices with requester IDs of their own may be in different IOASes, or not: the kernel's rule",
      run(t) {
        const { iommu, spaces, one, two } = pair(t, t.devices.siblings);
        attach(t, one, spaces[0]);
        equal(t.ask(two, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: spaces[1] }).code, t.expected(DIFFERENT_IOASES));
        equal(t.ask(iommu, "DESTROY", { id: spaces[1] }).code, t.expected({ ...DIFFERENT_IOASES, with: "OK", without: "EBUSY" }));
      },
    },
    {
      name: "a group that is free again may go to another IOAS as a whole",
      run(t) {
        const { spaces, one, two } = pair(t, t.devices.aliases);
        attach(t, one, spaces[0]);
        attach(t, two, spaces[0]);
        detach(t, one);
        t.refused("EINVAL", one, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: spaces[1] });
        detach(t, two);
        attach(t, one, spaces[1]);
        attach(t, two, spaces[1]);
      },
    },
    {
      name: "a replacement moves all attached devices behind one requester ID together",
      async run(t) {
        const { iommu, spaces, one, two } = pair(t, t.devices.aliases);
        const [first, second] = [t.memory(PAGE), t.memory(PAGE)];
        mapAt(t, iommu, spaces[0], 0x1_0000n, first, PAGE);
        mapAt(t, iommu, spaces[1], 0x2_0000n, second, PAGE);
        attach(t, one, spaces[0]);
        attach(t, two, spaces[0]);
        equal(await sees(t, two, 0x1_0000n, t.bytes(first, PAGE), 0x31), t.expected(BEHIND_BRIDGE));
        attach(t, one, spaces[1]);
        equal(
          await sees(t, two, 0x2_0000n, t.bytes(second, PAGE), 0x32),
          t.expected(BEHIND_BRIDGE),
          "the other device after the replacement",
        );
        equal(await sees(t, two, 0x1_0000n, t.bytes(first, PAGE), 0x33), false, "the other device in the old IOAS");
        t.do(iommu, "DESTROY", { id: spaces[0] });
        equal(attach(t, two, spaces[1]), attach(t, one, spaces[1]));
      },
    },
    {
      name: "a device behind a requester ID that another one attached reaches what that one reaches",
      async run(t) {
        const { iommu, spaces, one, two } = pair(t, t.devices.aliases);
        const va = t.memory(PAGE);
        mapAt(t, iommu, spaces[0], 0x1_0000n, va, PAGE);
        attach(t, one, spaces[0]);
        // The IOMMU sees one device: that the second is not attached itself cannot keep it out.
        equal(await sees(t, two, 0x1_0000n, t.bytes(va, PAGE), 0x41), t.expected(BEHIND_BRIDGE));
        detach(t, one);
        equal(await sees(t, two, 0x1_0000n, t.bytes(va, PAGE), 0x42), false);
      },
    },
  ],
};
