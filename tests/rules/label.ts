/**
 * Rule 8. A device has a label that its program chose: faults name it by that.
 *
 * @module
 */
import { describeFault } from "../../backends/simulated/mod.ts";
import { DeviceFd, IommuFd } from "../../mod.ts";
import { check, equal, thrown } from "../check.ts";
import type { Suite } from "../harness.ts";
import { allowDma, bindActor, type Worlds } from "./world.ts";

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
        other.puppet.reads(0x2000n, 8);
        alone.puppet.writes(0x1000n, new Uint8Array(16));
        const faults = kernel.inspect.faults;
        equal(faults.map(({ label, address, iova, length, access, reason }) => ({ label, address, iova, length, access, reason })), [
          { label: 2n ** 64n - 1n, address: other.address, iova: 0x2000n, length: 8, access: "read", reason: "blocked" },
          { label: 0xa1n, address: alone.address, iova: 0x1000n, length: 16, access: "write", reason: "blocked" },
        ]);
        check(describeFault(faults[1]!).includes("label 0xa1"), describeFault(faults[1]!));
      },
    },
    {
      name: "a device without a label has none in its faults",
      async run(worlds) {
        const world = await worlds.boot();
        using iommu = IommuFd.open(world.kernel);
        using device = bindActor(world, world.alone, iommu);
        world.alone.puppet.reads(0x1000n, 4);
        equal([device.label, world.kernel.inspect.faults[0]?.label], [undefined, undefined]);
      },
    },
    {
      name: "0 is a label like any other",
      async run(worlds) {
        const world = await worlds.boot();
        using iommu = IommuFd.open(world.kernel);
        using _device = bindActor(world, world.alone, iommu, 0n);
        world.alone.puppet.reads(0x1000n, 4);
        equal(world.kernel.inspect.faults[0]?.label, 0n);
      },
    },
    {
      name: "siblings of a group have labels of their own, also behind one requester ID",
      async run(worlds) {
        const world = await worlds.boot();
        using iommu = IommuFd.open(world.kernel);
        for (const pair of [world.siblings, world.aliases]) {
          using _one = bindActor(world, pair[0], iommu, 1n);
          using _two = bindActor(world, pair[1], iommu, 2n);
          pair[1].puppet.reads(0x1000n, 4);
          pair[0].puppet.reads(0x1000n, 4);
        }
        equal(world.kernel.inspect.faults.map(({ label }) => label), [2n, 1n, 2n, 1n]);
      },
    },
    {
      name: "the label ends with the fd: the next program's device has none, and old faults keep theirs",
      async run(worlds) {
        const world = await worlds.boot();
        const { kernel, alone } = world;
        using iommu = IommuFd.open(kernel);
        const before = bindActor(world, alone, iommu, 7n);
        alone.puppet.reads(0x1000n, 4);
        before[Symbol.dispose]();
        using after = DeviceFd.open(kernel, alone.address).bind(iommu);
        allowDma(after);
        alone.puppet.reads(0x1000n, 4);
        equal(kernel.inspect.faults.map(({ label }) => label), [7n, undefined]);
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
