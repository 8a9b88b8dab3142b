/**
 * The results as tables of a Markdown file: docs/performance.md.
 *
 * @module
 */
import type { Floors } from "./floors.ts";
import { goalsSentence, LINUX, NATIVE, nativeSentence, peerOf, type Report, text } from "./report.ts";

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** What is asked for, beside what was found. Linux's figures as they were measured, on the machine of the goals. */
function goals({ results, scale }: Report): string {
  const rows = results.flatMap((result) => {
    const { name, value, unit, goal } = result;
    if (goal === undefined) return [];
    const [native, linux] = [peerOf(result, NATIVE), peerOf(result, LINUX)];
    const beside = native === undefined ? "" : (value / native).toFixed(2);
    const share = goal.met ? "met" : `${goal.share.toFixed(2)}×`;
    return [[name, text(value, unit), beside, linux === undefined ? "" : text(linux / scale, unit), goal.text, share]];
  });
  return tableOf(["work, in WebAssembly, from JavaScript", "figure", "÷ native", "native Linux", "goal", "of it"], rows);
}

function peers({ results }: Report): string {
  const rows = results.flatMap(({ name, value, unit, peers }) =>
    peers.filter((peer) => peer.name !== NATIVE && peer.name !== LINUX)
      .map((peer) => [name, text(value, unit), peer.name, text(peer.value, unit), (value / peer.value).toPrecision(2)])
  );
  return tableOf(["work", "ours", "peer", "its figure", "ours ÷ peer"], rows);
}

function floors(found: Floors): string {
  const cell = (value: number | undefined) => value === undefined ? "" : `${value.toPrecision(3)} ns`;
  const rows = Object.values(found).map(({ what, c, reference, wasm }) => [what, cell(c), cell(reference), cell(wasm)]);
  return tableOf(["floor", "in C", "in C, on the goals' machine", "in WebAssembly"], rows);
}

function run(report: Report, commit: string): string {
  const { date, machine, rounds, scale } = report;
  return [
    `${date}, commit ${commit}, ${machine}, \`npx --yes deno task bench --rounds ${rounds} --docs\`.`,
    `The machine is ${scale.toFixed(2)} times as slow as that of the goals.`,
    goalsSentence(report),
    nativeSentence(report),
  ].filter((sentence) => sentence !== "").join("\n");
}

/** `page` with what stands between the marks of a part in place of what was there. @throws {Error} if there are no such marks. */
function replaced(page: string, part: string, content: string): string {
  const [begin, end] = [`<!-- bench: ${part} -->\n`, "\n<!-- bench: end -->"];
  const from = page.indexOf(begin);
  const to = page.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`The page has no part "${begin.trim()}" to "${end.trim()}"`);
  return `${page.slice(0, from)}${begin}\n${content}\n${page.slice(to)}`;
}

/** A page with the run, its goals, peers and floors in their places. @throws {Error} if a place is missing. */
export function pageOf(page: string, report: Report, commit: string): string {
  const parts = { run: run(report, commit), goals: goals(report), peers: peers(report), floors: floors(report.floors) };
  return Object.entries(parts).reduce((page, [part, content]) => replaced(page, part, content), page);
}
