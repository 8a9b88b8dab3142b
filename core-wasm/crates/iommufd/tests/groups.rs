//! Groups: devices that cannot be kept apart belong to one iommufd at a time, and reach nothing until they are attached.

mod common;

use common::*;
use iommufd::FaultReason;

#[test]
fn the_first_bind_takes_the_group_and_the_last_close_frees_it() {
    for setup in [Setup::default(), Setup::ours()] {
        let mut m = Machine::with(setup);
        let (mine, other) = (m.iommu(), m.iommu());
        let (first, _) = m.bound(FUNCTION_0, mine);
        let second = m.open(FUNCTION_1);
        assert_eq!(m.bind(second, other), Err(Errno::EPERM));
        assert_eq!(m.bind(second, mine), Ok(2));
        m.close_bound(first, FUNCTION_0);
        let first = m.open(FUNCTION_0);
        assert_eq!(m.bind(first, other), Err(Errno::EPERM));
        m.close_bound(second, FUNCTION_1);
        assert_eq!(m.bind(first, other), Ok(1));
        m.finish();
    }
}

#[test]
fn the_owner_is_the_iommufd_even_when_its_fd_is_closed() {
    let mut m = Machine::new();
    let mine = m.iommu();
    m.bound(FUNCTION_0, mine);
    m.close(mine);
    let again = m.iommu();
    assert_eq!(again, mine);
    let second = m.open(FUNCTION_1);
    assert_eq!(m.bind(second, again), Err(Errno::EPERM));
    m.finish();
}

#[test]
fn other_groups_are_not_concerned() {
    let mut m = Machine::new();
    let (mine, other) = (m.iommu(), m.iommu());
    for (device, iommu) in [(EDU, mine), (NIC, other), (FUNCTION_0, mine), (BRIDGED_0, other)] {
        m.bound(device, iommu);
    }
    m.finish();
}

#[test]
fn a_sibling_that_the_kernel_uses_keeps_the_group_from_programs() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let fd = m.open(FUNCTION_0);
    m.kernel.set_driver_blocks(FUNCTION_1, true).unwrap();
    assert_eq!(m.bind(fd, iommu), Err(Errno::EPERM));
    m.kernel.set_driver_blocks(FUNCTION_1, false).unwrap();
    assert!(m.bind(fd, iommu).is_ok());
    m.finish();
}

#[test]
fn linux_moves_a_group_as_one() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let (one, two) = (tagged(&mut m, iommu, b"one"), tagged(&mut m, iommu, b"two"));
    let (first, _) = m.bound(FUNCTION_0, iommu);
    let (second, _) = m.bound(FUNCTION_1, iommu);
    let hwpt = m.attach(first, one).unwrap();
    // The sibling reaches the same memory, attached itself or not: the IOMMU has one page table for the group.
    assert_eq!(m.read(FUNCTION_1, TAGGED, 3).unwrap(), b"one");
    assert_eq!(m.attach(second, two), Err(Errno::EINVAL));
    assert_eq!(m.attach(second, one), Ok(hwpt));
    m.attach(second, two).unwrap();
    assert_eq!(m.read(FUNCTION_0, TAGGED, 3).unwrap(), b"two");
    assert_eq!(m.read(FUNCTION_1, TAGGED, 3).unwrap(), b"two");
    m.detach(first);
    assert_eq!(m.read(FUNCTION_0, TAGGED, 3).unwrap(), b"two");
    m.detach(second);
    for device in [FUNCTION_0, FUNCTION_1] {
        assert_eq!(m.read(device, TAGGED, 3), Err(FaultReason::Blocked));
    }
    m.finish();
}

#[test]
fn requesters_that_can_be_told_apart_may_use_different_page_tables() {
    let mut m = Machine::with(Setup::ours());
    let iommu = m.iommu();
    let (one, two) = (tagged(&mut m, iommu, b"one"), tagged(&mut m, iommu, b"two"));
    let (first, _) = m.bound(FUNCTION_0, iommu);
    let (second, _) = m.bound(FUNCTION_1, iommu);
    m.attach(first, one).unwrap();
    assert_eq!(m.read(FUNCTION_1, TAGGED, 3), Err(FaultReason::Blocked));
    m.attach(second, two).unwrap();
    assert_eq!(m.read(FUNCTION_0, TAGGED, 3).unwrap(), b"one");
    assert_eq!(m.read(FUNCTION_1, TAGGED, 3).unwrap(), b"two");
    m.detach(first);
    assert_eq!(m.read(FUNCTION_0, TAGGED, 3), Err(FaultReason::Blocked));
    assert_eq!(m.read(FUNCTION_1, TAGGED, 3).unwrap(), b"two");
    m.finish();
}

#[test]
fn devices_with_one_requester_id_share_a_page_table_by_any_rule() {
    for setup in [Setup::default(), Setup::ours()] {
        let mut m = Machine::with(setup);
        let iommu = m.iommu();
        let (one, two) = (tagged(&mut m, iommu, b"one"), tagged(&mut m, iommu, b"two"));
        let (first, _) = m.bound(BRIDGED_0, iommu);
        let (second, _) = m.bound(BRIDGED_1, iommu);
        m.attach(first, one).unwrap();
        assert_eq!(m.attach(second, two), Err(Errno::EINVAL));
        let hwpt = m.attach(second, one).unwrap();
        m.close_bound(first, BRIDGED_0);
        assert_eq!(m.read(BRIDGED_1, TAGGED, 3).unwrap(), b"one");
        assert_eq!(m.attach(second, hwpt), Ok(hwpt));
        m.finish();
    }
}

#[test]
fn a_replacement_must_suit_every_device_that_is_attached() {
    let mut m = Machine::new();
    m.kernel.add_reserved(FUNCTION_1, PICKY_RANGE, iommufd::ReservedKind::Reserved).unwrap();
    let iommu = m.iommu();
    let (empty, full) = (m.ioas(iommu), tagged(&mut m, iommu, b"full"));
    let (first, _) = m.bound(FUNCTION_0, iommu);
    let (second, _) = m.bound(FUNCTION_1, iommu);
    let hwpt = m.attach(first, empty).unwrap();
    m.attach(second, empty).unwrap();
    let before = m.kernel.usage();
    // The area at TAGGED is in the way of the second device, also where the first one asks.
    assert_eq!(m.attach(first, full), Err(Errno::EADDRINUSE));
    assert_eq!(m.kernel.usage(), before);
    assert_eq!(m.usable(iommu, full, 1).ranges, [iova::Range::ALL]);
    m.detach(second);
    assert_ne!(m.attach(first, full), Ok(hwpt));
    assert_eq!(m.attach(second, full), Err(Errno::EADDRINUSE));
    m.finish();
}
