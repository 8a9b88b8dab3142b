//! Removing: nodes less than half full share with a sibling or join it, from the leaf upwards. Nothing is allocated.

use super::node::{FAN, LEAF, Node};
use super::{FAN_MIN, LEAF_MIN, NONE, Path, Summary, Tree};
use crate::range::Range;
use crate::slab::Slab;

impl<V: Copy, S: Summary> Tree<V, S> {
    /// Removes the entry at `rank` of the path's leaf.
    pub(crate) fn remove_at(&mut self, path: &Path, rank: usize) -> (Range, V) {
        self.len -= 1;
        let leaf = &mut self.leaves[path.leaf];
        let removed = leaf.remove(rank);
        let left = leaf.len();
        if rank == 0 && left > 0 {
            let minimum = leaf.starts[0];
            self.set_minimum(path, minimum);
        }
        if self.height == 0 {
            if left == 0 {
                self.leaves.put(path.leaf);
                self.root = NONE;
            }
            return removed;
        }
        let correct = if left < LEAF_MIN { self.refill(path) } else { 0 };
        self.lower(path, correct, removed.0);
        removed
    }

    /// Restores the least filling of the path's nodes. Returns the level below which all summaries on the path are right.
    fn refill(&mut self, path: &Path) -> usize {
        for level in 0..self.height {
            let parent = path.nodes[level];
            // The siblings at `slot` and `slot + 1`, one of which is the path's; an inner node has at least two children.
            let slot = (path.slots[level] as usize).saturating_sub(1);
            let [left, right] = [self.inners[parent].children[slot], self.inners[parent].children[slot + 1]];
            let joined =
                if level == 0 { even_out(&mut self.leaves, left, right, LEAF) } else { even_out(&mut self.inners, left, right, FAN) };
            let right_minimum = match (joined, level) {
                (true, 0) => {
                    self.leaves[left].next = self.leaves[right].next;
                    self.leaves.put(right);
                    0
                }
                (true, _) => {
                    self.inners.put(right);
                    0
                }
                (false, 0) => self.leaves[right].starts[0],
                (false, _) => self.inners[right].keys[0],
            };
            let below_left = self.summary(left, level);
            self.inners[parent].below[slot] = below_left;
            if !joined {
                let below_right = self.summary(right, level);
                let inner = &mut self.inners[parent];
                inner.below[slot + 1] = below_right;
                inner.keys[slot + 1] = right_minimum;
                return level + 1;
            }
            let inner = &mut self.inners[parent];
            inner.remove(slot + 1);
            if inner.len() >= FAN_MIN {
                return level + 1;
            }
        }
        self.drop_root();
        self.height
    }

    /// Makes a root with only one child give its place to that child.
    fn drop_root(&mut self) {
        if self.inners[self.root].len() == 1 {
            let child = self.inners[self.root].children[0];
            self.inners.put(self.root);
            self.root = child;
            self.height -= 1;
        }
    }
}

/// Moves everything to the left of two siblings if it has room (true), else half each (false).
fn even_out<T: Node>(slab: &mut Slab<T>, left: u32, right: u32, most: usize) -> bool {
    let (left, right) = slab.pair(left, right);
    let total = left.len() + right.len();
    if total <= most {
        left.take_right(right, right.len());
        return true;
    }
    let half = total / 2;
    if left.len() > half {
        left.give_right(right, left.len() - half);
    } else {
        left.take_right(right, half - left.len());
    }
    false
}
