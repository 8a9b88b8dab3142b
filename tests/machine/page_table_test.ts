/**
 * The dump of a page table: what it says is what was mapped, for each kind of machine; as data, JSON and text.
 */
import { DeviceFd, type Ioas, IommuFd, simulated } from "../../mod.ts";
import type { IommuDescription, PageTable, PageTableFormat } from "../../backends/simulated/mod.ts";
import { check, equal, thrown } from "../check.ts";
import { Puppet } from "../rules/puppet.ts";
import { allowDma } from "../rules/world.ts";

const ADDRESS = "0000:00:04.0";
const PAGE = 4096n;
const LARGE = 2n ** 21n;

async function setUp(iommu: IommuDescription) {
  const puppet = new Puppet();
  const kernel = await simulated({ pci: [{ slot: "04.0", model: puppet }], iommu });
  const iommufd = IommuFd.open(kernel);
  const ioas = iommufd.createIoas();
  const device = DeviceFd.open(kernel, ADDRESS).bind(iommufd);
  allowDma(device);
  return { kernel, ioas, device, puppet, table: () => kernel.inspect.pageTable(ADDRESS) };
}

/** A large page, and four small ones at 2 GiB, two of which may only be read. */
function map(ioas: Ioas): void {
  const { address } = ioas.createDmaBuffer(Number(LARGE), { iova: LARGE });
  ioas.map({ address, length: Number(2n * PAGE) }, { iova: 2n ** 31n });
  ioas.map({ address, length: Number(2n * PAGE) }, { iova: 2n ** 31n + 2n * PAGE, write: false });
}

const KINDS: readonly [IommuDescription, PageTableFormat, number][] = [
  [{ kind: "vtd" }, "vtd_ss", 4],
  [{ kind: "vtd", levels: 5 }, "vtd_ss", 5],
  [{ kind: "vtd", scalable: true, stage: "first" }, "vtd_fs", 4],
  [{ kind: "amdvi" }, "amd_v1", 4],
  [{ kind: "amdvi", pageTable: "v2" }, "amd_v2", 4],
  [{ kind: "amdvi", pageTable: "v2", levels: 5 }, "amd_v2", 5],
  [{ kind: "smmuv3" }, "arm_s1_4k", 4],
  [{ kind: "smmuv3", stage: 2 }, "arm_s2_4k", 4],
  [{ kind: "riscv" }, "riscv", 4],
];

/** What is mapped, page after page, without how it is written. */
function pagesOf(table: PageTable): (string | bigint)[][] {
  const pages = table.entries.filter(({ kind }) => kind === "page");
  return pages.flatMap(({ iova, size, pa, read, write }) =>
    Array.from({ length: Number(size / PAGE) }, (_, index) => {
      const offset = BigInt(index) * PAGE;
      return [iova + offset, pa + offset, `${read ? "r" : ""}${write ? "w" : ""}`];
    })
  );
}

for (const [iommu, format, levels] of KINDS) {
  Deno.test(`the page table of ${JSON.stringify(iommu)} has what was mapped, each entry below the tables that lead to it`, async () => {
    const { kernel, ioas, device, table } = await setUp(iommu);
    equal(table(), undefined, "nothing is attached");
    device.attach(ioas);
    map(ioas);
    const found = table()!;
    equal([found.format, found.levels], [format, levels]);
    const [first] = pagesOf(found);
    const pa = first![1] as bigint;
    const large = Array.from({ length: 512 }, (_, index) => [LARGE + BigInt(index) * PAGE, pa + BigInt(index) * PAGE, "rw"]);
    const small = [0n, 1n, 0n, 1n].map((page, index) => [2n ** 31n + BigInt(index) * PAGE, pa + page * PAGE, index < 2 ? "rw" : "r"]);
    equal(pagesOf(found), [...large, ...small]);
    const above: { level: number; last: bigint }[] = [{ level: levels, last: found.lastIova }];
    for (const { kind, level, iova, size } of found.entries) {
      while (above.at(-1)!.last < iova) above.pop();
      equal(level, above.at(-1)!.level - 1);
      if (kind === "table") above.push({ level, last: iova + size - 1n });
    }
    equal(found.entries.filter(({ kind }) => kind === "table").length + 1, kernel.inspect.statistics.tables);
    device.detach();
    equal(table(), undefined, "nothing is attached any more");
  });
}

Deno.test("JSON has all of a page table, and addresses in hexadecimal", async () => {
  const { ioas, device, table } = await setUp({ kind: "vtd" });
  device.attach(ioas);
  map(ioas);
  const found = table()!;
  const json = JSON.parse(JSON.stringify(found));
  equal(Object.keys(json), ["format", "levels", "root", "lastIova", "entries"]);
  const numbers = ({ iova, size, pa, raw, ...rest }: Record<string, string>) => ({
    ...rest,
    iova: BigInt(iova!),
    size: BigInt(size!),
    pa: BigInt(pa!),
    raw: BigInt(raw!),
  });
  const sorted = (entry: object) => Object.fromEntries(Object.entries(entry).sort());
  equal(json.entries.map(numbers).map(sorted), found.entries.map(sorted));
  equal([BigInt(json.root), BigInt(json.lastIova)], [found.root, found.lastIova]);
  equal(found.lastIova, 2n ** 48n - 1n);
});

Deno.test("text joins pages that continue each other, and with the bits of the entries none", async () => {
  const { ioas, device, table } = await setUp({ kind: "vtd" });
  device.attach(ioas);
  map(ioas);
  const found = table()!;
  const [head, ...lines] = found.toText().split("\n");
  equal(head, `vtd_ss, 4 levels, top table at 0x${found.root.toString(16)}, IOVAs up to 0xffffffffffff`);
  const shown = lines.map((line) => line.replace(/-> 0x[0-9a-f]+/, "->"));
  equal(shown, [
    "  3: 0x0..0x7fffffffff ->  table",
    "    2: 0x0..0x3fffffff ->  table",
    "      1: 0x200000..0x3fffff ->  2 MiB  rw--",
    "    2: 0x80000000..0xbfffffff ->  table",
    "      1: 0x80000000..0x801fffff ->  table",
    "        0: 0x80000000..0x80001fff ->  2 × 4 KiB  rw--",
    "        0: 0x80002000..0x80003fff ->  2 × 4 KiB  r---",
  ]);
  const raw = found.toText({ raw: true }).split("\n").slice(1);
  equal(raw.length, found.entries.length);
  raw.forEach((line, index) => check(line.endsWith(`  0x${found.entries[index]!.raw.toString(16)}`), line));
});

Deno.test("marks of what a device did are in the page that it did it to", async () => {
  const { kernel, ioas, device, puppet } = await setUp({ kind: "vtd", scalable: true, dirtyTracking: true });
  const hwpt = ioas.createHwpt(device, { dirtyTracking: true });
  device.attach(hwpt);
  map(ioas);
  hwpt.setDirtyTracking(true);
  const marked = () =>
    kernel.inspect.pageTable(ADDRESS)!.entries.filter(({ kind, level }) => kind === "page" && level === 0).map(({ accessed, dirty }) =>
      `${accessed ? "A" : ""}${dirty ? "D" : ""}`
    );
  equal(marked(), ["", "", "", ""]);
  const local = puppet.bus.allocate(8);
  puppet.bus.dma.read(2n ** 31n, local);
  puppet.bus.dma.write(2n ** 31n + PAGE, local);
  equal(marked(), ["A", "AD", "", ""]);
});

Deno.test("a page table of a device that is not there is a RangeError", async () => {
  const { kernel } = await setUp({ kind: "vtd" });
  check(thrown(() => kernel.inspect.pageTable("0000:00:05.0")) instanceof RangeError, "a RangeError");
});
