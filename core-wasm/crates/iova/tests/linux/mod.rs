//! A slow model of what Linux 7.3 knows of the addresses of an IOAS (`io_pagetable.c`, `ioas.c`): sets of ranges, searched hole by hole.
//!
//! It reckons in `u128`, so that no edge of the 64-bit space needs care; where Linux looks for an overflow the model looks for a number
//! above `u64::MAX`.

use iova::Range;
use std::collections::BTreeMap;

const PAGE: u64 = 4096;
const HUGE_PAGE: u64 = 2 << 20;
const END: u128 = 1 << 64;

/// The error numbers that the requests in question answer with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(clippy::upper_case_acronyms)]
pub enum Errno {
    EINVAL,
    EOVERFLOW,
    ENOSPC,
    EEXIST,
    EADDRINUSE,
}

#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Linux {
    /// First address to last.
    pub areas: BTreeMap<u64, u64>,
    pub reserved: Vec<(Range, u64)>,
    pub allowed: Vec<Range>,
}

impl Linux {
    pub fn areas(&self) -> impl Iterator<Item = Range> + '_ {
        self.areas.iter().map(|(&start, &last)| Range { start, last })
    }

    fn in_area(&self, range: Range) -> bool {
        self.areas().any(|area| area.overlaps(range))
    }

    fn in_reserved(&self, range: Range) -> bool {
        self.reserved.iter().any(|(reserved, _)| reserved.overlaps(range))
    }

    /// What lies between the used ranges, in ascending order, within `bounds`.
    fn holes(used: impl Iterator<Item = Range>, bounds: Range) -> Vec<Range> {
        let mut used: Vec<Range> = used.filter(|range| range.overlaps(bounds)).collect();
        used.sort_unstable();
        let mut holes = Vec::new();
        let mut from = u128::from(bounds.start);
        for range in used {
            if from < u128::from(range.start) {
                holes.push(Range { start: from as u64, last: range.start - 1 });
            }
            from = from.max(u128::from(range.last) + 1);
        }
        if from <= u128::from(bounds.last) {
            holes.push(Range { start: from as u64, last: bounds.last });
        }
        holes
    }

    /// What neither an area nor a reserved range has of `bounds`.
    pub fn free(&self, bounds: Range) -> Vec<Range> {
        Self::holes(self.areas().chain(self.reserved.iter().map(|(range, _)| *range)), bounds)
    }

    /// The answer of IOAS_IOVA_RANGES.
    pub fn usable(&self) -> Vec<Range> {
        Self::holes(self.reserved.iter().map(|(range, _)| *range), Range::ALL)
    }

    /// Whether a mapping may be at `iova`.
    pub fn check(&self, iova: u64, length: u64, alignment: u64) -> Result<Range, Errno> {
        if !iova.is_multiple_of(alignment) {
            return Err(Errno::EINVAL);
        }
        let last = u128::from(iova) + u128::from(length) - 1;
        if last >= END {
            return Err(Errno::EOVERFLOW);
        }
        let range = Range { start: iova, last: last as u64 };
        if self.in_reserved(range) {
            return Err(Errno::EINVAL);
        }
        if self.in_area(range) {
            return Err(Errno::EEXIST);
        }
        Ok(range)
    }

    /// Where a mapping without an IOVA of its own goes: the first hole of the first allowed range that takes it.
    pub fn place(&self, address: u64, length: u64, alignment: u64) -> Result<u64, Errno> {
        if length == 0 || length >= u64::MAX / 2 {
            return Err(Errno::EOVERFLOW);
        }
        let mut wanted = 1;
        while wanted < length {
            wanted *= 2;
        }
        let of_address = (0..64).map(|bit| 1_u64 << bit).find(|bit| address & bit != 0);
        let wanted = wanted.min(of_address.unwrap_or(u64::MAX)).min(HUGE_PAGE);
        if wanted < alignment {
            return Err(Errno::EINVAL);
        }
        let anywhere = Range { start: PAGE, last: u64::MAX - PAGE };
        // Linux walks spans: allowed ranges that touch are one, and each is cut to what placement may use at all.
        let spans = match self.allowed.is_empty() {
            true => vec![anywhere],
            false => Self::holes(Self::holes(self.allowed.iter().copied(), Range::ALL).into_iter(), anywhere),
        };
        for span in spans {
            let Some(start) = fit(span, length, wanted, address % PAGE) else { continue };
            for hole in self.free(Range { start, last: span.last }) {
                if let Some(iova) = fit(hole, length, wanted, address % PAGE) {
                    return Ok(iova);
                }
            }
        }
        Err(Errno::ENOSPC)
    }

    pub fn reserve(&mut self, range: Range, owner: u64) -> Result<(), Errno> {
        if self.in_area(range) || self.allowed.iter().any(|allowed| allowed.overlaps(range)) {
            return Err(Errno::EADDRINUSE);
        }
        self.reserved.push((range, owner));
        Ok(())
    }

    pub fn release(&mut self, owner: u64) {
        self.reserved.retain(|(_, other)| *other != owner);
    }

    pub fn allow(&mut self, ranges: &[Range]) -> Result<(), Errno> {
        for (index, range) in ranges.iter().enumerate() {
            if range.start >= range.last || ranges[..index].iter().any(|before| before.overlaps(*range)) {
                return Err(Errno::EINVAL);
            }
        }
        if ranges.iter().any(|range| self.in_reserved(*range)) {
            return Err(Errno::EADDRINUSE);
        }
        self.allowed = ranges.to_vec();
        Ok(())
    }
}

/// The first address in `range` that is aligned and has the offset, if `length` bytes follow and it is not the range's last.
fn fit(range: Range, length: u64, alignment: u64, offset: u64) -> Option<u64> {
    let aligned = u128::from(range.start).next_multiple_of(u128::from(alignment));
    let start = aligned | u128::from(offset);
    let last = start + u128::from(length) - 1;
    (aligned < END && start < u128::from(range.last) && last <= u128::from(range.last)).then_some(start as u64)
}
