/**
 * The virtual machine's Linux, through VFIO's older interface, as a host of the conformance suite.
 *
 * @module
 */
import { LinuxKernel } from "../../backends/linux/kernel.ts";
import { linux } from "../../backends/linux/mod.ts";
import type { Type1Kernel } from "../../backends/linux/type1/mod.ts";
import type { Feature, Setup } from "../conformance/setup.ts";
import { DEVICES } from "./devices.ts";
import { IS_SCALABLE } from "./this_guest.ts";
import { openFiles, openFilesMax } from "./usage.ts";

/** Files of VFIO that this process has open. */
export function vfioFiles(): string[] {
  return openFiles().filter((path) => /vfio|\/sys\/devices/.test(path));
}

/** A kernel object for one case. */
export async function openType1(): Promise<Setup> {
  const kernel = await linux({ interface: "type1" });
  return {
    kernel,
    devices: DEVICES,
    features: new Set<Feature>(IS_SCALABLE ? ["one-table-a-group"] : ["one-table-a-group", "bridge-dma"]),
    hardware: { type: 0, dataLength: 0 },
    apertureLast: 2n ** 48n - 1n,
    openFiles: openFilesMax(),
    finish() {
      const left = (kernel as unknown as Type1Kernel).audit();
      kernel[Symbol.dispose]();
      return [...left, ...vfioFiles().map((path) => `${path} is open`)];
    },
  };
}

// The library is loaded before any test, so that it is no test's leak.
const held = new LinuxKernel();
addEventListener("unload", () => held[Symbol.dispose]());
