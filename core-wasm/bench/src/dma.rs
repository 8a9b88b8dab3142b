//! A device's transfers: the IOTLB, the walk below it, and the copy.

use crate::PAGE;
use iommu::{DomainId, Iommu, IommuConfig, Kind, NO_PASID, Pa, Prot, Ram, Run, Source};

const DEVICE: Source = Source { device: 0, requester: 0x18, pasid: None };
const RW: Prot = Prot::from_bits(3);
/// A cache line of the processor.
const LINE: u64 = 64;
/// The longest transfer.
const LENGTH: u64 = 1 << 20;

/// A machine with one device.
pub struct Transfers {
    ram: Ram,
    iommu: Iommu,
    domain: DomainId,
    buffer: Pa,
}

impl Transfers {
    /// With `pages` pages mapped from I/O page 0 on, no two of them neighbours in memory.
    pub fn scattered(pages: u32) -> Transfers {
        let mut made = Transfers::new(u64::from(pages) * 2 * PAGE);
        let memory = made.ram.alloc(u64::from(pages) * 2 * PAGE).expect("RAM");
        let runs = (0..u64::from(pages)).map(|page| Run { pa: Pa(memory.0 + 2 * page * PAGE), length: PAGE });
        made.iommu.map(&mut made.ram, made.domain, 0, runs, RW).expect("free");
        made
    }

    fn new(bytes: u64) -> Transfers {
        let mut ram = Ram::with_bytes((bytes + bytes / 256 + (8 << 20)) as usize).expect("memory");
        let mut iommu = Iommu::new(IommuConfig::new(Kind::VtdSs, 4), &mut ram).expect("4 levels exist");
        iommu.add_device(&mut ram, 0, DEVICE.requester, 0).expect("memory");
        let domain = iommu.create_domain(&mut ram).expect("RAM");
        iommu.attach(&mut ram, DEVICE.requester, NO_PASID, Some(domain)).expect("it exists");
        let buffer = ram.alloc(LENGTH).expect("RAM");
        Transfers { ram, iommu, domain, buffer }
    }

    /// The device reads `length` bytes, at most 1 MiB, from the start of `page` on; of less than a cache line, from another line in each page, since lines
    /// at the same place in all pages would drive each other out of the processor's own caches.
    #[inline]
    pub fn read(&mut self, page: u32, length: u32) {
        let (page, length) = (u64::from(page), u64::from(length));
        let offset = if length <= LINE { page * LINE % PAGE } else { 0 };
        self.iommu.dma_read(&mut self.ram, &DEVICE, page * PAGE + offset, self.buffer, length).expect("mapped");
    }

    /// A plain copy of as much as the device would read.
    pub fn copy(&mut self, length: u32) {
        let to = Pa(self.buffer.0 + LENGTH / 2);
        self.ram.copy(self.buffer, to, length as usize);
    }
}
