/**
 * A disk image: a file, a block device, or a file that gzip packed.
 *
 * @module
 */
import { createHash } from "node:crypto";
import process from "node:process";

/** The image that comes with the example. */
const COMMITTED: URL = new URL("./disk.img.gz", import.meta.url);
const SECTOR = 512;
const PIECE = 2 ** 20;

/** A path, option or value that the user gave is wrong. The message is for the user. */
export class UsageError extends Error {
  /** "UsageError". */
  override name = "UsageError";
}

/** An open image. */
export interface Image extends Disposable {
  /** As the user wrote it. */
  readonly path: string;
  /** Bytes of the disk. */
  readonly length: number;
  /** Its content: all of it where it was packed, else the open file. */
  readonly content: Uint8Array<ArrayBuffer> | Deno.FsFile;
  /** SHA-256 of it, read anew from its first byte to its last; hexadecimal. */
  sha256(): Promise<string>;
}

/** Open an image. @param path undefined: the one that comes with the example. @throws {UsageError} if it cannot be a disk. */
export async function openImage(path?: string): Promise<Image> {
  const name = path ?? shortName(COMMITTED);
  const file = await open(name, path ?? COMMITTED);
  try {
    const content = await readPacked(name, file) ?? file;
    const length = content instanceof Uint8Array ? content.length : file.seekSync(0, Deno.SeekMode.End);
    if (length === 0) throw new UsageError(`Cannot use "${name}" as a disk: it is empty`);
    if (length % SECTOR !== 0) {
      throw new UsageError(`Cannot use "${name}" as a disk: its ${length} bytes are no whole sectors of ${SECTOR}`);
    }
    return { path: name, length, content, sha256: () => hash(content), [Symbol.dispose]: () => file.close() };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** The path of a file as seen from the working directory, if it is below that. */
function shortName(url: URL): string {
  const path = decodeURIComponent(url.pathname);
  const here = `${process.cwd()}/`;
  return path.startsWith(here) ? path.slice(here.length) : path;
}

async function open(name: string, path: string | URL): Promise<Deno.FsFile> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { read: true });
  } catch (error) {
    throw new UsageError(`Cannot open "${name}": ${reasonOf(error)}`, { cause: error });
  }
  const { isFile, isBlockDevice, isDirectory } = await file.stat();
  if (isFile || isBlockDevice) return file;
  file.close();
  throw new UsageError(`Cannot use "${name}" as a disk: it is ${isDirectory ? "a directory" : "neither a file nor a block device"}`);
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "the system denies access";
  if (error instanceof Deno.errors.NotCapable) return "this program was started without --allow-read for it";
  return error instanceof Error ? error.message : String(error);
}

/** The content of a file that gzip packed; undefined where it did not. */
async function readPacked(name: string, file: Deno.FsFile): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const magic = new Uint8Array(2);
  const count = await file.read(magic);
  if (count !== 2 || magic[0] !== 0x1f || magic[1] !== 0x8b) return undefined;
  await file.seek(0, Deno.SeekMode.Start);
  const pieces = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const piece = new Uint8Array(PIECE);
      const count = await file.read(piece);
      if (count === null) controller.close();
      else controller.enqueue(piece.subarray(0, count));
    },
  });
  try {
    return await new Response(pieces.pipeThrough(new DecompressionStream("gzip"))).bytes();
  } catch (error) {
    throw new UsageError(`Cannot unpack "${name}": its gzip data is damaged`, { cause: error });
  }
}

async function hash(content: Uint8Array | Deno.FsFile): Promise<string> {
  const sha256 = createHash("sha256");
  if (content instanceof Uint8Array) return sha256.update(content).digest("hex");
  await content.seek(0, Deno.SeekMode.Start);
  const piece = new Uint8Array(PIECE);
  for (let count = await content.read(piece); count !== null; count = await content.read(piece)) sha256.update(piece.subarray(0, count));
  return sha256.digest("hex");
}
