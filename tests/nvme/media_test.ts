/**
 * Block media: arrays, files, blobs, and the overlay that keeps writes apart.
 *
 * @module
 */
import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import fc from "fast-check";
import {
  blobMedia,
  type BlockSource,
  bytesMedia,
  fileMedia,
  memoryMedia,
  overlayMedia,
  type SeekableFile,
} from "../../backends/simulated/devices/nvme/mod.ts";

const LENGTH = 64 * 512;

const pattern = () => Uint8Array.from({ length: LENGTH }, (_, index) => Math.imul(index + 3, 0x9e3779b1) >>> 24);

async function readAll(media: BlockSource): Promise<Uint8Array> {
  const bytes = new Uint8Array(media.length);
  await media.read(0, bytes);
  return bytes;
}

type Step = { kind: "write" | "deallocate" | "read"; block: number; count: number; value: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    kind: fc.constantFrom("write" as const, "deallocate" as const, "read" as const),
    block: fc.integer({ min: 0, max: 63 }),
    count: fc.integer({ min: 1, max: 20 }),
    value: fc.integer({ min: 0, max: 255 }),
  }),
  { maxLength: 30 },
);

/** Do the steps on media and on a plain array; both must read alike all along. */
async function compare(media: BlockSource, model: Uint8Array, list: readonly Step[]): Promise<void> {
  for (const { kind, block, count, value } of list) {
    const at = block * 512;
    const length = Math.min(count * 512, model.length - at);
    if (kind === "read") {
      const bytes = new Uint8Array(length);
      await media.read(at, bytes);
      deepStrictEqual(bytes, model.slice(at, at + length));
    } else if (kind === "write") {
      const from = new Uint8Array(length).fill(value);
      await media.write!(at, from);
      from.fill(0xaa); // What was handed over may change afterwards.
      model.fill(value, at, at + length);
    } else {
      if (media.deallocate) await media.deallocate(at, length);
      else await media.write!(at, new Uint8Array(length));
      model.fill(0, at, at + length);
    }
  }
  deepStrictEqual(await readAll(media), model);
}

Deno.test("media in an array, and overlays of an array and of a blob, behave like a plain array", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (list) => {
      await compare(bytesMedia(pattern()), pattern(), list);
      const base = pattern();
      await compare(overlayMedia(bytesMedia(base)), pattern(), list);
      deepStrictEqual(base, pattern(), "the base of an overlay never changes");
      await compare(overlayMedia(blobMedia(new Blob([pattern()]))), pattern(), list);
    }),
    { numRuns: 40 },
  );
});

Deno.test("media in memory begin as zeros", async () => {
  deepStrictEqual(await readAll(memoryMedia(1024)), new Uint8Array(1024));
});

Deno.test("a Deno.FsFile is a file for media: what is written is there after flush", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeFile(path, pattern());
    using file = await Deno.open(path, { read: true, write: true });
    const media = fileMedia(file);
    strictEqual(media.length, LENGTH);
    deepStrictEqual(await readAll(media), pattern());
    await media.write!(1024, new Uint8Array(512).fill(9));
    await media.flush!();
    const expected = pattern().fill(9, 1024, 1536);
    deepStrictEqual(new Uint8Array(await Deno.readFile(path)), expected);
    strictEqual(fileMedia(file, { readOnly: true }).write, undefined);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("files that hand over little at a time are read and written whole, and one that ends early is an error", () => {
  const bytes = pattern();
  let position = 0;
  const file: SeekableFile = {
    seekSync: (offset, whence) => position = whence === 2 ? LENGTH + offset : offset,
    readSync(into) {
      const count = Math.min(into.length, 100, bytes.length - position);
      into.set(bytes.subarray(position, position + count));
      position += count;
      return count === 0 ? null : count;
    },
    writeSync(from) {
      const count = Math.min(from.length, 100);
      bytes.set(from.subarray(0, count), position);
      position += count;
      return count;
    },
  };
  const media = fileMedia(file);
  const into = new Uint8Array(1024);
  media.read(512, into);
  deepStrictEqual(into, pattern().slice(512, 1536));
  media.write!(0, new Uint8Array(512).fill(1));
  deepStrictEqual(bytes.slice(0, 1024), pattern().fill(1, 0, 512).slice(0, 1024));
  throws(() => media.read(LENGTH - 512, new Uint8Array(1024)), /the file ends at/);
  throws(() => fileMedia({ ...file, writeSync: () => 0 }).write!(0, new Uint8Array(512)), /the file took 0/);
});

Deno.test("a blob is read-only by itself", async () => {
  const media = blobMedia(new Blob([pattern()]));
  deepStrictEqual(await readAll(media), pattern());
  strictEqual(media.write, undefined);
});
