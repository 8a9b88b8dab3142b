/**
 * A device is taken away while programs have it: what each of its files answers, and what /sys and /dev show.
 *
 * @module
 */
import { IRQ_SET_ACTION_TRIGGER, IRQ_SET_DATA_EVENTFD, IRQ_SET_DATA_NONE } from "../../uapi/codec.ts";
import { PCI_CONFIG_REGION_INDEX, PCI_REQ_IRQ_INDEX } from "../../uapi/codec.ts";
import { EFD_NONBLOCK } from "../../uapi/kernel.ts";
import { check, equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import { type Caller, codeOf } from "./caller.ts";
import { Edu, readRegion } from "./edu.ts";
import type { Depends, Slots } from "./setup.ts";
import { attach, attached, bind, detach, mapAnywhere, openBound, PAGE, tryBind } from "./steps.ts";

const REQUEST = { index: PCI_REQ_IRQ_INDEX, start: 0, count: 1 };
/** How often to look for something that the kernel does in a thread of its own; 10 ms lie between two looks. */
const LOOKS = 2000;

/** The edu devices of the virtual machine cannot be reset, so that nothing holds up their first reset. */
const BIND_LEAVING: Depends<string> = {
  feature: "reset",
  with: "EAGAIN",
  without: "OK",
  why: "a device that can be reset is reset as it is bound, and who takes it away holds it",
};

function slots(t: Caller): Slots {
  check(t.setup.slots !== undefined, "the host has no slots");
  return t.setup.slots;
}

/** Wait for something that the kernel does beside. */
async function until(what: string, happened: () => boolean): Promise<void> {
  for (let look = 0; look < LOOKS && !happened(); look++) await new Promise((resolve) => setTimeout(resolve, 10));
  check(happened(), `it does not happen that ${what}`);
}

/** Begin to take a device away whose files are open. The promise of the end comes in an object, so that nothing waits for it yet. */
async function begin(t: Caller, address: string): Promise<{ readonly gone: Promise<void> }> {
  const node = t.nodeOf(address);
  const gone = slots(t).unplug(address);
  await until(`${node} goes`, () => !hasNode(t, node));
  return { gone };
}

/** Close its files, wait for its end, and put it back. */
async function end(t: Caller, address: string, gone: Promise<void>, ...files: number[]): Promise<void> {
  for (const file of files) t.close(file);
  await gone;
  await slots(t).plug(address);
}

function hasNode(t: Caller, node: string): boolean {
  return names(t, "/dev/vfio/devices").includes(node.split("/").at(-1)!);
}

function names(t: Caller, path: string): string[] {
  const found = t.kernel.list(path);
  return Array.isArray(found) ? found : [];
}

function groupOf(t: Caller, address: string): string {
  return String(t.kernel.readlink(`/sys/bus/pci/devices/${address}/iommu_group`)).split("/").at(-1)!;
}

/** An eventfd that is signalled when the kernel wants the device back. */
function listen(t: Caller, device: number): number {
  const fd = t.eventfd(0, EFD_NONBLOCK);
  const tail = new Uint8Array(Int32Array.of(fd).buffer);
  t.do(device, "DEVICE_SET_IRQS", { ...REQUEST, flags: IRQ_SET_DATA_EVENTFD | IRQ_SET_ACTION_TRIGGER }, { tail });
  return fd;
}

function take(t: Caller, fd: number): bigint {
  const block = t.block(8);
  return t.kernel.read(fd, block, 8) === 8 ? block.view.getBigUint64(0, true) : 0n;
}

/** Taking devices away and putting them back. */
export const UNPLUG: Suite<Caller> = {
  name: "unplug",
  cases: [
    {
      name: "a device that nobody has goes at once, with its node, its group and its files in /sys, and comes back",
      async run(t) {
        const { alone } = t.devices;
        const [node, group] = [t.nodeOf(alone), groupOf(t, alone)];
        await slots(t).unplug(alone);
        equal(codeOf(t.tryOpen(node)), "ENOENT");
        equal(codeOf(t.kernel.readlink(`/sys/bus/pci/devices/${alone}`) as number), "ENOENT");
        check(!names(t, "/sys/kernel/iommu_groups").includes(group), `group ${group} is still there`);
        check(!names(t, "/sys/class/vfio-dev").includes(node.split("/").at(-1)!), "its class device is still there");
        await slots(t).plug(alone);
        equal([t.nodeOf(alone), groupOf(t, alone)], [node, group]);
        attached(t, alone);
      },
    },
    {
      name: "a device that is bound is asked for, cannot be opened, and is in /sys without its driver until it is closed",
      async run(t) {
        const { alone } = t.devices;
        const { device } = openBound(t, t.iommu(), alone);
        const [request, node] = [listen(t, device), t.nodeOf(alone)];
        const { gone } = await begin(t, alone);
        equal(await t.kernel.wait(request), 0);
        check(take(t, request) > 0n, "no signal");
        equal(codeOf(t.tryOpen(node)), "ENOENT");
        equal(codeOf(t.kernel.readlink(`/sys/bus/pci/devices/${alone}/driver`) as number), "ENOENT");
        equal(codeOf(t.kernel.list(`/sys/bus/pci/devices/${alone}/vfio-dev`) as number), "ENOENT");
        check(names(t, `/sys/bus/pci/devices/${alone}`).includes("iommu_group"), "it has left already");
        await end(t, alone, gone, device);
        equal(t.nodeOf(alone), node);
      },
    },
    {
      name: "who took the request and keeps the device is asked again",
      async run(t) {
        const { alone } = t.devices;
        const { device } = openBound(t, t.iommu(), alone);
        const request = listen(t, device);
        const { gone } = await begin(t, alone);
        for (let round = 0; round < 2; round++) {
          equal(await t.kernel.wait(request), 0);
          check(take(t, request) > 0n, `no signal in round ${round}`);
        }
        await end(t, alone, gone, device);
      },
    },
    {
      name: "until it is closed, a device that is asked for works: attach, DMA, registers, interrupts",
      async run(t) {
        const { alone } = t.devices;
        const { device, iommu, ioas } = attached(t, alone);
        const va = t.memory(PAGE);
        const iova = mapAnywhere(t, iommu, ioas, va, PAGE);
        const { gone } = await begin(t, alone);
        t.bytes(va, PAGE).fill(0x5a);
        const edu = new Edu(t, device);
        await edu.fetch(iova, 0, 64);
        t.bytes(va, PAGE).fill(0);
        await edu.store(0, iova, 64);
        equal(t.bytes(va, 65), new Uint8Array(65).fill(0x5a, 0, 64));
        detach(t, device);
        attach(t, device, ioas);
        equal(t.do(device, "DEVICE_GET_INFO").number("num_irqs"), 5);
        equal(readRegion(t, device, PCI_CONFIG_REGION_INDEX, 0, 4), 0x11e8_1234n);
        const fd = listen(t, device);
        t.do(device, "DEVICE_SET_IRQS", { ...REQUEST, flags: IRQ_SET_DATA_NONE | IRQ_SET_ACTION_TRIGGER });
        check(take(t, fd) > 0n, "no signal");
        await end(t, alone, gone, device);
      },
    },
    {
      name: "a device that can be reset answers RESET and BIND with EAGAIN while it is taken away",
      async run(t) {
        const { messages } = t.devices;
        const iommu = t.iommu();
        const { device } = openBound(t, iommu, messages);
        t.do(device, "DEVICE_RESET");
        const { gone } = await begin(t, messages);
        equal(t.ask(device, "DEVICE_RESET").code, "EAGAIN");
        await end(t, messages, gone, device);
        const unbound = t.device(messages);
        const second = await begin(t, messages);
        for (let round = 0; round < 2; round++) equal(tryBind(t, unbound, iommu).code, "EAGAIN");
        await end(t, messages, second.gone, unbound);
        const again = t.device(messages);
        bind(t, again, iommu);
        t.do(again, "DEVICE_RESET");
      },
    },
    {
      name: "a device that is open and not bound keeps its place as well",
      async run(t) {
        const { alone } = t.devices;
        const device = t.device(alone);
        const { gone } = await begin(t, alone);
        t.refused("EINVAL", device, "DEVICE_GET_INFO");
        equal(tryBind(t, device, t.iommu()).code, t.expected(BIND_LEAVING));
        await end(t, alone, gone, device);
        attached(t, alone);
      },
    },
    {
      name: "a bus is not reset while a device on it is taken away, and is afterwards without it",
      async run(t) {
        const [first, second] = t.devices.aliases;
        const iommu = t.iommu();
        const { device, id } = openBound(t, iommu, first);
        const leaving = openBound(t, iommu, second).device;
        const { gone } = await begin(t, second);
        t.refused("EAGAIN", device, "DEVICE_PCI_HOT_RESET");
        t.close(leaving);
        await gone;
        const list = t.do(device, "DEVICE_GET_PCI_HOT_RESET_INFO", {}, { tail: new Uint8Array(16) });
        equal([list.number("count"), new DataView(list.after.buffer).getUint32(12, true)], [1, id]);
        t.do(device, "DEVICE_PCI_HOT_RESET");
        await slots(t).plug(second);
        openBound(t, iommu, second);
        t.do(device, "DEVICE_PCI_HOT_RESET");
      },
    },
    {
      name: "a member of a group goes while a program has the other, and comes back to that group",
      async run(t) {
        const [first, second] = t.devices.siblings;
        const iommu = t.iommu();
        openBound(t, iommu, first);
        const group = groupOf(t, first);
        await slots(t).unplug(second);
        equal(names(t, `/sys/kernel/iommu_groups/${group}/devices`), [first]);
        await slots(t).plug(second);
        equal(groupOf(t, second), group);
        const other = t.iommu();
        const device = t.device(second);
        equal(tryBind(t, device, other).code, "EPERM");
        bind(t, device, iommu);
      },
    },
  ],
};
