//! Emulated devices: binding, attaching, memory through an access, and models that are told to let go.

mod common;

use common::*;
use iommufd::{DeviceConfig, FaultReason, HOST_RELEASE, HOST_UNMAP, Notice};

const IOVA: u64 = 0x10_0000;

/// A machine with an emulated device, bound and attached: its fd, its number, an iommufd and an IOAS.
fn emulated() -> (Machine, u32, u32, u32, u32) {
    let mut m = Machine::new();
    let group = m.kernel.add_group().unwrap();
    let config = DeviceConfig { coherent: false, emulated: true, ..DeviceConfig::new(group, 0x7777) };
    let device = m.kernel.add_device(config).unwrap();
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    let (fd, id) = m.bound(device, iommu);
    assert_eq!(id, 2);
    assert_eq!(m.attach(fd, ioas), Ok(ioas), "an IOAS is what it is attached to");
    (m, fd, device, iommu, ioas)
}

/// The struct of IOAS_UNMAP at an address.
fn unmap_struct(m: &mut Machine, ioas: u32, iova: u64, length: u64) -> u64 {
    let at = m.memory(PAGE);
    let mut bytes = [0; api::IoasUnmap::SIZE];
    api::IoasUnmap { size: api::IoasUnmap::SIZE as u32, ioas_id: ioas, iova, length }.write(&mut bytes);
    m.kernel.poke(at, &bytes).unwrap();
    at
}

#[test]
fn only_an_ioas_takes_an_emulated_device_and_with_whole_pages_alone() {
    let (mut m, fd, _, iommu, ioas) = emulated();
    let other = m.ioas(iommu);
    let va = m.memory(PAGE);
    m.map_at(iommu, other, va, 100, IOVA).unwrap();
    assert_eq!(m.attach(fd, other), Err(Errno::EADDRINUSE));
    assert_eq!(m.attach(fd, NO_ID), Err(Errno::ENOENT));
    assert_eq!(m.attach(fd, 2), Err(Errno::ENOENT), "its own id");
    assert_eq!(m.attach(fd, ioas), Ok(ioas));
    assert_eq!(m.destroy(iommu, ioas), Err(Errno::EBUSY));
    assert_eq!(m.call(iommu, api::HwInfo { dev_id: 2, ..Default::default() }).map(|_| ()), Err(Errno::ENOENT));
    assert_eq!(m.kernel.close(fd as i32), Ok(HOST_UNMAP));
    assert_eq!(m.kernel.take_notice().map(|notice| (notice.start, notice.last)), Some((0, u64::MAX)));
    assert!(m.kernel.restart().unwrap() & HOST_RELEASE != 0);
    assert_eq!(m.destroy(iommu, ioas), Ok(()));
}

#[test]
fn its_model_copies_through_the_ioas() {
    let (mut m, _, device, iommu, ioas) = emulated();
    let va = m.memory(2 * PAGE);
    m.map(iommu, ioas, va, 2 * PAGE, 4 | FIXED, IOVA).unwrap();
    m.kernel.poke(va + 100, &[7; 8]).unwrap();
    let buffer = m.kernel.staging_alloc(PAGE).unwrap();
    assert_eq!(m.kernel.access_copy(device, IOVA + 100, buffer, 8, false), Ok(()));
    assert_eq!(m.kernel.ram().bytes(buffer, 8), [7; 8]);
    assert_eq!(m.kernel.access_copy(device, IOVA, buffer, 8, true), Err(FaultReason::NoWrite));
    assert_eq!(m.kernel.access_copy(device, IOVA + 2 * PAGE, buffer, 8, true), Err(FaultReason::NotPresent));
    assert_eq!(m.kernel.access_copy(EDU, IOVA, buffer, 8, true), Err(FaultReason::Blocked));
    m.kernel.staging_free(buffer, PAGE);
}

#[test]
fn unmapping_waits_until_the_model_has_let_go() {
    let (mut m, _, device, iommu, ioas) = emulated();
    let va = m.memory(4 * PAGE);
    for page in 0..4 {
        m.map_at(iommu, ioas, va + page * PAGE, PAGE, IOVA + page * PAGE).unwrap();
    }
    m.kernel.access_pin(device, IOVA + PAGE, 2 * PAGE, true, 5).unwrap();
    assert_eq!(m.kernel.pinned_run(device, 5, 1).map(|run| run.length), Some(PAGE));
    assert_eq!((m.kernel.pinned_run(device, 5, 2), m.kernel.usage().pinned_pages), (None, 2));
    let at = unmap_struct(&mut m, ioas, IOVA, 4 * PAGE);
    assert_eq!(m.kernel.ioctl(iommu as i32, api::IOAS_UNMAP, at), Ok(HOST_UNMAP));
    let notice = Notice { device, start: IOVA + PAGE, last: IOVA + 2 * PAGE - 1 };
    assert_eq!((m.kernel.take_notice(), m.kernel.take_notice()), (Some(notice), None));
    // The model does not answer the first time, and can use the area no more.
    assert_eq!(m.kernel.access_pin(device, IOVA + PAGE, PAGE, true, 6), Err(Errno::EINVAL));
    m.check();
    assert_eq!(m.kernel.restart(), Ok(HOST_UNMAP));
    assert_eq!(m.kernel.take_notice(), Some(notice));
    m.kernel.access_unpin(device, 5).unwrap();
    assert_eq!(m.kernel.restart(), Ok(0));
    let mut length = [0; 8];
    m.kernel.peek(at + 16, &mut length).unwrap();
    assert_eq!(u64::from_le_bytes(length), 4 * PAGE, "what went before counts");
    assert_eq!(m.kernel.restart(), Err(Errno::EINVAL));
    m.check();
}

#[test]
fn a_model_that_never_lets_go_is_asked_a_hundred_times_and_once() {
    let (mut m, _, device, iommu, ioas) = emulated();
    let va = m.memory(PAGE);
    m.map_at(iommu, ioas, va, PAGE, IOVA).unwrap();
    m.kernel.access_pin(device, IOVA, PAGE, true, 5).unwrap();
    let at = unmap_struct(&mut m, ioas, IOVA, PAGE);
    for _ in 0..2 {
        let mut result = m.kernel.ioctl(iommu as i32, api::IOAS_UNMAP, at);
        let mut asked = 0;
        while result == Ok(HOST_UNMAP) {
            assert!(m.kernel.take_notice().is_some());
            asked += 1;
            result = m.kernel.restart();
        }
        assert_eq!((asked, result), (101, Err(Errno::EDEADLK)));
        m.kernel.take_notice();
    }
    m.kernel.access_unpin(device, 5).unwrap();
    assert_eq!(m.kernel.ioctl(iommu as i32, api::IOAS_UNMAP, at), Ok(0));
}
