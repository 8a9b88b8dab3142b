/**
 * Any call with any arguments in any order, with devices that do DMA in between: nothing throws, nothing traps, nothing leaks, every invariant
 * of the core holds, no device reads what is not mapped for it, and the same calls give the same run.
 */
import fc from "fast-check";
import { equal } from "../check.ts";
import { type Step, STEPS, take } from "./syscall_steps.ts";
import { bootWorld, type Shape } from "./syscall_world.ts";

/** Steps between two looks at the invariants, which cost more than a step. */
const STEPS_PER_CHECK = 10;

const shapes: fc.Arbitrary<Shape> = fc.record({
  iommu: fc.constantFrom("vtd" as const, "amdvi" as const, "smmuv3" as const, "riscv" as const),
  singleOpen: fc.boolean(),
  groupIoas: fc.constantFrom("requester" as const, "linux" as const),
  pinnable: fc.constantFrom(0, 2, 24, 4096),
  memory: fc.constantFrom(2, 3, 6),
});

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.oneof(
    ...Object.entries(STEPS).map(([kind, { weight }]) => ({ weight, arbitrary: fc.constant(kind) })),
  ),
  seed: fc.nat(2 ** 31 - 1),
});

/** What every program begins with; the rest may take it apart. */
const PROLOGUE: readonly string[] = [
  ...["makeBlock", "makeBlock", "makeBlock", "map", "map", "map", "open", "open", "open", "open", "open", "eventfd", "eventfd"],
  ...["bind", "bind", "bind", "bind", "ioas", "ioas", "attach", "attach", "attach", "mapping", "mapping", "mapping", "enable", "enable"],
];

const programs: fc.Arbitrary<Step[]> = fc.tuple(fc.nat(2 ** 31 - 1), fc.array(step, { minLength: 1, maxLength: 200, size: "max" })).map(
  ([seed, steps]) => [...PROLOGUE.map((kind, index) => ({ kind, seed: seed + index })), ...steps],
);

/** Run a program to its end and beyond. Returns all that it could see. */
async function run(shape: Shape, program: readonly Step[]): Promise<string[]> {
  const world = await bootWorld(shape);
  for (const [index, step] of program.entries()) {
    await take(world, step);
    if (index % STEPS_PER_CHECK === 0) world.check();
  }
  world.check();
  await world.finish();
  return world.log;
}

/** Seconds to look for more than the suite has time for, and where to begin: set by whoever searches. */
const SECONDS = Number(Deno.env.get("SYSCALLS_SECONDS") ?? 0);
const SEED = Number(Deno.env.get("SYSCALLS_SEED") ?? 20_240_731);
const LIMIT = SECONDS > 0 ? { numRuns: 1_000_000, interruptAfterTimeLimit: 1000 * SECONDS } : { numRuns: 150 };

Deno.test("any calls with any arguments leave a machine whose invariants hold, and nothing behind", async () => {
  await fc.assert(fc.asyncProperty(shapes, programs, async (shape, program) => void await run(shape, program)), { seed: SEED, ...LIMIT });
});

Deno.test("the same calls give the same run, call by call", async () => {
  await fc.assert(
    fc.asyncProperty(shapes, programs, async (shape, program) => equal(await run(shape, program), await run(shape, program))),
    { seed: SEED + 1, ...LIMIT, ...(SECONDS > 0 ? {} : { numRuns: 30 }) },
  );
});
