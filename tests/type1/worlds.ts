/**
 * Worlds of the security rules in which the program's kernel is type1 on the model: the devices are puppets all the same.
 *
 * @module
 */
import { type1, type Type1Kernel } from "../../backends/linux/type1/mod.ts";
import type { Host } from "../harness.ts";
import { PUPPETS } from "../rules/simulated.ts";
import type { Rules, World, Worlds } from "../rules/world.ts";
import { FakeType1 } from "./fake.ts";

/** The library keeps devices single; a group has one container, and so one IOAS. */
const TYPE1_RULES: Rules = { singleOpen: true, groupIoas: "linux" };

class Type1Worlds implements Worlds {
  #below: Worlds;
  #kernels: { readonly kernel: Type1Kernel; readonly fake: FakeType1 }[] = [];

  constructor(below: Worlds) {
    this.#below = below;
  }

  /** As {@linkcode Worlds.boot}. There is no choice of rules. */
  async boot(): Promise<World> {
    const world = await this.#below.boot(TYPE1_RULES);
    const fake = new FakeType1(world.kernel);
    const kernel = await type1(fake);
    this.#kernels.push({ kernel, fake });
    // The machine below knows faults, and not what the program calls its devices.
    return { ...world, kernel, rules: TYPE1_RULES, faults: () => undefined };
  }

  /** As {@linkcode Worlds.finish}. */
  async finish(): Promise<string[]> {
    const left = this.#kernels.flatMap(({ kernel, fake }) => [...kernel.audit(), ...fake.leftovers()]);
    for (const { kernel } of this.#kernels) kernel[Symbol.dispose]();
    return [...left, ...await this.#below.finish()];
  }
}

/** Where the cases of the rules get their machines. */
export const TYPE1_WORLDS: Host<Worlds> = {
  open: async (name) => new Type1Worlds(await PUPPETS.open(name)),
  close: (worlds) => worlds.finish(),
};
