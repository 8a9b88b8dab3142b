/**
 * Writes to a disk and leaves it as it was: a pattern over its last blocks, read back, and the old content again.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { NvmeDriver } from "./driver.ts";
import type { NvmeNamespace } from "./namespace.ts";
import { NvmeControllerError } from "./status.ts";

/** Bytes that are written, where the disk has so many. */
const LENGTH_MAX = 2 ** 20;

/** What came of it. */
export interface WriteReport {
  /** First block. */
  readonly lba: number;
  /** Blocks. */
  readonly blocks: number;
  /** Bytes of them. */
  readonly bytes: number;
  /** The pattern was read back as it was written. */
  readonly isIntact: boolean;
  /** The blocks have their old content, read back to be sure. */
  readonly isRestored: boolean;
}

/** Write, read back, restore. @throws {NvmeControllerError} naming the blocks, if their old content could not be written back. */
export async function writeBack(driver: NvmeDriver, namespace: NvmeNamespace): Promise<WriteReport> {
  const { blockLength, length } = namespace.info;
  const blocks = Math.max(1, Math.floor(Math.min(LENGTH_MAX, length) / blockLength));
  const range = { lba: length / blockLength - blocks, blocks, bytes: blocks * blockLength };
  using before = driver.ioas.createDmaBuffer(range.bytes);
  using data = driver.ioas.createDmaBuffer(range.bytes);
  await namespace.read(range.lba, before.bytes);
  const old = hash(before.bytes);
  let isIntact = false;
  try {
    fillPattern(data.bytes);
    const pattern = hash(data.bytes);
    await namespace.write(range.lba, data.bytes);
    await namespace.flush();
    data.bytes.fill(0);
    await namespace.read(range.lba, data.bytes);
    isIntact = hash(data.bytes) === pattern;
  } finally {
    await restore(namespace, range.lba, before.bytes, data.bytes);
  }
  data.bytes.fill(0);
  await namespace.read(range.lba, data.bytes);
  return { ...range, isIntact, isRestored: hash(data.bytes) === old };
}

/** @param spare memory that may be overwritten. */
async function restore(namespace: NvmeNamespace, lba: number, old: Uint8Array, spare: Uint8Array): Promise<void> {
  try {
    await namespace.write(lba, old);
    await namespace.flush();
  } catch (cause) {
    // A disk that takes no writes at all took the pattern's neither.
    const isUnchanged = await namespace.read(lba, spare.fill(0)).then(() => hash(spare) === hash(old), () => false);
    if (isUnchanged) return;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const blocks = old.length / namespace.info.blockLength;
    throw new NvmeControllerError(`Blocks ${lba} to ${lba + blocks - 1} may not have their old content any more: ${reason}`, { cause });
  }
}

/** Bytes in which no two blocks are alike, other ones in each run: xorshift from a seed that the clock gives. */
function fillPattern(bytes: Uint8Array): void {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  let state = (Date.now() >>> 0) | 1;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
}

function hash(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
