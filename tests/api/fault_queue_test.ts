/**
 * Fault queues as a program has them: groups, answers, what ends a fault, and who gives what back.
 */
import { DeviceFd, type FaultGroup, IommuFd } from "../../mod.ts";
import { check, equal } from "../check.ts";
import { faults } from "../../backends/wrap/mod.ts";
import type { DmaFault } from "../../backends/simulated/mod.ts";
import { Puppet } from "../rules/puppet.ts";
import { ADDRESSES, boot, type Booted, failure, nameOf } from "./machine.ts";

const PAGE = 4096;
const IOVA = 0x1_0000n;

/** A machine whose first device asks for pages. */
async function askingMachine(): Promise<Booted> {
  const puppets = [new Puppet({ pageRequests: true }), new Puppet({ msi: 4 })] as const;
  const pci = [{ slot: "03.0", model: puppets[0] }, { slot: "04.0", model: puppets[1] }] as const;
  const { kernel, [Symbol.dispose]: finish } = await boot({ pci, iommu: { kind: "vtd", scalable: true } });
  return { kernel, puppets, [Symbol.dispose]: finish };
}

/** The device attached to a page table that reports to a queue. */
function asking({ kernel, puppets }: Booted, handles = kernel as IommuFd["kernel"]) {
  const iommu = IommuFd.open(handles);
  const ioas = iommu.createIoas();
  const queue = iommu.createFaultQueue();
  const device = DeviceFd.open(handles, ADDRESSES[0]).bind(iommu, { label: 7n });
  device.config.write16(4, 6);
  const hwpt = ioas.createHwpt(device, { faultQueue: queue });
  device.attach(hwpt);
  const bus = puppets[0].bus;
  /** Begins a transfer; resolves with what came of it. */
  const transfer = (access: "read" | "write", iova: bigint, bytes: Uint8Array) =>
    new Promise<DmaFault | undefined>((resolve) => bus.dma.onDemand(access, iova, bytes, resolve));
  return { iommu, ioas, queue, device, hwpt, transfer, kernel: handles, [Symbol.dispose]: () => iommu[Symbol.dispose]() };
}

/** Let time pass until a transfer has ended. */
async function ended<T>(kernel: { relax(): void }, transfer: Promise<T>): Promise<T> {
  let isOver = false;
  transfer.then(() => isOver = true);
  for (let turn = 0; turn < 100 && !isOver; turn++) {
    kernel.relax();
    for (let microtask = 0; microtask < 4; microtask++) await undefined;
  }
  check(isOver, "the transfer has ended");
  return await transfer;
}

Deno.test("a device waits for a page that is missing, and goes on when it is there", async () => {
  using machine = await askingMachine();
  using world = asking(machine);
  const into = new Uint8Array(8);
  const transfer = world.transfer("read", IOVA + 16n, into);
  const group = await world.queue.wait();
  equal(group?.faults, [{
    device: world.device,
    deviceId: world.device.id,
    label: 7n,
    address: IOVA,
    read: true,
    write: false,
    execute: false,
    privileged: false,
    pasid: undefined,
    group: 0,
  }]);
  const buffer = world.ioas.createDmaBuffer(PAGE, { iova: IOVA });
  buffer.bytes.fill(0x5c);
  equal(group!.respond("success"), true);
  equal(await ended(world.kernel, transfer), undefined);
  equal([...into], new Array(8).fill(0x5c));
  equal(machine.kernel.inspect.faults, []);
});

Deno.test("all pages of a transfer that are missing are one group, and a success without a page asks again", async () => {
  using machine = await askingMachine();
  using world = asking(machine);
  const transfer = world.transfer("write", IOVA + 100n, new Uint8Array(3 * PAGE).fill(9));
  world.ioas.createDmaBuffer(PAGE, { iova: IOVA + 4096n });
  const first = world.queue.take()!;
  equal(first.faults.map(({ address, write }) => [address, write]), [0n, 1n, 2n, 3n].map((page) => [IOVA + 4096n * page, true]));
  equal([world.queue.take(), first.respond("success"), first.respond("success")], [undefined, true, false]);
  const second = (await world.queue.wait())!;
  equal(second.faults.map(({ address }) => address), [0n, 2n, 3n].map((page) => IOVA + 4096n * page));
  for (const page of [0n, 2n, 3n]) world.ioas.createDmaBuffer(PAGE, { iova: IOVA + 4096n * page });
  second.respond("success");
  equal(await ended(world.kernel, transfer), undefined);
});

Deno.test("a page that may not be written is asked for by who writes, and invalid ends the transfer with a fault record", async () => {
  using machine = await askingMachine();
  using world = asking(machine);
  world.ioas.createDmaBuffer(PAGE, { iova: IOVA, write: false });
  const transfer = world.transfer("write", IOVA + 4n, new Uint8Array(4));
  const group = (await world.queue.wait())!;
  equal(group.faults.map(({ read, write }) => [read, write]), [[false, true]]);
  group.respond("invalid");
  equal(await ended(world.kernel, transfer), "not-present");
  equal(machine.kernel.inspect.faults.map(({ iova, label, access }) => [iova, label, access]), [[IOVA + 4n, 7n, "write"]]);
});

Deno.test("detaching, moving and closing the device end its faults", async () => {
  for (const end of ["detach", "move", "close"] as const) {
    using machine = await askingMachine();
    using world = asking(machine);
    const transfers = [world.transfer("read", IOVA, new Uint8Array(4)), world.transfer("read", 2n * IOVA, new Uint8Array(4))];
    const group = world.queue.take()!;
    if (end === "detach") world.device.detach();
    else if (end === "move") world.device.attach(world.ioas);
    else world.device[Symbol.dispose]();
    equal(group.respond("success"), false, end);
    equal(world.queue.take()?.respond("success") ?? false, false, end);
    // Who lets a device go resets it, and a device that was reset waits for nothing.
    if (end !== "close") equal(await ended(world.kernel, Promise.all(transfers)), ["not-present", "not-present"]);
  }
});

Deno.test("a device that was reset wants nothing any more, whatever it is answered", async () => {
  using machine = await askingMachine();
  using world = asking(machine);
  let calls = 0;
  world.transfer("read", IOVA, new Uint8Array(4)).then(() => calls++);
  const group = world.queue.take()!;
  world.device.reset();
  world.device.config.write16(4, 6);
  equal(group.respond("success"), true);
  for (let turn = 0; turn < 10; turn++) {
    world.kernel.relax();
    await undefined;
  }
  equal([calls, world.queue.take()], [0, undefined]);
});

Deno.test("a device has 32 groups without an answer at most, and further transfers wait their turn", async () => {
  using machine = await askingMachine();
  using world = asking(machine);
  const transfers = Array.from({ length: 40 }, (_, index) => world.transfer("read", IOVA * BigInt(index + 1), new Uint8Array(4)));
  const groups: FaultGroup[] = [];
  for (let group = world.queue.take(); group !== undefined; group = world.queue.take()) groups.push(group);
  equal(groups.length, 32);
  for (let seen = 0; seen < 40; seen++) {
    const group = groups[seen] ?? (await world.queue.wait())!;
    equal(group.faults[0]!.address, IOVA * BigInt(seen + 1));
    group.respond("invalid");
  }
  equal(new Set(await ended(world.kernel, Promise.all(transfers))), new Set(["not-present"]));
});

Deno.test("an iteration ends with the queue, and leaving it leaves the queue open", async () => {
  using machine = await askingMachine();
  using world = asking(machine);
  world.transfer("read", IOVA, new Uint8Array(4));
  for await (const group of world.queue) {
    equal(group.faults.length, 1);
    break;
  }
  const rest = (async () => {
    let count = 0;
    for await (const _ of world.queue) count++;
    return count;
  })();
  world.queue[Symbol.dispose]();
  equal(await rest, 0);
  equal([failure(() => world.queue.take()).code, await world.queue.wait()], ["EBADF", undefined]);
});

Deno.test("disposing a queue destroys the page tables that report to it, and an IOAS takes them along", async () => {
  using machine = await askingMachine();
  using world = asking(machine);
  world.queue[Symbol.dispose]();
  equal(world.device.attachedTo, undefined);
  failure(() => world.device.attach(world.hwpt), "ENOENT");
  const next = world.iommu.createFaultQueue();
  world.device.attach(world.ioas.createHwpt(world.device, { faultQueue: next }));
  world.ioas[Symbol.dispose]();
  next[Symbol.dispose]();
});

Deno.test("wrong queues, devices and answers are clear errors", async () => {
  using machine = await askingMachine();
  using world = asking(machine);
  using other = IommuFd.open(machine.kernel);
  const foreign = other.createFaultQueue();
  failure(() => world.ioas.createHwpt(world.device, { faultQueue: foreign }), "ENOENT");
  failure(() => world.ioas.createHwpt(world.device, { faultQueue: world.queue, nestParent: true }), "EOPNOTSUPP");
  using plain = DeviceFd.open(machine.kernel, ADDRESSES[1]);
  failure(() => plain.bind(world.iommu).attach(world.hwpt), "ENODEV");
  world.transfer("read", IOVA, new Uint8Array(4));
  const group = world.queue.take()!;
  equal(nameOf(() => group.respond("maybe" as "success")), "TypeError");
  world.queue[Symbol.dispose]();
  failure(() => group.respond("success"), "EBADF");
});

Deno.test("an answer that the kernel does not take is an error that names the group", async () => {
  using machine = await askingMachine();
  const faulty = faults(machine.kernel, [{ call: "write", nth: 1, errno: "EFAULT" }]);
  using world = asking(machine, faulty);
  world.transfer("read", IOVA, new Uint8Array(4));
  const group = world.queue.take()!;
  const error = failure(() => group.respond("success"), "EFAULT");
  equal([error.operation, error.values], ["write", { queue: world.queue.id, cookie: group.cookie }]);
  equal(group.respond("success"), true);
});
