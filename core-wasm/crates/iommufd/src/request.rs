//! Requests of an iommufd: one table, and the size rule that holds for all of them.

use crate::context::Context;
use crate::hardware::Hardware;
use crate::kernel::Kernel;
use crate::object::ObjectKind;
use crate::{
    copy, dirty, event_queue, fault_queue, hw_info, hw_queue, hwpt, invalidate, ioas, iova_ranges, mapping, option, physical, selftest,
    unmap, vdevice, viommu,
};
use iommu::{Kind, Pa};
use uapi::iommufd as api;
use uapi::selftest as test_api;
use uapi::{Errno, Result, size_rule};

/// Room for the largest struct.
const STRUCT_MAX: usize = test_api::TestCmd::SIZE;
/// The first request number. Below it and beyond the table are VFIO's older requests, which `container.rs` answers.
const FIRST: u32 = api::DESTROY;

/// A request: its struct, and what answers it once the struct has been copied in.
struct Op {
    number: u32,
    size: usize,
    min_size: usize,
    handler: fn(&mut Call) -> Result<()>,
}

macro_rules! table {
    ($($request:ident: $layout:ident => $handler:path,)*) => {
        [$(Op { number: api::$request, size: api::$layout::SIZE, min_size: api::$layout::MIN_SIZE, handler: $handler },)*]
    };
}

/// In the order of their numbers, without a gap.
static TABLE: [Op; 22] = table![
    DESTROY: Destroy => destroy,
    IOAS_ALLOC: IoasAlloc => ioas::alloc,
    IOAS_ALLOW_IOVAS: IoasAllowIovas => iova_ranges::allow,
    IOAS_COPY: IoasCopy => copy::copy,
    IOAS_IOVA_RANGES: IoasIovaRanges => iova_ranges::ranges,
    IOAS_MAP: IoasMap => mapping::map,
    IOAS_UNMAP: IoasUnmap => unmap::unmap,
    OPTION: Option => option::option,
    VFIO_IOAS: VfioIoas => ioas::vfio_ioas,
    HWPT_ALLOC: HwptAlloc => hwpt::alloc,
    GET_HW_INFO: HwInfo => hw_info::get,
    HWPT_SET_DIRTY_TRACKING: HwptSetDirtyTracking => dirty::set_tracking,
    HWPT_GET_DIRTY_BITMAP: HwptGetDirtyBitmap => dirty::get_bitmap,
    HWPT_INVALIDATE: HwptInvalidate => invalidate::invalidate,
    FAULT_QUEUE_ALLOC: FaultAlloc => fault_queue::alloc,
    IOAS_MAP_FILE: IoasMapFile => mapping::map_file,
    VIOMMU_ALLOC: ViommuAlloc => viommu::alloc,
    VDEVICE_ALLOC: VdeviceAlloc => vdevice::alloc,
    IOAS_CHANGE_PROCESS: IoasChangeProcess => ioas::change_process,
    VEVENTQ_ALLOC: VeventqAlloc => event_queue::alloc,
    HW_QUEUE_ALLOC: HwQueueAlloc => hw_queue::alloc,
    IOAS_NOIOMMU_GET_PA: IoasNoiommuGetPa => physical::noiommu_get_pa,
];

/// The request of a kernel that was built to test iommufd; here, of a machine with a mock IOMMU.
static TEST: Op =
    Op { number: test_api::TEST_CMD, size: test_api::TestCmd::SIZE, min_size: test_api::TestCmd::MIN_SIZE, handler: selftest::test };

/// The row of a request, which is that of another one where the low byte alone is right.
#[inline]
fn row_of(request: u32, kind: Kind) -> Option<&'static Op> {
    let row = (request & 0xff).checked_sub(FIRST & 0xff)?;
    // Linux's table has empty rows up to the test request, which act alike: no number is theirs.
    TABLE
        .get(row as usize)
        .or_else(|| (selftest::PRESENT && kind == Kind::AmdMock && request & 0xff <= test_api::TEST_CMD & 0xff).then_some(&TEST))
}

/// One request on its way: the kernel, and the caller's struct.
pub(crate) struct Call<'a> {
    pub(crate) kernel: &'a mut Kernel,
    /// Which iommufd.
    pub(crate) context: u32,
    /// Where the caller's struct is.
    argument: u64,
    /// How many bytes of it the caller knows.
    user_size: usize,
    known: Known,
}

/// The part of the caller's struct that the kernel knows.
enum Known {
    /// The caller has all of it, in one piece of memory: it is read, and if possible written, where it is.
    There { pa: Pa, writable: bool },
    /// A copy, zero where the caller's struct ends before.
    Copied([u8; STRUCT_MAX]),
}

impl Call<'_> {
    /// The struct.
    #[inline]
    pub(crate) fn bytes<const N: usize>(&self) -> Result<&[u8; N]> {
        let bytes = match &self.known {
            Known::There { pa, .. } => self.kernel.hardware.ram.bytes(*pa, N).first_chunk(),
            Known::Copied(bytes) => bytes.first_chunk(),
        };
        bytes.ok_or(Errno::EIO)
    }

    /// Copies the struct back, as many bytes as both sides know. EFAULT.
    #[inline]
    pub(crate) fn respond<const N: usize>(&mut self, answer: &[u8; N]) -> Result<()> {
        if let Known::There { pa, writable: true } = self.known
            && let Some(bytes) = self.kernel.hardware.ram.bytes_mut(pa, N).first_chunk_mut()
        {
            *bytes = *answer;
            return Ok(());
        }
        let length = self.user_size.min(N);
        self.kernel.hardware.copy_out(self.argument, &answer[..length])
    }

    /// Copies a part of the struct back, wherever the caller's ends. EFAULT.
    pub(crate) fn respond_at(&mut self, offset: u64, answer: &[u8]) -> Result<()> {
        let to = self.argument.checked_add(offset).ok_or(Errno::EFAULT)?;
        self.kernel.hardware.copy_out(to, answer)
    }

    /// The iommufd, and what its objects work on.
    #[inline]
    pub(crate) fn parts(&mut self) -> Result<(&mut Context, &mut Hardware)> {
        let context = self.kernel.contexts.get_mut(self.context).ok_or(Errno::EIO)?;
        Ok((context, &mut self.kernel.hardware))
    }

    /// The iommufd.
    #[inline]
    pub(crate) fn context(&mut self) -> Result<&mut Context> {
        self.kernel.contexts.get_mut(self.context).ok_or(Errno::EIO)
    }
}

impl Kernel {
    /// Finds the handler, applies the size rule, copies the struct in and runs the handler.
    pub(crate) fn iommufd_ioctl(&mut self, context: u32, request: u32, argument: u64) -> Result<u32> {
        // As in Linux the low byte selects the row, and the whole number is compared only after the size could be read.
        let Some(op) = row_of(request, self.hardware.iommu.config().kind) else { return self.container_ioctl(context, request, argument) };
        let piece = self.hardware.user.piece(argument, op.size);
        let mut size = [0; 4];
        match piece.and_then(|(pa, _)| self.hardware.ram.bytes(pa, 4).first_chunk()) {
            Some(first) => size = *first,
            None => self.hardware.copy_in(argument, &mut size)?,
        }
        if op.number != request {
            return Err(Errno::ENOTTY);
        }
        let user_size = u32::from_le_bytes(size);
        let extent = size_rule::extent(user_size, op.size, op.min_size)?;
        if extent.tail != 0 {
            self.check_tail(argument, op.size as u64, extent.tail as u64)?;
        }
        // Nearly always it is there.
        let known = match piece.filter(|_| extent.copy == op.size) {
            Some((pa, writable)) => Known::There { pa, writable },
            None => self.copied(argument, extent.copy)?,
        };
        (op.handler)(&mut Call { kernel: self, context, argument, user_size: user_size as usize, known })?;
        Ok(0)
    }

    /// The first `length` bytes of a struct, copied. EFAULT.
    #[cold]
    fn copied(&mut self, argument: u64, length: usize) -> Result<Known> {
        let mut bytes = [0; STRUCT_MAX];
        self.hardware.copy_in(argument, bytes.get_mut(..length).ok_or(Errno::EIO)?)?;
        Ok(Known::Copied(bytes))
    }

    /// E2BIG if one of `length` bytes behind the known part of a struct is set, EFAULT where they cannot be read; whichever comes first.
    pub(crate) fn check_tail(&mut self, argument: u64, known: u64, length: u64) -> Result<()> {
        const PIECE: u64 = 256;
        let start = argument.checked_add(known).ok_or(Errno::EFAULT)?;
        let end = start.checked_add(length).ok_or(Errno::EFAULT)?;
        let mut at = start;
        while at < end {
            // Pieces are aligned, so that none has a part that can be read and one that cannot.
            let stop = (at | (PIECE - 1)).saturating_add(1).min(end);
            let mut bytes = [0; PIECE as usize];
            let piece = bytes.get_mut(..(stop - at) as usize).ok_or(Errno::EIO)?;
            self.hardware.copy_in(at, piece)?;
            size_rule::check_tail(piece)?;
            at = stop;
        }
        Ok(())
    }
}

/// DESTROY: frees an object that nothing holds.
fn destroy(call: &mut Call) -> Result<()> {
    let request = api::Destroy::read(call.bytes()?);
    let (context, hardware) = call.parts()?;
    if selftest::PRESENT
        && let Ok(viommu) = context.objects.index(request.id, ObjectKind::Viommu)
        && context.is_mapped(hardware, viommu)
    {
        return Err(Errno::EBUSY);
    }
    match context.objects.index(request.id, ObjectKind::Selftest) {
        Ok(device) if selftest::PRESENT => call.kernel.destroy_selftest(call.context, request.id, device),
        _ => context.destroy(hardware, request.id)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_numbers_and_agrees_with_the_schema() {
        for (row, op) in TABLE.iter().enumerate() {
            assert_eq!(op.number, FIRST + row as u32);
            let schema = uapi::RequestRow::find(op.number).expect("in the schema");
            assert_eq!((op.size, op.min_size), (schema.size, schema.min_size), "{}", schema.name);
            assert!(op.size <= STRUCT_MAX);
        }
        let schema = uapi::RequestRow::find(TEST.number).expect("in the schema");
        assert_eq!((TEST.size, TEST.min_size), (schema.size, schema.min_size));
    }
}
