/**
 * Which kind of machine a test is in.
 *
 * @module
 */

/** Whether it is the variant with iommufd. */
export const IS_IOMMUFD: boolean = Deno.env.get("VM_VARIANT") === "iommufd";

/** Whether VT-d is in scalable mode: what the kernel was told on its command line. */
export const IS_SCALABLE: boolean = Deno.readTextFileSync("/proc/cmdline").includes("sm_on");
