/**
 * What Linux answered is what the simulated kernel answers: recordings of many sequences, and the short ones in which the two once differed.
 */
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { check } from "../check.ts";
import { outcomeText, stepText } from "./describe.ts";
import { bootMock } from "./machine.ts";
import { Player } from "./play.ts";
import { firstDifference, parseRecordings, type Recording } from "./recording.ts";

const HERE = import.meta.dirname!;

/** Names of files with recordings. The folder may be missing, which says that there is none. */
function namesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(join(HERE, folder))].map(({ name }) => name).filter((name) => /\.jsonl(\.gz)?$/.test(name)).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

async function filesOf(folder: string): Promise<{ readonly name: string; readonly recordings: Recording[] }[]> {
  const names = namesIn(folder);
  return await Promise.all(names.map(async (name) => {
    const bytes = await Deno.readFile(join(HERE, folder, name));
    const text = new TextDecoder().decode(name.endsWith(".gz") ? gunzipSync(bytes) : bytes);
    return { name, recordings: parseRecordings(text.split("\n")) };
  }));
}

/** The call that is answered differently, in words; undefined where all are the same. */
function differenceOf(player: Player, recording: Recording): string | undefined {
  const found = firstDifference(player, recording);
  if (found === undefined) return undefined;
  const { step, outcome } = recording.calls[found.index]!;
  const answers = [`${recording.kernel} ${outcomeText(player, step, outcome)}`, `here ${outcomeText(player, step, found.outcome)}`];
  return `${recording.why}, call ${found.index}: ${stepText(player, step)}\n  ${answers.join("\n  ")}`;
}

Deno.test("there are recordings of Linux to compare with", () => {
  check(namesIn("traces").length > 0, "tests/differential/traces is empty: deno task record:differential");
});

for (const [folder, what] of [["traces", "recorded sequences"], ["found", "a sequence in which the kernels differed"]] as const) {
  for (const { name, recordings } of await filesOf(folder)) {
    Deno.test(`${what}: the simulated kernel answers as Linux (${name})`, async () => {
      check(recordings.length > 0, `${name} has no recording`);
      using kernel = await bootMock();
      using player = new Player(kernel);
      const found = recordings.flatMap((recording) => differenceOf(player, recording) ?? []);
      check(found.length === 0, found.join("\n"));
    });
  }
}
