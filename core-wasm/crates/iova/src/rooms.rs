//! What a gap has room for, by alignment: the summary that makes the search for a place logarithmic.

use crate::range::Range;
use crate::request::LARGE_LG2;
use crate::tree::Summary;

/// Alignments below this (lg2) share a class: only mappings of parts of pages ask for them.
const SMALLEST_LG2: u32 = 12;
const CLASSES: usize = (LARGE_LG2 - SMALLEST_LG2 + 2) as usize;

/// For each class of alignments, the most bytes that a gap has from its first aligned address on.
///
/// From a page's alignment on that is exact: a request fits in a gap if and only if the room of its class is enough. Alignments below a
/// page share class 0, which counts every byte of the gap and so is an upper bound.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Rooms([u64; CLASSES]);

impl Rooms {
    /// The room for requests of an alignment, lg2.
    #[inline]
    pub(crate) fn of_class(&self, alignment_lg2: u32) -> u64 {
        let class = alignment_lg2.min(LARGE_LG2).saturating_sub(SMALLEST_LG2 - 1);
        self.0[class as usize]
    }
}

impl Summary for Rooms {
    const NOTHING: Rooms = Rooms([0; CLASSES]);

    fn of(range: Range) -> Rooms {
        let mut rooms = Rooms::NOTHING;
        for (class, room) in rooms.0.iter_mut().enumerate() {
            let mask = if class == 0 { 0 } else { (1 << (SMALLEST_LG2 - 1 + class as u32)) - 1 };
            let Some(aligned) = range.start.checked_add(mask).map(|end| end & !mask).filter(|&start| start <= range.last) else { break };
            // The whole space has one byte more than a number holds; nothing asks for that.
            *room = (range.last - aligned).saturating_add(1);
        }
        rooms
    }

    fn join(self, other: Rooms) -> Rooms {
        let mut joined = self;
        for (room, more) in joined.0.iter_mut().zip(other.0) {
            *room = (*room).max(more);
        }
        joined
    }

    fn covers(&self, other: &Rooms) -> bool {
        self.0.iter().zip(other.0).all(|(room, more)| *room >= more)
    }

    fn rests_on(&self, part: &Rooms) -> bool {
        self.0.iter().zip(part.0).any(|(room, one)| *room == one && one != 0)
    }
}
