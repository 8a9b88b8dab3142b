/**
 * File systems recognised by their first bytes, which the usual tools made; what is expected is what blkid says of them.
 *
 * @module
 */
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { type FileSystem, HEAD_LENGTH, recognise } from "../../examples/nvme/filesystem.ts";
import { type Head, head } from "./heads.ts";

const MIB = 2 ** 20;
const UUID = "10e4d000-0000-4000-8000-00000000000";

const EXPECTED: Record<Head, FileSystem> = {
  fat12: { kind: "FAT12", label: "TWELVE", id: "1234-5678", length: MIB / 4 },
  fat16: { kind: "FAT16", label: "SIXTEEN", id: "ABCD-0016", length: 16 * MIB },
  fat32: { kind: "FAT32", label: "THIRTYTWO", id: "0032-0032", length: 64 * MIB },
  unnamed: { kind: "FAT16", label: "", id: "ABCD-0017", length: 16 * MIB },
  exfat: { kind: "exFAT", label: "", id: "7FAF-F434", length: 16 * MIB },
  // The last sector is a copy of the first and does not count.
  ntfs: { kind: "NTFS", label: "", id: "1104AC105FFF57EA", length: 16 * MIB - 512 },
  ext2: { kind: "ext2", label: "two", id: `${UUID}2`, length: 4 * MIB },
  ext3: { kind: "ext3", label: "three", id: `${UUID}3`, length: 8 * MIB },
  ext4: { kind: "ext4", label: "four", id: `${UUID}4`, length: 8 * MIB },
};

for (const [name, expected] of Object.entries(EXPECTED) as [Head, FileSystem][]) {
  Deno.test(`${name} is recognised with its label, identifier and length`, () => {
    deepStrictEqual(recognise(head(name)), expected);
  });
}

Deno.test("a boot sector whose clusters are too many for FAT12 and FAT16 is of neither", () => {
  const bytes = head("fat16").slice();
  const view = new DataView(bytes.buffer);
  view.setUint16(19, 0, true);
  view.setUint32(32, 4 * 4084 + 4 + 2 * 32 + 32, true);
  strictEqual(recognise(bytes)?.kind, "FAT12");
  view.setUint32(32, 4 * 4085 + 4 + 2 * 32 + 32, true);
  strictEqual(recognise(bytes)?.kind, "FAT16");
});

Deno.test("zeros, noise, an empty disk and a master boot record are no file system", () => {
  strictEqual(recognise(new Uint8Array(HEAD_LENGTH)), undefined);
  strictEqual(recognise(new Uint8Array(0)), undefined);
  const record = new Uint8Array(512);
  record.set([0x55, 0xaa], 510);
  strictEqual(recognise(record), undefined);
});

Deno.test("no bytes make it throw", () => {
  const names = Object.keys(EXPECTED) as Head[];
  const change = fc.tuple(fc.nat(HEAD_LENGTH - 1), fc.nat(255));
  fc.assert(fc.property(fc.constantFrom(...names), fc.array(change, { maxLength: 40 }), fc.nat(HEAD_LENGTH), (name, changes, length) => {
    const bytes = head(name).slice();
    for (const [at, value] of changes) bytes[at] = value;
    const found = recognise(bytes.subarray(0, length));
    if (found !== undefined) strictEqual(typeof found.length, "number");
  }));
});
