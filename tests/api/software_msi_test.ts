/**
 * Interrupts that the IOMMU translates, as on Arm: a device has them while it is attached, wherever it is.
 */
import { exercise } from "../../examples/edu/main.ts";
import { DeviceFd, EduDevice, IommuFd, simulated } from "../../mod.ts";
import { check, equal } from "../check.ts";
import { ADDRESSES, attached, boot, failure } from "./machine.ts";

const TRANSLATED = { msi: "translated" } as const;
/** Where messages are written to: GITS_TRANSLATER in the first page of the range. */
const MESSAGE = 0x800_0040n;

for (const kind of ["vtd", "amdvi", "smmuv3", "riscv"] as const) {
  Deno.test(`${kind}: messages follow the device to every page table, and are lost where it has none`, async () => {
    using machine = await boot({ ...TRANSLATED, iommu: { kind } });
    const { kernel, puppets: [, puppet] } = machine;
    using world = attached(kernel, ADDRESSES[1]);
    const { iommu, device } = world;
    using irq = device.irq("msix");
    irq.enable(2);
    const vector = irq.vector(1);
    const arrives = () => {
      puppet.bus.raise(1);
      return vector.take() === 1n;
    };
    check(arrives(), "through the first page table");
    using other = iommu.createIoas();
    using table = other.createHwpt(device);
    device.attach(other);
    check(arrives(), "through that of another IOAS");
    device.attach(table);
    check(arrives(), "through one of the program's own");
    device.detach();
    check(!arrives(), "nowhere");
    const { address, access, iova, length, reason } = kernel.inspect.faults.at(-1)!;
    equal([address, access, iova, length, reason], [ADDRESSES[1], "write", MESSAGE, 4, "blocked"]);
    device.attach(other);
    check(arrives(), "again");
  });
}

Deno.test("messages cannot be enabled before the device is attached, and the error says so", async () => {
  using machine = await boot(TRANSLATED);
  using iommu = IommuFd.open(machine.kernel);
  using device = DeviceFd.open(machine.kernel, ADDRESSES[1]).bind(iommu);
  for (const kind of ["msi", "msix"] as const) {
    using irq = device.irq(kind);
    const error = failure(() => irq.enable(1));
    equal(error.code, "ENOSPC");
    check(/attach the device first/.test(error.message), error.message);
  }
  // A pin is no message.
  using pin = device.irq("intx");
  pin.enable(1);
});

Deno.test("the range of messages is the kernel's", async () => {
  using machine = await boot(TRANSLATED);
  using world = attached(machine.kernel, ADDRESSES[1]);
  const { ioas, device } = world;
  const ranges = ioas.ranges.ranges.map(({ start, last }) => [start, last]);
  equal(ranges, [[0n, 0x7ff_ffffn], [0x810_0000n, 2n ** 48n - 1n]]);
  using buffer = ioas.createDmaBuffer(4096);
  failure(() => ioas.map({ address: buffer.address, length: 4096 }, { iova: 0x800_0000n }), "EINVAL");
  const text = new TextDecoder().decode(
    machine.kernel.readFile(`/sys/bus/pci/devices/${device.address}/iommu_group/reserved_regions`) as Uint8Array,
  );
  equal(text, "0x0000000008000000 0x00000000080fffff msi\n");
});

Deno.test("the edu example runs unchanged where interrupts are translated", async () => {
  using kernel = await simulated({ ...TRANSLATED, pci: [{ slot: "04.0", model: () => new EduDevice() }] });
  const { factorial, dma } = await exercise(kernel, "0000:00:04.0", 10);
  equal([factorial.result, dma.intact, kernel.inspect.faults], [3_628_800, true, []]);
});
