/**
 * The virtual machine's Linux as a host of the conformance suite.
 *
 * @module
 */
import { linux } from "../../backends/linux/mod.ts";
import type { Feature, Setup } from "../conformance/setup.ts";
import { DEVICES } from "./devices.ts";
import { IS_IOMMUFD } from "./this_guest.ts";
import { changed, openFilesMax, processUsage } from "./usage.ts";

/** The library makes a device single; the rest is Linux's. */
const FEATURES: readonly Feature[] = [
  "one-table-a-group",
  "page-request-check",
  "mock-iommu",
  "pasid-tables",
  "nested-tables",
  "resource-capability",
];

/** A kernel object for one case. */
export async function openLinux(): Promise<Setup> {
  const before = processUsage();
  const kernel = await linux();
  return {
    kernel,
    devices: DEVICES,
    features: new Set(FEATURES),
    hardware: { type: 1, dataLength: 24 },
    apertureLast: 2n ** 48n - 1n,
    openFiles: openFilesMax(),
    async finish() {
      kernel[Symbol.dispose]();
      // A thread that waited has its files for a moment longer.
      let left = changed(before, processUsage());
      for (let tries = 0; tries < 500 && left.length > 0; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        left = changed(before, processUsage());
      }
      return left;
    },
  };
}

// Held until the end, so that the C library is no case's leak.
if (IS_IOMMUFD) {
  const held = await linux();
  addEventListener("unload", () => held[Symbol.dispose]());
}
