//! THE CONTRACT of a page-table format. To add a format: one file in `fmt/`, one line in `fmt/mod.rs`.
//!
//! A format knows how *one entry* reads and writes. It knows nothing of walking, of memory, of counting.
//!
//! Files in `fmt/` all read in the same order: the specification with its sections → its names for the levels → bits → constants →
//! leaf sizes → load → addresses → encode → attributes → accessed and dirty.

use crate::types::{LeafOptions, Pa, Prot};

/// What an entry is, at the level where it was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    /// Not present.
    Empty,
    /// Points to a table of the next level down.
    Table,
    /// Translates; maybe one of several entries of a contiguous leaf.
    Leaf,
}

/// A page-table format with 64-bit entries. Every function is about one entry and is inlined into the algorithms.
///
/// Rules that the algorithms rely on:
/// - The entry 0 is [`Entry::Empty`], and no encoded entry is 0.
/// - [`Format::load`] never answers [`Entry::Table`] at level 0.
/// - A leaf, however many entries it takes, lies within one table and is aligned to its size, in IOVA and PA.
/// - Functions must not panic on any entry, including those that this crate would not write.
pub trait Format: 'static {
    /// Name for people, lower case: `"vtd_ss"`.
    const NAME: &'static str;
    /// Smallest page: 11 (2 KiB), 12, 14 or 16. A level-0 entry covers this much.
    const GRANULE_LG2: u32;
    /// Bytes of a table. Each level below the top resolves `TABLE_LG2 - 3` bits of address.
    const TABLE_LG2: u32 = Self::GRANULE_LG2;
    /// Fewest levels a table may have.
    const MIN_LEVELS: u32;
    /// Most levels a table may have, at most 6.
    const MAX_LEVELS: u32;
    /// Bits of IOVA that the format can translate with [`Self::MAX_LEVELS`]; the top table is used in part if that is less than its levels give.
    const MAX_ADDRESS_LG2: u32;
    /// Bits of physical address that a leaf can hold.
    const MAX_OUTPUT_LG2: u32 = 52;
    /// Whether a leaf may take more than one entry. `false` compiles the code for that away.
    const CONTIGUOUS: bool = false;
    /// The bit of a leaf that hardware sets when it uses it; 0 where the format, or the hardware, has none.
    const ACCESSED: u64 = 0;
    /// The bit of a leaf that hardware sets when a write goes through it; 0 where there is none, or where it is no matter of one bit.
    const DIRTY: u64 = 0;

    /// Bytes that one entry of `level` covers, lg2. `level` is below [`Self::MAX_LEVELS`], or equal to it if that still fits 64 bits.
    #[inline(always)]
    fn item_lg2(level: u32) -> u32 {
        Self::GRANULE_LG2 + level * (Self::TABLE_LG2 - 3)
    }

    /// Bits of IOVA that a table of `levels` translates. Override for a wider top (concatenated tables: Arm stage 2, RISC-V Sv48x4);
    /// the top table is then allocated that much larger.
    #[inline(always)]
    fn address_lg2(levels: u32) -> u32 {
        Self::item_lg2(levels).min(Self::MAX_ADDRESS_LG2)
    }

    /// Sizes of leaves that start at an entry of `level`: bit n for 2^n bytes; contiguous sizes included. All are at least the item of
    /// `level` and less than that of the next level. Level 0 has at least the granule.
    fn leaf_sizes(level: u32) -> u64;

    /// What `entry` is at `level`.
    fn load(entry: u64, level: u32) -> Entry;

    /// Where the table lies to which `entry` points: the address that is in it. Of a leaf, bits within its page may be anything.
    fn table_pa(entry: u64) -> Pa;

    /// Where the page starts of which `entry` is the leaf, or one of its entries. Only for [`Entry::Leaf`].
    #[inline(always)]
    fn leaf_pa(entry: u64, level: u32) -> Pa {
        Pa(Self::table_pa(entry).0 & !((1 << Self::leaf_lg2(entry, level)) - 1))
    }

    /// Size of that page, lg2. Only for [`Entry::Leaf`].
    #[inline(always)]
    fn leaf_lg2(entry: u64, level: u32) -> u32 {
        let _ = entry;
        Self::item_lg2(level)
    }

    /// The entry at `level` (1 or higher) that points to the table at `pa`. It allows everything: leaves decide about access.
    fn encode_table(pa: Pa, level: u32) -> u64;

    /// An entry at `level` of a leaf of 2^`lg2` bytes, in [`Self::leaf_sizes`] of that level. `pa` is the address at which *this entry*
    /// starts translating, so that a format may repeat the same entry (AMD, Svnapot) or number them (Arm's contiguous hint).
    /// `attributes` come from [`Self::attributes`].
    fn encode_leaf(pa: Pa, level: u32, lg2: u32, attributes: u64) -> u64;

    /// The bits of a leaf that `prot` (not empty) stands for; computed once a mapping. They allow all of it, and more only where the format has no
    /// way to say less (writing alone, of x86-64, RISC-V and Arm's stage 1).
    fn attributes(prot: Prot, options: LeafOptions) -> u64;

    /// What `entry`, leaf or table, allows.
    fn prot(entry: u64) -> Prot;

    /// `entry`, a leaf, after hardware translated an access through it: accessed, and dirty after a write.
    #[inline]
    fn touch(entry: u64, write: bool) -> u64 {
        entry | Self::ACCESSED | if write { Self::DIRTY } else { 0 }
    }

    /// Whether a write went through this leaf entry since it was last cleaned. A contiguous leaf is dirty if one of its entries is.
    #[inline]
    fn is_dirty(entry: u64) -> bool {
        entry & Self::DIRTY != 0
    }

    /// `entry`, a leaf, with the dirty mark taken away.
    #[inline]
    fn clean(entry: u64) -> u64 {
        entry & !Self::DIRTY
    }
}
