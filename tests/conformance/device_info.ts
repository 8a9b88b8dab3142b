/**
 * GET_INFO, GET_REGION_INFO, GET_IRQ_INFO, RESET, and the requests of a device that has no more than that.
 *
 * @module
 */
import { DEVICE_FLAGS_PCI, DEVICE_FLAGS_RESET, IRQ_INFO_AUTOMASKED, IRQ_INFO_EVENTFD, IRQ_INFO_MASKABLE } from "../../uapi/codec.ts";
import { IRQ_INFO_NORESIZE, REGION_INFO_FLAG_READ, REGION_INFO_FLAG_WRITE } from "../../uapi/codec.ts";
import { check, equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import { type Caller, codeOf } from "./caller.ts";
import type { Depends } from "./setup.ts";
import { openBound } from "./steps.ts";

const REGION_SPAN = 2n ** 40n;
const READ_WRITE = REGION_INFO_FLAG_READ | REGION_INFO_FLAG_WRITE;

/** Whether the device can be reset. */
const RESET: Depends<string> = {
  feature: "reset",
  with: "OK",
  without: "EINVAL",
  why: "a device without any way to reset it has no RESET",
};

function bound(t: Caller, address: string = t.devices.alone): number {
  return openBound(t, t.iommu(), address).device;
}

const INFO: Suite<Caller>["cases"] = [
  {
    name: "GET_INFO: a PCI device that can be reset or not, with nine regions and five kinds of interrupts",
    run(t) {
      const answer = t.do(bound(t), "DEVICE_GET_INFO");
      equal(
        answer.number("flags") & 0x7f,
        t.expected({ ...RESET, with: DEVICE_FLAGS_PCI | DEVICE_FLAGS_RESET, without: DEVICE_FLAGS_PCI }),
      );
      equal([answer.number("num_regions"), answer.number("num_irqs")], [9, 5]);
    },
  },
  {
    name: "GET_INFO: an NVMe controller can be reset, and is",
    run(t) {
      const device = bound(t, t.devices.messages);
      equal(t.do(device, "DEVICE_GET_INFO").number("flags") & 0x7f, DEVICE_FLAGS_PCI | DEVICE_FLAGS_RESET);
      t.do(device, "DEVICE_RESET");
    },
  },
  {
    name: "GET_INFO answers a caller that knows 16 bytes with 16",
    run(t) {
      const device = bound(t);
      const block = t.block(24);
      block.bytes.fill(0xee);
      block.view.setUint32(0, 16, true);
      equal(t.kernel.ioctl(device, 0x3b6b, block), 0);
      equal(block.view.getUint32(8, true), 9);
      equal(block.bytes.slice(16), new Uint8Array(8).fill(0xee));
    },
  },
  {
    name: "GET_REGION_INFO: the edu device has one BAR of 1 MiB and a configuration space of 256 bytes",
    run(t) {
      const device = bound(t);
      for (let index = 0; index <= 7; index++) {
        const answer = t.do(device, "DEVICE_GET_REGION_INFO", { index });
        equal(answer.big("offset"), BigInt(index) * REGION_SPAN, `offset of region ${index}`);
        equal(answer.big("size"), index === 0 ? 0x10_0000n : index === 7 ? 256n : 0n, `size of region ${index}`);
        equal(answer.number("flags") & READ_WRITE, index === 0 || index === 7 ? READ_WRITE : 0, `flags of region ${index}`);
      }
    },
  },
  {
    name: "GET_REGION_INFO of an Express device: 4,096 bytes of configuration space",
    run(t) {
      const device = bound(t, t.devices.messages);
      equal(t.do(device, "DEVICE_GET_REGION_INFO", { index: 7 }).big("size"), 4096n);
      check(t.do(device, "DEVICE_GET_REGION_INFO", { index: 0 }).big("size") >= 0x2000n, "BAR 0 has no room for the doorbells");
    },
  },
  {
    name: "GET_REGION_INFO of the VGA region of a device without, and of no region, is EINVAL",
    run(t) {
      const device = bound(t);
      for (const index of [8, 9, 0xffff_ffff]) t.refused("EINVAL", device, "DEVICE_GET_REGION_INFO", { index });
    },
  },
];

const NORESIZE = IRQ_INFO_EVENTFD | IRQ_INFO_NORESIZE;

const IRQS: Suite<Caller>["cases"] = [
  {
    name: "GET_IRQ_INFO: INTx masks itself, MSI cannot grow, errors and requests have one vector each",
    run(t) {
      const device = bound(t);
      const expected = [
        [1, IRQ_INFO_EVENTFD | IRQ_INFO_MASKABLE | IRQ_INFO_AUTOMASKED],
        [1, NORESIZE],
        [0, NORESIZE],
        [1, NORESIZE],
        [1, NORESIZE],
      ];
      expected.forEach(([count, flags], index) => {
        const answer = t.do(device, "DEVICE_GET_IRQ_INFO", { index });
        equal([answer.number("count"), answer.number("flags")], [count, flags], `interrupt index ${index}`);
      });
    },
  },
  {
    name: "GET_IRQ_INFO: MSI-X vectors can be added one by one",
    run(t) {
      const answer = t.do(bound(t, t.devices.messages), "DEVICE_GET_IRQ_INFO", { index: 2 });
      check(answer.number("count") >= 3, `${answer.number("count")} MSI-X vectors`);
      equal(answer.number("flags"), IRQ_INFO_EVENTFD);
    },
  },
  {
    name: "GET_IRQ_INFO of no index is EINVAL",
    run(t) {
      const device = bound(t);
      for (const index of [5, 0xffff_ffff]) t.refused("EINVAL", device, "DEVICE_GET_IRQ_INFO", { index });
    },
  },
];

const OTHERS: Suite<Caller>["cases"] = [
  {
    name: "RESET takes no argument and works as often as asked, or is EINVAL where the device cannot be reset",
    run(t) {
      const device = bound(t);
      for (let round = 0; round < 2; round++) equal(t.ask(device, "DEVICE_RESET").code, t.expected(RESET));
    },
  },
  {
    name: "a request that devices do not know is ENOTTY",
    run(t) {
      const device = bound(t);
      const block = t.block(64);
      block.view.setUint32(0, 64, true);
      for (const request of [0x3bff, 0x3b00]) equal(codeOf(t.kernel.ioctl(device, request, block)), "ENOTTY");
    },
  },
  {
    name: "FEATURE: unknown flags, or both GET and SET, are EINVAL; a feature that is not there ENOTTY",
    run(t) {
      const device = bound(t);
      const [get, set, probe] = [0x1_0000, 0x2_0000, 0x4_0000];
      t.refused("EINVAL", device, "DEVICE_FEATURE", { flags: 0x8_0000 });
      t.refused("EINVAL", device, "DEVICE_FEATURE", { flags: get | set | 0x7fff });
      for (const flags of [get, set, probe | get, probe | get | set]) {
        // The log of DMA is none of vfio-pci's.
        for (const feature of [6, 7, 8, 0x7fff]) t.refused("ENOTTY", device, "DEVICE_FEATURE", { flags: flags | feature });
      }
    },
  },
  {
    name: "hot reset of a device on a bus that cannot be reset is ENODEV, and with files of groups EINVAL",
    run(t) {
      const device = bound(t);
      t.refused("ENODEV", device, "DEVICE_GET_PCI_HOT_RESET_INFO");
      t.refused("ENODEV", device, "DEVICE_PCI_HOT_RESET");
      t.refused("EINVAL", device, "DEVICE_PCI_HOT_RESET", { flags: 1 });
      t.refused("EINVAL", device, "DEVICE_PCI_HOT_RESET", { count: 1 });
    },
  },
];

/** What a device says of itself. */
export const DEVICE_INFO: Suite<Caller> = { name: "device", cases: [...INFO, ...IRQS, ...OTHERS] };
