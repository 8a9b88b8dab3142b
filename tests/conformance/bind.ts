/**
 * BIND_IOMMUFD: how a device_fd becomes usable, and what it is before.
 *
 * @module
 */
import { MAP_SHARED, PROT_READ, PROT_WRITE } from "../../uapi/kernel.ts";
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import { type Caller, codeOf } from "./caller.ts";
import { attach, bind, iommuWithIoas, newIoas, NO_ID, openBound, PAGE, tryBind } from "./steps.ts";

const REGION_7 = 7 * 2 ** 40;

const UNBOUND: Suite<Caller>["cases"] = [
  {
    name: "before it is bound a device_fd answers EINVAL to every request and access",
    run(t) {
      const { ioas } = iommuWithIoas(t);
      const device = t.device(t.devices.alone);
      const requests = [
        "DEVICE_GET_INFO",
        "DEVICE_GET_REGION_INFO",
        "DEVICE_GET_IRQ_INFO",
        "DEVICE_SET_IRQS",
        "DEVICE_RESET",
        "DEVICE_GET_PCI_HOT_RESET_INFO",
        "DEVICE_PCI_HOT_RESET",
        "DEVICE_FEATURE",
        "DEVICE_DETACH_IOMMUFD_PT",
      ];
      for (const request of requests) t.refused("EINVAL", device, request);
      t.refused("EINVAL", device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: ioas });
      const block = t.block(8);
      equal(codeOf(t.kernel.pread(device, block, 4, REGION_7)), "EINVAL");
      equal(codeOf(t.kernel.pwrite(device, block, 4, REGION_7)), "EINVAL");
      equal(codeOf(t.kernel.ioctl(device, 0x3bff, block)), "EINVAL", "an unknown request");
    },
  },
  {
    name: "binding makes a device object in the iommufd and the device_fd usable",
    run(t) {
      const iommu = t.iommu();
      equal([newIoas(t, iommu), newIoas(t, iommu)], [1, 2]);
      const device = t.device(t.devices.alone);
      equal(bind(t, device, iommu), 3);
      t.do(device, "DEVICE_GET_INFO");
    },
  },
];

const CHECKS: Suite<Caller>["cases"] = [
  {
    name: "BIND shorter than 16 bytes is EINVAL, with 16 or with zeros behind its 24 it works, with anything else there E2BIG",
    run(t) {
      const iommu = t.iommu();
      const device = t.device(t.devices.alone);
      for (const size of [0, 4, 12, 15]) t.refused("EINVAL", device, "DEVICE_BIND_IOMMUFD", { iommufd: iommu }, { size });
      for (const at of [0, 7]) {
        t.refused("E2BIG", device, "DEVICE_BIND_IOMMUFD", { iommufd: iommu }, { tail: new Uint8Array(8).fill(1, at, at + 1) });
      }
      t.do(device, "DEVICE_BIND_IOMMUFD", { iommufd: iommu }, { size: 16 });
      t.close(device);
      t.do(t.device(t.devices.alone), "DEVICE_BIND_IOMMUFD", { iommufd: iommu }, { tail: new Uint8Array(8) });
    },
  },
  {
    name: "BIND that cannot be read is EFAULT",
    run(t) {
      const device = t.device(t.devices.alone);
      equal(t.askAt(device, "DEVICE_BIND_IOMMUFD", 0n), "EFAULT");
    },
  },
  {
    name: "a negative iommufd or an unknown flag is EINVAL, no file EBADF, another kind of file EBADFD",
    run(t) {
      const iommu = t.iommu();
      const device = t.device(t.devices.alone);
      t.refused("EINVAL", device, "DEVICE_BIND_IOMMUFD", { iommufd: -1 });
      for (const flags of [2, 0x8000_0000]) t.refused("EINVAL", device, "DEVICE_BIND_IOMMUFD", { iommufd: iommu, flags });
      t.refused("EBADF", device, "DEVICE_BIND_IOMMUFD", { iommufd: 999 });
      for (const fd of [t.eventfd(), t.memfd(PAGE), device]) t.refused("EBADFD", device, "DEVICE_BIND_IOMMUFD", { iommufd: fd });
      bind(t, device, iommu);
    },
  },
  {
    name: "a token for a device that has no virtual functions is EINVAL, one that cannot be read EFAULT, before the iommufd is looked at",
    run(t) {
      const device = t.device(t.devices.alone);
      const token = t.block(16);
      t.refused("EINVAL", device, "DEVICE_BIND_IOMMUFD", { iommufd: 999, flags: 1, token_uuid_ptr: token.address });
      t.refused("EFAULT", device, "DEVICE_BIND_IOMMUFD", { iommufd: 999, flags: 1 });
    },
  },
  {
    name: "a second bind of the same fd is EINVAL, to the same iommufd and to another, before the iommufd is looked at",
    run(t) {
      const iommu = t.iommu();
      const { device } = openBound(t, iommu);
      for (const fd of [iommu, t.iommu(), 999]) t.refused("EINVAL", device, "DEVICE_BIND_IOMMUFD", { iommufd: fd });
      equal(newIoas(t, iommu), 2);
    },
  },
  {
    name: "a bind whose id cannot be written back is EFAULT, and leaves the device free",
    run(t) {
      const iommu = t.iommu();
      const device = t.device(t.devices.alone);
      const file = t.memfd(PAGE);
      const writable = t.tryMmap(0n, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file);
      const bytes = t.bytes(writable, PAGE);
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      view.setUint32(0, 16, true);
      view.setInt32(8, iommu, true);
      equal(t.askAt(device, "DEVICE_BIND_IOMMUFD", t.tryMmap(0n, PAGE, PROT_READ, MAP_SHARED, file)), "EFAULT");
      t.refused("EINVAL", device, "DEVICE_GET_INFO");
      equal(bind(t, device, t.iommu()), 1, "to another iommufd");
    },
  },
];

const OWNERSHIP: Suite<Caller>["cases"] = [
  {
    name: "a failed bind leaves the fd open and inoperable, and it binds when the group is free",
    run(t) {
      const [one, two] = [t.iommu(), t.iommu()];
      const [first, second] = [t.device(t.devices.siblings[0]), t.device(t.devices.siblings[1])];
      bind(t, first, one);
      t.refused("EPERM", second, "DEVICE_BIND_IOMMUFD", { iommufd: two });
      t.refused("EINVAL", second, "DEVICE_GET_INFO");
      equal(newIoas(t, two), 1, "the refused bind took no id");
      t.close(first);
      equal(bind(t, second, two), 2);
    },
  },
  {
    name: "two devices of different groups may be bound to different iommufds",
    run(t) {
      const [one, two] = [t.iommu(), t.iommu()];
      equal([openBound(t, one).id, openBound(t, two, t.devices.other).id], [1, 1]);
    },
  },
  {
    name: "the owner is the iommufd and not the process: a device of the group is refused to a second one of the same program",
    run(t) {
      const [one, two] = [t.iommu(), t.iommu()];
      openBound(t, one, t.devices.aliases[0]);
      const sibling = t.device(t.devices.aliases[1]);
      equal(tryBind(t, sibling, two).code, "EPERM");
      equal(tryBind(t, sibling, one).code, "OK");
    },
  },
  {
    name: "a group that a kernel driver uses for DMA is refused to programs: EPERM, and nothing is left of the attempt",
    run(t) {
      const iommu = t.iommu();
      const device = t.device(t.devices.taken);
      for (let round = 0; round < 3; round++) t.refused("EPERM", device, "DEVICE_BIND_IOMMUFD", { iommufd: iommu });
      equal(newIoas(t, iommu), 1);
    },
  },
  {
    name: "closing the device_fd gives the group back, also with its iommufd still open",
    run(t) {
      const [one, two] = [t.iommu(), t.iommu()];
      const { device } = openBound(t, one);
      attach(t, device, newIoas(t, one));
      t.close(device);
      equal(openBound(t, two).id, 1);
    },
  },
  {
    name: "closing the iommufd gives nothing back while a device is bound to it",
    run(t) {
      const one = t.iommu();
      openBound(t, one, t.devices.siblings[0]);
      t.close(one);
      const sibling = t.device(t.devices.siblings[1]);
      equal(tryBind(t, sibling, t.iommu()).code, "EPERM");
    },
  },
  {
    name: "a group is free only when the last of its devices is closed",
    run(t) {
      const [one, two] = [t.iommu(), t.iommu()];
      const [first, second] = [openBound(t, one, t.devices.siblings[0]), openBound(t, one, t.devices.siblings[1])];
      t.close(first.device);
      const again = t.device(t.devices.siblings[0]);
      equal(tryBind(t, again, two).code, "EPERM");
      t.close(second.device);
      equal(tryBind(t, again, two).code, "OK");
    },
  },
  {
    name: "an id of a device that is closed means nothing any more",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { device, id } = openBound(t, iommu);
      t.close(device);
      t.refused("ENOENT", iommu, "HWPT_ALLOC", { dev_id: id, pt_id: ioas });
      t.refused("ENOENT", iommu, "HWPT_ALLOC", { dev_id: NO_ID, pt_id: ioas });
    },
  },
];

/** BIND_IOMMUFD. */
export const BIND: Suite<Caller> = { name: "BIND_IOMMUFD", cases: [...UNBOUND, ...CHECKS, ...OWNERSHIP] };
