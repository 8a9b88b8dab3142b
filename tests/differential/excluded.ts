/**
 * What is not compared yet, and why: what the generator does not reach, and what Linux itself does wrong.
 *
 * @module
 */

const FAULTS = "the generator has no operations yet for the files of fault queues";

/** Requests that are never drawn, by their names, with the reason. */
export const EXCLUDED_REQUESTS: Readonly<Record<string, string>> = {
  FAULT_QUEUE_ALLOC: FAULTS,
  "TEST_CMD/TestTriggerIopf": FAULTS,
  // Seen with Linux 7.3.4: where lists of pages are short, some pages stay pinned when all files are closed.
  "TEST_CMD/TestSetTempMemoryLimit": "it sets a limit for the whole kernel with which Linux loses count of pinned pages",
};

/**
 * How often pages are pinned is not asked in a sequence in which pinning has failed: in about one of fifty sequences with such failures, Linux 7.3.4
 * has left pages pinned that nobody holds, also when all files are closed.
 */
export const PINS_AFTER_FAULTS = "TEST_CMD/TestMdCheckRefs";

/**
 * A mock device goes only when its PASIDs are detached, and so does its iommufd: Linux 7.3's test code forgets them, warns, and uses afterwards what it
 * has freed. They are detached by this request first.
 */
export const PASIDS_FIRST = "TEST_CMD/TestPasidDetach";

/**
 * Pages are marked as written in page tables of IOASes without large pages alone: which pages of memory are neighbours, and so are one large page that
 * is marked as a whole, differs from one kernel to another.
 */
export const MARKS = "TEST_CMD/TestDirty";

/*
 * The file of an access object is never given to IOAS_MAP_FILE. Linux keeps any file that is mapped, also one without memory to pin: an access object
 * would live on when it is closed, and for ever where it is mapped in its own iommufd, as each then holds the other. The simulated kernel keeps what
 * has memory alone.
 */
