/**
 * The conformance suite on the real kernel: the cases of the simulated machine, with what Linux 7.3 and QEMU's devices have as data.
 *
 * @module
 */
import { CONFORMANCE, hostOf } from "../conformance/mod.ts";
import { register } from "../harness.ts";
import { IS_IOMMUFD, openLinux } from "./linux_setup.ts";

if (IS_IOMMUFD) register(CONFORMANCE, hostOf(openLinux), Deno.test, "linux: ");
