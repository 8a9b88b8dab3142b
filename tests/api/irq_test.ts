/**
 * Interrupts: enabled, counted, iterated, masked and ended, by each of the ways that a device has.
 */
import type { Irq, IrqKind } from "../../mod.ts";
import { check, equal } from "../check.ts";
import { ADDRESSES, attached, boot, failure, nameOf } from "./machine.ts";

/** What a promise has come to, without waiting for it longer than everything else in the program takes. */
async function stateOf(promise: Promise<unknown>): Promise<unknown> {
  const pending = new Promise((resolve) => setTimeout(() => resolve("pending"), 5));
  return await Promise.race([promise, pending]);
}

Deno.test("a device says which interrupts it has, and what can be done with them", async () => {
  using machine = await boot();
  using world = attached(machine.kernel, ADDRESSES[1]);
  const { device } = world;
  const kinds: [IrqKind, number, maskable: boolean, automasked: boolean][] = [
    ["intx", 1, true, true],
    ["msi", 4, false, false],
    ["msix", 4, false, false],
    ["error", 1, false, false],
    ["request", 1, false, false],
  ];
  for (const [kind, count, maskable, automasked] of kinds) {
    using irq = device.irq(kind);
    equal([irq.kind, irq.count, irq.flags.maskable, irq.flags.automasked, irq.enabled], [kind, count, maskable, automasked, 0], kind);
  }
  for (const kind of ["msi-x", "toString", "", undefined]) equal(nameOf(() => device.irq(kind as IrqKind)), "TypeError", String(kind));
});

for (const kind of ["msi", "msix"] as const) {
  Deno.test(`${kind}: what the device raises is counted for each vector, and waits end with the count`, async () => {
    using machine = await boot();
    const { kernel, puppets: [, puppet] } = machine;
    using world = attached(kernel, ADDRESSES[1]);
    using irq = world.device.irq(kind);
    irq.enable(3);
    equal([irq.enabled, puppet.bus.interruptMode], [3, kind]);
    const [first, last] = [irq.vector(0), irq.vector(2)];
    equal([first.index, last.index, first.take(), last.take()], [0, 2, 0n, 0n]);
    for (const vector of [0, 2, 2]) puppet.bus.raise(vector);
    equal([await last.wait(), await first.wait(), first.take(), last.take()], [2n, 1n, 0n, 0n]);
    const waiting = last.wait();
    equal(await stateOf(waiting), "pending");
    irq.trigger(2);
    equal(await waiting, 1n);
    irq.disable();
    irq.disable();
    equal([irq.enabled, puppet.bus.interruptMode, first.take(), await first.wait()], [0, "none", 0n, undefined]);
    irq.enable(1);
    irq.trigger();
    equal(await irq.vector(0).wait(), 1n, "they can be enabled again");
  });
}

Deno.test("iteration ends when the vectors are disabled, also while it waits", async () => {
  using machine = await boot();
  using world = attached(machine.kernel, ADDRESSES[1]);
  using irq = world.device.irq("msix");
  irq.enable(1);
  const counts: bigint[] = [];
  const done = (async () => {
    for await (const count of irq) counts.push(count);
  })();
  irq.trigger();
  await stateOf(done);
  irq.trigger();
  irq.trigger();
  equal(await stateOf(done), "pending");
  irq.disable();
  await done;
  equal(counts, [1n, 2n]);
  equal(machine.kernel.inspect.usage.waits, 0);
});

Deno.test("leaving an iteration leaves the vector enabled, also where a step waits", async () => {
  using machine = await boot();
  using world = attached(machine.kernel, ADDRESSES[1]);
  using irq = world.device.irq("msi");
  irq.enable(1);
  irq.trigger();
  for await (const count of irq) {
    equal(count, 1n);
    break;
  }
  const iterator = irq[Symbol.asyncIterator]();
  const [waiting, behind] = [iterator.next(), iterator.next()];
  equal(await stateOf(waiting), "pending");
  equal(await iterator.return!(), { done: true, value: undefined });
  equal([await waiting, await behind], [{ done: true, value: undefined }, { done: true, value: undefined }]);
  equal((await iterator.next()).done, true, "what was left stays so");
  equal([irq.enabled, machine.kernel.inspect.usage.waits], [1, 0]);
  irq.trigger();
  equal(await irq.vector(0).wait(), 1n, "nothing is lost to the iteration that was left");
});

Deno.test("steps that are asked for at once come one after the other", async () => {
  using machine = await boot();
  using world = attached(machine.kernel, ADDRESSES[1]);
  using irq = world.device.irq("msi");
  irq.enable(1);
  const iterator = irq.vector(0)[Symbol.asyncIterator]();
  const [first, second] = [iterator.next(), iterator.next()];
  irq.trigger();
  equal([await first, await stateOf(second)], [{ done: false, value: 1n }, "pending"]);
  irq.trigger();
  equal(await second, { done: false, value: 1n });
});

Deno.test("a signal ends a wait with its reason, and takes no interrupt along", async () => {
  using machine = await boot();
  using world = attached(machine.kernel, ADDRESSES[1]);
  using irq = world.device.irq("msix");
  irq.enable(1);
  const vector = irq.vector(0);
  const [abort, reason] = [new AbortController(), new Error("enough")];
  const waiting = vector.wait(abort.signal).catch((error) => error);
  equal(await stateOf(waiting), "pending");
  abort.abort(reason);
  check(await waiting === reason, "the reason itself");
  irq.trigger();
  check(await vector.wait(abort.signal).catch((error) => error) === reason, "aborted before");
  equal([await vector.wait(), machine.kernel.inspect.usage.waits], [1n, 0]);
});

async function nextLevel(irq: Irq): Promise<unknown> {
  return await stateOf(irq.vector(0).wait());
}

Deno.test("intx masks itself, and comes again after unmask for as long as the device asserts it", async () => {
  using machine = await boot();
  const { kernel, puppets: [puppet] } = machine;
  using world = attached(kernel);
  using irq = world.device.irq("intx");
  irq.enable(1);
  puppet.bus.raise(0);
  equal([await nextLevel(irq), irq.vector(0).take()], [1n, 0n]);
  irq.unmask();
  equal(await nextLevel(irq), 1n, "still asserted");
  puppet.bus.lower();
  irq.unmask();
  equal(irq.vector(0).take(), 0n);
  irq.mask();
  puppet.bus.raise(0);
  equal(irq.vector(0).take(), 0n, "held back");
  irq.unmask();
  equal(irq.vector(0).take(), 1n, "and let through");
  puppet.bus.lower();
});

Deno.test("what cannot be done with interrupts is an error that says why", async () => {
  using machine = await boot();
  using world = attached(machine.kernel, ADDRESSES[1]);
  const { device } = world;
  using msi = device.irq("msi");
  using msix = device.irq("msix");
  for (const count of [0, 5, 1.5, NaN]) equal(nameOf(() => msi.enable(count)), "RangeError", String(count));
  equal(nameOf(() => msi.enable("1" as never)), "TypeError");
  equal([nameOf(() => msi.vector(0)), nameOf(() => msi[Symbol.asyncIterator]())], ["RangeError", "RangeError"]);
  msi.enable(2);
  equal(nameOf(() => msi[Symbol.asyncIterator]()), "RangeError", "several vectors are no one iteration");
  equal(failure(() => msix.enable(1), "EINVAL").operation, "DEVICE_SET_IRQS");
  equal([msix.enabled, msi.enabled], [0, 2]);
  check(failure(() => msi.mask(), "ENOTTY").advice.includes("masks intx only"), "advice");
  equal(failure(() => msi.trigger(4), "EINVAL").values, { verb: "trigger", irq: "msi", device: ADDRESSES[1] });
  equal([nameOf(() => msi.trigger(-1)), nameOf(() => msi.vector(2))], ["RangeError", "RangeError"]);
});

Deno.test("a kind of interrupts belongs to one handle at a time", async () => {
  using machine = await boot();
  using world = attached(machine.kernel, ADDRESSES[1]);
  const [first, second] = [world.device.irq("msix"), world.device.irq("msix")];
  first.enable(1);
  for (const irq of [first, second]) check(failure(() => irq.enable(1), "EBUSY").advice.includes("disable them first"), "advice");
  second.disable();
  second[Symbol.dispose]();
  first.trigger();
  equal(first.vector(0).take(), 1n, "the other handle took nothing away");
  first[Symbol.dispose]();
  using third = world.device.irq("msix");
  third.enable(4);
  equal(third.enabled, 4);
});

Deno.test("a device without a kind of interrupts has none to enable", async () => {
  using machine = await boot();
  using world = attached(machine.kernel, ADDRESSES[0]);
  using irq = world.device.irq("msi");
  equal([irq.count, nameOf(() => irq.enable(1))], [0, "RangeError"]);
});

for (const how of ["device", "iommufd", "kernel"] as const) {
  Deno.test(`a wait ends when the ${how} goes away`, async () => {
    const machine = await boot();
    using world = attached(machine.kernel);
    using irq = world.device.irq("msix");
    irq.enable(2);
    const waits = [irq.vector(0).wait(), irq.vector(1).wait()].map((wait) => wait.catch((error) => error.code));
    equal(await stateOf(waits[0]!), "pending");
    if (how === "device") world.device[Symbol.dispose]();
    if (how === "iommufd") world.iommu[Symbol.dispose]();
    if (how === "kernel") machine.kernel[Symbol.dispose]();
    const expected = how === "kernel" ? "EBADF" : undefined;
    equal(await Promise.all(waits), [expected, expected]);
    equal(machine.kernel.inspect.usage.waits, 0);
  });
}
