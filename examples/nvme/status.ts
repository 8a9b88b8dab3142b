/**
 * What a completion says: the status field of NVMe 1.4 (4.6.1) in words, and the error that it becomes.
 *
 * @module
 */

/** Names by code type << 8 | code. */
const NAMES: Readonly<Record<number, string>> = {
  0x000: "Successful Completion",
  0x001: "Invalid Command Opcode",
  0x002: "Invalid Field in Command",
  0x003: "Command ID Conflict",
  0x004: "Data Transfer Error",
  0x005: "Commands Aborted due to Power Loss Notification",
  0x006: "Internal Error",
  0x007: "Command Abort Requested",
  0x008: "Command Aborted due to SQ Deletion",
  0x00b: "Invalid Namespace or Format",
  0x00c: "Command Sequence Error",
  0x013: "PRP Offset Invalid",
  0x01c: "Sanitize Failed",
  0x01d: "Sanitize In Progress",
  0x020: "Namespace is Write Protected",
  0x080: "LBA Out of Range",
  0x081: "Capacity Exceeded",
  0x082: "Namespace Not Ready",
  0x083: "Reservation Conflict",
  0x084: "Format In Progress",
  0x100: "Completion Queue Invalid",
  0x101: "Invalid Queue Identifier",
  0x102: "Invalid Queue Size",
  0x103: "Abort Command Limit Exceeded",
  0x105: "Asynchronous Event Request Limit Exceeded",
  0x108: "Invalid Interrupt Vector",
  0x109: "Invalid Log Page",
  0x10a: "Invalid Format",
  0x10c: "Invalid Queue Deletion",
  0x10d: "Feature Identifier Not Saveable",
  0x10e: "Feature Not Changeable",
  0x180: "Conflicting Attributes",
  0x182: "Attempted Write to Read Only Range",
  0x280: "Write Fault",
  0x281: "Unrecovered Read Error",
  0x282: "End-to-end Guard Check Error",
  0x285: "Compare Failure",
  0x286: "Access Denied",
  0x287: "Deallocated or Unwritten Logical Block",
  0x371: "Command Aborted by Host",
};

/** Status field of a command that the driver itself gave up. */
export const HOST_ABORTED = 0x371;
/** Status, without "more" and "do not retry", of a Compare that found other data. */
export const COMPARE_FAILURE = 0x285;

const TYPES = ["generic", "command specific", "media", "path", "reserved", "reserved", "reserved", "vendor specific"];
/** Code type and code, without "more" and "do not retry". */
const CODE_MASK = 0x7ff;
const DO_NOT_RETRY = 0x4000;

/** The name of a status: code type << 8 | code. */
export function statusName(status: number): string {
  return NAMES[status & CODE_MASK] ?? `Unknown ${TYPES[(status >>> 8) & 7]} status 0x${(status & 0xff).toString(16).padStart(2, "0")}`;
}

/** A command that the controller ended with an error. */
export class NvmeError extends Error {
  /** "NvmeError". */
  override name = "NvmeError";
  /** Code type << 8 | code: 0x080 is "LBA Out of Range". */
  readonly status: number;
  /** The same would happen again. */
  readonly permanent: boolean;

  /** @param command its name. @param field the 15 bits of the status field, above the phase tag. */
  constructor(readonly command: string, field: number) {
    const hex = (field & CODE_MASK).toString(16).padStart(3, "0");
    super(`${command} failed: ${statusName(field)} (status 0x${hex})`);
    this.status = field & CODE_MASK;
    this.permanent = (field & DO_NOT_RETRY) !== 0;
  }
}

/** The controller did not do what it must in the time that it has. */
export class NvmeTimeoutError extends Error {
  /** "NvmeTimeoutError". */
  override name = "NvmeTimeoutError";
}

/** The controller is in a state that only a reset ends, or cannot be driven by this driver. */
export class NvmeControllerError extends Error {
  /** "NvmeControllerError". */
  override name = "NvmeControllerError";
}
