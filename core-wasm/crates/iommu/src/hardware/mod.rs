//! The kinds of IOMMU hardware: how a unit learns from RAM which page table a requester uses, is told that this has changed, and reports what it refuses.
//!
//! A kind is two halves that meet in RAM and registers only, so that other hardware can be put in the place of ours:
//! - The *driver half*, which an operating system has: it writes device and PASID tables, posts commands that make the hardware forget them and
//!   translations, and takes fault records.
//! - The *hardware half*: it walks these tables for a requester that it does not remember, executes the commands, and writes the records.
//!
//! A new kind is a folder here which implements [`Unit`] and [`queue::CommandQueue`], and a line in [`Hardware`]. Its files have the same reading order: the specification and its
//! sections, then registers, device table, PASID table, commands, fault records in `layout.rs`; the halves in `driver.rs` and `unit.rs`.
//!
//! | kind | folder | page tables |
//! | --- | --- | --- |
//! | Intel VT-d | [`vtd`] | second stage, or first; second stage below first-stage tables of a program |
//! | AMD-Vi | [`amdvi`] | v1, or v2 |
//! | Arm SMMUv3 | [`smmuv3`] | stage 1, or stage 2; or both, and stage 2 below a guest's stage 1 |
//! | RISC-V IOMMU | [`riscv`] | first stage, or second |
//! | none | – | those of Linux's mock IOMMU, or somebody else's: no tables in RAM say who uses which |

mod amdvi;
mod context_cache;
mod queue;
mod ring;
mod riscv;
mod smmuv3;
#[cfg(test)]
mod tests;
mod vtd;

pub(crate) use context_cache::ContextCache;
pub(crate) use queue::{Caches, Pages};
pub use smmuv3::commands as smmuv3_commands;

use crate::domain::Domain;
use crate::fault::FaultReason;
use crate::iommu::IommuConfig;
use crate::nested::{ArmTables, FirstStage, SecondStage};
use crate::ram::Ram;
use amdvi::AmdVi;
use pgtable::{Kind, Pa, TableMemory};
use riscv::RiscV;
use smmuv3::Smmuv3;
use uapi::{Errno, Result};
use vtd::Vtd;

/// A requester id with the PASID of its transfers; [`crate::NO_PASID`] for those without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Who {
    /// Bus in bits 15:8, device and function below.
    pub requester: u16,
    /// Below 2^20.
    pub pasid: u32,
}

/// A page table of the IOMMU's own, as entries name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Root {
    /// Where the top table is.
    pub table: u64,
    /// Levels.
    pub levels: u8,
    /// Whether it is of the first stage, or of Arm's stage 1.
    pub first_stage: bool,
}

/// What a requester uses, as its entries say it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Context {
    /// The hardware's id of the domain, which its caches are tagged by.
    pub domain: u16,
    /// The host's page table.
    pub host: Root,
    /// Tables of a program, whose addresses the host's page table translates.
    pub first: Option<FirstStage>,
    /// Whether transfers mark host pages as accessed and dirty.
    pub marks: bool,
}

impl Context {
    /// Whether it is none to the hardware, which refuses all that comes.
    pub fn aborts(&self) -> bool {
        self.first == Some(FirstStage::Aborted)
    }
}

/// Why the hardware finds no context: what it means, and the kind's own number for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// What it means.
    pub reason: FaultReason,
    /// The kind's number: VT-d's fault reason; AMD-Vi's event code and flags, bits 63:48 of an event; SMMUv3's event number, 0 for what aborts; RISC-V's cause.
    pub code: u16,
    /// Of nested translation: where it was the second stage that refused.
    pub second: SecondStage,
}

/// What a look-up finds.
pub(crate) type Found<T> = core::result::Result<T, Refusal>;

/// Nothing is there.
pub(crate) const fn absent(code: u16) -> Refusal {
    Refusal { reason: FaultReason::Blocked, code, second: SecondStage::NONE }
}

/// What is there cannot be.
const fn bad(code: u16) -> Refusal {
    Refusal { reason: FaultReason::BadTable, code, second: SecondStage::NONE }
}

/// What leads on leads out of memory.
pub(crate) const fn unreachable(code: u16) -> Refusal {
    Refusal { reason: FaultReason::TableUnreachable, code, second: SecondStage::NONE }
}

/// A transfer that the hardware refuses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) requester: u16,
    pub(crate) pasid: Option<u32>,
    /// The domain's id; 0 where there is none.
    pub(crate) domain: u16,
    pub(crate) iova: u64,
    pub(crate) write: bool,
    /// As [`Refusal::code`].
    pub(crate) code: u16,
    /// As [`Refusal::second`].
    pub(crate) second: SecondStage,
}

/// A register that the driver half writes: offset in the unit's registers, bytes, value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Register {
    /// Offset from the first register.
    pub offset: u32,
    /// 4 or 8.
    pub bytes: u8,
    /// What is written.
    pub value: u64,
}

/// A kind of IOMMU.
pub(crate) trait Unit {
    /// Driver half, at boot: makes room for a requester whose PASIDs have so many bits, or that has none. ENOMEM.
    fn reach(&mut self, ram: &mut Ram, requester: u16, pasid_bits: u8) -> Result<()>;

    /// Driver half: writes what a requester uses with a PASID, and posts what makes the hardware forget what it used before.
    ///
    /// ENOMEM only where it used nothing, EINVAL where the kind has no such context or its tables do not reach; nothing has changed then.
    fn attach(&mut self, ram: &mut Ram, who: Who, to: &Context) -> Result<()>;

    /// Driver half: writes that a requester uses nothing with a PASID, and posts what makes the hardware forget. Nothing happens if it used nothing.
    /// Neither fails nor allocates.
    fn detach(&mut self, ram: &mut Ram, who: Who);

    /// Whether the hardware's caches know translations of the first stage by the PASID of transfers, so that each is to be told of.
    fn caches_by_pasid(&self) -> bool {
        false
    }

    /// Both halves: what is posted is executed.
    fn execute(&mut self, ram: &mut Ram, caches: &mut dyn Caches);

    /// Both halves: the driver posts what makes the hardware forget translations of pages, or of more, after they have changed, and that is executed. The
    /// queue is empty before.
    fn invalidate(&mut self, ram: &mut Ram, pages: &Pages, caches: &mut dyn Caches);

    /// Hardware half: what a requester uses with a PASID, by the tables in RAM.
    fn look_up(&self, ram: &Ram, who: Who) -> Found<Context>;

    /// Hardware half: the kind's number for what a walk of page tables refuses, as [`Refusal::code`].
    fn code(&self, context: &Context, reason: FaultReason, write: bool) -> u16;

    /// Hardware half: what a guest's context descriptor says for transfers with a PASID; `None`: its first stage is passed by. `parent` is the second
    /// stage, which translates where it lies, `stream` are the guest's words of the entry that the look-up found.
    fn read_guest(&self, _ram: &Ram, _parent: &Domain, _stream: [u64; 2], _pasid: u32) -> Found<Option<ArmTables>> {
        Err(absent(0))
    }

    /// Hardware half: the kind's number for what a guest's tables or the second stage below them refuse. `records`: the guest wants records.
    fn guest_code(&self, _reason: FaultReason, _second: SecondStage, _records: bool) -> u16 {
        0
    }

    /// Driver half: posts a command of a guest, in which it has replaced the guest's numbers. EINVAL for hardware that has no guests.
    fn pass_on(&mut self, _ram: &mut Ram, _command: [u64; 2]) -> Result<()> {
        Err(Errno::EINVAL)
    }

    /// Hardware half: the kind's number for what a look-up refuses. Most do not tell reads from writes there.
    fn refusal_code(&self, refusal: &Refusal, _write: bool) -> u16 {
        refusal.code
    }

    /// Hardware half: writes a record of a refusal. It is lost where there is no room.
    fn record(&mut self, ram: &mut Ram, fault: &Fault);

    /// Driver half: takes the oldest record. Words that the kind's do not have are 0.
    fn take_record(&mut self, ram: &mut Ram) -> Option<[u64; 4]>;

    /// Driver half: the registers that it has written, in order; [`None`] after the last.
    fn register(&self, index: usize) -> Option<Register>;

    /// Frames of RAM that tables and queues have now.
    fn frames(&self) -> u64;
}

/// The hardware of a machine.
pub(crate) enum Hardware {
    /// No tables in RAM.
    None,
    /// Intel VT-d.
    Vtd(Vtd),
    /// AMD-Vi.
    AmdVi(AmdVi),
    /// Arm SMMUv3.
    Smmuv3(Smmuv3),
    /// RISC-V IOMMU.
    RiscV(RiscV),
}

impl Hardware {
    /// What goes with the settings of an IOMMU, ready for requests: all are refused. ENOMEM.
    pub(crate) fn new(config: &IommuConfig, ram: &mut Ram) -> Result<Hardware> {
        if config.remote {
            return Ok(Hardware::None);
        }
        match config.kind {
            Kind::VtdSs | Kind::VtdFs => Vtd::new(ram, config).map(Hardware::Vtd),
            Kind::AmdV1 | Kind::AmdV2 => AmdVi::new(ram, config).map(Hardware::AmdVi),
            kind if kind.is_arm() => Smmuv3::new(ram, config).map(Hardware::Smmuv3),
            Kind::RiscV | Kind::RiscVx4 => RiscV::new(ram, config).map(Hardware::RiscV),
            // A mock IOMMU has none.
            _ => Ok(Hardware::None),
        }
    }

    /// The unit, if there is one.
    pub(crate) fn unit(&self) -> Option<&dyn Unit> {
        match self {
            Hardware::None => None,
            Hardware::Vtd(unit) => Some(unit),
            Hardware::AmdVi(unit) => Some(unit),
            Hardware::Smmuv3(unit) => Some(unit),
            Hardware::RiscV(unit) => Some(unit),
        }
    }

    /// As [`Self::unit`], to be changed.
    pub(crate) fn unit_mut(&mut self) -> Option<&mut dyn Unit> {
        match self {
            Hardware::None => None,
            Hardware::Vtd(unit) => Some(unit),
            Hardware::AmdVi(unit) => Some(unit),
            Hardware::Smmuv3(unit) => Some(unit),
            Hardware::RiscV(unit) => Some(unit),
        }
    }
}

/// The word at `pa`, if it is in RAM.
#[inline(never)]
fn word(ram: &Ram, pa: u64) -> Option<u64> {
    if ram.contains(Pa(pa), 8) { ram.entries(Pa(pa), 1).first().copied() } else { None }
}

/// The words of an entry at `pa`, if they are in RAM.
fn entry<const WORDS: usize>(ram: &Ram, pa: u64) -> Option<[u64; WORDS]> {
    let mut words = [0; WORDS];
    read_words(ram, pa, &mut words)?;
    Some(words)
}

#[inline(never)]
fn read_words(ram: &Ram, pa: u64, words: &mut [u64]) -> Option<()> {
    if !ram.contains(Pa(pa), words.len() as u64 * 8) {
        return None;
    }
    words.copy_from_slice(ram.entries(Pa(pa), words.len()));
    Some(())
}

/// Writes the words of an entry, as far as they are in RAM.
#[inline(never)]
fn set_words(ram: &mut Ram, pa: u64, words: &[u64]) {
    if ram.contains(Pa(pa), words.len() as u64 * 8) {
        ram.entries_mut(Pa(pa), words.len()).copy_from_slice(words);
        return;
    }
    for (at, &word) in (pa..).step_by(8).zip(words) {
        set_word(ram, at, word);
    }
}

/// Writes a word, if it is in RAM.
#[inline(never)]
fn set_word(ram: &mut Ram, pa: u64, value: u64) {
    if ram.contains(Pa(pa), 8) {
        ram.entries_mut(Pa(pa), 1).fill(value);
    }
}

/// A table or queue of 2^`lg2` bytes, zeroed. ENOMEM.
fn alloc(ram: &mut Ram, lg2: u32) -> Result<u64> {
    ram.alloc_table(lg2).map(|pa| pa.0).ok_or(Errno::ENOMEM)
}
