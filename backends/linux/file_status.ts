/**
 * What a file is: statx(2), whose struct is the same on every architecture.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import type { System } from "./system.ts";

const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
/** Type, mode and size. */
const STATX_MASK = 0x1 | 0x2 | 0x200;

const FORMAT_MASK = 0o170000;
const FORMATS: Readonly<Record<number, FileKind>> = {
  [0o040000]: "directory",
  [0o020000]: "character device",
  [0o100000]: "regular",
};

/** `f_type` of files of huge pages. */
const HUGETLBFS_MAGIC = 0x958458f6n;

/** Kinds of files that matter here. */
export type FileKind = "directory" | "character device" | "regular" | "other";

/** What a file is. */
export interface FileStatus {
  /** Its kind. */
  readonly kind: FileKind;
  /** Bytes. */
  readonly size: number;
  /** Of a device: "major:minor". */
  readonly device: string;
}

function read(system: System, directory: number, path: bigint, flags: number): FileStatus | number {
  const { libc: { symbols, architecture: { syscalls }, errno }, address, view } = system;
  const fd = BigInt.asUintN(64, BigInt(directory));
  if (symbols.syscall(syscalls.statx, fd, path, BigInt(flags), BigInt(STATX_MASK), address) < 0n) return -errno[0]!;
  return {
    kind: FORMATS[view.getUint16(28, true) & FORMAT_MASK] ?? "other",
    size: Number(view.getBigUint64(40, true)),
    device: `${view.getUint32(128, true)}:${view.getUint32(132, true)}`,
  };
}

/** What an open file is, or −errno. */
export function statusOfFd(system: System, fd: number): FileStatus | number {
  return read(system, fd, system.path(""), AT_EMPTY_PATH);
}

/** What the file of a path is, or −errno. */
export function statusOfPath(system: System, path: string): FileStatus | number {
  const at = system.path(path);
  return at < 0n ? -ERRNO.ENOENT : read(system, AT_FDCWD, at, 0);
}

/** Length of the huge pages that a file consists of; undefined: it does not. */
export function hugePageOfFd(system: System, fd: number): number | undefined {
  const { libc: { symbols }, address, view } = system;
  if (symbols.fstatfs(fd, address) < 0 || view.getBigUint64(0, true) !== HUGETLBFS_MAGIC) return undefined;
  return Number(view.getBigUint64(8, true));
}
