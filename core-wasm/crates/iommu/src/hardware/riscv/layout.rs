//! Bits of the RISC-V IOMMU's registers, tables, commands and records. Sections are those of the RISC-V IOMMU Architecture Specification, version 1.0.1.

// Registers (5): offsets, and bits of those that are written.

/// Device directory table pointer (5.5): the mode in the bits below a page number, see [`MODE_ONE_LEVEL`].
pub(super) const DDTP: u32 = 0x10;
/// Command queue base (5.6): lg2 of its entries, less one, in the bits below a page number.
pub(super) const CQB: u32 = 0x18;
/// Command queue tail (5.8).
pub(super) const CQT: u32 = 0x24;
/// Fault queue base (5.9), as the other's.
pub(super) const FQB: u32 = 0x28;
/// Fault queue head (5.10).
pub(super) const FQH: u32 = 0x30;
/// Command queue control and status (5.15).
pub(super) const CQCSR: u32 = 0x48;
/// Fault queue control and status (5.16).
pub(super) const FQCSR: u32 = 0x4c;
/// Of these two: the queue is on.
pub(super) const QUEUE_ON: u64 = 1 << 0;
/// DDTP: a directory of one level; those of more follow.
pub(super) const MODE_ONE_LEVEL: u64 = 2;

// Capabilities (5.3).

/// First-stage tables of 3 levels; those of 4 and 5 have the next bits.
pub(super) const CAP_SV39: u64 = 1 << 9;
/// Second-stage tables of 3 levels; those of 4 and 5 have the next bits.
pub(super) const CAP_SV39X4: u64 = 1 << 17;
/// Page tables for interrupts: device contexts have the extended format.
pub(super) const CAP_MSI_FLAT: u64 = 1 << 22;
/// Process directories of 1 level; those of 2 and 3 have the next bits.
pub(super) const CAP_PD8: u64 = 1 << 38;

// What entries have in common.

/// An entry is valid.
pub(super) const VALID: u64 = 1 << 0;
/// Where the page number is, in registers and in entries that lead to a table.
pub(super) const NUMBER_SHIFT: u32 = 10;
/// Entries that lead to a table: reserved bits.
pub(super) const TABLE_RESERVED: u64 = !(0x003f_ffff_ffff_fc00 | VALID);
/// Bits that index a table of tables.
pub(super) const INDEX_LG2: u32 = 9;
/// Words that name a table and how it is used: the page number (of 44 bits).
pub(super) const POINTER_NUMBER: u64 = (1 << 44) - 1;
/// The same: reserved in `fsc`; the id of a guest, GSCID, in `iohgatp`.
pub(super) const POINTER_MIDDLE: u64 = 0xffff << GSCID_SHIFT;
/// The same: where the mode is.
pub(super) const POINTER_MODE_SHIFT: u32 = 60;
/// The mode of page tables of no levels: 3 levels are 8.
pub(super) const MODE_OF_NO_LEVELS: u64 = 5;

// Device context (2.1.3): tc, iohgatp, ta, fsc; and in the extended format msiptp, msi_addr_mask, msi_addr_pattern, reserved.

/// Lg2 of the bytes of a context of the base format; one more in the extended one.
pub(super) const CONTEXT_LG2: u32 = 5;
/// Words of the extended format.
pub(super) const CONTEXT_WORDS: usize = 8;
/// tc: faults of translation are not recorded, which this driver never asks for.
pub(super) const TC_NO_FAULTS: u64 = 1 << 4;
/// tc: `fsc` names a process directory.
pub(super) const TC_PROCESSES: u64 = 1 << 5;
/// tc: requests without a process are those of process 0.
pub(super) const TC_DEFAULT_PROCESS: u64 = 1 << 9;
/// iohgatp: where the id of a guest is.
pub(super) const GSCID_SHIFT: u32 = 44;
/// ta, of processes too: where the id of an address space is, of 20 bits.
pub(super) const PSCID_SHIFT: u32 = 12;
/// ta: all but that.
pub(super) const TA_RESERVED: u64 = !(0xf_ffff << PSCID_SHIFT);

// Process directory (2.2): entries that lead on, and contexts of two words: ta and fsc.

/// Bits of a process id that index the lowest table.
pub(super) const PROCESS_INDEX_LG2: u32 = 8;
/// Lg2 of the bytes of a process context.
pub(super) const PROCESS_LG2: u32 = 4;
/// Bits of a process id, by the mode of the directory less one.
pub(super) const PROCESS_BITS: [u32; 3] = [8, 17, 20];
/// ta: supervisor requests are allowed, and may use pages of users; reserved bits are all others but the valid one.
pub(super) const PROCESS_RESERVED: u64 = TA_RESERVED & !(3 << 1 | VALID);

// Commands (3.1): opcode and function are in bits 9:0.

/// IOTINVAL.VMA (3.1.1).
pub(super) const INVALIDATE_FIRST: u64 = 1;
/// IOTINVAL.GVMA (3.1.1).
pub(super) const INVALIDATE_SECOND: u64 = 1 | 1 << FUNCTION_SHIFT;
/// IOFENCE.C (3.1.2).
pub(super) const FENCE: u64 = 2;
/// IODIR.INVAL_DDT (3.1.3).
pub(super) const INVALIDATE_DEVICE: u64 = 3;
/// IODIR.INVAL_PDT (3.1.3).
pub(super) const INVALIDATE_PROCESS: u64 = 3 | 1 << FUNCTION_SHIFT;
/// Where the function is.
const FUNCTION_SHIFT: u32 = 7;
/// Opcode and function.
pub(super) const OPERATION: u64 = (1 << 10) - 1;
/// Where a PSCID, and a process id, is.
pub(super) const PROCESS_SHIFT: u32 = 12;
/// IOTINVAL: of one page; where, less its lowest two bits, is word 1 (AV).
pub(super) const OF_PAGE: u64 = 1 << 10;
/// IOTINVAL: the PSCID counts.
pub(super) const OF_SPACE: u64 = 1 << 32;
/// IOTINVAL: the GSCID counts; IODIR: the device id does.
pub(super) const OF_OWNER: u64 = 1 << 33;
/// IODIR, and fault records: where the device id is.
pub(super) const DEVICE_SHIFT: u32 = 40;
/// IOFENCE.C: a word is written.
pub(super) const FENCE_WRITES: u64 = 1 << 10;
/// IOFENCE.C: earlier reads and writes of devices are done.
pub(super) const FENCE_ORDERS: u64 = 3 << 12;
/// IOFENCE.C: where the word is.
pub(super) const FENCE_DATA_SHIFT: u32 = 32;

// Fault records (3.2): the cause, process id, whether there is one, type of transaction and device id; custom; iotval; iotval2.

/// Bytes of a record.
pub(super) const RECORD_BYTES: u64 = 32;
/// The transaction had a process id.
pub(super) const RECORD_HAS_PROCESS: u64 = 1 << 32;
/// Where the type of transaction is.
pub(super) const RECORD_TYPE_SHIFT: u32 = 34;
/// Type: a read of an address that is to be translated; a write is one more.
pub(super) const READ_UNTRANSLATED: u64 = 2;

/// Cause: read access fault; of a write 2 more, as of each of these three.
pub(super) const ACCESS_FAULT: u16 = 5;
/// Cause: read page fault.
pub(super) const PAGE_FAULT: u16 = 13;
/// Cause: read guest-page fault.
pub(super) const GUEST_PAGE_FAULT: u16 = 21;
/// Cause: device directory entry load access fault.
pub(super) const DEVICE_UNREACHABLE: u16 = 257;
/// Cause: process directory entry load access fault.
pub(super) const PROCESS_UNREACHABLE: u16 = 265;
/// Cause, from that of an access fault on: the entry is not valid.
pub(super) const NOT_VALID: u16 = 1;
/// The same: it is misconfigured.
pub(super) const MISCONFIGURED: u16 = 2;
/// Cause: transaction type disallowed.
pub(super) const DISALLOWED: u16 = 260;
