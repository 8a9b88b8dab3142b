/**
 * Status codes of NVMe 1.4, as the 15-bit status field of a completion holds them: code, code type << 8, more << 13, do not retry << 14.
 *
 * @module
 */

/** Set in every error that would come again: the command must not be repeated as it is. */
export const DO_NOT_RETRY = 0x4000;
/** There is more in the error log. */
export const MORE = 0x2000;
/** No status: the command goes on and completes later. */
export const PENDING = -1;

/** Status by name: NVMe 1.4, 4.6.1.2. Literals, {@linkcode DO_NOT_RETRY} included. */
export const STATUS = {
  success: 0x000,
  invalidOpcode: 0x4001,
  invalidField: 0x4002,
  idConflict: 0x4003,
  dataTransferError: 0x004,
  abortRequested: 0x007,
  queueDeleted: 0x008,
  invalidNamespace: 0x400b,
  sequenceError: 0x400c,
  prpOffsetInvalid: 0x4013,
  writeProtected: 0x4020,
  lbaOutOfRange: 0x4080,
  completionQueueInvalid: 0x4100,
  invalidQueueId: 0x4101,
  invalidQueueSize: 0x4102,
  eventLimitExceeded: 0x4105,
  invalidVector: 0x4108,
  invalidLogPage: 0x4109,
  invalidQueueDeletion: 0x410c,
  featureNotSaveable: 0x410d,
  featureNotChangeable: 0x410e,
  writeFault: 0x280,
  unrecoveredRead: 0x281,
  compareFailure: 0x4285,
} as const;
