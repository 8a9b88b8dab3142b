/**
 * The kinds of machine that the tests run on.
 *
 * @module
 */

/** How the kernel is booted, and what runs there. */
export interface Variant {
  /** What it is, for people. */
  readonly about: string;
  /** Added to the kernel's command line. */
  readonly append: string;
  /** The tests of this folder that run there; absent: all. */
  readonly tests?: readonly string[];
}

/** A name of a variant. */
export type VariantName = "iommufd" | "type1";

/** All variants, by name. */
export const VARIANTS: Readonly<Record<VariantName, Variant>> = {
  iommufd: {
    about: "Linux with iommufd, VFIO's device nodes and its older interface; VT-d in scalable mode",
    append: "intel_iommu=on,sm_on",
  },
  type1: {
    about: "Linux booted without iommufd, as on Debian: VFIO's group, container and type1; VT-d in its first mode",
    // One kernel serves both variants: a second build would cost more than all tests. The guest's init hides what is left of VFIO's nodes.
    append: "intel_iommu=on,sm_off initcall_blacklist=iommufd_init",
    tests: ["examples_test.ts", "guest_test.ts", "memlock_test.ts", "rules_test.ts", "type1_test.ts"],
  },
};
