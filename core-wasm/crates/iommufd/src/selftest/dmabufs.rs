//! Dma-bufs of the test request: memory of a device that does not exist, which it takes back and gives again.

use crate::file::File;
use crate::hardware::{Dmabuf, Owner};
use crate::pages::PAGE;
use crate::request::Call;
use uapi::selftest as api;
use uapi::{Errno, Result};

/// Most bytes of one.
const LENGTH_MAX: u64 = 512 * PAGE;

/// DMABUF_GET: makes a dma-buf of whole pages. Linux 7.3 does not answer its fd, which is the lowest that was free.
pub(super) fn get(call: &mut Call) -> Result<()> {
    let request = api::TestDmabufGet::read(call.bytes()?);
    let length = u64::from(request.length).next_multiple_of(PAGE);
    if length == 0 || length > LENGTH_MAX {
        return Err(Errno::EINVAL);
    }
    let kernel = &mut *call.kernel;
    kernel.check_file_limit()?;
    kernel.hardware.dmabufs.reserve()?;
    let pa = kernel.hardware.ram.alloc(length).ok_or(Errno::ENOMEM)?;
    let open_flags = request.open_flags;
    let dmabuf = Dmabuf { owner: Owner::Test, pa, length, ranges: 1, open_flags, revoked: false, holders: 1 };
    let dmabuf = kernel.hardware.dmabufs.insert(dmabuf)?;
    kernel.install(File::Dmabuf(dmabuf)).inspect_err(|_| kernel.hardware.put_dmabuf(dmabuf))?;
    Ok(())
}

/// DMABUF_REVOKE: the device takes its memory back, or says that it can be mapped again. What is mapped loses it either way. EBADF; EINVAL for another
/// kind of file, EOPNOTSUPP for a dma-buf of a device.
pub(super) fn revoke(call: &mut Call) -> Result<()> {
    let request = api::TestDmabufRevoke::read(call.bytes()?);
    let kernel = &mut *call.kernel;
    let File::Dmabuf(dmabuf) = kernel.file(request.dmabuf_fd)? else { return Err(Errno::EINVAL) };
    let entry = kernel.hardware.dmabufs.get_mut(dmabuf).ok_or(Errno::EIO)?;
    if entry.owner != Owner::Test {
        return Err(Errno::EOPNOTSUPP);
    }
    entry.revoked = request.revoked != 0;
    kernel.revoke(dmabuf);
    Ok(())
}
