/**
 * A program on the seam: asks requests as bytes, keeps track of what it opened, and closes all of it in the end.
 *
 * Structs are written by the schema's field names, so that a case can put anything into any field, reserved ones included.
 *
 * @module
 */
import { errnoName } from "../../uapi/errno.ts";
import { type Block, type Kernel, MAP_ANONYMOUS, MAP_PRIVATE, O_CLOEXEC, O_RDWR, PROT_READ, PROT_WRITE } from "../../uapi/kernel.ts";
import { adoptFile } from "../adopt.ts";
import { check, CheckError, equal } from "../check.ts";
import type { Depends, Feature, Setup, TestDevices } from "./setup.ts";
import { Answer, type Fields, requestOf, writeStruct } from "./struct.ts";

/** More that a request may carry. */
export interface AskOptions {
  /** Bytes behind the struct: data of SET_IRQS, or what the kernel may not know. The size counts them. */
  readonly tail?: Uint8Array;
  /** The size that the struct says it has, when it is not the number of bytes given. */
  readonly size?: number;
}

/** "OK", or the name of the error that a call's result stands for. */
export function codeOf(result: number | bigint): string {
  return result < 0 ? errnoName(Number(-result)) : "OK";
}

/** What one case works with. */
export class Caller {
  readonly kernel: Kernel;
  readonly devices: TestDevices;
  readonly setup: Setup;
  #open = new Set<number>();
  #mapped: { at: bigint; length: number }[] = [];
  #blocks: Block[] = [];

  constructor(setup: Setup) {
    this.setup = setup;
    this.kernel = setup.kernel;
    this.devices = setup.devices;
  }

  /** Whether the kernel has something. */
  has(feature: Feature): boolean {
    return this.setup.features.has(feature);
  }

  /** The value that holds for this kernel. */
  expected<T>(value: Depends<T>): T {
    return this.has(value.feature) ? value.with : value.without;
  }

  /** Open a file, whatever comes of it: the fd, or −errno. */
  tryOpen(path: string): number {
    return this.#track(this.kernel.open(path, O_RDWR | O_CLOEXEC));
  }

  /** Open an iommufd. */
  iommu(): number {
    return this.#opened("/dev/iommu", this.tryOpen("/dev/iommu"));
  }

  /** The node of the device at a PCI address. */
  nodeOf(address: string): string {
    const names = this.kernel.list(`/sys/bus/pci/devices/${address}/vfio-dev`);
    check(Array.isArray(names) && names.length === 1, `${address} has no vfio-dev: ${String(names)}`);
    return `/dev/vfio/devices/${names[0]}`;
  }

  /** Open the device at a PCI address. */
  device(address: string): number {
    return this.#opened(address, this.tryOpen(this.nodeOf(address)));
  }

  /** Make an eventfd. */
  eventfd(initial = 0, flags = 0): number {
    return this.#opened("eventfd", this.#track(this.kernel.eventfd(initial, flags)));
  }

  /** Make a memory file. */
  memfd(length: number): number {
    return this.#opened("memfd", this.#track(this.kernel.memfd("conformance", length)));
  }

  /** Close a file. */
  close(fd: number): void {
    equal(codeOf(this.kernel.close(fd)), "OK", `close(${fd})`);
    this.#open.delete(fd);
  }

  /** A request made the kernel open a file. */
  adopt(fd: number): number {
    return this.#track(adoptFile(this.kernel, fd));
  }

  /** Argument memory that lives until the end of the case. */
  block(length: number): Block {
    const block = this.kernel.block(length);
    this.#blocks.push(block);
    return block;
  }

  /** Map memory, whatever comes of it: the address, or −errno. */
  tryMmap(at: bigint, length: number, prot: number, flags: number, fd = -1, offset = 0): bigint {
    const address = this.kernel.mmap(at, length, prot, flags, fd, offset);
    if (address >= 0n) this.#mapped.push({ at: address, length });
    return address;
  }

  /** Anonymous memory, at an address where one is given. */
  memory(length: number, at = 0n, prot: number = PROT_READ | PROT_WRITE, flags = 0): bigint {
    const address = this.tryMmap(at, length, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags);
    check(address >= 0n, `mmap of ${length} bytes: ${codeOf(address)}`);
    return address;
  }

  /** The bytes at an address. */
  bytes(at: bigint, length: number): Uint8Array {
    const bytes = this.kernel.view(at, length);
    equal(bytes.length, length, "view");
    return bytes;
  }

  /** One request, whatever comes of it. `fields` may name any field of the struct; what is left out is zero. */
  ask(fd: number, name: string, fields: Fields = {}, options: AskOptions = {}): Answer {
    const { request, struct } = requestOf(name);
    if (struct === undefined) return new Answer(name, undefined, this.kernel.ioctl(fd, request, 0), new Uint8Array(0), new Uint8Array(0));
    const bytes = writeStruct(struct, fields, options);
    using block = this.kernel.block(Math.max(bytes.length, 4));
    block.bytes.set(bytes);
    const result = this.kernel.ioctl(fd, request, block);
    return new Answer(name, struct, result, bytes, block.bytes.slice(0, bytes.length));
  }

  /** One request that must succeed. */
  do(fd: number, name: string, fields: Fields = {}, options: AskOptions = {}): Answer {
    const answer = this.ask(fd, name, fields, options);
    if (answer.code !== "OK") throw new CheckError(`${name}(${describe(fields)}): ${answer.code}, expected it to succeed`);
    return answer;
  }

  /** One request that must fail, and leave its struct alone. */
  refused(code: string, fd: number, name: string, fields: Fields = {}, options: AskOptions = {}): void {
    const answer = this.ask(fd, name, fields, options);
    if (answer.code !== code) throw new CheckError(`${name}(${describe(fields)}): ${answer.code}, expected ${code}`);
    equal(answer.after, answer.before, `the struct of ${name} after ${code}`);
  }

  /** A request with the address of its struct, which may be anything. The code of the answer. */
  askAt(fd: number, name: string, address: bigint): string {
    return codeOf(this.kernel.ioctl(fd, requestOf(name).request, Number(address)));
  }

  /** Close and unmap everything, in the opposite order, and say what is left over. */
  async finish(): Promise<string[]> {
    const problems: string[] = [];
    for (const block of this.#blocks.reverse()) block[Symbol.dispose]();
    for (const fd of [...this.#open].reverse()) {
      const code = codeOf(this.kernel.close(fd));
      if (code !== "OK") problems.push(`close(${fd}): ${code}`);
    }
    for (const { at, length } of this.#mapped.reverse()) this.kernel.munmap(at, length);
    return [...problems, ...await this.setup.finish()];
  }

  #track(fd: number): number {
    if (fd >= 0) this.#open.add(fd);
    return fd;
  }

  #opened(what: string, fd: number): number {
    check(fd >= 0, `open of ${what}: ${codeOf(fd)}`);
    return fd;
  }
}

function describe(fields: Fields): string {
  return Object.entries(fields).map(([name, value]) => `${name}: 0x${value < 0 ? `-${(-value).toString(16)}` : value.toString(16)}`).join(
    ", ",
  );
}
