//! The requests of VFIO's containers ("type1"), which an iommufd answers for programs that are older than it: by the IOAS that VFIO_IOAS has set.
//!
//! Their structs have sizes of their own rule: what is behind the part that must be there is not looked at.

use crate::capability::Capabilities;
use crate::context::Context;
use crate::hardware::Hardware;
use crate::ioas::{Area, Ioas};
use crate::kernel::Kernel;
use crate::mapping::{Target, map_new};
use crate::object::ObjectKind;
use crate::pages::{Backing, PAGE, Pages};
use crate::range::range_of;
use iommu::Prot;
use iova::Range;
use uapi::type1 as api;
use uapi::{Errno, Result};

/// Mappings that can be added, as Linux says of any IOAS.
const MAPPINGS_AVAILABLE: u32 = u32::MAX;

impl Kernel {
    /// One request of a container. ENOTTY for others, and where the page tables are somebody else's, who must have asked before.
    pub(crate) fn container_ioctl(&mut self, context: u32, request: u32, argument: u64) -> Result<u32> {
        if self.hardware.iommu.config().remote {
            return Err(Errno::ENOTTY);
        }
        match request {
            api::GET_API_VERSION => Ok(0),
            api::CHECK_EXTENSION => self.check_extension(context, argument),
            api::SET_IOMMU => self.set_iommu(context, argument),
            api::IOMMU_GET_INFO => self.get_container_info(context, argument),
            api::IOMMU_MAP_DMA => self.map_dma(context, argument),
            api::IOMMU_UNMAP_DMA => self.unmap_dma(context, argument),
            _ => Err(Errno::ENOTTY),
        }
    }

    /// CHECK_EXTENSION: 1 for what is there, else 0. The argument is the extension.
    fn check_extension(&mut self, context: u32, extension: u64) -> Result<u32> {
        // Devices without an IOMMU: the kernel has them, whether or not the machine does.
        const ALWAYS: [u32; 4] = [api::TYPE1_IOMMU, api::TYPE1V2_IOMMU, api::UNMAP_ALL, api::NOIOMMU_IOMMU];
        if ALWAYS.map(u64::from).contains(&extension) {
            return Ok(1);
        }
        if extension != u64::from(api::DMA_CC_IOMMU) {
            return Ok(0);
        }
        let enforces = Capabilities::of(self.hardware.iommu.config()).enforces_coherency;
        let (context, _) = self.parts(context)?;
        let index = compatible(context)?;
        let ioas = context.ioases.get(index).ok_or(Errno::EIO)?;
        let mut tables = ioas.hwpts.iter().filter_map(|&hwpt| context.hwpts.get(hwpt));
        Ok(u32::from(tables.all(|hwpt| enforces && !hwpt.software)))
    }

    /// SET_IOMMU: the first kind of container may unmap parts of mappings, for which it has small pages alone. The argument is the kind.
    fn set_iommu(&mut self, context: u32, kind: u64) -> Result<u32> {
        if ![api::TYPE1_IOMMU, api::TYPE1V2_IOMMU].map(u64::from).contains(&kind) {
            return Err(Errno::EINVAL);
        }
        let (context, _) = self.parts(context)?;
        let index = compatible(context)?;
        if kind == u64::from(api::TYPE1_IOMMU) {
            context.ioases.get_mut(index).ok_or(Errno::EIO)?.set_small_pages(&context.hwpts, true)?;
        }
        Ok(0)
    }

    /// IOMMU_GET_INFO: page sizes, and behind the struct as many capabilities as the caller has room for.
    fn get_container_info(&mut self, context: u32, argument: u64) -> Result<u32> {
        let mut bytes = [0; api::IommuType1Info::SIZE];
        let argsz = self.copy_container_struct(argument, &mut bytes, api::IommuType1Info::MIN_SIZE)?;
        let (context, hardware) = self.parts(context)?;
        let index = compatible(context)?;
        let ioas = context.ioases.get(index).ok_or(Errno::EIO)?;
        let length = write_capabilities(ioas, hardware, argument, argsz)?;
        let info = api::IommuType1Info {
            argsz: length,
            flags: api::IOMMU_INFO_PGSIZES | api::IOMMU_INFO_CAPS,
            iova_pgsizes: page_sizes(context, hardware, ioas),
            cap_offset: if argsz >= length { api::IommuType1Info::SIZE as u32 } else { 0 },
            pad: 0,
        };
        info.write(&mut bytes);
        let known = bytes.len().min(argsz as usize);
        hardware.copy_out(argument, &bytes[..known])?;
        Ok(0)
    }

    /// IOMMU_MAP_DMA. Unlike IOAS_MAP it maps without any permission too, as long as there is no page table.
    fn map_dma(&mut self, context: u32, argument: u64) -> Result<u32> {
        let mut bytes = [0; api::IommuType1DmaMap::SIZE];
        self.copy_container_struct(argument, &mut bytes, api::IommuType1DmaMap::MIN_SIZE)?;
        let request = api::IommuType1DmaMap::read(&bytes);
        if request.flags & !(api::DMA_MAP_FLAG_READ | api::DMA_MAP_FLAG_WRITE) != 0 {
            return Err(Errno::EINVAL);
        }
        let read = if request.flags & api::DMA_MAP_FLAG_READ != 0 { Prot::READ } else { Prot::NONE };
        let write = if request.flags & api::DMA_MAP_FLAG_WRITE != 0 { Prot::WRITE } else { Prot::NONE };
        let (context, hardware) = self.parts(context)?;
        let index = compatible(context)?;
        request.vaddr.checked_add(request.size).ok_or(Errno::EOVERFLOW)?;
        let target = Target { fixed: Some(request.iova), prot: read | write };
        let backing = Backing::User(request.vaddr & !(PAGE - 1));
        map_new(context, hardware, index, backing, request.vaddr % PAGE, request.size, target)?;
        Ok(0)
    }

    /// IOMMU_UNMAP_DMA. Writes back how many bytes were unmapped, also where it fails then.
    fn unmap_dma(&mut self, context: u32, argument: u64) -> Result<u32> {
        let mut bytes = [0; api::IommuType1DmaUnmap::SIZE];
        self.copy_container_struct(argument, &mut bytes, api::IommuType1DmaUnmap::MIN_SIZE)?;
        let mut request = api::IommuType1DmaUnmap::read(&bytes);
        if request.flags & !api::DMA_UNMAP_FLAG_ALL != 0 {
            return Err(Errno::EINVAL);
        }
        let (context, hardware) = self.parts(context)?;
        let index = compatible(context)?;
        let range = if request.flags & api::DMA_UNMAP_FLAG_ALL == 0 {
            cut_around(context, index, request.iova, request.size)?;
            range_of(request.iova, request.size)
        } else if request.iova | request.size != 0 {
            return Err(Errno::EINVAL);
        } else {
            Ok(Range::ALL)
        };
        request.size = 0;
        let result = range.and_then(|range| context.unmap_range(hardware, index, range, &mut request.size));
        request.write(&mut bytes);
        hardware.copy_out(argument, &bytes)?;
        result.map(|()| 0)
    }

    /// Copies the part of a struct that must be there. Returns its size as the caller says it. EFAULT, EINVAL for less than that part.
    fn copy_container_struct(&mut self, argument: u64, bytes: &mut [u8], minimum: usize) -> Result<u32> {
        let start = bytes.get_mut(..minimum).ok_or(Errno::EIO)?;
        self.hardware.copy_in(argument, start)?;
        let argsz = start.first_chunk().copied().map_or(0, u32::from_le_bytes);
        if (argsz as usize) < minimum { Err(Errno::EINVAL) } else { Ok(argsz) }
    }
}

/// The IOAS of these requests. ENODEV without one.
fn compatible(context: &Context) -> Result<u32> {
    let id = context.vfio_ioas.ok_or(Errno::ENODEV)?;
    context.objects.index(id, ObjectKind::Ioas)
}

/// Page sizes that all page tables of an IOAS have, from whole pages on.
fn page_sizes(context: &Context, hardware: &Hardware, ioas: &Ioas) -> u64 {
    let tables = ioas.hwpts.iter().filter_map(|&hwpt| context.hwpts.get(hwpt));
    let common = tables.fold(u64::MAX, |sizes, hwpt| sizes & hardware.iommu.page_sizes(hwpt.domain));
    let whole = if common & (PAGE - 1) != 0 { common & !(PAGE - 1) | PAGE } else { common };
    whole.max(ioas.alignment)
}

/// Writes the capabilities of an IOAS behind the struct at `argument`, each as far as it has room in `argsz` bytes. Returns how many bytes all of
/// it has. EFAULT.
fn write_capabilities(ioas: &Ioas, hardware: &mut Hardware, argument: u64, argsz: u32) -> Result<u32> {
    const FIRST: usize = api::IommuType1Info::SIZE;
    const SECOND: usize = FIRST + api::IommuType1InfoDmaAvail::SIZE.next_multiple_of(8);
    const RANGES: usize = SECOND + api::IommuType1InfoCapIovaRange::SIZE;
    let room = argsz as usize;
    let put = |hardware: &mut Hardware, at: usize, bytes: &[u8]| {
        let to = argument.checked_add(at as u64).ok_or(Errno::EFAULT)?;
        if at + bytes.len() <= room { hardware.copy_out(to, bytes) } else { Ok(()) }
    };
    let mut bytes = [0; api::IommuType1InfoDmaAvail::SIZE];
    let (id, next) = (api::IOMMU_TYPE1_INFO_DMA_AVAIL as u16, if room >= SECOND { SECOND as u32 } else { 0 });
    api::IommuType1InfoDmaAvail { id, version: 1, next, avail: MAPPINGS_AVAILABLE }.write(&mut bytes);
    put(hardware, FIRST, &bytes)?;
    let mut end = RANGES;
    for range in ioas.space.usable() {
        let mut bytes = [0; api::VfioIovaRange::SIZE];
        api::VfioIovaRange { start: range.start, end: range.last }.write(&mut bytes);
        put(hardware, end, &bytes)?;
        end += bytes.len();
    }
    if end <= room {
        let mut bytes = [0; api::IommuType1InfoCapIovaRange::SIZE];
        let nr_iovas = ((end - RANGES) / api::VfioIovaRange::SIZE) as u32;
        let id = api::IOMMU_TYPE1_INFO_CAP_IOVA_RANGE as u16;
        api::IommuType1InfoCapIovaRange { id, version: 1, next: 0, nr_iovas, reserved: 0 }.write(&mut bytes);
        put(hardware, SECOND, &bytes)?;
    }
    u32::try_from(end).map_err(|_| Errno::ENOMEM)
}

/// Cuts areas at both ends of a range, where small pages alone let it be cut. What was cut stays so when the other cut is refused, as in Linux; but
/// for want of memory nothing is cut.
fn cut_around(context: &mut Context, index: u32, iova: u64, size: u64) -> Result<()> {
    let ioas = context.ioases.get_mut(index).ok_or(Errno::EIO)?;
    if !ioas.small_pages {
        return Ok(());
    }
    ioas.space.reserve_splits(2).map_err(|_| Errno::ENOMEM)?;
    let lasts = [Some(iova.wrapping_add(size).wrapping_sub(1)), iova.checked_sub(1)];
    for last in lasts.into_iter().flatten() {
        // Of pins that are apart without need nobody takes notice.
        if let Ok(Some((_, area))) = second_part(context, index, last)
            && let Some(pages) = context.pages.get_mut(area.pages)
        {
            pages.pins.cut(area.start_byte / PAGE)?;
        }
    }
    lasts.into_iter().flatten().try_for_each(|last| cut(context, index, last))
}

/// Cuts the area at `last` behind that. Errors as of [`second_part`].
fn cut(context: &mut Context, index: u32, last: u64) -> Result<()> {
    let Some((start, second)) = second_part(context, index, last)? else { return Ok(()) };
    let ioas = context.ioases.get_mut(index).ok_or(Errno::EIO)?;
    let pages = context.pages.get_mut(second.pages).ok_or(Errno::EIO)?;
    ioas.space.split(start, last, second).map_err(|_| Errno::ENOMEM)?;
    pages.holders += 1;
    Ok(())
}

/// Where the area at `last` starts, and what a part of it behind `last` would be; nothing where `last` is the area's first or last address.
///
/// EOPNOTSUPP for a dma-buf, EINVAL where the alignment does not allow a cut or somebody has pins.
fn second_part(context: &Context, index: u32, last: u64) -> Result<Option<(u64, Area)>> {
    let ioas = context.ioases.get(index).ok_or(Errno::EIO)?;
    let Some((range, area)) = ioas.space.get(last).filter(|(range, _)| last != range.start && last != range.last) else { return Ok(None) };
    if context.pages.get(area.pages).is_some_and(Pages::is_dmabuf) {
        return Err(Errno::EOPNOTSUPP);
    }
    let start = last + 1;
    let second = Area { start_byte: area.start_byte + (start - range.start), ..area };
    let fits = (start | second.start_byte) & (ioas.alignment - 1) == 0;
    if fits && !context.has_pins(index, range) { Ok(Some((range.start, second))) } else { Err(Errno::EINVAL) }
}
