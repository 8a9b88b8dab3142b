//! OPTION: whom pinned memory is charged to, and large pages; VFIO_IOAS and IOAS_CHANGE_PROCESS.

mod common;

use common::*;

const RLIMIT: u32 = api::OPTION_RLIMIT_MODE;
const HUGE: u32 = api::OPTION_HUGE_PAGES;
const SET: u16 = api::OPTION_OP_SET;
const GET: u16 = api::OPTION_OP_GET;
const IOVA: u64 = 0x10_0000;

#[test]
fn what_is_not_known_is_refused() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    for (option, op, object, error) in [
        (2, GET, 0, Errno::EOPNOTSUPP),
        (RLIMIT, 2, 0, Errno::EOPNOTSUPP),
        (RLIMIT, GET, ioas, Errno::EOPNOTSUPP),
        (HUGE, 2, ioas, Errno::EOPNOTSUPP),
        (HUGE, 2, NO_ID, Errno::ENOENT),
        (HUGE, GET, 0, Errno::ENOENT),
    ] {
        assert_eq!(m.option(iommu, option, op, object, 0), Err(error), "{option} {op} {object}");
    }
    let reserved = api::Option { option_id: HUGE, op: GET, reserved: 1, object_id: ioas, ..Default::default() };
    assert_eq!(m.call(iommu, reserved), Err(Errno::EOPNOTSUPP));
    m.finish();
}

#[test]
fn the_mode_of_charging_is_chosen_before_there_are_objects() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    assert_eq!(m.option(iommu, RLIMIT, GET, 0, 7), Ok(0));
    assert_eq!(m.option(iommu, RLIMIT, SET, 0, 2), Err(Errno::EINVAL));
    assert_eq!(m.option(iommu, RLIMIT, SET, 0, 1), Ok(1));
    assert_eq!(m.option(iommu, RLIMIT, GET, 0, 0), Ok(1));
    let ioas = m.ioas(iommu);
    // That there are objects is found before the value is looked at.
    for value in [0, 1, 2] {
        assert_eq!(m.option(iommu, RLIMIT, SET, 0, value), Err(Errno::EBUSY));
    }
    m.destroy(iommu, ioas).unwrap();
    assert_eq!(m.option(iommu, RLIMIT, SET, 0, 0), Ok(0));
    m.finish();
}

#[test]
fn the_mode_of_charging_needs_the_right() {
    let limits = iommufd::Limits { sys_resource: false, ..Setup::default().limits };
    let mut m = Machine::with(Setup { limits, ..Setup::default() });
    let iommu = m.iommu();
    m.ioas(iommu);
    assert_eq!(m.option(iommu, RLIMIT, SET, 0, 2), Err(Errno::EPERM));
    assert_eq!(m.option(iommu, RLIMIT, GET, 0, 0), Ok(0));
    m.finish();
}

#[test]
fn the_process_and_the_user_have_a_limit_each() {
    let mut m = Machine::with(Setup::memlock(2 * PAGE));
    let (by_user, by_process) = (m.iommu(), m.iommu());
    m.option(by_process, RLIMIT, SET, 0, 1).unwrap();
    let va = m.memory(4 * PAGE);
    for (iommu, device) in [(by_user, EDU), (by_process, NIC)] {
        let ioas = m.ioas(iommu);
        let (fd, _) = m.bound(device, iommu);
        m.attach(fd, ioas).unwrap();
        m.map_at(iommu, ioas, va, 2 * PAGE, IOVA).unwrap();
        assert_eq!(m.map_at(iommu, ioas, va, PAGE, 2 * IOVA), Err(Errno::ENOMEM));
    }
    assert_eq!(m.charged(), (4 * PAGE, 4));
    m.finish();
}

#[test]
fn small_pages_are_used_where_large_ones_are_off() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let va = m.memory(2 * LARGE).next_multiple_of(LARGE);
    assert_eq!(m.option(a.iommu, HUGE, GET, a.ioas, 0), Ok(1));
    m.huge_pages(a.iommu, a.ioas, false).unwrap();
    assert_eq!(m.option(a.iommu, HUGE, GET, a.ioas, 0), Ok(0));
    m.map_at(a.iommu, a.ioas, va, LARGE, LARGE).unwrap();
    assert_eq!(m.pages(), [(12, 512)]);
    // Off again is no change, and on again changes no area that is there.
    m.huge_pages(a.iommu, a.ioas, false).unwrap();
    m.huge_pages(a.iommu, a.ioas, true).unwrap();
    assert_eq!(m.pages(), [(12, 512)]);
    assert_eq!(m.huge_pages(a.iommu, a.ioas, false), Err(Errno::EINVAL));
    assert_eq!(m.option(a.iommu, HUGE, SET, a.ioas, 2), Err(Errno::EINVAL));
    m.unmap(a.iommu, a.ioas, LARGE, LARGE).unwrap();
    m.map_at(a.iommu, a.ioas, va, LARGE, LARGE).unwrap();
    assert_eq!(m.pages(), [(21, 1)]);
    m.finish();
}

#[test]
fn without_large_pages_areas_are_whole_pages() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    m.map_at(iommu, ioas, 0x40_0000, PAGE + 1, IOVA).unwrap();
    assert_eq!(m.huge_pages(iommu, ioas, false), Err(Errno::EADDRINUSE));
    assert_eq!(m.option(iommu, HUGE, GET, ioas, 0), Ok(1));
    assert_eq!(m.usable(iommu, ioas, 1).alignment, 1);
    m.unmap(iommu, ioas, IOVA, PAGE + 1).unwrap();
    m.map_at(iommu, ioas, 0x40_0000, PAGE, IOVA).unwrap();
    m.huge_pages(iommu, ioas, false).unwrap();
    assert_eq!(m.usable(iommu, ioas, 1).alignment, PAGE);
    assert_eq!(m.map_at(iommu, ioas, 0x40_0000, 7, 2 * IOVA), Err(Errno::EINVAL));
    m.huge_pages(iommu, ioas, true).unwrap();
    assert_eq!(m.map_at(iommu, ioas, 0x40_0000, 7, 2 * IOVA), Ok(2 * IOVA));
    m.finish();
}

#[test]
fn the_value_comes_back_wherever_the_struct_says_it_ends() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    let request = api::Option { size: 24, option_id: HUGE, op: GET, object_id: ioas, ..Default::default() };
    let (writable, read_only) = m.read_only_view();
    m.kernel.poke(writable, &request.bytes()).unwrap();
    assert_eq!(m.call_at(iommu, api::OPTION, read_only), Err(Errno::EFAULT));
    assert_eq!(m.call_at(iommu, api::OPTION, writable), Ok(0));
    assert_eq!(m.peek(writable + 16, 8), 1_u64.to_le_bytes());
    m.finish();
}

#[test]
fn the_ioas_for_older_requests_is_remembered_until_it_goes() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    let mut call = |op, ioas_id| m.call(iommu, api::VfioIoas { size: 0, ioas_id, op, reserved: 0 }).map(|answer| answer.ioas_id);
    assert_eq!(call(api::VFIO_IOAS_GET, 0), Err(Errno::ENODEV));
    assert_eq!(call(api::VFIO_IOAS_SET, NO_ID), Err(Errno::ENOENT));
    assert_eq!(call(3, ioas), Err(Errno::EOPNOTSUPP));
    assert_eq!(call(api::VFIO_IOAS_SET, ioas), Ok(ioas));
    assert_eq!(call(api::VFIO_IOAS_GET, 0), Ok(ioas));
    assert_eq!(call(api::VFIO_IOAS_CLEAR, 0), Ok(0));
    assert_eq!(call(api::VFIO_IOAS_GET, 0), Err(Errno::ENODEV));
    assert_eq!(call(api::VFIO_IOAS_SET, ioas), Ok(ioas));
    m.destroy(iommu, ioas).unwrap();
    let get = api::VfioIoas { op: api::VFIO_IOAS_GET, ..Default::default() };
    assert_eq!(m.call(iommu, get), Err(Errno::ENODEV));
    assert_eq!(m.call(iommu, api::VfioIoas { reserved: 1, ..get }), Err(Errno::EOPNOTSUPP));
    m.finish();
}

#[test]
fn only_memory_of_files_can_change_its_process() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let file = m.kernel.memfd(PAGE).unwrap();
    let va = m.memory(PAGE);
    m.map_file(a.iommu, a.ioas, file as i32, 0, PAGE, RW).unwrap();
    let change = api::IoasChangeProcess::default();
    assert!(m.call(a.iommu, change).is_ok());
    m.map_at(a.iommu, a.ioas, va, PAGE, IOVA).unwrap();
    assert_eq!(m.call(a.iommu, change), Err(Errno::EINVAL));
    assert_eq!(m.call(a.iommu, api::IoasChangeProcess { reserved: 1, ..change }), Err(Errno::EOPNOTSUPP));
    m.finish();
}
