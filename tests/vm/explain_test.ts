/**
 * What errors say of the real machine: its groups, processes, limits and pools.
 */
import { DeviceFd, IommuError, IommuFd, linux } from "../../mod.ts";
import { check, equal } from "../check.ts";
import { failure } from "../api/machine.ts";
import { DEVICES } from "./devices.ts";
import { NOBODY, outcomeOf, startProgram, writeProgram } from "./unprivileged.ts";

const MEBIBYTE = 2 ** 20;

function says(error: IommuError, code: string, ...texts: (string | RegExp)[]): void {
  equal(error.code, code, error.message);
  for (const text of texts) {
    check(typeof text === "string" ? error.advice.includes(text) : text.test(error.advice), `${String(text)} is in: ${error.message}`);
  }
}

Deno.test("a sibling's driver is named", async () => {
  using kernel = await linux({ interface: "iommufd" });
  using iommu = IommuFd.open(kernel);
  using file = DeviceFd.open(kernel, DEVICES.taken);
  says(failure(() => file.bind(iommu)), "EPERM", "virtio-pci has 0000:00:08.1", "/sys/bus/pci/devices/0000:00:08.1/driver/unbind");
});

Deno.test("a group that another iommufd of this program has is said", async () => {
  using kernel = await linux({ interface: "iommufd" });
  using one = IommuFd.open(kernel);
  using other = IommuFd.open(kernel);
  using _first = DeviceFd.open(kernel, DEVICES.siblings[0]).bind(one);
  using second = DeviceFd.open(kernel, DEVICES.siblings[1]);
  says(failure(() => second.bind(other)), "EPERM", DEVICES.siblings[0], `bound it to iommufd ${one.fd}`);
  using moved = second.bind(one);
  const [a, b] = [one.createIoas(), one.createIoas()];
  _first.attach(a);
  says(failure(() => moved.attach(b)), "EINVAL", DEVICES.siblings[0], `IOAS ${a.id}`);
});

const HOLDER = `
import { DeviceFd, IommuFd, linux } from "/mod.ts";
using kernel = await linux({ interface: "iommufd" });
using iommu = IommuFd.open(kernel);
using device = DeviceFd.open(kernel, Deno.args[0]).bind(iommu);
console.log("ready");
await new Promise((resolve) => setTimeout(resolve, 600_000));
`;

Deno.test("another process that has a device, or its group, is named", async () => {
  const folder = await Deno.makeTempDir();
  const child = startProgram(await writeProgram(folder, HOLDER), [DEVICES.siblings[0]], { isRoot: true });
  const reader = child.stdout.getReader();
  try {
    const { value } = await reader.read();
    equal(new TextDecoder().decode(value), "ready\n");
    using kernel = await linux({ interface: "iommufd" });
    const holder = new RegExp(`process ${child.pid} \\(deno`);
    says(failure(() => DeviceFd.open(kernel, DEVICES.siblings[0])), "EBUSY", holder);
    using iommu = IommuFd.open(kernel);
    using sibling = DeviceFd.open(kernel, DEVICES.siblings[1]);
    says(failure(() => sibling.bind(iommu)), "EPERM", holder, /IOMMU group \d+ belongs to/);
  } finally {
    reader.releaseLock();
    child.kill("SIGKILL");
    await outcomeOf(child);
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("ranges, alignment and reservations are those of the kernel", async () => {
  using kernel = await linux({ interface: "iommufd" });
  using iommu = IommuFd.open(kernel);
  const ioas = iommu.createIoas();
  using device = DeviceFd.open(kernel, DEVICES.alone).bind(iommu);
  device.attach(ioas);
  says(failure(() => ioas.createDmaBuffer(4096, { iova: 0xfee0_0000n })), "EINVAL", "is reserved (msi) by the group of 0000:00:04.0");
  says(failure(() => ioas.createDmaBuffer(4096, { iova: 2n ** 60n })), "EINVAL", "translates no address from");
  using buffer = ioas.createDmaBuffer(8192, { iova: 0x10000n });
  says(failure(() => ioas.createDmaBuffer(4096, { iova: 0x11000n })), "EEXIST", "0x10000 to 0x11fff");
  const { address } = buffer;
  says(failure(() => ioas.map({ address, length: 4097 })), "EINVAL", "length 0x1001 is no multiple of 0x1000");
  says(failure(() => ioas.map({ address: 0x1000n, length: 4096 })), "EFAULT", "mapped nothing at 0x1000");
  says(failure(() => ioas.allow([{ start: 0xfe00_0000n, last: 0xfeff_ffffn }])), "EADDRINUSE", "0xfee00000");
  device.detach();
  const full = iommu.createIoas();
  full.createDmaBuffer(4096, { iova: 0xfee0_0000n });
  says(failure(() => device.attach(full)), "EADDRINUSE", "The DMA buffer 0xfee00000 to 0xfee00fff touches 0xfee00000 to 0xfeefffff");
});

Deno.test("huge pages are mapped while the pool has some, and its numbers are said when it has not", async () => {
  using kernel = await linux({ interface: "iommufd" });
  using iommu = IommuFd.open(kernel);
  const ioas = iommu.createIoas();
  using buffer = ioas.createDmaBuffer(3 * MEBIBYTE, { pageSize: 2 * MEBIBYTE });
  equal([buffer.mappedLength, buffer.bytes.length, buffer.address % BigInt(2 * MEBIBYTE)], [4 * MEBIBYTE, 3 * MEBIBYTE, 0n]);
  buffer.bytes.fill(7);
  says(
    failure(() => ioas.createDmaBuffer(1024 * MEBIBYTE, { pageSize: 2 * MEBIBYTE })),
    "ENOMEM",
    /512 pages of 2 MiB are needed, and \d+ of/,
  );
});

const POOR = `
import { DeviceFd, IommuError, IommuFd, linux } from "/mod.ts";
using kernel = await linux({ interface: "iommufd" });
const attempt = (run) => { try { run(); console.log("OK"); } catch (error) { console.log(error instanceof IommuError ? error.message : String(error)); } };
using iommu = IommuFd.open(kernel);
using device = DeviceFd.open(kernel, Deno.args[0]).bind(iommu);
using ioas = iommu.createIoas();
device.attach(ioas);
ioas.createDmaBuffer(512 * 1024);
attempt(() => ioas.createDmaBuffer(4 * 1024 * 1024));
attempt(() => DeviceFd.open(kernel, Deno.args[1]));
attempt(() => iommu.rlimitMode = "process");
`;

Deno.test("a user learns the limit of locked memory, and what may not be opened", async () => {
  const folder = await Deno.makeTempDir();
  const node = `/dev/vfio/devices/${[...Deno.readDirSync(`/sys/bus/pci/devices/${DEVICES.alone}/vfio-dev`)][0]!.name}`;
  for (const path of ["/dev/iommu", node]) await Deno.chown(path, NOBODY, NOBODY);
  try {
    const program = await writeProgram(folder, POOR);
    const { stdout, stderr } = await outcomeOf(startProgram(program, [DEVICES.alone, DEVICES.other], { memlock: 2048 }));
    const lines = stdout.trimEnd().split("\n");
    equal(lines.length, 3, `${stdout}${stderr}`);
    check(/ENOMEM.*may lock 2 MiB of memory.*has 512 KiB locked or pinned.*asked for 4 MiB more/.test(lines[0]!), lines[0]!);
    check(new RegExp(`EACCES.*user ${NOBODY}.*chown ${NOBODY} /dev/vfio/devices/vfio`).test(lines[1]!), lines[1]!);
    check(/EPERM.*CAP_SYS_RESOURCE/.test(lines[2]!), lines[2]!);
  } finally {
    for (const path of ["/dev/iommu", node]) await Deno.chown(path, 0, 0);
    await Deno.remove(folder, { recursive: true });
  }
});
