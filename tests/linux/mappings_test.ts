/**
 * Any sequence of mmap, munmap and view against a model of pages.
 *
 * @module
 */
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { LinuxKernel } from "../../backends/linux/kernel.ts";
import { ERRNO } from "../../uapi/errno.ts";
import { MAP_FIXED, MAP_FIXED_NOREPLACE } from "../../uapi/kernel.ts";
import { ANONYMOUS, memory, PAGE, READ_WRITE, test } from "./open.ts";

const PAGES = 12;

interface Step {
  readonly kind: "replace" | "map" | "unmap" | "show";
  readonly page: number;
  readonly pages: number;
}

/** What a page is: which mmap made it, and what was written to it last. Undefined: not mapped. */
type Model = ({ readonly made: number; value: number } | undefined)[];

const STEP: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom("replace", "map", "unmap", "show"),
  page: fc.nat(PAGES - 1),
  pages: fc.integer({ min: 1, max: PAGES }),
}).map(({ kind, page, pages }) => ({ kind, page, pages: Math.min(pages, PAGES - page) }));

interface Shown {
  readonly step: Step;
  readonly array: Uint8Array;
  isLive: boolean;
}

/** What one kernel object did to one window of addresses, and what it should have. */
class Run {
  readonly kernel: LinuxKernel;
  readonly base: bigint;
  readonly model: Model = new Array(PAGES).fill(undefined);
  readonly shown: Shown[] = [];

  constructor(kernel: LinuxKernel, base: bigint) {
    this.kernel = kernel;
    this.base = base;
  }

  do(step: Step, number: number): void {
    const { kind, page, pages } = step;
    const at = this.base + BigInt(page * PAGE);
    const range = this.model.slice(page, page + pages);
    if (kind === "show") this.#show(step, at, range, number);
    else if (kind === "unmap") {
      strictEqual(this.kernel.munmap(at, pages * PAGE), 0);
      this.#replace(step, undefined);
    } else {
      const flag = kind === "replace" ? MAP_FIXED : MAP_FIXED_NOREPLACE;
      const result = this.kernel.mmap(at, pages * PAGE, READ_WRITE, ANONYMOUS | flag, -1, 0);
      const isTaken = kind === "map" && range.some((one) => one !== undefined);
      strictEqual(result, isTaken ? BigInt(-ERRNO.EEXIST) : at);
      if (!isTaken) this.#replace(step, number);
    }
    for (const { array, isLive, step } of this.shown) strictEqual(array.length, isLive ? step.pages * PAGE : 0);
  }

  /** Everything that is mapped has what was written to it last. */
  check(): void {
    const seen = this.model.map((_, page) => this.kernel.view(this.base + BigInt(page * PAGE), PAGE)[1]);
    deepStrictEqual(seen, this.model.map((one) => one?.value));
  }

  #show(step: Step, at: bigint, range: Model, number: number): void {
    const array = this.kernel.view(at, step.pages * PAGE);
    const isShown = range.every((one) => one !== undefined && one.made === range[0]!.made);
    strictEqual(array.length, isShown ? step.pages * PAGE : 0);
    if (!isShown) return;
    for (let page = 0; page < step.pages; page++) array[page * PAGE + 1] = number & 0xff;
    for (const one of range) one!.value = number & 0xff;
    this.shown.push({ step, array, isLive: true });
  }

  #replace({ page, pages }: Step, made: number | undefined): void {
    for (let at = page; at < page + pages; at++) this.model[at] = made === undefined ? undefined : { made, value: 0 };
    for (const one of this.shown) if (one.step.page < page + pages && page < one.step.page + one.step.pages) one.isLive = false;
  }
}

test("any mmap, munmap and view does to each page what the model says, and no array outlives its memory", (kernel) => {
  // Far from where the process gets its memory, so that nothing else comes into the window.
  const base = memory(kernel, PAGES * PAGE, 0x1357_0000_0000n, MAP_FIXED_NOREPLACE);
  kernel.munmap(base, PAGES * PAGE);
  fc.assert(
    fc.property(fc.array(STEP, { minLength: 1, maxLength: 40 }), (steps) => {
      const run = new Run(kernel, base);
      try {
        steps.forEach((step, index) => run.do(step, index + 1));
        run.check();
      } finally {
        kernel.munmap(base, PAGES * PAGE);
      }
    }),
    { numRuns: 300 },
  );
});
