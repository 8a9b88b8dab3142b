import { declare } from "./declare.ts";
import { CASES } from "./amdvi.ts";

declare(CASES);
