//! IOAS_MAP and IOAS_UNMAP as a program makes them: system calls with their structs in its memory.

use crate::PAGE;
use iommufd::{Config, DeviceConfig, GroupIoas, IommuConfig, Kernel, Kind, Limits, Ram, Rules};
use uapi::iommufd::{
    IOAS_ALLOC, IOAS_MAP, IOAS_MAP_FIXED_IOVA, IOAS_MAP_READABLE, IOAS_MAP_WRITEABLE, IOAS_UNMAP, IoasAlloc, IoasMap, IoasUnmap,
};
use uapi::vfio::{DEVICE_ATTACH_IOMMUFD_PT, DEVICE_BIND_IOMMUFD, DeviceAttachIommufdPt, DeviceBindIommufd};

/// Memory for the kernel's tables and the argument.
const OVERHEAD: u64 = 16 << 20;
const RW: u32 = IOAS_MAP_READABLE | IOAS_MAP_WRITEABLE;

/// A program with memory and an IOAS, whose requests are to be answered.
pub struct Program {
    kernel: Kernel,
    argument: u64,
    iommu: i32,
    ioas: u32,
    memory: u64,
}

impl Program {
    /// With memory of `pages` pages, aligned for large pages, and a device attached to the IOAS or not.
    pub fn new(pages: u32, attached: bool) -> Program {
        let length = u64::from(pages) * PAGE;
        let rules = Rules { single_open: true, group_ioas: GroupIoas::Requester };
        let limits = Limits { memlock: Some(2 * length + OVERHEAD), open_files: 16, sys_resource: false, sys_rawio: false };
        let ram = Ram::with_bytes((2 * length + OVERHEAD) as usize).expect("memory");
        let mut kernel = Kernel::new(Config { iommu: IommuConfig::new(Kind::VtdSs, 4), rules, limits }, ram).expect("memory");
        let group = kernel.add_group().expect("memory");
        kernel.add_device(DeviceConfig::new(group, 0x18)).expect("memory");
        let argument = kernel.mmap(0, PAGE, 3, 0x22, -1, 0).expect("RAM");
        let memory = kernel.mmap(0, 2 * length, 3, 0x22, -1, 0).expect("RAM").next_multiple_of(length);
        let iommu = kernel.open_iommufd().expect("memory") as i32;
        let mut program = Program { kernel, argument, iommu, ioas: 0, memory };
        program.ioas = program.call(iommu, IOAS_ALLOC, |bytes| IoasAlloc { size: 12, ..Default::default() }.write(bytes), 8) as u32;
        if attached {
            program.attach();
        }
        program
    }

    /// A request; `N` is the size of its struct. Returns the number at `answer` in the struct afterwards.
    #[inline]
    fn call<const N: usize>(&mut self, fd: i32, number: u32, write: impl FnOnce(&mut [u8; N]), answer: u64) -> u64 {
        let mut bytes = [0; N];
        write(&mut bytes);
        self.kernel.poke(self.argument, &bytes).expect("it is there");
        self.kernel.ioctl(fd, number, self.argument).expect("nothing is in its way");
        let mut word = [0; 8];
        let width = word.len().min(N - answer as usize);
        self.kernel.peek(self.argument + answer, &mut word[..width]).expect("it is there");
        u64::from_le_bytes(word)
    }

    fn attach(&mut self) {
        let fd = self.kernel.open_device(0).expect("it is there") as i32;
        let bind = DeviceBindIommufd { argsz: 24, iommufd: self.iommu, ..Default::default() };
        self.call(fd, DEVICE_BIND_IOMMUFD, |bytes| bind.write(bytes), 12);
        let attach = DeviceAttachIommufdPt { argsz: 16, pt_id: self.ioas, ..Default::default() };
        self.call(fd, DEVICE_ATTACH_IOMMUFD_PT, |bytes| attach.write(bytes), 8);
    }

    /// Maps the first `pages` pages of the memory, from I/O page `page` on.
    #[inline]
    pub fn map(&mut self, page: u32, pages: u32) {
        let (length, iova) = (u64::from(pages) * PAGE, u64::from(page) * PAGE);
        let flags = IOAS_MAP_FIXED_IOVA | RW;
        let request = IoasMap { size: 40, flags, ioas_id: self.ioas, reserved: 0, user_va: self.memory, length, iova };
        self.call(self.iommu, IOAS_MAP, |bytes| request.write(bytes), 32);
    }

    /// The same, where the kernel chooses. Returns the I/O page.
    #[inline]
    pub fn map_anywhere(&mut self, pages: u32) -> u32 {
        let length = u64::from(pages) * PAGE;
        let request = IoasMap { size: 40, flags: RW, ioas_id: self.ioas, reserved: 0, user_va: self.memory, length, iova: 0 };
        (self.call(self.iommu, IOAS_MAP, |bytes| request.write(bytes), 32) / PAGE) as u32
    }

    /// Unmaps `pages` pages from I/O page `page` on. Returns how many went.
    #[inline]
    pub fn unmap(&mut self, page: u32, pages: u32) -> u32 {
        let (length, iova) = (u64::from(pages) * PAGE, u64::from(page) * PAGE);
        let request = IoasUnmap { size: 24, ioas_id: self.ioas, iova, length };
        (self.call(self.iommu, IOAS_UNMAP, |bytes| request.write(bytes), 16) / PAGE) as u32
    }
}
