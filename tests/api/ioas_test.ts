/**
 * Address spaces: where mappings can be, and what is mapped where.
 */
import { IommuFd } from "../../mod.ts";
import { check, equal } from "../check.ts";
import { ADDRESSES, attached, boot, failure, nameOf } from "./machine.ts";
import { Puppet } from "../rules/puppet.ts";

const U64_LAST = 2n ** 64n - 1n;
const all = [{ start: 0n, last: U64_LAST }];

Deno.test("an address space without devices has all addresses, and those of its devices with them", async () => {
  using machine = await boot();
  using iommu = IommuFd.open(machine.kernel);
  equal(iommu.createIoas().ranges, { ranges: all, alignment: 1n });
  using world = attached(machine.kernel);
  const { ranges, alignment } = world.ioas.ranges;
  equal([ranges, alignment], [[{ start: 0n, last: 0xfedf_ffffn }, { start: 0xfef0_0000n, last: 2n ** 48n - 1n }], 4096n]);
});

Deno.test("more ranges than the first try has room for are all told, in order", async () => {
  const count = 40;
  const reserved = Array.from({ length: count }, (_, at) => {
    const start = 0x1000_0000n + BigInt(at) * 0x10_0000n;
    return { start, last: start + 0xfffn, kind: "reserved" as const };
  });
  using machine = await boot({ pci: [{ slot: "03.0", model: new Puppet(), reserved }] });
  using world = attached(machine.kernel);
  const { ranges } = world.ioas.ranges;
  equal(ranges.length, count + 2, "the interrupt window parts the last");
  equal(
    ranges.slice(1, count).map(({ start, last }) => [start, last]),
    reserved.slice(1).map(({ start }) => [start - 0xff000n, start - 1n]),
  );
  equal(ranges.at(-1)!.last, 2n ** 48n - 1n);
});

Deno.test("as many ranges as the first try has room for, and one more", async () => {
  for (const count of [14, 15]) {
    const reserved = Array.from({ length: count }, (_, at) => {
      const start = 0x1000_0000n + BigInt(at) * 0x10_0000n;
      return { start, last: start + 0xfffn, kind: "reserved" as const };
    });
    using machine = await boot({ pci: [{ slot: "03.0", model: new Puppet(), reserved }] });
    using world = attached(machine.kernel);
    equal(world.ioas.ranges.ranges.length, count + 2);
  }
});

Deno.test("automatic addresses come from the allowed ranges, fixed ones may lie elsewhere", async () => {
  using machine = await boot();
  using iommu = IommuFd.open(machine.kernel);
  const ioas = iommu.createIoas();
  ioas.allow([{ start: 0x5_0000n, last: 0x5_1fffn }, { start: 0x9_0000n, last: 0x9_0fffn }]);
  const found = [1, 2, 3].map(() => ioas.createDmaBuffer(4096).iova).sort();
  equal(found, [0x5_0000n, 0x5_1000n, 0x9_0000n]);
  const full = failure(() => ioas.createDmaBuffer(4096), "ENOSPC");
  check(full.advice.includes("allow more") && !("iova" in full.values), full.message);
  equal(ioas.createDmaBuffer(4096, { iova: 0x100_0000n }).iova, 0x100_0000n);
  ioas.allow([]);
  ioas.createDmaBuffer(4096);
});

Deno.test("ranges that overlap, are upside down or reserved are refused, and the old ones stay", async () => {
  using machine = await boot();
  using world = attached(machine.kernel);
  const { ioas } = world;
  ioas.allow([{ start: 0x1_0000n, last: 0x1_0fffn }]);
  const wrong = [
    [[{ start: 0n, last: 0x1fffn }, { start: 0x1000n, last: 0x2fffn }], "EINVAL"],
    [[{ start: 0x2000n, last: 0x1000n }], "EINVAL"],
    [[{ start: 0n, last: 0xfee0_0fffn }], "EADDRINUSE"],
  ] as const;
  for (const [ranges, code] of wrong) equal(failure(() => ioas.allow(ranges), code).values, { count: ranges.length, ioas: ioas.id });
  equal(ioas.createDmaBuffer(4096).iova, 0x1_0000n);
});

Deno.test("memory of the process is mapped where it is asked for, and a refusal names what was asked", async () => {
  using machine = await boot();
  const { kernel, puppets: [puppet] } = machine;
  using world = attached(kernel);
  const { ioas } = world;
  using buffer = ioas.createDmaBuffer(8192);
  buffer.bytes[4096] = 3;
  equal(ioas.map(buffer, { iova: 0x100_0000n }), 0x100_0000n, "a buffer is memory of the process");
  const second = ioas.map({ address: buffer.address + 4096n, length: 4096n }, { write: false });
  equal([puppet.reads(0x100_1000n, 1), puppet.reads(second, 1)], [Uint8Array.of(3), Uint8Array.of(3)]);
  equal(puppet.writes(second, Uint8Array.of(1)), "no-write");
  const taken = failure(() => ioas.map(buffer, { iova: 0x100_0000n }), "EEXIST");
  equal([taken.operation, taken.values.iova, taken.values.ioas], ["IOAS_MAP", 0x100_0000n, ioas.id]);
  check(taken.message.startsWith("Cannot map 0x2000 bytes at 0x"), taken.message);
  failure(() => ioas.map({ address: 0x10_0000_0000n, length: 4096 }), "EFAULT");
  failure(() => ioas.map({ address: U64_LAST, length: 4096 }), "EOVERFLOW");
  equal(ioas.unmapAll(), 8192n + 8192n + 4096n);
});

Deno.test("a mapping is copied between address spaces of one iommufd, with less access if wished", async () => {
  using machine = await boot();
  const { kernel, puppets: [, puppet] } = machine;
  using one = attached(kernel, ADDRESSES[0]);
  const target = one.iommu.createIoas();
  using buffer = one.ioas.createDmaBuffer(8192, { iova: 0x8000n });
  buffer.bytes[4096] = 9;
  using two = attached(kernel, ADDRESSES[1]);
  const foreign = failure(() => two.ioas.copy(one.ioas, { sourceIova: 0x8000n, length: 8192 }), "ENOENT");
  equal(foreign.advice, "The source was disposed, or belongs to another iommu_fd.");
  equal(target.copy(one.ioas, { sourceIova: 0x9000n, length: 4096, iova: 0xd_0000n, write: false }), 0xd_0000n);
  const automatic = target.copy(one.ioas, { sourceIova: 0x8000n, length: 8192n });
  equal(failure(() => target.copy(one.ioas, { sourceIova: 0x9000n, length: 8192 }), "ENOENT").operation, "IOAS_COPY");
  one.device.attach(target);
  const { puppets: [first] } = machine;
  equal([first.reads(0xd_0000n, 1), first.reads(automatic + 4096n, 1)], [Uint8Array.of(9), Uint8Array.of(9)]);
  equal([first.writes(0xd_0000n, Uint8Array.of(1)), first.writes(automatic, Uint8Array.of(1))], ["no-write", "OK"]);
  equal(buffer.bytes[0], 1);
  equal(puppet.reads(0x8000n, 1), "not-present", "the other iommufd's device sees nothing of it");
  equal(target.unmapAll(), 12288n);
});

Deno.test("large pages are used unless they are switched off, which an address space that devices see mappings of does not take", async () => {
  using machine = await boot({ memory: 16 * 2 ** 20 });
  const { kernel } = machine;
  using world = attached(kernel);
  const { ioas, device } = world;
  equal(ioas.hugePages, true);
  ioas.hugePages = false;
  ioas.hugePages = true;
  using _buffer = ioas.createDmaBuffer(2 ** 21, { iova: 0x20_0000n });
  const refused = failure(() => ioas.hugePages = false, "EINVAL");
  check(refused.message.startsWith(`Cannot set large pages of IOAS ${ioas.id}: EINVAL`), refused.message);
  const small = world.iommu.createIoas();
  small.hugePages = false;
  equal([small.hugePages, ioas.hugePages], [false, true]);
  const before = kernel.inspect.statistics.pages.get(12) ?? 0;
  using _other = small.createDmaBuffer(2 ** 21, { iova: 0x20_0000n });
  device.attach(small);
  equal((kernel.inspect.statistics.pages.get(12) ?? 0) - before >= 512, true);
  small.hugePages = true;
  equal(small.hugePages, true, "to switch them on is always taken");
});

Deno.test("who pays for pinned memory is set before anything else, or never", async () => {
  using machine = await boot();
  using iommu = IommuFd.open(machine.kernel);
  equal(iommu.rlimitMode, "user");
  iommu.rlimitMode = "process";
  equal(iommu.rlimitMode, "process");
  equal(nameOf(() => iommu.rlimitMode = "nobody" as never), "TypeError");
  iommu.createIoas();
  const refused = failure(() => iommu.rlimitMode = "user", "EBUSY");
  equal([refused.message.startsWith("Cannot set the mode of the limit of locked memory: EBUSY"), iommu.rlimitMode], [true, "process"]);
});

Deno.test("an attach to another target is a move, and what the other iommufd has is no target", async () => {
  using machine = await boot();
  using world = attached(machine.kernel);
  using other = IommuFd.open(machine.kernel);
  const { iommu, ioas, device } = world;
  const second = iommu.createIoas();
  using _one = ioas.createDmaBuffer(4096, { iova: 0x1000n });
  using two = second.createDmaBuffer(4096, { iova: 0x1000n });
  two.bytes[0] = 2;
  const hwpt = second.createHwpt(device, { nestParent: false });
  equal([device.attach(hwpt), device.attachedTo === hwpt], [hwpt.id, true]);
  equal(machine.puppets[0].reads(0x1000n, 1), Uint8Array.of(2));
  const stranger = other.createIoas();
  check(failure(() => device.attach(stranger), "ENOENT").message.includes(`to IOAS ${stranger.id}`), "the target is named");
  check(failure(() => stranger.createHwpt(device), "ENOENT").advice.includes("another iommu_fd"), "advice");
  equal(device.attachedTo === hwpt, true);
  device.detach();
  device.detach();
  equal([device.attachedTo, machine.puppets[0].reads(0x1000n, 1)], [undefined, "blocked"]);
});
