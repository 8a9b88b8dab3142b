/**
 * Buffers whose memory is an ArrayBuffer each, as on a real kernel: the simulated machine has one for all.
 */
import fc from "fast-check";
import { BufferTable } from "../../api/buffer_table.ts";
import type { DmaBuffer } from "../../mod.ts";
import { check, equal } from "../check.ts";

/** What the table looks at. */
function bufferAt(iova: bigint, bytes: Uint8Array): DmaBuffer {
  return { iova, bytes, length: bytes.length } as DmaBuffer;
}

const parts = fc.record({ page: fc.bigInt({ min: 0n, max: 30n }), length: fc.integer({ min: 1, max: 4096 }), offset: fc.nat(16) });

Deno.test("buffers are found by their bytes, however many memories there are and whatever comes and goes", () => {
  fc.assert(
    fc.property(fc.uniqueArray(parts, { selector: ({ page }) => page, maxLength: 20 }), fc.nat(100), fc.nat(4095), (list, gone, at) => {
      const table = new BufferTable();
      const buffers = list.map(({ page, length, offset }) => bufferAt(page * 4096n, new Uint8Array(new ArrayBuffer(5000), offset, length)));
      for (const buffer of buffers) table.add(buffer);
      const left = buffers.filter((_, index) => index % 3 !== gone % 3);
      for (const buffer of buffers) if (!left.includes(buffer)) table.delete(buffer);
      equal(table.size, left.length);
      for (const buffer of buffers) {
        const expected = left.includes(buffer) ? buffer : undefined;
        const start = Math.min(at, buffer.length - 1);
        check(table.of(buffer.bytes.subarray(start)) === expected, "by a part of its bytes");
        check(table.at(buffer.iova + BigInt(start)) === expected, "by its address");
        const { buffer: memory, byteOffset } = buffer.bytes;
        check(table.of(new Uint8Array(memory, byteOffset, buffer.length + 1)) === undefined, "not by more than its bytes");
        check(table.of(new Uint8Array(memory, byteOffset + buffer.length)) === undefined, "not by what is behind");
        if (byteOffset > 0) check(table.of(new Uint8Array(memory, byteOffset - 1, 2)) === undefined, "not by what is before");
      }
      const [first, last] = [5n * 4096n, 20n * 4096n + 4095n];
      const within = left.filter(({ iova }) => first <= iova && iova <= last).sort((a, b) => Number(b.iova - a.iova));
      const found = table.within(first, last);
      check(found.length === within.length && found.every((buffer, index) => buffer === within[index]), "the last first");
    }),
  );
});
