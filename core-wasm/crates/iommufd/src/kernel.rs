//! The kernel: all that exists, and the system calls that are not about memory.

use crate::config::{Config, Limits, Rules};
use crate::context::Context;
use crate::device::Device;
use crate::emulated::WAITS;
use crate::eventfd::Eventfd;
use crate::file::{DeviceFile, File};
use crate::group::{AttachSet, Group};
use crate::hardware::{Accounts, Hardware, PAGE_ENTRY, PAGE_LIST, READING, WRITING};
use crate::hot_reset::ResetBus;
use crate::page_request::Responses;
use crate::sanitizer::Sanitizer;
use crate::selftest::AccessFile;
use crate::slab::{LowestSlab, Slab};
use alloc::vec::Vec;
use iommu::{FRAME_LG2, Iommu, Ram, UserMemory};
use uapi::{Errno, Result};

/// Set in the answer of a request: the host resets the model of the device whose number is in the low bits, then answers 0.
pub const HOST_RESET: u32 = 0x4000_0000;
/// Set in the answer of close: a bound fd of the device in the low bits went away, the host resets its model.
pub const HOST_RELEASE: u32 = 0x2000_0000;
/// Set in the answer of a request: the host resets the models of all devices on the bus of the device in the low bits, then answers 0.
pub const HOST_HOT_RESET: u32 = 0x1000_0000;

/// The answer of a request or of close that waits: the host tells models of emulated devices to let go of memory, then calls [`Kernel::restart`].
pub const HOST_UNMAP: u32 = 0x0800_0000;

/// First number of an fd: the three standard ones are taken.
const FIRST_FD: u32 = 3;

/// The simulated kernel with its machine and its one process.
///
/// System calls return a result of 0 or more, or an error number. They never panic, whatever the arguments.
pub struct Kernel {
    pub(crate) hardware: Hardware,
    pub(crate) files: LowestSlab<File>,
    pub(crate) contexts: Slab<Context>,
    pub(crate) device_files: Slab<DeviceFile>,
    pub(crate) eventfds: Slab<Eventfd>,
    pub(crate) access_files: Slab<AccessFile>,
    pub(crate) devices: Vec<Device>,
    pub(crate) groups: Vec<Group>,
    pub(crate) sets: Vec<AttachSet>,
    pub(crate) reset_buses: Vec<ResetBus>,
    pub(crate) sanitizer: Sanitizer,
    pub(crate) rules: Rules,
    pub(crate) limits: Limits,
    /// Answers to page requests of devices.
    pub(crate) responses: Responses,
    /// A signal is waking those that wait for it.
    pub(crate) waking: bool,
    /// Bytes of RAM that are devices' own buffers.
    pub(crate) staging: u64,
}

impl Kernel {
    /// A machine with this RAM and no devices. EINVAL if the page tables cannot have that many levels, ENOMEM.
    pub fn new(config: Config, mut ram: Ram) -> Result<Kernel> {
        let accounts = Accounts { limit: config.limits.memlock.map(|bytes| bytes >> FRAME_LG2), ..Accounts::default() };
        let mut runs = Vec::new();
        runs.try_reserve(16).map_err(|_| Errno::ENOMEM)?;
        let pages_at_once = PAGE_LIST / PAGE_ENTRY;
        let iommu = Iommu::new(config.iommu, &mut ram)?;
        Ok(Kernel {
            hardware: Hardware {
                ram,
                user: UserMemory::new(),
                iommu,
                memfds: Slab::new(),
                dmabufs: Slab::new(),
                waiting: Default::default(),
                accounts,
                pages_at_once,
                runs,
            },
            files: LowestSlab::new(FIRST_FD),
            contexts: Slab::new(),
            device_files: Slab::new(),
            eventfds: Slab::new(),
            access_files: Slab::new(),
            devices: Vec::new(),
            groups: Vec::new(),
            sets: Vec::new(),
            reset_buses: Vec::new(),
            sanitizer: Sanitizer::default(),
            rules: config.rules,
            limits: config.limits,
            responses: Responses::default(),
            waking: false,
            staging: 0,
        })
    }

    /// One request to a file. `argument` is the address of the request's struct.
    ///
    /// Returns 0 or more, or [`HOST_RESET`] or [`HOST_HOT_RESET`] with a device, or [`HOST_UNMAP`]. EBADF; ENOTTY for a file without requests or a request that it does not know.
    pub fn ioctl(&mut self, fd: i32, request: u32, argument: u64) -> Result<u32> {
        match self.file(fd)? {
            File::Iommufd(context) => {
                let result = self.iommufd_ioctl(context, request, argument);
                if result == Err(WAITS) { self.wait_in_ioctl(fd, request, argument) } else { result }
            }
            File::Device(file) => {
                let result = self.device_ioctl(file, request, argument);
                if result == Err(WAITS) { self.wait_in_ioctl(fd, request, argument) } else { result }
            }
            File::Eventfd(_) | File::Memfd(_) | File::Access(_) | File::Dmabuf(_) | File::FaultQueue(_) | File::EventQueue(_) => {
                Err(Errno::ENOTTY)
            }
        }
    }

    /// Reads at most `length` bytes to `va`. Only eventfds and queues can be read so. EBADF, EINVAL.
    pub fn read(&mut self, fd: i32, va: u64, length: u64) -> Result<u64> {
        match self.file(fd)? {
            File::Eventfd(index) => self.read_eventfd(index, va, length),
            File::FaultQueue(queue) => self.read_faults(queue, va, length),
            File::EventQueue(queue) => self.read_events(queue, va, length),
            File::Dmabuf(index) => Err(self.hardware.dmabufs.get(index).ok_or(Errno::EIO)?.refuse(READING)),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Writes `length` bytes from `va`. Only eventfds and queues of page faults can be written so. EBADF, EINVAL.
    pub fn write(&mut self, fd: i32, va: u64, length: u64) -> Result<u64> {
        match self.file(fd)? {
            File::Eventfd(index) => self.write_eventfd(index, va, length),
            File::FaultQueue(queue) => self.write_responses(queue, va, length),
            File::Dmabuf(index) => Err(self.hardware.dmabufs.get(index).ok_or(Errno::EIO)?.refuse(WRITING)),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Whether a read would find something: 1, else 0. Files that no read waits for are always ready, as in Linux. EBADF.
    pub fn poll(&self, fd: i32) -> Result<u32> {
        match self.file(fd)? {
            File::Eventfd(index) => Ok(u32::from(self.eventfds.get(index).is_some_and(|eventfd| eventfd.count != 0))),
            File::FaultQueue(queue) => Ok(u32::from(self.has_faults(queue))),
            File::EventQueue(queue) => Ok(u32::from(self.has_events(queue))),
            _ => Ok(1),
        }
    }

    /// The device behind a device_fd that is bound. EBADF, EINVAL for a file that is none or is inoperable.
    pub fn device_of(&self, fd: i32) -> Result<u32> {
        let File::Device(index) = self.file(fd)? else { return Err(Errno::EINVAL) };
        let file = self.device_files.get(index).ok_or(Errno::EIO)?;
        if file.bound.is_some() { Ok(file.device) } else { Err(Errno::EINVAL) }
    }
}
