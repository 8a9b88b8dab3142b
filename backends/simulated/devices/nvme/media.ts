/**
 * Block media: what a simulated disk stores its data in.
 *
 * @module
 */

/**
 * Where a namespace keeps its data. Positions and lengths are whole blocks of the namespace, and within `length`.
 *
 * A method that returns a promise is waited for in real time while the machine's time stands still. One that throws or rejects becomes a
 * media error of the command.
 */
export interface BlockSource {
  /** Bytes. A multiple of the namespace's block length. */
  readonly length: number;
  /** Fill `into` with the bytes from `at` on. */
  read(at: number, into: Uint8Array): void | Promise<void>;
  /** Store `from` at `at`. `from` is valid until the method returns or its promise settles. Without it the namespace is write-protected. */
  write?(at: number, from: Uint8Array): void | Promise<void>;
  /** Make all that was written last. */
  flush?(): void | Promise<void>;
  /** Forget bytes: they read as zeros afterwards. Without it zeros are written. */
  deallocate?(at: number, length: number): void | Promise<void>;
}

/** Media in an array, which writes change. */
export function bytesMedia(bytes: Uint8Array): BlockSource {
  return {
    length: bytes.length,
    // A view for each command would cost more than the copy of one block.
    read: (at, into) => into.set(bytes.subarray(at, at + into.length)),
    write: (at, from) => bytes.set(from, at),
    deallocate: (at, length) => void bytes.fill(0, at, at + length),
  };
}

/** Media of `length` bytes that begin as zeros. */
export function memoryMedia(length: number): BlockSource {
  return bytesMedia(new Uint8Array(length));
}

/** An open file, by structure: `Deno.FsFile` is one. */
export interface SeekableFile {
  /** Move the position; `whence` 0 counts from the start, 2 from the end. Returns the position. */
  seekSync(offset: number, whence: 0 | 2): number;
  /** Read at the position. Returns how many bytes, or null at the end. */
  readSync(into: Uint8Array): number | null;
  /** Write at the position. Returns how many bytes. */
  writeSync?(from: Uint8Array): number;
  /** Make all that was written last. */
  syncSync?(): void;
}

/** Options of {@linkcode fileMedia}. */
export interface FileMediaOptions {
  /** Refuse writes. Default: false. */
  readonly readOnly?: boolean;
}

/** Media in an open file. The file's length is the disk's; it stays open, and is the caller's to close. */
export function fileMedia(file: SeekableFile, options: FileMediaOptions = {}): BlockSource {
  const length = file.seekSync(0, 2);
  const media: BlockSource = { length, read: (at, into) => readFile(file, at, into) };
  if (options.readOnly || file.writeSync === undefined) return media;
  return { ...media, write: (at, from) => writeFile(file, at, from), flush: () => file.syncSync?.() };
}

function readFile(file: SeekableFile, at: number, into: Uint8Array): void {
  file.seekSync(at, 0);
  for (let done = 0; done < into.length;) {
    const count = file.readSync(into.subarray(done)) ?? 0;
    if (count === 0) throw new RangeError(`Cannot read ${into.length} bytes at ${at}: the file ends at ${at + done}`);
    done += count;
  }
}

function writeFile(file: SeekableFile, at: number, from: Uint8Array): void {
  file.seekSync(at, 0);
  for (let done = 0; done < from.length;) {
    const count = file.writeSync!(from.subarray(done));
    if (count === 0) throw new RangeError(`Cannot write ${from.length} bytes at ${at}: the file took ${done}`);
    done += count;
  }
}

/** Media in a `Blob` or a `File` of a browser, read-only. Wrap it into {@linkcode overlayMedia} to write. */
export function blobMedia(blob: Blob): BlockSource {
  return {
    length: blob.size,
    async read(at, into) {
      into.set(new Uint8Array(await blob.slice(at, at + into.length).arrayBuffer()));
    },
  };
}

const SECTOR = 512;
const PAGE_SECTORS = 8;
const PAGE = SECTOR * PAGE_SECTORS;

/** A page of an overlay; bit n of `written` says that sector n was written. */
interface OverlayPage {
  readonly bytes: Uint8Array;
  written: number;
}

/** Media that read from `base` and keep what is written in memory: copy on write. */
export function overlayMedia(base: BlockSource): BlockSource {
  const pages = new Map<number, OverlayPage>();
  return {
    length: base.length,
    read(at, into) {
      const work = base.read(at, into);
      if (work === undefined) return patch(pages, at, into);
      return work.then(() => patch(pages, at, into));
    },
    write: (at, from) => eachSector(at, from.length, (sector, offset) => store(pages, sector, from.subarray(offset, offset + SECTOR))),
    deallocate: (at, length) => eachSector(at, length, (sector) => store(pages, sector, ZEROS)),
  };
}

const ZEROS = new Uint8Array(SECTOR);

function eachSector(at: number, length: number, visit: (sector: number, offset: number) => void): void {
  for (let offset = 0; offset < length; offset += SECTOR) visit((at + offset) / SECTOR, offset);
}

function store(pages: Map<number, OverlayPage>, sector: number, from: Uint8Array): void {
  const number = Math.floor(sector / PAGE_SECTORS);
  let page = pages.get(number);
  if (page === undefined) pages.set(number, page = { bytes: new Uint8Array(PAGE), written: 0 });
  const inPage = sector % PAGE_SECTORS;
  page.bytes.set(from, inPage * SECTOR);
  page.written |= 1 << inPage;
}

function patch(pages: Map<number, OverlayPage>, at: number, into: Uint8Array): void {
  if (pages.size === 0) return;
  eachSector(at, into.length, (sector, offset) => {
    const page = pages.get(Math.floor(sector / PAGE_SECTORS));
    const inPage = sector % PAGE_SECTORS;
    if (page === undefined || (page.written & (1 << inPage)) === 0) return;
    into.set(page.bytes.subarray(inPage * SECTOR, (inPage + 1) * SECTOR), offset);
  });
}
