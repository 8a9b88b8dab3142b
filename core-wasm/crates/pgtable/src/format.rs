//! THE CONTRACT of a page-table format. To add a format: one file in `fmt/`, one line in `fmt/mod.rs`.
//!
//! A format is data: how *one entry* reads and writes. It knows nothing of walking, of memory, of counting. The algorithms are compiled once and read it,
//! so that a further format is a table of some hundred bytes.
//!
//! Files in `fmt/` all read in the same order: the specification with its sections → its names for the levels → bits → constants → attributes →
//! the format.

use crate::types::{LeafOptions, Pa, Prot};

/// Levels that a page table can have at most.
pub const MAX_LEVELS: usize = 6;

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

/// A question about the bits of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Test {
    /// The bits that matter.
    pub mask: u64,
    /// What they must be.
    pub value: u64,
}

impl Test {
    /// No entry passes.
    pub const NEVER: Test = Test { mask: 0, value: 1 };

    /// All of `bits` are set.
    pub const fn set(bits: u64) -> Test {
        Test { mask: bits, value: bits }
    }

    /// None of `bits` is set.
    pub const fn clear(bits: u64) -> Test {
        Test { mask: bits, value: 0 }
    }

    /// Whether `entry` passes.
    #[inline(always)]
    pub const fn passes(self, entry: u64) -> bool {
        entry & self.mask == self.value
    }
}

/// How an entry says that it is one of several of a leaf.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Groups {
    /// It does not: every leaf has one entry.
    None,
    /// By a bit; each entry has its own address. As many entries as stand here by level, lg2 (Arm's contiguous hint).
    Hint {
        /// The bit.
        bit: u64,
        /// Entries, lg2; 0 where a level has no such leaves.
        lg2: [u8; MAX_LEVELS],
    },
    /// By bits, and all entries are the same: the address of the leaf, with ones in the bits below its size but for the highest (AMD).
    Ones {
        /// The bits.
        bits: u64,
    },
    /// By a bit, at level 0 alone, and all entries are the same: the address of the leaf, with a one in the highest bit below its size (Svnapot).
    Half {
        /// The bit.
        bit: u64,
        /// Entries, lg2.
        lg2: u8,
    },
}

/// How a leaf says that a write went through it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dirty {
    /// The bit that changes.
    pub bit: u64,
    /// What it is then: `bit`, or 0.
    pub when: u64,
    /// Bits without which a leaf is never marked. 0: each is.
    pub guard: u64,
}

/// A page-table format with 64-bit entries.
///
/// Rules that the algorithms rely on:
/// - The entry 0 is not present, and no encoded entry is 0.
/// - A leaf, however many entries it takes, lies within one table and is aligned to its size, in IOVA and PA.
/// - Tables are encoded so that they allow everything: leaves decide about access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Format {
    /// Name for people, lower case: `"vtd_ss"`.
    pub name: &'static str,
    /// Whether it is of the first stage, or of Arm's stage 1.
    pub first_stage: bool,
    /// Smallest page: 11 (2 KiB), 12, 14 or 16. A level-0 entry covers this much.
    pub granule_lg2: u32,
    /// Bytes of a table, lg2. Each level below the top resolves 3 bits of address less.
    pub table_lg2: u32,
    /// Fewest levels a table may have.
    pub min_levels: u32,
    /// Most levels a table may have, at most [`MAX_LEVELS`].
    pub max_levels: u32,
    /// Bits of IOVA that a table translates beyond those of its levels: more with tables side by side at the top, which is then allocated that much
    /// larger (Arm stage 2, RISC-V Sv48x4); fewer where only the lower half of signed addresses is mapped.
    pub top_extra: i32,
    /// Bits of IOVA that the format can translate at most; the top table is used in part if that is less than its levels give.
    pub max_address_lg2: u32,
    /// Bits of physical address that a leaf can hold.
    pub max_output_lg2: u32,
    /// Sizes of leaves that start at an entry of each level: bit n for 2^n bytes; contiguous sizes included. All are at least the item of the level and
    /// less than that of the next. Level 0 has at least the granule.
    pub leaf_sizes: [u64; MAX_LEVELS],
    /// An entry is present if any of these is set.
    pub present: u64,
    /// Above level 0: what tells a table from a leaf, with `level * table_step` added to its value.
    pub is_table: Test,
    /// See [`Self::is_table`]; in an entry that points to a table as well.
    pub table_step: u64,
    /// What an entry has that points to a table, beside the address.
    pub table: u64,
    /// Where the address is in an entry.
    pub address: u64,
    /// An address stands so many bits higher in an entry than it is.
    pub up: u32,
    /// Or so many lower.
    pub down: u32,
    /// What a leaf has at level 0, beside address and attributes.
    pub page: u64,
    /// The same above level 0.
    pub large_page: u64,
    /// Leaves of several entries.
    pub groups: Groups,
    /// Whether an entry, leaf or table, lets a device read.
    pub read: Test,
    /// Whether it lets it write: either of the two.
    pub write: [Test; 2],
    /// The bit of a leaf that hardware sets when it uses it.
    pub accessed: u64,
    /// The mark of a write.
    pub dirty: Dirty,
    /// What a leaf has for permissions and options, by [`Prot::bits`], with 4 for [`LeafOptions::coherent`] and 8 for [`LeafOptions::tracks_dirty`]. It
    /// allows all of the permissions, and more only where the format has no way to say less (writing alone, of x86-64, RISC-V and Arm's stage 1).
    pub attributes: [u64; 16],
}

/// Fills [`Format::attributes`] from a `const fn(read: bool, write: bool, coherent: bool, tracks_dirty: bool) -> u64`.
macro_rules! attributes {
    ($function:path $(, $argument:expr)*) => {{
        let mut table = [0; 16];
        let mut at = 0;
        while at < 16 {
            table[at] = $function($($argument,)* at & 1 != 0, at & 2 != 0, at & 4 != 0, at & 8 != 0);
            at += 1;
        }
        table
    }};
}
pub(crate) use attributes;

/// A bit, or none.
pub(crate) const fn bit_if(bits: u64, condition: bool) -> u64 {
    if condition { bits } else { 0 }
}

impl Format {
    /// Bits of address that a table below the top resolves.
    #[inline(always)]
    pub const fn index_lg2(&self) -> u32 {
        self.table_lg2 - 3
    }

    /// Bytes that one entry of `level` covers, lg2. `level` is below [`Self::max_levels`], or equal to it if that still fits 64 bits.
    #[inline(always)]
    pub const fn item_lg2(&self, level: u32) -> u32 {
        self.granule_lg2 + level * self.index_lg2()
    }

    /// Bits of IOVA that a table of `levels` translates.
    #[inline]
    pub const fn address_lg2(&self, levels: u32) -> u32 {
        let of_levels = self.item_lg2(levels).saturating_add_signed(self.top_extra);
        if of_levels < self.max_address_lg2 { of_levels } else { self.max_address_lg2 }
    }

    /// The level at whose entries leaves of 2^`lg2` bytes start.
    #[inline(always)]
    pub const fn level_of(&self, lg2: u32) -> u32 {
        let mut level = 0;
        while self.item_lg2(level + 1) <= lg2 {
            level += 1;
        }
        level
    }

    /// What `entry` is at `level`; never a table at level 0.
    #[inline(always)]
    pub const fn load(&self, entry: u64, level: u32) -> Entry {
        if entry & self.present == 0 {
            Entry::Empty
        } else if level != 0 && entry & self.is_table.mask == self.is_table.value + level as u64 * self.table_step {
            Entry::Table
        } else {
            Entry::Leaf
        }
    }

    /// An address where it stands in an entry.
    #[inline(always)]
    pub(crate) const fn place(&self, address: u64) -> u64 {
        address << self.up >> self.down
    }

    /// Where the table lies to which `entry` points: the address that is in it. Of a leaf, bits within its page may be anything.
    #[inline(always)]
    pub const fn table_pa(&self, entry: u64) -> Pa {
        let address = entry & self.address;
        // A branch, as shifts by what is not known beforehand are slower than one, and every step of a walk waits for them.
        if self.up | self.down == 0 { Pa(address) } else { Pa(address >> self.up << self.down) }
    }

    /// What tells an entry that points to a table, as [`Self::encode_table`] writes it, from everything else at `level`. Unlike with [`Self::load`] an entry
    /// that somebody else wrote may pass neither as a table nor as a leaf.
    #[inline(always)]
    pub(crate) const fn own_table(&self, level: u32) -> Test {
        let step = level as u64 * self.table_step;
        Test { mask: self.is_table.mask | self.table, value: self.table + step }
    }

    /// Where the page starts of which `entry` is the leaf, or one of its entries. Only for [`Entry::Leaf`].
    #[inline(always)]
    pub const fn leaf_pa(&self, entry: u64, level: u32) -> Pa {
        Pa(self.table_pa(entry).0 & !((1 << self.leaf_lg2(entry, level)) - 1))
    }

    /// Size of that page, lg2. Only for [`Entry::Leaf`].
    #[inline(always)]
    pub const fn leaf_lg2(&self, entry: u64, level: u32) -> u32 {
        match self.groups {
            Groups::None => self.item_lg2(level),
            _ => self.grouped_lg2(entry, level),
        }
    }

    /// The same where leaves may have several entries.
    #[inline(never)]
    const fn grouped_lg2(&self, entry: u64, level: u32) -> u32 {
        let item_lg2 = self.item_lg2(level);
        match self.groups {
            Groups::Hint { bit, lg2 } if entry & bit != 0 => item_lg2 + lg2[level as usize] as u32,
            Groups::Ones { bits } if entry & bits == bits => {
                self.granule_lg2 + 1 + (self.table_pa(entry).0 >> self.granule_lg2).trailing_ones()
            }
            Groups::Half { bit, lg2 } if entry & bit != 0 && level == 0 => {
                // The number of a page has a one at the half of the leaf and zeros below; anything else is none.
                let within = self.table_pa(entry).0 >> self.granule_lg2 & ((1 << lg2) - 1);
                item_lg2 + if within == 1 << (lg2 - 1) { lg2 as u32 } else { 0 }
            }
            _ => item_lg2,
        }
    }

    /// The entry at `level` (1 or higher) that points to the table at `pa`.
    #[inline(always)]
    pub const fn encode_table(&self, pa: Pa, level: u32) -> u64 {
        self.place(pa.0) | (self.table + level as u64 * self.table_step)
    }

    /// An entry at `level` of a leaf of 2^`lg2` bytes, in [`Self::leaf_sizes`] of that level. `pa` is the address at which *this entry* starts
    /// translating. `attributes` come from [`Self::attributes`].
    #[inline(always)]
    pub const fn encode_leaf(&self, pa: Pa, level: u32, lg2: u32, attributes: u64) -> u64 {
        let kind = if level == 0 { self.page } else { self.large_page };
        if lg2 == self.item_lg2(level) {
            return self.place(pa.0) | kind | attributes;
        }
        let start = pa.0 & !((1 << lg2) - 1);
        match self.groups {
            Groups::None => self.place(pa.0) | kind | attributes,
            Groups::Hint { bit, .. } => self.place(pa.0) | kind | bit | attributes,
            Groups::Ones { bits } => self.place(start | ((1 << (lg2 - 1)) - 1)) & self.address | kind | bits | attributes,
            Groups::Half { bit, .. } => self.place(start | 1 << (lg2 - 1)) | kind | bit | attributes,
        }
    }

    /// Whether the entries of a leaf are all the same.
    #[inline(always)]
    pub(crate) const fn repeats(&self) -> bool {
        matches!(self.groups, Groups::Ones { .. } | Groups::Half { .. })
    }

    /// The bits of a leaf that `prot` (not empty) stands for.
    #[inline]
    pub const fn attributes(&self, prot: Prot, options: LeafOptions) -> u64 {
        self.attributes[prot.bits() as usize | (options.coherent as usize) << 2 | (options.tracks_dirty as usize) << 3]
    }

    /// What `entry`, a leaf, allows; or what a table does, of formats that have rights there.
    #[inline(always)]
    pub const fn prot(&self, entry: u64) -> Prot {
        let write = self.write[0].passes(entry) || self.write[1].passes(entry);
        Prot::from_bits(self.read.passes(entry) as u8 | (write as u8) << 1)
    }

    /// `entry`, a leaf, after hardware translated an access through it: accessed, and dirty after a write.
    #[inline]
    pub const fn touch(&self, entry: u64, write: bool) -> u64 {
        let Dirty { bit, when, guard } = self.dirty;
        self.accessed | if write && entry & guard == guard { entry & !bit | when } else { entry }
    }

    /// Whether a write went through this leaf entry since it was last cleaned. A contiguous leaf is dirty if one of its entries is.
    #[inline]
    pub const fn is_dirty(&self, entry: u64) -> bool {
        let Dirty { bit, when, guard } = self.dirty;
        entry & (bit | guard) == when | guard
    }

    /// `entry`, a leaf, with the dirty mark taken away.
    #[inline]
    pub const fn clean(&self, entry: u64) -> u64 {
        let Dirty { bit, when, guard } = self.dirty;
        if entry & guard == guard { entry & !bit | (bit ^ when) } else { entry }
    }
}
