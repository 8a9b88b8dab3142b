// GENERATED from uapi/schema by `deno task generate`, do not edit. Source hash: e4797ac1a0668d8e
//! The request of a kernel that was built to test iommufd.

use crate::bytes::{i32_at, put_i32, put_u32, put_u64, u32_at, u64_at};

/// Request: Test iommufd with devices and an IOMMU that do not exist.
pub const TEST_CMD: u32 = 0x3ba0;
/// How an access object pins pages.
pub const MOCK_FLAGS_ACCESS_WRITE: u32 = 1;
/// How an access object pins pages.
pub const MOCK_FLAGS_ACCESS_SYZ: u32 = 0x10000;
/// How an access object copies.
pub const MOCK_ACCESS_RW_WRITE: u32 = 1;
/// How an access object copies.
pub const MOCK_ACCESS_RW_SLOW_PATH: u32 = 4;
/// How many entries the caches of a mock IOMMU and of a mock device have.
pub const MOCK_NESTED_DOMAIN_IOTLB_ID_MAX: u32 = 3;
/// How many entries the caches of a mock IOMMU and of a mock device have.
pub const MOCK_NESTED_DOMAIN_IOTLB_NUM: u32 = 4;
/// How many entries the caches of a mock IOMMU and of a mock device have.
pub const MOCK_DEV_CACHE_ID_MAX: u32 = 3;
/// How many entries the caches of a mock IOMMU and of a mock device have.
pub const MOCK_DEV_CACHE_NUM: u32 = 4;
/// How an access object uses memory.
pub const MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES: u32 = 1;
/// What a mock device lacks or has.
pub const MOCK_FLAGS_DEVICE_NO_DIRTY: u32 = 1;
/// What a mock device lacks or has.
pub const MOCK_FLAGS_DEVICE_PASID: u32 = 4;
/// What a mock IOMMU's page table of the default kind can translate.
pub const MOCK_APERTURE_START: u32 = 0x1000000;
/// What a mock IOMMU's page table of the default kind can translate.
pub const MOCK_APERTURE_LAST: u32 = 0x7fffffff;
/// What a mock IOMMU's page table of the default kind can translate.
pub const MOCK_PAGE_SIZE: u32 = 0x800;
/// What a mock IOMMU's page table of the default kind can translate.
pub const MOCK_HUGE_PAGE_SIZE: u32 = 0x100000;
/// Kinds of page table of a mock IOMMU.
pub const MOCK_IOMMUPT_DEFAULT: u32 = 0;
/// Kinds of page table of a mock IOMMU.
pub const MOCK_IOMMUPT_HUGE: u32 = 1;
/// Bits of a PASID of a mock device.
pub const MOCK_PASID_WIDTH: u32 = 0x14;
/// What an invalidation of the mock IOMMU reaches.
pub const TEST_INVALIDATE_FLAG_ALL: u32 = 1;
/// What a test request does.
pub const TEST_OP_ADD_RESERVED: u32 = 1;
/// What a test request does.
pub const TEST_OP_MOCK_DOMAIN: u32 = 2;
/// What a test request does.
pub const TEST_OP_MD_CHECK_MAP: u32 = 3;
/// What a test request does.
pub const TEST_OP_MD_CHECK_REFS: u32 = 4;
/// What a test request does.
pub const TEST_OP_CREATE_ACCESS: u32 = 5;
/// What a test request does.
pub const TEST_OP_DESTROY_ACCESS_PAGES: u32 = 6;
/// What a test request does.
pub const TEST_OP_ACCESS_PAGES: u32 = 7;
/// What a test request does.
pub const TEST_OP_ACCESS_RW: u32 = 8;
/// What a test request does.
pub const TEST_OP_SET_TEMP_MEMORY_LIMIT: u32 = 9;
/// What a test request does.
pub const TEST_OP_MOCK_DOMAIN_REPLACE: u32 = 0xa;
/// What a test request does.
pub const TEST_OP_ACCESS_REPLACE_IOAS: u32 = 0xb;
/// What a test request does.
pub const TEST_OP_MOCK_DOMAIN_FLAGS: u32 = 0xc;
/// What a test request does.
pub const TEST_OP_DIRTY: u32 = 0xd;
/// What a test request does.
pub const TEST_OP_MD_CHECK_IOTLB: u32 = 0xe;
/// What a test request does.
pub const TEST_OP_TRIGGER_IOPF: u32 = 0xf;
/// What a test request does.
pub const TEST_OP_DEV_CHECK_CACHE: u32 = 0x10;
/// What a test request does.
pub const TEST_OP_TRIGGER_VEVENT: u32 = 0x11;
/// What a test request does.
pub const TEST_OP_PASID_ATTACH: u32 = 0x12;
/// What a test request does.
pub const TEST_OP_PASID_REPLACE: u32 = 0x13;
/// What a test request does.
pub const TEST_OP_PASID_DETACH: u32 = 0x14;
/// What a test request does.
pub const TEST_OP_PASID_CHECK_HWPT: u32 = 0x15;
/// What a test request does.
pub const TEST_OP_DMABUF_GET: u32 = 0x16;
/// What a test request does.
pub const TEST_OP_DMABUF_REVOKE: u32 = 0x17;
/// Types and first values of the mock IOMMU.
pub const TEST_PASID_RESERVED: u32 = 0x400;
/// Types and first values of the mock IOMMU.
pub const HW_INFO_TYPE_SELFTEST: u32 = 0xfeedbeef;
/// Types and first values of the mock IOMMU.
pub const HW_INFO_SELFTEST_REGVAL: u32 = 0xdeadbeef;
/// Types and first values of the mock IOMMU.
pub const HWPT_DATA_SELFTEST: u32 = 0xdead;
/// Types and first values of the mock IOMMU.
pub const TEST_IOTLB_DEFAULT: u32 = 0xbadbeef;
/// Types and first values of the mock IOMMU.
pub const TEST_DEV_CACHE_DEFAULT: u32 = 0xbaddad;
/// Types and first values of the mock IOMMU.
pub const HWPT_INVALIDATE_DATA_SELFTEST: u32 = 0xdeadbeef;
/// Types and first values of the mock IOMMU.
pub const HWPT_INVALIDATE_DATA_SELFTEST_INVALID: u32 = 0xdadbeef;
/// Types and first values of the mock IOMMU.
pub const VIOMMU_TYPE_SELFTEST: u32 = 0xdeadbeef;
/// Types and first values of the mock IOMMU.
pub const VIOMMU_INVALIDATE_DATA_SELFTEST: u32 = 0xdeadbeef;
/// Types and first values of the mock IOMMU.
pub const VIOMMU_INVALIDATE_DATA_SELFTEST_INVALID: u32 = 0xdadbeef;
/// Types and first values of the mock IOMMU.
pub const VEVENTQ_TYPE_SELFTEST: u32 = 0xbeefbeef;
/// Types and first values of the mock IOMMU.
pub const HW_QUEUE_TYPE_SELFTEST: u32 = 0xdeadbeef;
/// Types and first values of the mock IOMMU.
pub const TEST_HW_QUEUE_MAX: u32 = 2;

/// What all operations of the test request have in common. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestCmd {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// What it works on.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// Arguments and answers of the operation.
    pub data: [u64; 6],
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestCmd {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 68;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            data: [u64_at(bytes, 16), u64_at(bytes, 24), u64_at(bytes, 32), u64_at(bytes, 40), u64_at(bytes, 48), u64_at(bytes, 56)],
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_u64(bytes, 16, self.data[0]);
        put_u64(bytes, 24, self.data[1]);
        put_u64(bytes, 32, self.data[2]);
        put_u64(bytes, 40, self.data[3]);
        put_u64(bytes, 48, self.data[4]);
        put_u64(bytes, 56, self.data[5]);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// Reserves addresses of an IOAS. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestAddReserved {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// The IOAS.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// First address.
    pub start: u64,
    /// Bytes.
    pub length: u64,
    /// Not read.
    pub unused: [u32; 8],
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestAddReserved {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 72;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            start: u64_at(bytes, 16),
            length: u64_at(bytes, 24),
            unused: [
                u32_at(bytes, 32),
                u32_at(bytes, 36),
                u32_at(bytes, 40),
                u32_at(bytes, 44),
                u32_at(bytes, 48),
                u32_at(bytes, 52),
                u32_at(bytes, 56),
                u32_at(bytes, 60),
            ],
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_u64(bytes, 16, self.start);
        put_u64(bytes, 24, self.length);
        put_u32(bytes, 32, self.unused[0]);
        put_u32(bytes, 36, self.unused[1]);
        put_u32(bytes, 40, self.unused[2]);
        put_u32(bytes, 44, self.unused[3]);
        put_u32(bytes, 48, self.unused[4]);
        put_u32(bytes, 52, self.unused[5]);
        put_u32(bytes, 56, self.unused[6]);
        put_u32(bytes, 60, self.unused[7]);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// Makes a mock device, binds and attaches it. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestMockDomain {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// What to attach the device to.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// The new test object. Destroying it detaches and removes the device.
    pub out_stdev_id: u32,
    /// The page table that the device is attached to.
    pub out_hwpt_id: u32,
    /// The device as bound.
    pub out_idev_id: u32,
    /// Not read.
    pub unused: [u32; 9],
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestMockDomain {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 72;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            out_stdev_id: u32_at(bytes, 16),
            out_hwpt_id: u32_at(bytes, 20),
            out_idev_id: u32_at(bytes, 24),
            unused: [
                u32_at(bytes, 28),
                u32_at(bytes, 32),
                u32_at(bytes, 36),
                u32_at(bytes, 40),
                u32_at(bytes, 44),
                u32_at(bytes, 48),
                u32_at(bytes, 52),
                u32_at(bytes, 56),
                u32_at(bytes, 60),
            ],
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_u32(bytes, 16, self.out_stdev_id);
        put_u32(bytes, 20, self.out_hwpt_id);
        put_u32(bytes, 24, self.out_idev_id);
        put_u32(bytes, 28, self.unused[0]);
        put_u32(bytes, 32, self.unused[1]);
        put_u32(bytes, 36, self.unused[2]);
        put_u32(bytes, 40, self.unused[3]);
        put_u32(bytes, 44, self.unused[4]);
        put_u32(bytes, 48, self.unused[5]);
        put_u32(bytes, 52, self.unused[6]);
        put_u32(bytes, 56, self.unused[7]);
        put_u32(bytes, 60, self.unused[8]);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// Makes a mock device with or without abilities, binds and attaches it. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestMockDomainFlags {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// What to attach the device to.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// The new test object. Destroying it detaches and removes the device.
    pub out_stdev_id: u32,
    /// The page table that the device is attached to.
    pub out_hwpt_id: u32,
    /// The device as bound.
    pub out_idev_id: u32,
    /// What the device lacks or has.
    pub dev_flags: u32,
    /// Not read.
    pub unused: [u32; 8],
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestMockDomainFlags {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 72;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            out_stdev_id: u32_at(bytes, 16),
            out_hwpt_id: u32_at(bytes, 20),
            out_idev_id: u32_at(bytes, 24),
            dev_flags: u32_at(bytes, 28),
            unused: [
                u32_at(bytes, 32),
                u32_at(bytes, 36),
                u32_at(bytes, 40),
                u32_at(bytes, 44),
                u32_at(bytes, 48),
                u32_at(bytes, 52),
                u32_at(bytes, 56),
                u32_at(bytes, 60),
            ],
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_u32(bytes, 16, self.out_stdev_id);
        put_u32(bytes, 20, self.out_hwpt_id);
        put_u32(bytes, 24, self.out_idev_id);
        put_u32(bytes, 28, self.dev_flags);
        put_u32(bytes, 32, self.unused[0]);
        put_u32(bytes, 36, self.unused[1]);
        put_u32(bytes, 40, self.unused[2]);
        put_u32(bytes, 44, self.unused[3]);
        put_u32(bytes, 48, self.unused[4]);
        put_u32(bytes, 52, self.unused[5]);
        put_u32(bytes, 56, self.unused[6]);
        put_u32(bytes, 60, self.unused[7]);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// Attaches a mock device to something else. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestMockDomainReplace {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// The test object.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// What to attach it to; the answer is the page table.
    pub pt_id: u32,
    /// Not read.
    pub unused: [u32; 11],
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestMockDomainReplace {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 72;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            pt_id: u32_at(bytes, 16),
            unused: [
                u32_at(bytes, 20),
                u32_at(bytes, 24),
                u32_at(bytes, 28),
                u32_at(bytes, 32),
                u32_at(bytes, 36),
                u32_at(bytes, 40),
                u32_at(bytes, 44),
                u32_at(bytes, 48),
                u32_at(bytes, 52),
                u32_at(bytes, 56),
                u32_at(bytes, 60),
            ],
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_u32(bytes, 16, self.pt_id);
        put_u32(bytes, 20, self.unused[0]);
        put_u32(bytes, 24, self.unused[1]);
        put_u32(bytes, 28, self.unused[2]);
        put_u32(bytes, 32, self.unused[3]);
        put_u32(bytes, 36, self.unused[4]);
        put_u32(bytes, 40, self.unused[5]);
        put_u32(bytes, 44, self.unused[6]);
        put_u32(bytes, 48, self.unused[7]);
        put_u32(bytes, 52, self.unused[8]);
        put_u32(bytes, 56, self.unused[9]);
        put_u32(bytes, 60, self.unused[10]);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// Fails unless a page table leads to the memory of the process. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestMdCheckMap {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// The page table.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// First address.
    pub iova: u64,
    /// Bytes.
    pub length: u64,
    /// Address of the memory.
    pub uptr: u64,
    /// Not read.
    pub unused: [u32; 6],
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestMdCheckMap {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 72;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            iova: u64_at(bytes, 16),
            length: u64_at(bytes, 24),
            uptr: u64_at(bytes, 32),
            unused: [u32_at(bytes, 40), u32_at(bytes, 44), u32_at(bytes, 48), u32_at(bytes, 52), u32_at(bytes, 56), u32_at(bytes, 60)],
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_u64(bytes, 16, self.iova);
        put_u64(bytes, 24, self.length);
        put_u64(bytes, 32, self.uptr);
        put_u32(bytes, 40, self.unused[0]);
        put_u32(bytes, 44, self.unused[1]);
        put_u32(bytes, 48, self.unused[2]);
        put_u32(bytes, 52, self.unused[3]);
        put_u32(bytes, 56, self.unused[4]);
        put_u32(bytes, 60, self.unused[5]);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// Fails unless pages of the process are pinned so many times. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestMdCheckRefs {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// Not read.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// Bytes.
    pub length: u64,
    /// Address of the memory.
    pub uptr: u64,
    /// How many times each page is pinned.
    pub refs: u32,
    /// Not read.
    pub unused: [u32; 7],
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestMdCheckRefs {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 72;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            length: u64_at(bytes, 16),
            uptr: u64_at(bytes, 24),
            refs: u32_at(bytes, 32),
            unused: [
                u32_at(bytes, 36),
                u32_at(bytes, 40),
                u32_at(bytes, 44),
                u32_at(bytes, 48),
                u32_at(bytes, 52),
                u32_at(bytes, 56),
                u32_at(bytes, 60),
            ],
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_u64(bytes, 16, self.length);
        put_u64(bytes, 24, self.uptr);
        put_u32(bytes, 32, self.refs);
        put_u32(bytes, 36, self.unused[0]);
        put_u32(bytes, 40, self.unused[1]);
        put_u32(bytes, 44, self.unused[2]);
        put_u32(bytes, 48, self.unused[3]);
        put_u32(bytes, 52, self.unused[4]);
        put_u32(bytes, 56, self.unused[5]);
        put_u32(bytes, 60, self.unused[6]);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// Limits the memory that a request may use for its lists of pages. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestSetTempMemoryLimit {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// Not read.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// Bytes.
    pub limit: u32,
    /// Not read.
    pub unused: [u32; 11],
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestSetTempMemoryLimit {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 72;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            limit: u32_at(bytes, 16),
            unused: [
                u32_at(bytes, 20),
                u32_at(bytes, 24),
                u32_at(bytes, 28),
                u32_at(bytes, 32),
                u32_at(bytes, 36),
                u32_at(bytes, 40),
                u32_at(bytes, 44),
                u32_at(bytes, 48),
                u32_at(bytes, 52),
                u32_at(bytes, 56),
                u32_at(bytes, 60),
            ],
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_u32(bytes, 16, self.limit);
        put_u32(bytes, 20, self.unused[0]);
        put_u32(bytes, 24, self.unused[1]);
        put_u32(bytes, 28, self.unused[2]);
        put_u32(bytes, 32, self.unused[3]);
        put_u32(bytes, 36, self.unused[4]);
        put_u32(bytes, 40, self.unused[5]);
        put_u32(bytes, 44, self.unused[6]);
        put_u32(bytes, 48, self.unused[7]);
        put_u32(bytes, 52, self.unused[8]);
        put_u32(bytes, 56, self.unused[9]);
        put_u32(bytes, 60, self.unused[10]);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// Marks pages as a device would that writes them. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestDirty {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// The page table.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// Not read.
    pub flags: u32,
    /// Not read.
    pub gap: [u32; 1],
    /// First address.
    pub iova: u64,
    /// Bytes.
    pub length: u64,
    /// Bytes that one bit stands for.
    pub page_size: u64,
    /// Address of the bits.
    pub uptr: u64,
    /// How many bits were set.
    pub out_nr_dirty: u64,
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestDirty {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 72;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            flags: u32_at(bytes, 16),
            gap: [u32_at(bytes, 20)],
            iova: u64_at(bytes, 24),
            length: u64_at(bytes, 32),
            page_size: u64_at(bytes, 40),
            uptr: u64_at(bytes, 48),
            out_nr_dirty: u64_at(bytes, 56),
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_u32(bytes, 16, self.flags);
        put_u32(bytes, 20, self.gap[0]);
        put_u64(bytes, 24, self.iova);
        put_u64(bytes, 32, self.length);
        put_u64(bytes, 40, self.page_size);
        put_u64(bytes, 48, self.uptr);
        put_u64(bytes, 56, self.out_nr_dirty);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// Makes an access object: a kernel driver that uses an IOAS without an IOMMU. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestCreateAccess {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// The IOAS.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// Its file.
    pub out_access_fd: u32,
    /// How it uses memory.
    pub flags: u32,
    /// Not read.
    pub unused: [u32; 10],
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestCreateAccess {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 72;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            out_access_fd: u32_at(bytes, 16),
            flags: u32_at(bytes, 20),
            unused: [
                u32_at(bytes, 24),
                u32_at(bytes, 28),
                u32_at(bytes, 32),
                u32_at(bytes, 36),
                u32_at(bytes, 40),
                u32_at(bytes, 44),
                u32_at(bytes, 48),
                u32_at(bytes, 52),
                u32_at(bytes, 56),
                u32_at(bytes, 60),
            ],
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_u32(bytes, 16, self.out_access_fd);
        put_u32(bytes, 20, self.flags);
        put_u32(bytes, 24, self.unused[0]);
        put_u32(bytes, 28, self.unused[1]);
        put_u32(bytes, 32, self.unused[2]);
        put_u32(bytes, 36, self.unused[3]);
        put_u32(bytes, 40, self.unused[4]);
        put_u32(bytes, 44, self.unused[5]);
        put_u32(bytes, 48, self.unused[6]);
        put_u32(bytes, 52, self.unused[7]);
        put_u32(bytes, 56, self.unused[8]);
        put_u32(bytes, 60, self.unused[9]);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// Lets go of pages that an access object has pinned. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestDestroyAccessPages {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// The file of the access object.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// Which of its pinned ranges.
    pub access_pages_id: u32,
    /// Not read.
    pub unused: [u32; 11],
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestDestroyAccessPages {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 72;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            access_pages_id: u32_at(bytes, 16),
            unused: [
                u32_at(bytes, 20),
                u32_at(bytes, 24),
                u32_at(bytes, 28),
                u32_at(bytes, 32),
                u32_at(bytes, 36),
                u32_at(bytes, 40),
                u32_at(bytes, 44),
                u32_at(bytes, 48),
                u32_at(bytes, 52),
                u32_at(bytes, 56),
                u32_at(bytes, 60),
            ],
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_u32(bytes, 16, self.access_pages_id);
        put_u32(bytes, 20, self.unused[0]);
        put_u32(bytes, 24, self.unused[1]);
        put_u32(bytes, 28, self.unused[2]);
        put_u32(bytes, 32, self.unused[3]);
        put_u32(bytes, 36, self.unused[4]);
        put_u32(bytes, 40, self.unused[5]);
        put_u32(bytes, 44, self.unused[6]);
        put_u32(bytes, 48, self.unused[7]);
        put_u32(bytes, 52, self.unused[8]);
        put_u32(bytes, 56, self.unused[9]);
        put_u32(bytes, 60, self.unused[10]);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// Pins pages for an access object. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestAccessPages {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// The file of the access object.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// How to pin them.
    pub flags: u32,
    /// Names the pinned range.
    pub out_access_pages_id: u32,
    /// First address.
    pub iova: u64,
    /// Bytes.
    pub length: u64,
    /// Where these pages must be in the process, 0 not to check.
    pub uptr: u64,
    /// Not read.
    pub unused: [u32; 4],
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestAccessPages {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 72;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            flags: u32_at(bytes, 16),
            out_access_pages_id: u32_at(bytes, 20),
            iova: u64_at(bytes, 24),
            length: u64_at(bytes, 32),
            uptr: u64_at(bytes, 40),
            unused: [u32_at(bytes, 48), u32_at(bytes, 52), u32_at(bytes, 56), u32_at(bytes, 60)],
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_u32(bytes, 16, self.flags);
        put_u32(bytes, 20, self.out_access_pages_id);
        put_u64(bytes, 24, self.iova);
        put_u64(bytes, 32, self.length);
        put_u64(bytes, 40, self.uptr);
        put_u32(bytes, 48, self.unused[0]);
        put_u32(bytes, 52, self.unused[1]);
        put_u32(bytes, 56, self.unused[2]);
        put_u32(bytes, 60, self.unused[3]);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// Copies through an access object. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestAccessRw {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// The file of the access object.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// First address.
    pub iova: u64,
    /// Bytes.
    pub length: u64,
    /// Address of what is written, or for what is read.
    pub uptr: u64,
    /// Whether it writes.
    pub flags: u32,
    /// Not read.
    pub unused: [u32; 5],
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestAccessRw {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 72;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            iova: u64_at(bytes, 16),
            length: u64_at(bytes, 24),
            uptr: u64_at(bytes, 32),
            flags: u32_at(bytes, 40),
            unused: [u32_at(bytes, 44), u32_at(bytes, 48), u32_at(bytes, 52), u32_at(bytes, 56), u32_at(bytes, 60)],
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_u64(bytes, 16, self.iova);
        put_u64(bytes, 24, self.length);
        put_u64(bytes, 32, self.uptr);
        put_u32(bytes, 40, self.flags);
        put_u32(bytes, 44, self.unused[0]);
        put_u32(bytes, 48, self.unused[1]);
        put_u32(bytes, 52, self.unused[2]);
        put_u32(bytes, 56, self.unused[3]);
        put_u32(bytes, 60, self.unused[4]);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// Gives an access object another IOAS. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestAccessReplaceIoas {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// The file of the access object.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// The IOAS.
    pub ioas_id: u32,
    /// Not read.
    pub unused: [u32; 11],
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestAccessReplaceIoas {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 72;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            ioas_id: u32_at(bytes, 16),
            unused: [
                u32_at(bytes, 20),
                u32_at(bytes, 24),
                u32_at(bytes, 28),
                u32_at(bytes, 32),
                u32_at(bytes, 36),
                u32_at(bytes, 40),
                u32_at(bytes, 44),
                u32_at(bytes, 48),
                u32_at(bytes, 52),
                u32_at(bytes, 56),
                u32_at(bytes, 60),
            ],
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_u32(bytes, 16, self.ioas_id);
        put_u32(bytes, 20, self.unused[0]);
        put_u32(bytes, 24, self.unused[1]);
        put_u32(bytes, 28, self.unused[2]);
        put_u32(bytes, 32, self.unused[3]);
        put_u32(bytes, 36, self.unused[4]);
        put_u32(bytes, 40, self.unused[5]);
        put_u32(bytes, 44, self.unused[6]);
        put_u32(bytes, 48, self.unused[7]);
        put_u32(bytes, 52, self.unused[8]);
        put_u32(bytes, 56, self.unused[9]);
        put_u32(bytes, 60, self.unused[10]);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// Fails unless an entry of a nested page table's IOTLB has a value. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestMdCheckIotlb {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// The page table.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// Which entry.
    pub iotlb_id: u32,
    /// The value.
    pub iotlb: u32,
    /// Not read.
    pub unused: [u32; 10],
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestMdCheckIotlb {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 72;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            iotlb_id: u32_at(bytes, 16),
            iotlb: u32_at(bytes, 20),
            unused: [
                u32_at(bytes, 24),
                u32_at(bytes, 28),
                u32_at(bytes, 32),
                u32_at(bytes, 36),
                u32_at(bytes, 40),
                u32_at(bytes, 44),
                u32_at(bytes, 48),
                u32_at(bytes, 52),
                u32_at(bytes, 56),
                u32_at(bytes, 60),
            ],
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_u32(bytes, 16, self.iotlb_id);
        put_u32(bytes, 20, self.iotlb);
        put_u32(bytes, 24, self.unused[0]);
        put_u32(bytes, 28, self.unused[1]);
        put_u32(bytes, 32, self.unused[2]);
        put_u32(bytes, 36, self.unused[3]);
        put_u32(bytes, 40, self.unused[4]);
        put_u32(bytes, 44, self.unused[5]);
        put_u32(bytes, 48, self.unused[6]);
        put_u32(bytes, 52, self.unused[7]);
        put_u32(bytes, 56, self.unused[8]);
        put_u32(bytes, 60, self.unused[9]);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// Fails unless an entry of a mock device's cache has a value. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestDevCheckCache {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// The device.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// Which entry.
    pub cache_id: u32,
    /// The value.
    pub cache: u32,
    /// Not read.
    pub unused: [u32; 10],
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestDevCheckCache {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 72;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            cache_id: u32_at(bytes, 16),
            cache: u32_at(bytes, 20),
            unused: [
                u32_at(bytes, 24),
                u32_at(bytes, 28),
                u32_at(bytes, 32),
                u32_at(bytes, 36),
                u32_at(bytes, 40),
                u32_at(bytes, 44),
                u32_at(bytes, 48),
                u32_at(bytes, 52),
                u32_at(bytes, 56),
                u32_at(bytes, 60),
            ],
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_u32(bytes, 16, self.cache_id);
        put_u32(bytes, 20, self.cache);
        put_u32(bytes, 24, self.unused[0]);
        put_u32(bytes, 28, self.unused[1]);
        put_u32(bytes, 32, self.unused[2]);
        put_u32(bytes, 36, self.unused[3]);
        put_u32(bytes, 40, self.unused[4]);
        put_u32(bytes, 44, self.unused[5]);
        put_u32(bytes, 48, self.unused[6]);
        put_u32(bytes, 52, self.unused[7]);
        put_u32(bytes, 56, self.unused[8]);
        put_u32(bytes, 60, self.unused[9]);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// Makes a mock device ask for a page. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestTriggerIopf {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// Not read.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// The device.
    pub dev_id: u32,
    /// The PASID, 0 for none.
    pub pasid: u32,
    /// The group of faults that it belongs to.
    pub grpid: u32,
    /// What the access wants.
    pub perm: u32,
    /// The address.
    pub addr: u64,
    /// Not read.
    pub unused: [u32; 6],
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestTriggerIopf {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 72;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            dev_id: u32_at(bytes, 16),
            pasid: u32_at(bytes, 20),
            grpid: u32_at(bytes, 24),
            perm: u32_at(bytes, 28),
            addr: u64_at(bytes, 32),
            unused: [u32_at(bytes, 40), u32_at(bytes, 44), u32_at(bytes, 48), u32_at(bytes, 52), u32_at(bytes, 56), u32_at(bytes, 60)],
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_u32(bytes, 16, self.dev_id);
        put_u32(bytes, 20, self.pasid);
        put_u32(bytes, 24, self.grpid);
        put_u32(bytes, 28, self.perm);
        put_u64(bytes, 32, self.addr);
        put_u32(bytes, 40, self.unused[0]);
        put_u32(bytes, 44, self.unused[1]);
        put_u32(bytes, 48, self.unused[2]);
        put_u32(bytes, 52, self.unused[3]);
        put_u32(bytes, 56, self.unused[4]);
        put_u32(bytes, 60, self.unused[5]);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// Makes a mock device report an event. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestTriggerVevent {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// Not read.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// The device.
    pub dev_id: u32,
    /// Not read.
    pub unused: [u32; 11],
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestTriggerVevent {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 72;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            dev_id: u32_at(bytes, 16),
            unused: [
                u32_at(bytes, 20),
                u32_at(bytes, 24),
                u32_at(bytes, 28),
                u32_at(bytes, 32),
                u32_at(bytes, 36),
                u32_at(bytes, 40),
                u32_at(bytes, 44),
                u32_at(bytes, 48),
                u32_at(bytes, 52),
                u32_at(bytes, 56),
                u32_at(bytes, 60),
            ],
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_u32(bytes, 16, self.dev_id);
        put_u32(bytes, 20, self.unused[0]);
        put_u32(bytes, 24, self.unused[1]);
        put_u32(bytes, 28, self.unused[2]);
        put_u32(bytes, 32, self.unused[3]);
        put_u32(bytes, 36, self.unused[4]);
        put_u32(bytes, 40, self.unused[5]);
        put_u32(bytes, 44, self.unused[6]);
        put_u32(bytes, 48, self.unused[7]);
        put_u32(bytes, 52, self.unused[8]);
        put_u32(bytes, 56, self.unused[9]);
        put_u32(bytes, 60, self.unused[10]);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// Attaches a PASID of a mock device. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestPasidAttach {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// The test object.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// The PASID.
    pub pasid: u32,
    /// What to attach it to; the answer is the page table.
    pub pt_id: u32,
    /// Not read.
    pub unused: [u32; 10],
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestPasidAttach {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 72;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            pasid: u32_at(bytes, 16),
            pt_id: u32_at(bytes, 20),
            unused: [
                u32_at(bytes, 24),
                u32_at(bytes, 28),
                u32_at(bytes, 32),
                u32_at(bytes, 36),
                u32_at(bytes, 40),
                u32_at(bytes, 44),
                u32_at(bytes, 48),
                u32_at(bytes, 52),
                u32_at(bytes, 56),
                u32_at(bytes, 60),
            ],
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_u32(bytes, 16, self.pasid);
        put_u32(bytes, 20, self.pt_id);
        put_u32(bytes, 24, self.unused[0]);
        put_u32(bytes, 28, self.unused[1]);
        put_u32(bytes, 32, self.unused[2]);
        put_u32(bytes, 36, self.unused[3]);
        put_u32(bytes, 40, self.unused[4]);
        put_u32(bytes, 44, self.unused[5]);
        put_u32(bytes, 48, self.unused[6]);
        put_u32(bytes, 52, self.unused[7]);
        put_u32(bytes, 56, self.unused[8]);
        put_u32(bytes, 60, self.unused[9]);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// Attaches a PASID of a mock device to something else. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestPasidReplace {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// The test object.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// The PASID.
    pub pasid: u32,
    /// What to attach it to; the answer is the page table.
    pub pt_id: u32,
    /// Not read.
    pub unused: [u32; 10],
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestPasidReplace {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 72;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            pasid: u32_at(bytes, 16),
            pt_id: u32_at(bytes, 20),
            unused: [
                u32_at(bytes, 24),
                u32_at(bytes, 28),
                u32_at(bytes, 32),
                u32_at(bytes, 36),
                u32_at(bytes, 40),
                u32_at(bytes, 44),
                u32_at(bytes, 48),
                u32_at(bytes, 52),
                u32_at(bytes, 56),
                u32_at(bytes, 60),
            ],
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_u32(bytes, 16, self.pasid);
        put_u32(bytes, 20, self.pt_id);
        put_u32(bytes, 24, self.unused[0]);
        put_u32(bytes, 28, self.unused[1]);
        put_u32(bytes, 32, self.unused[2]);
        put_u32(bytes, 36, self.unused[3]);
        put_u32(bytes, 40, self.unused[4]);
        put_u32(bytes, 44, self.unused[5]);
        put_u32(bytes, 48, self.unused[6]);
        put_u32(bytes, 52, self.unused[7]);
        put_u32(bytes, 56, self.unused[8]);
        put_u32(bytes, 60, self.unused[9]);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// Detaches a PASID of a mock device. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestPasidDetach {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// The test object.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// The PASID.
    pub pasid: u32,
    /// Not read.
    pub unused: [u32; 11],
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestPasidDetach {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 72;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            pasid: u32_at(bytes, 16),
            unused: [
                u32_at(bytes, 20),
                u32_at(bytes, 24),
                u32_at(bytes, 28),
                u32_at(bytes, 32),
                u32_at(bytes, 36),
                u32_at(bytes, 40),
                u32_at(bytes, 44),
                u32_at(bytes, 48),
                u32_at(bytes, 52),
                u32_at(bytes, 56),
                u32_at(bytes, 60),
            ],
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_u32(bytes, 16, self.pasid);
        put_u32(bytes, 20, self.unused[0]);
        put_u32(bytes, 24, self.unused[1]);
        put_u32(bytes, 28, self.unused[2]);
        put_u32(bytes, 32, self.unused[3]);
        put_u32(bytes, 36, self.unused[4]);
        put_u32(bytes, 40, self.unused[5]);
        put_u32(bytes, 44, self.unused[6]);
        put_u32(bytes, 48, self.unused[7]);
        put_u32(bytes, 52, self.unused[8]);
        put_u32(bytes, 56, self.unused[9]);
        put_u32(bytes, 60, self.unused[10]);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// Fails unless a PASID of a mock device uses a page table. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestPasidCheckHwpt {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// The test object.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// The PASID.
    pub pasid: u32,
    /// The page table, 0 for none.
    pub hwpt_id: u32,
    /// Not read.
    pub unused: [u32; 10],
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestPasidCheckHwpt {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 72;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            pasid: u32_at(bytes, 16),
            hwpt_id: u32_at(bytes, 20),
            unused: [
                u32_at(bytes, 24),
                u32_at(bytes, 28),
                u32_at(bytes, 32),
                u32_at(bytes, 36),
                u32_at(bytes, 40),
                u32_at(bytes, 44),
                u32_at(bytes, 48),
                u32_at(bytes, 52),
                u32_at(bytes, 56),
                u32_at(bytes, 60),
            ],
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_u32(bytes, 16, self.pasid);
        put_u32(bytes, 20, self.hwpt_id);
        put_u32(bytes, 24, self.unused[0]);
        put_u32(bytes, 28, self.unused[1]);
        put_u32(bytes, 32, self.unused[2]);
        put_u32(bytes, 36, self.unused[3]);
        put_u32(bytes, 40, self.unused[4]);
        put_u32(bytes, 44, self.unused[5]);
        put_u32(bytes, 48, self.unused[6]);
        put_u32(bytes, 52, self.unused[7]);
        put_u32(bytes, 56, self.unused[8]);
        put_u32(bytes, 60, self.unused[9]);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// Makes a dma-buf, whose fd is the lowest that was free: Linux 7.3 does not answer it. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestDmabufGet {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// Not read.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// Bytes, at most 512 pages.
    pub length: u32,
    /// As of open.
    pub open_flags: u32,
    /// Not read.
    pub unused: [u32; 10],
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestDmabufGet {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 72;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            length: u32_at(bytes, 16),
            open_flags: u32_at(bytes, 20),
            unused: [
                u32_at(bytes, 24),
                u32_at(bytes, 28),
                u32_at(bytes, 32),
                u32_at(bytes, 36),
                u32_at(bytes, 40),
                u32_at(bytes, 44),
                u32_at(bytes, 48),
                u32_at(bytes, 52),
                u32_at(bytes, 56),
                u32_at(bytes, 60),
            ],
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_u32(bytes, 16, self.length);
        put_u32(bytes, 20, self.open_flags);
        put_u32(bytes, 24, self.unused[0]);
        put_u32(bytes, 28, self.unused[1]);
        put_u32(bytes, 32, self.unused[2]);
        put_u32(bytes, 36, self.unused[3]);
        put_u32(bytes, 40, self.unused[4]);
        put_u32(bytes, 44, self.unused[5]);
        put_u32(bytes, 48, self.unused[6]);
        put_u32(bytes, 52, self.unused[7]);
        put_u32(bytes, 56, self.unused[8]);
        put_u32(bytes, 60, self.unused[9]);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// Takes a dma-buf's memory away, or gives it back. (`struct iommu_test_cmd`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestDmabufRevoke {
    /// Bytes of this struct as the caller knows it.
    pub size: u32,
    /// The operation.
    pub op: u32,
    /// Not read.
    pub id: u32,
    /// Not read.
    pub reserved: u32,
    /// The dma-buf.
    pub dmabuf_fd: i32,
    /// Not 0 to take the memory away.
    pub revoked: u32,
    /// Not read.
    pub unused: [u32; 10],
    /// Ends the struct. Not read.
    pub last: u32,
    /// Not read.
    pub end: [u32; 1],
}

impl TestDmabufRevoke {
    /// Bytes of the struct.
    pub const SIZE: usize = 72;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 72;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            size: u32_at(bytes, 0),
            op: u32_at(bytes, 4),
            id: u32_at(bytes, 8),
            reserved: u32_at(bytes, 12),
            dmabuf_fd: i32_at(bytes, 16),
            revoked: u32_at(bytes, 20),
            unused: [
                u32_at(bytes, 24),
                u32_at(bytes, 28),
                u32_at(bytes, 32),
                u32_at(bytes, 36),
                u32_at(bytes, 40),
                u32_at(bytes, 44),
                u32_at(bytes, 48),
                u32_at(bytes, 52),
                u32_at(bytes, 56),
                u32_at(bytes, 60),
            ],
            last: u32_at(bytes, 64),
            end: [u32_at(bytes, 68)],
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.size);
        put_u32(bytes, 4, self.op);
        put_u32(bytes, 8, self.id);
        put_u32(bytes, 12, self.reserved);
        put_i32(bytes, 16, self.dmabuf_fd);
        put_u32(bytes, 20, self.revoked);
        put_u32(bytes, 24, self.unused[0]);
        put_u32(bytes, 28, self.unused[1]);
        put_u32(bytes, 32, self.unused[2]);
        put_u32(bytes, 36, self.unused[3]);
        put_u32(bytes, 40, self.unused[4]);
        put_u32(bytes, 44, self.unused[5]);
        put_u32(bytes, 48, self.unused[6]);
        put_u32(bytes, 52, self.unused[7]);
        put_u32(bytes, 56, self.unused[8]);
        put_u32(bytes, 60, self.unused[9]);
        put_u32(bytes, 64, self.last);
        put_u32(bytes, 68, self.end[0]);
    }
}

/// What the mock IOMMU says of itself. (`struct iommu_test_hw_info`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestHwInfo {
    /// No flag is defined.
    pub flags: u32,
    /// Always HW_INFO_SELFTEST_REGVAL.
    pub test_reg: u32,
}

impl TestHwInfo {
    /// Bytes of the struct.
    pub const SIZE: usize = 8;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 8;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { flags: u32_at(bytes, 0), test_reg: u32_at(bytes, 4) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.flags);
        put_u32(bytes, 4, self.test_reg);
    }
}

/// How a page table of the mock IOMMU shall be. (`struct iommu_hwpt_selftest`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HwptSelftest {
    /// What a nested page table's IOTLB holds at first.
    pub iotlb: u32,
    /// The kind of page table.
    pub pagetable_type: u32,
}

impl HwptSelftest {
    /// Bytes of the struct.
    pub const SIZE: usize = 8;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 8;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { iotlb: u32_at(bytes, 0), pagetable_type: u32_at(bytes, 4) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.iotlb);
        put_u32(bytes, 4, self.pagetable_type);
    }
}

/// One invalidation in a nested page table of the mock IOMMU. (`struct iommu_hwpt_invalidate_selftest`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HwptInvalidateSelftest {
    /// Whether all entries are meant.
    pub flags: u32,
    /// Which entry.
    pub iotlb_id: u32,
}

impl HwptInvalidateSelftest {
    /// Bytes of the struct.
    pub const SIZE: usize = 8;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 8;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { flags: u32_at(bytes, 0), iotlb_id: u32_at(bytes, 4) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.flags);
        put_u32(bytes, 4, self.iotlb_id);
    }
}

/// Data of a virtual IOMMU of the mock IOMMU. (`struct iommu_viommu_selftest`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ViommuSelftest {
    /// Any number.
    pub in_data: u32,
    /// The same number.
    pub out_data: u32,
    /// Offset for mmap of the iommufd.
    pub out_mmap_offset: u64,
    /// Bytes to map.
    pub out_mmap_length: u64,
}

impl ViommuSelftest {
    /// Bytes of the struct.
    pub const SIZE: usize = 24;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 24;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            in_data: u32_at(bytes, 0),
            out_data: u32_at(bytes, 4),
            out_mmap_offset: u64_at(bytes, 8),
            out_mmap_length: u64_at(bytes, 16),
        }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.in_data);
        put_u32(bytes, 4, self.out_data);
        put_u64(bytes, 8, self.out_mmap_offset);
        put_u64(bytes, 16, self.out_mmap_length);
    }
}

/// One invalidation in the cache of a mock device. (`struct iommu_viommu_invalidate_selftest`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ViommuInvalidateSelftest {
    /// Whether all entries are meant.
    pub flags: u32,
    /// What the guest calls the device.
    pub vdev_id: u32,
    /// Which entry.
    pub cache_id: u32,
}

impl ViommuInvalidateSelftest {
    /// Bytes of the struct.
    pub const SIZE: usize = 12;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 12;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { flags: u32_at(bytes, 0), vdev_id: u32_at(bytes, 4), cache_id: u32_at(bytes, 8) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.flags);
        put_u32(bytes, 4, self.vdev_id);
        put_u32(bytes, 8, self.cache_id);
    }
}

/// An event of the mock IOMMU. (`struct iommu_viommu_event_selftest`)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ViommuEventSelftest {
    /// What the guest calls the device.
    pub virt_id: u32,
}

impl ViommuEventSelftest {
    /// Bytes of the struct.
    pub const SIZE: usize = 4;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 4;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { virt_id: u32_at(bytes, 0) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.virt_id);
    }
}
