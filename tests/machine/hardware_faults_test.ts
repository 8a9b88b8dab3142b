/**
 * What the IOMMU itself writes of a refusal, as the fault log tells it: each kind's code and record, by the bytes of its specification.
 *
 * @module
 */
import type { Machine } from "../../backends/simulated/mod.ts";
import { DeviceFd, IommuFd, simulated } from "../../mod.ts";
import { equal } from "../check.ts";
import { Puppet } from "../rules/puppet.ts";

const PAGE = 0x5000n;
/** The requester ID of 00:03.0. */
const REQUESTER = 0x18n;

/** What the log says of a write to {@linkcode PAGE}, where a device has nothing mapped, attached or blocked. */
async function refusedWrite(iommu: NonNullable<Machine["iommu"]>, isAttached = true) {
  const puppet = new Puppet();
  const kernel = await simulated({ pci: [{ slot: "03.0", model: puppet }], iommu });
  const file = IommuFd.open(kernel);
  const device = DeviceFd.open(kernel, "0000:00:03.0").bind(file);
  device.config.write16(4, 6);
  if (isAttached) device.attach(file.createIoas());
  puppet.bus.dma.write(PAGE + 8n, new Uint8Array(4));
  const [fault] = kernel.inspect.faults;
  device[Symbol.dispose]();
  file[Symbol.dispose]();
  kernel[Symbol.dispose]();
  return fault!;
}

Deno.test("VT-d: the fault reason, and a fault recording register", async () => {
  const { hardware } = await refusedWrite({ kind: "vtd" });
  // Reason 5: a write without permission. F is bit 127, the reason is in bits 103:96.
  equal(hardware, { code: 5, record: [PAGE, 1n << 63n | 5n << 32n | REQUESTER] });
});

Deno.test("VT-d's first stage: its own reason, and a fault recording register", async () => {
  const { reason, hardware } = await refusedWrite({ kind: "vtd", scalable: true, stage: "first" });
  // SFS.2: an entry of the first stage is not present.
  equal([reason, hardware], ["not-present", { code: 0x71, record: [PAGE, 1n << 63n | 0x71n << 32n | REQUESTER] }]);
});

Deno.test("AMD-Vi: a write of a device that is blocked is one in the code too", async () => {
  const { reason, hardware } = await refusedWrite({ kind: "amdvi" }, false);
  // IO_PAGE_FAULT with RW and PE; no domain.
  equal([reason, hardware], ["blocked", { code: 0x2060, record: [0x2060n << 48n | REQUESTER, PAGE + 8n] }]);
});

Deno.test("AMD v2: an event of guest translation, which has a PASID in the place of a domain", async () => {
  const { reason, hardware } = await refusedWrite({ kind: "amdvi", pageTable: "v2" });
  // IO_PAGE_FAULT with RW and GN.
  equal([reason, hardware], ["not-present", { code: 0x2021, record: [0x2021n << 48n | REQUESTER, PAGE + 8n] }]);
});

Deno.test("AMD-Vi: event code and flags, and an event", async () => {
  const { hardware } = await refusedWrite({ kind: "amdvi" });
  // IO_PAGE_FAULT, of a write (RW, bit 53); bits 47:32 are the domain.
  equal([hardware?.code, hardware?.record.length, hardware?.record[1]], [0x2020, 2, PAGE + 8n]);
  equal(hardware!.record[0]! & ~(0xffffn << 32n), 0x2020n << 48n | REQUESTER);
});

Deno.test("SMMUv3: the event number, and an event of four words", async () => {
  const { hardware } = await refusedWrite({ kind: "smmuv3" });
  // F_TRANSLATION; the StreamID is in bits 63:32.
  equal([hardware?.code, hardware?.record.length, hardware?.record[2]], [0x10, 4, PAGE + 8n]);
  equal(hardware!.record[0], REQUESTER << 32n | 0x10n);
});

Deno.test("RISC-V: the cause, and a record of four words", async () => {
  const { hardware } = await refusedWrite({ kind: "riscv" });
  // A page fault of a write; TTYP 3: an untranslated write; the device is in bits 63:40.
  equal(hardware, { code: 15, record: [REQUESTER << 40n | 3n << 34n | 15n, 0n, PAGE + 8n, 0n] });
});

Deno.test("what no IOMMU refused has no record of hardware", async () => {
  const puppet = new Puppet();
  using kernel = await simulated({ pci: [{ slot: "03.0", model: puppet, iommu: "none" }] });
  using file = IommuFd.open(kernel);
  using fd = DeviceFd.open(kernel, "0000:00:03.0", { unsafeNoIommu: true });
  using device = fd.bind(file);
  device.config.write16(4, 6);
  const reason = puppet.bus.dma.write(1n << 50n, new Uint8Array(4));
  equal(kernel.inspect.faults.map((fault) => [fault.reason, fault.hardware]), [[reason, undefined]]);
});
