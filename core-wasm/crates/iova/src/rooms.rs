//! What a gap has room for, by alignment: the summary that makes the search for a place logarithmic.

use crate::range::Gap;
use crate::request::LARGE_LG2;
use crate::row::{CLASSES, Pages, Row};
use crate::tree::Summary;

/// Alignments below this (lg2) share a class, the first: only mappings of parts of pages ask for them. Each other one up to the largest has its own.
const SMALLEST_LG2: u32 = 12;

const _: () = assert!((LARGE_LG2 - SMALLEST_LG2 + 2) as usize == MARK);

/// The most pages that can be told apart, and no gap has more: what it loses until its first aligned address still fits above.
const MOST: u64 = (i32::MAX - (1 << CLASSES)) as u64;

/// The pages below the alignment of each class, as bits of a page number.
const MASKS: Row = {
    let mut masks = [0; CLASSES];
    let mut class = 1;
    while class < CLASSES {
        masks[class] = (1 << (class - 1)) - 1;
        class += 1;
    }
    Row::of(masks)
};

/// The bits of an address within a page.
const PART: u64 = (1 << SMALLEST_LG2) - 1;

/// The class that no request is of: its number is a mark, not 0 if the others are stale. So a join joins marks too.
const MARK: usize = CLASSES - 1;

/// The most that rooms can be, and no mark.
const LIMITS: Row = {
    let mut limits = [MOST as i32; CLASSES];
    limits[MARK] = 0;
    Row::of(limits)
};

const MARKED: Row = {
    let mut marks = [0; CLASSES];
    marks[MARK] = 1;
    Row::of(marks)
};

/// For each class of alignments, the most pages that a gap has from its first aligned address on, a part of one counted as one.
///
/// For whole pages that is exact up to 8 TiB: a request fits in a gap if and only if the room of its class is enough. Beyond, for parts of pages, and for
/// alignments below a page, which share class 0, it is an upper bound.
///
/// Signed numbers of 32 bits, which every processor can compare four at a time, worked on without branches: they are summed up over whole leaves.
#[derive(Clone, Copy)]
pub(crate) struct Rooms(Row);

impl Rooms {
    /// Whether there is room.
    #[inline(always)]
    pub(crate) fn has(&self, need: Need) -> bool {
        self.0.get(need.class as usize) >= need.pages
    }
}

impl Summary for Rooms {
    const NOTHING: Rooms = Rooms(Row::all(0));

    #[inline(always)]
    fn of(gap: Gap, afters: &[u64], nexts: &[u64]) -> Rooms {
        // Numbers that the compiler does not know it keeps in registers, instead of making them anew for each gap.
        let masks = core::hint::black_box(MASKS);
        let one = rooms_of(gap, masks);
        let (rooms, first) = match rooms_of_pages(afters, nexts, masks) {
            Some(rooms) => (rooms.max(one.0), one.1),
            None => afters.iter().zip(nexts).fold(one, |(rooms, first), (&after, next)| {
                let gap = Gap { after, last: next - 1 };
                let (more, part) = rooms_of(gap, masks);
                (rooms.max(more), part.max(first))
            }),
        };
        Rooms(rooms.max(Row::first(first)).max(Row::all(0)).min(LIMITS))
    }

    #[inline(always)]
    fn join(self, other: Rooms) -> Rooms {
        Rooms(self.0.max(other.0))
    }

    #[inline(always)]
    fn marked(self) -> Rooms {
        Rooms(self.0.max(MARKED))
    }

    #[inline(always)]
    fn is_stale(&self) -> bool {
        self.0.get(MARK) != 0
    }

    #[inline(always)]
    fn covers(&self, other: &Rooms) -> bool {
        !other.0.is_above(self.0).is_something()
    }

    #[inline(always)]
    fn rests_on(&self, part: &Rooms) -> bool {
        self.0.equals(part.0).and(part.0).is_something()
    }

    #[inline(always)]
    fn beyond(self, less: Rooms) -> Rooms {
        Rooms(self.0.is_above(less.0).and(self.0))
    }
}

/// What a gap has room for: not above 0 where it ends before its first aligned address, and perhaps more than [`MOST`]. Class 0 by itself, as there a
/// part of a page counts.
#[inline(always)]
fn rooms_of(gap: Gap, masks: Row) -> (Row, i32) {
    let before = gap.after >> SMALLEST_LG2;
    let whole = ((gap.last >> SMALLEST_LG2) - before).min(i32::MAX as u64 - 1) as i32;
    // The first page that is free as a whole is the one behind `before`, whose complement says how far that is from an aligned one.
    let missing = Row::all(!(before as i32)).and(masks);
    let part = (gap.after & PART != PART) & (gap.after != gap.last);
    (Row::all(whole).minus(missing), whole + i32::from(part))
}

/// The most that gaps have room for in each class, four of them at a time. `None` if they are fewer, or one begins within a page or has very many.
#[inline(always)]
fn rooms_of_pages(afters: &[u64], nexts: &[u64], masks: Row) -> Option<Row> {
    let mut from = afters.len().checked_sub(4)?;
    let (mut rooms, mut pages) = (Row::all(0), None);
    loop {
        let four = Pages::between(afters[from..].first_chunk()?, nexts[from..].first_chunk()?, pages);
        let (a, b) = (four.rooms::<0>(masks).max(four.rooms::<1>(masks)), four.rooms::<2>(masks).max(four.rooms::<3>(masks)));
        rooms = rooms.max(a).max(b);
        if from == 0 {
            return (!four.are_odd()).then_some(rooms);
        }
        // The last four may have some of those before: they count once.
        (from, pages) = (from.saturating_sub(4), Some(four));
    }
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
