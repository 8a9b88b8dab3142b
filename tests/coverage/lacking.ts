/**
 * What the table of coverage says of Linux, against what was seen.
 *
 * @module
 */
import { coverage } from "../../tools/coverage.ts";
import type { Seen } from "./observer.ts";

/** Names that the table says are done by this IOMMU of Linux, and that no request had done; in words. */
export function lacking(seen: Seen, by: "VT-d" | "mock"): string[] {
  return coverage().filter(({ title }) => !title.startsWith("Objects")).flatMap(({ rows }) => rows)
    .filter(({ linux, name }) => linux.split(", ").includes(by) && seen.get(name) !== true)
    .map(({ name }) => `${name} is said to be done by ${by}, and was ${seen.has(name) ? "refused" : "never asked"}`);
}
