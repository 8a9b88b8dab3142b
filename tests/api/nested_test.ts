/**
 * Nested translation by the typed API: tables of the program's own, what caches keep of them, and what errors say.
 */
import type { DmaFault } from "../../backends/simulated/mod.ts";
import { type ErrnoName, faults } from "../../backends/wrap/mod.ts";
import { DeviceFd, IommuError, IommuFd, type Kernel } from "../../mod.ts";
import { check, equal, thrown } from "../check.ts";
import { Puppet } from "../rules/puppet.ts";
import { CALLS, errnoFor } from "./faulty.ts";
import { ADDRESSES, boot, finish } from "./machine.ts";

const PAGE = 4096;
/** Where the tables and pages are in the IOAS. */
const BASE = 0x10_0000n;
/** Present, writable, for users. */
const FULL = 7n;
/** What the device asks for. */
const IOVA = 0x7f12_3456_7000n;

/** A machine that nests, a device, and memory of 8 pages: four tables that lead to page 4, and data. */
async function ready(scalable = true) {
  const puppet = new Puppet({ pasid: { bits: 16 }, pageRequests: scalable });
  const machine = await boot({
    iommu: { kind: "vtd", scalable },
    pci: [{ slot: "03.0", model: puppet }, { slot: "04.0", model: new Puppet() }],
  });
  const iommu = IommuFd.open(machine.kernel);
  const fd = DeviceFd.open(machine.kernel, ADDRESSES[0]);
  const device = fd.bind(iommu, { label: 7n });
  device.config.write16(4, 6);
  const ioas = iommu.createIoas();
  const { bytes } = ioas.createDmaBuffer(8 * PAGE, { iova: BASE });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const at = (page: number) => BASE + BigInt(page * PAGE);
  const set = (table: number, level: number, entry: bigint) => {
    view.setBigUint64(table * PAGE + Number(IOVA >> BigInt(12 + 9 * level) & 511n) * 8, entry, true);
  };
  for (let table = 0; table < 4; table++) set(table, 3 - table, at(table + 1) | FULL);
  bytes.fill(4, 4 * PAGE, 5 * PAGE);
  bytes.fill(5, 5 * PAGE, 6 * PAGE);
  const look = (pasid?: number) => {
    const into = new Uint8Array(1);
    return puppet.bus.dma.read(IOVA, into, pasid) ?? into[0]!;
  };
  /** What the device finds, once it has waited for pages. */
  const wait = () => {
    const into = new Uint8Array(1);
    return new Promise<DmaFault | number>((resolve) => puppet.bus.dma.onDemand("read", IOVA, into, (fault) => resolve(fault ?? into[0]!)));
  };
  const end = () => {
    fd[Symbol.dispose]();
    iommu[Symbol.dispose]();
    machine[Symbol.dispose]();
  };
  return { machine, device, ioas, at, set, look, wait, end };
}

const TABLE = { type: "vtd", root: BASE, levels: 4 } as const;

Deno.test("a device works through tables that the program writes, and a change that is not told is not seen", async () => {
  const { device, ioas, at, set, look, end, machine } = await ready();
  const parent = ioas.createHwpt(device, { nestParent: true });
  const nested = parent.createNested(device, TABLE, { pasid: true });
  equal([nested.parent, nested.ioas, [...parent.nested]], [parent, ioas, [nested]]);
  equal([device.attach(nested), device.attachedTo], [nested.id, nested]);
  equal(look(), 4);
  set(3, 0, at(5) | FULL);
  equal(look(), 4, "stale");
  nested.invalidate([{ iova: IOVA, pages: 1n, leavesOnly: true }]);
  equal(look(), 5);
  set(3, 0, at(4) | FULL);
  nested.invalidate([{ iova: 0n, pages: "all" }]);
  equal(look(), 4);
  device.attach(nested, { pasid: 9 });
  device.detach();
  equal([look(), look(9)], ["blocked", 4]);
  set(3, 0, at(8) | FULL);
  set(2, 1, 0n);
  nested.invalidate([]);
  equal(look(9), 4, "nothing was told");
  nested.invalidate([{ iova: IOVA, pages: 512n }]);
  equal(look(9), "not-present");
  set(2, 1, at(3) | FULL);
  equal(look(9), "second-stage");
  set(2, 1, at(9) | FULL);
  nested.invalidate([{ iova: IOVA, pages: 1n }]);
  equal(look(9), "table-unreachable");
  set(0, 3, at(1) | FULL | 1n << 7n);
  nested.invalidate([{ iova: 0n, pages: "all" }]);
  equal(look(9), "bad-table");
  check(machine.kernel.inspect.faults.length > 3, "they are in the log");
  // Whoever is below goes last.
  parent[Symbol.dispose]();
  equal([parent.nested.size, device.attachments.size], [0, 0]);
  end();
});

Deno.test("an IOAS takes its nested page tables with it, and a page table with others on top cannot be destroyed", async () => {
  const { device, ioas, end } = await ready();
  const parent = ioas.createHwpt(device, { nestParent: true });
  const nested = parent.createNested(device, TABLE);
  device.attach(nested);
  const { message } = thrown(() => ioas.iommu.destroy(parent.id)) as Error;
  check(message.includes(`page table ${nested.id}`), message);
  ioas[Symbol.dispose]();
  equal([device.attachedTo, parent.nested.size], [undefined, 0]);
  end();
});

Deno.test("errors say what does not nest", async () => {
  const { device, ioas, end } = await ready();
  const says = (run: () => unknown, ...parts: string[]) => {
    const { message } = thrown(run) as Error;
    for (const part of parts) check(message.includes(part), `${message} does not say ${part}`);
  };
  const plain = ioas.createHwpt(device);
  says(() => plain.createNested(device, TABLE), "EINVAL", "without { nestParent: true }");
  const parent = ioas.createHwpt(device, { nestParent: true });
  says(() => parent.createNested(device, { ...TABLE, levels: 3 as 4 }), "3 levels");
  says(() => parent.createNested(device, { ...TABLE, root: 8n }), "multiple of 4096");
  says(() => parent.createNested(device, { ...TABLE, type: "arm" as "vtd" }), "arm");
  says(() => device.attach(parent.createNested(device, { ...TABLE, supervisor: true })), "EINVAL");
  const nested = parent.createNested(device, TABLE);
  says(() => nested.invalidate([{ iova: 0n, pages: 1n }, { iova: 1n, pages: 1n }]), "EINVAL", "invalidate 2 ranges");
  equal(
    (thrown(() => nested.invalidate([{ iova: 0n, pages: 1n }, { iova: 1n, pages: 1n }])) as { values: { done: number } }).values.done,
    1,
  );
  says(() => device.attach(nested, { pasid: 1 }), "The target takes no PASIDs");
  nested[Symbol.dispose]();
  nested[Symbol.dispose]();
  says(() => nested.invalidate([]), "NestedHwpt");
  end();
});

Deno.test("without scalable mode nothing nests", async () => {
  const { device, ioas, end } = await ready(false);
  const { message } = thrown(() => ioas.createHwpt(device, { nestParent: true })) as Error;
  check(message.includes("does not nest page tables"), message);
  end();
});

/** Let time pass until something has come. */
async function passed<T>(kernel: Kernel, coming: Promise<T>): Promise<T> {
  let isOver = false;
  coming.then(() => isOver = true);
  for (let turn = 0; turn < 100 && !isOver; turn++) {
    kernel.relax();
    for (let microtask = 0; microtask < 4; microtask++) await undefined;
  }
  check(isOver, "it has come");
  return await coming;
}

Deno.test("a device waits for an entry that is missing in the guest's tables, and a queue takes its page tables with it", async () => {
  const { machine, device, ioas, at, set, wait, end } = await ready();
  const queue = ioas.iommu.createFaultQueue();
  const parent = ioas.createHwpt(device, { nestParent: true });
  const nested = parent.createNested(device, TABLE, { faultQueue: queue });
  device.attach(nested);
  set(3, 0, 0n);
  const first = wait();
  const group = await queue.wait();
  equal(group!.faults.map(({ label, address, read, write }) => [label, address, read, write]), [[7n, IOVA, true, false]]);
  set(3, 0, at(4) | FULL);
  check(group!.respond("success"), "the device waits");
  equal(await passed(machine.kernel, first), 4);
  set(3, 0, 0n);
  nested.invalidate([{ iova: IOVA, pages: 1n }]);
  const second = wait();
  check((await queue.wait())!.respond("invalid"), "the device waits");
  equal(await passed(machine.kernel, second), "not-present");
  // An address that the guest does not have is nothing that it could bring.
  set(3, 0, at(9) | FULL);
  equal([await passed(machine.kernel, wait()), queue.take()], ["second-stage", undefined]);
  set(3, 0, 0n);
  nested.invalidate([{ iova: IOVA, pages: 1n }]);
  const third = wait();
  queue[Symbol.dispose]();
  equal(await passed(machine.kernel, third), "not-present");
  equal([parent.nested.size, device.attachedTo], [0, undefined]);
  const { message } = thrown(() => parent.createNested(device, TABLE, { faultQueue: queue })) as Error;
  check(message.includes("The fault queue was disposed"), message);
  end();
});

for (const call of CALLS) {
  Deno.test(`whichever ${call} fails, nested page tables with a fault queue leave nothing behind`, async () => {
    const { kernel } = await boot({
      iommu: { kind: "vtd", scalable: true },
      pci: [{ slot: "03.0", model: new Puppet({ pageRequests: true }) }, { slot: "04.0", model: new Puppet() }],
    });
    const errno: ErrnoName = errnoFor(call);
    for (let nth = 1;; nth++) {
      const faulty = faults(kernel, [{ call, nth, errno }]);
      let error: unknown;
      try {
        using iommu = IommuFd.open(faulty);
        using fd = DeviceFd.open(faulty, ADDRESSES[0]);
        const device = fd.bind(iommu);
        using queue = iommu.createFaultQueue();
        using parent = iommu.createIoas().createHwpt(device, { nestParent: true });
        using nested = parent.createNested(device, TABLE, { faultQueue: queue });
        device.attach(nested);
        nested.invalidate([{ iova: 0n, pages: "all" }]);
      } catch (caught) {
        error = caught;
      }
      if (faulty.fired === 0) break;
      const isKnown = [IommuError, SuppressedError, AggregateError].some((kind) => error instanceof kind);
      // The name of a device is looked up for explanations alone, which do without.
      check(isKnown || error === undefined && ["list", "readlink", "readFile"].includes(call), `${call} ${nth}: ${error}`);
      for (let fd = 3; call === "close" && fd < 64; fd++) kernel.close(fd);
    }
    finish(kernel);
  });
}
