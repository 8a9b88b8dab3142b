//! The plain values that go in and out of a page table.

use core::ops::{BitAnd, BitOr};

/// A physical address of the machine, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Pa(pub u64);

/// What a device may do with a page: a set of [`Prot::READ`] and [`Prot::WRITE`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Prot(u8);

impl Prot {
    /// Nothing. A leaf without access cannot be mapped: several formats have no way to write it.
    pub const NONE: Prot = Prot(0);
    /// The device may read.
    pub const READ: Prot = Prot(1);
    /// The device may write.
    pub const WRITE: Prot = Prot(2);

    /// The set as bits: 1 read, 2 write.
    #[inline]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set made of the two lowest bits of `bits`; others are ignored.
    #[inline]
    pub const fn from_bits(bits: u8) -> Prot {
        Prot(bits & 3)
    }

    /// Whether all of `other` is in this set.
    #[inline]
    pub const fn contains(self, other: Prot) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the set allows nothing.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Prot {
    type Output = Prot;
    #[inline]
    fn bitor(self, other: Prot) -> Prot {
        Prot(self.0 | other.0)
    }
}

impl BitAnd for Prot {
    type Output = Prot;
    #[inline]
    fn bitand(self, other: Prot) -> Prot {
        Prot(self.0 & other.0)
    }
}

/// What all leaves of a page table have in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LeafOptions {
    /// Accesses snoop caches whatever the device asks for.
    pub coherent: bool,
    /// Hardware marks what is written to: leaves begin as clean. Else formats whose hardware would refuse to write to a clean leaf begin with dirty ones.
    pub tracks_dirty: bool,
}

/// A stretch of physically contiguous memory to be mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    /// Where it starts; a multiple of the smallest page.
    pub pa: Pa,
    /// Bytes; a multiple of the smallest page. A run of 0 bytes is skipped.
    pub length: u64,
}

/// Why a mapping was refused. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapError {
    /// No memory for a table.
    OutOfMemory,
    /// Part of the range is mapped already.
    Exists,
    /// The IOVA range leaves the aperture, the physical range leaves what an entry can hold, or the format has no such number of levels.
    OutOfRange,
    /// An address or a length is no multiple of the smallest page.
    Misaligned,
    /// Neither read nor write was asked for.
    NoAccess,
}

/// What an IOVA translates to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Translation {
    /// The physical address of that very byte, not of the start of its page.
    pub pa: Pa,
    /// Size of the leaf, contiguous entries taken together.
    pub lg2_size: u8,
    /// What is allowed there.
    pub prot: Prot,
    /// Entries read on the way, 1 to the number of levels.
    pub reads: u8,
}

/// A table on the way to an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// Its level; 0 holds the smallest pages.
    pub level: u32,
    /// Where it is.
    pub table: Pa,
}

/// What an unmap did. Translations cached for `first..=last` must be invalidated.
#[must_use = "the range must be invalidated in every translation cache before its memory is reused"]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Unmapped {
    /// Bytes unmapped, whole leaves. Less than asked where there were holes, more where a leaf reached beyond the range.
    /// Saturates at `u64::MAX`: only a full 64-bit space is one more.
    pub length: u64,
    /// Leaves cleared.
    pub leaves: u64,
    /// Tables given back.
    pub tables: u32,
    /// First IOVA to invalidate: the range that was asked for, cut to the aperture and widened to whole leaves.
    /// Meaningless while `length` is 0.
    pub first: u64,
    /// Last IOVA to invalidate, inclusive.
    pub last: u64,
}
