/**
 * A queue pair against a controller that a test plays: bytes of commands, phases, identifiers, doorbells.
 *
 * @module
 */
import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import fc from "fast-check";
import { Area } from "../../examples/nvme/prp.ts";
import { QueuePair } from "../../examples/nvme/queue.ts";
import { HOST_ABORTED } from "../../examples/nvme/status.ts";
import { FakeController } from "./fake_controller.ts";

const ignore = () => {};

Deno.test("a command's 64 bytes are those of NVMe 1.4, figure 105", () => {
  const { queue, ...fake } = play(4);
  const id = queue.put(0x02, 0x0a0b0c0d, 0x5e00, 0x7, 1024, 0x11111111, 0x22222222, 0xdeadbeef, ignore);
  queue.ring();
  const [command] = fake.fetch();
  const words = Array.from({ length: 16 }, (_, index) => new DataView(command!.bytes.buffer).getUint32(4 * index, true));
  deepStrictEqual(words, [
    (id << 16) | 0x02,
    0x0a0b0c0d,
    0,
    0,
    0,
    0,
    0x5e00,
    7,
    0x6000,
    7,
    0x11111111,
    0x22222222,
    0xdeadbeef,
    0,
    0,
    0,
  ]);
});

/** A fake and its parts as functions, so that they can be taken apart. */
function play(depth: number, entries?: number) {
  const fake = new FakeController(depth, entries);
  return {
    queue: fake.queue,
    bells: fake.bells,
    fetch: () => fake.fetch(),
    complete: (id: number, status?: number, result?: number) => fake.complete(id, status, result),
  };
}

Deno.test("a block address beyond 32 bits goes into two dwords, and the count is one less", () => {
  const { queue, fetch } = play(1);
  queue.putBlocks(1, 1, 0x1f_ffff_ffff_ffff, 65_536, 0, 0, 0, ignore);
  queue.ring();
  deepStrictEqual(fetch()[0]!.dwords, [0xffff_ffff, 0x1f_ffff, 65_535, 0, 0, 0]);
});

Deno.test("the doorbell is rung once for any number of commands, and not at all for none", () => {
  const { queue, bells } = play(3);
  queue.ring();
  for (let count = 0; count < 3; count++) queue.put(0, 0, 0, 0, 0, 0, 0, 0, ignore);
  queue.ring();
  queue.ring();
  deepStrictEqual(bells, ["s3"]);
});

Deno.test("a full queue takes nothing until a completion came", () => {
  const { queue, fetch, complete } = play(2, 8);
  const put = () => queue.put(0, 0, 0, 0, 0, 0, 0, 0, ignore);
  const first = put();
  put();
  strictEqual(put(), -1);
  strictEqual(queue.hasRoom, false);
  strictEqual(queue.inFlight, 2);
  queue.ring();
  fetch();
  complete(first);
  strictEqual(queue.reap(), 1);
  strictEqual(put(), first, "the identifier is free again");
});

Deno.test("a handler gets identifier, status without phase, and dword 0", () => {
  const { queue, fetch, complete } = play(2);
  const told: number[][] = [];
  const id = queue.put(0, 0, 0, 0, 0, 0, 0, 0, (...completion) => told.push(completion));
  queue.ring();
  fetch();
  complete(id, 0x7fff, 0xfedcba98);
  queue.reap();
  deepStrictEqual(told, [[id, 0x7fff, 0xfedcba98]]);
});

Deno.test("a handler may put the next command into the place of its own", () => {
  const { queue, fetch, complete, bells } = play(1);
  let left = 5;
  const again = () => void (--left > 0 && queue.put(0, 0, 0, 0, 0, 0, 0, 0, again));
  queue.put(0, 0, 0, 0, 0, 0, 0, 0, again);
  for (let round = 0; round < 5; round++) {
    queue.ring();
    for (const { id } of fetch()) complete(id);
    strictEqual(queue.reap(), 1);
  }
  strictEqual(queue.inFlight, 0);
  deepStrictEqual(bells, ["s1", "c1", "s0", "c0", "s1", "c1", "s0", "c0", "s1", "c1"]);
});

Deno.test("completions of identifiers that are not under way are dropped", () => {
  const { queue, fetch, complete } = play(2);
  let told = 0;
  const id = queue.put(0, 0, 0, 0, 0, 0, 0, 0, () => told++);
  queue.ring();
  fetch();
  complete(1 - id);
  complete(77);
  strictEqual(queue.reap(), 2);
  strictEqual(told, 0);
  complete(id);
  queue.reap();
  deepStrictEqual([told, queue.inFlight, queue.completed], [1, 0, 1]);
});

Deno.test("abandoned commands end with a status of their own, and nothing goes on", () => {
  const { queue, bells } = play(3);
  const told: number[] = [];
  for (let count = 0; count < 2; count++) queue.put(0, 0, 0, 0, 0, 0, 0, 0, (_id, status) => told.push(status));
  queue.abandon();
  deepStrictEqual(told, [HOST_ABORTED, HOST_ABORTED]);
  strictEqual(queue.hasRoom, false);
  strictEqual(queue.put(0, 0, 0, 0, 0, 0, 0, 0, ignore), -1);
  queue.ring();
  strictEqual(queue.reap(), 0);
  deepStrictEqual(bells, [], "a controller that was given up is not spoken to");
});

Deno.test("the age of the oldest command is counted in ticks", () => {
  const { queue, fetch, complete } = play(3);
  strictEqual(queue.tick(), 0, "nothing is under way");
  const put = () => queue.put(0, 0, 0, 0, 0, 0, 0, 0, ignore);
  const first = put();
  strictEqual(queue.tick(), 1);
  put();
  strictEqual(queue.tick(), 2);
  queue.ring();
  fetch();
  complete(first);
  queue.reap();
  strictEqual(queue.tick(), 2, "the second was put one tick later");
});

Deno.test("rings that are too short for their commands are refused", () => {
  const lists = [new Area(0n, new Uint8Array(4096)), new Area(0n, new Uint8Array(4096))];
  const ring = new Area(0n, new Uint8Array(64 * 3));
  const bells = { submission: ignore, completion: ignore };
  throws(() => new QueuePair(1, { submission: ring, completion: ring, lists }, bells, 2, 4096), RangeError);
  throws(() => new QueuePair(1, { submission: ring, completion: ring.slice(0, 16), lists }, bells, 3, 4096), RangeError);
});

Deno.test("any order of putting, fetching, completing and reaping keeps every command apart", () => {
  const steps = fc.array(fc.tuple(fc.constantFrom("put", "ring", "complete", "reap"), fc.nat(100)), { maxLength: 300 });
  fc.assert(fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 5 }), steps, (depth, spare, steps) => {
    const { queue, fetch, complete } = play(depth, depth + 1 + spare);
    const fetched: { id: number; number: number }[] = [];
    const posted: number[] = [];
    const finished: number[] = [];
    let put = 0;
    for (const [step, choice] of steps) {
      if (step === "put") {
        const number = put;
        const id = queue.put(7, number, 0, 0, 0, 0, 0, 0, (_id, status, result) => {
          strictEqual(result, number, "the completion is that of this command");
          strictEqual(status, number % 5);
          finished.push(number);
        });
        ok((id >= 0) === (number - finished.length < depth), "there is room exactly while fewer than `depth` are under way");
        if (id >= 0) put++;
      } else if (step === "ring") {
        queue.ring();
        for (const { id, namespace } of fetch()) fetched.push({ id, number: namespace });
      } else if (step === "complete" && fetched.length > 0) {
        const [{ id, number }] = fetched.splice(choice % fetched.length, 1) as [{ id: number; number: number }];
        complete(id, number % 5, number);
        posted.push(number);
      } else if (step === "reap") {
        const before = finished.length;
        strictEqual(queue.reap(), posted.length - before);
        deepStrictEqual(finished, posted, "in the order of completion");
      }
      strictEqual(queue.inFlight, put - finished.length);
    }
  }));
});
