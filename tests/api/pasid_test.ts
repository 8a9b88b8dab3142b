/**
 * PASIDs by the typed API: several address spaces a device, what goes with what, and what errors say.
 */
import { type Machine } from "../../backends/simulated/mod.ts";
import { DeviceFd, IommuFd } from "../../mod.ts";
import { check, equal, thrown } from "../check.ts";
import { Puppet } from "../rules/puppet.ts";
import { ADDRESSES, boot } from "./machine.ts";

const SCALABLE: Partial<Machine> = { iommu: { kind: "vtd", scalable: true } };
const FIRST_STAGE: Partial<Machine> = { iommu: { kind: "vtd", scalable: true, stage: "first" } };
const SUBSTREAMS: Partial<Machine> = { iommu: { kind: "smmuv3", pasids: true } };
const PROCESSES: Partial<Machine> = { iommu: { kind: "riscv", pasids: true } };

/** A machine whose first device has PASIDs of 8 bits, and that device bound. */
async function ready(options: Partial<Machine> = SCALABLE) {
  const puppet = new Puppet({ pasid: { bits: 8, execute: true } });
  const machine = await boot({ pci: [{ slot: "03.0", model: puppet }, { slot: "04.0", model: new Puppet() }], ...options });
  const iommu = IommuFd.open(machine.kernel);
  const fd = DeviceFd.open(machine.kernel, ADDRESSES[0]);
  const device = fd.bind(iommu);
  return { machine, puppet, iommu, fd, device };
}

type Ready = Awaited<ReturnType<typeof ready>>;

function finish({ fd, iommu, machine }: Ready): void {
  fd[Symbol.dispose]();
  iommu[Symbol.dispose]();
  machine[Symbol.dispose]();
}

/** An address space with a page at 0x1000 that says who it is, and a page table of it that takes PASIDs. */
function space({ iommu, device }: Ready, tag: number) {
  const ioas = iommu.createIoas();
  ioas.createDmaBuffer(4096, { iova: 0x1000n }).bytes.fill(tag);
  return { ioas, hwpt: ioas.createHwpt(device, { pasid: true }) };
}

/** What the device reads at 0x1000 with a PASID: the tag, or why not. */
function look({ puppet }: Ready, pasid?: number): number | string {
  const bytes = new Uint8Array(1);
  return puppet.bus.dma.read(0x1000n, bytes, pasid) ?? bytes[0]!;
}

for (const options of [SCALABLE, FIRST_STAGE, SUBSTREAMS, PROCESSES]) {
  Deno.test(`${JSON.stringify(options.iommu)}: a device works in several address spaces at once`, async () => {
    const world = await ready(options);
    const { device, machine } = world;
    device.config.write16(4, 6);
    equal([device.hwInfo().maxPasidLog2, device.hwInfo().pasidExecute, device.hwInfo().pasidPrivileged], [8, true, false]);
    const [one, two] = [space(world, 1), space(world, 2)];
    equal(device.attach(one.hwpt, { pasid: 1 }), one.hwpt.id);
    device.attach(two.hwpt, { pasid: 255 });
    equal([look(world, 1), look(world, 255), look(world), look(world, 2)], [1, 2, "blocked", "blocked"]);
    equal(machine.kernel.inspect.faults.map(({ pasid }) => pasid), [undefined, 2]);
    equal([...device.attachments], [[1, one.hwpt], [255, two.hwpt]]);
    device.attach(two.hwpt);
    device.attach(two.hwpt, { pasid: 1 });
    equal([look(world, 1), look(world), device.attachedTo], [2, 2, two.hwpt]);
    device.detach();
    device.detach({ pasid: 255 });
    device.detach({ pasid: 255 });
    equal([look(world, 1), look(world, 255), look(world)], [2, "blocked", "blocked"]);
    // Disposing what a PASID is attached to detaches that.
    two.ioas[Symbol.dispose]();
    equal([look(world, 1), device.attachments.size], ["blocked", 0]);
    finish(world);
  });
}

Deno.test("closing the device_fd detaches every PASID", async () => {
  const world = await ready();
  const { device, fd } = world;
  const { hwpt } = space(world, 1);
  device.attach(hwpt, { pasid: 3 });
  fd[Symbol.dispose]();
  equal([look(world, 3), device.attachments.size], ["bus-master-off", 0]);
  hwpt[Symbol.dispose]();
  finish(world);
});

Deno.test("errors say which of two things does not go with PASIDs", async () => {
  const world = await ready();
  const { device } = world;
  const { ioas, hwpt } = space(world, 1);
  const plain = ioas.createHwpt(device);
  const says = (run: () => unknown, ...parts: string[]) => {
    const { message } = thrown(run) as Error;
    for (const part of parts) check(message.includes(part), `${message} does not say ${part}`);
  };
  says(() => device.attach(ioas, { pasid: 1 }), "with PASID 1 to IOAS", "EINVAL", "{ pasid: true }");
  says(() => device.attach(plain, { pasid: 1 }), "The target takes no PASIDs");
  device.attach(plain);
  says(() => device.attach(hwpt, { pasid: 1 }), "The device itself is attached to what takes no PASIDs");
  device.attach(hwpt);
  says(() => device.attach(hwpt, { pasid: 256 }), "PASIDs up to 255");
  device.attach(hwpt, { pasid: 1 });
  says(() => device.attach(ioas), "PASID 1 of the device is attached");
  says(() => hwpt.ioas.iommu.destroy(hwpt.id), "EBUSY", "the attached device");
  equal([look(world, 1), [...device.attachments.keys()]], ["bus-master-off", [undefined, 1]]);
  finish(world);
});

Deno.test("a PASID that cannot be is refused before any request", async () => {
  const world = await ready();
  const { device } = world;
  const { hwpt } = space(world, 1);
  for (const pasid of [0, -1, 0.5, NaN, 2 ** 20]) {
    check(thrown(() => device.attach(hwpt, { pasid })) instanceof RangeError, String(pasid));
    check(thrown(() => device.detach({ pasid })) instanceof RangeError, String(pasid));
  }
  finish(world);
});

Deno.test("without scalable mode a device has no PASIDs", async () => {
  const world = await ready({});
  const { device } = world;
  const { hwpt } = space(world, 1);
  device.config.write16(4, 6);
  equal(device.hwInfo().maxPasidLog2, 0);
  device.attach(hwpt, { pasid: 1 });
  equal(look(world, 1), "blocked");
  finish(world);
});
