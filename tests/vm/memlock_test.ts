/**
 * The suite for a process that may lock only so much, on the real kernel: as a user without CAP_IPC_LOCK, through both interfaces.
 */
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { LIMITED } from "../conformance/mod.ts";
import { EXEMPT_LIMITED, withoutExempt } from "../type1/exempt.ts";
import { IS_IOMMUFD } from "./this_guest.ts";
import { NOBODY, outcomeOf, startProgram, writeProgram } from "./unprivileged.ts";

/** KiB of memory that the user may lock. */
const MEMLOCK = 64;

/** Runs the cases, and prints what came of them. */
const PROGRAM = `
import { hostOf, LIMITED } from "/tests/conformance/mod.ts";
import { runSuites } from "/tests/harness.ts";
import { EXEMPT_LIMITED, withoutExempt } from "/tests/type1/exempt.ts";
import { openLinux } from "/tests/vm/linux_setup.ts";
import { openType1 } from "/tests/vm/type1_setup.ts";
const [kind, kibibytes] = Deno.args;
const open = kind === "type1" ? openType1 : openLinux;
const suites = kind === "type1" ? withoutExempt(LIMITED, EXEMPT_LIMITED) : LIMITED;
const { passed, failed } = await runSuites(suites, hostOf(async () => ({ ...await open(), memlock: 1024 * kibibytes })));
console.log(JSON.stringify({ passed, failed: failed.map(({ name, error }) => name + ": " + error) }));
`;

/** Nodes that the user needs: of iommufd and its devices, or of the container and the groups. */
function nodes(): string[] {
  const found = IS_IOMMUFD ? ["/dev/iommu"] : [];
  for (const folder of ["/dev/vfio", ...IS_IOMMUFD ? ["/dev/vfio/devices"] : []]) {
    for (const { name, isDirectory } of Deno.readDirSync(folder)) if (!isDirectory) found.push(`${folder}/${name}`);
  }
  return found;
}

for (const kind of IS_IOMMUFD ? ["iommufd", "type1"] as const : ["type1"] as const) {
  Deno.test(`a user who may lock ${MEMLOCK} KiB pins so much and no more, through ${kind}`, async () => {
    const folder = await Deno.makeTempDir();
    const paths = nodes();
    for (const path of paths) Deno.chownSync(path, NOBODY, NOBODY);
    try {
      // The suite looks at its own process in /proc, which takes all of Deno's permissions. The kernel's rights are what is tested.
      const permissions = ["--allow-all"];
      const program = await writeProgram(folder, PROGRAM);
      const env = { VM_VARIANT: Deno.env.get("VM_VARIANT")! };
      const { code, stdout, stderr } = await outcomeOf(startProgram(program, [kind, `${MEMLOCK}`], { memlock: MEMLOCK, permissions, env }));
      strictEqual(code, 0, stderr);
      const suites = kind === "type1" ? withoutExempt(LIMITED, EXEMPT_LIMITED) : LIMITED;
      const passed = suites.flatMap(({ name, cases }) => cases.map((one) => `${name}: ${one.name}`));
      deepStrictEqual(JSON.parse(stdout.trim().split("\n").at(-1)!), { passed, failed: [] });
    } finally {
      for (const path of paths) Deno.chownSync(path, 0, 0);
      await Deno.remove(folder, { recursive: true });
    }
  });
}
