/**
 * A machine under fire: a kernel, devices without a will of their own, and what must hold whatever the program asks.
 *
 * @module
 */
import { EduDevice, simulated, type SimulatedKernel } from "../../backends/simulated/mod.ts";
import { bytesMedia, NvmeController } from "../../backends/simulated/devices/nvme/mod.ts";
import { strace } from "../../backends/wrap/mod.ts";
import { errnoName } from "../../uapi/errno.ts";
import { type Block, type Kernel, MAP_ANONYMOUS, MAP_FIXED_NOREPLACE, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "../../uapi/kernel.ts";
import { check, equal } from "../check.ts";
import { Puppet } from "../rules/puppet.ts";
import { Live, PAGE, SECRET } from "./syscall_values.ts";

const MEBIBYTE = 2 ** 20;
/** What the secret memory holds; nothing else of the test writes it. */
const PATTERN: readonly number[] = [0x5e, 0xc3, 0xe7, 0x99];
/** What the inspector says where the kernel's heap is full; then nothing can be known until something is given back. */
const NO_ROOM = "the kernel's memory has no room for checking the invariants";

/** The choices that make one machine. */
export interface Shape {
  /** Kind of IOMMU. */
  readonly iommu: "vtd" | "amdvi" | "smmuv3" | "riscv";
  /** As {@linkcode Rules}. */
  readonly singleOpen: boolean;
  /** As {@linkcode Rules}. */
  readonly groupIoas: "requester" | "linux";
  /** Pages that may be pinned; 0: no limit. */
  readonly pinnable: number;
  /** Mebibytes of RAM. */
  readonly memory: number;
}

/** A machine and the program's view of it. */
export class World {
  /** The calls go here. */
  readonly kernel: Kernel;
  /** What the program has. */
  readonly live: Live = new Live();
  /** Blocks, some of them disposed. */
  readonly blocks: { readonly block: Block; disposed: boolean }[] = [];
  /** Waits that go on, by their numbers: the fds. */
  readonly waiting: Map<number, number> = new Map();
  /** Of waits that can be aborted. */
  readonly controllers: AbortController[] = [];
  /** What the program saw, beside the calls that strace shows. */
  readonly log: string[] = [];
  waits = 0;
  readonly #buffer: ArrayBufferLike;
  readonly #bytes: number;

  constructor(readonly simulated: SimulatedKernel, readonly puppets: readonly Puppet[], readonly openFiles: number) {
    this.kernel = strace(simulated, (line) => void this.log.push(line), { calls: TRACED });
    const secret = simulated.mmap(SECRET.start, Number(SECRET.end - SECRET.start), PROT_READ | PROT_WRITE, FIXED, -1, 0);
    equal(secret, SECRET.start);
    this.dirty();
    fillSecret(simulated.view(SECRET.start, Number(SECRET.end - SECRET.start)));
    this.#buffer = simulated.view(SECRET.start, 1).buffer;
    this.#bytes = this.#buffer.byteLength;
  }

  /** Fill the RAM that is free with the secret: what a device reads by an outdated translation shows it. */
  dirty(): void {
    for (let length = 64 * PAGE; length >= PAGE; length /= 4) {
      const taken: bigint[] = [];
      for (;;) {
        const at = this.simulated.mmap(0n, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at < 0n) break;
        taken.push(at);
        fillSecret(this.simulated.view(at, length));
      }
      for (const at of taken) equal(this.simulated.munmap(at, length), 0);
    }
  }

  /** A result is what the seam promises: a whole number of at least 0, or the negative of an error number that has a name. */
  result(what: string, result: number, most = 0): number {
    check(Number.isSafeInteger(result) && result <= most, `${what} answered ${result}`);
    check(result >= 0 || !errnoName(result).startsWith("errno "), `${what} answered ${result}, which is no error number`);
    return result;
  }

  /** What a device read holds nothing that is not its own. */
  isNoSecret(bytes: Uint8Array, what: string): void {
    for (let at = bytes.indexOf(PATTERN[0]!); at >= 0; at = bytes.indexOf(PATTERN[0]!, at + 1)) {
      check(PATTERN.some((byte, index) => bytes[at + index] !== byte), `${what} reached memory that is mapped for no device`);
    }
  }

  /** What holds after every call. */
  check(): void {
    const { buffer } = this.simulated.view(SECRET.start, 1);
    check(this.#buffer.byteLength === this.#bytes, "the machine's memory grew or was detached");
    check(buffer === this.#buffer || buffer.byteLength === 0, "the machine's memory is another");
    for (const { block: { address, bytes }, disposed } of this.blocks) {
      const seen = disposed ? bytes : this.simulated.view(address, bytes.length);
      check(
        bytes.length === (disposed ? 0 : seen.length) && seen.byteOffset === bytes.byteOffset,
        "a block is over other memory than its own",
      );
    }
    const secret = this.simulated.view(SECRET.start, Number(SECRET.end - SECRET.start));
    check(secret.every((byte, at) => byte === PATTERN[at % PATTERN.length]), "the secret memory was written");
    equal(this.simulated.inspect.check().filter((line) => line !== NO_ROOM), []);
    equal(this.simulated.inspect.modelErrors.map(String), []);
  }

  /** The program gives everything back; nothing is left. */
  async finish(): Promise<void> {
    for (const one of this.blocks) one.block[Symbol.dispose]();
    for (let fd = 0; fd < this.openFiles; fd++) this.result("close", this.kernel.close(fd));
    await turns();
    equal([...this.waiting], [], "waits that go on");
    const { files, objects, pinnedPages, blocks, waits } = this.simulated.inspect.usage;
    equal({ files, objects, pinnedPages, blocks, waits }, { files: 0, objects: 0, pinnedPages: 0, blocks: 0, waits: 0 });
    const { tables, pages } = this.simulated.inspect.statistics;
    equal([tables, pages.size], [0, 0], "page tables and pages");
    this.check();
    for (const { at, length } of this.live.mapped) this.simulated.munmap(at, length);
    equal(this.simulated.inspect.check(), []);
    this.log.push(
      `${this.simulated.inspect.now} ns`,
      ...this.simulated.inspect.faults.map((fault) => `${fault.address} ${fault.iova} ${fault.reason}`),
    );
    this.simulated[Symbol.dispose]();
  }
}

/** Views and blocks are told by their addresses in other calls. */
const TRACED = [
  "open",
  "close",
  "ioctl",
  "read",
  "write",
  "pread",
  "pwrite",
  "mmap",
  "munmap",
  "eventfd",
  "memfd",
  "wait",
  "woke",
] as const;
const FIXED = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;

function fillSecret(bytes: Uint8Array): void {
  bytes.set(PATTERN);
  for (let done = PATTERN.length; done < bytes.length; done *= 2) bytes.copyWithin(done, 0, done);
}

/** Let everything run that needs no further call. */
export async function turns(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
}

/** Boot a machine: a device alone, two functions in a group, two behind a bridge, an edu, an NVMe controller, and one whose group is taken. */
export async function bootWorld(shape: Shape): Promise<World> {
  const puppets = Array.from({ length: 5 }, () => new Puppet({ msi: 4 }));
  const [alone, one, other, left, right] = puppets as [Puppet, Puppet, Puppet, Puppet, Puppet];
  const disk = new NvmeController({ namespaces: [{ media: bytesMedia(new Uint8Array(64 * 1024)) }] });
  const openFiles = 24;
  const kernel = await simulated({
    iommu: { kind: shape.iommu },
    memory: shape.memory * MEBIBYTE,
    kernelMemory: MEBIBYTE,
    rules: { singleOpen: shape.singleOpen, groupIoas: shape.groupIoas },
    limits: { openFiles, ...(shape.pinnable > 0 ? { memlock: shape.pinnable * PAGE } : {}) },
    pci: [
      { slot: "03.0", model: alone },
      { slot: "04.0", model: one },
      { slot: "04.1", model: other },
      { kind: "pcie-to-pci", slot: "05.0", below: [{ slot: "01.0", model: left }, { slot: "02.0", model: right }] },
      { slot: "06.0", model: new EduDevice(), reserved: [{ start: 0x8000n, last: 0x8fffn, kind: "direct" }] },
      { slot: "07.0", model: disk },
      { slot: "08.0", model: () => new Puppet() },
      { slot: "08.1", model: () => new Puppet(), driver: "e1000e" },
    ],
  }, { checks: true, onModelError: () => {} });
  return new World(kernel, puppets, openFiles);
}
