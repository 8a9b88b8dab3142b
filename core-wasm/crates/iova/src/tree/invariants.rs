//! What must be true of a tree at all times, for tests.

use super::{FAN_MIN, LEAF_MIN, NONE, Summary, Tree, most_nodes};
use crate::range::Range;

/// Counts while walking.
#[derive(Default)]
struct Walk {
    entries: usize,
    leaves: usize,
    inners: usize,
    last: Option<u64>,
    /// The leaf that the chain says comes next.
    next: Option<u32>,
}

impl<V: Copy, S: Summary> Tree<V, S> {
    /// Panics if the tree is not what it must be: order, filling, exact minima, summaries, chain, node counts, and the way gone last.
    pub(crate) fn check_invariants(&self) {
        let mut walk = Walk::default();
        if self.root == NONE {
            assert_eq!((self.len, self.height), (0, 0));
        } else {
            self.check_node(self.root, self.height, true, &mut walk);
            assert_eq!(walk.next, Some(NONE), "the chain ends with the last leaf");
        }
        self.check_way();
        assert_eq!(walk.entries, self.len);
        assert_eq!((walk.leaves, walk.inners), (self.leaves.used(), self.inners.used()), "no node is lost");
        assert!(self.len <= self.ensured);
        let (leaves, inners) = most_nodes(self.len);
        assert!(walk.leaves <= leaves && walk.inners <= inners, "the bound on nodes holds");
    }

    fn check_way(&self) {
        if self.way.leaf == NONE {
            return;
        }
        let mut node = self.root;
        for level in (0..self.height).rev() {
            assert_eq!(self.way.nodes[level], node, "the way goes down from the root");
            node = self.inners[node].children[self.way.slots[level] as usize];
        }
        assert_eq!(self.way.leaf, node, "the way ends in its leaf");
    }

    /// Returns the lowest start and the true summary below the node.
    fn check_node(&self, node: u32, level: usize, root: bool, walk: &mut Walk) -> (u64, S) {
        if level == 0 {
            return self.check_leaf(node, root, walk);
        }
        walk.inners += 1;
        let inner = &self.inners[node];
        assert!(inner.len() >= if root { 2 } else { FAN_MIN }, "an inner node is half full");
        assert!(inner.keys[inner.len()..].iter().all(|key| *key == u64::MAX), "no key behind the last");
        let mut summary = S::NOTHING;
        for slot in 0..inner.len() {
            let (child, known) = (inner.children[slot], inner.below[slot]);
            let (minimum, below) = self.check_node(child, level - 1, false, walk);
            assert_eq!(inner.keys[slot], minimum, "the key is the lowest start");
            assert!(known.marked().covers(&self.sum_of(child, level - 1)), "the summary covers what is known below");
            assert!(known.is_stale() || below.covers(&known), "the summary is that of what is below, or marked");
            summary = summary.join(below);
        }
        (inner.keys[0], summary)
    }

    fn check_leaf(&self, node: u32, root: bool, walk: &mut Walk) -> (u64, S) {
        walk.leaves += 1;
        let leaf = &self.leaves[node];
        assert!(leaf.len() >= if root { 1 } else { LEAF_MIN }, "a leaf is half full");
        assert!(walk.next.is_none_or(|next| next == node), "the chain follows the order");
        walk.next = Some(leaf.next);
        assert!(leaf.starts[leaf.len()..].iter().all(|start| *start == u64::MAX), "no start behind the last");
        for rank in 0..leaf.len() {
            let Range { start, last } = leaf.range(rank);
            assert!(start <= last && walk.last.is_none_or(|before| before < start), "ranges ascend and are disjoint");
            walk.last = Some(last);
            walk.entries += 1;
        }
        let next = (leaf.next != NONE).then(|| self.leaves[leaf.next].starts[0]);
        assert_eq!(leaf.until, next.map_or(u64::MAX, |start| start - 1), "a leaf knows where the next one begins");
        (leaf.starts[0], self.sum_of(node, 0))
    }
}
