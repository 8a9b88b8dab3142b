//! Intel VT-d: Intel Virtualization Technology for Directed I/O Architecture Specification, revision 4.1.
//!
//! | what | section | where |
//! | --- | --- | --- |
//! | registers | 11.4 | the driver's writes: root table, invalidation queue, enable |
//! | root table | 9.1, 9.2 | one entry a bus, in one frame |
//! | context tables | 9.3, 9.4 | one entry a function; in scalable mode two tables a bus |
//! | PASID directory and tables | 9.5, 9.6 | scalable mode: one directory a requester; tables for 64 PASIDs each |
//! | invalidation queue | 6.5.2 | one frame of descriptors; of 256 bits in scalable mode |
//! | fault recording register | 7.2.1, 11.4.14 | one |
//!
//! Tables are there for the requesters that there are; a PASID table comes with its first entry, and goes with the last.

mod driver;
mod layout;
mod unit;

use super::queue::CommandQueue;
use super::ring::Ring;
use super::{Caches, Context, Fault, Found, Pages, Register, Unit, Who, alloc};
use crate::fault::FaultReason;
use crate::iommu::IommuConfig;
use crate::ram::{FRAME_LG2, Ram};
use layout::{GCMD, GCMD_QIE, GCMD_SRTP, GCMD_TE, IQA, IQA_WIDE, IQT, RTADDR, RTADDR_SCALABLE};
use uapi::Result;

/// One VT-d unit.
pub(crate) struct Vtd {
    scalable: bool,
    /// Levels of page tables, the one number that its capabilities name.
    levels: u8,
    /// Whether first-stage tables may be the host's own (FSTS).
    first_stage: bool,
    /// The root table.
    root: u64,
    queue: Ring,
    /// Where wait descriptors write to.
    status: u64,
    /// Frames in use.
    frames: u64,
    /// The fault recording register.
    fault: [u64; 2],
}

impl Vtd {
    /// A unit without any requester. ENOMEM.
    pub(super) fn new(ram: &mut Ram, config: &IommuConfig) -> Result<Vtd> {
        let IommuConfig { scalable, levels, .. } = *config;
        let first_stage = config.kind.is_first_stage();
        let size = if scalable { 32 } else { 16 };
        let (root, status) = (alloc(ram, FRAME_LG2)?, alloc(ram, FRAME_LG2)?);
        let queue = Ring::new(ram, size)?;
        let mut unit = Vtd { scalable, levels, first_stage, root, queue, status, frames: 3, fault: [0; 2] };
        unit.forget_everything(ram);
        unit.execute_all(ram, &mut ());
        Ok(unit)
    }
}

impl CommandQueue for Vtd {
    fn commands(&mut self) -> &mut Ring {
        &mut self.queue
    }

    fn obey(&self, ram: &mut Ram, command: [u64; 2], caches: &mut dyn Caches) -> bool {
        self.obey_command(ram, command, caches)
    }

    fn wait_command(&self) -> [u64; 2] {
        self.wait_descriptor()
    }
}

impl Unit for Vtd {
    fn reach(&mut self, ram: &mut Ram, requester: u16, pasid_bits: u8) -> Result<()> {
        self.make_room(ram, requester, pasid_bits)
    }

    fn attach(&mut self, ram: &mut Ram, who: Who, to: &Context) -> Result<()> {
        self.set(ram, who, to)
    }

    fn detach(&mut self, ram: &mut Ram, who: Who) {
        self.clear(ram, who);
    }

    fn caches_by_pasid(&self) -> bool {
        true
    }

    fn execute(&mut self, ram: &mut Ram, caches: &mut dyn Caches) {
        self.execute_all(ram, caches);
    }

    fn invalidate(&mut self, ram: &mut Ram, pages: &Pages, caches: &mut dyn Caches) {
        self.forget_pages(ram, pages);
        self.execute_all(ram, caches);
    }

    fn look_up(&self, ram: &Ram, who: Who) -> Found<Context> {
        if self.scalable { self.look_up_scalable(ram, who) } else { self.look_up_legacy(ram, who) }
    }

    fn code(&self, context: &Context, reason: FaultReason, write: bool) -> u16 {
        self.number_of(context, reason, write)
    }

    fn record(&mut self, _ram: &mut Ram, fault: &Fault) {
        self.write_fault(fault);
    }

    fn take_record(&mut self, _ram: &mut Ram) -> Option<[u64; 4]> {
        self.take_fault().map(|[low, high]| [low, high, 0, 0])
    }

    fn register(&self, index: usize) -> Option<Register> {
        let (mode, wide) = if self.scalable { (RTADDR_SCALABLE, IQA_WIDE) } else { (0, 0) };
        let (offset, bytes, value) = match index {
            0 => (RTADDR, 8, self.root | mode),
            1 => (GCMD, 4, GCMD_SRTP),
            2 => (IQT, 8, 0),
            3 => (IQA, 8, self.queue.base() | wide),
            4 => (GCMD, 4, GCMD_QIE),
            5 => (IQT, 8, self.queue.tail()),
            6 => (GCMD, 4, GCMD_QIE | GCMD_TE),
            _ => return None,
        };
        Some(Register { offset, bytes, value })
    }

    fn frames(&self) -> u64 {
        self.frames
    }
}
