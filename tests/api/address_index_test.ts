/**
 * The index of addresses against a sorted list.
 */
import fc from "fast-check";
import { AddressIndex } from "../../api/address_index.ts";
import { equal } from "../check.ts";

/** A sorted list, looked through from its start. */
class Naive {
  #entries: (readonly [key: number, value: number])[] = [];

  get size(): number {
    return this.#entries.length;
  }

  floor(key: number): number | undefined {
    return this.#entries.filter(([other]) => other <= key).at(-1)?.[1];
  }

  before(key: number): number | undefined {
    return this.#entries.filter(([other]) => other < key).at(-1)?.[1];
  }

  set(key: number, value: number): void {
    this.delete(key);
    this.#entries.push([key, value]);
    this.#entries.sort(([a], [b]) => a - b);
  }

  delete(key: number): boolean {
    const before = this.#entries.length;
    this.#entries = this.#entries.filter(([other]) => other !== key);
    return this.#entries.length < before;
  }
}

function compare(index: AddressIndex<number>, naive: Naive, key: number): void {
  equal(index.size, naive.size, "size");
  for (const probe of [key - 1, key, key + 1]) {
    equal(index.floor(probe), naive.floor(probe), `floor of ${probe}`);
    equal(index.before(probe), naive.before(probe), `before ${probe}`);
  }
}

/** Close together, so that keys meet; and the largest pages that there are. */
const key = fc.oneof(fc.nat(40), fc.integer({ min: 2 ** 52 - 20, max: 2 ** 52 - 1 }));

Deno.test("the index finds, adds and deletes as a sorted list does", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), key, fc.nat()), { maxLength: 120, size: "max" }), (steps) => {
      const [index, naive] = [new AddressIndex<number>(), new Naive()];
      for (const [isAdded, key, value] of steps) {
        if (isAdded) {
          index.set(key, value);
          naive.set(key, value);
        } else {
          equal(index.delete(key), naive.delete(key), `delete of ${key}`);
        }
        compare(index, naive, key);
      }
    }),
  );
});

Deno.test("the index is right when it has many chunks, filled and emptied in any order", () => {
  const count = 3000;
  // Steps by a number without a common factor visit every key once, far from the last.
  const scattered = Array.from({ length: count }, (_, step) => (step * 1009) % count * 3);
  const [index, naive] = [new AddressIndex<number>(), new Naive()];
  scattered.forEach((key, step) => {
    index.set(key, step);
    naive.set(key, step);
    if (step % 97 === 0) compare(index, naive, key);
  });
  for (let probe = -2; probe < count * 3 + 2; probe += 7) compare(index, naive, probe);
  [...scattered].reverse().forEach((key, step) => {
    equal(index.delete(key), naive.delete(key));
    if (step % 97 === 0) compare(index, naive, key);
  });
  equal(index.size, 0);
  equal(index.floor(Number.MAX_SAFE_INTEGER), undefined);
});
