//! A B+ tree of disjoint ranges, the base of [`RangeMap`](crate::RangeMap) and of the gap index.
//!
//! Leaves hold the entries in ascending order and are chained. Inner nodes hold, for each child, the *exact* lowest start below it (so
//! that the entry before an address is found in one descent, without a step back) and a [`Summary`].
//!
//! Every node but the root is at least half full. Therefore the number of entries alone bounds the number of nodes, whatever happened
//! before; `ensure` reserves that many, and after it neither insert nor remove can run out of memory.
//!
//! Words: level 0 is the leaves' parents; a slot is the position of a child in an inner node; a rank is a position in a leaf.

mod insert;
mod invariants;
mod node;
mod remove;
mod search;

use crate::error::OutOfMemory;
use crate::range::Range;
use crate::slab::Slab;
pub(crate) use node::{FAN, LEAF};
use node::{Inner, Leaf};
pub(crate) use search::Wanted;

/// Fewest entries of a leaf that is not the root.
const LEAF_MIN: usize = LEAF / 2;
/// Fewest children of an inner node that is not the root.
const FAN_MIN: usize = FAN / 2;
/// 16^8 leaves are more than a `u32` numbers.
const MAX_HEIGHT: usize = 8;

/// No node.
const NONE: u32 = u32::MAX;

/// What an inner node knows of all entries below a child. It is exact: no search goes where nothing is to be found.
pub(crate) trait Summary: Copy + PartialEq {
    /// Of no entry.
    const NOTHING: Self;
    /// Of one entry.
    fn of(range: Range) -> Self;
    /// Of both.
    fn join(self, other: Self) -> Self;
    /// Whether joining `other` would change nothing.
    fn covers(&self, other: &Self) -> bool;
    /// Whether a join with `part` as one of its parts might be another without it.
    fn rests_on(&self, part: &Self) -> bool;
}

impl Summary for () {
    const NOTHING: () = ();

    fn of(_: Range) {}

    fn join(self, _: ()) {}

    fn covers(&self, _: &()) -> bool {
        true
    }

    fn rests_on(&self, _: &()) -> bool {
        false
    }
}

pub(crate) struct Tree<V: Copy, S: Summary> {
    pub(crate) leaves: Slab<Leaf<V>>,
    pub(crate) inners: Slab<Inner<S>>,
    /// A leaf if `height` is 0; `NONE` if the tree is empty.
    pub(crate) root: u32,
    /// Levels of inner nodes.
    pub(crate) height: usize,
    len: usize,
    /// Number of entries for which the slabs have enough nodes.
    ensured: usize,
}

/// The way from the root to a leaf.
#[derive(Clone, Copy)]
pub(crate) struct Path {
    nodes: [u32; MAX_HEIGHT],
    slots: [u32; MAX_HEIGHT],
    pub(crate) leaf: u32,
}

impl<V: Copy, S: Summary> Tree<V, S> {
    pub(crate) const fn new() -> Self {
        Tree { leaves: Slab::new(), inners: Slab::new(), root: NONE, height: 0, len: 0, ensured: 0 }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Removes all entries and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.leaves.clear();
        self.inners.clear();
        self.root = NONE;
        self.height = 0;
        self.len = 0;
    }

    /// Makes room for `total` entries.
    #[inline]
    pub(crate) fn ensure(&mut self, total: usize) -> Result<(), OutOfMemory> {
        if total <= self.ensured { Ok(()) } else { self.enlarge(total) }
    }

    #[cold]
    fn enlarge(&mut self, total: usize) -> Result<(), OutOfMemory> {
        let (leaves, inners) = most_nodes(total);
        self.leaves.ensure(leaves)?;
        self.inners.ensure(inners)?;
        self.ensured = total;
        Ok(())
    }

    /// The way to the leaf where `address` belongs. The tree is not empty.
    #[inline]
    pub(crate) fn path(&self, address: u64) -> Path {
        let mut path = Path { nodes: [NONE; MAX_HEIGHT], slots: [0; MAX_HEIGHT], leaf: self.root };
        for level in (0..self.height).rev() {
            let inner = &self.inners[path.leaf];
            let slot = inner.slot(address);
            path.nodes[level] = path.leaf;
            path.slots[level] = slot as u32;
            path.leaf = inner.children[slot];
        }
        path
    }

    /// The leaf where `address` belongs. The tree is not empty.
    #[inline]
    fn leaf_for(&self, address: u64) -> u32 {
        let mut node = self.root;
        for _ in 0..self.height {
            let inner = &self.inners[node];
            node = inner.children[inner.slot(address)];
        }
        node
    }

    /// The entry with the highest start that is not above `address`.
    #[inline]
    pub(crate) fn before(&self, address: u64) -> Option<(Range, &V)> {
        if self.root == NONE {
            return None;
        }
        let leaf = &self.leaves[self.leaf_for(address)];
        let rank = leaf.rank(address).checked_sub(1)?;
        Some((leaf.range(rank), &leaf.values[rank]))
    }

    /// The range at `rank` of a leaf, or the first of the next leaf if the leaf has no more.
    #[inline]
    pub(crate) fn range_at(&self, leaf: u32, rank: usize) -> Option<Range> {
        let node = &self.leaves[leaf];
        if rank < node.len() {
            return Some(node.range(rank));
        }
        (node.next != NONE).then(|| self.leaves[node.next].range(0))
    }

    /// Entries in ascending order, from the first that contains `address` or lies above it.
    pub(crate) fn iter_from(&self, address: u64) -> Iter<'_, V, S> {
        if self.root == NONE {
            return Iter { tree: self, leaf: NONE, rank: 0 };
        }
        let leaf = self.leaf_for(address);
        let rank = self.leaves[leaf].rank(address);
        let inside = rank > 0 && address <= self.leaves[leaf].lasts[rank - 1];
        Iter { tree: self, leaf, rank: rank - usize::from(inside) }
    }

    /// Writes `minimum` where the path's nodes keep the lowest start of its leaf.
    fn set_minimum(&mut self, path: &Path, minimum: u64) {
        for level in 0..self.height {
            self.inners[path.nodes[level]].keys[path.slots[level] as usize] = minimum;
            if path.slots[level] != 0 {
                return;
            }
        }
    }

    /// Joins the summary of an entry to come, which is `range`, to all summaries on the path.
    #[inline]
    fn raise(&mut self, path: &Path, range: Range) {
        // A single leaf is summed up nowhere.
        if self.height == 0 {
            return;
        }
        let summary = S::of(range);
        for level in 0..self.height {
            let below = &mut self.inners[path.nodes[level]].below[path.slots[level] as usize];
            // A summary covers all below it, so what it covers its ancestors cover.
            if below.covers(&summary) {
                return;
            }
            *below = below.join(summary);
        }
    }

    /// Corrects the summaries on the path, from this level on, after the entry `range` has gone.
    #[inline]
    fn lower(&mut self, path: &Path, from_level: usize, range: Range) {
        if self.height == 0 {
            return;
        }
        let lost = S::of(range);
        for level in from_level..self.height {
            let (node, slot) = (path.nodes[level], path.slots[level] as usize);
            let before = self.inners[node].below[slot];
            // What more than makes up for the loss here does so above.
            if !before.rests_on(&lost) {
                return;
            }
            let now = self.summary(self.inners[node].children[slot], level);
            if now == before {
                return;
            }
            self.inners[node].below[slot] = now;
        }
    }

    /// What is known of all entries below a node: `level` 0 for a leaf, else one more than the node's.
    fn summary(&self, node: u32, level: usize) -> S {
        if level == 0 {
            let leaf = &self.leaves[node];
            (0..leaf.len()).fold(S::NOTHING, |sum, rank| sum.join(S::of(leaf.range(rank))))
        } else {
            let inner = &self.inners[node];
            inner.below[..inner.len()].iter().fold(S::NOTHING, |sum, below| sum.join(*below))
        }
    }
}

/// Leaves and inner nodes that a tree of so many entries has at most.
fn most_nodes(entries: usize) -> (usize, usize) {
    let leaves = (entries / LEAF_MIN).max(1);
    let (mut inners, mut nodes) = (0, leaves);
    while nodes > 1 {
        nodes = (nodes / FAN_MIN).max(1);
        inners += nodes;
    }
    (leaves, inners)
}

/// Entries in ascending order.
pub(crate) struct Iter<'a, V: Copy, S: Summary> {
    tree: &'a Tree<V, S>,
    leaf: u32,
    rank: usize,
}

impl<V: Copy, S: Summary> Iterator for Iter<'_, V, S> {
    type Item = (Range, V);

    fn next(&mut self) -> Option<(Range, V)> {
        if self.leaf == NONE {
            return None;
        }
        let mut leaf = &self.tree.leaves[self.leaf];
        if self.rank == leaf.len() {
            self.leaf = leaf.next;
            self.rank = 0;
            if self.leaf == NONE {
                return None;
            }
            leaf = &self.tree.leaves[self.leaf];
        }
        let rank = self.rank;
        self.rank += 1;
        Some((leaf.range(rank), leaf.values[rank]))
    }
}
