/**
 * Requests of dirty tracking that make sense for what a program has: marks that a test request leaves, and bitmaps that tell of them.
 *
 * @module
 */
import type { Draw } from "../property/syscall_values.ts";
import { DATA, SMALL } from "./memory.ts";
import type { Iommufd, Known } from "./program.ts";
import { drawId, type Drawn, type Kind, type Scene, TRACKING } from "./requests.ts";
import { drawRange } from "./values.ts";

const PAGE = 4096n;
/** GET_DIRTY_BITMAP's flag for marks that stay. */
const NO_CLEAR = 1n;
/** OPTION's number of large pages. */
const HUGE_PAGES = 1n;

/** Page tables that track. */
function tracking(iommufd: Iommufd): Known[] {
  return iommufd.of(["hwpt"]).filter(({ tracks }) => tracks);
}

/** Page tables that may be marked: those of IOASes without large pages, see `excluded.ts`. */
export function markable(iommufd: Iommufd): Known[] {
  const small = iommufd.of(["ioas"]).filter(({ pages }) => pages === "small").map(({ id }) => id);
  return tracking(iommufd).filter(({ other }) => other !== undefined && small.includes(other));
}

function drawTracking(scene: Scene): Known | undefined {
  const { draw, iommufd } = scene;
  return draw.any(draw.once(6) ? tracking(iommufd) : markable(iommufd)) ?? draw.any(tracking(iommufd));
}

function setTracking(scene: Scene): Omit<Drawn, "request"> {
  const { draw } = scene;
  const id = draw.once(8) ? drawId(scene, ["hwpt"]) : drawTracking(scene)?.value ?? drawId(scene, ["hwpt"]);
  return { fields: { hwpt_id: id, flags: draw.once(5) ? 0n : 1n } };
}

/**
 * What a program still needs before there is something to mark: an IOAS without large pages, a device, a page table, a mapping, and that it tracks.
 * Undefined where it has all that.
 */
function preparation({ draw, iommufd }: Scene): Drawn | undefined {
  const table = draw.any(markable(iommufd));
  if (table === undefined) return firstTable(draw, iommufd);
  if (!table.isOn) return { request: "HWPT_SET_DIRTY_TRACKING", fields: { hwpt_id: table.value, flags: 1n } };
  const ioas = iommufd.of(["ioas"]).find(({ id }) => id === table.other);
  if (ioas === undefined || iommufd.areas.some((area) => area.ioas === ioas.id)) return undefined;
  const length = PAGE * BigInt(1 + draw.below(16));
  return { request: "IOAS_MAP", fields: { ioas_id: ioas.value, flags: 6n, user_va: SMALL.at, length } };
}

/** What leads to a first page table that can be marked. An IOAS must have no mappings yet, which might be where the IOMMU translates none. */
function firstTable(draw: Draw, iommufd: Iommufd): Drawn {
  const [tables, areas] = [iommufd.of(["hwpt"]), iommufd.areas];
  const empty = iommufd.of(["ioas"]).filter(({ id }) =>
    ![...tables.map(({ other }) => other), ...areas.map(({ ioas }) => ioas)].includes(id)
  );
  const small = draw.any(empty.filter(({ pages }) => pages === "small"));
  const device = draw.any(iommufd.of(["device"]));
  if (small !== undefined && device !== undefined) {
    return { request: "HWPT_ALLOC", fields: { dev_id: device.value, pt_id: small.value, flags: TRACKING } };
  }
  const usual = draw.any(empty.filter(({ pages }) => pages === undefined));
  if (usual === undefined) return { request: "IOAS_ALLOC", fields: {} };
  if (device === undefined) return { request: "TEST_CMD/TestMockDomain", fields: { id: usual.value } };
  return { request: "OPTION", fields: { option_id: HUGE_PAGES, op: 0n, object_id: usual.value, val64: 0n } };
}

/** A range of mappings of the page table's IOAS, mostly; now and then one that is no whole pages of the bitmap. */
function bitmap(scene: Scene): Omit<Drawn, "request"> & { readonly request?: string } {
  const { draw, iommufd } = scene;
  const first = draw.once(3) ? undefined : preparation(scene);
  if (first !== undefined) return first;
  const table = draw.once(8) ? draw.any(iommufd.of(["hwpt"])) : drawTracking(scene);
  const areas = iommufd.areas.filter(({ ioas }) => ioas === table?.other);
  const { iova, length } = drawRange(draw, areas.length > 0 ? areas : iommufd.areas, draw.once(8) ? 2048n : PAGE);
  const page_size = draw.of([PAGE, PAGE, PAGE, PAGE, 2048n, 2048n, 1024n, 64n, 1n, 3n * PAGE, 8192n, 16384n, 65536n, 2n ** 21n, 0n]);
  const data = draw.once(6) ? DATA.at + draw.of([1n, 7n, 512n, 1020n]) : DATA.at;
  return { fields: { hwpt_id: table?.value ?? 0n, flags: draw.once(3) ? NO_CLEAR : 0n, iova, length, page_size, data } };
}

/** Any bits, for pieces of a mapping. */
function mark(scene: Scene): Omit<Drawn, "request"> & { readonly request?: string } {
  const { draw, iommufd } = scene;
  const first = draw.once(8) ? undefined : preparation(scene);
  if (first !== undefined) return first;
  const table = draw.any(markable(iommufd));
  const areas = iommufd.areas.filter(({ ioas }) => ioas === table?.other);
  const { iova, length } = drawRange(draw, areas, PAGE);
  const words = Array.from({ length: 4 }, () => BigInt(draw.below(2 ** 32)) << 32n | BigInt(draw.below(2 ** 32)));
  const page_size = draw.of([PAGE, PAGE, PAGE, 2048n, 2048n, 1024n, 0n]);
  // Without such a table none is asked for: 0 is no object.
  return { fields: { id: table?.value ?? 0n, iova, length, page_size, uptr: DATA.at }, data: words };
}

/** The requests of dirty tracking. */
export const DIRTY_KINDS: Readonly<Record<string, Kind>> = {
  HWPT_SET_DIRTY_TRACKING: { weight: 2, needs: "hwpt", fields: setTracking },
  HWPT_GET_DIRTY_BITMAP: { weight: 14, fields: bitmap },
  "TEST_CMD/TestDirty": { weight: 12, fields: mark },
};

/** Learn where tracking is on, and from OPTION which IOASes have no large pages. One that had them once more has pages of both kinds. */
export function learnTracking(iommufd: Iommufd, request: string, given: (name: string) => bigint): void {
  if (request === "HWPT_SET_DIRTY_TRACKING") {
    for (const table of tracking(iommufd)) if (table.id === given("hwpt_id")) table.isOn = given("flags") !== 0n;
  }
  if (request !== "OPTION" || given("option_id") !== HUGE_PAGES || given("op") !== 0n) return;
  const ioas = iommufd.of(["ioas"]).find(({ id }) => id === given("object_id"));
  if (ioas === undefined) return;
  if (given("val64") !== 0n) ioas.pages = ioas.pages === undefined ? undefined : "mixed";
  else ioas.pages ??= "small";
}
