/**
 * Rule 4. All devices of a group that are bound hold it: it is free when the last of them leaves, and not before.
 *
 * @module
 */
import { DeviceFd, IommuFd } from "../../mod.ts";
import { DEVICE_BIND_IOMMUFD } from "../../uapi/codec.ts";
import { O_RDWR } from "../../uapi/kernel.ts";
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import { bindActor, codeOf, type Worlds } from "./world.ts";

/** Rule 4. */
export const GROUP_COUNT: Suite<Worlds> = {
  name: "rule 4, the group is counted",
  cases: [
    {
      name: "the first to leave leaves the group owned, the last frees it, in both orders",
      async run(worlds) {
        const world = await worlds.boot();
        for (const pair of [world.siblings, world.aliases]) {
          for (const order of [[0, 1], [1, 0]] as const) {
            using one = IommuFd.open(world.kernel);
            using two = IommuFd.open(world.kernel);
            const bound = pair.map((actor) => bindActor(world, actor, one));
            bound[order[0]]![Symbol.dispose]();
            using device = DeviceFd.open(world.kernel, pair[order[0]].address);
            equal(codeOf(() => device.bind(two)), "EPERM", "while one is left");
            bound[order[1]]![Symbol.dispose]();
            using _again = device.bind(two);
          }
        }
      },
    },
    {
      name: "one that comes back to the owner counts again",
      async run(worlds) {
        const world = await worlds.boot();
        const [first, second] = world.siblings;
        using one = IommuFd.open(world.kernel);
        using two = IommuFd.open(world.kernel);
        const early = bindActor(world, first, one);
        const stays = bindActor(world, second, one);
        early[Symbol.dispose]();
        const back = bindActor(world, first, one);
        stays[Symbol.dispose]();
        using device = DeviceFd.open(world.kernel, second.address);
        equal(codeOf(() => device.bind(two)), "EPERM");
        back[Symbol.dispose]();
        using _free = device.bind(two);
      },
    },
    {
      name: "an iommu_fd that is closed still holds the group while a device is bound to it",
      async run(worlds) {
        const world = await worlds.boot();
        const { kernel, siblings } = world;
        const closed = kernel.open("/dev/iommu", O_RDWR);
        using holder = DeviceFd.open(kernel, siblings[0].address);
        using block = kernel.block(16);
        block.view.setUint32(0, 16, true);
        block.view.setInt32(8, closed, true);
        equal(kernel.ioctl(holder.fd, DEVICE_BIND_IOMMUFD, block), 0);
        equal(kernel.close(closed), 0);
        using two = IommuFd.open(kernel);
        using device = DeviceFd.open(kernel, siblings[1].address);
        equal(codeOf(() => device.bind(two)), "EPERM");
        holder[Symbol.dispose]();
        using _free = device.bind(two);
      },
    },
    {
      name: "a refused bind does not count",
      async run(worlds) {
        const world = await worlds.boot();
        const [first, second] = world.aliases;
        using one = IommuFd.open(world.kernel);
        using two = IommuFd.open(world.kernel);
        const bound = bindActor(world, first, one);
        using device = DeviceFd.open(world.kernel, second.address);
        for (let round = 0; round < 3; round++) equal(codeOf(() => device.bind(two)), "EPERM");
        bound[Symbol.dispose]();
        using _free = device.bind(two);
      },
    },
  ],
};
