/**
 * What a machine's data may not be: each mistake is an error that names the path, the value and what is wanted.
 *
 * @module
 */
import { deepStrictEqual, doesNotThrow, strictEqual, throws } from "node:assert/strict";
import { planMachine } from "../../backends/simulated/assembly.ts";
import { InertDevice } from "../../backends/simulated/devices/inert.ts";
import { type Machine, MachineError } from "../../backends/simulated/machine.ts";
import type { DeviceDescription } from "../../backends/simulated/device.ts";
import { device, rootPort } from "./shapes.ts";

/** @param machine data that TypeScript may refuse: programs without types exist. */
function check(machine: unknown, message: string): void {
  throws(() => planMachine(machine as Machine), (error) => {
    strictEqual(error instanceof MachineError, true, String(error));
    strictEqual((error as Error).message, `Cannot build the machine: ${message}`);
    return true;
  });
}

function checkDescription(description: Partial<DeviceDescription>, message: string): void {
  check({ pci: [{ model: new InertDevice(description) }] }, `pci[0].model.description.${message}`);
}

Deno.test("an empty machine has the documented defaults", () => {
  deepStrictEqual(planMachine({ pci: [] }).settings, {
    iommu: {
      kind: "vtd",
      stage: 2,
      nests: false,
      levels: 4,
      scalable: false,
      dirtyTracking: false,
      svnapot: false,
      coherent: true,
      iotlb: { entries: 1024, ways: 4, replacement: "lru", structures: 0 },
      batch: 0,
      costs: { hit: 2, walkRead: 50, invalidation: 1000 },
    },
    msi: "passed",
    memory: 64 * 2 ** 20,
    kernelMemory: 8 * 2 ** 20,
    rules: { singleOpen: true, groupIoas: "requester" },
    limits: { memlock: undefined, openFiles: 1024, rawIo: true },
    sanitizer: undefined,
    seed: 1,
  });
});

Deno.test("settings that cannot be are refused", () => {
  check(null, "machine is null, wanted an object");
  check({}, "pci is undefined, wanted a list of PCI nodes");
  check({ pci: [], iommu: { kind: "smmu" } }, `iommu.kind is "smmu", wanted one of "vtd", "amdvi", "smmuv3", "riscv", "mock", "none"`);
  check({ pci: [], iommu: { kind: "vtd", levels: 3 } }, "iommu.levels is 3, wanted one of 4, 5");
  check({ pci: [], iommu: { kind: "amdvi", levels: 7 } }, "iommu.levels is 7, wanted one of 3, 4, 5, 6");
  check(
    { pci: [], iommu: { kind: "vtd", dirtyTracking: true } },
    "iommu.dirtyTracking is true, wanted false without scalable, which alone has it",
  );
  check({ pci: [], iommu: { kind: "vtd", scalable: true, stage: 1 } }, `iommu.stage is 1, wanted one of "first", "second"`);
  check(
    { pci: [], iommu: { kind: "vtd", stage: "first" } },
    `iommu.stage is "first", wanted "second" without scalable, which alone has it`,
  );
  check({ pci: [], iommu: { kind: "amdvi", pageTable: "v3" } }, `iommu.pageTable is "v3", wanted one of "v1", "v2"`);
  check({ pci: [], iommu: { kind: "amdvi", pageTable: "v2", levels: 6 } }, "iommu.levels is 6, wanted one of 4, 5");
  check({ pci: [], iommu: { kind: "smmuv3", stage: 3 } }, 'iommu.stage is 3, wanted one of 1, 2, "nested"');
  check({ pci: [], iommu: { kind: "smmuv3", stage: 2, pasids: true } }, "iommu.pasids is true, wanted false of stage 2, which has none");
  check(
    { pci: [], iommu: { kind: "smmuv3", stage: 2, dirtyTracking: true } },
    "iommu.dirtyTracking is true, wanted false of stage 2, which has none",
  );
  check({ pci: [], iommu: { kind: "riscv", levels: 2 } }, "iommu.levels is 2, wanted one of 3, 4, 5");
  check({ pci: [], iommu: { kind: "riscv", svnapot: 1 } }, "iommu.svnapot is 1, wanted true or false");
  check(
    { pci: [], iommu: { kind: "riscv", dirtyTracking: true } },
    "iommu.dirtyTracking is true, wanted no such key; known are kind, levels, pasids, svnapot, coherent, iotlb, invalidation, costs",
  );
  check({ pci: [], iommu: { kind: "mock", levels: 3 } }, "iommu.levels is 3, wanted no such key; known are kind");
  check(
    { pci: [device()], iommu: { kind: "mock" } },
    "pci is a list of 1, wanted an empty list: no PCI device is behind a mock IOMMU, TEST_CMD makes its devices",
  );
  check({ pci: [], memory: 2 ** 20 + 1 }, "memory is 1048577, wanted a multiple of 4096 from 1048576 to 2147479552");
  check({ pci: [], memory: "1 GiB" }, `memory is "1 GiB", wanted a multiple of 4096 from 1048576 to 2147479552`);
  check({ pci: [], kernelMemory: 0 }, "kernelMemory is 0, wanted a multiple of 65536 from 1048576 to 536870912");
  check({ pci: [], seed: -1 }, "seed is -1, wanted a whole number from 0 to 9007199254740991");
  check({ pci: [], limits: { memlock: 0.5 } }, "limits.memlock is 0.5, wanted a whole number from 0 to 9007199254740991");
  check({ pci: [], limits: { openFiles: 7 } }, "limits.openFiles is 7, wanted a whole number from 8 to 65536");
  check({ pci: [], rules: { singleOpen: "no" } }, `rules.singleOpen is "no", wanted true or false`);
  check({ pci: [], rules: { groupIoas: "any" } }, `rules.groupIoas is "any", wanted one of "requester", "linux"`);
});

Deno.test("a misspelt key is refused, and not taken for its default", () => {
  check(
    { pci: [], sead: 3 },
    "machine.sead is 3, wanted no such key; known are pci, emulated, iommu, msi, memory, kernelMemory, rules, limits, sanitizer, seed",
  );
  check(
    { pci: [{ ...device(), asc: true }] },
    "pci[0].asc is true, wanted no such key; known are kind, slot, model, driver, acs, reserved, iommu, numaNode",
  );
});

Deno.test("slots that cannot be are refused", () => {
  check({ pci: [device("4" as "04.0")] }, `pci[0].slot is "4", wanted a device (00 to 1f) and a function (0 to 7), as "04.0"`);
  check({ pci: [device("20.0")] }, `pci[0].slot is "20.0", wanted a device (00 to 1f) and a function (0 to 7), as "04.0"`);
  check({ pci: [device("04.0"), device("04.0")] }, `pci[1].slot is "04.0", wanted a free slot: it is taken by pci[0]`);
  check({ pci: [device("04.1")] }, `pci[0].slot is "04.1", wanted a function 0 of the same device beside it`);
  check(
    { pci: [rootPort("01.0", [device("01.0")])] },
    `pci[0].below[0].slot is "01.0", wanted device 00, the only one on a PCI Express link`,
  );
  check(
    { pci: [rootPort("01.0", [device(), device()])] },
    `pci[0].below[1] is "one device more", wanted a free device number on the PCI Express link; give functions of one device slots as "00.1"`,
  );
});

Deno.test("nodes on buses where they cannot be are refused", () => {
  const rootOnly = "device, root-port, pcie-to-pci, pci-to-pci";
  check({ pci: [{ kind: "switch", ports: [] }] }, `pci[0].kind is "switch", wanted on a root bus one of ${rootOnly}`);
  check({ pci: [{ kind: "hub" }] }, `pci[0].kind is "hub", wanted on a root bus one of ${rootOnly}`);
  check(
    { pci: [rootPort("01.0", [rootPort("00.0", [])])] },
    `pci[0].below[0].kind is "root-port", wanted on a PCI Express link one of device, switch, pcie-to-pci`,
  );
  check(
    { pci: [{ kind: "pci-to-pci", below: [{ kind: "pcie-to-pci" }] }] },
    `pci[0].below[0].kind is "pcie-to-pci", wanted on a conventional bus one of device, pci-to-pci`,
  );
  check({ pci: [rootPort("01.0", [{ kind: "switch" } as never])] }, "pci[0].below[0].ports is undefined, wanted a list of PCI nodes");
});

Deno.test("more than 256 buses are refused", () => {
  const ports = (bus: number) => Array.from({ length: 32 }, (_, index) => rootPort(`${index.toString(16).padStart(2, "0")}.${bus}`, []));
  const all = Array.from({ length: 8 }, (_, index) => ports(index)).flat();
  doesNotThrow(() => planMachine({ pci: all.slice(0, 255) }));
  check({ pci: all }, `pci[255] is "one bus more", wanted at most 256 buses`);
});

Deno.test("models and drivers that cannot be are refused", () => {
  check({ pci: [{ model: {} }] }, "pci[0].model is an object, wanted a DeviceModel or a function that makes one");
  check({ pci: [{}] }, "pci[0].model is undefined, wanted a DeviceModel or a function that makes one");
  const model = new InertDevice();
  check({ pci: [{ model }, { model }] }, "pci[1].model is an object, wanted an instance of its own: this one is in another slot too");
  check({ pci: [{ ...device(), driver: "a b" }] }, `pci[0].driver is "a b", wanted the name of a driver, or null`);
  check({ pci: [{ ...device(), numaNode: -2 }] }, "pci[0].numaNode is -2, wanted a whole number from -1 to 1023");
});

Deno.test("descriptions that cannot be are refused", () => {
  checkDescription({ vendor: 0xffff }, "vendor is 65535, wanted a whole number from 0 to 65534");
  checkDescription({ msi: 3 }, "msi is 3, wanted 0 or a power of two of at most 32");
  checkDescription({ interruptPin: 5 }, "interruptPin is 5, wanted a whole number from 0 to 4");
  checkDescription({ bars: [{ index: 0, length: 24 }] }, "bars[0].length is 24, wanted a power of two of 16 or more");
  checkDescription({ bars: [{ index: 5, length: 16, wide: true }] }, "bars[0].index is 5, wanted a whole number from 0 to 4");
  checkDescription(
    { bars: [{ index: 0, length: 16, wide: true }, { index: 1, length: 16 }] },
    "bars[1].index is 1, wanted a free BAR: slot 1 is taken by another",
  );
  const bars = [{ index: 0, length: 4096 }];
  checkDescription(
    { bars, msix: { vectors: 4, bar: 1, table: 0, pending: 2048 } },
    "msix.bar is 1, wanted the index of a BAR of the device",
  );
  checkDescription(
    { bars, msix: { vectors: 4, bar: 0, table: 4, pending: 2048 } },
    "msix.table is 4, wanted a multiple of 8 from 0 to 4032",
  );
  checkDescription(
    { bars, msix: { vectors: 4, bar: 0, table: 0, pending: 56 } },
    "msix.pending is 56, wanted a place outside the table, which is 64 bytes at 0",
  );
});

Deno.test("reserved ranges that cannot be are refused", () => {
  const reserved = (...ranges: unknown[]) => ({ pci: [{ ...device(), reserved: ranges }] });
  const range = { start: 0x1000n, last: 0x1fffn, kind: "direct" };
  check(
    reserved({ ...range, kind: "own" }),
    `pci[0].reserved[0].kind is "own", wanted one of "direct", "direct-relaxable", "reserved", "msi"`,
  );
  check(
    { ...reserved({ ...range, kind: "msi" }), msi: "translated" },
    `pci[0].reserved[0].kind is "msi", wanted another kind: the machine's interrupts are translated`,
  );
  check({ pci: [], msi: "remapped" }, `msi is "remapped", wanted one of "passed", "translated"`);
  check(reserved({ ...range, start: 0x1001n }), "pci[0].reserved[0].start is 0x1001, wanted a bigint, a multiple of 4096 below 2^64");
  check(reserved({ ...range, last: 0xfffn }), "pci[0].reserved[0].last is 0xfff, wanted the inclusive end of a page at or after start");
  check(reserved(range, range), "pci[0].reserved[1] is 0x1000, wanted no overlap with 0x1000");
  check(
    reserved({ start: 0xfee0_0000n, last: 0xfee0_0fffn, kind: "direct" }),
    "pci[0].reserved[0] is 0xfee00000, wanted no overlap with 0xfee00000",
  );
});

Deno.test("BARs that do not fit below 4 GiB are refused", () => {
  const big = () => ({ model: new InertDevice({ bars: [{ index: 0, length: 2 ** 28 }] }) });
  doesNotThrow(() => planMachine({ pci: [big(), big(), big()] }));
  check(
    { pci: [big(), big(), big(), big()] },
    "pci[3].model.description.bars[0].length is 268435456, wanted less: the address window for BARs is full",
  );
});
