/**
 * The C library: the one place where foreign functions are called and foreign memory becomes arrays. Another runtime needs this file rewritten
 * and no other.
 *
 * Numbers that Deno's FFI would throw for are the caller's to keep away: `i32` and `u32` take whole numbers in range only. Lengths and addresses
 * are `usize`, as bigints, and not 32 bits: the upper half of a register is not defined for a shorter argument.
 *
 * @module
 */

/** A pointer as foreign functions take it. */
export type Pointer = Deno.PointerObject;

/** Where the C library is, tried in turn. Absolute: the permission to load it is one for a path. */
const CANDIDATES: Readonly<Record<string, readonly string[]>> = {
  x86_64: [
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/usr/lib64/libc.so.6",
    "/lib64/libc.so.6",
    "/usr/lib/libc.so.6",
    "/lib/libc.so.6",
    "/lib/ld-musl-x86_64.so.1",
  ],
  aarch64: [
    "/lib/aarch64-linux-gnu/libc.so.6",
    "/usr/lib64/libc.so.6",
    "/lib64/libc.so.6",
    "/usr/lib/libc.so.6",
    "/lib/libc.so.6",
    "/lib/ld-musl-aarch64.so.1",
  ],
};

/** What an architecture does its own way. */
export interface Architecture {
  /** Numbers of the system calls that some C libraries have no function for. */
  readonly syscalls: { readonly statx: bigint; readonly getdents64: bigint };
  /** Bytes of an epoll_event, and where its data begins. */
  readonly epollEvent: { readonly length: number; readonly data: number };
  /** Whether a store to memory of a device is seen after all stores to other memory before it, without a barrier, which JavaScript has none of. */
  readonly isDeviceMemoryOrdered: boolean;
}

const ARCHITECTURES: Readonly<Record<"x86_64" | "aarch64", Architecture>> = {
  x86_64: { syscalls: { statx: 332n, getdents64: 217n }, epollEvent: { length: 12, data: 4 }, isDeviceMemoryOrdered: true },
  aarch64: { syscalls: { statx: 291n, getdents64: 61n }, epollEvent: { length: 16, data: 8 }, isDeviceMemoryOrdered: false },
};

/**
 * The functions. `ioctl`, `open` and `fcntl` have variable arguments in C; on both architectures those are passed as others are, which is not so
 * everywhere.
 */
const SYMBOLS = {
  __errno_location: { parameters: [], result: "pointer" },
  open: { parameters: ["usize", "i32", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  ioctl: { parameters: ["i32", "u32", "pointer"], result: "i32" },
  ioctl_value: { name: "ioctl", parameters: ["i32", "u32", "u64"], result: "i32" },
  read: { parameters: ["i32", "usize", "usize"], result: "i32" },
  write: { parameters: ["i32", "usize", "usize"], result: "i32" },
  pread: { parameters: ["i32", "usize", "usize", "i64"], result: "i32" },
  pwrite: { parameters: ["i32", "usize", "usize", "i64"], result: "i32" },
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "i64" },
  munmap: { parameters: ["usize", "usize"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  memfd_create: { parameters: ["usize", "u32"], result: "i32" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "u64"], result: "i32" },
  flock: { parameters: ["i32", "i32"], result: "i32" },
  fstatfs: { parameters: ["i32", "usize"], result: "i32" },
  readlink: { parameters: ["usize", "usize", "usize"], result: "i32" },
  poll: { parameters: ["usize", "u64", "i32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "usize"], result: "i32" },
  epoll_wait: { parameters: ["i32", "usize", "i32", "i32"], result: "i32" },
  epoll_wait_async: { name: "epoll_wait", parameters: ["i32", "usize", "i32", "i32"], result: "i32", nonblocking: true },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "usize", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  accept: { parameters: ["i32", "usize", "usize"], result: "i32" },
  connect: { parameters: ["i32", "usize", "u32"], result: "i32" },
  sendmsg: { parameters: ["i32", "usize", "i32"], result: "i32" },
  recvmsg: { parameters: ["i32", "usize", "i32"], result: "i32" },
  syscall: { parameters: ["i64", "u64", "u64", "u64", "u64", "u64"], result: "i64" },
} as const;

/** The loaded C library. */
export interface Libc {
  /** The functions by name, as the C library has them: −1 and {@linkcode Libc.errno} on failure. */
  readonly symbols: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
  /** The error number of this thread is its first element. It is of the last call that failed, if that was synchronous. */
  readonly errno: Int32Array;
  /** The architecture's own ways. */
  readonly architecture: Architecture;
}

let loaded: { readonly libc: Libc; readonly close: () => void } | undefined;
let users = 0;

/**
 * Load the C library, once for all who use it. Each call needs one of {@linkcode releaseLibc}.
 *
 * @throws {Error} with what is missing: the runtime, the operating system, the architecture, the permission, the library.
 */
export function acquireLibc(): Libc {
  loaded ??= load();
  users++;
  return loaded.libc;
}

/** The other side of {@linkcode acquireLibc}. */
export function releaseLibc(): void {
  if (--users > 0) return;
  loaded?.close();
  loaded = undefined;
}

function load(): NonNullable<typeof loaded> {
  if (!("Deno" in globalThis)) throw new Error("The running Linux is reached through Deno's foreign functions: run the program with Deno");
  const { os, arch } = Deno.build;
  if (os !== "linux") throw new Error(`IOMMUs are reached through Linux's iommufd and VFIO, and this is ${os}`);
  if (arch !== "x86_64" && arch !== "aarch64") throw new Error(`The architecture ${arch} is not supported: x86_64 and aarch64 are`);
  const library = openLibrary(CANDIDATES[arch]!);
  const { symbols } = library;
  try {
    const errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(symbols.__errno_location()!, 4));
    const libc = { symbols, errno, architecture: ARCHITECTURES[arch] };
    return { libc, close: () => library.close() };
  } catch (error) {
    library.close();
    // The permission for one library loads it, and gives no access to memory.
    if (isRefusal(error)) throw new Error(PERMISSION, { cause: error });
    throw error;
  }
}

const PERMISSION =
  "The permission to call foreign functions is missing: run with --allow-ffi. A path (--allow-ffi=…/libc.so.6) is not enough, " +
  "since Deno then gives no access to memory by its address";

function openLibrary(candidates: readonly string[]): Deno.DynamicLibrary<typeof SYMBOLS> {
  const failures: string[] = [];
  for (const path of candidates) {
    try {
      return Deno.dlopen(path, SYMBOLS);
    } catch (error) {
      if (isRefusal(error)) throw new Error(PERMISSION, { cause: error });
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error(`There is no C library at any of the known places:\n${failures.join("\n")}`);
}

function isRefusal(error: unknown): boolean {
  return error instanceof Deno.errors.NotCapable || error instanceof Deno.errors.PermissionDenied;
}

/** The pointer to an address, which is not 0. */
export function pointerAt(address: bigint): Pointer {
  return Deno.UnsafePointer.create(address)!;
}

/** Memory at an address as an array buffer. It must be mapped for as long as the buffer is used: {@linkcode detach} it before. */
export function memoryAt(address: bigint, length: number): ArrayBuffer {
  return Deno.UnsafePointerView.getArrayBuffer(pointerAt(address), length);
}

/**
 * End the use of a buffer over foreign memory: its arrays have no length from now on, the memory stays as it is.
 *
 * A transfer to a buffer of another length copies what fits, here nothing, and drops the memory, which foreign memory does not mind.
 */
export function detach(buffer: ArrayBuffer): void {
  buffer.transfer(0);
}
