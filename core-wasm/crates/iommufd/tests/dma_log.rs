//! The log that a device keeps of what it writes: VFIO's features DMA_LOGGING_START, STOP and REPORT.

mod common;

use common::*;
use iommufd::DeviceConfig;
use uapi::vfio::*;

const IOVA: u64 = 0x10_0000;
const START: u32 = DEVICE_FEATURE_SET | DEVICE_FEATURE_DMA_LOGGING_START;
const STOP: u32 = DEVICE_FEATURE_SET | DEVICE_FEATURE_DMA_LOGGING_STOP;
const REPORT: u32 = DEVICE_FEATURE_GET | DEVICE_FEATURE_DMA_LOGGING_REPORT;

struct Logging {
    m: Machine,
    device: u32,
    fd: u32,
    iommu: u32,
    /// A page for ranges, and one for a bitmap.
    at: u64,
}

impl Logging {
    /// A device that keeps logs, attached, with 32 pages mapped.
    fn new() -> Logging {
        let mut m = Machine::new();
        let group = m.kernel.add_group().unwrap();
        let device = m.kernel.add_device(DeviceConfig { logs_dma: true, ..DeviceConfig::new(group, 0x99) }).unwrap();
        let iommu = m.iommu();
        let ioas = m.ioas(iommu);
        let (fd, _) = m.bound(device, iommu);
        m.attach(fd, ioas).unwrap();
        let va = m.memory(32 * PAGE);
        m.map_at(iommu, ioas, va, 32 * PAGE, IOVA).unwrap();
        let at = m.memory(2 * PAGE);
        Logging { m, device, fd, iommu, at }
    }

    fn feature(&mut self, flags: u32, data: &[u8]) -> Result<Vec<u8>, Errno> {
        let mut bytes = DeviceFeature { argsz: (8 + data.len()) as u32, flags }.bytes();
        bytes.extend(data);
        let (result, after) = self.m.raw(self.fd, DEVICE_FEATURE, &bytes);
        assert_ne!(result, Err(Errno::EIO));
        result.map(|_| after[8..].to_vec())
    }

    /// Returns the size of pages that the device takes.
    fn start(&mut self, page_size: u64, ranges: &[(u64, u64)]) -> Result<u64, Errno> {
        let bytes: Vec<u8> = ranges.iter().flat_map(|&(iova, length)| [iova, length]).flat_map(u64::to_le_bytes).collect();
        self.m.kernel.poke(self.at, &bytes).unwrap();
        self.control(page_size, ranges.len() as u32, self.at)
    }

    fn control(&mut self, page_size: u64, num_ranges: u32, ranges: u64) -> Result<u64, Errno> {
        let mut bytes = [0; DmaLoggingControl::SIZE];
        DmaLoggingControl { page_size, num_ranges, reserved: 0, ranges }.write(&mut bytes);
        let after = self.feature(START, &bytes)?;
        Ok(DmaLoggingControl::read(after.as_slice().try_into().unwrap()).page_size)
    }

    fn report(&mut self, iova: u64, length: u64, page_size: u64) -> Result<Vec<u64>, Errno> {
        let bitmap = self.at + PAGE;
        self.m.kernel.poke(bitmap, &[0; PAGE as usize]).unwrap();
        let mut bytes = [0; DmaLoggingReport::SIZE];
        DmaLoggingReport { iova, length, page_size, bitmap }.write(&mut bytes);
        self.feature(REPORT, &bytes)?;
        let bits = self.m.peek(bitmap, PAGE as usize);
        Ok((0..8 * PAGE).filter(|bit| bits[(bit / 8) as usize] >> (bit % 8) & 1 != 0).collect())
    }

    fn write(&mut self, page: u64) {
        self.m.write(self.device, IOVA + page * PAGE, b"logged").unwrap();
    }
}

#[test]
fn a_device_without_a_log_has_no_such_feature() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    for flags in [START, STOP, REPORT, REPORT | DEVICE_FEATURE_PROBE] {
        assert_eq!(m.call(a.device_fd, DeviceFeature { argsz: 0, flags }), Err(Errno::ENOTTY));
    }
    m.finish();
}

#[test]
fn operations_sizes_and_ranges_are_checked_in_the_order_of_linux() {
    let mut l = Logging::new();
    assert_eq!(l.feature(DEVICE_FEATURE_GET | 5, &[]), Err(Errno::ENOTTY));
    for feature in [START, STOP, REPORT] {
        assert_eq!(l.feature(feature | DEVICE_FEATURE_PROBE, &[]), Ok(vec![]));
        let other = (feature ^ (DEVICE_FEATURE_GET | DEVICE_FEATURE_SET)) | DEVICE_FEATURE_PROBE;
        assert_eq!(l.feature(other, &[0; 32]), Err(Errno::EINVAL));
        assert_eq!(l.feature(feature & DEVICE_FEATURE_MASK, &[0; 32]), Err(Errno::EINVAL));
    }
    for feature in [START, REPORT] {
        assert_eq!(l.feature(feature, &[0; 16]), Err(Errno::EINVAL), "too short");
    }
    assert_eq!(l.control(PAGE, 0, 8), Err(Errno::EINVAL));
    assert_eq!(l.control(PAGE, 257, 8), Err(Errno::E2BIG));
    assert_eq!(l.control(PAGE, 1, 8), Err(Errno::EFAULT));
    assert_eq!(l.start(PAGE, &[(1, PAGE)]), Err(Errno::EINVAL));
    assert_eq!(l.start(PAGE, &[(PAGE, 1)]), Err(Errno::EINVAL));
    assert_eq!(l.start(PAGE, &[(0, PAGE), (u64::MAX - PAGE + 1, PAGE)]), Err(Errno::EOVERFLOW));
    assert_eq!(l.start(PAGE, &[(0, 2 * PAGE), (PAGE, PAGE)]), Err(Errno::EINVAL));
    assert_eq!(l.report(IOVA, PAGE, PAGE), Err(Errno::EINVAL), "there is no log");
    assert_eq!(l.feature(STOP, &[]), Ok(vec![]));
    assert_eq!(l.start(PAGE, &[(0, 2 * PAGE), (2 * PAGE, PAGE)]), Ok(PAGE));
    assert_eq!(l.start(PAGE, &[(0, PAGE)]), Err(Errno::EINVAL), "there is one");
    for (length, page_size, error) in [(PAGE, 2048, Errno::EINVAL), (PAGE, 3 * PAGE, Errno::EINVAL), (u64::MAX, PAGE, Errno::EOVERFLOW)] {
        assert_eq!(l.report(IOVA, length, page_size), Err(error));
    }
    assert_eq!(l.report(IOVA, 0, PAGE), Ok(vec![]));
    l.m.finish();
}

#[test]
fn what_was_written_is_reported_once_in_pages_of_any_size() {
    let mut l = Logging::new();
    l.write(1);
    l.start(PAGE, &[(IOVA, 8 * PAGE), (IOVA + 16 * PAGE, 8 * PAGE)]).unwrap();
    [2, 3, 9, 17].into_iter().for_each(|page| l.write(page));
    l.m.read(l.device, IOVA + 5 * PAGE, 8).unwrap();
    assert_eq!(l.report(IOVA + 3 * PAGE, PAGE, PAGE), Ok(vec![0]));
    assert_eq!(l.report(IOVA, 32 * PAGE, PAGE), Ok(vec![2, 17]));
    assert_eq!(l.report(IOVA, 32 * PAGE, PAGE), Ok(vec![]));
    l.m.write(l.device, IOVA + 5 * PAGE - 1, b"two").unwrap();
    assert_eq!(l.report(IOVA, 32 * PAGE, 4 * PAGE), Ok(vec![1]), "a bit for four pages");
    l.feature(STOP, &[]).unwrap();
    l.write(2);
    l.start(PAGE, &[(IOVA, 32 * PAGE)]).unwrap();
    assert_eq!(l.report(IOVA, 32 * PAGE, PAGE), Ok(vec![]), "a new log is empty");
    l.m.finish();
}

#[test]
fn a_log_of_much_memory_has_larger_pages_and_forgets_whole_ones_alone() {
    let mut l = Logging::new();
    assert_eq!(l.start(PAGE, &[(0, 1 << 34)]), Ok(4 * PAGE));
    l.write(5);
    assert_eq!(l.report(IOVA + 5 * PAGE, PAGE, PAGE), Ok(vec![0]));
    assert_eq!(l.report(IOVA, 8 * PAGE, PAGE), Ok(vec![4, 5, 6, 7]), "part of a page was asked for, so that it stayed");
    assert_eq!(l.report(IOVA, 8 * PAGE, PAGE), Ok(vec![]));
    l.feature(STOP, &[]).unwrap();
    // A wish that is no size of a page is rounded up.
    assert_eq!(l.start(16, &[(0, 32)]), Ok(PAGE));
    l.m.finish();
}

#[test]
fn a_log_ends_with_the_file_of_its_device() {
    let mut l = Logging::new();
    l.start(PAGE, &[(IOVA, 32 * PAGE)]).unwrap();
    l.m.close_bound(l.fd, l.device);
    let (fd, _) = l.m.bound(l.device, l.iommu);
    l.fd = fd;
    assert_eq!(l.report(IOVA, PAGE, PAGE), Err(Errno::EINVAL));
    l.m.finish();
}
