//! Devices without an IOMMU: where mapped memory is (IOAS_NOIOMMU_GET_PA), and their transfers, which go to what is at an address.

use crate::context::Context;
use crate::hardware::Hardware;
use crate::kernel::Kernel;
use crate::machine::Moved;
use crate::object::ObjectKind;
use crate::plug::Plug;
use crate::request::Call;
use iommu::{Run, Source};
use uapi::iommufd as api;
use uapi::vfio::PCI_ROM_REGION_INDEX;
use uapi::{Errno, Result};

/// IOAS_NOIOMMU_GET_PA. EPERM without CAP_SYS_RAWIO; EOPNOTSUPP for memory that no page table of a device without an IOMMU shows.
pub(crate) fn noiommu_get_pa(call: &mut Call) -> Result<()> {
    if !call.kernel.limits.sys_rawio {
        return Err(Errno::EPERM);
    }
    let mut request = api::IoasNoiommuGetPa::read(call.bytes()?);
    if request.flags != 0 || request.reserved != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    if request.length == 0 {
        return Err(Errno::EINVAL);
    }
    if request.iova == u64::MAX {
        return Err(Errno::EOVERFLOW);
    }
    let context = call.context()?;
    let ioas = context.objects.index(request.ioas_id, ObjectKind::Ioas)?;
    let run = context.physical_run(ioas, request.iova)?;
    request.out_phys = run.pa.0;
    request.length = request.length.min(run.length);
    let mut answer = [0; api::IoasNoiommuGetPa::SIZE];
    request.write(&mut answer);
    call.respond(&answer)
}

impl Context {
    /// Where `iova` is, and how far its area goes on there. ENOENT for no area, EINVAL for memory that was taken back, EOPNOTSUPP.
    fn physical_run(&self, ioas: u32, iova: u64) -> Result<Run> {
        let ioas = self.ioases.get(ioas).ok_or(Errno::EIO)?;
        let (range, area) = ioas.space.get(iova).ok_or(Errno::ENOENT)?;
        let pages = self.pages.get(area.pages).ok_or(Errno::EIO)?;
        if pages.revoked {
            return Err(Errno::EINVAL);
        }
        // One page table has the areas for all: as in Linux it alone is asked.
        let keeper = ioas.hwpts.iter().filter_map(|&hwpt| self.hwpts.get(hwpt)).find(|hwpt| hwpt.place == 0);
        if keeper.is_none_or(|hwpt| !hwpt.software) {
            return Err(Errno::EOPNOTSUPP);
        }
        let (first, last) = area.byte_range(range);
        let mut runs = pages.pinned_runs(first + (iova - range.start), last);
        let Run { pa, mut length } = runs.next().ok_or(Errno::EIO)?;
        while let Some(next) = runs.next().filter(|next| next.pa.0 == pa.0 + length) {
            length += next.length;
        }
        Ok(Run { pa, length })
    }
}

impl Kernel {
    /// Whether a device has no IOMMU.
    pub(crate) fn is_bare(&self, device: u32) -> bool {
        self.devices.get(device as usize).is_some_and(|device| device.config.no_iommu)
    }

    /// Moves bytes between the buffer of a device without an IOMMU and what is at an address: RAM, or a BAR, which the host moves.
    pub(crate) fn move_physical(&mut self, source: &Source, at: u64, buffer: Run, write: bool) -> Moved {
        let bar = self.rest_of_bar(at);
        let Hardware { ram, iommu, .. } = &mut self.hardware;
        match bar {
            Some(rest) => Ok(Some(iommu.physical_peer(source, at, rest.min(buffer.length), write))),
            None if write => iommu.physical_write(ram, source, at, buffer.pa, buffer.length),
            None => iommu.physical_read(ram, source, at, buffer.pa, buffer.length),
        }
    }

    /// Bytes from an address to the end of the BAR there.
    fn rest_of_bar(&self, at: u64) -> Option<u64> {
        let there = self.devices.iter().filter(|device| device.plug != Plug::Gone && !device.config.emulated);
        let mut bars = there.flat_map(|device| device.regions.iter().take(PCI_ROM_REGION_INDEX as usize));
        bars.find_map(|bar| bar.size.checked_sub(at.checked_sub(bar.address)?).filter(|&rest| rest != 0))
    }
}
