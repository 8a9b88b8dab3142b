/**
 * The conformance suite on the real kernel: the cases of the simulated machine, with what Linux 7.3 and QEMU's devices have as data.
 *
 * @module
 */
import { equal } from "../check.ts";
import { DeviceFd, IommuError, IommuFd } from "../../mod.ts";
import { CONFORMANCE, hostOf, NESTING } from "../conformance/mod.ts";
import { lacking } from "../coverage/lacking.ts";
import { observing, type Seen } from "../coverage/observer.ts";
import { register } from "../harness.ts";
import { DEVICES } from "./devices.ts";
import { openLinux } from "./linux_setup.ts";
import { IS_IOMMUFD } from "./this_guest.ts";

/** Whether the virtual machine's IOMMU nests page tables: QEMU's VT-d does from some version on. The suite "typed API" compares it with what it says. */
async function nests(): Promise<boolean> {
  const setup = await openLinux();
  try {
    using iommu = IommuFd.open(setup.kernel);
    using file = DeviceFd.open(setup.kernel, DEVICES.alone);
    iommu.createIoas().createHwpt(file.bind(iommu), { nestParent: true });
    return true;
  } catch (error) {
    if (error instanceof IommuError && error.code === "EOPNOTSUPP") return false;
    throw error;
  } finally {
    await setup.finish();
  }
}

if (IS_IOMMUFD) {
  const seen: Seen = new Map();
  register(CONFORMANCE, hostOf(observing(openLinux, seen)), Deno.test, "linux: ");
  if (await nests()) register(NESTING, hostOf(openLinux), Deno.test, "linux: ");
  Deno.test("what docs/coverage.md says that Linux does here, it has done in the cases above", () =>
    equal(lacking(seen, "VT-d").join("\n"), ""));
}
