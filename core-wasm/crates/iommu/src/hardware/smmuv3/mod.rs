//! Arm SMMUv3: Arm System Memory Management Unit Architecture Specification, SMMU architecture version 3, IHI 0070, issue G.
//!
//! | what | section | where |
//! | --- | --- | --- |
//! | registers | 6.3 | the driver's writes: stream table, queues, enable |
//! | stream table | 5.1, 5.2 | two levels: one entry a bus, in one frame, and 256 STEs of 64 bytes for each bus that there is |
//! | context descriptors | 5.3, 5.4 | stage 1: by SubstreamID, which PCI calls a PASID: one frame for up to 64, else two levels |
//! | command queue | 4 | one frame of 256 commands |
//! | event queue | 7 | one frame of 128 records |
//!
//! A unit has one of the two stages, the one that its page tables are of; or both: then its page tables are of stage 1, those that guests are on top of
//! are of stage 2, and an STE of both has the guest's words for stage 1. Streams that nothing is attached to are aborted, which no event tells of; so are
//! those whose substreams alone have something attached, which F_STREAM_DISABLED tells of. A frame of context descriptors beside the first comes with its
//! first descriptor, and goes with the last.

pub mod commands;
mod driver;
mod layout;
mod unit;

use super::queue::CommandQueue;
use super::ring::Ring;
use super::{Caches, Context, Fault, Found, Pages, Register, Unit, Who, alloc};
use crate::GUESTS;
use crate::domain::Domain;
use crate::fault::FaultReason;
use crate::iommu::IommuConfig;
use crate::nested::{ArmTables, SecondStage};
use crate::ram::{FRAME_LG2, Ram};
use ::alloc::vec::Vec;
use layout::{
    ALLOCATES, CMDQ_BASE, CMDQ_CONS, CMDQ_PROD, CR0, CR0_COMMANDS, CR0_EVENTS, CR0_SMMU, CR1, CR1_WRITE_BACK, EVENT_BYTES, EVENTQ_BASE,
    EVENTQ_CONS, EVENTQ_PROD, STRTAB_BASE, STRTAB_BASE_CFG, STRTAB_TWO_LEVELS,
};
use pgtable::Format;
use uapi::{Errno, Result};

/// Bytes of a command.
const COMMAND_BYTES: u64 = 16;
/// Entries of the queues, lg2.
const COMMANDS_LG2: u64 = 8;
const EVENTS_LG2: u64 = 7;
/// Bits of a SubstreamID that there can be.
const SUBSTREAM_BITS: u32 = 20;

/// One SMMUv3.
pub(crate) struct Smmuv3 {
    /// What its page tables of stage 1 are, if it has that.
    first: Option<&'static Format>,
    /// The same of stage 2.
    second: Option<&'static Format>,
    /// Bits of a SubstreamID at most (SSIDSIZE).
    substream_bits: u32,
    /// Whether guests' pages can be marked (HTTU).
    marks: bool,
    /// The STEs of requesters for stage 1 while nothing is attached, in the order of these: they lead to tables of context descriptors.
    idle: Vec<(u16, u64)>,
    /// The first level of the stream table.
    streams: u64,
    commands: Ring,
    events: Ring,
    /// Frames in use.
    frames: u64,
}

impl Smmuv3 {
    /// A unit without any stream. ENOMEM.
    pub(super) fn new(ram: &mut Ram, config: &IommuConfig) -> Result<Smmuv3> {
        let streams = alloc(ram, FRAME_LG2)?;
        let (commands, events) = (Ring::new(ram, COMMAND_BYTES)?, Ring::new(ram, EVENT_BYTES)?);
        let first = if config.kind.is_first_stage() { Some(config.kind.format()) } else { None };
        let second = if first.is_none() || config.nests() { Some(config.parent_kind().format()) } else { None };
        let substream_bits = if config.scalable && first.is_some() { SUBSTREAM_BITS } else { 0 };
        let (marks, idle) = (config.tracks_dirty, Vec::new());
        let mut unit = Smmuv3 { first, second, substream_bits, marks, idle, streams, commands, events, frames: 3 };
        unit.forget_everything(ram);
        unit.execute_all(ram, &mut ());
        Ok(unit)
    }

    /// Whether it has both stages, and with them guests.
    const fn nests(&self) -> bool {
        GUESTS && self.first.is_some() && self.second.is_some()
    }
}

/// The granule where STEs and context descriptors have it.
const fn granule_of(format: &Format) -> u64 {
    match format.granule_lg2 {
        12 => 0,
        14 => 2,
        _ => 1,
    }
}

/// Where a walk of so many levels of stage 2 starts: of 4 KiB tables the code is one less than of others.
const fn start_of(format: &Format, levels: u8) -> u64 {
    levels as u64 - if format.granule_lg2 == 12 { 2 } else { 1 }
}

/// 64 less the bits of address that so many levels translate.
const fn size_of(format: &Format, levels: u8) -> u64 {
    64 - format.address_lg2(levels as u32) as u64
}

impl CommandQueue for Smmuv3 {
    fn commands(&mut self) -> &mut Ring {
        &mut self.commands
    }

    fn obey(&self, _ram: &mut Ram, command: [u64; 2], caches: &mut dyn Caches) -> bool {
        self.obey_command(command, caches)
    }

    fn wait_command(&self) -> [u64; 2] {
        [commands::SYNC, 0]
    }
}

impl Unit for Smmuv3 {
    fn reach(&mut self, ram: &mut Ram, requester: u16, pasid_bits: u8) -> Result<()> {
        self.make_room(ram, requester, pasid_bits)
    }

    fn attach(&mut self, ram: &mut Ram, who: Who, to: &Context) -> Result<()> {
        self.set(ram, who, to)
    }

    fn detach(&mut self, ram: &mut Ram, who: Who) {
        self.clear(ram, who);
    }

    fn execute(&mut self, ram: &mut Ram, caches: &mut dyn Caches) {
        self.execute_all(ram, caches);
    }

    fn invalidate(&mut self, ram: &mut Ram, pages: &Pages, caches: &mut dyn Caches) {
        self.forget_pages(ram, pages);
        self.execute_all(ram, caches);
    }

    fn look_up(&self, ram: &Ram, who: Who) -> Found<Context> {
        self.look_up_stream(ram, who)
    }

    fn code(&self, _context: &Context, reason: FaultReason, _write: bool) -> u16 {
        unit::number_of(reason)
    }

    fn read_guest(&self, ram: &Ram, parent: &Domain, [low, high]: [u64; 2], pasid: u32) -> Found<Option<ArmTables>> {
        if !GUESTS {
            return Err(super::absent(0));
        }
        self.read_guest_descriptor(ram, parent, pasid, low, high)
    }

    fn guest_code(&self, reason: FaultReason, second: SecondStage, records: bool) -> u16 {
        unit::number_of_guest(reason, second, records)
    }

    fn pass_on(&mut self, ram: &mut Ram, command: [u64; 2]) -> Result<()> {
        if !self.nests() {
            return Err(Errno::EINVAL);
        }
        self.post(ram, command);
        self.wait(ram);
        Ok(())
    }

    fn record(&mut self, ram: &mut Ram, fault: &Fault) {
        self.write_event(ram, fault);
    }

    fn take_record(&mut self, ram: &mut Ram) -> Option<[u64; 4]> {
        self.events.pop(ram)
    }

    fn register(&self, index: usize) -> Option<Register> {
        let (offset, bytes, value) = match index {
            0 => (CR1, 4, CR1_WRITE_BACK),
            1 => (STRTAB_BASE, 8, self.streams | ALLOCATES),
            2 => (STRTAB_BASE_CFG, 4, STRTAB_TWO_LEVELS),
            3 => (CMDQ_BASE, 8, self.commands.base() | ALLOCATES | COMMANDS_LG2),
            4 => (CMDQ_PROD, 4, 0),
            5 => (CMDQ_CONS, 4, 0),
            6 => (CR0, 4, CR0_COMMANDS),
            7 => (EVENTQ_BASE, 8, self.events.base() | ALLOCATES | EVENTS_LG2),
            8 => (EVENTQ_PROD, 4, 0),
            9 => (EVENTQ_CONS, 4, 0),
            10 => (CR0, 4, CR0_COMMANDS | CR0_EVENTS),
            11 => (CMDQ_PROD, 4, self.commands.producer()),
            12 => (CR0, 4, CR0_COMMANDS | CR0_EVENTS | CR0_SMMU),
            _ => return None,
        };
        Some(Register { offset, bytes, value })
    }

    fn frames(&self) -> u64 {
        self.frames
    }
}
