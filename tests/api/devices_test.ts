/**
 * What /sys tells of devices, and why a device cannot be opened.
 */
import { FileTree, simulated } from "../../backends/simulated/mod.ts";
import { DeviceFd, type IommuError, type Kernel, listDevices, UnsupportedKernel } from "../../mod.ts";
import { check, equal } from "../check.ts";
import { Puppet } from "../rules/puppet.ts";
import { boot, failure, finish, nameOf } from "./machine.ts";

Deno.test("listDevices tells what /sys does, bridges included, by address", async () => {
  const puppet = (description = {}) => () => new Puppet(description);
  const kernel = await simulated({
    pci: [
      { slot: "05.0", model: puppet({ revision: 3, subsystemVendor: 0x1af4, subsystem: 0x1100 }), numaNode: 1 },
      { slot: "03.0", model: puppet(), driver: "e1000e" },
      { slot: "04.0", model: puppet(), driver: null },
      { kind: "root-port", slot: "06.0", below: [{ model: puppet() }] },
      { slot: "07.0", model: puppet(), reserved: [{ start: 0x1000n, last: 0x1fffn, kind: "direct" }] },
    ],
  }, { checks: true });
  const devices = listDevices(kernel);
  const addresses = ["0000:00:03.0", "0000:00:04.0", "0000:00:05.0", "0000:00:06.0", "0000:00:07.0", "0000:01:00.0"];
  equal(devices.map(({ address }) => address), addresses);
  equal(devices.map(({ driver }) => driver), ["e1000e", undefined, "vfio-pci", "pcieport", "vfio-pci", "vfio-pci"]);
  equal(devices.map(({ node }) => node !== undefined), [false, false, true, false, true, true]);
  const { vendor, device, classCode, revision, subsystemVendor, subsystem, numaNode } = devices[2]!;
  equal([vendor, device, classCode, revision], [0x1234, 0x0b57, 0xff0000, 3]);
  equal([subsystemVendor, subsystem, numaNode, devices[4]!.numaNode], [0x1af4, 0x1100, 1, undefined]);
  equal(devices.map(({ iommu }) => iommu), addresses.map(() => "dmar0"));
  const groups = new Map(kernel.inspect.groups.map(({ address, group }) => [address, group]));
  for (const { address, group } of devices) equal(group, groups.get(address), address);
  const msi = { start: 0xfee0_0000n, last: 0xfeef_ffffn, kind: "msi" };
  equal([devices[2]!.reserved, devices[4]!.reserved], [[msi], [{ start: 0x1000n, last: 0x1fffn, kind: "direct" }, msi]]);
  for (const { node } of devices) if (node !== undefined) DeviceFd.open(kernel, node)[Symbol.dispose]();
  finish(kernel);
});

Deno.test("a device is opened by its address, in full or without the domain, or by its node", async () => {
  using machine = await boot();
  const { node } = listDevices(machine.kernel)[0]!;
  for (const name of ["0000:00:03.0", "00:03.0", "0000:00:03.0".toUpperCase()]) {
    using device = DeviceFd.open(machine.kernel, name);
    equal([device.address, device.node], ["0000:00:03.0", node]);
  }
  using device = DeviceFd.open(machine.kernel, node!);
  equal([device.address, device.node, device.isOpen, device.fd >= 0], [undefined, node, true, true]);
  equal(failure(() => DeviceFd.open(machine.kernel, node!), "EBUSY").values, { path: node });
});

Deno.test("what is neither an address nor a path is a TypeError", async () => {
  using machine = await boot();
  for (const name of ["", "eth0", "3", "00:03", "00:03.8", "00:20.0", "0000:00:03.0 ", "000:00:03.0", "0000:00:03.0/.."]) {
    equal(nameOf(() => DeviceFd.open(machine.kernel, name)), "TypeError", name);
  }
});

Deno.test("a device that no program can open says why, and what to do", async () => {
  const kernel = await simulated({
    pci: [
      { slot: "03.0", model: () => new Puppet(), driver: "e1000e" },
      { slot: "04.0", model: () => new Puppet(), driver: null },
    ],
  }, { checks: true });
  const why = (name: string): IommuError => failure(() => DeviceFd.open(kernel, name), "ENODEV");
  equal(why("00:03.0").values, { device: "0000:00:03.0" });
  equal(
    why("00:03.0").advice,
    "The driver e1000e has it. Give it to vfio-pci: echo 0000:00:03.0 > /sys/bus/pci/devices/0000:00:03.0/driver/unbind; " +
      "echo vfio-pci > /sys/bus/pci/devices/0000:00:03.0/driver_override; echo 0000:00:03.0 > /sys/bus/pci/drivers_probe",
  );
  check(why("00:04.0").advice.startsWith("No driver has it. Give it to vfio-pci: echo vfio-pci > "), why("00:04.0").advice);
  check(why("00:05.0").advice.includes("listDevices() tells which it has"), why("00:05.0").advice);
  check(why("ffff:00:05.0").message.startsWith("Cannot open ffff:00:05.0: ENODEV ("), why("ffff:00:05.0").message);
  equal(failure(() => DeviceFd.open(kernel, "/dev/vfio/devices/vfio9"), "ENOENT").advice.includes("vfio-pci"), true);
  finish(kernel);
});

/** A kernel that has a /sys alone. */
class Files extends UnsupportedKernel {
  override readonly name = "files";
  readonly tree = new FileTree();

  override list(path: string): string[] | number {
    return this.tree.list(path);
  }

  override readlink(path: string): string | number {
    return this.tree.readlink(path);
  }

  override readFile(path: string): Uint8Array | number {
    return this.tree.readFile(path);
  }
}

const HOME = "/sys/bus/pci/devices/0000:00:03.0";

Deno.test("without an IOMMU, or with an old kernel, the advice names that", () => {
  const kernel = new Files();
  kernel.tree.file(`${HOME}/vendor`, "0x1234\n");
  const advice = (kernel: Kernel) => failure(() => DeviceFd.open(kernel, "00:03.0"), "ENODEV").advice;
  check(advice(kernel).startsWith("The device has no IOMMU group: switch the IOMMU on"), advice(kernel));
  kernel.tree.link(`${HOME}/iommu_group`, "/sys/kernel/iommu_groups/4");
  kernel.tree.link(`${HOME}/driver`, "/sys/bus/pci/drivers/vfio-pci");
  check(advice(kernel).includes("needs Linux 6.6 or later with CONFIG_VFIO_DEVICE_CDEV"), advice(kernel));
  check(advice(new UnsupportedKernel()).includes("no PCI device at this address"), advice(new UnsupportedKernel()));
});

Deno.test("a /sys that tells little is no error: what it does not tell is unknown", () => {
  const kernel = new Files();
  equal([listDevices(kernel), listDevices(new UnsupportedKernel())], [[], []]);
  kernel.tree.file(`${HOME}/vendor`, "0x1234\n");
  kernel.tree.file(`${HOME}/numa_node`, "-1\n");
  const [device] = listDevices(kernel);
  equal([device!.vendor, device!.device, device!.numaNode, device!.iommu], [0x1234, 0, undefined, undefined]);
  equal([device!.driver, device!.group, device!.node, device!.reserved], [undefined, undefined, undefined, []]);
});
