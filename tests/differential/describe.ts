/**
 * Sequences and their answers in words.
 *
 * @module
 */
import { decodeRequest, formatFields } from "../../uapi/decode.ts";
import { errnoName } from "../../uapi/errno.ts";
import { requestNumbered } from "../../uapi/schema/layout.ts";
import { type Outcome, type Player, shapeOf } from "./play.ts";
import { type RequestStep, type Step, valueText } from "./sequence.ts";

function apply(changes: string, bytes: Uint8Array): Uint8Array {
  const after = bytes.slice();
  for (const run of changes === "" ? [] : changes.split(",")) {
    const [at, hex] = run.split(":") as [string, string];
    for (let byte = 0; 2 * byte < hex.length; byte++) after[parseInt(at, 16) + byte] = parseInt(hex.slice(2 * byte, 2 * byte + 2), 16);
  }
  return after;
}

/** Whether the number of a request leads to its struct. */
function isDecoded(request: string): boolean {
  const { number } = shapeOf(request);
  return requestNumbered(number)?.name === request.split("/")[0];
}

/** What a call answered: `OK iova=0x1000`, `EINVAL`. `player` made the call last. */
export function outcomeText(player: Player, step: Step, { result, changes, data }: Outcome): string {
  const parts = [result < 0 ? errnoName(-result) : result === 0 ? "OK" : `OK (${result})`];
  if (step.call === "ioctl" && changes !== "") {
    const { number, length, struct } = shapeOf(step.request);
    const after = apply(changes, player.before.subarray(0, length));
    // Requests of containers have the numbers of others.
    parts.push(struct === undefined || !isDecoded(step.request) ? `bytes ${changes}` : formatFields(decodeRequest(number, after), "out"));
  }
  if (data !== "") parts.push(`memory ${data}`);
  return parts.join(" ");
}

/** Where bytes are and which, as far as a step says so. */
function placeTexts({ at, data }: Pick<RequestStep, "at" | "data">): string[] {
  return [
    ...(at === undefined ? [] : [`at 0x${at.toString(16)}`]),
    ...(data === undefined ? [] : [`data [${data.map(valueText).join(", ")}]`]),
  ];
}

/** A call: `2 IOAS_MAP of 0.file: flags=…`. `player` made it last. */
export function stepText(player: Player, step: Step): string {
  switch (step.call) {
    case "open":
      return `${step.id} open("/dev/iommu")`;
    case "memfd":
      return `${step.id} memfd of ${step.length} bytes`;
    case "close":
      return `${step.id} close(${valueText(step.file)})`;
    case "read":
    case "write":
      return [`${step.id} ${step.call} of ${step.length} bytes of ${valueText(step.file)}`, ...placeTexts(step)].join(", ");
    case "ioctl": {
      const { number, length } = shapeOf(step.request);
      const fields = isDecoded(step.request)
        ? formatFields(decodeRequest(number, player.before.subarray(0, length)), "in")
        : Object.entries(step.fields).map(([name, value]) => `${name}=${valueText(value)}`).join(", ");
      const more = [
        ...(step.tail === undefined ? [] : [`behind it ${step.tail}`]),
        ...placeTexts(step),
      ];
      return `${step.id} ${step.request} of ${valueText(step.file)}: ${[fields, ...more].filter((part) => part !== "").join(", ")}`;
    }
  }
}

/** A call that was just made on both kernels, with both answers. */
export function callText(first: Player, second: Player, step: Step, answers: readonly [Outcome, Outcome]): string {
  const [one, other] = answers;
  return `${stepText(first, step)} → ${first.kernel.name}: ${outcomeText(first, step, one)}, ${second.kernel.name}: ${
    outcomeText(second, step, other)
  }`;
}

/** A sequence in which two kernels differ, with the answers of both, one line a call. */
export function differenceText(first: Player, second: Player, steps: readonly Step[]): string {
  const lines: string[] = [];
  first.restart();
  second.restart();
  for (const step of steps) {
    const one = first.play(step);
    const asked = stepText(first, step);
    const answers = [outcomeText(first, step, one), outcomeText(second, step, second.play(step))];
    const same = answers[0] === answers[1];
    lines.push(
      same ? `  ${asked} → ${answers[0]}` : `≠ ${asked}\n    ${first.kernel.name}: ${answers[0]}\n    ${second.kernel.name}: ${answers[1]}`,
    );
  }
  first.restart();
  second.restart();
  return lines.join("\n");
}
