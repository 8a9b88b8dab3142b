/**
 * Random commands in random order against the dumbest possible disk: an array of blocks.
 *
 * @module
 */
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { bytesMedia } from "../../backends/simulated/devices/nvme/mod.ts";
import { BareHost, type Command, DATA } from "./bare_host.ts";

const BLOCKS = 64;
const KINDS = ["read", "write", "compare", "zero", "trim", "flush"] as const;

interface Step {
  kind: typeof KINDS[number];
  queue: number;
  nsid: number;
  lba: number;
  count: number;
  offset: number;
  value: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...KINDS),
  queue: fc.constantFrom(1, 2),
  nsid: fc.integer({ min: 1, max: 3 }),
  lba: fc.integer({ min: 0, max: BLOCKS + 2 }),
  count: fc.integer({ min: 1, max: 9 }),
  offset: fc.constantFrom(0, 4, 512, 2048, 4092),
  value: fc.integer({ min: 0, max: 3 }),
});

/** The disk as anybody would write it down. */
class Model {
  readonly blocks: Uint8Array[][];
  constructor(readonly blockLengths: readonly number[]) {
    this.blocks = blockLengths.map((length) => Array.from({ length: BLOCKS }, (_, index) => new Uint8Array(length).fill(index)));
  }

  /** The status that a step must have; data of a read go to `data`, others come from there. */
  run({ kind, nsid, lba, count }: Step, data: Uint8Array): number {
    const blocks = this.blocks[nsid - 1];
    if (blocks === undefined) return 0x0b;
    if (kind === "flush") return 0;
    if (lba + count > BLOCKS) return 0x80;
    const length = this.blockLengths[nsid - 1]!;
    let equal = true;
    for (let index = 0; index < count; index++) {
      const part = data.subarray(index * length, (index + 1) * length);
      if (kind === "read") part.set(blocks[lba + index]!);
      if (kind === "write") blocks[lba + index] = part.slice();
      if (kind === "zero" || kind === "trim") blocks[lba + index] = new Uint8Array(length);
      if (kind === "compare") equal &&= part.every((byte, at) => byte === blocks[lba + index]![at]);
    }
    return equal ? 0 : 0x285;
  }
}

const OPCODE = { read: 2, write: 1, compare: 5, zero: 8, trim: 9, flush: 0 } as const;
const LIST = 0x1800000;

/** PRPs for data at `at`, an entry a page, always with a list. */
function prps(host: BareHost, at: number, length: number): { prp1: bigint; prp2: bigint } {
  const pages: number[] = [];
  for (let page = Math.floor(at / 4096) * 4096 + 4096; page < at + length; page += 4096) pages.push(page);
  if (pages.length <= 1) return { prp1: BigInt(at), prp2: BigInt(pages[0] ?? 0) };
  pages.forEach((page, index) => host.bus.view.setBigUint64(LIST + 8 * index, BigInt(page), true));
  return { prp1: BigInt(at), prp2: BigInt(LIST) };
}

function command(host: BareHost, { kind, nsid, lba, count, offset }: Step, length: number): Command {
  if (kind !== "trim") return { opcode: OPCODE[kind], nsid, ...prps(host, DATA + offset, length), dwords: [lba, 0, count - 1] };
  // The list of ranges lies apart from the data, which a trim must not touch.
  host.bus.view.setUint32(LIST, 0, true);
  host.bus.view.setUint32(LIST + 4, count, true);
  host.bus.view.setBigUint64(LIST + 8, BigInt(lba), true);
  return { opcode: OPCODE.trim, nsid, prp1: BigInt(LIST), dwords: [0, 4] };
}

Deno.test("any sequence of commands leaves the disk, the answers and the host's memory as an array of blocks would", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.nat(), (steps, seed) => {
      const model = new Model([512, 4096]);
      const disks = model.blocks.map((blocks) => Uint8Array.from(blocks.flatMap((block) => [...block])));
      const namespaces = disks.map((bytes, index) => ({ media: bytesMedia(bytes), blockLength: model.blockLengths[index]! }));
      const host = new BareHost({ namespaces }, seed).enable().createQueues(1, 4).createQueues(2, 8);
      for (const one of steps) {
        const length = (model.blockLengths[one.nsid - 1] ?? 512) * one.count;
        const area = host.data(12 * 4096);
        area.fill(one.value);
        const expected = area.slice();
        const status = model.run(one, expected.subarray(one.offset, one.offset + length));
        strictEqual(host.submit(one.queue, command(host, one, length)).status, status, JSON.stringify(one));
        deepStrictEqual(area, expected);
      }
      disks.forEach((bytes, index) => deepStrictEqual(bytes, Uint8Array.from(model.blocks[index]!.flatMap((block) => [...block]))));
    }),
    { numRuns: 60 },
  );
});

Deno.test("commands at once, each on blocks of its own, all complete once and do what they would alone", () => {
  const one = fc.record({ queue: fc.constantFrom(1, 2, 3), write: fc.boolean(), value: fc.integer({ min: 1, max: 255 }) });
  fc.assert(
    fc.property(fc.array(one, { minLength: 1, maxLength: 60 }), fc.nat(), (list, seed) => {
      const bytes = Uint8Array.from({ length: 64 * 512 }, (_, index) => Math.floor(index / 512));
      const host = new BareHost({ namespaces: [{ media: bytesMedia(bytes) }] }, seed).enable();
      for (const id of [1, 2, 3]) host.createQueues(id, 64);
      list.forEach(({ queue, write, value }, index) => {
        const at = DATA + 512 * index;
        host.data(512, at).fill(write ? value : 0xee);
        host.put(queue, { opcode: write ? 1 : 2, id: index, nsid: 1, prp1: BigInt(at), dwords: [index, 0, 0] });
      });
      for (const id of [1, 2, 3]) host.ring(id);
      host.bus.run();
      const completed: number[] = [];
      for (const id of [1, 2, 3]) {
        for (let taken = host.take(id); taken; taken = host.take(id)) {
          deepStrictEqual([taken.status, list[taken.id]!.queue], [0, taken.queue]);
          completed.push(taken.id);
        }
      }
      deepStrictEqual(completed.sort((a, b) => a - b), list.map((_, index) => index));
      list.forEach(({ write, value }, index) => {
        const expected = write ? value : index;
        strictEqual(bytes[512 * index + 511], expected);
        strictEqual(host.data(512, DATA + 512 * index)[511], expected);
      });
    }),
    { numRuns: 40 },
  );
});
