/**
 * What is not compared yet, and why: what the generator does not reach, and what Linux itself does wrong.
 *
 * @module
 */

/** Requests that are never drawn, by their names, with the reason. */
export const EXCLUDED_REQUESTS: Readonly<Record<string, string>> = {
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

/**
 * COPY takes areas side by side that are no whole pages, if all of them together are. Linux 7.3.4's page tables do not check for such an area, and this is
 * not asked where its length is no multiple of the table's smallest page, or of a page where an IOAS has no large pages. Of the first Linux's mapping
 * calls itself until the stack is full and the kernel dies, or is ENXIO, as memory lies. In the second case it goes on behind the area, and maps millions
 * of pages that nobody has pinned, until something is in its way (EADDRINUSE) or the table ends (ERANGE).
 */
export const PIECES = "IOAS_COPY";

/**
 * A queue for hardware is asked for in one page alone, unless it is longer than memory can be: which pages of memory are neighbours, as a longer queue
 * needs them, differs from one kernel to another.
 */
export const QUEUES = "HW_QUEUE_ALLOC";

/*
 * The file of an access object is never given to IOAS_MAP_FILE. Linux keeps any file that is mapped, also one without memory to pin: an access object
 * would live on when it is closed, and for ever where it is mapped in its own iommufd, as each then holds the other. The simulated kernel keeps what
 * has memory alone.
 */
