/**
 * A program without rights drives a device with an iommufd and a device that root opened and passed to it.
 */
import { join } from "node:path";
import { DeviceFd, fdListener, IommuFd, linux, sendFds } from "../../mod.ts";
import { check, equal } from "../check.ts";
import { failure } from "../api/machine.ts";
import { DEVICES } from "./devices.ts";
import { NOBODY, outcomeOf, startProgram, writeProgram } from "./unprivileged.ts";

const NODE = (device: string) => `/dev/vfio/devices/${[...Deno.readDirSync(`/sys/bus/pci/devices/${device}/vfio-dev`)][0]!.name}`;
const FLAGS = 0o2000002;

/** Tries to open the files itself, then receives them and moves bytes through the device by DMA. */
const RECEIVER = `
import { DeviceFd, IommuError, IommuFd, linux, pollUntil, receiveFds } from "/mod.ts";
using kernel = await linux({ interface: "iommufd" });
for (const open of [() => IommuFd.open(kernel), () => DeviceFd.open(kernel, Deno.args[1])]) {
  try { open()[Symbol.dispose](); console.log("opened"); } catch (error) { console.log(error instanceof IommuError ? error.code : String(error)); }
}
const { fds: [iommuFd, deviceFd], message } = await receiveFds(kernel, Deno.args[0]);
using iommu = IommuFd.adopt(kernel, iommuFd);
using file = DeviceFd.adopt(kernel, deviceFd);
using ioas = iommu.createIoas();
const device = file.bind(iommu);
device.attach(ioas);
device.config.write16(4, device.config.read16(4) | 6);
using source = ioas.createDmaBuffer(4096), target = ioas.createDmaBuffer(4096);
source.bytes.set(new TextEncoder().encode("through the IOMMU"));
const registers = device.bar(0);
const transfer = async (from, to, command) => {
  registers.write64(0x80, from);
  registers.write64(0x88, to);
  registers.write64(0x90, 17n);
  registers.write32(0x98, command);
  await pollUntil(kernel, () => (registers.read32(0x98) & 1) === 0);
};
await transfer(source.iova, 0x40000n, 1);
await transfer(0x40000n, target.iova, 3);
console.log(message, file.address, file.node, new TextDecoder().decode(target.bytes.subarray(0, 17)));
`;

Deno.test("an unprivileged program gets /dev/iommu and a device from root, and does DMA", async () => {
  const folder = await Deno.makeTempDir();
  const [socketPath, node] = [join(folder, "socket"), NODE(DEVICES.alone)];
  {
    using kernel = await linux({ interface: "iommufd" });
    using listener = await fdListener(kernel, socketPath);
    await Deno.chown(socketPath, NOBODY, NOBODY);
    const child = startProgram(await writeProgram(folder, RECEIVER), [socketPath, DEVICES.alone]);
    {
      using socket = await listener.accept();
      const fds = [kernel.open("/dev/iommu", FLAGS), kernel.open(node, FLAGS)];
      socket.send(fds, "take care");
      for (const fd of fds) kernel.close(fd);
    }
    const { code, stdout, stderr } = await outcomeOf(child);
    equal([code, stdout, stderr], [0, `EACCES\nEACCES\ntake care ${DEVICES.alone} ${node} through the IOMMU\n`, ""]);
    // With the program everything of it is gone: the device can be had again.
    using iommu = IommuFd.open(kernel);
    using _device = DeviceFd.open(kernel, DEVICES.alone).bind(iommu);
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("files of real kinds are told apart, and stay open", async () => {
  using kernel = await linux({ interface: "iommufd" });
  const [iommu, device, container] = ["/dev/iommu", NODE(DEVICES.alone), "/dev/vfio/vfio"].map((path) => kernel.open(path, FLAGS));
  for (const fd of [device!, container!]) failure(() => IommuFd.adopt(kernel, fd), "EBADFD");
  for (const fd of [iommu!, container!]) failure(() => DeviceFd.adopt(kernel, fd), "EBADFD");
  using adopted = IommuFd.adopt(kernel, iommu!);
  using file = DeviceFd.adopt(kernel, device!);
  equal([file.address, file.node], [DEVICES.alone, NODE(DEVICES.alone)]);
  using bound = file.bind(adopted);
  check(bound.id > 0, "it is bound");
  equal(kernel.close(container!), 0);
});

Deno.test("a device that is bound already is refused, whoever bound it", async () => {
  using kernel = await linux({ interface: "iommufd" });
  using iommu = IommuFd.open(kernel);
  using file = DeviceFd.open(kernel, DEVICES.alone);
  using _device = file.bind(iommu);
  const path = `/tmp/bound-${Deno.pid}`;
  using listener = await fdListener(kernel, path);
  const sent = sendFds(kernel, path, [file.fd]);
  using socket = await listener.accept();
  await sent;
  const { fds: [fd] } = await socket.receive();
  check(failure(() => DeviceFd.adopt(kernel, fd!), "EINVAL").advice.includes("bound to an iommufd already"), "it says so");
  await Deno.remove(path);
});
