//! ATTACH and DETACH: first attach, replace, what is written back, and what a failure leaves.

mod common;

use common::*;
use iommufd::FaultReason;

#[test]
fn an_ioas_gets_one_automatic_page_table_for_all_its_devices() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let ioas = tagged(&mut m, iommu, b"shared");
    let (first, _) = m.bound(EDU, iommu);
    let (second, _) = m.bound(NIC, iommu);
    assert_eq!(m.attach(first, ioas), Ok(4));
    assert_eq!(m.attach(second, ioas), Ok(4));
    assert_eq!(m.read(NIC, TAGGED, 6).unwrap(), b"shared");
    m.detach(first);
    assert_eq!(m.read(EDU, TAGGED, 6), Err(FaultReason::Blocked));
    assert_eq!(m.read(NIC, TAGGED, 6).unwrap(), b"shared");
    assert_eq!(m.kernel.usage().objects, 4);
    m.detach(second);
    assert_eq!((m.kernel.usage().objects, m.charged()), (3, (0, 0)));
    m.finish();
}

#[test]
fn a_page_table_of_the_programs_own_is_never_chosen() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    let (fd, device) = m.bound(EDU, iommu);
    let own = m.hwpt(iommu, device, ioas).unwrap();
    let automatic = m.attach(fd, ioas).unwrap();
    assert_ne!(automatic, own);
    // Replacing by the program's own lets the automatic one go.
    assert_eq!(m.attach(fd, own), Ok(own));
    assert_eq!(m.destroy(iommu, automatic), Err(Errno::ENOENT));
    assert_eq!(m.destroy(iommu, own), Err(Errno::EBUSY));
    m.detach(fd);
    m.destroy(iommu, own).unwrap();
    m.finish();
}

#[test]
fn attaching_again_replaces_without_a_moment_between() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let (one, two) = (tagged(&mut m, iommu, b"one"), tagged(&mut m, iommu, b"two"));
    let (fd, _) = m.bound(EDU, iommu);
    let first = m.attach(fd, one).unwrap();
    assert_eq!(m.read(EDU, TAGGED, 3).unwrap(), b"one");
    let second = m.attach(fd, two).unwrap();
    assert_eq!(m.read(EDU, TAGGED, 3).unwrap(), b"two");
    assert_ne!(first, second);
    // By what it is attached to, either way of saying it: no change.
    assert_eq!(m.attach(fd, two), Ok(second));
    assert_eq!(m.attach(fd, second), Ok(second));
    assert_eq!(m.charged(), (0, 1));
    assert_eq!(m.usable(iommu, one, 1).ranges, [iova::Range::ALL]);
    assert_eq!(m.kernel.device_statistics(EDU).faults, 0);
    m.finish();
}

#[test]
fn a_replacement_that_fails_keeps_what_was_there() {
    let mut m = Machine::with(Setup::memlock(2 * PAGE));
    let iommu = m.iommu();
    let ioas = tagged(&mut m, iommu, b"kept");
    let (fd, _) = m.bound(PICKY, iommu);
    let other = m.ioas(iommu);
    assert_eq!(m.attach(fd, ioas), Err(Errno::EADDRINUSE));
    m.unmap(iommu, ioas, TAGGED, PAGE).unwrap();
    let va = m.memory(4 * PAGE);
    m.kernel.poke(va, b"kept").unwrap();
    m.map_at(iommu, ioas, va, PAGE, PAGE).unwrap();
    let hwpt = m.attach(fd, ioas).unwrap();
    let before = m.kernel.usage();
    for (at, length, iova, error) in [
        (va, PAGE, PICKY_RANGE.last & !(PAGE - 1), Errno::EADDRINUSE),
        (va, PAGE, MSI.start, Errno::EADDRINUSE),
        (va, 2 * PAGE, PAGE, Errno::ENOMEM),
        (0x10_0000, PAGE, PAGE, Errno::EFAULT),
        (va + 1, 1, PAGE + 1, Errno::EADDRINUSE),
    ] {
        m.map_at(iommu, other, at, length, iova).unwrap();
        assert_eq!(m.attach(fd, other), Err(error), "{iova:#x}");
        m.unmap(iommu, other, 0, u64::MAX).unwrap();
        assert_eq!(m.kernel.usage(), before);
        assert_eq!(m.read(PICKY, PAGE, 4).unwrap(), b"kept");
        assert_eq!(m.attach(fd, hwpt), Ok(hwpt));
    }
    m.finish();
}

#[test]
fn a_first_attach_that_fails_leaves_the_device_blocked() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let (fd, device) = m.bound(PICKY, iommu);
    let ioas = m.ioas(iommu);
    for (va, iova, error) in [
        (0x10_0000, PICKY_RANGE.start, Errno::EADDRINUSE),
        (0x10_0000, PAGE, Errno::EFAULT),
        (0x10_0000, 1 << 48, Errno::EADDRINUSE),
        (0x10_0001, PAGE + 1, Errno::EADDRINUSE),
    ] {
        m.map_at(iommu, ioas, va, PAGE, iova).unwrap();
        let before = m.kernel.usage();
        assert_eq!(m.attach(fd, ioas), Err(error), "{iova:#x}");
        assert_eq!(m.kernel.usage(), before);
        assert_eq!(m.read(PICKY, PAGE, 1), Err(FaultReason::Blocked));
        assert_eq!(m.usable(iommu, ioas, 1).ranges, [iova::Range::ALL]);
        m.unmap(iommu, ioas, 0, u64::MAX).unwrap();
    }
    // A page table of its own lies where the device may not: the attach is what fails.
    let va = m.memory(PAGE);
    m.map_at(iommu, ioas, va, PAGE, PICKY_RANGE.start).unwrap();
    let hwpt = m.hwpt(iommu, device, ioas).unwrap();
    assert_eq!(m.attach(fd, hwpt), Err(Errno::EADDRINUSE));
    m.destroy(iommu, hwpt).unwrap();
    m.finish();
}

#[test]
fn checks_come_in_the_order_of_linux() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let (fd, device) = m.bound(NIC, a.iommu);
    let other = m.iommu();
    let foreign = (0..9).map(|_| m.ioas(other)).last().unwrap();
    let pasid = vfio::DEVICE_ATTACH_PASID;
    let attach = |flags, pt_id, pasid| vfio::DeviceAttachIommufdPt { argsz: 0, flags, pt_id, pasid };
    for (request, error) in [
        (attach(2, NO_ID, 0), Errno::EINVAL),
        (attach(0, NO_ID, 0), Errno::ENOENT),
        (attach(0, foreign, 0), Errno::ENOENT),
        (attach(0, device, 0), Errno::EINVAL),
        (attach(pasid, NO_ID, 1 << 31), Errno::ENOSPC),
        (attach(pasid, NO_ID, 1), Errno::ENOENT),
        (attach(pasid, a.ioas, 1), Errno::EINVAL),
    ] {
        assert_eq!(m.call(fd, request), Err(error), "{request:?}");
    }
    // The field for PASIDs counts with its flag alone.
    let mut bytes = vfio::DeviceAttachIommufdPt { argsz: 12, flags: pasid, pt_id: a.ioas, pasid: 1 }.bytes();
    assert_eq!(m.raw(fd, vfio::DEVICE_ATTACH_IOMMUFD_PT, &bytes).0, Err(Errno::EINVAL));
    bytes[4] = 0;
    assert_eq!(m.raw(fd, vfio::DEVICE_ATTACH_IOMMUFD_PT, &bytes[..12]).0, Ok(0));
    assert_eq!(m.kernel.usage().objects, 4 + 9);
    m.finish();
}

#[test]
fn detaching_never_fails() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    for _ in 0..3 {
        m.detach(a.device_fd);
        assert_eq!(m.read(EDU, 0, 1), Err(FaultReason::Blocked));
    }
    let detach = |flags| vfio::DeviceDetachIommufdPt { argsz: 0, flags, pasid: 5 };
    assert_eq!(m.call(a.device_fd, detach(2)), Err(Errno::EINVAL));
    assert!(m.attach(a.device_fd, a.ioas).is_ok());
    // A PASID that was never attached: nothing happens.
    assert!(m.call(a.device_fd, detach(vfio::DEVICE_DETACH_PASID)).is_ok());
    assert_eq!(m.read(EDU, 0, 1), Err(FaultReason::NotPresent));
    m.finish();
}

#[test]
fn an_attach_whose_answer_cannot_be_delivered_is_undone() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let (writable, read_only) = m.read_only_view();
    let request = vfio::DeviceAttachIommufdPt { argsz: 16, pt_id: a.ioas, ..Default::default() };
    m.kernel.poke(writable, &request.bytes()).unwrap();
    // Also where it was attached before, as in Linux.
    for _ in 0..2 {
        assert_eq!(m.call_at(a.device_fd, vfio::DEVICE_ATTACH_IOMMUFD_PT, read_only), Err(Errno::EFAULT));
        assert_eq!(m.read(EDU, 0, 1), Err(FaultReason::Blocked));
        assert_eq!(m.kernel.usage().objects, 2);
    }
    m.finish();
}
