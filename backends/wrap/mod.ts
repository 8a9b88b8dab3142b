/**
 * Kernels around a kernel. Each takes any {@linkcode Kernel}, knows nothing of it, and is one itself, so that they combine:
 * `strace(faults(record(simulated)))`.
 *
 * | | |
 * | --- | --- |
 * | {@linkcode record} | writes a trace of all calls, with what devices write into memory |
 * | {@linkcode replay} | answers from such a trace, without a kernel |
 * | {@linkcode strace} | prints each call in words |
 * | {@linkcode faults} | makes chosen calls fail |
 *
 * @module
 */
export { type Fault, type FaultCall, faults, type FaultyKernel } from "./faults.ts";
export { record, type RecordOptions } from "./record.ts";
export { replay, ReplayError, type ReplayKernel } from "./replay.ts";
export { strace, type StraceOptions, traceLine } from "./strace.ts";
export { type CallName, type MemoryChange, TRACE_VERSION, type TraceArgs, type TraceEntry, type TraceHeader } from "./trace.ts";
export { ERRNO, type ErrnoName } from "../../uapi/errno.ts";
export type { Block, Kernel } from "../../uapi/kernel.ts";
