/**
 * What was not given back is named: how many of what, where it was made, and what was garbage collected.
 */
import { DeviceFd, IommuFd, leaks, MemFd, trackLeaks } from "../../mod.ts";
import { check, equal } from "../check.ts";
import { ADDRESSES, attached, boot } from "./machine.ts";

function counts(kernel: Parameters<typeof leaks>[0]): Record<string, number> {
  return Object.fromEntries(leaks(kernel).map(({ kind, open }) => [kind, open]));
}

Deno.test("open handles are counted by class, on each kernel apart", async () => {
  using machine = await boot();
  using other = await boot();
  const { kernel } = machine;
  using world = attached(kernel);
  const { ioas, device } = world;
  equal(counts(kernel), { IommuFd: 1, Ioas: 1, DeviceFd: 1 });
  const hwpt = ioas.createHwpt(device);
  const pool = ioas.createDmaPool({ size: 8, count: 8 });
  using _file = MemFd.create(kernel, "file", 1);
  using _irq = device.irq("msi");
  ioas.createDmaBuffer(1);
  equal(counts(kernel), { IommuFd: 1, Ioas: 1, DeviceFd: 1, Hwpt: 1, DmaBuffer: 2, MemFd: 1, Irq: 1 });
  equal(leaks(other.kernel), []);
  hwpt[Symbol.dispose]();
  pool[Symbol.dispose]();
  equal(counts(kernel), { IommuFd: 1, Ioas: 1, DeviceFd: 1, DmaBuffer: 1, MemFd: 1, Irq: 1 });
  equal(leaks(kernel).every(({ stack, collected }) => stack === undefined && collected === 0), true);
});

Deno.test("what fails to be made is not counted", async () => {
  using machine = await boot();
  using _first = DeviceFd.open(machine.kernel, ADDRESSES[0]);
  try {
    DeviceFd.open(machine.kernel, ADDRESSES[0]);
  } catch {
    equal(counts(machine.kernel), { DeviceFd: 1 });
    return;
  }
  throw new Error("the device could be opened twice");
});

function makeHere(iommu: IommuFd): Disposable {
  return iommu.createIoas();
}

Deno.test("trackLeaks tells where handles were made, those of one place together", async () => {
  using machine = await boot();
  using iommu = IommuFd.open(machine.kernel);
  trackLeaks(true);
  try {
    for (let round = 0; round < 3; round++) makeHere(iommu);
    const elsewhere = iommu.createIoas();
    const found = leaks(machine.kernel).filter(({ kind }) => kind === "Ioas");
    equal(found.map(({ open }) => open), [3, 1]);
    check(/makeHere .*leaks_test\.ts/.test(found[0]!.stack!), `the first line is the caller's: ${found[0]!.stack}`);
    check(!/handle\.ts|^Error/.test(found[0]!.stack!), "lines of the library that only count are left out");
    check(!found[1]!.stack!.includes("makeHere"), "the other place is another");
    elsewhere[Symbol.dispose]();
    equal(leaks(machine.kernel).filter(({ kind }) => kind === "Ioas").map(({ open }) => open), [3]);
  } finally {
    trackLeaks(false);
  }
  iommu.createIoas();
  equal(leaks(machine.kernel).filter(({ stack, kind }) => kind === "Ioas" && stack === undefined).map(({ open }) => open), [1]);
});

interface Collected {
  readonly warnings: string[];
  readonly report: { readonly kind: string; readonly open: number; readonly collected: number }[];
}

async function runCollected(mode: string): Promise<Collected> {
  const script = new URL("./collected.ts", import.meta.url).pathname;
  const args = ["run", "--quiet", "--no-check", "--allow-read", "--v8-flags=--expose-gc", script, mode];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  check(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("handles that are garbage collected while open are reported, and named on the console once for each place", async () => {
  const { warnings, report } = await runCollected("plain");
  equal(report.map(({ kind }) => kind), ["IommuFd", "Ioas", "DmaBuffer", "MemFd"]);
  for (const { kind, open, collected } of report) equal([kind, open, collected], [kind, 0, kind === "MemFd" ? 3 : 1]);
  equal(warnings.length, 4);
  for (const { kind } of report) {
    const warning = `Leak: ${
      kind.startsWith("I") ? "an" : "a"
    } ${kind} of the kernel "simulated" was garbage collected without being disposed. `;
    check(warnings.some((text) => text === `${warning}trackLeaks(true) tells where it was made.`), `${kind} is named`);
  }
});

Deno.test("with trackLeaks the console names the place, and what was disposed is never reported", async () => {
  const { warnings, report } = await runCollected("tracked");
  equal(report.map(({ kind, collected }) => [kind, collected]), [["IommuFd", 1], ["Ioas", 1], ["DmaBuffer", 1], ["MemFd", 3]]);
  check(warnings.every((text) => /It was made at\n(.*\n)*.*collected\.ts/.test(text)), warnings.join("\n"));
});
