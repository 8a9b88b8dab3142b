//! Access objects of the test request: a file each, through which memory of an IOAS is pinned and copied.

use crate::access::{Copying, User};
use crate::file::File;
use crate::hardware::Hardware;
use crate::kernel::Kernel;
use crate::object::ObjectKind;
use crate::pages::PAGE;
use crate::range::range_of;
use crate::request::Call;
use iommu::{Pa, Run};
use iova::Range;
use uapi::selftest as api;
use uapi::{Errno, Result};

/// Most bytes of one operation.
const LENGTH_MAX: u64 = 16 << 20;

/// The file of an access: it holds its iommufd.
pub(crate) struct AccessFile {
    pub(crate) context: u32,
    /// Which access there.
    pub(crate) access: u32,
    /// The number of the next range that it pins.
    next_pin: u32,
}

/// CREATE_ACCESS: makes an access, attaches it to an IOAS and opens its file. All or nothing.
pub(super) fn create(call: &mut Call) -> Result<()> {
    let mut request = api::TestCreateAccess::read(call.bytes()?);
    if request.flags & !api::MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    // As in Linux too many files are no room for one.
    call.kernel.check_file_limit().map_err(|_| Errno::ENOMEM)?;
    let number = call.context;
    let alignment = if request.flags == 0 { 1 } else { PAGE };
    let access = call.context()?.new_access(User::Test, alignment)?;
    let made = open(call, access, request.id).and_then(|fd| {
        request.out_access_fd = fd;
        let mut answer = [0; api::TestCreateAccess::SIZE];
        request.write(&mut answer);
        call.respond(&answer).inspect_err(|_| {
            // The fd is gone before anybody has learned it.
            if let Some(File::Access(file)) = call.kernel.files.remove(fd) {
                call.kernel.access_files.remove(file);
            }
        })
    });
    let (context, hardware) = call.kernel.parts(number)?;
    match made {
        Ok(()) => context.files += 1,
        Err(_) => context.destroy_access(hardware, access),
    }
    made
}

/// Attaches a new access and makes its file. Returns the fd.
fn open(call: &mut Call, access: u32, ioas: u32) -> Result<u32> {
    let number = call.context;
    let (context, hardware) = call.parts()?;
    let ioas = context.objects.index(ioas, ObjectKind::Ioas)?;
    context.move_access(hardware, access, Some(ioas))?;
    let file = call.kernel.access_files.insert(AccessFile { context: number, access, next_pin: 0 })?;
    call.kernel.install(File::Access(file)).inspect_err(|_| {
        call.kernel.access_files.remove(file);
    })
}

/// ACCESS_REPLACE_IOAS: gives an access another IOAS of its iommufd.
pub(super) fn replace(call: &mut Call) -> Result<()> {
    let request = api::TestAccessReplaceIoas::read(call.bytes()?);
    let (_, context, access) = found(call.kernel, request.id)?;
    let (context, hardware) = call.kernel.parts(context)?;
    let ioas = context.objects.index(request.ioas_id, ObjectKind::Ioas)?;
    context.move_access(hardware, access, Some(ioas))
}

/// ACCESS_PAGES: pins pages, and compares them with those of the process where an address is given.
pub(super) fn pin(call: &mut Call) -> Result<()> {
    let mut request = api::TestAccessPages::read(call.bytes()?);
    if request.length > LENGTH_MAX {
        return Err(Errno::ENOMEM);
    }
    if request.flags & !(api::MOCK_FLAGS_ACCESS_WRITE | api::MOCK_FLAGS_ACCESS_SYZ) != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let (file, context, access) = found(call.kernel, request.id)?;
    if call.kernel.context(context)?.accesses.get(access).ok_or(Errno::EIO)?.alignment != PAGE {
        return Err(Errno::EOPNOTSUPP);
    }
    let iova =
        if request.flags & api::MOCK_FLAGS_ACCESS_SYZ != 0 { by_number(call.kernel, context, access, request.iova)? } else { request.iova };
    let range = range_of(iova, request.length)?;
    let next = call.kernel.access_files.get(file).ok_or(Errno::EIO)?.next_pin;
    let (entry, hardware) = call.kernel.parts(context)?;
    entry.pin_range(hardware, access, range, request.flags & api::MOCK_FLAGS_ACCESS_WRITE != 0, next)?;
    let compared = if request.uptr == 0 { Ok(()) } else { compare(call.kernel, context, access, range, request.uptr) };
    let done = compared.and_then(|()| {
        // The number is used up whether or not the caller learns it.
        call.kernel.access_files.get_mut(file).ok_or(Errno::EIO)?.next_pin = next.wrapping_add(1);
        request.out_access_pages_id = next;
        let mut answer = [0; api::TestAccessPages::SIZE];
        request.write(&mut answer);
        call.respond(&answer)
    });
    if done.is_err() {
        let (entry, hardware) = call.kernel.parts(context)?;
        entry.unpin_range(hardware, access, next)?;
    }
    done
}

/// DESTROY_ACCESS_PAGES: lets go of pages that were pinned.
pub(super) fn unpin(call: &mut Call) -> Result<()> {
    let request = api::TestDestroyAccessPages::read(call.bytes()?);
    let (_, context, access) = found(call.kernel, request.id)?;
    let (context, hardware) = call.kernel.parts(context)?;
    context.unpin_range(hardware, access, request.access_pages_id)
}

/// ACCESS_RW: copies between the process and an IOAS.
pub(super) fn copy(call: &mut Call) -> Result<()> {
    let request = api::TestAccessRw::read(call.bytes()?);
    if request.length > LENGTH_MAX {
        return Err(Errno::ENOMEM);
    }
    let known = api::MOCK_ACCESS_RW_WRITE | api::MOCK_ACCESS_RW_SLOW_PATH | api::MOCK_FLAGS_ACCESS_SYZ;
    if request.flags & !known != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let (_, context, access) = found(call.kernel, request.id)?;
    let iova =
        if request.flags & api::MOCK_FLAGS_ACCESS_SYZ != 0 { by_number(call.kernel, context, access, request.iova)? } else { request.iova };
    // What is copied lies in memory of the kernel meanwhile, so that the two sides may overlap. No more of it is used than the IOAS has mapped.
    let range = range_of(iova, request.length);
    let length = range.map_or(0, |range| call.kernel.context(context).map_or(0, |context| context.covered(access, range)));
    let at = call.kernel.hardware.ram.alloc(length.max(1)).ok_or(Errno::ENOMEM)?;
    let result = copy_through(call.kernel, (context, access), &request, range, Run { pa: at, length });
    call.kernel.hardware.ram.put_run(at, length.max(1));
    result
}

fn copy_through(
    kernel: &mut Kernel,
    (context, access): (u32, u32),
    request: &api::TestAccessRw,
    range: Result<Range>,
    buffer: Run,
) -> Result<()> {
    let write = request.flags & api::MOCK_ACCESS_RW_WRITE != 0;
    if write {
        transfer(&mut kernel.hardware, request.uptr, request.length, buffer, true)?;
    }
    let how = Copying { write, by_pinning: request.flags & api::MOCK_ACCESS_RW_SLOW_PATH != 0 };
    let (entry, hardware) = kernel.parts(context)?;
    entry.copy_range(hardware, access, range?, buffer.pa, how)?;
    if write { Ok(()) } else { transfer(&mut kernel.hardware, request.uptr, request.length, buffer, false) }
}

/// Copies between the process's memory and the buffer, a piece at a time. What is beyond the buffer is read from the process, and goes nowhere. EFAULT;
/// what lies before is copied.
fn transfer(hardware: &mut Hardware, va: u64, length: u64, buffer: Run, from_process: bool) -> Result<()> {
    const PIECE: u64 = 512;
    let mut bytes = [0; PIECE as usize];
    for at in (0..length).step_by(PIECE as usize) {
        let va = va.checked_add(at).ok_or(Errno::EFAULT)?;
        let piece = bytes.get_mut(..(length - at).min(PIECE) as usize).ok_or(Errno::EIO)?;
        let kept = buffer.length.saturating_sub(at).min(piece.len() as u64) as usize;
        let here = Pa(buffer.pa.0 + at);
        if from_process {
            hardware.copy_in(va, piece)?;
            if let Some(kept) = piece.get(..kept).filter(|kept| !kept.is_empty()) {
                hardware.ram.bytes_mut(here, kept.len()).copy_from_slice(kept);
            }
        } else {
            piece.copy_from_slice(hardware.ram.bytes(here, piece.len()));
            hardware.copy_out(va, piece)?;
        }
    }
    Ok(())
}

/// EBADE unless the pages of a range are those of the process from `va` on; EFAULT where it has none.
fn compare(kernel: &Kernel, context: u32, access: u32, range: Range, va: u64) -> Result<()> {
    let context = kernel.context(context)?;
    let ioas = context.accesses.get(access).and_then(|access| access.ioas).and_then(|ioas| context.ioases.get(ioas)).ok_or(Errno::EIO)?;
    let mut at = va.wrapping_sub(range.start % PAGE);
    for part in crate::access::parts(ioas, range) {
        let pages = context.pages.get(part.area.pages).ok_or(Errno::EIO)?;
        let (first, last) = part.pages();
        for page in first..=last {
            let start = at & !(PAGE - 1);
            start.checked_add(PAGE).ok_or(Errno::EOVERFLOW)?;
            let theirs = kernel.hardware.user.view(start, PAGE)?;
            let ours = pages.pinned_runs(page * PAGE, page * PAGE).next().map(|run| run.pa);
            if ours != Some(theirs) {
                return Err(Errno::EBADE);
            }
            at = at.wrapping_add(PAGE);
        }
    }
    Ok(())
}

/// The file behind an fd with its iommufd and its access. EBADFD.
fn found(kernel: &Kernel, fd: u32) -> Result<(u32, u32, u32)> {
    let Ok(File::Access(file)) = kernel.file(fd as i32) else { return Err(Errno::EBADFD) };
    let entry = kernel.access_files.get(file).ok_or(Errno::EIO)?;
    Ok((file, entry.context, entry.access))
}

/// The IOVA that a guessing caller means: the low half counts areas, the high half is an offset in that area. 0 beyond the last.
fn by_number(kernel: &Kernel, context: u32, access: u32, iova: u64) -> Result<u64> {
    let context = kernel.context(context)?;
    let ioas = context.accesses.get(access).and_then(|access| access.ioas).and_then(|ioas| context.ioases.get(ioas)).ok_or(Errno::EIO)?;
    Ok(super::tables::nth_area(ioas, iova))
}

impl Kernel {
    /// The end of an access's file: its pins go, the access, and the hold on the iommufd.
    pub(crate) fn close_access(&mut self, index: u32) {
        let Some(file) = self.access_files.remove(index) else { return };
        if let Ok((context, hardware)) = self.parts(file.context) {
            context.destroy_access(hardware, file.access);
        }
        self.put_context(file.context);
    }
}
