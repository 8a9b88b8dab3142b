//! RISC-V IOMMU: RISC-V IOMMU Architecture Specification, version 1.0.1.
//!
//! | what | section | where |
//! | --- | --- | --- |
//! | registers | 5 | the driver's writes: queues, device directory |
//! | device directory | 2.1 | 1 to 3 levels, as many as the highest requester needs; contexts of 32 or, with page tables for interrupts, 64 bytes |
//! | process directory | 2.2 | for requesters with PASIDs: 1 to 3 levels; the context of process 0 is that of requests without a PASID |
//! | command queue | 3.1 | one frame of 256 commands |
//! | fault queue | 3.2 | one frame of 128 records |
//!
//! A unit has one of the two stages, the one that its page tables are of, and leaves no marks in these. Contexts of devices without PASIDs are not valid, and with that block, until
//! something is attached; those with PASIDs name their process directory from the start, whose tables come with their first entry and go with the last.

mod driver;
mod layout;
mod unit;

use super::queue::CommandQueue;
use super::ring::Ring;
use super::{Caches, Context, Fault, Found, Pages, Register, Unit, Who, alloc};
use crate::fault::FaultReason;
use crate::iommu::IommuConfig;
use crate::ram::{FRAME_LG2, Ram};
use layout::{
    ACCESS_FAULT, CAP_MSI_FLAT, CAP_PD8, CAP_SV39, CAP_SV39X4, CONTEXT_LG2, CQB, CQCSR, CQT, DDTP, FQB, FQCSR, FQH, GUEST_PAGE_FAULT,
    MODE_ONE_LEVEL, NUMBER_SHIFT, PAGE_FAULT, QUEUE_ON, RECORD_BYTES,
};
use uapi::Result;

/// Bytes of a command.
const COMMAND_BYTES: u64 = 16;
/// What a base register says of a queue of one frame: lg2 of its entries, less one.
const COMMANDS_LG2: u64 = 7;
const RECORDS_LG2: u64 = 6;

/// One RISC-V IOMMU.
pub(crate) struct RiscV {
    /// The capabilities register, as far as it matters.
    capabilities: u64,
    /// The top of the device directory.
    directory: u64,
    /// Its levels.
    levels: u32,
    commands: Ring,
    faults: Ring,
    /// Frames in use.
    frames: u64,
}

/// What goes with the settings of an IOMMU.
fn capabilities_of(config: &IommuConfig) -> u64 {
    // Three levels and all up to those that are used.
    let modes = (2 << (config.levels - 3)) - 1;
    let is_second = !config.kind.is_first_stage();
    let stage = if is_second { CAP_SV39X4 } else { CAP_SV39 };
    // All processes of a device have the same second stage.
    let processes = if config.scalable && !is_second { 7 * CAP_PD8 } else { 0 };
    (modes * stage) | processes | CAP_MSI_FLAT
}

/// A page number where registers, and entries that lead to a table, have it.
const fn number_of(pa: u64) -> u64 {
    pa >> FRAME_LG2 << NUMBER_SHIFT
}

impl RiscV {
    /// A unit for requesters up to that of the first table. ENOMEM.
    pub(super) fn new(ram: &mut Ram, config: &IommuConfig) -> Result<RiscV> {
        RiscV::with(ram, capabilities_of(config))
    }

    /// A unit that can do as much. ENOMEM.
    pub(super) fn with(ram: &mut Ram, capabilities: u64) -> Result<RiscV> {
        let directory = alloc(ram, FRAME_LG2)?;
        let (commands, faults) = (Ring::new(ram, COMMAND_BYTES)?, Ring::new(ram, RECORD_BYTES)?);
        let mut unit = RiscV { capabilities, directory, levels: 1, commands, faults, frames: 3 };
        unit.forget_everything(ram);
        unit.execute_all(ram, &mut ());
        Ok(unit)
    }

    /// Lg2 of the bytes of a device context.
    const fn context_lg2(&self) -> u32 {
        if self.capabilities & CAP_MSI_FLAT != 0 { CONTEXT_LG2 + 1 } else { CONTEXT_LG2 }
    }

    /// Whether the host's page tables are of the second stage.
    const fn is_second(&self) -> bool {
        self.capabilities & CAP_SV39X4 != 0
    }
}

impl CommandQueue for RiscV {
    fn commands(&mut self) -> &mut Ring {
        &mut self.commands
    }

    fn obey(&self, ram: &mut Ram, command: [u64; 2], caches: &mut dyn Caches) -> bool {
        self.obey_command(ram, command, caches)
    }

    fn wait_command(&self) -> [u64; 2] {
        driver::FENCE_ALL
    }
}

impl Unit for RiscV {
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
        self.look_up_entry(ram, who)
    }

    fn code(&self, _context: &Context, reason: FaultReason, write: bool) -> u16 {
        let cause = match reason {
            FaultReason::TableUnreachable => ACCESS_FAULT,
            _ if self.is_second() => GUEST_PAGE_FAULT,
            _ => PAGE_FAULT,
        };
        cause + if write { 2 } else { 0 }
    }

    fn record(&mut self, ram: &mut Ram, fault: &Fault) {
        self.write_record(ram, fault);
    }

    fn take_record(&mut self, ram: &mut Ram) -> Option<[u64; 4]> {
        self.faults.pop(ram)
    }

    fn register(&self, index: usize) -> Option<Register> {
        let mode = MODE_ONE_LEVEL + u64::from(self.levels - 1);
        let (offset, bytes, value) = match index {
            0 => (CQB, 8, number_of(self.commands.base()) | COMMANDS_LG2),
            1 => (CQCSR, 4, QUEUE_ON),
            2 => (FQB, 8, number_of(self.faults.base()) | RECORDS_LG2),
            3 => (FQH, 4, 0),
            4 => (FQCSR, 4, QUEUE_ON),
            5 => (DDTP, 8, number_of(self.directory) | mode),
            6 => (CQT, 4, self.commands.tail() / COMMAND_BYTES),
            _ => return None,
        };
        Some(Register { offset, bytes, value })
    }

    fn frames(&self) -> u64 {
        self.frames
    }
}
