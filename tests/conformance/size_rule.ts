/**
 * The rule about sizes of structs, for every request of the schema: what a program compiled for another kernel sees.
 *
 * @module
 */
import { MAP_FIXED_NOREPLACE, MAP_SHARED, PROT_READ, PROT_WRITE } from "../../uapi/kernel.ts";
import { FAMILIES, minimumBytes, requestNumbered, structBytes, structOf } from "../../uapi/schema/layout.ts";
import type { Request } from "../../uapi/schema/types.ts";
import { equal } from "../check.ts";
import type { Case, Suite } from "../harness.ts";
import { type Caller, codeOf } from "./caller.ts";
import { attached, iommuWithIoas, openBound, PAGE, PAGE64, READ_WRITE, USER_BASE } from "./steps.ts";
import type { Fields } from "./struct.ts";

const IOMMUFD_REQUESTS: readonly Request[] = FAMILIES.find(({ name }) => name === "iommufd")!.requests;
/** Bytes behind the known end of a struct in these cases. */
const EXTRA = 24;

/** The end of a page behind which nothing is mapped: an address `length` bytes before it. */
function beforeHole(t: Caller, length: number): bigint {
  const at = t.memory(2 * PAGE, USER_BASE, undefined, MAP_FIXED_NOREPLACE);
  t.kernel.munmap(at + PAGE64, PAGE);
  return at + PAGE64 - BigInt(length);
}

/** What a request answers with these fields, in a context of its own, so that objects made by one do not change the answer of the next. */
function codeAlone(t: Caller, request: Request, fields: Fields, options: { tail?: Uint8Array; size?: number }): string {
  const iommu = t.iommu();
  const answer = t.ask(iommu, request.name, fields, options);
  if (answer.code === "OK" && request.name === "FAULT_QUEUE_ALLOC") t.adopt(answer.number("out_fault_fd"));
  t.close(iommu);
  return answer.code;
}

function sizeCases(request: Request): Case<Caller>[] {
  const { name } = request;
  const known = structBytes(structOf(request)!);
  const minimum = minimumBytes(request);
  return [
    {
      name: `${name} shorter than its minimum of ${minimum} bytes is EINVAL`,
      run(t) {
        const iommu = t.iommu();
        for (const size of [0, 4, minimum - 4, minimum - 1]) t.refused("EINVAL", iommu, name, {}, { size });
      },
    },
    {
      name: `${name} of its minimum answers as the whole struct with zeros does`,
      run(t) {
        equal(codeAlone(t, request, {}, { size: minimum }), codeAlone(t, request, {}, {}));
      },
    },
    {
      name: `${name} with zeros behind its end answers as without, and with anything else there is E2BIG`,
      run(t) {
        equal(codeAlone(t, request, {}, { tail: new Uint8Array(EXTRA) }), codeAlone(t, request, {}, {}));
        const iommu = t.iommu();
        for (const at of [0, 1, 7, 8, EXTRA - 1]) {
          const tail = new Uint8Array(EXTRA);
          tail[at] = 1;
          t.refused("E2BIG", iommu, name, {}, { tail });
        }
      },
    },
    {
      name: `${name} that cannot be read, or not to its end, is EFAULT`,
      run(t) {
        const iommu = t.iommu();
        equal(t.askAt(iommu, name, 0n), "EFAULT", "at 0");
        equal(t.askAt(iommu, name, beforeHole(t, 2)), "EFAULT", "a size with two bytes");
        const short = USER_BASE + PAGE64 - 4n;
        new DataView(t.bytes(short, 4).buffer, t.bytes(short, 4).byteOffset).setUint32(0, known, true);
        equal(t.askAt(iommu, name, short), "EFAULT", "a size and nothing else");
      },
    },
    {
      name: `${name} with another direction or size in its number is ENOTTY, once its size could be read`,
      run(t) {
        const iommu = t.iommu();
        const block = t.block(64);
        block.view.setUint32(0, known, true);
        for (const bits of [0x4000_0000, 0x8000_0000, 0x0028_0000, 0x0000_0100]) {
          equal(codeOf(t.kernel.ioctl(iommu, (request.number ^ bits) >>> 0, block)), "ENOTTY", `number ^ 0x${bits.toString(16)}`);
        }
        equal(codeOf(t.kernel.ioctl(iommu, (request.number ^ 0x4000_0000) >>> 0, 0)), "EFAULT");
      },
    },
  ];
}

const OTHERS: Suite<Caller>["cases"] = [
  {
    name: "requests that do not exist are ENOTTY, and nobody looks at their argument",
    run(t) {
      const iommu = t.iommu();
      for (const request of [0x3bff, 0x3b00, 0x1234]) {
        equal(requestNumbered(request), undefined);
        equal(codeOf(t.kernel.ioctl(iommu, request, t.block(64))), "ENOTTY");
        equal(codeOf(t.kernel.ioctl(iommu, request, 0)), "ENOTTY");
      }
    },
  },
  {
    name: "of a size beyond all memory the first byte that is set decides, or the first that cannot be read",
    run(t) {
      const iommu = t.iommu();
      const at = beforeHole(t, PAGE);
      const bytes = t.bytes(at, PAGE);
      new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, 0xffff_fff8, true);
      equal(t.askAt(iommu, "IOAS_ALLOC", at), "EFAULT");
      bytes[PAGE - 1] = 1;
      equal(t.askAt(iommu, "IOAS_ALLOC", at), "E2BIG");
    },
  },
  {
    name: "an answer is no longer than the struct that the caller knows, and nothing behind that is written",
    run(t) {
      const { iommu } = iommuWithIoas(t);
      const { id } = openBound(t, iommu);
      const block = t.block(64);
      block.bytes.fill(0xcc, 32);
      block.view.setUint32(0, 32, true);
      block.view.setUint32(8, id, true);
      equal(t.kernel.ioctl(iommu, 0x3b8a, block), 0, "GET_HW_INFO of its first 32 bytes");
      equal(block.view.getUint32(24, true), t.setup.hardware.type);
      equal(block.bytes.slice(32), new Uint8Array(32).fill(0xcc));
    },
  },
  {
    name: "HWPT_ALLOC of its first 24 bytes makes a page table without flags for data and faults",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { id } = openBound(t, iommu);
      const answer = t.do(iommu, "HWPT_ALLOC", { dev_id: id, pt_id: ioas }, { size: 24 });
      equal(answer.number("out_hwpt_id"), 3);
    },
  },
  {
    name: "a new object whose id cannot be written back is taken away again",
    run(t) {
      const iommu = t.iommu();
      const at = t.memory(PAGE);
      const view = new DataView(t.bytes(at, PAGE).buffer, t.bytes(at, PAGE).byteOffset);
      view.setUint32(0, 12, true);
      const readable = readOnlyCopy(t, at);
      equal(t.askAt(iommu, "IOAS_ALLOC", readable), "EFAULT");
      equal(t.do(iommu, "IOAS_ALLOC").number("out_ioas_id"), 1);
    },
  },
  {
    name: "a mapping whose answer cannot be written back stays",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const at = t.memory(PAGE);
      const bytes = t.bytes(at, PAGE);
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      view.setUint32(0, 40, true);
      view.setUint32(4, READ_WRITE, true);
      view.setUint32(8, ioas, true);
      view.setBigUint64(16, USER_BASE, true);
      view.setBigUint64(24, PAGE64, true);
      equal(t.askAt(iommu, "IOAS_MAP", readOnlyCopy(t, at)), "EFAULT");
      equal(t.do(iommu, "IOAS_UNMAP", { ioas_id: ioas, length: 2n ** 64n - 1n }).big("length"), PAGE64);
    },
  },
];

/** The same bytes in memory that may only be read: written through a shared file, as a read-only mapping cannot be. */
function readOnlyCopy(t: Caller, from: bigint): bigint {
  const file = t.memfd(PAGE);
  const writable = t.tryMmap(0n, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file);
  t.bytes(writable, PAGE).set(t.bytes(from, PAGE));
  return t.tryMmap(0n, PAGE, PROT_READ, MAP_SHARED, file);
}

/** Requests of a device: name, minimum size, fields that are in order. */
const DEVICE_REQUESTS: readonly (readonly [string, number, Fields])[] = [
  ["DEVICE_GET_INFO", 16, {}],
  ["DEVICE_GET_REGION_INFO", 32, { index: 7 }],
  ["DEVICE_GET_IRQ_INFO", 16, {}],
  ["DEVICE_SET_IRQS", 20, { flags: 0x21, index: 4, start: 0, count: 0 }],
  ["DEVICE_FEATURE", 8, {}],
  ["DEVICE_ATTACH_IOMMUFD_PT", 12, {}],
  ["DEVICE_DETACH_IOMMUFD_PT", 8, {}],
];

const DEVICES: Suite<Caller>["cases"] = DEVICE_REQUESTS.map(([name, minimum, fields]) => ({
  name: `${name} with an argsz below ${minimum} is EINVAL, and where those bytes cannot be read EFAULT`,
  run(t) {
    const { device } = attached(t);
    for (const argsz of [0, 4, minimum - 1]) t.refused("EINVAL", device, name, { ...fields, argsz });
    equal(t.askAt(device, name, 0n), "EFAULT");
    equal(t.askAt(device, name, beforeHole(t, minimum - 4)), "EFAULT");
  },
}));

/** The size rule. */
export const SIZE_RULE: Suite<Caller> = {
  name: "size rule",
  cases: [...IOMMUFD_REQUESTS.flatMap(sizeCases), ...OTHERS, ...DEVICES],
};
