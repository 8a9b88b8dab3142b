import { declare } from "./declare.ts";
import { CASES } from "./smmuv3.ts";

declare(CASES);
