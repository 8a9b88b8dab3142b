/**
 * The measurements, in the guest: `deno task bench:vm` boots it and runs this there.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { linux } from "../../../mod.ts";
import { DEVICES } from "../devices.ts";
import { compare, type Result } from "./compare.ts";
import { peerSide } from "./peer.ts";
import { ringsSide } from "./rings.ts";
import { linesOf, tableOf } from "./table.ts";
import { rawSide, typedSide } from "./typed.ts";
import { WORKS } from "./workload.ts";

const OPTIONS = { peer: { type: "string" }, rounds: { type: "string" }, filter: { type: "string" }, json: { type: "boolean" } } as const;

/** @returns the exit status. */
async function main(words: string[]): Promise<number> {
  const { peer, rounds = "5", filter = "", json } = parseArgs({ args: words, options: OPTIONS }).values;
  if (peer === undefined) throw new Error("Cannot compare without the peer: --peer PROGRAM is needed");
  using kernel = await linux({ interface: "iommufd" });
  const bench = { kernel, plain: DEVICES.alone, nvme: DEVICES.messages };
  const sides = [peerSide(peer, bench), typedSide(bench), rawSide(bench), ringsSide(bench)];
  const results: Result[] = [];
  for (const work of WORKS.filter(({ name }) => name.includes(filter))) {
    // Not the results: they come last, in one piece. It also shows that the guest is alive.
    if (!json) console.log(`measuring: ${work.name}`);
    results.push(await compare(work, sides, Number(rounds)));
  }
  console.log(json ? linesOf(results) : tableOf(results));
  return 0;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
