/**
 * Opening, closing, numbers of file descriptors, and /sys and /dev as files.
 *
 * @module
 */
import { ERRNO } from "../../uapi/errno.ts";
import { O_RDWR } from "../../uapi/kernel.ts";
import { check, equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import { type Caller, codeOf } from "./caller.ts";
import type { Depends } from "./setup.ts";
import { attached, bind, newIoas, PAGE } from "./steps.ts";

/** A second open of a device that is open. */
const SECOND_OPEN: Depends<string> = {
  feature: "several-opens",
  with: "OK",
  without: "EBUSY",
  why: "Linux opens a cdev as often as asked and refuses the second bind; our rule is one fd for each device",
};

/** Whether descriptors that are made one after the other have numbers one after the other. */
const CONSECUTIVE: Depends<boolean> = {
  feature: "own-process",
  with: true,
  without: false,
  why: "a process with files of other owners has gaps between their numbers, which are filled first",
};

function text(t: Caller, path: string): string {
  const content = t.kernel.readFile(path);
  check(content instanceof Uint8Array, `readFile(${path}): ${typeof content === "number" ? codeOf(content) : "no bytes"}`);
  return new TextDecoder().decode(content);
}

/** The addresses below a directory of /sys. */
function names(t: Caller, path: string): string[] {
  const found = t.kernel.list(path);
  check(Array.isArray(found), `list(${path}): ${typeof found === "number" ? codeOf(found) : "no list"}`);
  return found;
}

function groupOf(t: Caller, address: string): string {
  const link = t.kernel.readlink(`/sys/bus/pci/devices/${address}/iommu_group`);
  check(typeof link === "string", `${address} has no iommu_group`);
  return link.slice(link.lastIndexOf("/") + 1);
}

const DESCRIPTORS: Suite<Caller>["cases"] = [
  {
    name: "a new descriptor has the lowest number that is free, above the three standard ones",
    run(t) {
      const fds = [t.iommu(), t.eventfd(), t.memfd(PAGE), t.device(t.devices.alone)];
      if (t.expected(CONSECUTIVE)) fds.forEach((fd, index) => equal(fd, fds[0]! + index));
      else fds.forEach((fd, index) => check(index === 0 || fds[index - 1]! < fd, `${fd} is not above ${fds[index - 1]}`));
      check(fds[0]! > 2, "a standard descriptor was given out");
      t.close(fds[2]!);
      t.close(fds[1]!);
      equal([t.eventfd(), t.iommu()], [fds[1], fds[2]]);
    },
  },
  {
    name: "closing twice, and closing what was never open, is EBADF",
    run(t) {
      const fd = t.iommu();
      t.close(fd);
      for (const bad of [fd, 999, -1, 0x7fff_ffff]) equal(codeOf(t.kernel.close(bad)), "EBADF");
    },
  },
  {
    name: "every call on a closed descriptor is EBADF",
    run(t) {
      const fd = t.eventfd();
      t.close(fd);
      const block = t.block(64);
      equal(codeOf(t.kernel.ioctl(fd, 0x3b81, block)), "EBADF");
      equal(codeOf(t.kernel.read(fd, block, 8)), "EBADF");
      equal(codeOf(t.kernel.write(fd, block, 8)), "EBADF");
      equal(codeOf(t.kernel.pread(fd, block, 4, 0)), "EBADF");
      equal(codeOf(t.kernel.pwrite(fd, block, 4, 0)), "EBADF");
    },
  },
  {
    name: "beyond the limit of open files every open is EMFILE, and one close makes room for one",
    run(t) {
      // To look for a node takes a descriptor too.
      const node = t.nodeOf(t.devices.alone);
      const fds = [t.iommu()];
      for (;;) {
        const fd = t.adopt(t.kernel.eventfd(0, 0));
        if (fd < 0) break;
        fds.push(fd);
        check(fd < t.setup.openFiles, `fd ${fd} is beyond the limit`);
      }
      const codes = () => [
        codeOf(t.adopt(t.kernel.eventfd(0, 0))),
        codeOf(t.adopt(t.kernel.memfd("conformance", PAGE))),
        codeOf(t.tryOpen("/dev/iommu")),
        codeOf(t.tryOpen(node)),
      ];
      equal(codes(), ["EMFILE", "EMFILE", "EMFILE", "EMFILE"]);
      t.close(fds.at(-1)!);
      equal(t.iommu(), fds.at(-1));
    },
  },
  {
    name: "paths that are not there are ENOENT, directories EISDIR",
    run(t) {
      equal(codeOf(t.tryOpen("/dev/no-such-device")), "ENOENT");
      equal(codeOf(t.tryOpen("/dev/vfio/devices/vfio999")), "ENOENT");
      equal(codeOf(t.tryOpen("/dev/vfio/devices")), "EISDIR");
    },
  },
  {
    name: "a device that is open is not opened again",
    run(t) {
      const node = t.nodeOf(t.devices.alone);
      const first = t.device(t.devices.alone);
      equal(codeOf(t.tryOpen(node)), t.expected(SECOND_OPEN));
      t.close(first);
      equal(codeOf(t.tryOpen(node)), "OK");
    },
  },
  {
    name: "a request that a file does not know is ENOTTY",
    run(t) {
      const block = t.block(64);
      block.view.setUint32(0, 64, true);
      for (const fd of [t.eventfd(), t.memfd(PAGE)]) equal(codeOf(t.kernel.ioctl(fd, 0x3b81, block)), "ENOTTY");
      const { device } = attached(t);
      equal(codeOf(t.kernel.ioctl(device, 0x3b81, block)), "ENOTTY", "a request of iommufd to a device");
    },
  },
  {
    name: "an iommufd and a device have nothing to read or write as a stream",
    run(t) {
      const block = t.block(64);
      equal(codeOf(t.kernel.read(t.iommu(), block, 8)), "EINVAL");
      equal(codeOf(t.kernel.write(t.iommu(), block, 8)), "EINVAL");
    },
  },
  {
    name: "the objects of an iommufd live until the last device that is bound to it is closed",
    run(t) {
      const iommu = t.iommu();
      const device = t.device(t.devices.alone);
      bind(t, device, iommu);
      const ioas = newIoas(t, iommu);
      t.close(iommu);
      equal(t.ask(device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: ioas }).code, "OK");
    },
  },
];

const DISCOVERY: Suite<Caller>["cases"] = [
  {
    name: "every test device is listed, with its identity, and bound to a driver that programs can use",
    run(t) {
      const { alone, other, siblings, aliases, messages } = t.devices;
      const listed = names(t, "/sys/bus/pci/devices");
      for (const address of [alone, other, ...siblings, ...aliases, messages]) {
        check(listed.includes(address), `${address} is not listed`);
        const driver = t.kernel.readlink(`/sys/bus/pci/devices/${address}/driver`);
        equal(typeof driver === "string" && driver.endsWith("/vfio-pci"), true, `driver of ${address}`);
      }
      for (const address of [alone, other, ...siblings, ...aliases]) {
        equal(text(t, `/sys/bus/pci/devices/${address}/vendor`), "0x1234\n");
        equal(text(t, `/sys/bus/pci/devices/${address}/device`), "0x11e8\n");
        equal(text(t, `/sys/bus/pci/devices/${address}/class`), "0x00ff00\n");
      }
      equal(text(t, `/sys/bus/pci/devices/${messages}/class`), "0x010802\n");
    },
  },
  {
    name: "groups are links to directories that list their members",
    run(t) {
      const { alone, other, siblings, aliases } = t.devices;
      for (const address of [alone, other, ...siblings, ...aliases]) {
        check(names(t, `/sys/kernel/iommu_groups/${groupOf(t, address)}/devices`).includes(address), `${address} is not in its group`);
      }
      equal(groupOf(t, siblings[0]), groupOf(t, siblings[1]));
      equal(groupOf(t, aliases[0]), groupOf(t, aliases[1]));
      equal(new Set([alone, other, siblings[0], aliases[0]].map((address) => groupOf(t, address))).size, 4);
    },
  },
  {
    name: "a configuration space in /sys begins with vendor and device",
    run(t) {
      const config = t.kernel.readFile(`/sys/bus/pci/devices/${t.devices.alone}/config`);
      check(config instanceof Uint8Array && config.length >= 64, "there is no configuration space");
      equal(config.slice(0, 4), Uint8Array.of(0x34, 0x12, 0xe8, 0x11));
    },
  },
  {
    name: "what is not there, and the wrong kind of file, has Linux's errors",
    run(t) {
      const home = `/sys/bus/pci/devices/${t.devices.alone}`;
      equal(t.kernel.list("/sys/no/such"), -ERRNO.ENOENT);
      equal(t.kernel.readFile(`${home}/no-such`), -ERRNO.ENOENT);
      equal(t.kernel.readlink(`${home}/no-such`), -ERRNO.ENOENT);
      equal(t.kernel.list(`${home}/vendor`), -ERRNO.ENOTDIR);
      equal(t.kernel.readFile(home), -ERRNO.EISDIR);
      equal(t.kernel.readlink(`${home}/vendor`), -ERRNO.EINVAL);
    },
  },
  {
    name: "files of /sys cannot be opened for writing by a program",
    run(t) {
      equal(codeOf(t.kernel.open(`/sys/bus/pci/devices/${t.devices.alone}/vendor`, O_RDWR)), "EACCES");
    },
  },
];

/** Descriptors and discovery. */
export const FILES: Suite<Caller> = { name: "files", cases: [...DESCRIPTORS, ...DISCOVERY] };
