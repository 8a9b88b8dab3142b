/**
 * The one error of the API, and the one place where it is made: from −errno and the operation that failed.
 *
 * @module
 */
import { ERRNO, errnoMeaning, type ErrnoName, errnoName } from "../uapi/errno.ts";
import type { Block, Kernel } from "../uapi/kernel.ts";
import { ADVICE, GENERIC, type OperationAdvice, type OperationKey } from "./advice.ts";

/** The values that an operation failed with, by name. */
export type FailedValues = Readonly<Record<string, number | bigint | string>>;

/** What {@linkcode IommuError} is made from. */
export interface Failure {
  /** The request ("IOAS_MAP") or system call ("open"). */
  readonly operation: string;
  /** The error number, positive. */
  readonly errno: number;
  /** What could not be done, to follow "Cannot": "map 0x1000 bytes". */
  readonly action: string;
  /** What it was tried with. Default: nothing. */
  readonly values?: FailedValues;
  /** What to do about it, sentences. Default: what helps with the error number in general. */
  readonly advice?: string;
}

/**
 * What every failure of a kernel becomes: "Cannot map 0x1000 bytes at IOVA 0x10000: EEXIST (already there). Something is mapped …".
 *
 * A wrong argument is no `IommuError` but a `TypeError` or `RangeError`, and comes before anything is asked of the kernel.
 */
export class IommuError extends Error {
  /** "IommuError". */
  override name = "IommuError";
  /** The name of the error number. A number that Linux does not have is "errno 999". */
  readonly code: ErrnoName | `errno ${number}`;
  /** The error number, positive. */
  readonly errno: number;
  /** The request ("IOAS_MAP") or system call ("open", "pread") that failed. */
  readonly operation: string;
  /** What it was tried with. */
  readonly values: FailedValues;
  /** What to do about it. */
  readonly advice: string;

  /** An error for one failure. */
  constructor({ operation, errno, action, values = {}, advice }: Failure, options?: ErrorOptions) {
    const code = errnoName(errno) as IommuError["code"];
    const help = advice ?? (GENERIC as Readonly<Record<string, string>>)[code] ?? "";
    super(`Cannot ${action}: ${code} (${errnoMeaning(errno)}).${help === "" ? "" : ` ${help}`}`, options);
    this.code = code;
    this.errno = errno;
    this.operation = operation;
    this.values = values;
    this.advice = help;
  }
}

/** An address or a length as people read it: hexadecimal. */
export function hex(value: number | bigint): string {
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

/**
 * The error for an operation that answered `result`, below 0.
 *
 * `advice` is what only the caller knows; without it the table has an answer for the operation and the error number.
 */
export function failed(key: OperationKey, result: number | bigint, values: FailedValues = {}, advice?: string): IommuError {
  const errno = Number(-result);
  const { operation, action, advice: table }: OperationAdvice = ADVICE[key];
  const help = advice ?? table[errnoName(errno) as ErrnoName];
  const failure = { operation, errno, action: fill(action, values), values };
  return new IommuError(help === undefined ? failure : { ...failure, advice: help });
}

/** The error of a handle that was disposed. Nothing was asked of the kernel. */
export function closed(kind: string, operation: string): IommuError {
  const advice = `The ${kind} was disposed: make a new one.`;
  return new IommuError({ operation, errno: ERRNO.EBADF, action: `use the ${kind} for ${operation}`, values: { handle: kind }, advice });
}

/** Put values into "map {length} bytes"; `{#n}` is decimal, a bigint or a number else hexadecimal. A part in [] goes if a value lacks. */
function fill(template: string, values: FailedValues): string {
  const put = (text: string) =>
    text.replace(/\{(#?)(\w+)\}/g, (_, decimal: string, name: string) => {
      const value = values[name];
      return typeof value === "string" || value === undefined || decimal !== "" ? String(value) : hex(value);
    });
  const optional = template.replace(/\[([^\]]*)\]/g, (_, part: string) => {
    const isThere = [...part.matchAll(/\{#?(\w+)\}/g)].every(([, name]) => values[name!] !== undefined);
    return isThere ? part : "";
  });
  return put(optional);
}

/** Close a file. `what` it is, for the error. @throws {IommuError} */
export function closeFile(kernel: Kernel, fd: number, what: string): void {
  const result = kernel.close(fd);
  if (result < 0) throw failed("close", result, { what });
}

/** Give memory of the process back. @throws {IommuError} */
export function unmapMemory(kernel: Kernel, address: bigint, length: number): void {
  const result = kernel.munmap(address, length);
  if (result < 0) throw failed("munmap", result, { length, address });
}

/** Argument memory, zeroed. @throws {IommuError} ENOMEM if the kernel has none left. */
export function allocateBlock(kernel: Kernel, length: number): Block {
  try {
    return kernel.block(length);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw failed("block", -ERRNO.ENOMEM, { length });
  }
}
