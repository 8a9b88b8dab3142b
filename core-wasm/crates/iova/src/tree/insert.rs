//! Inserting: full nodes split in the middle, from the leaf upwards.

use super::node::{FAN, Inner, LEAF, Leaf, Node};
use super::{NONE, Summary, Tree};
use crate::error::InsertError;
use crate::range::{Gap, Range};

impl<V: Copy, S: Summary> Tree<V, S> {
    /// Inserts an entry. On error nothing has changed. If less than `enough` is left free behind it, summaries are corrected at once rather than
    /// marked, unless nodes split.
    pub(crate) fn insert(&mut self, range: Range, value: V, enough: u64) -> Result<(), InsertError> {
        if range.start > range.last {
            return Err(InsertError::Overlap);
        }
        if self.root == NONE {
            self.ensure(1)?;
            self.insert_first(range, value);
            return Ok(());
        }
        self.go_to(range.start);
        let leaf = &self.leaves[self.way.leaf];
        let rank = leaf.rank(range.start);
        let above_previous = rank == 0 || leaf.lasts[rank - 1] < range.start;
        let until = if rank < leaf.len() { leaf.starts[rank] - 1 } else { leaf.until };
        if !(above_previous && range.last <= until) {
            return Err(InsertError::Overlap);
        }
        self.ensure(self.len + 1)?;
        let leaf = &self.leaves[self.way.leaf];
        if rank > 0 {
            let gap = leaf.gap_after(rank - 1);
            if until - range.last < enough && leaf.len() < LEAF {
                self.put_at(rank, range, value);
                self.correct(gap);
                return Ok(());
            }
            self.lower(gap);
        } else {
            // The gap before all entries is summed up nowhere; what is left of it behind the new one is.
            self.raise(Gap { after: range.last, last: until });
            self.set_minimum(range.start);
        }
        self.put_at(rank, range, value);
        Ok(())
    }

    /// Cuts the entry that starts at `start` in two behind `last`; the second part gets `value`. `ensure` was called for it.
    pub(crate) fn split(&mut self, start: u64, last: u64, value: V) {
        let Some(rank) = self.find(start) else { return };
        let leaf = &mut self.leaves[self.way.leaf];
        let second = Range { start: last + 1, last: leaf.lasts[rank] };
        leaf.lasts[rank] = last;
        self.put_at(rank + 1, second, value);
    }

    fn insert_first(&mut self, range: Range, value: V) {
        let mut leaf = Leaf::new(value);
        leaf.insert(0, range, value);
        self.root = self.leaves.take(leaf);
        self.len = 1;
    }

    /// Puts an entry at `rank` of the way's leaf. What is summed up is as it must be.
    fn put_at(&mut self, rank: usize, range: Range, value: V) {
        self.len += 1;
        let leaf = &mut self.leaves[self.way.leaf];
        if leaf.len() < LEAF {
            leaf.insert(rank, range, value);
            return;
        }
        let right = self.leaves.take(Leaf::new(value));
        let (left_leaf, right_leaf) = self.leaves.pair(self.way.leaf, right);
        left_leaf.give_right(right_leaf, LEAF / 2);
        right_leaf.next = left_leaf.next;
        left_leaf.next = right;
        let middle = left_leaf.len();
        if rank <= middle {
            left_leaf.insert(rank, range, value);
        } else {
            right_leaf.insert(rank - middle, range, value);
        }
        let key = right_leaf.starts[0];
        right_leaf.until = left_leaf.until;
        left_leaf.until = key - 1;
        self.insert_child(key, right);
        self.way.leaf = NONE;
    }

    /// Puts the new right sibling of the way's leaf into the inner nodes above.
    #[inline(never)]
    fn insert_child(&mut self, mut key: u64, mut child: u32) {
        for level in 0..self.height {
            let node = self.way.nodes[level];
            let slot = self.way.slots[level] as usize;
            let inner = &mut self.inners[node];
            // What was below one child is now below two, either of which may have all of it; for the nodes above nothing has changed.
            let known = inner.below[slot].marked();
            inner.below[slot] = known;
            if inner.len() < FAN {
                inner.insert(slot + 1, key, child, known);
                return;
            }
            let sibling = self.inners.take(Inner::new());
            let (left_inner, right_inner) = self.inners.pair(node, sibling);
            left_inner.give_right(right_inner, FAN / 2);
            let middle = left_inner.len();
            if slot < middle {
                left_inner.insert(slot + 1, key, child, known);
            } else {
                right_inner.insert(slot + 1 - middle, key, child, known);
            }
            key = right_inner.keys[0];
            child = sibling;
        }
        self.insert_root(key, child);
    }

    /// Puts a new root above the root and its new right sibling.
    #[cold]
    fn insert_root(&mut self, key: u64, child: u32) {
        let (left, level) = (self.root, self.height);
        let lowest = self.lowest();
        let mut root = Inner::new();
        root.insert(0, lowest, left, self.sum_of(left, level));
        root.insert(1, key, child, self.sum_of(child, level));
        self.root = self.inners.take(root);
        self.height += 1;
    }
}
