/**
 * The results as a picture.
 *
 * @module
 */
import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import { NATIVE, peerOf, type Report, text } from "./report.ts";

const COLOURS = { met: "#2a7f62", missed: "#c8553d", peer: "#8a8a8a" };

/** Pixels from the lowest share to the highest. */
const WIDTH = 520;

interface Bar {
  readonly work: string;
  readonly share: number;
  readonly outcome: "met" | "missed";
  readonly label: string;
}

/** Goals as one vertical line, and how far from it each figure is. */
function specification({ results, date }: Report): TopLevelSpec {
  const values = results.flatMap(({ name, value, unit, goal }): Bar[] =>
    goal === undefined ? [] : [{ work: name, share: goal.share, outcome: goal.met ? "met" : "missed", label: text(value, unit) }]
  );
  const natives = results.flatMap((result) => {
    const native = peerOf(result, NATIVE);
    return native === undefined || result.goal === undefined
      ? []
      : [{ work: result.name, share: result.goal.share * native / result.value }];
  });
  const y = { field: "work", type: "nominal", sort: null, title: null, axis: { labelLimit: 0 } } as const;
  const x = { field: "share", type: "quantitative", scale: { type: "log" }, title: "share of the goal: left of the line is met" } as const;
  const colour = {
    field: "outcome",
    type: "nominal",
    scale: { domain: ["met", "missed"], range: [COLOURS.met, COLOURS.missed] },
    title: null,
    legend: { orient: "bottom" },
  } as const;
  return {
    title: `Goals and figures, WebAssembly in Deno, ${date}; a tick is the same core compiled natively`,
    width: WIDTH,
    layer: [
      { data: { values: [{ goal: 1 }] }, mark: { type: "rule", strokeWidth: 2 }, encoding: { x: { field: "goal", type: "quantitative" } } },
      { data: { values }, mark: { type: "circle", size: 90, opacity: 1 }, encoding: { y, x, color: colour } },
      { data: { values: natives }, mark: { type: "tick", thickness: 2, color: COLOURS.peer }, encoding: { y, x } },
      { data: { values }, mark: { type: "text", align: "left", x: WIDTH + 12 }, encoding: { y, text: { field: "label" } } },
    ],
  };
}

/** An SVG file's text. */
export async function plotOf(report: Report): Promise<string> {
  return await new View(parse(compile(specification(report)).spec), { renderer: "none" }).toSVG();
}
