/**
 * The machine with AMD-Vi and v2 page tables: what Linux's driver allows there, and what it says of itself.
 *
 * @module
 */
import type { Machine } from "../../backends/simulated/mod.ts";
import { type Hwpt } from "../../mod.ts";
import { equal } from "../check.ts";
import { codeOf } from "../rules/world.ts";
import { ADDRESS, bound } from "./behind.ts";

const PAGE = 4096;
type AmdVi = Extract<NonNullable<Machine["iommu"]>, { kind: "amdvi" }>;

/** A device of PASIDs of so many bits behind it. */
const ready = (iommu: Omit<AmdVi, "kind">, bits = 8) => bound({ kind: "amdvi", ...iommu }, { pasid: { bits, execute: true } });

const V2 = { pageTable: "v2", dirtyTracking: true } as const;

for (const settings of [{}, { levels: 6, dirtyTracking: true }, V2, { ...V2, levels: 5 }] as const) {
  Deno.test(`with ${JSON.stringify(settings)} the features in /sys are those of GET_HW_INFO`, async () => {
    using world = await ready(settings);
    const bytes = world.kernel.readFile("/sys/class/iommu/ivhd0/amd-iommu/features") as Uint8Array;
    const { data } = world.device.hwInfo();
    const efr = new DataView(data.buffer, data.byteOffset).getBigUint64(0, true);
    equal(BigInt(`0x${new TextDecoder().decode(bytes).trim()}`), efr);
    // GTSup and GIOSup.
    equal([efr >> 4n & 1n, efr >> 48n & 1n], "pageTable" in settings ? [1n, 1n] : [0n, 0n]);
  });
}

Deno.test("page tables are of v2 unless they track writes, which those with PASIDs cannot", async () => {
  using world = await ready(V2);
  const { device, iommu, kernel, read } = world;
  using ioas = iommu.createIoas();
  ioas.createDmaBuffer(PAGE, { iova: 0x1000n });
  const formats = [{}, { pasid: true }, { dirtyTracking: true }, {}].map((options) => {
    using hwpt: Hwpt = ioas.createHwpt(device, options);
    device.attach(hwpt);
    equal(read(0x1000n), "OK");
    const format = kernel.inspect.pageTable(ADDRESS)!.format;
    device.detach();
    equal(read(0x1000n), "blocked");
    return format;
  });
  equal(formats, ["amd_v2", "amd_v2", "amd_v1", "amd_v2"]);
  const make = (options: Parameters<typeof ioas.createHwpt>[1]) => codeOf(() => ioas.createHwpt(device, options)[Symbol.dispose]());
  equal([{ pasid: true, dirtyTracking: true }, { nestParent: true }].map(make), ["EOPNOTSUPP", "EOPNOTSUPP"]);
});

Deno.test("a device has PASIDs, enabled while it uses a v2 table, but programs cannot attach them", async () => {
  for (const [bits, told] of [[8, 8], [20, 19]] as const) {
    using world = await ready(V2, bits);
    const { device, iommu, read } = world;
    using ioas = iommu.createIoas();
    using hwpt = ioas.createHwpt(device, { pasid: true });
    const describe = () => [device.hwInfo().maxPasidLog2, device.hwInfo().pasidExecute];
    equal(describe(), [told, false]);
    equal(codeOf(() => device.attach(hwpt, { pasid: 1 })), "EOPNOTSUPP");
    device.attach(hwpt);
    equal(describe(), [told, true]);
    equal([codeOf(() => device.attach(hwpt, { pasid: 1 })), read(0x1000n, 1)], ["EOPNOTSUPP", "blocked"]);
    device.detach();
  }
});

Deno.test("the lower half of a v2 table is mapped", async () => {
  for (const levels of [4, 5] as const) {
    using world = await ready({ pageTable: "v2", levels });
    using ioas = world.iommu.createIoas();
    world.device.attach(ioas);
    const last = 2n ** BigInt(9 * levels + 11) - 1n;
    equal(ioas.ranges.ranges.at(-1)!.last, last);
    ioas.createDmaBuffer(PAGE, { iova: last - 0xfffn });
    equal([world.read(last - 3n), world.read(last + 1n)], ["OK", "beyond-aperture"]);
  }
});
