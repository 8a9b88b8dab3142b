/**
 * Dma-bufs of the request with which Linux tests iommufd: memory of a device, which page tables have until the device takes it back.
 *
 * @module
 */
import { PROT_READ, PROT_WRITE } from "../../uapi/kernel.ts";
import { equal } from "../check.ts";
import type { Suite } from "../harness.ts";
import { type Caller, codeOf } from "./caller.ts";
import { FIXED, iommuWithIoas, newIoas, PAGE, READ_WRITE, unmap } from "./steps.ts";

/** Make a dma-buf. Linux 7.3 does not answer its fd, which is the next that is free. */
function newDmabuf(t: Caller, iommu: number, length: number): number {
  const next = t.eventfd();
  t.close(next);
  t.do(iommu, "TEST_CMD/TestDmabufGet", { length, open_flags: 0o2000002 });
  return t.adopt(next);
}

function mapFile(t: Caller, iommu: number, ioas: number, fd: number, start: number | bigint, length: number | bigint): string {
  return t.ask(iommu, "IOAS_MAP_FILE", { ioas_id: ioas, flags: READ_WRITE, fd, start, length }).code;
}

function revoke(t: Caller, iommu: number, fd: number, revoked: number): string {
  return t.ask(iommu, "TEST_CMD/TestDmabufRevoke", { dmabuf_fd: fd, revoked }).code;
}

const CASES: Suite<Caller>["cases"] = [
  {
    name: "a dma-buf has whole pages, 512 at most, and only they can be mapped",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      for (const length of [0, 512 * PAGE + 1, 2 ** 32 - 4095]) t.refused("EINVAL", iommu, "TEST_CMD/TestDmabufGet", { length });
      const file = newDmabuf(t, iommu, PAGE + 1);
      equal([mapFile(t, iommu, ioas, file, 0, 2 * PAGE), mapFile(t, iommu, ioas, file, 2 * PAGE - 1, 1)], ["OK", "OK"]);
      equal([mapFile(t, iommu, ioas, file, 0, 2 * PAGE + 1), mapFile(t, iommu, ioas, file, 2 * PAGE, 1)], ["EINVAL", "EINVAL"]);
      equal([mapFile(t, iommu, ioas, file, 0, 0), mapFile(t, iommu, ioas, file, 2n ** 64n - 1n, 2)], ["EINVAL", "EOVERFLOW"]);
      equal(codeOf(t.tryMmap(0n, PAGE, PROT_READ | PROT_WRITE, 1, file)), "EINVAL");
      equal(codeOf(t.kernel.ioctl(file, 0x3b64, 0)), "ENOTTY");
    },
  },
  {
    name: "what a device has taken back cannot be mapped, and what is mapped stays without memory",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const file = newDmabuf(t, iommu, 4 * PAGE);
      const map = () => t.do(iommu, "IOAS_MAP_FILE", { ioas_id: ioas, flags: READ_WRITE, fd: file, length: 2 * PAGE }).big("iova");
      const before = map();
      t.do(iommu, "TEST_CMD/TestMockDomain", { id: newIoas(t, iommu) });
      equal([revoke(t, iommu, file, 1), revoke(t, iommu, file, 2), mapFile(t, iommu, ioas, file, 0, PAGE)], ["OK", "OK", "ENODEV"]);
      equal(mapFile(t, iommu, ioas, file, 4 * PAGE, 1), "EINVAL", "its end is looked at before");
      equal(revoke(t, iommu, file, 0), "OK");
      const after = map();
      equal([before, after].map((iova) => unmap(t, iommu, ioas, iova, 2 * PAGE)), [8192n, 8192n]);
    },
  },
  {
    name: "page tables take areas of revoked memory, copies of them too",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const mock = t.do(iommu, "TEST_CMD/TestMockDomain", { id: ioas });
      const [stdev, idev] = [mock.number("out_stdev_id"), mock.number("out_idev_id")];
      const file = newDmabuf(t, iommu, 4 * PAGE);
      const iova = 2n ** 24n;
      t.do(iommu, "IOAS_MAP_FILE", { ioas_id: ioas, flags: FIXED, fd: file, length: 4 * PAGE, iova });
      equal(revoke(t, iommu, file, 1), "OK");
      const copy = { flags: FIXED, dst_ioas_id: ioas, src_ioas_id: ioas, length: PAGE, dst_iova: 2n ** 25n, src_iova: iova };
      t.do(iommu, "IOAS_COPY", copy);
      t.do(iommu, "HWPT_ALLOC", { dev_id: idev, pt_id: ioas });
      equal(t.ask(iommu, "DESTROY", { id: stdev }).code, "OK");
      t.close(file);
      equal([unmap(t, iommu, ioas, iova, 4 * PAGE), unmap(t, iommu, ioas, 2n ** 25n, PAGE)], [16384n, 4096n]);
    },
  },
  {
    name: "accesses neither pin nor copy memory of a dma-buf, and no process takes it over",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const file = newDmabuf(t, iommu, 2 * PAGE);
      const iova = t.do(iommu, "IOAS_MAP_FILE", { ioas_id: ioas, flags: 4, fd: file, length: 2 * PAGE }).big("iova");
      const access = t.adopt(t.do(iommu, "TEST_CMD/TestCreateAccess", { id: ioas, flags: 1 }).number("out_access_fd"));
      const code = (name: string, flags: number) =>
        t.ask(iommu, name, { id: access, iova, length: PAGE, uptr: t.block(PAGE).address, flags }).code;
      equal([code("TEST_CMD/TestAccessPages", 0), code("TEST_CMD/TestAccessPages", 1)], ["EINVAL", "EPERM"]);
      equal([code("TEST_CMD/TestAccessRw", 0), code("TEST_CMD/TestAccessRw", 1)], ["EINVAL", "EPERM"]);
      t.refused("EINVAL", iommu, "IOAS_CHANGE_PROCESS");
    },
  },
  {
    name: "an area of a dma-buf is not cut",
    run(t) {
      const { iommu, ioas } = iommuWithIoas(t);
      const file = newDmabuf(t, iommu, 2 * PAGE);
      t.do(iommu, "VFIO_IOAS", { op: 1, ioas_id: ioas });
      equal(t.kernel.ioctl(iommu, 0x3b66, 1), 0);
      t.do(iommu, "IOAS_MAP_FILE", { ioas_id: ioas, flags: FIXED, fd: file, length: 2 * PAGE, iova: 0x1_0000n });
      t.refused("EOPNOTSUPP", iommu, "IOMMU_UNMAP_DMA", { iova: 0x1_0000n, size: PAGE });
      equal(t.ask(iommu, "IOMMU_UNMAP_DMA", { iova: 0x1_0000n, size: 2 * PAGE }).code, "OK");
    },
  },
  {
    name: "only a dma-buf can be revoked",
    run(t) {
      const iommu = t.iommu();
      equal([revoke(t, iommu, t.memfd(PAGE), 1), revoke(t, iommu, iommu, 1)], ["EINVAL", "EINVAL"]);
      equal(revoke(t, iommu, 0x7fff_0000, 1), "EBADF");
    },
  },
];

/** Dma-bufs. Only for kernels with the feature "mock-iommu". */
export const DMABUFS: Suite<Caller> = { name: "dma-bufs", cases: CASES };
