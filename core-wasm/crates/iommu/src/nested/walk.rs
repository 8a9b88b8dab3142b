//! One look-up through both stages.

use super::cached::{Cached, Step};
use super::tables::{Start, Tables};
use crate::domain::Domain;
use crate::fault::FaultReason;
use crate::ram::{FRAME_LG2, Ram};
use pgtable::{Entry, MAX_LEVELS, Pa, Prot, TableMemory, Translation};

/// What the second stage was to translate when it refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wanted {
    /// Where a context descriptor is.
    Descriptor = 0,
    /// Where an entry of a first-stage table is.
    Table = 1,
    /// What the first stage leads to.
    Page = 2,
}

/// Whether it was the second stage that refused, and what: the page that it was to translate, and below that a word of bits.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SecondStage(u64);

impl SecondStage {
    /// It has not.
    pub const NONE: SecondStage = SecondStage(0);

    /// It refuses an address that no first stage has translated.
    pub(crate) fn of_page(address: u64, reason: FaultReason) -> SecondStage {
        SecondStage::new(Wanted::Page, address, matches!(reason, FaultReason::NoRead | FaultReason::NoWrite))
    }

    /// It refuses this. `denied`: it maps it, but not for that.
    pub(crate) const fn new(wanted: Wanted, address: u64, denied: bool) -> SecondStage {
        SecondStage(address & !((1 << FRAME_LG2) - 1) | (wanted as u64) << 2 | (denied as u64) << 1 | 1)
    }

    /// Whether it has refused anything.
    pub(crate) const fn refused(self) -> bool {
        self.0 & 1 != 0
    }

    pub(crate) const fn denied(self) -> bool {
        self.0 & 2 != 0
    }

    /// [`Wanted`] as a number.
    pub(crate) const fn wanted(self) -> u64 {
        self.0 >> 2 & 3
    }

    /// The page that it was to translate.
    pub(crate) const fn page(self) -> u64 {
        self.0 & !((1 << FRAME_LG2) - 1)
    }
}

/// A look-up that was refused.
#[derive(Clone, Copy)]
pub(super) struct Refused {
    pub(super) reason: FaultReason,
    pub(super) second: SecondStage,
}

impl From<FaultReason> for Refused {
    fn from(reason: FaultReason) -> Refused {
        Refused { reason, second: SecondStage::NONE }
    }
}

/// An entry that a walk used.
#[derive(Clone, Copy)]
struct Used {
    /// Where it is.
    at: Pa,
    /// Where the second stage has it.
    address: u64,
    /// What that allows there.
    prot: Prot,
    entry: u64,
}

/// One look-up.
pub(super) struct Walk<'a> {
    pub(super) ram: &'a mut Ram,
    pub(super) tables: Tables,
    pub(super) cached: &'a mut Cached,
    pub(super) parent: &'a Domain,
    pub(super) reads: u64,
}

impl Walk<'_> {
    /// Where an address of the second stage is, and what it allows. An access that it allows leaves its mark there.
    fn second(&mut self, address: u64, access: Prot, wanted: Wanted) -> Result<Translation, Refused> {
        let found = self.parent.translate(self.ram, address).map_err(|_| refused(wanted, address, false))?;
        self.reads += u64::from(found.reads);
        if !found.prot.contains(access) {
            return Err(refused(wanted, address, true));
        }
        self.parent.mark(self.ram, address, access);
        Ok(found)
    }

    /// Where a table or an entry is that lies at an address of the second stage.
    fn place(&mut self, address: u64, length: u64) -> Result<(Pa, Prot), Refused> {
        let found = self.second(address, Prot::READ, Wanted::Table)?;
        // Registers of a device are no table.
        if self.ram.contains(found.pa, length) { Ok((found.pa, found.prot)) } else { Err(FaultReason::TableUnreachable.into()) }
    }

    /// The table at an address of the second stage.
    fn table(&mut self, start: &Start, address: u64, level: u32, prot: Prot) -> Result<Step, Refused> {
        let is_small = start.format.table_lg2 <= FRAME_LG2;
        let frame = if is_small { Some(self.place(address & !((1 << FRAME_LG2) - 1), 1 << FRAME_LG2)?) } else { None };
        Ok(Step { level, address, frame, prot })
    }

    /// An entry of a table.
    fn entry(&mut self, step: &Step, index: u64) -> Result<Used, Refused> {
        let address = step.address + index * 8;
        let (at, prot) = match step.frame {
            Some((frame, prot)) => (Pa(frame.0 + (address & ((1 << FRAME_LG2) - 1))), prot),
            None => self.place(address, 8)?,
        };
        let entry = self.ram.entries(at, 1).first().copied().ok_or(FaultReason::TableUnreachable)?;
        self.reads += 1;
        Ok(Used { at, address, prot, entry })
    }

    /// Looks up an address, as [`Tables::known`].
    pub(super) fn translate(&mut self, address: u64, wanted: Prot) -> Result<Translation, Refused> {
        let tables = self.tables;
        let start = tables.start(address)?;
        let format = start.format;
        let mut step = match self.cached.lowest(address, start.top, |level| format.item_lg2(level + 1)) {
            Some(step) => step,
            None => self.table(&start, start.root, start.top, Prot::READ | Prot::WRITE)?,
        };
        let mut path = Path::default();
        for depth in 0..MAX_LEVELS {
            let used = self.entry(&step, start.index(address, step.level))?;
            let (kind, leads_to) = tables.read(format, used.entry, step.level)?;
            let prot = step.prot & tables.prot(format, used.entry, kind)?;
            path.note(depth, used, step);
            if kind == Entry::Leaf {
                let lg2 = format.item_lg2(step.level);
                let found = self.leaf(leads_to | address & ((1 << lg2) - 1), lg2, prot, wanted)?;
                return self.finish(&start, address, found, wanted, &path);
            }
            step = self.table(&start, leads_to, step.level - 1, prot)?;
        }
        Err(FaultReason::BadTable.into())
    }

    /// Where the address of a page that the first stage has found is, if both stages allow what is wanted.
    fn leaf(&mut self, address: u64, lg2: u32, prot: Prot, wanted: Prot) -> Result<Translation, Refused> {
        if !prot.contains(wanted) {
            return Err(if wanted == Prot::WRITE { FaultReason::NoWrite } else { FaultReason::NoRead }.into());
        }
        let found = self.second(address, wanted, Wanted::Page)?;
        self.cached.parts |= lg2 > u32::from(found.lg2_size);
        Ok(Translation { prot: prot & found.prot, lg2_size: found.lg2_size.min(lg2 as u8), ..found })
    }

    /// Marks the entries on the way as used, and keeps the tables for the next walk. A page that a write would mark is kept as one that may not be written,
    /// so that the first write comes here and marks it.
    fn finish(&mut self, start: &Start, address: u64, found: Translation, wanted: Prot, path: &Path) -> Result<Translation, Refused> {
        let mut is_settled = false;
        let mut used = path.entries.iter().flatten().peekable();
        while let Some(Used { at, address, prot, entry }) = used.next().copied() {
            let is_leaf = used.peek().is_none();
            let touched = self.tables.mark(start.format, entry, is_leaf, wanted == Prot::WRITE);
            if touched != entry {
                if !prot.contains(Prot::WRITE) {
                    return Err(refused(Wanted::Table, address, true));
                }
                self.ram.entries_mut(at, 1).fill(touched);
                self.parent.mark(self.ram, address, Prot::WRITE);
            }
            is_settled = is_leaf && self.tables.is_settled(start.format, touched);
        }
        // The first table is the root, or is cached already.
        for step in path.steps.iter().flatten().skip(1) {
            self.cached.keep(address, start.format.item_lg2(step.level + 1), *step);
        }
        // Nor may a page that the second stage has not marked.
        let is_settled = is_settled && (wanted == Prot::WRITE || !self.parent.marks);
        Ok(if is_settled { found } else { Translation { prot: found.prot & Prot::READ, ..found } })
    }
}

/// A refusal of the second stage.
fn refused(wanted: Wanted, address: u64, denied: bool) -> Refused {
    let reason = if wanted == Wanted::Page { FaultReason::SecondStage } else { FaultReason::TableUnreachable };
    Refused { reason, second: SecondStage::new(wanted, address, denied) }
}

/// What a walk has come through.
#[derive(Default)]
struct Path {
    entries: [Option<Used>; MAX_LEVELS],
    steps: [Option<Step>; MAX_LEVELS],
}

impl Path {
    fn note(&mut self, depth: usize, used: Used, step: Step) {
        if let (Some(entry), Some(place)) = (self.entries.get_mut(depth), self.steps.get_mut(depth)) {
            (*entry, *place) = (Some(used), Some(step));
        }
    }
}
