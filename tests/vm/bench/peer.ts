/**
 * The C side: a program that is started for each round, so that the device is its alone meanwhile.
 *
 * @module
 */
import { run } from "../command.ts";
import type { Bench } from "./typed.ts";
import type { Round, Side, Work } from "./workload.ts";

function argumentsFor({ plain, nvme }: Omit<Bench, "kernel">, work: Work, seed: number): string[] {
  const { length, batch, samples } = work;
  if (work.kind === "map") return ["map", plain, `${length}`, `${batch}`, `${samples}`];
  const { depth, order, completions } = work;
  return ["read", nvme, `${length}`, `${depth}`, order, completions, `${batch}`, `${samples}`, `${seed}`];
}

/** The peer. @param program its path. */
export function peerSide(program: string, devices: Omit<Bench, "kernel">): Side {
  return {
    name: "C",
    warmUps: 1,
    async run(work: Work, seed: number): Promise<Round> {
      const { samples, check } = JSON.parse(await run(program, argumentsFor(devices, work, seed), { capture: true }));
      return { samples, check };
    },
  };
}
