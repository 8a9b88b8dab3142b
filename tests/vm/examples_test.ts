/**
 * The examples on the running Linux, as programs of their own with the permissions that they document and no other; and what a crash leaves.
 */
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { DeviceFd, IommuFd, linux } from "../../mod.ts";
import { DEVICES } from "./devices.ts";
import { DISK_LENGTH } from "./disk.ts";
import { grown, linuxUsage, machinePins } from "./usage.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const NVME = ["--allow-ffi", "--allow-env", "examples/nvme/main.ts"];
const EDU = ["--allow-ffi", "examples/edu/main.ts"];

/** Run a program. */
async function run(args: readonly string[]): Promise<{ code: number; out: string; error: string }> {
  const options: Deno.CommandOptions = { args: ["run", "--no-prompt", "--no-check", ...args], cwd: ROOT, stdin: "null" };
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), options).output();
  return { code, out: new TextDecoder().decode(stdout), error: new TextDecoder().decode(stderr) };
}

for (const words of [["--write"], ["--poll", "--queues", "1"]]) {
  Deno.test(`examples/nvme ${words.join(" ")} reads QEMU's disk whole, with the SHA-256 that it has outside`, async () => {
    const before = linuxUsage();
    const { code, out, error } = await run([...NVME, "--device", DEVICES.messages, "--json", ...words]);
    strictEqual(error, "");
    strictEqual(code, 0);
    const { disk, read, image, isEqual, write, iommu, stray } = JSON.parse(out);
    console.log(`${read.bytes} bytes in ${read.seconds.toFixed(1)} s, ${read.commands} commands, by ${disk.completions}`);
    deepStrictEqual([read.bytes, read.sha256], [DISK_LENGTH, Deno.env.get("VM_DISK_SHA256")]);
    deepStrictEqual([disk.address, disk.serial, disk.completions], [
      DEVICES.messages,
      "iommufd",
      words.includes("--poll") ? "polling" : "interrupts",
    ]);
    deepStrictEqual([image, isEqual, iommu, stray], [null, null, null, null]);
    const written = { lba: DISK_LENGTH / 512 - 2048, blocks: 2048, bytes: 2 ** 20, isIntact: true, isRestored: true };
    deepStrictEqual(write, words.includes("--write") ? written : null);
    deepStrictEqual(grown(before, linuxUsage()), []);
  });
}

Deno.test("examples/nvme tells people what it read and wrote", async () => {
  const { code, out, error } = await run([...NVME, "--device", DEVICES.messages, "--write"]);
  console.log(out);
  deepStrictEqual([code, error], [0, ""]);
  match(out, /QEMU NVMe Ctrl \(iommufd\), NVMe 1\.4/);
  match(out, new RegExp(`SHA-256 of what was read +│ ${Deno.env.get("VM_DISK_SHA256")}`));
  match(out, /1 MiB at the end of the disk, blocks 129,024 to 131,071/);
});

Deno.test("examples/nvme compares the disk with an image where it is given one", async () => {
  const image = await Deno.makeTempFile({ suffix: ".img" });
  try {
    await Deno.writeFile(image, new Uint8Array(4096));
    const other = await run(["--allow-read", ...NVME, "--device", DEVICES.messages, image]);
    deepStrictEqual([other.code, other.error], [1, ""]);
    match(other.out, new RegExp(`SHA-256 of what was read +│ ${Deno.env.get("VM_DISK_SHA256")}`));
    match(other.out, /DIFFERENT/);
  } finally {
    await Deno.remove(image);
  }
});

Deno.test("examples/edu exercises QEMU's device: DMA both ways, and interrupts by MSI", async () => {
  const { code, out, error } = await run([...EDU, "--device", DEVICES.alone, "6"]);
  strictEqual(error, "");
  strictEqual(code, 0);
  strictEqual(
    out,
    `edu 1.0 at ${DEVICES.alone}\n  liveness    ok\n  factorial   6! = 720 (modulo 2^32), by interrupt\n` +
      "  DMA         8192 bytes, both ways, intact\n",
  );
});

Deno.test("the quickstart runs on its simulated machine, without any permission", async () => {
  deepStrictEqual(await run(["examples/quickstart.ts"]), { code: 0, out: "Hello, IOMMU!\n", error: "" });
});

const REFUSED: Readonly<Record<string, readonly [args: readonly string[], message: RegExp]>> = {
  "a device that is not there": [[...NVME, "--device", "0000:00:1e.0"], /0000:00:1e\.0/],
  "a device that another driver has": [[...NVME, "--device", "0000:00:08.1"], /0000:00:08\.1/],
  "a device whose group a driver of the kernel has": [[...EDU, "--device", DEVICES.taken], /group/],
  "a device of another kind": [[...EDU, "--device", DEVICES.messages], /its identification is 0x/],
  "a missing permission": [["--allow-env", "examples/nvme/main.ts", "--device", DEVICES.messages], /--allow-ffi/],
};

for (const [name, [args, message]] of Object.entries(REFUSED)) {
  Deno.test(`${name}: a sentence, and status 1`, async () => {
    const { code, out, error } = await run(args);
    console.log(error);
    deepStrictEqual([code, out], [1, ""]);
    match(error, message);
    ok(!/^ +at /m.test(error), `a stack is no sentence:\n${error}`);
  });
}

/** Reads a disk over and over, or has an edu device do DMA, until it is killed; or it ends by an exception that nobody catches. */
const BUSY = `
import { linux } from "${ROOT}mod.ts";
import { EduDriver } from "${ROOT}examples/edu/driver.ts";
import { NvmeDriver } from "${ROOT}examples/nvme/driver.ts";
const [device, kind, end] = Deno.args;
const kernel = await linux();
if (kind === "edu") {
  const edu = EduDriver.open(kernel, device);
  console.log("started");
  edu.write(new Uint8Array(4096));
} else {
  const driver = await NvmeDriver.open(kernel, device);
  let isTold = false;
  (async () => {
    for (;;) {
      for await (const _ of driver.namespaces[0].stream()) {
        if (!isTold) console.log("started");
        isTold = true;
      }
    }
  })();
}
if (end === "throw") setTimeout(() => { throw new Error("nobody catches this"); }, 1500);
else setInterval(() => {}, 1000);
`;

/** Start the busy program; when it is under way, end it by force, or see it end itself. */
async function crash(device: string, kind: "edu" | "nvme", end: "kill" | "throw"): Promise<void> {
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(path, BUSY);
    const args = ["run", "--no-check", "--allow-ffi", "--allow-env", path, device, kind, end];
    const child = new Deno.Command(Deno.execPath(), { args, stdin: "null", stdout: "piped", stderr: "null" }).spawn();
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    ok(value !== undefined, "the program did not start");
    if (end === "kill") child.kill("SIGKILL");
    const { success } = await child.status;
    ok(!success);
    await reader.cancel();
  } finally {
    await Deno.remove(path);
  }
}

for (const [device, kind] of [[DEVICES.messages, "nvme"], [DEVICES.alone, "edu"]] as const) {
  for (const end of ["kill", "throw"] as const) {
    Deno.test(`a program that ends by ${end} in the middle of the DMA of ${kind} leaves the device free, and nothing pinned`, async () => {
      using kernel = await linux();
      const before = machinePins();
      await crash(device, kind, end);
      {
        using iommu = IommuFd.open(kernel);
        using ioas = iommu.createIoas();
        using file = DeviceFd.open(kernel, device);
        using bound = file.bind(iommu);
        bound.attach(ioas);
        strictEqual(bound.config.read16(4) & 4, 0, "bus mastering");
      }
      strictEqual(machinePins(), before, "pages are still pinned");
    });
  }
}

Deno.test("after crashes the disk is read whole as before", async () => {
  const { code, out } = await run([...NVME, "--device", DEVICES.messages, "--json"]);
  deepStrictEqual([code, JSON.parse(out).read.sha256], [0, Deno.env.get("VM_DISK_SHA256")]);
});
