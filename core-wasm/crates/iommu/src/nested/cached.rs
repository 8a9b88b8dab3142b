//! What hardware keeps of first-stage tables: translations, and tables on the way.

use crate::iotlb::{Iotlb, Space};
use pgtable::{Pa, Prot};

/// Tables that are kept.
const STRUCTURES: usize = 32;

/// A table that walks come through.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub(super) level: u32,
    /// Where the second stage has it.
    pub(super) address: u64,
    /// Where it is, and what the second stage allows there; `None` of a table larger than a frame, which may lie in pieces.
    pub(super) frame: Option<(Pa, Prot)>,
    /// What the entries on the way to it allow.
    pub(super) prot: Prot,
}

/// A [`Step`] that is kept, with what it is for.
#[derive(Clone, Copy)]
struct Structure {
    /// It is for addresses that have this above the lowest `lg2` bits.
    prefix: u64,
    lg2: u32,
    step: Step,
}

/// What is kept of one address space.
pub(super) struct Cached {
    /// What it is to the IOTLB.
    pub(super) space: Space,
    /// Whether the IOTLB may have parts of a first-stage page, since the second stage has it in parts; they go with any part of it.
    pub(super) parts: bool,
    structures: [Option<Structure>; STRUCTURES],
}

impl Cached {
    /// Nothing yet, of what has this number for the IOTLB.
    pub(super) const fn new(owner: u32) -> Cached {
        Cached { space: Space::new(owner), parts: false, structures: [None; STRUCTURES] }
    }

    /// The lowest table below the top on the way to `address`. `covered` says how much a table of a level covers, lg2 of bytes.
    pub(super) fn lowest(&self, address: u64, top: u32, covered: impl Fn(u32) -> u32) -> Option<Step> {
        (0..top).find_map(|level| {
            let lg2 = covered(level);
            let prefix = address >> lg2;
            let structure = self.structures.get(slot_of(prefix, level))?.as_ref()?;
            ((structure.prefix, structure.lg2, structure.step.level) == (prefix, lg2, level)).then_some(structure.step)
        })
    }

    /// Keeps a table on the way to `address`, which covers 2^`lg2` bytes.
    pub(super) fn keep(&mut self, address: u64, lg2: u32, step: Step) {
        let prefix = address >> lg2;
        if let Some(slot) = self.structures.get_mut(slot_of(prefix, step.level)) {
            *slot = Some(Structure { prefix, lg2, step });
        }
    }

    /// Forgets translations of `first..=last` and, unless only leaves have changed, the tables on the way.
    pub(super) fn forget(&mut self, iotlb: &mut Iotlb, first: u64, last: u64, leaves_only: bool) {
        if self.parts {
            iotlb.forget_all(&mut self.space);
            self.parts = false;
        } else {
            iotlb.forget(&self.space, first, last, false);
        }
        let meets = |&Structure { prefix, lg2, .. }: &Structure| first >> lg2 <= prefix && prefix <= last >> lg2;
        for slot in self.structures.iter_mut().filter(|slot| !leaves_only && slot.as_ref().is_some_and(meets)) {
            *slot = None;
        }
    }

    /// Forgets everything.
    pub(super) fn forget_all(&mut self, iotlb: &mut Iotlb) {
        iotlb.forget_all(&mut self.space);
        self.parts = false;
        self.structures = [None; STRUCTURES];
    }
}

fn slot_of(prefix: u64, level: u32) -> usize {
    (prefix as usize).wrapping_add(level as usize * 11) % STRUCTURES
}
