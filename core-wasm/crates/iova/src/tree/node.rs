//! The two kinds of node, and how entries move within and between siblings.

use super::{NONE, Summary};
use crate::range::Range;

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
    pub(super) starts: [u64; LEAF],
    pub(super) lasts: [u64; LEAF],
    pub(crate) values: [V; LEAF],
}

/// Children, ascending.
pub(crate) struct Inner<S> {
    len: u32,
    pub(crate) children: [u32; FAN],
    /// The lowest start below each child.
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
        Leaf { len: 0, next: NONE, until: u64::MAX, starts: [0; LEAF], lasts: [0; LEAF], values: [value; LEAF] }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// How many entries start at or below `address`.
    #[inline]
    pub(crate) fn rank(&self, address: u64) -> usize {
        self.starts[..self.len()].partition_point(|start| *start <= address)
    }

    #[inline]
    pub(crate) fn range(&self, rank: usize) -> Range {
        Range { start: self.starts[rank], last: self.lasts[rank] }
    }

    /// What is free between an entry and the next one, which may be another leaf's.
    #[inline(always)]
    pub(super) fn gap_after(&self, rank: usize) -> Option<Range> {
        let last = if rank + 1 < self.len() { self.starts[rank + 1] - 1 } else { self.until };
        (self.lasts[rank] < last).then(|| Range { start: self.lasts[rank] + 1, last })
    }

    /// What is free behind the entries from `rank` on, where it has at least `least` bytes, which is not 0.
    #[inline(always)]
    pub(super) fn gaps_from(&self, rank: usize, least: u64) -> impl Iterator<Item = Range> + '_ {
        let lasts = &self.lasts[rank..self.len()];
        let nexts = &self.starts[self.len().min(rank + 1)..self.len()];
        let ends = nexts.iter().map(|next| next - 1).chain(core::iter::once(self.until));
        lasts.iter().zip(ends).filter(move |&(last, end)| end - last >= least).map(|(last, end)| Range { start: last + 1, last: end })
    }

    pub(super) fn insert(&mut self, rank: usize, range: Range, value: V) {
        let len = self.len();
        self.starts.copy_within(rank..len, rank + 1);
        self.lasts.copy_within(rank..len, rank + 1);
        self.values.copy_within(rank..len, rank + 1);
        self.starts[rank] = range.start;
        self.lasts[rank] = range.last;
        self.values[rank] = value;
        self.len += 1;
    }

    pub(super) fn remove(&mut self, rank: usize) -> (Range, V) {
        let (len, removed) = (self.len(), (self.range(rank), self.values[rank]));
        self.starts.copy_within(rank + 1..len, rank);
        self.lasts.copy_within(rank + 1..len, rank);
        self.values.copy_within(rank + 1..len, rank);
        self.len -= 1;
        removed
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
        self.len -= count as u32;
        right.len += count as u32;
    }

    fn take_right(&mut self, right: &mut Self, count: usize) {
        let (left_len, right_len) = (self.len(), right.len());
        shift_left(&mut self.starts, left_len, &mut right.starts, right_len, count);
        shift_left(&mut self.lasts, left_len, &mut right.lasts, right_len, count);
        shift_left(&mut self.values, left_len, &mut right.values, right_len, count);
        self.len += count as u32;
        right.len -= count as u32;
    }
}

impl<S: Summary> Inner<S> {
    pub(super) fn new() -> Self {
        Inner { len: 0, children: [NONE; FAN], keys: [0; FAN], below: [S::NOTHING; FAN], stale: [false; FAN] }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// The child below which `address` belongs: the last whose lowest start is not above it, or the first.
    #[inline]
    pub(super) fn slot(&self, address: u64) -> usize {
        self.keys[1..self.len()].partition_point(|key| *key <= address)
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
        self.len -= count as u32;
        right.len += count as u32;
    }

    fn take_right(&mut self, right: &mut Self, count: usize) {
        let (left_len, right_len) = (self.len(), right.len());
        shift_left(&mut self.keys, left_len, &mut right.keys, right_len, count);
        shift_left(&mut self.children, left_len, &mut right.children, right_len, count);
        shift_left(&mut self.below, left_len, &mut right.below, right_len, count);
        shift_left(&mut self.stale, left_len, &mut right.stale, right_len, count);
        self.len += count as u32;
        right.len -= count as u32;
    }
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
