//! IOMMU groups: devices that cannot be kept apart belong to one iommufd at a time, and reach nothing until they are attached.

use crate::config::ReservedKind;
use crate::kernel::Kernel;
use alloc::vec::Vec;
use iommu::DomainId;
use uapi::{Errno, Result};

/// Devices that have one owner.
#[derive(Default)]
pub(crate) struct Group {
    /// The iommufd that has claimed it.
    pub(crate) owner: Option<u32>,
    /// Its devices that are bound.
    pub(crate) bound: u32,
}

/// Devices that use one page table: those of a group (Linux's rule), or those of a group that share a requester id.
#[derive(Default)]
pub(crate) struct AttachSet {
    pub(crate) members: Vec<u32>,
    /// The page table, while a member is attached: its object id in the owner's iommufd.
    pub(crate) hwpt: Option<u32>,
    /// Members that are attached.
    pub(crate) attached: u32,
}

impl Kernel {
    /// Claims the group of a device for an iommufd, once for each device that is bound. Its DMA is blocked already: no requester reaches
    /// memory that is not attached.
    ///
    /// EPERM if another iommufd or a kernel driver has the group; EINVAL if firmware wants one of its devices never blocked.
    pub(crate) fn claim_group(&mut self, device: u32, context: u32) -> Result<()> {
        let number = self.device(device)?.config.group;
        let group = self.groups.get(number as usize).ok_or(Errno::ENODEV)?;
        if group.bound == 0 {
            self.check_claim(number)?;
        } else if group.owner != Some(context) {
            return Err(Errno::EPERM);
        }
        let group = self.groups.get_mut(number as usize).ok_or(Errno::ENODEV)?;
        group.owner = Some(context);
        group.bound += 1;
        Ok(())
    }

    fn check_claim(&self, number: u32) -> Result<()> {
        let members = || self.devices.iter().filter(move |device| device.config.group == number);
        if members().any(|device| device.driver_blocks || !device.config.viable) {
            return Err(Errno::EPERM);
        }
        let direct = members().any(|device| device.reserved.iter().any(|(_, kind)| *kind == ReservedKind::Direct));
        if direct { Err(Errno::EINVAL) } else { Ok(()) }
    }

    /// Undoes one claim, of a device that is not attached any more. The last one makes the group free for others.
    pub(crate) fn release_group(&mut self, device: u32) {
        let Ok(number) = self.device(device).map(|device| device.config.group) else { return };
        let Some(group) = self.groups.get_mut(number as usize) else { return };
        group.bound -= 1;
        if group.bound == 0 {
            group.owner = None;
        }
    }

    /// Points all requesters of a set to a domain, or blocks them. ENOMEM, all or nothing; blocking never fails.
    pub(crate) fn point_set(&mut self, set: u32, domain: Option<DomainId>) -> Result<()> {
        let Kernel { sets, devices, hardware, .. } = self;
        let members = &sets.get(set as usize).ok_or(Errno::EIO)?.members;
        let requesters = || members.iter().filter_map(|&member| Some(devices.get(member as usize)?.config.requester));
        let before = requesters().next().and_then(|requester| hardware.iommu.attached(requester));
        for (done, requester) in requesters().enumerate() {
            if let Err(error) = hardware.iommu.attach(requester, domain) {
                for requester in requesters().take(done) {
                    let _ = hardware.iommu.attach(requester, before);
                }
                return Err(error);
            }
        }
        Ok(())
    }
}
