/**
 * Discovery: directories, links and files of /sys, /dev and /proc.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import { O_CLOEXEC } from "../../uapi/kernel.ts";
import { statusOfPath } from "./file_status.ts";
import type { System } from "./system.ts";

const O_RDONLY = 0;
/** Some files of /proc wait for news. */
const O_NONBLOCK = 0o4000;
/** Where a directory entry's length and name are. */
const ENTRY_LENGTH_OFFSET = 16;
const ENTRY_NAME_OFFSET = 19;
/** Where results go in the scratch memory: behind paths. */
const RESULT_OFFSET = 32768;
const RESULT_LENGTH = 32768;
/** Longer files are no text of the kernel's. */
const FILE_LENGTH_MAX = 2 ** 24;

const decoder = new TextDecoder();

/** Whether a path is one of those that discovery may read. */
function isBelow(path: string): boolean {
  return typeof path === "string" && /^\/(sys|dev|proc)(\/|$)/.test(path) && !/(^|\/)\.\.(\/|$)/.test(path);
}

/** As the seam's `list`, in the order of the names. */
export function list(system: System, path: string): string[] | number {
  const status = isBelow(path) ? statusOfPath(system, path) : -ERRNO.ENOENT;
  if (typeof status === "number") return status;
  // Looked at first: to open a device may do something.
  if (status.kind !== "directory") return -ERRNO.ENOTDIR;
  const fd = openForReading(system, path);
  if (fd < 0) return fd;
  const { libc: { symbols, architecture: { syscalls }, errno }, address } = system;
  const names: string[] = [];
  let result: number | undefined;
  while (result === undefined) {
    const at = address + BigInt(RESULT_OFFSET);
    const length = Number(symbols.syscall(syscalls.getdents64, BigInt(fd), at, BigInt(RESULT_LENGTH), 0n, 0n));
    if (length > 0) names.push(...entries(system, length));
    else result = length === 0 ? 0 : -errno[0]!;
  }
  symbols.close(fd);
  return result < 0 ? result : names.sort();
}

function* entries({ view, bytes }: System, length: number): Generator<string> {
  for (let at = RESULT_OFFSET; at < RESULT_OFFSET + length; at += view.getUint16(at + ENTRY_LENGTH_OFFSET, true)) {
    const start = at + ENTRY_NAME_OFFSET;
    const name = decoder.decode(bytes.subarray(start, bytes.indexOf(0, start)));
    if (name !== "." && name !== "..") yield name;
  }
}

/** As the seam's `readlink`. */
export function readlink(system: System, path: string): string | number {
  const at = isBelow(path) ? system.path(path) : -1n;
  if (at < 0n) return -ERRNO.ENOENT;
  const length = system.answer(system.libc.symbols.readlink(at, system.address + BigInt(RESULT_OFFSET), BigInt(RESULT_LENGTH)));
  return length < 0 ? length : decoder.decode(system.bytes.subarray(RESULT_OFFSET, RESULT_OFFSET + length));
}

/**
 * As the seam's `readFile`. EACCES for what is no regular file: opening a device may do something. EFBIG for a file that has no end.
 */
export function readFile(system: System, path: string): Uint8Array | number {
  const status = isBelow(path) ? statusOfPath(system, path) : -ERRNO.ENOENT;
  if (typeof status === "number") return status;
  if (status.kind !== "regular") return status.kind === "directory" ? -ERRNO.EISDIR : -ERRNO.EACCES;
  const fd = openForReading(system, path);
  if (fd < 0) return fd;
  const pieces: Uint8Array[] = [];
  let total = 0;
  let result: number;
  do {
    result = system.answer(system.libc.symbols.read(fd, system.address + BigInt(RESULT_OFFSET), BigInt(RESULT_LENGTH)));
    if (result > 0) pieces.push(system.bytes.slice(RESULT_OFFSET, RESULT_OFFSET + result));
    total += Math.max(result, 0);
    if (total > FILE_LENGTH_MAX) result = -ERRNO.EFBIG;
  } while (result > 0);
  system.libc.symbols.close(fd);
  return result < 0 ? result : joined(pieces, total);
}

function openForReading(system: System, path: string): number {
  const at = system.path(path);
  return at < 0n ? -ERRNO.ENOENT : system.answer(system.libc.symbols.open(at, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0));
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
