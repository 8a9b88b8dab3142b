//! The log of what a device writes, kept by the device itself: VFIO's features DMA_LOGGING_START, STOP and REPORT.
//!
//! The checks are those of Linux's `drivers/vfio/vfio_main.c`. What a driver decides is decided here as
//! mlx5-vfio-pci does, where it says anything: a log is started once (EINVAL), stopping none is no error, reporting none is EINVAL.

use crate::bitmap::Bitmap;
use crate::kernel::Kernel;
use alloc::vec::Vec;
use iova::Range;
use uapi::vfio as api;
use uapi::{Errno, Result};

/// Ranges of one log: as many as a page has room for.
const RANGES_MAX: u32 = 256;
/// Bits of one log: with more bytes in its ranges the device takes larger pages.
const BITS_MAX: u64 = 1 << 20;
const PAGE_LG2: u32 = 12;
/// A log that is being written.
pub(crate) struct DmaLog {
    page_lg2: u32,
    /// In any order, without overlap, each with the number of its first bit.
    ranges: Vec<(Range, u64)>,
    bits: Vec<u64>,
}

impl DmaLog {
    /// A log of ranges with pages of `hint` bytes, or as few more as the device can keep a bit for. ENOMEM, EOPNOTSUPP if there are too many bytes.
    fn new(ranges: &[Range], hint: u64) -> Result<DmaLog> {
        let mut page_lg2 = hint.checked_next_power_of_two().map_or(63, u64::ilog2).max(PAGE_LG2);
        let pages = |lg2: u32| ranges.iter().fold(0_u64, |sum, range| sum.saturating_add((range.last >> lg2) - (range.start >> lg2) + 1));
        while pages(page_lg2) > BITS_MAX && page_lg2 < 63 {
            page_lg2 += 1;
        }
        let mut log = DmaLog { page_lg2, ranges: Vec::new(), bits: Vec::new() };
        let words = pages(page_lg2).div_ceil(64) as usize;
        log.ranges.try_reserve_exact(ranges.len()).and_then(|()| log.bits.try_reserve_exact(words)).map_err(|_| Errno::ENOMEM)?;
        log.bits.resize(words, 0);
        let mut next = 0;
        for &range in ranges {
            log.ranges.push((range, next));
            next += (range.last >> page_lg2) - (range.start >> page_lg2) + 1;
        }
        Ok(log)
    }

    /// The device writes to a range.
    fn note(&mut self, written: Range) {
        for &(range, first_bit) in &self.ranges {
            let (start, last) = (written.start.max(range.start), written.last.min(range.last));
            if start > last {
                continue;
            }
            let base = range.start >> self.page_lg2;
            for page in start >> self.page_lg2..=last >> self.page_lg2 {
                let bit = first_bit + (page - base);
                if let Some(word) = self.bits.get_mut((bit / 64) as usize) {
                    *word |= 1 << (bit % 64);
                }
            }
        }
    }

    /// Calls `found` with the part of each page in a range that was written to. A page that is wholly in the range is forgotten.
    fn take(&mut self, asked: Range, mut found: impl FnMut(Range)) {
        for &(range, first_bit) in &self.ranges {
            let (start, last) = (asked.start.max(range.start), asked.last.min(range.last));
            if start > last {
                continue;
            }
            let base = range.start >> self.page_lg2;
            for page in start >> self.page_lg2..=last >> self.page_lg2 {
                let bit = first_bit + (page - base);
                let Some(word) = self.bits.get_mut((bit / 64) as usize).filter(|word| **word >> (bit % 64) & 1 != 0) else { continue };
                let whole = Range {
                    start: (page << self.page_lg2).max(range.start),
                    last: (page << self.page_lg2 | !(u64::MAX << self.page_lg2)).min(range.last),
                };
                if asked.start <= whole.start && whole.last <= asked.last {
                    *word &= !(1 << (bit % 64));
                }
                found(Range { start: whole.start.max(start), last: whole.last.min(last) });
            }
        }
    }
}

impl Kernel {
    /// Starts a log. EINVAL for no ranges, ranges that overlap or are not of whole pages, or while there is a log; E2BIG, EOVERFLOW, EFAULT, ENOMEM.
    pub(crate) fn start_log(&mut self, device: u32, data: u64) -> Result<()> {
        let mut bytes = [0; api::DmaLoggingControl::SIZE];
        self.hardware.copy_in(data, &mut bytes)?;
        let mut control = api::DmaLoggingControl::read(&bytes);
        let ranges = self.read_ranges(&control)?;
        if self.device(device)?.log.is_some() {
            return Err(Errno::EINVAL);
        }
        let log = DmaLog::new(&ranges, control.page_size)?;
        control.page_size = 1 << log.page_lg2;
        control.write(&mut bytes);
        self.hardware.copy_out(data, &bytes)?;
        self.device_mut(device)?.log = Some(log);
        Ok(())
    }

    /// The ranges of a log, those of no bytes left out.
    fn read_ranges(&mut self, control: &api::DmaLoggingControl) -> Result<Vec<Range>> {
        if control.num_ranges == 0 {
            return Err(Errno::EINVAL);
        }
        if control.num_ranges > RANGES_MAX {
            return Err(Errno::E2BIG);
        }
        let mut ranges: Vec<Range> = Vec::new();
        ranges.try_reserve_exact(control.num_ranges as usize).map_err(|_| Errno::ENOMEM)?;
        for index in 0..u64::from(control.num_ranges) {
            let mut bytes = [0; api::DmaLoggingRange::SIZE];
            let from = control.ranges.checked_add(index * bytes.len() as u64).ok_or(Errno::EFAULT)?;
            self.hardware.copy_in(from, &mut bytes)?;
            let range = api::DmaLoggingRange::read(&bytes);
            if (range.iova | range.length) & control.page_size.wrapping_sub(1) != 0 {
                return Err(Errno::EINVAL);
            }
            range.iova.checked_add(range.length).ok_or(Errno::EOVERFLOW)?;
            let (start, last) = (range.iova, range.iova.wrapping_add(range.length).wrapping_sub(1));
            if ranges.iter().any(|other| start <= other.last && other.start <= last) {
                return Err(Errno::EINVAL);
            }
            if range.length != 0 {
                ranges.push(Range { start, last });
            }
        }
        Ok(ranges)
    }

    /// Sets the bits of pages that the device has written to, and forgets them. EINVAL for pages of less than 4 KiB or another size than a power of
    /// two, and without a log; EOVERFLOW, EFAULT.
    pub(crate) fn report_log(&mut self, device: u32, data: u64) -> Result<()> {
        let mut bytes = [0; api::DmaLoggingReport::SIZE];
        self.hardware.copy_in(data, &mut bytes)?;
        let report = api::DmaLoggingReport::read(&bytes);
        if report.page_size < 1 << PAGE_LG2 || !report.page_size.is_power_of_two() {
            return Err(Errno::EINVAL);
        }
        let end = report.iova.checked_add(report.length).ok_or(Errno::EOVERFLOW)?;
        let log = self.devices.get_mut(device as usize).and_then(|device| device.log.as_mut()).ok_or(Errno::EINVAL)?;
        if report.length != 0 {
            let mut bitmap = Bitmap::new(report.bitmap, report.iova, report.length, report.page_size);
            let hardware = &mut self.hardware;
            log.take(Range { start: report.iova, last: end - 1 }, |page| bitmap.set(hardware, page.start, page.last - page.start + 1));
        }
        Ok(())
    }

    /// A device writes, or tries to; a log may say more than was written, but never less.
    #[inline]
    pub(crate) fn log_write(&mut self, device: u32, iova: u64, length: u64) {
        if length != 0
            && let Some(log) = self.devices.get_mut(device as usize).and_then(|device| device.log.as_mut())
        {
            log.note(Range { start: iova, last: iova.saturating_add(length - 1) });
        }
    }
}
