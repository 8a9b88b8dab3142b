/**
 * A wrong order is an error of the compiler: what a handle cannot do yet, or any more, it has no method for.
 */
import ts from "typescript";
import { fileURLToPath } from "node:url";
import { check, equal } from "../check.ts";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const OPTIONS: ts.CompilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noEmit: true,
  allowImportingTsExtensions: true,
  skipLibCheck: true,
  target: ts.ScriptTarget.ESNext,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  lib: ["lib.esnext.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts", "lib.dom.asynciterable.d.ts"],
  types: [],
};

const HEAD = `
import * as lib from "../../mod.ts";
import { DeviceFd, IommuFd, MemFd } from "../../mod.ts";
declare const kernel: lib.Kernel;
declare const iommu: lib.IommuFd, ioas: lib.Ioas, hwpt: lib.Hwpt, buffer: lib.DmaBuffer, pool: lib.DmaPool;
declare const nested: lib.NestedHwpt, viommu: lib.Viommu, events: lib.EventQueue, hwQueue: lib.HwQueue, vdevice: lib.Vdevice;
declare const unbound: lib.DeviceFd, device: lib.BoundDevice, irq: lib.Irq, region: lib.Region, file: lib.MemFd;
`;

/** What is right, and compiles. */
const RIGHT: Record<string, string> = {
  "the order of the README": `
    using first = IommuFd.open(kernel);
    using space = first.createIoas();
    using bound = DeviceFd.open(kernel, "0000:00:04.0").bind(first, { label: 1n });
    const table: number = bound.attach(space);
    using memory = space.createDmaBuffer(4096);
    const iova: bigint = memory.iova;`,
  "a page table is a target as an address space is": "device.attach(ioas.createHwpt(device, { dirtyTracking: true }));",
  "a page table on top of another is a target too": `
    device.attach(hwpt.createNested(device, { type: "vtd", root: 0n, levels: 4 }, { faultQueue: iommu.createFaultQueue() }));`,
  "a guest's table is made by its virtual IOMMU, which names devices": `
    const table = hwpt.createViommu(device, { type: 1 }).createNested(device, { type: "raw", dataType: 2, data: new Uint8Array(16) });
    viommu.createDevice(device, 0x10n);
    device.attach(table);
    using queue: lib.HwQueue = viommu.createHwQueue({ type: 1, index: 0, iova: 0n, length: 4096 });
    for await (const { data, lost } of events) { const n: number = lost; data?.length; }`,
  "a buffer is memory of the process": "const at: bigint = ioas.map(buffer, { iova: 0n, write: false });",
  "interrupts are iterated": "for await (const count of irq) { const n: bigint = count; } for await (const count of irq.vector(1)) count;",
  "a slice is given back": "using slice = pool.take(); slice.view.setUint32(0, 1, true); const i: bigint = slice.iova;",
  "codes of errors are names": `const code = (error: lib.IommuError): boolean => error.code === "EBUSY";`,
};

/** What is wrong, and what the compiler says. */
const WRONG: Record<string, readonly [code: string, error: RegExp]> = {
  "an unbound device has no attach": ["unbound.attach(ioas);", /'attach' does not exist on type 'DeviceFd'/],
  "an unbound device has no detach": ["unbound.detach();", /'detach' does not exist on type 'DeviceFd'/],
  "an unbound device has no registers": ["unbound.bar(0);", /'bar' does not exist on type 'DeviceFd'/],
  "an unbound device has no configuration space": ["unbound.config;", /'config' does not exist on type 'DeviceFd'/],
  "an unbound device has no interrupts": [`unbound.irq("msi");`, /'irq' does not exist on type 'DeviceFd'/],
  "an unbound device cannot be reset": ["unbound.reset();", /'reset' does not exist on type 'DeviceFd'/],
  "a bound device cannot be bound again": ["device.bind(iommu);", /'bind' does not exist on type 'BoundDevice'/],
  "a device is bound to an iommufd, not to an address space": [
    "unbound.bind(ioas);",
    /'Ioas' is not assignable to parameter of type 'IommuFd'/,
  ],
  "a device is attached to an address space, not to an iommufd": ["device.attach(iommu);", /'IommuFd' is not assignable to parameter/],
  "a device is not attached to an id": ["device.attach(3);", /'number' is not assignable to parameter/],
  "a page table is made for a bound device": [
    "ioas.createHwpt(unbound);",
    /'DeviceFd' is not assignable to parameter of type 'DeviceObject'/,
  ],
  "a virtual IOMMU is made on a page table, not on an address space": [
    "ioas.createViommu(device, { type: 1 });",
    /'createViommu' does not exist on type 'Ioas'/,
  ],
  "nothing is built on a nested page table": ["nested.createNested(device);", /'createNested' does not exist on type 'NestedHwpt'/],
  "nor a virtual IOMMU": ["nested.createViommu(device, { type: 1 });", /'createViommu' does not exist on type 'NestedHwpt'/],
  "a device is not attached to a virtual IOMMU": ["device.attach(viommu);", /'Viommu' is not assignable to parameter/],
  "an unbound device has no virtual one": ["viommu.createDevice(unbound, 1n);", /'DeviceFd' is not assignable to parameter/],
  "a guest's number is a bigint": ["viommu.createDevice(device, 1);", /'number' is not assignable to parameter of type 'bigint'/],
  "a virtual device is no device to attach": ["vdevice.attach(nested);", /'attach' does not exist on type 'Vdevice'/],
  "events have no answer": ["events.take()?.respond;", /'respond' does not exist on type 'VirtualEvent'/],
  "a queue for hardware is not read": ["hwQueue.take();", /'take' does not exist on type 'HwQueue'/],
  "a queue for hardware has an address": [
    "viommu.createHwQueue({ type: 1, index: 0, length: 4096 });",
    /'iova' is missing/,
  ],
  "invalidations have pages": ["nested.invalidate([{ iova: 0n }]);", /'pages' is missing/],
  "a page table maps nothing": ["hwpt.map(buffer);", /'map' does not exist on type 'Hwpt'/],
  "an iommufd maps nothing": ["iommu.createDmaBuffer(1);", /'createDmaBuffer' does not exist on type 'IommuFd'/],
  "a path is no file": [`ioas.mapFile("/dev/zero");`, /'string' is not assignable to parameter of type 'MemFd \| DmaBuf'/],
  "an address is a bigint": ["ioas.bufferAt(4096);", /'number' is not assignable to parameter of type 'bigint'/],
  "the address of a buffer is a bigint": ["ioas.createDmaBuffer(1, { iova: 0 });", /'number' is not assignable to type 'bigint'/],
  "the length of a buffer is a number": ["ioas.createDmaBuffer(1n);", /'bigint' is not assignable to parameter of type 'number'/],
  "a register of 64 bits is a bigint": ["region.write64(0, 1);", /'number' is not assignable to parameter of type 'bigint'/],
  "a register of 32 bits is a number": ["region.write32(0, region.read64(0));", /'bigint' is not assignable to parameter of type 'number'/],
  "a label is a bigint": ["unbound.bind(iommu, { label: 1 });", /'number' is not assignable to type 'bigint'/],
  "a kind of interrupts is one of a few": [`device.irq("msi-x");`, /'"msi-x"' is not assignable to parameter of type 'IrqKind'/],
  "an option that is misspelt is none": [
    "ioas.createDmaBuffer(1, { writeable: false });",
    /'writeable' does not exist in type 'BufferOptions'/,
  ],
  "the size of a pool is needed": ["ioas.createDmaPool({ count: 1 });", /'size' is missing/],
  "a handle is opened, not constructed": ["new IommuFd(kernel, 3);", /Constructor of class 'IommuFd' is private/],
  "a device is opened, not constructed": [`new DeviceFd(kernel, 3, "", undefined);`, /Constructor of class 'DeviceFd' is private/],
  "a file is made, not constructed": ["new MemFd(kernel, 3, 0n, new Uint8Array());", /Constructor of class 'MemFd' is private/],
  "what a handle says cannot be set": ["buffer.iova = 0n;", /Cannot assign to 'iova' because it is a read-only property/],
  "what a device is attached to is set by attaching": ["device.attachedTo = ioas;", /Cannot assign to 'attachedTo'/],
  "the code of an error is a name of Linux": [
    `const isIt = (error: lib.IommuError): boolean => error.code === "EBUSYY";`,
    /This comparison appears to be unintentional/,
  ],
  "vectors are iterated asynchronously": ["for (const count of irq) count;", /must have a '\[Symbol.iterator\]\(\)' method/],
};

/** Compile all pieces at once, each in a file of its own that is not there. Returns what the compiler says of each. */
function compile(pieces: readonly string[]): string[][] {
  const names = pieces.map((_, at) => `${FOLDER}piece_${at}.ts`);
  const texts = new Map(names.map((name, at) => [name, `${HEAD}${pieces[at]}\nexport {};\n`]));
  const host = ts.createCompilerHost(OPTIONS);
  const { fileExists, getSourceFile } = host;
  host.fileExists = (name) => texts.has(name) || fileExists.call(host, name);
  host.getSourceFile = (name, language, ...rest) => {
    const text = texts.get(name);
    return text === undefined ? getSourceFile.call(host, name, language, ...rest) : ts.createSourceFile(name, text, language);
  };
  const program = ts.createProgram(names, OPTIONS, host);
  return names.map((name) =>
    ts.getPreEmitDiagnostics(program, program.getSourceFile(name)).map(({ messageText }) =>
      ts.flattenDiagnosticMessageText(messageText, "\n")
    )
  );
}

const right = Object.entries(RIGHT);
const wrong = Object.entries(WRONG);
let said: string[][] | undefined;

/** What the compiler says of a piece. The first asks it for all. */
function saidOf(index: number): string[] {
  said ??= compile([...right.map(([, code]) => code), ...wrong.map(([, [code]]) => code)]);
  return said[index]!;
}

right.forEach(([name], at) => Deno.test(`${name}: it compiles`, () => equal(saidOf(at), [])));

wrong.forEach(([name, [, error]], at) =>
  Deno.test(`${name}: it does not compile`, () => {
    const messages = saidOf(right.length + at);
    check(messages.length === 1 && error.test(messages[0]!), `the compiler says: ${messages.join("; ") || "nothing"}`);
  })
);
