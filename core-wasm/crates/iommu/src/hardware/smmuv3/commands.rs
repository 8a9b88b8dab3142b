//! Commands of the SMMUv3 (4.1 to 4.7), as drivers post them, a guest's among them.

/// Where the code is, in word 0.
pub const CODE: u64 = 0xff;
/// CMD_PREFETCH_CONFIG and CMD_PREFETCH_ADDR (4.2).
pub const PREFETCHES: core::ops::RangeInclusive<u64> = 0x1..=0x2;
/// CMD_CFGI_STE (4.3.1).
pub const CFGI_STE: u64 = 0x3;
/// CMD_CFGI_STE_RANGE, and CMD_CFGI_ALL with the range of all (4.3.2, 4.3.3).
pub const CFGI_ALL: u64 = 0x4;
/// CMD_CFGI_CD (4.3.4).
pub const CFGI_CD: u64 = 0x5;
/// CMD_CFGI_CD_ALL (4.3.5).
pub const CFGI_CD_ALL: u64 = 0x6;
/// CMD_TLBI_NH_ALL (4.4.1): of a virtual machine, stage 1.
pub const TLBI_NH_ALL: u64 = 0x10;
/// CMD_TLBI_NH_ASID (4.4.1).
pub const TLBI_NH_ASID: u64 = 0x11;
/// CMD_TLBI_NH_VA (4.4.1).
pub const TLBI_NH_VA: u64 = 0x12;
/// CMD_TLBI_NH_VAA (4.4.1): of all ASIDs.
pub const TLBI_NH_VAA: u64 = 0x13;
/// CMD_ATC_INV (4.5.1): of caches that devices have.
pub const ATC_INV: u64 = 0x40;
/// CMD_TLBI_S12_VMALL (4.4.3).
pub const TLBI_S12_VMALL: u64 = 0x28;
/// CMD_TLBI_S2_IPA (4.4.3).
pub const TLBI_S2_IPA: u64 = 0x2a;
/// CMD_TLBI_NSNH_ALL (4.4.4).
pub const TLBI_NSNH_ALL: u64 = 0x30;
/// CMD_TLBI_NH_VA, NH_VAA and S2_IPA, word 1: nothing but the last level.
pub const TLBI_LEAF: u64 = 1;
/// The same: the address.
pub const TLBI_ADDRESS: u64 = !0xfff;
/// CMD_SYNC (4.7.3).
pub const SYNC: u64 = 0x46;
/// CMD_CFGI_ALL, word 1: the range of all streams.
pub const RANGE_ALL: u64 = 31;
/// Where a SubstreamID is.
pub const SUBSTREAM_SHIFT: u32 = 12;
/// Where a StreamID is, and a VMID.
pub const STREAM_SHIFT: u32 = 32;
/// Where an ASID is.
pub const ASID_SHIFT: u32 = 48;
