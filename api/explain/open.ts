/**
 * Why a file could not be opened: who has it, who may, or what is missing.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import type { Kernel } from "../../uapi/kernel.ts";
import { openDevices } from "../open_devices.ts";
import { guess, kernelRelease, listNames, readField, readLimit, readLink, readText } from "./facts.ts";
import { isNoIommu } from "../pci/node.ts";
import { nameHolder, otherHolder } from "./processes.ts";

/** What to say of an open of /dev/iommu that answered `result`. */
export function explainOpenIommu(kernel: Kernel, result: number, path: string): string | undefined {
  return guess(() => {
    if (result === -ERRNO.EMFILE) return tooManyFiles(kernel);
    if (result === -ERRNO.EACCES || result === -ERRNO.EPERM) return noAccess(kernel, result, path, 'KERNEL=="iommu", SUBSYSTEM=="misc"');
    return result === -ERRNO.ENOENT || result === -ERRNO.ENODEV || result === -ERRNO.ENXIO ? noIommufd(kernel) : undefined;
  });
}

/** What to say of an open of a device's node that answered `result`. */
export function explainOpenDevice(kernel: Kernel, result: number, node: string): string | undefined {
  return guess(() => {
    if (result === -ERRNO.EBUSY) return alreadyOpen(kernel, node);
    if (result === -ERRNO.EMFILE) return tooManyFiles(kernel);
    if (result === -ERRNO.EPERM && isNoIommu(node) && lacksRawIo(kernel)) return NO_RAWIO;
    if (result === -ERRNO.EACCES || result === -ERRNO.EPERM) return noAccess(kernel, result, node, 'SUBSYSTEM=="vfio-dev"');
    return result === -ERRNO.ENOENT || result === -ERRNO.ENXIO ? noNode(kernel, node) : undefined;
  });
}

/** What to say of an eventfd or a memory file that could not be made. */
export function explainNewFile(kernel: Kernel, result: number): string | undefined {
  return result === -ERRNO.EMFILE ? guess(() => tooManyFiles(kernel)) : undefined;
}

/** What to say of an fd that could not be taken over: what it is instead. */
export function explainAdopt(kernel: Kernel, result: number, fd: number): string | undefined {
  if (result !== -ERRNO.EBADFD) return undefined;
  const path = guess(() => readLink(kernel, `/proc/self/fd/${fd}`));
  // Files without a path are called "anon_inode:[eventfd]".
  const name = path?.replace(/^anon_inode:/, "").replace(/[^\x20-\x7e]|[{}[\]]/g, "");
  return name && `It is open, but of another kind: ${name}.`;
}

const NO_RAWIO =
  "The device has no IOMMU, so that it takes CAP_SYS_RAWIO to open it, which the program lacks: it is root's, or of a container that is " +
  "run with --cap-add SYS_RAWIO.";

/** Whether a process may do as it likes with hardware is bit 17 of its capabilities. */
function lacksRawIo(kernel: Kernel): boolean {
  const capabilities = readField(kernel, "/proc/self/status", "CapEff");
  return capabilities !== undefined && (BigInt(`0x${capabilities}`) >> 17n & 1n) === 0n;
}

function tooManyFiles(kernel: Kernel): string | undefined {
  const limit = readLimit(kernel, "Max open files");
  if (limit === undefined) return undefined;
  return `The program may have ${limit} files open and has them: dispose what is no longer needed, or raise the limit (ulimit -n).`;
}

function alreadyOpen(kernel: Kernel, node: string): string | undefined {
  const own = [...openDevices(kernel)].find((device) => device.node === node);
  if (own !== undefined) return `This program has the device open already, as fd ${own.fd}: a device has one DeviceFd. Dispose that first.`;
  const holder = otherHolder(kernel, [node]);
  return holder && `It is open in ${nameHolder(holder)}, and only one fd may be open for a device: end that first.`;
}

/** A device node refuses with EACCES what its mode forbids; EPERM comes from the device rules of a container. */
function noAccess(kernel: Kernel, result: number, path: string, match: string): string | undefined {
  const user = readField(kernel, "/proc/self/status", "Uid")?.split(/\s+/)[1];
  if (user === undefined) return undefined;
  if (result === -ERRNO.EPERM || user === "0") {
    return `The program runs as user ${user}, whom the mode of the file or the container's device rules do not let in: pass the device into the ` +
      `container (docker run --device ${path}), or pass in an open fd.`;
  }
  return `The program runs as user ${user}, who may not open it. As root: chown ${user} ${path} until the next boot, or for good a udev rule ` +
    `with ${match}, OWNER="${user}"`;
}

function noIommufd(kernel: Kernel): string | undefined {
  if (listNames(kernel, "/sys/class/misc").includes("iommu")) {
    return "The kernel has iommufd, but this /dev lacks the file: pass it into the container (docker run --device /dev/iommu), or pass in an open fd.";
  }
  const release = kernelRelease(kernel);
  return release && `Linux ${release} shows no iommufd: try modprobe iommufd as root. Whether the kernel has it at all says ` +
      `grep IOMMUFD= /boot/config-${release}`;
}

function noNode(kernel: Kernel, node: string): string | undefined {
  const name = node.split("/").at(-1)!;
  if (readLink(kernel, `/sys/class/vfio-dev/${name}`) === undefined) return undefined;
  const numbers = readText(kernel, `/sys/class/vfio-dev/${name}/dev`)?.replace(":", " ");
  return `The kernel has the device, but this /dev lacks its file: pass it into the container (docker run --device ${node}), or make it as root: ` +
    `mknod ${node} c ${numbers}`;
}
