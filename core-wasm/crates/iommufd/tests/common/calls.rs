//! Requests with their fields as arguments.

use super::{Errno, FIXED, Machine, PAGE, RW, Request, api, vfio};

impl Machine {
    #[track_caller]
    pub fn ioas(&mut self, fd: u32) -> u32 {
        self.call(fd, api::IoasAlloc::default()).unwrap().out_ioas_id
    }

    #[track_caller]
    pub fn destroy(&mut self, fd: u32, id: u32) -> Result<(), Errno> {
        self.call(fd, api::Destroy { size: 0, id }).map(|_| ())
    }

    /// MAP; `flags` say where and what for.
    #[track_caller]
    pub fn map(&mut self, fd: u32, ioas_id: u32, user_va: u64, length: u64, flags: u32, iova: u64) -> Result<u64, Errno> {
        self.call(fd, api::IoasMap { size: 0, flags, ioas_id, reserved: 0, user_va, length, iova }).map(|answer| answer.iova)
    }

    /// MAP at a fixed IOVA, to be read and written.
    #[track_caller]
    pub fn map_at(&mut self, fd: u32, ioas: u32, va: u64, length: u64, iova: u64) -> Result<u64, Errno> {
        self.map(fd, ioas, va, length, RW | FIXED, iova)
    }

    #[track_caller]
    pub fn map_file(&mut self, fd: u32, ioas_id: u32, file: i32, start: u64, length: u64, flags: u32) -> Result<u64, Errno> {
        self.call(fd, api::IoasMapFile { size: 0, flags, ioas_id, fd: file, start, length, iova: 0 }).map(|answer| answer.iova)
    }

    #[track_caller]
    pub fn unmap(&mut self, fd: u32, ioas_id: u32, iova: u64, length: u64) -> Result<u64, Errno> {
        self.call(fd, api::IoasUnmap { size: 0, ioas_id, iova, length }).map(|answer| answer.length)
    }

    /// COPY from one IOAS at `src_iova` to another one, to a fixed place.
    #[track_caller]
    pub fn copy(&mut self, fd: u32, from: (u32, u64), to: (u32, u64), length: u64, flags: u32) -> Result<u64, Errno> {
        let ((src_ioas_id, src_iova), (dst_ioas_id, dst_iova)) = (from, to);
        let request = api::IoasCopy { size: 0, flags, dst_ioas_id, src_ioas_id, length, dst_iova, src_iova };
        self.call(fd, request).map(|answer| answer.dst_iova)
    }

    /// OPTION. Returns the value written back.
    #[track_caller]
    pub fn option(&mut self, fd: u32, option_id: u32, op: u16, object_id: u32, val64: u64) -> Result<u64, Errno> {
        self.call(fd, api::Option { size: 0, option_id, op, reserved: 0, object_id, val64 }).map(|answer| answer.val64)
    }

    /// Large pages on or off.
    #[track_caller]
    pub fn huge_pages(&mut self, fd: u32, ioas: u32, on: bool) -> Result<u64, Errno> {
        self.option(fd, api::OPTION_HUGE_PAGES, api::OPTION_OP_SET, ioas, u64::from(on))
    }

    #[track_caller]
    pub fn hwpt(&mut self, fd: u32, dev_id: u32, pt_id: u32) -> Result<u32, Errno> {
        self.call(fd, api::HwptAlloc { dev_id, pt_id, ..Default::default() }).map(|answer| answer.out_hwpt_id)
    }

    /// BIND. Returns the object id of the device.
    #[track_caller]
    pub fn bind(&mut self, device_fd: u32, iommu: u32) -> Result<u32, Errno> {
        let request = vfio::DeviceBindIommufd { iommufd: iommu as i32, ..Default::default() };
        self.call(device_fd, request).map(|answer| answer.out_devid)
    }

    /// ATTACH. Returns the object id of the page table.
    #[track_caller]
    pub fn attach(&mut self, device_fd: u32, pt_id: u32) -> Result<u32, Errno> {
        self.call(device_fd, vfio::DeviceAttachIommufdPt { pt_id, ..Default::default() }).map(|answer| answer.pt_id)
    }

    /// HWPT_ALLOC with flags.
    #[track_caller]
    pub fn hwpt_flags(&mut self, fd: u32, dev_id: u32, pt_id: u32, flags: u32) -> Result<u32, Errno> {
        self.call(fd, api::HwptAlloc { flags, dev_id, pt_id, ..Default::default() }).map(|answer| answer.out_hwpt_id)
    }

    /// HWPT_ALLOC with data.
    #[track_caller]
    pub fn hwpt_data(&mut self, fd: u32, ids: (u32, u32), flags: u32, data_type: u32, data: &[u8]) -> Result<u32, Errno> {
        let data_uptr = self.memory(PAGE);
        self.kernel.poke(data_uptr, data).unwrap();
        let (dev_id, pt_id) = ids;
        let request = api::HwptAlloc { flags, dev_id, pt_id, data_type, data_len: data.len() as u32, data_uptr, ..Default::default() };
        self.call(fd, request).map(|answer| answer.out_hwpt_id)
    }

    /// HWPT_INVALIDATE with entries of a length. Returns the result and how many entries were done.
    #[track_caller]
    pub fn invalidate(&mut self, fd: u32, hwpt_id: u32, data_type: u32, entry_len: u32, data: &[u8]) -> (Result<(), Errno>, u32) {
        let data_uptr = self.memory(PAGE);
        self.kernel.poke(data_uptr, data).unwrap();
        let entry_num = (data.len() as u32).checked_div(entry_len).unwrap_or(1);
        let size = api::HwptInvalidate::SIZE as u32;
        let request = api::HwptInvalidate { size, hwpt_id, data_uptr, data_type, entry_len, entry_num, reserved: 0 };
        let (result, after) = self.raw(fd, api::HWPT_INVALIDATE, &request.bytes());
        (result.map(|_| ()), <api::HwptInvalidate as Request>::from(&after).entry_num)
    }

    /// ATTACH with a PASID. Returns the object id of the page table.
    #[track_caller]
    pub fn attach_pasid(&mut self, device_fd: u32, pasid: u32, pt_id: u32) -> Result<u32, Errno> {
        let flags = vfio::DEVICE_ATTACH_PASID;
        self.call(device_fd, vfio::DeviceAttachIommufdPt { argsz: 0, flags, pt_id, pasid }).map(|answer| answer.pt_id)
    }

    #[track_caller]
    pub fn detach_pasid(&mut self, device_fd: u32, pasid: u32) {
        self.call(device_fd, vfio::DeviceDetachIommufdPt { argsz: 0, flags: vfio::DEVICE_DETACH_PASID, pasid }).unwrap();
    }

    #[track_caller]
    pub fn detach(&mut self, device_fd: u32) {
        self.call(device_fd, vfio::DeviceDetachIommufdPt::default()).unwrap();
    }
}
