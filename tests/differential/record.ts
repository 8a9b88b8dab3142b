/**
 * Records what the running Linux answers to sequences of the generator: `deno task record:differential`.
 *
 * The program boots the virtual machine, runs itself in it, and keeps what that prints. The normal test run plays it on the simulated kernel.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { join } from "node:path";
import process from "node:process";
import { gzipSync } from "node:zlib";
import { linux } from "../../backends/linux/mod.ts";
import { Generator } from "./generate.ts";
import { NoHugePages } from "./huge_pages.ts";
import { Player } from "./play.ts";
import { type Recorded, recordingLines } from "./recording.ts";

const SEQUENCES = 12;
const SEQUENCE_CALLS = 400;
/** Others than those of the comparison in the virtual machine. */
const SEED = 7_300_000;
/** Where the recordings are kept. */
export const TRACES: string = join(import.meta.dirname!, "traces");
const IN_GUEST = "--in-guest";

/** Play sequences of the generator and print them with the answers. */
async function recordHere(): Promise<void> {
  using _setting = new NoHugePages();
  using kernel = await linux();
  using player = new Player(kernel);
  for (let seed = SEED; seed < SEED + SEQUENCES; seed++) {
    const generator = new Generator(seed);
    const calls: Recorded[] = [];
    player.restart();
    for (let count = 0; count < SEQUENCE_CALLS; count++) {
      const step = generator.next();
      const outcome = player.play(step);
      calls.push({ step, outcome });
      generator.learn(step, outcome, (value) => player.resolve(value));
    }
    for (const step of generator.end()) calls.push({ step, outcome: player.play(step) });
    console.log(recordingLines({ kernel: `Linux ${Deno.osRelease()}`, why: `seed ${seed}`, calls }).join("\n"));
  }
}

/** Boot the virtual machine and keep what it records. */
async function recordInGuest(): Promise<void> {
  const inside = `deno run --no-check --allow-all tests/differential/record.ts ${IN_GUEST}`;
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "test:vm", "--variant", "iommufd", "--run", inside],
    stderr: "inherit",
  }).output();
  if (code !== 0) throw new Error(`Cannot record: the virtual machine ended with status ${code}\n${new TextDecoder().decode(stdout)}`);
  const path = join(TRACES, "linux.jsonl.gz");
  await Deno.mkdir(TRACES, { recursive: true });
  await Deno.writeFile(path, new Uint8Array(gzipSync(Buffer.from(stdout), { level: 9 })));
  console.log(`Recorded ${SEQUENCES * SEQUENCE_CALLS} calls in ${path}`);
}

if (process.argv.includes(IN_GUEST)) await recordHere();
else await recordInGuest();
