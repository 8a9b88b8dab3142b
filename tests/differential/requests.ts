/**
 * Requests that make sense for what a program has: the fields of each, before anything about them is made wrong.
 *
 * @module
 */
import type { Draw } from "../property/syscall_values.ts";
import type { ObjectKind } from "../../uapi/schema/types.ts";
import { DATA } from "./memory.ts";
import type { Area, Iommufd, Program } from "./program.ts";
import type { Value } from "./sequence.ts";
import { drawIova, drawLength, drawMemory, drawRange, drawUnit, EDGES } from "./values.ts";

/** The fields of a request and what its pointers lead to. */
export interface Drawn {
  /** The request's name. */
  readonly request: string;
  /** Fields by Linux's names. */
  readonly fields: Readonly<Record<string, Value>>;
  /** Words behind pointers. */
  readonly data?: readonly Value[];
  /** The argument, of a request without a struct. */
  readonly at?: bigint;
  /** Bytes behind the struct, hexadecimal. */
  readonly tail?: string;
}

/** What the fields of a request are drawn from. */
export interface Scene {
  /** The source of chance. */
  readonly draw: Draw;
  /** All that the program has. */
  readonly program: Program;
  /** The iommufd that is asked. */
  readonly iommufd: Iommufd;
}

/** A kind of request: its fields, and how often it comes. */
export interface Kind {
  /** How often it is drawn, in relation to others. */
  readonly weight: number;
  /** What the program should have for it: without, it is drawn seldom. */
  readonly needs?: ObjectKind;
  /** Its fields, or another request, which must come first. */
  readonly fields: (scene: Scene) => Omit<Drawn, "request"> & { readonly request?: string };
}

const PAGE = 4096n;
const [FIXED, WRITEABLE, READABLE] = [1n, 2n, 4n];
/** With it, COPY of a kernel built for tests takes the number of a mapping and an offset in it for the source's address. */
export const BY_NUMBER = 0x1_0000n;
/** The mock IOMMU's type of data for a page table. */
export const MOCK_DATA = 0xdeadn;
/** The same for what is invalidated. */
const MOCK_INVALIDATION = 0xdead_beefn;
/** HWPT_ALLOC's flag for dirty tracking. */
export const TRACKING = 2n;
/** What a cache of the mock IOMMU begins with. */
export const CACHED = 0x5an;

/** An id of one of these kinds; where there is none, one that no object has. */
export function drawId({ draw, iommufd }: Scene, kinds: readonly ObjectKind[]): Value {
  return draw.any(iommufd.of(kinds))?.value ?? 0n;
}

/** An IOAS with its mappings. Most go to the oldest, so that it has many. */
export function drawIoas({ draw, iommufd }: Scene): { readonly id: Value; readonly areas: readonly Area[] } {
  const known = iommufd.of(["ioas"]);
  const ioas = draw.once(2) ? known[0] : draw.any(known);
  if (ioas === undefined) return { id: 0n, areas: [] };
  return { id: ioas.value, areas: iommufd.areas.filter((area) => area.ioas === ioas.id) };
}

function drawAccess(draw: Draw): bigint {
  return draw.of([WRITEABLE | READABLE, WRITEABLE | READABLE, WRITEABLE | READABLE, READABLE, WRITEABLE]);
}

/** Flags and address of a mapping: where the kernel likes, or where the program does. */
function drawPlace(draw: Draw, areas: readonly Area[], unit: bigint, length: bigint): { readonly flags: bigint; readonly iova: Value } {
  const access = drawAccess(draw);
  if (draw.once(3)) return { flags: access, iova: draw.once(2) ? 0n : drawIova(draw, areas, unit, length) };
  return { flags: access | FIXED, iova: drawIova(draw, areas, unit, length) };
}

function map(scene: Scene): Omit<Drawn, "request"> {
  const { draw } = scene;
  const { id, areas } = drawIoas(scene);
  const unit = drawUnit(draw);
  const { va, length } = drawMemory(draw, unit);
  return { fields: { ioas_id: id, user_va: va, length, ...drawPlace(draw, areas, unit, length) } };
}

function mapFile(scene: Scene): Omit<Drawn, "request"> {
  const { draw, program } = scene;
  const { id, areas } = drawIoas(scene);
  const unit = drawUnit(draw);
  const length = drawLength(draw, unit);
  const file = draw.any(draw.once(3) ? program.dmabufs : program.files);
  const room = (file?.length ?? 0n) - length;
  const start = room > 0n && !draw.once(8) ? unit * BigInt(draw.below(Number(room / unit) + 1)) : draw.of([0n, unit, file?.length ?? 0n]);
  return { fields: { ioas_id: id, fd: file?.file ?? -1n, start, length, ...drawPlace(draw, areas, unit, length) } };
}

function unmap(scene: Scene): Omit<Drawn, "request"> {
  const { draw } = scene;
  const { id, areas } = drawIoas(scene);
  if (draw.once(40)) return { fields: { ioas_id: id, iova: 0n, length: 2n ** 64n - 1n } };
  return { fields: { ioas_id: id, ...drawRange(draw, areas, drawUnit(draw)) } };
}

function copy(scene: Scene): Omit<Drawn, "request"> {
  const { draw } = scene;
  const from = drawIoas(scene);
  const to = drawIoas(scene);
  const unit = drawUnit(draw);
  const { iova, length } = drawRange(draw, from.areas, unit);
  const place = drawPlace(draw, to.areas, unit, length);
  const ids = { src_ioas_id: from.id, dst_ioas_id: to.id };
  if (draw.once(16)) {
    const number = BigInt(draw.below(from.areas.length + 2)) | (draw.once(2) ? 0n : unit << 32n);
    return { fields: { flags: place.flags | BY_NUMBER, ...ids, src_iova: number, dst_iova: place.iova, length } };
  }
  return { fields: { flags: place.flags, ...ids, src_iova: iova, dst_iova: place.iova, length } };
}

function iovaRanges(scene: Scene): Omit<Drawn, "request"> {
  const { draw } = scene;
  const room = BigInt(draw.of([0, 1, 2, 3, 8, 8, 32, 32]));
  return { fields: { ioas_id: drawIoas(scene).id, num_iovas: room, allowed_iovas: DATA.at } };
}

function allowIovas(scene: Scene): Omit<Drawn, "request"> {
  const { draw } = scene;
  const { id, areas } = drawIoas(scene);
  const count = draw.once(3) ? 0 : 1 + draw.below(4);
  const words: Value[] = [];
  for (let range = 0; range < count; range++) {
    const unit = draw.of([PAGE, 16n * PAGE, 1024n * PAGE]);
    const start = drawIova(draw, areas, unit, unit);
    const length = unit * BigInt(1 + draw.below(32));
    words.push(
      start,
      draw.once(12) ? draw.of(EDGES) : typeof start === "bigint" ? start + length - 1n : { ...start, plus: start.plus + length - 1n },
    );
  }
  return { fields: { ioas_id: id, num_iovas: BigInt(count), allowed_iovas: DATA.at }, data: words };
}

function option(scene: Scene): Omit<Drawn, "request"> {
  const { draw } = scene;
  const op = BigInt(draw.below(2));
  const val64 = BigInt(draw.of([0, 0, 0, 1, 1, 2]));
  if (draw.once(4)) return { fields: { option_id: 0n, op, val64 } };
  const other = draw.once(2) ? draw.any(scene.iommufd.of(["ioas"]).slice(1))?.value : undefined;
  return { fields: { option_id: 1n, op, object_id: other ?? drawIoas(scene).id, val64 } };
}

function vfioIoas(scene: Scene): Omit<Drawn, "request"> {
  return { fields: { ioas_id: drawIoas(scene).id, op: BigInt(scene.draw.below(3)) } };
}

/** Now and then anything, mostly what holds little. */
function destroy(scene: Scene): Omit<Drawn, "request"> {
  const { draw, iommufd } = scene;
  const empty = iommufd.objects.filter(({ id, kind }) => kind !== "ioas" || !iommufd.areas.some(({ ioas }) => ioas === id));
  return { fields: { id: draw.any(draw.once(12) ? iommufd.objects : empty)?.value ?? 0n } };
}

/** Mostly without data; else a page table of the mock IOMMU's usual kind, the kind for huge pages, or one that it lacks. */
function hwptAlloc(scene: Scene): Omit<Drawn, "request"> {
  const { draw } = scene;
  const ids = { dev_id: drawId(scene, ["device"]), pt_id: draw.once(10) ? drawId(scene, ["hwpt"]) : drawIoas(scene).id };
  const flags = (draw.once(3) ? 8n : 0n) | (draw.once(4) ? 1n : 0n);
  if (draw.once(3)) {
    const small = draw.any(scene.iommufd.of(["ioas"]).filter(({ pages }) => pages === "small"));
    return { fields: { ...ids, ...(small === undefined ? {} : { pt_id: small.value }), flags: flags | TRACKING } };
  }
  if (draw.once(3)) return nestedAlloc(scene);
  if (!draw.once(3)) return { fields: { ...ids, flags } };
  const kind = BigInt(draw.of([0, 1, 1, 1, 2]));
  const length = BigInt(draw.of([8, 8, 8, 8, 4, 7, 3, 12]));
  return { fields: { ...ids, flags, data_type: MOCK_DATA, data_len: length, data_uptr: DATA.at }, data: [0x5an | kind << 32n] };
}

/** On top of a page table, mostly one that was made for that; the data fills the cache that the mock IOMMU has instead of tables. */
function nestedAlloc(scene: Scene): Omit<Drawn, "request"> {
  const { draw, iommufd } = scene;
  const parent = draw.any(iommufd.of(["hwpt"]).filter(({ nesting }) => nesting === "parent" || draw.once(20)));
  const ids = { dev_id: drawId(scene, ["device"]), pt_id: parent?.value ?? drawId(scene, ["hwpt"]) };
  const length = BigInt(draw.of([4, 8, 8, 8, 5, 3, 12]));
  const flags = draw.once(3) ? 8n : 0n;
  return { fields: { ...ids, flags, data_type: MOCK_DATA, data_len: length, data_uptr: DATA.at }, data: [CACHED] };
}

function hwInfo(scene: Scene): Omit<Drawn, "request"> {
  const length = BigInt(scene.draw.of([0, 4, 7, 8, 8, 12, 64]));
  return { fields: { dev_id: drawId(scene, ["device"]), data_len: length, data_uptr: length === 0n ? 0n : DATA.at } };
}

/** A nested page table; where there is none, any. */
export function drawNested(scene: Scene): Value {
  const { draw, iommufd } = scene;
  return draw.any(iommufd.of(["hwpt"]).filter(({ nesting }) => nesting === "nested"))?.value ?? drawId(scene, ["hwpt"]);
}

/** Entries of the mock IOMMU: flags, and which of its four. */
function invalidate(scene: Scene): Omit<Drawn, "request"> {
  const { draw } = scene;
  if (scene.iommufd.of(["viommu"]).length > 0 && draw.once(2)) return invalidateDevices(scene);
  const entries = Array.from(
    { length: draw.below(4) },
    () => BigInt(draw.of([0, 0, 0, 0, 1, 2])) | BigInt(draw.of([0, 1, 2, 3, 3, 4])) << 32n,
  );
  const fields = {
    hwpt_id: drawNested(scene),
    data_type: draw.once(10) ? 0n : MOCK_INVALIDATION,
    data_uptr: DATA.at,
    entry_len: draw.of([8n, 8n, 8n, 8n, 8n, 4n, 16n]),
    entry_num: BigInt(entries.length),
  };
  return { fields, data: entries };
}

/** Entries of a virtual IOMMU: flags, which device, and which of its cache's four. */
function invalidateDevices(scene: Scene): Omit<Drawn, "request"> {
  const { draw, iommufd } = scene;
  const entry_len = draw.of([12n, 12n, 12n, 12n, 8n, 16n, 4n]);
  const count = draw.below(4);
  const known = iommufd.of(["vdevice"]).map(({ number }) => number ?? 0n);
  const numbers: bigint[] = [];
  for (let entry = 0; entry < count; entry++) {
    const device = draw.once(4) ? draw.of([1n, 2n, 3n]) : draw.any(known) ?? 1n;
    numbers.push(BigInt(draw.of([0, 0, 0, 0, 1, 2])), device & 0xffff_ffffn, BigInt(draw.of([0, 1, 2, 3, 3, 4])));
    for (let more = 12n; more < entry_len; more += 4n) numbers.push(draw.once(12) ? 1n : 0n);
  }
  const fields = { hwpt_id: drawId(scene, ["viommu"]), data_type: draw.once(10) ? 0n : MOCK_INVALIDATION, data_uptr: DATA.at };
  return { fields: { ...fields, entry_len, entry_num: BigInt(count) }, data: pairs(numbers) };
}

/** Numbers of 32 bits as words of 64. */
function pairs(numbers: readonly bigint[]): bigint[] {
  const words: bigint[] = [];
  for (let at = 0; at < numbers.length; at += 2) words.push(numbers[at]! | (numbers[at + 1] ?? 0n) << 32n);
  return words;
}

function physicalAddress(scene: Scene): Omit<Drawn, "request"> {
  const { id, areas } = drawIoas(scene);
  return { fields: { ioas_id: id, ...drawRange(scene.draw, areas, PAGE) } };
}

/** The requests of every iommufd. */
export const KINDS: Readonly<Record<string, Kind>> = {
  IOAS_ALLOC: { weight: 5, fields: () => ({ fields: {} }) },
  IOAS_MAP: { weight: 40, fields: map },
  IOAS_MAP_FILE: { weight: 10, fields: mapFile },
  IOAS_UNMAP: { weight: 20, fields: unmap },
  IOAS_COPY: { weight: 18, fields: copy },
  IOAS_IOVA_RANGES: { weight: 6, fields: iovaRanges },
  IOAS_ALLOW_IOVAS: { weight: 5, fields: allowIovas },
  IOAS_CHANGE_PROCESS: { weight: 1, fields: () => ({ fields: {} }) },
  OPTION: { weight: 6, fields: option },
  VFIO_IOAS: { weight: 3, fields: vfioIoas },
  DESTROY: { weight: 6, fields: destroy },
  HWPT_ALLOC: { weight: 10, needs: "device", fields: hwptAlloc },
  GET_HW_INFO: { weight: 3, needs: "device", fields: hwInfo },
  HWPT_INVALIDATE: { weight: 4, needs: "hwpt", fields: invalidate },
  IOAS_NOIOMMU_GET_PA: { weight: 1, fields: physicalAddress },
};
