/**
 * Test requests that make sense for what a program has: mock devices that come, go and move, and looks at what they reach.
 *
 * @module
 */
import type { Draw } from "../property/syscall_values.ts";
import { LARGE, SMALL } from "./memory.ts";
import { CACHED, drawId, drawIoas, type Drawn, drawNested, type Kind, type Scene } from "./requests.ts";
import { drawIova, drawUnit, EDGES } from "./values.ts";

const PAGE = 4096n;
/** Most bytes that one look compares: the kernel walks them in steps of 2 KiB. */
const LOOK_MAX = 65536n;

/** What a device is attached to: mostly an IOAS, and then mostly one in which nothing forbids it. */
function drawTable(scene: Scene): Drawn["fields"][string] {
  const { draw, iommufd } = scene;
  if (draw.once(3)) return draw.once(2) ? drawPasidTable(scene) : drawId(scene, ["hwpt"]);
  const empty = iommufd.of(["ioas"]).filter(({ id }) => !iommufd.areas.some(({ ioas }) => ioas === id));
  return (draw.once(2) ? draw.any(empty)?.value : undefined) ?? drawIoas(scene).id;
}

/** A page table that takes PASIDs; where there is none, any. */
function drawPasidTable(scene: Scene): Drawn["fields"][string] {
  return scene.draw.any(scene.iommufd.of(["hwpt"]).filter(({ pasid }) => pasid))?.value ?? drawId(scene, ["hwpt"]);
}

/** 0 is the device itself, 1024 is refused every second time, 2^20 is the first that is too large. */
function drawPasid(draw: Draw): bigint {
  return draw.of([0n, 1n, 1n, 1n, 2n, 2n, 1024n, 1024n, 1024n, 2n ** 20n - 1n, 2n ** 20n, 2n ** 32n - 1n]);
}

/** Mostly one that is attached. */
function drawAttached(scene: Scene): Drawn["fields"] {
  const { draw, iommufd } = scene;
  const known = draw.once(4) ? undefined : draw.any(iommufd.pasids);
  return { id: known?.device.value ?? drawId(scene, ["selftest"]), pasid: known?.pasid ?? drawPasid(draw) };
}

function attachPasid(scene: Scene): Omit<Drawn, "request"> {
  const { draw } = scene;
  return {
    fields: { id: drawId(scene, ["selftest"]), pasid: drawPasid(draw), pt_id: draw.once(6) ? drawTable(scene) : drawPasidTable(scene) },
  };
}

function checkPasid(scene: Scene): Omit<Drawn, "request"> {
  return { fields: { ...drawAttached(scene), hwpt_id: scene.draw.once(3) ? 0n : drawPasidTable(scene) } };
}

function checkIotlb(scene: Scene): Omit<Drawn, "request"> {
  const { draw } = scene;
  return { fields: { id: drawNested(scene), iotlb_id: BigInt(draw.of([0, 1, 2, 3, 4])), iotlb: draw.of([CACHED, CACHED, 0n, 1n]) } };
}

function drawDeviceFlags(draw: Draw): bigint {
  return draw.of([0n, 1n, 4n, 4n, 5n]);
}

function checkMap(scene: Scene): Omit<Drawn, "request"> {
  const { draw, iommufd } = scene;
  const table = draw.any(iommufd.of(["hwpt"]));
  const areas = iommufd.areas.filter(({ ioas, userVa }) => userVa !== undefined && (ioas === table?.other || draw.once(12)));
  const area = draw.any(areas);
  if (area === undefined || table === undefined) {
    return { fields: { id: table?.value ?? 0n, iova: 2n ** 24n, length: PAGE, uptr: SMALL.at } };
  }
  const unit = draw.of([2048n, PAGE]);
  const pages = area.length / unit;
  const skipped = draw.once(2) ? 0n : unit * BigInt(draw.below(Math.max(1, Number(pages))));
  const left = area.length - skipped;
  const length = left > LOOK_MAX ? LOOK_MAX : left;
  const iova = typeof area.value === "bigint" ? area.value + skipped : { ...area.value, plus: area.value.plus + skipped };
  return { fields: { id: table.value, iova, length, uptr: BigInt.asUintN(64, area.userVa! + skipped + (draw.once(12) ? PAGE : 0n)) } };
}

/** Pages that are written already: of others Linux would look at the one page of zeros. */
function checkRefs({ draw, iommufd }: Scene): Omit<Drawn, "request"> {
  const area = draw.any(iommufd.areas);
  const piece = area?.userVa !== undefined && LARGE.at <= area.userVa && area.userVa < LARGE.at + BigInt(LARGE.length) ? LARGE : SMALL;
  const pages = piece.length / Number(PAGE);
  const page = draw.below(pages - 4);
  const mapped = area?.userVa !== undefined && area.userVa >= piece.at && area.userVa < piece.at + BigInt(piece.length) - 4n * PAGE;
  const uptr = mapped && !draw.once(4) ? area.userVa! / PAGE * PAGE : piece.at + PAGE * BigInt(page);
  return { fields: { length: PAGE * BigInt(1 + draw.below(3)), uptr, refs: BigInt(draw.of([0, 0, 1, 1, 1, 2, 2, 3])) } };
}

function addReserved(scene: Scene): Omit<Drawn, "request"> {
  const { draw } = scene;
  const { id, areas } = drawIoas(scene);
  const unit = drawUnit(draw);
  const length = draw.once(12) ? draw.of(EDGES) : unit * BigInt(1 + draw.below(4));
  return { fields: { id, start: drawIova(draw, areas, unit, length), length } };
}

function checkCache(scene: Scene): Omit<Drawn, "request"> {
  const { draw } = scene;
  return { fields: { id: drawId(scene, ["device"]), cache_id: BigInt(draw.below(5)), cache: draw.of([0xba_ddadn, 0xba_ddadn, 0n]) } };
}

function revoke({ draw, program }: Scene): Omit<Drawn, "request"> {
  return { fields: { dmabuf_fd: draw.any(draw.once(12) ? program.files : program.dmabufs)?.file ?? -1n, revoked: BigInt(draw.below(2)) } };
}

/** The operations of the test request. */
export const MOCK_KINDS: Readonly<Record<string, Kind>> = {
  "TEST_CMD/TestAddReserved": { weight: 1, fields: addReserved },
  "TEST_CMD/TestMockDomain": { weight: 3, fields: (scene) => ({ fields: { id: drawTable(scene) } }) },
  "TEST_CMD/TestMockDomainFlags": {
    weight: 2,
    fields: (scene) => ({ fields: { id: drawTable(scene), dev_flags: drawDeviceFlags(scene.draw) } }),
  },
  "TEST_CMD/TestMockDomainReplace": {
    weight: 6,
    needs: "selftest",
    fields: (scene) => ({ fields: { id: drawId(scene, ["selftest"]), pt_id: drawTable(scene) } }),
  },
  "TEST_CMD/TestPasidAttach": { weight: 6, needs: "selftest", fields: attachPasid },
  "TEST_CMD/TestPasidReplace": {
    weight: 4,
    needs: "selftest",
    fields: (scene) => ({ fields: { ...drawAttached(scene), pt_id: scene.draw.once(6) ? drawTable(scene) : drawPasidTable(scene) } }),
  },
  "TEST_CMD/TestPasidDetach": { weight: 2, needs: "selftest", fields: (scene) => ({ fields: drawAttached(scene) }) },
  "TEST_CMD/TestPasidCheckHwpt": { weight: 4, needs: "selftest", fields: checkPasid },
  "TEST_CMD/TestMdCheckMap": { weight: 14, needs: "hwpt", fields: checkMap },
  "TEST_CMD/TestMdCheckRefs": { weight: 8, fields: checkRefs },
  "TEST_CMD/TestDmabufGet": {
    weight: 2,
    fields: ({ draw }) => ({ fields: { length: draw.of([0n, 1n, PAGE, 5000n, 65536n, 2n ** 21n, 2n ** 21n + 1n]) } }),
  },
  "TEST_CMD/TestDmabufRevoke": { weight: 2, fields: revoke },
  "TEST_CMD/TestDevCheckCache": { weight: 1, needs: "device", fields: checkCache },
  "TEST_CMD/TestMdCheckIotlb": { weight: 4, needs: "hwpt", fields: checkIotlb },
};
