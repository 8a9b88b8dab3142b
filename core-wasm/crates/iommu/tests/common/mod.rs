//! A machine that is an IOMMU alone, for tests of its two halves.
#![allow(dead_code, reason = "each test file uses its part")]

use iommu::{DomainId, FRAME, FaultReason, Iommu, IommuConfig, Kind, Pa, Ram, Source};
use pgtable::TableMemory;
use uapi::Errno;

/// As many as there can be.
pub const PASID_BITS: u8 = 20;

/// VT-d whose own page tables are of the first stage.
pub const FIRST_STAGE: IommuConfig = IommuConfig { scalable: true, tracks_dirty: true, ..IommuConfig::new(Kind::VtdFs, 5) };
/// AMD-Vi with v2 page tables.
pub const AMD_V2: IommuConfig = IommuConfig { tracks_dirty: true, ..IommuConfig::new(Kind::AmdV2, 5) };

/// Memory, and an IOMMU in it.
pub struct Machine {
    pub ram: Ram,
    pub iommu: Iommu,
}

impl Machine {
    /// With devices of these requester ids, which have PASIDs of [`PASID_BITS`].
    pub fn new(config: IommuConfig, requesters: &[u16]) -> Machine {
        let mut ram = Ram::with_bytes(16 << 20).expect("the test machine has memory");
        let mut iommu = Iommu::new(config, &mut ram).expect("there is RAM");
        for (device, &requester) in (0..).zip(requesters) {
            iommu.add_device(&mut ram, device, requester.into(), PASID_BITS).expect("there is RAM");
        }
        Machine { ram, iommu }
    }

    pub fn domain(&mut self) -> DomainId {
        self.iommu.create_domain(&mut self.ram).expect("there is RAM")
    }

    pub fn attach(&mut self, requester: u16, pasid: u32, domain: Option<DomainId>) -> Result<(), Errno> {
        self.iommu.attach(&mut self.ram, requester.into(), pasid, domain)
    }

    /// The words from `pa` on.
    pub fn words<const COUNT: usize>(&self, pa: u64) -> [u64; COUNT] {
        self.ram.entries(Pa(pa), COUNT).try_into().expect("as many")
    }

    /// What the driver has written to a register last.
    pub fn register(&self, offset: u32) -> u64 {
        let registers = (0..).map_while(|index| self.iommu.register(index));
        registers.filter(|register| register.offset == offset).last().expect("it is written").value
    }

    /// Reads or writes a byte as a device, which is device 0, and returns the last record of the log.
    pub fn fault(&mut self, requester: u16, pasid: Option<u32>, iova: u64, write: bool) -> (FaultReason, u16, Option<[u64; 4]>) {
        let source = Source { device: 0, requester: requester.into(), pasid };
        let buffer = self.ram.alloc(FRAME).expect("there is RAM");
        let moved = if write {
            self.iommu.dma_write(&mut self.ram, &source, iova, buffer, 1)
        } else {
            self.iommu.dma_read(&mut self.ram, &source, iova, buffer, 1)
        };
        self.ram.put_run(buffer, FRAME);
        let reason = moved.expect_err("it is refused");
        let record = self.iommu.faults().iter().last().expect("it is logged");
        assert_eq!((record.reason, record.iova, record.write), (reason, iova, write));
        (reason, record.code, record.raw)
    }
}
