import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import * as codec from "../../uapi/codec.ts";
import { decodeArray, decodeRequest, formatArray, formatFields, requestName, requestNumber } from "../../uapi/decode.ts";

function filled(length: number, write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(length);
  write(new DataView(bytes.buffer));
  return bytes;
}

const map = filled(codec.IoasMapSize, (view) =>
  codec.putIoasMap(view, 0, {
    flags: codec.IOAS_MAP_WRITEABLE | codec.IOAS_MAP_READABLE,
    ioasId: 2,
    userVa: 0x7fff_0000_0000n,
    length: 8192n,
    iova: 0x1000n,
  }));

function line(request: number, bytes: Uint8Array, side?: "in" | "out" | "both"): string {
  const decoded = decodeRequest(request, bytes);
  return `${decoded.request}: ${formatFields(decoded, side)}`;
}

Deno.test("a request reads as one line with the names of its flags", () => {
  strictEqual(line(codec.IOAS_MAP, map), "IOAS_MAP: flags=WRITEABLE|READABLE, ioas_id=2, user_va=0x7fff00000000, length=8192, iova=0x1000");
});

Deno.test("the answer alone are the fields that the kernel writes", () => {
  strictEqual(line(codec.IOAS_MAP, map, "out"), "IOAS_MAP: iova=0x1000");
  const alloc = filled(12, (view) => codec.putIoasAlloc(view, 0, { flags: 0, outIoasId: 7 }));
  strictEqual(line(codec.IOAS_ALLOC, alloc, "in"), "IOAS_ALLOC: flags=0");
  strictEqual(line(codec.IOAS_ALLOC, alloc, "out"), "IOAS_ALLOC: out_ioas_id=7");
});

Deno.test("a request as JSON keeps every field, 64-bit ones as hexadecimal text", () => {
  const decoded = JSON.parse(JSON.stringify(decodeRequest(codec.IOAS_MAP, map)));
  strictEqual(decoded.request, "IOAS_MAP");
  strictEqual(decoded.argument.struct, "IoasMap");
  deepStrictEqual(decoded.argument.fields.map((field: { name: string; value: unknown }) => [field.name, field.value]), [
    ["size", 40],
    ["flags", 6],
    ["ioas_id", 2],
    ["__reserved", 0],
    ["user_va", "0x7fff00000000"],
    ["length", "0x2000"],
    ["iova", "0x1000"],
  ]);
});

Deno.test("a size, a reserved field and a flag that should not be show", () => {
  const odd = map.slice();
  const view = new DataView(odd.buffer);
  view.setUint32(0, 48, true);
  view.setUint32(4, 0x80 | codec.IOAS_MAP_READABLE, true);
  view.setUint32(12, 1, true);
  strictEqual(
    line(codec.IOAS_MAP, odd, "in"),
    "IOAS_MAP: size=48, flags=READABLE|0x80, ioas_id=2, __reserved=1, user_va=0x7fff00000000, length=8192, iova=0x1000",
  );
});

Deno.test("fields behind the end of a short struct read as zero", () => {
  const short = filled(24, (view) => {
    view.setUint32(0, 24, true);
    view.setUint32(12, 5, true);
  });
  strictEqual(
    line(codec.HWPT_ALLOC, short, "in"),
    "HWPT_ALLOC: size=24, flags=0, dev_id=0, pt_id=5, data_type=NONE, data_len=0, data_uptr=0x0, fault_id=0",
  );
});

Deno.test("a value without a name stays a number, and one with several has the first", () => {
  const option = filled(
    24,
    (view) => codec.putOption(view, 0, { optionId: 9, op: codec.OPTION_OP_GET, objectId: 0, val64: 2n ** 64n - 1n }),
  );
  strictEqual(line(codec.OPTION, option), "OPTION: option_id=9, op=GET, object_id=0, val64=0xffffffffffffffff");
});

Deno.test("eventfds behind SET_IRQS are read by its flags and count", () => {
  const flags = codec.IRQ_SET_DATA_EVENTFD | codec.IRQ_SET_ACTION_TRIGGER;
  const bytes = filled(28, (view) => {
    codec.putIrqSet(view, 0, { flags, index: codec.PCI_MSIX_IRQ_INDEX, start: 0, count: 2 }, 28);
    view.setInt32(20, 9, true);
    view.setInt32(24, -1, true);
  });
  strictEqual(
    line(codec.DEVICE_SET_IRQS, bytes),
    "DEVICE_SET_IRQS: size=28, flags=DATA_EVENTFD|ACTION_TRIGGER, index=2, start=0, count=2, data=[9, -1]".replace("size", "argsz"),
  );
  new DataView(bytes.buffer).setUint32(4, codec.IRQ_SET_DATA_BOOL | codec.IRQ_SET_ACTION_MASK, true);
  deepStrictEqual(decodeRequest(codec.DEVICE_SET_IRQS, bytes).argument?.tail?.items, [9, 0]);
  new DataView(bytes.buffer).setUint32(4, codec.IRQ_SET_DATA_NONE | codec.IRQ_SET_ACTION_TRIGGER, true);
  strictEqual(decodeRequest(codec.DEVICE_SET_IRQS, bytes).argument?.tail, undefined);
});

Deno.test("a count beyond the bytes reads no further than the bytes", () => {
  const bytes = filled(
    24,
    (view) => codec.putIrqSet(view, 0, { flags: codec.IRQ_SET_DATA_EVENTFD, index: 0, start: 0, count: 2 ** 32 - 1 }, 24),
  );
  deepStrictEqual(decodeRequest(codec.DEVICE_SET_IRQS, bytes).argument?.tail?.items, [0]);
});

/** A region with a sparse-mmap capability at 32 and a type capability at 64 whose `next` is given. */
function regionWithCapabilities(last: number): Uint8Array {
  return filled(80, (view) => {
    codec.putRegionInfo(
      view,
      0,
      { index: 0, flags: codec.REGION_INFO_FLAG_CAPS | codec.REGION_INFO_FLAG_MMAP, capOffset: 32, size: 4096n },
      80,
    );
    codec.putRegionInfoCapSparseMmap(view, 32, { id: codec.REGION_INFO_CAP_SPARSE_MMAP, version: 1, next: 64, nrAreas: 1 });
    codec.putRegionSparseMmapArea(view, 48, { offset: 0n, size: 2048n });
    codec.putRegionInfoCapType(view, 64, { id: codec.REGION_INFO_CAP_TYPE, version: 1, next: last, type: 3, subtype: 4 });
  });
}

Deno.test("the capabilities of an answer are followed along their chain", () => {
  strictEqual(
    line(codec.DEVICE_GET_REGION_INFO, regionWithCapabilities(0), "out"),
    "DEVICE_GET_REGION_INFO: argsz=80, flags=MMAP|CAPS, cap_offset=32, size=4096, offset=0x0, " +
      "RegionInfoCapSparseMmap={id=1, version=1, next=0x40, nr_areas=1, areas=[{offset=0x0, size=2048}]}, " +
      "RegionInfoCapType={id=2, version=1, next=0x0, type=3, subtype=4}",
  );
});

Deno.test("a chain of capabilities that turns back ends there", () => {
  strictEqual(decodeRequest(codec.DEVICE_GET_REGION_INFO, regionWithCapabilities(32)).argument?.capabilities?.length, 2);
});

Deno.test("the feature of DEVICE_FEATURE is a number among flags", () => {
  const bytes = filled(8, (view) => codec.putDeviceFeature(view, 0, { flags: codec.DEVICE_FEATURE_GET | 3 }));
  strictEqual(line(codec.DEVICE_FEATURE, bytes, "in"), "DEVICE_FEATURE: flags=MASK:3|GET");
});

Deno.test("ranges that a pointer reaches read as a list", () => {
  const bytes = filled(codec.IovaRangeSize * 2, (view) => {
    codec.putIovaRange(view, 0, { start: 0n, last: 0xfedfffffn });
    codec.putIovaRange(view, codec.IovaRangeSize, { start: 0xfef00000n, last: 2n ** 64n - 1n });
  });
  strictEqual(formatArray(decodeArray("IovaRange", bytes)), "[{start=0x0, last=0xfedfffff}, {start=0xfef00000, last=0xffffffffffffffff}]");
  strictEqual(formatArray(decodeArray("IovaRange", new Uint8Array(16 * 10))).endsWith("… 2 more]"), true);
  throws(() => decodeArray("NoSuchStruct", bytes), TypeError);
});

Deno.test("an unknown request is its number", () => {
  deepStrictEqual(decodeRequest(0x3bff, new Uint8Array(8)), { request: "0x3bff" });
  strictEqual(requestName(0x3bff), "0x3bff");
  strictEqual(formatFields(decodeRequest(0x3bff, new Uint8Array(8))), "");
});

Deno.test("a request's name gives its number and back", () => {
  strictEqual(requestNumber("IOAS_MAP"), codec.IOAS_MAP);
  strictEqual(requestName(codec.IOAS_MAP), "IOAS_MAP");
  strictEqual(requestNumber("NO_SUCH_REQUEST"), undefined);
});

Deno.test("a request that takes several structs is read by its operation", () => {
  const bytes = filled(
    codec.TestMdCheckMapSize,
    (view) => codec.putTestMdCheckMap(view, 0, { id: 3, iova: 0x100_0000n, length: 2048n, uptr: 0x7000n }),
  );
  strictEqual(line(codec.TEST_CMD, bytes), "TEST_CMD: op=MD_CHECK_MAP, id=3, iova=0x1000000, length=2048, uptr=0x7000");
  new DataView(bytes.buffer).setUint32(4, 99, true);
  strictEqual(line(codec.TEST_CMD, bytes, "in").startsWith("TEST_CMD: op=99, id=3, data=[16777216, 2048, 28672, 0, 0, 0]"), true);
});
