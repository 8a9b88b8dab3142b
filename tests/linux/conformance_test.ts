/**
 * The conformance suite on the running kernel, as far as it needs neither an IOMMU nor devices. All of it runs in the virtual machine.
 *
 * @module
 */
import { ok } from "node:assert/strict";
import { LinuxKernel } from "../../backends/linux/kernel.ts";
import { EVENTFD } from "../conformance/eventfd.ts";
import { FILES } from "../conformance/files.ts";
import { MEMORY } from "../conformance/memory.ts";
import type { Caller } from "../conformance/caller.ts";
import { hostOf } from "../conformance/mod.ts";
import type { Setup } from "../conformance/setup.ts";
import { register, type Suite } from "../harness.ts";

const NONE = "none";

/** Cases that open /dev/iommu or a device. */
const NEEDS_IOMMU: Readonly<Record<string, readonly string[]>> = {
  memory: [
    "memory without access takes addresses and nothing else: no view, no argument",
    "files without memory cannot be mapped",
  ],
  eventfd: [],
};

/** Cases about files that need none of both. */
const FILES_OF_ANY_LINUX = [
  "every call on a closed descriptor is EBADF",
];

function open(): Promise<Setup> {
  const kernel = new LinuxKernel();
  return Promise.resolve({
    kernel,
    devices: { alone: NONE, other: NONE, siblings: [NONE, NONE], aliases: [NONE, NONE], messages: NONE, taken: NONE },
    features: new Set(["several-opens", "one-table-a-group"]),
    hardware: { type: 0, dataLength: 0 },
    apertureLast: 0n,
    openFiles: 0,
    finish() {
      kernel[Symbol.dispose]();
      return [];
    },
  });
}

/** A suite with the cases that `isWanted` names; a name that no case has is an error in this file. */
function some(suite: Suite<Caller>, names: readonly string[], isWanted: boolean): Suite<Caller> {
  for (const name of names) ok(suite.cases.some((one) => one.name === name), `${suite.name} has no case "${name}"`);
  return { name: suite.name, cases: suite.cases.filter(({ name }) => names.includes(name) === isWanted) };
}

if (Deno.build.os === "linux") {
  // The library is loaded before any test, so that it is no test's leak.
  const held = new LinuxKernel();
  addEventListener("unload", () => held[Symbol.dispose]());
  const suites = [
    some(MEMORY, NEEDS_IOMMU.memory!, false),
    some(EVENTFD, NEEDS_IOMMU.eventfd!, false),
    some(FILES, FILES_OF_ANY_LINUX, true),
  ];
  register(suites, hostOf(open), Deno.test, "linux: ");
}
