/**
 * The progress bar, on a terminal that is an array.
 *
 * @module
 */
import { deepStrictEqual, match, ok } from "node:assert/strict";
import process from "node:process";
import { showProgress } from "../../examples/nvme/progress.ts";

/** What a use of the bar writes to an error output that is a terminal, or is none. */
async function written(isTTY: boolean, use: () => Promise<void>): Promise<string[]> {
  const { stderr } = process;
  const before = ["isTTY", "write"].map((name) => [name, Object.getOwnPropertyDescriptor(stderr, name)] as const);
  const texts: string[] = [];
  Object.defineProperty(stderr, "isTTY", { configurable: true, value: isTTY });
  Object.defineProperty(stderr, "write", { configurable: true, value: (text: string) => texts.push(text) > 0 });
  try {
    await use();
  } finally {
    for (const [name, descriptor] of before) {
      if (descriptor === undefined) delete (stderr as unknown as Record<string, unknown>)[name];
      else Object.defineProperty(stderr, name, descriptor);
    }
  }
  return texts;
}

/** Half of a job of 4,000,000 bytes, in two seconds, and long enough for a bar that is drawn ten times a second. */
async function half(): Promise<void> {
  using progress = showProgress();
  progress.update(2_000_000, 2, 4_000_000);
  await new Promise((resolve) => setTimeout(resolve, 250));
}

Deno.test("a terminal gets a bar with percentage and throughput, and has its cursor back at the end", async () => {
  const text = (await written(true, half)).join("");
  match(text, /reading .* 50 % \| 1\.0 MB\/s/);
  ok(text.lastIndexOf("\x1b[?25h") > text.lastIndexOf("\x1b[?25l"), "the cursor stays hidden");
});

Deno.test("anything else gets nothing", async () => {
  deepStrictEqual(await written(false, half), []);
});
