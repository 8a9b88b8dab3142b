//! Machine RAM: frames, their reference counts, the bytes in them, and the page tables among them.

use crate::OutOfMemory;
use crate::frames::{Frames, zeroed};
use crate::statistics::RamStatistics;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;
use pgtable::{Pa, TableMemory};

/// Size of a frame, lg2 of bytes.
pub const FRAME_LG2: u32 = 12;
/// Size of a frame in bytes.
pub const FRAME: u64 = 1 << FRAME_LG2;
/// From this length on (lg2 of bytes) memory is aligned to it, so that IOMMUs can map it with 2 MiB pages.
pub const LARGE_LG2: u32 = 21;

const FRAME_WORDS: usize = 1 << (FRAME_LG2 - 3);
/// End of the list of cached tables.
const NONE: u32 = u32::MAX;
/// In place of the references of a frame that is a table, or is kept to be one.
const TABLE: u32 = u32::MAX;

/// Where the words are. Both variants are a pointer and a length, so reading one costs no branch.
enum Words {
    Given(&'static mut [u64]),
    Owned(Box<[u64]>),
}

/// The RAM of one machine: frames of 4 KiB from physical address [`Ram::BASE`] on.
///
/// Memory for users is taken from the bottom, tables from the top, so that long runs stay free between them. A table that is given back
/// is kept for the next one, as it is all zero already, until memory for users runs short.
///
/// Addresses and lengths given to methods that return nothing to check lie in RAM: they come from an allocation. What comes from elsewhere
/// is checked with [`Ram::contains`] first.
pub struct Ram {
    words: Words,
    frames: Frames,
    /// References by frame; 0 when free, [`TABLE`].
    references: Vec<u32>,
    /// By frame: of a table, its present entries; of a cached table, the next in the list.
    live: Vec<u32>,
    cached: u32,
    cached_count: usize,
    table_count: usize,
    /// Frames that were never allocated, so that they are zero as the machine got them. Not all such frames.
    pristine: Range<usize>,
}

/// Where RAM is, to be asked while it is written to.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    length: u64,
}

impl Extent {
    /// As [`Ram::contains`].
    #[inline(always)]
    pub(crate) fn contains(self, pa: Pa, length: u64) -> bool {
        pa.0.checked_sub(Ram::BASE).is_some_and(|offset| offset <= self.length && length <= self.length - offset)
    }
}

impl Ram {
    /// Physical address of the first byte. Above 4 GiB, so that an address cut to 32 bits is noticed.
    pub const BASE: u64 = 0x1_0000_0000;

    /// RAM in `words`, all zero. What does not fill a frame is not used. Only metadata is touched: [`Ram::metadata_bytes`] from the heap.
    pub fn new(words: &'static mut [u64]) -> Result<Ram, OutOfMemory> {
        Ram::with_words(Words::Given(words))
    }

    /// RAM of `bytes` on the heap, for tests, benches and fuzzing.
    pub fn with_bytes(bytes: usize) -> Result<Ram, OutOfMemory> {
        // Not `zeroed`: the macro asks the system for zero pages and touches none.
        Ram::with_words(Words::Owned(vec![0; bytes / 8].into_boxed_slice()))
    }

    /// Bytes of heap that RAM of `bytes` takes for good: about 1/500.
    pub const fn metadata_bytes(bytes: u64) -> u64 {
        let frames = bytes >> FRAME_LG2;
        frames * 8 + (frames / 64 + 1) * 8 + (frames / 4096 + 1) * 8
    }

    fn with_words(words: Words) -> Result<Ram, OutOfMemory> {
        let mut ram = Ram {
            words,
            frames: Frames::new(0)?,
            references: Vec::new(),
            live: Vec::new(),
            cached: NONE,
            cached_count: 0,
            table_count: 0,
            pristine: 0..0,
        };
        let count = ram.words().len() / FRAME_WORDS;
        ram.frames = Frames::new(count)?;
        ram.references = zeroed(count)?;
        ram.live = zeroed(count)?;
        ram.pristine = 0..count;
        Ok(ram)
    }

    /// Size in bytes, a multiple of [`FRAME`].
    #[inline(always)]
    pub fn length(&self) -> u64 {
        (self.references.len() as u64) << FRAME_LG2
    }

    /// Whether `length` bytes from `pa` on are RAM. No bytes are RAM up to its very end.
    #[inline]
    pub fn contains(&self, pa: Pa, length: u64) -> bool {
        self.extent().contains(pa, length)
    }

    /// Where it is.
    #[inline(always)]
    pub(crate) fn extent(&self) -> Extent {
        Extent { length: self.length() }
    }

    /// Allocates `count` contiguous frames, all zero, one reference each, aligned to 2^`align_lg2` bytes (at least a frame).
    /// `None` if there is no such run, or `count` is 0.
    pub fn alloc_frames(&mut self, count: u64, align_lg2: u32) -> Option<Pa> {
        let count = usize::try_from(count).ok().filter(|&count| count != 0)?;
        let align = 1_usize.checked_shl(align_lg2.saturating_sub(FRAME_LG2))?;
        let first = match self.frames.take_low(count, align) {
            Some(first) => first,
            None => {
                self.give_cached_tables_back();
                self.frames.take_low(count, align)?
            }
        };
        self.references[first..first + count].fill(1);
        self.clear(first, count);
        Some(Self::pa_of(first))
    }

    /// Allocates at least `length` bytes, whole frames, contiguous, zero, one reference each. Aligned to 2 MiB if it is that long and
    /// there is such a run.
    pub fn alloc(&mut self, length: u64) -> Option<Pa> {
        let count = length.div_ceil(FRAME);
        let large = if length >= 1 << LARGE_LG2 { self.alloc_frames(count, LARGE_LG2) } else { None };
        large.or_else(|| self.alloc_frames(count, FRAME_LG2))
    }

    /// One more reference to every frame that `length` bytes from `pa` on touch. None of them is free.
    pub fn get_run(&mut self, pa: Pa, length: u64) {
        let frames = self.frames_of(pa, length);
        for references in &mut self.references[frames] {
            debug_assert!(*references != 0, "a reference to a free frame");
            *references += 1;
        }
    }

    /// One reference less to every frame that `length` bytes from `pa` on touch. The last reference frees the frame.
    pub fn put_run(&mut self, pa: Pa, length: u64) {
        let frames = self.frames_of(pa, length);
        let first = frames.start;
        let references = &mut self.references[frames];
        let mut lowest = u32::MAX;
        for references in &mut *references {
            debug_assert!(*references != 0, "a reference dropped twice");
            *references = references.wrapping_sub(1);
            lowest = lowest.min(*references);
        }
        if lowest != 0 {
            return;
        }
        let mut at = first;
        for piece in references.chunk_by(|a, b| (*a == 0) == (*b == 0)) {
            if piece.first() == Some(&0) {
                self.frames.give(at, piece.len());
            }
            at += piece.len();
        }
    }

    /// References to the frame of `pa`; 0 if it is free or no RAM.
    pub fn references(&self, pa: Pa) -> u32 {
        self.references.get(Self::frame(pa)).copied().unwrap_or(0)
    }

    /// The `length` bytes from `pa` on.
    #[inline]
    pub fn bytes(&self, pa: Pa, length: usize) -> &[u8] {
        let start = Self::offset(pa);
        &bytemuck::cast_slice(self.words())[start..][..length]
    }

    /// The `length` bytes from `pa` on, to be written.
    #[inline]
    pub fn bytes_mut(&mut self, pa: Pa, length: usize) -> &mut [u8] {
        let start = Self::offset(pa);
        &mut bytemuck::cast_slice_mut(self.words_mut())[start..][..length]
    }

    /// Copies `length` bytes inside RAM; the two ranges may overlap.
    #[inline(always)]
    pub fn copy(&mut self, from: Pa, to: Pa, length: usize) {
        let (from, to) = (Self::offset(from), Self::offset(to));
        let bytes = bytemuck::cast_slice_mut::<u64, u8>(self.words_mut());
        // Registers and doorbells are so long, and a copy whose length is not known beforehand is a call.
        if length == 8
            && let Some(word) = bytes.get(from..).and_then(<[u8]>::first_chunk::<8>).copied()
            && let Some(place) = bytes.get_mut(to..).and_then(<[u8]>::first_chunk_mut::<8>)
        {
            *place = word;
            return;
        }
        bytes.copy_within(from..from + length, to);
    }

    /// How many of the `length` bytes from `pa` on, in a row from the first, are RAM that a device without an IOMMU can write without an end of the
    /// kernel: no tables.
    pub fn exposed(&self, pa: Pa, length: u64) -> u64 {
        let offset = pa.0.wrapping_sub(Self::BASE);
        let length = length.min(self.length().saturating_sub(offset));
        let tables = self.frames_of(pa, length).find(|&frame| self.references[frame] == TABLE);
        tables.map_or(length, |frame| Self::pa_of(frame).0.saturating_sub(pa.0))
    }

    /// Who writes past the kernel may write to frames that are free: they are cleared before they are used again.
    pub(crate) fn soil(&mut self, pa: Pa, length: u64) {
        let frames = self.frames_of(pa, length);
        if frames.start < self.pristine.end && self.pristine.start < frames.end {
            self.pristine = 0..0;
        }
    }

    /// How RAM is used now.
    pub fn statistics(&self) -> RamStatistics {
        let bytes = |frames: usize| (frames as u64) << FRAME_LG2;
        let tables = self.table_count + self.cached_count;
        RamStatistics {
            total: self.length(),
            free: bytes(self.frames.free_count()),
            used: bytes(self.references.len() - self.frames.free_count() - tables),
            tables: self.table_count as u64,
            cached_tables: self.cached_count as u64,
        }
    }

    #[inline]
    fn words(&self) -> &[u64] {
        match &self.words {
            Words::Given(words) => words,
            Words::Owned(words) => words,
        }
    }

    #[inline]
    fn words_mut(&mut self) -> &mut [u64] {
        match &mut self.words {
            Words::Given(words) => words,
            Words::Owned(words) => words,
        }
    }

    /// Byte offset of `pa`; beyond any RAM if it is not in RAM, rather than cut to 32 bits.
    #[inline]
    fn offset(pa: Pa) -> usize {
        usize::try_from(pa.0.wrapping_sub(Self::BASE)).unwrap_or(usize::MAX)
    }

    #[inline]
    fn frame(pa: Pa) -> usize {
        Self::offset(pa) >> FRAME_LG2
    }

    fn pa_of(frame: usize) -> Pa {
        Pa(Self::BASE + ((frame as u64) << FRAME_LG2))
    }

    fn frames_of(&self, pa: Pa, length: u64) -> Range<usize> {
        if length == 0 {
            return 0..0;
        }
        Self::frame(pa)..Self::frame(Pa(pa.0 + (length - 1))) + 1
    }

    /// Zeroes frames that were just allocated, but for those that never held anything.
    fn clear(&mut self, first: usize, count: usize) {
        let end = first + count;
        let clean = first.max(self.pristine.start)..end.min(self.pristine.end);
        let dirty = if clean.start < clean.end { [first..clean.start, clean.end..end] } else { [first..end, end..end] };
        for frames in dirty {
            self.words_mut()[frames.start * FRAME_WORDS..frames.end * FRAME_WORDS].fill(0);
        }
        // From which side it is eaten is known by what is left: the larger part stays.
        if clean.start < clean.end {
            let (below, above) = (self.pristine.start..first, end..self.pristine.end);
            self.pristine = if below.len() > above.len() { below } else { above };
        }
    }

    /// Puts all tables that are kept for later among the free frames.
    fn give_cached_tables_back(&mut self) {
        while self.cached != NONE {
            let frame = self.cached as usize;
            self.cached = self.live[frame];
            self.live[frame] = 0;
            self.references[frame] = 0;
            self.frames.give(frame, 1);
        }
        self.cached_count = 0;
    }
}

/// Page tables in RAM. A table of one frame that is freed is kept zeroed in a list through `live`; larger ones go back among the free frames.
impl TableMemory for Ram {
    fn alloc_table(&mut self, lg2_bytes: u32) -> Option<Pa> {
        let count = 1_usize.checked_shl(lg2_bytes.checked_sub(FRAME_LG2)?)?;
        if count == 1 && self.cached != NONE {
            let frame = self.cached as usize;
            self.cached = self.live[frame];
            self.live[frame] = 0;
            self.cached_count -= 1;
            self.table_count += 1;
            return Some(Self::pa_of(frame));
        }
        let first = match self.frames.take_high(count) {
            Some(first) => first,
            None => {
                self.give_cached_tables_back();
                self.frames.take_high(count)?
            }
        };
        self.references[first..first + count].fill(TABLE);
        self.clear(first, count);
        self.table_count += count;
        Some(Self::pa_of(first))
    }

    fn free_table(&mut self, table: Pa, lg2_bytes: u32) {
        let frame = Self::frame(table);
        let count = 1 << (lg2_bytes - FRAME_LG2);
        debug_assert!(self.entries(table, FRAME_WORDS * count).iter().all(|&entry| entry == 0), "a freed table is zero");
        debug_assert!(self.live[frame] == 0, "a freed table has no live entries");
        self.table_count -= count;
        if count == 1 {
            self.live[frame] = self.cached;
            self.cached = frame as u32;
            self.cached_count += 1;
        } else {
            self.references[frame..frame + count].fill(0);
            self.frames.give(frame, count);
        }
    }

    #[inline]
    fn entries(&self, table: Pa, count: usize) -> &[u64] {
        let start = Self::offset(table) / 8;
        &self.words()[start..][..count]
    }

    #[inline(always)]
    fn entry(&self, table: Pa, index: usize) -> u64 {
        // Compared as it is, for an address beyond RAM must not be cut to 32 bits.
        let word = (table.0.wrapping_sub(Self::BASE) >> 3) + index as u64;
        let words = self.words();
        assert!(word < words.len() as u64, "a table lies in RAM");
        words[word as usize]
    }

    #[inline]
    fn entries_mut(&mut self, table: Pa, count: usize) -> &mut [u64] {
        let start = Self::offset(table) / 8;
        &mut self.words_mut()[start..][..count]
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
