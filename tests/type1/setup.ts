/**
 * Type1 on the model, as a host of the conformance suite.
 *
 * @module
 */
import { type1, type Type1Kernel } from "../../backends/linux/type1/mod.ts";
import type { SimulatedKernel } from "../../backends/simulated/mod.ts";
import type { Kernel } from "../../uapi/kernel.ts";
import type { Setup } from "../conformance/mod.ts";
import { leftovers, openSimulated } from "../conformance/simulated.ts";
import { type FakeOptions, FakeType1 } from "./fake.ts";

/** A kernel on the model, and what is below. */
export interface Type1Setup extends Setup {
  readonly kernel: Type1Kernel;
  readonly sim: SimulatedKernel;
  readonly fake: FakeType1;
}

/** More about the model. */
export interface Type1SetupOptions extends FakeOptions {
  /** Bytes that may be pinned. Default: no limit. */
  readonly memlock?: number;
  /** A kernel between the model and what is tested. */
  readonly wrap?: (fake: Kernel) => Kernel;
}

/** A fresh one for one case. */
export async function openType1({ memlock, wrap = (fake) => fake, ...options }: Type1SetupOptions = {}): Promise<Type1Setup> {
  const simulated = await openSimulated({ rules: "linux", ...(memlock === undefined ? {} : { memlock }) });
  const fake = new FakeType1(simulated.kernel, options);
  const kernel = await type1(wrap(fake));
  return {
    ...simulated,
    kernel,
    sim: simulated.kernel,
    fake,
    features: new Set(["one-table-a-group", "reset", "bridge-dma", "latched-lines"]),
    finish() {
      const left = [...kernel.audit(), ...fake.leftovers(), ...leftovers(simulated.kernel)];
      kernel[Symbol.dispose]();
      simulated.kernel[Symbol.dispose]();
      return left;
    },
  };
}
