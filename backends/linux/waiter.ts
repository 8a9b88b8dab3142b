/**
 * Waiting for files without a thread for each: one epoll instance, and one call to it on a thread of the runtime while somebody waits.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import { EFD_CLOEXEC, EFD_NONBLOCK, MAP_ANONYMOUS, MAP_PRIVATE, O_CLOEXEC, PROT_READ, PROT_WRITE } from "../../uapi/kernel.ts";
import { acquireLibc, detach, type Libc, memoryAt, releaseLibc } from "./libc_unsafe.ts";
import type { System } from "./system.ts";

const POLLIN = 0x1;
const POLLNVAL = 0x20;
const EPOLLIN = 0x1;
const EPOLLONESHOT = 0x4000_0000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
/** Events that one call takes. */
const EVENTS = 64;
/** Events, then an event of our own for epoll_ctl, then eight bytes for the eventfd. */
const MEMORY_LENGTH = 4096;
const OWN_EVENT_OFFSET = 2048;
const COUNT_OFFSET = 3072;
/** No file has this number. */
const KICK = 0xffff_ffff;

/** Everybody who waits for one file. */
interface Entry {
  readonly fd: number;
  /** In the event's data, so that an event for a file that had this number before is known for what it is. */
  readonly generation: number;
  readonly waits: Set<(result: number) => void>;
}

/** What the kernel has for us while the kernel object lives: the epoll instance, an eventfd that ends the call to it, and memory for events. */
class Poller {
  readonly libc: Libc;
  readonly epoll: number;
  readonly kickFd: number;
  readonly address: bigint;
  readonly view: DataView<ArrayBuffer>;

  private constructor(epoll: number, kickFd: number, address: bigint) {
    // The library must be there for as long as a thread is in it.
    this.libc = acquireLibc();
    this.epoll = epoll;
    this.kickFd = kickFd;
    this.address = address;
    this.view = new DataView(memoryAt(address, MEMORY_LENGTH));
  }

  /** −errno where the kernel has no more files or memory. */
  static create(system: System): Poller | number {
    const { symbols } = system.libc;
    const epoll = system.answer(symbols.epoll_create1(O_CLOEXEC));
    if (epoll < 0) return epoll;
    const kick = system.answer(symbols.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    const address = kick < 0 ? -1n : symbols.mmap(0n, BigInt(MEMORY_LENGTH), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0n);
    if (address !== -1n) {
      const poller = new Poller(epoll, kick, address);
      const result = system.answer(poller.control(EPOLL_CTL_ADD, kick, EPOLLIN, KICK, 0));
      if (result === 0) return poller;
      poller.release();
      return result;
    }
    const code = kick < 0 ? kick : system.answer(-1);
    if (kick >= 0) symbols.close(kick);
    symbols.close(epoll);
    return code;
  }

  control(operation: number, fd: number, events: number, tag: number, generation: number): number {
    const at = OWN_EVENT_OFFSET;
    const { data } = this.libc.architecture.epollEvent;
    this.view.setUint32(at, events, true);
    this.view.setUint32(at + data, tag, true);
    this.view.setUint32(at + data + 4, generation, true);
    return this.libc.symbols.epoll_ctl(this.epoll, operation, fd, this.address + BigInt(at));
  }

  /** End the call that is going on. */
  kick(): void {
    this.view.setBigUint64(COUNT_OFFSET, 1n, true);
    this.libc.symbols.write(this.kickFd, this.address + BigInt(COUNT_OFFSET), 8n);
  }

  /** Forget the kicks. */
  clear(): void {
    this.libc.symbols.read(this.kickFd, this.address + BigInt(COUNT_OFFSET), 8n);
  }

  release(): void {
    detach(this.view.buffer);
    this.libc.symbols.munmap(this.address, BigInt(MEMORY_LENGTH));
    this.libc.symbols.close(this.kickFd);
    this.libc.symbols.close(this.epoll);
    releaseLibc();
  }
}

/** All waits of a kernel object. */
export class Waiters {
  #system: System;
  #poller: Poller | undefined;
  #entries = new Map<number, Entry>();
  /** Files that the epoll instance knows, armed or not. */
  #known = new Set<number>();
  #generation = 0;
  #isRunning = false;
  /** Whether a thread is in the kernel now. */
  #isAway = false;
  #isOver = false;

  /** Nothing is made until somebody waits. */
  constructor(system: System) {
    this.#system = system;
  }

  /** As the seam's `wait`, for a file that is open. */
  wait(fd: number, signal?: AbortSignal): Promise<number> {
    if (this.#isOver) return Promise.resolve(-ERRNO.EBADF);
    if (signal?.aborted) return Promise.resolve(-ERRNO.EINTR);
    // What is readable already costs no change of threads.
    const ready = this.#poll(fd);
    if (ready !== 0) return Promise.resolve(Math.min(ready, 0));
    const entry = this.#entries.get(fd) ?? this.#arm(fd, new Set());
    // Files that epoll refuses are always readable, as poll(2) has it.
    if (typeof entry === "number") return Promise.resolve(entry === -ERRNO.EPERM ? 0 : entry);
    return new Promise((resolve) => {
      const onAbort = () => {
        this.#entries.get(fd)?.waits.delete(finish);
        if (this.#entries.get(fd)?.waits.size === 0) this.#drop(fd);
        finish(-ERRNO.EINTR);
      };
      const finish = (result: number) => {
        signal?.removeEventListener("abort", onAbort);
        resolve(result);
      };
      entry.waits.add(finish);
      signal?.addEventListener("abort", onAbort, { once: true });
      if (!this.#isRunning) this.#run(this.#poller!);
    });
  }

  /** The file is about to be closed. Its number may be used again at once, so its waits end now. */
  closing(fd: number): void {
    if (this.#known.delete(fd)) this.#poller!.control(EPOLL_CTL_DEL, fd, 0, 0, 0);
    this.#finish(fd, -ERRNO.EBADF);
  }

  /** All waits end with −EBADF, those to come too. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    for (const fd of [...this.#entries.keys()]) this.#finish(fd, -ERRNO.EBADF);
    // A thread that is in the call keeps it all until it is out, which is at once.
    if (!this.#isRunning) this.#poller?.release();
  }

  /** 1 readable, 0 not, or −errno. Errors and hang-ups are there to be read. */
  #poll(fd: number): number {
    const { libc: { symbols }, address, view } = this.#system;
    view.setInt32(0, fd, true);
    view.setUint32(4, POLLIN, true);
    const count = this.#system.answer(symbols.poll(address, 1n, 0));
    if (count <= 0) return count === -ERRNO.EINTR ? 0 : count;
    return (view.getUint16(6, true) & POLLNVAL) === 0 ? 1 : -ERRNO.EBADF;
  }

  /** Ask for one event of a file. */
  #arm(fd: number, waits: Entry["waits"]): Entry | number {
    if (this.#poller === undefined) {
      const made = Poller.create(this.#system);
      if (typeof made === "number") return made;
      this.#poller = made;
    }
    const generation = this.#generation = (this.#generation + 1) >>> 0;
    const control = (operation: number) =>
      this.#system.answer(this.#poller!.control(operation, fd, EPOLLIN | EPOLLONESHOT, fd, generation));
    let result = control(this.#known.has(fd) ? EPOLL_CTL_MOD : EPOLL_CTL_ADD);
    // Somebody closed the file behind our back, and its number is another's now.
    if (result === -ERRNO.ENOENT) result = control(EPOLL_CTL_ADD);
    if (result < 0) return result;
    this.#known.add(fd);
    const entry = { fd, generation, waits };
    this.#entries.set(fd, entry);
    return entry;
  }

  #finish(fd: number, result: number): void {
    const entry = this.#entries.get(fd);
    if (entry === undefined) return;
    this.#drop(fd);
    for (const finish of entry.waits) finish(result);
  }

  /** Nobody waits for this file; a call that waits for no file at all would keep the program alive. */
  #drop(fd: number): void {
    this.#entries.delete(fd);
    if (this.#entries.size === 0 && this.#isAway) this.#poller!.kick();
  }

  /** Have a thread in the kernel while somebody waits. */
  async #run(poller: Poller): Promise<void> {
    this.#isRunning = true;
    const { symbols } = poller.libc;
    while (this.#entries.size > 0) {
      this.#isAway = true;
      let count = await symbols.epoll_wait_async(poller.epoll, poller.address, EVENTS, -1);
      this.#isAway = false;
      // The error number is on the other thread; the same call without waiting tells it here.
      if (count < 0 && !this.#isOver) count = this.#system.answer(symbols.epoll_wait(poller.epoll, poller.address, EVENTS, 0));
      this.#deliver(poller, count);
    }
    this.#isRunning = false;
    if (this.#isOver) poller.release();
  }

  #deliver(poller: Poller, count: number): void {
    if (this.#isOver || count === -ERRNO.EINTR) return;
    if (count < 0) {
      for (const fd of [...this.#entries.keys()]) this.#finish(fd, count);
      return;
    }
    const { length, data } = poller.libc.architecture.epollEvent;
    const happened = Array.from({ length: count }, (_, index) => {
      const at = index * length + data;
      return { fd: poller.view.getUint32(at, true), generation: poller.view.getUint32(at + 4, true) };
    });
    for (const { fd, generation } of happened) {
      const entry = this.#entries.get(fd);
      if (fd === KICK) poller.clear();
      else if (entry?.generation === generation) this.#deliverTo(entry);
    }
  }

  /** Somebody may have read the file since the thread saw it. */
  #deliverTo({ fd, waits }: Entry): void {
    const ready = this.#poll(fd);
    const armed = ready === 0 ? this.#arm(fd, waits) : ready;
    if (typeof armed === "number") this.#finish(fd, Math.min(armed, 0));
  }
}
