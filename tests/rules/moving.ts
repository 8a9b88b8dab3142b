/**
 * Rule 6. It is the iommu_fd that authorizes, not the IOAS: a device moves between the IOASes of its iommu_fd, and reaches nothing of any
 * other. While it is attached to none, all its DMA is refused.
 *
 * @module
 */
import { IommuFd } from "../../mod.ts";
import { equal, thrown } from "../check.ts";
import type { Suite } from "../harness.ts";
import { bindActor, checkFaults, filledBuffer, isFilled, REFUSED, type Worlds } from "./world.ts";

const AT = 0x1_0000n;

/** Rule 6. */
export const MOVING: Suite<Worlds> = {
  name: "rule 6, moving between IOASes",
  cases: [
    {
      name: "a device moves from one IOAS to another in one step, and sees only where it is",
      async run(worlds) {
        const world = await worlds.boot();
        const { alone } = world;
        using iommu = IommuFd.open(world.kernel);
        using one = iommu.createIoas();
        using two = iommu.createIoas();
        using first = filledBuffer(one, AT, 0x11);
        using _second = filledBuffer(two, AT, 0x22);
        using only = filledBuffer(one, AT + 0x1000n, 0x33);
        using device = bindActor(world, world.alone, iommu);
        for (let round = 0; round < 3; round++) {
          device.attach(one);
          equal(await alone.reads(AT, 4), new Uint8Array(4).fill(0x11));
          equal(await alone.reads(AT + 0x1000n, 4), new Uint8Array(4).fill(0x33));
          device.attach(two);
          equal(await alone.reads(AT, 4), new Uint8Array(4).fill(0x22));
          equal(await alone.reads(AT + 0x1000n, 4), REFUSED);
          equal(await alone.writes(AT + 0x1000n, 4), REFUSED);
        }
        isFilled(first, 0x11, "memory of the other IOAS changed");
        isFilled(only, 0x33, "memory of the other IOAS changed");
        checkFaults(world, new Array(6).fill({ reason: "not-present" }));
      },
    },
    {
      name: "a detached device's DMA faults, reads nothing and writes nothing",
      async run(worlds) {
        const world = await worlds.boot();
        const { alone } = world;
        using iommu = IommuFd.open(world.kernel);
        using ioas = iommu.createIoas();
        using buffer = filledBuffer(ioas, AT, 0x5e);
        using device = bindActor(world, world.alone, iommu);
        equal(await alone.reads(AT, 4), REFUSED, "before it was ever attached");
        device.attach(ioas);
        equal(await alone.reads(AT, 4), new Uint8Array(4).fill(0x5e));
        device.detach();
        equal(await alone.reads(AT, 64), REFUSED, "a detached device read memory");
        equal(await alone.writes(AT, 64), REFUSED, "a detached device wrote memory");
        isFilled(buffer, 0x5e);
        checkFaults(world, ["read", "read", "write"].map((access) => ({ reason: "blocked", access: access as "read" | "write" })));
        equal(device.attachedTo, undefined);
        device.attach(ioas);
        equal(await alone.reads(AT, 4), new Uint8Array(4).fill(0x5e), "attached again");
      },
    },
    {
      name: "an IOAS of another iommu_fd cannot be attached, and the device stays where it is",
      async run(worlds) {
        const world = await worlds.boot();
        const { alone } = world;
        using own = IommuFd.open(world.kernel);
        using foreign = IommuFd.open(world.kernel);
        using ioas = own.createIoas();
        using _spare = foreign.createIoas();
        using _spare2 = foreign.createIoas();
        using theirs = foreign.createIoas();
        using _mine = filledBuffer(ioas, AT, 0x11);
        using _secret = filledBuffer(theirs, AT, 0x5e);
        using device = bindActor(world, world.alone, own);
        device.attach(ioas);
        thrown(() => device.attach(theirs), "a device was attached to an IOAS of another iommu_fd");
        equal(device.attachedTo, ioas);
        equal(await alone.reads(AT, 4), new Uint8Array(4).fill(0x11));
      },
    },
    {
      name: "a move that fails leaves the device where it is, and working",
      async run(worlds) {
        const world = await worlds.boot();
        const { alone } = world;
        using iommu = IommuFd.open(world.kernel);
        using one = iommu.createIoas();
        using two = iommu.createIoas();
        using _buffer = filledBuffer(one, AT, 0x11);
        using device = bindActor(world, world.alone, iommu);
        device.attach(one);
        // No process has memory there, which an IOAS without a page table does not mind.
        two.map({ address: 0x1000n, length: 4096 }, { iova: AT });
        thrown(() => device.attach(two), "a device was attached to an IOAS whose memory is not there");
        equal(device.attachedTo, one);
        equal(await alone.reads(AT, 4), new Uint8Array(4).fill(0x11));
        two.unmapAll();
        device.attach(two);
        equal(await alone.reads(AT, 4), REFUSED);
        checkFaults(world, [{ reason: "not-present" }]);
      },
    },
    {
      name: "what an IOAS unmaps, its device does not reach any more, whatever it read before",
      async run(worlds) {
        const world = await worlds.boot();
        const { alone } = world;
        using iommu = IommuFd.open(world.kernel);
        using ioas = iommu.createIoas();
        using device = bindActor(world, world.alone, iommu);
        device.attach(ioas);
        const buffer = filledBuffer(ioas, AT, 0x5e);
        equal(await alone.reads(AT, 4), new Uint8Array(4).fill(0x5e));
        buffer[Symbol.dispose]();
        equal(await alone.reads(AT, 4), REFUSED, "memory was read after it was unmapped");
        equal(await alone.writes(AT, 4), REFUSED, "memory was written after it was unmapped");
        checkFaults(world, [{ reason: "not-present" }, { reason: "not-present" }]);
      },
    },
  ],
};
