//! IOMMU groups: devices that cannot be kept apart belong to one iommufd at a time, and reach nothing until they are attached.

use crate::config::ReservedKind;
use crate::device::Device;
use crate::kernel::Kernel;
use crate::plug::Plug;
use alloc::vec::Vec;
use iommu::{DomainId, NO_PASID};
use uapi::{Errno, Result};

/// Devices that have one owner.
#[derive(Default)]
pub(crate) struct Group {
    /// The iommufd that has claimed it.
    pub(crate) owner: Option<u32>,
    /// Its devices that are bound.
    pub(crate) bound: u32,
    /// One of its devices has translated interrupts: page tables that the group comes to map what they are written to.
    pub(crate) sends_messages: bool,
}

/// Devices that use one page table for each PASID: those of a group (Linux's rule), or those of a group that share a requester id.
#[derive(Default)]
pub(crate) struct AttachSet {
    pub(crate) members: Vec<u32>,
    /// Sorted by PASID.
    pub(crate) attachments: Vec<Attachment>,
}

/// What members of a set are attached to with a PASID, or with [`NO_PASID`] as far as their other transfers go.
pub(crate) struct Attachment {
    pub(crate) pasid: u32,
    /// The page table: its object id in the owner's iommufd.
    pub(crate) hwpt: u32,
    /// Which device has it attached there: its object id, by which page faults of all members are reported.
    pub(crate) handler: u32,
    /// The members that are attached; at least one.
    pub(crate) devices: Vec<u32>,
}

impl AttachSet {
    pub(crate) fn attachment(&self, pasid: u32) -> Option<&Attachment> {
        self.attachments.get(self.position(pasid).ok()?)
    }

    pub(crate) fn attachment_mut(&mut self, pasid: u32) -> Option<&mut Attachment> {
        let at = self.position(pasid).ok()?;
        self.attachments.get_mut(at)
    }

    /// Where the attachment of a PASID is, or belongs.
    pub(crate) fn position(&self, pasid: u32) -> core::result::Result<usize, usize> {
        self.attachments.binary_search_by_key(&pasid, |attachment| attachment.pasid)
    }

    /// Adds a device to the attachment of a PASID, which begins with it if there is none. ENOMEM.
    pub(crate) fn add(&mut self, device: u32, pasid: u32, hwpt: u32) -> Result<()> {
        match self.position(pasid) {
            Ok(at) => {
                let devices = &mut self.attachments.get_mut(at).ok_or(Errno::EIO)?.devices;
                devices.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                devices.push(device);
            }
            Err(at) => {
                let mut devices = Vec::new();
                devices.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                self.attachments.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                devices.push(device);
                self.attachments.insert(at, Attachment { pasid, hwpt, handler: 0, devices });
            }
        }
        Ok(())
    }

    /// Takes a device off the attachment of a PASID, which ends with its last device. Returns the page table, and whether it was the last.
    pub(crate) fn remove(&mut self, device: u32, pasid: u32) -> Option<(u32, bool)> {
        let at = self.position(pasid).ok()?;
        let attachment = self.attachments.get_mut(at)?;
        let place = attachment.devices.iter().position(|&attached| attached == device)?;
        attachment.devices.remove(place);
        let (hwpt, last) = (attachment.hwpt, attachment.devices.is_empty());
        if last {
            self.attachments.remove(at);
        }
        Some((hwpt, last))
    }
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
        let members = || self.devices.iter().filter(move |device| device.config.group == number && device.plug != Plug::Gone);
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
            *group = Group::default();
        }
    }

    /// Points transfers with a PASID of all requesters of a set to a domain, or blocks them; a member that knows of none has no part in it, but for
    /// [`NO_PASID`]. ENOMEM, all or nothing; blocking never fails.
    pub(crate) fn point_set(&mut self, set: u32, pasid: u32, domain: Option<DomainId>) -> Result<()> {
        let config = *self.hardware.iommu.config();
        let Kernel { sets, devices, hardware, .. } = self;
        let members = &sets.get(set as usize).ok_or(Errno::EIO)?.members;
        let concerned = |device: &&Device| pasid == NO_PASID || device.max_pasids(&config) != 0;
        let requesters = || {
            let devices = members.iter().filter_map(|&member| devices.get(member as usize));
            devices.filter(concerned).map(|device| device.config.requester)
        };
        let before = requesters().next().and_then(|requester| hardware.iommu.attached(requester, pasid));
        for (done, requester) in requesters().enumerate() {
            if let Err(error) = hardware.iommu.attach(&mut hardware.ram, requester, pasid, domain) {
                for requester in requesters().take(done) {
                    let _ = hardware.iommu.attach(&mut hardware.ram, requester, pasid, before);
                }
                return Err(error);
            }
        }
        Ok(())
    }
}
