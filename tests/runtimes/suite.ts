/**
 * What runs outside Deno: the quickstart, the conformance suite and the security rules. `tests/runtimes/runtimes_test.ts` bundles it for Node
 * and for a page.
 *
 * @module
 */
import { quickstart } from "../../examples/quickstart.ts";
import { equal } from "../check.ts";
import { CONFORMANCE, hostOf, MOCK } from "../conformance/mod.ts";
import { openMock, openSimulated } from "../conformance/simulated.ts";
import { describeFailure, runSuites, type Suite } from "../harness.ts";
import { EDUS, PUPPETS, RULES } from "../rules/mod.ts";

const QUICKSTART: Suite<void> = {
  name: "quickstart",
  cases: [{
    name: "a device fetches what the program wrote, and sends it back",
    async run() {
      equal(await quickstart(), "Hello, IOMMU!");
    },
  }],
};

/** What came of everything. */
export interface RuntimeReport {
  /** Cases that passed. */
  readonly passed: number;
  /** Cases that failed, a line each. */
  readonly failures: readonly string[];
}

/** Run everything, one case after the other. */
export async function runAll(): Promise<RuntimeReport> {
  const reports = [
    await runSuites([QUICKSTART], { open: () => Promise.resolve(), close: () => [] }),
    await runSuites(CONFORMANCE, hostOf(() => openSimulated())),
    await runSuites(MOCK, hostOf(() => openMock())),
    await runSuites(RULES, PUPPETS),
    await runSuites(RULES, EDUS),
  ];
  return {
    passed: reports.reduce((sum, { passed }) => sum + passed.length, 0),
    failures: reports.flatMap(({ failed }) => failed.map(describeFailure)),
  };
}
