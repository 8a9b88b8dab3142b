/**
 * Rule 3. The first bind obtains the group for the iommu_fd, which is possible only if no other has it: the owner is the iommu_fd.
 *
 * @module
 */
import { DeviceFd, IommuFd } from "../../mod.ts";
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import { bindActor, codeOf, type Worlds } from "./world.ts";

/** Rule 3. */
export const GROUP_OWNER: Suite<Worlds> = {
  name: "rule 3, owner of the group",
  cases: [
    {
      name: "two devices of a group cannot be bound to two iommu_fds: the second is EPERM, whichever comes first",
      async run(worlds) {
        const world = await worlds.boot();
        const { kernel } = world;
        for (const pair of [world.siblings, world.aliases]) {
          for (const [first, second] of [pair, [pair[1], pair[0]]] as const) {
            using one = IommuFd.open(kernel);
            using two = IommuFd.open(kernel);
            using _bound = bindActor(world, first!, one);
            using device = DeviceFd.open(kernel, second!.address);
            equal(codeOf(() => device.bind(two)), "EPERM");
          }
        }
      },
    },
    {
      name: "to the same iommu_fd they can",
      async run(worlds) {
        const world = await worlds.boot();
        using iommu = IommuFd.open(world.kernel);
        for (const pair of [world.siblings, world.aliases]) {
          using _one = bindActor(world, pair[0], iommu);
          using _two = bindActor(world, pair[1], iommu);
        }
      },
    },
    {
      name: "devices of different groups go to different iommu_fds",
      async run(worlds) {
        const world = await worlds.boot();
        using one = IommuFd.open(world.kernel);
        using two = IommuFd.open(world.kernel);
        using _first = bindActor(world, world.alone, one);
        using _second = bindActor(world, world.other, two);
      },
    },
    {
      name: "by Linux's setting for IOASes a group still has one owner",
      async run(worlds) {
        const world = await worlds.boot({ groupIoas: "linux" });
        using one = IommuFd.open(world.kernel);
        using two = IommuFd.open(world.kernel);
        using _bound = bindActor(world, world.siblings[0], one);
        using device = DeviceFd.open(world.kernel, world.siblings[1].address);
        equal(codeOf(() => device.bind(two)), "EPERM");
      },
    },
    {
      name: "a driver of the kernel that does DMA owns the group before any program: EPERM",
      async run(worlds) {
        const { kernel, taken } = await worlds.boot();
        using iommu = IommuFd.open(kernel);
        using device = DeviceFd.open(kernel, taken.address);
        equal(codeOf(() => device.bind(iommu)), "EPERM");
      },
    },
    {
      name: "a refused bind takes nothing: the iommu_fd has the ids that it had, and other devices bind to it",
      async run(worlds) {
        const world = await worlds.boot();
        using one = IommuFd.open(world.kernel);
        using two = IommuFd.open(world.kernel);
        using _bound = bindActor(world, world.aliases[0], one);
        using device = DeviceFd.open(world.kernel, world.aliases[1].address);
        equal(codeOf(() => device.bind(two)), "EPERM");
        using other = bindActor(world, world.alone, two);
        equal(other.id, 1);
      },
    },
  ],
};
