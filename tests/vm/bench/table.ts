/**
 * Results for people, and for programs.
 *
 * @module
 */
import Table from "cli-table3";
import type { Result, Spread } from "./compare.ts";

/** The side that the others are compared with. */
const PEER = "C";

function time(nanoseconds: number): string {
  if (nanoseconds < 1e3) return `${nanoseconds.toFixed(0)} ns`;
  return nanoseconds < 1e6 ? `${(nanoseconds / 1e3).toPrecision(3)} µs` : `${(nanoseconds / 1e6).toPrecision(3)} ms`;
}

function cell(spread: Spread | undefined, peer: Spread | undefined): string {
  if (spread === undefined) return "";
  const ratio = peer === undefined || peer === spread ? "" : `  ${(spread.median / peer.median).toFixed(2)}×`;
  return `${time(spread.median)} (${time(spread.lower)} to ${time(spread.upper)})${ratio}`;
}

/** A table: medians and quartiles of each side, as multiples of C's where there is a C. */
export function tableOf(results: readonly Result[]): string {
  const sides = [...new Set(results.flatMap(({ spreads }) => [...spreads.keys()]))];
  const table = new Table({ head: ["one operation", ...sides, "goal"], style: { head: [], border: [] } });
  for (const { work, spreads } of results) {
    const cells = sides.map((side) => cell(spreads.get(side), spreads.get(PEER)));
    table.push([work.name, ...cells, work.goal === undefined ? "" : `${work.goal}×`]);
  }
  return table.toString();
}

/** One line of JSON for each work and side. */
export function linesOf(results: readonly Result[]): string {
  const lines = results.flatMap(({ work, spreads }) =>
    [...spreads].map(([side, spread]) => JSON.stringify({ name: work.name, side, ...spread, goal: work.goal }))
  );
  return lines.join("\n");
}
