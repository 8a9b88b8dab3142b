/**
 * Every entry of the table of advice is what a program gets when the kernel answers that error, and reads as a sentence.
 */
import fc from "fast-check";
import { ADVICE, GENERIC, type OperationKey } from "../../api/advice.ts";
import { failed } from "../../api/error.ts";
import type { ErrnoName, FaultCall } from "../../backends/wrap/mod.ts";
import { DeviceFd, ERRNO, type Hwpt, IommuError, listDevices, MemFd, type NestedHwpt } from "../../mod.ts";
import { check, equal } from "../check.ts";
import { Puppet } from "../rules/puppet.ts";
import { errnoFor, type Faulty, sweep } from "./faulty.ts";
import { ADDRESSES, boot } from "./machine.ts";

const USER = { address: 4096n, length: 4096 };

/** Operations whose errors are explained by what the machine says of itself. */
const EXPLAINED = new Set<OperationKey>([
  "openIommu",
  "openDevice",
  "bind",
  "destroy",
  "ioasMap",
  "ioasMapFile",
  "ioasCopy",
  "ioasUnmap",
  "ioasAllow",
  "hwptAlloc",
  "attach",
]);

interface Trial {
  readonly call: FaultCall;
  readonly request?: string;
  readonly run: (world: Faulty) => unknown;
  /** How the message begins. Default: with the words of the action before its first value. */
  readonly beginning?: string;
}

/**
 * Operations that no answer of a kernel leads to, or that make of it another: tests of faults, pools, polling, devices and files of others have them.
 * Those of virtual IOMMUs need another machine.
 */
type Elsewhere =
  | "viommuAlloc"
  | "vdeviceAlloc"
  | "eventQueueAlloc"
  | "hwQueueAlloc"
  | "eventRead"
  | "eventWait"
  | "faultRespond"
  | "pool"
  | "poll"
  | "findDevice"
  | "adoptIommu"
  | "adoptDevice";

/** How a program comes to each operation. */
const TRIALS: Record<Exclude<OperationKey, Elsewhere>, Trial> = {
  block: { call: "block", run: ({ ioas }) => ioas.ranges },
  openIommu: { call: "open", run: () => {}, beginning: "Cannot open /dev/iommu:" },
  destroy: { call: "ioctl", request: "DESTROY", run: ({ iommu }) => iommu.destroy(77) },
  ioasAlloc: { call: "ioctl", request: "IOAS_ALLOC", run: ({ iommu }) => iommu.createIoas() },
  option: { call: "ioctl", request: "OPTION", run: ({ ioas }) => void (ioas.hugePages = false) },
  vfioIoas: { call: "ioctl", request: "VFIO_IOAS", run: ({ iommu, ioas }) => void (iommu.vfioIoas = ioas) },
  changeProcess: { call: "ioctl", request: "IOAS_CHANGE_PROCESS", run: ({ iommu }) => iommu.changeProcess() },
  ioasPhysical: { call: "ioctl", request: "IOAS_NOIOMMU_GET_PA", run: ({ ioas }) => ioas.physicalRange(0n, 1) },
  ioasMap: { call: "ioctl", request: "IOAS_MAP", run: ({ ioas }) => ioas.map(USER) },
  ioasMapFile: {
    call: "ioctl",
    request: "IOAS_MAP_FILE",
    run: ({ ioas, kernel }) => {
      using file = MemFd.create(kernel, "file", 4096);
      ioas.mapFile(file);
    },
  },
  ioasUnmap: { call: "ioctl", request: "IOAS_UNMAP", run: ({ ioas }) => ioas.unmap(0n, 4096n) },
  ioasCopy: { call: "ioctl", request: "IOAS_COPY", run: ({ ioas }) => ioas.copy(ioas, { sourceIova: 0n, length: 4096 }) },
  ioasRanges: { call: "ioctl", request: "IOAS_IOVA_RANGES", run: ({ ioas }) => ioas.ranges },
  ioasAllow: { call: "ioctl", request: "IOAS_ALLOW_IOVAS", run: ({ ioas }) => ioas.allow([]) },
  hwptAlloc: { call: "ioctl", request: "HWPT_ALLOC", run: ({ ioas, device }) => ioas.createHwpt(device) },
  hwptNest: { call: "ioctl", request: "HWPT_ALLOC", run: nest },
  hwptInvalidate: { call: "ioctl", request: "HWPT_INVALIDATE", run: (world) => nest(world).invalidate([{ iova: 0n, pages: "all" }]) },
  dirtyTracking: { call: "ioctl", request: "HWPT_SET_DIRTY_TRACKING", run: (world) => tracked(world).setDirtyTracking(true) },
  dirtyBitmap: { call: "ioctl", request: "HWPT_GET_DIRTY_BITMAP", run: (world) => tracked(world).dirtyBitmap(RANGE) },
  dmaLogStart: { call: "ioctl", request: "DEVICE_FEATURE", run: log },
  dmaLogReport: { call: "ioctl", request: "DEVICE_FEATURE", run: log },
  dmaLogStop: { call: "ioctl", request: "DEVICE_FEATURE", run: log },
  openDevice: { call: "open", run: () => {}, beginning: "Cannot open /dev/vfio/devices/vfio0 (0000:00:03.0):" },
  bind: { call: "ioctl", request: "DEVICE_BIND_IOMMUFD", run: () => {} },
  label: {
    call: "ioctl",
    request: "SIMULATED_DEVICE_SET_LABEL",
    run: ({ kernel, iommu }) => {
      const device = DeviceFd.open(kernel, ADDRESSES[1]);
      try {
        device.bind(iommu, { label: 5n });
      } finally {
        device[Symbol.dispose]();
      }
    },
  },
  exportDmaBuf: { call: "ioctl", request: "DEVICE_FEATURE", run: ({ device }) => device.bar(0).exportDmaBuf()[Symbol.dispose]() },
  attach: { call: "ioctl", request: "DEVICE_ATTACH_IOMMUFD_PT", run: () => {} },
  detach: { call: "ioctl", request: "DEVICE_DETACH_IOMMUFD_PT", run: ({ device }) => device.detach() },
  deviceInfo: { call: "ioctl", request: "DEVICE_GET_INFO", run: ({ device }) => device.info },
  hwInfo: { call: "ioctl", request: "GET_HW_INFO", run: ({ device }) => device.hwInfo() },
  faultQueueAlloc: { call: "ioctl", request: "FAULT_QUEUE_ALLOC", run: ({ iommu }) => iommu.createFaultQueue()[Symbol.dispose]() },
  faultRead: {
    call: "read",
    run: ({ iommu }) => {
      using queue = iommu.createFaultQueue();
      queue.take();
    },
  },
  faultWait: {
    call: "wait",
    run: async ({ iommu }) => {
      using queue = iommu.createFaultQueue();
      const controller = new AbortController();
      const waiting = queue.wait(controller.signal);
      for (let turn = 0; turn < 8; turn++) await undefined;
      controller.abort();
      await waiting.catch((error) => {
        if (error instanceof IommuError) throw error;
      });
    },
  },
  reset: { call: "ioctl", request: "DEVICE_RESET", run: ({ device }) => device.reset() },
  hotReset: { call: "ioctl", request: "DEVICE_PCI_HOT_RESET", run: ({ device }) => device.hotReset() },
  hotResetInfo: { call: "ioctl", request: "DEVICE_GET_PCI_HOT_RESET_INFO", run: ({ device }) => device.hotResetDevices() },
  regionInfo: { call: "ioctl", request: "DEVICE_GET_REGION_INFO", run: ({ device }) => device.bar(0) },
  pread: { call: "pread", run: ({ device }) => device.config.read32(0) },
  pwrite: { call: "pwrite", run: ({ device }) => device.config.write32(4, 0) },
  irqInfo: { call: "ioctl", request: "DEVICE_GET_IRQ_INFO", run: ({ device }) => device.irq("msix") },
  setIrqs: { call: "ioctl", request: "DEVICE_SET_IRQS", run: ({ device }) => device.irq("msix").enable(1) },
  close: { call: "close", run: () => {} },
  mmap: { call: "mmap", run: ({ ioas }) => ioas.createDmaBuffer(1) },
  munmap: { call: "munmap", run: ({ ioas }) => ioas.createDmaBuffer(1)[Symbol.dispose]() },
  memfd: { call: "memfd", run: ({ kernel }) => MemFd.create(kernel, "file", 1)[Symbol.dispose]() },
  eventfd: { call: "eventfd", run: ({ device }) => device.irq("msix").enable(1) },
  read: { call: "read", run: ({ device }) => takeOne(device) },
  wait: { call: "wait", run: ({ device }) => takeOne(device) },
  list: { call: "list", run: ({ kernel }) => listDevices(kernel) },
  readFile: { call: "readFile", run: ({ kernel }) => listDevices(kernel) },
};

const RANGE = { iova: 0n, length: 4096 };

function tracked({ ioas, device }: Faulty): Hwpt {
  return ioas.createHwpt(device, { dirtyTracking: true });
}

function log({ device }: Faulty): void {
  using log = device.logDma({ ranges: [RANGE] });
  log.report(RANGE);
}

function nest({ ioas, device }: Faulty): NestedHwpt {
  return ioas.createHwpt(device, { nestParent: true }).createNested(device, { type: "vtd", root: 0n, levels: 4 });
}

async function takeOne(device: Faulty["device"]): Promise<void> {
  const irq = device.irq("msix");
  irq.enable(1);
  const waiting = irq.vector(0).wait();
  irq.trigger();
  await waiting;
}

function beginningOf(key: OperationKey): string {
  return `Cannot ${ADVICE[key].action.replace(/[{[].*/, "")}`;
}

for (const [key, { call, request, run, beginning = beginningOf(key) }] of Object.entries(TRIALS) as [keyof typeof TRIALS, Trial][]) {
  Deno.test(`${key}: what the kernel refuses is an error with the advice of the table`, async () => {
    const { operation, advice } = ADVICE[key];
    const codes = Object.keys(advice) as ErrnoName[];
    const machine = await boot({
      iommu: { kind: "vtd", scalable: true, dirtyTracking: true },
      pci: [{ slot: "03.0", model: new Puppet({ dmaLogging: true }) }, { slot: "04.0", model: new Puppet() }],
    });
    for (const errno of codes.length > 0 ? codes : [errnoFor(call)]) {
      const outcomes = await sweep(machine, { call, errno, ...(request === undefined ? {} : { request }) }, { run });
      check(outcomes.length > 0, `${call} is called`);
      const errors = outcomes.map(({ error }) => error).filter((error) => error instanceof IommuError);
      const found = errors.find((error) => error.operation === operation && error.message.startsWith(beginning));
      check(found !== undefined, `${errno} leads to an error of ${key}: ${outcomes.map(({ error }) => error).join("; ")}`);
      equal([found.code, found.errno], [errno, ERRNO[errno]]);
      // What the machine says of itself is better than the table: explain_test.ts has what that must be.
      if (!EXPLAINED.has(key)) equal(found.advice, advice[errno] ?? GENERIC[errno]);
      check(found.advice !== "", `${errno} of ${key} has advice`);
      check(found.message.endsWith(`. ${found.advice}`), found.message);
      check(!/undefined|[{}[\]]/.test(found.message), found.message);
      for (const value of Object.values(found.values)) check(["number", "bigint", "string"].includes(typeof value), "values are simple");
    }
  });
}

Deno.test("what helps whatever the operation is said where the table has nothing better", async () => {
  const machine = await boot();
  for (const [errno, text] of Object.entries(GENERIC) as [ErrnoName, string][]) {
    const fault = { call: "ioctl", request: "DEVICE_DETACH_IOMMUFD_PT", errno } as const;
    const [outcome] = await sweep(machine, fault, { run: ({ device }) => device.detach() });
    const error = outcome?.error;
    check(error instanceof IommuError, `${errno} is an IommuError`);
    equal([error.code, error.advice], [errno, text]);
  }
});

/** Names of values in a template: those that must be there, and those that may lack. */
function valuesOf(template: string): { needed: string[]; optional: string[] } {
  const names = (text: string) => [...text.matchAll(/\{#?(\w+)\}/g)].map(([, name]) => name!);
  const optional = [...template.matchAll(/\[[^\]]*\]/g)].flatMap(([part]) => names(part));
  return { needed: names(template).filter((name) => !optional.includes(name)), optional };
}

Deno.test("every message is a sentence, whatever the operation, the error and the values", () => {
  const keys = Object.keys(ADVICE) as OperationKey[];
  const value = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.nat(), fc.constantFrom("0000:00:04.0", "/dev/iommu"));
  const errno = fc.oneof(fc.constantFrom(...Object.values(ERRNO)), fc.integer({ min: 1, max: 4095 }));
  fc.assert(
    fc.property(
      fc.constantFrom(...keys),
      errno,
      fc.array(value, { minLength: 8, maxLength: 8 }),
      fc.boolean(),
      (key, errno, values, all) => {
        const { needed, optional } = valuesOf(ADVICE[key].action);
        const names = all ? [...needed, ...optional] : needed;
        const given = names.map((name, at) => [name, name === "verb" ? "enable" : values[at]!]);
        const error = failed(key, -errno, Object.fromEntries(given));
        check(/^Cannot [a-z0-9].*: (E[A-Z0-9]+|errno \d+) \(.+\)\.( [A-Z].*\.)?$/.test(error.message), error.message);
        check(!/undefined|[{}[\]]| {2}|\.\./.test(error.message), error.message);
        equal([error.name, error.operation, error.errno], ["IommuError", ADVICE[key].operation, errno]);
      },
    ),
    { numRuns: 3000 },
  );
});

Deno.test("every advice is whole sentences", () => {
  const texts = [...Object.values(GENERIC), ...Object.values(ADVICE).flatMap(({ advice }) => Object.values(advice))];
  for (const text of texts) check(/^[A-Z][^{}[\]]*[.]$/.test(text) && !text.includes("  "), text);
});
