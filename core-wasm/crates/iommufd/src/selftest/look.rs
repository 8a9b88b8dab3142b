//! A look behind the scenes: where page tables lead, how often pages are pinned, what caches and dirty bits say.

use crate::hardware::Hardware;
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

/// DIRTY: marks pages as written to, where a bitmap of the process has a bit for each piece of a range. Answers how many bits were set, whether or not
/// there is a page at each. EINVAL without a range of whole pieces or without tracking, EOVERFLOW, ENOENT, EFAULT.
pub(super) fn dirty(call: &mut Call) -> Result<()> {
    let mut request = api::TestDirty::read(call.bytes()?);
    let whole = |value: u64| value.checked_rem(request.page_size) == Some(0);
    if request.length == 0 || !whole(request.iova) || !whole(request.length) || request.uptr == 0 {
        return Err(Errno::EINVAL);
    }
    let bits = request.length / request.page_size;
    if bits > BITS_MAX {
        return Err(Errno::EOVERFLOW);
    }
    let (context, hardware) = call.parts()?;
    let index = context.objects.index(request.id, ObjectKind::Hwpt)?;
    let domain = context.hwpts.get(index).ok_or(Errno::EIO)?.domain;
    if !hardware.iommu.has_marks(domain) {
        return Err(Errno::EINVAL);
    }
    // All of it is read before a page is marked.
    each_byte(hardware, request.uptr, bits.div_ceil(8), |_, _, _| ())?;
    let mut count = 0;
    each_byte(hardware, request.uptr, bits.div_ceil(8), |hardware, index, byte| {
        for bit in (0..8).filter(|bit| byte >> bit & 1 != 0 && index * 8 + bit < bits) {
            let iova = request.iova.wrapping_add((index * 8 + bit) * request.page_size);
            hardware.iommu.mark(&mut hardware.ram, domain, iova);
            count += 1;
        }
    })?;
    request.out_nr_dirty = count;
    let mut answer = [0; api::TestDirty::SIZE];
    request.write(&mut answer);
    call.respond(&answer)
}

/// Calls `visit` with each of so many bytes of the process, and its number. EFAULT.
fn each_byte(hardware: &mut Hardware, va: u64, count: u64, mut visit: impl FnMut(&mut Hardware, u64, u8)) -> Result<()> {
    const PIECE: u64 = 256;
    for start in (0..count).step_by(PIECE as usize) {
        let mut bytes = [0; PIECE as usize];
        let piece = bytes.get_mut(..(count - start).min(PIECE) as usize).ok_or(Errno::EIO)?;
        hardware.copy_in(va.checked_add(start).ok_or(Errno::EFAULT)?, piece)?;
        for (index, &byte) in (start..).zip(piece.iter()) {
            visit(hardware, index, byte);
        }
    }
    Ok(())
}
