/**
 * Works in queues: how they are cut, shared, and ended.
 *
 * @module
 */
import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { Scheduler } from "../../examples/nvme/scheduler.ts";
import { NvmeError } from "../../examples/nvme/status.ts";
import { Command, type Extent, Transfer } from "../../examples/nvme/work.ts";
import { FakeController } from "./fake_controller.ts";

function world(...depths: number[]) {
  const scheduler = new Scheduler();
  const fakes = depths.map((depth, index) => new FakeController(depth, depth + 1, index + 1));
  for (const { queue } of fakes) scheduler.add(queue);
  /** Complete everything that is under way, round after round. */
  const finish = () => {
    for (;;) {
      const open = fakes.flatMap((fake) => (fake.fetch(), fake.open.map(({ id }) => ({ fake, id }))));
      if (open.length === 0) return;
      for (const { fake, id } of open) fake.complete(id);
      scheduler.serviceAll();
    }
  };
  return { scheduler, fakes, finish };
}

const extent = (lba: number, blocks: number, iova: bigint | undefined = 0x1000n): Extent => ({
  namespace: 1,
  blockLength: 512,
  lba,
  blocks,
  iova,
});

Deno.test("a transfer is cut into commands that cover it once", () => {
  const lengths = fc.tuple(
    fc.integer({ min: 1, max: 500 }),
    fc.integer({ min: 1, max: 64 }),
    fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }),
  );
  fc.assert(fc.property(lengths, fc.nat(2 ** 40), fc.bigInt({ min: 0n, max: 2n ** 50n }), ([blocks, blocksMax, depths], lba, page) => {
    const { scheduler, fakes, finish } = world(...depths);
    const iova = page * 4096n;
    const seen: { lba: number; blocks: number; iova: bigint }[] = [];
    for (const fake of fakes) {
      const fetch = fake.fetch.bind(fake);
      fake.fetch = () => {
        const fetched = fetch();
        for (const { dwords, prp1 } of fetched) {
          seen.push({ lba: dwords[0]! + dwords[1]! * 2 ** 32, blocks: (dwords[2]! & 0xffff) + 1, iova: prp1 });
        }
        return fetched;
      };
    }
    const work = new Transfer("Read", 2, extent(lba, blocks, iova), blocksMax);
    scheduler.run(work);
    finish();
    ok(work.isSettled && scheduler.isIdle);
    seen.sort((a, b) => a.lba - b.lba);
    let next = lba;
    for (const piece of seen) {
      strictEqual(piece.lba, next);
      strictEqual(piece.iova, iova + BigInt(next - lba) * 512n);
      ok(piece.blocks <= blocksMax);
      next += piece.blocks;
    }
    strictEqual(next, lba + blocks);
    strictEqual(seen.length, Math.ceil(blocks / blocksMax));
  }));
});

Deno.test("new work is spread over all queues, and each queue stays full while there is some", async () => {
  const { scheduler, fakes, finish } = world(4, 4, 4);
  const done = scheduler.run(new Transfer("Read", 2, extent(0, 6), 1));
  deepStrictEqual(fakes.map(({ queue }) => queue.inFlight), [2, 2, 2]);
  const more = scheduler.run(new Transfer("Read", 2, extent(0, 100), 1));
  deepStrictEqual(fakes.map(({ queue }) => queue.inFlight), [4, 4, 4]);
  fakes[1]!.fetch();
  for (const { id } of [...fakes[1]!.open]) fakes[1]!.complete(id);
  scheduler.service(fakes[1]!.queue);
  deepStrictEqual(fakes.map(({ queue }) => queue.inFlight), [4, 4, 4]);
  finish();
  await Promise.all([done, more]);
});

Deno.test("works take turns: a short one does not wait for a long one", async () => {
  const { scheduler, fakes, finish } = world(2);
  const order: string[] = [];
  const long = scheduler.run(new Transfer("Read", 2, extent(0, 1000), 1)).then(() => order.push("long"));
  const short = scheduler.run(new Transfer("Read", 2, extent(5000, 3), 1)).then(() => order.push("short"));
  let rounds = 0;
  while (!order.includes("short")) {
    fakes[0]!.fetch();
    for (const { id } of [...fakes[0]!.open]) fakes[0]!.complete(id);
    scheduler.serviceAll();
    await undefined;
    await undefined;
    ok(++rounds < 10, "the short one should be through by now");
  }
  finish();
  await Promise.all([long, short]);
  deepStrictEqual(order, ["short", "long"]);
});

Deno.test("after an error no further command is put, and the work ends when all that were have completed", async () => {
  const { scheduler, fakes } = world(2);
  const work = new Transfer("Write", 1, extent(0, 10), 1);
  const done = scheduler.run(work);
  const [first, second] = fakes[0]!.fetch();
  fakes[0]!.complete(first!.id, 0x4080);
  scheduler.serviceAll();
  strictEqual(work.isSettled, false, "the second is under way");
  fakes[0]!.complete(second!.id, 0x0281);
  scheduler.serviceAll();
  await rejects(done, (error) => error instanceof NvmeError && error.status === 0x080, "the first error is the one that counts");
  deepStrictEqual(fakes[0]!.fetch(), []);
  strictEqual(scheduler.isIdle, true);
});

Deno.test("an error names the command and its blocks", async () => {
  const { scheduler, fakes } = world(1);
  for (const [blocks, what] of [[1, "block 8"], [3, "blocks 8 to 10"]] as const) {
    const done = scheduler.run(new Transfer("Read", 2, extent(8, blocks), 16));
    fakes[0]!.complete(fakes[0]!.fetch()[0]!.id, 0x0281);
    scheduler.serviceAll();
    await rejects(done, { message: `Read of ${what} of namespace 1 failed: Unrecovered Read Error (status 0x281)` });
  }
});

Deno.test("a command gives its dword 0", async () => {
  const { scheduler, fakes } = world(1);
  const work = new Command("Get Features", { opcode: 0x0a, namespace: 2, iova: 0x1_0000_2000n, length: 64, d10: 7, d11: 8, d12: 9 });
  const done = scheduler.run(work);
  const [command] = fakes[0]!.fetch();
  deepStrictEqual([command!.opcode, command!.namespace, command!.prp1, command!.dwords], [0x0a, 2, 0x1_0000_2000n, [7, 8, 9, 0, 0, 0]]);
  fakes[0]!.complete(command!.id, 0, 0xffff_0001);
  scheduler.serviceAll();
  await done;
  strictEqual(work.result, 0xffff_0001);
});

Deno.test("closing rejects work that has not begun at once, and what has begun when it ends, unless it is complete then", async () => {
  const { scheduler, fakes } = world(2);
  const reason = new Error("closed");
  const whole = scheduler.run(new Transfer("Read", 2, extent(0, 1), 1));
  const first = scheduler.run(new Transfer("Read", 2, extent(0, 2), 1));
  const second = scheduler.run(new Command("Flush", { opcode: 0 }));
  const ended: string[] = [];
  first.catch(() => ended.push("first"));
  second.catch(() => ended.push("second"));
  const closed = scheduler.close(reason).then(() => ended.push("close"));
  await new Promise((resolve) => setTimeout(resolve, 0));
  deepStrictEqual(ended, ["second"]);
  await rejects(scheduler.run(new Command("Flush", { opcode: 0 })), reason);
  for (const { id } of fakes[0]!.fetch()) fakes[0]!.complete(id);
  scheduler.serviceAll();
  await closed;
  await whole;
  deepStrictEqual(ended, ["second", "first", "close"]);
  await rejects(first, reason);
});

Deno.test("abandoning rejects everything with the reason", async () => {
  const { scheduler, fakes } = world(1, 1);
  const works = [new Transfer("Read", 2, extent(0, 5), 1), new Command("Flush", { opcode: 0 })].map((work) => scheduler.run(work));
  const reason = new Error("the controller died");
  scheduler.abandon(reason);
  for (const work of works) await rejects(work, reason);
  deepStrictEqual(fakes.map(({ queue }) => queue.inFlight), [0, 0]);
  strictEqual(scheduler.isIdle, true);
});
