/**
 * What the conformance suite needs of a kernel and its machine.
 *
 * @module
 */
import type { Kernel } from "../../uapi/kernel.ts";

/** PCI addresses ("0000:00:04.0") of the devices that the cases drive. All but `messages` are QEMU's edu device. */
export interface TestDevices {
  /** Alone in its IOMMU group. */
  readonly alone: string;
  /** Alone in another group. */
  readonly other: string;
  /** Two devices of one group with requester IDs of their own: functions of a device without ACS. */
  readonly siblings: readonly [string, string];
  /** Two devices of one group behind one requester ID: on a conventional bus. */
  readonly aliases: readonly [string, string];
  /** Alone in its group; has at least three MSI-X vectors and a 64-bit BAR 0 (an NVMe controller). */
  readonly messages: string;
  /** In one group with a device that a driver of the kernel uses for DMA. */
  readonly taken: string;
}

/** Where the simulated machine of the suite has its devices, and the virtual machine too: a case names the same one on both. */
export const DEVICES: TestDevices = {
  alone: "0000:00:04.0",
  other: "0000:00:03.0",
  siblings: ["0000:00:05.0", "0000:00:05.1"],
  aliases: ["0000:01:01.0", "0000:01:02.0"],
  messages: "0000:00:07.0",
  taken: "0000:00:08.0",
};

/** Where kernels differ in what they are meant to do. The cases say what follows, as data. */
export type Feature =
  /** A device can be opened again while it is open. Linux; by our own rule it cannot. */
  | "several-opens"
  /** All devices of a group use one page table. Linux; by our own rule only those that share a requester ID. */
  | "one-table-a-group"
  /** The IOMMU's driver attaches only devices that ask for pages to page tables that report faults: Intel's does so, AMD's does not look. */
  | "page-request-check"
  /** The IOMMU takes page tables for PASIDs (VT-d and SMMUv3 do, AMD-Vi's first format does not). */
  | "pasid-tables"
  /** The IOMMU's driver attaches none of these with a PASID: AMD's does so for shared virtual addressing alone. */
  | "unattachable-pasids"
  /** The IOMMU's driver makes page tables on top of others: Intel's does, AMD's and Arm's through a virtual IOMMU only. */
  | "nested-tables"
  /** The IOMMU's driver makes page tables without any option, such as one that reports faults: RISC-V's. */
  | "plain-tables"
  /** Page tables can be nested, and tell which pages were written. */
  | "nesting"
  /** The kernel answers TEST_CMD, as one that was built to test iommufd. The suites `MOCK` need it. */
  | "mock-iommu"
  /** The process has no other files. The runtime of a real one has. */
  | "own-process"
  /** The edu devices can be reset. QEMU's have no capability for it, and sit on the root bus. */
  | "reset"
  /** Devices behind a PCIe-to-PCI bridge reach memory. On VT-d in scalable mode Linux 7.3 makes no entry for the bridge's requester ID. */
  | "bridge-dma"
  /** An interrupt line that was raised before anybody listened is still seen afterwards. QEMU's I/O APIC forgets it. */
  | "latched-lines"
  /** The process may choose who pays for pinned memory (CAP_SYS_RESOURCE). */
  | "resource-capability";

/** The slots of a machine. */
export interface Slots {
  /** Have a device taken away, as an administrator would. Resolves when it is gone. */
  unplug(address: string): Promise<void>;
  /** Put it back. Resolves when programs can open it. */
  plug(address: string): Promise<void>;
}

/** A kernel for one case. */
export interface Setup {
  /** The kernel. The case closes what it opens; the host disposes the kernel. */
  readonly kernel: Kernel;
  /** The machine's devices. */
  readonly devices: TestDevices;
  /** What this kernel has. */
  readonly features: ReadonlySet<Feature>;
  /** What GET_HW_INFO answers as its type: 1 Intel VT-d, 4 AMD; 0: the driver tells nothing. */
  readonly hardware: { readonly type: number; readonly dataLength: number };
  /** The last address that the IOMMU translates. */
  readonly apertureLast: bigint;
  /** How many files the process may have open, the three standard ones counted (RLIMIT_NOFILE). */
  readonly openFiles: number;
  /** Bytes that the process may pin (RLIMIT_MEMLOCK); absent: as many as it likes (CAP_IPC_LOCK). The suite `memlock` needs it. */
  readonly memlock?: number;
  /** PCI address of an edu device without an IOMMU, which reaches addresses of 64 bits. The suite `BARE` needs it. */
  readonly bare?: string;
  /** Taking devices out of the machine and putting them back. The suite `unplug` needs it. */
  readonly slots?: Slots;
  /** Say what is left over when everything is closed, and dispose the kernel. */
  finish(): string[] | Promise<string[]>;
}

/** A value that depends on what the kernel has. */
export interface Depends<T> {
  /** The feature. */
  readonly feature: Feature;
  /** With it. */
  readonly with: T;
  /** Without it. */
  readonly without: T;
  /** Why it differs. */
  readonly why: string;
}
