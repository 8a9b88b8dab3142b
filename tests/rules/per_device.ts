/**
 * Rule 7. Devices of one group may be attached to different IOASes where the IOMMU can tell them apart; where they share a requester ID they
 * cannot. Linux's rule, one IOAS for a group, is the other setting.
 *
 * @module
 */
import { IommuFd } from "../../mod.ts";
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import { type Actor, bindActor, codeOf, filledBuffer, type World, type Worlds } from "./world.ts";

const AT = 0x1_0000n;

/** Attach the first device of a pair to one IOAS. The code of attaching the second to another, and what both read then. */
function attachApart(world: World, [first, second]: readonly [Actor, Actor]): { code: string; reads: unknown[] } {
  using iommu = IommuFd.open(world.kernel);
  using one = iommu.createIoas();
  using two = iommu.createIoas();
  using _mine = filledBuffer(one, AT, 0x11);
  using _yours = filledBuffer(two, AT, 0x22);
  using a = bindActor(world, first, iommu);
  using b = bindActor(world, second, iommu);
  a.attach(one);
  const code = codeOf(() => b.attach(two));
  return { code, reads: [first.puppet.reads(AT, 1), second.puppet.reads(AT, 1)] };
}

/** Rule 7. */
export const PER_DEVICE: Suite<Worlds> = {
  name: "rule 7, an IOAS for each device",
  cases: [
    {
      name: "functions of one device with requester IDs of their own have IOASes of their own",
      async run(worlds) {
        const world = await worlds.boot();
        equal(attachApart(world, world.siblings), { code: "OK", reads: [Uint8Array.of(0x11), Uint8Array.of(0x22)] });
      },
    },
    {
      name: "devices behind one requester ID are refused: EINVAL, and both see the IOAS of the first",
      async run(worlds) {
        const world = await worlds.boot();
        equal(attachApart(world, world.aliases), { code: "EINVAL", reads: [Uint8Array.of(0x11), Uint8Array.of(0x11)] });
      },
    },
    {
      name: "by Linux's setting a group has one IOAS, whatever the requester IDs: EINVAL, and the second joins the first",
      async run(worlds) {
        const world = await worlds.boot({ groupIoas: "linux" });
        for (const pair of [world.siblings, world.aliases]) {
          equal(attachApart(world, pair), { code: "EINVAL", reads: [Uint8Array.of(0x11), Uint8Array.of(0x11)] });
        }
      },
    },
    {
      name: "a sibling that is not attached is shut out by our setting, and comes with the group by Linux's",
      async run(worlds) {
        for (const [groupIoas, expected] of [["requester", "blocked"], ["linux", Uint8Array.of(0x11)]] as const) {
          const world = await worlds.boot({ groupIoas });
          const [first, second] = world.siblings;
          using iommu = IommuFd.open(world.kernel);
          using ioas = iommu.createIoas();
          using _buffer = filledBuffer(ioas, AT, 0x11);
          using a = bindActor(world, first, iommu);
          using _b = bindActor(world, second, iommu);
          a.attach(ioas);
          equal(second.puppet.reads(AT, 1), expected, groupIoas);
        }
      },
    },
    {
      name: "one of two siblings moves or is detached, and the other does not notice",
      async run(worlds) {
        const world = await worlds.boot();
        const [first, second] = world.siblings;
        using iommu = IommuFd.open(world.kernel);
        using one = iommu.createIoas();
        using two = iommu.createIoas();
        using _mine = filledBuffer(one, AT, 0x11);
        using _yours = filledBuffer(two, AT, 0x22);
        using a = bindActor(world, first, iommu);
        using b = bindActor(world, second, iommu);
        a.attach(one);
        b.attach(one);
        b.attach(two);
        equal([first.puppet.reads(AT, 1), second.puppet.reads(AT, 1)], [Uint8Array.of(0x11), Uint8Array.of(0x22)]);
        b.detach();
        equal([first.puppet.reads(AT, 1), second.puppet.reads(AT, 1)], [Uint8Array.of(0x11), "blocked"]);
        a.detach();
        b.attach(two);
        equal([first.puppet.reads(AT, 1), second.puppet.reads(AT, 1)], ["blocked", Uint8Array.of(0x22)]);
      },
    },
    {
      name: "devices behind one requester ID stay attached until the last of them is detached",
      async run(worlds) {
        const world = await worlds.boot();
        const [first, second] = world.aliases;
        using iommu = IommuFd.open(world.kernel);
        using ioas = iommu.createIoas();
        using _buffer = filledBuffer(ioas, AT, 0x11);
        using a = bindActor(world, first, iommu);
        using b = bindActor(world, second, iommu);
        a.attach(ioas);
        b.attach(ioas);
        a.detach();
        equal([first.puppet.reads(AT, 1), second.puppet.reads(AT, 1)], [Uint8Array.of(0x11), Uint8Array.of(0x11)]);
        b.detach();
        equal([first.puppet.reads(AT, 1), second.puppet.reads(AT, 1)], ["blocked", "blocked"]);
      },
    },
  ],
};
