// GENERATED from uapi/schema by `deno task generate`, do not edit. Source hash: e4797ac1a0668d8e
//! Requests of an iommufd file.

use crate::bytes::{i32_at, put_i32, put_u8, put_u16, put_u32, put_u64, u8_at, u16_at, u32_at, u64_at};

/// Request: Destroy an object.
pub const DESTROY: u32 = 0x3b80;
/// Request: Make an I/O address space.
pub const IOAS_ALLOC: u32 = 0x3b81;
/// Request: Say where automatic placement may map.
pub const IOAS_ALLOW_IOVAS: u32 = 0x3b82;
/// Request: Map what another IOAS has mapped.
pub const IOAS_COPY: u32 = 0x3b83;
/// Request: Which addresses can be mapped.
pub const IOAS_IOVA_RANGES: u32 = 0x3b84;
/// Request: Map memory of the process.
pub const IOAS_MAP: u32 = 0x3b85;
/// Request: Unmap whole mappings.
pub const IOAS_UNMAP: u32 = 0x3b86;
/// Request: Read or set an option.
pub const OPTION: u32 = 0x3b87;
/// Request: Read or set the IOAS of VFIO's older requests.
pub const VFIO_IOAS: u32 = 0x3b88;
/// Request: Make a hardware page table.
pub const HWPT_ALLOC: u32 = 0x3b89;
/// Request: What a device's IOMMU is and can do.
pub const GET_HW_INFO: u32 = 0x3b8a;
/// Request: Start or stop tracking writes.
pub const HWPT_SET_DIRTY_TRACKING: u32 = 0x3b8b;
/// Request: Which pages devices have written.
pub const HWPT_GET_DIRTY_BITMAP: u32 = 0x3b8c;
/// Request: Invalidate caches of a nested page table.
pub const HWPT_INVALIDATE: u32 = 0x3b8d;
/// Request: Make a queue for page faults.
pub const FAULT_QUEUE_ALLOC: u32 = 0x3b8e;
/// Request: Map memory of a memfd.
pub const IOAS_MAP_FILE: u32 = 0x3b8f;
/// Request: Make a virtual IOMMU.
pub const VIOMMU_ALLOC: u32 = 0x3b90;
/// Request: Make a device known to a virtual IOMMU.
pub const VDEVICE_ALLOC: u32 = 0x3b91;
/// Request: Charge pinned memory to the caller.
pub const IOAS_CHANGE_PROCESS: u32 = 0x3b92;
/// Request: Make a queue for events of a virtual IOMMU.
pub const VEVENTQ_ALLOC: u32 = 0x3b93;
/// Request: Let the hardware work on a guest's queue.
pub const HW_QUEUE_ALLOC: u32 = 0x3b94;
/// Request: The physical address behind an IOVA.
pub const IOAS_NOIOMMU_GET_PA: u32 = 0x3b95;
/// Whether reading the dirty bits leaves them set.
pub const HWPT_GET_DIRTY_BITMAP_NO_CLEAR: u32 = 1;
/// Whose layout the data of HWPT_ALLOC has.
pub const HWPT_DATA_NONE: u32 = 0;
/// Whose layout the data of HWPT_ALLOC has.
pub const HWPT_DATA_VTD_S1: u32 = 1;
/// Whose layout the data of HWPT_ALLOC has.
pub const HWPT_DATA_ARM_SMMUV3: u32 = 2;
/// Whose layout the data of HWPT_ALLOC has.
pub const HWPT_DATA_AMD_GUEST: u32 = 3;
/// What a page table must be able to do.
pub const HWPT_ALLOC_NEST_PARENT: u32 = 1;
/// What a page table must be able to do.
pub const HWPT_ALLOC_DIRTY_TRACKING: u32 = 2;
/// What a page table must be able to do.
pub const HWPT_FAULT_ID_VALID: u32 = 4;
/// What a page table must be able to do.
pub const HWPT_ALLOC_PASID: u32 = 8;
/// What the IOMMU of a device can do.
pub const HW_CAP_DIRTY_TRACKING: u64 = 1;
/// What the IOMMU of a device can do.
pub const HW_CAP_PCI_PASID_EXEC: u64 = 2;
/// What the IOMMU of a device can do.
pub const HW_CAP_PCI_PASID_PRIV: u64 = 4;
/// What the IOMMU of a device can do.
pub const HW_CAP_PCI_ATS_NOT_SUPPORTED: u64 = 8;
/// Options of GET_HW_INFO.
pub const HW_INFO_FLAG_INPUT_TYPE: u32 = 1;
/// Errata of SMMUv3 hardware that the user must heed.
pub const HW_INFO_ARM_SMMUV3_ERRATA_REPEAT_TLBI_CFGI: u32 = 1;
/// Whose layout the answer of GET_HW_INFO has.
pub const HW_INFO_TYPE_NONE: u32 = 0;
/// Whose layout the answer of GET_HW_INFO has.
pub const HW_INFO_TYPE_DEFAULT: u32 = 0;
/// Whose layout the answer of GET_HW_INFO has.
pub const HW_INFO_TYPE_INTEL_VTD: u32 = 1;
/// Whose layout the answer of GET_HW_INFO has.
pub const HW_INFO_TYPE_ARM_SMMUV3: u32 = 2;
/// Whose layout the answer of GET_HW_INFO has.
pub const HW_INFO_TYPE_TEGRA241_CMDQV: u32 = 3;
/// Whose layout the answer of GET_HW_INFO has.
pub const HW_INFO_TYPE_AMD: u32 = 4;
/// Errata of VT-d hardware that the user must heed.
pub const HW_INFO_VTD_ERRATA_772415_SPR17: u32 = 1;
/// Kinds of hardware queue.
pub const HW_QUEUE_TYPE_DEFAULT: u32 = 0;
/// Kinds of hardware queue.
pub const HW_QUEUE_TYPE_TEGRA241_CMDQV: u32 = 1;
/// Whose layout the entries of HWPT_INVALIDATE have.
pub const HWPT_INVALIDATE_DATA_VTD_S1: u32 = 0;
/// Whose layout the entries of HWPT_INVALIDATE have.
pub const VIOMMU_INVALIDATE_DATA_ARM_SMMUV3: u32 = 1;
/// How a mapping is placed and what devices may do with it.
pub const IOAS_MAP_FIXED_IOVA: u32 = 1;
/// How a mapping is placed and what devices may do with it.
pub const IOAS_MAP_WRITEABLE: u32 = 2;
/// How a mapping is placed and what devices may do with it.
pub const IOAS_MAP_READABLE: u32 = 4;
/// The options.
pub const OPTION_RLIMIT_MODE: u32 = 0;
/// The options.
pub const OPTION_HUGE_PAGES: u32 = 1;
/// What OPTION does.
pub const OPTION_OP_SET: u16 = 0;
/// What OPTION does.
pub const OPTION_OP_GET: u16 = 1;
/// Answers to a page fault.
pub const PAGE_RESP_SUCCESS: u32 = 0;
/// Answers to a page fault.
pub const PAGE_RESP_INVALID: u32 = 1;
/// What a page fault record says.
pub const PGFAULT_FLAGS_PASID_VALID: u32 = 1;
/// What a page fault record says.
pub const PGFAULT_FLAGS_LAST_PAGE: u32 = 2;
/// What the access that faulted wanted.
pub const PGFAULT_PERM_READ: u32 = 1;
/// What the access that faulted wanted.
pub const PGFAULT_PERM_WRITE: u32 = 2;
/// What the access that faulted wanted.
pub const PGFAULT_PERM_EXEC: u32 = 4;
/// What the access that faulted wanted.
pub const PGFAULT_PERM_PRIV: u32 = 8;
/// Whether writes are tracked.
pub const HWPT_DIRTY_TRACKING_ENABLE: u32 = 1;
/// Kinds of event queue.
pub const VEVENTQ_TYPE_DEFAULT: u32 = 0;
/// Kinds of event queue.
pub const VEVENTQ_TYPE_ARM_SMMUV3: u32 = 1;
/// Kinds of event queue.
pub const VEVENTQ_TYPE_TEGRA241_CMDQV: u32 = 2;
/// What an event header says.
pub const VEVENTQ_FLAG_LOST_EVENTS: u32 = 1;
/// What VFIO_IOAS does.
pub const VFIO_IOAS_GET: u16 = 0;
/// What VFIO_IOAS does.
pub const VFIO_IOAS_SET: u16 = 1;
/// What VFIO_IOAS does.
pub const VFIO_IOAS_CLEAR: u16 = 2;
/// Kinds of virtual IOMMU.
pub const VIOMMU_TYPE_DEFAULT: u32 = 0;
/// Kinds of virtual IOMMU.
pub const VIOMMU_TYPE_ARM_SMMUV3: u32 = 1;
/// Kinds of virtual IOMMU.
pub const VIOMMU_TYPE_TEGRA241_CMDQV: u32 = 2;
/// What an invalidation of VT-d spares.
pub const VTD_INV_FLAGS_LEAF: u32 = 1;
/// Options of a stage-1 page table of VT-d.
pub const VTD_S1_SRE: u64 = 1;
/// Options of a stage-1 page table of VT-d.
pub const VTD_S1_EAFE: u64 = 2;
/// Options of a stage-1 page table of VT-d.
pub const VTD_S1_WPE: u64 = 4;

/// Destroys an object that nothing uses. (`struct iommu_destroy`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Destroy {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The object.
    pub id: u32,
}

impl Destroy {
    /// Bytes of the struct.
    pub const SIZE: usize = 8;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 8;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { size: u32_at(bytes, 0), id: u32_at(bytes, 4) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.id);
    }
}

/// Reads or sets an option of an object or of the whole iommufd. (`struct iommu_option`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Option {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// Which option.
    pub option_id: u32,
    /// Whether to read or set it.
    pub op: u16,
    /// Must be zero.
    pub reserved: u16,
    /// The object, 0 for options of the iommufd.
    pub object_id: u32,
    /// The value to set, or the answer.
    pub val64: u64,
}

impl Option {
    /// Bytes of the struct.
    pub const SIZE: usize = 24;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 24;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            option_id: u32_at(bytes, 4),
            op: u16_at(bytes, 8),
            reserved: u16_at(bytes, 10),
            object_id: u32_at(bytes, 12),
            val64: u64_at(bytes, 16),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.option_id);
        put_u16(bytes, 8, self.op);
        put_u16(bytes, 10, self.reserved);
        put_u32(bytes, 12, self.object_id);
        put_u64(bytes, 16, self.val64);
    }
}

/// Reads or sets the IOAS that VFIO's older requests use. (`struct iommu_vfio_ioas`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VfioIoas {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The IOAS to set, or the answer.
    pub ioas_id: u32,
    /// Whether to read, set or clear it.
    pub op: u16,
    /// Must be zero.
    pub reserved: u16,
}

impl VfioIoas {
    /// Bytes of the struct.
    pub const SIZE: usize = 12;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 12;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { size: u32_at(bytes, 0), ioas_id: u32_at(bytes, 4), op: u16_at(bytes, 8), reserved: u16_at(bytes, 10) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.ioas_id);
        put_u16(bytes, 8, self.op);
        put_u16(bytes, 10, self.reserved);
    }
}

/// Makes an I/O address space. (`struct iommu_ioas_alloc`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoasAlloc {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// No flag is defined: must be zero.
    pub flags: u32,
    /// The new IOAS.
    pub out_ioas_id: u32,
}

impl IoasAlloc {
    /// Bytes of the struct.
    pub const SIZE: usize = 12;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 12;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { size: u32_at(bytes, 0), flags: u32_at(bytes, 4), out_ioas_id: u32_at(bytes, 8) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.flags);
        put_u32(bytes, 8, self.out_ioas_id);
    }
}

/// Says where automatic placement may map and which addresses no device may take away. (`struct iommu_ioas_allow_iovas`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoasAllowIovas {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The IOAS.
    pub ioas_id: u32,
    /// Number of ranges.
    pub num_iovas: u32,
    /// Must be zero.
    pub reserved: u32,
    /// Address of the ranges.
    pub allowed_iovas: u64,
}

impl IoasAllowIovas {
    /// Bytes of the struct.
    pub const SIZE: usize = 24;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 24;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            ioas_id: u32_at(bytes, 4),
            num_iovas: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            allowed_iovas: u64_at(bytes, 16),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.ioas_id);
        put_u32(bytes, 8, self.num_iovas);
        put_u32(bytes, 12, self.reserved);
        put_u64(bytes, 16, self.allowed_iovas);
    }
}

/// Maps memory that another IOAS, or the same, has mapped already. (`struct iommu_ioas_copy`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoasCopy {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// How to place it and what devices may do with it.
    pub flags: u32,
    /// The IOAS to map in.
    pub dst_ioas_id: u32,
    /// The IOAS to copy from.
    pub src_ioas_id: u32,
    /// Bytes to copy.
    pub length: u64,
    /// Where to map, with FIXED_IOVA; the answer is where it was mapped.
    pub dst_iova: u64,
    /// Where it is mapped in the source.
    pub src_iova: u64,
}

impl IoasCopy {
    /// Bytes of the struct.
    pub const SIZE: usize = 40;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 40;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            flags: u32_at(bytes, 4),
            dst_ioas_id: u32_at(bytes, 8),
            src_ioas_id: u32_at(bytes, 12),
            length: u64_at(bytes, 16),
            dst_iova: u64_at(bytes, 24),
            src_iova: u64_at(bytes, 32),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.flags);
        put_u32(bytes, 8, self.dst_ioas_id);
        put_u32(bytes, 12, self.src_ioas_id);
        put_u64(bytes, 16, self.length);
        put_u64(bytes, 24, self.dst_iova);
        put_u64(bytes, 32, self.src_iova);
    }
}

/// Which addresses an IOAS can map with the devices that it has now. (`struct iommu_ioas_iova_ranges`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoasIovaRanges {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The IOAS.
    pub ioas_id: u32,
    /// Room for so many ranges; the answer is how many there are.
    pub num_iovas: u32,
    /// Must be zero.
    pub reserved: u32,
    /// Address for the ranges.
    pub allowed_iovas: u64,
    /// What addresses and lengths of mappings must be multiples of.
    pub out_iova_alignment: u64,
}

impl IoasIovaRanges {
    /// Bytes of the struct.
    pub const SIZE: usize = 32;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 32;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            ioas_id: u32_at(bytes, 4),
            num_iovas: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            allowed_iovas: u64_at(bytes, 16),
            out_iova_alignment: u64_at(bytes, 24),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.ioas_id);
        put_u32(bytes, 8, self.num_iovas);
        put_u32(bytes, 12, self.reserved);
        put_u64(bytes, 16, self.allowed_iovas);
        put_u64(bytes, 24, self.out_iova_alignment);
    }
}

/// Maps memory of the process. (`struct iommu_ioas_map`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoasMap {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// How to place it and what devices may do with it.
    pub flags: u32,
    /// The IOAS.
    pub ioas_id: u32,
    /// Must be zero.
    pub reserved: u32,
    /// Address of the memory in the process.
    pub user_va: u64,
    /// Bytes to map.
    pub length: u64,
    /// Where to map, with FIXED_IOVA; the answer is where it was mapped.
    pub iova: u64,
}

impl IoasMap {
    /// Bytes of the struct.
    pub const SIZE: usize = 40;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 40;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            flags: u32_at(bytes, 4),
            ioas_id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            user_va: u64_at(bytes, 16),
            length: u64_at(bytes, 24),
            iova: u64_at(bytes, 32),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.flags);
        put_u32(bytes, 8, self.ioas_id);
        put_u32(bytes, 12, self.reserved);
        put_u64(bytes, 16, self.user_va);
        put_u64(bytes, 24, self.length);
        put_u64(bytes, 32, self.iova);
    }
}

/// Maps memory of a memfd. (`struct iommu_ioas_map_file`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoasMapFile {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// How to place it and what devices may do with it.
    pub flags: u32,
    /// The IOAS.
    pub ioas_id: u32,
    /// The memfd.
    pub fd: i32,
    /// Where in the file the mapping begins.
    pub start: u64,
    /// Bytes to map.
    pub length: u64,
    /// Where to map, with FIXED_IOVA; the answer is where it was mapped.
    pub iova: u64,
}

impl IoasMapFile {
    /// Bytes of the struct.
    pub const SIZE: usize = 40;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 40;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            flags: u32_at(bytes, 4),
            ioas_id: u32_at(bytes, 8),
            fd: i32_at(bytes, 12),
            start: u64_at(bytes, 16),
            length: u64_at(bytes, 24),
            iova: u64_at(bytes, 32),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.flags);
        put_u32(bytes, 8, self.ioas_id);
        put_i32(bytes, 12, self.fd);
        put_u64(bytes, 16, self.start);
        put_u64(bytes, 24, self.length);
        put_u64(bytes, 32, self.iova);
    }
}

/// Unmaps whole mappings. (`struct iommu_ioas_unmap`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoasUnmap {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The IOAS.
    pub ioas_id: u32,
    /// First address; 0 with a length of 2^64 − 1 is everything.
    pub iova: u64,
    /// Bytes to unmap; the answer is how many were mapped.
    pub length: u64,
}

impl IoasUnmap {
    /// Bytes of the struct.
    pub const SIZE: usize = 24;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 24;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { size: u32_at(bytes, 0), ioas_id: u32_at(bytes, 4), iova: u64_at(bytes, 8), length: u64_at(bytes, 16) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.ioas_id);
        put_u64(bytes, 8, self.iova);
        put_u64(bytes, 16, self.length);
    }
}

/// Charges the pinned memory of all mappings to the calling process. (`struct iommu_ioas_change_process`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoasChangeProcess {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// Must be zero.
    pub reserved: u32,
}

impl IoasChangeProcess {
    /// Bytes of the struct.
    pub const SIZE: usize = 8;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 8;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { size: u32_at(bytes, 0), reserved: u32_at(bytes, 4) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.reserved);
    }
}

/// The physical address behind an IOVA, for devices without an IOMMU. (`struct iommu_ioas_noiommu_get_pa`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoasNoiommuGetPa {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// No flag is defined: must be zero.
    pub flags: u32,
    /// The IOAS.
    pub ioas_id: u32,
    /// Must be zero.
    pub reserved: u32,
    /// The address.
    pub iova: u64,
    /// Bytes asked for; the answer is how many of them are contiguous.
    pub length: u64,
    /// The physical address.
    pub out_phys: u64,
}

impl IoasNoiommuGetPa {
    /// Bytes of the struct.
    pub const SIZE: usize = 40;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 40;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            flags: u32_at(bytes, 4),
            ioas_id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            iova: u64_at(bytes, 16),
            length: u64_at(bytes, 24),
            out_phys: u64_at(bytes, 32),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.flags);
        put_u32(bytes, 8, self.ioas_id);
        put_u32(bytes, 12, self.reserved);
        put_u64(bytes, 16, self.iova);
        put_u64(bytes, 24, self.length);
        put_u64(bytes, 32, self.out_phys);
    }
}

/// Makes a hardware page table. (`struct iommu_hwpt_alloc`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HwptAlloc {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// What the page table must be able to do.
    pub flags: u32,
    /// The device whose IOMMU it is for.
    pub dev_id: u32,
    /// What it shows: an IOAS, or nested on a page table or virtual IOMMU.
    pub pt_id: u32,
    /// The new page table.
    pub out_hwpt_id: u32,
    /// Must be zero.
    pub reserved: u32,
    /// Whose layout the data has.
    pub data_type: u32,
    /// Bytes of data.
    pub data_len: u32,
    /// Address of the data.
    pub data_uptr: u64,
    /// The fault queue, with FAULT_ID_VALID.
    pub fault_id: u32,
    /// Must be zero.
    pub reserved2: u32,
}

impl HwptAlloc {
    /// Bytes of the struct.
    pub const SIZE: usize = 48;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 24;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            flags: u32_at(bytes, 4),
            dev_id: u32_at(bytes, 8),
            pt_id: u32_at(bytes, 12),
            out_hwpt_id: u32_at(bytes, 16),
            reserved: u32_at(bytes, 20),
            data_type: u32_at(bytes, 24),
            data_len: u32_at(bytes, 28),
            data_uptr: u64_at(bytes, 32),
            fault_id: u32_at(bytes, 40),
            reserved2: u32_at(bytes, 44),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.flags);
        put_u32(bytes, 8, self.dev_id);
        put_u32(bytes, 12, self.pt_id);
        put_u32(bytes, 16, self.out_hwpt_id);
        put_u32(bytes, 20, self.reserved);
        put_u32(bytes, 24, self.data_type);
        put_u32(bytes, 28, self.data_len);
        put_u64(bytes, 32, self.data_uptr);
        put_u32(bytes, 40, self.fault_id);
        put_u32(bytes, 44, self.reserved2);
    }
}

/// What the IOMMU of a device is and can do. (`struct iommu_hw_info`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HwInfo {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// Whether a type of answer is asked for.
    pub flags: u32,
    /// The device.
    pub dev_id: u32,
    /// Bytes of room for data; the answer is how many the kernel has.
    pub data_len: u32,
    /// Address for the data.
    pub data_uptr: u64,
    /// The type asked for, with INPUT_TYPE; the answer's type.
    pub data_type: u32,
    /// Bits of a PASID, 0 without them.
    pub out_max_pasid_log2: u8,
    /// Must be zero.
    pub reserved: [u8; 3],
    /// What the IOMMU can do.
    pub out_capabilities: u64,
}

impl HwInfo {
    /// Bytes of the struct.
    pub const SIZE: usize = 40;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 32;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            flags: u32_at(bytes, 4),
            dev_id: u32_at(bytes, 8),
            data_len: u32_at(bytes, 12),
            data_uptr: u64_at(bytes, 16),
            data_type: u32_at(bytes, 24),
            out_max_pasid_log2: u8_at(bytes, 28),
            reserved: [u8_at(bytes, 29), u8_at(bytes, 30), u8_at(bytes, 31)],
            out_capabilities: u64_at(bytes, 32),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.flags);
        put_u32(bytes, 8, self.dev_id);
        put_u32(bytes, 12, self.data_len);
        put_u64(bytes, 16, self.data_uptr);
        put_u32(bytes, 24, self.data_type);
        put_u8(bytes, 28, self.out_max_pasid_log2);
        put_u8(bytes, 29, self.reserved[0]);
        put_u8(bytes, 30, self.reserved[1]);
        put_u8(bytes, 31, self.reserved[2]);
        put_u64(bytes, 32, self.out_capabilities);
    }
}

/// Starts or stops noting which pages devices write. (`struct iommu_hwpt_set_dirty_tracking`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HwptSetDirtyTracking {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// Whether writes are tracked.
    pub flags: u32,
    /// The page table.
    pub hwpt_id: u32,
    /// Must be zero.
    pub reserved: u32,
}

impl HwptSetDirtyTracking {
    /// Bytes of the struct.
    pub const SIZE: usize = 16;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 16;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { size: u32_at(bytes, 0), flags: u32_at(bytes, 4), hwpt_id: u32_at(bytes, 8), reserved: u32_at(bytes, 12) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.flags);
        put_u32(bytes, 8, self.hwpt_id);
        put_u32(bytes, 12, self.reserved);
    }
}

/// Which pages devices have written. (`struct iommu_hwpt_get_dirty_bitmap`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HwptGetDirtyBitmap {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The page table.
    pub hwpt_id: u32,
    /// Whether the dirty bits stay set.
    pub flags: u32,
    /// Must be zero.
    pub reserved: u32,
    /// First address.
    pub iova: u64,
    /// Bytes asked for.
    pub length: u64,
    /// Bytes that one bit stands for.
    pub page_size: u64,
    /// Address of the bits, which are set and never cleared.
    pub data: u64,
}

impl HwptGetDirtyBitmap {
    /// Bytes of the struct.
    pub const SIZE: usize = 48;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 48;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            hwpt_id: u32_at(bytes, 4),
            flags: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            iova: u64_at(bytes, 16),
            length: u64_at(bytes, 24),
            page_size: u64_at(bytes, 32),
            data: u64_at(bytes, 40),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.hwpt_id);
        put_u32(bytes, 8, self.flags);
        put_u32(bytes, 12, self.reserved);
        put_u64(bytes, 16, self.iova);
        put_u64(bytes, 24, self.length);
        put_u64(bytes, 32, self.page_size);
        put_u64(bytes, 40, self.data);
    }
}

/// Makes an IOMMU forget what it cached of a page table that the user keeps. (`struct iommu_hwpt_invalidate`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HwptInvalidate {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The nested page table or virtual IOMMU.
    pub hwpt_id: u32,
    /// Address of the entries.
    pub data_uptr: u64,
    /// Whose layout the entries have.
    pub data_type: u32,
    /// Bytes of an entry.
    pub entry_len: u32,
    /// Number of entries; the answer is how many were done.
    pub entry_num: u32,
    /// Must be zero.
    pub reserved: u32,
}

impl HwptInvalidate {
    /// Bytes of the struct.
    pub const SIZE: usize = 32;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 32;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            hwpt_id: u32_at(bytes, 4),
            data_uptr: u64_at(bytes, 8),
            data_type: u32_at(bytes, 16),
            entry_len: u32_at(bytes, 20),
            entry_num: u32_at(bytes, 24),
            reserved: u32_at(bytes, 28),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.hwpt_id);
        put_u64(bytes, 8, self.data_uptr);
        put_u32(bytes, 16, self.data_type);
        put_u32(bytes, 20, self.entry_len);
        put_u32(bytes, 24, self.entry_num);
        put_u32(bytes, 28, self.reserved);
    }
}

/// Makes a queue for page faults. (`struct iommu_fault_alloc`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultAlloc {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// No flag is defined: must be zero.
    pub flags: u32,
    /// The new queue.
    pub out_fault_id: u32,
    /// Its file.
    pub out_fault_fd: u32,
}

impl FaultAlloc {
    /// Bytes of the struct.
    pub const SIZE: usize = 16;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 16;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { size: u32_at(bytes, 0), flags: u32_at(bytes, 4), out_fault_id: u32_at(bytes, 8), out_fault_fd: u32_at(bytes, 12) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.flags);
        put_u32(bytes, 8, self.out_fault_id);
        put_u32(bytes, 12, self.out_fault_fd);
    }
}

/// Makes a virtual IOMMU: a guest's share of a physical one. (`struct iommu_viommu_alloc`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ViommuAlloc {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// No flag is defined: must be zero.
    pub flags: u32,
    /// Which kind.
    pub r#type: u32,
    /// The device whose IOMMU it is a share of.
    pub dev_id: u32,
    /// The nesting parent.
    pub hwpt_id: u32,
    /// The new virtual IOMMU.
    pub out_viommu_id: u32,
    /// Bytes of data.
    pub data_len: u32,
    /// Must be zero.
    pub reserved: u32,
    /// Address of the data of this kind.
    pub data_uptr: u64,
}

impl ViommuAlloc {
    /// Bytes of the struct.
    pub const SIZE: usize = 40;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 24;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            flags: u32_at(bytes, 4),
            r#type: u32_at(bytes, 8),
            dev_id: u32_at(bytes, 12),
            hwpt_id: u32_at(bytes, 16),
            out_viommu_id: u32_at(bytes, 20),
            data_len: u32_at(bytes, 24),
            reserved: u32_at(bytes, 28),
            data_uptr: u64_at(bytes, 32),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.flags);
        put_u32(bytes, 8, self.r#type);
        put_u32(bytes, 12, self.dev_id);
        put_u32(bytes, 16, self.hwpt_id);
        put_u32(bytes, 20, self.out_viommu_id);
        put_u32(bytes, 24, self.data_len);
        put_u32(bytes, 28, self.reserved);
        put_u64(bytes, 32, self.data_uptr);
    }
}

/// Makes a device known to a virtual IOMMU. (`struct iommu_vdevice_alloc`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VdeviceAlloc {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The virtual IOMMU.
    pub viommu_id: u32,
    /// The device.
    pub dev_id: u32,
    /// The new virtual device.
    pub out_vdevice_id: u32,
    /// What the guest calls it.
    pub virt_id: u64,
}

impl VdeviceAlloc {
    /// Bytes of the struct.
    pub const SIZE: usize = 24;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 24;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            viommu_id: u32_at(bytes, 4),
            dev_id: u32_at(bytes, 8),
            out_vdevice_id: u32_at(bytes, 12),
            virt_id: u64_at(bytes, 16),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.viommu_id);
        put_u32(bytes, 8, self.dev_id);
        put_u32(bytes, 12, self.out_vdevice_id);
        put_u64(bytes, 16, self.virt_id);
    }
}

/// Makes a queue for the events of a virtual IOMMU. (`struct iommu_veventq_alloc`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VeventqAlloc {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// No flag is defined: must be zero.
    pub flags: u32,
    /// The virtual IOMMU.
    pub viommu_id: u32,
    /// Which kind of events.
    pub r#type: u32,
    /// Events that the queue holds.
    pub veventq_depth: u32,
    /// The new queue.
    pub out_veventq_id: u32,
    /// Its file.
    pub out_veventq_fd: u32,
    /// Must be zero.
    pub reserved: u32,
}

impl VeventqAlloc {
    /// Bytes of the struct.
    pub const SIZE: usize = 32;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 28;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            flags: u32_at(bytes, 4),
            viommu_id: u32_at(bytes, 8),
            r#type: u32_at(bytes, 12),
            veventq_depth: u32_at(bytes, 16),
            out_veventq_id: u32_at(bytes, 20),
            out_veventq_fd: u32_at(bytes, 24),
            reserved: u32_at(bytes, 28),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.flags);
        put_u32(bytes, 8, self.viommu_id);
        put_u32(bytes, 12, self.r#type);
        put_u32(bytes, 16, self.veventq_depth);
        put_u32(bytes, 20, self.out_veventq_id);
        put_u32(bytes, 24, self.out_veventq_fd);
        put_u32(bytes, 28, self.reserved);
    }
}

/// Lets the hardware work on a queue in a guest's memory. (`struct iommu_hw_queue_alloc`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HwQueueAlloc {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// No flag is defined: must be zero.
    pub flags: u32,
    /// The virtual IOMMU.
    pub viommu_id: u32,
    /// Which kind of queue.
    pub r#type: u32,
    /// Which queue of this kind.
    pub index: u32,
    /// The new queue object.
    pub out_hw_queue_id: u32,
    /// Where the guest has the queue's memory.
    pub nesting_parent_iova: u64,
    /// Bytes of that memory.
    pub length: u64,
}

impl HwQueueAlloc {
    /// Bytes of the struct.
    pub const SIZE: usize = 40;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 40;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            flags: u32_at(bytes, 4),
            viommu_id: u32_at(bytes, 8),
            r#type: u32_at(bytes, 12),
            index: u32_at(bytes, 16),
            out_hw_queue_id: u32_at(bytes, 20),
            nesting_parent_iova: u64_at(bytes, 24),
            length: u64_at(bytes, 32),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.flags);
        put_u32(bytes, 8, self.viommu_id);
        put_u32(bytes, 12, self.r#type);
        put_u32(bytes, 16, self.index);
        put_u32(bytes, 20, self.out_hw_queue_id);
        put_u64(bytes, 24, self.nesting_parent_iova);
        put_u64(bytes, 32, self.length);
    }
}

/// A range of I/O virtual addresses. (`struct iommu_iova_range`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IovaRange {
    /// First address.
    pub start: u64,
    /// Last address, inclusive.
    pub last: u64,
}

impl IovaRange {
    /// Bytes of the struct.
    pub const SIZE: usize = 16;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 16;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { start: u64_at(bytes, 0), last: u64_at(bytes, 8) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u64(bytes, 0, self.start);
        put_u64(bytes, 8, self.last);
    }
}

/// A stage-1 page table of VT-d that the user keeps. (`struct iommu_hwpt_vtd_s1`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HwptVtdS1 {
    /// Options of the page table.
    pub flags: u64,
    /// Address of its root, translated by the nesting parent.
    pub pgtbl_addr: u64,
    /// Bits of the addresses that it translates.
    pub addr_width: u32,
    /// Must be zero.
    pub reserved: u32,
}

impl HwptVtdS1 {
    /// Bytes of the struct.
    pub const SIZE: usize = 24;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 24;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { flags: u64_at(bytes, 0), pgtbl_addr: u64_at(bytes, 8), addr_width: u32_at(bytes, 16), reserved: u32_at(bytes, 20) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u64(bytes, 0, self.flags);
        put_u64(bytes, 8, self.pgtbl_addr);
        put_u32(bytes, 16, self.addr_width);
        put_u32(bytes, 20, self.reserved);
    }
}

/// The user's part of a stream table entry of SMMUv3. (`struct iommu_hwpt_arm_smmuv3`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HwptArmSmmuv3 {
    /// The first two double words of the entry.
    pub ste: [u64; 2],
}

impl HwptArmSmmuv3 {
    /// Bytes of the struct.
    pub const SIZE: usize = 16;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 16;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { ste: [u64_at(bytes, 0), u64_at(bytes, 8)] }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u64(bytes, 0, self.ste[0]);
        put_u64(bytes, 8, self.ste[1]);
    }
}

/// The guest's device table entry of an AMD IOMMU. (`struct iommu_hwpt_amd_guest`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HwptAmdGuest {
    /// The entry.
    pub dte: [u64; 4],
}

impl HwptAmdGuest {
    /// Bytes of the struct.
    pub const SIZE: usize = 32;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 32;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { dte: [u64_at(bytes, 0), u64_at(bytes, 8), u64_at(bytes, 16), u64_at(bytes, 24)] }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u64(bytes, 0, self.dte[0]);
        put_u64(bytes, 8, self.dte[1]);
        put_u64(bytes, 16, self.dte[2]);
        put_u64(bytes, 24, self.dte[3]);
    }
}

/// One invalidation in a stage-1 page table of VT-d. (`struct iommu_hwpt_vtd_s1_invalidate`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HwptVtdS1Invalidate {
    /// First address, a multiple of 4096.
    pub addr: u64,
    /// Pages of 4096 bytes; 2^64 − 1 from address 0 is everything.
    pub npages: u64,
    /// Whether only leaf entries are meant.
    pub flags: u32,
    /// Must be zero.
    pub reserved: u32,
}

impl HwptVtdS1Invalidate {
    /// Bytes of the struct.
    pub const SIZE: usize = 24;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 24;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { addr: u64_at(bytes, 0), npages: u64_at(bytes, 8), flags: u32_at(bytes, 16), reserved: u32_at(bytes, 20) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u64(bytes, 0, self.addr);
        put_u64(bytes, 8, self.npages);
        put_u32(bytes, 16, self.flags);
        put_u32(bytes, 20, self.reserved);
    }
}

/// One invalidation command of SMMUv3. (`struct iommu_viommu_arm_smmuv3_invalidate`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ViommuArmSmmuv3Invalidate {
    /// The command as it would stand in the command queue.
    pub cmd: [u64; 2],
}

impl ViommuArmSmmuv3Invalidate {
    /// Bytes of the struct.
    pub const SIZE: usize = 16;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 16;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { cmd: [u64_at(bytes, 0), u64_at(bytes, 8)] }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u64(bytes, 0, self.cmd[0]);
        put_u64(bytes, 8, self.cmd[1]);
    }
}

/// What an IOMMU of VT-d says of itself. (`struct iommu_hw_info_vtd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HwInfoVtd {
    /// Errata.
    pub flags: u32,
    /// Zero.
    pub reserved: u32,
    /// The capability register.
    pub cap_reg: u64,
    /// The extended capability register.
    pub ecap_reg: u64,
}

impl HwInfoVtd {
    /// Bytes of the struct.
    pub const SIZE: usize = 24;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 24;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { flags: u32_at(bytes, 0), reserved: u32_at(bytes, 4), cap_reg: u64_at(bytes, 8), ecap_reg: u64_at(bytes, 16) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.flags);
        put_u32(bytes, 4, self.reserved);
        put_u64(bytes, 8, self.cap_reg);
        put_u64(bytes, 16, self.ecap_reg);
    }
}

/// What an SMMUv3 says of itself. (`struct iommu_hw_info_arm_smmuv3`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HwInfoArmSmmuv3 {
    /// Errata.
    pub flags: u32,
    /// Zero.
    pub reserved: u32,
    /// Registers IDR0 to IDR5.
    pub idr: [u32; 6],
    /// Implementer and implementation.
    pub iidr: u32,
    /// Version of the architecture.
    pub aidr: u32,
}

impl HwInfoArmSmmuv3 {
    /// Bytes of the struct.
    pub const SIZE: usize = 40;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 40;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            flags: u32_at(bytes, 0),
            reserved: u32_at(bytes, 4),
            idr: [u32_at(bytes, 8), u32_at(bytes, 12), u32_at(bytes, 16), u32_at(bytes, 20), u32_at(bytes, 24), u32_at(bytes, 28)],
            iidr: u32_at(bytes, 32),
            aidr: u32_at(bytes, 36),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.flags);
        put_u32(bytes, 4, self.reserved);
        put_u32(bytes, 8, self.idr[0]);
        put_u32(bytes, 12, self.idr[1]);
        put_u32(bytes, 16, self.idr[2]);
        put_u32(bytes, 20, self.idr[3]);
        put_u32(bytes, 24, self.idr[4]);
        put_u32(bytes, 28, self.idr[5]);
        put_u32(bytes, 32, self.iidr);
        put_u32(bytes, 36, self.aidr);
    }
}

/// What the command queue virtualisation of Tegra241 says of itself. (`struct iommu_hw_info_tegra241_cmdqv`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HwInfoTegra241Cmdqv {
    /// No flag is defined.
    pub flags: u32,
    /// Version.
    pub version: u8,
    /// Log2 of the number of virtual command queues.
    pub log2vcmdqs: u8,
    /// Log2 of the number of stream ids that can be replaced.
    pub log2vsids: u8,
    /// Zero.
    pub reserved: u8,
}

impl HwInfoTegra241Cmdqv {
    /// Bytes of the struct.
    pub const SIZE: usize = 8;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 8;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            flags: u32_at(bytes, 0),
            version: u8_at(bytes, 4),
            log2vcmdqs: u8_at(bytes, 5),
            log2vsids: u8_at(bytes, 6),
            reserved: u8_at(bytes, 7),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.flags);
        put_u8(bytes, 4, self.version);
        put_u8(bytes, 5, self.log2vcmdqs);
        put_u8(bytes, 6, self.log2vsids);
        put_u8(bytes, 7, self.reserved);
    }
}

/// What an AMD IOMMU says of itself. (`struct iommu_hw_info_amd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HwInfoAmd {
    /// The extended feature register.
    pub efr: u64,
    /// The second extended feature register.
    pub efr2: u64,
}

impl HwInfoAmd {
    /// Bytes of the struct.
    pub const SIZE: usize = 16;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 16;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { efr: u64_at(bytes, 0), efr2: u64_at(bytes, 8) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u64(bytes, 0, self.efr);
        put_u64(bytes, 8, self.efr2);
    }
}

/// Where the queues of a virtual IOMMU of Tegra241 can be mapped. (`struct iommu_viommu_tegra241_cmdqv`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ViommuTegra241Cmdqv {
    /// Offset for mmap of the iommufd.
    pub out_vintf_mmap_offset: u64,
    /// Bytes to map.
    pub out_vintf_mmap_length: u64,
}

impl ViommuTegra241Cmdqv {
    /// Bytes of the struct.
    pub const SIZE: usize = 16;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 16;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { out_vintf_mmap_offset: u64_at(bytes, 0), out_vintf_mmap_length: u64_at(bytes, 8) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u64(bytes, 0, self.out_vintf_mmap_offset);
        put_u64(bytes, 8, self.out_vintf_mmap_length);
    }
}

/// A page fault, as read from a fault queue's file. (`struct iommu_hwpt_pgfault`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HwptPgfault {
    /// What the record says.
    pub flags: u32,
    /// The device.
    pub dev_id: u32,
    /// The PASID, if the flag says so.
    pub pasid: u32,
    /// The group of faults that it belongs to.
    pub grpid: u32,
    /// What the access wanted.
    pub perm: u32,
    /// Zero.
    pub reserved: u32,
    /// The address.
    pub addr: u64,
    /// Bytes that the device expects to need, 0 if it does not say.
    pub length: u32,
    /// Names the group in the response.
    pub cookie: u32,
}

impl HwptPgfault {
    /// Bytes of the struct.
    pub const SIZE: usize = 40;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 40;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            flags: u32_at(bytes, 0),
            dev_id: u32_at(bytes, 4),
            pasid: u32_at(bytes, 8),
            grpid: u32_at(bytes, 12),
            perm: u32_at(bytes, 16),
            reserved: u32_at(bytes, 20),
            addr: u64_at(bytes, 24),
            length: u32_at(bytes, 32),
            cookie: u32_at(bytes, 36),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.flags);
        put_u32(bytes, 4, self.dev_id);
        put_u32(bytes, 8, self.pasid);
        put_u32(bytes, 12, self.grpid);
        put_u32(bytes, 16, self.perm);
        put_u32(bytes, 20, self.reserved);
        put_u64(bytes, 24, self.addr);
        put_u32(bytes, 32, self.length);
        put_u32(bytes, 36, self.cookie);
    }
}

/// The answer to a group of page faults, as written to a fault queue's file. (`struct iommu_hwpt_page_response`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HwptPageResponse {
    /// The cookie of the group.
    pub cookie: u32,
    /// Whether the access shall be tried again.
    pub code: u32,
}

impl HwptPageResponse {
    /// Bytes of the struct.
    pub const SIZE: usize = 8;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 8;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { cookie: u32_at(bytes, 0), code: u32_at(bytes, 4) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.cookie);
        put_u32(bytes, 4, self.code);
    }
}

/// Begins each event read from an event queue's file. (`struct iommufd_vevent_header`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VeventHeader {
    /// Whether events were lost.
    pub flags: u32,
    /// Number of the event, lost ones included, from 0 to 2^31 − 1.
    pub sequence: u32,
}

impl VeventHeader {
    /// Bytes of the struct.
    pub const SIZE: usize = 8;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 8;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { flags: u32_at(bytes, 0), sequence: u32_at(bytes, 4) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.flags);
        put_u32(bytes, 4, self.sequence);
    }
}

/// An event of SMMUv3. (`struct iommu_vevent_arm_smmuv3`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VeventArmSmmuv3 {
    /// The event record.
    pub evt: [u64; 4],
}

impl VeventArmSmmuv3 {
    /// Bytes of the struct.
    pub const SIZE: usize = 32;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 32;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { evt: [u64_at(bytes, 0), u64_at(bytes, 8), u64_at(bytes, 16), u64_at(bytes, 24)] }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u64(bytes, 0, self.evt[0]);
        put_u64(bytes, 8, self.evt[1]);
        put_u64(bytes, 16, self.evt[2]);
        put_u64(bytes, 24, self.evt[3]);
    }
}

/// An error interrupt of Tegra241's command queues. (`struct iommu_vevent_tegra241_cmdqv`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VeventTegra241Cmdqv {
    /// One bit for each queue in error.
    pub lvcmdq_err_map: [u64; 2],
}

impl VeventTegra241Cmdqv {
    /// Bytes of the struct.
    pub const SIZE: usize = 16;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 16;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { lvcmdq_err_map: [u64_at(bytes, 0), u64_at(bytes, 8)] }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u64(bytes, 0, self.lvcmdq_err_map[0]);
        put_u64(bytes, 8, self.lvcmdq_err_map[1]);
    }
}
