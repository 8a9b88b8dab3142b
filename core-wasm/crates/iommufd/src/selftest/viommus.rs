//! The virtual IOMMUs of the mock IOMMU: memory to map, a cache of each device, events, queues for hardware.

use crate::context::Context;
use crate::hardware::Hardware;
use crate::invalidate::Entries;
use crate::kernel::Kernel;
use crate::object::ObjectKind;
use crate::request::Call;
use iommu::MemFile;
use uapi::iommufd::ViommuAlloc;
use uapi::selftest as api;
use uapi::{Errno, Result};

/// Bytes that the data of VIOMMU_ALLOC has at least.
const DATA_MIN: usize = 8;
/// Bytes that the program can map.
const MEMORY: u64 = 8192;
/// The first offset that is given out: mapping the beginning of an iommufd is always a mistake.
const OFFSET_FIRST: u64 = 4096;

/// Bytes that Linux's heap gives at once.
const ARRAY_MAX: usize = 4 << 20;
/// Entries of a device's cache.
pub(crate) const CACHE: usize = api::MOCK_DEV_CACHE_NUM as usize;

/// VIOMMU_ALLOC with data: memory that begins with a number of the program's, which comes back in the data, and the offset at which to map it.
/// EINVAL for a length that does not fit, EFAULT, ENOMEM.
pub(crate) fn give_memory(context: &mut Context, hardware: &mut Hardware, id: u32, request: &ViommuAlloc) -> Result<()> {
    let mut bytes = [0; api::ViommuSelftest::SIZE];
    let known = bytes.get_mut(..request.data_len as usize).filter(|known| known.len() >= DATA_MIN).ok_or(Errno::EINVAL)?;
    hardware.copy_in(request.data_uptr, known)?;
    let mut data = api::ViommuSelftest::read(&bytes);
    let file = MemFile::new(&mut hardware.ram, MEMORY)?;
    file.write(&mut hardware.ram, 0, &data.in_data.to_le_bytes());
    data.out_data = data.in_data;
    data.out_mmap_length = MEMORY;
    data.out_mmap_offset = context.free_offset();
    let (index, _) = context.viommu(id)?;
    context.viommus.get_mut(index).ok_or(Errno::EIO)?.memory = Some((file, data.out_mmap_offset));
    data.write(&mut bytes);
    hardware.copy_out(request.data_uptr, bytes.get(..request.data_len as usize).ok_or(Errno::EIO)?)
}

/// By number, the object ids of queues for hardware, those that are gone among them: see [`remove_hw_queue`].
pub(crate) type HwQueues = [Option<u32>; api::TEST_HW_QUEUE_MAX as usize];

/// Notes a queue by its number, and returns the one before it. EINVAL for a number that there is not, EEXIST for one that is noted, EIO where the one
/// before is not.
pub(crate) fn add_hw_queue(queues: &mut HwQueues, number: u32, id: u32) -> Result<Option<u32>> {
    let number = number as usize;
    let before = number.checked_sub(1).and_then(|before| *queues.get(before)?);
    let place = queues.get_mut(number).ok_or(Errno::EINVAL)?;
    if place.is_some() {
        return Err(Errno::EEXIST);
    }
    if number != 0 && before.is_none() {
        return Err(Errno::EIO);
    }
    *place = Some(id);
    Ok(before)
}

/// A queue is gone. The mock IOMMU of Linux 7.3 never learns the number of a queue that it has made, and takes it for the first one: that number can be
/// had again, the other one cannot.
pub(crate) fn remove_hw_queue([first, ..]: &mut HwQueues) {
    *first = None;
}

impl Context {
    /// The lowest offset that no memory of a virtual IOMMU is at.
    fn free_offset(&self) -> u64 {
        let taken = |offset| self.viommus.iter().any(|(_, viommu)| viommu.memory.as_ref().is_some_and(|&(_, at)| at == offset));
        (OFFSET_FIRST..).step_by(MEMORY as usize).find(|&offset| !taken(offset)).unwrap_or(OFFSET_FIRST)
    }
}

/// HWPT_INVALIDATE of a virtual IOMMU: clears an entry of a device's cache or all. EINVAL for another type of data, no entries, an entry that is not
/// there or a device that the guest does not have; EOPNOTSUPP for unknown flags.
pub(crate) fn invalidate_devices(
    kernel: &mut Kernel,
    context: u32,
    viommu: u32,
    data_type: u32,
    entries: Entries,
    done: &mut u32,
) -> Result<()> {
    const SIZE: usize = api::ViommuInvalidateSelftest::SIZE;
    if entries.count as usize * SIZE > ARRAY_MAX {
        // Linux has no such array, and then says that all of them are done.
        *done = entries.count;
        return Err(Errno::ENOMEM);
    }
    if data_type != api::VIOMMU_INVALIDATE_DATA_SELFTEST {
        return Err(Errno::EINVAL);
    }
    // All of them are read before the first is done.
    for index in 0..entries.count {
        entries.copy_struct_in::<SIZE>(kernel, index)?;
    }
    for index in 0..entries.count {
        let entry = api::ViommuInvalidateSelftest::read(&entries.copy_struct_in(kernel, index)?);
        if entry.flags & !api::TEST_INVALIDATE_FLAG_ALL != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        if entry.cache_id > api::MOCK_DEV_CACHE_ID_MAX {
            return Err(Errno::EINVAL);
        }
        let vdevices = &kernel.context(context)?.vdevices;
        let found = vdevices.iter().find(|(_, vdevice)| (vdevice.viommu, vdevice.virt_id) == (viommu, u64::from(entry.vdev_id)));
        let device = found.ok_or(Errno::EINVAL)?.1.device;
        let cache = &mut kernel.device_mut(device)?.mock.as_mut().ok_or(Errno::EINVAL)?.cache;
        if entry.flags & api::TEST_INVALIDATE_FLAG_ALL != 0 {
            *cache = [0; CACHE];
        } else if let Some(one) = cache.get_mut(entry.cache_id as usize) {
            *one = 0;
        }
        *done += 1;
    }
    Ok(())
}

/// DEV_CHECK_CACHE: whether an entry of a device's cache has a value. EINVAL if not.
pub(super) fn check_cache(call: &mut Call) -> Result<()> {
    let request = api::TestDevCheckCache::read(call.bytes()?);
    let device = call.context()?.objects.index(request.id, ObjectKind::Device)?;
    let mock = call.kernel.device(device)?.mock.as_ref().ok_or(Errno::EINVAL)?;
    if mock.cache.get(request.cache_id as usize) == Some(&request.cache) { Ok(()) } else { Err(Errno::EINVAL) }
}

/// TRIGGER_VEVENT: a device has an event for its guest. ENOENT unless a guest has it, by a number that is not 0.
pub(super) fn trigger_event(call: &mut Call) -> Result<()> {
    let request = api::TestTriggerVevent::read(call.bytes()?);
    let device = call.context()?.objects.index(request.dev_id, ObjectKind::Device)?;
    let entry = call.kernel.device(device)?;
    let guest = entry.guest.filter(|_| entry.mock.is_some());
    let (viommu, virt_id) = guest.filter(|&(_, virt_id)| virt_id != 0).ok_or(Errno::ENOENT)?;
    call.context()?.report_event(viommu, api::VEVENTQ_TYPE_SELFTEST, &(virt_id as u32).to_le_bytes())
}
