/**
 * A namespace of a controller: what programs read and write (NVM command set, NVMe 1.4, chapter 6).
 *
 * @module
 */
import type { DmaBuffer, DmaSlice, Ioas } from "../../mod.ts";
import type { NamespaceInfo } from "./identify.ts";
import type { Staging } from "./staging.ts";
import { COMPARE_FAILURE, NvmeError } from "./status.ts";
import { Command, Transfer, type Work } from "./work.ts";

const OPCODE = { flush: 0x00, write: 0x01, read: 0x02, compare: 0x05, writeZeroes: 0x08, datasetManagement: 0x09 } as const;
/** A command that moves data. */
interface Move {
  /** What it is called in errors. */
  readonly name: string;
  readonly opcode: number;
  /** Whether it moves towards the caller. */
  readonly isRead: boolean;
}
const READ: Move = { name: "Read", opcode: OPCODE.read, isRead: true };
const WRITE: Move = { name: "Write", opcode: OPCODE.write, isRead: false };
const COMPARE: Move = { name: "Compare", opcode: OPCODE.compare, isRead: false };
/** Dword 12 of Write Zeroes: the blocks need not be kept. */
const DEALLOCATE_ZEROES = 0x0200_0000;
/** Dword 11 of Dataset Management: the blocks need not be kept. */
const DEALLOCATE = 4;
/** Blocks of one command, where no data limits it. */
const BLOCKS_MAX = 65_536;
/** Ranges of one Dataset Management command, and bytes of each. */
const RANGES_MAX = 256;
const RANGE_LENGTH = 16;
const RANGE_BLOCKS_MAX = 0xffff_ffff;
/** Bytes of a window of {@linkcode NvmeNamespace.stream}, unless its options say otherwise. */
const WINDOW = 4 * 2 ** 20;

/** What a namespace needs of its driver. */
export interface NamespacePort {
  /** Where the device's memory is. */
  readonly ioas: Ioas;
  /** For arrays that the device cannot reach. */
  readonly staging: Staging;
  /** Bytes of the largest command. */
  readonly transferMax: number;
  /** Optional commands that the controller has. */
  readonly supports: { readonly trim: boolean; readonly writeZeroes: boolean; readonly compare: boolean };
  /** Throws why the driver is out of service, if it is. */
  check(): void;
  /** Do work with the I/O queues. */
  run(work: Work): Promise<void>;
}

/** Adjacent blocks. */
export interface BlockRange {
  /** First block. */
  readonly lba: number;
  /** Blocks. */
  readonly blocks: number;
}

/**
 * One namespace.
 *
 * Data in a `DmaBuffer` or `DmaSlice` of the driver's IOAS is moved by the device itself; any other array goes through staging memory and is
 * copied. A call is cut into as many commands as it needs, which all queues share; it ends when they all have. After an error, some of its
 * blocks may have been moved. A block address beyond the end is the controller's to refuse.
 */
export class NvmeNamespace {
  #port: NamespacePort;

  /** Made by the driver. */
  constructor(port: NamespacePort, readonly info: NamespaceInfo) {
    this.#port = port;
  }

  /** Read blocks from `lba` on into all of `into`, whole blocks. @throws {NvmeError} if the controller refuses. */
  read(lba: number, into: Uint8Array): Promise<void> {
    return this.#move(READ, lba, into);
  }

  /** Write all of `from`, whole blocks, at `lba`. It is safe after {@linkcode NvmeNamespace.flush}. @throws {NvmeError} as read. */
  write(lba: number, from: Uint8Array): Promise<void> {
    return this.#move(WRITE, lba, from);
  }

  /** Whether the blocks from `lba` on equal `bytes`. @throws {NvmeError} for any other failure. */
  async compare(lba: number, bytes: Uint8Array): Promise<boolean> {
    this.#require("compare", "Compare");
    try {
      await this.#move(COMPARE, lba, bytes);
      return true;
    } catch (error) {
      if (error instanceof NvmeError && error.status === COMPARE_FAILURE) return false;
      throw error;
    }
  }

  /** Make what was written last, also without power. */
  flush(): Promise<void> {
    return this.#port.run(new Command(`Flush of namespace ${this.info.id}`, { opcode: OPCODE.flush, namespace: this.info.id }));
  }

  /** Say that blocks are not needed any more. What they read as afterwards is the controller's choice, mostly zeros. */
  async trim(ranges: readonly BlockRange[]): Promise<void> {
    this.#require("trim", "Dataset Management");
    this.#port.check();
    const cut = ranges.flatMap((range) => this.#cut(range));
    for (let first = 0; first < cut.length; first += RANGES_MAX) await this.#trim(cut.slice(first, first + RANGES_MAX));
  }

  /** Make blocks zero without sending zeros. @param options `deallocate`: they need not be kept either. Default: false. */
  async writeZeroes(lba: number, blocks: number, options: { deallocate?: boolean } = {}): Promise<void> {
    this.#require("writeZeroes", "Write Zeroes");
    this.#checkRange(lba, blocks);
    if (blocks === 0) return;
    const { id, blockLength } = this.info;
    const extent = { namespace: id, blockLength, lba, blocks, iova: undefined };
    const flags = options.deallocate ? DEALLOCATE_ZEROES : 0;
    await this.#port.run(new Transfer("Write Zeroes", OPCODE.writeZeroes, extent, BLOCKS_MAX, flags));
  }

  /**
   * Read the whole namespace, in order. While one window is worked on, the next is being read.
   *
   * @param options `window`: bytes of a piece, whole blocks. Default: 4 MiB. Each piece is valid until the next is asked for.
   */
  async *stream(options: { window?: number } = {}): AsyncGenerator<Uint8Array, void, void> {
    const { blockLength, length } = this.info;
    const window = Math.min(length, options.window ?? Math.ceil(WINDOW / blockLength) * blockLength);
    if (!(window > 0 && window % blockLength === 0)) {
      throw new RangeError(`Cannot read in windows of ${window} bytes: whole blocks of ${blockLength} are needed`);
    }
    this.#port.check();
    using first = this.#port.ioas.createDmaBuffer(window);
    using second = this.#port.ioas.createDmaBuffer(window);
    let next = this.#readWindow(first, 0);
    try {
      for (let at = 0, index = 1; at < length; at += window, index++) {
        const bytes = await next;
        if (at + window < length) next = this.#readWindow(index % 2 === 0 ? first : second, at + window);
        yield bytes;
      }
    } finally {
      // The device must be done with the buffer before it goes, whatever ended the loop.
      await Promise.allSettled([next]);
    }
  }

  #readWindow(buffer: DmaBuffer, at: number): Promise<Uint8Array> {
    const bytes = buffer.bytes.subarray(0, Math.min(buffer.length, this.info.length - at));
    const read = this.read(at / this.info.blockLength, bytes).then(() => bytes);
    // It may fail before anybody waits for it, and is waited for in any case.
    read.catch(() => {});
    return read;
  }

  /** Move bytes directly where the device reaches them, else through staging. An async function would cost each command a further promise. */
  #move(move: Move, lba: number, bytes: Uint8Array): Promise<void> {
    try {
      this.#checkMove(lba, bytes);
      if (bytes.length === 0) return Promise.resolve();
      const direct = this.#iovaOf(bytes);
      return direct === undefined ? this.#moveStaged(move, lba, bytes) : this.#send(move, lba, bytes.length, direct);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #checkMove(lba: number, bytes: Uint8Array): void {
    const { id, blockLength, metadata } = this.info;
    this.#port.check();
    if (metadata !== 0) throw new RangeError(`Cannot use namespace ${id}: its blocks have ${metadata} bytes of metadata`);
    if (bytes.length % blockLength !== 0) {
      throw new RangeError(`Cannot move ${bytes.length} bytes: whole blocks of ${blockLength} are needed`);
    }
    this.#checkRange(lba, bytes.length / blockLength);
  }

  #moveStaged(move: Move, lba: number, bytes: Uint8Array): Promise<void> {
    return this.#port.staging.eachPiece(bytes.length, async (slot, at, length) => {
      const piece = bytes.subarray(at, at + length);
      if (!move.isRead) slot.bytes.set(piece);
      await this.#send(move, lba + at / this.info.blockLength, length, slot.iova);
      if (move.isRead) piece.set(slot.bytes.subarray(0, length));
    });
  }

  #send({ name, opcode }: Move, lba: number, length: number, iova: bigint): Promise<void> {
    const { id, blockLength } = this.info;
    const { transferMax } = this.#port;
    const extent = { namespace: id, blockLength, lba, blocks: length / blockLength, iova };
    return this.#port.run(new Transfer(name, opcode, extent, Math.min(BLOCKS_MAX, transferMax / blockLength)));
  }

  /** Where the device sees all of `bytes`; undefined where it does not, or not so that a command can say it. */
  #iovaOf(bytes: Uint8Array): bigint | undefined {
    const buffer = this.#port.ioas.bufferOf(bytes);
    if (buffer === undefined) return undefined;
    // A buffer begins with a page.
    const offset = bytes.byteOffset - buffer.bytes.byteOffset;
    return offset % 4 === 0 ? buffer.iova + BigInt(offset) : undefined;
  }

  #trim(ranges: readonly BlockRange[]): Promise<void> {
    const { id } = this.info;
    const length = ranges.length * RANGE_LENGTH;
    return this.#port.staging.withSlot((slot: DmaSlice) => {
      ranges.forEach(({ lba, blocks }, index) => {
        slot.view.setUint32(RANGE_LENGTH * index, 0, true);
        slot.view.setUint32(RANGE_LENGTH * index + 4, blocks, true);
        slot.view.setBigUint64(RANGE_LENGTH * index + 8, BigInt(lba), true);
      });
      const fields = { opcode: OPCODE.datasetManagement, namespace: id, iova: slot.iova, length, d10: ranges.length - 1, d11: DEALLOCATE };
      return this.#port.run(new Command(`Dataset Management of namespace ${id}`, fields));
    });
  }

  /** A range in pieces of what a Dataset Management command can say: none if it is empty. */
  #cut({ lba, blocks }: BlockRange): BlockRange[] {
    this.#checkRange(lba, blocks);
    const pieces: BlockRange[] = [];
    for (let done = 0; done < blocks; done += RANGE_BLOCKS_MAX) {
      pieces.push({ lba: lba + done, blocks: Math.min(blocks - done, RANGE_BLOCKS_MAX) });
    }
    return pieces;
  }

  #checkRange(lba: number, blocks: number): void {
    if (isCount(lba) && isCount(blocks) && isCount(lba + blocks)) return;
    throw new RangeError(`Cannot use ${blocks} blocks at ${lba}: whole numbers of 0 or more, below 2^53, are needed`);
  }

  #require(feature: keyof NamespacePort["supports"], name: string): void {
    if (!this.#port.supports[feature]) throw new RangeError(`Cannot use ${name}: the controller does not have it`);
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
