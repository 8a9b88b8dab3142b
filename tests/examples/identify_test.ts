/**
 * Identify structures and registers, from bytes laid out by the figures of NVMe 1.4.
 *
 * @module
 */
import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { IDENTIFY_LENGTH, parseController, parseNamespace, parseNamespaceList } from "../../examples/nvme/identify.ts";
import { parseCapabilities } from "../../examples/nvme/registers.ts";

/** An Identify answer: bytes by offset. */
function structure(fields: Record<number, readonly number[] | string>): Uint8Array {
  const bytes = new Uint8Array(IDENTIFY_LENGTH);
  for (const [at, value] of Object.entries(fields)) {
    bytes.set(typeof value === "string" ? new TextEncoder().encode(value) : value, Number(at));
  }
  return bytes;
}

Deno.test("a controller's fields are read from their places (figure 247)", () => {
  const bytes = structure({
    4: "S4EVNX0R".padEnd(20),
    24: "Some disk 1TB".padEnd(40),
    64: "2B2QEXM7",
    77: [9],
    80: [0, 3, 1, 0],
    516: [0x20, 0, 0, 0],
    520: [0x5f, 0],
    525: [1],
  });
  deepStrictEqual(parseController(bytes), {
    serial: "S4EVNX0R",
    model: "Some disk 1TB",
    firmware: "2B2QEXM7",
    mdts: 9,
    namespaceCount: 32,
    version: "1.3.0",
    writeCache: true,
    canTrim: true,
    canWriteZeroes: true,
    canCompare: true,
  });
  const { canTrim, canWriteZeroes, canCompare, writeCache } = parseController(structure({ 520: [0x02, 0] }));
  deepStrictEqual([canTrim, canWriteZeroes, canCompare, writeCache], [false, false, false, false], "Write Uncorrectable alone");
});

Deno.test("a namespace uses the format that it names (figure 245)", () => {
  const bytes = structure({ 0: [0, 0, 1, 0, 0, 0, 0, 0], 26: [0x12], 99: [1], 128: [0, 0, 9, 0], 136: [8, 0, 12, 0] });
  deepStrictEqual(parseNamespace(3, bytes), {
    id: 3,
    blocks: 65_536,
    blockLength: 4096,
    length: 2 ** 28,
    writeProtected: true,
    metadata: 8,
  });
});

Deno.test("a namespace of 2^53 bytes or more is refused by name", () => {
  const huge = structure({ 0: [0, 0, 0, 0, 0, 0, 0x10, 0], 130: [9] });
  throws(() => parseNamespace(7, huge), /namespace 7/);
});

Deno.test("the list of namespaces ends at its first zero, or with the page", () => {
  deepStrictEqual(parseNamespaceList(structure({ 0: [1, 0, 0, 0, 9, 0, 0, 0, 0, 1, 0, 0] })), [1, 9, 256]);
  deepStrictEqual(parseNamespaceList(structure({})), []);
  strictEqual(parseNamespaceList(new Uint8Array(IDENTIFY_LENGTH).fill(1)).length, 1024);
});

Deno.test("capabilities are read from both halves (3.1.1)", () => {
  deepStrictEqual(parseCapabilities(0x1401_03ff, 0x0042_0023), {
    queueEntries: 1024,
    timeout: 10_000,
    doorbellStride: 32,
    nvm: true,
    pageMin: 16_384,
    pageMax: 65_536,
  });
  strictEqual(parseCapabilities(0x0000_ffff, 0).timeout, 500, "no controller gets no time at all");
  strictEqual(parseCapabilities(0xff01_ffff, 0x0f00_0040).nvm, false);
  strictEqual(parseCapabilities(0xff01_ffff, 0).timeout, 127_500);
});
