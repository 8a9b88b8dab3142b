/**
 * Errors are explained by facts of the machine: each case makes a mistake on a machine, and says what the error must tell.
 */
import type { ErrnoName, Fault } from "../../backends/wrap/mod.ts";
import { faults } from "../../backends/wrap/mod.ts";
import { DeviceFd, IommuError, IommuFd, type Kernel, MemFd } from "../../mod.ts";
import { check, equal, thrown } from "../check.ts";
import { openSimulated } from "../conformance/simulated.ts";
import type { TestDevices } from "../conformance/setup.ts";
import { type Told, toldKernel } from "./told_kernel.ts";

/** What a case works with. */
interface World {
  readonly kernel: Kernel;
  readonly devices: TestDevices;
  /** Give it back at the end. */
  readonly use: <T extends Disposable>(value: T) => T;
}

interface Case {
  readonly name: string;
  readonly code: ErrnoName;
  /** What the advice must contain. */
  readonly says: readonly (string | RegExp)[];
  /** What it must not contain. */
  readonly not?: string;
  /** The mistake. It must throw. */
  readonly run: (world: World) => unknown;
  /** Machine: Linux's rules, or a limit of pinned memory. */
  readonly rules?: "ours" | "linux";
  readonly memlock?: number;
  /** What the machine says besides. */
  readonly told?: Told;
  /** An answer that the simulated kernel does not give. */
  readonly fault?: Omit<Fault, "nth">;
}

const MEBIBYTE = 2 ** 20;
const NODE = "/dev/vfio/devices/vfio1";

/** /proc of a program that runs as user 1000 with a limit of 8 MiB, 2 MiB of which are pinned. */
const PROC = {
  "/proc/self/limits":
    "Limit  Soft Limit  Hard Limit  Units\nMax open files            256    4096    files\nMax locked memory   8388608   8388608   bytes\n",
  "/proc/self/status": "Name:\tdeno\nUid:\t1000\t1000\t1000\t1000\nVmLck:\t      0 kB\nVmPin:\t   2048 kB\nCapEff:\t0000000000000000\n",
  "/proc/self/uid_map": "         0          0 4294967295\n",
  "/proc/sys/kernel/osrelease": "6.8.0-generic\n",
  "/proc/meminfo": "MemTotal: 1000 kB\nMemAvailable:   4096 kB\n",
};
/** /proc of a machine where process 77 has `path` open. */
function heldBy(path: string): Told {
  return {
    files: { "/proc/77/comm": "qemu-system-x86\n" },
    links: { "/proc/self": "42", "/proc/77/fd/9": path },
    directories: { "/proc": ["1", "42", "77", "self"], "/proc/1/fd": [], "/proc/77/fd": ["0", "9"] },
  };
}
const bindFails = (errno: ErrnoName) => ({ call: "ioctl", request: "DEVICE_BIND_IOMMUFD", errno }) as const;
const mapFails = (errno: ErrnoName) => ({ call: "ioctl", request: "IOAS_MAP", errno }) as const;

function attachedIoas({ kernel, devices, use }: World, address = devices.alone) {
  const iommu = use(IommuFd.open(kernel));
  const ioas = iommu.createIoas();
  const device = use(DeviceFd.open(kernel, address)).bind(iommu);
  device.attach(ioas);
  return { iommu, ioas, device };
}

function emptyIoas({ kernel, use }: World) {
  return use(IommuFd.open(kernel)).createIoas();
}

function bindAlone({ kernel, devices, use }: World, address = devices.alone) {
  return use(DeviceFd.open(kernel, address)).bind(use(IommuFd.open(kernel)));
}

const OPENING: readonly Case[] = [
  {
    name: "a device that this program has open already is named with its fd",
    code: "EBUSY",
    says: [/This program has the device open already, as fd \d+/],
    run({ kernel, devices, use }) {
      use(DeviceFd.open(kernel, devices.alone));
      DeviceFd.open(kernel, devices.alone);
    },
  },
  {
    name: "a device that another process has open is named with that process",
    code: "EBUSY",
    says: ["process 77 (qemu-system-x86)"],
    told: heldBy(NODE),
    fault: { call: "open", errno: "EBUSY" },
    run: ({ kernel, devices }) => DeviceFd.open(kernel, devices.alone),
  },
  {
    name: "who may not open a node learns the user, the node, chown and the udev rule",
    code: "EACCES",
    says: ["user 1000", `chown 1000 ${NODE}`, 'SUBSYSTEM=="vfio-dev"'],
    told: { files: PROC },
    fault: { call: "open", errno: "EACCES" },
    run: ({ kernel, devices }) => DeviceFd.open(kernel, devices.alone),
  },
  {
    name: "a container's device rules are told apart from the mode of a file",
    code: "EPERM",
    says: [`docker run --device ${NODE}`],
    told: { files: PROC },
    fault: { call: "open", errno: "EPERM" },
    run: ({ kernel, devices }) => DeviceFd.open(kernel, devices.alone),
  },
  {
    name: "a node that the kernel has and /dev lacks can be made",
    code: "ENOENT",
    says: ["this /dev lacks its file", `mknod ${NODE} c 511 1`],
    fault: { call: "open", errno: "ENOENT" },
    run: ({ kernel, devices }) => DeviceFd.open(kernel, devices.alone),
  },
  {
    name: "a kernel without iommufd is named with its version, and with how to see that",
    code: "ENOENT",
    says: ["Linux 6.8.0-generic", "modprobe iommufd", "grep IOMMUFD= /boot/config-6.8.0-generic"],
    told: { files: PROC },
    fault: { call: "open", errno: "ENOENT" },
    run: ({ kernel }) => IommuFd.open(kernel),
  },
  {
    name: "a container without /dev/iommu is told from a kernel without iommufd",
    code: "ENOENT",
    says: ["this /dev lacks the file", "--device /dev/iommu"],
    told: { directories: { "/sys/class/misc": ["iommu"] } },
    fault: { call: "open", errno: "ENOENT" },
    run: ({ kernel }) => IommuFd.open(kernel),
  },
  {
    name: "who may not open /dev/iommu learns how to be let in",
    code: "EACCES",
    says: ["user 1000", "chown 1000 /dev/iommu", 'KERNEL=="iommu"'],
    told: { files: PROC },
    fault: { call: "open", errno: "EACCES" },
    run: ({ kernel }) => IommuFd.open(kernel),
  },
  {
    name: "too many open files are said with their number",
    code: "EMFILE",
    says: ["64 files open"],
    run({ kernel, use }) {
      for (;;) use(IommuFd.open(kernel));
    },
  },
  {
    name: "too many open files are said for memory files, too",
    code: "EMFILE",
    says: ["64 files open"],
    run({ kernel, use }) {
      for (;;) use(MemFd.create(kernel, "file", 4096));
    },
  },
];

const BINDING: readonly Case[] = [
  {
    name: "a sibling's driver is named, with the command that takes it away",
    code: "EPERM",
    says: ["e1000e has 0000:00:08.1", /IOMMU group \d+/, "echo 0000:00:08.1 > /sys/bus/pci/devices/0000:00:08.1/driver/unbind"],
    run: (world) => bindAlone(world, world.devices.taken),
  },
  {
    name: "a sibling that this program has bound to another iommufd is named with that",
    code: "EPERM",
    says: ["0000:00:05.0", /this program has bound it to iommufd \d+/],
    run(world) {
      bindAlone(world, world.devices.siblings[0]);
      bindAlone(world, world.devices.siblings[1]);
    },
  },
  {
    name: "another process that owns the group is named",
    code: "EPERM",
    says: ["process 77 (qemu-system-x86)", `has ${NODE} open`],
    told: heldBy(NODE),
    fault: bindFails("EPERM"),
    run: bindAlone,
  },
  {
    name: "interrupts that are not remapped are named, with both ways out",
    code: "EPERM",
    says: ["Interrupt remapping is off", "allow_unsafe_interrupts"],
    told: { files: { "/proc/interrupts": "  0:  4  IO-APIC   2-edge  timer\n 24:  1  PCI-MSI-0000:00:07.0 0-edge nvme0q0\n" } },
    fault: bindFails("EPERM"),
    run: bindAlone,
  },
  {
    name: "interrupts that are remapped are no reason",
    code: "EPERM",
    says: ["another iommufd owns it"],
    not: "remapping",
    told: { files: { "/proc/interrupts": "  0:  4  IR-IO-APIC   2-edge  timer\n" } },
    fault: bindFails("EPERM"),
    run: bindAlone,
  },
  {
    name: "harmless drivers of siblings are no reason",
    code: "EPERM",
    says: ["No driver of the kernel is in the way"],
    fault: bindFails("EPERM"),
    // The bridge above has none, and vfio-pci has the devices.
    run: (world) => bindAlone(world, world.devices.aliases[0]),
  },
  {
    name: "an fd that is bound already is told so, with its iommufd",
    code: "EINVAL",
    says: [/This fd is bound already, to iommufd \d+/],
    run({ kernel, devices, use }) {
      const iommu = use(IommuFd.open(kernel));
      const file = use(DeviceFd.open(kernel, devices.alone));
      file.bind(iommu);
      file.bind(iommu);
    },
  },
  {
    name: "a device that this program has bound through another fd is told so",
    code: "EINVAL",
    says: [/This program has bound the device already, through fd \d+/],
    rules: "linux",
    run(world) {
      const iommu = bindAlone(world).iommu;
      world.use(DeviceFd.open(world.kernel, world.devices.alone)).bind(iommu);
    },
  },
  {
    name: "a device that another process has bound is named with that",
    code: "EINVAL",
    says: ["process 77 (qemu-system-x86)"],
    told: heldBy(NODE),
    fault: bindFails("EINVAL"),
    run: bindAlone,
  },
  {
    name: "a device whose DMA is not coherent falls back on the table",
    code: "EINVAL",
    says: ["not coherent"],
    fault: bindFails("EINVAL"),
    run: bindAlone,
  },
  {
    name: "a group that VFIO's older interface has is named with who has it",
    code: "EBUSY",
    says: [/IOMMU group \d+ is in use by VFIO's older interface: process 77/],
    told: heldBy("/dev/vfio/1"),
    fault: bindFails("EBUSY"),
    run: bindAlone,
  },
  {
    name: "a device that is gone is told from one without a group",
    code: "ENODEV",
    says: [/IOMMU group \d+ is there, so the device itself is gone/],
    fault: bindFails("ENODEV"),
    run: bindAlone,
  },
];

const MAPPING: readonly Case[] = [
  {
    name: "neither reading nor writing",
    code: "EINVAL",
    says: ["set read, write or both"],
    run: (world) => emptyIoas(world).createDmaBuffer(4096, { read: false, write: false }),
  },
  { name: "no length", code: "EINVAL", says: ["The length is 0."], run: (world) => emptyIoas(world).map({ address: 0n, length: 0 }) },
  {
    name: "a length that is not aligned is said with the alignment and the next",
    code: "EINVAL",
    says: ["length 0x1001 is no multiple of 0x1000", "the next is 0x2000"],
    run: (world) => attachedIoas(world).ioas.map({ address: 0n, length: 0x1001 }),
  },
  {
    name: "an IOVA that is not aligned is said with the alignment",
    code: "EINVAL",
    says: ["I/O address 0x10800 is no multiple of 0x1000"],
    run: (world) => attachedIoas(world).ioas.map({ address: 0n, length: 0x1000 }, { iova: 0x10800n }),
  },
  {
    name: "memory that is not aligned is said with the alignment",
    code: "EINVAL",
    says: ["address of the memory 0x20800 is no multiple of 0x1000"],
    run: (world) => attachedIoas(world).ioas.map({ address: 0x20800n, length: 0x1000 }, { iova: 0x10000n }),
  },
  {
    name: "a reserved range is named with its device, its kind and what is usable",
    code: "EINVAL",
    says: ["0xfee00000 to 0xfeefffff is reserved (msi) by the group of 0000:00:04.0", "Usable are 0x0 to 0xfedfffff"],
    run: (world) => attachedIoas(world).ioas.createDmaBuffer(0x2000, { iova: 0xfedff000n }),
  },
  {
    name: "the end of what the IOMMU translates is named",
    code: "EINVAL",
    says: ["translates no address from 0x1000000000000 on"],
    run: (world) => attachedIoas(world).ioas.createDmaBuffer(4096, { iova: 2n ** 48n }),
  },
  {
    name: "the end of a file is named",
    code: "EINVAL",
    says: ["The file has 0x1000 bytes, and 0x2000 from 0x0 on go beyond them"],
    run: (world) => attachedIoas(world).ioas.mapFile(world.use(MemFd.create(world.kernel, "file", 4096)), { length: 8192 }),
  },
  {
    name: "a buffer in the way is named with its addresses",
    code: "EEXIST",
    says: ["A DMA buffer lies at 0x10000 to 0x12fff"],
    run(world) {
      const ioas = emptyIoas(world);
      ioas.createDmaBuffer(0x2001, { iova: 0x10000n });
      ioas.createDmaBuffer(4096, { iova: 0x12000n });
    },
  },
  {
    name: "another mapping in the way is said by the table",
    code: "EEXIST",
    says: ["Something is mapped there"],
    run(world) {
      const ioas = emptyIoas(world);
      ioas.map({ address: 0n, length: 4096 }, { iova: 0x10000n });
      ioas.map({ address: 0n, length: 4096 }, { iova: 0x10000n });
    },
  },
  {
    name: "no gap is said with what is wanted, usable and allowed",
    code: "ENOSPC",
    says: ["No gap of 8 KiB is free", "allow() left 0x10000 to 0x10fff"],
    run(world) {
      const ioas = emptyIoas(world);
      ioas.allow([{ start: 0x10000n, last: 0x10fffn }]);
      ioas.createDmaBuffer(8192);
    },
  },
  {
    name: "a length beyond every range is said",
    code: "ENOSPC",
    says: ["No usable range is as large as"],
    run: (world) => attachedIoas(world).ioas.map({ address: 0n, length: 2n ** 50n }),
  },
  {
    name: "which address overflows is said",
    code: "EOVERFLOW",
    says: ["The I/O address 0xfffffffffffff000 plus 0x2000 goes beyond"],
    run: (world) => emptyIoas(world).map({ address: 0n, length: 0x2000 }, { iova: 0xffff_ffff_ffff_f000n }),
  },
  {
    name: "memory that is not mapped is said, where /proc does not tell more",
    code: "EFAULT",
    says: ["has not mapped all of 0x1000 to 0x1fff"],
    run: (world) => attachedIoas(world).ioas.map({ address: 0x1000n, length: 0x1000 }),
  },
  {
    name: "memory that is not mapped is named by its first address",
    code: "EFAULT",
    says: ["mapped nothing at 0x12000."],
    told: { files: { "/proc/self/maps": "00010000-00012000 rw-p 00000000 00:00 0 \n00013000-00014000 rw-p 00000000 00:00 0\n" } },
    run: (world) => attachedIoas(world).ioas.map({ address: 0x10000n, length: 0x4000 }),
  },
  {
    name: "memory that may not be written is named",
    code: "EFAULT",
    says: ["may not write its memory at 0x10000 to 0x11fff (r--p)", "write: false"],
    told: { files: { "/proc/self/maps": "00010000-00012000 r--p 00000000 00:00 0 \n" } },
    run: (world) => attachedIoas(world).ioas.map({ address: 0x10000n, length: 0x2000 }),
  },
  {
    name: "the limit of locked memory is said with its value, what is pinned and what was asked for",
    code: "ENOMEM",
    says: ["may lock 1 MiB", "has 512 KiB locked or pinned", "asked for 1 MiB more", "ulimit -l", "limits.conf", "LimitMEMLOCK"],
    memlock: MEBIBYTE,
    run(world) {
      const { ioas } = attachedIoas(world);
      ioas.createDmaBuffer(MEBIBYTE / 2);
      ioas.createDmaBuffer(MEBIBYTE);
    },
  },
  {
    name: "the limit of locked memory is said when a device is attached to what is mapped",
    code: "ENOMEM",
    says: ["may lock 1 MiB", "has 0 bytes locked or pinned", "asked for more"],
    memlock: MEBIBYTE,
    run(world) {
      const device = bindAlone(world);
      const ioas = device.iommu.createIoas();
      ioas.createDmaBuffer(2 * MEBIBYTE);
      device.attach(ioas);
    },
  },
  {
    name: "a program without a limit hears of the machine's memory",
    code: "ENOMEM",
    says: ["CAP_IPC_LOCK", "4 MiB available"],
    told: { files: { "/proc/meminfo": PROC["/proc/meminfo"] } },
    fault: mapFails("ENOMEM"),
    run: (world) => emptyIoas(world).createDmaBuffer(4096),
  },
  {
    name: "a capability in a user namespace of its own does not count",
    code: "ENOMEM",
    says: ["may lock 8 MiB", "has 2 MiB"],
    not: "CAP_IPC_LOCK",
    told: {
      files: {
        ...PROC,
        "/proc/self/uid_map": "0 1000 1\n",
        "/proc/self/status": PROC["/proc/self/status"].replace("CapEff:\t0000000000000000", "CapEff:\t000001ffffffffff"),
      },
    },
    fault: mapFails("ENOMEM"),
    run: (world) => emptyIoas(world).createDmaBuffer(4096),
  },
  {
    name: "a kernel too old for a request is named with both versions",
    code: "ENOTTY",
    says: ["Linux 6.8.0-generic", "6.13"],
    told: { files: PROC },
    fault: { call: "ioctl", request: "IOAS_MAP_FILE", errno: "ENOTTY" },
    run: (world) => emptyIoas(world).mapFile(world.use(MemFd.create(world.kernel, "file", 4096))),
  },
  {
    name: "a kernel too old for a part of a request is told so by the table",
    code: "E2BIG",
    says: ["This kernel is older"],
    fault: mapFails("E2BIG"),
    run: (world) => emptyIoas(world).createDmaBuffer(4096),
  },
  {
    name: "an empty pool of huge pages is said with its numbers and how to fill it",
    code: "ENOMEM",
    says: [
      "2 pages of 2 MiB are needed, and 1 of the pool's 4 are free",
      "echo 5 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
    ],
    told: {
      files: {
        "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "4\n",
        "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages": "1\n",
      },
    },
    fault: { call: "mmap", errno: "ENOMEM" },
    run: (world) => emptyIoas(world).createDmaBuffer(3 * MEBIBYTE, { pageSize: 2 ** 21 }),
  },
  {
    name: "huge pages that the kernel does not have are said with those that it has",
    code: "EINVAL",
    says: ["pools of 2 MiB only", "leave pageSize out"],
    told: { directories: { "/sys/kernel/mm/hugepages": ["hugepages-2048kB"] } },
    run: (world) => emptyIoas(world).createDmaBuffer(1, { pageSize: 2 ** 30 }),
  },
  {
    name: "a copy from a hole is said with the address where it begins",
    code: "ENOENT",
    says: ["no buffer of it lies at 0x11000"],
    run(world) {
      const source = emptyIoas(world);
      source.createDmaBuffer(4096, { iova: 0x10000n });
      source.iommu.createIoas().copy(source, { sourceIova: 0x10000n, length: 0x2000 });
    },
  },
  {
    name: "an unmap that cuts a buffer names it",
    code: "ENOENT",
    says: ["cuts the DMA buffer at 0x10000 to 0x11fff"],
    run(world) {
      const ioas = emptyIoas(world);
      ioas.createDmaBuffer(0x2000, { iova: 0x10000n });
      ioas.unmap(0x11000n, 0x1000);
    },
  },
  {
    name: "an unmap over the end says so",
    code: "EOVERFLOW",
    says: ["0xfffffffffffff000 plus 0x2000 goes beyond"],
    run: (world) => emptyIoas(world).unmap(0xffff_ffff_ffff_f000n, 0x2000n),
  },
  {
    name: "an allowed range that a device reserves is named with the reservation",
    code: "EADDRINUSE",
    says: ["Of 0xfe000000 to 0xfeffffff a part cannot be used", "0xfee00000 to 0xfeefffff is reserved (msi)"],
    run: (world) => attachedIoas(world).ioas.allow([{ start: 0xfe00_0000n, last: 0xfeff_ffffn }]),
  },
  {
    name: "an allowed range that is none is named",
    code: "EINVAL",
    says: ["The range 0x2000 to 0x1000 is none"],
    run: (world) => emptyIoas(world).allow([{ start: 0x2000n, last: 0x1000n }]),
  },
  {
    name: "allowed ranges that overlap are named",
    code: "EINVAL",
    says: ["0x1000 to 0x2fff and 0x2000 to 0x3fff overlap"],
    run: (world) => emptyIoas(world).allow([{ start: 0x2000n, last: 0x3fffn }, { start: 0x1000n, last: 0x2fffn }]),
  },
];

const DEVICES: readonly Case[] = [
  {
    name: "a buffer where the device reserves addresses is named with the reservation",
    code: "EADDRINUSE",
    says: ["The DMA buffer 0xfedff000 to 0xfee00fff touches 0xfee00000 to 0xfeefffff", "(msi)"],
    run(world) {
      const device = bindAlone(world);
      const ioas = device.iommu.createIoas();
      ioas.createDmaBuffer(0x2000, { iova: 0xfedff000n });
      device.attach(ioas);
    },
  },
  {
    name: "an allowed range where the device reserves addresses is named",
    code: "EADDRINUSE",
    says: ["The allowed range 0xfe000000 to 0xfeffffff touches 0xfee00000 to 0xfeefffff"],
    run(world) {
      const device = bindAlone(world);
      const ioas = device.iommu.createIoas();
      ioas.allow([{ start: 0xfe00_0000n, last: 0xfeff_ffffn }]);
      device.attach(ioas);
    },
  },
  {
    name: "another mapping where the device reserves addresses is said with the reservations",
    code: "EADDRINUSE",
    says: ["reserves 0xfee00000 to 0xfeefffff", "a mapping or an allowed range lies there"],
    run(world) {
      const device = bindAlone(world);
      const ioas = device.iommu.createIoas();
      ioas.map({ address: 0x1000n, length: 0x1000 }, { iova: 0xfee00000n });
      device.attach(ioas);
    },
  },
  {
    name: "a sibling that is attached elsewhere is named with where",
    code: "EINVAL",
    says: ["0000:00:05.0 of the same IOMMU group", /is attached to IOAS \d+/],
    rules: "linux",
    run(world) {
      const { iommu } = attachedIoas(world, world.devices.siblings[0]);
      world.use(DeviceFd.open(world.kernel, world.devices.siblings[1])).bind(iommu).attach(iommu.createIoas());
    },
  },
  {
    name: "an ability that the IOMMU lacks is named",
    code: "EOPNOTSUPP",
    says: ["(intel-vtd) cannot tell which pages were written", "dirtyTracking"],
    run(world) {
      const { ioas, device } = attachedIoas(world);
      ioas.createHwpt(device, { dirtyTracking: true });
    },
  },
  {
    name: "what uses an IOAS is named",
    code: "EBUSY",
    says: ["the attached device 0000:00:04.0"],
    run(world) {
      const { iommu, ioas } = attachedIoas(world);
      iommu.destroy(ioas.id);
    },
  },
  {
    name: "the page tables of an IOAS are named",
    code: "EBUSY",
    says: [/It is used by page table \d+/],
    run(world) {
      const device = bindAlone(world);
      const ioas = device.iommu.createIoas();
      ioas.createHwpt(device);
      device.iommu.destroy(ioas.id);
    },
  },
  {
    name: "a bound device is named as what holds itself",
    code: "EBUSY",
    says: ["the bound device 0000:00:04.0", "dispose its DeviceFd"],
    run(world) {
      const device = bindAlone(world);
      device.iommu.destroy(device.id);
    },
  },
  {
    name: "a BAR that does not answer is said with the command register",
    code: "EIO",
    says: ["command register is 0x0000", "bit 1"],
    run(world) {
      const device = bindAlone(world);
      device.config.write16(4, 0);
      device.bar(0).read32(0);
    },
  },
];

/** The error of a case, and whether the machine is as it was. */
async function run({ run, rules, memlock, told, fault }: Case): Promise<unknown> {
  const options = { ...(rules === undefined ? {} : { rules }), ...(memlock === undefined ? {} : { memlock }) };
  const setup = await openSimulated(options);
  try {
    const telling = told === undefined ? setup.kernel : toldKernel(setup.kernel, told);
    const kernel = fault === undefined ? telling : faults(telling, [{ ...fault, nth: 1 }]);
    using stack = new DisposableStack();
    return thrown(() => run({ kernel, devices: setup.devices, use: (value) => stack.use(value) }));
  } finally {
    equal(await setup.finish(), [], "what is left over");
  }
}

for (const [area, cases] of Object.entries({ open: OPENING, bind: BINDING, map: MAPPING, device: DEVICES })) {
  for (const one of cases) {
    Deno.test(`explained, ${area}: ${one.name}`, async () => {
      const error = await run(one);
      check(error instanceof IommuError, String(error));
      equal(error.code, one.code, error.message);
      for (const text of one.says) {
        check(typeof text === "string" ? error.advice.includes(text) : text.test(error.advice), `${String(text)} is in: ${error.message}`);
      }
      check(one.not === undefined || !error.advice.includes(one.not), `${one.not} is not in: ${error.message}`);
      check(error.message.endsWith(error.advice) && !/undefined|NaN|[{}[\]]| {2}/.test(error.message), error.message);
    });
  }
}

Deno.test("an explanation changes nothing: the operation that failed is followed by calls that read alone", async () => {
  const reads = new Set(["readFile", "readlink", "list", "view", "pread", "block"]);
  for (const one of [...BINDING, ...MAPPING, ...DEVICES]) {
    const setup = await openSimulated({ ...(one.rules && { rules: one.rules }), ...(one.memlock && { memlock: one.memlock }) });
    const before: string[] = [];
    const spied = spy(one.told === undefined ? setup.kernel : toldKernel(setup.kernel, one.told), before);
    using stack = new DisposableStack();
    const kernel = one.fault === undefined ? spied : faults(spied, [{ ...one.fault, nth: 1 }]);
    thrown(() => one.run({ kernel, devices: setup.devices, use: (value) => stack.use(value) }));
    const last = before.findLastIndex((call) => call.endsWith("failed"));
    const after = before.slice(last + 1).filter((call) =>
      !reads.has(call) && call !== "ioctl IOAS_IOVA_RANGES" && call !== "ioctl GET_HW_INFO"
    );
    if (one.fault === undefined && last >= 0) {
      equal(after.filter((call) => call !== "munmap"), [], `calls after the failure in: ${one.name}`);
      stack.dispose();
      equal(await setup.finish(), [], `what is left over of: ${one.name}`);
    }
  }
});

/** Writes down which calls are made, and which failed. */
function spy(kernel: Kernel, calls: string[]): Kernel {
  const names: Record<number, string> = { 0x3b84: " IOAS_IOVA_RANGES", 0x3b8a: " GET_HW_INFO" };
  return new Proxy(kernel, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (typeof value !== "function" || typeof name === "symbol") return value;
      return (...args: unknown[]) => {
        const result = value.apply(target, args);
        const isAsked = ["readFile", "readlink", "list"].includes(name);
        const hasFailed = !isAsked && (typeof result === "number" || typeof result === "bigint") && result < 0;
        calls.push(`${name}${name === "ioctl" ? names[args[1] as number] ?? "" : ""}${hasFailed ? " failed" : ""}`);
        return result;
      };
    },
  });
}

Deno.test("where the machine tells nothing, the table does", async () => {
  for (const { run: trial, code, fault, rules, memlock, name } of [...BINDING, ...MAPPING]) {
    const error = await run({
      name,
      code,
      says: [],
      // Devices are found by /sys, so the rest of it must be there until the operation fails.
      run: (world) => {
        let isMute = false;
        const kernel = new Proxy(world.kernel, {
          get(target, name) {
            const value = Reflect.get(target, name, target);
            if (typeof value !== "function") return value;
            return (...args: unknown[]) => {
              if (isMute && ["readFile", "readlink", "list", "block"].includes(String(name))) throw new Error("the machine is mute");
              const result = value.apply(target, args);
              if (name === "ioctl" && result < 0) isMute = true;
              return result;
            };
          },
        });
        trial({ ...world, kernel });
      },
      ...(fault && { fault }),
      ...(rules && { rules }),
      ...(memlock && { memlock }),
    });
    check(error instanceof IommuError, `${name}: ${error}`);
    equal(error.code, code, name);
    check(error.advice.length > 0, name);
  }
});
