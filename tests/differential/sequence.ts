/**
 * A sequence of calls as data: what one kernel is asked, so that another can be asked the same.
 *
 * A value is a number or names what an earlier step got, so that a sequence stays meaningful when steps are taken out of it.
 *
 * @module
 */

/** What an earlier step got: a field of its answer, plus a number. `"file"` is the file that it opened, and so is a field that ends in `_fd`. */
export interface Reference {
  /** Which step. */
  readonly step: number;
  /** Name of the field. */
  readonly field: string;
  /** Added to the field's value. */
  readonly plus: bigint;
}

/** A number, or what an earlier step got. */
export type Value = bigint | Reference;

/** Open `/dev/iommu`. */
export interface OpenStep {
  /** Number of the step. */
  readonly id: number;
  /** Discriminant. */
  readonly call: "open";
}

/** Make a memory file. */
export interface MemfdStep {
  /** Number of the step. */
  readonly id: number;
  /** Discriminant. */
  readonly call: "memfd";
  /** Bytes of the file. */
  readonly length: bigint;
}

/** Close a file. */
export interface CloseStep {
  /** Number of the step. */
  readonly id: number;
  /** Discriminant. */
  readonly call: "close";
  /** The file. */
  readonly file: Value;
}

/** Ask a request of an iommufd. */
export interface RequestStep {
  /** Number of the step. */
  readonly id: number;
  /** Discriminant. */
  readonly call: "ioctl";
  /** The file. */
  readonly file: Value;
  /** Name of the request in the schema, or its number as `"0x…"`. */
  readonly request: string;
  /** Fields of the struct by Linux's names. Those that are left out are zero, the size that of the struct. */
  readonly fields: Readonly<Record<string, Value>>;
  /** Bytes behind the struct, hexadecimal. */
  readonly tail?: string;
  /** Address of the struct. Default: the beginning of the memory for arguments. */
  readonly at?: bigint;
  /** Words of 64 bits that pointers lead to. */
  readonly data?: readonly Value[];
}

/** Read the file of a queue, or write to it. */
export interface TransferStep {
  /** Number of the step. */
  readonly id: number;
  /** Discriminant. */
  readonly call: "read" | "write";
  /** The file. */
  readonly file: Value;
  /** Bytes. */
  readonly length: bigint;
  /** Address of the bytes. Default: where pointers lead. */
  readonly at?: bigint;
  /** Words of 64 bits where pointers lead. */
  readonly data?: readonly Value[];
}

/** One call. */
export type Step = OpenStep | MemfdStep | CloseStep | RequestStep | TransferStep;

/** A value that names the answer of a step. */
export function reference(step: number, field: string, plus = 0n): Reference {
  return { step, field, plus };
}

/** Whether a value of this name is an open file, whose number is another one on each kernel. */
export function isFile(field: string): boolean {
  return field === "file" || field.endsWith("_fd");
}

/** A value plus a number. */
export function plus(value: Value, more: bigint): Value {
  if (typeof value === "bigint") return BigInt.asUintN(64, value + more);
  return { ...value, plus: value.plus + more };
}

function hex(value: bigint): string {
  return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

/** A value in words: `0x1000`, `3.iova`, `3.iova+0x800`. */
export function valueText(value: Value): string {
  if (typeof value === "bigint") return hex(value);
  const more = value.plus === 0n ? "" : `${value.plus > 0n ? "+" : ""}${hex(value.plus)}`;
  return `${value.step}.${value.field}${more}`;
}

function parseHex(text: string): bigint {
  return text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text);
}

/** A value from its words. @throws {SyntaxError} for anything else */
export function parseValue(text: string): Value {
  const found = /^(\d+)\.([a-z_0-9]+?)(?:\+?(-?0x[0-9a-f]+))?$/.exec(text);
  if (found) return { step: Number(found[1]), field: found[2]!, plus: found[3] === undefined ? 0n : parseHex(found[3]) };
  if (!/^-?0x[0-9a-f]+$/.test(text)) throw new SyntaxError(`Cannot read "${text}": a value is "0x…" or "<step>.<field>+0x…"`);
  return parseHex(text);
}

/** A step as JSON: values are texts. */
export interface JsonStep {
  readonly id: number;
  readonly call: string;
  readonly file?: string;
  readonly length?: string;
  readonly request?: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly tail?: string;
  readonly at?: string;
  readonly data?: readonly string[];
}

/** A step as JSON. */
export function stepJson(step: Step): JsonStep {
  switch (step.call) {
    case "open":
      return { ...step };
    case "memfd":
      return { ...step, length: hex(step.length) };
    case "close":
      return { ...step, file: valueText(step.file) };
    case "read":
    case "write": {
      const { file, length, at, data, ...rest } = step;
      return { ...rest, file: valueText(file), length: hex(length), ...placeJson(at, data) };
    }
    case "ioctl": {
      const { file, fields, at, data, ...rest } = step;
      return {
        ...rest,
        file: valueText(file),
        fields: Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, valueText(value)])),
        ...placeJson(at, data),
      };
    }
  }
}

/** Where bytes are and which, as far as a step says so, as JSON. */
function placeJson(at: bigint | undefined, data: readonly Value[] | undefined): Pick<JsonStep, "at" | "data"> {
  return { ...(at === undefined ? {} : { at: hex(at) }), ...(data === undefined ? {} : { data: data.map(valueText) }) };
}

/** A step from JSON. @throws {SyntaxError} for anything else */
export function parseStep({ id, call, file = "", length = "", request = "", fields = {}, tail, at, data }: JsonStep): Step {
  const place = { ...(at === undefined ? {} : { at: parseHex(at) }), ...(data === undefined ? {} : { data: data.map(parseValue) }) };
  switch (call) {
    case "open":
      return { id, call };
    case "memfd":
      return { id, call, length: parseHex(length) };
    case "close":
      return { id, call, file: parseValue(file) };
    case "read":
    case "write":
      return { id, call, file: parseValue(file), length: parseHex(length), ...place };
    case "ioctl":
      return {
        id,
        call,
        file: parseValue(file),
        request,
        fields: Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, parseValue(value)])),
        ...(tail === undefined ? {} : { tail }),
        ...place,
      };
    default:
      throw new SyntaxError(`Cannot read a step: there is no call "${call}"`);
  }
}
