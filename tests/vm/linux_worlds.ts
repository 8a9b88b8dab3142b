/**
 * The running Linux as a host of the security rules: QEMU's edu devices, driven through their registers.
 *
 * @module
 */
import { type Kernel, linux, type LinuxOptions } from "../../mod.ts";
import type { Host } from "../harness.ts";
import { EduActor } from "../rules/edu_actor.ts";
import type { World, Worlds } from "../rules/world.ts";
import { DEVICES } from "./devices.ts";
import { IS_IOMMUFD, IS_SCALABLE } from "./this_guest.ts";
import { grown, iommuFiles, linuxUsage } from "./usage.ts";

/** Milliseconds that QEMU's device takes at least. */
const TRANSFER_MIN = 100;
/** Milliseconds in which a transfer of 100 ms is over, on a busy machine too. */
const SETTLED = 500;

/** QEMU's devices live as long as the machine, and so do the actors: what they left in a device, they know in the next case. */
const ACTORS = new Map<string, (kernel: Kernel) => EduActor>();

function actorAt(address: string, kernel: Kernel): EduActor {
  const known = ACTORS.get(address);
  if (known !== undefined) return known(kernel);
  const surroundings = { kernel, transferMin: TRANSFER_MIN, settle: () => new Promise<void>((resolve) => setTimeout(resolve, SETTLED)) };
  const actor = new EduActor(address, surroundings);
  ACTORS.set(address, (current) => {
    surroundings.kernel = current;
    return actor;
  });
  return actor;
}

function worldOf(kernel: Kernel): World {
  const [alone, other, taken] = [DEVICES.alone, DEVICES.other, DEVICES.taken].map((address) => actorAt(address, kernel));
  const pairs = [DEVICES.siblings, DEVICES.aliases].map(([first, second]) => [actorAt(first, kernel), actorAt(second, kernel)] as const);
  for (const [first, second] of pairs) {
    first.mates = [second];
    second.mates = [first];
  }
  for (const actor of pairs[1]!) actor.isCutOff = IS_SCALABLE;
  return {
    kernel,
    // One kernel, one set of rules: single open is kept by the library, the rest is Linux's.
    rules: { singleOpen: true, groupIoas: "linux" },
    resets: false,
    aliasesReach: !IS_SCALABLE,
    alone: alone!,
    other: other!,
    siblings: pairs[0]!,
    aliases: pairs[1]!,
    taken: taken!,
    // Linux tells refused accesses to its log, and to no program.
    faults: () => undefined,
  };
}

class LinuxWorlds implements Worlds {
  #before = linuxUsage();
  #kernels: Kernel[] = [];
  #options: LinuxOptions;

  constructor(options: LinuxOptions) {
    this.#options = options;
  }

  /** As {@linkcode Worlds.boot}, by the rules that there are. */
  async boot(): Promise<World> {
    const kernel = await linux(this.#options);
    this.#kernels.push(kernel);
    return worldOf(kernel);
  }

  /** As {@linkcode Worlds.finish}: also what the kernel object alone would have closed is left over. */
  finish(): string[] {
    const left = iommuFiles(linuxUsage()).map((file) => `the case left ${file} open`);
    for (const kernel of this.#kernels) kernel[Symbol.dispose]();
    return [...left, ...grown(this.#before, linuxUsage())];
  }
}

/** The running Linux, through one of its interfaces. */
export function linuxHost(options: LinuxOptions): Host<Worlds> {
  return { open: () => Promise.resolve(new LinuxWorlds(options)), close: (worlds) => worlds.finish() };
}

/** The interface that this machine is for. */
export const INTERFACE: "iommufd" | "type1" = IS_IOMMUFD ? "iommufd" : "type1";
