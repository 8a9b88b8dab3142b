/**
 * A namespace: block media with a block size and identifiers.
 *
 * @module
 */
import type { BlockSource } from "./media.ts";

/** A namespace as data. */
export interface NamespaceOptions {
  /** Where the data is. */
  readonly media: BlockSource;
  /** Bytes of a logical block: a power of two from 512 to 65,536. Default: 512. */
  readonly blockLength?: number;
  /** Refuse writes although the media could. Default: false. */
  readonly readOnly?: boolean;
}

/** One namespace of a controller. */
export class Namespace {
  /** Where the data is. */
  readonly media: BlockSource;
  /** Bytes of a block. */
  readonly blockLength: number;
  /** Blocks. */
  readonly blocks: number;
  /** Writes are refused. */
  readonly readOnly: boolean;

  /**
   * @param id 1 and up.
   * @throws {RangeError} if the block length is none, or the media are not whole blocks.
   */
  constructor(readonly id: number, options: NamespaceOptions) {
    const { media, blockLength = 512, readOnly = false } = options;
    const lg2Block = Math.log2(blockLength);
    if (!Number.isInteger(lg2Block) || lg2Block < 9 || lg2Block > 16) {
      throw new RangeError(`Cannot make namespace ${id}: its block length is ${blockLength}, wanted a power of two from 512 to 65536`);
    }
    if (media.length < blockLength || media.length % blockLength !== 0) {
      throw new RangeError(`Cannot make namespace ${id}: its media have ${media.length} bytes, wanted a multiple of ${blockLength}`);
    }
    this.media = media;
    this.blockLength = blockLength;
    this.blocks = media.length / blockLength;
    this.readOnly = readOnly || media.write === undefined;
  }
}
