/**
 * The conformance suite: what Linux 7.3's iommufd and VFIO answer, asked of any {@linkcode Kernel} as raw bytes.
 *
 * A case knows nothing of the kernel below. Where kernels are meant to differ, the case names the feature and the reason ({@linkcode Depends}).
 *
 * @module
 */
import { type Host, type Report, runSuites, type Suite } from "../harness.ts";
import { ABSENT } from "./absent.ts";
import { ACCESSES } from "./access.ts";
import { ATTACH } from "./attach.ts";
import { BIND } from "./bind.ts";
import { Caller } from "./caller.ts";
import { CONTAINER } from "./container.ts";
import { DEVICE_INFO } from "./device_info.ts";
import { DMA } from "./dma.ts";
import { DMABUFS } from "./dmabuf.ts";
import { EVENTFD } from "./eventfd.ts";
import { FAULT_QUEUES } from "./fault_queues.ts";
import { FILES } from "./files.ts";
import { GROUPS } from "./groups.ts";
import { HOT_RESET } from "./hot_reset.ts";
import { HW_INFO } from "./hw_info.ts";
import { HWPT_ALLOC_SUITE } from "./hwpt_alloc.ts";
import { IOAS_COPY_SUITE } from "./ioas_copy.ts";
import { IOAS_MAP_SUITE } from "./ioas_map.ts";
import { IOAS_MAP_FILE_SUITE } from "./ioas_map_file.ts";
import { IOAS_UNMAP_SUITE } from "./ioas_unmap.ts";
import { IOVA_RANGES } from "./iova_ranges.ts";
import { IRQS } from "./irqs.ts";
import { MEMLOCK } from "./memlock.ts";
import { MEMORY } from "./memory.ts";
import { SMMUV3_GUESTS } from "./guests.ts";
import { NESTED } from "./nested.ts";
import { NO_IOMMU } from "./no_iommu.ts";
import { OBJECTS } from "./objects.ts";
import { OPTIONS } from "./option.ts";
import { PASIDS } from "./pasid.ts";
import { PEERS } from "./peers.ts";
import { PLACEMENT } from "./placement.ts";
import { REGIONS } from "./regions.ts";
import { SELFTEST } from "./selftest.ts";
import { SELFTEST_DIRTY } from "./selftest_dirty.ts";
import { SELFTEST_FAULTS } from "./selftest_faults.ts";
import { SELFTEST_NESTED } from "./selftest_nested.ts";
import { SELFTEST_PASIDS } from "./selftest_pasid.ts";
import { SELFTEST_TYPED } from "./selftest_typed.ts";
import { SELFTEST_VIOMMU } from "./selftest_viommu.ts";
import type { Setup } from "./setup.ts";
import { SIZE_RULE } from "./size_rule.ts";
import { TYPED } from "./typed.ts";
import { UNPLUG } from "./unplug.ts";

export type { Depends, Feature, Setup, TestDevices } from "./setup.ts";

/** All suites, in the order in which a new backend makes them pass. */
export const CONFORMANCE: readonly Suite<Caller>[] = [
  MEMORY,
  FILES,
  OBJECTS,
  SIZE_RULE,
  IOAS_MAP_SUITE,
  IOAS_UNMAP_SUITE,
  PLACEMENT,
  IOVA_RANGES,
  OPTIONS,
  IOAS_COPY_SUITE,
  BIND,
  ATTACH,
  GROUPS,
  DEVICE_INFO,
  HOT_RESET,
  REGIONS,
  DMA,
  PEERS,
  IOAS_MAP_FILE_SUITE,
  HWPT_ALLOC_SUITE,
  FAULT_QUEUES,
  PASIDS,
  HW_INFO,
  ABSENT,
  EVENTFD,
  IRQS,
  TYPED,
];

/** The suites for a process that may pin only so much memory. */
export const LIMITED: readonly Suite<Caller>[] = [MEMLOCK];

/** The suites for a machine whose devices can be taken away and put back. */
export const PLUGGABLE: readonly Suite<Caller>[] = [UNPLUG];

/** The suites for a VT-d with the feature "nesting". */
export const NESTING: readonly Suite<Caller>[] = [NESTED];

/** The suites for an SMMUv3 with the feature "nesting". */
export const GUESTS: readonly Suite<Caller>[] = [SMMUV3_GUESTS];

/** The suites for a machine with a device that has no IOMMU. */
export const BARE: readonly Suite<Caller>[] = [NO_IOMMU];

/** The suites for a kernel with the feature "mock-iommu", which needs no device of {@linkcode TestDevices}. */
export const MOCK: readonly Suite<Caller>[] = [
  SELFTEST,
  SELFTEST_FAULTS,
  SELFTEST_PASIDS,
  SELFTEST_NESTED,
  SELFTEST_VIOMMU,
  SELFTEST_TYPED,
  SELFTEST_DIRTY,
  ACCESSES,
  CONTAINER,
  DMABUFS,
];

/** A host for cases from a function that makes a kernel for each. `open` gets the name of the case. */
export function hostOf(open: (name: string) => Promise<Setup>): Host<Caller> {
  return { open: async (name) => new Caller(await open(name)), close: (caller) => caller.finish() };
}

/** Run all suites, each case on a kernel of its own that `open` makes. */
export function conformance(open: (name: string) => Promise<Setup>): Promise<Report> {
  return runSuites(CONFORMANCE, hostOf(open));
}
