//! Emulated devices: VFIO devices without an IOMMU, whose driver, here a model of the host, reaches memory through an access object.
//!
//! Before memory with pins is unmapped, and before the device leaves its IOAS, the model is told and must let go. That is the host's doing: the system
//! call is left with its work half done, [`Kernel::ioctl`] or [`Kernel::close`] answers [`HOST_UNMAP`], and [`Kernel::restart`] goes on where it was,
//! after the host has passed on what [`Kernel::take_notice`] says. No system call of a program comes between.

use crate::access::{Copying, User};
use crate::file::{Bound, File};
use crate::hardware::Hardware;
use crate::kernel::{HOST_UNMAP, Kernel};
use crate::object::ObjectKind;
use crate::pages::PAGE;
use crate::range::range_of;
use alloc::vec::Vec;
use iommu::{FaultReason, Pa, Run};
use iova::Range;
use uapi::{Errno, Result};

/// A system call waits for models. Linux has the number for calls that start again; no program sees it.
pub(crate) const WAITS: Errno = Errno(512);
/// How often a model is asked to let go of an area.
const TRIES_MAX: u32 = 100;

/// IOVAs that a model shall not use any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Notice {
    /// The device.
    pub device: u32,
    /// First IOVA.
    pub start: u64,
    /// Last IOVA.
    pub last: u64,
}

/// What a system call that waits for models has done so far.
#[derive(Default)]
pub(crate) struct Waiting {
    /// Whom to tell; the first comes first.
    notices: Vec<Notice>,
    /// Bytes that were unmapped before.
    pub(crate) unmapped: u64,
    /// How often the area that is next was asked for.
    tries: u32,
    /// The model has heard that its device leaves.
    told: bool,
    /// What to do again.
    call: Option<WaitingCall>,
}

#[derive(Clone, Copy)]
enum WaitingCall {
    Ioctl(i32, u32, u64),
    Close(i32),
}

impl Waiting {
    /// Remembers whom to tell. ENOMEM.
    pub(crate) fn push(&mut self, device: u32, range: Range) -> Result<()> {
        self.notices.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.notices.push(Notice { device, start: range.start, last: range.last });
        Ok(())
    }

    /// The area has pins after it was asked for once more. EDEADLK when that was too often, else [`WAITS`].
    pub(crate) fn ask_again(&mut self, unmapped: u64) -> Errno {
        self.tries += 1;
        if self.tries > TRIES_MAX + 1 {
            self.tries = 0;
            return Errno::EDEADLK;
        }
        self.unmapped = unmapped;
        WAITS
    }

    /// The next area begins.
    pub(crate) fn next_area(&mut self) {
        self.tries = 0;
    }
}

impl Kernel {
    /// The next model to tell that it must let go of memory.
    pub fn take_notice(&mut self) -> Option<Notice> {
        let notices = &mut self.hardware.waiting.notices;
        if notices.is_empty() { None } else { Some(notices.remove(0)) }
    }

    /// Goes on with the system call that answered [`HOST_UNMAP`]. Its answer, which may be that once more. EINVAL if none waits.
    pub fn restart(&mut self) -> Result<u32> {
        match self.hardware.waiting.call.take() {
            Some(WaitingCall::Ioctl(fd, request, argument)) => self.ioctl(fd, request, argument),
            Some(WaitingCall::Close(fd)) => self.close(fd),
            None => Err(Errno::EINVAL),
        }
    }

    /// A request waits for models: it starts again when they have been told.
    #[cold]
    pub(crate) fn wait_in_ioctl(&mut self, fd: i32, request: u32, argument: u64) -> Result<u32> {
        self.hardware.waiting.call = Some(WaitingCall::Ioctl(fd, request, argument));
        Ok(HOST_UNMAP)
    }

    /// Binds an emulated device: an access stands for it. Its object's id is the device's.
    pub(crate) fn bind_emulated(&mut self, device: u32, context: u32) -> Result<Bound> {
        let entry = self.context_mut(context)?;
        let access = entry.new_access(User::Device(device), PAGE)?;
        let id = entry.accesses.get(access).ok_or(Errno::EIO)?.id;
        entry.files += 1;
        self.device_mut(device)?.access = Some(access);
        Ok(Bound { context, id })
    }

    /// ATTACH of an emulated device: only to an IOAS. ENOENT for anything else, EADDRINUSE for areas that are no whole pages.
    pub(crate) fn attach_emulated(&mut self, device: u32, bound: Bound, pt_id: u32) -> Result<u32> {
        let access = self.device(device)?.access.ok_or(Errno::EIO)?;
        let context = self.context(bound.context)?;
        let ioas = context.objects.index(pt_id, ObjectKind::Ioas)?;
        let from = context.accesses.get(access).and_then(|access| access.ioas);
        if from == Some(ioas) {
            return Ok(pt_id);
        }
        context.ioases.get(ioas).ok_or(Errno::EIO)?.check_alignment(PAGE)?;
        if from.is_some() {
            self.tell_leaving(device)?;
        }
        let (context, hardware) = self.parts(bound.context)?;
        context.move_access(hardware, access, Some(ioas))?;
        Ok(pt_id)
    }

    /// DETACH of an emulated device. Nothing happens if it is not attached.
    pub(crate) fn detach_emulated(&mut self, device: u32, bound: Bound) -> Result<()> {
        if self.ioas_of_emulated(device).is_some() {
            self.tell_leaving(device)?;
            let access = self.device(device)?.access.ok_or(Errno::EIO)?;
            let (context, hardware) = self.parts(bound.context)?;
            context.move_access(hardware, access, None)?;
        }
        Ok(())
    }

    /// The end of a bound fd of an emulated device. The first time round the model is told, if it is attached.
    pub(crate) fn close_emulated(&mut self, fd: i32, device: u32) -> Result<u32> {
        if self.ioas_of_emulated(device).is_some()
            && let Err(WAITS) = self.tell_leaving(device)
        {
            self.hardware.waiting.call = Some(WaitingCall::Close(fd));
            return Ok(HOST_UNMAP);
        }
        Ok(0)
    }

    /// What the end of the binding undoes. Pins that a model has kept against its word go as well.
    pub(crate) fn leave_emulated(&mut self, device: u32, bound: Bound) {
        self.disable_irqs(device);
        let access = self.device_mut(device).ok().and_then(|device| {
            device.bound = None;
            device.access.take()
        });
        if let (Some(access), Ok((context, hardware))) = (access, self.parts(bound.context)) {
            context.destroy_access(hardware, access);
        }
    }

    /// [`WAITS`] the first time; then the model has heard that all its memory goes.
    fn tell_leaving(&mut self, device: u32) -> Result<()> {
        let waiting = &mut self.hardware.waiting;
        if core::mem::take(&mut waiting.told) {
            return Ok(());
        }
        waiting.push(device, Range::ALL)?;
        waiting.told = true;
        Err(WAITS)
    }

    fn ioas_of_emulated(&self, device: u32) -> Option<u32> {
        let entry = self.device(device).ok()?;
        let (bound, access) = (entry.bound?, entry.access?);
        self.context(bound.context).ok()?.accesses.get(access)?.ioas
    }

    /// The model of a device copies between its buffer and memory at `iova`. What lies before a fault is copied.
    pub fn access_copy(&mut self, device: u32, iova: u64, buffer: Pa, length: u64, write: bool) -> core::result::Result<(), FaultReason> {
        if !self.hardware.ram.contains(buffer, length) {
            return Err(FaultReason::BadBuffer);
        }
        if length == 0 {
            return Ok(());
        }
        if write {
            self.log_write(device, iova, length);
        }
        let result = self.emulated_parts(device).and_then(|(access, context, hardware)| {
            let range = range_of(iova, length)?;
            context.copy_range(hardware, access, range, buffer, Copying { write, by_pinning: false })
        });
        result.map_err(|error| reason(error, write))
    }

    /// The model of a device pins the pages of a range, by a number of its own choice. Where they are is found by [`Kernel::pinned_run`].
    ///
    /// ENODEV unless it is bound; what pinning by an access refuses.
    pub fn access_pin(&mut self, device: u32, iova: u64, length: u64, write: bool, id: u32) -> Result<()> {
        let (access, context, hardware) = self.emulated_parts(device)?;
        context.pin_range(hardware, access, range_of(iova, length)?, write, id)
    }

    /// The model of a device lets go of a range that it has pinned. ENOENT for one that it has not.
    pub fn access_unpin(&mut self, device: u32, id: u32) -> Result<()> {
        let (access, context, hardware) = self.emulated_parts(device)?;
        context.unpin_range(hardware, access, id)
    }

    /// A piece of what a model has pinned, by its position: its place in RAM and its length.
    pub fn pinned_run(&self, device: u32, id: u32, position: u32) -> Option<Run> {
        let entry = self.device(device).ok()?;
        let context = self.context(entry.bound?.context).ok()?;
        context.pinned_runs(entry.access?, id)?.nth(position as usize)
    }

    fn emulated_parts(&mut self, device: u32) -> Result<(u32, &mut crate::context::Context, &mut Hardware)> {
        let entry = self.device(device)?;
        let (Some(bound), Some(access)) = (entry.bound, entry.access) else { return Err(Errno::ENODEV) };
        let (context, hardware) = self.parts(bound.context)?;
        if context.accesses.get(access).is_some_and(|access| access.ioas.is_none()) {
            return Err(Errno::ENODEV);
        }
        Ok((access, context, hardware))
    }

    /// Whether a file is the bound one of an emulated device, and which.
    pub(crate) fn emulated_of(&self, file: File) -> Option<u32> {
        let File::Device(index) = file else { return None };
        let file = self.device_files.get(index)?;
        file.bound?;
        self.device(file.device).ok()?.config.emulated.then_some(file.device)
    }
}

fn reason(error: Errno, write: bool) -> FaultReason {
    match error {
        Errno::ENODEV => FaultReason::Blocked,
        Errno::EPERM if write => FaultReason::NoWrite,
        Errno::EPERM => FaultReason::NoRead,
        _ => FaultReason::NotPresent,
    }
}
