//! Opening a device and BIND_IOMMUFD: who may have it, in which order that is checked, and what a failure leaves.

mod common;

use common::*;
use iommufd::{DeviceConfig, HOST_RELEASE, ReservedKind};

const GOOD: DeviceConfig = DeviceConfig::new(0, 0x99);

fn request(iommufd: i32) -> vfio::DeviceBindIommufd {
    vfio::DeviceBindIommufd { iommufd, ..Default::default() }
}

#[test]
fn a_bound_device_is_an_object_and_holds_the_iommufd() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    let fd = m.open(EDU);
    assert_eq!(m.kernel.device_of(fd as i32), Err(Errno::EINVAL));
    assert_eq!(m.bind(fd, iommu), Ok(2));
    assert_eq!(m.kernel.device_of(fd as i32), Ok(EDU));
    m.close(iommu);
    assert_eq!((m.kernel.usage().contexts, m.kernel.usage().objects), (1, 2));
    // Its objects can be used through the device still.
    assert!(m.attach(fd, ioas).is_ok());
    m.close_bound(fd, EDU);
    assert_eq!((m.kernel.usage().contexts, m.kernel.usage().objects), (0, 0));
    m.finish();
}

#[test]
fn checks_come_in_the_order_of_linux() {
    let mut m = Machine::new();
    let (iommu, file) = (m.iommu() as i32, m.eventfd());
    let fd = m.open(EDU);
    m.bound(NIC, iommu as u32);
    let taken = m.open(NIC);
    let token = vfio::DEVICE_BIND_FLAG_TOKEN;
    let uuid = m.argument + 0x1000;
    for (fd, request, error) in [
        (fd, vfio::DeviceBindIommufd { flags: 2, ..request(77) }, Errno::EINVAL),
        (fd, request(-1), Errno::EINVAL),
        (fd, vfio::DeviceBindIommufd { flags: token, token_uuid_ptr: 8, ..request(77) }, Errno::EFAULT),
        (fd, vfio::DeviceBindIommufd { flags: token, token_uuid_ptr: uuid, ..request(77) }, Errno::EINVAL),
        (fd, request(77), Errno::EBADF),
        (fd, request(file), Errno::EBADFD),
        (fd, request(fd as i32), Errno::EBADFD),
        (taken, request(77), Errno::EBADF),
        (taken, request(iommu), Errno::EINVAL),
    ] {
        assert_eq!(m.call(fd, request), Err(error), "{request:?}");
    }
    assert!(m.call(fd, request(iommu)).is_ok());
    // Bound already: that is told before the iommufd is looked at.
    assert_eq!(m.call(fd, request(77)), Err(Errno::EINVAL));
    m.finish();
}

#[test]
fn the_token_field_may_be_missing() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let fd = m.open(EDU);
    let mut bytes = request(iommu as i32).bytes();
    for (size, result) in [(15, Err(Errno::EINVAL)), (16, Ok(0))] {
        bytes[..4].copy_from_slice(&u32::to_le_bytes(size));
        assert_eq!(m.raw(fd, vfio::DEVICE_BIND_IOMMUFD, &bytes[..16]).0, result);
    }
    m.finish();
}

#[test]
fn a_failed_bind_leaves_an_fd_that_can_be_bound_later() {
    let mut m = Machine::new();
    let (mine, other) = (m.iommu(), m.iommu());
    let (sibling, _) = m.bound(FUNCTION_0, other);
    let fd = m.open(FUNCTION_1);
    for _ in 0..3 {
        assert_eq!(m.bind(fd, mine), Err(Errno::EPERM));
        assert_eq!(m.attach(fd, 1), Err(Errno::EINVAL));
    }
    assert_eq!(m.kernel.usage().objects, 1);
    m.close_bound(sibling, FUNCTION_0);
    assert_eq!(m.bind(fd, mine), Ok(1));
    m.finish();
}

#[test]
fn a_bind_whose_answer_cannot_be_delivered_is_undone() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let fd = m.open(FUNCTION_0);
    let (writable, read_only) = m.read_only_view();
    m.kernel.poke(writable, &vfio::DeviceBindIommufd { argsz: 24, ..request(iommu as i32) }.bytes()).unwrap();
    assert_eq!(m.call_at(fd, vfio::DEVICE_BIND_IOMMUFD, read_only), Err(Errno::EFAULT));
    assert_eq!(m.kernel.usage().objects, 0);
    // The group is free again.
    let other = m.iommu();
    m.bound(FUNCTION_1, other);
    assert_eq!(m.call_at(fd, vfio::DEVICE_BIND_IOMMUFD, writable), Err(Errno::EPERM));
    m.finish();
}

#[test]
fn devices_that_programs_may_not_have_are_refused() {
    for (config, error) in [
        (DeviceConfig { coherent: false, ..GOOD }, Errno::EINVAL),
        (DeviceConfig { viable: false, ..GOOD }, Errno::EPERM),
        // Coherence is looked at before the group is claimed.
        (DeviceConfig { coherent: false, viable: false, ..GOOD }, Errno::EINVAL),
    ] {
        let mut m = Machine::new();
        let iommu = m.iommu();
        let device = m.kernel.add_device(config).unwrap();
        let fd = m.open(device);
        assert_eq!(m.bind(fd, iommu), Err(error), "{config:?}");
        assert_eq!(m.kernel.usage().objects, 0);
        m.finish();
    }
}

#[test]
fn memory_that_firmware_needs_mapped_keeps_the_whole_group_from_programs() {
    for (kind, result) in [(ReservedKind::Direct, Err(Errno::EINVAL)), (ReservedKind::DirectRelaxable, Ok(1))] {
        let mut m = Machine::new();
        let iommu = m.iommu();
        m.kernel.add_reserved(FUNCTION_0, PICKY_RANGE, kind).unwrap();
        let fd = m.open(FUNCTION_1);
        assert_eq!(m.bind(fd, iommu), result, "{kind:?}");
        m.finish();
    }
}

#[test]
fn one_open_is_all_where_the_rules_say_so() {
    let mut m = Machine::with(Setup::ours());
    let iommu = m.iommu();
    let fd = m.open(EDU);
    assert_eq!(m.kernel.open_device(EDU), Err(Errno::EBUSY));
    m.bind(fd, iommu).unwrap();
    assert_eq!(m.kernel.open_device(EDU), Err(Errno::EBUSY));
    assert_eq!(m.kernel.close(fd as i32), Ok(HOST_RELEASE | EDU));
    assert_eq!(m.kernel.open_device(EDU), Ok(fd));
    m.finish();
}

#[test]
fn linux_opens_a_device_often_and_binds_it_once() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let (first, second) = (m.open(EDU), m.open(EDU));
    m.bind(second, iommu).unwrap();
    assert_eq!(m.bind(first, iommu), Err(Errno::EINVAL));
    // The end of an fd that is not bound changes nothing for the one that is.
    assert_eq!(m.kernel.close(first as i32), Ok(0));
    assert_eq!(m.kernel.device_of(second as i32), Ok(EDU));
    let first = m.open(EDU);
    m.close_bound(second, EDU);
    assert_eq!(m.bind(first, iommu), Ok(1));
    assert_eq!(m.kernel.open_device(DEVICES), Err(Errno::ENODEV));
    m.finish();
}
