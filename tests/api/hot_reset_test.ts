/**
 * Reset of a bus by the typed API, and how a program learns that its device is taken away.
 */
import { simulated } from "../../backends/simulated/mod.ts";
import { DeviceFd, IommuFd, listDevices } from "../../mod.ts";
import { check, equal } from "../check.ts";
import { Puppet } from "../rules/puppet.ts";
import { ADDRESSES, attached, boot, failure, finish } from "./machine.ts";

const BEHIND = ["0000:01:00.0", "0000:01:01.0"] as const;
/** More functions than are asked for at first. */
const MANY = 20;

Deno.test("a device on the root bus has no hot reset, and the error says what to do", async () => {
  using world = await boot();
  using held = attached(world.kernel);
  const error = failure(() => held.device.hotReset(), "ENODEV");
  check(/root bus.*reset\(\)/.test(error.message), error.message);
  failure(() => held.device.hotResetDevices(), "ENODEV");
});

Deno.test("a hot reset reaches every device behind the bridge, and is refused while one is not owned", async () => {
  const puppets = BEHIND.map(() => new Puppet());
  const below = puppets.map((model) => ({ model }));
  const kernel = await simulated({ pci: [{ kind: "pcie-to-pci", slot: "04.0", below }] }, { checks: true });
  {
    using iommu = IommuFd.open(kernel);
    using first = DeviceFd.open(kernel, BEHIND[0]).bind(iommu);
    equal(first.hotResetDevices(), [
      { address: BEHIND[0], id: first.id, isOwned: true },
      { address: BEHIND[1], id: undefined, isOwned: true },
    ]);
    first.hotReset();
    void kernel.unplug(BEHIND[1]);
    equal(first.hotResetDevices().length, 1);
    kernel.plug(BEHIND[1]);
    first.hotReset();
  }
  finish(kernel);
});

Deno.test("a list of any length is read whole; devices of another iommufd and of the kernel's drivers keep the bus from being reset", async () => {
  const below = Array.from({ length: MANY }, (_, device) => ({
    slot: `${device.toString(16).padStart(2, "0")}.0` as const,
    model: () => new Puppet(),
    driver: device === MANY - 1 ? null : "vfio-pci",
  }));
  const kernel = await simulated({ pci: [{ kind: "pcie-to-pci", slot: "04.0", below }] }, { checks: true });
  {
    using iommu = IommuFd.open(kernel);
    using first = DeviceFd.open(kernel, BEHIND[0]).bind(iommu);
    const devices = first.hotResetDevices();
    equal(devices.length, MANY);
    equal(devices.at(-1), { address: "0000:01:13.0", id: undefined, isOwned: false });
    const error = failure(() => first.hotReset(), "EINVAL");
    check(error.message.includes("hotResetDevices()"), error.message);
    void kernel.unplug("0000:01:13.0");
    first.hotReset();
  }
  finish(kernel);
});

Deno.test("a program that closes its device when it is asked lets it go", async () => {
  using world = await boot();
  using held = attached(world.kernel);
  const requests = held.device.irq("request");
  requests.enable(1);
  const gone = world.kernel.unplug(ADDRESSES[0]);
  const asked: bigint[] = [];
  for await (const count of requests) {
    asked.push(count);
    check(failure(() => held.device.reset(), "EAGAIN").message.includes("takes the device away"), "the reason");
    held.device[Symbol.dispose]();
  }
  await gone;
  equal(asked, [1n]);
  equal(listDevices(world.kernel).map(({ address }) => address), [ADDRESSES[1]]);
  world.kernel.plug(ADDRESSES[0]);
  equal(listDevices(world.kernel).map(({ address }) => address), [...ADDRESSES]);
  using again = DeviceFd.open(world.kernel, ADDRESSES[0]);
  check(again.bind(held.iommu).info.canReset, "it works again");
});
