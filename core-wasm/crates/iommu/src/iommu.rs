//! The IOMMU: which requester uses which domain, and what the domains map.

use crate::deferred::Deferred;
use crate::domain::{Domain, DomainId, Domains};
use crate::fault::{FaultLog, FaultReason};
use crate::hardware::{ContextCache, Hardware};
use crate::iotlb::{Hit, Iotlb, IotlbConfig, Space};
use crate::nested::NestedDomains;
use crate::ram::{FRAME_LG2, Ram};
use crate::requesters::Requesters;
use crate::statistics::{DeviceStatistics, IommuStatistics};
use crate::{GUESTS, OutOfMemory};
use alloc::vec::Vec;
use iova::Range;
use pgtable::{Config, Kind, LeafOptions, MapError, PageTable, Prot, Run, Translation};
use uapi::{Errno, Result};

/// What a mock IOMMU translates: Linux's tests take it for the aperture, whatever the tables could do.
const MOCK_APERTURE: Range = Range { start: 1 << 24, last: (1 << 31) - 1 };
/// Page sizes that a mock domain for huge pages has.
const MOCK_HUGE_PAGES: u64 = 1 << 20 | 1 << FRAME_LG2;

/// Levels of tables that no hardware walks.
const SOFTWARE_LEVELS: u8 = 6;

/// The PASID of transfers without one: hardware keeps their page table at entry 0 of the table of PASIDs.
pub const NO_PASID: u32 = 0;

/// What kind of IOMMU a machine has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IommuConfig {
    /// Format of the page tables.
    pub kind: Kind,
    /// Levels of the page tables, of [`Kind::levels`]; decides how far IOVAs reach.
    pub levels: u8,
    /// Page sizes that may be used, bit n for 2^n bytes; those that the format lacks are ignored, the smallest is always used.
    pub page_sizes: u64,
    /// Whether accesses snoop caches whatever the device asks for.
    pub coherent: bool,
    /// Whether devices may use PASIDs and page tables of the program's own on top of the IOMMU's: what VT-d calls scalable mode. A mock IOMMU has
    /// both whatever this says.
    pub scalable: bool,
    /// Whether an Arm SMMU whose page tables are of stage 1 has stage 2 too, which guests' tables can be on top of.
    pub both_stages: bool,
    /// Whether it marks pages that devices write to: what VT-d calls SSADS, and AMD HDSup. A mock IOMMU does whatever this says.
    pub tracks_dirty: bool,
    /// Whether the page tables are somebody else's: domains are checked and counted here, but map nothing, since memory is that of a process
    /// which this crate does not know. Their tables stay empty, so that no transfer would find anything.
    pub remote: bool,
    /// What its translation caches are like.
    pub iotlb: IotlbConfig,
}

impl IommuConfig {
    /// All page sizes, coherent, with the caches of [`IotlbConfig::DEFAULT`].
    pub const fn new(kind: Kind, levels: u8) -> IommuConfig {
        let (page_sizes, iotlb) = (u64::MAX, IotlbConfig::DEFAULT);
        let (coherent, scalable, both_stages, tracks_dirty, remote) = (true, false, false, false, false);
        IommuConfig { kind, levels, page_sizes, coherent, scalable, both_stages, tracks_dirty, remote, iotlb }
    }

    /// Whether it is an SMMUv3 with both stages.
    pub const fn nests(&self) -> bool {
        GUESTS && self.both_stages
    }

    /// The format of page tables that a program's own can be on top of.
    pub const fn parent_kind(&self) -> Kind {
        match self.kind {
            Kind::ArmS1Granule4K if self.nests() => Kind::ArmS2Granule4K,
            Kind::ArmS1Granule16K if self.nests() => Kind::ArmS2Granule16K,
            Kind::ArmS1Granule64K if self.nests() => Kind::ArmS2Granule64K,
            kind => kind.second_stage(),
        }
    }
}

/// What is known of a device by its index.
#[derive(Clone, Copy, Default)]
pub(crate) struct Device {
    pub(crate) label: Option<u64>,
    pub(crate) statistics: DeviceStatistics,
}

/// The IOMMU of a machine. One for all its devices.
///
/// A requester that is attached to nothing is blocked: none of its transfers reaches memory. So is each of its PASIDs.
pub struct Iommu {
    config: IommuConfig,
    pub(crate) domains: Domains,
    pub(crate) iotlb: Iotlb,
    pub(crate) nested: NestedDomains,
    pub(crate) deferred: Deferred,
    /// What the driver has attached.
    pub(crate) requesters: Requesters,
    /// What the hardware remembers of it.
    pub(crate) contexts: ContextCache,
    pub(crate) hardware: Hardware,
    pub(crate) devices: Vec<Device>,
    pub(crate) faults: FaultLog,
    maps: u64,
    unmaps: u64,
    pub(crate) invalidations: u64,
    /// The last IOVA of remote domains that are created from now on.
    remote_last: u64,
}

impl Iommu {
    /// An IOMMU without domains. EINVAL if the format has no such number of levels, or not both stages, or is the first stage of a VT-d that is not scalable,
    /// or no IOTLB is like that; ENOMEM if RAM or the heap is too small.
    pub fn new(config: IommuConfig, ram: &mut Ram) -> Result<Iommu> {
        let IommuConfig { kind, levels, scalable, .. } = config;
        // Which needs PASID tables.
        let impossible = kind == Kind::VtdFs && !scalable || config.both_stages && config.parent_kind() == kind;
        if impossible || !kind.levels().contains(&levels) || !config.parent_kind().levels().contains(&levels) {
            return Err(Errno::EINVAL);
        }
        Ok(Iommu {
            config,
            domains: Domains::default(),
            iotlb: Iotlb::new(&config.iotlb)?,
            nested: NestedDomains::default(),
            deferred: Deferred::default(),
            requesters: Requesters::default(),
            contexts: ContextCache::new(),
            hardware: Hardware::new(&config, ram)?,
            devices: Vec::new(),
            faults: FaultLog::new()?,
            maps: 0,
            unmaps: 0,
            invalidations: 0,
            remote_last: u64::MAX,
        })
    }

    /// Gives it other translation caches. At boot: EBUSY once there are domains; else as [`Iommu::new`].
    pub fn set_iotlb(&mut self, config: IotlbConfig) -> Result<()> {
        if self.domains.iter().next().is_some() {
            return Err(Errno::EBUSY);
        }
        let mut iotlb = Iotlb::new(&config)?;
        iotlb.add_devices(self.devices.len())?;
        (self.iotlb, self.config.iotlb) = (iotlb, config);
        Ok(())
    }

    /// What it was made with.
    pub fn config(&self) -> &IommuConfig {
        &self.config
    }

    /// Makes room for devices up to index `device`, so that they have statistics and labels, and for the id that its transfers carry,
    /// with PASIDs of so many bits. At boot. ENOMEM. An id of more than 16 bits is that of a device which is behind no IOMMU.
    pub fn add_device(&mut self, ram: &mut Ram, device: u32, requester: u32, pasid_bits: u8) -> Result<()> {
        self.reach(ram, requester, pasid_bits)?;
        let count = (device as usize).checked_add(1).ok_or(Errno::ENOMEM)?;
        if count > self.devices.len() {
            self.devices.try_reserve(count - self.devices.len()).map_err(OutOfMemory::from)?;
            self.devices.resize(count, Device::default());
            self.iotlb.add_devices(count)?;
        }
        Ok(())
    }

    /// Gives a device a label, which its fault records carry from now on, or takes it away. Nothing happens for a device that was not added.
    pub fn set_label(&mut self, device: u32, label: Option<u64>) {
        if let Some(device) = self.devices.get_mut(device as usize) {
            device.label = label;
        }
    }

    /// The label of a device, if it has one.
    pub fn label(&self, device: u32) -> Option<u64> {
        self.devices.get(device as usize)?.label
    }

    /// Creates a domain that maps nothing. ENOMEM: no RAM for its top table, or the heap is full.
    pub fn create_domain(&mut self, ram: &mut Ram) -> Result<DomainId> {
        self.create(ram, self.config.kind, self.config.levels)
    }

    /// As [`Self::create_domain`], of the stage that can be below a program's tables.
    pub fn create_parent_domain(&mut self, ram: &mut Ram) -> Result<DomainId> {
        self.create(ram, self.config.parent_kind(), self.config.levels)
    }

    /// As [`Self::create_domain`], of the second stage where the IOMMU has both and that alone can keep marks.
    pub fn create_second_stage_domain(&mut self, ram: &mut Ram) -> Result<DomainId> {
        self.create(ram, self.config.kind.second_stage(), self.config.levels)
    }

    /// Creates a domain of software alone, for devices without an IOMMU: it says where memory is, and no requester is attached to it. As Linux has it
    /// a table of AMD's format of all 64 bits. ENOMEM.
    pub fn create_software_domain(&mut self, ram: &mut Ram) -> Result<DomainId> {
        self.create(ram, Kind::AmdV1, SOFTWARE_LEVELS)
    }

    fn create(&mut self, ram: &mut Ram, kind: Kind, levels: u8) -> Result<DomainId> {
        let owner = self.domains.reserve()?;
        // Odd numbers are those of nested domains.
        let space = Space::new(owner * 2);
        let IommuConfig { page_sizes, coherent, tracks_dirty, remote, .. } = self.config;
        // Marks of a first stage beside a second one are nobody's matter.
        let tracks_dirty = tracks_dirty && kind == self.config.kind.second_stage();
        let options = LeafOptions { coherent, tracks_dirty };
        let table = PageTable::new(ram, kind, Config { levels, page_sizes, options }).map_err(errno)?;
        let aperture = match kind {
            Kind::AmdMock => MOCK_APERTURE,
            _ => Range { start: 0, last: if remote { self.remote_last } else { table.aperture_last() } },
        };
        let page_sizes = table.page_sizes();
        // Where a clean page can be written to only because that is marked, it always is.
        let marks = tracks_dirty && table.format().dirty.guard != 0;
        Ok(self.domains.insert(Domain { table, space, aperture, page_sizes, writable_only: false, marks }))
    }

    /// Makes a domain, which maps nothing yet, one for nested domains on top of it. VT-d maps nothing there for reading alone
    /// (ERRATA_772415_SPR17).
    pub fn make_parent(&mut self, id: DomainId) {
        if let Some(domain) = self.domains.get_mut(id) {
            domain.writable_only = self.config.kind.second_stage() == Kind::VtdSs;
        }
    }

    /// Makes a domain of a mock IOMMU, which maps nothing yet, one for huge pages: it says that it has pages of 4 KiB and of 1 MiB only, and
    /// translates all that its tables can.
    pub fn make_huge(&mut self, id: DomainId) {
        if let Some(domain) = self.domains.get_mut(id) {
            domain.aperture = Range { start: 0, last: domain.table.aperture_last() };
            domain.page_sizes = MOCK_HUGE_PAGES;
        }
    }

    /// Says how far the page tables of the IOMMU that is somewhere else reach, for domains that are created from now on. Nothing happens unless it
    /// is remote.
    pub fn set_remote_aperture(&mut self, last: u64) {
        self.remote_last = last;
    }

    /// Destroys a domain with all it maps. Requesters still attached to it are blocked from now on. No nested domain is on top of it. Never fails; an
    /// id of no domain is ignored.
    pub fn destroy_domain(&mut self, ram: &mut Ram, id: DomainId) {
        self.block_requesters_of(ram, id);
        if let Some(mut domain) = self.domains.remove(id) {
            self.deferred.end(id);
            self.iotlb.forget_all(&mut domain.space);
            domain.table.destroy(ram);
            self.invalidations += 1;
        }
    }

    /// Maps `runs`, one after the other, from `iova` on, with the largest pages that fit. All or nothing.
    ///
    /// The numbers are those of Linux's generic page tables: EADDRINUSE if part of it is mapped, ERANGE beyond the aperture, ENXIO
    /// if anything is no multiple of the smallest page, EINVAL if `prot` is empty or the domain does not take it, ENOMEM; and ENOENT if there is no such domain.
    pub fn map(&mut self, ram: &mut Ram, id: DomainId, iova: u64, runs: impl Iterator<Item = Run>, prot: Prot) -> Result<()> {
        let domain = self.domains.get_mut(id).ok_or(Errno::ENOENT)?;
        if domain.writable_only && !prot.contains(Prot::WRITE) {
            return Err(Errno::EINVAL);
        }
        // Absence is not cached, so there is nothing to invalidate but what waits.
        let mut length = 0;
        domain.table.map(ram, iova, runs.inspect(|run| length += run.length), prot).map_err(errno)?;
        if length != 0 && self.deferred.meets(id, iova, iova + (length - 1)) {
            self.flush(ram);
        }
        self.maps += 1;
        Ok(())
    }

    /// Unmaps what is mapped in `length` bytes from `iova` on, and returns how many bytes that were: fewer where there were holes, more where
    /// a large page reached beyond the range and went as a whole. No device can use the old translation once this returns, unless invalidation is lazy.
    /// Never fails.
    pub fn unmap(&mut self, ram: &mut Ram, id: DomainId, iova: u64, length: u64) -> u64 {
        let Some(domain) = self.domains.get_mut(id) else { return 0 };
        let done = domain.table.unmap(ram, iova, length);
        self.unmaps += 1;
        if done.length != 0 {
            if self.deferred.is_lazy() {
                self.defer(ram, id, done.first, done.last, done.tables != 0);
            } else {
                self.invalidate(ram, id, &done);
            }
            if self.nested.len() != 0 {
                self.nested.forget_children(id, &mut self.iotlb);
            }
        }
        done.length
    }

    /// Where a transfer of a requester without a PASID would go, and what would be allowed there. Nothing is cached, counted or logged. A nested domain
    /// answers that it blocks: to walk it leaves marks.
    pub fn translate(&self, ram: &Ram, requester: u32, iova: u64) -> core::result::Result<Translation, FaultReason> {
        let id = self.find_domain(ram, requester)?;
        let domain = self.domains.get(id).ok_or(FaultReason::Blocked)?;
        domain.translate(ram, iova)
    }

    /// What `iova` translates to in a domain, whoever is attached to it.
    pub fn translate_in(&self, ram: &Ram, id: DomainId, iova: u64) -> Option<Translation> {
        self.domains.get(id)?.table.translate(ram, iova)
    }

    /// What a page of a domain allows that is mapped with `prot`; nothing if there is no such domain. See [`PageTable::allows`].
    pub fn allows(&self, id: DomainId, prot: Prot) -> Prot {
        self.domains.get(id).map_or(Prot::NONE, |domain| domain.table.allows(prot))
    }

    /// Translations in the IOTLB that tables do not bear out and that are not known as stale, of a range that waits; but for those of nested domains, whose
    /// tables are the program's own. None, always.
    pub fn stale_translations(&self, ram: &Ram) -> usize {
        let is_stale = |(owner, iova, hit): &(u32, u64, Hit)| {
            if hit.stale != Prot::NONE {
                let last = iova + ((1 << hit.lg2_size) - 1);
                return hit.prot != Prot::NONE || !self.deferred.meets(DomainId(owner / 2), *iova, last);
            }
            let found = self.translate_in(ram, DomainId(owner / 2), *iova);
            owner % 2 == 0 && !found.is_some_and(|found| found.pa == hit.pa && found.prot.contains(hit.prot))
        };
        self.iotlb.pages().filter(is_stale).count()
    }

    /// The IOVAs that a domain translates. 0 alone if there is no such domain.
    pub fn aperture(&self, id: DomainId) -> Range {
        self.domains.get(id).map_or(Range { start: 0, last: 0 }, |domain| domain.aperture)
    }

    /// Page sizes that a domain uses, bit n for 2^n bytes. 0 if there is no such domain.
    pub fn page_sizes(&self, id: DomainId) -> u64 {
        self.domains.get(id).map_or(0, |domain| domain.page_sizes)
    }

    /// The log of refused transfers.
    pub fn faults(&self) -> &FaultLog {
        &self.faults
    }

    /// The log of refused transfers, to be cleared.
    pub fn faults_mut(&mut self) -> &mut FaultLog {
        &mut self.faults
    }

    /// What a device did; zeros if it was not added.
    pub fn device_statistics(&self, device: u32) -> DeviceStatistics {
        let counted = self.devices.get(device as usize).map(|device| device.statistics).unwrap_or_default();
        DeviceStatistics { dropped: self.iotlb.dropped(device), ..counted }
    }

    /// What the IOMMU did, and what it holds.
    pub fn statistics(&self) -> IommuStatistics {
        let mut statistics = IommuStatistics {
            maps: self.maps,
            unmaps: self.unmaps,
            invalidations: self.invalidations,
            domains: 0,
            tables: 0,
            hardware_frames: self.hardware.unit().map_or(0, |unit| unit.frames()),
            pages: [0; 64],
        };
        for domain in self.domains.iter() {
            statistics.domains += 1;
            statistics.tables += u64::from(domain.table.tables());
            for (sum, count) in statistics.pages.iter_mut().zip(domain.table.leaves()) {
                *sum += count;
            }
        }
        statistics
    }
}

/// Linux's number for what its generic page tables refuse.
fn errno(error: MapError) -> Errno {
    match error {
        MapError::OutOfMemory => Errno::ENOMEM,
        MapError::Exists => Errno::EADDRINUSE,
        MapError::OutOfRange => Errno::ERANGE,
        MapError::Misaligned => Errno::ENXIO,
        MapError::NoAccess => Errno::EINVAL,
    }
}
