/**
 * The conformance suite through VFIO's older interface, on a kernel with iommufd and on one without.
 */
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { linux } from "../../backends/linux/mod.ts";
import { DeviceFd, IommuFd } from "../../mod.ts";
import { exercise } from "../../examples/edu/main.ts";
import { CONFORMANCE, hostOf } from "../conformance/mod.ts";
import { register } from "../harness.ts";
import { EXEMPT_ON_LINUX, withoutExempt } from "../type1/exempt.ts";
import { DEVICES } from "./devices.ts";
import { IS_IOMMUFD } from "./this_guest.ts";
import { openType1, vfioFiles } from "./type1_setup.ts";

/** A device that says nothing must not hold the machine up. */
function test(name: string, run: () => Promise<void>): void {
  Deno.test(name, async () => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => timer = setTimeout(() => reject(new Error("still waiting after 40 s")), 40_000));
    try {
      await Promise.race([run(), late]);
    } finally {
      clearTimeout(timer);
    }
  });
}

const suites = withoutExempt(CONFORMANCE, EXEMPT_ON_LINUX);
/** Where iommufd is there as well, its own run has the suites that never reach a container. */
const REACHING: readonly string[] = ["BIND_IOMMUFD", "ATTACH and DETACH", "groups", "DMA", "IOAS_MAP_FILE"];
register(IS_IOMMUFD ? suites.filter(({ name }) => REACHING.includes(name)) : suites, hostOf(openType1), test, "type1: ");

Deno.test("without iommufd the older interface is taken, with it only where it is asked for", async () => {
  using kernel = await linux();
  strictEqual(kernel.interface, IS_IOMMUFD ? "iommufd" : "type1");
  using asked = await linux({ interface: "type1" });
  strictEqual(asked.interface, "type1");
});

Deno.test("a device that another program has open is EBUSY, and one whose group it has bound EPERM", async () => {
  using kernel = await linux({ interface: "type1" });
  using other = await linux({ interface: "type1" });
  const [first, second] = DEVICES.siblings;
  const device = DeviceFd.open(other, first);
  const code = (run: () => unknown) => {
    try {
      run();
      return "OK";
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  strictEqual(code(() => DeviceFd.open(kernel, first)), "EBUSY");
  using sibling = DeviceFd.open(kernel, second);
  using iommu = IommuFd.open(kernel);
  {
    using theirs = IommuFd.open(other);
    using _bound = device.bind(theirs);
    strictEqual(code(() => sibling.bind(iommu)), "EPERM");
  }
  using bound = sibling.bind(iommu);
  strictEqual(bound.attachedTo, undefined);
});

Deno.test("the edu example runs as it does everywhere", async () => {
  using kernel = await linux({ interface: "type1" });
  const report = await exercise(kernel, DEVICES.alone, 12);
  deepStrictEqual([report.version, report.alive, report.dma.intact, report.factorial.result], ["1.0", true, true, 479_001_600]);
});

Deno.test("three hundred rounds of open, bind, attach, map and close leave no file and no locked memory", async () => {
  const locked = () => /VmPin:\s*(\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))?.[1] ?? "0";
  using kernel = await linux({ interface: "type1" });
  const before = [vfioFiles(), locked()];
  for (let round = 0; round < 300; round++) {
    using iommu = IommuFd.open(kernel);
    using device = DeviceFd.open(kernel, DEVICES.other).bind(iommu);
    using ioas = iommu.createIoas();
    device.attach(ioas);
    using _buffer = ioas.createDmaBuffer(8192);
  }
  deepStrictEqual([vfioFiles(), locked()], before);
});
