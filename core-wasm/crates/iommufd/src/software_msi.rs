//! Interrupts that the IOMMU translates: a message is a write of the device to an IOVA, at which the kernel maps the page that takes such writes,
//! the doorbell, in each page table that the device comes to. On Arm it is so; on x86 the IOMMU lets the writes to one fixed range pass.
//!
//! As in Linux (iommufd/driver.c, `iommufd_sw_msi`) the IOVA is the first of the range that is reserved for it, the same in all page tables.

use crate::attach::Port;
use crate::device::Device;
use crate::kernel::Kernel;
use crate::pages::{PAGE, runs};
use iommu::{NO_PASID, Pa, Prot, Run, Source};
use uapi::{Errno, Result};

/// The page of the doorbell: where QEMU's machine of the kind has it, that of its GICv3's interrupt translation service.
const DOORBELL: Run = Run { pa: Pa(0x0809_0000), length: PAGE };
/// Where in that page a message is written to: GITS_TRANSLATER (Arm GIC architecture specification, 12.19).
const REGISTER: u64 = 0x40;
/// Bytes of a message.
const MESSAGE: u64 = 4;

impl Kernel {
    /// A device gets vectors: what they are written to is mapped in its page table. ENOSPC if it is attached to nothing, or memory is short: Linux
    /// has no other number for vectors that cannot be had.
    pub(crate) fn prepare_messages(&mut self, device: u32) -> Result<()> {
        let entry = self.device(device)?;
        let (Some(iova), group) = (entry.message_address(), entry.config.group) else { return Ok(()) };
        let owner = self.groups.get(group as usize).and_then(|group| group.owner).ok_or(Errno::ENOSPC)?;
        let hwpt = self.set(self.device(device)?.set)?.attachment(NO_PASID).ok_or(Errno::ENOSPC)?.hwpt;
        self.map_doorbell(owner, hwpt, iova).map_err(|_| Errno::ENOSPC)?;
        self.groups.get_mut(group as usize).ok_or(Errno::EIO)?.sends_messages = true;
        Ok(())
    }

    /// A device comes to a page table, nested or not: it finds there what its group's interrupts are written to. Returns whether that was not there.
    /// ENOMEM.
    pub(crate) fn show_doorbell(&mut self, port: Port, hwpt: u32) -> Result<bool> {
        let entry = self.device(port.device)?;
        let sends = self.groups.get(entry.config.group as usize).is_some_and(|group| group.sends_messages);
        match entry.message_address().filter(|_| sends && port.pasid == NO_PASID) {
            Some(iova) => self.map_doorbell(port.bound.context, hwpt, iova),
            None => Ok(false),
        }
    }

    /// Undoes [`Self::show_doorbell`] that has mapped it.
    pub(crate) fn hide_doorbell(&mut self, port: Port, hwpt: u32) {
        let Some(iova) = self.device(port.device).ok().and_then(Device::message_address) else { return };
        let Ok(index) = self.paging_of(port.bound.context, hwpt) else { return };
        let Ok((context, hardware)) = self.parts(port.bound.context) else { return };
        let Some(hwpt) = context.hwpts.get_mut(index) else { return };
        hardware.iommu.unmap(&mut hardware.ram, hwpt.domain, iova, PAGE);
        hwpt.has_doorbell = false;
    }

    /// Maps the doorbell in a page table, or in the one below a nested one, where it stays as long as that. Returns whether it was not there.
    fn map_doorbell(&mut self, context: u32, id: u32, iova: u64) -> Result<bool> {
        let index = self.paging_of(context, id)?;
        let (context, hardware) = self.parts(context)?;
        let hwpt = context.hwpts.get_mut(index).ok_or(Errno::EIO)?;
        if hwpt.has_doorbell {
            return Ok(false);
        }
        hardware.iommu.map(&mut hardware.ram, hwpt.domain, iova, runs(&[], Some(DOORBELL), 0, 0), Prot::READ | Prot::WRITE)?;
        hwpt.has_doorbell = true;
        Ok(true)
    }

    /// Whether a message of a device reaches what makes an interrupt of it. Where it does not, the fault log says why.
    pub(crate) fn message_arrives(&mut self, device: u32) -> bool {
        let Ok(entry) = self.device(device) else { return false };
        let Some(iova) = entry.message_address() else { return true };
        let source = Source { device, requester: entry.config.requester, pasid: None };
        let at = iova + REGISTER;
        let to = self.hardware.iommu.message(&mut self.hardware.ram, &source, at, MESSAGE);
        self.with_event(device, to) == Ok(Pa(DOORBELL.pa.0 + REGISTER))
    }
}
