//! Closing: in whatever order, everything comes back, and a device reaches memory exactly as long as its fd is open.

mod common;

use common::interrupts::*;
use common::*;
use iommufd::{FaultReason, HOST_RELEASE, Limits};

const IOVA: u64 = 0x10_0000;

/// All orders of `items`.
fn orders(items: &[usize]) -> Vec<Vec<usize>> {
    let Some((&first, rest)) = items.split_first() else { return vec![vec![]] };
    let mut all = Vec::new();
    for order in orders(rest) {
        for at in 0..=order.len() {
            let mut longer = order.clone();
            longer.insert(at, first);
            all.push(longer);
        }
    }
    all
}

/// An iommufd, two devices attached to an IOAS with memory of a memfd, and an eventfd that both devices signal: the fds in this order.
fn everything() -> (Machine, [u32; 5]) {
    let mut m = Machine::with(Setup::memlock(LARGE));
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    let (edu, _) = m.bound(EDU, iommu);
    let (function, _) = m.bound(FUNCTION_0, iommu);
    let memfd = m.kernel.memfd(4 * PAGE).unwrap();
    let request = api::IoasMapFile { size: 0, flags: RW | FIXED, ioas_id: ioas, fd: memfd as i32, start: 0, length: PAGE, iova: IOVA };
    m.call(iommu, request).unwrap();
    let eventfd = m.eventfd();
    for fd in [edu, function] {
        m.attach(fd, ioas).unwrap();
        m.enable(fd, MSIX, 0, &[eventfd, -1]).unwrap();
    }
    m.disable(edu, MSIX).unwrap();
    m.enable(edu, INTX, 0, &[eventfd]).unwrap();
    m.set_irqs(edu, INTX, UNMASK, 0, Data::Eventfd(&[eventfd])).unwrap();
    (m, [iommu, edu, function, memfd, eventfd as u32])
}

#[test]
fn every_order_of_closing_gives_everything_back() {
    for order in orders(&[0, 1, 2, 3, 4]) {
        let (mut m, fds) = everything();
        for (done, &position) in order.iter().enumerate() {
            let released = match position {
                1 => HOST_RELEASE | EDU,
                2 => HOST_RELEASE | FUNCTION_0,
                _ => 0,
            };
            assert_eq!(m.kernel.close(fds[position] as i32), Ok(released), "{order:?}");
            m.check();
            for (device, fd) in [(EDU, 1), (FUNCTION_0, 2)] {
                let closed = order[..=done].contains(&fd);
                let expected = if closed { Err(FaultReason::Blocked) } else { Ok(vec![0]) };
                assert_eq!(m.read(device, IOVA, 1), expected, "{order:?} {done}");
            }
        }
        let usage = m.kernel.usage();
        assert_eq!((usage.files, usage.objects, usage.locked_bytes, usage.memfds, usage.eventfds), (0, 0, 0, 0, 0));
        m.finish();
    }
}

#[test]
fn a_closed_fd_is_no_file() {
    let (mut m, fds) = everything();
    for fd in fds {
        m.close(fd);
        assert_eq!(m.kernel.close(fd as i32), Err(Errno::EBADF));
        assert_eq!(m.call_at(fd, api::IOAS_ALLOC, m.argument), Err(Errno::EBADF));
        assert_eq!(m.kernel.read(fd as i32, m.argument, 8), Err(Errno::EBADF));
        assert_eq!(m.kernel.write(fd as i32, m.argument, 8), Err(Errno::EBADF));
        assert_eq!(m.kernel.poll(fd as i32), Err(Errno::EBADF));
        assert_eq!(m.kernel.mmap(0, PAGE, 3, 1, fd as i32, 0), Err(Errno::EBADF));
        assert_eq!(m.kernel.device_of(fd as i32), Err(Errno::EBADF));
    }
    for fd in [-1, 0, 2, i32::MAX, i32::MIN] {
        assert_eq!(m.kernel.close(fd), Err(Errno::EBADF));
    }
    m.finish();
}

#[test]
fn an_fd_is_the_lowest_number_that_is_free() {
    let mut m = Machine::new();
    let fds = [m.iommu(), m.open(EDU), m.eventfd() as u32, m.kernel.memfd(PAGE).unwrap(), m.iommu()];
    assert_eq!(fds, [3, 4, 5, 6, 7]);
    m.close(6);
    m.close(4);
    assert_eq!([m.iommu(), m.eventfd() as u32, m.open(EDU)], [4, 6, 8]);
    m.finish();
}

#[test]
fn too_many_files_leave_nothing_behind() {
    let limits = Limits { open_files: 5, ..Setup::default().limits };
    let mut m = Machine::with(Setup { limits, ..Setup::default() });
    m.iommu();
    m.iommu();
    let before = m.kernel.usage();
    assert_eq!(m.kernel.open_iommufd(), Err(Errno::EMFILE));
    assert_eq!(m.kernel.open_device(EDU), Err(Errno::EMFILE));
    assert_eq!(m.kernel.open_device(DEVICES), Err(Errno::EMFILE));
    assert_eq!(m.kernel.memfd(PAGE), Err(Errno::EMFILE));
    assert_eq!(m.kernel.eventfd(0, 0), Err(Errno::EMFILE));
    assert_eq!(m.kernel.eventfd(0, 2), Err(Errno::EINVAL));
    assert_eq!(m.kernel.usage(), before);
    m.close(3);
    assert_eq!(m.open(EDU), 3);
    m.finish();
}

#[test]
fn files_are_what_they_are() {
    let (mut m, [iommu, device, _, memfd, eventfd]) = everything();
    let argument = m.argument;
    for fd in [memfd, eventfd] {
        assert_eq!(m.call_at(fd, api::IOAS_ALLOC, argument), Err(Errno::ENOTTY));
    }
    for fd in [iommu, device, memfd] {
        assert_eq!(m.kernel.read(fd as i32, argument, 8), Err(Errno::EINVAL));
        assert_eq!(m.kernel.write(fd as i32, argument, 8), Err(Errno::EINVAL));
        assert_eq!(m.kernel.poll(fd as i32), Ok(1));
    }
    assert_eq!(m.kernel.device_of(memfd as i32), Err(Errno::EINVAL));
    // An iommufd can be mapped only for devices that have something to show, and these have not.
    assert_eq!(m.kernel.mmap(0, PAGE, 3, 1, iommu as i32, 0), Err(Errno::ENXIO));
    assert_eq!(m.kernel.mmap(0, PAGE, 4, 1, iommu as i32, 0), Err(Errno::EPERM));
    assert_eq!(m.kernel.mmap(0, PAGE, 3, 2, iommu as i32, 0), Err(Errno::EINVAL));
    assert_eq!(m.kernel.mmap(0, PAGE, 3, 1, eventfd as i32, 0), Err(Errno::ENODEV));
    assert_eq!(m.kernel.mmap(0, PAGE, 3, 1, memfd as i32, 8), Err(Errno::EINVAL));
    m.finish();
}
