/**
 * The virtual machine's Linux as a host of the conformance suite.
 *
 * @module
 */
import { linux } from "../../backends/linux/mod.ts";
import type { Feature, Setup } from "../conformance/setup.ts";
import { DEVICES } from "./devices.ts";

/** Whether the guest is the variant with iommufd. */
export const IS_IOMMUFD: boolean = Deno.env.get("VM_VARIANT") === "iommufd";

/** The library makes a device single; the rest is Linux's. */
const FEATURES: readonly Feature[] = [
  "one-table-a-group",
  "fault-queues",
  "mock-iommu",
  "pasid-tables",
  "nested-tables",
  "resource-capability",
];

/** What the process has: descriptors, and kibibytes of pinned and of locked memory. */
function usage(): string[] {
  const files = [...Deno.readDirSync("/proc/self/fd")].length;
  const pinned = Deno.readTextFileSync("/proc/self/status").split("\n").filter((line) => /^Vm(Lck|Pin):/.test(line));
  return [`${files} files`, ...pinned];
}

/** A kernel object for one case. */
export async function openLinux(): Promise<Setup> {
  const before = usage();
  const kernel = await linux();
  const openFiles = Number(/^Max open files\s+(\d+)/m.exec(Deno.readTextFileSync("/proc/self/limits"))![1]);
  return {
    kernel,
    devices: DEVICES,
    features: new Set(FEATURES),
    hardware: { type: 1, dataLength: 24 },
    apertureLast: 2n ** 48n - 1n,
    openFiles,
    async finish() {
      kernel[Symbol.dispose]();
      // A thread that waited has its files for a moment longer.
      let after = usage();
      for (let tries = 0; tries < 500 && after.some((line, index) => line !== before[index]); tries++) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        after = usage();
      }
      return after.filter((line, index) => line !== before[index]).map((line, index) => `${line}, before ${before[index]}`);
    },
  };
}

// Held until the end, so that the C library is no case's leak.
if (IS_IOMMUFD) {
  const held = await linux();
  addEventListener("unload", () => held[Symbol.dispose]());
}
