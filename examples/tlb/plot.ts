/**
 * The outcomes as a picture.
 *
 * @module
 */
import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import type { Hardware, Load, Outcome } from "./load.ts";

function specification(load: Load, { iommu, entries }: Hardware, outcomes: readonly Outcome[]): TopLevelSpec {
  const values = outcomes.flatMap(({ strategy, translation, invalidation }) => [
    { strategy, part: "translation", time: translation },
    { strategy, part: "invalidation", time: invalidation },
  ]);
  const { block, order, depth, memory } = load;
  return {
    title: `${order} reads of ${block / 1024} KiB in ${memory / 2 ** 20} MiB, depth ${depth}, ${iommu}, IOTLB of ${entries}`,
    width: 480,
    data: { values },
    mark: "bar",
    encoding: {
      y: { field: "strategy", type: "nominal", sort: null, title: null, axis: { labelLimit: 300 } },
      x: { field: "time", type: "quantitative", title: "ns a read" },
      color: {
        field: "part",
        type: "nominal",
        scale: { domain: ["translation", "invalidation"], range: ["#2a7f62", "#c8553d"] },
        title: null,
      },
    },
  };
}

/** An SVG file's text. */
export async function plotOf(load: Load, hardware: Hardware, outcomes: readonly Outcome[]): Promise<string> {
  return await new View(parse(compile(specification(load, hardware, outcomes)).spec), { renderer: "none" }).toSVG();
}
