/**
 * The NVM command set: Read, Write, Flush, Compare, Write Zeroes, Dataset Management (NVMe 1.4, chapter 6).
 *
 * @module
 */
import type { Engine } from "./engine.ts";
import type { Health } from "./logs.ts";
import type { Staging, StagingPool } from "./memory.ts";
import type { Namespace } from "./namespace.ts";
import type { PrpWalker } from "./prp.ts";
import { WORDS } from "./slots.ts";
import { PENDING, STATUS } from "./status.ts";

/** Opcodes of the NVM command set. */
export const IO = { flush: 0x00, write: 0x01, read: 0x02, compare: 0x05, writeZeroes: 0x08, datasetManagement: 0x09 } as const;
/** Opcodes that exist. */
export const IO_OPCODES: readonly number[] = Object.values(IO);
/** Opcodes that change data. */
export const IO_CHANGING: readonly number[] = [IO.write, IO.writeZeroes, IO.datasetManagement];

const TWO32 = 2 ** 32;
const BROADCAST = 0xffff_ffff;
const RANGE_LENGTH = 16;
const DEALLOCATE = 4;

/** What the I/O commands work on. */
export interface IoParts {
  /** Queues and commands. */
  readonly engine: Engine;
  /** The command's memory. */
  readonly prp: PrpWalker;
  /** Where data passes through. */
  readonly pool: StagingPool;
  /** In the order of their identifiers, 1 and up. */
  readonly namespaces: readonly Namespace[];
  /** Counters. */
  readonly health: Health;
  /** Bytes of the largest transfer. */
  readonly transferMax: number;
  /** Whether what is written may stay in a cache until Flush. */
  writeCache(): boolean;
  /** Work that goes on in real time. */
  pending<T>(work: Promise<T>): Promise<T>;
}

/** Executes I/O commands. */
export class IoCommands {
  #parts: IoParts;
  #engine: Engine;
  #words: Uint32Array;

  constructor(parts: IoParts) {
    this.#parts = parts;
    this.#engine = parts.engine;
    this.#words = parts.engine.slots.words;
  }

  /** Execute the command in a slot. @returns a status or {@linkcode PENDING}. */
  execute(slot: number): number {
    const at = WORDS * slot;
    const first = this.#words[at]!;
    const opcode = first & 0xff;
    if (!IO_OPCODES.includes(opcode)) return STATUS.invalidOpcode;
    // Fused operations and scatter-gather lists are not supported.
    if ((first & 0xc300) !== 0) return STATUS.invalidField;
    const namespaceId = this.#words[at + 1]!;
    if (opcode === IO.flush && namespaceId === BROADCAST) return this.#flush(slot, this.#parts.namespaces);
    const namespace = this.#parts.namespaces[namespaceId - 1];
    if (namespace === undefined) return STATUS.invalidNamespace;
    switch (opcode) {
      case IO.read:
        return this.#read(slot, namespace);
      case IO.write:
        return this.#write(slot, namespace);
      case IO.flush:
        return this.#flush(slot, [namespace]);
      case IO.compare:
        return this.#compare(slot, namespace);
      case IO.writeZeroes:
        return this.#writeZeroes(slot, namespace);
      default:
        return this.#manageDataset(slot, namespace);
    }
  }

  /** Bytes that a command of blocks moves. */
  #length(slot: number, { blockLength }: Namespace): number {
    return ((this.#words[WORDS * slot + 12]! & 0xffff) + 1) * blockLength;
  }

  /** Where on the media a command of blocks begins, bytes; 2^53 or more only where it is out of range. */
  #position(slot: number, { blockLength }: Namespace): number {
    return (this.#words[WORDS * slot + 10]! + this.#words[WORDS * slot + 11]! * TWO32) * blockLength;
  }

  /** Check a command that transfers blocks. */
  #checkTransfer(slot: number, namespace: Namespace): number {
    const length = this.#length(slot, namespace);
    if (length > this.#parts.transferMax) return STATUS.invalidField;
    return this.#position(slot, namespace) + length > namespace.media.length ? STATUS.lbaOutOfRange : STATUS.success;
  }

  /** The way of most commands, so without closures. */
  #read(slot: number, namespace: Namespace): number {
    const checked = this.#checkTransfer(slot, namespace);
    if (checked !== STATUS.success) return checked;
    const length = this.#length(slot, namespace);
    const staging = this.#parts.pool.take();
    let status: number = STATUS.unrecoveredRead;
    try {
      const work = namespace.media.read(this.#position(slot, namespace), staging.head(length));
      if (work !== undefined) return this.#later(slot, staging, work, status, () => this.#sendBlocks(slot, staging, length));
      status = this.#sendBlocks(slot, staging, length);
    } catch {
      this.#parts.health.mediaErrors++;
    }
    this.#parts.pool.give(staging);
    return status;
  }

  #sendBlocks(slot: number, staging: Staging, length: number): number {
    const { prp, health } = this.#parts;
    const status = prp.map(this.#words, WORDS * slot + 6, length);
    if (status !== STATUS.success) return status;
    if (!prp.toHost(staging)) return STATUS.dataTransferError;
    health.reads++;
    health.sectorsRead += length / 512;
    return STATUS.success;
  }

  #write(slot: number, namespace: Namespace): number {
    const { media } = namespace;
    if (namespace.readOnly) return STATUS.writeProtected;
    const checked = this.#checkTransfer(slot, namespace);
    if (checked !== STATUS.success) return checked;
    const length = this.#length(slot, namespace);
    const staging = this.#parts.pool.take();
    const status = this.#receive(slot, staging, length);
    if (status !== STATUS.success) {
      this.#parts.pool.give(staging);
      return status;
    }
    const position = this.#position(slot, namespace);
    const write = () => chain(media.write!(position, staging.head(length)), () => this.#flushIfThrough(slot, namespace));
    return this.#withMedia(slot, staging, STATUS.writeFault, write, () => this.#countWrite(length));
  }

  #receive(slot: number, staging: Staging, length: number): number {
    const status = this.#parts.prp.map(this.#words, WORDS * slot + 6, length);
    if (status !== STATUS.success) return status;
    return this.#parts.prp.fromHost(staging) ? STATUS.success : STATUS.dataTransferError;
  }

  #countWrite(length: number): number {
    this.#parts.health.writes++;
    this.#parts.health.sectorsWritten += length / 512;
    return STATUS.success;
  }

  /** Force unit access, or the write cache is off: data must be safe before the command completes. */
  #flushIfThrough(slot: number, { media }: Namespace): void | Promise<void> {
    const forced = (this.#words[WORDS * slot + 12]! & 0x4000_0000) !== 0;
    return forced || !this.#parts.writeCache() ? media.flush?.() : undefined;
  }

  #flush(slot: number, namespaces: readonly Namespace[]): number {
    const flush = () => namespaces.reduce<void | Promise<void>>((work, { media }) => chain(work, () => media.flush?.()), undefined);
    return this.#withMedia(slot, this.#parts.pool.take(), STATUS.writeFault, flush, () => STATUS.success);
  }

  #compare(slot: number, namespace: Namespace): number {
    const { pool, health } = this.#parts;
    const checked = this.#checkTransfer(slot, namespace);
    if (checked !== STATUS.success) return checked;
    const length = this.#length(slot, namespace);
    const staging = pool.take();
    const read = () => namespace.media.read(this.#position(slot, namespace), staging.head(length));
    return this.#withMedia(slot, staging, STATUS.unrecoveredRead, read, () => {
      const host = pool.take();
      let status = this.#receive(slot, host, length);
      if (status === STATUS.success) {
        health.reads++;
        health.sectorsRead += length / 512;
        if (!isEqual(host.head(length), staging.head(length))) status = STATUS.compareFailure;
      }
      pool.give(host);
      return status;
    });
  }

  #writeZeroes(slot: number, namespace: Namespace): number {
    if (namespace.readOnly) return STATUS.writeProtected;
    const position = this.#position(slot, namespace);
    const length = this.#length(slot, namespace);
    if (position + length > namespace.media.length) return STATUS.lbaOutOfRange;
    const staging = this.#parts.pool.take();
    const deallocate = (this.#words[WORDS * slot + 12]! & 0x0200_0000) !== 0;
    const work = () =>
      chain(
        deallocate ? forget(namespace, position, length, staging) : writeZeros(namespace, position, length, staging),
        () => this.#flushIfThrough(slot, namespace),
      );
    return this.#withMedia(slot, staging, STATUS.writeFault, work, () => STATUS.success);
  }

  /** Only Deallocate does something; the other attributes are hints. All ranges are checked before the first is changed. */
  #manageDataset(slot: number, namespace: Namespace): number {
    const at = WORDS * slot;
    if ((this.#words[at + 11]! & DEALLOCATE) === 0) return STATUS.success;
    if (namespace.readOnly) return STATUS.writeProtected;
    const count = (this.#words[at + 10]! & 0xff) + 1;
    const staging = this.#parts.pool.take();
    let status = this.#receive(slot, staging, RANGE_LENGTH * count);
    const ranges = status === STATUS.success ? readRanges(staging.bytes, count, namespace) : [];
    if (ranges.some(({ position, length }) => position + length > namespace.media.length)) status = STATUS.lbaOutOfRange;
    if (status !== STATUS.success) {
      this.#parts.pool.give(staging);
      return status;
    }
    const work = () =>
      ranges.reduce<void | Promise<void>>(
        (before, { position, length }) => chain(before, () => forget(namespace, position, length, staging)),
        undefined,
      );
    return this.#withMedia(slot, staging, STATUS.writeFault, work, () => STATUS.success);
  }

  /** Do `work` with the media, then `after`; an exception becomes `failure`. The staging area is given back at the end. */
  #withMedia(slot: number, staging: Staging, failure: number, work: () => void | Promise<void>, after: () => number): number {
    let status = failure;
    try {
      const promise = work();
      if (promise !== undefined) return this.#later(slot, staging, promise, failure, after);
      status = after();
    } catch {
      this.#parts.health.mediaErrors++;
    }
    this.#parts.pool.give(staging);
    return status;
  }

  /** As {@linkcode IoCommands.#withMedia}, for work that ends later. A reset of the controller meanwhile drops the command. */
  #later(slot: number, staging: Staging, work: Promise<void>, failure: number, after: () => number): number {
    const { epoch } = this.#engine;
    const end = (result: () => number) => {
      const status = this.#engine.epoch === epoch ? result() : failure;
      this.#parts.pool.give(staging);
      if (this.#engine.epoch === epoch) this.#engine.finish(slot, status, 0);
    };
    this.#parts.pending(work).then(() => end(after), () =>
      end(() => {
        this.#parts.health.mediaErrors++;
        return failure;
      }));
    return PENDING;
  }
}

/** One piece of work after another, at once where the first is done at once. */
function chain(first: void | Promise<void>, next: () => void | Promise<void>): void | Promise<void> {
  return first === undefined ? next() : first.then(next);
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}

/** Ranges of a Dataset Management command: attributes, blocks, first block. */
function readRanges(bytes: Uint8Array, count: number, { blockLength }: Namespace): { position: number; length: number }[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return Array.from({ length: count }, (_, index) => ({
    position: Number(view.getBigUint64(RANGE_LENGTH * index + 8, true)) * blockLength,
    length: view.getUint32(RANGE_LENGTH * index + 4, true) * blockLength,
  }));
}

function forget(namespace: Namespace, position: number, length: number, staging: Staging): void | Promise<void> {
  const { media } = namespace;
  if (length === 0) return;
  return media.deallocate === undefined ? writeZeros(namespace, position, length, staging) : media.deallocate(position, length);
}

/** Write zeros piece by piece, each as long as the staging area at most. */
function writeZeros(namespace: Namespace, position: number, length: number, staging: Staging): void | Promise<void> {
  staging.bytes.fill(0);
  for (let done = 0; done < length;) {
    const piece = Math.min(length - done, staging.bytes.length);
    const work = namespace.media.write!(position + done, staging.head(piece));
    done += piece;
    if (work !== undefined) return work.then(() => writeZeros(namespace, position + done, length - done, staging));
  }
}
