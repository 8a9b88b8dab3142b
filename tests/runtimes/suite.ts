/**
 * What runs outside Deno: the quickstart, the conformance suite and the security rules. `tests/runtimes/runtimes_test.ts` bundles it for Node
 * and for a page.
 *
 * @module
 */
import { quickstart } from "../../examples/quickstart.ts";
import { equal } from "../check.ts";
import { CONFORMANCE, hostOf } from "../conformance/mod.ts";
import { openSimulated } from "../conformance/simulated.ts";
import { describeFailure, runSuites, type Suite } from "../harness.ts";
import { RULES, WORLDS } from "../rules/mod.ts";
