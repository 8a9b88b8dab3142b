//! What a gap has room for, by alignment: the summary that makes the search for a place logarithmic.

use crate::range::Range;
use crate::request::LARGE_LG2;
use crate::tree::Summary;

/// Alignments below this (lg2) share a class: only mappings of parts of pages ask for them.
const SMALLEST_LG2: u32 = 12;
const CLASSES: usize = (LARGE_LG2 - SMALLEST_LG2 + 2) as usize;

/// The bits below the alignment of each class.
const MASKS: [u64; CLASSES] = {
    let mut masks = [0; CLASSES];
    let mut class = 1;
    while class < CLASSES {
        masks[class] = (1 << (SMALLEST_LG2 - 1 + class as u32)) - 1;
        class += 1;
    }
    masks
};

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

    #[inline]
    fn add(&mut self, range: Range) {
        for (room, mask) in self.0.iter_mut().zip(MASKS) {
            let aligned = range.start.wrapping_add(mask) & !mask;
            // Nothing is aligned for this class, hence nor for those above; or the next aligned address lies beyond the space.
            if aligned > range.last || aligned < range.start {
                return;
            }
            // The whole space has one byte more than a number holds; nothing asks for that.
            *room = (*room).max((range.last - aligned).saturating_add(1));
        }
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
