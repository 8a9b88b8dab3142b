/**
 * The kinds of machine that the tests run on.
 *
 * @module
 */

/** A kernel and what it is asked to do. */
export interface Variant {
  /** What it is, for people. */
  readonly about: string;
  /** Fragments of kernel configuration, in this folder: each changes what those before it said. */
  readonly fragments: readonly string[];
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
    fragments: ["kernel.config"],
    append: "intel_iommu=on,sm_on",
  },
  type1: {
    about: "Linux without iommufd, as Debian ships it: VFIO's group, container and type1",
    fragments: ["kernel.config", "no_iommufd.config"],
    append: "intel_iommu=on,sm_on",
    tests: ["guest_test.ts"],
  },
};
