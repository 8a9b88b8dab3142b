//! Inserting: full nodes split in the middle, from the leaf upwards.

use super::node::{FAN, Inner, LEAF, Leaf, Node};
use super::{NONE, Path, Summary, Tree};
use crate::range::Range;

impl<V: Copy, S: Summary> Tree<V, S> {
    /// Inserts the first entry. `ensure` was called for it.
    pub(crate) fn insert_first(&mut self, range: Range, value: V) {
        debug_assert!(self.root == NONE);
        let mut leaf = Leaf::new(value);
        leaf.insert(0, range, value);
        self.root = self.leaves.take(leaf);
        self.len = 1;
    }

    /// Inserts an entry at `rank` of the path's leaf. `ensure` was called for it; it overlaps nothing.
    pub(crate) fn insert_at(&mut self, path: &Path, rank: usize, range: Range, value: V) {
        self.len += 1;
        self.raise(path, range);
        if rank == 0 {
            self.set_minimum(path, range.start);
        }
        let leaf = &mut self.leaves[path.leaf];
        if leaf.len() < LEAF {
            leaf.insert(rank, range, value);
            return;
        }
        let right = self.leaves.take(Leaf::new(value));
        let (left_leaf, right_leaf) = self.leaves.pair(path.leaf, right);
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
        self.insert_child(path, key, right);
    }

    /// Puts the new right sibling of the path's leaf into the inner nodes above.
    fn insert_child(&mut self, path: &Path, mut key: u64, mut child: u32) {
        for level in 0..self.height {
            let node = path.nodes[level];
            let slot = path.slots[level] as usize;
            // What was below one child is now below two; for the nodes above nothing has changed.
            let (left, right) = (self.summary(self.inners[node].children[slot], level), self.summary(child, level));
            let inner = &mut self.inners[node];
            inner.below[slot] = left;
            if inner.len() < FAN {
                inner.insert(slot + 1, key, child, right);
                return;
            }
            let sibling = self.inners.take(Inner::new());
            let (left_inner, right_inner) = self.inners.pair(node, sibling);
            left_inner.give_right(right_inner, FAN / 2);
            let middle = left_inner.len();
            if slot < middle {
                left_inner.insert(slot + 1, key, child, right);
            } else {
                right_inner.insert(slot + 1 - middle, key, child, right);
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
        let lowest = if level == 0 { self.leaves[left].starts[0] } else { self.inners[left].keys[0] };
        let mut root = Inner::new();
        root.insert(0, lowest, left, self.summary(left, level));
        root.insert(1, key, child, self.summary(child, level));
        self.root = self.inners.take(root);
        self.height += 1;
    }

    /// Replaces the range at `rank` of the path's leaf by one that overlaps nothing else.
    #[inline]
    pub(crate) fn update_at(&mut self, path: &Path, rank: usize, range: Range) {
        let before = self.leaves[path.leaf].range(rank);
        self.raise(path, range);
        self.leaves[path.leaf].set_range(rank, range);
        if rank == 0 {
            self.set_minimum(path, range.start);
        }
        self.lower(path, 0, before);
    }
}
