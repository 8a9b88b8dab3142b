//! Searching by summary: the first gap that has something, passing over all parts of the tree that cannot have it.

use super::{NONE, Summary, Tree};
use crate::range::Range;

/// What a search looks for.
pub(crate) trait Wanted<S> {
    type Found;
    /// Whether what is summed up here may have it. Where it says no there is nothing.
    fn may_be_in(&self, below: &S) -> bool;
    /// The least length of a gap that may have it: not 0.
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
        self.search(within, wanted, visited)
    }

    /// The first that is found behind an entry. Goes to its leaf.
    fn search<W: Wanted<S>>(&mut self, within: Range, wanted: &W, visited: &mut usize) -> Option<W::Found> {
        // What is free behind entries that end before `from` is passed over: only where `within` begins is there need to.
        let mut from = if within.start <= self.lowest() { 0 } else { within.start };
        let (mut node, mut level) = (self.root, self.height);
        self.way.leaf = NONE;
        loop {
            *visited += 1;
            let mut next = 0;
            if level == 0 {
                let leaf = &self.leaves[node];
                let first = if from == 0 { 0 } else { leaf.rank(from).saturating_sub(1) };
                let least = wanted.least();
                let found = leaf
                    .gaps_from(first)
                    .chain(core::iter::once(leaf.last_gap()))
                    .filter(|gap| gap.length() >= least)
                    .find_map(|gap| gap.range().intersection(within).and_then(|gap| wanted.find_in(gap)));
                if found.is_some() {
                    self.way.leaf = node;
                    return found;
                }
                from = 0;
            } else {
                self.way.nodes[level - 1] = node;
                if from != 0 {
                    next = self.inners[node].slot(from);
                }
            }
            // Down again at the next child that may have it, here or at a node above.
            loop {
                if level > 0 {
                    let inner = &self.inners[node];
                    let below = &inner.below[next..inner.len()];
                    if let Some(more) = below.iter().position(|below| wanted.may_be_in(below)) {
                        let slot = next + more;
                        if inner.keys[slot] <= within.last {
                            if more != 0 {
                                from = 0;
                            }
                            self.way.slots[level - 1] = slot as u32;
                            node = inner.children[slot];
                            level -= 1;
                            break;
                        }
                    }
                    from = 0;
                }
                if level == self.height {
                    return None;
                }
                let (child, slot) = (node, self.way.slots[level] as usize);
                node = self.way.nodes[level];
                if self.inners[node].below[slot].is_stale() {
                    self.inners[node].below[slot] = self.sum_of(child, level);
                }
                level += 1;
                next = slot + 1;
            }
        }
    }
}
