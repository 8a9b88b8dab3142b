/**
 * File descriptors that one process passes to another over a Unix socket, with SCM_RIGHTS: unix(7). So a program without rights gets an iommufd and
 * devices from a privileged helper.
 *
 * @module
 */
import { ERRNO, errnoMeaning, errnoName } from "../../uapi/errno.ts";
import type { LinuxKernel } from "./kernel.ts";
import { System } from "./system.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 0x8;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x4000_0000;

/** The kernel passes no more at once. */
const FDS_MAX = 253;
/** Bytes of a path in an address. */
const PATH_MAX = 107;
/** Bytes of text that can go along. */
const MESSAGE_MAX = 4096;
/** How many may wait to be accepted. */
const BACKLOG = 8;

/** Where things lie in the scratch memory: msghdr, iovec, control data, text. */
const IOVEC = 64;
const CONTROL = 128;
const CONTROL_HEADER = 16;
const CONTROL_LENGTH = CONTROL_HEADER + 4 * FDS_MAX + 4;
const TEXT = 4096;

/** A socket that cannot be used, or a message that cannot be sent or received. */
export class PassedFdsError extends Error {
  /** "PassedFdsError". */
  override name = "PassedFdsError";
  /** The name of the error number: "ECONNREFUSED". */
  readonly code: string;
  /** The error number, positive. */
  readonly errno: number;

  /** An error for one failure. `action` follows "Cannot". */
  constructor(action: string, result: number, advice = "") {
    const code = errnoName(-result);
    super(`Cannot ${action}: ${code} (${errnoMeaning(-result)}).${advice === "" ? "" : ` ${advice}`}`);
    this.code = code;
    this.errno = -result;
  }
}

/** What one message brought. */
export interface PassedFds {
  /** The file descriptors, in the order in which they were sent. */
  readonly fds: readonly number[];
  /** The text that came with them. */
  readonly message: string;
}

/** What stops waiting. */
export interface WaitOptions {
  /** Aborts the wait, which then rejects with its reason. */
  readonly signal?: AbortSignal;
}

/** A connection over which file descriptors are passed. Both ends can send and receive. */
export class FdSocket implements Disposable {
  /** Its file descriptor. */
  readonly fd: number;
  #kernel: LinuxKernel;
  #isOpen = true;

  private constructor(kernel: LinuxKernel, fd: number) {
    this.#kernel = kernel;
    this.fd = fd;
  }

  /** Connect to a socket by its path. A path that begins with "@" is a name without a file. @throws {PassedFdsError} ENOENT, ECONNREFUSED, EACCES */
  static connect(kernel: LinuxKernel, path: string): FdSocket {
    return new FdSocket(kernel, openSocket(kernel, path, "connect"));
  }

  /**
   * Use a connected socket that this process has already: one that it was started with, or that {@linkcode FdListener.accept} gave. It is closed
   * when this object is disposed.
   *
   * @throws {PassedFdsError} EBADF
   */
  static adopt(kernel: LinuxKernel, fd: number): FdSocket {
    return new FdSocket(kernel, adoptSocket(kernel, fd));
  }

  /**
   * Pass files on. They stay open here as well: close them, so that the receiver is the only one that has them.
   *
   * @param fds 1 to 253 open files.
   * @param message text that goes along, 1 to 4,096 bytes of UTF-8.
   * @throws {RangeError} for more. @throws {PassedFdsError} EBADF for a file that is not open, EPIPE if the other side is gone.
   */
  send(fds: readonly number[], message = "fds"): void {
    this.#check();
    if (fds.length < 1 || fds.length > FDS_MAX) {
      throw new RangeError(`Cannot pass ${fds.length} files at once: 1 to ${FDS_MAX} is possible`);
    }
    const text = new TextEncoder().encode(message);
    if (text.length < 1 || text.length > MESSAGE_MAX) {
      throw new RangeError(`Cannot send a message of ${text.length} bytes: 1 to ${MESSAGE_MAX} is possible`);
    }
    using system = new System();
    const { view, bytes } = system;
    bytes.set(text, TEXT);
    putHeader(system, text.length, CONTROL_HEADER + Math.ceil(fds.length / 2) * 8);
    view.setBigUint64(CONTROL, BigInt(CONTROL_HEADER + 4 * fds.length), true);
    view.setInt32(CONTROL + 8, SOL_SOCKET, true);
    view.setInt32(CONTROL + 12, SCM_RIGHTS, true);
    fds.forEach((fd, index) => view.setInt32(CONTROL + CONTROL_HEADER + 4 * index, (fd | 0) === fd ? fd : -1, true));
    const result = system.answer(system.libc.symbols.sendmsg(this.fd, system.address, MSG_NOSIGNAL));
    if (result < 0) throw new PassedFdsError(`pass fds ${fds.join(", ")} over socket ${this.fd}`, result);
  }

  /**
   * Wait for files. They belong to the kernel object from then on: `IommuFd.adopt` and `DeviceFd.adopt` take them, and what nobody takes is
   * closed with the kernel object.
   *
   * @throws {PassedFdsError} EPIPE if the other side has closed without sending, ENOMSG if its message has no files, EMSGSIZE if it was longer
   * than 4,096 bytes with its files, EBUSY for a device that is open elsewhere: all that came is closed then.
   */
  async receive({ signal }: WaitOptions = {}): Promise<PassedFds> {
    for (;;) {
      signal?.throwIfAborted();
      this.#check();
      const received = this.#receive();
      if (received !== undefined) return received;
      const result = await this.#kernel.wait(this.fd, signal);
      if (result < 0 && result !== -ERRNO.EINTR) throw new PassedFdsError(`wait at socket ${this.fd}`, result);
    }
  }

  /** Close the connection. */
  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#kernel.close(this.fd);
  }

  #check(): void {
    if (!this.#isOpen) throw new PassedFdsError("use the socket", -ERRNO.EBADF, "It was disposed.");
  }

  /** A message if one is there. */
  #receive(): PassedFds | undefined {
    using system = new System();
    const { view, bytes } = system;
    putHeader(system, MESSAGE_MAX, CONTROL_LENGTH);
    const length = system.answer(system.libc.symbols.recvmsg(this.fd, system.address, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
    if (length === -ERRNO.EAGAIN || length === -ERRNO.EINTR) return undefined;
    const action = `receive files from socket ${this.fd}`;
    if (length < 0) throw new PassedFdsError(action, length);
    const fds = receivedFds(system);
    const refuse = (result: number, advice: string): never => {
      for (const fd of fds) if (this.#kernel.close(fd) < 0) system.libc.symbols.close(fd);
      throw new PassedFdsError(action, result, advice);
    };
    if ((view.getInt32(48, true) & MSG_CTRUNC) !== 0) {
      refuse(-ERRNO.EMSGSIZE, "Not all files fitted: the limit of open files is reached (ulimit -n).");
    }
    if (length === 0) refuse(-ERRNO.EPIPE, "The other side has closed the connection.");
    if (fds.length === 0) refuse(-ERRNO.ENOMSG, "The message has no files.");
    const message = new TextDecoder().decode(bytes.slice(TEXT, TEXT + length));
    for (const fd of fds) {
      const result = this.#kernel.adopt(fd);
      if (result < 0) refuse(result, `File ${fds.indexOf(fd) + 1} of ${fds.length} is a device that another program has open.`);
    }
    return { fds, message };
  }
}

/** Where others connect, to be passed files or to pass them. */
export class FdListener implements Disposable {
  /** Its file descriptor. */
  readonly fd: number;
  #kernel: LinuxKernel;
  #isOpen = true;

  private constructor(kernel: LinuxKernel, fd: number) {
    this.#kernel = kernel;
    this.fd = fd;
  }

  /**
   * Make a socket at a path. Who may write to that file may connect: set its owner and mode. The file stays when this object is disposed. A path
   * that begins with "@" is a name without a file, at which everybody may connect.
   *
   * @throws {PassedFdsError} EADDRINUSE if the file is there already, EACCES
   */
  static listen(kernel: LinuxKernel, path: string): FdListener {
    return new FdListener(kernel, openSocket(kernel, path, "listen"));
  }

  /** Use a listening socket that this process was started with, as systemd's socket activation does: fd 3. @throws {PassedFdsError} EBADF */
  static adopt(kernel: LinuxKernel, fd: number): FdListener {
    return new FdListener(kernel, adoptSocket(kernel, fd));
  }

  /** Wait for one who connects. @throws {PassedFdsError} EINVAL if the socket does not listen */
  async accept({ signal }: WaitOptions = {}): Promise<FdSocket> {
    for (;;) {
      signal?.throwIfAborted();
      if (!this.#isOpen) throw new PassedFdsError("accept a connection", -ERRNO.EBADF, "The listener was disposed.");
      // Waited for first: a socket that somebody else made may block.
      const result = await this.#kernel.wait(this.fd, signal);
      if (result < 0 && result !== -ERRNO.EINTR) throw new PassedFdsError("accept a connection", result);
      if (result < 0) continue;
      using system = new System();
      const fd = system.answer(system.libc.symbols.accept(this.fd, 0n, 0n));
      if (fd >= 0) return take(this.#kernel, system, fd);
      if (fd !== -ERRNO.EAGAIN && fd !== -ERRNO.EINTR && fd !== -ERRNO.ECONNABORTED) throw new PassedFdsError("accept a connection", fd);
    }
  }

  /** Close the socket. Connections that were accepted stay. */
  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#kernel.close(this.fd);
  }
}

/** A new connection as an object; it is closed if that cannot be. */
function take(kernel: LinuxKernel, { libc: { symbols } }: System, fd: number): FdSocket {
  try {
    return FdSocket.adopt(kernel, fd);
  } catch (error) {
    symbols.close(fd);
    throw error;
  }
}

/** A socket that this process has already; it is closed with the kernel object from then on. */
function adoptSocket(kernel: LinuxKernel, fd: number): number {
  const result = kernel.adopt(fd);
  if (result < 0) throw new PassedFdsError(`use fd ${fd} as a socket`, result);
  return fd;
}

/** A socket that is connected to a path, or listens at it. */
function openSocket(kernel: LinuxKernel, path: string, verb: "connect" | "listen"): number {
  const action = `${verb} ${verb === "connect" ? "to" : "at"} ${JSON.stringify(path)}`;
  const name = new TextEncoder().encode(path);
  const isAbstract = path.startsWith("@");
  if (name.length === 0 || name.length > PATH_MAX || (!isAbstract && path.includes("\0"))) {
    throw new RangeError(`Cannot ${action}: a path of 1 to ${PATH_MAX} bytes is needed`);
  }
  using system = new System();
  const { libc: { symbols }, view, bytes, address } = system;
  const fd = system.answer(symbols.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (verb === "listen" ? SOCK_NONBLOCK : 0), 0));
  if (fd < 0) throw new PassedFdsError(action, fd);
  bytes.fill(0, 0, 128);
  view.setUint16(0, AF_UNIX, true);
  bytes.set(name, 2);
  if (isAbstract) bytes[2] = 0;
  const length = 2 + name.length + (isAbstract ? 0 : 1);
  let result = system.answer(verb === "connect" ? symbols.connect(fd, address, length) : symbols.bind(fd, address, length));
  if (result >= 0 && verb === "listen") result = system.answer(symbols.listen(fd, BACKLOG));
  if (result >= 0) result = kernel.adopt(fd);
  if (result >= 0) return fd;
  symbols.close(fd);
  throw new PassedFdsError(action, result, ADVICE[result] ?? "");
}

const ADVICE: Readonly<Record<number, string>> = {
  [-ERRNO.ENOENT]: "Nobody has made the socket yet: start the helper first.",
  [-ERRNO.ECONNREFUSED]: "The file is there, but nobody listens: start the helper again.",
  [-ERRNO.EACCES]: "Who connects must be allowed to write to the file of the socket.",
  [-ERRNO.EADDRINUSE]: "The file is there: remove it if no other program listens at it.",
};

/** A msghdr with one piece of text and room for control data. */
function putHeader({ view, bytes, address }: System, textLength: number, controlLength: number): void {
  bytes.fill(0, 0, CONTROL + CONTROL_LENGTH);
  view.setBigUint64(16, address + BigInt(IOVEC), true);
  view.setBigUint64(24, 1n, true);
  view.setBigUint64(32, address + BigInt(CONTROL), true);
  view.setBigUint64(40, BigInt(controlLength), true);
  view.setBigUint64(IOVEC, address + BigInt(TEXT), true);
  view.setBigUint64(IOVEC + 8, BigInt(textLength), true);
}

/** The files of a received message: they are open in this process now. */
function receivedFds({ view }: System): number[] {
  const fds: number[] = [];
  const end = CONTROL + Number(view.getBigUint64(40, true));
  for (let at = CONTROL; at + CONTROL_HEADER <= end;) {
    const length = Number(view.getBigUint64(at, true));
    if (length < CONTROL_HEADER) break;
    if (view.getInt32(at + 8, true) === SOL_SOCKET && view.getInt32(at + 12, true) === SCM_RIGHTS) {
      for (let data = at + CONTROL_HEADER; data + 4 <= at + length; data += 4) fds.push(view.getInt32(data, true));
    }
    at += Math.ceil(length / 8) * 8;
  }
  return fds;
}
