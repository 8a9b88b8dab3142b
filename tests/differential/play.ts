/**
 * Plays sequences on any kernel and notes all that a program could see of each call: result, struct, arrays.
 *
 * @module
 */
import type { Kernel } from "../../uapi/kernel.ts";
import { placed, readWidth, requestNamed, structBytes, structNamed, structOf, widthBytes } from "../../uapi/schema/layout.ts";
import type { Field, Request, Struct } from "../../uapi/schema/types.ts";
import { adoptFile } from "../adopt.ts";
import { ARGUMENTS, ARGUMENTS_READ_ONLY, DATA, Memory } from "./memory.ts";
import { isFile, type RequestStep, type Step, type TransferStep, type Value } from "./sequence.ts";

/** Bytes of arguments that are set for each request; those behind stay zero for ever. */
const ARGUMENT_BYTES = 256;
/** What the memory behind pointers holds where a step puts nothing. */
const FILLING = 0xa5;
/** Bytes of a request that the schema does not know. */
const UNKNOWN_BYTES = 64;
/** The file of a reference that leads nowhere. */
const NO_FILE = -1n;

/** Makes a file and does not tell its number, which is the lowest that was free. */
export const DMABUF_GET = "TEST_CMD/TestDmabufGet";

/** All that a program sees of one call. */
export interface Outcome {
  /** What the call answered; 0 for a file that was opened, since its number says nothing. */
  readonly result: number;
  /** The bytes of the struct that changed, as `offset:hex,…`, offsets hexadecimal. */
  readonly changes: string;
  /** The bytes that changed behind pointers, in the same way. */
  readonly data: string;
}

/** A request's struct and where its fields are. */
export interface Shape {
  /** The number that `ioctl` takes. */
  readonly number: number;
  /** Its struct; undefined for a number that the schema does not know. */
  readonly struct: Struct | undefined;
  /** Bytes of the struct. */
  readonly length: number;
  /** The fields by name. */
  readonly fields: ReadonlyMap<string, { readonly at: number; readonly field: Field }>;
  /** What the field `op` holds, where it tells of which struct this is. */
  readonly operation: number | undefined;
  /** Where a file is named, if anywhere. */
  readonly fileAt: number | undefined;
  /** Where the answer has files that were opened. */
  readonly opens: readonly number[];
  /** Whether a pointer is among them. */
  readonly points: boolean;
}

const shapes = new Map<string, Shape>();

/** The struct that a request takes, by the name behind the slash where it takes several. */
function structFor(row: Request, variant: string | undefined): Struct | undefined {
  const struct = variant === undefined ? structOf(row) : structNamed(variant);
  if (variant !== undefined && struct === undefined) throw new Error(`The schema has no struct ${variant}`);
  return struct;
}

/** The shape of a request by its name, with the struct behind a slash where it takes several, or by its number as `"0x…"`. @throws {Error} for a name that the schema lacks */
export function shapeOf(request: string): Shape {
  const known = shapes.get(request);
  if (known) return known;
  const [name, variant] = request.split("/") as [string, string?];
  const row = requestNamed(name);
  if (row === undefined && !name.startsWith("0x")) throw new Error(`The schema has no request ${name}`);
  const number = row?.number ?? Number(name);
  const struct = row && structFor(row, variant);
  const fields = new Map((struct ? placed(struct) : []).map((place) => [place.field.name, place]));
  const operation = fields.get("op")?.field.role;
  const shape: Shape = {
    number,
    struct,
    length: struct ? structBytes(struct) : UNKNOWN_BYTES,
    fields,
    operation: operation?.is === "constant" ? operation.value : undefined,
    fileAt: [...fields.values()].find(({ field }) => field.role.is === "fd" && field.direction === "in")?.at,
    opens: [...fields.values()].filter(({ field: { role } }) => role.is === "fd" && role.makes).map(({ at }) => at),
    points: [...fields.values()].some(({ field }) => field.role.is === "pointer"),
  };
  shapes.set(request, shape);
  return shape;
}

/** What a step left for later ones to name. */
interface Left {
  readonly shape?: Shape;
  readonly after?: DataView;
  readonly file?: bigint;
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** The runs in which two arrays of one length differ: `8:01,20:00f0`. */
export function changesOf(before: Uint8Array, after: Uint8Array): string {
  let text = "";
  for (let at = 0; at < after.length; at++) {
    if (before[at] === after[at]) continue;
    text += `${text === "" ? "" : ","}${at.toString(16)}:`;
    for (; at < after.length && before[at] !== after[at]; at++) text += HEX[after[at]!];
  }
  return text;
}

/** Whether arrays of one length are the same, word by word: most are, and they are long. */
function sameWords(one: Uint32Array, other: Uint32Array): boolean {
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}

function words({ buffer, byteOffset, byteLength }: Uint8Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, byteLength / 4);
}

/** Whether a program sees the same. */
export function sameOutcome(one: Outcome, other: Outcome): boolean {
  return one.result === other.result && one.changes === other.changes && one.data === other.data;
}

/** A program on one kernel. Its files and its memory are its own until {@linkcode Player.restart}. */
export class Player implements Disposable {
  /** What is asked. */
  readonly kernel: Kernel;
  /** The bytes of the last request's struct before the call, and as it came back. */
  readonly before: Uint8Array = new Uint8Array(ARGUMENT_BYTES);
  readonly #dataBefore: Uint8Array = new Uint8Array(DATA.length);
  #memory: Memory;
  #dataWords: { readonly before: Uint32Array; readonly after: Uint32Array };
  readonly #left = new Map<number, Left>();
  readonly #files = new Set<number>();
  /** Whether the last struct was not at the beginning of the memory for arguments. */
  #isElsewhere = false;

  /** @throws {Error} where the kernel does not give the memory */
  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.#memory = new Memory(kernel);
    this.#dataWords = { before: words(this.#dataBefore), after: words(this.#memory.data) };
  }

  /**
   * Close all files, forget all answers, and take other memory: the next step begins a sequence, on which those before have no influence.
   *
   * @throws {Error} where the kernel does not give the memory
   */
  restart(): void {
    this.#close();
    this.#memory[Symbol.dispose]();
    this.#memory = new Memory(this.kernel);
    this.#dataWords = { before: words(this.#dataBefore), after: words(this.#memory.data) };
  }

  /** The newest first; any order must do. */
  #close(): void {
    for (const fd of [...this.#files].reverse()) this.kernel.close(fd);
    this.#files.clear();
    this.#left.clear();
  }

  /** Make one call. */
  play(step: Step): Outcome {
    switch (step.call) {
      case "open":
        return this.#opened(step.id, this.kernel.open("/dev/iommu", 2));
      case "memfd":
        return this.#opened(step.id, this.kernel.memfd("differential", Number(step.length)));
      case "close":
        return this.#closeFile(step.file);
      case "read":
      case "write":
        return this.#transfer(step);
      case "ioctl":
        return this.#request(step);
    }
  }

  /** The number that a value stands for on this kernel; 0 where its step is missing, for a file −1. */
  resolve(value: Value): bigint {
    if (typeof value === "bigint") return value;
    const left = this.#left.get(value.step);
    if (value.field === "file") return left?.file ?? NO_FILE;
    const place = left?.shape?.fields.get(value.field);
    if (place === undefined) return isFile(value.field) ? NO_FILE : 0n;
    return BigInt.asUintN(64, BigInt(readWidth(left!.after!, place.at, place.field.width)) + value.plus);
  }

  /** The number may be somebody else's at once, so that a later step must not name it. */
  #closeFile(file: Value): Outcome {
    const fd = Number(this.resolve(file));
    this.#files.delete(fd);
    if (typeof file !== "bigint") this.#left.delete(file.step);
    return { result: this.kernel.close(fd), changes: "", data: "" };
  }

  #opened(id: number, fd: number): Outcome {
    if (fd >= 0) {
      this.#files.add(fd);
      this.#left.set(id, { file: BigInt(fd) });
    }
    return { result: Math.min(fd, 0), changes: "", data: "" };
  }

  /** A caller's block is as long as the call says: where the memory ends before, the kernel must find out. */
  #transfer({ call, file, length, at = DATA.at, data }: TransferStep): Outcome {
    this.#fill(data);
    const bytes = new Uint8Array(Number(length));
    const block = { address: at, bytes, view: new DataView(bytes.buffer), [Symbol.dispose]() {} };
    const result = this.kernel[call](Number(this.resolve(file)), block, Number(length));
    return { result, changes: "", data: this.#dataChanges() };
  }

  #request(step: RequestStep): Outcome {
    const shape = shapeOf(step.request);
    const fd = Number(this.resolve(step.file));
    const length = shape.length + (step.tail?.length ?? 0) / 2;
    this.#encode(step, shape, length);
    const at = step.at ?? ARGUMENTS.at;
    const seen = this.#place(at, length);
    if (shape.points) this.#fill(step.data);
    const next = step.request === DMABUF_GET ? this.#nextFile() : -1;
    const result = this.kernel.ioctl(fd, shape.number, Number(at));
    if (result >= 0 && shape.struct !== undefined) this.#left.set(step.id, { shape, after: new DataView(seen.slice().buffer) });
    if (result >= 0) this.#adoptFiles(shape, seen);
    if (result >= 0 && next >= 0) this.#adoptUntold(step.id, next);
    const changes = changesOf(this.before, seen);
    const data = shape.points ? this.#dataChanges() : "";
    return { result, changes, data };
  }

  /** Files that a request has opened are the program's; their numbers are no part of the answer. */
  #adoptFiles(shape: Shape, seen: Uint8Array): void {
    for (const at of shape.opens) {
      this.#files.add(adoptFile(this.kernel, new DataView(seen.buffer, seen.byteOffset).getInt32(at, true)));
      seen.set(this.before.subarray(at, at + 4), at);
    }
  }

  /** The number of the next file that is opened. */
  #nextFile(): number {
    const fd = this.kernel.eventfd(0, 0);
    this.kernel.close(fd);
    return fd;
  }

  #adoptUntold(id: number, fd: number): void {
    this.#files.add(adoptFile(this.kernel, fd));
    this.#left.set(id, { file: BigInt(fd) });
  }

  /** The bytes of the request, in {@linkcode Player.before}. */
  #encode(step: RequestStep, shape: Shape, length: number): void {
    const { before } = this;
    before.fill(0);
    const view = new DataView(before.buffer);
    view.setUint32(0, length, true);
    if (shape.operation !== undefined) view.setUint32(4, shape.operation, true);
    // Linux's process has a file 0.
    if (shape.fileAt !== undefined) view.setInt32(shape.fileAt, Number(NO_FILE), true);
    for (const name in step.fields) {
      const place = shape.fields.get(name);
      if (place === undefined) throw new Error(`The struct of ${step.request} has no field "${name}"`);
      writeNumber(view, place.at, widthBytes(place.field.width), this.resolve(step.fields[name]!));
    }
    const { tail = "" } = step;
    for (let byte = 0; 2 * byte < tail.length; byte++) before[shape.length + byte] = parseInt(tail.slice(2 * byte, 2 * byte + 2), 16);
  }

  /** Write the bytes where the step wants them, as far as there is memory. Returns that memory. */
  #place(at: bigint, length: number): Uint8Array {
    const memory = this.#memory.arguments;
    memory.fill(0, 0, ARGUMENT_BYTES);
    if (this.#isElsewhere) memory.fill(0, memory.length - ARGUMENT_BYTES);
    this.#isElsewhere = at !== ARGUMENTS.at;
    const piece = [ARGUMENTS, ARGUMENTS_READ_ONLY].find(({ at: first }) => first <= at && at < first + BigInt(memory.length));
    if (piece === undefined) return NOTHING;
    const start = Number(at - piece.at);
    const there = memory.subarray(start, start + length);
    there.set(this.before.subarray(0, there.length));
    return there;
  }

  #dataChanges(): string {
    const { before, after } = this.#dataWords;
    return sameWords(before, after) ? "" : changesOf(this.#dataBefore, this.#memory.data);
  }

  #fill(numbers: readonly Value[] = []): void {
    this.#dataBefore.fill(FILLING);
    const view = new DataView(this.#dataBefore.buffer);
    numbers.forEach((number, index) => view.setBigUint64(8 * index, BigInt.asUintN(64, this.resolve(number)), true));
    this.#memory.data.set(this.#dataBefore);
  }

  /** Close all files and give the memory back. */
  [Symbol.dispose](): void {
    this.#close();
    this.#memory[Symbol.dispose]();
  }
}

const NOTHING = new Uint8Array(0);

function writeNumber(view: DataView, at: number, width: number, value: bigint): void {
  if (width === 8) view.setBigUint64(at, BigInt.asUintN(64, value), true);
  else if (width === 4) view.setUint32(at, Number(BigInt.asUintN(32, value)), true);
  else if (width === 2) view.setUint16(at, Number(BigInt.asUintN(16, value)), true);
  else view.setUint8(at, Number(BigInt.asUintN(8, value)));
}
