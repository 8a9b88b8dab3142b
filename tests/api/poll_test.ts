/**
 * Waiting by looking: until it is so, until it takes too long, or until the program has enough.
 */
import { IommuError, pollUntil, raw } from "../../mod.ts";
import { check, equal } from "../check.ts";
import { attached, boot } from "./machine.ts";

async function rejected(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("the promise did not reject");
}

Deno.test("pollUntil runs the machine until the predicate is true, and asks no more", async () => {
  using machine = await boot();
  const { kernel, puppets: [puppet] } = machine;
  using world = attached(kernel);
  let looks = 0;
  puppet.bus.clock.after(1000, () => puppet.register = 5);
  // The predicate makes no system call, in which devices would run anyway.
  await pollUntil(kernel, () => {
    looks++;
    return puppet.register === 5;
  }, { timeout: 10_000 });
  equal(world.device.bar(0).read32(0), 5);
  const before = looks;
  await new Promise((resolve) => setTimeout(resolve));
  equal([looks, looks > 1], [before, true]);
});

Deno.test("pollUntil asks at once: what is so already needs no turn and no time", async () => {
  using machine = await boot();
  const { events } = machine.kernel.inspect.statistics;
  await pollUntil(machine.kernel, () => true, { timeout: 0 });
  equal(machine.kernel.inspect.statistics.events, events);
});

Deno.test("pollUntil lets the rest of the program run", async () => {
  using machine = await boot();
  let isSet = false;
  setTimeout(() => isSet = true);
  await pollUntil(machine.kernel, () => isSet);
});

Deno.test("after its timeout pollUntil rejects with ETIMEDOUT and advice, having looked once more", async () => {
  using machine = await boot();
  for (const timeout of [0, 5]) {
    let looks = 0;
    const error = await rejected(pollUntil(machine.kernel, () => ++looks < 0, { timeout }));
    check(error instanceof IommuError, String(error));
    equal([error.code, error.operation, error.values, looks % 64], ["ETIMEDOUT", "poll", { timeout }, 1]);
    check(error.message.startsWith(`Cannot wait longer: nothing happened within ${timeout} ms: ETIMEDOUT`), error.message);
    check(error.advice.includes("check its status"), error.advice);
  }
});

Deno.test("a signal ends pollUntil with its reason, before or while it waits", async () => {
  using machine = await boot();
  const reason = new Error("enough");
  equal(await rejected(pollUntil(machine.kernel, () => true, { signal: AbortSignal.abort(reason) })), reason);
  const abort = new AbortController();
  setTimeout(() => abort.abort(reason));
  check(await rejected(pollUntil(machine.kernel, () => false, { signal: abort.signal })) === reason, "the reason itself");
});

Deno.test("what the predicate throws is what pollUntil rejects with", async () => {
  using machine = await boot();
  const error = new Error("the register is gone");
  const thrower = () => {
    throw error;
  };
  check(await rejected(pollUntil(machine.kernel, thrower)) === error, "the error itself");
});

Deno.test("timeouts that cannot be are refused before the first look", async () => {
  using machine = await boot();
  let looks = 0;
  for (const [timeout, name] of [[-1, "RangeError"], [NaN, "RangeError"], ["5", "TypeError"], [5n, "TypeError"]] as const) {
    const error = await rejected(pollUntil(machine.kernel, () => ++looks > 0, { timeout: timeout as number }));
    equal((error as Error).name, name);
  }
  equal(looks, 0);
});

Deno.test("raw.ioctl sends any bytes, and answers what the kernel does to them", async () => {
  using machine = await boot();
  using world = attached(machine.kernel);
  const [{ kernel }, { iommu }] = [machine, world];
  const IOAS_ALLOC = 0x3b81;
  const bytes = Uint8Array.of(12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  const made = raw.ioctl(kernel, iommu.fd, IOAS_ALLOC, bytes);
  const id = new DataView(made.bytes.buffer).getUint32(8, true);
  equal([made.result, made.bytes.length, bytes[8]], [0, 12, 0], "the argument of the caller stays as it is");
  check(id > 0, "an id came back");
  iommu.destroy(id);
  equal(raw.ioctl(kernel, iommu.fd, IOAS_ALLOC, Uint8Array.of(4, 0, 0, 0)).result, -22);
  equal(raw.ioctl(kernel, iommu.fd, 0x3bff, new Uint8Array(16)).result < 0, true);
  equal(raw.ioctl(kernel, 999, IOAS_ALLOC, bytes).result, -9);
  equal(raw.ioctl(kernel, iommu.fd, 0x1234, new Uint8Array(0)).bytes.length, 0);
});
