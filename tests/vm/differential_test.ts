/**
 * The simulated kernel answers as Linux: hundreds of thousands of raw requests, drawn from a seed, asked of both in one process, every answer equal.
 *
 * DIFFERENTIAL_REQUESTS and DIFFERENTIAL_SEED ask for more, or for others.
 */
import { linux } from "../../backends/linux/mod.ts";
import { NoHugePages } from "../differential/huge_pages.ts";
import { bootMock } from "../differential/machine.ts";
import { compare, findingText } from "../differential/run.ts";

const REQUESTS = Number(Deno.env.get("DIFFERENTIAL_REQUESTS") ?? 200_000);
const SEED = Number(Deno.env.get("DIFFERENTIAL_SEED") ?? 1);
const SECONDS_BETWEEN_REPORTS = 20;

Deno.test(`${REQUESTS} raw requests from seed ${SEED} on are answered equally by Linux and by the simulated kernel`, async () => {
  using _setting = new NoHugePages();
  using first = await linux();
  using second = await bootMock();
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  let reported = 0;
  const report = (calls: number) => console.log(`${calls} requests compared in ${seconds().toFixed(0)} s`);
  const { calls, finding } = compare(first, second, {
    calls: REQUESTS,
    seed: SEED,
    onDifference: (seed, calls, text) =>
      console.log(`The kernels differ in call ${calls} of seed ${seed}, ${text}\nLooking for the shortest form`),
    onProgress(done) {
      if (seconds() - reported < SECONDS_BETWEEN_REPORTS) return;
      reported = seconds();
      report(done);
    },
  });
  report(calls);
  if (finding !== undefined) throw new Error(findingText(finding));
});
