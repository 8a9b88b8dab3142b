//! What each kind of IOMMU can do, as Linux's driver for it says: one row a kind. What else the mock IOMMU has is in
//! `selftest`.

use iommu::{IommuConfig, Kind};
use uapi::iommufd as api;
use uapi::selftest::VIOMMU_TYPE_SELFTEST;

/// Where a driver has something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Nowhere.
    Never,
    /// With PASIDs: [`IommuConfig::scalable`].
    Scalable,
    /// Everywhere.
    Always,
}

impl When {
    fn holds(self, config: &IommuConfig) -> bool {
        self == When::Always || self == When::Scalable && config.scalable
    }
}

/// The layout of a GET_HW_INFO answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum HwInfo {
    /// It tells nothing.
    None,
    Vtd,
    Amd,
    Smmuv3,
    Mock,
}

/// The tables of a program's own that can be on top of page tables.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NestedTables {
    /// None, or of virtual IOMMUs that are not here.
    None,
    /// An SMMUv3's, of virtual IOMMUs alone.
    Smmuv3,
    /// VT-d's first stage.
    Vtd,
    /// The mock IOMMU's.
    Mock,
}

/// Which page requests of devices a driver hands on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageRequests {
    /// Each.
    All,
    /// None that is privileged, or would execute what it reads (intel/prq.c, `prq_event_thread`): it answers these as invalid.
    Unprivileged,
    /// Those with a PASID (amd/ppr.c): the others fail.
    WithPasid,
}

/// A row.
pub(crate) struct Capabilities {
    /// What GET_HW_INFO answers.
    pub(crate) hw_info: HwInfo,
    /// Page tables with HWPT_ALLOC_PASID. Where there are such, each can be one.
    pub(crate) pasid_tables: When,
    /// Such a page table may track writes as well.
    pub(crate) pasids_track: bool,
    /// PASIDs can be attached to it; else it is EOPNOTSUPP.
    pub(crate) attaches_pasids: bool,
    /// Most PASIDs of a device.
    pub(crate) max_pasids: u32,
    /// A device's PASIDs are enabled only while it is attached to a page table of the first stage.
    pub(crate) pasids_by_attachment: bool,
    /// Page tables with HWPT_FAULT_ID_VALID.
    pub(crate) fault_queues: When,
    /// Page tables with HWPT_ALLOC_NEST_PARENT.
    pub(crate) nest_parents: When,
    /// Page tables with that flag have no other.
    pub(crate) parents_alone: bool,
    /// Nested page tables.
    pub(crate) nested: NestedTables,
    /// Data of HWPT_ALLOC for what is not nested.
    pub(crate) paging_data: bool,
    /// Type of virtual IOMMUs; the default, of which there are none: it has none.
    pub(crate) viommu: u32,
    /// It lets devices ask for pages.
    pub(crate) asks_for_pages: When,
    /// Which requests it then hands on.
    pub(crate) page_requests: PageRequests,
    /// A device with page requests has address translation services.
    pub(crate) has_ats: bool,
    /// A device that does not ask for pages is attached to no page table with a fault queue (ENODEV).
    pub(crate) wants_requests: bool,
    /// Under its page tables no device can pass caches by.
    pub(crate) enforces_coherency: bool,
}

/// What a driver has that has nothing.
const PLAIN: Capabilities = Capabilities {
    hw_info: HwInfo::None,
    pasid_tables: When::Never,
    pasids_track: true,
    attaches_pasids: true,
    max_pasids: 1 << 20,
    pasids_by_attachment: false,
    fault_queues: When::Always,
    nest_parents: When::Never,
    parents_alone: false,
    nested: NestedTables::None,
    paging_data: false,
    viommu: api::VIOMMU_TYPE_DEFAULT,
    asks_for_pages: When::Never,
    page_requests: PageRequests::All,
    has_ats: true,
    wants_requests: false,
    enforces_coherency: false,
};

const VTD: Capabilities = Capabilities {
    hw_info: HwInfo::Vtd,
    // Whether or not a device has PASIDs.
    pasid_tables: When::Always,
    nest_parents: When::Scalable,
    nested: NestedTables::Vtd,
    asks_for_pages: When::Scalable,
    page_requests: PageRequests::Unprivileged,
    wants_requests: true,
    enforces_coherency: true,
    ..PLAIN
};

// Page tables of the first format have no PASIDs.
const AMD_V1: Capabilities =
    Capabilities { hw_info: HwInfo::Amd, asks_for_pages: When::Always, page_requests: PageRequests::WithPasid, ..PLAIN };

// Linux's driver has page tables for PASIDs, but attaches them for shared virtual addressing alone (`amdv2_ops` has no `set_dev_pasid`). It counts one
// PASID less than its register says.
const AMD_V2: Capabilities = Capabilities {
    pasid_tables: When::Always,
    pasids_track: false,
    attaches_pasids: false,
    max_pasids: (1 << 20) - 1,
    pasids_by_attachment: true,
    ..AMD_V1
};

const ARM_S1: Capabilities = Capabilities { hw_info: HwInfo::Smmuv3, pasid_tables: When::Always, ..PLAIN };

// Whatever devices do is coherent, as firmware says (CANWBS): else Linux's driver has no guests, which would have to keep caches coherent.
const ARM_BOTH: Capabilities = Capabilities {
    nest_parents: When::Always,
    parents_alone: true,
    nested: NestedTables::Smmuv3,
    viommu: api::VIOMMU_TYPE_ARM_SMMUV3,
    enforces_coherency: true,
    ..ARM_S1
};

const ARM_S2: Capabilities = Capabilities { pasid_tables: When::Never, ..ARM_S1 };

// Its page tables have no option, but for the PASIDs that Linux's driver has not.
const RISCV: Capabilities = Capabilities { pasid_tables: When::Scalable, fault_queues: When::Never, has_ats: false, ..PLAIN };

const MOCK: Capabilities = Capabilities {
    hw_info: HwInfo::Mock,
    pasid_tables: When::Always,
    nest_parents: When::Always,
    nested: NestedTables::Mock,
    paging_data: true,
    viommu: VIOMMU_TYPE_SELFTEST,
    asks_for_pages: When::Always,
    ..PLAIN
};

impl Capabilities {
    /// The row of what a machine has.
    pub(crate) const fn of(config: &IommuConfig) -> &'static Capabilities {
        match config.kind {
            _ if config.nests() => &ARM_BOTH,
            Kind::VtdSs | Kind::VtdFs => &VTD,
            Kind::AmdV1 => &AMD_V1,
            Kind::AmdV2 => &AMD_V2,
            Kind::AmdMock => &MOCK,
            Kind::ArmS1Granule4K | Kind::ArmS1Granule16K | Kind::ArmS1Granule64K => &ARM_S1,
            Kind::ArmS2Granule4K | Kind::ArmS2Granule16K | Kind::ArmS2Granule64K => &ARM_S2,
            Kind::RiscV | Kind::RiscVx4 => &RISCV,
        }
    }
}

/// The flags of HWPT_ALLOC that make a page table of an IOAS, but for dirty tracking, which is the matter of a device. The interface to a remote IOMMU has
/// page tables without any option.
pub(crate) fn paging_flags(config: &IommuConfig) -> u32 {
    let row = Capabilities::of(config);
    let flags = [
        (api::HWPT_ALLOC_PASID, row.pasid_tables),
        (api::HWPT_FAULT_ID_VALID, row.fault_queues),
        (api::HWPT_ALLOC_NEST_PARENT, row.nest_parents),
    ];
    flags.iter().filter(|(_, when)| when.holds(config) && !config.remote).map(|(flag, _)| flag).sum()
}

/// Whether devices are let ask for pages.
pub(crate) fn asks_for_pages(config: &IommuConfig) -> bool {
    Capabilities::of(config).asks_for_pages.holds(config)
}
