//! Searching by summary: the first entry that has something, passing over all parts of the tree that cannot have it.

use super::{NONE, Summary, Tree};
use crate::range::Range;

impl<V: Copy, S: Summary> Tree<V, S> {
    /// The first entry that starts at `from` or above and whose summary is `wanted`. A join is wanted if a part of it is. Adds the nodes
    /// looked at to `visited`.
    ///
    /// Bounds that turn out too high are lowered on the way, so that each raise of a bound is paid for once: the search is logarithmic in
    /// the long run.
    pub(crate) fn first_with(&mut self, from: u64, wanted: impl Fn(&S) -> bool, visited: &mut usize) -> Option<Range> {
        if self.root == NONE {
            return None;
        }
        self.search(self.root, self.height, from, &wanted, visited)
    }

    fn search(&mut self, node: u32, level: usize, from: u64, wanted: &impl Fn(&S) -> bool, visited: &mut usize) -> Option<Range> {
        *visited += 1;
        if level == 0 {
            let leaf = &self.leaves[node];
            let first = leaf.starts[..leaf.len()].partition_point(|start| *start < from);
            return (first..leaf.len()).map(|rank| leaf.range(rank)).find(|range| wanted(&S::of(*range)));
        }
        let first = self.inners[node].slot(from);
        for slot in first..self.inners[node].len() {
            if !wanted(&self.inners[node].bounds[slot]) {
                continue;
            }
            let child = self.inners[node].children[slot];
            if let Some(found) = self.search(child, level - 1, from, wanted, visited) {
                return Some(found);
            }
            self.inners[node].bounds[slot] = self.summary(child, level - 1);
        }
        None
    }
}
