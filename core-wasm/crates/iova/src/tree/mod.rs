//! A B+ tree of disjoint ranges that knows the gaps between them, the base of [`RangeMap`](crate::RangeMap) and [`IovaSpace`](crate::IovaSpace).
//!
//! Leaves hold the entries in ascending order and are chained. A gap belongs to the entry before it; the one before all entries is nobody's.
//! Inner nodes hold, for each child, the *exact* lowest start below it (so that the entry before an address is found in one descent, without
//! a step back) and a [`Summary`] of the gaps below, which is exact or marked as stale.
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
use crate::range::{Gap, Range};
use crate::slab::Slab;
pub(crate) use node::{FAN, LEAF};
use node::{Inner, Leaf};
pub(crate) use search::Wanted;

/// Fewest entries of a leaf that is not the root.
const LEAF_MIN: usize = LEAF / 2;
/// Fewest children of an inner node that is not the root.
const FAN_MIN: usize = FAN / 2;
/// With one level more there would be at least 2 × 15^8 leaves, more than a `u32` numbers.
const MAX_HEIGHT: usize = 8;

/// No node.
const NONE: u32 = u32::MAX;

/// What an inner node knows of all gaps below a child: at least what they have, and no more unless it is marked as stale. What is marked stays so
/// in what it is joined to.
pub(crate) trait Summary: Copy {
    /// Of no gap.
    const NOTHING: Self;
    /// Of a gap, and of those between what ends with `afters` and what begins with `nexts`.
    fn of(gap: Gap, afters: &[u64], nexts: &[u64]) -> Self;
    /// Of both.
    fn join(self, other: Self) -> Self;
    /// The same, marked as stale.
    fn marked(self) -> Self;
    /// Whether it is marked.
    fn is_stale(&self) -> bool;
    /// Whether joining `other` would change nothing.
    fn covers(&self, other: &Self) -> bool;
    /// Whether a join with `part` as one of its parts might be another without it.
    fn rests_on(&self, part: &Self) -> bool;
    /// Of it what `less` has less of.
    fn beyond(self, less: Self) -> Self;
}

impl Summary for () {
    const NOTHING: () = ();

    fn of(_: Gap, _: &[u64], _: &[u64]) {}

    fn join(self, _: ()) {}

    fn marked(self) {}

    fn is_stale(&self) -> bool {
        false
    }

    fn covers(&self, _: &()) -> bool {
        true
    }

    fn rests_on(&self, _: &()) -> bool {
        false
    }

    fn beyond(self, _: ()) {}
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
    /// The way gone last: who looks for a place, changes it, and changes it back, goes it once.
    way: Path,
}

/// The way from the root to a leaf.
#[derive(Clone, Copy)]
struct Path {
    nodes: [u32; MAX_HEIGHT],
    slots: [u32; MAX_HEIGHT],
    /// `NONE` if nodes have moved since, or it leads nowhere.
    leaf: u32,
}

impl Path {
    const NOWHERE: Path = Path { nodes: [NONE; MAX_HEIGHT], slots: [0; MAX_HEIGHT], leaf: NONE };
}

impl<V: Copy, S: Summary> Tree<V, S> {
    pub(crate) const fn new() -> Self {
        Tree { leaves: Slab::new(), inners: Slab::new(), root: NONE, height: 0, len: 0, ensured: 0, way: Path::NOWHERE }
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
        self.way.leaf = NONE;
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
        // As many nodes are enough for as many more.
        self.ensured = total - total % LEAF_MIN + (LEAF_MIN - 1);
        Ok(())
    }

    /// Goes the way to the leaf where `address` belongs. The tree is not empty.
    #[inline]
    fn go_to(&mut self, address: u64) {
        if self.way.leaf != NONE {
            let leaf = &self.leaves[self.way.leaf];
            if leaf.starts[0] <= address && address <= leaf.until {
                return;
            }
        }
        self.descend_to(address);
    }

    #[inline(never)]
    fn descend_to(&mut self, address: u64) {
        let mut node = self.root;
        for level in (0..self.height).rev() {
            let inner = &self.inners[node];
            inner.touch();
            let slot = inner.slot(address);
            self.way.nodes[level] = node;
            self.way.slots[level] = slot as u32;
            node = inner.children[slot];
            // As in `touch`: whoever goes this way changes it.
            core::hint::black_box(inner.below[slot].is_stale());
        }
        self.way.leaf = node;
        self.leaves[node].touch();
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

    /// Goes to the entry that starts at `start`. Returns its rank.
    #[inline]
    fn find(&mut self, start: u64) -> Option<usize> {
        if self.root == NONE {
            return None;
        }
        self.go_to(start);
        let leaf = &self.leaves[self.way.leaf];
        let rank = leaf.rank(start).checked_sub(1)?;
        (leaf.starts[rank] == start).then_some(rank)
    }

    /// Gives the entry that starts at `start` another value.
    pub(crate) fn set(&mut self, start: u64, value: V) {
        if let Some(rank) = self.find(start) {
            self.leaves[self.way.leaf].values[rank] = value;
        }
    }

    /// The entry that contains `address`.
    #[inline]
    pub(crate) fn get(&self, address: u64) -> Option<(Range, V)> {
        let (range, value) = self.before(address)?;
        (address <= range.last).then_some((range, *value))
    }

    /// Whether an entry shares an address with `range`.
    #[inline]
    pub(crate) fn overlaps(&self, range: Range) -> bool {
        // The entry that starts last at or below the range's last address is the only one to look at: those before end before it.
        self.before(range.last).is_some_and(|(before, _)| range.start <= before.last)
    }

    /// As [`overlaps`](Self::overlaps), for who is about to change what is there: goes to the leaf where the range belongs if it is free.
    #[inline]
    pub(crate) fn overlaps_at(&mut self, range: Range) -> bool {
        if self.root == NONE {
            return false;
        }
        self.go_to(range.last);
        let leaf = &self.leaves[self.way.leaf];
        leaf.rank(range.last).checked_sub(1).is_some_and(|rank| range.start <= leaf.lasts[rank])
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

    /// Writes `minimum` where the way's nodes keep the lowest start of its leaf.
    fn set_minimum(&mut self, minimum: u64) {
        for level in 0..self.height {
            let slot = self.way.slots[level] as usize;
            self.inners[self.way.nodes[level]].keys[slot] = minimum;
            if slot != 0 {
                return;
            }
        }
    }

    /// Goes to the leaf before the way's, unless that is the first.
    fn step_back(&mut self) -> bool {
        let Some(up) = (0..self.height).find(|&level| self.way.slots[level] > 0) else { return false };
        self.way.slots[up] -= 1;
        let mut node = self.inners[self.way.nodes[up]].children[self.way.slots[up] as usize];
        for level in (0..up).rev() {
            let inner = &self.inners[node];
            self.way.nodes[level] = node;
            self.way.slots[level] = inner.len() as u32 - 1;
            node = inner.children[inner.len() - 1];
        }
        self.way.leaf = node;
        true
    }

    /// The lowest start. The tree is not empty.
    fn lowest(&self) -> u64 {
        if self.height == 0 { self.leaves[self.root].starts[0] } else { self.inners[self.root].keys[0] }
    }

    /// Adds a gap that has come to all summaries on the way.
    #[inline]
    fn raise(&mut self, gap: Gap) {
        if gap.length() == 0 || self.height == 0 {
            return;
        }
        let summary = S::of(gap, &[], &[]);
        for level in 0..self.height {
            let below = &mut self.inners[self.way.nodes[level]].below[self.way.slots[level] as usize];
            // What a summary covers those above it cover.
            if below.covers(&summary) {
                return;
            }
            *below = below.join(summary);
        }
    }

    /// Marks the summaries on the way that may be too much, now that a gap has gone or become less.
    #[inline]
    fn lower(&mut self, gap: Gap) {
        if gap.length() == 0 || self.height == 0 {
            return;
        }
        let lost = S::of(gap, &[], &[]);
        for level in 0..self.height {
            let below = &mut self.inners[self.way.nodes[level]].below[self.way.slots[level] as usize];
            // What more than makes up for the loss here does so above.
            if !below.rests_on(&lost) {
                return;
            }
            *below = below.marked();
        }
    }

    /// Corrects the summaries on the way that are marked or may be too much, now that a gap has gone or become less.
    #[inline]
    fn correct(&mut self, gap: Gap) {
        if gap.length() == 0 {
            return;
        }
        let mut lost = S::of(gap, &[], &[]);
        let mut child = self.way.leaf;
        for level in 0..self.height {
            let (node, slot) = (self.way.nodes[level], self.way.slots[level] as usize);
            let below = self.inners[node].below[slot];
            if !below.is_stale() && !below.rests_on(&lost) {
                return;
            }
            let sum = self.sum_of(child, level);
            self.inners[node].below[slot] = sum;
            lost = below.beyond(sum);
            child = node;
        }
    }

    /// What is known of the gaps below a node. `level` is 0 for a leaf, else one more than the node's.
    #[inline(never)]
    fn sum_of(&self, node: u32, level: usize) -> S {
        if level == 0 {
            let leaf = &self.leaves[node];
            return S::of(leaf.last_gap(), &leaf.lasts[..leaf.len() - 1], &leaf.starts[1..leaf.len()]);
        }
        let inner = &self.inners[node];
        inner.below[..inner.len()].iter().fold(S::NOTHING, |sum, below| sum.join(*below))
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
