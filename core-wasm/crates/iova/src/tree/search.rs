//! Searching by summary: the first gap that has something, passing over all parts of the tree that cannot have it.

use super::{NONE, Summary, Tree};
use crate::range::Range;

/// What a search looks for.
pub(crate) trait Wanted<S> {
    type Found;
    /// Whether what is summed up here may have it. Where it says no there is nothing.
    fn may_be_in(&self, below: &S) -> bool;
    /// The least length of a gap that may have it.
    fn least(&self) -> u64;
    /// What is looked for, if the gap has it.
    fn find_in(&self, gap: Range) -> Option<Self::Found>;
}

impl<V: Copy, S: Summary> Tree<V, S> {
    /// The first that is found in what is free of `within`. Adds the nodes looked at to `visited`.
    ///
    /// A summary that led here in vain is corrected, if it needs it: so a change of the tree is paid for once, by the first search that comes upon it.
    pub(crate) fn first_with<W: Wanted<S>>(&mut self, within: Range, wanted: &W, visited: &mut usize) -> Option<W::Found> {
        if self.root == NONE {
            return wanted.find_in(within);
        }
        // The gap with the first address is cut there, so no summary knows what is left of it.
        let leaf = &self.leaves[self.leaf_for(within.start)];
        *visited += self.height + 1;
        let first = match leaf.rank(within.start) {
            0 => leaf.starts[0].checked_sub(1).map(|last| Range { start: 0, last }),
            rank => leaf.gap_after(rank - 1),
        };
        if let Some(found) = first.and_then(|gap| gap.intersection(within)).and_then(|gap| wanted.find_in(gap)) {
            return Some(found);
        }
        self.search(self.root, self.height, within, wanted, visited)
    }

    /// The first that is found below a node in gaps behind entries that start above the first address of `within`.
    fn search<W: Wanted<S>>(&mut self, node: u32, level: usize, within: Range, wanted: &W, visited: &mut usize) -> Option<W::Found> {
        *visited += 1;
        if level == 0 {
            let leaf = &self.leaves[node];
            let gaps = leaf.gaps_from(leaf.rank(within.start), wanted.least());
            return gaps.map_while(|gap| gap.intersection(within)).find_map(|gap| wanted.find_in(gap));
        }
        for slot in self.inners[node].slot(within.start)..self.inners[node].len() {
            let inner = &self.inners[node];
            if inner.keys[slot] > within.last {
                break;
            }
            if !wanted.may_be_in(&inner.below[slot]) {
                continue;
            }
            let (child, stale) = (inner.children[slot], inner.stale[slot]);
            let found = self.search(child, level - 1, within, wanted, visited);
            if found.is_some() {
                return found;
            }
            if stale {
                let known = self.known_of(child, level - 1);
                let inner = &mut self.inners[node];
                (inner.below[slot], inner.stale[slot]) = known;
            }
        }
        None
    }
}
