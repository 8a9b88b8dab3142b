/**
 * The conformance suite on the real kernel: the cases of the simulated machine, with what Linux 7.3 and QEMU's devices have as data.
 *
 * @module
 */
import { equal } from "../check.ts";
import { CONFORMANCE, hostOf } from "../conformance/mod.ts";
import { lacking } from "../coverage/lacking.ts";
import { observing, type Seen } from "../coverage/observer.ts";
import { register } from "../harness.ts";
import { openLinux } from "./linux_setup.ts";
import { IS_IOMMUFD } from "./this_guest.ts";

if (IS_IOMMUFD) {
  const seen: Seen = new Map();
  register(CONFORMANCE, hostOf(observing(openLinux, seen)), Deno.test, "linux: ");
  Deno.test("what docs/coverage.md says that Linux does here, it has done in the cases above", () =>
    equal(lacking(seen, "VT-d").join("\n"), ""));
}
