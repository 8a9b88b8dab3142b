/**
 * The comparison of two kernels itself: it finds what is different, makes it short, and finds nothing where nothing is.
 */
import type { Kernel } from "../../uapi/kernel.ts";
import { requestNumber } from "../../uapi/schema/layout.ts";
import { check, equal } from "../check.ts";
import { bootMock } from "./machine.ts";
import { ARGUMENTS, DATA } from "./memory.ts";
import { Player } from "./play.ts";
import { firstDifference, parseRecordings, recordingLines } from "./recording.ts";
import { compare } from "./run.ts";

/** A defect: may change a request's result, its struct and the memory behind its pointers. Told the name of the request. */
type Defect = (result: number, struct: DataView, data: DataView) => number;

/** A kernel that answers one request wrongly. */
function defective(kernel: Kernel, request: string, defect: Defect): Kernel {
  const number = requestNumber(request);
  const view = (at: bigint) => {
    const { buffer, byteOffset } = kernel.view(at, 256);
    return new DataView(buffer, byteOffset, 256);
  };
  const ioctl: Kernel["ioctl"] = (fd, asked, argument) => {
    const result = kernel.ioctl(fd, asked, argument);
    return asked === number && BigInt(Number(argument)) === ARGUMENTS.at ? defect(result, view(ARGUMENTS.at), view(DATA.at)) : result;
  };
  return new Proxy(kernel, {
    get(target, name) {
      if (name === "ioctl") return ioctl;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** What is planted, the request that it is in, and in how many calls it can be seen. */
const DEFECTS: readonly (readonly [string, string, number, Defect])[] = [
  ["a return value", "IOAS_IOVA_RANGES", 3, (result, struct) => result === 0 && struct.getUint32(8, true) === 1 ? 1 : result],
  ["an error number", "IOAS_COPY", 4, (result) => result === -17 ? -22 : result],
  ["an output field", "IOAS_UNMAP", 5, (result, struct) => {
    if (result === 0) struct.setBigUint64(16, struct.getBigUint64(16, true) & ~0x1000n, true);
    return result;
  }],
  ["an automatic IOVA", "IOAS_MAP", 3, (result, struct) => {
    const flags = struct.getUint32(4, true);
    const iova = struct.getBigUint64(32, true);
    if (result === 0 && (flags & 1) === 0 && iova > 0x1000n) struct.setBigUint64(32, iova + 0x1000n, true);
    return result;
  }],
  ["an id", "IOAS_ALLOC", 8, (result, struct) => {
    if (result === 0 && struct.getUint32(8, true) === 3) struct.setUint32(8, 7, true);
    return result;
  }],
  ["an array behind a pointer", "IOAS_IOVA_RANGES", 3, (result, _, data) => {
    if (result === 0 && data.getBigUint64(8, true) === 2n ** 64n - 1n) data.setBigUint64(8, 2n ** 64n - 2n, true);
    return result;
  }],
  ["an error in place of a success", "DESTROY", 4, (result, struct) => result === 0 && struct.getUint32(4, true) === 2 ? -16 : result],
];

for (const [what, request, calls, defect] of DEFECTS) {
  Deno.test(`the comparison finds a difference in ${what} and makes it at most ${calls} calls long`, async () => {
    using right = await bootMock();
    using wrong = await bootMock();
    const { finding } = compare(right, defective(wrong, request, defect), { calls: 20_000, seed: 1 });
    check(finding !== undefined, "nothing was found");
    const short = finding.recording.calls.length;
    check(short <= calls, `more than ${calls} calls:\n${finding.text}`);
    check(finding.text.split("\n").filter((line) => line.startsWith("≠")).length === 1, finding.text);

    // What is kept shows it again, and is what the right kernel answers.
    const [kept] = parseRecordings(recordingLines(finding.recording));
    using player = new Player(wrong);
    equal(firstDifference(player, kept!), undefined);
    using defectivePlayer = new Player(defective(right, request, defect));
    equal(firstDifference(defectivePlayer, kept!)?.index, short - 1);
  });
}

Deno.test("the comparison finds nothing where the kernels are the same, and leaves nothing behind", async () => {
  using one = await bootMock();
  using other = await bootMock();
  const { calls, finding } = compare(one, other, { calls: 10_000, seed: 1 });
  check(finding === undefined && calls >= 10_000, `${calls} calls were equal`);
  for (const { inspect } of [one, other]) {
    equal(inspect.check(), []);
    equal(inspect.usage, { files: 0, objects: 0, pinnedPages: 0, blocks: 0, waits: 0 });
  }
});
