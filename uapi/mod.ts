/**
 * What crosses the seam between the library and an operating system: the {@linkcode Kernel} interface, error numbers, and the codec of all
 * requests. The readable decoder is a module of its own, `uapi/decode.ts`, so that who does not trace does not load it.
 *
 * @module
 */
export * from "./codec.ts";
export * from "./errno.ts";
export * from "./kernel.ts";
