//! Dma-bufs of BARs: VFIO's feature DMA_BUF, by which other devices reach the registers and the memory of a device, and what takes that back.
//!
//! As in Linux's `drivers/vfio/pci/vfio_pci_dmabuf.c` a dma-buf is revoked while its device does not answer to memory accesses, and once the device's file is
//! closed. What was mapped before stays without memory then; after the device answers again it can be mapped anew.

use crate::file::File;
use crate::hardware::{Dmabuf, Owner};
use crate::kernel::Kernel;
use crate::pages::PAGE;
use iommu::Pa;
use uapi::vfio as api;
use uapi::{Errno, Result};

/// Most ranges whose list Linux finds memory for: 4 MiB.
const RANGES_MAX: u32 = 1 << 18;
/// Linux keeps a flag above the lengths that it maps.
const LENGTH_MAX: u64 = (1 << 63) - 1;

impl Kernel {
    /// DMA_BUF: makes a dma-buf of ranges of a BAR. Returns its fd.
    ///
    /// EFAULT; EINVAL for no ranges, flags, ranges that are no whole pages or not in the BAR; ENODEV for a BAR that the device does not have; EOVERFLOW, EMFILE, ENOMEM.
    pub(crate) fn export_bar(&mut self, device: u32, data: u64) -> Result<u32> {
        let mut bytes = [0; api::DmaBuf::SIZE];
        self.hardware.copy_in(data, &mut bytes)?;
        let request = api::DmaBuf::read(&bytes);
        if request.nr_ranges == 0 || request.flags != 0 {
            return Err(Errno::EINVAL);
        }
        let entry = self.device(device)?;
        let bar = entry.regions.get(request.region_index as usize).filter(|bar| bar.size != 0);
        let bar = *bar.filter(|_| request.region_index < api::PCI_ROM_REGION_INDEX).ok_or(Errno::ENODEV)?;
        let revoked = !entry.memory_enabled;
        let ranges = data.checked_add(bytes.len() as u64).ok_or(Errno::EFAULT)?;
        let (first, length) = self.check_dma_ranges(ranges, request.nr_ranges, bar.address, bar.size)?;
        self.check_file_limit()?;
        let (owner, open_flags) = (Owner::Device(device), request.open_flags);
        let dmabuf = Dmabuf { owner, pa: Pa(first), length, ranges: request.nr_ranges, open_flags, revoked, holders: 1 };
        let index = self.hardware.dmabufs.insert(dmabuf)?;
        self.install(File::Dmabuf(index)).inspect_err(|_| self.hardware.put_dmabuf(index))
    }

    /// Checks the ranges of a BAR in three rounds, since Linux finds an error of one kind before it looks for the next. Returns where the first is, and the
    /// bytes of all.
    fn check_dma_ranges(&mut self, at: u64, count: u32, bar: u64, size: u64) -> Result<(u64, u64)> {
        if count > RANGES_MAX {
            return Err(Errno::ENOMEM);
        }
        self.each_dma_range(at, count, |_| Ok(()))?;
        let mut length = 0_u64;
        self.each_dma_range(at, count, |range| {
            if range.length == 0 || (range.offset | range.length) & (PAGE - 1) != 0 {
                return Err(Errno::EINVAL);
            }
            length = length.checked_add(range.length).ok_or(Errno::EINVAL)?;
            Ok(())
        })?;
        if length > LENGTH_MAX {
            return Err(Errno::EINVAL);
        }
        let mut first = None;
        self.each_dma_range(at, count, |range| {
            let start = bar.checked_add(range.offset).ok_or(Errno::EOVERFLOW)?;
            let end = start.checked_add(range.length).ok_or(Errno::EOVERFLOW)?;
            first.get_or_insert(start);
            if end > bar + size { Err(Errno::EINVAL) } else { Ok(()) }
        })?;
        Ok((first.ok_or(Errno::EIO)?, length))
    }

    fn each_dma_range(&mut self, at: u64, count: u32, mut check: impl FnMut(api::RegionDmaRange) -> Result<()>) -> Result<()> {
        for index in 0..u64::from(count) {
            let mut bytes = [0; api::RegionDmaRange::SIZE];
            let from = at.checked_add(index * bytes.len() as u64).ok_or(Errno::EFAULT)?;
            self.hardware.copy_in(from, &mut bytes)?;
            check(api::RegionDmaRange::read(&bytes))?;
        }
        Ok(())
    }

    /// Says whether a device answers to memory accesses: what the memory bit of its command register and its power state come to. Its dma-bufs are revoked
    /// while it does not. EINVAL for no device.
    pub fn set_memory_enabled(&mut self, device: u32, enabled: bool) -> Result<()> {
        self.device_mut(device)?.memory_enabled = enabled;
        self.move_dmabufs(device, !enabled);
        Ok(())
    }

    /// A device is reset, or was to be: what is mapped of its dma-bufs loses its memory. They can be mapped again if the device answers afterwards.
    pub(crate) fn interrupt_dmabufs(&mut self, device: u32) {
        self.move_dmabufs(device, true);
        if self.device(device).is_ok_and(|device| device.memory_enabled) {
            self.move_dmabufs(device, false);
        }
    }

    /// The file of a device is closed: its dma-bufs are revoked for good. The next one to open it finds it answering.
    pub(crate) fn give_up_dmabufs(&mut self, device: u32) {
        self.move_dmabufs(device, true);
        for dmabuf in self.hardware.dmabufs.iter_mut().filter(|dmabuf| dmabuf.owner == Owner::Device(device)) {
            dmabuf.owner = Owner::Nobody;
        }
        if let Ok(entry) = self.device_mut(device) {
            entry.memory_enabled = true;
        }
    }

    /// Revokes all dma-bufs of a device, or takes that back. Those that are as they shall be stay.
    fn move_dmabufs(&mut self, device: u32, revoked: bool) {
        for index in 0..self.hardware.dmabufs.span() as u32 {
            let Some(dmabuf) = self.hardware.dmabufs.get_mut(index) else { continue };
            if dmabuf.owner == Owner::Device(device) && dmabuf.revoked != revoked {
                dmabuf.revoked = revoked;
                if revoked {
                    self.revoke(index);
                }
            }
        }
    }

    /// Takes the memory of a dma-buf out of all page tables.
    pub(crate) fn revoke(&mut self, dmabuf: u32) {
        for context in self.contexts.iter_mut() {
            context.revoke(&mut self.hardware, dmabuf);
        }
    }
}
