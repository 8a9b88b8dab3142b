//! I/O address spaces: areas of IOVA, each a piece of some memory, and the page tables that show them to devices.

use crate::access::Attached;
use crate::hwpt::Hwpt;
use crate::pages::{Backing, PAGE, Pages};
use crate::request::Call;
use crate::slab::Slab;
use alloc::vec::Vec;
use iommu::Prot;
use iova::{IovaSpace, Range};
use uapi::iommufd as api;
use uapi::{Errno, Result};

/// A mapping: which bytes of which memory, and what devices may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Area {
    /// Which [`Pages`].
    pub(crate) pages: u32,
    pub(crate) prot: Prot,
    /// Where in that memory it starts, in bytes from its first page.
    pub(crate) start_byte: u64,
}

impl Area {
    /// The bytes that it covers, numbered from the start of the memory, given its IOVAs: first and last.
    pub(crate) fn byte_range(&self, range: Range) -> (u64, u64) {
        (self.start_byte, self.start_byte + (range.last - range.start))
    }

    /// The pages that it covers, as [`Self::byte_range`].
    pub(crate) fn page_range(&self, range: Range) -> (u64, u64) {
        let (first, last) = self.byte_range(range);
        (first / PAGE, last / PAGE)
    }
}

/// An I/O address space.
pub(crate) struct Ioas {
    /// Its object id.
    pub(crate) id: u32,
    pub(crate) space: IovaSpace<Area>,
    /// Its page tables, in the order they were made.
    pub(crate) hwpts: Vec<u32>,
    /// What IOVAs, lengths and offsets are multiples of.
    pub(crate) alignment: u64,
    /// Its accesses, in the order they came.
    pub(crate) accesses: Vec<Attached>,
    /// Only pages of the smallest size go into page tables.
    pub(crate) small_pages: bool,
}

impl Ioas {
    pub(crate) const fn new(id: u32) -> Self {
        Self { id, space: IovaSpace::new(), hwpts: Vec::new(), alignment: 1, accesses: Vec::new(), small_pages: false }
    }

    /// Sets the alignment that page tables, accesses and options ask for. EADDRINUSE if it rises and an area does not fit it; nothing changed then.
    pub(crate) fn update_alignment(&mut self, hwpts: &Slab<Hwpt>) -> Result<()> {
        let options = if self.small_pages { PAGE } else { 1 };
        let smallest = self.hwpts.iter().filter_map(|&hwpt| hwpts.get(hwpt)).map(|hwpt| hwpt.smallest_page);
        let accesses = self.accesses.iter().map(|attached| attached.alignment);
        let alignment = smallest.chain(accesses).fold(options, u64::max);
        if alignment > self.alignment {
            self.check_alignment(alignment)?;
        }
        self.alignment = alignment;
        Ok(())
    }

    /// EADDRINUSE if an area's IOVA, length or offset is no multiple of `alignment`, which is at most a page.
    pub(crate) fn check_alignment(&self, alignment: u64) -> Result<()> {
        let mask = alignment - 1;
        let fits = |(range, area): (Range, Area)| (range.start | range.last.wrapping_add(1) | area.start_byte) & mask == 0;
        if self.space.iter_from(0).all(fits) { Ok(()) } else { Err(Errno::EADDRINUSE) }
    }
}

/// IOAS_ALLOC: makes an empty IOAS.
pub(crate) fn alloc(call: &mut Call) -> Result<()> {
    let mut request = api::IoasAlloc::read(call.bytes()?);
    if request.flags != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let id = call.context()?.new_ioas()?;
    request.out_ioas_id = id;
    let mut answer = [0; api::IoasAlloc::SIZE];
    request.write(&mut answer);
    call.respond(&answer).inspect_err(|_| {
        // Nobody has learned the id.
        let _ = call.parts().and_then(|(context, hardware)| context.destroy(hardware, id));
    })
}

/// VFIO_IOAS: which IOAS VFIO's older requests would use.
pub(crate) fn vfio_ioas(call: &mut Call) -> Result<()> {
    let mut request = api::VfioIoas::read(call.bytes()?);
    if request.reserved != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let context = call.context()?;
    match request.op {
        api::VFIO_IOAS_GET => {
            request.ioas_id = context.vfio_ioas.ok_or(Errno::ENODEV)?;
            let mut answer = [0; api::VfioIoas::SIZE];
            request.write(&mut answer);
            call.respond(&answer)
        }
        api::VFIO_IOAS_SET => {
            context.ioas(request.ioas_id)?;
            context.vfio_ioas = Some(request.ioas_id);
            Ok(())
        }
        api::VFIO_IOAS_CLEAR => {
            context.vfio_ioas = None;
            Ok(())
        }
        _ => Err(Errno::EOPNOTSUPP),
    }
}

/// IOAS_CHANGE_PROCESS: charges pinned memory to the caller. There is one process, so only the checks are left.
pub(crate) fn change_process(call: &mut Call) -> Result<()> {
    let request = api::IoasChangeProcess::read(call.bytes()?);
    if request.reserved != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let context = call.context()?;
    let is_file = |pages: &Pages| matches!(pages.backing, Backing::File { .. } | Backing::NoMemory { .. });
    if !context.pages.iter().all(|(_, pages)| is_file(pages)) { Err(Errno::EINVAL) } else { Ok(()) }
}
