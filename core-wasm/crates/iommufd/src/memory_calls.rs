//! System calls about the process's memory.

use crate::file::File;
use crate::kernel::Kernel;
use iommu::{FRAME, MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED, PROT_EXEC, Pa};
use uapi::{Errno, Result};

impl Kernel {
    /// Maps memory or a memfd, by the rules of Linux's mmap. Returns the address.
    ///
    /// EBADF for no file; EINVAL for a file that has no memory to map.
    pub fn mmap(&mut self, at: u64, length: u64, prot: u32, flags: u32, fd: i32, offset: u64) -> Result<u64> {
        if !offset.is_multiple_of(FRAME) {
            return Err(Errno::EINVAL);
        }
        if flags & MAP_ANONYMOUS != 0 {
            return self.hardware.user.mmap(&mut self.hardware.ram, at, length, prot, flags, None);
        }
        match self.file(fd)? {
            File::Memfd(index) => {
                let hardware = &mut self.hardware;
                let file = &hardware.memfds.get(index).ok_or(Errno::EIO)?.file;
                hardware.user.mmap(&mut hardware.ram, at, length, prot, flags, Some((file, offset)))
            }
            File::Eventfd(_) | File::FaultQueue(_) | File::EventQueue(_) | File::Access(_) => Err(Errno::ENODEV),
            File::Iommufd(_) if flags & MAP_SHARED != 0 && prot & PROT_EXEC != 0 => Err(Errno::EPERM),
            File::Iommufd(context) if flags & MAP_SHARED != 0 => {
                let (context, hardware) = self.parts(context)?;
                let found = context.viommus.iter().filter_map(|(_, viommu)| viommu.memory.as_ref()).find(|&&(_, at)| at == offset);
                let (file, _) = found.filter(|(file, _)| length.next_multiple_of(FRAME) == file.length()).ok_or(Errno::ENXIO)?;
                hardware.user.mmap(&mut hardware.ram, at, length, prot, flags, Some((file, 0)))
            }
            File::Dmabuf(index) if length != 0 && flags & (MAP_SHARED | MAP_PRIVATE) != 0 => {
                let dmabuf = self.hardware.dmabufs.get(index).ok_or(Errno::EIO)?;
                Err(dmabuf.refuse_mmap(prot, flags & MAP_SHARED != 0))
            }
            File::Iommufd(_) | File::Device(_) | File::Dmabuf(_) => Err(Errno::EINVAL),
        }
    }

    /// Unmaps whole pages, also a part of a mapping. Pinned pages stay until they are unpinned. EINVAL, ENOMEM.
    pub fn munmap(&mut self, at: u64, length: u64) -> Result<()> {
        self.hardware.user.munmap(&mut self.hardware.ram, at, length)
    }

    /// Where memory of the process is in RAM, if that is one piece. EFAULT, EINVAL.
    pub fn view(&self, at: u64, length: u64) -> Result<Pa> {
        self.hardware.user.view(at, length)
    }

    /// Copies from the process's memory. EFAULT.
    pub fn peek(&self, from: u64, to: &mut [u8]) -> Result<()> {
        self.hardware.user.copy_in(&self.hardware.ram, from, to)
    }

    /// Copies to the process's memory. EFAULT.
    pub fn poke(&mut self, to: u64, from: &[u8]) -> Result<()> {
        self.hardware.copy_out(to, from)
    }
}
