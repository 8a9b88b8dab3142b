//! HWPT_INVALIDATE: a program says that it has changed tables of its own.

use crate::capability::{Capabilities, NestedTables};
use crate::hardware::Hardware;
use crate::kernel::Kernel;
use crate::nested::{Nested, Stage};
use crate::object::ObjectKind;
use crate::request::Call;
use crate::selftest;
use crate::smmuv3;
use iommu::{DomainId, GUESTS};
use uapi::iommufd as api;
use uapi::{Errno, Result};

/// Most bytes of an entry.
const ENTRY_LENGTH_MAX: u32 = 4096;
/// Most entries.
const ENTRIES_MAX: u32 = 1 << 19;
const PAGE_LG2: u32 = 12;

/// The entries of a request.
#[derive(Clone, Copy)]
pub(crate) struct Entries {
    at: u64,
    length: u32,
    pub(crate) count: u32,
}

impl Entries {
    /// Copies an entry. EINVAL if entries are of another length, EFAULT.
    pub(crate) fn copy_in<const N: usize>(&self, hardware: &mut Hardware, index: u32) -> Result<[u8; N]> {
        if self.length as usize != N {
            return Err(Errno::EINVAL);
        }
        let mut bytes = [0; N];
        hardware.copy_in(self.place(index), &mut bytes)?;
        Ok(bytes)
    }

    /// Copies an entry as a request's struct: what a shorter one lacks is 0, and a longer one ends with zeroes. E2BIG, EFAULT.
    pub(crate) fn copy_struct_in<const N: usize>(&self, kernel: &mut Kernel, index: u32) -> Result<[u8; N]> {
        let at = self.place(index);
        let length = self.length as usize;
        kernel.check_tail(at, N as u64, length.saturating_sub(N) as u64)?;
        let mut bytes = [0; N];
        kernel.hardware.copy_in(at, bytes.get_mut(..length.min(N)).ok_or(Errno::EIO)?)?;
        Ok(bytes)
    }

    fn place(&self, index: u32) -> u64 {
        self.at.wrapping_add(u64::from(index) * u64::from(self.length))
    }
}

/// HWPT_INVALIDATE. Whatever fails, it answers how many entries were done.
pub(crate) fn invalidate(call: &mut Call) -> Result<()> {
    let mut request = api::HwptInvalidate::read(call.bytes()?);
    let mut done = 0;
    let result = run(call, &request, &mut done);
    request.entry_num = done;
    let mut answer = [0; api::HwptInvalidate::SIZE];
    request.write(&mut answer);
    call.respond(&answer)?;
    result
}

fn run(call: &mut Call, request: &api::HwptInvalidate, done: &mut u32) -> Result<()> {
    if request.reserved != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let bad_length = request.entry_len == 0 || request.entry_len > ENTRY_LENGTH_MAX;
    if request.entry_num != 0 && (request.data_uptr == 0 || bad_length || request.entry_num > ENTRIES_MAX) {
        return Err(Errno::EINVAL);
    }
    let object = call.context()?.objects.get(request.hwpt_id)?;
    let entries = Entries { at: request.data_uptr, length: request.entry_len, count: request.entry_num };
    if GUESTS && object.kind == ObjectKind::Viommu {
        let (kernel, context, viommu) = (&mut *call.kernel, call.context, object.index);
        return match Capabilities::of(kernel.hardware.iommu.config()).nested {
            NestedTables::Mock if selftest::PRESENT => {
                selftest::invalidate_devices(kernel, context, viommu, request.data_type, entries, done)
            }
            _ => smmuv3::invalidate(kernel, context, viommu, request.data_type, entries, done),
        };
    }
    if object.kind != ObjectKind::Nested {
        return Err(Errno::EINVAL);
    }
    let (context, hardware) = call.parts()?;
    let Nested { domain, stage, .. } = context.nested.get_mut(object.index).ok_or(Errno::EIO)?;
    match stage {
        Stage::Vtd { .. } => invalidate_vtd(hardware, *domain, request.data_type, entries, done),
        Stage::Mock { iotlb } if selftest::PRESENT => selftest::invalidate_nested(hardware, iotlb, request.data_type, entries, done),
        Stage::Smmuv3 { .. } | Stage::Mock { .. } => Err(Errno::EOPNOTSUPP),
    }
}

/// EINVAL for another type of data, a misaligned address, or all pages from anywhere but 0; EOPNOTSUPP for unknown flags.
fn invalidate_vtd(hardware: &mut Hardware, domain: DomainId, data_type: u32, entries: Entries, done: &mut u32) -> Result<()> {
    if data_type != api::HWPT_INVALIDATE_DATA_VTD_S1 {
        return Err(Errno::EINVAL);
    }
    for index in 0..entries.count {
        let bytes = entries.copy_in::<{ api::HwptVtdS1Invalidate::SIZE }>(hardware, index)?;
        let entry = api::HwptVtdS1Invalidate::read(&bytes);
        if entry.flags & !api::VTD_INV_FLAGS_LEAF != 0 || entry.reserved != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        if entry.addr & ((1 << PAGE_LG2) - 1) != 0 || (entry.npages == u64::MAX && entry.addr != 0) {
            return Err(Errno::EINVAL);
        }
        let (first, last) = block_around(entry.addr, entry.npages);
        hardware.iommu.invalidate_nested(domain, first, last, entry.flags & api::VTD_INV_FLAGS_LEAF != 0);
        *done += 1;
    }
    Ok(())
}

/// The smallest block of a power of two of pages, aligned to its size, that covers some pages; at least one page. Hardware takes no others.
fn block_around(address: u64, pages: u64) -> (u64, u64) {
    let first = address >> PAGE_LG2;
    let last = first.saturating_add(pages.saturating_sub(1)).min(u64::MAX >> PAGE_LG2);
    let lg2 = PAGE_LG2 + (u64::BITS - (first ^ last).leading_zeros());
    let mask = u64::MAX.checked_shr(u64::BITS - lg2).unwrap_or(0);
    (address & !mask, address | mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_powers_of_two_and_aligned() {
        for (address, pages, expected) in [
            (0x1000, 0, (0x1000, 0x1fff)),
            (0x1000, 1, (0x1000, 0x1fff)),
            (0x2000, 2, (0x2000, 0x3fff)),
            (0x1000, 2, (0, 0x3fff)),
            (0x20_0000, 512, (0x20_0000, 0x3f_ffff)),
            (0, u64::MAX, (0, u64::MAX)),
            (0xffff_ffff_ffff_f000, 9, (0xffff_ffff_ffff_f000, u64::MAX)),
        ] {
            assert_eq!(block_around(address, pages), expected, "{address:#x} {pages:#x}");
        }
    }
}
