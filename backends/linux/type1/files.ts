/**
 * Files that a program sees as iommufds and devices. Each has the number of a file of the kernel below, so that no other file has it.
 *
 * @module
 */
import { ERRNO } from "../../../uapi/errno.ts";
import { type Block, MAP_SHARED } from "../../../uapi/kernel.ts";
import type { Context } from "./context.ts";
import type { Device } from "./devices.ts";
import type { UserMemory } from "./user_memory.ts";

const PROT_EXEC = 4;
/** Blocks up to this length go to the core whole: cutting them costs more than copying. */
const WHOLE_MAX = 256;
/** What of a longer struct the core gets to see; it refuses any other byte that is set, and what lies behind cannot be read. */
const STRUCT_MAX = 65536;

/** An open iommufd. */
export interface IommufdFile {
  readonly kind: "iommufd";
  /** Its number. */
  readonly fd: number;
  /** The core's number of it. */
  readonly core: number;
  /** What it holds. */
  readonly context: Context;
}

/** An open device. */
export interface DeviceFile {
  readonly kind: "device";
  /** Its number. */
  readonly fd: number;
  /** The core's number of it. */
  core: number;
  /** The device. */
  readonly device: Device;
  /** While it is bound: the file of the kernel below that reaches the device, what it is bound to, and its id there. */
  bound: { readonly real: number; readonly context: Context; readonly id: number } | undefined;
}

/** Either. */
export type ShadowedFile = IommufdFile | DeviceFile;

/** What `mmap` answers for a file of which nothing can be mapped, as iommufd and unbound devices do. */
export function refuseMmap({ kind }: ShadowedFile, prot: number, flags: number): number {
  if (kind === "device" || (flags & MAP_SHARED) === 0) return -ERRNO.EINVAL;
  return (prot & PROT_EXEC) !== 0 ? -ERRNO.EPERM : -ERRNO.ENXIO;
}

/** The struct of a request. */
export interface Argument {
  /** As much of it as can be read; undefined: not even its size. */
  readonly bytes: Uint8Array | undefined;
  /** Where `bytes` is a copy: writes it back. 0, or −EFAULT. */
  answer(): number;
}

/** The struct of a request, by its block or its address. */
export function readArgument(memory: UserMemory, argument: Block | number): Argument {
  if (typeof argument !== "number") return { bytes: cut(argument.bytes), answer: () => 0 };
  const address = BigInt.asUintN(64, BigInt(argument));
  const head = memory.read(address, 4);
  if (head === undefined) return { bytes: undefined, answer: () => 0 };
  const size = new DataView(head.buffer).getUint32(0, true);
  const bytes = memory.read(address, Math.max(4, Math.min(size, STRUCT_MAX)));
  return { bytes: bytes ?? head, answer: () => (bytes === undefined || memory.write(address, bytes) ? 0 : -ERRNO.EFAULT) };
}

/** What of a block belongs to the struct. */
function cut(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= WHOLE_MAX) return bytes;
  const size = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  return bytes.subarray(0, Math.max(4, Math.min(size, STRUCT_MAX)));
}
