//! The free gaps of an address space, and the search for the first that takes a request.

use crate::error::OutOfMemory;
use crate::range::Range;
use crate::request::Request;
use crate::rooms::Rooms;
use crate::tree::{Tree, Wanted};

/// Disjoint gaps that do not touch, with what each part of the tree has room for.
pub(crate) struct Gaps {
    tree: Tree<(), Rooms>,
}

impl Gaps {
    pub(crate) const fn new() -> Self {
        Gaps { tree: Tree::new() }
    }

    /// Makes room for `total` gaps.
    pub(crate) fn ensure(&mut self, total: usize) -> Result<(), OutOfMemory> {
        self.tree.ensure(total)
    }

    pub(crate) fn clear(&mut self) {
        self.tree.clear();
    }

    /// Adds a gap. There is room for it; it touches no other.
    pub(crate) fn insert(&mut self, gap: Range) {
        if self.tree.len() == 0 {
            self.tree.insert_first(gap, ());
            return;
        }
        let path = self.tree.path(gap.start);
        let rank = self.tree.leaves[path.leaf].rank(gap.start);
        self.tree.insert_at(&path, rank, gap, ());
    }

    /// Removes the gap that starts at `start`.
    fn remove(&mut self, start: u64) {
        let path = self.tree.path(start);
        if let Some(rank) = self.tree.leaves[path.leaf].rank(start).checked_sub(1) {
            self.tree.remove_at(&path, rank);
        }
    }

    /// Replaces the gap that starts at `start` by one that lies where nothing else does.
    fn replace(&mut self, start: u64, gap: Range) {
        let path = self.tree.path(start);
        if let Some(rank) = self.tree.leaves[path.leaf].rank(start).checked_sub(1) {
            self.tree.update_at(&path, rank, gap);
        }
    }

    /// Takes `used`, which lies in one gap, out of it. There is room for one gap more.
    pub(crate) fn take(&mut self, used: Range) {
        if self.tree.len() == 0 {
            return;
        }
        let path = self.tree.path(used.start);
        let leaf = &self.tree.leaves[path.leaf];
        let Some(rank) = leaf.rank(used.start).checked_sub(1) else { return };
        let gap = leaf.range(rank);
        let below = (gap.start < used.start).then(|| Range { start: gap.start, last: used.start - 1 });
        let above = (used.last < gap.last).then(|| Range { start: used.last + 1, last: gap.last });
        match (below, above) {
            (None, None) => {
                self.tree.remove_at(&path, rank);
            }
            (Some(rest), None) | (None, Some(rest)) => self.tree.update_at(&path, rank, rest),
            (Some(below), Some(above)) => {
                self.tree.update_at(&path, rank, below);
                // What follows a gap directly belongs into its leaf.
                self.tree.insert_at(&path, rank + 1, above, ());
            }
        }
    }

    /// Gives `freed` back, which touches no gap but its neighbours. There is room for one gap more.
    pub(crate) fn give(&mut self, freed: Range) {
        if self.tree.len() == 0 {
            self.tree.insert_first(freed, ());
            return;
        }
        let path = self.tree.path(freed.start);
        let leaf = &self.tree.leaves[path.leaf];
        let rank = leaf.rank(freed.start);
        let above_is_here = rank < leaf.len();
        let below = rank.checked_sub(1).map(|before| leaf.range(before)).filter(|gap| gap.last.checked_add(1) == Some(freed.start));
        let above = self.tree.range_at(path.leaf, rank).filter(|gap| freed.last.checked_add(1) == Some(gap.start));
        let joined = Range { start: below.map_or(freed.start, |gap| gap.start), last: above.map_or(freed.last, |gap| gap.last) };
        match (below, above) {
            (None, None) => self.tree.insert_at(&path, rank, joined, ()),
            (Some(_), None) => self.tree.update_at(&path, rank - 1, joined),
            (None, Some(_)) if above_is_here => self.tree.update_at(&path, rank, joined),
            (None, Some(above)) => self.replace(above.start, joined),
            (Some(_), Some(above)) => {
                // First what leaves the path as it is.
                self.tree.update_at(&path, rank - 1, joined);
                if above_is_here {
                    self.tree.remove_at(&path, rank);
                } else {
                    self.remove(above.start);
                }
            }
        }
    }

    /// The lowest address in `within` where the request fits into a gap, and how many nodes were looked at.
    pub(crate) fn first_fit(&self, request: &Request, within: Range) -> (Option<u64>, usize) {
        let fit = Fit { request, last: within.last };
        // The gap that holds the first address is cut there, so the index does not know what is left of it.
        let mut visited = self.tree.height + 1;
        let cut = self.tree.before(within.start).and_then(|(gap, _)| gap.intersection(within));
        if let Some(address) = cut.and_then(|gap| fit.find_in(gap)) {
            return (Some(address), visited);
        }
        let Some(start) = within.start.checked_add(1) else { return (None, visited) };
        let found = self.tree.first_with(Range { start, last: within.last }, &fit, &mut visited);
        (found, visited)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Range> + '_ {
        self.tree.iter_from(0).map(|(gap, ())| gap)
    }

    pub(crate) fn check_invariants(&self) {
        self.tree.check_invariants();
    }
}

/// A place for a request, up to the last address that it may use.
struct Fit<'a> {
    request: &'a Request,
    last: u64,
}

impl Wanted<Rooms> for Fit<'_> {
    type Found = u64;

    fn may_be_in(&self, below: &Rooms) -> bool {
        below.has(self.request.class(), self.request.room())
    }

    fn find_in(&self, gap: Range) -> Option<u64> {
        self.request.place_in(Range { start: gap.start, last: gap.last.min(self.last) })
    }
}
