//! The two kinds of node, and how entries move within and between siblings.

use super::{NONE, Summary};
use crate::range::{Gap, Range};
use core::hint::black_box;
use core::mem::replace;

/// Most entries of a leaf.
pub(crate) const LEAF: usize = 30;
/// Most children of an inner node.
pub(crate) const FAN: usize = 31;

/// Places of numbers that are searched: four lines of a cache.
const PLACES: usize = 32;

/// Entries, ascending. Most leaves are in no cache: they are of whole lines, ten of them if a value has four bytes, and each step of a search in
/// `starts` looks at a line that the step before has fetched.
#[repr(C, align(64))]
pub(crate) struct Leaf<V> {
    /// `u64::MAX` behind the last entry's.
    pub(super) starts: [u64; PLACES],
    pub(super) lasts: [u64; LEAF],
    /// The last address before the next leaf's first entry.
    pub(super) until: u64,
    /// The leaf with the next higher entries, or `NONE`.
    pub(super) next: u32,
    len: u32,
    pub(crate) values: [V; LEAF],
}

/// Children, ascending; in lines as a leaf.
#[repr(C, align(64))]
pub(crate) struct Inner<S> {
    /// The lowest start below each child; `u64::MAX` behind the last one's.
    pub(super) keys: [u64; PLACES],
    pub(super) children: [u32; FAN],
    len: u32,
    /// What is known of the gaps below each child.
    pub(super) below: [S; FAN],
}

/// What leaves and inner nodes have in common when they split, join and share.
pub(super) trait Node {
    fn len(&self) -> usize;
    /// Moves the last `count` entries of this node to the front of its right sibling.
    fn give_right(&mut self, right: &mut Self, count: usize);
    /// Moves the first `count` entries of the right sibling to the end of this node.
    fn take_right(&mut self, right: &mut Self, count: usize);
}

impl<V: Copy> Leaf<V> {
    /// Without entries. `value` fills the places, which need one before they have one.
    pub(super) fn new(value: V) -> Self {
        Leaf { len: 0, next: NONE, until: u64::MAX, starts: [u64::MAX; PLACES], lasts: [0; LEAF], values: [value; LEAF] }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// Looks at each line, so that all come at once rather than one after the other, as each tells where to look next.
    #[inline(always)]
    pub(super) fn touch(&self) {
        black_box(self.starts[PLACES - 1] | self.lasts[7] | self.lasts[15] | self.lasts[23]);
        black_box((self.values[0], self.values[LEAF / 2]));
    }

    /// How many entries start at or below `address`.
    #[inline]
    pub(crate) fn rank(&self, address: u64) -> usize {
        count(&self.starts, address).min(self.len())
    }

    #[inline]
    pub(crate) fn range(&self, rank: usize) -> Range {
        Range { start: self.starts[rank], last: self.lasts[rank] }
    }

    /// What is free between an entry and the next one, which may be another leaf's.
    #[inline(always)]
    pub(super) fn gap_after(&self, rank: usize) -> Gap {
        let last = if rank + 1 < self.len() { self.starts[rank + 1] - 1 } else { self.until };
        Gap { after: self.lasts[rank], last }
    }

    /// What is free behind the last entry.
    #[inline(always)]
    pub(super) fn last_gap(&self) -> Gap {
        Gap { after: self.lasts[self.len() - 1], last: self.until }
    }

    /// What is free behind the entries from `rank` on, which is one of them, but the last.
    #[inline(always)]
    pub(super) fn gaps_from(&self, rank: usize) -> impl Iterator<Item = Gap> + '_ {
        let end = self.len() - 1;
        let between = self.lasts[rank..end].iter().zip(&self.starts[rank + 1..end + 1]);
        between.map(|(&after, next)| Gap { after, last: next - 1 })
    }

    /// The places of the entries from `rank` on up to that of `end`.
    #[inline(always)]
    fn places(&mut self, rank: usize, end: usize) -> impl DoubleEndedIterator<Item = (&mut u64, &mut u64, &mut V)> {
        let pairs = self.starts[rank..end].iter_mut().zip(&mut self.lasts[rank..end]);
        pairs.zip(&mut self.values[rank..end]).map(|((start, last), value)| (start, last, value))
    }

    pub(super) fn insert(&mut self, rank: usize, range: Range, value: V) {
        let places = self.places(rank, self.len() + 1);
        // One loop for all, as there is little to move: what is hard to foresee is where it ends.
        places.fold((range.start, range.last, value), |carried, (start, last, value)| {
            (replace(start, carried.0), replace(last, carried.1), replace(value, carried.2))
        });
        self.len += 1;
    }

    pub(super) fn remove(&mut self, rank: usize) -> (Range, V) {
        let nothing = (u64::MAX, u64::MAX, self.values[rank]);
        let places = self.places(rank, self.len());
        let (start, last, value) = places.rfold(nothing, |carried, (start, last, value)| {
            (replace(start, carried.0), replace(last, carried.1), replace(value, carried.2))
        });
        self.len -= 1;
        (Range { start, last }, value)
    }
}

impl<V: Copy> Node for Leaf<V> {
    fn len(&self) -> usize {
        Leaf::len(self)
    }

    fn give_right(&mut self, right: &mut Self, count: usize) {
        let (left_len, right_len) = (self.len(), right.len());
        shift_right(&mut self.starts, left_len, &mut right.starts, right_len, count);
        shift_right(&mut self.lasts, left_len, &mut right.lasts, right_len, count);
        shift_right(&mut self.values, left_len, &mut right.values, right_len, count);
        self.starts[left_len - count..left_len].fill(u64::MAX);
        self.len -= count as u32;
        right.len += count as u32;
    }

    fn take_right(&mut self, right: &mut Self, count: usize) {
        let (left_len, right_len) = (self.len(), right.len());
        shift_left(&mut self.starts, left_len, &mut right.starts, right_len, count);
        shift_left(&mut self.lasts, left_len, &mut right.lasts, right_len, count);
        shift_left(&mut self.values, left_len, &mut right.values, right_len, count);
        right.starts[right_len - count..right_len].fill(u64::MAX);
        self.len += count as u32;
        right.len -= count as u32;
    }
}

impl<S: Summary> Inner<S> {
    pub(super) fn new() -> Self {
        Inner { keys: [u64::MAX; PLACES], children: [NONE; FAN], len: 0, below: [S::NOTHING; FAN] }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// As [`Leaf::touch`].
    #[inline(always)]
    pub(super) fn touch(&self) {
        black_box((self.keys[PLACES - 1], self.children[0]));
    }

    /// The child below which `address` belongs: the last whose lowest start is not above it, or the first.
    #[inline]
    pub(super) fn slot(&self, address: u64) -> usize {
        count(&self.keys, address).min(self.len()).saturating_sub(1)
    }

    pub(super) fn insert(&mut self, slot: usize, key: u64, child: u32, below: S) {
        let len = self.len();
        self.keys.copy_within(slot..len, slot + 1);
        self.children.copy_within(slot..len, slot + 1);
        self.below.copy_within(slot..len, slot + 1);
        self.keys[slot] = key;
        self.children[slot] = child;
        self.below[slot] = below;
        self.len += 1;
    }

    pub(super) fn remove(&mut self, slot: usize) {
        let len = self.len();
        self.keys.copy_within(slot + 1..len, slot);
        self.keys[len - 1] = u64::MAX;
        self.children.copy_within(slot + 1..len, slot);
        self.below.copy_within(slot + 1..len, slot);
        self.len -= 1;
    }
}

impl<S: Summary> Node for Inner<S> {
    fn len(&self) -> usize {
        Inner::len(self)
    }

    fn give_right(&mut self, right: &mut Self, count: usize) {
        let (left_len, right_len) = (self.len(), right.len());
        shift_right(&mut self.keys, left_len, &mut right.keys, right_len, count);
        shift_right(&mut self.children, left_len, &mut right.children, right_len, count);
        shift_right(&mut self.below, left_len, &mut right.below, right_len, count);
        self.keys[left_len - count..left_len].fill(u64::MAX);
        self.len -= count as u32;
        right.len += count as u32;
    }

    fn take_right(&mut self, right: &mut Self, count: usize) {
        let (left_len, right_len) = (self.len(), right.len());
        shift_left(&mut self.keys, left_len, &mut right.keys, right_len, count);
        shift_left(&mut self.children, left_len, &mut right.children, right_len, count);
        shift_left(&mut self.below, left_len, &mut right.below, right_len, count);
        right.keys[right_len - count..right_len].fill(u64::MAX);
        self.len += count as u32;
        right.len -= count as u32;
    }
}

/// How many of ascending numbers are not above `most`: in which eight they end, in which pair, and where in it. The comparisons of a step do not
/// wait for each other, so that what is in no cache comes all at once.
#[inline(always)]
fn count(ascending: &[u64; 32], most: u64) -> usize {
    let passed = |number: u64| usize::from(number <= most);
    let (eights, _) = ascending.as_chunks::<8>();
    let eight = (passed(eights[0][7]) + passed(eights[1][7]) + passed(eights[2][7])) & 3;
    let (pairs, _) = eights[eight].as_chunks::<2>();
    let pair = (passed(pairs[0][1]) + passed(pairs[1][1]) + passed(pairs[2][1])) & 3;
    8 * eight + 2 * pair + passed(pairs[pair][0]) + passed(pairs[pair][1])
}

/// Moves the last `count` of `left` to the front of `right`.
fn shift_right<T: Copy>(left: &mut [T], left_len: usize, right: &mut [T], right_len: usize, count: usize) {
    right.copy_within(..right_len, count);
    right[..count].copy_from_slice(&left[left_len - count..left_len]);
}

/// Moves the first `count` of `right` to the end of `left`.
fn shift_left<T: Copy>(left: &mut [T], left_len: usize, right: &mut [T], right_len: usize, count: usize) {
    left[left_len..left_len + count].copy_from_slice(&right[..count]);
    right.copy_within(count..right_len, 0);
}
