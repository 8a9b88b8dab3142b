/**
 * Rule 5. A device leaves its iommu_fd only by closing the device_fd; what is opened after that is inoperable again, and nothing of the
 * program before is left in the device.
 *
 * @module
 */
import { DeviceFd, IommuFd } from "../../mod.ts";
import { DEVICE_GET_INFO } from "../../uapi/codec.ts";
import { ERRNO } from "../../uapi/errno.ts";
import { check, equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import { allowDma, bindActor, codeOf, filledBuffer, type Worlds } from "./world.ts";

const PENDING = 0x1_0000n;

/** Rule 5. */
export const LEAVING: Suite<Worlds> = {
  name: "rule 5, leaving",
  cases: [
    {
      name: "a bound fd cannot be bound again, to its own iommu_fd or to another: EINVAL",
      async run(worlds) {
        const { kernel, alone } = await worlds.boot();
        using one = IommuFd.open(kernel);
        using two = IommuFd.open(kernel);
        using device = DeviceFd.open(kernel, alone.address);
        using bound = device.bind(one);
        for (const iommu of [one, two]) equal(codeOf(() => device.bind(iommu)), "EINVAL");
        equal(bound.iommu, one);
      },
    },
    {
      name: "closing releases the device: the next program opens it, inoperable, and binds it to its own iommu_fd",
      async run(worlds) {
        const world = await worlds.boot();
        const { kernel, alone } = world;
        using one = IommuFd.open(kernel);
        bindActor(world, alone, one)[Symbol.dispose]();
        using next = DeviceFd.open(kernel, alone.address);
        using block = kernel.block(24);
        block.view.setUint32(0, 24, true);
        equal(kernel.ioctl(next.fd, DEVICE_GET_INFO, block), -ERRNO.EINVAL, "GET_INFO before the bind");
        using two = IommuFd.open(kernel);
        using bound = next.bind(two);
        check(bound.info.isPci, "GET_INFO after the bind");
      },
    },
    {
      name: "detaching is not leaving: the group stays with the iommu_fd",
      async run(worlds) {
        const world = await worlds.boot();
        using one = IommuFd.open(world.kernel);
        using two = IommuFd.open(world.kernel);
        using ioas = one.createIoas();
        using bound = bindActor(world, world.siblings[0], one);
        bound.attach(ioas);
        bound.detach();
        using device = DeviceFd.open(world.kernel, world.siblings[1].address);
        equal(codeOf(() => device.bind(two)), "EPERM");
      },
    },
    {
      name: "a closed device reaches nothing, though its memory is still mapped",
      async run(worlds) {
        const world = await worlds.boot();
        const { puppet } = world.alone;
        using iommu = IommuFd.open(world.kernel);
        using ioas = iommu.createIoas();
        using buffer = filledBuffer(ioas, PENDING, 0x5e);
        const bound = bindActor(world, world.alone, iommu);
        bound.attach(ioas);
        equal(puppet.reads(PENDING, 2), new Uint8Array(2).fill(0x5e));
        bound[Symbol.dispose]();
        check(puppet.readsNothing(PENDING, 64), "a closed device read memory");
        check(puppet.writes(PENDING, new Uint8Array(64)) !== "OK", "a closed device wrote memory");
        check(buffer.bytes.every((byte) => byte === 0x5e), "memory changed");
      },
    },
    {
      name: "the next program finds no attachment, no bus mastering, no interrupt and no register of the one before",
      async run(worlds) {
        const world = await worlds.boot();
        const { kernel, alone } = world;
        using iommu = IommuFd.open(kernel);
        using ioas = iommu.createIoas();
        using _buffer = filledBuffer(ioas, PENDING, 0x5e);
        const before = bindActor(world, alone, iommu);
        before.attach(ioas);
        before.bar(0).write32(0, 0x1234);
        const irq = before.irq("msix");
        irq.enable(1);
        equal(alone.puppet.bus.interruptMode, "msix");
        irq[Symbol.dispose]();
        const { resets } = alone.puppet;
        before[Symbol.dispose]();
        check(alone.puppet.resets > resets, "the device was not reset");
        using after = DeviceFd.open(kernel, alone.address).bind(iommu);
        equal(after.config.read16(4) & 4, 0, "bus mastering");
        equal(after.bar(0).read32(0), 0, "the register");
        equal(alone.puppet.bus.interruptMode, "none");
        equal(after.attachedTo, undefined);
        allowDma(after);
        equal(alone.puppet.reads(PENDING, 4), "blocked");
      },
    },
  ],
};
