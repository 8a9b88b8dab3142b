//! File descriptors: what each one names, and closing it.

use crate::context::Context;
use crate::eventfd::{EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE, Eventfd};
use crate::hardware::Memfd;
use crate::kernel::{HOST_RELEASE, HOST_UNMAP, Kernel};
use crate::plug::Plug;
use iommu::MemFile;
use uapi::{Errno, Result};

/// What a file descriptor names: the index among those of its kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum File {
    /// An iommufd: its context.
    Iommufd(u32),
    /// A device_fd: its [`DeviceFile`].
    Device(u32),
    /// An eventfd.
    Eventfd(u32),
    /// A memfd.
    Memfd(u32),
    /// A dma-buf.
    Dmabuf(u32),
    /// An access object of a test request.
    Access(u32),
    /// A queue of page faults.
    FaultQueue(QueueFile),
    /// A queue of events.
    EventQueue(QueueFile),
}

/// What the file of a queue names: an iommufd, and which queue of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct QueueFile {
    pub(crate) context: u32,
    pub(crate) index: u32,
}

/// An open device_fd.
pub(crate) struct DeviceFile {
    pub(crate) device: u32,
    /// What it is bound to. Without that it is inoperable.
    pub(crate) bound: Option<Bound>,
}

/// What a device_fd is bound to.
#[derive(Clone, Copy)]
pub(crate) struct Bound {
    pub(crate) context: u32,
    /// The object id of the device there.
    pub(crate) id: u32,
}

impl Kernel {
    /// Opens `/dev/iommu`. Returns the fd. EMFILE, ENOMEM.
    pub fn open_iommufd(&mut self) -> Result<u32> {
        self.check_file_limit()?;
        let index = self.contexts.insert(Context::new())?;
        self.install(File::Iommufd(index)).inspect_err(|_| {
            self.contexts.discard(index);
        })
    }

    /// Opens a device's node. The fd is inoperable until it is bound. EMFILE, ENODEV for no device or one that leaves, EPERM for one without
    /// an IOMMU and a process without the right, EBUSY where it is open already and
    /// the machine's rule allows one open, ENOMEM.
    pub fn open_device(&mut self, device: u32) -> Result<u32> {
        self.check_file_limit()?;
        let single = self.rules.single_open;
        let entry = self.devices.get_mut(device as usize).ok_or(Errno::ENODEV)?;
        if entry.mock.is_some() || entry.plug != Plug::Present {
            return Err(Errno::ENODEV);
        }
        if entry.config.no_iommu && !self.limits.sys_rawio {
            return Err(Errno::EPERM);
        }
        if single && entry.open_files != 0 {
            return Err(Errno::EBUSY);
        }
        let index = self.device_files.insert(DeviceFile { device, bound: None })?;
        let fd = self.files.insert(File::Device(index)).inspect_err(|_| {
            self.device_files.discard(index);
        })?;
        if entry.open_files == 0 {
            self.hardware.iommu.set_label(device, None);
        }
        entry.open_files += 1;
        Ok(fd)
    }

    /// Makes an eventfd. Returns the fd. EINVAL for unknown flags, EMFILE, ENOMEM.
    pub fn eventfd(&mut self, initial: u32, flags: u32) -> Result<u32> {
        if flags & !(EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC) != 0 {
            return Err(Errno::EINVAL);
        }
        self.check_file_limit()?;
        let index = self.eventfds.insert(Eventfd::new(initial, flags & EFD_SEMAPHORE != 0))?;
        self.install(File::Eventfd(index)).inspect_err(|_| {
            self.eventfds.discard(index);
        })
    }

    /// Makes an anonymous file of `length` bytes, as memfd_create and ftruncate do. Returns the fd. EMFILE, ENOMEM.
    pub fn memfd(&mut self, length: u64) -> Result<u32> {
        self.check_file_limit()?;
        // Room comes first: a file that finds none would keep its memory for ever.
        self.hardware.memfds.reserve()?;
        let file = MemFile::new(&mut self.hardware.ram, length)?;
        let index = self.hardware.memfds.insert(Memfd { file, holders: 1 })?;
        self.install(File::Memfd(index)).inspect_err(|_| self.hardware.put_memfd(index))
    }

    /// Closes a file descriptor. Returns 0, or [`HOST_RELEASE`] with the device whose bound fd this was, or [`HOST_UNMAP`]. EBADF.
    pub fn close(&mut self, fd: i32) -> Result<u32> {
        let file = self.file(fd)?;
        if let Some(device) = self.emulated_of(file)
            && self.close_emulated(fd, device)? != 0
        {
            return Ok(HOST_UNMAP);
        }
        self.files.remove(fd as u32);
        match file {
            File::Iommufd(context) => self.put_context(context),
            File::Eventfd(index) => self.close_eventfd(index),
            File::Memfd(index) => self.hardware.put_memfd(index),
            File::FaultQueue(QueueFile { context, index }) => {
                if let Some(id) = self.contexts.get(context).and_then(|context| context.fault_queues.get(index)).map(|queue| queue.id) {
                    self.put_queue(context, id);
                }
            }
            File::Dmabuf(index) => self.hardware.put_dmabuf(index),
            File::Access(index) => self.close_access(index),
            File::EventQueue(QueueFile { context, index }) => {
                if let Some(id) = self.contexts.get(context).and_then(|context| context.event_queues.get(index)).map(|queue| queue.id) {
                    self.put_queue(context, id);
                }
            }
            File::Device(index) => return Ok(self.close_device(index)),
        }
        Ok(0)
    }

    fn close_device(&mut self, index: u32) -> u32 {
        let Some(file) = self.device_files.remove(index) else { return 0 };
        if let Some(device) = self.devices.get_mut(file.device as usize) {
            device.open_files -= 1;
            if device.plug == Plug::Leaving && device.open_files == 0 {
                device.plug = Plug::Gone;
            }
        }
        match file.bound {
            None => 0,
            Some(bound) => {
                self.unbind(file.device, bound);
                HOST_RELEASE | file.device
            }
        }
    }

    /// The file behind an fd. EBADF.
    #[inline]
    pub(crate) fn file(&self, fd: i32) -> Result<File> {
        let number = u32::try_from(fd).map_err(|_| Errno::EBADF)?;
        self.files.get(number).copied().ok_or(Errno::EBADF)
    }

    /// Lets go of a context. The last one to do so destroys its objects.
    pub(crate) fn put_context(&mut self, index: u32) {
        let Some(context) = self.contexts.get_mut(index) else { return };
        context.files -= 1;
        if context.files != 0 {
            return;
        }
        self.destroy_selftests(index);
        if let Some(context) = self.contexts.get_mut(index) {
            context.destroy_all(&mut self.hardware);
        }
        self.contexts.discard(index);
    }

    /// EMFILE for one file more than the process may have.
    pub(crate) fn check_file_limit(&self) -> Result<()> {
        if self.files.next() >= self.limits.open_files { Err(Errno::EMFILE) } else { Ok(()) }
    }

    /// Gives a file the lowest free descriptor. ENOMEM.
    pub(crate) fn install(&mut self, file: File) -> Result<u32> {
        Ok(self.files.insert(file)?)
    }
}
