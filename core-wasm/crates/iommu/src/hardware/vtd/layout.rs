//! Bits of VT-d's registers, tables, commands and records. Sections are those of the Intel Virtualization Technology for Directed I/O Architecture
//! Specification, revision 4.1.

// Registers (11.4): offsets, and bits of those that are written.

/// Global Command (11.4.4).
pub(super) const GCMD: u32 = 0x18;
/// Translation Enable.
pub(super) const GCMD_TE: u64 = 1 << 31;
/// Set Root Table Pointer.
pub(super) const GCMD_SRTP: u64 = 1 << 30;
/// Queued Invalidation Enable.
pub(super) const GCMD_QIE: u64 = 1 << 26;
/// Root Table Address (11.4.6).
pub(super) const RTADDR: u32 = 0x20;
/// Translation table mode: scalable.
pub(super) const RTADDR_SCALABLE: u64 = 1 << 10;
/// Invalidation Queue Tail (11.4.10.2).
pub(super) const IQT: u32 = 0x88;
/// Invalidation Queue Address (11.4.10.3).
pub(super) const IQA: u32 = 0x90;
/// Descriptors of 256 bits.
pub(super) const IQA_WIDE: u64 = 1 << 11;

// Root and context entries (9.1 to 9.4).

/// Of all entries: present.
pub(super) const PRESENT: u64 = 1 << 0;
/// Of all entries that lead to a table: where it is.
pub(super) const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// Bytes of a root entry, one a bus; in scalable mode its second word is for the upper half of the bus.
pub(super) const ROOT_BYTES: u64 = 16;
/// Bytes of a context entry of legacy mode.
pub(super) const CONTEXT_BYTES: u64 = 16;
/// Bytes of a context entry of scalable mode.
pub(super) const SCALABLE_CONTEXT_BYTES: u64 = 32;
/// Context entry, word 0: fault processing disabled, which this driver never asks for; translation type, of which only 0 is used.
pub(super) const CONTEXT_TYPE: u64 = 3 << 2;
/// Word 0: reserved bits.
pub(super) const CONTEXT_RESERVED: u64 = !(ADDRESS | CONTEXT_TYPE | 1 << 1 | PRESENT);
/// Word 1: address width, 2 less than the levels.
pub(super) const CONTEXT_WIDTH: u64 = 7;
/// Word 1: where the domain id is, of 16 bits.
pub(super) const CONTEXT_DOMAIN_SHIFT: u32 = 8;
/// Word 1: reserved bits.
pub(super) const CONTEXT_RESERVED_HIGH: u64 = !(0xffff << CONTEXT_DOMAIN_SHIFT | 0xf << 3 | CONTEXT_WIDTH);
/// Scalable context entry, word 0: PASIDs are enabled.
pub(super) const CONTEXT_PASIDS: u64 = 1 << 3;
/// Word 0: where the size of the PASID directory is: X for 2^(X + 7) entries.
pub(super) const CONTEXT_SIZE_SHIFT: u32 = 9;
/// Word 0: reserved bits.
pub(super) const SCALABLE_RESERVED: u64 = !(ADDRESS | 7 << CONTEXT_SIZE_SHIFT | 0xf << 1 | PRESENT);
/// Word 1: the PASID of requests without one, and the privilege of those.
pub(super) const SCALABLE_RESERVED_HIGH: u64 = !((1 << 21) - 1);

// PASID directory and table entries (9.5, 9.6).

/// A directory entry is for 2^6 PASIDs.
pub(super) const PASIDS_LG2: u32 = 6;
/// Directory entry: reserved bits.
pub(super) const DIRECTORY_RESERVED: u64 = !(ADDRESS | 1 << 1 | PRESENT);
/// Words of a PASID table entry.
pub(super) const PASID_WORDS: usize = 8;
/// Word 0: where the address width is.
pub(super) const PASID_WIDTH_SHIFT: u32 = 2;
/// Word 0: where the translation type is.
pub(super) const PASID_TYPE_SHIFT: u32 = 6;
/// Translation type: first stage only.
pub(super) const TYPE_FIRST: u64 = 1;
/// Translation type: second stage only.
pub(super) const TYPE_SECOND: u64 = 2;
/// Translation type: nested.
pub(super) const TYPE_NESTED: u64 = 3;
/// Word 0: the second stage's accessed and dirty bits are kept.
pub(super) const PASID_MARKS: u64 = 1 << 9;
/// Word 0: reserved bits.
pub(super) const PASID_RESERVED: u64 = 3 << 10;
/// Word 2: supervisor requests are enabled.
pub(super) const PASID_SUPERVISOR: u64 = 1 << 0;
/// Word 2: where the first stage's paging mode is: 4 less than its levels.
pub(super) const PASID_MODE_SHIFT: u32 = 2;
/// Word 2: the first stage's extended accessed bits are kept.
pub(super) const PASID_EXTENDED: u64 = 1 << 7;

// Descriptors of the invalidation queue (6.5.2).

/// Context cache.
pub(super) const INVALIDATE_CONTEXTS: u64 = 1;
/// IOTLB.
pub(super) const INVALIDATE_IOTLB: u64 = 2;
/// Wait, with a status word to be written.
pub(super) const WAIT: u64 = 5;
/// PASID-based IOTLB.
pub(super) const INVALIDATE_PASID_IOTLB: u64 = 6;
/// PASID cache.
pub(super) const INVALIDATE_PASIDS: u64 = 7;
/// Granularity of the context cache and the IOTLB: everything.
pub(super) const GLOBAL: u64 = 1 << 4;
/// Granularity of these: a domain.
pub(super) const OF_DOMAIN: u64 = 2 << 4;
/// Granularity of the context cache: a requester; of the PASID cache: everything.
pub(super) const OF_REQUESTER: u64 = 3 << 4;
/// Granularity of the IOTLB: some pages of a domain.
pub(super) const PAGES_OF_DOMAIN: u64 = 3 << 4;
/// Granularity of the PASID-based IOTLB: all pages of a PASID of a domain.
pub(super) const ALL_OF_PASID: u64 = 2 << 4;
/// Granularity of the PASID-based IOTLB: some pages of a PASID of a domain.
pub(super) const PAGES_OF_PASID: u64 = 3 << 4;
/// Granularity of the PASID cache: a PASID of a domain.
pub(super) const OF_PASID: u64 = 1 << 4;
/// Where the granularity is.
pub(super) const GRANULARITY: u64 = 3 << 4;
/// Where a domain id is.
pub(super) const DOMAIN_SHIFT: u32 = 16;
/// Where a requester id, a PASID, and a status is.
pub(super) const HIGH_SHIFT: u32 = 32;
/// Of some pages, word 1: tables on the way are as they were (IH).
pub(super) const TABLES_REMAIN: u64 = 1 << 6;
/// Of some pages, word 1: lg2 of their number (AM), which their address is a multiple of.
pub(super) const PAGES_LG2: u64 = 0x3f;
/// Most that this can be: MAMV of the capability register, as QEMU has it.
pub(super) const PAGES_LG2_MAX: u64 = 18;
/// Wait: the status is written.
pub(super) const WAIT_WRITES: u64 = 1 << 5;
/// Wait: later commands begin after it.
pub(super) const WAIT_FENCE: u64 = 1 << 6;

// Fault recording register (11.4.14), word 1.

/// There is a record.
pub(super) const FAULT: u64 = 1 << 63;
/// It was a read.
pub(super) const FAULT_READ: u64 = 1 << 62;
/// Where the PASID is.
pub(super) const FAULT_PASID_SHIFT: u32 = 40;
/// Where the reason is.
pub(super) const FAULT_REASON_SHIFT: u32 = 32;
/// The request had a PASID.
pub(super) const FAULT_HAS_PASID: u64 = 1 << 31;
