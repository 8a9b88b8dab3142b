/**
 * Draws sequences from a seed: requests that make sense, of which some are then made wrong in one or two places, by what the schema says of
 * each field. It learns from the answers, so that sequences go deep.
 *
 * @module
 */
import { minimumBytes, requestNamed } from "../../uapi/schema/layout.ts";
import { ERRNO } from "../../uapi/errno.ts";
import type { Field } from "../../uapi/schema/types.ts";
import { Draw, Live } from "../property/syscall_values.ts";
import { MARKS, PASIDS_FIRST, PIECES, PINS_AFTER_FAULTS, QUEUES } from "./excluded.ts";
import { ARGUMENTS, ARGUMENTS_READ_ONLY, DATA, DATA_READ_ONLY, LARGE, SMALL } from "./memory.ts";
import { DMABUF_GET, type Outcome, type Shape, shapeOf } from "./play.ts";
import { Iommufd, type Known, Program } from "./program.ts";
import { BY_NUMBER, type Drawn, type Kind, KINDS, type Scene, TRACKING } from "./requests.ts";
import { ACCESS_KINDS, learnAccess } from "./requests_access.ts";
import { CONTAINER_KINDS, learnContainer } from "./requests_container.ts";
import { drawTransfer, EVENT_KINDS, learnEvents, learnTransfer } from "./requests_events.ts";
import { DIRTY_KINDS, learnTracking, markable } from "./requests_dirty.ts";
import { MOCK_KINDS } from "./requests_mock.ts";
import { plus, reference, type RequestStep, type Step, type Value } from "./sequence.ts";
import { EDGES } from "./values.ts";

const PAGE = 4096n;
/** Arguments that are numbers and not addresses: a caller of the seam cannot pass larger ones. */
const PLAIN_ARGUMENTS: readonly bigint[] = EDGES.filter((edge) => edge <= BigInt(Number.MAX_SAFE_INTEGER));
/** Iommufds that are open at a time. */
const IOMMUFDS_MAX = 3;
/** Memory files that are open at a time. */
const FILES_MAX = 3;
/** Mappings of one iommufd from which on less is mapped and more unmapped. */
const AREAS_MAX = 60;
/** Objects of one iommufd from which on more is destroyed. */
const OBJECTS_MAX = 24;
const FILE_LENGTHS: readonly bigint[] = [PAGE, 16n * PAGE, 16n * PAGE, 64n * PAGE, 2n ** 22n, 5000n];
/** Numbers that are no request: between and behind those of the table, and with bits that belong to no request. */
/** HWPT_ALLOC's flag for page tables that take PASIDs. */
const PASID_FLAG = 8n;
/** The same for page tables that others may be on top of. */
const NEST_PARENT_FLAG = 1n;
const UNKNOWN: readonly string[] = ["0x3b97", "0x3b9f", "0x3ba1", "0x3bff", "0x13b85", "0x3c85", "0x40043b85"];

/** The requests that are drawn, by their names. */
export const ALL_KINDS: Readonly<Record<string, Kind>> = {
  ...KINDS,
  ...MOCK_KINDS,
  ...ACCESS_KINDS,
  ...CONTAINER_KINDS,
  ...DIRTY_KINDS,
  ...EVENT_KINDS,
};

/** As often as its weight says. */
const WEIGHTED: readonly string[] = Object.entries(ALL_KINDS).flatMap(([name, { weight }]) => new Array<string>(weight).fill(name));

/** More than a program has mapped side by side. */
const QUEUE_MAX = 2n ** 30n;
/** Bytes of the smallest page of the mock IOMMU. */
const GRANULE = 2048n;

/** What a value is on the kernel whose answers are learnt. */
export type Look = (value: Value) => bigint;

/** A sequence in the making. Equal seeds and equal answers give equal sequences. */
export class Generator {
  readonly #draw: Draw;
  readonly #program = new Program();
  #steps = 0;
  #drawn: Drawn | undefined;

  constructor(seed: number) {
    this.#draw = new Draw(seed, new Live());
  }

  /** The next call. */
  next(): Step {
    const draw = this.#draw;
    const id = this.#steps++;
    this.#drawn = undefined;
    const { iommufds, files, dmabufs, accesses, queues } = this.#program;
    if (iommufds.length === 0 || (iommufds.length < IOMMUFDS_MAX && draw.once(80))) return { id, call: "open" };
    if (files.length === 0 || (files.length < FILES_MAX && draw.once(80))) return { id, call: "memfd", length: draw.of(FILE_LENGTHS) };
    if (draw.once(150)) {
      const { file } = draw.of<{ readonly file: Value }>(
        draw.once(2) && iommufds.length > 1 ? iommufds.slice(1) : [...files, ...dmabufs, ...accesses, ...queues],
      );
      return this.#detachFirst(id, file) ?? { id, call: "close", file };
    }
    const transfer = drawTransfer(draw, id, this.#program);
    if (transfer !== undefined) return transfer;
    // The first has most, so that it has many objects and mappings.
    const iommufd = draw.once(3) ? draw.of(iommufds) : iommufds[0]!;
    if (draw.once(150)) return { id, call: "ioctl", file: iommufd.file, request: draw.of(UNKNOWN), fields: {} };
    return this.#request(id, { draw, program: this.#program, iommufd });
  }

  #request(id: number, scene: Scene): RequestStep {
    const { draw, iommufd } = scene;
    const request = this.#kind(iommufd);
    const drawn = { request, ...ALL_KINDS[request]!.fields(scene) };
    this.#drawn = drawn;
    let step: RequestStep = { id, call: "ioctl", file: iommufd.file, ...drawn };
    for (let wrong = draw.of([0, 0, 0, 0, 0, 0, 1, 1, 1, 2]); wrong > 0; wrong--) step = spoil(scene, step);
    if (step.request === PIECES) return this.#unmapFirst(step) ?? step;
    if (step.request === QUEUES) return this.#inOnePage(step);
    return step.request === "DESTROY" ? this.#detachFirst(step.id, step.file, step.fields.id) ?? step : step;
  }

  /** A queue for hardware that has one page, see `excluded.ts`. */
  #inOnePage(step: RequestStep): RequestStep {
    const iommufd = this.#program.iommufds.find((other) => other.file === step.file);
    const offset = numberIn(iommufd, step.fields.nesting_parent_iova ?? 0n) % PAGE;
    const length = numberIn(iommufd, step.fields.length ?? 0n);
    if (offset + length <= PAGE || length > QUEUE_MAX) return step;
    return { ...step, fields: { ...step.fields, length: PAGE - offset } };
  }

  /** A step in place of a copy of an area that is no whole pages, which is unmapped: see `excluded.ts`. */
  #unmapFirst({ id, file, fields }: RequestStep): RequestStep | undefined {
    const { iommufds } = this.#program;
    const iommufd = iommufds.find((other) => other.file === file);
    const given = (name: string) => numberIn(iommufd, fields[name] ?? 0n);
    const [source, target] = [given("src_ioas_id"), given("dst_ioas_id")];
    const isNumber = (given("flags") & BY_NUMBER) !== 0n;
    const iova = isNumber ? iommufd?.byNumber(source, given("src_iova")) : given("src_iova");
    const isWhole = iommufd?.objects.some(({ id, pages, other, huge }) => id === target ? pages !== undefined : other === target && huge);
    const odd = iommufd?.oddPiece(source, iova ?? 0n, given("length"), isWhole ? PAGE : GRANULE);
    if (odd === undefined) return undefined;
    const drawn = { request: "IOAS_UNMAP", fields: { ioas_id: odd.ioas, iova: odd.value, length: odd.length } };
    this.#drawn = drawn;
    return { id, call: "ioctl", file, ...drawn };
  }

  /** A step in place of one that would end a mock device, or all of an iommufd, while a PASID is attached: see `excluded.ts`. */
  #detachFirst(id: number, file: Value, object?: Value): RequestStep | undefined {
    const iommufd = this.#program.iommufds.find((other) => other.file === file);
    const number = object === undefined ? undefined : this.#program.numberOf(object);
    const attached = iommufd?.pasids.find(({ device }) => object === undefined || device.id === number);
    if (attached === undefined) return undefined;
    const drawn = { request: PASIDS_FIRST, fields: { id: attached.device.value, pasid: attached.pasid } };
    this.#drawn = drawn;
    return { id, call: "ioctl", file, ...drawn };
  }

  #kind(iommufd: Iommufd): string {
    const draw = this.#draw;
    if (iommufd.of(["ioas"]).length === 0 && !draw.once(8)) return "IOAS_ALLOC";
    if (iommufd.areas.length > AREAS_MAX && draw.once(2)) return "IOAS_UNMAP";
    if (iommufd.objects.length > OBJECTS_MAX && draw.once(3)) return "DESTROY";
    const request = draw.of(WEIGHTED);
    if (request === PINS_AFTER_FAULTS && this.#program.hasFailedPins) return "IOAS_MAP";
    const { needs } = ALL_KINDS[request]!;
    const lacks = needs !== undefined && iommufd.of([needs]).length === 0;
    return lacks && !draw.once(8) ? draw.of(["TEST_CMD/TestMockDomain", "IOAS_MAP", "IOAS_COPY"]) : request;
  }

  /** What ends a sequence: all files are closed, and then, unless pinning has failed, nothing is pinned any more. */
  *end(): Iterable<Step> {
    const { iommufds, files, dmabufs, accesses, queues } = this.#program;
    for (const { file, pasids } of iommufds) {
      for (const { device, pasid } of pasids) {
        yield { id: this.#steps++, call: "ioctl", file, request: PASIDS_FIRST, fields: { id: device.value, pasid } };
      }
    }
    for (const { file } of [...iommufds, ...files, ...dmabufs, ...accesses, ...queues]) yield { id: this.#steps++, call: "close", file };
    const id = this.#steps++;
    yield { id, call: "open" };
    if (this.#program.hasFailedPins) return;
    for (const { at, length } of [SMALL, LARGE]) {
      const fields = { uptr: at, length: BigInt(length) };
      yield { id: this.#steps++, call: "ioctl", file: reference(id, "file"), request: PINS_AFTER_FAULTS, fields };
    }
  }

  /** Learn what came of the last step. */
  learn(step: Step, outcome: Outcome, look: Look): void {
    const program = this.#program;
    if (step.call === "close") {
      program.iommufds = program.iommufds.filter(({ file }) => file !== step.file);
      program.files = program.files.filter(({ file }) => file !== step.file);
      program.dmabufs = program.dmabufs.filter(({ file }) => file !== step.file);
      program.accesses = program.accesses.filter(({ file }) => file !== step.file);
      program.queues = program.queues.filter(({ file }) => file !== step.file);
    } else if (outcome.result >= 0 && step.call === "open") program.iommufds.push(new Iommufd(reference(step.id, "file")));
    else if (outcome.result >= 0 && step.call === "memfd") program.files.push({ file: reference(step.id, "file"), length: step.length });
    else if (outcome.result >= 0 && (step.call === "read" || step.call === "write")) learnTransfer(program, step, outcome.result);
    else if (step.call === "ioctl" && this.#drawn !== undefined) learnRequest(program, step, outcome, look);
  }
}

/** What a value stands for, by what is known of an iommufd's objects and mappings. */
function numberIn(iommufd: Iommufd | undefined, value: Value): bigint {
  if (typeof value === "bigint") return value;
  const known = [...iommufd?.objects ?? [], ...iommufd?.gone ?? []].find((object) => object.value === value);
  const isSame = (other: Value) => typeof other !== "bigint" && other.step === value.step && other.field === value.field;
  const area = iommufd?.areas.find((other) => isSame(other.value));
  return known?.id ?? (area === undefined ? 0n : area.iova + value.plus);
}

/** Make one thing about a request wrong, or bring it to an edge. */
function spoil(scene: Scene, step: RequestStep): RequestStep {
  const { draw } = scene;
  const shape = shapeOf(step.request);
  if (draw.once(24) && step.request !== MARKS) return { ...step, file: drawFile(scene, scene.program.accesses) };
  if (shape.struct === undefined) return { ...step, at: draw.of(PLAIN_ARGUMENTS) };
  if (draw.once(24)) return { ...step, at: drawPlaceOfArgument(draw, shape.length) };
  const { field } = draw.of([...shape.fields.values()]);
  if (field.role.is === "size") return { ...step, ...drawSize(draw, step, shape) };
  return { ...step, fields: { ...step.fields, [field.name]: drawWrong(scene, step.request, step.fields[field.name] ?? 0n, field) } };
}

/** A struct that the kernel cannot read, or not write, wholly or in part. */
function drawPlaceOfArgument(draw: Draw, length: number): bigint {
  const end = ARGUMENTS.at + BigInt(ARGUMENTS.length);
  return draw.of([
    0n,
    end,
    end - 2n,
    end - 4n,
    end - BigInt(length),
    end - BigInt(length) + 4n,
    ARGUMENTS_READ_ONLY.at,
    ARGUMENTS_READ_ONLY.at,
    2n ** 47n,
  ]);
}

function drawFile({ draw, program }: Scene, others: readonly { readonly file: Value }[] = []): Value {
  return draw.of([...program.iommufds, ...program.files, ...program.dmabufs, ...others].map(({ file }) => file).concat([-1n, 100_000n]));
}

/** A size that is too short, or too long with or without something behind the struct. */
function drawSize(draw: Draw, step: RequestStep, shape: Shape): Pick<RequestStep, "fields" | "tail"> {
  const minimum = minimumBytes(requestNamed(step.request.split("/")[0]!)!);
  const { length } = shape;
  const tail = draw.of(["00000000", "00000001", "0000000000000000", "0000000000000080", "01"]);
  if (draw.once(3)) return { fields: step.fields, tail };
  const size = draw.of([
    0,
    3,
    4,
    minimum - 1,
    minimum,
    minimum + 1,
    length - 1,
    length - 4,
    length + 1,
    length + 64,
    4096,
    4104,
    2 ** 31,
    2 ** 32 - 1,
  ]);
  return { fields: { ...step.fields, [[...shape.fields.keys()][0]!]: BigInt(size) }, ...(draw.once(3) ? { tail } : {}) };
}

/** Flags, known or not. */
const FLAGS: readonly bigint[] = [1n, 2n, 4n, 6n, 8n, 16n, 2n ** 31n];

function drawWrong(scene: Scene, request: string, value: Value, { role, width }: Field): Value {
  const { draw, iommufd, program } = scene;
  switch (role.is) {
    case "reserved":
      return draw.of([1n, 2n ** 15n]);
    case "flags":
      return typeof value === "bigint" ? value ^ draw.of(FLAGS) : 0n;
    case "constant":
      return draw.of([0n, 24n, 255n, 2n ** 31n]);
    case "enum":
      return draw.of([0n, 1n, 2n, 3n, 4n, 255n, 65535n]);
    case "id":
      if (request === MARKS) {
        return draw.of([
          0n,
          2n ** 32n - 1n,
          ...[...iommufd.of(["ioas"]), ...markable(iommufd)].map((known) => known.value),
        ]);
      }
      return draw.of([
        ...[0n, 1n, 2n ** 31n - 1n, 2n ** 32n - 1n],
        ...[...iommufd.gone, ...iommufd.objects].map((known) => known.value),
        ...program.iommufds.flatMap((other) => other.objects.slice(0, 4)).map((known) => known.value),
      ]);
    case "fd":
      // Of access objects none is mapped as a file, see `excluded.ts`.
      return drawFile(scene, role.of === "memfd" ? [] : program.accesses);
    case "pointer":
      return draw.of([0n, DATA_READ_ONLY.at, DATA.at + BigInt(DATA.length), DATA.at + BigInt(DATA.length) - 8n, 2n ** 47n, 2n ** 64n - 8n]);
    case "count":
      return draw.of([0n, 1n, 2n, 5n, 64n, 2n ** 16n, 2n ** 32n - 1n]);
    default:
      if (width !== "u64") return draw.of([0n, 1n, 2n, 7n, 255n, 2n ** 31n, 2n ** 32n - 1n]);
      return draw.once(2) ? plus(value, draw.of([1n, -1n, 2048n, -2048n, PAGE, -PAGE])) : draw.of(EDGES);
  }
}

function learnRequest(program: Program, step: RequestStep, outcome: Outcome, look: Look): void {
  const iommufd = program.iommufds.find(({ file }) => file === step.file);
  if (iommufd === undefined) return;
  const given = (name: string) => look(step.fields[name] ?? 0n);
  if (outcome.result === -ERRNO.EFAULT && /IOAS_MAP|MAP_DMA|IOAS_COPY|HWPT_ALLOC|TestMockDomain|TestAccess/.test(step.request)) {
    program.hasFailedPins = true;
  }
  if (step.request === "IOAS_UNMAP" && (outcome.result === 0 || given("length") > 0n)) {
    const last = given("iova") + given("length") - 1n;
    iommufd.unmapped(given("ioas_id"), given("iova"), last);
  }
  // What has gone without being destroyed, as an automatic page table does.
  const isGone = outcome.result === -ERRNO.ENOENT && /^(DESTROY|TEST_CMD\/TestMdCheckMap)$/.test(step.request);
  if (isGone || (step.request === "DESTROY" && outcome.result === 0)) iommufd.forget(given("id"));
  learnContainer(iommufd, step, outcome.result, given);
  if (outcome.result < 0) return;
  const got = (name: string) => look(reference(step.id, name));
  for (const { field } of shapeOf(step.request).fields.values()) {
    if (field.role.is !== "id" || field.direction === "in" || field.role.kinds.length > 2) continue;
    const kind = field.role.kinds.at(-1)!;
    if (kind === "ioas" && field.role.makes === undefined) continue;
    const other = kind === "hwpt" ? ioasOf(iommufd, step, given) : kind === "selftest" ? got("out_idev_id") : undefined;
    const known = iommufd.objects.find((object) => object.id === got(field.name));
    const pasid = kind === "hwpt" && ((given("flags") & PASID_FLAG) !== 0n || known?.pasid === true);
    const nesting = step.request === "HWPT_ALLOC" ? nestingOf(iommufd, given) : known?.nesting;
    const tracks = step.request === "HWPT_ALLOC" ? nesting !== "nested" && (given("flags") & TRACKING) !== 0n : known?.tracks;
    const value = reference(step.id, field.name);
    iommufd.add({ ...(field.role.makes ? {} : known), kind, id: got(field.name), value, other, pasid, nesting, tracks });
  }
  learnArea(iommufd, step, given, got);
  learnAccess(program, iommufd, step, given);
  if (step.request === DMABUF_GET) {
    program.dmabufs.push({ file: reference(step.id, "file"), length: (given("length") + PAGE - 1n) / PAGE * PAGE });
  }
  learnPasid(iommufd, step.request, given);
  learnTracking(iommufd, step.request, given);
  learnEvents(program, iommufd, step, given, got);
}

/** What part a new page table has in nested translation. */
function nestingOf(iommufd: Iommufd, given: (name: string) => bigint): Known["nesting"] {
  const below = iommufd.objects.find(({ id }) => id === given("pt_id"));
  if (below?.kind === "hwpt" || below?.kind === "viommu") return "nested";
  return (given("flags") & NEST_PARENT_FLAG) !== 0n ? "parent" : undefined;
}

/** PASID 0 is the device itself, which goes with it. */
function learnPasid(iommufd: Iommufd, request: string, given: (name: string) => bigint): void {
  if (!/TestPasid(At|De)tach$/.test(request)) return;
  const pasid = given("pasid");
  const device = iommufd.objects.find(({ kind, id }) => kind === "selftest" && id === given("id"));
  iommufd.pasids = iommufd.pasids.filter((attached) => attached.device !== device || attached.pasid !== pasid);
  if (request.endsWith("Attach") && device !== undefined && pasid !== 0n) iommufd.pasids.push({ device, pasid });
}

/** The IOAS of the page table that a request answers: the one that it was given, or that of the table that it was given. */
function ioasOf(iommufd: Iommufd, step: RequestStep, given: (name: string) => bigint): bigint | undefined {
  const id = given(step.fields.pt_id === undefined ? "id" : "pt_id");
  const known = iommufd.objects.find((object) => object.id === id);
  return known?.kind === "ioas" ? id : known?.other;
}

function learnArea(
  iommufd: Iommufd,
  { id, request, fields }: RequestStep,
  given: (name: string) => bigint,
  got: (name: string) => bigint,
): void {
  const copied = request === "IOAS_COPY";
  if (!copied && !/^IOAS_MAP/.test(request)) return;
  const [ioas, iova] = copied ? ["dst_ioas_id", "dst_iova"] : ["ioas_id", "iova"];
  const source = copied
    ? iommufd.areas.find((area) =>
      area.ioas === given("src_ioas_id") && area.iova <= given("src_iova") && given("src_iova") < area.iova + area.length
    )
    : undefined;
  const userVa = copied
    ? source?.userVa === undefined ? undefined : source.userVa + given("src_iova") - source.iova
    : fields.user_va === undefined
    ? undefined
    : given("user_va");
  iommufd.areas.push({ ioas: given(ioas!), iova: got(iova!), value: reference(id, iova!), length: given("length"), userVa });
}
