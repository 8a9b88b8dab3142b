//! Where tables live, as the algorithms see it, and a plain implementation for tests, benches and fuzzing.

use crate::types::Pa;
use alloc::vec::Vec;

/// The memory that holds tables: machine RAM, at real physical addresses.
///
/// Beside each table it keeps a counter of present entries, so that a table can be given back the moment it is empty without a scan.
/// Addresses passed in are those of tables that are allocated, and not yet freed.
pub trait TableMemory {
    /// A table of 2^`lg2_bytes`, aligned to its size: all zero, counter 0. `None` when memory is out.
    fn alloc_table(&mut self, lg2_bytes: u32) -> Option<Pa>;

    /// Takes back a table with the size it was allocated with. The caller guarantees that all entries and the counter are zero again,
    /// so that it need not be cleared before it is used again as a table.
    fn free_table(&mut self, table: Pa, lg2_bytes: u32);

    /// The first `count` entries of a table.
    fn entries(&self, table: Pa, count: usize) -> &[u64];

    /// Entry `index` of a table.
    #[inline(always)]
    fn entry(&self, table: Pa, index: usize) -> u64 {
        self.entries(table, index + 1)[index]
    }

    /// The first `count` entries of a table, to be written.
    fn entries_mut(&mut self, table: Pa, count: usize) -> &mut [u64];

    /// The number of present entries, as last set.
    fn live(&self, table: Pa) -> u32;

    /// Sets the number of present entries.
    fn set_live(&mut self, table: Pa, live: u32);
}

const FRAME_LG2: u32 = 12;
const FRAME_WORDS: usize = 512;
const SIZES: usize = 9;

/// Table memory on a growing vector, which checks the contract of [`TableMemory`] and panics when it is broken.
/// For tests, benches and fuzzing; the machine's RAM is another implementation.
#[derive(Clone, Debug)]
pub struct VecMemory {
    words: Vec<u64>,
    live: Vec<u32>,
    /// By lg2 of frames: the frames at which free tables start.
    free: [Vec<usize>; SIZES],
    tables: usize,
    allocations_left: Option<usize>,
}

impl VecMemory {
    /// Where the memory starts, well above 4 GiB so that truncated addresses show.
    pub const BASE: u64 = 0x1_0000_0000;

    /// Empty memory without a limit.
    pub const fn new() -> VecMemory {
        VecMemory { words: Vec::new(), live: Vec::new(), free: [const { Vec::new() }; SIZES], tables: 0, allocations_left: None }
    }

    /// After `count` further allocations every one fails; `None` lifts the limit.
    pub fn limit(&mut self, count: Option<usize>) {
        self.allocations_left = count;
    }

    /// Tables allocated and not freed.
    pub const fn tables(&self) -> usize {
        self.tables
    }

    /// The words that are not zero, by their number from [`Self::BASE`].
    pub fn words(&self) -> impl Iterator<Item = (usize, u64)> {
        self.words.iter().copied().enumerate().filter(|&(_, word)| word != 0)
    }

    /// All that is not zero.
    pub fn snapshot(&self) -> Snapshot {
        let words = self.words().collect();
        let live = self.live.iter().copied().enumerate().filter(|&(_, live)| live != 0).collect();
        Snapshot { words, live, tables: self.tables }
    }

    #[inline]
    fn frame(table: Pa) -> usize {
        ((table.0 - Self::BASE) >> FRAME_LG2) as usize
    }
}

/// The contents of a [`VecMemory`], for comparison. Which free table comes next is not part of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// Word index and word.
    words: Vec<(usize, u64)>,
    /// Frame index and counter.
    live: Vec<(usize, u32)>,
    tables: usize,
}

impl Default for VecMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl TableMemory for VecMemory {
    fn alloc_table(&mut self, lg2_bytes: u32) -> Option<Pa> {
        if let Some(left) = &mut self.allocations_left {
            *left = left.checked_sub(1)?;
        }
        let size = lg2_bytes.checked_sub(FRAME_LG2)? as usize;
        let frame = match self.free.get_mut(size)?.pop() {
            Some(frame) => frame,
            None => {
                let frame = self.live.len().next_multiple_of(1 << size);
                self.live.resize(frame + (1 << size), 0);
                self.words.resize(self.live.len() * FRAME_WORDS, 0);
                frame
            }
        };
        self.tables += 1;
        Some(Pa(Self::BASE + ((frame as u64) << FRAME_LG2)))
    }

    fn free_table(&mut self, table: Pa, lg2_bytes: u32) {
        let size = (lg2_bytes - FRAME_LG2) as usize;
        debug_assert!(self.entries(table, FRAME_WORDS << size).iter().all(|&entry| entry == 0), "a freed table is zero");
        assert_eq!(self.live(table), 0, "a freed table has no live entries");
        self.free[size].push(Self::frame(table));
        self.tables -= 1;
    }

    #[inline]
    fn entries(&self, table: Pa, count: usize) -> &[u64] {
        let start = Self::frame(table) * FRAME_WORDS;
        &self.words[start..start + count]
    }

    #[inline]
    fn entries_mut(&mut self, table: Pa, count: usize) -> &mut [u64] {
        let start = Self::frame(table) * FRAME_WORDS;
        &mut self.words[start..start + count]
    }

    #[inline]
    fn live(&self, table: Pa) -> u32 {
        self.live[Self::frame(table)]
    }

    #[inline]
    fn set_live(&mut self, table: Pa, live: u32) {
        self.live[Self::frame(table)] = live;
    }
}
