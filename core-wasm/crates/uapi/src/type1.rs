// GENERATED from uapi/schema by `deno task generate`, do not edit. Source hash: e4797ac1a0668d8e
//! Requests of VFIO's groups and containers.

use crate::bytes::{i32_at, put_i32, put_u16, put_u32, put_u64, u16_at, u32_at, u64_at};

/// Request: Answers 0, the version of the interface.
pub const GET_API_VERSION: u32 = 0x3b64;
/// Request: Whether the kernel has an extension, whose number is the argument.
pub const CHECK_EXTENSION: u32 = 0x3b65;
/// Request: Choose the IOMMU interface, whose number is the argument. A group must be in the container.
pub const SET_IOMMU: u32 = 0x3b66;
/// Request: Whether the group can be used.
pub const GROUP_GET_STATUS: u32 = 0x3b67;
/// Request: Put the group into a container.
pub const GROUP_SET_CONTAINER: u32 = 0x3b68;
/// Request: Take the group out of its container.
pub const GROUP_UNSET_CONTAINER: u32 = 0x3b69;
/// Request: Open a device of the group. The argument is the address of its name, a PCI address with a zero byte behind; the answer is the fd.
pub const GROUP_GET_DEVICE_FD: u32 = 0x3b6a;
/// Request: What can be mapped.
pub const IOMMU_GET_INFO: u32 = 0x3b70;
/// Request: Map memory.
pub const IOMMU_MAP_DMA: u32 = 0x3b71;
/// Request: Unmap memory.
pub const IOMMU_UNMAP_DMA: u32 = 0x3b72;
/// What CHECK_EXTENSION asks for; the first four are also what SET_IOMMU takes.
pub const TYPE1_IOMMU: u32 = 1;
/// What CHECK_EXTENSION asks for; the first four are also what SET_IOMMU takes.
pub const SPAPR_TCE_IOMMU: u32 = 2;
/// What CHECK_EXTENSION asks for; the first four are also what SET_IOMMU takes.
pub const TYPE1V2_IOMMU: u32 = 3;
/// What CHECK_EXTENSION asks for; the first four are also what SET_IOMMU takes.
pub const DMA_CC_IOMMU: u32 = 4;
/// What CHECK_EXTENSION asks for; the first four are also what SET_IOMMU takes.
pub const NOIOMMU_IOMMU: u32 = 8;
/// What CHECK_EXTENSION asks for; the first four are also what SET_IOMMU takes.
pub const UNMAP_ALL: u32 = 9;
/// What CHECK_EXTENSION asks for; the first four are also what SET_IOMMU takes.
pub const UPDATE_VADDR: u32 = 0xa;
/// State of a group.
pub const GROUP_FLAGS_VIABLE: u32 = 1;
/// State of a group.
pub const GROUP_FLAGS_CONTAINER_SET: u32 = 2;
/// Which parts of the answer of IOMMU_GET_INFO are there.
pub const IOMMU_INFO_PGSIZES: u32 = 1;
/// Which parts of the answer of IOMMU_GET_INFO are there.
pub const IOMMU_INFO_CAPS: u32 = 2;
/// Ids of the capabilities that follow the answer of IOMMU_GET_INFO.
pub const IOMMU_TYPE1_INFO_CAP_IOVA_RANGE: u32 = 1;
/// Ids of the capabilities that follow the answer of IOMMU_GET_INFO.
pub const IOMMU_TYPE1_INFO_CAP_MIGRATION: u32 = 2;
/// Ids of the capabilities that follow the answer of IOMMU_GET_INFO.
pub const IOMMU_TYPE1_INFO_DMA_AVAIL: u32 = 3;
/// What devices may do with a mapping.
pub const DMA_MAP_FLAG_READ: u32 = 1;
/// What devices may do with a mapping.
pub const DMA_MAP_FLAG_WRITE: u32 = 2;
/// What devices may do with a mapping.
pub const DMA_MAP_FLAG_VADDR: u32 = 4;
/// Options of IOMMU_UNMAP_DMA.
pub const DMA_UNMAP_FLAG_GET_DIRTY_BITMAP: u32 = 1;
/// Options of IOMMU_UNMAP_DMA.
pub const DMA_UNMAP_FLAG_ALL: u32 = 2;
/// Options of IOMMU_UNMAP_DMA.
pub const DMA_UNMAP_FLAG_VADDR: u32 = 4;

/// Whether a group can be used. (`struct vfio_group_status`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupStatus {
    /// Bytes of this struct as the caller knows it.
    pub argsz: u32,
    /// State of the group.
    pub flags: u32,
}

impl GroupStatus {
    /// Bytes of the struct.
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

/// The container of a group: a number alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupContainer {
    /// The container.
    pub container: i32,
}

impl GroupContainer {
    /// Bytes of the struct.
    pub const SIZE: usize = 4;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 4;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { container: i32_at(bytes, 0) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_i32(bytes, 0, self.container);
    }
}

/// What the IOMMU of a container can map. (`struct vfio_iommu_type1_info`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IommuType1Info {
    /// Bytes that the caller gives; the answer is what a whole answer needs, if that is more.
    pub argsz: u32,
    /// Which parts of the answer are there.
    pub flags: u32,
    /// Page sizes, bit n for 2^n bytes.
    pub iova_pgsizes: u64,
    /// Offset of the first capability in the answer, 0 without one.
    pub cap_offset: u32,
    /// Fills the struct up to 64 bits.
    pub pad: u32,
}

impl IommuType1Info {
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
            iova_pgsizes: u64_at(bytes, 8),
            cap_offset: u32_at(bytes, 16),
            pad: u32_at(bytes, 20),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.argsz);
        put_u32(bytes, 4, self.flags);
        put_u64(bytes, 8, self.iova_pgsizes);
        put_u32(bytes, 16, self.cap_offset);
        put_u32(bytes, 20, self.pad);
    }
}

/// Addresses that can be mapped. (`struct vfio_iova_range`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VfioIovaRange {
    /// The first.
    pub start: u64,
    /// The last: inclusive, whatever its name says.
    pub end: u64,
}

impl VfioIovaRange {
    /// Bytes of the struct.
    pub const SIZE: usize = 16;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 16;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { start: u64_at(bytes, 0), end: u64_at(bytes, 8) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u64(bytes, 0, self.start);
        put_u64(bytes, 8, self.end);
    }
}

/// Capability of a container: the addresses that can be mapped, without those that its devices reserve. (`struct vfio_iommu_type1_info_cap_iova_range`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IommuType1InfoCapIovaRange {
    /// Which capability this is.
    pub id: u16,
    /// Version of this capability's layout.
    pub version: u16,
    /// Offset of the next capability from the start of the answer, 0 for the last.
    pub next: u32,
    /// Number of ranges that follow.
    pub nr_iovas: u32,
    /// Zero.
    pub reserved: u32,
}

impl IommuType1InfoCapIovaRange {
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
            nr_iovas: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u16(bytes, 0, self.id);
        put_u16(bytes, 2, self.version);
        put_u32(bytes, 4, self.next);
        put_u32(bytes, 8, self.nr_iovas);
        put_u32(bytes, 12, self.reserved);
    }
}

/// Capability of a container: how many mappings it still takes. (`struct vfio_iommu_type1_info_dma_avail`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IommuType1InfoDmaAvail {
    /// Which capability this is.
    pub id: u16,
    /// Version of this capability's layout.
    pub version: u16,
    /// Offset of the next capability from the start of the answer, 0 for the last.
    pub next: u32,
    /// Mappings that can be added.
    pub avail: u32,
}

impl IommuType1InfoDmaAvail {
    /// Bytes of the struct.
    pub const SIZE: usize = 12;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 12;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { id: u16_at(bytes, 0), version: u16_at(bytes, 2), next: u32_at(bytes, 4), avail: u32_at(bytes, 8) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u16(bytes, 0, self.id);
        put_u16(bytes, 2, self.version);
        put_u32(bytes, 4, self.next);
        put_u32(bytes, 8, self.avail);
    }
}

/// Maps memory of the process for all devices of the container's groups, and pins it. (`struct vfio_iommu_type1_dma_map`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IommuType1DmaMap {
    /// Bytes of this struct as the caller knows it.
    pub argsz: u32,
    /// What devices may do.
    pub flags: u32,
    /// Address of the memory in the process.
    pub vaddr: u64,
    /// Where to map it.
    pub iova: u64,
    /// Bytes.
    pub size: u64,
}

impl IommuType1DmaMap {
    /// Bytes of the struct.
    pub const SIZE: usize = 32;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 32;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { argsz: u32_at(bytes, 0), flags: u32_at(bytes, 4), vaddr: u64_at(bytes, 8), iova: u64_at(bytes, 16), size: u64_at(bytes, 24) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.argsz);
        put_u32(bytes, 4, self.flags);
        put_u64(bytes, 8, self.vaddr);
        put_u64(bytes, 16, self.iova);
        put_u64(bytes, 24, self.size);
    }
}

/// Removes mappings that lie wholly in a range. (`struct vfio_iommu_type1_dma_unmap`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IommuType1DmaUnmap {
    /// Bytes of this struct as the caller knows it.
    pub argsz: u32,
    /// Options.
    pub flags: u32,
    /// Where the range begins.
    pub iova: u64,
    /// Bytes of the range; the answer is how many were unmapped.
    pub size: u64,
}

impl IommuType1DmaUnmap {
    /// Bytes of the struct.
    pub const SIZE: usize = 24;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 24;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { argsz: u32_at(bytes, 0), flags: u32_at(bytes, 4), iova: u64_at(bytes, 8), size: u64_at(bytes, 16) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.argsz);
        put_u32(bytes, 4, self.flags);
        put_u64(bytes, 8, self.iova);
        put_u64(bytes, 16, self.size);
    }
}
