//! Devices that leave while programs have them and come back, and resets of a whole bus.

mod common;

use common::interrupts::{ERR, REQ};
use common::*;
use iommufd::{DeviceConfig, FaultReason, HOST_HOT_RESET, HOST_RESET, ReservedKind, ResetFunction};

const GONE: u32 = 0;
const LEAVING: u32 = 1;
const PRESENT: u32 = 2;

const DEV_ID: u32 = vfio::PCI_HOT_RESET_FLAG_DEV_ID;
const OWNED: u32 = vfio::PCI_HOT_RESET_FLAG_DEV_ID_OWNED;
const NOT_OWNED: u32 = u32::MAX;

#[test]
fn a_device_that_nobody_has_leaves_at_once_and_comes_back_as_new() {
    let mut m = Machine::new();
    assert_eq!(m.kernel.plug(EDU), Err(Errno::EINVAL));
    assert_eq!(m.kernel.unplug(EDU), Ok(GONE));
    m.check();
    assert_eq!(m.kernel.unplug(EDU), Err(Errno::EINVAL));
    assert_eq!(m.kernel.open_device(EDU), Err(Errno::ENODEV));
    assert_eq!(m.kernel.plug(EDU), Ok(0));
    assert_eq!(m.kernel.plug_state(EDU), PRESENT);
    m.attached(EDU);
    m.finish();
}

#[test]
fn files_that_are_open_work_on_until_the_last_of_them_is_closed() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let ioas = tagged(&mut m, iommu, b"old");
    let (fd, _) = m.bound(EDU, iommu);
    let second = m.open(EDU);
    assert_eq!(m.kernel.unplug(EDU), Ok(LEAVING));
    m.check();
    assert_eq!(m.kernel.open_device(EDU), Err(Errno::ENODEV));
    m.attach(fd, ioas).unwrap();
    assert_eq!(m.read(EDU, TAGGED, 3), Ok(b"old".to_vec()));
    assert_eq!(m.call_at(fd, vfio::DEVICE_RESET, 0), Err(Errno::EAGAIN));
    m.close_bound(fd, EDU);
    assert_eq!(m.kernel.plug_state(EDU), LEAVING);
    assert_eq!(m.read(EDU, TAGGED, 3), Err(FaultReason::Blocked));
    m.close(second);
    assert_eq!(m.kernel.plug_state(EDU), GONE);
    assert_eq!(m.kernel.plug(EDU), Ok(0));
    let (fd, _) = m.bound(EDU, iommu);
    assert_eq!(m.call_at(fd, vfio::DEVICE_RESET, 0), Ok(HOST_RESET | EDU));
    m.finish();
}

#[test]
fn a_device_that_leaves_binds_only_if_it_cannot_be_reset() {
    let mut m = Machine::new();
    let config = DeviceConfig { reset: false, ..DeviceConfig::new(0, 0x99) };
    let fixed = m.kernel.add_device(config).unwrap();
    let iommu = m.iommu();
    let fds = [EDU, fixed].map(|device| m.open(device));
    for device in [EDU, fixed] {
        assert_eq!(m.kernel.unplug(device), Ok(LEAVING));
    }
    assert_eq!(m.bind(fds[0], iommu), Err(Errno::EAGAIN));
    m.check();
    m.bind(fds[1], iommu).unwrap();
    // The group is checked first: here nobody else may have it.
    let other = m.iommu();
    assert_eq!(m.bind(fds[0], other), Err(Errno::EPERM));
    m.finish();
}

#[test]
fn who_listens_is_asked_and_asked_again_once_the_request_was_taken() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let (fd, _) = m.bound(EDU, iommu);
    assert_eq!(m.kernel.request_state(EDU), 0);
    assert_eq!(m.kernel.raise(EDU, ERR, 0), Ok(0));
    let (request, error) = (m.eventfd(), m.eventfd());
    m.enable(fd, REQ, 0, &[request]).unwrap();
    m.enable(fd, ERR, 0, &[error]).unwrap();
    assert_eq!(m.kernel.unplug(EDU), Ok(LEAVING));
    assert_eq!(m.kernel.request_state(EDU), 1);
    assert_eq!((m.signals(request), m.signals(error)), (1, 0));
    assert_eq!(m.kernel.request_state(EDU), 2);
    assert_eq!((m.kernel.raise(EDU, REQ, 0), m.kernel.raise(EDU, ERR, 0)), (Ok(1), Ok(1)));
    assert_eq!((m.signals(request), m.signals(error)), (1, 1));
    assert_eq!(m.kernel.raise(EDU, 5, 0), Err(Errno::EINVAL));
    m.close_bound(fd, EDU);
    assert_eq!((m.kernel.plug_state(EDU), m.kernel.request_state(EDU)), (GONE, 0));
    m.finish();
}

#[test]
fn a_device_that_is_gone_keeps_nobody_from_its_group() {
    let mut m = Machine::new();
    m.kernel.set_driver_blocks(FUNCTION_1, true).unwrap();
    let iommu = m.iommu();
    let fd = m.open(FUNCTION_0);
    assert_eq!(m.bind(fd, iommu), Err(Errno::EPERM));
    assert_eq!(m.kernel.unplug(FUNCTION_1), Ok(GONE));
    m.bind(fd, iommu).unwrap();
    // It comes back without its driver, which may not have what a program has.
    m.kernel.set_driver_blocks(FUNCTION_1, false).unwrap();
    m.kernel.plug(FUNCTION_1).unwrap();
    assert_eq!(m.kernel.set_driver_blocks(FUNCTION_1, true), Err(Errno::EINVAL));
    m.close_bound(fd, FUNCTION_0);
    m.kernel.add_reserved(FUNCTION_1, PICKY_RANGE, ReservedKind::Direct).unwrap();
    let fd = m.open(FUNCTION_0);
    assert_eq!(m.bind(fd, iommu), Err(Errno::EINVAL));
    m.kernel.unplug(FUNCTION_1).unwrap();
    m.bind(fd, iommu).unwrap();
    m.finish();
}

/// The two devices behind the bridge, on a bus that can be reset.
fn bridged() -> Machine {
    let mut m = Machine::new();
    let bus = m.kernel.add_reset_bus().unwrap();
    for (device, location) in [(BRIDGED_0, 0x108), (BRIDGED_1, 0x110)] {
        m.kernel.add_reset_function(bus, ResetFunction { location, device: Some(device), in_set: true }).unwrap();
    }
    m
}

/// What GET_PCI_HOT_RESET_INFO answers: flags, count, and (id, bus, devfn) of each device.
type Info = (Result<u32, Errno>, u32, u32, Vec<(u32, u8, u8)>);

/// GET_PCI_HOT_RESET_INFO with room for so many devices.
#[track_caller]
fn info(m: &mut Machine, fd: u32, room: usize) -> Info {
    let mut bytes = vec![0; 12 + 8 * room];
    let length = bytes.len() as u32;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    let (result, after) = m.raw(fd, vfio::DEVICE_GET_PCI_HOT_RESET_INFO, &bytes);
    let word = |at: usize| u32::from_le_bytes(after[at..at + 4].try_into().unwrap());
    let count = if result.is_ok() { word(8) as usize } else { 0 };
    let devices = (0..count).map(|index| (word(12 + 8 * index), after[12 + 8 * index + 6], after[12 + 8 * index + 7])).collect();
    (result, word(4), word(8), devices)
}

#[test]
fn the_list_of_a_hot_reset_tells_who_owns_what() {
    let mut m = bridged();
    let iommu = m.iommu();
    let (fd, id) = m.bound(BRIDGED_0, iommu);
    assert_eq!(info(&mut m, fd, 0), (Err(Errno::ENOSPC), 0, 2, vec![]));
    assert_eq!(info(&mut m, fd, 1), (Err(Errno::ENOSPC), 0, 2, vec![]));
    assert_eq!(info(&mut m, fd, 2), (Ok(0), DEV_ID | OWNED, 2, vec![(id, 1, 8), (0, 1, 16)]));
    let (_, second) = m.bound(BRIDGED_1, iommu);
    assert_eq!(info(&mut m, fd, 3), (Ok(0), DEV_ID | OWNED, 2, vec![(id, 1, 8), (second, 1, 16)]));
    m.finish();
}

#[test]
fn a_bus_with_a_function_that_the_caller_does_not_own_is_not_reset() {
    let mut m = Machine::new();
    let bus = m.kernel.add_reset_bus().unwrap();
    for (device, location) in [(FUNCTION_0, 0x100), (EDU, 0x101)] {
        m.kernel.add_reset_function(bus, ResetFunction { location, device: Some(device), in_set: true }).unwrap();
    }
    let iommu = m.iommu();
    let (fd, id) = m.bound(FUNCTION_0, iommu);
    assert_eq!(info(&mut m, fd, 2), (Ok(0), DEV_ID, 2, vec![(id, 1, 0), (NOT_OWNED, 1, 1)]));
    let reset = vfio::PciHotReset::default();
    assert_eq!(m.call(fd, reset).map(|_| ()), Err(Errno::EINVAL));
    let other = m.iommu();
    let (taken, _) = m.bound(EDU, other);
    assert_eq!(m.call(fd, reset).map(|_| ()), Err(Errno::EINVAL));
    m.close_bound(taken, EDU);
    m.bound(EDU, iommu);
    assert_eq!(m.raw(fd, vfio::DEVICE_PCI_HOT_RESET, &[12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).0, Ok(HOST_HOT_RESET | FUNCTION_0));
    // What VFIO does not have is nobody's.
    m.kernel.add_reset_function(bus, ResetFunction { location: 0x200, device: None, in_set: false }).unwrap();
    assert_eq!(info(&mut m, fd, 3).3.last(), Some(&(NOT_OWNED, 2, 0)));
    assert_eq!(m.call(fd, reset).map(|_| ()), Err(Errno::EINVAL));
    m.finish();
}

#[test]
fn a_hot_reset_waits_for_no_device_that_leaves_and_passes_over_one_that_is_gone() {
    let mut m = bridged();
    let iommu = m.iommu();
    let (fd, id) = m.bound(BRIDGED_0, iommu);
    let second = m.open(BRIDGED_1);
    assert_eq!(m.kernel.unplug(BRIDGED_1), Ok(LEAVING));
    assert_eq!(info(&mut m, fd, 2).2, 2);
    let reset = vfio::PciHotReset::default();
    assert_eq!(m.call(fd, reset).map(|_| ()), Err(Errno::EAGAIN));
    m.close(second);
    assert_eq!(info(&mut m, fd, 1), (Ok(0), DEV_ID | OWNED, 1, vec![(id, 1, 8)]));
    m.call(fd, reset).unwrap_or_else(|error| panic!("{error:?}"));
    m.finish();
}

#[test]
fn a_hot_reset_checks_its_struct_before_the_bus() {
    let mut m = bridged();
    let iommu = m.iommu();
    let (alone, _) = m.bound(EDU, iommu);
    let (fd, _) = m.bound(BRIDGED_0, iommu);
    let edge = m.edge();
    for (fd, error) in [(alone, Errno::ENODEV), (fd, Errno::ENOSPC)] {
        assert_eq!(m.call(fd, vfio::PciHotResetInfo::default()).map(|_| ()), Err(error));
        assert_eq!(m.call_at(fd, vfio::DEVICE_GET_PCI_HOT_RESET_INFO, edge - 8), Err(Errno::EFAULT));
        assert_eq!(m.raw(fd, vfio::DEVICE_PCI_HOT_RESET, &[11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).0, Err(Errno::EINVAL));
        for (flags, count) in [(1, 0), (0, 1)] {
            assert_eq!(m.call(fd, vfio::PciHotReset { argsz: 0, flags, count }).map(|_| ()), Err(Errno::EINVAL));
        }
    }
    // The list does not fit where the struct says that it does.
    let at = edge - 20;
    m.kernel.poke(at, &28_u32.to_le_bytes()).unwrap();
    assert_eq!(m.call_at(fd, vfio::DEVICE_GET_PCI_HOT_RESET_INFO, at), Err(Errno::EFAULT));
    m.finish();
}
