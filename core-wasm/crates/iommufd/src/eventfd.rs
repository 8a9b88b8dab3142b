//! eventfds: a 64-bit counter that one side adds to and the other reads.

use crate::kernel::Kernel;
use uapi::{Errno, Result};

/// `eventfd`: a read takes one and not the whole count.
pub const EFD_SEMAPHORE: u32 = 0o1;
/// `eventfd`: reads answer EAGAIN instead of blocking. They do so here in any case, as there is no other thread to wait for.
pub const EFD_NONBLOCK: u32 = 0o4000;
/// `eventfd`: close on exec.
pub const EFD_CLOEXEC: u32 = 0o2000000;

/// One eventfd. Its fd holds it, and so does each interrupt that signals it or is unmasked by it.
pub(crate) struct Eventfd {
    pub(crate) count: u64,
    pub(crate) semaphore: bool,
    pub(crate) holders: u32,
    /// Devices whose INTx a signal unmasks.
    pub(crate) unmasks: u32,
}

impl Eventfd {
    pub(crate) const fn new(initial: u32, semaphore: bool) -> Self {
        Self { count: initial as u64, semaphore, holders: 1, unmasks: 0 }
    }

    fn take(&mut self) -> Result<u64> {
        match self.count {
            0 => Err(Errno::EAGAIN),
            _ if self.semaphore => {
                self.count -= 1;
                Ok(1)
            }
            count => {
                self.count = 0;
                Ok(count)
            }
        }
    }

    fn add(&mut self, value: u64) -> Result<()> {
        if value == u64::MAX {
            return Err(Errno::EINVAL);
        }
        // A write never reaches the end of the range; only the kernel's own signals do.
        if value >= u64::MAX - self.count {
            return Err(Errno::EAGAIN);
        }
        self.count += value;
        Ok(())
    }
}

impl Kernel {
    /// Reads the counter into `va`. EINVAL below 8 bytes, EAGAIN at 0.
    pub(crate) fn read_eventfd(&mut self, index: u32, va: u64, length: u64) -> Result<u64> {
        if length < 8 {
            return Err(Errno::EINVAL);
        }
        let value = self.eventfds.get_mut(index).ok_or(Errno::EIO)?.take()?;
        // As in Linux the count is gone even if it cannot be delivered.
        self.hardware.copy_out(va, &value.to_le_bytes())?;
        Ok(8)
    }

    /// Adds what `va` holds to the counter. EINVAL for any length but 8 bytes and for 2^64 - 1, EAGAIN if it would not fit.
    pub(crate) fn write_eventfd(&mut self, index: u32, va: u64, length: u64) -> Result<u64> {
        if length != 8 {
            return Err(Errno::EINVAL);
        }
        let mut bytes = [0; 8];
        self.hardware.copy_in(va, &mut bytes)?;
        let eventfd = self.eventfds.get_mut(index).ok_or(Errno::EIO)?;
        eventfd.add(u64::from_le_bytes(bytes))?;
        if eventfd.unmasks != 0 {
            self.wake_unmasks(index);
        }
        Ok(8)
    }

    /// The kernel's own signal: adds one, and stays at the end of the range.
    pub(crate) fn signal(&mut self, index: u32) {
        let Some(eventfd) = self.eventfds.get_mut(index) else { return };
        eventfd.count = eventfd.count.saturating_add(1);
        if eventfd.unmasks != 0 {
            self.wake_unmasks(index);
        }
    }

    /// The fd of an eventfd is closed. Interrupts that signal it keep it, but nothing can write it any more, so it unmasks nothing.
    pub(crate) fn close_eventfd(&mut self, index: u32) {
        if self.eventfds.get(index).is_some_and(|eventfd| eventfd.unmasks != 0) {
            self.drop_unmasks(index);
        }
        self.put_eventfd(index);
    }

    /// Lets go of an eventfd.
    pub(crate) fn put_eventfd(&mut self, index: u32) {
        let Some(eventfd) = self.eventfds.get_mut(index) else { return };
        eventfd.holders -= 1;
        if eventfd.holders == 0 {
            self.eventfds.discard(index);
        }
    }

    /// The eventfd behind an fd, with one holder more. EBADF, EINVAL for another kind of file.
    pub(crate) fn get_eventfd(&mut self, fd: i32) -> Result<u32> {
        let crate::file::File::Eventfd(index) = self.file(fd)? else { return Err(Errno::EINVAL) };
        self.eventfds.get_mut(index).ok_or(Errno::EIO)?.holders += 1;
        Ok(index)
    }
}
