/**
 * Test requests of access objects that make sense for what a program has.
 *
 * @module
 */
import { DATA, SMALL } from "./memory.ts";
import type { AccessObject, Area, Iommufd, Program } from "./program.ts";
import { drawIoas, type Drawn, type Kind, type Scene } from "./requests.ts";
import { reference, type RequestStep, type Value } from "./sequence.ts";
import { drawRange, drawUnit } from "./values.ts";

const PAGE = 4096n;
const [WRITE, SLOW, BY_NUMBER] = [1n, 4n, 0x1_0000n];
/** Most bytes that Linux copies at once. */
const COPY_MAX = 2n ** 24n;
/** Numbers of pinned ranges that are remembered. */
const PINS_MAX = 16;

/** An access, mostly of the iommufd that is asked, with the mappings that it reaches. */
function drawAccess({ draw, program, iommufd }: Scene): { readonly access: AccessObject | undefined; readonly areas: readonly Area[] } {
  const own = program.accesses.filter(({ owner }) => owner === iommufd);
  const access = draw.any(own.length > 0 && !draw.once(8) ? own : program.accesses);
  return { access, areas: access?.owner.areas.filter(({ ioas }) => ioas === access.ioas) ?? [] };
}

/** An address, now and then the number of a mapping with an offset in it. */
function drawPlace({ draw }: Scene, areas: readonly Area[], flags: bigint, iova: Value): { readonly flags: bigint; readonly iova: Value } {
  if (!draw.once(12)) return { flags, iova };
  const offset = draw.once(2) ? 0n : draw.of([1n, 2048n, PAGE]);
  return { flags: flags | BY_NUMBER, iova: BigInt(draw.below(areas.length + 2)) | offset << 32n };
}

function pages(scene: Scene): Omit<Drawn, "request"> {
  const { draw } = scene;
  const { access, areas } = drawAccess(scene);
  const { iova, length } = drawRange(draw, areas, draw.once(4) ? drawUnit(draw) : PAGE);
  const area = areas.find(({ value }) => value === iova);
  const uptr = draw.once(3) ? 0n : (area?.userVa ?? SMALL.at) + (draw.once(12) ? draw.of([PAGE, 1n]) : 0n);
  const place = drawPlace(scene, areas, draw.once(2) ? WRITE : 0n, iova);
  return { fields: { id: access?.file ?? -1n, ...place, length: draw.once(24) ? 2n ** 24n + 1n : length, uptr } };
}

/** Mostly a few bytes, as they have room where pointers lead. */
function copy(scene: Scene): Omit<Drawn, "request"> {
  const { draw } = scene;
  const { access, areas } = drawAccess(scene);
  const range = drawRange(draw, areas, draw.of([1n, PAGE, 2048n]));
  const few = BigInt(draw.of([1, 7, 8, 100, 512, DATA.length]));
  const length = draw.once(4) ? range.length : draw.once(48) ? draw.of([COPY_MAX, COPY_MAX - PAGE, COPY_MAX + 1n]) : few;
  const near = draw.once(3) ? draw.of([range.length - 8n, range.length - 1n, 4000n, 1n]) : 0n;
  const iova = typeof range.iova === "bigint" ? BigInt.asUintN(64, range.iova + near) : { ...range.iova, plus: range.iova.plus + near };
  const flags = (draw.once(2) ? WRITE : 0n) | (draw.once(3) ? SLOW : 0n);
  const uptr = draw.once(8) ? (draw.any(areas)?.userVa ?? SMALL.at) : DATA.at;
  return { fields: { id: access?.file ?? -1n, ...drawPlace(scene, areas, flags, iova), length, uptr } };
}

function unpin(scene: Scene): Omit<Drawn, "request"> {
  const { draw } = scene;
  const { access } = drawAccess(scene);
  return { fields: { id: access?.file ?? -1n, access_pages_id: draw.any(access?.pins ?? []) ?? BigInt(draw.below(3)) } };
}

/** The operations of access objects. */
export const ACCESS_KINDS: Readonly<Record<string, Kind>> = {
  "TEST_CMD/TestCreateAccess": {
    weight: 4,
    fields: (scene) => ({ fields: { id: drawIoas(scene).id, flags: scene.draw.once(4) ? 0n : 1n } }),
  },
  "TEST_CMD/TestAccessPages": { weight: 10, fields: pages },
  "TEST_CMD/TestDestroyAccessPages": { weight: 5, fields: unpin },
  "TEST_CMD/TestAccessRw": { weight: 10, fields: copy },
  "TEST_CMD/TestAccessReplaceIoas": {
    weight: 3,
    fields: (scene) => ({ fields: { id: drawAccess(scene).access?.file ?? -1n, ioas_id: drawIoas(scene).id } }),
  },
};

/** Learn what a request that succeeded did to access objects. */
export function learnAccess(program: Program, owner: Iommufd, { id, request, fields }: RequestStep, given: (name: string) => bigint): void {
  if (request === "TEST_CMD/TestCreateAccess") {
    program.accesses.push({ file: reference(id, "out_access_fd"), owner, ioas: given("id"), pins: [] });
    return;
  }
  const access = program.accesses.find(({ file }) => file === fields.id);
  if (access === undefined) return;
  if (request === "TEST_CMD/TestAccessPages") access.pins = [reference(id, "out_access_pages_id"), ...access.pins].slice(0, PINS_MAX);
  if (request === "TEST_CMD/TestAccessReplaceIoas") access.ioas = given("ioas_id");
}
