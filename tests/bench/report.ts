/**
 * What was measured, for people and for programs.
 *
 * @module
 */
import Table from "cli-table3";
import type { Floors } from "./floors.ts";
import type { Figure, Goal, Line, Unit } from "./line.ts";
import type { Native } from "./native.ts";

/** What a figure was compared with. */
export interface Peer {
  readonly name: string;
  readonly value: number;
}

/** A line with what was found. */
export interface Result {
  readonly name: string;
  readonly unit: Unit;
  readonly value: number;
  readonly peers: readonly Peer[];
  /** Absent: nothing is asked. */
  readonly goal?: { readonly text: string; readonly share: number; readonly met: boolean };
}

/** All of a run. */
export interface Report {
  /** Day of the run. */
  readonly date: string;
  /** What it ran on. */
  readonly machine: string;
  /** How often everything was measured. */
  readonly rounds: number;
  /** How much slower than the machine of the goals: times, and goals that are times, are scaled by it. */
  readonly scale: number;
  readonly floors: Floors;
  readonly results: readonly Result[];
  /** What was left out, and why. */
  readonly notes: readonly string[];
}

/** The name of the same core's native figure among peers, and of Linux's. */
export const NATIVE = "the same core, native";
export const LINUX = "Linux 7.3, scaled";

/** How much slower than native WebAssembly may be. */
const NATIVE_GOAL = 1.3;

function peersOf({ name, linux, nativeParts = 1 }: Line, figure: Figure, native: Native, scale: number): Peer[] {
  const peers: Peer[] = [];
  const add = (name: string, value: number | undefined) => value === undefined || peers.push({ name, value });
  const same = native[name];
  add(NATIVE, same === undefined || nativeParts === 0 ? undefined : same / nativeParts);
  add(LINUX, linux === undefined ? undefined : linux * scale);
  for (const [id, value] of Object.entries(native)) {
    if (id.startsWith(`${name} / `)) add(id.slice(name.length + 3), value / (nativeParts || 1));
  }
  for (const [peer, value] of Object.entries(figure.peers ?? {})) add(peer, value);
  return peers;
}

function outcome(goal: Goal, figure: Figure, scale: number): NonNullable<Result["goal"]> {
  const share = goal.share(figure, scale);
  return { text: goal.text, share, met: share <= 1 };
}

/** Put a line and its figures together. */
export function resultOf(line: Line, figure: Figure, native: Native, scale: number): Result {
  const { name, unit, goal } = line;
  const peers = peersOf(line, figure, native, scale);
  return { name, unit, value: figure.value, peers, ...(goal && { goal: outcome(goal, figure, scale) }) };
}

const PREFIXES = [[1e6, "ms"], [1e3, "µs"]] as const;

/** A figure for people. */
export function text(value: number, unit: Unit): string {
  if (unit === "ns") {
    const [factor, name] = PREFIXES.find(([factor]) => value >= factor) ?? [1, "ns"];
    return `${(value / factor).toPrecision(3)} ${name}`;
  }
  if (unit === "bytes" || unit === "a second") return `${Math.round(value).toLocaleString("en")} ${unit}`;
  return unit.startsWith("×") ? `${value.toFixed(2)}${unit}` : `${value.toPrecision(3)} ${unit}`;
}

function verdict({ goal }: Result): string {
  return goal === undefined ? "" : goal.met ? "met" : `missed: ${goal.share.toFixed(2)} of it`;
}

function ratio({ value }: Result, peer: Peer): string {
  return `${(value / peer.value).toPrecision(3)}×`;
}

/** Rows of cells: work, ours, peers, their figures, ours as multiples of theirs, goal, whether it is met. */
export function rowsOf(results: readonly Result[]): string[][] {
  return results.map((result) => {
    const { name, unit, value, peers, goal } = result;
    const lines = (cell: (peer: Peer) => string) => peers.map(cell).join("\n");
    const figures = [lines((peer) => peer.name), lines((peer) => text(peer.value, unit)), lines((peer) => ratio(result, peer))];
    return [name, text(value, unit), ...figures, goal?.text ?? "", verdict(result)];
  });
}

/** Column heads of {@linkcode rowsOf}. */
export const HEAD: readonly string[] = ["work", "ours", "peer", "its figure", "ours is", "goal", ""];

function floorsTable({ floors }: Report): string {
  const table = new Table({ head: ["floor, ns", "C", "the goals' machine", "WebAssembly"], style: { head: [], border: [] } });
  const cell = (value: number | undefined) => value?.toPrecision(3) ?? "–";
  for (const { what, c, reference, wasm } of Object.values(floors)) table.push([what, cell(c), cell(reference), cell(wasm)]);
  return table.toString();
}

/** How many goals are met. */
export function goalsSentence({ results }: Report): string {
  const goals = results.flatMap(({ goal }) => goal ?? []);
  return `${goals.filter(({ met }) => met).length} of ${goals.length} goals are met.`;
}

/** The figure of one of a line's peers, if it has it. */
export function peerOf({ peers }: Result, name: string): number | undefined {
  return peers.find((peer) => peer.name === name)?.value;
}

/** How many times as long WebAssembly takes as native code, of all lines that have both. */
function timesNative({ results }: Report): { readonly name: string; readonly times: number }[] {
  return results.flatMap((result) => {
    const native = peerOf(result, NATIVE);
    return native === undefined ? [] : [{ name: result.name, times: result.value / native }];
  });
}

/** On how many lines WebAssembly is as fast as is asked for; empty if none was measured natively. */
export function nativeSentence(report: Report): string {
  const all = timesNative(report);
  if (all.length === 0) return "";
  const near = all.filter(({ times }) => times <= NATIVE_GOAL);
  return `WebAssembly takes at most ${NATIVE_GOAL}× as long as the same core native on ${near.length} of ${all.length} lines.`;
}

function slowerThanNative(report: Report): string {
  const far = timesNative(report).filter(({ times }) => times > NATIVE_GOAL);
  return far.length === 0 ? "" : `Longer: ${far.map(({ name, times }) => `${name} (${times.toFixed(2)})`).join(", ")}.`;
}

/** Tables and remarks. */
export function reportText(report: Report): string {
  const { date, machine, rounds, scale, results, notes } = report;
  const table = new Table({ head: [...HEAD], style: { head: [], border: [] } });
  for (const row of rowsOf(results)) table.push(row);
  return [
    table.toString(),
    floorsTable(report),
    `${date}, ${machine}${rounds > 1 ? `, the best of ${rounds} rounds` : ""}. This machine is ${
      scale.toFixed(2)
    }× as slow as that of the goals, by the median of the floors: goals that are times, and Linux's figures, are scaled by that.`,
    `${goalsSentence(report)} ${nativeSentence(report)} ${slowerThanNative(report)}`.trim(),
    ...notes,
  ].join("\n");
}
