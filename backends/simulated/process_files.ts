/**
 * What Linux shows of a process in /proc, for the process that drives the machine: its limits, what it has pinned, and its capabilities.
 *
 * @module
 */
import type { FileTree } from "./file_tree.ts";
import type { MachineSettings } from "./machine.ts";

/** CAP_IPC_LOCK, CAP_SYS_RAWIO, CAP_SYS_RESOURCE. */
const IPC_LOCK = 1n << 14n;
const SYS_RAWIO = 1n << 17n;
const SYS_RESOURCE = 1n << 24n;

/** Add /proc/self/limits and /proc/self/status. `pinnedPages` tells how many pages of 4 KiB are pinned now. */
export function addProcessFiles(files: FileTree, { limits }: MachineSettings, pinnedPages: () => number): void {
  const lines = [
    ["Limit", "Soft Limit", "Hard Limit", "Units"],
    ["Max open files", limits.openFiles, limits.openFiles, "files"],
    ["Max locked memory", limits.memlock ?? "unlimited", limits.memlock ?? "unlimited", "bytes"],
  ] as const;
  files.file("/proc/self/limits", lines.map((line) => line.map((text) => String(text).padEnd(26)).join("").trimEnd() + "\n").join(""));
  // Without a limit the core pins as it does for a process with the capability.
  const capabilities = SYS_RESOURCE | (limits.memlock === undefined ? IPC_LOCK : 0n) | (limits.rawIo ? SYS_RAWIO : 0n);
  files.file("/proc/self/status", () => {
    const fields = {
      Name: "simulated",
      VmLck: "0 kB",
      VmPin: `${pinnedPages() * 4} kB`,
      CapEff: capabilities.toString(16).padStart(16, "0"),
    };
    return new TextEncoder().encode(Object.entries(fields).map(([name, value]) => `${name}:\t${value}\n`).join(""));
  });
}
