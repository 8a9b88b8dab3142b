/**
 * How `deno task bench` puts rounds together, and what it says to a wrong command line. What it measures is tested by no one.
 */
import { deepStrictEqual, match, strictEqual, throws } from "node:assert/strict";
import fc from "fast-check";
import { combined, fasterOf, figureOf, nativeOf } from "./bench/combine.ts";
import { pageOf } from "./bench/markdown.ts";
import { LINUX, NATIVE, type Report } from "./bench/report.ts";
import type { Round } from "./bench/round.ts";

const MAIN = new URL("./bench/main.ts", import.meta.url).pathname;

const figures = fc.array(fc.double({ min: 0.1, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 9 });

Deno.test("of several figures that of the least trouble is taken", () => {
  fc.assert(fc.property(figures, (values) => {
    strictEqual(combined("ns", values), Math.min(...values));
    strictEqual(combined("bytes", values), Math.min(...values));
    strictEqual(combined("a second", values), Math.max(...values));
  }));
});

Deno.test("of several quotients the median is taken", () => {
  fc.assert(fc.property(figures, (values) => {
    const median = combined("× from 1,000 to 1,000,000", values);
    const [below, above] = [values.filter((value) => value < median), values.filter((value) => value > median)];
    strictEqual(values.includes(median), true);
    strictEqual(below.length <= values.length / 2 && above.length <= values.length / 2, true);
  }));
});

Deno.test("peers are combined each for itself, and may be absent in a round", () => {
  const first = { value: 3, peers: { memcpy: 5, other: 1 } };
  deepStrictEqual(figureOf("ns", [first, { value: 2, peers: { memcpy: 7 } }]), { value: 2, peers: { memcpy: 5, other: 1 } });
  deepStrictEqual(figureOf("a second", [first, { value: 2, peers: { memcpy: 7 } }]), { value: 3, peers: { memcpy: 7, other: 1 } });
  deepStrictEqual(figureOf("ns", [{ value: 1 }]), { value: 1, peers: {} });
});

Deno.test("floors and native figures are the lowest, of those that were measured", () => {
  const floor = { what: "a page", reference: 1 };
  deepStrictEqual(fasterOf({ page: { ...floor, c: 2, wasm: 3 } }, { page: { ...floor, wasm: 2 } }), { page: { ...floor, c: 2, wasm: 2 } });
  deepStrictEqual(fasterOf({ page: floor }, { page: floor }), { page: floor });
  const rounds = [{ native: { map: 4, unmap: 2 } }, { native: { map: 3, unmap: 5 } }] as unknown as Round[];
  deepStrictEqual(nativeOf(rounds), { map: 3, unmap: 2 });
  // A round in which cargo failed has none.
  deepStrictEqual(nativeOf([{ native: {} } as Round, ...rounds]), { map: 3, unmap: 2 });
});

Deno.test("a page has a run's figures in the places of those before", () => {
  const goal = { text: "≤ 29 ns", share: 1.25, met: false };
  const peers = [{ name: NATIVE, value: 20 }, { name: LINUX, value: 44 }, { name: "crate x86_64", value: 80 }];
  const report: Report = {
    date: "2026-01-02",
    machine: "2 × some processor",
    rounds: 3,
    scale: 2,
    floors: { fill: { what: "a PTE written", reference: 0.27, c: 0.5 } },
    results: [{ name: "map 4 KiB", unit: "ns", value: 40, peers, goal }],
    notes: [],
  };
  const places = ["run", "goals", "peers", "floors"].map((part) => `before ${part}\n<!-- bench: ${part} -->\nold\n<!-- bench: end -->\n`)
    .join("");
  const page = pageOf(places, report, "abcdef0");
  strictEqual(page.includes("old"), false);
  match(page, /2026-01-02, commit abcdef0, 2 × some processor, `npx --yes deno task bench --rounds 3 --docs`/);
  match(page, /0 of 1 goals are met/);
  match(page, /\| map 4 KiB \| 40\.0 ns \| 2\.00 \| 22\.0 ns \| ≤ 29 ns \| 1\.25× \|/);
  match(page, /\| map 4 KiB \| 40\.0 ns \| crate x86_64 \| 80\.0 ns \| 0\.50 \|/);
  match(page, /\| a PTE written \| 0\.500 ns \| 0\.270 ns \| {2}\|/);
  strictEqual(pageOf(page, report, "abcdef0"), page);
  throws(() => pageOf("no place", report, "abcdef0"), /no part "<!-- bench: run -->"/);
});

for (
  const [words, said] of [
    [["--rounds", "0"], /"0" rounds: 1 to 99/],
    [["--rounds", "many"], /"many" rounds/],
    [["--filter", "no such line"], /No line has "no such line"/],
    [["--docs", "--filter", "DMA"], /--docs and --filter exclude/],
    [["--wrong"], /--wrong/],
  ] as const
) {
  Deno.test(`deno task bench ${words.join(" ")} is refused`, async () => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args: ["run", "--allow-all", MAIN, ...words] }).output();
    const text = new TextDecoder().decode(stderr);
    deepStrictEqual([code, stdout.length], [2, 0]);
    match(text, said);
    match(text, /Try: deno task bench --help/);
  });
}
