/**
 * OPTION and VFIO_IOAS: settings of an iommufd and of an IOAS.
 *
 * @module
 */
import { OPTION_HUGE_PAGES, OPTION_OP_GET, OPTION_OP_SET, OPTION_RLIMIT_MODE } from "../../uapi/codec.ts";
import { VFIO_IOAS_CLEAR, VFIO_IOAS_GET, VFIO_IOAS_SET } from "../../uapi/codec.ts";
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import type { Depends } from "./setup.ts";
import {
  attach,
  attached,
  detach,
  iommuWithIoas,
  mapAt,
  newIoas,
  NO_ID,
  openBound,
  PAGE,
  PAGE64,
  unmap,
  usableRanges,
  USER_BASE,
} from "./steps.ts";

/** Who may choose who pays. */
const SET_MODE: Depends<string> = {
  feature: "resource-capability",
  with: "OK",
  without: "EPERM",
  why: "the mode is for a service that pins for others, which runs with CAP_SYS_RESOURCE",
};

function get(t: Caller, iommu: number, option: number, object = 0): bigint {
  return t.do(iommu, "OPTION", { option_id: option, op: OPTION_OP_GET, object_id: object, val64: 99n }).big("val64");
}

function setHugePages(t: Caller, iommu: number, ioas: number, value: number): string {
  return t.ask(iommu, "OPTION", { option_id: OPTION_HUGE_PAGES, op: OPTION_OP_SET, object_id: ioas, val64: value }).code;
}

const RLIMIT_MODE: Suite<Caller>["cases"] = [
  {
    name: "RLIMIT_MODE is 0 at first, for the user, and can be set to 1 before there are objects",
    run(t) {
      const iommu = t.iommu();
      equal(get(t, iommu, OPTION_RLIMIT_MODE), 0n);
      const set = (value: number) => t.ask(iommu, "OPTION", { option_id: OPTION_RLIMIT_MODE, op: OPTION_OP_SET, val64: value }).code;
      equal(set(1), t.expected(SET_MODE));
      equal(get(t, iommu, OPTION_RLIMIT_MODE), t.has("resource-capability") ? 1n : 0n);
      equal(set(2), t.expected({ ...SET_MODE, with: "EINVAL" }));
      const ioas = newIoas(t, iommu);
      equal(set(0), t.expected({ ...SET_MODE, with: "EBUSY" }));
      equal(set(2), t.expected({ ...SET_MODE, with: "EBUSY" }));
      t.do(iommu, "DESTROY", { id: ioas });
      equal(set(0), t.expected(SET_MODE));
    },
  },
  {
    name: "RLIMIT_MODE of an object, an unknown option, operation or a reserved field is EOPNOTSUPP",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const request = { option_id: OPTION_RLIMIT_MODE, op: OPTION_OP_GET };
      t.refused("EOPNOTSUPP", iommu, "OPTION", { ...request, object_id: ioas });
      t.refused("EOPNOTSUPP", iommu, "OPTION", { ...request, option_id: 2 });
      t.refused("EOPNOTSUPP", iommu, "OPTION", { ...request, op: 2 });
      t.refused("EOPNOTSUPP", iommu, "OPTION", { ...request, __reserved: 1 });
      t.refused("EOPNOTSUPP", iommu, "OPTION", { option_id: OPTION_HUGE_PAGES, op: 2, object_id: ioas });
    },
  },
];

const HUGE_PAGES: Suite<Caller>["cases"] = [
  {
    name: "HUGE_PAGES is 1 at first; 0 makes whole pages the alignment",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      equal(get(t, iommu, OPTION_HUGE_PAGES, ioas), 1n);
      equal(setHugePages(t, iommu, ioas, 0), "OK");
      equal(get(t, iommu, OPTION_HUGE_PAGES, ioas), 0n);
      equal(usableRanges(t, iommu, ioas).alignment, PAGE64);
      equal(setHugePages(t, iommu, ioas, 1), "OK");
      equal(usableRanges(t, iommu, ioas).alignment, 1n);
    },
  },
  {
    name: "HUGE_PAGES of no IOAS is ENOENT, another value than 0 and 1 EINVAL",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      t.refused("ENOENT", iommu, "OPTION", { option_id: OPTION_HUGE_PAGES, op: OPTION_OP_GET });
      t.refused("ENOENT", iommu, "OPTION", { option_id: OPTION_HUGE_PAGES, op: OPTION_OP_SET, object_id: NO_ID, val64: 7 });
      for (const value of [2, -1]) equal(setHugePages(t, iommu, ioas, value), "EINVAL");
    },
  },
  {
    name: "HUGE_PAGES cannot be switched off over areas that are no whole pages: EADDRINUSE, and it stays on",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      mapAt(t, iommu, ioas, 0x1_0000n, USER_BASE, 100);
      equal(setHugePages(t, iommu, ioas, 0), "EADDRINUSE");
      equal(get(t, iommu, OPTION_HUGE_PAGES, ioas), 1n);
      unmap(t, iommu, ioas, 0x1_0000n, 100);
      mapAt(t, iommu, ioas, 0x1_0000n, USER_BASE, PAGE);
      equal(setHugePages(t, iommu, ioas, 0), "OK");
    },
  },
  {
    name: "HUGE_PAGES cannot be switched off once a page table shows areas: EINVAL; without areas, or on again, it can",
    run(t) {
      const { iommu, ioas } = attached(t);
      equal(setHugePages(t, iommu, ioas, 0), "OK");
      mapAt(t, iommu, ioas, 0x1_0000n, t.memory(PAGE), PAGE);
      equal(setHugePages(t, iommu, ioas, 0), "OK", "off while it is off");
      equal(setHugePages(t, iommu, ioas, 1), "OK");
      equal(setHugePages(t, iommu, ioas, 0), "EINVAL");
      equal(get(t, iommu, OPTION_HUGE_PAGES, ioas), 1n);
    },
  },
  {
    name: "HUGE_PAGES belongs to one IOAS",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const other = newIoas(t, iommu);
      setHugePages(t, iommu, ioas, 0);
      equal([get(t, iommu, OPTION_HUGE_PAGES, ioas), get(t, iommu, OPTION_HUGE_PAGES, other)], [0n, 1n]);
    },
  },
  {
    name: "the alignment is the larger of what the option and the page tables ask for",
    run(t) {
      const { iommu, ioas, device } = attached(t);
      setHugePages(t, iommu, ioas, 0);
      detach(t, device);
      equal(usableRanges(t, iommu, ioas).alignment, PAGE64);
      attach(t, device, ioas);
      setHugePages(t, iommu, ioas, 1);
      equal(usableRanges(t, iommu, ioas).alignment, PAGE64);
    },
  },
];

const VFIO_IOAS: Suite<Caller>["cases"] = [
  {
    name: "VFIO_IOAS: none is ENODEV; set, read and cleared",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      t.refused("ENODEV", iommu, "VFIO_IOAS", { op: VFIO_IOAS_GET });
      t.do(iommu, "VFIO_IOAS", { op: VFIO_IOAS_SET, ioas_id: ioas });
      equal(t.do(iommu, "VFIO_IOAS", { op: VFIO_IOAS_GET }).number("ioas_id"), ioas);
      t.do(iommu, "VFIO_IOAS", { op: VFIO_IOAS_CLEAR });
      t.refused("ENODEV", iommu, "VFIO_IOAS", { op: VFIO_IOAS_GET });
    },
  },
  {
    name: "VFIO_IOAS: no such IOAS is ENOENT, an unknown operation or a reserved field EOPNOTSUPP",
    run(t) {
      const iommu = t.iommu();
      const { id } = openBound(t, iommu);
      for (const ioas_id of [0, id, NO_ID]) t.refused("ENOENT", iommu, "VFIO_IOAS", { op: VFIO_IOAS_SET, ioas_id });
      t.refused("EOPNOTSUPP", iommu, "VFIO_IOAS", { op: 3 });
      t.refused("EOPNOTSUPP", iommu, "VFIO_IOAS", { op: VFIO_IOAS_CLEAR, __reserved: 1 });
    },
  },
  {
    name: "VFIO_IOAS forgets an IOAS that is destroyed",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      t.do(iommu, "VFIO_IOAS", { op: VFIO_IOAS_SET, ioas_id: ioas });
      t.do(iommu, "DESTROY", { id: ioas });
      t.refused("ENODEV", iommu, "VFIO_IOAS", { op: VFIO_IOAS_GET });
    },
  },
];

/** OPTION, VFIO_IOAS. */
export const OPTIONS: Suite<Caller> = { name: "OPTION", cases: [...RLIMIT_MODE, ...HUGE_PAGES, ...VFIO_IOAS] };
