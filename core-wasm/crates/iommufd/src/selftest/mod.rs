//! The request of a kernel that was built to test iommufd, on a machine whose IOMMU is the mock one.
//!
//! It makes devices that exist inside an iommufd alone and looks behind the scenes: where a page table leads, how often a page is pinned.
//! Checks and their order are those of Linux 7.3's `selftest.c`.

mod accesses;
mod devices;
mod dmabufs;
mod faults;
mod look;
mod nested;
mod pasids;
mod tables;
mod viommus;

use crate::domains::Reserver;
use crate::hardware::PAGE_ENTRY;
use crate::range::range_of;
use crate::request::Call;
pub(crate) use accesses::AccessFile;
pub(crate) use devices::{Mock, pasid_bits, tracks_dirty};
pub(crate) use nested::{IOTLB, invalidate_nested, nested_data};
pub(crate) use tables::{convert_iova, wants_huge};
use uapi::selftest as api;
use uapi::{Errno, Result};
pub(crate) use viommus::{HwQueues, add_hw_queue, give_memory, invalidate_devices, remove_hw_queue};

/// Least limit of [`api::TEST_OP_SET_TEMP_MEMORY_LIMIT`]: one entry of Linux's lists of pages.
const ENTRY_BYTES: u32 = 12;

/// Whether this kernel has it. One built without has no mock IOMMU, so that nothing which that one alone has can exist: what would ask for it is
/// left out where it would find it.
pub(crate) const PRESENT: bool = cfg!(feature = "selftest");

/// TEST_CMD: one of its operations.
pub(crate) fn test(call: &mut Call) -> Result<()> {
    let request = api::TestCmd::read(call.bytes()?);
    match request.op {
        api::TEST_OP_ADD_RESERVED => add_reserved(call),
        api::TEST_OP_MOCK_DOMAIN | api::TEST_OP_MOCK_DOMAIN_FLAGS => devices::mock_domain(call),
        api::TEST_OP_MOCK_DOMAIN_REPLACE => devices::replace(call),
        api::TEST_OP_MD_CHECK_MAP => look::check_map(call),
        api::TEST_OP_MD_CHECK_REFS => look::check_refs(call),
        api::TEST_OP_SET_TEMP_MEMORY_LIMIT => set_memory_limit(call),
        api::TEST_OP_CREATE_ACCESS => accesses::create(call),
        api::TEST_OP_DESTROY_ACCESS_PAGES => accesses::unpin(call),
        api::TEST_OP_ACCESS_PAGES => accesses::pin(call),
        api::TEST_OP_ACCESS_RW => accesses::copy(call),
        api::TEST_OP_ACCESS_REPLACE_IOAS => accesses::replace(call),
        api::TEST_OP_DMABUF_GET => dmabufs::get(call),
        api::TEST_OP_DMABUF_REVOKE => dmabufs::revoke(call),
        api::TEST_OP_DIRTY => look::dirty(call),
        api::TEST_OP_TRIGGER_IOPF => faults::trigger(call),
        api::TEST_OP_DEV_CHECK_CACHE => viommus::check_cache(call),
        api::TEST_OP_MD_CHECK_IOTLB => nested::check_iotlb(call),
        api::TEST_OP_TRIGGER_VEVENT => viommus::trigger_event(call),
        api::TEST_OP_PASID_ATTACH => pasids::attach(call),
        api::TEST_OP_PASID_REPLACE => pasids::replace(call),
        api::TEST_OP_PASID_DETACH => pasids::detach(call),
        api::TEST_OP_PASID_CHECK_HWPT => pasids::check_hwpt(call),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

/// Reserves addresses of an IOAS for as long as that exists.
fn add_reserved(call: &mut Call) -> Result<()> {
    let request = api::TestAddReserved::read(call.bytes()?);
    let range = range_of(request.start, request.length)?;
    call.context()?.ioas(request.id)?.reserve(range, Reserver::Test)
}

/// Linux works through a long mapping in pieces, whose size this limits for the whole kernel. Here there are no pieces, but for an error that
/// depends on their size.
fn set_memory_limit(call: &mut Call) -> Result<()> {
    let request = api::TestSetTempMemoryLimit::read(call.bytes()?);
    if request.limit < ENTRY_BYTES {
        return Err(Errno::EINVAL);
    }
    call.kernel.hardware.pages_at_once = u64::from(request.limit) / PAGE_ENTRY;
    Ok(())
}
