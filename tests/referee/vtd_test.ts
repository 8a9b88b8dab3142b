import { declare } from "./declare.ts";
import { CASES } from "./vtd.ts";

declare(CASES);
