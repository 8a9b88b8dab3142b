//! A range of addresses.

/// The addresses `start..=last`. Never empty; may reach `u64::MAX`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Range {
    /// First address.
    pub start: u64,
    /// Last address, inclusive.
    pub last: u64,
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
