/**
 * The NVMe driver moves data: on the simulated controller, behind the real core.
 *
 * @module
 */
import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import type { NvmeNamespace } from "../../examples/nvme/namespace.ts";
import { NvmeError } from "../../examples/nvme/status.ts";
import { bytesMedia, memoryMedia } from "../../mod.ts";
import { DISK_LENGTH, onDisk, pattern } from "./disk.ts";

const BLOCK = 512;
const BLOCKS = DISK_LENGTH / BLOCK;

/** One step of the property below, on the disk and on a plain array. */
type Step = {
  readonly kind: "write" | "read" | "trim" | "zero" | "flush";
  readonly lba: number;
  readonly blocks: number;
  readonly seed: number;
};

const STEP: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom("write", "write", "read", "read", "trim", "zero", "flush"),
  lba: fc.nat(255),
  // Some are larger than one command (256 KiB), so that they are cut.
  blocks: fc.oneof(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 500, max: 1500 })),
  seed: fc.nat(1000),
});

async function take(namespace: NvmeNamespace, model: Uint8Array, { kind, lba, blocks, seed }: Step): Promise<void> {
  const from = lba * BLOCK;
  const to = from + blocks * BLOCK;
  if (kind === "flush") return await namespace.flush();
  if (kind === "read") {
    const into = new Uint8Array(blocks * BLOCK);
    await namespace.read(lba, into);
    return deepStrictEqual(into, model.slice(from, to));
  }
  if (kind === "write") {
    const data = pattern(blocks * BLOCK, seed);
    model.set(data, from);
    return await namespace.write(lba, data);
  }
  model.fill(0, from, to);
  if (kind === "trim") await namespace.trim([{ lba, blocks }]);
  else await namespace.writeZeroes(lba, blocks);
}

Deno.test("any sequence of reads, writes, trims and flushes leaves the disk as it would an array", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(STEP, { maxLength: 12 }), fc.boolean(), async (steps, poll) => {
      const media = new Uint8Array(DISK_LENGTH);
      const options = {
        disk: { namespaces: [{ media: bytesMedia(media) }] },
        driver: { completions: poll ? "polling" : "interrupts" } as const,
      };
      await onDisk(options, async ({ namespaces: [namespace] }) => {
        const model = new Uint8Array(DISK_LENGTH);
        for (const step of steps) await take(namespace!, model, step);
        deepStrictEqual(media, model);
      });
    }),
    { numRuns: 15 },
  );
});

Deno.test("what was written to one namespace is there alone", async () => {
  const namespaces = [512, 4096, 512].map((blockLength) => ({ media: memoryMedia(2 ** 16), blockLength }));
  await onDisk({ disk: { namespaces } }, async (driver) => {
    deepStrictEqual(driver.namespaces.map(({ info }) => [info.id, info.blockLength, info.blocks]), [[1, 512, 128], [2, 4096, 16], [
      3,
      512,
      128,
    ]]);
    await Promise.all(driver.namespaces.map((namespace, index) => namespace.write(2, pattern(8192, index))));
    for (const [index, namespace] of driver.namespaces.entries()) {
      const whole = new Uint8Array(2 ** 16);
      await namespace.read(0, whole);
      const expected = new Uint8Array(2 ** 16);
      expected.set(pattern(8192, index), 2 * namespace.info.blockLength);
      deepStrictEqual(whole, expected);
    }
  });
});

Deno.test("a buffer of the driver's IOAS is moved without a copy, wherever it begins in a page", async () => {
  const data = pattern(2 ** 20, 5);
  await onDisk({ disk: { namespaces: [{ media: bytesMedia(data.slice()) }] } }, async ({ namespaces, ioas }, kernel) => {
    using buffer = ioas.createDmaBuffer(2 ** 20 + 4096);
    for (const offset of [0, 4, 512, 2044, 4092, 4096]) {
      buffer.bytes.fill(0xee);
      const { maps } = kernel.inspect.statistics;
      await namespaces[0]!.read(0, buffer.bytes.subarray(offset, offset + 2 ** 20));
      strictEqual(kernel.inspect.statistics.maps, maps, "staging memory was mapped");
      deepStrictEqual(buffer.bytes.slice(offset, offset + 2 ** 20), data);
      ok(buffer.bytes.subarray(0, offset).every((byte) => byte === 0xee), "bytes before it changed");
      ok(buffer.bytes.subarray(offset + 2 ** 20).every((byte) => byte === 0xee), "bytes behind it changed");
    }
    // An address that a PRP cannot say goes through staging memory instead.
    await namespaces[0]!.read(1, buffer.bytes.subarray(3, 3 + 512));
    deepStrictEqual(buffer.bytes.slice(3, 3 + 512), data.slice(512, 1024));
  });
});

Deno.test("a transfer needs as few commands as the controller allows, and lists reach over their pages", async () => {
  for (
    const { mdts, lg2PageMin, largest } of [
      { mdts: 1, lg2PageMin: 12, largest: 2 ** 13 },
      { mdts: 6, lg2PageMin: 12, largest: 2 ** 18 },
      { mdts: 8, lg2PageMin: 12, largest: 2 ** 20 },
      { mdts: 3, lg2PageMin: 14, largest: 2 ** 17 },
      { mdts: 8, lg2PageMin: 16, largest: 2 ** 21 },
    ]
  ) {
    const data = pattern(DISK_LENGTH, mdts);
    await onDisk({ disk: { mdts, lg2PageMin, namespaces: [{ media: bytesMedia(data) }] } }, async (driver) => {
      strictEqual(driver.transferMax, largest);
      using buffer = driver.ioas.createDmaBuffer(DISK_LENGTH + 4096);
      const before = driver.completed;
      // It begins within a page, so that a command of the largest length needs one page more than its bytes have.
      const bytes = buffer.bytes.subarray(512, 512 + DISK_LENGTH);
      await driver.namespaces[0]!.read(0, bytes);
      strictEqual(driver.completed - before, DISK_LENGTH / largest);
      deepStrictEqual(bytes, data.subarray());
    });
  }
});

Deno.test("trim takes many ranges, more than one command can name", async () => {
  const media = pattern(DISK_LENGTH, 9);
  await onDisk({ disk: { namespaces: [{ media: bytesMedia(media) }] } }, async (driver) => {
    const before = driver.completed;
    await driver.namespaces[0]!.trim(Array.from({ length: 300 }, (_, index) => ({ lba: 4 * index, blocks: 1 })));
    strictEqual(driver.completed - before, 2);
    await driver.namespaces[0]!.trim([]);
    strictEqual(driver.completed - before, 2);
  });
  const expected = pattern(DISK_LENGTH, 9);
  for (let index = 0; index < 300; index++) expected.fill(0, 4 * index * BLOCK, (4 * index + 1) * BLOCK);
  deepStrictEqual(media, expected);
});

Deno.test("compare says whether blocks are equal", async () => {
  await onDisk({}, async ({ namespaces: [namespace] }) => {
    const data = pattern(600 * BLOCK, 1);
    await namespace!.write(7, data);
    strictEqual(await namespace!.compare(7, data), true);
    data[599 * BLOCK + 5]! ^= 1;
    strictEqual(await namespace!.compare(7, data), false);
  });
});

Deno.test("the stream has the whole disk in order, in windows of any number of blocks", async () => {
  const data = pattern(DISK_LENGTH, 3);
  await onDisk({ disk: { namespaces: [{ media: bytesMedia(data) }] } }, async ({ namespaces: [namespace] }) => {
    for (const window of [BLOCK * 1000, DISK_LENGTH, 2 * DISK_LENGTH, undefined]) {
      const whole = new Uint8Array(DISK_LENGTH);
      let at = 0;
      for await (const piece of namespace!.stream(window === undefined ? {} : { window })) {
        whole.set(piece, at);
        at += piece.length;
      }
      strictEqual(at, DISK_LENGTH);
      deepStrictEqual(whole, data.subarray());
    }
    // Left early: the read that is under way ends before its buffer goes, which the check at the end would tell.
    for await (const _piece of namespace!.stream({ window: 2 ** 16 })) break;
    await rejects(namespace!.stream({ window: 100 }).next(), RangeError);
  });
});

Deno.test("a command that the controller refuses is an error that names it, and the driver goes on", async () => {
  const disk = { namespaces: [{ media: memoryMedia(DISK_LENGTH) }, { media: memoryMedia(BLOCK), readOnly: true }] };
  await onDisk({ disk }, async ({ namespaces: [first, second] }) => {
    const behind = { name: "NvmeError", status: 0x080, message: /^Read of block 8192 of namespace 1 failed: LBA Out of Range/ };
    await rejects(first!.read(BLOCKS, new Uint8Array(BLOCK)), behind);
    await rejects(first!.read(BLOCKS - 1, new Uint8Array(2 * BLOCK)), { status: 0x080 });
    await rejects(first!.write(2 ** 40, new Uint8Array(BLOCK)), { status: 0x080 });
    await rejects(first!.trim([{ lba: BLOCKS - 1, blocks: 2 }]), { status: 0x080 });
    await rejects(second!.write(0, new Uint8Array(BLOCK)), { name: "NvmeError", status: 0x020 });
    await first!.write(BLOCKS - 1, pattern(BLOCK, 4));
    const into = new Uint8Array(BLOCK);
    await first!.read(BLOCKS - 1, into);
    deepStrictEqual(into, pattern(BLOCK, 4));
  });
});

Deno.test("commands of one's own reach the controller as they are", async () => {
  await onDisk({}, async (driver, kernel) => {
    await rejects(driver.submit({ opcode: 0x7f }), /^NvmeError: Command 0x7f failed: Invalid Command Opcode/);
    await rejects(driver.submit({ queue: "io", name: "Odd", opcode: 0x02, namespace: 9, length: BLOCK }), { status: 0x00b });
    // Get Features, Number of Queues: both counts, less one, of what was granted.
    strictEqual(await driver.submit({ opcode: 0x0a, d10: 7 }), 0x0003_0003);
    await rejects(driver.submit({ queue: "io", opcode: 0x02, namespace: 1, iova: 0xdead_0000n, length: BLOCK }), (error) => {
      ok(error instanceof NvmeError);
      strictEqual(error.status, 0x004);
      const fault = kernel.inspect.faults.at(-1)!;
      deepStrictEqual([fault.iova, fault.access, fault.reason], [0xdead_0000n, "write", "not-present"]);
      return true;
    });
  });
});

Deno.test("a wrong argument is refused before any command", async () => {
  await onDisk({}, async (driver) => {
    const [namespace] = driver.namespaces;
    const before = driver.completed;
    for (const [lba, length] of [[0, 100], [-1, BLOCK], [0.5, BLOCK], [NaN, BLOCK], [2 ** 53, BLOCK]] as const) {
      await rejects(namespace!.read(lba, new Uint8Array(length)), RangeError);
      await rejects(namespace!.write(lba, new Uint8Array(length)), RangeError);
    }
    await rejects(namespace!.writeZeroes(0, -1), RangeError);
    await rejects(namespace!.trim([{ lba: 0, blocks: 1 }, { lba: 0, blocks: 1.5 }]), RangeError);
    await namespace!.read(0, new Uint8Array(0));
    await namespace!.writeZeroes(0, 0);
    strictEqual(driver.completed, before);
  });
});

Deno.test("an error of the media is an error of the command", async () => {
  const media = { length: DISK_LENGTH, read: () => Promise.reject(new Error("a scratch")) };
  await onDisk({ disk: { namespaces: [{ media }] } }, async ({ namespaces: [namespace] }) => {
    await rejects(namespace!.read(0, new Uint8Array(BLOCK)), { name: "NvmeError", status: 0x281 });
    await rejects(async () => {
      for await (const _piece of namespace!.stream()) ok(false, "a piece came");
    }, { status: 0x281 });
  });
});
