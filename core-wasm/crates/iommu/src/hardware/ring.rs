//! A queue of entries in one frame of RAM: one side puts them in at the tail, the other takes them out at the head.

use super::{alloc, set_words};
use crate::ram::{FRAME, FRAME_LG2, Ram};
use pgtable::{Pa, TableMemory};
use uapi::Result;

/// A queue of entries, of which the first words are used, as many as whoever calls has. It is full with one entry less than fit, as it would look empty.
pub(crate) struct Ring {
    base: u64,
    /// Bytes of an entry.
    size: u64,
    /// Offset in bytes of the entry to be taken next.
    head: u64,
    /// Offset of the entry to be written next.
    tail: u64,
    /// Whether the tail has turned an odd number of times.
    turned: bool,
}

impl Ring {
    /// An empty queue of entries of `size` bytes. ENOMEM.
    pub(super) fn new(ram: &mut Ram, size: u64) -> Result<Ring> {
        Ok(Ring { base: alloc(ram, FRAME_LG2)?, size, head: 0, tail: 0, turned: false })
    }

    pub(super) const fn base(&self) -> u64 {
        self.base
    }

    /// What the tail register says.
    pub(super) const fn tail(&self) -> u64 {
        self.tail
    }

    /// The number of the entry to be written next, with a bit above that changes with each turn.
    pub(super) const fn producer(&self) -> u64 {
        (self.tail + if self.turned { FRAME } else { 0 }) / self.size
    }

    /// Puts an entry in. False if it is full.
    pub(super) fn push<const WORDS: usize>(&mut self, ram: &mut Ram, words: [u64; WORDS]) -> bool {
        let next = (self.tail + self.size) % FRAME;
        if next == self.head {
            return false;
        }
        ram.entries_mut(Pa(self.base + self.tail), WORDS).copy_from_slice(&words);
        self.tail = next;
        self.turned ^= next == 0;
        true
    }

    /// Puts another entry in the place of the next.
    pub(super) fn replace(&self, ram: &mut Ram, words: [u64; 2]) {
        set_words(ram, self.base + self.head, &words);
    }

    /// The first words of the next entry, which stays.
    #[inline]
    pub(super) fn peek<const WORDS: usize>(&self, ram: &Ram) -> Option<[u64; WORDS]> {
        if self.head == self.tail {
            return None;
        }
        // It lies in the frame of the queue, which is RAM.
        ram.entries(Pa(self.base + self.head), WORDS).try_into().ok()
    }

    /// Takes out what [`Self::peek`] showed.
    pub(super) fn skip(&mut self) {
        self.head = (self.head + self.size) % FRAME;
    }

    /// Takes the next entry out.
    pub(super) fn pop<const WORDS: usize>(&mut self, ram: &Ram) -> Option<[u64; WORDS]> {
        let words = self.peek(ram)?;
        self.skip();
        Some(words)
    }
}
