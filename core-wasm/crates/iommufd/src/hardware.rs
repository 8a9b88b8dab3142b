//! What requests work on beside objects: memory, the IOMMU, and the accounting of pinned pages.

use crate::emulated::Waiting;
use crate::pages::Charge;
use crate::slab::Slab;
use alloc::vec::Vec;
use iommu::{Iommu, MemFile, PROT_EXEC, PROT_WRITE, Pa, Ram, Run, UserMemory};
use uapi::{Errno, Result};

/// Bytes of each entry of the lists of pages that limit how many are pinned at once.
pub(crate) const PAGE_ENTRY: u64 = 8;
/// Bytes of such a list.
pub(crate) const PAGE_LIST: u64 = 65536;

/// A file is open for reading.
pub(crate) const READING: u32 = 1;
/// A file is open for writing.
pub(crate) const WRITING: u32 = 2;

/// The machine and its process, as the objects of an iommufd see them.
pub(crate) struct Hardware {
    pub(crate) ram: Ram,
    pub(crate) user: UserMemory,
    pub(crate) iommu: Iommu,
    pub(crate) memfds: Slab<Memfd>,
    pub(crate) dmabufs: Slab<Dmabuf>,
    /// What a system call has done that waits for models of emulated devices.
    pub(crate) waiting: Waiting,
    pub(crate) accounts: Accounts,
    /// Pages that Linux would pin at once, for one thing that depends on it: see [`crate::pages::Pages::pin`].
    pub(crate) pages_at_once: u64,
    /// Where memory is resolved into; kept, so that a mapping takes no memory for it.
    pub(crate) runs: Vec<Run>,
}

/// A memfd: its fd holds it, and so do pages of MAP_FILE.
pub(crate) struct Memfd {
    pub(crate) file: MemFile,
    pub(crate) holders: u32,
}

/// Memory of a device that is shared by a file, until the device takes it back: its fd holds it, and so do pages of MAP_FILE.
pub(crate) struct Dmabuf {
    pub(crate) owner: Owner,
    /// Where the first of its ranges is.
    pub(crate) pa: Pa,
    /// Bytes of all ranges.
    pub(crate) length: u64,
    /// Pieces of memory that it is made of.
    pub(crate) ranges: u32,
    /// What its file was opened for, as open(2) has it.
    pub(crate) open_flags: u32,
    /// The device has taken the memory back: it cannot be mapped.
    pub(crate) revoked: bool,
    pub(crate) holders: u32,
}

impl Dmabuf {
    /// EBADF if its file is not open for reading (1) or writing (2); EINVAL if it is, as neither goes with such a file.
    pub(crate) fn refuse(&self, access: u32) -> Errno {
        if self.is_for(access) { Errno::EINVAL } else { Errno::EBADF }
    }

    /// Why the process cannot map it. Linux finds out last that its owner has no such operation.
    pub(crate) fn refuse_mmap(&self, prot: u32, shared: bool) -> Errno {
        if (shared && prot & PROT_WRITE != 0 && !self.is_for(WRITING)) || !self.is_for(READING) {
            Errno::EACCES
        } else if prot & PROT_EXEC != 0 {
            Errno::EPERM
        } else {
            Errno::EINVAL
        }
    }

    /// Reading only is 0, writing only 1, both 2; 3 is neither.
    fn is_for(&self, access: u32) -> bool {
        self.open_flags.wrapping_add(1) & access != 0
    }
}

/// Whose the memory of a dma-buf is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Owner {
    /// Of no device: RAM, for a test request.
    Test,
    /// A BAR of this device.
    Device(u32),
    /// A BAR of a device whose file was closed: it is revoked for good.
    Nobody,
}

impl Hardware {
    /// Lets go of a dma-buf.
    pub(crate) fn put_dmabuf(&mut self, index: u32) {
        let Some(dmabuf) = self.dmabufs.get_mut(index) else { return };
        dmabuf.holders -= 1;
        if dmabuf.holders == 0
            && let Some(dmabuf) = self.dmabufs.remove(index)
            && dmabuf.owner == Owner::Test
        {
            self.ram.put_run(dmabuf.pa, dmabuf.length);
        }
    }

    /// Lets go of a memfd.
    pub(crate) fn put_memfd(&mut self, index: u32) {
        let Some(memfd) = self.memfds.get_mut(index) else { return };
        memfd.holders -= 1;
        if memfd.holders == 0
            && let Some(memfd) = self.memfds.remove(index)
        {
            memfd.file.close(&mut self.ram);
        }
    }

    /// Copies from the process. EFAULT.
    #[inline]
    pub(crate) fn copy_in(&mut self, from: u64, to: &mut [u8]) -> Result<()> {
        self.user.copy_in(&self.ram, from, to)
    }

    /// Copies to the process. EFAULT.
    #[inline]
    pub(crate) fn copy_out(&mut self, to: u64, from: &[u8]) -> Result<()> {
        self.user.copy_out(&mut self.ram, to, from)
    }
}

/// Pinned pages, and whom they are charged to.
#[derive(Default)]
pub(crate) struct Accounts {
    /// Most pages that each of the two may have; `None`: nothing is accounted.
    pub(crate) limit: Option<u64>,
    /// Charged to the user.
    pub(crate) user: u64,
    /// Charged to the process.
    pub(crate) process: u64,
    /// All pinned pages, charged or not.
    pub(crate) pinned: u64,
}

impl Accounts {
    /// Counts `pages` more. ENOMEM beyond the limit.
    pub(crate) fn add(&mut self, charge: Charge, pages: u64) -> Result<()> {
        let limit = self.limit.unwrap_or(u64::MAX);
        if let Some(charged) = self.charged(charge) {
            let sum = charged.checked_add(pages).filter(|&sum| sum <= limit).ok_or(Errno::ENOMEM)?;
            *charged = sum;
        }
        self.pinned += pages;
        Ok(())
    }

    /// Counts `pages` fewer.
    pub(crate) fn sub(&mut self, charge: Charge, pages: u64) {
        if let Some(charged) = self.charged(charge) {
            *charged -= pages;
        }
        self.pinned -= pages;
    }

    fn charged(&mut self, charge: Charge) -> Option<&mut u64> {
        match charge {
            Charge::None => None,
            Charge::User => Some(&mut self.user),
            Charge::Process => Some(&mut self.process),
        }
    }
}
