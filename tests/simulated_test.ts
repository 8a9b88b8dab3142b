/**
 * The conformance suite and the security rules on the simulated kernel, with each setting that changes an answer.
 */
import { BARE, CONFORMANCE, GUESTS, hostOf, LIMITED, MOCK, NESTING, PLUGGABLE } from "./conformance/mod.ts";
import { openBare, openMock, openSimulated } from "./conformance/simulated.ts";
import { register } from "./harness.ts";
import { EDUS, PUPPETS, RULES } from "./rules/mod.ts";

register(CONFORMANCE, hostOf(() => openSimulated()), Deno.test, "simulated: ");
register(CONFORMANCE, hostOf(() => openSimulated({ checks: false })), Deno.test, "simulated, the lean core: ");
register(NESTING, hostOf(() => openSimulated({ scalable: true, checks: false })), Deno.test, "simulated, the lean core: ");
register(CONFORMANCE, hostOf(() => openSimulated({ rules: "linux" })), Deno.test, "simulated, Linux's rules: ");
register(CONFORMANCE, hostOf(() => openSimulated({ iommu: "amdvi" })), Deno.test, "simulated, AMD-Vi: ");
register(CONFORMANCE, hostOf(() => openSimulated({ iommu: "amdvi", firstStage: true })), Deno.test, "simulated, AMD v2: ");
register(CONFORMANCE, hostOf(() => openSimulated({ iommu: "smmuv3" })), Deno.test, "simulated, SMMUv3: ");
register(CONFORMANCE, hostOf(() => openSimulated({ iommu: "riscv" })), Deno.test, "simulated, RISC-V: ");
register(CONFORMANCE, hostOf(() => openSimulated({ scalable: true })), Deno.test, "simulated, scalable mode: ");
register(CONFORMANCE, hostOf(() => openSimulated({ scalable: true, firstStage: true })), Deno.test, "simulated, VT-d's first stage: ");
register(NESTING, hostOf(() => openSimulated({ scalable: true })), Deno.test, "simulated: ");
register(NESTING, hostOf(() => openSimulated({ scalable: true, firstStage: true })), Deno.test, "simulated, VT-d's first stage: ");
register(PLUGGABLE, hostOf(() => openSimulated()), Deno.test, "simulated: ");
register(PLUGGABLE, hostOf(() => openSimulated({ rules: "linux" })), Deno.test, "simulated, Linux's rules: ");
register(LIMITED, hostOf(() => openSimulated({ memlock: 65_536 })), Deno.test, "simulated: ");
register(MOCK, hostOf(() => openMock()), Deno.test, "simulated: ");
register(GUESTS, hostOf(() => openSimulated({ iommu: "smmuv3", guests: true })), Deno.test, "simulated, SMMUv3 of both stages: ");
register(BARE, hostOf(() => openBare()), Deno.test, "simulated: ");
register(RULES, PUPPETS, Deno.test);
register(RULES, EDUS, Deno.test, "edu: ");
