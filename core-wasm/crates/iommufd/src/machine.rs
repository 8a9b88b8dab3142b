//! What the machine does beside the program: transfers of devices, their buffers, and a look at faults and counters.

use crate::hardware::Hardware;
use crate::kernel::Kernel;
use iommu::{
    DeviceStatistics, FRAME, FaultReason, FaultRecord, IommuStatistics, IotlbConfig, NO_PASID, Pa, PageTable, Peer, Ram, Row, Run, Source,
};
use uapi::{Errno, Result};

/// How a transfer ended: all has moved, or it came to the memory of another device, or was refused.
pub type Moved = core::result::Result<Option<Peer>, FaultReason>;

impl Kernel {
    /// RAM.
    pub fn ram(&self) -> &Ram {
        &self.hardware.ram
    }

    /// RAM, for what a device does to its own buffers.
    pub fn ram_mut(&mut self) -> &mut Ram {
        &mut self.hardware.ram
    }

    /// Gives the IOMMU other translation caches, at boot. See [`iommu::Iommu::set_iotlb`].
    pub fn set_iotlb(&mut self, config: IotlbConfig) -> Result<()> {
        self.hardware.iommu.set_iotlb(config)
    }

    /// Has unmapped ranges wait for the caches to be told. See [`iommu::Iommu::set_batch`].
    pub fn set_batch(&mut self, batch: u32) -> Result<()> {
        self.hardware.iommu.set_batch(&mut self.hardware.ram, batch)
    }

    /// Tells the caches of what waits.
    pub fn flush_iotlb(&mut self) {
        self.hardware.iommu.flush(&mut self.hardware.ram);
    }

    /// Unmapped ranges that wait.
    pub fn waiting(&self) -> usize {
        self.hardware.iommu.waiting()
    }

    /// RAM for a device's own buffers, zeroed. ENOMEM; EINVAL for no bytes.
    pub fn staging_alloc(&mut self, length: u64) -> Result<Pa> {
        if length == 0 {
            return Err(Errno::EINVAL);
        }
        let at = self.hardware.ram.alloc(length).ok_or(Errno::ENOMEM)?;
        self.staging += length.next_multiple_of(FRAME);
        Ok(at)
    }

    /// Gives back what [`Kernel::staging_alloc`] gave, with the same length.
    pub fn staging_free(&mut self, at: Pa, length: u64) {
        if self.hardware.ram.contains(at, length) {
            self.hardware.ram.put_run(at, length);
            self.staging = self.staging.saturating_sub(length.next_multiple_of(FRAME));
        }
    }

    /// A device reads memory at `iova` into its buffer at `to`. See [`iommu::Iommu::dma_read`].
    #[inline]
    pub fn dma_read(&mut self, device: u32, pasid: Option<u32>, iova: u64, to: Pa, length: u64) -> Moved {
        let source = self.source(device, pasid, iova, length, false)?;
        if self.is_bare(device) {
            return self.move_physical(&source, iova, Run { pa: to, length }, false);
        }
        let moved = self.hardware.iommu.dma_read(&mut self.hardware.ram, &source, iova, to, length);
        self.with_event(device, moved)
    }

    /// A device writes its buffer at `from` to memory at `iova`. See [`iommu::Iommu::dma_write`].
    #[inline]
    pub fn dma_write(&mut self, device: u32, pasid: Option<u32>, iova: u64, from: Pa, length: u64) -> Moved {
        let source = self.source(device, pasid, iova, length, true)?;
        if pasid.is_none() {
            self.log_write(device, iova, length);
        }
        if self.is_bare(device) {
            return self.move_physical(&source, iova, Run { pa: from, length }, true);
        }
        let moved = self.hardware.iommu.dma_write(&mut self.hardware.ram, &source, iova, from, length);
        self.with_event(device, moved)
    }

    /// Whether a device may read or write at `iova`. See [`iommu::Iommu::probe`].
    pub fn probe(&mut self, device: u32, pasid: Option<u32>, iova: u64, write: bool) -> core::result::Result<(), FaultReason> {
        let entry = self.devices.get(device as usize).ok_or(FaultReason::BadBuffer)?;
        let Hardware { ram, iommu, .. } = &mut self.hardware;
        if pasid.is_some() && entry.max_pasids(iommu.config()) == 0 {
            return Err(FaultReason::Blocked);
        }
        iommu.probe(ram, &Source { device, requester: entry.config.requester, pasid }, iova, write)
    }

    /// Notes a transfer that a device gave up, since the page that it asked for is not there. See [`iommu::Iommu::refuse`].
    pub fn give_up(&mut self, device: u32, pasid: Option<u32>, iova: u64, length: u64, write: bool) {
        if let Ok(source) = self.source(device, pasid, iova, length, write) {
            self.hardware.iommu.refuse(&source, iova, length, write, FaultReason::NotPresent);
        }
    }

    /// A device that is not there is a mistake of the host. One without PASIDs is blocked where it uses one.
    #[inline]
    fn source(
        &mut self,
        device: u32,
        pasid: Option<u32>,
        iova: u64,
        length: u64,
        write: bool,
    ) -> core::result::Result<Source, FaultReason> {
        let entry = self.devices.get(device as usize).ok_or(FaultReason::BadBuffer)?;
        let source = Source { device, requester: entry.config.requester, pasid };
        let iommu = &mut self.hardware.iommu;
        if pasid.is_some() && entry.max_pasids(iommu.config()) == 0 {
            return Err(iommu.refuse(&source, iova, length, write, FaultReason::Blocked));
        }
        Ok(source)
    }

    /// Fault records that are kept.
    pub fn faults_len(&self) -> usize {
        self.hardware.iommu.faults().len()
    }

    /// Fault records that made room for others.
    pub fn faults_lost(&self) -> u64 {
        self.hardware.iommu.faults().lost()
    }

    /// A fault record; 0 is the oldest that is kept.
    pub fn fault(&self, index: usize) -> Option<FaultRecord> {
        self.hardware.iommu.faults().get(index).copied()
    }

    /// The page table of a device's transfers with a PASID, or of those without; of the kernel's own, below which a program's may lie.
    pub fn page_table(&self, device: u32, pasid: Option<u32>) -> Option<&PageTable> {
        let requester = self.devices.get(device as usize)?.config.requester;
        self.hardware.iommu.table_of(requester, pasid.unwrap_or(NO_PASID))
    }

    /// An entry of that page table, as [`PageTable::next_row`] finds it.
    pub fn page_table_row(&self, device: u32, pasid: Option<u32>, from: (u64, u32)) -> Option<Row> {
        self.page_table(device, pasid)?.next_row(&self.hardware.ram, from)
    }

    /// What a device did since boot.
    pub fn device_statistics(&self, device: u32) -> DeviceStatistics {
        self.hardware.iommu.device_statistics(device)
    }

    /// What the IOMMU did since boot, and what its page tables hold.
    pub fn iommu_statistics(&self) -> IommuStatistics {
        self.hardware.iommu.statistics()
    }
}
