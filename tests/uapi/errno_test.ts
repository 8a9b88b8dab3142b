import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { constants } from "node:os";
import { ERRNO, errnoMeaning, errnoName } from "../../uapi/errno.ts";

Deno.test("error numbers are those of the running Linux", { ignore: Deno.build.os !== "linux" }, () => {
  const system = constants.errno as Readonly<Record<string, number>>;
  const both = Object.entries(ERRNO).filter(([name]) => system[name] !== undefined);
  strictEqual(both.length > 70, true, `only ${both.length} names in common`);
  for (const [name, number] of both) strictEqual(number, system[name], name);
});

Deno.test("each error number has one name, of either sign", () => {
  for (const [name, number] of Object.entries(ERRNO)) {
    strictEqual(errnoName(number), name);
    strictEqual(errnoName(-number), name);
  }
  strictEqual(new Set(Object.values(ERRNO)).size, Object.keys(ERRNO).length);
});

Deno.test("an unknown error number keeps its number", () => {
  deepStrictEqual([errnoName(-999), errnoName(0)], ["errno 999", "errno 0"]);
  strictEqual(errnoMeaning(-999), "unknown error");
});

Deno.test("an error's meaning is words of ours", () => {
  strictEqual(errnoMeaning(-ERRNO.EBUSY), "in use");
  for (const number of Object.values(ERRNO)) strictEqual(errnoMeaning(number).length > 2, true);
});
