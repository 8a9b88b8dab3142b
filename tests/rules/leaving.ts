/**
 * Rule 5. A device leaves its iommu_fd only by closing the device_fd; what is opened after that is inoperable again, and nothing of the
 * program before is left in the device.
 *
 * @module
 */
import { DeviceFd, IommuFd, type Kernel, parseConfigSpace } from "../../mod.ts";
import { DEVICE_GET_INFO } from "../../uapi/codec.ts";
import { ERRNO } from "../../uapi/errno.ts";
import { check, equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import { bindActor, codeOf, filledBuffer, isFilled, REFUSED, type Worlds } from "./world.ts";

const PENDING = 0x1_0000n;
/** The command register of configuration space, and its bit that lets a device do DMA. */
const COMMAND = 0x04;
const COMMAND_MASTER = 0x4;
/** Capabilities of message interrupts by their ids: the control word's bit that switches them on. */
const MESSAGES: Readonly<Record<number, number>> = { 0x05: 0x0001, 0x11: 0x8000 };
const WRITTEN = 0x1234;
/** How often a close during a transfer is tried. */
const TRIES = 20;
/** What the next program finds in a register, by whether the device is reset in between. */
const REGISTER = {
  true: { value: 0, why: "the kernel resets a device that can be reset when it is closed" },
  false: { value: WRITTEN, why: "QEMU's edu has no reset, and Linux no other way to clear it" },
} as const;

/** Whether the device sends interrupts as messages, by the configuration space that the kernel shows. */
function messagesAreOn(kernel: Kernel, address: string): boolean {
  const bytes = kernel.readFile(`/sys/bus/pci/devices/${address}/config`);
  check(bytes instanceof Uint8Array, `no configuration space: ${bytes}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return parseConfigSpace(bytes).capabilities.some(({ id, offset }) => (view.getUint16(offset + 2, true) & (MESSAGES[id] ?? 0)) !== 0);
}

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
        const { alone } = world;
        using iommu = IommuFd.open(world.kernel);
        using ioas = iommu.createIoas();
        using buffer = filledBuffer(ioas, PENDING, 0x5e);
        for (let tries = 0, isTold = false; !isTold; tries++) {
          // A machine that is busy may take longer for the close than the device for the transfer, which proves nothing.
          check(tries < TRIES, "the close takes longer than the transfer");
          const bound = bindActor(world, alone, iommu);
          bound.attach(ioas);
          buffer.bytes.fill(0x5e);
          equal(await alone.reads(PENDING, 2), new Uint8Array(2).fill(0x5e));
          const transfer = await alone.start(PENDING, 64);
          bound[Symbol.dispose]();
          isTold = await transfer.finish();
        }
        isFilled(buffer, 0x5e, "a transfer under way went on after the close");
        equal(await alone.reads(PENDING, 64), REFUSED, "a closed device read memory");
        equal(await alone.writes(PENDING, 64), REFUSED, "a closed device wrote memory");
        isFilled(buffer, 0x5e);
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
        before.bar(0).write32(alone.register, WRITTEN);
        using irq = before.irq(alone.interrupts);
        irq.enable(1);
        equal(messagesAreOn(kernel, alone.address), true, "interrupts of the program before");
        before[Symbol.dispose]();
        equal(messagesAreOn(kernel, alone.address), false, "interrupts after the close");
        using after = DeviceFd.open(kernel, alone.address).bind(iommu);
        equal(after.config.read16(COMMAND) & COMMAND_MASTER, 0, "bus mastering");
        equal(after.bar(0).read32(alone.register), REGISTER[`${world.resets}`].value, "the register");
        equal(messagesAreOn(kernel, alone.address), false, "interrupts of the next program");
        equal(after.attachedTo, undefined);
        alone.use(after);
        equal(await alone.reads(PENDING, 4), REFUSED);
      },
    },
  ],
};
