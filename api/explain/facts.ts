/**
 * What the machine says of itself, read when an operation has failed. What cannot be read is unknown: nothing here throws or changes anything.
 *
 * @module
 */
import type { Kernel } from "../../uapi/kernel.ts";

/** An explanation if the facts have one. An error on the way to it must not take the place of the error that is explained. */
export function guess<T>(look: () => T | undefined): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

/** A file's text; undefined where it cannot be read. */
export function readText(kernel: Kernel, path: string): string | undefined {
  const bytes = kernel.readFile(path);
  return typeof bytes === "number" ? undefined : new TextDecoder().decode(bytes).trimEnd();
}

/** The names in a directory; none where it cannot be read. */
export function listNames(kernel: Kernel, path: string): string[] {
  const names = kernel.list(path);
  return typeof names === "number" ? [] : names;
}

/** Where a symbolic link leads; undefined where there is none. */
export function readLink(kernel: Kernel, path: string): string | undefined {
  const target = kernel.readlink(path);
  return typeof target === "number" ? undefined : target;
}

/** A field of a file of "Name: value" lines, such as /proc/self/status. */
export function readField(kernel: Kernel, path: string, name: string): string | undefined {
  return readText(kernel, path)?.split("\n").find((line) => line.startsWith(`${name}:`))?.slice(name.length + 1).trim();
}

/** A field in kilobytes, as bytes. */
export function readKilobytes(kernel: Kernel, path: string, name: string): number | undefined {
  const match = /^(\d+) kB$/.exec(readField(kernel, path, name) ?? "");
  return match === null ? undefined : Number(match[1]) * 1024;
}

/** A limit of the process, the one in force; undefined where it is not known. */
export function readLimit(kernel: Kernel, name: string): number | undefined {
  const line = readText(kernel, "/proc/self/limits")?.split("\n").find((line) => line.startsWith(name));
  const value = line?.slice(name.length).trim().split(/\s+/)[0];
  if (value === undefined) return undefined;
  return value === "unlimited" ? Infinity : /^\d+$/.test(value) ? Number(value) : undefined;
}

/** Whether the process has a capability of the machine, by its bit; undefined where it is not known. */
export function hasCapability(kernel: Kernel, bit: number): boolean | undefined {
  const mask = readField(kernel, "/proc/self/status", "CapEff");
  if (mask === undefined || !/^[0-9a-f]+$/.test(mask)) return undefined;
  // In a user namespace of its own a process may have every capability, and none that counts for the machine's devices and memory.
  const map = readText(kernel, "/proc/self/uid_map")?.trim().split(/\s+/);
  if (map !== undefined && map.join(" ") !== "0 0 4294967295") return false;
  return (BigInt(`0x${mask}`) >> BigInt(bit) & 1n) !== 0n;
}

/** The kernel's version: "7.3.4". */
export function kernelRelease(kernel: Kernel): string | undefined {
  return readText(kernel, "/proc/sys/kernel/osrelease");
}

const UNITS = [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]] as const;

/** A number of bytes as people read it: "8 MiB", "12 bytes". */
export function size(bytes: number | bigint): string {
  const value = Number(bytes);
  const unit = UNITS.find(([unit]) => value >= unit && value % unit === 0);
  return unit === undefined ? `${value} bytes` : `${value / unit[0]} ${unit[1]}`;
}
