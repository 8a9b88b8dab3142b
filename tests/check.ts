/**
 * Assertions for suites that run in any runtime, a page included: `node:assert` is not there.
 *
 * @module
 */

/** A check that failed. */
export class CheckError extends Error {
  /** "CheckError". */
  override name = "CheckError";
}

/** A value as a failure shows it. */
export function show(value: unknown): string {
  if (typeof value === "bigint") return `${value < 0n ? "-" : ""}0x${(value < 0n ? -value : value).toString(16)}n`;
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof Uint8Array) return `${value.length} bytes [${Array.from(value.subarray(0, 16), hexByte).join(" ")}]`;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value).map(([key, entry]) => `${key}: ${show(entry)}`).join(", ")}}`;
  }
  return String(value);
}

function hexByte(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}

/** The first place where two values differ, as a path below them; undefined where they are equal. */
function difference(actual: unknown, expected: unknown, path: string): string | undefined {
  if (Object.is(actual, expected)) return undefined;
  if (actual instanceof Uint8Array && expected instanceof Uint8Array) return bytesDifference(actual, expected, path);
  const comparable = typeof actual === "object" && typeof expected === "object" && actual !== null && expected !== null &&
    Array.isArray(actual) === Array.isArray(expected) && !(actual instanceof Uint8Array) && !(expected instanceof Uint8Array);
  if (!comparable) return `${path === "" ? "" : `${path} is `}${show(actual)}, expected ${show(expected)}`;
  for (const key of new Set([...Object.keys(actual), ...Object.keys(expected)])) {
    const found = difference((actual as Record<string, unknown>)[key], (expected as Record<string, unknown>)[key], `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Byte by byte without an object for each: arrays may have megabytes. */
function bytesDifference(actual: Uint8Array, expected: Uint8Array, path: string): string | undefined {
  if (actual.length !== expected.length) return `${path} has ${actual.length} bytes, expected ${expected.length}`;
  for (let at = 0; at < actual.length; at++) {
    if (actual[at] !== expected[at]) return `${path} has ${show(actual[at])} at byte ${at}, expected ${show(expected[at])}`;
  }
  return undefined;
}

/** Fail unless `condition` holds. `message` says what should be. @throws {CheckError} */
export function check(condition: unknown, message: string): asserts condition {
  if (!condition) throw new CheckError(message);
}

/** Fail unless the two are equal in depth: numbers, bigints, texts, byte arrays, lists and plain objects of them. @throws {CheckError} */
export function equal(actual: unknown, expected: unknown, message = ""): void {
  const found = difference(actual, expected, "");
  if (found !== undefined) throw new CheckError(message === "" ? found : `${message}: ${found}`);
}

/** Run something that must throw, and return what it threw. @throws {CheckError} if it does not. */
export function thrown(run: () => unknown, message = "nothing was thrown"): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new CheckError(message);
}
