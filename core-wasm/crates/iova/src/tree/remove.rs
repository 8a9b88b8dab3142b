//! Removing: nodes less than half full share with a sibling or join it, from the leaf upwards. Nothing is allocated.

use super::node::{FAN, LEAF, Node};
use super::{FAN_MIN, LEAF_MIN, NONE, Summary, Tree};
use crate::range::Range;
use crate::slab::Slab;

impl<V: Copy, S: Summary> Tree<V, S> {
    /// Removes the entry that starts at `start`. Never allocates.
    pub(crate) fn remove(&mut self, start: u64) -> Option<(Range, V)> {
        let rank = self.find(start)?;
        self.len -= 1;
        let leaf = &mut self.leaves[self.way.leaf];
        let gap = leaf.gap_after(rank);
        let removed = leaf.remove(rank);
        let left = leaf.len();
        if rank > 0 {
            // It and the gaps on both sides are one now.
            let gap = leaf.gap_after(rank - 1);
            self.raise(gap);
        } else if left > 0 {
            let minimum = leaf.starts[0];
            self.set_minimum(minimum);
            self.lower(gap);
            self.lengthen_before(minimum - 1);
        }
        if self.height > 0 {
            if left < LEAF_MIN {
                self.refill();
            }
        } else if left == 0 {
            self.leaves.put(self.root);
            self.root = NONE;
            self.way.leaf = NONE;
        }
        Some(removed)
    }

    /// Has the last gap of the leaf before the way's reach to `until`.
    #[inline(never)]
    fn lengthen_before(&mut self, until: u64) {
        let way = self.way;
        if self.step_back() {
            let leaf = &mut self.leaves[self.way.leaf];
            leaf.until = until;
            let gap = leaf.gap_after(leaf.len() - 1);
            self.raise(gap);
            self.way = way;
        }
    }

    /// Restores the least filling of the way's nodes.
    #[inline(never)]
    fn refill(&mut self) {
        self.way.leaf = NONE;
        for level in 0..self.height {
            let parent = self.way.nodes[level];
            // The siblings at `slot` and `slot + 1`, one of which is the way's; an inner node has at least two children.
            let slot = (self.way.slots[level] as usize).saturating_sub(1);
            let [left, right] = [slot, slot + 1].map(|slot| self.inners[parent].children[slot]);
            let joined =
                if level == 0 { even_out(&mut self.leaves, left, right, LEAF) } else { even_out(&mut self.inners, left, right, FAN) };
            let right_minimum = match (joined, level) {
                (true, 0) => {
                    let (left, right_leaf) = self.leaves.pair(left, right);
                    (left.next, left.until) = (right_leaf.next, right_leaf.until);
                    self.leaves.put(right);
                    0
                }
                (true, _) => {
                    self.inners.put(right);
                    0
                }
                (false, 0) => {
                    let minimum = self.leaves[right].starts[0];
                    self.leaves[left].until = minimum - 1;
                    minimum
                }
                (false, _) => self.inners[right].keys[0],
            };
            let inner = &mut self.inners[parent];
            // Where they share, either may have all that both had.
            let both = inner.below[slot].join(inner.below[slot + 1]);
            inner.below[slot] = if joined { both } else { both.marked() };
            if !joined {
                inner.below[slot + 1] = both.marked();
                inner.keys[slot + 1] = right_minimum;
                return;
            }
            inner.remove(slot + 1);
            if inner.len() >= FAN_MIN {
                return;
            }
        }
        self.drop_root();
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
