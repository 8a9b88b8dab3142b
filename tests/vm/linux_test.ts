/**
 * The conformance suite on the real kernel: the cases of the simulated machine, with what Linux 7.3 and QEMU's devices have as data.
 *
 * @module
 */
import { CONFORMANCE, hostOf } from "../conformance/mod.ts";
import { register } from "../harness.ts";
import { openLinux } from "./linux_setup.ts";
import { IS_IOMMUFD } from "./this_guest.ts";

if (IS_IOMMUFD) register(CONFORMANCE, hostOf(openLinux), Deno.test, "linux: ");
