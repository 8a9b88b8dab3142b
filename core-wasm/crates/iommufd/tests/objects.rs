//! Object ids, who holds an object, and DESTROY.

mod common;

use common::*;

#[test]
fn an_id_is_the_lowest_that_is_free_in_its_iommufd() {
    let mut m = Machine::new();
    let (first, second) = (m.iommu(), m.iommu());
    assert_eq!([0; 4].map(|_| m.ioas(first)), [1, 2, 3, 4]);
    assert_eq!([0; 2].map(|_| m.ioas(second)), [1, 2]);
    for id in [3, 1] {
        m.destroy(first, id).unwrap();
    }
    // Objects of all kinds share the numbers.
    let (fd, device) = m.bound(EDU, first);
    assert_eq!(device, 1);
    assert_eq!(m.attach(fd, 2), Ok(3));
    assert_eq!(m.ioas(first), 5);
    m.finish();
}

#[test]
fn a_request_that_fails_gives_its_id_back() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    m.map_at(iommu, ioas, 0x10_0000, PAGE, PAGE).unwrap();
    let (fd, device) = m.bound(EDU, iommu);
    // The memory is not there, so both fail after their page table has its id.
    assert_eq!(m.hwpt(iommu, device, ioas), Err(Errno::EFAULT));
    assert_eq!(m.attach(fd, ioas), Err(Errno::EFAULT));
    let sibling = m.open(NIC);
    let other = m.iommu();
    m.bound(FUNCTION_0, other);
    let function = m.open(FUNCTION_1);
    assert_eq!(m.bind(function, iommu), Err(Errno::EPERM));
    assert_eq!(m.bind(sibling, iommu), Ok(3));
    m.finish();
}

#[test]
fn what_has_a_holder_cannot_be_destroyed() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let own = m.hwpt(a.iommu, a.device_id, a.ioas).unwrap();
    for id in [a.ioas, a.hwpt, a.device_id] {
        assert_eq!(m.destroy(a.iommu, id), Err(Errno::EBUSY));
    }
    m.detach(a.device_fd);
    // The automatic page table went with its device; the other one holds the IOAS still, and the fd its device.
    assert_eq!(m.destroy(a.iommu, a.hwpt), Err(Errno::ENOENT));
    assert_eq!(m.destroy(a.iommu, a.ioas), Err(Errno::EBUSY));
    assert_eq!(m.destroy(a.iommu, a.device_id), Err(Errno::EBUSY));
    m.destroy(a.iommu, own).unwrap();
    m.destroy(a.iommu, a.ioas).unwrap();
    m.close_bound(a.device_fd, EDU);
    assert_eq!(m.destroy(a.iommu, a.device_id), Err(Errno::ENOENT));
    m.finish();
}

#[test]
fn unknown_ids_are_told() {
    let mut m = Machine::new();
    let (iommu, other) = (m.iommu(), m.iommu());
    let ioas = m.ioas(iommu);
    for id in [0, ioas + 1, NO_ID, u32::MAX] {
        assert_eq!(m.destroy(iommu, id), Err(Errno::ENOENT));
    }
    assert_eq!(m.destroy(other, ioas), Err(Errno::ENOENT));
    m.destroy(iommu, ioas).unwrap();
    assert_eq!(m.destroy(iommu, ioas), Err(Errno::ENOENT));
    m.finish();
}

#[test]
fn an_ioas_goes_with_its_areas() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let (ioas, other) = (m.ioas(iommu), m.ioas(iommu));
    let file = m.kernel.memfd(PAGE).unwrap();
    m.map_file(iommu, ioas, file as i32, 0, PAGE, RW).unwrap();
    m.map_at(iommu, ioas, 0x40_0000, PAGE, 0x10_0000).unwrap();
    m.copy(iommu, (ioas, 0x10_0000), (other, 0x10_0000), PAGE, RW | FIXED).unwrap();
    m.close(file);
    m.destroy(iommu, ioas).unwrap();
    let usage = m.kernel.usage();
    assert_eq!((usage.areas, usage.memfds, usage.objects), (1, 0, 1));
    m.finish();
}

#[test]
fn an_ioas_whose_id_nobody_learns_is_not_made() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let (writable, read_only) = m.read_only_view();
    m.kernel.poke(writable, &api::IoasAlloc { size: 12, ..Default::default() }.bytes()).unwrap();
    assert_eq!(m.call_at(iommu, api::IOAS_ALLOC, read_only), Err(Errno::EFAULT));
    assert_eq!(m.kernel.usage().objects, 0);
    assert_eq!(m.call(iommu, api::IoasAlloc { flags: 1, ..Default::default() }), Err(Errno::EOPNOTSUPP));
    assert_eq!(m.ioas(iommu), 1);
    m.finish();
}

#[test]
fn many_objects_come_and_go() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let ids: Vec<u32> = (0..100).map(|_| m.ioas(iommu)).collect();
    for &id in ids.iter().rev().step_by(3) {
        m.destroy(iommu, id).unwrap();
    }
    let again: Vec<u32> = (0..34).map(|_| m.ioas(iommu)).collect();
    assert_eq!(again, (1..=100).step_by(3).collect::<Vec<u32>>());
    m.finish();
}
