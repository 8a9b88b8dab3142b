//! Which frames of RAM are free. A bitmap with a summary, sized at boot, so that giving back never allocates and neighbours are one run
//! again without any work.

use crate::OutOfMemory;
use alloc::vec::Vec;

const BITS: usize = u64::BITS as usize;

/// The free frames among `0..count`.
pub(crate) struct Frames {
    count: usize,
    free_count: usize,
    /// Bit set: the frame is free. Bits beyond `count` are never set.
    free: Vec<u64>,
    /// Bit set: that word of `free` is not 0. Skips 4,096 frames in use at a time.
    some: Vec<u64>,
}

impl Frames {
    /// All of `count` frames free.
    pub(crate) fn new(count: usize) -> Result<Frames, OutOfMemory> {
        let words = count.div_ceil(BITS);
        let mut frames = Frames { count, free_count: 0, free: zeroed(words)?, some: zeroed(words.div_ceil(BITS))? };
        frames.give(0, count);
        Ok(frames)
    }

    /// How many frames are free.
    pub(crate) fn free_count(&self) -> usize {
        self.free_count
    }

    /// Takes the lowest run of `count` free frames that starts at a multiple of `align`, a power of two.
    pub(crate) fn take_low(&mut self, count: usize, align: usize) -> Option<usize> {
        let mut at = 0;
        loop {
            let start = self.next_free(at)?.checked_next_multiple_of(align)?;
            let end = start.checked_add(count)?;
            if end > self.count {
                return None;
            }
            match self.next_used(start, end) {
                None => {
                    self.take(start, count);
                    return Some(start);
                }
                Some(used) => at = used,
            }
        }
    }

    /// Takes the highest run of `count` free frames that starts at a multiple of `count`, a power of two.
    pub(crate) fn take_high(&mut self, count: usize) -> Option<usize> {
        let mut start = (self.last_free()? + 1).checked_sub(count)? & !(count - 1);
        while count > 1 && self.next_used(start, start + count).is_some() {
            start = start.checked_sub(count)?;
        }
        // A run of one frame is the last free one itself.
        self.take(start, count);
        Some(start)
    }

    /// Makes `count` frames from `first` on free. They were not.
    pub(crate) fn give(&mut self, first: usize, count: usize) {
        for_words(first, count, |word, mask| {
            debug_assert!(self.free[word] & mask == 0, "a frame was freed twice");
            self.free[word] |= mask;
            self.some[word / BITS] |= 1 << (word % BITS);
        });
        self.free_count += count;
    }

    fn take(&mut self, first: usize, count: usize) {
        for_words(first, count, |word, mask| {
            self.free[word] &= !mask;
            if self.free[word] == 0 {
                self.some[word / BITS] &= !(1 << (word % BITS));
            }
        });
        self.free_count -= count;
    }

    /// The first free frame that is not below `from`.
    fn next_free(&self, from: usize) -> Option<usize> {
        let word = from / BITS;
        let rest = self.free.get(word)? & (u64::MAX << (from % BITS));
        if rest != 0 {
            return Some(word * BITS + rest.trailing_zeros() as usize);
        }
        let mut summary = (word + 1) / BITS;
        let mut set = self.some.get(summary)? & (u64::MAX << ((word + 1) % BITS));
        while set == 0 {
            summary += 1;
            set = *self.some.get(summary)?;
        }
        let word = summary * BITS + set.trailing_zeros() as usize;
        Some(word * BITS + self.free[word].trailing_zeros() as usize)
    }

    /// The highest free frame.
    fn last_free(&self) -> Option<usize> {
        let summary = self.some.iter().rposition(|&set| set != 0)?;
        let word = summary * BITS + self.some[summary].ilog2() as usize;
        Some(word * BITS + self.free[word].ilog2() as usize)
    }

    /// The first frame of `start..end` that is not free. `end` is at most `count`.
    fn next_used(&self, start: usize, end: usize) -> Option<usize> {
        let mut at = start;
        while at < end {
            let used = !self.free[at / BITS] >> (at % BITS);
            if used != 0 {
                let found = at + used.trailing_zeros() as usize;
                return (found < end).then_some(found);
            }
            at = (at / BITS + 1) * BITS;
        }
        None
    }
}

/// A vector of `count` zeros that takes no more than it needs.
pub(crate) fn zeroed<T: Clone + Default>(count: usize) -> Result<Vec<T>, OutOfMemory> {
    let mut vec = Vec::new();
    vec.try_reserve_exact(count)?;
    vec.resize(count, T::default());
    Ok(vec)
}

/// Calls `visit(word, mask)` for each bitmap word that holds some of `count` bits from `first` on.
fn for_words(first: usize, count: usize, mut visit: impl FnMut(usize, u64)) {
    let mut at = first;
    let end = first + count;
    while at < end {
        let bits = (BITS - at % BITS).min(end - at);
        visit(at / BITS, (u64::MAX >> (BITS - bits)) << (at % BITS));
        at += bits;
    }
}
