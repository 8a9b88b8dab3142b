//! I/O addresses alone: where they go, and which are taken.

use crate::{PAGE, Random};
use iova::{IovaSpace, Range};

/// Areas of 1 to this many pages, with gaps of 1 to one less.
const PAGES_MOST: u32 = 16;

/// A space, and the first page of each of its areas.
pub struct Addresses {
    space: IovaSpace<u32>,
    areas: Vec<u32>,
    /// Of those to be replaced next, from the last on, and how many pages are wanted instead.
    drawn: Vec<(u32, u32)>,
    random: Random,
}

impl Addresses {
    /// With `count` areas of mixed sizes and gaps between them.
    pub fn new(count: u32) -> Addresses {
        let mut made = Addresses { space: IovaSpace::new(), areas: Vec::new(), drawn: Vec::new(), random: Random::new(1) };
        let mut page = 1;
        for _ in 0..count {
            let pages = 1 + made.random.below(PAGES_MOST);
            made.insert(page, pages);
            made.areas.push(page);
            page += pages + 1 + made.random.below(PAGES_MOST - 1);
        }
        made
    }

    #[inline]
    fn insert(&mut self, page: u32, pages: u32) {
        let start = u64::from(page) * PAGE;
        self.space.insert(Range { start, last: start + u64::from(pages) * PAGE - 1 }, 0).expect("free");
    }

    /// Takes `pages` pages where Linux would. Returns the first.
    #[inline]
    pub fn allocate(&mut self, pages: u32) -> u32 {
        let page = (self.space.place(PAGE, u64::from(pages) * PAGE, PAGE).expect("room") / PAGE) as u32;
        self.insert(page, pages);
        page
    }

    /// Gives back the area that starts at `page`.
    #[inline]
    pub fn free(&mut self, page: u32) {
        self.space.remove(u64::from(page) * PAGE).expect("taken");
    }

    /// Chooses areas, and a size for each, for so many calls of [`replace`](Self::replace). Who frees an area knows where it is: to look that up in a list
    /// of all of them, which is in no cache, and to draw numbers, is no part of what is measured.
    pub fn draw(&mut self, count: u32) {
        self.areas.extend(self.drawn.drain(..).map(|(page, _)| page));
        for _ in 0..count {
            let index = self.random.below(self.areas.len() as u32) as usize;
            self.drawn.push((self.areas.swap_remove(index), 1 + self.random.below(PAGES_MOST)));
        }
        self.areas.reserve(count as usize);
    }

    /// Frees an area and allocates one, as drawn.
    #[inline]
    pub fn replace(&mut self) {
        let (page, pages) = self.drawn.pop().expect("drawn");
        self.free(page);
        let page = self.allocate(pages);
        self.areas.push(page);
    }
}
