/**
 * Waiting for files without a thread for each: one epoll instance, and one call to it on a thread of the runtime while somebody waits.
 *
 * A wake-up by that thread takes longer than most devices need for a command. So a new wait looks for itself first, between turns of the event
 * loop, for about as long as the thread would take, and only then is left to it: a wait is never much longer than twice what the better way takes.
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
/** How often a new wait looks for itself: in each turn of the event loop, and turns. A look is a system call, a turn as long as several. */
const LOOKS = 8;
const TURNS = 8;
/** More at once would keep the event loop from its other work. */
const LOOKING_MAX = 8;

/** Everybody who waits for one file. */
interface Entry {
  readonly fd: number;
  readonly waits: Set<(result: number) => void>;
  /** Turns that are left of looking for itself. */
  turns: number;
  /** In the event's data, so that an event for a file that had this number before is known for what it is. */
  generation: number | undefined;
}

/** Let everything run that the event loop has ready. */
function turn(): Promise<void> {
  const { setImmediate } = globalThis as unknown as { setImmediate: (callback: () => void) => void };
  return new Promise((resolve) => setImmediate(resolve));
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
  /** Those that look for themselves; the others are the thread's. */
  #fresh = new Set<Entry>();
  #isLooking = false;
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
    const entry = this.#entries.get(fd) ?? this.#enter(fd);
    return new Promise((resolve) => {
      const onAbort = () => {
        entry.waits.delete(finish);
        if (entry.waits.size === 0 && this.#entries.get(fd) === entry) this.#drop(entry);
        finish(-ERRNO.EINTR);
      };
      const finish = (result: number) => {
        signal?.removeEventListener("abort", onAbort);
        resolve(result);
      };
      entry.waits.add(finish);
      signal?.addEventListener("abort", onAbort, { once: true });
      if (entry.generation === undefined && !this.#fresh.has(entry)) this.#hand(entry);
      else if (!this.#isLooking) this.#look();
    });
  }

  /** The file is about to be closed. Its number may be used again at once, so its waits end now. */
  closing(fd: number): void {
    if (this.#known.delete(fd)) this.#poller!.control(EPOLL_CTL_DEL, fd, 0, 0, 0);
    const entry = this.#entries.get(fd);
    if (entry !== undefined) this.#finish(entry, -ERRNO.EBADF);
  }

  /** All waits end with −EBADF, those to come too. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    for (const entry of [...this.#entries.values()]) this.#finish(entry, -ERRNO.EBADF);
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

  #enter(fd: number): Entry {
    const entry: Entry = { fd, waits: new Set(), turns: TURNS, generation: undefined };
    this.#entries.set(fd, entry);
    if (this.#fresh.size < LOOKING_MAX) this.#fresh.add(entry);
    return entry;
  }

  /** Look for new waits, until each has ended or is the thread's. */
  async #look(): Promise<void> {
    this.#isLooking = true;
    while (this.#fresh.size > 0) {
      for (const entry of this.#fresh) {
        let ready = 0;
        for (let look = 0; look < LOOKS && ready === 0; look++) ready = this.#poll(entry.fd);
        if (ready !== 0) this.#finish(entry, Math.min(ready, 0));
        else if (--entry.turns === 0) this.#hand(entry);
      }
      if (this.#fresh.size > 0) await turn();
    }
    this.#isLooking = false;
  }

  /** Leave a file to the thread. */
  #hand(entry: Entry): void {
    this.#fresh.delete(entry);
    const armed = this.#arm(entry);
    // Files that epoll refuses are always readable, as poll(2) has it.
    if (armed < 0) this.#finish(entry, armed === -ERRNO.EPERM ? 0 : armed);
    else if (!this.#isRunning) this.#run(this.#poller!);
  }

  /** Ask for one event of a file. Returns 0 or −errno. */
  #arm(entry: Entry): number {
    const { fd } = entry;
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
    entry.generation = generation;
    return 0;
  }

  #finish(entry: Entry, result: number): void {
    this.#drop(entry);
    for (const finish of entry.waits) finish(result);
  }

  /** Nobody waits for this file; a call that waits for no file at all would keep the program alive. */
  #drop(entry: Entry): void {
    this.#entries.delete(entry.fd);
    this.#fresh.delete(entry);
    if (this.#isAway && this.#entries.size === this.#fresh.size) this.#poller!.kick();
  }

  /** Have a thread in the kernel while somebody waits. */
  async #run(poller: Poller): Promise<void> {
    this.#isRunning = true;
    const { symbols } = poller.libc;
    while (this.#entries.size > this.#fresh.size) {
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
      for (const entry of [...this.#entries.values()]) this.#finish(entry, count);
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
      else if (entry !== undefined && entry.generation === generation) this.#deliverTo(entry);
    }
  }

  /** Somebody may have read the file since the thread saw it. */
  #deliverTo(entry: Entry): void {
    const ready = this.#poll(entry.fd);
    const result = ready === 0 ? this.#arm(entry) : Math.min(ready, 0);
    if (ready !== 0 || result < 0) this.#finish(entry, result);
  }
}
