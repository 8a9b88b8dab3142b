//! A look behind the scenes: where page tables lead, how often pages are pinned, what caches and dirty bits say.

use crate::object::ObjectKind;
use crate::pages::PAGE;
use crate::request::Call;
use uapi::selftest as api;
use uapi::{Errno, Result};

/// Most bits of [`dirty`].
const BITS_MAX: u64 = 8 * (16 << 20);

/// MD_CHECK_MAP: whether a page table leads from IOVAs to the memory of the process. EINVAL if not, EFAULT where the process has no memory,
/// EOVERFLOW in the last page that there could be.
pub(super) fn check_map(call: &mut Call) -> Result<()> {
    let request = api::TestMdCheckMap::read(call.bytes()?);
    let (context, hardware) = call.parts()?;
    let index = context.objects.index(request.id, ObjectKind::Hwpt)?;
    let hwpt = context.hwpts.get(index).ok_or(Errno::EIO)?;
    let (domain, step) = (hwpt.domain, hwpt.smallest_page);
    if (request.iova | request.length | request.uptr) & (step - 1) != 0 {
        return Err(Errno::EINVAL);
    }
    request.uptr.checked_add(request.length).ok_or(Errno::EINVAL)?;
    let mut done = 0;
    while done < request.length {
        let va = request.uptr + done;
        let start = va & !(PAGE - 1);
        start.checked_add(PAGE).ok_or(Errno::EOVERFLOW)?;
        let page = hardware.user.view(start, PAGE)?;
        let found = hardware.iommu.translate_in(&hardware.ram, domain, request.iova.wrapping_add(done));
        if found.map(|found| found.pa.0) != Some(page.0 + va % PAGE) {
            return Err(Errno::EINVAL);
        }
        done += step;
    }
    Ok(())
}

/// MD_CHECK_REFS: whether each page of the process is pinned so many times. EIO if not.
pub(super) fn check_refs(call: &mut Call) -> Result<()> {
    let request = api::TestMdCheckRefs::read(call.bytes()?);
    if (request.length | request.uptr) & (PAGE - 1) != 0 {
        return Err(Errno::EINVAL);
    }
    let end = request.uptr.checked_add(request.length).ok_or(Errno::EINVAL)?;
    for va in (request.uptr..end).step_by(PAGE as usize) {
        let page = call.kernel.hardware.user.view(va, PAGE)?;
        let pages = call.kernel.contexts.iter().flat_map(|(_, context)| context.pages.iter());
        let pinned: u32 = pages.map(|(_, pages)| pages.pins_of(page)).sum();
        if pinned != request.refs {
            return Err(Errno::EIO);
        }
    }
    Ok(())
}

/// DIRTY: marks pages as written. After its checks always EINVAL, since no page table tracks writes.
pub(super) fn dirty(call: &mut Call) -> Result<()> {
    let request = api::TestDirty::read(call.bytes()?);
    let whole = |value: u64| value.checked_rem(request.page_size) == Some(0);
    if request.length == 0 || !whole(request.iova) || !whole(request.length) || request.uptr == 0 {
        return Err(Errno::EINVAL);
    }
    if request.length / request.page_size > BITS_MAX {
        return Err(Errno::EOVERFLOW);
    }
    call.context()?.objects.index(request.id, ObjectKind::Hwpt)?;
    Err(Errno::EINVAL)
}
