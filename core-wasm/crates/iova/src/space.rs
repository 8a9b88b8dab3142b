//! The address space of an IOAS.

use crate::error::{AllowError, FixedError, InsertError, OutOfMemory, PlaceError, ReserveError};
use crate::gaps::Gaps;
use crate::range::Range;
use crate::range_map::RangeMap;
use crate::request::{ANYWHERE, Request};
use crate::reserved::Reserved;
use crate::slab::grow;

/// Mapped areas with a value each, reserved ranges, and ranges that automatic placement is restricted to: the `io_pagetable` of Linux.
///
/// Areas are disjoint and touch no reserved range. Everything is O(log n) in the number of areas but [`reserve`](Self::reserve) and
/// [`release`](Self::release), which belong to attaching and detaching, where all areas are looked at anyway. Placement also looks at
/// each allowed range; and for memory that is aligned to less than a page, which only a space without a domain takes, perhaps at each gap
/// that is long enough but has the offset in the page in the wrong place.
pub struct IovaSpace<V: Copy> {
    areas: RangeMap<V>,
    reserved: Reserved,
    /// Ascending, joined where they touch; none: everything is allowed.
    allowed: Vec<Range>,
    /// What is neither an area nor reserved. Has room for one more than there are areas and reserved entries.
    gaps: Gaps,
    /// Whether `gaps` is built; before the first range is in use it takes no memory.
    has_gaps: bool,
    /// The area that came last, until something else changes.
    recent: Option<Recent<V>>,
    /// What was placed last and where, until something changes.
    placed: Option<(Request, u64)>,
}

/// An area that was added, and maybe removed again, with no other change since: what maps and unmaps the same place again and again, as drivers do with
/// every transfer, changes nothing but this.
#[derive(Clone, Copy)]
struct Recent<V> {
    range: Range,
    value: V,
    /// Whether it is an area now. If not, `areas` and `gaps` do not know yet.
    is_area: bool,
    /// Whether `areas` has another value.
    is_newer: bool,
    /// What is known to be placed here, while it is removed.
    placed: Option<Request>,
}

impl<V: Copy> IovaSpace<V> {
    /// An empty space, which owns no memory.
    pub const fn new() -> Self {
        IovaSpace {
            areas: RangeMap::new(),
            reserved: Reserved::new(),
            allowed: Vec::new(),
            gaps: Gaps::new(),
            has_gaps: false,
            recent: None,
            placed: None,
        }
    }

    /// Number of areas.
    #[inline]
    pub fn len(&self) -> usize {
        self.areas.len() - usize::from(self.recent.is_some_and(|recent| !recent.is_area))
    }

    /// Whether there is no area.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The area that contains `address`.
    #[inline]
    pub fn get(&self, address: u64) -> Option<(Range, V)> {
        match self.recent {
            Some(recent) if recent.range.contains(address) => recent.area(),
            _ => self.areas.get(address),
        }
    }

    /// The first area whose last address is not below `address`.
    #[inline]
    pub fn first_from(&self, address: u64) -> Option<(Range, V)> {
        let Some(recent) = &self.recent else { return self.areas.first_from(address) };
        if recent.is_area && recent.range.contains(address) {
            return recent.area();
        }
        let found = self.areas.first_from(address)?;
        if found.0.start == recent.range.start { self.iter_from(address).next() } else { Some(found) }
    }

    /// Areas in ascending order, from the first whose last address is not below `address`.
    pub fn iter_from(&self, address: u64) -> impl Iterator<Item = (Range, V)> + '_ {
        self.areas.iter_from(address).filter_map(|area| self.as_it_is(area))
    }

    /// Adds an area. On error nothing has changed.
    pub fn insert(&mut self, range: Range, value: V) -> Result<(), InsertError> {
        let placed = self.placed.take().filter(|(_, start)| *start == range.start).map(|(request, _)| request);
        if let Some(recent) = self.recent.as_mut().filter(|recent| !recent.is_area && recent.range == range) {
            *recent = Recent { value, is_area: true, is_newer: true, placed: placed.or(recent.placed), ..*recent };
            return Ok(());
        }
        self.settle();
        if range.start <= range.last && self.reserved.overlaps(range) {
            return Err(InsertError::Overlap);
        }
        self.prepare_gaps(self.areas.len() + 1)?;
        self.areas.insert(range, value)?;
        self.gaps.take(range);
        self.recent = Some(Recent { range, value, is_area: true, is_newer: false, placed });
        Ok(())
    }

    /// Removes the area that starts at `start`. Never allocates.
    pub fn remove(&mut self, start: u64) -> Option<(Range, V)> {
        if let Some(recent) = self.recent.as_mut().filter(|recent| recent.range.start == start) {
            let area = recent.area();
            recent.is_area = false;
            return area;
        }
        self.settle();
        let removed = self.areas.remove(start)?;
        self.gaps.give(removed.0);
        Some(removed)
    }

    /// Makes sure that so many calls of [`Self::split`] succeed.
    pub fn reserve_splits(&mut self, count: usize) -> Result<(), OutOfMemory> {
        self.areas.reserve(2 * count)?;
        self.prepare_gaps(self.areas.len() + count)
    }

    /// Cuts the area that starts at `start` in two behind `last`, which is one of its addresses but the last one; the second part gets `value`.
    /// Nothing changes for others. On error nothing has changed.
    pub fn split(&mut self, start: u64, last: u64, value: V) -> Result<(), OutOfMemory> {
        self.settle();
        self.reserve_splits(1)?;
        let Some((range, first)) = self.areas.remove(start) else { return Ok(()) };
        // There is room, and the parts lie where the whole was.
        let _ = self.areas.insert(Range { start, last }, first);
        let _ = self.areas.insert(Range { start: last + 1, last: range.last }, value);
        Ok(())
    }

    /// Whether a mapping may have the IOVA it asks for, as `iopt_check_iova` decides. `length` is not 0, `alignment` a power of two.
    pub fn check_fixed(&self, iova: u64, length: u64, alignment: u64) -> Result<Range, FixedError> {
        if iova & (alignment - 1) != 0 {
            return Err(FixedError::Misaligned);
        }
        let last = iova.checked_add(length.wrapping_sub(1)).ok_or(FixedError::Overflow)?;
        let range = Range { start: iova, last };
        if self.reserved.overlaps(range) {
            return Err(FixedError::Reserved);
        }
        let exists = match &self.recent {
            // What is there beside it.
            Some(recent) if !recent.is_area => self.first_from(iova).is_some_and(|(area, _)| area.start <= last),
            _ => self.areas.overlaps(range),
        };
        if exists {
            return Err(FixedError::Exists);
        }
        Ok(range)
    }

    /// The IOVA that Linux chooses (`iopt_alloc_iova`) for `length` bytes of memory at `address`, in a space with this alignment.
    pub fn place(&mut self, address: u64, length: u64, alignment: u64) -> Result<u64, PlaceError> {
        self.place_counting(address, length, alignment).0
    }

    /// As [`place`](Self::place), with the number of tree nodes that were looked at: for tests, which must not depend on time.
    #[doc(hidden)]
    pub fn place_counting(&mut self, address: u64, length: u64, alignment: u64) -> (Result<u64, PlaceError>, usize) {
        let request = match Request::new(address, length, alignment) {
            Ok(request) => request,
            Err(error) => return (Err(error), 0),
        };
        if let Some(recent) = self.recent.filter(|recent| !recent.is_area) {
            if recent.placed == Some(request) {
                return (Ok(recent.range.start), 0);
            }
            self.settle();
        }
        let (found, visited) = self.search(&request);
        self.placed = found.ok().map(|start| (request, start));
        (found, visited)
    }

    /// Where there is room, by areas and gaps as they stand, and the number of nodes that were looked at.
    fn search(&self, request: &Request) -> (Result<u64, PlaceError>, usize) {
        let mut visited = 0;
        let everything = [ANYWHERE];
        let allowed = if self.allowed.is_empty() { &everything[..] } else { &self.allowed };
        for &range in allowed {
            // As in Linux a range must have room before what is used in it is looked at; and its beginning moves up to the first place.
            let Some(within) = range.intersection(ANYWHERE) else { continue };
            let Some(start) = request.place_in(within) else { continue };
            if !self.has_gaps {
                return (Ok(start), visited);
            }
            let (found, nodes) = self.gaps.first_fit(request, Range { start, last: within.last });
            visited += nodes;
            if let Some(address) = found {
                return (Ok(address), visited);
            }
        }
        (Err(PlaceError::NoSpace), visited)
    }

    /// Reserves a range for `owner`. Reserved ranges may overlap each other.
    pub fn reserve(&mut self, range: Range, owner: u64) -> Result<(), ReserveError> {
        self.settle();
        if self.areas.overlaps(range) {
            return Err(ReserveError::AreaOverlap);
        }
        if self.allowed.iter().any(|allowed| allowed.overlaps(range)) {
            return Err(ReserveError::AllowedOverlap);
        }
        self.reserved.ensure()?;
        self.gaps.ensure(self.areas.len() + self.reserved.most() + 1)?;
        self.reserved.add(range, owner);
        self.build_gaps();
        Ok(())
    }

    /// Gives back all that `owner` reserved. Never allocates.
    pub fn release(&mut self, owner: u64) {
        self.settle();
        if self.reserved.remove(owner) {
            self.build_gaps();
        }
    }

    /// What `owner` reserved, for inspection.
    pub fn reserved_by(&self, owner: u64) -> impl Iterator<Item = Range> + '_ {
        self.reserved.of(owner)
    }

    /// The holes between reserved ranges, in ascending order (`iommufd_ioas_iova_ranges`).
    pub fn usable(&self) -> impl Iterator<Item = Range> + '_ {
        self.reserved.holes()
    }

    /// Restricts automatic placement to `ranges`; none allow everything. On error nothing has changed.
    pub fn set_allowed(&mut self, ranges: &[Range]) -> Result<(), AllowError> {
        if ranges.iter().any(|range| range.start >= range.last) {
            return Err(AllowError::Inverted);
        }
        let mut sorted = Vec::new();
        grow(&mut sorted, ranges.len())?;
        sorted.extend_from_slice(ranges);
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[1].start <= pair[0].last) {
            return Err(AllowError::Overlap);
        }
        if sorted.iter().any(|range| self.reserved.overlaps(*range)) {
            return Err(AllowError::Reserved);
        }
        // Ranges that touch are one to the search, as they are to Linux's.
        sorted.dedup_by(|next, before| {
            let touches = before.last + 1 == next.start;
            if touches {
                before.last = next.last;
            }
            touches
        });
        self.settle();
        self.allowed = sorted;
        Ok(())
    }

    /// What automatic placement is restricted to; nothing: it is not.
    pub(crate) fn allowed(&self) -> &[Range] {
        &self.allowed
    }

    /// Restricts automatic placement to ranges that [`allowed_apart`](Self::allowed_apart) gave, for a while: `ranges` becomes what it was
    /// restricted to, to be given back by another call.
    pub fn swap_allowed(&mut self, ranges: &mut Vec<Range>) {
        self.settle();
        core::mem::swap(&mut self.allowed, ranges);
    }

    /// An area that `areas` has, as it is now.
    #[inline(never)]
    fn as_it_is(&self, area: (Range, V)) -> Option<(Range, V)> {
        match &self.recent {
            Some(recent) if recent.range.start == area.0.start => recent.area(),
            _ => Some(area),
        }
    }

    /// Has `areas` and `gaps` know what became of the area that came last. Never allocates.
    #[inline(never)]
    fn settle(&mut self) {
        self.placed = None;
        let Some(Recent { range, value, is_area, is_newer, .. }) = self.recent.take() else { return };
        if !is_area {
            self.areas.remove(range.start);
            self.gaps.give(range);
        } else if is_newer {
            self.areas.set(range.start, value);
        }
    }

    /// Makes sure that the gaps are known and that there is room for those between `areas` areas.
    #[inline]
    fn prepare_gaps(&mut self, areas: usize) -> Result<(), OutOfMemory> {
        // One gap before each range in use and one behind them all.
        self.gaps.ensure(areas + self.reserved.most())?;
        if !self.has_gaps {
            self.build_gaps();
        }
        Ok(())
    }

    /// Computes the gaps anew. There is room for them.
    fn build_gaps(&mut self) {
        self.gaps.clear();
        let mut reserved = self.reserved.iter().peekable();
        let mut areas = self.areas.iter().map(|(range, _)| range).peekable();
        let mut from = Some(0);
        while let Some(start) = from {
            let area_first = match (areas.peek(), reserved.peek()) {
                (Some(area), Some(range)) => area.start < range.start,
                (area, _) => area.is_some(),
            };
            let next = if area_first { areas.next() } else { reserved.next() };
            let Some(used) = next else {
                self.gaps.insert(Range { start, last: u64::MAX });
                break;
            };
            if start < used.start {
                self.gaps.insert(Range { start, last: used.start - 1 });
            }
            from = used.last.checked_add(1);
        }
        self.has_gaps = true;
    }

    /// For tests: panics if the space is not what it must be.
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        self.areas.check_invariants();
        self.gaps.check_invariants();
        if !self.has_gaps {
            assert!(self.areas.is_empty() && self.reserved.iter().next().is_none());
            return;
        }
        let mut used: Vec<Range> = self.areas.iter().map(|(range, _)| range).chain(self.reserved.iter()).collect();
        used.sort_unstable();
        let mut from = Some(0);
        let mut gaps = self.gaps.iter();
        for range in used {
            let start = from.expect("nothing lies beyond the last address");
            assert!(start <= range.start, "areas and reserved ranges are disjoint");
            if start < range.start {
                assert_eq!(gaps.next(), Some(Range { start, last: range.start - 1 }), "a gap is what lies between");
            }
            from = range.last.checked_add(1);
        }
        assert_eq!(gaps.next(), from.map(|start| Range { start, last: u64::MAX }));
        assert_eq!(gaps.next(), None);
    }
}

impl<V: Copy> Recent<V> {
    #[inline]
    fn area(&self) -> Option<(Range, V)> {
        self.is_area.then_some((self.range, self.value))
    }
}

impl<V: Copy> Default for IovaSpace<V> {
    fn default() -> Self {
        Self::new()
    }
}
