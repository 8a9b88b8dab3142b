//! Devices of the machine: what the host says of them at boot, and what programs have done to them.

use crate::capability::Capabilities;
use crate::config::{DeviceConfig, GroupIoas, IrqConfig, RegionConfig, ReservedKind};
use crate::dma_log::DmaLog;
use crate::file::Bound;
use crate::group::{AttachSet, Group};
use crate::hardware::Hardware;
use crate::irq::Irqs;
use crate::kernel::Kernel;
use crate::page_request::PageRequest;
use crate::plug::Plug;
use crate::selftest::{self, Mock};
use alloc::vec::Vec;
use iommu::{IommuConfig, Kind, NO_PASID};
use iova::Range;
use uapi::vfio as api;
use uapi::{Errno, Result};

const REGIONS: usize = api::PCI_NUM_REGIONS as usize;
const IRQS: usize = api::PCI_NUM_IRQS as usize;

/// Bits of the widest PASIDs (PCI Express Base Specification, 6.20).
const PASID_BITS_MAX: u8 = 20;

/// What VFIO has attached for a device_fd. VFIO does not know that to the rest of the kernel PASID 0 stands for transfers without one.
#[derive(Default)]
pub(crate) struct VfioAttachments {
    /// Transfers without a PASID.
    pub(crate) plain: bool,
    /// PASIDs.
    pub(crate) pasids: Vec<u32>,
}

/// A PCI function that VFIO can give to programs.
pub(crate) struct Device {
    pub(crate) config: DeviceConfig,
    /// A kernel driver that does DMA has it.
    pub(crate) driver_blocks: bool,
    pub(crate) reserved: Vec<(Range, ReservedKind)>,
    pub(crate) regions: [RegionConfig; REGIONS],
    pub(crate) irq_configs: [IrqConfig; IRQS],
    /// Which of the sets that use one page table it is in.
    pub(crate) set: u32,
    /// Fds that are open.
    pub(crate) open_files: u32,
    /// The one fd that is bound, if any.
    pub(crate) bound: Option<Bound>,
    /// What VFIO has attached, by its own account.
    pub(crate) vfio: VfioAttachments,
    /// Of an emulated device that is bound: its access.
    pub(crate) access: Option<u32>,
    /// The virtual IOMMU that it is attached through, and what that calls it.
    pub(crate) guest: Option<(u32, u64)>,
    /// A mock device, which no host described. While it is not bound its place is free.
    pub(crate) mock: Option<Mock>,
    pub(crate) irqs: Irqs,
    /// Page requests of groups that are not complete, oldest first.
    pub(crate) partial: Vec<PageRequest>,
    /// What it has written to since that was asked last.
    pub(crate) log: Option<DmaLog>,
    /// Whether it answers to memory accesses: the command register says so, and it is awake.
    pub(crate) memory_enabled: bool,
    pub(crate) plug: Plug,
    /// The bus that it can be reset with, if it can.
    pub(crate) reset_bus: Option<u32>,
}

impl Device {
    fn new(config: DeviceConfig, set: u32) -> Self {
        let mut irq_configs = [IrqConfig::default(); IRQS];
        // Linux has these for every PCI function.
        for index in [api::PCI_ERR_IRQ_INDEX, api::PCI_REQ_IRQ_INDEX] {
            irq_configs[index as usize].count = 1;
        }
        Self {
            config,
            driver_blocks: false,
            reserved: Vec::new(),
            regions: [RegionConfig::default(); REGIONS],
            irq_configs,
            set,
            open_files: 0,
            bound: None,
            vfio: VfioAttachments::default(),
            access: None,
            guest: None,
            mock: None,
            irqs: Irqs::default(),
            partial: Vec::new(),
            log: None,
            memory_enabled: true,
            plug: Plug::Present,
            reset_bus: None,
        }
    }

    /// How many PASIDs it can use behind the machine's IOMMU; 0: it knows of none. To Linux a mock device without them has one, that of its
    /// transfers without a PASID.
    pub(crate) fn max_pasids(&self, iommu: &IommuConfig) -> u32 {
        match &self.mock {
            Some(mock) => 1 << selftest::pasid_bits(mock.flags),
            None if iommu.scalable && self.config.pasids.bits != 0 && !self.config.no_iommu => {
                (1 << self.config.pasids.bits).min(Capabilities::of(iommu).max_pasids)
            }
            None => 0,
        }
    }

    /// Whether its IOMMU can mark the pages that it writes to.
    pub(crate) fn tracks_dirty(&self, iommu: &IommuConfig) -> bool {
        match &self.mock {
            Some(mock) => selftest::tracks_dirty(mock.flags),
            None => iommu.tracks_dirty && !self.config.no_iommu,
        }
    }

    /// The address ranges that nothing may be mapped at while it is attached.
    pub(crate) fn reserved_ranges(&self) -> impl Iterator<Item = Range> {
        self.reserved.iter().filter(|(_, kind)| *kind != ReservedKind::DirectRelaxable).map(|&(range, _)| range)
    }

    /// Where the kernel maps what its interrupts are written to; `None`: they are not translated.
    pub(crate) fn message_address(&self) -> Option<u64> {
        self.reserved.iter().find(|(_, kind)| *kind == ReservedKind::SoftwareMsi).map(|(range, _)| range.start)
    }
}

/// What the host says of its machine. Errors are the host's mistakes (EINVAL), or ENOMEM.
impl Kernel {
    /// Adds an IOMMU group without devices. Returns its number.
    pub fn add_group(&mut self) -> Result<u32> {
        self.groups.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.groups.push(Group::default());
        Ok(self.groups.len() as u32 - 1)
    }

    /// Adds a device. Returns its number, which counts from 0. EINVAL also where a device of another group has its requester id, and where
    /// programs have its group already: neither could be kept apart.
    pub fn add_device(&mut self, config: DeviceConfig) -> Result<u32> {
        let IommuConfig { kind, remote, .. } = *self.hardware.iommu.config();
        // Linux's tests have no device without an IOMMU; what has one that is remote is found out there.
        if config.pasids.bits > PASID_BITS_MAX || config.no_iommu && (remote || kind == Kind::AmdMock) {
            return Err(Errno::EINVAL);
        }
        let number = u32::try_from(self.devices.len()).ok().filter(|&number| number < 1 << 24).ok_or(Errno::ENOMEM)?;
        self.check_unclaimed(config.group)?;
        if self.devices.iter().any(|device| device.config.requester == config.requester && device.config.group != config.group) {
            return Err(Errno::EINVAL);
        }
        self.devices.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let set = self.set_of(&config)?;
        let entry = self.sets.get_mut(set as usize).ok_or(Errno::EIO)?;
        entry.members.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let Hardware { iommu, ram, .. } = &mut self.hardware;
        iommu.add_device(ram, number, config.requester, config.pasids.bits)?;
        entry.members.push(number);
        self.devices.push(Device::new(config, set));
        Ok(number)
    }

    /// EINVAL unless the group is there and no program has it.
    fn check_unclaimed(&self, group: u32) -> Result<()> {
        match self.groups.get(group as usize) {
            Some(group) if group.bound == 0 => Ok(()),
            _ => Err(Errno::EINVAL),
        }
    }

    /// The set of devices that must use one page table to which a new device belongs.
    fn set_of(&mut self, config: &DeviceConfig) -> Result<u32> {
        let same = |device: &&Device| match self.rules.group_ioas {
            GroupIoas::Linux => device.config.group == config.group,
            GroupIoas::Requester => device.config.group == config.group && device.config.requester == config.requester,
        };
        if let Some(device) = self.devices.iter().find(same) {
            return Ok(device.set);
        }
        self.sets.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.sets.push(AttachSet::default());
        Ok(self.sets.len() as u32 - 1)
    }

    /// Describes a region of a device, by VFIO's index.
    pub fn add_region(&mut self, device: u32, index: u32, region: RegionConfig) -> Result<()> {
        let regions = &mut self.device_mut(device)?.regions;
        *regions.get_mut(index as usize).ok_or(Errno::EINVAL)? = region;
        Ok(())
    }

    /// Describes an interrupt of a device, by VFIO's index.
    pub fn add_irq(&mut self, device: u32, index: u32, irq: IrqConfig) -> Result<()> {
        let irqs = &mut self.device_mut(device)?.irq_configs;
        *irqs.get_mut(index as usize).ok_or(Errno::EINVAL)? = irq;
        Ok(())
    }

    /// Reserves IOVAs for a device. EINVAL also once programs have its group: they may have mapped something there. What a remote IOMMU
    /// reserves is found out only then; it is taken until the device is attached.
    pub fn add_reserved(&mut self, device: u32, range: Range, kind: ReservedKind) -> Result<()> {
        if range.last < range.start {
            return Err(Errno::EINVAL);
        }
        let entry = self.device(device)?;
        // As Linux wants it of drivers: interrupts are translated in one place, or not at all.
        let messages = |kind| matches!(kind, ReservedKind::Msi | ReservedKind::SoftwareMsi);
        let twice = |&(_, other): &(Range, ReservedKind)| messages(other) && (kind != other || kind == ReservedKind::SoftwareMsi);
        if messages(kind) && entry.reserved.iter().any(twice) {
            return Err(Errno::EINVAL);
        }
        if !self.hardware.iommu.config().remote {
            self.check_unclaimed(entry.config.group)?;
        } else if self.is_attached(device) {
            return Err(Errno::EINVAL);
        }
        let reserved = &mut self.device_mut(device)?.reserved;
        reserved.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        reserved.push((range, kind));
        Ok(())
    }

    /// Says how far a remote IOMMU translates, for page tables that are made from now on.
    pub fn set_remote_aperture(&mut self, last: u64) {
        self.hardware.iommu.set_remote_aperture(last);
    }

    /// Says whether a kernel driver that does DMA has the device. Then no device of its group can be bound. EINVAL also for a driver that
    /// comes while programs have the group: Linux keeps it out.
    pub fn set_driver_blocks(&mut self, device: u32, blocks: bool) -> Result<()> {
        if blocks {
            self.check_unclaimed(self.device(device)?.config.group)?;
        }
        self.device_mut(device)?.driver_blocks = blocks;
        Ok(())
    }

    /// Whether transfers of a device without a PASID go anywhere.
    fn is_attached(&self, device: u32) -> bool {
        let set = self.device(device).and_then(|device| self.set(device.set)).ok();
        set.and_then(|set| set.attachment(NO_PASID)).is_some_and(|attachment| attachment.devices.contains(&device))
    }

    pub(crate) fn device(&self, device: u32) -> Result<&Device> {
        self.devices.get(device as usize).ok_or(Errno::EINVAL)
    }

    pub(crate) fn device_mut(&mut self, device: u32) -> Result<&mut Device> {
        self.devices.get_mut(device as usize).ok_or(Errno::EINVAL)
    }
}
