/**
 * The conformance suite and the security rules on type1, below which is a strict model of VFIO's groups and containers with a simulated machine's devices.
 */
import { CONFORMANCE, hostOf, LIMITED } from "./conformance/mod.ts";
import { register } from "./harness.ts";
import { RULES } from "./rules/mod.ts";
import { EXEMPT_LIMITED, withoutExempt } from "./type1/exempt.ts";
import { openType1 } from "./type1/setup.ts";
import { TYPE1_WORLDS } from "./type1/worlds.ts";

register(withoutExempt(CONFORMANCE), hostOf(() => openType1()), Deno.test, "type1: ");
register(withoutExempt(LIMITED, EXEMPT_LIMITED), hostOf(() => openType1({ memlock: 65_536 })), Deno.test, "type1: ");
register(RULES, TYPE1_WORLDS, Deno.test, "type1: ");
