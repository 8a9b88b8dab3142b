/**
 * Requests drawn at random from the schema: every field by what it means, mostly sensible, sometimes anything.
 *
 * @module
 */
import { FAMILIES, minimumBytes, placed, readField, structBytes, structOf } from "../../uapi/schema/layout.ts";
import type { Field, Names, ObjectKind, Request, Struct } from "../../uapi/schema/types.ts";
import { type Area, type Draw, type Live, PAGE, SECRET } from "./syscall_values.ts";

/** How often a request is drawn, where that is not once: those that change most come most. */
const WEIGHTS: Readonly<Record<string, number>> = {
  DEVICE_BIND_IOMMUFD: 10,
  DEVICE_ATTACH_IOMMUFD_PT: 12,
  DEVICE_DETACH_IOMMUFD_PT: 3,
  DEVICE_SET_IRQS: 12,
  IOAS_ALLOC: 5,
  IOAS_MAP: 16,
  IOAS_MAP_FILE: 6,
  IOAS_COPY: 6,
  IOAS_UNMAP: 8,
  IOAS_ALLOW_IOVAS: 2,
  IOAS_IOVA_RANGES: 2,
  HWPT_ALLOC: 5,
  OPTION: 3,
  DESTROY: 3,
};

const REQUESTS: readonly Request[] = FAMILIES.flatMap(({ requests }) => requests).flatMap((request) =>
  new Array<Request>(WEIGHTS[request.name] ?? 1).fill(request)
);

/** A request with its argument. */
export interface Drawn {
  /** The file. */
  readonly fd: number;
  /** Which; undefined: a number that no file knows. */
  readonly request: Request | undefined;
  /** The number. */
  readonly number: number;
  /** The bytes of the argument. */
  readonly bytes: Uint8Array;
}

/** What the fields of one request have in common. */
interface Scene {
  readonly draw: Draw;
  readonly request: Request;
  /** The iommufd whose objects are meant. */
  readonly iommufd: number;
  /** The size that the struct says it has. */
  readonly size: number;
  /** What is meant where something is unmapped or copied. */
  readonly area: Area | undefined;
  /** Where pointers lead. */
  readonly data: bigint;
}

/** Draw a request and the file for it, of this name if one is given. `data` is where pointers lead. */
export function drawRequest(draw: Draw, live: Live, data: bigint, name?: string): Drawn {
  if (name === undefined && draw.once(24)) {
    const number = draw.of([0, 0x3b00 + draw.below(256), 0x3b80 + draw.below(64), 2 ** 32 - 1, 2 ** 32 + 0x3b81, -1, 0.5, NaN]);
    return { fd: draw.fd(), request: undefined, number, bytes: new Uint8Array(64) };
  }
  const request = draw.of(name === undefined ? REQUESTS : REQUESTS.filter((one) => one.name === name));
  const fd = drawFile(draw, live, request);
  const struct = structOf(request);
  if (struct === undefined) return { fd, request, number: request.number, bytes: new Uint8Array(8) };
  const length = structBytes(struct);
  const odd = [0, 3, minimumBytes(request) - 1, minimumBytes(request), length + 8, PAGE + 8, 2 ** 32 - 1];
  const scene: Scene = {
    draw,
    request,
    iommufd: live.bound.get(fd) ?? fd,
    size: draw.once(12) ? draw.of(odd) : length,
    area: draw.once(5) ? undefined : draw.area(),
    data,
  };
  const bytes = new Uint8Array(length + 64);
  const view = new DataView(bytes.buffer);
  for (const { field, at } of placed(struct)) {
    for (let index = 0; index < (field.array ?? 1); index++) write(view, at + index * width(field), width(field), drawField(scene, field));
  }
  if (request.name === "DEVICE_SET_IRQS") drawIrqs(draw, view, struct);
  if (request.name === "IOAS_MAP") avoidSecret(view, struct);
  return { fd, request, number: request.number, bytes };
}

/** Binding wants a device_fd that is not bound, and all else one that is. */
function drawFile(draw: Draw, live: Live, { name, on }: Request): number {
  if (on === "iommufd") return draw.fd(on);
  return name === "DEVICE_BIND_IOMMUFD" ? draw.fd(on, (fd) => !live.bound.has(fd)) : draw.boundFd();
}

function width(field: Field): number {
  return { u8: 1, u16: 2, u32: 4, s32: 4, u64: 8 }[field.width];
}

function write(view: DataView, at: number, bytes: number, value: bigint): void {
  for (let byte = 0; byte < bytes; byte++) view.setUint8(at + byte, Number(value >> BigInt(8 * byte) & 0xffn));
}

function drawField(scene: Scene, field: Field): bigint {
  const { draw, request, iommufd, area } = scene;
  const { role } = field;
  switch (role.is) {
    case "size":
      return BigInt(scene.size);
    case "reserved":
      return draw.once(40) ? 1n : 0n;
    case "flags":
      return drawFlags(draw, request, role.names);
    case "enum":
      return BigInt(draw.once(8) ? draw.u32() : draw.of(Object.values(role.names.values)));
    case "id":
      return BigInt(draw.id(iommufd, role.kinds));
    case "fd":
      return BigInt(Math.trunc(finite(draw.fd(role.of))));
    case "pointer":
      return draw.once(8) ? draw.address() : field.name === "token_uuid_ptr" ? 0n : scene.data;
    case "userAddress":
      return draw.memory(4096n);
    case "iova":
      return area !== undefined && /UNMAP|COPY/.test(request.name) && field.name !== "dst_iova" ? area.iova : draw.iova();
    case "length":
      if (field.width !== "u64") return BigInt(draw.once(6) ? draw.u32() : 0);
      return area !== undefined && /UNMAP|COPY/.test(request.name) ? area.length : draw.u64Length();
    case "offset":
      return BigInt(draw.below(4) * PAGE);
    default:
      return BigInt(draw.once(3) ? draw.u32() : draw.once(4) ? 1 : 0);
  }
}

function finite(value: number): number {
  return Number.isFinite(value) ? value : -1;
}

/** Mostly the flags with which requests succeed, or any of those that have a name. */
function drawFlags(draw: Draw, { name }: Request, names: Names | null): bigint {
  if (draw.once(40)) return BigInt(draw.u32());
  if (/^IOAS_(MAP|MAP_FILE|COPY)$/.test(name)) return BigInt(draw.of([2, 4, 6, 6, 6, 3, 5, 7, 7, 7, 7, 7, 0, 1]));
  if (names === null || !draw.once(8)) return 0n;
  return BigInt(draw.of(Object.values(names.values)));
}

/** One action of SET_IRQS, one kind of data, and as many eventfds behind the struct as it says. */
function drawIrqs(draw: Draw, view: DataView, struct: Struct): void {
  const put = (name: string, value: number) => {
    if (!draw.once(16)) view.setUint32(placed(struct).find(({ field }) => field.name === name)!.at, value, true);
  };
  const start = structBytes(struct);
  const index = draw.of([0, 0, 1, 2, 2, 3, 4]);
  const count = index === 1 || index === 2 ? draw.below(5) : draw.once(6) ? 0 : 1;
  put("flags", draw.of(index === 0 ? [0x24, 0x24, 0x24, 0x21, 0x09, 0x0a, 0x11, 0x12, 0x14] : [0x24, 0x24, 0x24, 0x21, 0x22]));
  put("index", index);
  put("start", draw.once(4) ? draw.below(4) : 0);
  put("count", count);
  put("argsz", start + 4 * count);
  for (let at = 0; at < count; at++) view.setInt32(start + 4 * at, draw.once(6) ? -1 : finite(draw.fd("eventfd")), true);
}

/** The secret memory stays unmapped for devices, or nothing could be said about who reads it. */
function avoidSecret(view: DataView, struct: Struct): void {
  const { at } = placed(struct).find(({ field }) => field.role.is === "userAddress")!;
  const address = view.getBigUint64(at, true);
  if (SECRET.start <= address && address < SECRET.end) view.setBigUint64(at, SECRET.end, true);
}

/** Remember what a request that succeeded made or destroyed. */
export function learn(live: Live, { fd, request, bytes: asked }: Drawn, answer: DataView): void {
  const struct = request && structOf(request);
  if (struct === undefined || answer.byteLength < structBytes(struct)) return;
  const before = new DataView(asked.buffer);
  const read = (name: string, view = answer) => readField(struct, view, name);
  if (request!.name === "DEVICE_BIND_IOMMUFD") live.bound.set(fd, Number(read("iommufd", before)));
  const iommufd = live.bound.get(fd) ?? fd;
  for (const { field } of placed(struct)) {
    if (field.role.is === "fd" && field.role.makes) live.files.set(Number(read(field.name)), field.role.of);
    if (field.role.is === "id" && field.direction !== "in") know(live, iommufd, field.role.kinds.at(-1)!, Number(read(field.name)));
  }
  if (/^IOAS_MAP/.test(request!.name)) live.areas.push({ iova: read("iova"), length: read("length", before) });
  if (live.areas.length > 16) live.areas.splice(0, 6);
  if (request!.name === "DESTROY") forget(live, fd, Number(read("id", before)));
}

/** An id that was used before and is given out again is of its new kind. */
function know(live: Live, iommufd: number, kind: ObjectKind, id: number): void {
  forget(live, iommufd, id);
  const ids = live.ids.get(iommufd) ?? new Map<ObjectKind, number[]>();
  live.ids.set(iommufd, ids);
  ids.set(kind, [...ids.get(kind) ?? [], id]);
}

function forget(live: Live, iommufd: number, id: number): void {
  for (const [kind, known] of live.ids.get(iommufd) ?? []) live.ids.get(iommufd)!.set(kind, known.filter((other) => other !== id));
}
