//! Bits of the SMMUv3's registers, tables, commands and events. Sections are those of the Arm System Memory Management Unit Architecture Specification,
//! SMMU architecture version 3, IHI 0070, issue G.

// Registers (6.3): offsets, and bits of those that are written.

/// SMMU_CR0.
pub(super) const CR0: u32 = 0x20;
/// SMMUEN: streams are translated.
pub(super) const CR0_SMMU: u64 = 1 << 0;
/// EVENTQEN.
pub(super) const CR0_EVENTS: u64 = 1 << 2;
/// CMDQEN.
pub(super) const CR0_COMMANDS: u64 = 1 << 3;
/// SMMU_CR1: how tables and queues are read.
pub(super) const CR1: u32 = 0x28;
/// Of both: inner shareable, write-back.
pub(super) const CR1_WRITE_BACK: u64 = 0xd75;
/// SMMU_STRTAB_BASE.
pub(super) const STRTAB_BASE: u32 = 0x80;
/// SMMU_STRTAB_BASE_CFG.
pub(super) const STRTAB_BASE_CFG: u32 = 0x88;
/// FMT: two levels; SPLIT: 8 bits of a StreamID for the second, as a bus has; LOG2SIZE: all 16.
pub(super) const STRTAB_TWO_LEVELS: u64 = 1 << 16 | SPLIT << 6 | 16;
/// SMMU_CMDQ_BASE: lg2 of its entries in the bits below the address.
pub(super) const CMDQ_BASE: u32 = 0x90;
/// SMMU_CMDQ_PROD: the index of the entry to be written next, with a bit above that changes with each turn.
pub(super) const CMDQ_PROD: u32 = 0x98;
/// SMMU_CMDQ_CONS.
pub(super) const CMDQ_CONS: u32 = 0x9c;
/// SMMU_EVENTQ_BASE.
pub(super) const EVENTQ_BASE: u32 = 0xa0;
/// SMMU_EVENTQ_PROD, in the second page.
pub(super) const EVENTQ_PROD: u32 = 0x1_00a8;
/// SMMU_EVENTQ_CONS.
pub(super) const EVENTQ_CONS: u32 = 0x1_00ac;
/// Base registers: read-allocate, of a queue that is written write-allocate.
pub(super) const ALLOCATES: u64 = 1 << 62;

// Stream table (5.1, 5.2).

/// Bits of a StreamID that index a table of the second level.
pub(super) const SPLIT: u64 = 8;
/// L1STD: Span, one more than the bits of its table; 0: there is none.
pub(super) const SPAN: u64 = 0x1f;
/// Lg2 of the bytes of an STE.
pub(super) const STE_LG2: u32 = 6;
/// STE, word 0: it is valid; as in L1CD.
pub(super) const VALID: u64 = 1 << 0;
/// Word 0: Config.
pub(super) const CONFIG: u64 = 7 << 1;
/// Config: stage 1; neither of the two: abort, without an event.
pub(super) const CONFIG_STAGE_1: u64 = 5 << 1;
/// Config: both.
pub(super) const CONFIG_NESTED: u64 = 7 << 1;
/// Config: stage 2.
pub(super) const CONFIG_STAGE_2: u64 = 6 << 1;
/// Word 0: where S1Fmt is, of 2 bits: 0 linear; two levels, 1 of 4 KiB each, 2 of 64 KiB.
pub(super) const FORMAT_SHIFT: u32 = 4;
/// Word 0, and L1STD and L1CD: where the table is.
pub(super) const POINTER: u64 = 0x000f_ffff_ffff_ffc0;
/// Word 0: where S1CDMax is, the bits of a SubstreamID.
pub(super) const SUBSTREAMS_SHIFT: u32 = 59;
/// Word 1: S1DSS: transfers without a SubstreamID.
pub(super) const DEFAULT_SUBSTREAM: u64 = 3;
/// S1DSS: they use the context of substream 0; 0: they are refused.
pub(super) const DEFAULT_IS_0: u64 = 2;
/// S1DSS: they pass stage 1 by.
pub(super) const DEFAULT_PASSES: u64 = 1;
/// Word 1: MEV: events may be merged, so that one stream cannot fill the queue.
pub(super) const MERGES_EVENTS: u64 = 1 << 19;
/// Word 1: S1CIR, S1COR, S1CSH: context descriptors are read write-back, inner shareable.
pub(super) const STE_WRITE_BACK: u64 = 1 << 2 | 1 << 4 | 3 << 6;
/// Word 2: where S2T0SZ is, 64 less the bits of an address.
pub(super) const S2_SIZE_SHIFT: u32 = 32;
/// Word 2: where S2SL0 is, the level at which a walk starts.
pub(super) const S2_START_SHIFT: u32 = 38;
/// Word 2: S2IR0, S2OR0, S2SH0: tables are read write-back, inner shareable.
pub(super) const S2_WRITE_BACK: u64 = 1 << 40 | 1 << 42 | 3 << 44;
/// Word 2: where S2TG is, the granule.
pub(super) const S2_GRANULE_SHIFT: u32 = 46;
/// Word 2: S2PS: addresses of 48 bits.
pub(super) const S2_OUTPUT_48: u64 = 5 << 48;
/// Word 2: S2AA64: tables of AArch64.
pub(super) const S2_AARCH64: u64 = 1 << 51;
/// Word 2: S2ENDI: tables are big-endian.
pub(super) const S2_BIG_ENDIAN: u64 = 1 << 52;
/// Word 2: S2PTW: tables of stage 1 are not in device memory.
pub(super) const S2_PROTECTS_TABLES: u64 = 1 << 54;
/// Word 2: S2S: transfers stall.
pub(super) const S2_STALLS: u64 = 1 << 57;
/// Word 2: S2R: faults are recorded.
pub(super) const S2_RECORDS: u64 = 1 << 58;
/// Word 3, and TTB0 of a context descriptor: the top table.
pub(super) const TABLE: u64 = 0x000f_ffff_ffff_fff0;

// Context descriptors (5.3, 5.4).

/// Lg2 of the bytes of a context descriptor.
pub(super) const CD_LG2: u32 = 6;
/// As many descriptors have a table of 4 KiB, lg2.
pub(super) const CDS_LG2: u32 = 6;
/// As many have a table of 64 KiB, lg2.
pub(super) const CDS_64K_LG2: u32 = 10;
/// Word 0: where TG0 is, the granule; T0SZ is in the bits below.
pub(super) const CD_GRANULE_SHIFT: u32 = 6;
/// T0SZ.
pub(super) const CD_SIZE: u64 = 0x3f;
/// IR0, OR0, SH0: tables are read write-back, inner shareable.
pub(super) const CD_WRITE_BACK: u64 = 1 << 8 | 1 << 10 | 3 << 12;
/// EPD0: the lower half of addresses is not translated.
pub(super) const CD_NO_LOWER: u64 = 1 << 14;
/// Where the fields are of the upper half that T0SZ and the granule are of the lower; its granules have other codes.
pub(super) const CD_UPPER_SHIFT: u32 = 16;
/// ENDI.
pub(super) const CD_BIG_ENDIAN: u64 = 1 << 15;
/// EPD1: the upper half is not.
pub(super) const CD_NO_UPPER: u64 = 1 << 30;
/// V.
pub(super) const CD_VALID: u64 = 1 << 31;
/// IPS: addresses of 48 bits.
pub(super) const CD_OUTPUT_48: u64 = 5 << 32;
/// Where IPS is.
pub(super) const CD_OUTPUT_SHIFT: u32 = 32;
/// AFFD: pages that are not marked as accessed may be used.
pub(super) const CD_TAKES_UNACCESSED: u64 = 1 << 35;
/// Where TBI0 is, and TBI1 above: the highest byte of an address of that half means nothing.
pub(super) const CD_TOP_BYTE_SHIFT: u32 = 38;
/// AA64.
pub(super) const CD_AARCH64: u64 = 1 << 41;
/// HD: a write makes clean pages dirty.
pub(super) const CD_MARKS_DIRTY: u64 = 1 << 42;
/// HA: pages are marked as accessed.
pub(super) const CD_MARKS_ACCESSED: u64 = 1 << 43;
/// S: transfers stall.
pub(super) const CD_STALLS: u64 = 1 << 44;
/// R: faults are recorded.
pub(super) const CD_RECORDS: u64 = 1 << 45;
/// A: refused transfers are aborted.
pub(super) const CD_ABORTS: u64 = 1 << 46;
/// ASET: the ASID is not shared with processors.
pub(super) const CD_OWN_ASID: u64 = 1 << 47;
/// Where the ASID is.
pub(super) const CD_ASID_SHIFT: u32 = 48;
/// MAIR: memory attributes by index: not cached, write-back, device, and write-back of the outer caches alone.
pub(super) const ATTRIBUTES: u64 = 0xf404_ff44;

// Events (7.2, 7.3): the number is in bits 7:0 of word 0, SubstreamID and StreamID where commands have them.

/// Bytes of a record.
pub(super) const EVENT_BYTES: u64 = 32;
/// SSV: there is a SubstreamID.
pub(super) const EVENT_HAS_SUBSTREAM: u64 = 1 << 11;
/// Word 1, RnW: a read.
pub(super) const EVENT_READ: u64 = 1 << 35;
/// Word 1, S2: of stage 2.
pub(super) const EVENT_STAGE_2: u64 = 1 << 39;
/// Word 1: where CLASS is.
pub(super) const EVENT_CLASS_SHIFT: u32 = 40;
/// CLASS: a table; of pages themselves it is [`EVENT_OF_INPUT`].
pub(super) const EVENT_OF_TABLE: u64 = 1 << 40;
/// CLASS: the address of the transfer.
pub(super) const EVENT_OF_INPUT: u64 = 2 << 40;
/// C_BAD_STREAMID (7.3.2).
pub(super) const BAD_STREAM: u16 = 0x2;
/// F_STE_FETCH (7.3.3).
pub(super) const STE_FETCH: u16 = 0x3;
/// C_BAD_STE (7.3.4).
pub(super) const BAD_STE: u16 = 0x4;
/// F_STREAM_DISABLED (7.3.7).
pub(super) const STREAM_DISABLED: u16 = 0x6;
/// C_BAD_SUBSTREAMID (7.3.9).
pub(super) const BAD_SUBSTREAM: u16 = 0x8;
/// F_CD_FETCH (7.3.10).
pub(super) const CD_FETCH: u16 = 0x9;
/// C_BAD_CD (7.3.11).
pub(super) const BAD_CD: u16 = 0xa;
/// F_WALK_EABT (7.3.12).
pub(super) const WALK_ABORT: u16 = 0xb;
/// F_TRANSLATION (7.3.13).
pub(super) const TRANSLATION: u16 = 0x10;
/// F_ADDR_SIZE (7.3.14).
pub(super) const ADDRESS_SIZE: u16 = 0x11;
/// F_ACCESS (7.3.15).
pub(super) const ACCESS: u16 = 0x12;
/// F_PERMISSION (7.3.16).
pub(super) const PERMISSION: u16 = 0x13;
