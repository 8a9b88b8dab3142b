//! Eventfds: a counter that one side adds to and the other reads.

mod common;

use common::interrupts::*;
use common::*;
use iommufd::{EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE};

#[test]
fn a_read_takes_the_whole_count() {
    let mut m = Machine::new();
    let fd = m.kernel.eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC).unwrap() as i32;
    assert_eq!(m.kernel.poll(fd), Ok(1));
    assert_eq!(m.add(fd, 4), Ok(8));
    assert_eq!(m.signals(fd), 7);
    assert_eq!(m.kernel.poll(fd), Ok(0));
    assert_eq!(m.kernel.read(fd, m.argument, 8), Err(Errno::EAGAIN));
    // More room than 8 bytes is no mistake.
    m.add(fd, 1).unwrap();
    assert_eq!(m.kernel.read(fd, m.argument, 64), Ok(8));
    m.finish();
}

#[test]
fn a_semaphore_gives_one_at_a_time() {
    let mut m = Machine::new();
    let fd = m.kernel.eventfd(2, EFD_SEMAPHORE).unwrap() as i32;
    assert_eq!([m.signals(fd), m.signals(fd), m.signals(fd)], [1, 1, 0]);
    m.finish();
}

#[test]
fn writes_stay_below_the_end_of_the_range_and_signals_at_it() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let (device, _) = m.bound(EDU, iommu);
    let fd = m.eventfd();
    m.enable(device, MSIX, 0, &[fd]).unwrap();
    assert_eq!(m.add(fd, u64::MAX), Err(Errno::EINVAL));
    assert_eq!(m.add(fd, u64::MAX - 1), Ok(8));
    assert_eq!(m.add(fd, 1), Err(Errno::EAGAIN));
    assert_eq!(m.add(fd, 0), Ok(8));
    for _ in 0..3 {
        assert!(m.raise(EDU, MSIX, 0));
    }
    assert_eq!(m.signals(fd), u64::MAX);
    m.finish();
}

#[test]
fn bad_lengths_and_addresses_are_refused() {
    let mut m = Machine::new();
    let fd = m.kernel.eventfd(5, 0).unwrap() as i32;
    let argument = m.argument;
    assert_eq!(m.kernel.read(fd, argument, 7), Err(Errno::EINVAL));
    for length in [0, 7, 9] {
        assert_eq!(m.kernel.write(fd, argument, length), Err(Errno::EINVAL));
    }
    assert_eq!(m.kernel.write(fd, 8, 8), Err(Errno::EFAULT));
    assert_eq!(m.kernel.poll(fd), Ok(1));
    // As in Linux the count is gone where it could not be delivered.
    assert_eq!(m.kernel.read(fd, 8, 8), Err(Errno::EFAULT));
    assert_eq!(m.kernel.poll(fd), Ok(0));
    for flags in [2, 1 << 31] {
        assert_eq!(m.kernel.eventfd(0, flags), Err(Errno::EINVAL));
    }
    m.finish();
}
