/**
 * Simulated machines for the security rules: with puppets, or with models of QEMU's edu device.
 *
 * @module
 */
import { describeFault, EduDevice, InertDevice, type PciNode, simulated, type SimulatedKernel } from "../../backends/simulated/mod.ts";
import type { Host } from "../harness.ts";
import { EduActor } from "./edu_actor.ts";
import { PuppetActor } from "./puppet_actor.ts";
import type { Actor, Rules, World, Worlds } from "./world.ts";

const MEBIBYTE = 2 ** 20;
/** More events than the machine has in mind at once: after so many, a transfer is over. */
const EVENTS_MAX = 64;
const PLACES = ["00:03.0", "00:04.0", "00:05.0", "00:05.1", "01:01.0", "01:02.0", "00:08.0"];

type Models = (place: number) => NonNullable<Extract<PciNode, { model?: unknown }>["model"]>;

function boot(rules: Rules, model: Models): Promise<SimulatedKernel> {
  return simulated({
    memory: 8 * MEBIBYTE,
    kernelMemory: 2 * MEBIBYTE,
    rules,
    pci: [
      { slot: "03.0", model: model(0) },
      { slot: "04.0", model: model(1) },
      { slot: "05.0", model: model(2) },
      { slot: "05.1", model: model(3) },
      { kind: "pcie-to-pci", slot: "06.0", below: [{ slot: "01.0", model: model(4) }, { slot: "02.0", model: model(5) }] },
      { slot: "08.0", model: model(6) },
      { slot: "08.1", model: () => new InertDevice(), driver: "e1000e" },
    ],
  }, { checks: true });
}

function worldOf(kernel: SimulatedKernel, rules: Rules, actors: readonly Actor[], faults: World["faults"]): World {
  const [other, alone, left, right, first, second, taken] = actors as [Actor, Actor, Actor, Actor, Actor, Actor, Actor];
  return {
    kernel,
    rules,
    resets: true,
    aliasesReach: true,
    alone,
    other,
    siblings: [left, right],
    aliases: [first, second],
    taken,
    faults,
  };
}

async function bootPuppets(rules: Rules): Promise<World & { kernel: SimulatedKernel }> {
  const actors = PLACES.map((place) => new PuppetActor(`0000:${place}`));
  const kernel = await boot(rules, (place) => actors[place]!.model);
  const faults = () => kernel.inspect.faults.map((fault) => ({ ...fault, text: describeFault(fault) }));
  return { ...worldOf(kernel, rules, actors, faults), kernel };
}

/** Faults are not told: a read back of what was refused is one too, and the case did not make it. */
async function bootEdus(rules: Rules): Promise<World & { kernel: SimulatedKernel }> {
  const kernel = await boot(rules, () => () => new EduDevice());
  const settle = () => {
    for (let event = 0; event < EVENTS_MAX; event++) kernel.relax();
    return Promise.resolve();
  };
  const actors = PLACES.map((place) => new EduActor(`0000:${place}`, { kernel, settle }));
  const [, , left, right, first, second] = actors as [EduActor, EduActor, EduActor, EduActor, EduActor, EduActor];
  for (const [one, two] of rules.groupIoas === "linux" ? [[left, right], [first, second]] as const : [[first, second]] as const) {
    one.mates = [two];
    two.mates = [one];
  }
  return { ...worldOf(kernel, rules, actors, () => undefined), kernel };
}

/** Worlds of one kind of machine. */
class SimulatedWorlds implements Worlds {
  #kernels: SimulatedKernel[] = [];
  #boot: (rules: Rules) => Promise<World & { kernel: SimulatedKernel }>;

  constructor(boot: (rules: Rules) => Promise<World & { kernel: SimulatedKernel }>) {
    this.#boot = boot;
  }

  /** As {@linkcode Worlds.boot}. */
  async boot({ singleOpen = true, groupIoas = "requester" }: Partial<Rules> = {}): Promise<World> {
    const world = await this.#boot({ singleOpen, groupIoas });
    this.#kernels.push(world.kernel);
    return world;
  }

  /** As {@linkcode Worlds.finish}. */
  finish(): string[] {
    return this.#kernels.flatMap((kernel) => {
      const { inspect } = kernel;
      const used = Object.entries(inspect.usage).filter(([, count]) => count !== 0).map(([what, count]) => `${count} ${what} in use`);
      const left = [...used, ...inspect.check(), ...inspect.modelErrors.map((error) => `a device model threw: ${String(error)}`)];
      kernel[Symbol.dispose]();
      return left;
    });
  }
}

/** Machines whose devices are puppets of the test. */
export const PUPPETS: Host<Worlds> = { open: () => Promise.resolve(new SimulatedWorlds(bootPuppets)), close: (worlds) => worlds.finish() };

/** Machines whose devices are models of QEMU's edu device, and driven as that. */
export const EDUS: Host<Worlds> = { open: () => Promise.resolve(new SimulatedWorlds(bootEdus)), close: (worlds) => worlds.finish() };
