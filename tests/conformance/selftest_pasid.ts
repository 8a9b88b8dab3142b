/**
 * TEST_CMD: PASIDs of mock devices.
 *
 * @module
 */
import { HWPT_ALLOC_PASID, MOCK_FLAGS_DEVICE_PASID } from "../../uapi/codec.ts";
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import type { Caller } from "./caller.ts";
import { iommuWithIoas, NO_ID } from "./steps.ts";

/** The PASID that the mock IOMMU refuses every second time. */
const REFUSED = 1024;

/** A mock device on an automatic page table, and two page tables that take PASIDs. */
class Device {
  readonly iommu: number;
  readonly ioas: number;
  /** The test object. */
  readonly stdev: number;
  readonly idev: number;
  readonly tables: readonly [number, number];

  constructor(readonly t: Caller, flags: number) {
    ({ iommu: this.iommu, ioas: this.ioas } = iommuWithIoas(t));
    const mock = t.do(this.iommu, "TEST_CMD/TestMockDomainFlags", { id: this.ioas, dev_flags: flags });
    this.stdev = mock.number("out_stdev_id");
    this.idev = mock.number("out_idev_id");
    this.tables = [this.table(), this.table()];
  }

  table(flags: number = HWPT_ALLOC_PASID): number {
    return this.t.do(this.iommu, "HWPT_ALLOC", { dev_id: this.idev, pt_id: this.ioas, flags }).number("out_hwpt_id");
  }

  /** Move the device itself. */
  move(target: number): string {
    return this.t.ask(this.iommu, "TEST_CMD/TestMockDomainReplace", { id: this.stdev, pt_id: target }).code;
  }

  attach(pasid: number, target: number, id = this.stdev): string {
    return this.t.ask(this.iommu, "TEST_CMD/TestPasidAttach", { id, pasid, pt_id: target }).code;
  }

  replace(pasid: number, target: number, id = this.stdev): string {
    return this.t.ask(this.iommu, "TEST_CMD/TestPasidReplace", { id, pasid, pt_id: target }).code;
  }

  detach(pasid: number, id = this.stdev): string {
    return this.t.ask(this.iommu, "TEST_CMD/TestPasidDetach", { id, pasid }).code;
  }

  check(pasid: number, table: number, id = this.stdev): string {
    return this.t.ask(this.iommu, "TEST_CMD/TestPasidCheckHwpt", { id, pasid, hwpt_id: table }).code;
  }

  destroy(id: number): string {
    return this.t.ask(this.iommu, "DESTROY", { id }).code;
  }
}

const CASES: Suite<Caller>["cases"] = [
  {
    name: "a PASID is attached, replaced, looked at and detached",
    run(t) {
      const d = new Device(t, MOCK_FLAGS_DEVICE_PASID);
      const [one, two] = d.tables;
      equal(d.attach(1, one), "EINVAL", "beside an automatic page table");
      equal(d.move(one), "OK");
      equal([d.replace(1, one), d.attach(1, one), d.attach(1, one), d.attach(1, d.ioas)], ["EINVAL", "OK", "EBUSY", "EBUSY"]);
      equal([d.attach(2, d.ioas), d.attach(2, NO_ID), d.attach(2, d.idev)], ["EINVAL", "ENOENT", "EINVAL"]);
      equal([d.replace(1, d.table(0)), d.replace(1, two), d.replace(1, two)], ["EINVAL", "OK", "OK"]);
      equal([d.move(d.ioas), d.move(two), d.move(one)], ["EINVAL", "OK", "OK"]);
      equal([d.check(1, two), d.check(1, one), d.check(1, 0)], ["OK", "EINVAL", "EINVAL"]);
      equal([d.check(0, one), d.check(2, 0), d.check(2, one)], ["OK", "OK", "EINVAL"]);
      equal([d.check(1, d.ioas), d.check(1, NO_ID)], ["EINVAL", "ENOENT"]);
      equal([d.destroy(two), d.detach(1), d.detach(1), d.destroy(two)], ["EBUSY", "OK", "OK", "OK"]);
    },
  },
  {
    name: "PASIDs of what is no test object are ENOENT",
    run(t) {
      const d = new Device(t, MOCK_FLAGS_DEVICE_PASID);
      for (const id of [NO_ID, d.idev, d.ioas]) {
        equal([d.attach(1, d.ioas, id), d.replace(1, d.ioas, id), d.detach(1, id), d.check(1, 0, id)], new Array(4).fill("ENOENT"));
      }
    },
  },
  {
    name: "PASID 0 is the device itself",
    run(t) {
      const d = new Device(t, MOCK_FLAGS_DEVICE_PASID);
      const [one] = d.tables;
      equal(d.attach(0, one), "EBUSY");
      equal([d.detach(0), d.move(one), d.check(0, 0)], ["OK", "EINVAL", "OK"]);
      equal([d.attach(0, d.ioas), d.move(one), d.check(0, one)], ["OK", "OK", "OK"]);
      equal([d.replace(0, d.ioas), d.detach(0), d.destroy(d.stdev)], ["OK", "OK", "OK"]);
    },
  },
  {
    name: "a device has PASIDs of 20 bits, or takes none",
    run(t) {
      const d = new Device(t, MOCK_FLAGS_DEVICE_PASID);
      const [one] = d.tables;
      equal(d.move(one), "OK");
      equal([d.attach(2 ** 20 - 1, one), d.attach(2 ** 20, one), d.attach(2 ** 32 - 1, one)], ["OK", "EINVAL", "EINVAL"]);
      equal(d.detach(2 ** 20 - 1), "OK");
      const plain = new Device(t, 0);
      equal(plain.move(plain.tables[0]), "OK");
      equal([1, REFUSED, 2 ** 32 - 1].map((pasid) => plain.attach(pasid, plain.tables[0])), ["EINVAL", "EINVAL", "EINVAL"]);
    },
  },
  {
    name: "one PASID is refused every second time, and what it was attached to stays",
    run(t) {
      const d = new Device(t, MOCK_FLAGS_DEVICE_PASID);
      const [one, two] = d.tables;
      equal(d.move(one), "OK");
      equal([d.attach(REFUSED, one), d.replace(REFUSED, two), d.check(REFUSED, one)], ["OK", "ENOMEM", "OK"]);
      equal([d.replace(REFUSED, two), d.replace(REFUSED, two), d.replace(REFUSED, one)], ["OK", "OK", "ENOMEM"]);
      for (let times = 0; times < 2; times++) equal([d.detach(REFUSED), d.attach(REFUSED, one)], ["OK", "OK"]);
      equal(d.detach(REFUSED), "OK");
    },
  },
];

/** PASIDs of mock devices. */
export const SELFTEST_PASIDS: Suite<Caller> = { name: "TEST_CMD, PASIDs", cases: CASES };
