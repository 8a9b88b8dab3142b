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
        // What is free before all entries is summed up nowhere.
        let until = if self.root == NONE { Some(u64::MAX) } else { self.lowest().checked_sub(1) };
        let before = until.and_then(|last| within.intersection(Range { start: 0, last }));
        if let Some(found) = before.and_then(|gap| wanted.find_in(gap)) {
            return Some(found);
        }
        if self.root == NONE {
            return None;
        }
        self.search(self.root, self.height, within.start, within, wanted, visited)
    }

    /// The first that is found below a node. What is free behind entries that end before `from` is passed over: only where `within` begins is there need to.
    fn search<W: Wanted<S>>(
        &mut self,
        node: u32,
        level: usize,
        from: u64,
        within: Range,
        wanted: &W,
        visited: &mut usize,
    ) -> Option<W::Found> {
        *visited += 1;
        if level == 0 {
            let leaf = &self.leaves[node];
            let first = if from == 0 { 0 } else { leaf.rank(from).saturating_sub(1) };
            let mut gaps = leaf.gaps_from(first, wanted.least()).take_while(|gap| gap.start <= within.last);
            return gaps.find_map(|gap| gap.intersection(within).and_then(|gap| wanted.find_in(gap)));
        }
        let first = if from == 0 { 0 } else { self.inners[node].slot(from) };
        let mut next = first;
        loop {
            let inner = &self.inners[node];
            let below = &inner.below[next..inner.len()];
            let slot = next + below.iter().position(|below| wanted.may_be_in(below))?;
            if inner.keys[slot] > within.last {
                return None;
            }
            let (child, stale) = (inner.children[slot], inner.stale[slot]);
            let found = self.search(child, level - 1, if slot == first { from } else { 0 }, within, wanted, visited);
            if found.is_some() {
                return found;
            }
            if stale {
                let known = self.known_of(child, level - 1);
                let inner = &mut self.inners[node];
                (inner.below[slot], inner.stale[slot]) = known;
            }
            next = slot + 1;
        }
    }
}
