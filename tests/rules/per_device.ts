/**
 * Rule 7. Devices of one group may be attached to different IOASes where the IOMMU can tell them apart; where they share a requester ID they
 * cannot. Linux's rule, one IOAS for a group, is the other setting, and the only one of a real Linux.
 *
 * @module
 */
import { IommuFd } from "../../mod.ts";
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import {
  type Actor,
  behindBridge,
  bindActor,
  type ByGroupIoas,
  codeOf,
  filledBuffer,
  inWorld,
  REFUSED,
  type World,
  type Worlds,
} from "./world.ts";

const AT = 0x1_0000n;
const MINE = Uint8Array.of(0x11);
const YOURS = Uint8Array.of(0x22);
const SETTINGS = ["requester", "linux"] as const;

/** What both devices of a pair read. */
type Reads = readonly (Uint8Array | typeof REFUSED)[];

/** The second device of two is attached to another IOAS than the first. */
const APART: ByGroupIoas<{ readonly code: string; readonly reads: Reads }> = {
  requester: { code: "OK", reads: [MINE, YOURS] },
  linux: { code: "EINVAL", reads: [MINE, MINE] },
  why: "Linux gives a group one page table: the second must come to the first, and until then sees what it sees",
};

/** The second device of two is attached to nothing. */
const UNATTACHED: ByGroupIoas<Uint8Array | typeof REFUSED> = {
  requester: REFUSED,
  linux: MINE,
  why: "Linux's page table is the group's, whoever of it was attached",
};

/** Both are attached to one IOAS. The second moves to another, is detached; then the first is detached, and the second attached again. */
const ONE_MOVES: ByGroupIoas<readonly Reads[]> = {
  requester: [[MINE, YOURS], [MINE, REFUSED], [REFUSED, YOURS]],
  linux: [[YOURS, YOURS], [YOURS, YOURS], [YOURS, YOURS]],
  why: "on Linux a device that is attached and moves takes its group along, and a group is shut out when its last device is detached",
};

async function bothRead([first, second]: readonly [Actor, Actor]): Promise<Reads> {
  return [await first.reads(AT, 1), await second.reads(AT, 1)];
}

/** Attach the first device of a pair to one IOAS. The code of attaching the second to another, and what both read then. */
async function attachApart(world: World, pair: readonly [Actor, Actor]): Promise<{ code: string; reads: Reads }> {
  using iommu = IommuFd.open(world.kernel);
  using one = iommu.createIoas();
  using two = iommu.createIoas();
  using _mine = filledBuffer(one, AT, 0x11);
  using _yours = filledBuffer(two, AT, 0x22);
  using a = bindActor(world, pair[0], iommu);
  using b = bindActor(world, pair[1], iommu);
  a.attach(one);
  const code = codeOf(() => b.attach(two));
  return { code, reads: await bothRead(pair) };
}

/** Rule 7. */
export const PER_DEVICE: Suite<Worlds> = {
  name: "rule 7, an IOAS for each device",
  cases: [
    {
      name: "functions of one device with requester IDs of their own have IOASes of their own",
      async run(worlds) {
        const world = await worlds.boot();
        equal(await attachApart(world, world.siblings), inWorld(world, APART));
      },
    },
    {
      name: "devices behind one requester ID are refused: EINVAL, and both see the IOAS of the first",
      async run(worlds) {
        const world = await worlds.boot();
        const { code, reads } = APART.linux;
        equal(await attachApart(world, world.aliases), { code, reads: behindBridge(world, reads) });
      },
    },
    {
      name: "by Linux's setting a group has one IOAS, whatever the requester IDs: EINVAL, and the second joins the first",
      async run(worlds) {
        const world = await worlds.boot({ groupIoas: "linux" });
        const { code, reads } = APART.linux;
        equal(await attachApart(world, world.siblings), { code, reads });
        equal(await attachApart(world, world.aliases), { code, reads: behindBridge(world, reads) });
      },
    },
    {
      name: "a sibling that is not attached is shut out by our setting, and comes with the group by Linux's",
      async run(worlds) {
        for (const groupIoas of SETTINGS) {
          const world = await worlds.boot({ groupIoas });
          const [first, second] = world.siblings;
          using iommu = IommuFd.open(world.kernel);
          using ioas = iommu.createIoas();
          using _buffer = filledBuffer(ioas, AT, 0x11);
          using a = bindActor(world, first, iommu);
          using _b = bindActor(world, second, iommu);
          a.attach(ioas);
          equal(await second.reads(AT, 1), inWorld(world, UNATTACHED), groupIoas);
        }
      },
    },
    {
      name: "one of two siblings moves or is detached, and the other does not notice, but for Linux's setting",
      async run(worlds) {
        for (const groupIoas of SETTINGS) {
          const world = await worlds.boot({ groupIoas });
          const [moved, detached, again] = inWorld(world, ONE_MOVES);
          using iommu = IommuFd.open(world.kernel);
          using one = iommu.createIoas();
          using two = iommu.createIoas();
          using _mine = filledBuffer(one, AT, 0x11);
          using _yours = filledBuffer(two, AT, 0x22);
          using a = bindActor(world, world.siblings[0], iommu);
          using b = bindActor(world, world.siblings[1], iommu);
          a.attach(one);
          b.attach(one);
          b.attach(two);
          equal(await bothRead(world.siblings), moved, "moved");
          b.detach();
          equal(await bothRead(world.siblings), detached, "detached");
          a.detach();
          b.attach(two);
          equal(await bothRead(world.siblings), again, "attached again");
        }
      },
    },
    {
      name: "devices behind one requester ID stay attached until the last of them is detached",
      async run(worlds) {
        const world = await worlds.boot();
        using iommu = IommuFd.open(world.kernel);
        using ioas = iommu.createIoas();
        using _buffer = filledBuffer(ioas, AT, 0x11);
        using a = bindActor(world, world.aliases[0], iommu);
        using b = bindActor(world, world.aliases[1], iommu);
        a.attach(ioas);
        b.attach(ioas);
        a.detach();
        equal(await bothRead(world.aliases), behindBridge(world, [MINE, MINE]));
        b.detach();
        equal(await bothRead(world.aliases), [REFUSED, REFUSED]);
      },
    },
  ],
};
