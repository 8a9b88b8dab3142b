/**
 * Rule 1. A device_fd is single open: only one fd exists for a device.
 *
 * @module
 */
import { DeviceFd, IommuFd } from "../../mod.ts";
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import { bindActor, codeOf, type Worlds } from "./world.ts";

/** How opening and binding once more ends, by whether a device is single open. */
const SECOND = {
  true: { code: "EBUSY", why: "our rule, which the library keeps on Linux too: the open itself fails" },
  false: { code: "EINVAL", why: "Linux's nodes open as often as asked, and only one fd can be bound" },
} as const;

/** Rule 1. */
export const SINGLE_OPEN: Suite<Worlds> = {
  name: "rule 1, single open",
  cases: [
    {
      name: "a device that is open is EBUSY, by whatever name it is asked for",
      async run(worlds) {
        const { kernel, alone } = await worlds.boot();
        using device = DeviceFd.open(kernel, alone.address);
        for (const name of [alone.address, alone.address.slice(5), device.node!]) {
          equal(codeOf(() => DeviceFd.open(kernel, name)), "EBUSY");
        }
      },
    },
    {
      name: "it stays so when the fd is bound, and when its bind failed",
      async run(worlds) {
        const world = await worlds.boot();
        const { kernel, alone, siblings } = world;
        using one = IommuFd.open(kernel);
        using two = IommuFd.open(kernel);
        using _bound = bindActor(world, alone, one);
        using _sibling = bindActor(world, siblings[0], one);
        using refused = DeviceFd.open(kernel, siblings[1].address);
        equal(codeOf(() => refused.bind(two)), "EPERM");
        for (const { address } of [alone, ...siblings]) equal(codeOf(() => DeviceFd.open(kernel, address)), "EBUSY");
      },
    },
    {
      name: "closing the fd makes the device free for the next",
      async run(worlds) {
        const { kernel, alone } = await worlds.boot();
        for (let round = 0; round < 3; round++) {
          using _device = DeviceFd.open(kernel, alone.address);
        }
      },
    },
    {
      name: "each device has an fd of its own, siblings of a group too",
      async run(worlds) {
        const { kernel, siblings } = await worlds.boot();
        using one = DeviceFd.open(kernel, siblings[0].address);
        using two = DeviceFd.open(kernel, siblings[1].address);
        equal(one.fd !== two.fd, true);
      },
    },
    {
      name: "where a machine lets a second open succeed, its bind is refused: EINVAL",
      async run(worlds) {
        const { kernel, alone, rules } = await worlds.boot({ singleOpen: false });
        using iommu = IommuFd.open(kernel);
        using first = DeviceFd.open(kernel, alone.address);
        using _bound = first.bind(iommu);
        const openAndBind = () => {
          using second = DeviceFd.open(kernel, alone.address);
          second.bind(iommu);
        };
        equal(codeOf(openAndBind), SECOND[`${rules.singleOpen}`].code);
      },
    },
  ],
};
