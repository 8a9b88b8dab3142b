/**
 * Which process has a file open, from /proc.
 *
 * @module
 */
import type { Kernel } from "../../uapi/kernel.ts";
import { linkName } from "../pci/sysfs.ts";
import { listNames, readLink, readText } from "./facts.ts";

/** A process that has one of the files open. */
export interface Holder {
  /** Its number. */
  readonly pid: number;
  /** What it is called. */
  readonly name: string;
  /** Which of the files. */
  readonly path: string;
}

/** Processes that are looked through at most: an error must not take seconds. */
const PROCESSES_MAX = 4096;

/**
 * The first other process that has one of `paths` open; undefined if none can be seen. Processes of other users are seen by root alone.
 */
export function otherHolder(kernel: Kernel, paths: readonly string[]): Holder | undefined {
  const self = linkName(kernel, "/proc/self");
  const processes = listNames(kernel, "/proc").filter((name) => /^\d+$/.test(name) && name !== self).slice(0, PROCESSES_MAX);
  for (const pid of processes) {
    for (const fd of listNames(kernel, `/proc/${pid}/fd`)) {
      const path = readLink(kernel, `/proc/${pid}/fd/${fd}`);
      if (path === undefined || !paths.includes(path)) continue;
      return { pid: Number(pid), name: readText(kernel, `/proc/${pid}/comm`) ?? "?", path };
    }
  }
  return undefined;
}

/** A holder as an error names it. */
export function nameHolder({ pid, name }: Holder): string {
  return `process ${pid} (${name.replace(/[^\x20-\x7e]|[{}[\]]/g, "?")})`;
}
