/**
 * The suites for a mock IOMMU on the kernel that has the original: IOMMUFD_TEST is built into the guest's.
 */
import { LinuxKernel } from "../../backends/linux/kernel.ts";
import { equal } from "../check.ts";
import { hostOf, MOCK } from "../conformance/mod.ts";
import type { Setup } from "../conformance/setup.ts";
import { lacking } from "../coverage/lacking.ts";
import { observing, type Seen } from "../coverage/observer.ts";
import { register } from "../harness.ts";
import { DEVICES } from "./devices.ts";
import { IS_IOMMUFD } from "./this_guest.ts";

function open(): Promise<Setup> {
  const kernel = new LinuxKernel();
  return Promise.resolve({
    kernel,
    devices: DEVICES,
    features: new Set(["mock-iommu", "resource-capability", "several-opens", "one-table-a-group", "nesting"]),
    hardware: { type: 0xfeed_beef, dataLength: 8 },
    apertureLast: 2n ** 31n - 1n,
    openFiles: 1024,
    finish() {
      kernel[Symbol.dispose]();
      return [];
    },
  });
}

if (IS_IOMMUFD) {
  // The library is loaded before any test, so that it is no test's leak.
  const held = new LinuxKernel();
  addEventListener("unload", () => held[Symbol.dispose]());
  const seen: Seen = new Map();
  register(MOCK, hostOf(observing(open, seen)), Deno.test, "Linux: ");
  Deno.test("what docs/coverage.md says that the mock IOMMU does, it has done in the cases above", () =>
    equal(lacking(seen, "mock").join("\n"), ""));
}
