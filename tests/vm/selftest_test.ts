/**
 * The suites for a mock IOMMU on the kernel that has the original: IOMMUFD_TEST is built into the guest's.
 */
import { LinuxKernel } from "../../backends/linux/kernel.ts";
import { hostOf, MOCK } from "../conformance/mod.ts";
import type { Setup } from "../conformance/setup.ts";
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
  register(MOCK, hostOf(open), Deno.test, "Linux: ");
}
