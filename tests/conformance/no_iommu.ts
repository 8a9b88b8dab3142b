/**
 * Devices without an IOMMU, which Linux gives out where vfio's enable_unsafe_noiommu_mode is set: by their nodes, what their page tables can do, where memory
 * is, and that nothing keeps them from it.
 *
 * Of the security rules 1 to 5 hold for them as for others (`tests/rules/`), 7 has no meaning, and 6 does not hold.
 *
 * @module
 */
import {
  HWPT_ALLOC_DIRTY_TRACKING,
  HWPT_ALLOC_NEST_PARENT,
  HWPT_ALLOC_PASID,
  HWPT_DATA_VTD_S1,
  HWPT_FAULT_ID_VALID,
} from "../../uapi/codec.ts";
import { DeviceFd, IommuFd, listDevices } from "../../mod.ts";
import { check, equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import { codeOf } from "../rules/world.ts";
import type { Caller } from "./caller.ts";
import { Edu } from "./edu.ts";
import { attach, attached, bind, detach, iommuWithIoas, mapAt, newHwpt, NO_ID, openBound, PAGE, PAGE64, tryBind, unmap } from "./steps.ts";

const IOVA = 0x1_0000n;
const LENGTH = 64;
const ASKED = { unsafeNoIommu: true };

/** The device of the machine that has no IOMMU. */
function bareOf(t: Caller): string {
  check(t.setup.bare !== undefined, "the host named no device without an IOMMU");
  return t.setup.bare;
}

/** Where the kernel says that memory is, and how many bytes from there on. */
function physical(t: Caller, iommu: number, ioas: number, iova: bigint, length: number | bigint): [bigint, bigint] {
  const answer = t.do(iommu, "IOAS_NOIOMMU_GET_PA", { ioas_id: ioas, iova, length });
  return [answer.big("out_phys"), answer.big("length")];
}

/** The device, attached to an IOAS with pages at {@linkcode IOVA}. */
function prepared(t: Caller, pages = 1) {
  const bare = attached(t, bareOf(t));
  const va = t.memory(pages * PAGE);
  t.bytes(va, pages * PAGE).fill(1);
  mapAt(t, bare.iommu, bare.ioas, IOVA, va, pages * PAGE);
  return { ...bare, va, bytes: t.bytes(va, pages * PAGE) };
}

const OPENING: Suite<Caller>["cases"] = [
  {
    name: "the node says it, the list of devices too, and no group isolates it",
    run(t) {
      const address = bareOf(t);
      check(/^\/dev\/vfio\/devices\/noiommu-vfio\d+$/.test(t.nodeOf(address)), t.nodeOf(address));
      const devices = listDevices(t.kernel);
      const found = devices.find((device) => device.address === address)!;
      equal([found.node, found.noIommu, found.group, found.iommu, found.reserved.length], [
        t.nodeOf(address),
        true,
        undefined,
        undefined,
        0,
      ]);
      const other = devices.find((device) => device.address === t.devices.alone)!;
      equal([other.noIommu, other.group !== undefined], [false, true]);
    },
  },
  {
    name: "no program gets one that did not ask for it",
    run(t) {
      for (const name of [bareOf(t), t.nodeOf(bareOf(t))]) {
        equal(codeOf(() => DeviceFd.open(t.kernel, name)), "EPERM");
        using device = DeviceFd.open(t.kernel, name, ASKED);
        equal(device.noIommu, true);
      }
      using device = DeviceFd.open(t.kernel, t.devices.alone, ASKED);
      equal(device.noIommu, false, "asking for it changes nothing for another device");
    },
  },
  {
    name: "rule 1: it is open once",
    run(t) {
      using _device = DeviceFd.open(t.kernel, bareOf(t), ASKED);
      equal(codeOf(() => DeviceFd.open(t.kernel, bareOf(t), ASKED)), "EBUSY");
    },
  },
  {
    name: "rule 2: until it is bound every request of it is EINVAL, and a bind that failed can be made good",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const device = t.device(bareOf(t));
      t.refused("EINVAL", device, "DEVICE_GET_INFO");
      t.refused("EINVAL", device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: ioas });
      equal(tryBind(t, device, 1000).code, "EBADF");
      bind(t, device, iommu);
      t.do(device, "DEVICE_GET_INFO");
      equal(tryBind(t, device, iommu).code, "EINVAL");
    },
  },
  {
    name: "rules 3 and 4: who has bound it has it until the fd is closed, whoever has the other devices",
    run(t) {
      const [one, two] = [t.iommu(), t.iommu()];
      openBound(t, one, t.devices.alone);
      const { device, id } = openBound(t, two, bareOf(t));
      t.refused("EBUSY", two, "DESTROY", { id });
      t.close(device);
      t.refused("ENOENT", two, "DESTROY", { id });
      openBound(t, one, bareOf(t));
    },
  },
  {
    name: "rule 5: the iommufd lives as long as the device is bound to it",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { device } = openBound(t, iommu, bareOf(t));
      t.close(iommu);
      attach(t, device, ioas);
    },
  },
];

const TABLES: Suite<Caller>["cases"] = [
  {
    name: "there is no hardware to tell of: GET_HW_INFO is EOPNOTSUPP, behind the check of the device",
    run(t) {
      const iommu = t.iommu();
      const { id } = openBound(t, iommu, bareOf(t));
      t.refused("EOPNOTSUPP", iommu, "GET_HW_INFO", { dev_id: id });
      t.refused("ENOENT", iommu, "GET_HW_INFO", { dev_id: NO_ID });
    },
  },
  {
    name: "HWPT_ALLOC takes no flag but that of a fault queue, no data, and makes nothing nested",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { device, id } = openBound(t, iommu, bareOf(t));
      const request = { dev_id: id, pt_id: ioas };
      for (const flags of [HWPT_ALLOC_NEST_PARENT, HWPT_ALLOC_DIRTY_TRACKING, HWPT_ALLOC_PASID, 16]) {
        t.refused("EOPNOTSUPP", iommu, "HWPT_ALLOC", { ...request, flags });
      }
      const data = t.block(16);
      t.refused("EOPNOTSUPP", iommu, "HWPT_ALLOC", { ...request, data_type: HWPT_DATA_VTD_S1, data_len: 16, data_uptr: data.address });
      const queue = t.do(iommu, "FAULT_QUEUE_ALLOC");
      t.adopt(queue.number("out_fault_fd"));
      const reporting = { ...request, flags: HWPT_FAULT_ID_VALID, fault_id: queue.number("out_fault_id") };
      attach(t, device, t.do(iommu, "HWPT_ALLOC", reporting).number("out_hwpt_id"));
      const hwpt = newHwpt(t, iommu, id, ioas);
      t.refused("EOPNOTSUPP", iommu, "HWPT_ALLOC", { ...request, pt_id: hwpt });
      t.refused("EOPNOTSUPP", iommu, "HWPT_SET_DIRTY_TRACKING", { hwpt_id: hwpt, flags: 1 });
      t.refused("EOPNOTSUPP", iommu, "VIOMMU_ALLOC", { type: 1, dev_id: id, hwpt_id: hwpt });
      attach(t, device, hwpt);
    },
  },
  {
    name: "a PASID of it can be attached to nothing: EINVAL",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const { device, id } = openBound(t, iommu, bareOf(t));
      for (const pt_id of [ioas, newHwpt(t, iommu, id, ioas)]) {
        t.refused("EINVAL", device, "DEVICE_ATTACH_IOMMUFD_PT", { flags: 1, pasid: 1, pt_id });
      }
    },
  },
  {
    name: "no address is reserved for it, and all but the last can be mapped",
    run(t) {
      const { iommu, ioas, device } = attached(t, bareOf(t));
      const va = t.memory(PAGE);
      for (const iova of [0n, 0xfee0_0000n, 1n << 57n, 2n ** 64n - 2n * PAGE64]) {
        mapAt(t, iommu, ioas, iova, va, PAGE);
        equal(physical(t, iommu, ioas, iova, PAGE)[1], PAGE64);
      }
      t.refused("EOVERFLOW", iommu, "IOAS_NOIOMMU_GET_PA", { ioas_id: ioas, iova: 2n ** 64n - 1n, length: 1 });
      detach(t, device);
      t.refused("EOPNOTSUPP", iommu, "IOAS_NOIOMMU_GET_PA", { ioas_id: ioas, iova: 0n, length: 1 });
    },
  },
];

const MIXED: Suite<Caller>["cases"] = [
  {
    name: "a device with an IOMMU is refused by its page table (EINVAL, to replace ENODEV), while an IOMMU's takes it",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const bare = openBound(t, iommu, bareOf(t));
      const other = openBound(t, iommu, t.devices.alone);
      const software = newHwpt(t, iommu, bare.id, ioas);
      const hardware = newHwpt(t, iommu, other.id, ioas);
      t.refused("EINVAL", other.device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: software });
      attach(t, other.device, hardware);
      t.refused("ENODEV", other.device, "DEVICE_ATTACH_IOMMUFD_PT", { pt_id: software });
      attach(t, bare.device, hardware);
      attach(t, bare.device, software);
    },
  },
  {
    name: "in an IOAS of both, addresses are told while the page table that came first is one of a device without",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const bare = openBound(t, iommu, bareOf(t));
      const other = openBound(t, iommu, t.devices.alone);
      mapAt(t, iommu, ioas, IOVA, t.memory(PAGE), PAGE);
      const code = () => t.ask(iommu, "IOAS_NOIOMMU_GET_PA", { ioas_id: ioas, iova: IOVA, length: PAGE }).code;
      const automatic = attach(t, other.device, ioas);
      equal(attach(t, bare.device, ioas), automatic, "the IOMMU's page table suits it");
      equal(code(), "EOPNOTSUPP");
      detach(t, other.device);
      detach(t, bare.device);
      attach(t, bare.device, ioas);
      equal(code(), "OK");
      attach(t, other.device, ioas);
      equal(code(), "OK");
      detach(t, bare.device);
      equal(code(), "EOPNOTSUPP");
      const software = [newHwpt(t, iommu, bare.id, ioas), newHwpt(t, iommu, bare.id, ioas)];
      equal(code(), "EOPNOTSUPP");
      // The last takes the place of the first.
      detach(t, other.device);
      equal(code(), "OK");
      for (const id of software) t.do(iommu, "DESTROY", { id });
      equal(code(), "EOPNOTSUPP");
    },
  },
];

const MEMORY: Suite<Caller>["cases"] = [
  {
    name: "the kernel says where a page is, and how far the memory goes on there, up to what was asked and the end of the mapping",
    run(t) {
      const { iommu, ioas } = prepared(t, 4);
      const [first, length] = physical(t, iommu, ioas, IOVA, 4 * PAGE);
      equal([first % PAGE64, length % PAGE64, length >= PAGE64], [0n, 0n, true]);
      equal(physical(t, iommu, ioas, IOVA + 100n, 50), [first + 100n, 50n]);
      // What goes on is the sum of pages that follow each other.
      let run = PAGE64;
      while (run < 4n * PAGE64 && physical(t, iommu, ioas, IOVA + run, 1)[0] === first + run) run += PAGE64;
      equal(length, run);
      const [last, rest] = physical(t, iommu, ioas, IOVA + 4n * PAGE64 - 1n, 2n ** 64n - 1n);
      equal([last % PAGE64, rest], [PAGE64 - 1n, 1n]);
    },
  },
  {
    name: "its transfers go to the physical addresses that the kernel said",
    async run(t) {
      const { iommu, ioas, device, bytes } = prepared(t, 2);
      const edu = new Edu(t, device);
      const [from, to] = [IOVA + 16n, IOVA + PAGE64 + 32n].map((iova) => physical(t, iommu, ioas, iova, LENGTH)[0]) as [bigint, bigint];
      const before = bytes.fill(0x99).slice();
      for (let at = 0; at < LENGTH; at++) before[16 + at] = bytes[16 + at] = at * 31 + 7;
      await edu.fetch(from, 0, LENGTH);
      await edu.store(0, to, LENGTH);
      before.copyWithin(PAGE + 32, 16, 16 + LENGTH);
      equal(bytes, before);
    },
  },
  {
    name: "rule 6 does not hold: detached, or where nothing is mapped any more, it reaches the same memory",
    async run(t) {
      const { iommu, ioas, device, id, bytes, va } = prepared(t);
      const edu = new Edu(t, device);
      const [pa] = physical(t, iommu, ioas, IOVA, LENGTH);
      // A page table without devices keeps the memory where it is.
      newHwpt(t, iommu, id, ioas);
      detach(t, device);
      bytes.fill(5, 0, LENGTH).fill(6, LENGTH, 2 * LENGTH);
      await edu.fetch(pa, 0, LENGTH);
      await edu.store(0, pa + BigInt(LENGTH), LENGTH);
      equal(bytes.slice(0, 2 * LENGTH), new Uint8Array(2 * LENGTH).fill(5), "detached");
      const other = t.do(iommu, "IOAS_ALLOC").number("out_ioas_id");
      mapAt(t, iommu, other, IOVA, va, PAGE);
      attach(t, device, other);
      unmap(t, iommu, ioas, IOVA, PAGE);
      unmap(t, iommu, other, IOVA, PAGE);
      mapAt(t, iommu, ioas, IOVA * 2n, va, PAGE);
      bytes.fill(7, 0, LENGTH);
      await edu.fetch(pa, 0, LENGTH);
      await edu.store(0, pa + BigInt(LENGTH), LENGTH);
      equal(bytes.slice(0, 2 * LENGTH), new Uint8Array(2 * LENGTH).fill(7), "with nothing mapped in what it is attached to");
    },
  },
  {
    name: "the typed API tells where a buffer is, in as many pieces as it lies in",
    run(t) {
      using iommu = IommuFd.open(t.kernel);
      using ioas = iommu.createIoas();
      using file = DeviceFd.open(t.kernel, bareOf(t), ASKED);
      using device = file.bind(iommu);
      device.attach(ioas);
      using buffer = ioas.createDmaBuffer(4 * PAGE);
      let done = 0n;
      while (done < BigInt(buffer.bytes.length)) {
        const { address, length } = ioas.physicalRange(buffer.iova + done, buffer.bytes.length - Number(done));
        check(address > 0n && length > 0n, `${address}, ${length} bytes`);
        done += length;
      }
      equal(done, 4n * PAGE64);
      equal(codeOf(() => ioas.physicalRange(buffer.iova + done, 1)), "ENOENT");
      equal(codeOf(() => device.hwInfo()), "EOPNOTSUPP");
      equal(codeOf(() => ioas.createHwpt(device, { pasid: true })), "EOPNOTSUPP");
    },
  },
];

/** Devices without an IOMMU. Needs {@linkcode Setup.bare}. */
export const NO_IOMMU: Suite<Caller> = { name: "no IOMMU", cases: [...OPENING, ...TABLES, ...MIXED, ...MEMORY] };
