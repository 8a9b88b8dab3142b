/**
 * Rule 8. A device has a label that its program chose: faults name it by that.
 *
 * @module
 */
import { DeviceFd, IommuFd } from "../../mod.ts";
import { check, equal, thrown } from "../check.ts";
import type { Suite } from "../harness.ts";
import { bindActor, checkFaults, type Worlds } from "./world.ts";

/** Rule 8. */
export const LABEL: Suite<Worlds> = {
  name: "rule 8, the label",
  cases: [
    {
      name: "a fault carries the label of its device, and says so in words",
      async run(worlds) {
        const world = await worlds.boot();
        const { kernel, alone, other } = world;
        using iommu = IommuFd.open(kernel);
        using one = bindActor(world, alone, iommu, 0xa1n);
        using two = bindActor(world, other, iommu, 2n ** 64n - 1n);
        equal([one.label, two.label], [0xa1n, 2n ** 64n - 1n]);
        await other.reads(0x2000n, 8);
        await alone.writes(0x1000n, 16);
        checkFaults(world, [
          { label: 2n ** 64n - 1n, address: other.address, iova: 0x2000n, length: 8, access: "read", reason: "blocked" },
          { label: 0xa1n, address: alone.address, iova: 0x1000n, length: 16, access: "write", reason: "blocked" },
        ]);
        for (const { text } of world.faults()?.slice(1) ?? []) check(text.includes("label 0xa1"), text);
      },
    },
    {
      name: "a device without a label has none in its faults",
      async run(worlds) {
        const world = await worlds.boot();
        using iommu = IommuFd.open(world.kernel);
        using device = bindActor(world, world.alone, iommu);
        await world.alone.reads(0x1000n, 4);
        equal(device.label, undefined);
        checkFaults(world, [{ label: undefined }]);
      },
    },
    {
      name: "0 is a label like any other",
      async run(worlds) {
        const world = await worlds.boot();
        using iommu = IommuFd.open(world.kernel);
        using device = bindActor(world, world.alone, iommu, 0n);
        await world.alone.reads(0x1000n, 4);
        equal(device.label, 0n);
        checkFaults(world, [{ label: 0n }]);
      },
    },
    {
      name: "siblings of a group have labels of their own, also behind one requester ID",
      async run(worlds) {
        const world = await worlds.boot();
        using iommu = IommuFd.open(world.kernel);
        for (const pair of [world.siblings, world.aliases]) {
          using one = bindActor(world, pair[0], iommu, 1n);
          using two = bindActor(world, pair[1], iommu, 2n);
          equal([one.label, two.label], [1n, 2n]);
          await pair[1].reads(0x1000n, 4);
          await pair[0].reads(0x1000n, 4);
        }
        checkFaults(world, [2n, 1n, 2n, 1n].map((label) => ({ label })));
      },
    },
    {
      name: "the label ends with the fd: the next program's device has none, and old faults keep theirs",
      async run(worlds) {
        const world = await worlds.boot();
        const { kernel, alone } = world;
        using iommu = IommuFd.open(kernel);
        const before = bindActor(world, alone, iommu, 7n);
        await alone.reads(0x1000n, 4);
        before[Symbol.dispose]();
        using after = DeviceFd.open(kernel, alone.address).bind(iommu);
        equal(after.label, undefined);
        alone.use(after);
        await alone.reads(0x1000n, 4);
        checkFaults(world, [{ label: 7n }, { label: undefined }]);
      },
    },
    {
      name: "a label that is no number of 64 bits is refused before anything is bound",
      async run(worlds) {
        const { kernel, alone } = await worlds.boot();
        using iommu = IommuFd.open(kernel);
        using device = DeviceFd.open(kernel, alone.address);
        for (const label of [-1n, 2n ** 64n]) {
          check(thrown(() => device.bind(iommu, { label })) instanceof RangeError, `label ${label} was taken`);
        }
        using _bound = device.bind(iommu);
      },
    },
  ],
};
