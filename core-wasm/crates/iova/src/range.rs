//! A range of addresses.

/// The addresses `start..=last`. Never empty; may reach `u64::MAX`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Range {
    /// First address.
    pub start: u64,
    /// Last address, inclusive.
    pub last: u64,
}

/// What is free behind an address that is not: the addresses above `after` up to `last`. Empty if they are the same.
#[derive(Clone, Copy)]
pub(crate) struct Gap {
    pub(crate) after: u64,
    pub(crate) last: u64,
}

impl Gap {
    /// How many addresses.
    #[inline(always)]
    pub(crate) fn length(self) -> u64 {
        self.last - self.after
    }

    /// The same as a range. It is not empty.
    #[inline(always)]
    pub(crate) fn range(self) -> Range {
        Range { start: self.after + 1, last: self.last }
    }
}

impl Range {
    /// The whole 64-bit space.
    pub const ALL: Range = Range { start: 0, last: u64::MAX };

    /// Whether `address` is one of the range's.
    #[inline]
    pub const fn contains(self, address: u64) -> bool {
        self.start <= address && address <= self.last
    }

    /// Whether the two share an address.
    #[inline]
    pub const fn overlaps(self, other: Range) -> bool {
        self.start <= other.last && other.start <= self.last
    }

    /// The addresses both have, if any.
    #[inline]
    pub fn intersection(self, other: Range) -> Option<Range> {
        let both = Range { start: self.start.max(other.start), last: self.last.min(other.last) };
        (both.start <= both.last).then_some(both)
    }
}
