//! Searching by summary: the first entry that has something, passing over all parts of the tree that cannot have it.

use super::{NONE, Summary, Tree};
use crate::range::Range;

/// What a search looks for.
pub(crate) trait Wanted<S> {
    type Found;
    /// Whether what is summed up here may have it. Where it says no there is nothing.
    fn may_be_in(&self, below: &S) -> bool;
    /// What is looked for, if the entry has it.
    fn find_in(&self, entry: Range) -> Option<Self::Found>;
}

impl<V: Copy, S: Summary> Tree<V, S> {
    /// The first that is found in the entries that start in `within`. Adds the nodes looked at to `visited`.
    pub(crate) fn first_with<W: Wanted<S>>(&self, within: Range, wanted: &W, visited: &mut usize) -> Option<W::Found> {
        if self.root == NONE {
            return None;
        }
        self.search(self.root, self.height, within, wanted, visited)
    }

    fn search<W: Wanted<S>>(&self, node: u32, level: usize, within: Range, wanted: &W, visited: &mut usize) -> Option<W::Found> {
        *visited += 1;
        if level == 0 {
            let leaf = &self.leaves[node];
            let first = leaf.starts[..leaf.len()].partition_point(|start| *start < within.start);
            let mut ranges = (first..leaf.len()).map(|rank| leaf.range(rank)).take_while(|range| range.start <= within.last);
            return ranges.find_map(|range| wanted.find_in(range));
        }
        let inner = &self.inners[node];
        (inner.slot(within.start)..inner.len())
            .take_while(|&slot| inner.keys[slot] <= within.last)
            .filter(|&slot| wanted.may_be_in(&inner.below[slot]))
            .find_map(|slot| self.search(inner.children[slot], level - 1, within, wanted, visited))
    }
}
