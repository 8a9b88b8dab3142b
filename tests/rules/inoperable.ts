/**
 * Rule 2. Without an iommu_fd a device_fd is inoperable: it cannot control the device, and the device reaches nothing. An fd whose bind failed
 * stays open, stays so, and binds later.
 *
 * @module
 */
import { DeviceFd, IommuFd, raw } from "../../mod.ts";
import * as uapi from "../../uapi/codec.ts";
import { ERRNO } from "../../uapi/errno.ts";
import type { Kernel } from "../../uapi/kernel.ts";
import { check, equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import { bindActor, codeOf, filledBuffer, isFilled, REFUSED, type Worlds } from "./world.ts";

const EINVAL = -ERRNO.EINVAL;
const REQUESTS = [
  uapi.DEVICE_GET_INFO,
  uapi.DEVICE_GET_REGION_INFO,
  uapi.DEVICE_GET_IRQ_INFO,
  uapi.DEVICE_SET_IRQS,
  uapi.DEVICE_FEATURE,
  uapi.DEVICE_ATTACH_IOMMUFD_PT,
  uapi.DEVICE_DETACH_IOMMUFD_PT,
];

/** Ask everything that there is of an fd: all of it must be refused. */
function isInoperable(kernel: Kernel, fd: number): void {
  for (const request of REQUESTS) {
    const bytes = new Uint8Array(64);
    new DataView(bytes.buffer).setUint32(0, 64, true);
    equal(raw.ioctl(kernel, fd, request, bytes).result, EINVAL, `request 0x${request.toString(16)}`);
  }
  equal(kernel.ioctl(fd, uapi.DEVICE_RESET, 0), EINVAL, "RESET");
  using block = kernel.block(8);
  for (const region of [0, 7]) {
    equal(kernel.pread(fd, block, 4, region * 2 ** 40), EINVAL, `read of region ${region}`);
    equal(kernel.pwrite(fd, block, 4, region * 2 ** 40), EINVAL, `write of region ${region}`);
  }
  equal(kernel.mmap(0n, 4096, 3, 1, fd, 0), BigInt(EINVAL), "mmap of region 0");
}

/** Rule 2. */
export const INOPERABLE: Suite<Worlds> = {
  name: "rule 2, inoperable",
  cases: [
    {
      name: "an fd that was never bound controls nothing, and the device does not notice",
      async run(worlds) {
        const { kernel, alone } = await worlds.boot();
        using device = DeviceFd.open(kernel, alone.address);
        const before = alone.noticed();
        isInoperable(kernel, device.fd);
        equal(alone.noticed(), before);
      },
    },
    {
      name: "an fd whose bind failed stays open, is inoperable, and binds when the group is free",
      async run(worlds) {
        const world = await worlds.boot();
        const { kernel, siblings } = world;
        using one = IommuFd.open(kernel);
        using two = IommuFd.open(kernel);
        const holder = bindActor(world, siblings[0], one);
        using device = DeviceFd.open(kernel, siblings[1].address);
        for (let round = 0; round < 3; round++) {
          equal(codeOf(() => device.bind(two)), "EPERM");
          isInoperable(kernel, device.fd);
        }
        holder[Symbol.dispose]();
        using bound = device.bind(two);
        check(bound.info.isPci, "the fd works");
        equal(bound.deviceFd.fd, device.fd, "it is the same fd");
      },
    },
    {
      name: "a bind that failed for another reason can be made good too",
      async run(worlds) {
        const { kernel, alone } = await worlds.boot();
        using device = DeviceFd.open(kernel, alone.address);
        const bytes = new Uint8Array(uapi.DeviceBindIommufdSize);
        uapi.putDeviceBindIommufd(new DataView(bytes.buffer), 0, { flags: 0, iommufd: 999, tokenUuidPtr: 0n });
        equal(raw.ioctl(kernel, device.fd, uapi.DEVICE_BIND_IOMMUFD, bytes).result, -ERRNO.EBADF);
        isInoperable(kernel, device.fd);
        using iommu = IommuFd.open(kernel);
        using _bound = device.bind(iommu);
      },
    },
    {
      name: "a device that is not bound reaches nothing",
      async run(worlds) {
        const world = await worlds.boot();
        const { kernel, alone, other } = world;
        using iommu = IommuFd.open(kernel);
        using ioas = iommu.createIoas();
        using bound = bindActor(world, other, iommu);
        bound.attach(ioas);
        using buffer = filledBuffer(ioas, 0x1_0000n, 0x5e);
        using _open = DeviceFd.open(kernel, alone.address);
        equal(await alone.reads(0x1_0000n, 64), REFUSED, "an unbound device read memory");
        equal(await alone.writes(0x1_0000n, 64), REFUSED, "an unbound device wrote memory");
        isFilled(buffer, 0x5e);
        equal(await other.reads(0x1_0000n, 4), new Uint8Array(4).fill(0x5e), "the bound device");
      },
    },
  ],
};
