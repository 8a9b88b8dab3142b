import { deepStrictEqual, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { MemoryWatch } from "../../backends/wrap/memory_watch.ts";
import { fromHex } from "../../backends/wrap/trace.ts";

Deno.test("changes, applied to the memory of the last look, give the memory of this look", () => {
  const writes = fc.array(fc.record({ at: fc.nat(250), byte: fc.nat(255) }), { maxLength: 20 });
  fc.assert(fc.property(fc.nat(7), fc.integer({ min: 1, max: 251 }), fc.array(writes, { maxLength: 4 }), (from, length, looks) => {
    const bytes = new Uint8Array(new ArrayBuffer(300), from, length);
    const watch = new MemoryWatch();
    strictEqual(watch.add(0x1000n, bytes), true);
    const shadow = new Uint8Array(length);
    for (const look of looks) {
      for (const { at, byte } of look) bytes[at % length] = byte;
      for (const change of watch.changes()) shadow.set(fromHex(change.bytes), Number(BigInt(change.at) - 0x1000n));
      deepStrictEqual(shadow, bytes.slice());
      deepStrictEqual(watch.changes(), []);
    }
  }));
});

Deno.test("changes that lie close together are one, those far apart are several", () => {
  const bytes = new Uint8Array(4096);
  const watch = new MemoryWatch();
  watch.add(0n, bytes);
  bytes[100] = 1;
  bytes[110] = 2;
  bytes[4000] = 3;
  deepStrictEqual(watch.changes(), [{ at: "0x64", bytes: "0100000000000000000002" }, { at: "0xfa0", bytes: "03" }]);
});

Deno.test("a range inside a watched one is not watched twice, one around it replaces it", () => {
  const bytes = new Uint8Array(64);
  const watch = new MemoryWatch();
  strictEqual(watch.add(0x100n, bytes.subarray(16, 32)), true);
  strictEqual(watch.add(0x104n, bytes.subarray(20, 24)), false);
  strictEqual(watch.add(0xf0n, bytes), true);
  bytes[20] = 1;
  deepStrictEqual(watch.changes(), [{ at: "0x104", bytes: "01" }]);
});

Deno.test("what is unmapped is watched no longer, what is left of it still is", () => {
  const bytes = new Uint8Array(96);
  const watch = new MemoryWatch();
  watch.add(0n, bytes);
  watch.remove(32n, 32n);
  bytes[31] = 1;
  bytes[32] = 2;
  bytes[63] = 3;
  bytes[64] = 4;
  deepStrictEqual(watch.changes(), [{ at: "0x1f", bytes: "01" }, { at: "0x40", bytes: "04" }]);
});
