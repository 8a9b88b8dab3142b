//! The address space of an IOAS.

use crate::error::{AllowError, FixedError, InsertError, OutOfMemory, PlaceError, ReserveError};
use crate::fit::Fit;
use crate::range::Range;
use crate::request::{ANYWHERE, Request};
use crate::reserved::Reserved;
use crate::rooms::Rooms;
use crate::slab::grow;
use crate::tree::Tree;

/// Mapped areas with a value each, reserved ranges, and ranges that automatic placement is restricted to: the `io_pagetable` of Linux.
///
/// Areas are disjoint and share nothing with a reserved range. Everything is O(log n) in the number of areas, placement together with the
/// changes before it: the first search that comes upon what has changed corrects what the tree knows of it. Placement also looks at each
/// allowed range, perhaps at each gap with a reserved range in it; and for memory that is aligned to less than a page, which only a space
/// without a domain takes, perhaps at each gap that is long enough but has the offset in the page in the wrong place.
pub struct IovaSpace<V: Copy> {
    areas: Tree<V, Rooms>,
    reserved: Reserved,
    /// Ascending, joined where they touch; none: everything is allowed.
    allowed: Vec<Range>,
    /// The area that came last, until something else changes.
    recent: Option<Recent<V>>,
    /// What was placed last and where, until something changes beside an area there.
    placed: Option<(Request, u64)>,
}

/// An area that was added, and maybe removed again, with no other change since: what maps and unmaps the same place again and again, as drivers do with
/// every transfer, changes nothing but this.
#[derive(Clone, Copy)]
struct Recent<V> {
    range: Range,
    value: V,
    /// Whether it is an area now. If not, `areas` does not know yet.
    is_area: bool,
    /// Whether `areas` has another value.
    is_newer: bool,
}

impl<V: Copy> IovaSpace<V> {
    /// An empty space, which owns no memory.
    pub const fn new() -> Self {
        IovaSpace { areas: Tree::new(), reserved: Reserved::new(), allowed: Vec::new(), recent: None, placed: None }
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
        let Some(recent) = &self.recent else { return self.areas.iter_from(address).next() };
        if recent.is_area && recent.range.contains(address) {
            return recent.area();
        }
        let found = self.areas.iter_from(address).next()?;
        if found.0.start == recent.range.start { self.iter_from(address).next() } else { Some(found) }
    }

    /// Areas in ascending order, from the first whose last address is not below `address`.
    pub fn iter_from(&self, address: u64) -> impl Iterator<Item = (Range, V)> + '_ {
        self.areas.iter_from(address).filter_map(|area| self.as_it_is(area))
    }

    /// Adds an area. On error nothing has changed.
    pub fn insert(&mut self, range: Range, value: V) -> Result<(), InsertError> {
        if let Some(recent) = self.recent.as_mut().filter(|recent| !recent.is_area && recent.range == range) {
            (recent.value, recent.is_area, recent.is_newer) = (value, true, true);
            return Ok(());
        }
        self.settle();
        if range.start <= range.last && self.reserved.overlaps(range) {
            return Err(InsertError::Overlap);
        }
        // The search has just been here, and the next one will be if it may come in vain.
        let enough = self.placed.as_ref().filter(|(_, start)| *start == range.start).map_or(0, |(request, _)| request.length);
        self.areas.insert(range, value, enough)?;
        if enough == 0 {
            self.placed = None;
        }
        self.recent = Some(Recent { range, value, is_area: true, is_newer: false });
        Ok(())
    }

    /// Removes the area that starts at `start`. Never allocates.
    pub fn remove(&mut self, start: u64) -> Option<(Range, V)> {
        if let Some(recent) = self.recent.as_mut().filter(|recent| recent.range.start == start) {
            let area = recent.area();
            recent.is_area = false;
            return area;
        }
        self.change();
        self.areas.remove(start)
    }

    /// Makes sure that so many calls of [`Self::split`] succeed.
    pub fn reserve_splits(&mut self, count: usize) -> Result<(), OutOfMemory> {
        self.areas.ensure(self.areas.len().checked_add(count).ok_or(OutOfMemory)?)
    }

    /// Cuts the area that starts at `start` in two behind `last`, which is one of its addresses but the last one; the second part gets `value`.
    /// Nothing changes for others. On error nothing has changed.
    pub fn split(&mut self, start: u64, last: u64, value: V) -> Result<(), OutOfMemory> {
        self.change();
        self.reserve_splits(1)?;
        self.areas.split(start, last, value);
        Ok(())
    }

    /// Whether a mapping may have the IOVA it asks for, as `iopt_check_iova` decides. `length` is not 0, `alignment` a power of two.
    pub fn check_fixed(&mut self, iova: u64, length: u64, alignment: u64) -> Result<Range, FixedError> {
        if iova & (alignment - 1) != 0 {
            return Err(FixedError::Misaligned);
        }
        let last = iova.checked_add(length.wrapping_sub(1)).ok_or(FixedError::Overflow)?;
        let range = Range { start: iova, last };
        if self.reserved.overlaps(range) {
            return Err(FixedError::Reserved);
        }
        if let Some(recent) = self.recent.filter(|recent| !recent.is_area) {
            // Where an area was removed there is room for the same again.
            if recent.range == range {
                return Ok(range);
            }
            self.settle();
        }
        if self.areas.overlaps_at(range) {
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
        if let Some(recent) = self.recent.as_ref().filter(|recent| !recent.is_area) {
            let start = recent.range.start;
            if self.placed == Some((request, start)) {
                return (Ok(start), 0);
            }
            self.settle();
        }
        let (found, visited) = self.search(&request);
        self.placed = found.ok().map(|start| (request, start));
        (found, visited)
    }

    /// Where there is room, by areas and gaps as they stand, and the number of nodes that were looked at.
    fn search(&mut self, request: &Request) -> (Result<u64, PlaceError>, usize) {
        let mut visited = 0;
        let everything = [ANYWHERE];
        let allowed = if self.allowed.is_empty() { &everything[..] } else { &self.allowed };
        for &range in allowed {
            // As in Linux a range must have room before what is used in it is looked at; and its beginning moves up to the first place.
            let Some(within) = range.intersection(ANYWHERE) else { continue };
            let Some(start) = request.place_in(within) else { continue };
            let fit = Fit::new(request, &self.reserved);
            let found = self.areas.first_with(Range { start, last: within.last }, &fit, &mut visited);
            if let Some(address) = found {
                return (Ok(address), visited);
            }
        }
        (Err(PlaceError::NoSpace), visited)
    }

    /// Reserves a range for `owner`. Reserved ranges may overlap each other.
    pub fn reserve(&mut self, range: Range, owner: u64) -> Result<(), ReserveError> {
        self.change();
        if self.areas.overlaps(range) {
            return Err(ReserveError::AreaOverlap);
        }
        if self.allowed.iter().any(|allowed| allowed.overlaps(range)) {
            return Err(ReserveError::AllowedOverlap);
        }
        self.reserved.ensure()?;
        self.reserved.add(range, owner);
        Ok(())
    }

    /// Gives back all that `owner` reserved. Never allocates.
    pub fn release(&mut self, owner: u64) {
        self.change();
        self.reserved.remove(owner);
    }

    /// What `owner` reserved, for inspection.
    pub fn reserved_by(&self, owner: u64) -> impl Iterator<Item = Range> + '_ {
        self.reserved.of(owner)
    }

    /// The holes between reserved ranges, in ascending order (`iommufd_ioas_iova_ranges`).
    pub fn usable(&self) -> impl Iterator<Item = Range> + '_ {
        self.reserved.holes(Range::ALL)
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
        self.change();
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
        self.change();
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

    /// Settles, and forgets what was placed, as something else is about to change. Never allocates.
    #[inline]
    fn change(&mut self) {
        self.settle();
        self.placed = None;
    }

    /// Has `areas` know what became of the area that came last. Never allocates.
    #[inline(never)]
    fn settle(&mut self) {
        let Some(Recent { range, value, is_area, is_newer }) = self.recent.take() else { return };
        if !is_area {
            self.areas.remove(range.start);
            self.placed = None;
        } else if is_newer {
            self.areas.set(range.start, value);
        }
    }

    /// For tests: panics if the space is not what it must be.
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        self.areas.check_invariants();
        for (range, _) in self.areas.iter_from(0) {
            assert!(!self.reserved.overlaps(range), "areas and reserved ranges are disjoint");
        }
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
