/**
 * The NVMe controller's medium: bytes that a seed makes, so that everybody knows them.
 *
 * @module
 */
import { createHash } from "node:crypto";

/** Bytes of the disk. */
export const DISK_LENGTH: number = 64 * 2 ** 20;

/** Write the disk to a file. Returns its SHA-256 in hexadecimal. */
export async function makeDisk(path: string): Promise<string> {
  const bytes = new Uint8Array(DISK_LENGTH);
  const words = new Uint32Array(bytes.buffer);
  // xorshift: any bytes do, if no two sectors are alike.
  let state = 0x2545f491;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  await Deno.writeFile(path, bytes);
  return createHash("sha256").update(bytes).digest("hex");
}
