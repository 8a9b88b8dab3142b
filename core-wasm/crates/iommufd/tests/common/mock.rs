//! A machine with a mock IOMMU, and its test request with fields as arguments.

use super::*;
use uapi::selftest::*;

/// First IOVA that a mock page table translates.
pub const APERTURE: u64 = MOCK_APERTURE_START as u64;

/// A mock device: the ids of its test object, of the device as bound, of its page table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mock {
    pub stdev: u32,
    pub idev: u32,
    pub hwpt: u32,
}

/// A machine with a mock IOMMU, an iommufd and an IOAS.
pub fn machine() -> (Machine, u32, u32) {
    let mut m = Machine::with(Setup { kind: Kind::AmdMock, levels: 3, ..Setup::default() });
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    (m, iommu, ioas)
}

impl Machine {
    /// Makes a mock device.
    #[track_caller]
    pub fn mock(&mut self, fd: u32, pt_id: u32) -> Result<Mock, Errno> {
        let answer = self.call(fd, TestMockDomain { op: TEST_OP_MOCK_DOMAIN, id: pt_id, ..Default::default() })?;
        Ok(Mock { stdev: answer.out_stdev_id, idev: answer.out_idev_id, hwpt: answer.out_hwpt_id })
    }

    /// Makes a mock device with flags.
    #[track_caller]
    pub fn mock_with(&mut self, fd: u32, id: u32, dev_flags: u32) -> Result<Mock, Errno> {
        let answer = self.call(fd, TestMockDomainFlags { op: TEST_OP_MOCK_DOMAIN_FLAGS, id, dev_flags, ..Default::default() })?;
        Ok(Mock { stdev: answer.out_stdev_id, idev: answer.out_idev_id, hwpt: answer.out_hwpt_id })
    }

    /// Attaches a mock device to something else. Returns the page table.
    #[track_caller]
    pub fn replace(&mut self, fd: u32, id: u32, pt_id: u32) -> Result<u32, Errno> {
        self.call(fd, TestMockDomainReplace { op: TEST_OP_MOCK_DOMAIN_REPLACE, id, pt_id, ..Default::default() }).map(|answer| answer.pt_id)
    }

    #[track_caller]
    pub fn check_map(&mut self, fd: u32, id: u32, iova: u64, length: u64, uptr: u64) -> Result<(), Errno> {
        self.call(fd, TestMdCheckMap { op: TEST_OP_MD_CHECK_MAP, id, iova, length, uptr, ..Default::default() }).map(|_| ())
    }

    /// EIO is what it answers, so that this does not go through [`Machine::call`], which takes that for a bug.
    #[track_caller]
    pub fn check_refs(&mut self, fd: u32, uptr: u64, length: u64, refs: u32) -> Result<(), Errno> {
        let size = TestMdCheckRefs::SIZE as u32;
        let request = TestMdCheckRefs { size, op: TEST_OP_MD_CHECK_REFS, length, uptr, refs, ..Default::default() };
        self.raw(fd, TEST_CMD, &request.bytes()).0.map(|_| ())
    }

    /// The IOVAs that an IOAS can map, first and last, and its alignment.
    #[track_caller]
    pub fn holes(&mut self, fd: u32, ioas: u32) -> (Vec<(u64, u64)>, u64) {
        let usable = self.usable(fd, ioas, 8);
        (usable.ranges.iter().map(|range| (range.start, range.last)).collect(), usable.alignment)
    }

    /// HWPT_ALLOC with data of words.
    #[track_caller]
    pub fn hwpt_with(&mut self, fd: u32, dev_id: u32, pt_id: u32, data_type: u32, words: &[u32]) -> Result<u32, Errno> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let data_uptr = self.memory(PAGE);
        self.kernel.poke(data_uptr, &bytes).unwrap();
        let data_len = bytes.len() as u32;
        let request = api::HwptAlloc { dev_id, pt_id, data_type, data_len, data_uptr, ..Default::default() };
        self.call(fd, request).map(|answer| answer.out_hwpt_id)
    }

    /// Makes an access object. Returns its file.
    #[track_caller]
    pub fn access(&mut self, fd: u32, ioas: u32, flags: u32) -> Result<u32, Errno> {
        let request = TestCreateAccess { op: TEST_OP_CREATE_ACCESS, id: ioas, flags, ..Default::default() };
        self.call(fd, request).map(|answer| answer.out_access_fd)
    }

    /// Pins pages through an access. Returns the number of the range.
    #[track_caller]
    pub fn access_pages(&mut self, fd: u32, access: u32, (iova, length): (u64, u64), uptr: u64, flags: u32) -> Result<u32, Errno> {
        let request = TestAccessPages { op: TEST_OP_ACCESS_PAGES, id: access, iova, length, uptr, flags, ..Default::default() };
        self.call(fd, request).map(|answer| answer.out_access_pages_id)
    }

    #[track_caller]
    pub fn destroy_access_pages(&mut self, fd: u32, access: u32, access_pages_id: u32) -> Result<(), Errno> {
        let request = TestDestroyAccessPages { op: TEST_OP_DESTROY_ACCESS_PAGES, id: access, access_pages_id, ..Default::default() };
        self.call(fd, request).map(|_| ())
    }

    #[track_caller]
    pub fn access_rw(&mut self, fd: u32, access: u32, (iova, length): (u64, u64), uptr: u64, flags: u32) -> Result<(), Errno> {
        self.call(fd, TestAccessRw { op: TEST_OP_ACCESS_RW, id: access, iova, length, uptr, flags, ..Default::default() }).map(|_| ())
    }

    #[track_caller]
    pub fn access_replace(&mut self, fd: u32, access: u32, ioas_id: u32) -> Result<(), Errno> {
        self.call(fd, TestAccessReplaceIoas { op: TEST_OP_ACCESS_REPLACE_IOAS, id: access, ioas_id, ..Default::default() }).map(|_| ())
    }

    /// Makes a dma-buf. Returns its file, whose number is the lowest that is free.
    #[track_caller]
    pub fn dmabuf(&mut self, fd: u32, length: u32) -> Result<i32, Errno> {
        let next = self.kernel.eventfd(0, 0).unwrap();
        self.close(next);
        self.call(fd, TestDmabufGet { op: TEST_OP_DMABUF_GET, length, open_flags: 2, ..Default::default() }).map(|_| next as i32)
    }

    #[track_caller]
    pub fn revoke(&mut self, fd: u32, dmabuf_fd: i32, revoked: u32) -> Result<(), Errno> {
        self.call(fd, TestDmabufRevoke { op: TEST_OP_DMABUF_REVOKE, dmabuf_fd, revoked, ..Default::default() }).map(|_| ())
    }
}
