//! What a machine is made of, as its host describes it at boot.

use iommu::IommuConfig;

/// Settings of the kernel and its IOMMU.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The IOMMU that all devices are behind.
    pub iommu: IommuConfig,
    /// Where this project's rules differ from Linux's.
    pub rules: Rules,
    /// What the process may have.
    pub limits: Limits,
}

/// Rules that are settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// A device that is open cannot be opened again (EBUSY). Linux lets it be opened, and refuses the second bind.
    pub single_open: bool,
    /// What devices of one group must agree on.
    pub group_ioas: GroupIoas,
}

/// Which devices of a group must use the same page table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupIoas {
    /// All devices of the group, as in Linux.
    Linux,
    /// Those that share a requester id, which is all that the IOMMU can tell apart.
    Requester,
}

/// Limits of the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes that may be pinned (RLIMIT_MEMLOCK); `None`: no limit, and nothing is accounted (CAP_IPC_LOCK).
    pub memlock: Option<u64>,
    /// File descriptors that may be open, the three standard ones included (RLIMIT_NOFILE).
    pub open_files: u32,
    /// Whether the process may choose whom pinned memory is charged to (CAP_SYS_RESOURCE).
    pub sys_resource: bool,
    /// Whether the process may have hardware do as it likes, without an IOMMU between (CAP_SYS_RAWIO).
    pub sys_rawio: bool,
}

/// A device, as it is added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeviceConfig {
    /// The group it is in.
    pub group: u32,
    /// The id that its transfers carry. Devices with the same id are in the same group.
    pub requester: u32,
    /// Whether it may be given to programs. One that may not keeps its whole group from them.
    pub viable: bool,
    /// Whether it can be reset.
    pub reset: bool,
    /// Whether its transfers are coherent with caches. Without that it cannot be bound.
    pub coherent: bool,
    /// Whether it asks for pages that are missing (PCI's page request interface).
    pub page_requests: bool,
    /// Its PASIDs.
    pub pasids: PasidConfig,
    /// It keeps a log of what it writes (VFIO's DMA_LOGGING).
    pub logs_dma: bool,
    /// It has no IOMMU: its model reaches memory through an access object. Alone in its group.
    pub emulated: bool,
    /// It has no IOMMU, and reaches all memory by its address there. Alone in its group, which stands for none.
    pub no_iommu: bool,
}

impl DeviceConfig {
    /// A device that programs may have, coherent, that can be reset; without PASIDs and page requests.
    pub const fn new(group: u32, requester: u32) -> DeviceConfig {
        let pasids = PasidConfig::NONE;
        let (page_requests, logs_dma, emulated, no_iommu) = (false, false, false, false);
        DeviceConfig { group, requester, viable: true, reset: true, coherent: true, page_requests, pasids, logs_dma, emulated, no_iommu }
    }
}

/// What the PASID capability of a PCI function says (PCI Express Base Specification, 7.8.8).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PasidConfig {
    /// Bits of a PASID, at most 20; 0: it has none.
    pub bits: u8,
    /// Whether its requests may be for execution.
    pub execute: bool,
    /// Whether its requests may be privileged.
    pub privileged: bool,
}

impl PasidConfig {
    /// No PASIDs.
    pub const NONE: PasidConfig = PasidConfig { bits: 0, execute: false, privileged: false };
}

/// A region of a device, as VFIO reports it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RegionConfig {
    /// Bytes; 0: not there.
    pub size: u64,
    /// Of a BAR: its physical address, outside of RAM.
    pub address: u64,
    /// `VFIO_REGION_INFO_FLAG_*`.
    pub flags: u32,
}

/// An interrupt of a device, as VFIO reports it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct IrqConfig {
    /// Vectors; 0: not there.
    pub count: u32,
    /// For MSI-X, `VFIO_IRQ_INFO_NORESIZE`: no vectors can be added once some are enabled. The other flags follow from the index.
    pub flags: u32,
}

/// Why addresses are reserved for a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReservedKind {
    /// Firmware needs them mapped one to one all the time: the device cannot be bound (EINVAL).
    Direct,
    /// Firmware used them at boot; they are free for programs.
    DirectRelaxable,
    /// Not usable for DMA.
    Reserved,
    /// Writes there are interrupts.
    Msi,
    /// Interrupts are writes that the IOMMU translates: the kernel maps what they go to at the start.
    SoftwareMsi,
}
