//! AMD-Vi: AMD I/O Virtualization Technology (IOMMU) Specification, 48882, revision 3.08.
//!
//! | what | section | where |
//! | --- | --- | --- |
//! | registers | 3.4 | the driver's writes: device table, command buffer, event log, enable |
//! | device table | 2.2.2 | one entry a requester, contiguous, for all that there are |
//! | GCR3 table | 2.2.2.1 | one a requester, for its PASIDs, where there are v2 page tables; of PASID 0, which is all that Linux's driver lets programs use |
//! | command buffer | 2.4 | one frame of 256 commands |
//! | event log | 2.5 | one frame of 256 events |
//!
//! An entry that is not valid lets everything pass. So all of them are valid from the start, without a page table and without permission.

mod driver;
mod layout;
mod unit;

use super::queue::CommandQueue;
use super::ring::Ring;
use super::{Caches, Context, Fault, Found, Pages, Refusal, Register, Unit, Who, alloc};
use crate::fault::FaultReason;
use crate::iommu::IommuConfig;
use crate::ram::{FRAME_LG2, Ram};
use layout::{
    COMMAND_BUFFER, COMMAND_HEAD, COMMAND_TAIL, CONTROL, CONTROL_COMMANDS, CONTROL_ENABLE, CONTROL_EVENTS, CONTROL_GUEST, DEVICE_TABLE,
    EVENT_HEAD, EVENT_LOG, EVENT_TAIL, QUEUE_SIZE_SHIFT,
};
use uapi::Result;

/// Bytes of a command, and of an event.
const COMMAND_BYTES: u64 = 16;
/// What a base register of a queue says of its 256 entries.
const QUEUE_SIZE: u64 = 8 << QUEUE_SIZE_SHIFT;

/// One AMD IOMMU.
pub(crate) struct AmdVi {
    /// The device table.
    table: u64,
    /// Its bytes, lg2.
    table_lg2: u32,
    commands: Ring,
    events: Ring,
    /// Where completions are stored.
    store: u64,
    /// Whether it has guest translation, and frames of GCR3 tables.
    guest: bool,
    guest_frames: u64,
}

impl AmdVi {
    /// A unit for the first 128 requesters. ENOMEM.
    pub(super) fn new(ram: &mut Ram, config: &IommuConfig) -> Result<AmdVi> {
        let guest = config.kind.is_first_stage();
        let (table, store) = (alloc(ram, FRAME_LG2)?, alloc(ram, FRAME_LG2)?);
        let (commands, events) = (Ring::new(ram, COMMAND_BYTES)?, Ring::new(ram, COMMAND_BYTES)?);
        let mut unit = AmdVi { table, table_lg2: FRAME_LG2, commands, events, store, guest, guest_frames: 0 };
        driver::block_all(ram, table, 0, 1 << FRAME_LG2);
        unit.forget_everything(ram);
        unit.execute_all(ram, &mut ());
        Ok(unit)
    }
}

impl CommandQueue for AmdVi {
    fn commands(&mut self) -> &mut Ring {
        &mut self.commands
    }

    fn obey(&self, ram: &mut Ram, command: [u64; 2], caches: &mut dyn Caches) -> bool {
        self.obey_command(ram, command, caches)
    }

    fn wait_command(&self) -> [u64; 2] {
        self.completion_wait()
    }
}

impl Unit for AmdVi {
    fn reach(&mut self, ram: &mut Ram, requester: u16, pasid_bits: u8) -> Result<()> {
        self.grow(ram, requester)?;
        if self.guest { self.make_guest_table(ram, requester, pasid_bits) } else { Ok(()) }
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

    fn code(&self, context: &Context, reason: FaultReason, write: bool) -> u16 {
        unit::number_of(context, reason, write)
    }

    fn refusal_code(&self, refusal: &Refusal, write: bool) -> u16 {
        refusal.code | unit::direction(write)
    }

    fn record(&mut self, ram: &mut Ram, fault: &Fault) {
        self.write_event(ram, fault);
    }

    fn take_record(&mut self, ram: &mut Ram) -> Option<[u64; 4]> {
        self.events.pop(ram).map(|[low, high]| [low, high, 0, 0])
    }

    fn register(&self, index: usize) -> Option<Register> {
        let all = CONTROL_EVENTS | CONTROL_COMMANDS | if self.guest { CONTROL_GUEST } else { 0 };
        let (offset, value) = match index {
            0 => (DEVICE_TABLE, self.table | ((1 << (self.table_lg2 - FRAME_LG2)) - 1)),
            1 => (COMMAND_BUFFER, self.commands.base() | QUEUE_SIZE),
            2 => (COMMAND_HEAD, 0),
            3 => (COMMAND_TAIL, 0),
            4 => (EVENT_LOG, self.events.base() | QUEUE_SIZE),
            5 => (EVENT_HEAD, 0),
            6 => (EVENT_TAIL, 0),
            7 => (CONTROL, all),
            8 => (COMMAND_TAIL, self.commands.tail()),
            9 => (CONTROL, all | CONTROL_ENABLE),
            _ => return None,
        };
        Some(Register { offset, bytes: 8, value })
    }

    fn frames(&self) -> u64 {
        3 + self.guest_frames + (1 << (self.table_lg2 - FRAME_LG2))
    }
}
