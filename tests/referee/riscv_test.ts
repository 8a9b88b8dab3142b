import { declare } from "./declare.ts";
import { CASES } from "./riscv.ts";

declare(CASES);
