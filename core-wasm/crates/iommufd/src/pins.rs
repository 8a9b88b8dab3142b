//! The pinned parts of some memory: disjoint stretches of pages, sorted, each physically contiguous and with the number of areas that hold
//! it.

use crate::pages::PAGE;
use alloc::vec::Vec;
use iommu::{Pa, Run};
use uapi::{Errno, Result};

/// A stretch of pinned pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pin {
    /// Number of its first page in the memory.
    pub(crate) first: u64,
    /// Pages, at least 1.
    pub(crate) count: u64,
    /// Where the first page is; the others follow.
    pub(crate) pa: Pa,
    /// Areas with a page table, and ranges of accesses, that cover it.
    pub(crate) holders: u32,
}

impl Pin {
    pub(crate) fn last(&self) -> u64 {
        self.first + (self.count - 1)
    }

    /// Cuts off what lies from page `at` on; `at` is inside.
    fn split_off(&mut self, at: u64) -> Pin {
        let before = at - self.first;
        let rest = Pin { first: at, count: self.count - before, pa: Pa(self.pa.0 + before * PAGE), holders: self.holders };
        self.count = before;
        rest
    }
}

/// All of them. One stretch, the usual case, needs no memory of its own.
#[derive(Debug)]
pub(crate) enum Pins {
    None,
    One(Pin),
    Many(Vec<Pin>),
}

impl Pins {
    /// Stretches for `runs`, the first of which starts at page `first`, with one holder. ENOMEM.
    #[inline]
    pub(crate) fn from_runs(first: u64, runs: &[Run]) -> Result<Pins> {
        if let [run] = runs {
            return Ok(Pins::One(Pin { first, count: run.length / PAGE, pa: run.pa, holders: 1 }));
        }
        let mut pins = Pins::Many(Vec::new());
        pins.push_runs(first, runs)?;
        if let Pins::Many(pins) = &mut pins {
            pins.iter_mut().for_each(|pin| pin.holders = 1);
        }
        Ok(pins)
    }

    /// Adds a stretch for each of `runs`, the first of which starts at page `first`, without a holder, at the end. ENOMEM.
    pub(crate) fn push_runs(&mut self, first: u64, runs: &[Run]) -> Result<()> {
        let Pins::Many(pins) = self else { return Err(Errno::EIO) };
        pins.try_reserve(runs.len()).map_err(|_| Errno::ENOMEM)?;
        let mut at = first;
        for run in runs {
            let count = run.length / PAGE;
            pins.push(Pin { first: at, count, pa: run.pa, holders: 0 });
            at += count;
        }
        Ok(())
    }

    /// A copy in which stretches end at the ends of `first..=last`. ENOMEM.
    pub(crate) fn split_for(&self, first: u64, last: u64) -> Result<Pins> {
        let mut pins = Vec::new();
        pins.try_reserve(self.as_slice().len() + 2).map_err(|_| Errno::ENOMEM)?;
        for &pin in self.as_slice() {
            let mut rest = pin;
            // `last + 1` does not overflow: page numbers have 52 bits.
            for cut in [first, last + 1] {
                if rest.first < cut && cut <= rest.last() {
                    let after = rest.split_off(cut);
                    pins.push(rest);
                    rest = after;
                }
            }
            pins.push(rest);
        }
        Ok(Pins::Many(pins))
    }

    /// Cuts the stretch with pages `at - 1` and `at` between them. ENOMEM.
    pub(crate) fn cut(&mut self, at: u64) -> Result<()> {
        if self.range(at, at).first().is_some_and(|pin| pin.first < at) {
            *self = self.split_for(at, at)?;
        }
        Ok(())
    }

    /// The parts of `first..=last` that are not pinned.
    pub(crate) fn gaps(&self, first: u64, last: u64) -> impl Iterator<Item = (u64, u64)> {
        let pins = self.range(first, last);
        let starts = core::iter::once(first).chain(pins.iter().map(|pin| pin.last() + 1));
        let ends = pins.iter().map(|pin| pin.first).chain(core::iter::once(last + 1));
        starts.zip(ends).filter(|(start, end)| start < end).map(|(start, end)| (start, end - 1))
    }

    pub(crate) fn as_slice(&self) -> &[Pin] {
        match self {
            Pins::None => &[],
            Pins::One(pin) => core::slice::from_ref(pin),
            Pins::Many(pins) => pins,
        }
    }

    fn as_mut_slice(&mut self) -> &mut [Pin] {
        match self {
            Pins::None => &mut [],
            Pins::One(pin) => core::slice::from_mut(pin),
            Pins::Many(pins) => pins,
        }
    }

    /// The stretches that have a page of `first..=last`.
    pub(crate) fn range(&self, first: u64, last: u64) -> &[Pin] {
        let pins = self.as_slice();
        &pins[meeting(pins, first, last)]
    }

    /// The stretches that have a page of `first..=last`.
    pub(crate) fn range_mut(&mut self, first: u64, last: u64) -> &mut [Pin] {
        let pins = self.as_mut_slice();
        let meeting = meeting(pins, first, last);
        &mut pins[meeting]
    }

    pub(crate) fn sort(&mut self) {
        self.as_mut_slice().sort_unstable_by_key(|pin| pin.first);
    }

    /// Forgets the stretches that no area holds.
    pub(crate) fn drop_unheld(&mut self) {
        match self {
            Pins::None => {}
            Pins::One(pin) => {
                if pin.holders == 0 {
                    *self = Pins::None;
                }
            }
            Pins::Many(pins) => {
                pins.retain(|pin| pin.holders != 0);
                if pins.is_empty() {
                    *self = Pins::None;
                }
            }
        }
    }
}

/// Where those of `pins` are that have a page of `first..=last`.
#[inline]
fn meeting(pins: &[Pin], first: u64, last: u64) -> core::ops::Range<usize> {
    // The usual case.
    if let [pin] = pins {
        return 0..usize::from(first <= pin.last() && pin.first <= last);
    }
    let start = pins.partition_point(|pin| pin.last() < first);
    start..pins.partition_point(|pin| pin.first <= last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(first: u64, count: u64, holders: u32) -> Pin {
        Pin { first, count, pa: Pa(first * PAGE), holders }
    }

    #[test]
    fn splitting_cuts_at_both_ends_and_gaps_are_what_is_left() {
        let pins = Pins::Many([pin(2, 6, 1), pin(12, 2, 3)].to_vec());
        let split = pins.split_for(4, 12).unwrap();
        assert_eq!(split.as_slice(), [pin(2, 2, 1), pin(4, 4, 1), pin(12, 1, 3), pin(13, 1, 3)]);
        assert_eq!(pins.gaps(0, 20).collect::<Vec<_>>(), [(0, 1), (8, 11), (14, 20)]);
        assert_eq!(pins.gaps(3, 7).count(), 0);
        assert_eq!(split.range(4, 12), [pin(4, 4, 1), pin(12, 1, 3)]);
    }

    #[test]
    fn the_last_stretch_to_lose_its_holders_frees_the_list() {
        let mut pins = Pins::Many([pin(0, 1, 1), pin(1, 1, 1)].to_vec());
        pins.range_mut(0, 0)[0].holders = 0;
        pins.drop_unheld();
        assert_eq!(pins.as_slice(), [pin(1, 1, 1)]);
        pins.range_mut(1, 1)[0].holders = 0;
        pins.drop_unheld();
        assert!(matches!(pins, Pins::None));
    }
}
