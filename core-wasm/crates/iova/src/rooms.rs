//! What a gap has room for, by alignment: the summary that makes the search for a place logarithmic.

use crate::range::Range;
use crate::request::LARGE_LG2;
use crate::tree::Summary;

/// Alignments below this (lg2) share a class: only mappings of parts of pages ask for them.
const SMALLEST_LG2: u32 = 12;
/// Class 0 and one for each alignment up to the largest; then so many that the processor takes them four at a time.
const CLASSES: usize = ((LARGE_LG2 - SMALLEST_LG2 + 2) as usize).next_multiple_of(4);

/// The most pages that can be told apart, and no gap has more: what it loses until its first aligned address still fits above.
const MOST: u64 = (i32::MAX - (1 << CLASSES)) as u64;

/// The pages below the alignment of each class, as bits of a page number.
const MASKS: [i32; CLASSES] = {
    let mut masks = [0; CLASSES];
    let mut class = 1;
    while class < CLASSES {
        masks[class] = (1 << (class - 1)) - 1;
        class += 1;
    }
    masks
};

/// For each class of alignments, the most pages that a gap has from its first aligned address on, a part of one counted as one.
///
/// For whole pages that is exact up to 8 TiB: a request fits in a gap if and only if the room of its class is enough. Beyond, for parts of pages, and for
/// alignments below a page, which share class 0, it is an upper bound.
///
/// Signed numbers of 32 bits, which every processor can compare four at a time, worked on without branches: they are summed up over whole leaves.
#[derive(Clone, Copy)]
pub(crate) struct Rooms([i32; CLASSES]);

impl Rooms {
    /// Whether there is room.
    #[inline(always)]
    pub(crate) fn has(&self, need: Need) -> bool {
        self.0[need.class as usize] >= need.pages
    }

    /// What both have, class by class.
    #[inline(always)]
    fn zip(self, other: Rooms, join: impl Fn(i32, i32) -> i32) -> Rooms {
        let mut joined = self;
        for (room, more) in joined.0.iter_mut().zip(other.0) {
            *room = join(*room, more);
        }
        joined
    }

    /// Whether any class is not 0.
    #[inline(always)]
    fn is_something(self) -> bool {
        self.0.iter().fold(0, |seen, room| seen | room) != 0
    }
}

impl PartialEq for Rooms {
    #[inline(always)]
    fn eq(&self, other: &Rooms) -> bool {
        !self.zip(*other, |room, more| room ^ more).is_something()
    }
}

impl Summary for Rooms {
    const NOTHING: Rooms = Rooms([0; CLASSES]);

    #[inline(always)]
    fn of(gaps: impl Iterator<Item = Range>) -> Rooms {
        let rooms = gaps.fold(Self::NOTHING, |rooms, gap| rooms.join(rooms_of(gap)));
        Rooms(rooms.0.map(|room| room.min(MOST as i32)))
    }

    #[inline(always)]
    fn join(self, other: Rooms) -> Rooms {
        self.zip(other, i32::max)
    }

    #[inline(always)]
    fn covers(&self, other: &Rooms) -> bool {
        !other.zip(*self, |more, room| i32::from(more > room)).is_something()
    }

    #[inline(always)]
    fn rests_on(&self, part: &Rooms) -> bool {
        self.zip(*part, |room, one| if room == one { one } else { 0 }).is_something()
    }
}

/// What a gap has room for: below 0 where it ends before its first aligned address, and perhaps more than [`MOST`].
#[inline(always)]
fn rooms_of(gap: Range) -> Rooms {
    let end = (gap.last >> SMALLEST_LG2) + 1;
    let begun = gap.start >> SMALLEST_LG2;
    let first = begun + u64::from(gap.start & ((1 << SMALLEST_LG2) - 1) != 0);
    let pages = |count: u64| count.min(i32::MAX as u64) as i32;
    let whole = pages(end - first);
    let mut rooms = Rooms([0; CLASSES]);
    for (room, mask) in rooms.0.iter_mut().zip(MASKS) {
        *room = whole - ((first as i32).wrapping_neg() & mask);
    }
    rooms.0[0] = pages(end - begun);
    rooms
}

/// So many pages of one class of alignments.
#[derive(Clone, Copy)]
pub(crate) struct Need {
    class: u32,
    pages: i32,
}

impl Need {
    /// Of `bytes` at an alignment, lg2.
    pub(crate) fn new(alignment_lg2: u32, bytes: u64) -> Need {
        let class = alignment_lg2.min(LARGE_LG2).saturating_sub(SMALLEST_LG2 - 1);
        Need { class, pages: bytes.div_ceil(1 << SMALLEST_LG2).min(MOST) as i32 }
    }
}
