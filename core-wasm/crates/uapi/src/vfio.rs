// GENERATED from uapi/schema by `deno task generate`, do not edit. Source hash: e4797ac1a0668d8e
//! Requests of a VFIO device file.

use crate::bytes::{i32_at, put_i32, put_u8, put_u16, put_u32, put_u64, u8_at, u16_at, u32_at, u64_at};

/// Request: What the device is.
pub const DEVICE_GET_INFO: u32 = 0x3b6b;
/// Request: What a region is.
pub const DEVICE_GET_REGION_INFO: u32 = 0x3b6c;
/// Request: What an interrupt index is.
pub const DEVICE_GET_IRQ_INFO: u32 = 0x3b6d;
/// Request: Control interrupts.
pub const DEVICE_SET_IRQS: u32 = 0x3b6e;
/// Request: Reset the device.
pub const DEVICE_RESET: u32 = 0x3b6f;
/// Request: Which devices a hot reset affects.
pub const DEVICE_GET_PCI_HOT_RESET_INFO: u32 = 0x3b70;
/// Request: Reset the bus or slot of the device.
pub const DEVICE_PCI_HOT_RESET: u32 = 0x3b71;
/// Request: Get, set or probe a feature.
pub const DEVICE_FEATURE: u32 = 0x3b75;
/// Request: Bind the device to an iommufd.
pub const DEVICE_BIND_IOMMUFD: u32 = 0x3b76;
/// Request: Attach the device, or replace what it is attached to.
pub const DEVICE_ATTACH_IOMMUFD_PT: u32 = 0x3b77;
/// Request: Detach the device.
pub const DEVICE_DETACH_IOMMUFD_PT: u32 = 0x3b78;
/// What a device is and can do.
pub const DEVICE_FLAGS_RESET: u32 = 1;
/// What a device is and can do.
pub const DEVICE_FLAGS_PCI: u32 = 2;
/// What a device is and can do.
pub const DEVICE_FLAGS_PLATFORM: u32 = 4;
/// What a device is and can do.
pub const DEVICE_FLAGS_AMBA: u32 = 8;
/// What a device is and can do.
pub const DEVICE_FLAGS_CCW: u32 = 0x10;
/// What a device is and can do.
pub const DEVICE_FLAGS_AP: u32 = 0x20;
/// What a device is and can do.
pub const DEVICE_FLAGS_FSL_MC: u32 = 0x40;
/// What a device is and can do.
pub const DEVICE_FLAGS_CAPS: u32 = 0x80;
/// What a device is and can do.
pub const DEVICE_FLAGS_CDX: u32 = 0x100;
/// Widths of PCIe atomic operations that the root completes.
pub const PCI_ATOMIC_COMP32: u32 = 1;
/// Widths of PCIe atomic operations that the root completes.
pub const PCI_ATOMIC_COMP64: u32 = 2;
/// Widths of PCIe atomic operations that the root completes.
pub const PCI_ATOMIC_COMP128: u32 = 4;
/// What can be done with a region.
pub const REGION_INFO_FLAG_READ: u32 = 1;
/// What can be done with a region.
pub const REGION_INFO_FLAG_WRITE: u32 = 2;
/// What can be done with a region.
pub const REGION_INFO_FLAG_MMAP: u32 = 4;
/// What can be done with a region.
pub const REGION_INFO_FLAG_CAPS: u32 = 8;
/// How an interrupt index behaves.
pub const IRQ_INFO_EVENTFD: u32 = 1;
/// How an interrupt index behaves.
pub const IRQ_INFO_MASKABLE: u32 = 2;
/// How an interrupt index behaves.
pub const IRQ_INFO_AUTOMASKED: u32 = 4;
/// How an interrupt index behaves.
pub const IRQ_INFO_NORESIZE: u32 = 8;
/// What SET_IRQS does (one action) and with which data (one kind).
pub const IRQ_SET_DATA_NONE: u32 = 1;
/// What SET_IRQS does (one action) and with which data (one kind).
pub const IRQ_SET_DATA_BOOL: u32 = 2;
/// What SET_IRQS does (one action) and with which data (one kind).
pub const IRQ_SET_DATA_EVENTFD: u32 = 4;
/// What SET_IRQS does (one action) and with which data (one kind).
pub const IRQ_SET_ACTION_MASK: u32 = 8;
/// What SET_IRQS does (one action) and with which data (one kind).
pub const IRQ_SET_ACTION_UNMASK: u32 = 0x10;
/// What SET_IRQS does (one action) and with which data (one kind).
pub const IRQ_SET_ACTION_TRIGGER: u32 = 0x20;
/// Region indices of a PCI device.
pub const PCI_BAR0_REGION_INDEX: u32 = 0;
/// Region indices of a PCI device.
pub const PCI_BAR1_REGION_INDEX: u32 = 1;
/// Region indices of a PCI device.
pub const PCI_BAR2_REGION_INDEX: u32 = 2;
/// Region indices of a PCI device.
pub const PCI_BAR3_REGION_INDEX: u32 = 3;
/// Region indices of a PCI device.
pub const PCI_BAR4_REGION_INDEX: u32 = 4;
/// Region indices of a PCI device.
pub const PCI_BAR5_REGION_INDEX: u32 = 5;
/// Region indices of a PCI device.
pub const PCI_ROM_REGION_INDEX: u32 = 6;
/// Region indices of a PCI device.
pub const PCI_CONFIG_REGION_INDEX: u32 = 7;
/// Region indices of a PCI device.
pub const PCI_VGA_REGION_INDEX: u32 = 8;
/// Region indices of a PCI device.
pub const PCI_NUM_REGIONS: u32 = 9;
/// Interrupt indices of a PCI device.
pub const PCI_INTX_IRQ_INDEX: u32 = 0;
/// Interrupt indices of a PCI device.
pub const PCI_MSI_IRQ_INDEX: u32 = 1;
/// Interrupt indices of a PCI device.
pub const PCI_MSIX_IRQ_INDEX: u32 = 2;
/// Interrupt indices of a PCI device.
pub const PCI_ERR_IRQ_INDEX: u32 = 3;
/// Interrupt indices of a PCI device.
pub const PCI_REQ_IRQ_INDEX: u32 = 4;
/// Interrupt indices of a PCI device.
pub const PCI_NUM_IRQS: u32 = 5;
/// Ids of the capabilities that follow an answer.
pub const DEVICE_INFO_CAP_PCI_ATOMIC_COMP: u32 = 5;
/// Ids of the capabilities that follow an answer.
pub const REGION_INFO_CAP_SPARSE_MMAP: u32 = 1;
/// Ids of the capabilities that follow an answer.
pub const REGION_INFO_CAP_TYPE: u32 = 2;
/// Ids of the capabilities that follow an answer.
pub const REGION_INFO_CAP_MSIX_MAPPABLE: u32 = 3;
/// How the devices of a hot reset are named, and whether the caller owns them all.
pub const PCI_HOT_RESET_FLAG_DEV_ID: u32 = 1;
/// How the devices of a hot reset are named, and whether the caller owns them all.
pub const PCI_HOT_RESET_FLAG_DEV_ID_OWNED: u32 = 2;
/// What FEATURE does with the feature whose number is in the low 16 bits.
pub const DEVICE_FEATURE_MASK: u32 = 0xffff;
/// What FEATURE does with the feature whose number is in the low 16 bits.
pub const DEVICE_FEATURE_GET: u32 = 0x10000;
/// What FEATURE does with the feature whose number is in the low 16 bits.
pub const DEVICE_FEATURE_SET: u32 = 0x20000;
/// What FEATURE does with the feature whose number is in the low 16 bits.
pub const DEVICE_FEATURE_PROBE: u32 = 0x40000;
/// Numbers of features that the library knows.
pub const DEVICE_FEATURE_DMA_LOGGING_START: u32 = 6;
/// Numbers of features that the library knows.
pub const DEVICE_FEATURE_DMA_LOGGING_STOP: u32 = 7;
/// Numbers of features that the library knows.
pub const DEVICE_FEATURE_DMA_LOGGING_REPORT: u32 = 8;
/// Numbers of features that the library knows.
pub const DEVICE_FEATURE_DMA_BUF: u32 = 0xb;
/// Options of BIND_IOMMUFD.
pub const DEVICE_BIND_FLAG_TOKEN: u32 = 1;
/// Options of ATTACH_IOMMUFD_PT.
pub const DEVICE_ATTACH_PASID: u32 = 1;
/// Options of DETACH_IOMMUFD_PT.
pub const DEVICE_DETACH_PASID: u32 = 1;

/// Begins each capability that follows an answer; alone it is a capability without content. (`struct vfio_info_cap_header`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InfoCapHeader {
    /// Which capability this is.
    pub id: u16,
    /// Version of this capability's layout.
    pub version: u16,
    /// Offset of the next capability from the start of the answer, 0 for the last.
    pub next: u32,
}

impl InfoCapHeader {
    /// Bytes of the struct.
    pub const SIZE: usize = 8;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 8;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { id: u16_at(bytes, 0), version: u16_at(bytes, 2), next: u32_at(bytes, 4) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u16(bytes, 0, self.id);
        put_u16(bytes, 2, self.version);
        put_u32(bytes, 4, self.next);
    }
}

/// What a device is and how many regions and interrupt indices it has. (`struct vfio_device_info`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Bytes that the caller gives; the answer is what a whole answer needs, if that is more.
    pub argsz: u32,
    /// What the device is and can do.
    pub flags: u32,
    /// Highest region index plus one.
    pub num_regions: u32,
    /// Highest interrupt index plus one.
    pub num_irqs: u32,
    /// Offset of the first capability in the answer, 0 without one.
    pub cap_offset: u32,
    /// Fills the struct up to 64 bits.
    pub pad: u32,
}

impl DeviceInfo {
    /// Bytes of the struct.
    pub const SIZE: usize = 24;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 16;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            argsz: u32_at(bytes, 0),
            flags: u32_at(bytes, 4),
            num_regions: u32_at(bytes, 8),
            num_irqs: u32_at(bytes, 12),
            cap_offset: u32_at(bytes, 16),
            pad: u32_at(bytes, 20),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.argsz);
        put_u32(bytes, 4, self.flags);
        put_u32(bytes, 8, self.num_regions);
        put_u32(bytes, 12, self.num_irqs);
        put_u32(bytes, 16, self.cap_offset);
        put_u32(bytes, 20, self.pad);
    }
}

/// Capability of a device: PCIe atomic operations that the root completes. (`struct vfio_device_info_cap_pci_atomic_comp`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceInfoCapPciAtomicComp {
    /// Which capability this is.
    pub id: u16,
    /// Version of this capability's layout.
    pub version: u16,
    /// Offset of the next capability from the start of the answer, 0 for the last.
    pub next: u32,
    /// Widths that the root completes.
    pub flags: u32,
    /// Zero.
    pub reserved: u32,
}

impl DeviceInfoCapPciAtomicComp {
    /// Bytes of the struct.
    pub const SIZE: usize = 16;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 16;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            id: u16_at(bytes, 0),
            version: u16_at(bytes, 2),
            next: u32_at(bytes, 4),
            flags: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u16(bytes, 0, self.id);
        put_u16(bytes, 2, self.version);
        put_u32(bytes, 4, self.next);
        put_u32(bytes, 8, self.flags);
        put_u32(bytes, 12, self.reserved);
    }
}

/// Where a region is in the device file, how long it is and what can be done with it. (`struct vfio_region_info`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RegionInfo {
    /// Bytes that the caller gives; the answer is what a whole answer needs, if that is more.
    pub argsz: u32,
    /// What can be done with the region.
    pub flags: u32,
    /// Which region.
    pub index: u32,
    /// Offset of the first capability in the answer, 0 without one.
    pub cap_offset: u32,
    /// Bytes of the region, 0 where the device has none.
    pub size: u64,
    /// Where the region begins in the device file.
    pub offset: u64,
}

impl RegionInfo {
    /// Bytes of the struct.
    pub const SIZE: usize = 32;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 32;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            argsz: u32_at(bytes, 0),
            flags: u32_at(bytes, 4),
            index: u32_at(bytes, 8),
            cap_offset: u32_at(bytes, 12),
            size: u64_at(bytes, 16),
            offset: u64_at(bytes, 24),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.argsz);
        put_u32(bytes, 4, self.flags);
        put_u32(bytes, 8, self.index);
        put_u32(bytes, 12, self.cap_offset);
        put_u64(bytes, 16, self.size);
        put_u64(bytes, 24, self.offset);
    }
}

/// A part of a region that mmap takes. (`struct vfio_region_sparse_mmap_area`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RegionSparseMmapArea {
    /// Where the part begins in the region.
    pub offset: u64,
    /// Bytes of the part.
    pub size: u64,
}

impl RegionSparseMmapArea {
    /// Bytes of the struct.
    pub const SIZE: usize = 16;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 16;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { offset: u64_at(bytes, 0), size: u64_at(bytes, 8) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u64(bytes, 0, self.offset);
        put_u64(bytes, 8, self.size);
    }
}

/// Capability of a region: only these parts of it take mmap. (`struct vfio_region_info_cap_sparse_mmap`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RegionInfoCapSparseMmap {
    /// Which capability this is.
    pub id: u16,
    /// Version of this capability's layout.
    pub version: u16,
    /// Offset of the next capability from the start of the answer, 0 for the last.
    pub next: u32,
    /// Number of parts that follow.
    pub nr_areas: u32,
    /// Zero.
    pub reserved: u32,
}

impl RegionInfoCapSparseMmap {
    /// Bytes of the struct, without what follows it.
    pub const SIZE: usize = 16;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 16;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            id: u16_at(bytes, 0),
            version: u16_at(bytes, 2),
            next: u32_at(bytes, 4),
            nr_areas: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u16(bytes, 0, self.id);
        put_u16(bytes, 2, self.version);
        put_u32(bytes, 4, self.next);
        put_u32(bytes, 8, self.nr_areas);
        put_u32(bytes, 12, self.reserved);
    }
}

/// Capability of a region: what a region that only this device has is for. (`struct vfio_region_info_cap_type`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RegionInfoCapType {
    /// Which capability this is.
    pub id: u16,
    /// Version of this capability's layout.
    pub version: u16,
    /// Offset of the next capability from the start of the answer, 0 for the last.
    pub next: u32,
    /// Type, unique on the device's bus.
    pub r#type: u32,
    /// Subtype of that type.
    pub subtype: u32,
}

impl RegionInfoCapType {
    /// Bytes of the struct.
    pub const SIZE: usize = 16;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 16;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            id: u16_at(bytes, 0),
            version: u16_at(bytes, 2),
            next: u32_at(bytes, 4),
            r#type: u32_at(bytes, 8),
            subtype: u32_at(bytes, 12),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u16(bytes, 0, self.id);
        put_u16(bytes, 2, self.version);
        put_u32(bytes, 4, self.next);
        put_u32(bytes, 8, self.r#type);
        put_u32(bytes, 12, self.subtype);
    }
}

/// How many interrupts an index has and how they behave. (`struct vfio_irq_info`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IrqInfo {
    /// Bytes of this struct as the caller knows it.
    pub argsz: u32,
    /// How the index behaves.
    pub flags: u32,
    /// Which interrupt index.
    pub index: u32,
    /// Interrupts of this index, 0 where the device has none.
    pub count: u32,
}

impl IrqInfo {
    /// Bytes of the struct.
    pub const SIZE: usize = 16;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 16;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { argsz: u32_at(bytes, 0), flags: u32_at(bytes, 4), index: u32_at(bytes, 8), count: u32_at(bytes, 12) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.argsz);
        put_u32(bytes, 4, self.flags);
        put_u32(bytes, 8, self.index);
        put_u32(bytes, 12, self.count);
    }
}

/// Masks, unmasks, triggers interrupts, or says which eventfds they signal. (`struct vfio_irq_set`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IrqSet {
    /// Bytes of this struct as the caller knows it.
    pub argsz: u32,
    /// One kind of data and one action.
    pub flags: u32,
    /// Which interrupt index.
    pub index: u32,
    /// First interrupt of the index.
    pub start: u32,
    /// Number of interrupts. 0 with DATA_NONE and ACTION_TRIGGER switches the index off.
    pub count: u32,
}

impl IrqSet {
    /// Bytes of the struct, without what follows it.
    pub const SIZE: usize = 20;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 20;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            argsz: u32_at(bytes, 0),
            flags: u32_at(bytes, 4),
            index: u32_at(bytes, 8),
            start: u32_at(bytes, 12),
            count: u32_at(bytes, 16),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.argsz);
        put_u32(bytes, 4, self.flags);
        put_u32(bytes, 8, self.index);
        put_u32(bytes, 12, self.start);
        put_u32(bytes, 16, self.count);
    }
}

/// A device that a hot reset affects. (`struct vfio_pci_dependent_device`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PciDependentDevice {
    /// Its id in the caller's iommufd, 0 if only owned, 2^32 − 1 if not owned; or its group.
    pub devid: u32,
    /// PCI segment.
    pub segment: u16,
    /// PCI bus.
    pub bus: u8,
    /// PCI device << 3 | function.
    pub devfn: u8,
}

impl PciDependentDevice {
    /// Bytes of the struct.
    pub const SIZE: usize = 8;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 8;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { devid: u32_at(bytes, 0), segment: u16_at(bytes, 4), bus: u8_at(bytes, 6), devfn: u8_at(bytes, 7) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.devid);
        put_u16(bytes, 4, self.segment);
        put_u8(bytes, 6, self.bus);
        put_u8(bytes, 7, self.devfn);
    }
}

/// Which devices a hot reset of this one affects. (`struct vfio_pci_hot_reset_info`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PciHotResetInfo {
    /// Bytes that the caller gives; the answer is what a whole answer needs, if that is more.
    pub argsz: u32,
    /// How the devices are named.
    pub flags: u32,
    /// Number of devices.
    pub count: u32,
}

impl PciHotResetInfo {
    /// Bytes of the struct, without what follows it.
    pub const SIZE: usize = 12;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 12;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { argsz: u32_at(bytes, 0), flags: u32_at(bytes, 4), count: u32_at(bytes, 8) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.argsz);
        put_u32(bytes, 4, self.flags);
        put_u32(bytes, 8, self.count);
    }
}

/// Resets a device together with those on its bus or slot. (`struct vfio_pci_hot_reset`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PciHotReset {
    /// Bytes of this struct as the caller knows it.
    pub argsz: u32,
    /// No flag is defined: must be zero.
    pub flags: u32,
    /// Number of group files that follow: 0 with an iommufd.
    pub count: u32,
}

impl PciHotReset {
    /// Bytes of the struct, without what follows it.
    pub const SIZE: usize = 12;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 12;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { argsz: u32_at(bytes, 0), flags: u32_at(bytes, 4), count: u32_at(bytes, 8) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.argsz);
        put_u32(bytes, 4, self.flags);
        put_u32(bytes, 8, self.count);
    }
}

/// Gets, sets or probes a feature of a device; the feature's data follows. (`struct vfio_device_feature`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceFeature {
    /// Bytes of this struct as the caller knows it.
    pub argsz: u32,
    /// The feature's number and what to do.
    pub flags: u32,
}

impl DeviceFeature {
    /// Bytes of the struct, without what follows it.
    pub const SIZE: usize = 8;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 8;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { argsz: u32_at(bytes, 0), flags: u32_at(bytes, 4) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.argsz);
        put_u32(bytes, 4, self.flags);
    }
}

/// Data of DMA_LOGGING_START: what a device shall log. (`struct vfio_device_feature_dma_logging_control`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DmaLoggingControl {
    /// Bytes that a bit stands for: a wish, and what the device has taken.
    pub page_size: u64,
    /// Number of ranges, at most 256.
    pub num_ranges: u32,
    /// Must be zero.
    pub reserved: u32,
    /// Address of the ranges.
    pub ranges: u64,
}

impl DmaLoggingControl {
    /// Bytes of the struct.
    pub const SIZE: usize = 24;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 24;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { page_size: u64_at(bytes, 0), num_ranges: u32_at(bytes, 8), reserved: u32_at(bytes, 12), ranges: u64_at(bytes, 16) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u64(bytes, 0, self.page_size);
        put_u32(bytes, 8, self.num_ranges);
        put_u32(bytes, 12, self.reserved);
        put_u64(bytes, 16, self.ranges);
    }
}

/// A range of I/O addresses that a device shall log its writes to. (`struct vfio_device_feature_dma_logging_range`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DmaLoggingRange {
    /// The first address.
    pub iova: u64,
    /// Bytes.
    pub length: u64,
}

impl DmaLoggingRange {
    /// Bytes of the struct.
    pub const SIZE: usize = 16;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 16;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { iova: u64_at(bytes, 0), length: u64_at(bytes, 8) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u64(bytes, 0, self.iova);
        put_u64(bytes, 8, self.length);
    }
}

/// Data of DMA_LOGGING_REPORT: which pages a device has written to. (`struct vfio_device_feature_dma_logging_report`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DmaLoggingReport {
    /// The first address.
    pub iova: u64,
    /// Bytes.
    pub length: u64,
    /// Bytes that a bit stands for: a power of two, at least 4,096.
    pub page_size: u64,
    /// Address of the bitmap, whose bits are set and never cleared.
    pub bitmap: u64,
}

impl DmaLoggingReport {
    /// Bytes of the struct.
    pub const SIZE: usize = 32;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 32;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { iova: u64_at(bytes, 0), length: u64_at(bytes, 8), page_size: u64_at(bytes, 16), bitmap: u64_at(bytes, 24) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u64(bytes, 0, self.iova);
        put_u64(bytes, 8, self.length);
        put_u64(bytes, 16, self.page_size);
        put_u64(bytes, 24, self.bitmap);
    }
}

/// Data of DMA_BUF, whose answer is the file: which memory of a device it shares. (`struct vfio_device_feature_dma_buf`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DmaBuf {
    /// Which BAR.
    pub region_index: u32,
    /// Flags of the file, as of open(2): how it may be mapped, O_CLOEXEC.
    pub open_flags: u32,
    /// No flag is defined: must be zero.
    pub flags: u32,
    /// Number of ranges that follow, 1 or more. An IOAS maps a file of one alone.
    pub nr_ranges: u32,
}

impl DmaBuf {
    /// Bytes of the struct, without what follows it.
    pub const SIZE: usize = 16;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 16;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { region_index: u32_at(bytes, 0), open_flags: u32_at(bytes, 4), flags: u32_at(bytes, 8), nr_ranges: u32_at(bytes, 12) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.region_index);
        put_u32(bytes, 4, self.open_flags);
        put_u32(bytes, 8, self.flags);
        put_u32(bytes, 12, self.nr_ranges);
    }
}

/// A part of a region that a dma-buf shares. (`struct vfio_region_dma_range`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RegionDmaRange {
    /// Where it begins in the region: a multiple of 4,096.
    pub offset: u64,
    /// Bytes: a multiple of 4,096, not 0.
    pub length: u64,
}

impl RegionDmaRange {
    /// Bytes of the struct.
    pub const SIZE: usize = 16;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 16;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { offset: u64_at(bytes, 0), length: u64_at(bytes, 8) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u64(bytes, 0, self.offset);
        put_u64(bytes, 8, self.length);
    }
}

/// Makes an iommufd the owner of a device, which makes the device's file usable. (`struct vfio_device_bind_iommufd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceBindIommufd {
    /// Bytes of this struct as the caller knows it.
    pub argsz: u32,
    /// Whether a token is given.
    pub flags: u32,
    /// The iommufd.
    pub iommufd: i32,
    /// The device's id in that iommufd.
    pub out_devid: u32,
    /// Address of a token of 16 bytes, with BIND_FLAG_TOKEN.
    pub token_uuid_ptr: u64,
}

impl DeviceBindIommufd {
    /// Bytes of the struct.
    pub const SIZE: usize = 24;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 16;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            argsz: u32_at(bytes, 0),
            flags: u32_at(bytes, 4),
            iommufd: i32_at(bytes, 8),
            out_devid: u32_at(bytes, 12),
            token_uuid_ptr: u64_at(bytes, 16),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.argsz);
        put_u32(bytes, 4, self.flags);
        put_i32(bytes, 8, self.iommufd);
        put_u32(bytes, 12, self.out_devid);
        put_u64(bytes, 16, self.token_uuid_ptr);
    }
}

/// Lets a device's DMA go through an IOAS or a hardware page table. (`struct vfio_device_attach_iommufd_pt`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceAttachIommufdPt {
    /// Bytes of this struct as the caller knows it.
    pub argsz: u32,
    /// Whether a PASID is given.
    pub flags: u32,
    /// The IOAS or page table; the answer is the page table that the device uses.
    pub pt_id: u32,
    /// The PASID, with ATTACH_PASID.
    pub pasid: u32,
}

impl DeviceAttachIommufdPt {
    /// Bytes of the struct.
    pub const SIZE: usize = 16;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 12;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { argsz: u32_at(bytes, 0), flags: u32_at(bytes, 4), pt_id: u32_at(bytes, 8), pasid: u32_at(bytes, 12) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.argsz);
        put_u32(bytes, 4, self.flags);
        put_u32(bytes, 8, self.pt_id);
        put_u32(bytes, 12, self.pasid);
    }
}

/// Blocks a device's DMA again. (`struct vfio_device_detach_iommufd_pt`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceDetachIommufdPt {
    /// Bytes of this struct as the caller knows it.
    pub argsz: u32,
    /// Whether a PASID is given.
    pub flags: u32,
    /// The PASID, with DETACH_PASID.
    pub pasid: u32,
}

impl DeviceDetachIommufdPt {
    /// Bytes of the struct.
    pub const SIZE: usize = 12;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 8;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { argsz: u32_at(bytes, 0), flags: u32_at(bytes, 4), pasid: u32_at(bytes, 8) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.argsz);
        put_u32(bytes, 4, self.flags);
        put_u32(bytes, 8, self.pasid);
    }
}
