/**
 * The demonstration of the README: a disk image through the NVMe driver, from the command line to the last line printed.
 *
 * @module
 */
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { readArguments } from "../../examples/nvme/arguments.ts";
import { demonstrate, type DemoReport } from "../../examples/nvme/demo.ts";
import { openImage } from "../../examples/nvme/image.ts";
import { reportText } from "../../examples/nvme/report.ts";
import { countText, perSecond } from "../../examples/nvme/units.ts";
import config from "../../deno.json" with { type: "json" };
import { pattern } from "./disk.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const FAT = `${ROOT}tests/examples/fat.img.gz`;
const EXT4 = `${ROOT}examples/nvme/disk.img.gz`;
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const unpack = (path: string) => new Uint8Array(gunzipSync(Deno.readFileSync(path)));

/** The task's own command, without its first word and with nothing to answer a prompt. */
async function demo(...words: string[]): Promise<{ code: number; out: string; error: string }> {
  const [deno, ...args] = config.tasks.demo.command.split(" ");
  strictEqual(deno, "deno");
  const options: Deno.CommandOptions = { args: [...args, ...words], cwd: ROOT, stdin: "null", env: { NO_COLOR: "1" } };
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), options).output();
  return { code, out: new TextDecoder().decode(stdout), error: new TextDecoder().decode(stderr) };
}

async function withFile(bytes: Uint8Array, use: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile({ suffix: ".img" });
  try {
    await Deno.writeFile(path, bytes);
    await use(path);
  } finally {
    await Deno.remove(path);
  }
}

/** The demonstration within this process. */
async function report(path: string | undefined, ...words: string[]): Promise<DemoReport> {
  using image = await openImage(path);
  return await demonstrate(image, readArguments(words), { update() {}, [Symbol.dispose]() {} });
}

Deno.test("without arguments it reads the committed ext4 image, whole and equal, and tells so in words", async () => {
  const { code, out, error } = await demo();
  const hash = sha256(unpack(EXT4));
  strictEqual(error, "");
  strictEqual(code, 0);
  strictEqual(out.split(hash).length - 1, 2, "the hash is printed twice");
  match(out, /ext4 "iommufd-demo", 10e4d000-0000-4000-8000-000000000001/);
  match(out, /│ read +│ 6 MiB in 24 commands, [\d.]+ MB\/s +│/);
  match(out, /│ +│ equal +│/);
  match(out, /│ IOTLB hits, misses +│ \d+ \([\d.]+ %\), \d+; walks read \d+ entries +│/);
  match(out, /│ pages while reading +│ .*\d+ of 2 MiB/);
  match(out, /\nStray DMA: the disk was told to put 512 bytes at IOVA 0xdead0000, where nothing is mapped\.\n/);
  match(out, /\nIts answer: Data Transfer Error \(status 0x004\)\.\n/);
  match(out, /\nThe IOMMU: Device 00:04\.0 \(label 0x4e564d65\) tried to write 512 bytes at IOVA 0xdead0000: refused, because nothing/);
});

/** The names of everything in an object, in order: "read.bytes". */
function keysOf(value: unknown, path = ""): string[] {
  if (typeof value !== "object" || value === null) return [path];
  if (Array.isArray(value)) return [...new Set(value.flatMap((entry) => keysOf(entry, `${path}[]`)))];
  return Object.entries(value).flatMap(([key, entry]) => keysOf(entry, path === "" ? key : `${path}.${key}`));
}

const KEYS = [
  ["image.path", "image.bytes", "image.sha256"],
  ["fileSystem.kind", "fileSystem.label", "fileSystem.id", "fileSystem.length"],
  ["disk.address", "disk.model", "disk.serial", "disk.firmware", "disk.version"],
  ["disk.queues", "disk.depth", "disk.completions", "disk.transferMax"],
  ["read.sha256", "read.seconds", "read.bytes", "read.commands", "read.bytesPerSecond", "isEqual", "write"],
  ["iommu.maps", "iommu.unmaps", "iommu.pages[].bytes", "iommu.pages[].count", "iommu.tables", "iommu.tlbHits", "iommu.tlbMisses"],
  ["iommu.walkReads", "iommu.reads", "iommu.writes", "iommu.bytes", "iommu.faults", "iommu.now"],
  ["stray.iova", "stray.length", "stray.refused", "stray.status.code", "stray.status.name", "stray.fault.address", "stray.fault.label"],
  ["stray.fault.iova", "stray.fault.length", "stray.fault.access", "stray.fault.reason", "stray.fault.text"],
].flat();

Deno.test("with --json and a path it prints one object", async () => {
  const bytes = unpack(FAT);
  await withFile(bytes, async (path) => {
    const { code, out, error } = await demo("--json", "--queues", "2", "--depth", "7", path);
    strictEqual(error, "");
    strictEqual(code, 0);
    strictEqual(out.indexOf("\n"), out.length - 1);
    const found = JSON.parse(out);
    deepStrictEqual(keysOf(found), KEYS);
    deepStrictEqual(found.image, { path, bytes: bytes.length, sha256: sha256(bytes) });
    deepStrictEqual(found.fileSystem, { kind: "FAT12", label: "TWELVE", id: "1234-5678", length: bytes.length });
    deepStrictEqual([found.read.sha256, found.read.bytes, found.isEqual], [sha256(bytes), bytes.length, true]);
    deepStrictEqual([found.disk.queues, found.disk.depth, found.disk.completions], [2, 7, "interrupts"]);
    deepStrictEqual([found.stray.refused, found.stray.fault.reason, found.iommu.faults], [true, "not-present", 0]);
    ok(found.iommu.bytes > bytes.length);
  });
});

Deno.test("help names every option", async () => {
  const { code, out, error } = await demo("--help", "nowhere");
  deepStrictEqual([code, error], [0, ""]);
  for (const option of ["path", "--device", "--write", "--queues", "--depth", "--poll", "--iommu", "--json", "--help"]) {
    ok(out.includes(`  ${option}`), option);
  }
});

const WRONG: Readonly<Record<string, readonly [words: string[], message: string]>> = {
  "no such file": [["nowhere.img"], 'Cannot open "nowhere.img": there is no such file'],
  "a directory": [["tests"], 'Cannot use "tests" as a disk: it is a directory'],
  "a terminal": [["/dev/null"], 'Cannot use "/dev/null" as a disk: it is neither a file nor a block device'],
  "two paths": [["a", "b"], 'Cannot read more than one image: "a", "b"'],
  "no queues": [["--queues", "0"], 'Cannot use --queues "0": a whole number from 1 to 16 is needed'],
  "a depth that is no number": [["--depth", "many"], 'Cannot use --depth "many": a whole number from 1 to 1023 is needed'],
  "an IOMMU that nobody built": [
    ["--iommu", "smmu"],
    'Cannot use --iommu "smmu": one of vtd, vtd-first, amdvi, amdvi-v2, smmuv3, smmuv3-stage2, riscv is needed',
  ],
  "an option that does not exist": [["--fast"], "Unknown option '--fast'"],
  "a write to an image": [["--write"], "Cannot use --write without --device: an image is only read"],
  "an option without its value": [["--queues"], "Option '--queues <value>' argument missing"],
};

for (const [name, [words, message]] of Object.entries(WRONG)) {
  Deno.test(`${name}: a sentence, where to read on, and status 2`, async () => {
    deepStrictEqual(await demo(...words), { code: 2, out: "", error: `${message}\nTry: deno task demo --help\n` });
  });
}

Deno.test("a real disk without the permission for it: a sentence, and status 1", async () => {
  const { code, out, error } = await demo("--device", "0000:01:00.0");
  deepStrictEqual([code, out], [1, ""]);
  match(error, /--allow-ffi/);
  ok(!/^ +at /m.test(error), error);
});

Deno.test("a file that cannot be a disk is refused with the reason", async () => {
  const packed = Deno.readFileSync(FAT);
  const cases: [Uint8Array, string][] = [
    [new Uint8Array(0), "it is empty"],
    [new Uint8Array(1000), "its 1000 bytes are no whole sectors of 512"],
    [packed.subarray(0, 3000), "its gzip data is damaged"],
  ];
  for (const [bytes, reason] of cases) {
    await withFile(bytes, async (path) => {
      const error = await openImage(path).then(() => undefined, (error) => error);
      strictEqual(error?.name, "UsageError");
      strictEqual(
        error.message,
        `Cannot ${reason.includes("gzip") ? "unpack" : "use"} "${path}"${reason.includes("gzip") ? "" : " as a disk"}: ${reason}`,
      );
    });
  }
});

const CHOICES = [
  ["--poll"],
  ["--iommu", "vtd-first"],
  ["--iommu", "amdvi"],
  ["--iommu", "amdvi-v2"],
  ["--iommu", "smmuv3"],
  ["--iommu", "smmuv3-stage2"],
  ["--iommu", "riscv"],
  ["--poll", "--iommu", "amdvi", "--queues", "1", "--depth", "1"],
  ["--queues", "16", "--depth", "1023"],
  ["--queues", "3", "--depth", "2"],
];

for (const words of CHOICES) {
  Deno.test(`with ${words.join(" ")} the disk is read as it is, and the stray DMA refused`, async () => {
    const { isEqual, read, stray, disk } = await report(undefined, ...words);
    strictEqual(isEqual, true);
    strictEqual(read.sha256, sha256(unpack(EXT4)));
    ok(stray !== undefined);
    deepStrictEqual([stray.refused, stray.status.code, stray.fault?.label, stray.fault?.iova], [true, 4, 0x4e56_4d65n, stray.iova]);
    strictEqual(disk.completions, words.includes("--poll") ? "polling" : "interrupts");
  });
}

Deno.test("images of one sector, and larger than all of the program's buffers, are read whole", async () => {
  for (const length of [512, 4096 + 512, 11 * 2 ** 20 + 1536]) {
    const bytes = pattern(length, length);
    await withFile(bytes, async (path) => {
      const found = await report(path);
      deepStrictEqual([found.image?.bytes, found.read.bytes, found.read.sha256, found.isEqual], [length, length, sha256(bytes), true]);
      strictEqual(found.fileSystem, undefined);
      match(reportText(found), /none that is known/);
    });
  }
});

Deno.test("a disk that is not read as it is, or a stray DMA that goes through, is told", async () => {
  const found = await report(FAT);
  match(reportText({ ...found, isEqual: false }), /│ DIFFERENT +│/);
  match(reportText({ ...found, stray: { ...found.stray!, refused: false } }), /THE IOMMU LET IT THROUGH/);
  ok(!reportText({ ...found, iommu: undefined }).includes("IOTLB"), "a kernel that does not tell is shown no figures of");
  const bare = reportText({ ...found, image: undefined, isEqual: undefined, stray: undefined });
  ok(!bare.includes("image") && !bare.includes("Stray") && bare.includes("sha256sum"), bare);
});

Deno.test("the file is read from the disk and not from the image: a byte that changes in between is found", async () => {
  await withFile(pattern(2 ** 20, 1), async (path) => {
    using image = await openImage(path);
    const changed = {
      ...image,
      sha256: async () => {
        const bytes = await Deno.readFile(path);
        bytes[777_777]! ^= 1;
        await Deno.writeFile(path, bytes);
        return await image.sha256();
      },
      [Symbol.dispose]() {},
    };
    const found = await demonstrate(changed, readArguments([]), { update() {}, [Symbol.dispose]() {} });
    strictEqual(found.isEqual, false);
    strictEqual(found.read.sha256, sha256(pattern(2 ** 20, 1)));
  });
});

Deno.test("progress is told from the first bytes to the last", async () => {
  const told: number[] = [];
  using image = await openImage();
  const { read } = await demonstrate(image, readArguments([]), { update: (bytes) => void told.push(bytes), [Symbol.dispose]() {} });
  deepStrictEqual(told, told.toSorted((a, b) => a - b));
  ok(told.length >= 2);
  strictEqual(told.at(-1), read.bytes);
});

Deno.test("quantities are written as people read them", () => {
  strictEqual(countText(1_048_576), "1,048,576");
  strictEqual(perSecond(5_000_000, 2), "2.5 MB/s");
  strictEqual(perSecond(5, 0), "");
});
