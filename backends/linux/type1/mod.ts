/**
 * VFIO's older interface, groups and containers with type1, as a kernel with iommufd.
 *
 * @module
 */
import { instantiate } from "../../../core-wasm/mod.ts";
import type { Kernel } from "../../../uapi/kernel.ts";
import { Shadow } from "./core.ts";
import { Type1Kernel, type Type1Options } from "./kernel.ts";

export { Type1Kernel, type Type1Options } from "./kernel.ts";

/**
 * A kernel that speaks iommufd and VFIO's device nodes above `below`, which needs groups and containers only.
 *
 * It owns `below` from now on: disposing it disposes that too.
 *
 * @throws {RangeError} if the runtime does not give the core its memory
 */
export async function type1<Below extends Kernel>(below: Below, options: Type1Options = {}): Promise<Type1Kernel<Below>> {
  return new Type1Kernel(below, new Shadow(await instantiate({ full: true })), options);
}
