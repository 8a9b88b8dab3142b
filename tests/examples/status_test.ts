/**
 * Completions in words.
 *
 * @module
 */
import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { STATUS } from "../../backends/simulated/devices/nvme/status.ts";
import { NvmeControllerError, NvmeError, NvmeTimeoutError, statusName } from "../../examples/nvme/status.ts";

Deno.test("an error says what was asked, what came back, and whether it would come again", () => {
  const error = new NvmeError("Read of block 7 of namespace 1", 0x4080);
  strictEqual(error.message, "Read of block 7 of namespace 1 failed: LBA Out of Range (status 0x080)");
  deepStrictEqual([error.name, error.status, error.permanent], ["NvmeError", 0x080, true]);
  strictEqual(new NvmeError("Write", 0x2280).permanent, false, "`more` is not `do not retry`");
});

Deno.test("a status that nobody knows is told by its type and code", () => {
  strictEqual(statusName(0x0ff), "Unknown generic status 0xff");
  strictEqual(statusName(0x7c3), "Unknown vendor specific status 0xc3");
  strictEqual(statusName(0x400b), "Invalid Namespace or Format", "flags above the code do not matter");
});

Deno.test("every status that the simulated controller answers has a name", () => {
  for (const status of Object.values(STATUS)) match(statusName(status), /^(?!Unknown)/);
});

Deno.test("errors of the driver are errors by class and name", () => {
  const cause = new Error("why");
  const errors = [new NvmeTimeoutError("late", { cause }), new NvmeControllerError("dead", { cause })];
  deepStrictEqual(errors.map(({ name, message }) => `${name}: ${message}`), ["NvmeTimeoutError: late", "NvmeControllerError: dead"]);
  strictEqual(errors[0]!.cause, cause);
});
