/**
 * Cases of the conformance suite that type1 does not pass, by suite, with the reason.
 *
 * @module
 */
import type { Caller } from "../conformance/caller.ts";
import type { Suite } from "../harness.ts";

const HARDWARE = "type1 tells nothing of the hardware: EOPNOTSUPP";
const OPTIONS = "options are type1's own and cannot be changed: memory is charged to the process, and page tables have what pages fit";
const FAULTS = "type1 has no fault queues: EOPNOTSUPP, whatever the rest of the request says";
const GROUPS = "a device that its group gave is reset with files of groups, and its list names groups";
const FILES = "a file is mapped in the process at once, so that it is looked at as soon as its place is found";
const DMA_BUFS = "a file is mapped by the process for type1, which VFIO's dma-bufs are not: EINVAL";
const PREFIX = "a struct or list that can be read in part only is not read at all";
const BEFORE = "an answer that cannot be given is refused before anything is done for it";
/** The model alone: Linux copies through a file in memory, which knows what may be written. */
const READ_ONLY = "the model does not tell memory that may be written from memory that may be read";

/** By suite, then by the beginning of the case's name. */
export const EXEMPT: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "size rule": {
    "of a size beyond all memory": PREFIX,
    "an answer is no longer than the struct": HARDWARE,
    "a new object whose id cannot be written back": READ_ONLY,
    "a mapping whose answer cannot be written back stays": BEFORE,
  },
  "IOVA ranges": { "ranges are compared while they are read": PREFIX },
  OPTION: {
    "RLIMIT_MODE is 0 at first, for the user": OPTIONS,
    "HUGE_PAGES is 1 at first": OPTIONS,
    "HUGE_PAGES cannot be switched off over areas": OPTIONS,
    "HUGE_PAGES cannot be switched off once": OPTIONS,
    "HUGE_PAGES belongs to one IOAS": OPTIONS,
    "the alignment is the larger": OPTIONS,
  },
  BIND_IOMMUFD: { "a bind whose id cannot be written back": READ_ONLY },
  "ATTACH and DETACH": { "an answer that cannot be written back": READ_ONLY },
  IOAS_MAP_FILE: {
    "no such file is EBADF": FILES,
    "without a page table nobody looks at the file's memory": FILES,
    "IOAS_CHANGE_PROCESS takes files only": "all memory is the process's, files included",
  },
  HWPT_ALLOC: {
    "no such fault queue is ENOENT": FAULTS,
    "an IOAS as fault queue is ENOENT": FAULTS,
    "a table over areas that are no whole pages": "memory is pinned when a device comes, and a table without one has none",
  },
  GET_HW_INFO: {
    "the type and the true length": HARDWARE,
    "room behind the data": HARDWARE,
    "without room the length alone": HARDWARE,
    "the kernel's own type": HARDWARE,
    "an unknown flag or a reserved field": HARDWARE,
    "a conventional device has no PASIDs": HARDWARE,
  },
  "fault queues": { "": FAULTS },
  peers: {
    "an IOAS maps a dma-buf": DMA_BUFS,
    "the device's own IOAS takes": DMA_BUFS,
    "DMA reaches registers": DMA_BUFS,
    "a device whose memory is off": DMA_BUFS,
    "a device that is reset": DMA_BUFS,
    "a function that its own register resets": DMA_BUFS,
    "a device that sleeps and wakes": DMA_BUFS,
    "writing the command register": DMA_BUFS,
    "closing the device takes its BAR": DMA_BUFS,
    "copies and page tables that come later have the BAR": DMA_BUFS,
    "by the typed API a BAR is exported": DMA_BUFS,
  },
  "typed API": {
    "a nesting parent can be made": HARDWARE,
    "memory files can be paid for": "all memory is the process's, files included",
  },
  "hot reset": {
    "the list names both functions": GROUPS,
    "a second device that is bound has its id": GROUPS,
  },
};

/** What the virtual machine's Linux answers otherwise. */
const OF_LINUX: typeof EXEMPT = {
  device: {
    "hot reset of a device on a bus that cannot be reset":
      "a device that its group gave is reset with files of groups, so that none is EINVAL",
  },
  "hot reset": { "who has the group resets the bus": GROUPS },
};

/** The same on Linux: what concerns the model alone passes there. */
export const EXEMPT_ON_LINUX: typeof EXEMPT = Object.fromEntries(
  [...new Set([...Object.keys(EXEMPT), ...Object.keys(OF_LINUX)])].map((suite) => {
    const cases = Object.entries({ ...EXEMPT[suite], ...OF_LINUX[suite] });
    return [suite, Object.fromEntries(cases.filter(([, why]) => why !== READ_ONLY))];
  }),
);

/** The same for a process that may pin only so much. */
export const EXEMPT_LIMITED: typeof EXEMPT = {
  memlock: { "pages that COPY shares are charged once": "type1 charges memory for each area, and for each group that sees it" },
};

/** Suites without the cases that are exempt. @throws {Error} if one of those does not exist: then its reason is out of date. */
export function withoutExempt(suites: readonly Suite<Caller>[], exempt: typeof EXEMPT = EXEMPT): Suite<Caller>[] {
  for (const [name, cases] of Object.entries(exempt)) {
    const suite = suites.find((suite) => suite.name === name);
    for (const start of Object.keys(cases)) {
      if (!suite?.cases.some((one) => one.name.startsWith(start))) throw new Error(`There is no case "${name}: ${start}…" to exempt`);
    }
  }
  return suites.map((suite) => {
    const starts = Object.keys(exempt[suite.name] ?? {});
    return { ...suite, cases: suite.cases.filter(({ name }) => !starts.some((start) => name.startsWith(start))) };
  });
}
