/**
 * Requests of fault queues and of virtual IOMMUs that make sense for what a program has, and calls to the files of their queues.
 *
 * @module
 */
import type { Draw } from "../property/syscall_values.ts";
import { DATA, DATA_READ_ONLY } from "./memory.ts";
import type { Iommufd, Known, Program } from "./program.ts";
import { CACHED, drawId, type Drawn, type Kind, MOCK_DATA, type Scene } from "./requests.ts";
import { reference, type RequestStep, type TransferStep, type Value } from "./sequence.ts";
import { drawRange, EDGES } from "./values.ts";

const PAGE = 4096n;
/** HWPT_ALLOC's flags for nested page tables on top, and for one that reports page faults. */
const [NEST_PARENT, FAULT_ID_VALID, PASID] = [1n, 4n, 8n];
/** The mock IOMMU's type of virtual IOMMUs, of their queues for hardware, and of what is invalidated by them. */
const MOCK_TYPE = 0xdead_beefn;
/** The same of their events. */
const MOCK_EVENTS = 0xbeef_beefn;
/** Bytes of a fault as it is read, of an answer, and of an event. */
const [FAULT, RESPONSE, EVENT] = [40n, 8n, 12n];

/** What leads to something that a program lacks, or the thing itself. */
type Found<T> = { readonly there: T } | { readonly first: Drawn };

type Fields = Omit<Drawn, "request"> & { readonly request?: string };

/** An object of a kind that fits, else the request that makes one. */
function found(known: Known | undefined, first: () => Drawn): Found<Known> {
  return known === undefined ? { first: first() } : { there: known };
}

function anyDevice({ draw, iommufd }: Scene): Found<Known> {
  return found(draw.any(iommufd.of(["device"])), () => {
    const empty = iommufd.of(["ioas"]).find(({ id }) => !iommufd.areas.some(({ ioas }) => ioas === id));
    if (empty === undefined) return { request: "IOAS_ALLOC", fields: {} };
    return { request: "TEST_CMD/TestMockDomainFlags", fields: { id: empty.value, dev_flags: 4n } };
  });
}

function parent(scene: Scene): Found<Known> {
  const { draw, iommufd } = scene;
  const device = anyDevice(scene);
  if ("first" in device) return device;
  return found(draw.any(iommufd.of(["hwpt"]).filter(({ nesting }) => nesting === "parent")), () => {
    const ioas = draw.any(iommufd.of(["ioas"]))?.value ?? 0n;
    return { request: "HWPT_ALLOC", fields: { dev_id: device.there.value, pt_id: ioas, flags: NEST_PARENT } };
  });
}

function anyViommu(scene: Scene): Found<Known> {
  const below = parent(scene);
  if ("first" in below) return below;
  const { draw, iommufd } = scene;
  return found(draw.any(iommufd.of(["viommu"])), () => {
    const dev_id = drawId(scene, ["device"]);
    return { request: "VIOMMU_ALLOC", fields: { type: MOCK_TYPE, dev_id, hwpt_id: below.there.value } };
  });
}

/** A device that a guest knows and that is attached through it. */
function guestDevice(scene: Scene): Found<Known> {
  const { draw, iommufd } = scene;
  const guests = iommufd.of(["hwpt"]).filter(({ on }) => on !== undefined);
  const there = draw.any(iommufd.of(["device"]).filter(({ attached }) => guests.some(({ id }) => id === attached)));
  if (there !== undefined) return { there };
  const viommu = anyViommu(scene);
  if ("first" in viommu) return viommu;
  const { id, value } = viommu.there;
  const vdevice = draw.any(iommufd.of(["vdevice"]).filter(({ on }) => on === id));
  const device = iommufd.of(["device"]).find((device) => device.id === vdevice?.other);
  if (device === undefined) {
    const virt_id = BigInt(1 + draw.below(4));
    return { first: { request: "VDEVICE_ALLOC", fields: { viommu_id: value, dev_id: drawId(scene, ["device"]), virt_id } } };
  }
  const table = draw.any(guests.filter(({ on }) => on === id));
  return { first: table === undefined ? nestedOn(scene, value, device.value) : moveTo(scene, device, table) };
}

function moveTo({ iommufd }: Scene, device: Known, table: Known): Drawn {
  const test = iommufd.of(["selftest"]).find(({ other }) => other === device.id);
  return { request: "TEST_CMD/TestMockDomainReplace", fields: { id: test?.value ?? 0n, pt_id: table.value } };
}

function nestedOn(scene: Scene, below: Value, device: Value): Drawn {
  const { draw } = scene;
  const reports = draw.once(3) ? reporting(scene) : { flags: draw.once(4) ? PASID : 0n };
  const fields = { dev_id: device, pt_id: below, ...reports, data_type: MOCK_DATA, data_len: 8n, data_uptr: DATA.at };
  return { request: "HWPT_ALLOC", fields, data: [CACHED] };
}

/** Fields of a page table that reports faults, mostly to a queue that is there. */
function reporting(scene: Scene): { readonly flags: bigint; readonly fault_id: Value } {
  return { flags: FAULT_ID_VALID | (scene.draw.once(3) ? PASID : 0n), fault_id: drawId(scene, scene.draw.once(12) ? ["ioas"] : ["fault"]) };
}

/** A device that is attached to a page table that reports its faults. */
function faultingDevice(scene: Scene): Found<Known> {
  const { draw, iommufd } = scene;
  const device = anyDevice(scene);
  if ("first" in device) return device;
  const tables = iommufd.of(["hwpt"]).filter(({ queue }) => queue !== undefined);
  const there = draw.any(iommufd.of(["device"]).filter(({ attached }) => tables.some(({ id }) => id === attached)));
  if (there !== undefined) return { there };
  const table = draw.any(tables);
  if (table !== undefined) return { first: moveTo(scene, device.there, table) };
  if (iommufd.of(["fault"]).length === 0) return { first: { request: "FAULT_QUEUE_ALLOC", fields: {} } };
  return { first: reportingTable(scene, device.there) };
}

/** Of an IOAS, or on top of a page table or a virtual IOMMU. */
function reportingTable(scene: Scene, device: Known | undefined): Drawn {
  const { draw, iommufd } = scene;
  const dev_id = device?.value ?? drawId(scene, ["device"]);
  const below = draw.any([...iommufd.of(["viommu"]), ...iommufd.of(["hwpt"]).filter(({ nesting }) => nesting === "parent")]);
  if (below === undefined || draw.once(2)) {
    return { request: "HWPT_ALLOC", fields: { dev_id, pt_id: drawId(scene, ["ioas"]), ...reporting(scene) } };
  }
  const data = { data_type: MOCK_DATA, data_len: 4n, data_uptr: DATA.at };
  return { request: "HWPT_ALLOC", fields: { dev_id, pt_id: below.value, ...reporting(scene), ...data }, data: [CACHED] };
}

/** On top of a virtual IOMMU, mostly. */
function guestTable(scene: Scene): Drawn {
  return nestedOn(scene, drawId(scene, ["viommu"]), drawId(scene, ["device"]));
}

/** The PASID of a device that is attached, none, or another: which Linux hands to the nested page table of the device itself. */
function drawFaultPasid({ draw, iommufd }: Scene, device: Known | undefined): bigint {
  if (!draw.once(3)) return 0n;
  const attached = draw.any(iommufd.pasids.filter(({ device: { other } }) => other === device?.id))?.pasid;
  return draw.of([attached ?? 1n, attached ?? 1n, 1n, 2n, 2n ** 20n, 2n ** 32n - 1n]);
}

function triggerFault(scene: Scene): Fields {
  const { draw } = scene;
  if (draw.once(8)) return reportingTable(scene, undefined);
  const wanted = faultingDevice(scene);
  if ("first" in wanted && !draw.once(12)) return wanted.first;
  const device = "there" in wanted && !draw.once(8) ? wanted.there : draw.any(scene.iommufd.of(["device"]));
  const grpid = BigInt(draw.of([0, 1, 1, 2, 2 ** 32 - 1]));
  const perm = draw.of([1n, 2n, 3n, 0n, 2n ** 32n - 1n]);
  return { fields: { dev_id: device?.value ?? 0n, pasid: drawFaultPasid(scene, device), grpid, perm, addr: draw.of(EDGES) } };
}

function triggerEvent(scene: Scene): Fields {
  const { draw, iommufd } = scene;
  if (draw.once(8)) return guestTable(scene);
  const wanted = guestDevice(scene);
  if ("first" in wanted && !draw.once(12)) return wanted.first;
  const on = iommufd.of(["veventq"]).map((queue) => queue.on);
  const lacking = iommufd.of(["viommu"]).find(({ id }) => !on.includes(id));
  if (lacking !== undefined && draw.once(4)) return eventQueue(scene, lacking.value);
  return { fields: { dev_id: "there" in wanted && !draw.once(8) ? wanted.there.value : drawId(scene, ["device"]) } };
}

function eventQueue({ draw }: Scene, viommu: Value): Drawn {
  const veventq_depth = draw.of([1n, 2n, 3n, 8n, 1n, 2n, 2n ** 19n, 0n, 2n ** 19n + 1n]);
  const type = draw.once(8) ? BigInt(draw.below(3)) : MOCK_EVENTS;
  return { request: "VEVENTQ_ALLOC", fields: { viommu_id: viommu, type, veventq_depth } };
}

/** Half of them with data, of which the first number is the program's. */
function viommuAlloc(scene: Scene): Fields {
  const { draw } = scene;
  const below = parent(scene);
  if ("first" in below && !draw.once(4)) return below.first;
  const hwpt_id = "there" in below && !draw.once(8) ? below.there.value : drawId(scene, ["hwpt"]);
  const fields = { type: draw.once(8) ? BigInt(draw.below(4)) : MOCK_TYPE, dev_id: drawId(scene, ["device"]), hwpt_id };
  if (draw.once(2)) return { fields };
  return { fields: { ...fields, data_len: draw.of([8n, 24n, 24n, 24n, 16n, 7n, 12n, 25n]), data_uptr: DATA.at }, data: [0x1234_5678n] };
}

function vdeviceAlloc(scene: Scene): Fields {
  const { draw } = scene;
  const viommu = anyViommu(scene);
  if ("first" in viommu && !draw.once(4)) return viommu.first;
  const virt_id = draw.of([1n, 2n, 3n, 0n, 1n, 2n, 2n ** 32n + 1n, 2n ** 64n - 1n]);
  return { fields: { viommu_id: drawId(scene, ["viommu"]), dev_id: drawId(scene, ["device"]), virt_id } };
}

function eventQueueAlloc(scene: Scene): Fields {
  return eventQueue(scene, drawId(scene, scene.draw.once(12) ? ["ioas"] : ["viommu"]));
}

/** Memory that is mapped in the IOAS below the virtual IOMMU. */
function hwQueueAlloc(scene: Scene): Fields {
  const { draw, iommufd } = scene;
  const viommu = anyViommu(scene);
  if ("first" in viommu && !draw.once(4)) return viommu.first;
  const below = "there" in viommu ? viommu.there : undefined;
  const areas = iommufd.areas.filter(({ ioas }) => ioas === below?.other);
  const { iova, length } = drawRange(draw, areas.length > 0 ? areas : iommufd.areas, draw.once(3) ? 2048n : PAGE);
  const type = draw.once(8) ? BigInt(draw.below(3)) : MOCK_TYPE;
  const fields = { viommu_id: below?.value ?? 0n, type, index: BigInt(draw.of([0, 0, 0, 1, 1, 2])), nesting_parent_iova: iova };
  return { fields: { ...fields, length: draw.once(2) ? PAGE : length } };
}

/** The requests of fault queues and of virtual IOMMUs. */
export const EVENT_KINDS: Readonly<Record<string, Kind>> = {
  FAULT_QUEUE_ALLOC: { weight: 2, fields: () => ({ fields: {} }) },
  "TEST_CMD/TestTriggerIopf": { weight: 16, fields: triggerFault },
  VIOMMU_ALLOC: { weight: 3, fields: viommuAlloc },
  VDEVICE_ALLOC: { weight: 4, fields: vdeviceAlloc },
  VEVENTQ_ALLOC: { weight: 2, fields: eventQueueAlloc },
  HW_QUEUE_ALLOC: { weight: 4, fields: hwQueueAlloc },
  "TEST_CMD/TestTriggerVevent": { weight: 24, fields: triggerEvent },
};

/**
 * A call to the file of a queue, now and then: a read of as many bytes as one or more records have, or too few, or an answer to faults. Cookies are
 * small numbers, so that a guess is as good as what was read.
 */
export function drawTransfer(draw: Draw, id: number, { queues }: Program): TransferStep | undefined {
  const wanted = queues.filter(({ unread, unanswered }) => unread + unanswered > 0);
  if (!draw.once(wanted.length > 0 ? 8 : 40)) return undefined;
  const queue = draw.any(draw.once(6) ? queues : wanted) ?? draw.any(queues);
  if (queue === undefined) return undefined;
  const { file, kind, unanswered } = queue;
  const answers = draw.once(unanswered > 0 ? 2 : 16);
  if (answers) return { id, call: "write", file, ...drawAnswers(draw) };
  const record = kind === "fault" ? FAULT : EVENT;
  const length = draw.once(4)
    ? draw.of([0n, 1n, 4n, 7n, RESPONSE, record - 1n, record + 1n, record + 8n, 2n * record - 1n])
    : record * BigInt(1 + draw.below(6));
  return { id, call: "read", file, length, ...drawPlace(draw, length) };
}

function drawAnswers(draw: Draw): Pick<TransferStep, "length" | "at" | "data"> {
  const cookie = () => BigInt(draw.of([1, 1, 1, 2, 2, 3, 0, 4, 2 ** 32 - 1]));
  const data = Array.from({ length: 1 + draw.below(3) }, () => cookie() | BigInt(draw.of([0, 0, 1, 1, 1, 2, 15])) << 32n);
  const length = draw.once(8) ? draw.of([0n, 4n, 7n, 12n]) : RESPONSE * BigInt(data.length);
  return { length, data, ...drawPlace(draw, length) };
}

/** Now and then where memory cannot be written, or ends. */
function drawPlace(draw: Draw, length: bigint): Pick<TransferStep, "at"> {
  if (!draw.once(8)) return {};
  const end = DATA.at + BigInt(DATA.length);
  return { at: draw.of([DATA_READ_ONLY.at, end - length, end - 4n, end - EVENT, end - FAULT, 0n, 2n ** 47n]) };
}

/** Learn what a request that succeeded did to queues, virtual IOMMUs and devices. */
export function learnEvents(
  program: Program,
  iommufd: Iommufd,
  { id, request }: RequestStep,
  given: (name: string) => bigint,
  got: (name: string) => bigint,
): void {
  const known = (number: bigint) => iommufd.objects.find((object) => object.id === number);
  const set = (number: bigint, what: Partial<Known>) => Object.assign(known(number) ?? {}, what);
  if (request === "FAULT_QUEUE_ALLOC") {
    const file = reference(id, "out_fault_fd");
    program.queues.push({ file, kind: "fault", owner: iommufd, id: got("out_fault_id"), unread: 0, unanswered: 0 });
  }
  if (request === "VEVENTQ_ALLOC") {
    const file = reference(id, "out_veventq_fd");
    program.queues.push({ file, kind: "veventq", owner: iommufd, id: got("out_veventq_id"), unread: 0, unanswered: 0 });
    set(got("out_veventq_id"), { on: given("viommu_id") });
  }
  if (request === "VIOMMU_ALLOC") set(got("out_viommu_id"), { on: given("hwpt_id"), other: known(given("hwpt_id"))?.other });
  if (request === "VDEVICE_ALLOC") {
    set(got("out_vdevice_id"), { on: given("viommu_id"), other: given("dev_id"), number: given("virt_id") });
  }
  if (request === "HWPT_ALLOC") {
    const queue = (given("flags") & FAULT_ID_VALID) !== 0n ? given("fault_id") : undefined;
    set(got("out_hwpt_id"), {
      queue,
      huge: given("data_len") !== 0n,
      on: known(given("pt_id"))?.kind === "viommu" ? given("pt_id") : undefined,
    });
  }
  if (/TestTrigger/.test(request)) {
    const table = known(known(given("dev_id"))?.attached ?? 0n);
    const events = iommufd.of(["veventq"]).find(({ on }) => on === table?.on);
    const number = request.endsWith("Vevent") ? events?.id : table?.queue;
    for (const queue of program.queues) if (queue.owner === iommufd && queue.id === number) queue.unread++;
  }
  if (/TestMockDomain(Flags)?$/.test(request)) set(got("out_idev_id"), { attached: got("out_hwpt_id") });
  if (request === "TEST_CMD/TestMockDomainReplace") set(known(given("id"))?.other ?? 0n, { attached: got("pt_id") });
}

/** Learn how many records were read or answered. */
export function learnTransfer({ queues }: Program, { call, file }: TransferStep, bytes: number): void {
  const queue = queues.find((other) => other.file === file);
  if (queue === undefined) return;
  const count = Math.ceil(bytes / Number(call === "write" ? RESPONSE : queue.kind === "fault" ? FAULT : EVENT));
  // A read of all that there is may tell that what waited is gone.
  if (call === "read") queue.unread = bytes === 0 ? 0 : Math.max(0, queue.unread - count);
  if (queue.kind === "fault") queue.unanswered = Math.max(0, queue.unanswered + (call === "read" ? count : -count));
}
