//! Bits of AMD-Vi's registers, tables, commands and events. Sections are those of the AMD I/O Virtualization Technology (IOMMU) Specification, 48882,
//! revision 3.08.

// Registers (3.4).

/// Device Table Base Address (3.4.1): its size in frames, less one, in the bits below the address.
pub(super) const DEVICE_TABLE: u32 = 0x0;
/// Command Buffer Base Address (3.4.2): lg2 of its entries from bit 56 on.
pub(super) const COMMAND_BUFFER: u32 = 0x8;
/// Event Log Base Address (3.4.3), alike.
pub(super) const EVENT_LOG: u32 = 0x10;
/// Where the size of a queue is.
pub(super) const QUEUE_SIZE_SHIFT: u32 = 56;
/// Control (3.4.4).
pub(super) const CONTROL: u32 = 0x18;
/// The unit translates.
pub(super) const CONTROL_ENABLE: u64 = 1 << 0;
/// Guest translation is enabled (GTEn).
pub(super) const CONTROL_GUEST: u64 = 1 << 16;
/// Events are written.
pub(super) const CONTROL_EVENTS: u64 = 1 << 2;
/// Commands are executed.
pub(super) const CONTROL_COMMANDS: u64 = 1 << 12;
/// Command Buffer Head and Tail Pointer (3.4.14).
pub(super) const COMMAND_HEAD: u32 = 0x2000;
/// The tail.
pub(super) const COMMAND_TAIL: u32 = 0x2008;
/// Event Log Head and Tail Pointer (3.4.15).
pub(super) const EVENT_HEAD: u32 = 0x2010;
/// The tail.
pub(super) const EVENT_TAIL: u32 = 0x2018;

// Device table entries (2.2.2).

/// Lg2 of the bytes of an entry, one a requester.
pub(super) const ENTRY_LG2: u32 = 5;
/// Word 0, and an entry of a GCR3 table: it is valid. Where it is not, everything passes untranslated.
pub(super) const VALID: u64 = 1 << 0;
/// Word 0: what it says of translation is valid.
pub(super) const TRANSLATES: u64 = 1 << 1;
/// Word 0: pages of the host are marked as accessed and dirty.
pub(super) const MARKS: u64 = 3 << 7;
/// Word 0: where the paging mode is: the levels, or 0 for none.
pub(super) const MODE_SHIFT: u32 = 9;
/// Word 0: the top table.
pub(super) const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// Word 0: reads are allowed.
pub(super) const READS: u64 = 1 << 61;
/// Word 0: writes are allowed.
pub(super) const WRITES: u64 = 1 << 62;
/// Word 0: reserved bits.
pub(super) const RESERVED: u64 = 0x1f << 2 | 1 << 63;

/// Word 0: requests without a PASID use the guest table of PASID 0 (GIOV).
pub(super) const GUEST_DEFAULT: u64 = 1 << 54;
/// Word 0: guest translation is valid (GV).
pub(super) const GUEST: u64 = 1 << 55;
/// Word 0: where the levels of the GCR3 table are, less one (GLX).
pub(super) const GUEST_LEVELS_SHIFT: u32 = 56;
/// Where the pieces of the GCR3 table's address are: the word, the lowest bit of the address in it, where that stands, bits.
pub(super) const GUEST_ROOT: [(usize, u32, u32, u32); 3] = [(0, 12, 58, 3), (1, 15, 16, 16), (1, 31, 43, 21)];
/// Word 2: where the guest paging mode is: 4 less than the levels of page tables.
pub(super) const GUEST_MODE_SHIFT: u32 = 54;
/// Bits of PASID that a GCR3 table resolves.
pub(super) const GUEST_INDEX_LG2: u32 = 9;

// Commands (2.4): the operation is in bits 63:60 of word 0.

/// Where the operation is.
pub(super) const OPERATION_SHIFT: u32 = 60;
/// COMPLETION_WAIT (2.4.1).
pub(super) const COMPLETION_WAIT: u64 = 1;
/// INVALIDATE_DEVTAB_ENTRY (2.4.2).
pub(super) const INVALIDATE_ENTRY: u64 = 2;
/// INVALIDATE_IOMMU_PAGES (2.4.3).
pub(super) const INVALIDATE_PAGES: u64 = 3;
/// INVALIDATE_IOMMU_ALL (2.4.8).
pub(super) const INVALIDATE_ALL: u64 = 8;
/// COMPLETION_WAIT: word 1 is stored.
pub(super) const STORES: u64 = 1 << 0;
/// COMPLETION_WAIT: where.
pub(super) const STORE_ADDRESS: u64 = 0x000f_ffff_ffff_fff8;
/// INVALIDATE_IOMMU_PAGES: where the domain is in word 0.
pub(super) const DOMAIN_SHIFT: u32 = 32;
/// INVALIDATE_IOMMU_PAGES, word 1: more than one page; ones in the address from bit 12 on say how many: each doubles them (S).
pub(super) const MANY_PAGES: u64 = 1 << 0;
/// INVALIDATE_IOMMU_PAGES, word 1: what is cached of tables on the way too (PDE).
pub(super) const TABLES_TOO: u64 = 1 << 1;
/// INVALIDATE_IOMMU_PAGES, word 1: every page, and what is cached of tables on the way.
pub(super) const ALL_PAGES: u64 = 0x7fff_ffff_ffff_f000 | TABLES_TOO | MANY_PAGES;
/// The largest block that is less than every page, lg2.
pub(super) const BLOCK_LG2_MAX: u32 = 52;

// Events (2.5): the code is in bits 63:60 of word 0, flags below, as `Refusal::code` has them.

/// Where code and flags are.
pub(super) const CODE_SHIFT: u32 = 48;
/// Where bits 19:16 of a PASID are; those below are where a domain is.
pub(super) const PASID_HIGH_SHIFT: u32 = 16;
/// ILLEGAL_DEV_TABLE_ENTRY (2.5.2).
pub(super) const ILLEGAL_ENTRY: u16 = 1 << 12;
/// IO_PAGE_FAULT (2.5.3).
pub(super) const PAGE_FAULT: u16 = 2 << 12;
/// DEV_TAB_HARDWARE_ERROR (2.5.4).
pub(super) const ENTRY_UNREACHABLE: u16 = 3 << 12;
/// PAGE_TAB_HARDWARE_ERROR (2.5.5).
pub(super) const TABLE_UNREACHABLE: u16 = 4 << 12;
/// INVALID_DEVICE_REQUEST (2.5.9).
pub(super) const INVALID_REQUEST: u16 = 8 << 12;
/// INVALIDATE_IOMMU_PAGES, word 1: guest translations, of the PASID in the lowest bits of word 0 (GN).
pub(super) const PAGES_OF_GUEST: u64 = 1 << 2;
/// Flag: of guest translation (GN), so that the PASID stands where the domain is else.
pub(super) const FLAG_GUEST: u16 = 1 << 0;
/// Flag: the page is present.
pub(super) const FLAG_PRESENT: u16 = 1 << 4;
/// Flag: a write.
pub(super) const FLAG_WRITE: u16 = 1 << 5;
/// Flag: it is not allowed.
pub(super) const FLAG_DENIED: u16 = 1 << 6;
/// Flag: reserved bits of a table are set.
pub(super) const FLAG_RESERVED: u16 = 1 << 7;
