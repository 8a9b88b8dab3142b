/**
 * Devices without an IOMMU as the machine's data has them: what it refuses, what /sys and /dev show, and what the devices reach.
 */
import { deepStrictEqual, match, ok, strictEqual, throws } from "node:assert/strict";
import { EduDevice, InertDevice, type Machine, simulated } from "../../backends/simulated/mod.ts";
import { planMachine } from "../../backends/simulated/assembly.ts";
import { DeviceFd, IommuError, IommuFd, listDevices } from "../../mod.ts";
import { Puppet } from "../rules/puppet.ts";

const MIB = 2 ** 20;
const SMALL = { memory: 4 * MIB, kernelMemory: 2 * MIB };
const ADDRESS = "0000:00:04.0";
const ASKED = { unsafeNoIommu: true };
const PARAMETER = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode";
const COMMAND = 0x04;
const MASTER = 0x6;

const bare = { slot: "04.0", iommu: "none" } as const;

function refusal(machine: unknown, message: string): void {
  throws(() => planMachine(machine as Machine), (error) => {
    strictEqual((error as Error).message, `Cannot build the machine: ${message}`);
    return true;
  });
}

/** A device without an IOMMU, bound, with a page that it may know the address of. */
async function driven(options: Partial<Machine> = {}) {
  const puppet = new Puppet();
  const kernel = await simulated({
    ...SMALL,
    pci: [{ ...bare, model: puppet }, { slot: "05.0", model: () => new InertDevice() }],
    ...options,
  }, { checks: true });
  const iommu = IommuFd.open(kernel);
  const ioas = iommu.createIoas();
  const device = DeviceFd.open(kernel, ADDRESS, ASKED).bind(iommu, { label: 0xbadn });
  device.attach(ioas);
  device.config.write16(COMMAND, MASTER);
  const buffer = ioas.createDmaBuffer(4096);
  return { puppet, kernel, iommu, ioas, device, buffer, pa: ioas.physicalRange(buffer.iova, 4096).address };
}

Deno.test("what makes no sense without an IOMMU is refused", () => {
  const model = () => new EduDevice();
  refusal({ pci: [{ ...bare, model, iommu: "vtd" }] }, 'pci[0].iommu is "vtd", wanted one of "none"');
  refusal(
    { pci: [{ ...bare, model, reserved: [{ start: 0x1000n, last: 0x1fffn, kind: "reserved" }] }] },
    "pci[0].reserved is a list of 1, wanted nothing: no address is kept from it",
  );
  refusal(
    { pci: [{ ...bare, model: () => new EduDevice({ pageRequests: true }) }] },
    "pci[0].model.description.pageRequests is true, wanted false: no IOMMU answers them",
  );
  refusal(
    { pci: [{ kind: "pci-to-pci", slot: "03.0", below: [{ ...bare, model }] }] },
    'pci[0].below[0].iommu is "none", wanted that of 0000:00:03.0, with whose requester ID its transfers come',
  );
  refusal({ pci: [], iommu: { kind: "none", levels: 4 } }, "iommu.levels is 4, wanted no such key; known are kind");
  refusal(
    { pci: [], iommu: { kind: "none" }, msi: "translated" },
    'msi is "translated", wanted "passed": there is no IOMMU to translate them',
  );
  refusal({ pci: [], limits: { rawIo: 1 } }, "limits.rawIo is 1, wanted true or false");
  planMachine({ pci: [{ kind: "root-port", below: [{ model, iommu: "none" }] }] });
  planMachine({ pci: [{ kind: "pci-to-pci", below: [{ model }] }], iommu: { kind: "none" } });
});

Deno.test("such a device is in no group and joins none, and its node says what it is", async () => {
  const model = () => new InertDevice();
  const functions = [{ slot: "04.0", model }, { slot: "04.1", model, iommu: "none" }, { slot: "04.2", model }] as const;
  using kernel = await simulated({ ...SMALL, pci: functions });
  deepStrictEqual(kernel.inspect.groups.map(({ address, group }) => [address, group]), [[ADDRESS, 0], ["0000:00:04.2", 0]]);
  deepStrictEqual(kernel.list("/dev/vfio/devices"), ["noiommu-vfio2", "vfio0", "vfio1"]);
  deepStrictEqual(kernel.list("/sys/kernel/iommu_groups"), ["0"]);
  ok(Number(kernel.readlink("/sys/bus/pci/devices/0000:00:04.1/iommu_group")) < 0);
  match(
    new TextDecoder().decode(kernel.readFile("/sys/class/vfio-dev/noiommu-vfio2/uevent") as Uint8Array),
    /DEVNAME=vfio\/devices\/noiommu-vfio2/,
  );
  strictEqual(new TextDecoder().decode(kernel.readFile(PARAMETER) as Uint8Array), "Y\n");
  deepStrictEqual(listDevices(kernel).map(({ noIommu, group }) => [noIommu, group]), [[false, 0], [true, undefined], [false, 0]]);
  // One name is one device: the number alone is none.
  for (const path of ["vfio2", "noiommu-vfio0", "noiommu-vfio02"]) ok(kernel.open(`/dev/vfio/devices/${path}`, 0) < 0, path);
});

Deno.test("a machine may have no IOMMU at all: every device is so, whatever is above it, and iommufd is there", async () => {
  const model = () => new InertDevice();
  const pci = [{ kind: "pcie-to-pci", slot: "03.0", below: [{ model }, { model }] }, { slot: "04.0", model }] as const;
  using kernel = await simulated({ ...SMALL, iommu: { kind: "none" }, pci });
  const devices = listDevices(kernel);
  deepStrictEqual(devices.map(({ noIommu }) => noIommu), [false, true, true, true], "bridges are driven by nobody");
  deepStrictEqual(devices.map(({ group, iommu }) => group ?? iommu), [undefined, undefined, undefined, undefined]);
  deepStrictEqual([kernel.inspect.groups, kernel.list("/sys/class/iommu"), kernel.list("/sys/kernel/iommu_groups")], [[], [], []]);
  using iommu = IommuFd.open(kernel);
  using ioas = iommu.createIoas();
  const bound = devices.filter(({ noIommu }) => noIommu).map(({ address }) => DeviceFd.open(kernel, address, ASKED).bind(iommu));
  for (const device of bound) device.attach(ioas);
  strictEqual(ioas.ranges.ranges.length, 1);
  for (const device of bound) device[Symbol.dispose]();
});

Deno.test("without the right no program opens one, and the error says which right", async () => {
  using kernel = await simulated({ ...SMALL, limits: { rawIo: false }, pci: [{ ...bare, model: () => new EduDevice() }] });
  using iommu = IommuFd.open(kernel);
  throws(() => DeviceFd.open(kernel, ADDRESS, ASKED), (error) => {
    match((error as IommuError).advice!, /takes CAP_SYS_RAWIO to open it/);
    return error instanceof IommuError && error.code === "EPERM";
  });
  throws(() => iommu.createIoas().physicalRange(0n, 1), (error) => error instanceof IommuError && error.code === "EPERM");
});

Deno.test("without the caller's word none is opened or taken over, and the error says what it would mean", async () => {
  using kernel = await simulated({ ...SMALL, pci: [{ ...bare, model: () => new EduDevice() }] });
  const says = (error: unknown) => {
    match((error as IommuError).advice!, /reads and writes all of the machine's memory.*unsafeNoIommu/);
    return error instanceof IommuError && error.code === "EPERM";
  };
  throws(() => DeviceFd.open(kernel, ADDRESS), says);
  const node = "/dev/vfio/devices/noiommu-vfio0";
  const fd = kernel.open(node, 0);
  throws(() => DeviceFd.adopt(kernel, fd, { device: node }), says);
  using device = DeviceFd.adopt(kernel, fd, { device: node, ...ASKED });
  deepStrictEqual([device.noIommu, device.fd], [true, fd], "the fd stayed open");
});

Deno.test("it reaches memory by its address, whatever is mapped, and faults name it by its label", async () => {
  const { puppet, kernel, iommu, ioas, device, buffer, pa } = await driven();
  strictEqual(puppet.bus.dma.write(pa, Uint8Array.of(1, 2, 3)), undefined);
  deepStrictEqual(buffer.bytes.slice(0, 3), Uint8Array.of(1, 2, 3));
  strictEqual(puppet.bus.dma.write(buffer.iova, Uint8Array.of(9)), "not-present", "an IOVA is no address of memory");
  strictEqual(puppet.bus.dma.read(pa, new Uint8Array(4), 1), "blocked", "there is nobody to tell PASIDs apart");
  device.detach();
  strictEqual(puppet.bus.dma.write(pa, Uint8Array.of(7)), undefined, "rule 6 does not hold");
  strictEqual(buffer.bytes[0], 7);
  // What the hardware would do to the kernel ends here.
  const top = pa - pa % BigInt(SMALL.memory) + BigInt(SMALL.memory);
  let refused: string | undefined;
  for (let at = top; refused !== "kernel-memory" && at > pa; at -= 4096n) refused = puppet.bus.dma.write(at, Uint8Array.of(1));
  strictEqual(refused, "kernel-memory");
  ok(kernel.inspect.faults.every(({ label, address }) => label === 0xbadn && address === ADDRESS));
  device.config.write16(COMMAND, 0);
  strictEqual(puppet.bus.dma.write(pa, Uint8Array.of(8)), "bus-master-off", "the one bit that stops it");
  buffer[Symbol.dispose]();
  device[Symbol.dispose]();
  ioas[Symbol.dispose]();
  iommu[Symbol.dispose]();
  deepStrictEqual(kernel.inspect.check(), []);
});

Deno.test("a sanitizer has nothing to say of addresses that are none of an IOAS", async () => {
  const { puppet, kernel, buffer, device, iommu, pa } = await driven({ sanitizer: {} });
  strictEqual(puppet.bus.dma.write(pa, Uint8Array.of(1)), undefined);
  strictEqual(puppet.bus.dma.write(buffer.iova, Uint8Array.of(1)), "not-present");
  kernel.sanitizer!.assertClean();
  device[Symbol.dispose]();
  iommu[Symbol.dispose]();
});

Deno.test("one leaves and comes back as others do", async () => {
  using kernel = await simulated({ ...SMALL, pci: [{ ...bare, model: () => new EduDevice() }] });
  await kernel.unplug(ADDRESS);
  deepStrictEqual(kernel.list("/dev/vfio"), -2);
  kernel.plug(ADDRESS);
  using device = DeviceFd.open(kernel, ADDRESS, ASKED);
  strictEqual(device.node, "/dev/vfio/devices/noiommu-vfio0");
  deepStrictEqual(kernel.inspect.groups, []);
});
