/**
 * The conformance suite against recordings of itself: record and replay carry every request of it, byte for byte.
 */
import { record, replay } from "../backends/wrap/mod.ts";
import { equal } from "./check.ts";
import { Caller } from "./conformance/caller.ts";
import { CONFORMANCE } from "./conformance/mod.ts";
import { openSimulated } from "./conformance/simulated.ts";
import { register, type Suite } from "./harness.ts";

/** A case that is recorded, and then runs once more with nothing but the recording below it. */
function recorded(suite: Suite<Caller>): Suite<void> {
  const cases = suite.cases.map(({ name, run }) => ({
    name,
    async run() {
      const lines: string[] = [];
      const setup = await openSimulated();
      const first = new Caller({ ...setup, kernel: record(setup.kernel, (line) => lines.push(line)) });
      try {
        await run(first);
      } finally {
        equal(await first.finish(), []);
      }
      const kernel = replay(lines);
      const second = new Caller({ ...setup, kernel, finish: () => [] });
      await run(second);
      await second.finish();
      equal(kernel.remaining, 0, "calls of the recording that the replay did not make");
    },
  }));
  return { name: suite.name, cases };
}

register(CONFORMANCE.map(recorded), { open: () => Promise.resolve(), close: () => [] }, Deno.test, "replay: ");
