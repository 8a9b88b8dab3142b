/**
 * Requests of VFIO's containers to an iommufd, which work on the IOAS that VFIO_IOAS has set.
 *
 * @module
 */
import type { Area, Iommufd } from "./program.ts";
import type { Drawn, Kind, Scene } from "./requests.ts";
import { reference, type RequestStep } from "./sequence.ts";
import { drawIova, drawMemory, drawRange, drawUnit } from "./values.ts";

const PAGE = 4096n;
const ALL = 2n;

function areasOf({ iommufd }: Scene): readonly Area[] {
  return iommufd.areas.filter(({ ioas }) => ioas === iommufd.compatible);
}

function map(scene: Scene): Omit<Drawn, "request"> {
  const { draw } = scene;
  const unit = drawUnit(draw);
  const { va, length } = drawMemory(draw, unit);
  const flags = draw.of([3n, 3n, 3n, 1n, 2n, 0n]);
  return { fields: { flags, vaddr: va, iova: drawIova(draw, areasOf(scene), unit, length), size: length } };
}

/** What is mapped, and often a part of it, in whole pages or not. */
function unmap(scene: Scene): Omit<Drawn, "request"> {
  const { draw } = scene;
  if (draw.once(16)) return { fields: { flags: ALL } };
  const areas = areasOf(scene);
  const area = draw.any(areas);
  const unit = draw.once(4) ? drawUnit(draw) : PAGE;
  if (area === undefined || area.length <= unit || draw.once(2)) {
    const { iova, length } = drawRange(draw, areas, unit);
    return { fields: { iova, size: length } };
  }
  const units = Number(area.length / unit);
  const skipped = unit * BigInt(draw.below(units));
  const size = unit * BigInt(1 + draw.below(units));
  const iova = typeof area.value === "bigint" ? area.value + skipped : { ...area.value, plus: area.value.plus + skipped };
  return { fields: { iova, size } };
}

/** With room behind the struct for one capability, all, or a part. */
function info({ draw }: Scene): Omit<Drawn, "request"> {
  const room = draw.of([0, 8, 12, 16, 24, 32, 48, 64, 80, 128, 200]);
  return { fields: {}, ...(room > 0 ? { tail: "00".repeat(room) } : {}) };
}

/** The requests of containers. */
export const CONTAINER_KINDS: Readonly<Record<string, Kind>> = {
  GET_API_VERSION: { weight: 1, fields: () => ({ fields: {}, at: 0n }) },
  CHECK_EXTENSION: { weight: 2, fields: ({ draw }) => ({ fields: {}, at: draw.of([1n, 3n, 4n, 4n, 8n, 9n, 10n, 5n, 2n ** 32n + 1n]) }) },
  SET_IOMMU: { weight: 2, fields: ({ draw }) => ({ fields: {}, at: draw.of([1n, 1n, 1n, 3n, 8n, 2n]) }) },
  IOMMU_GET_INFO: { weight: 3, fields: info },
  IOMMU_MAP_DMA: { weight: 8, fields: map },
  IOMMU_UNMAP_DMA: { weight: 8, fields: unmap },
};

/** Learn which IOAS such requests work on, and what they did there. */
export function learnContainer(
  iommufd: Iommufd,
  { id, request, fields }: RequestStep,
  result: number,
  given: (name: string) => bigint,
): void {
  if (request === "IOMMU_UNMAP_DMA" && iommufd.compatible !== undefined) {
    const last = given("flags") === ALL ? 2n ** 64n - 1n : given("iova") + given("size") - 1n;
    if (result === 0) iommufd.unmapped(iommufd.compatible, given("iova"), last);
  }
  if (result < 0) return;
  if (request === "VFIO_IOAS" && given("op") !== 0n) iommufd.compatible = given("op") === 1n ? given("ioas_id") : undefined;
  if (request !== "IOMMU_MAP_DMA" || iommufd.compatible === undefined) return;
  const area = { ioas: iommufd.compatible, iova: given("iova"), length: given("size"), userVa: given("vaddr") };
  iommufd.areas.push({ ...area, value: fields.iova === undefined ? 0n : reference(id, "iova") });
}
