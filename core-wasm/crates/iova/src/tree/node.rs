//! The two kinds of node, and how entries move within and between siblings.

use super::{NONE, Summary};
use crate::range::{Gap, Range};

/// Most entries of a leaf.
pub(crate) const LEAF: usize = 32;
/// Most children of an inner node.
pub(crate) const FAN: usize = 32;

/// Entries, ascending.
pub(crate) struct Leaf<V> {
    len: u32,
    /// The leaf with the next higher entries, or `NONE`.
    pub(super) next: u32,
    /// The last address before the next leaf's first entry.
    pub(super) until: u64,
    /// `u64::MAX` behind the last entry's.
    pub(super) starts: [u64; LEAF],
    pub(super) lasts: [u64; LEAF],
    pub(crate) values: [V; LEAF],
}

/// Children, ascending.
pub(crate) struct Inner<S> {
    len: u32,
    pub(crate) children: [u32; FAN],
    /// The lowest start below each child; `u64::MAX` behind the last one's.
    pub(super) keys: [u64; FAN],
    /// What is known of the gaps below each child.
    pub(super) below: [S; FAN],
    /// Whether that may be more than there is.
    pub(super) stale: [bool; FAN],
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
        Leaf { len: 0, next: NONE, until: u64::MAX, starts: [u64::MAX; LEAF], lasts: [0; LEAF], values: [value; LEAF] }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len as usize
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

    pub(super) fn insert(&mut self, rank: usize, range: Range, value: V) {
        let len = self.len();
        put(&mut self.starts, rank, len, range.start);
        put(&mut self.lasts, rank, len, range.last);
        put(&mut self.values, rank, len, value);
        self.len += 1;
    }

    pub(super) fn remove(&mut self, rank: usize) -> (Range, V) {
        let (len, any) = (self.len(), self.values[rank]);
        let start = take(&mut self.starts, rank, len, u64::MAX);
        let last = take(&mut self.lasts, rank, len, u64::MAX);
        let value = take(&mut self.values, rank, len, any);
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
        Inner { len: 0, children: [NONE; FAN], keys: [u64::MAX; FAN], below: [S::NOTHING; FAN], stale: [false; FAN] }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// The child below which `address` belongs: the last whose lowest start is not above it, or the first.
    #[inline]
    pub(super) fn slot(&self, address: u64) -> usize {
        count(&self.keys, address).min(self.len()).saturating_sub(1)
    }

    /// `known` is the summary, and whether it is stale.
    pub(super) fn insert(&mut self, slot: usize, key: u64, child: u32, known: (S, bool)) {
        let len = self.len();
        self.keys.copy_within(slot..len, slot + 1);
        self.children.copy_within(slot..len, slot + 1);
        self.below.copy_within(slot..len, slot + 1);
        self.stale.copy_within(slot..len, slot + 1);
        self.keys[slot] = key;
        self.children[slot] = child;
        (self.below[slot], self.stale[slot]) = known;
        self.len += 1;
    }

    pub(super) fn remove(&mut self, slot: usize) {
        let len = self.len();
        self.keys.copy_within(slot + 1..len, slot);
        self.keys[len - 1] = u64::MAX;
        self.children.copy_within(slot + 1..len, slot);
        self.below.copy_within(slot + 1..len, slot);
        self.stale.copy_within(slot + 1..len, slot);
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
        shift_right(&mut self.stale, left_len, &mut right.stale, right_len, count);
        self.keys[left_len - count..left_len].fill(u64::MAX);
        self.len -= count as u32;
        right.len += count as u32;
    }

    fn take_right(&mut self, right: &mut Self, count: usize) {
        let (left_len, right_len) = (self.len(), right.len());
        shift_left(&mut self.keys, left_len, &mut right.keys, right_len, count);
        shift_left(&mut self.children, left_len, &mut right.children, right_len, count);
        shift_left(&mut self.below, left_len, &mut right.below, right_len, count);
        shift_left(&mut self.stale, left_len, &mut right.stale, right_len, count);
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

/// Puts `value` in before what is at `at`, of `len`: a loop, as there is little to move, and a call to move it costs as much.
#[inline(always)]
fn put<T: Copy>(list: &mut [T], at: usize, len: usize, value: T) {
    let mut carried = value;
    for place in &mut list[at..=len] {
        carried = core::mem::replace(place, carried);
    }
}

/// Takes out what is at `at`, of `len`; `rest` fills the last one's place.
#[inline(always)]
fn take<T: Copy>(list: &mut [T], at: usize, len: usize, rest: T) -> T {
    let mut carried = rest;
    for place in list[at..len].iter_mut().rev() {
        carried = core::mem::replace(place, carried);
    }
    carried
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
