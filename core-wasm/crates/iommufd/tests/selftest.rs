//! The test request: mock devices, reserved addresses, and checks from behind the scenes.

mod common;

use common::mock::*;
use common::*;
use uapi::selftest::*;

#[test]
fn a_mock_device_takes_three_ids_and_gives_them_back() {
    let (mut m, iommu, ioas) = machine();
    assert_eq!(ioas, 1);
    let first = m.mock(iommu, ioas).unwrap();
    assert_eq!(first, Mock { stdev: 2, idev: 3, hwpt: 4 });
    let second = m.mock(iommu, ioas).unwrap();
    assert_eq!(second, Mock { stdev: 5, idev: 6, hwpt: 4 }, "the automatic page table is shared");
    for id in [first.idev, first.hwpt, ioas] {
        assert_eq!(m.destroy(iommu, id), Err(Errno::EBUSY));
    }
    assert_eq!(m.destroy(iommu, first.stdev), Ok(()));
    assert_eq!(m.destroy(iommu, first.stdev), Err(Errno::ENOENT));
    let third = m.mock(iommu, ioas).unwrap();
    assert_eq!(third, Mock { stdev: 2, idev: 3, hwpt: 4 });
    for mock in [second, third] {
        m.destroy(iommu, mock.stdev).unwrap();
    }
    assert_eq!(m.destroy(iommu, 4), Err(Errno::ENOENT), "the last device took it along");
    assert_eq!(m.destroy(iommu, ioas), Ok(()));
    m.finish();
}

#[test]
fn what_cannot_be_attached_leaves_nothing_behind() {
    let (mut m, iommu, ioas) = machine();
    // The id of the test object to come is nobody's yet, that of its device is a device's.
    for (pt_id, error) in [(NO_ID, Errno::ENOENT), (0, Errno::ENOENT), (2, Errno::ENOENT), (3, Errno::EINVAL)] {
        assert_eq!(m.mock(iommu, pt_id), Err(error), "{pt_id}");
    }
    assert_eq!(m.mock_with(iommu, ioas, 2), Err(Errno::EINVAL));
    let mock = m.mock(iommu, ioas).unwrap();
    assert_eq!(m.mock(iommu, mock.stdev), Err(Errno::EINVAL));
    // An answer that cannot be written.
    let va = m.read_only_view();
    let request = TestMockDomain { size: TestMockDomain::SIZE as u32, op: TEST_OP_MOCK_DOMAIN, id: ioas, ..Default::default() };
    let mut bytes = [0; TestMockDomain::SIZE];
    request.write(&mut bytes);
    m.kernel.poke(va.0, &bytes).unwrap();
    assert_eq!(m.call_at(iommu, TEST_CMD, va.1), Err(Errno::EFAULT));
    assert_eq!(m.mock(iommu, ioas).unwrap(), Mock { stdev: 5, idev: 6, hwpt: mock.hwpt });
    m.finish();
}

#[test]
fn a_file_that_closes_takes_its_mock_devices_along() {
    let (mut m, iommu, ioas) = machine();
    let other = m.iommu();
    let other_ioas = m.ioas(other);
    for _ in 0..3 {
        m.mock(iommu, ioas).unwrap();
        m.mock(other, other_ioas).unwrap();
    }
    assert_eq!(m.mock(iommu, other_ioas).unwrap().stdev, 9, "ids count in each file by themselves");
    m.close(iommu);
    assert_eq!(m.mock(other, other_ioas).unwrap().stdev, 9);
    m.finish();
}

#[test]
fn two_page_tables_of_one_ioas_show_the_same_memory_until_one_is_replaced() {
    let (mut m, iommu, ioas) = machine();
    let mock = m.mock(iommu, ioas).unwrap();
    let va = m.memory(2 * PAGE);
    let iova = m.map(iommu, ioas, va, 2 * PAGE, RW, 0).unwrap();
    let hwpt = m.hwpt(iommu, mock.idev, ioas).unwrap();
    for id in [mock.hwpt, hwpt] {
        assert_eq!(m.check_map(iommu, id, iova, 2 * PAGE, va), Ok(()));
    }
    assert_eq!(m.check_refs(iommu, va, 2 * PAGE, 1), Ok(()), "pinned once");
    assert_eq!(m.replace(iommu, mock.stdev, hwpt), Ok(hwpt));
    assert_eq!(m.check_map(iommu, mock.hwpt, iova, PAGE, va), Err(Errno::ENOENT), "the automatic one is gone");
    assert_eq!(m.destroy(iommu, hwpt), Err(Errno::EBUSY));
    let next = m.ioas(iommu);
    let automatic = m.replace(iommu, mock.stdev, next).unwrap();
    assert_eq!(m.check_map(iommu, automatic, iova, PAGE, va), Err(Errno::EINVAL), "nothing is mapped there");
    assert_eq!(m.check_refs(iommu, va, PAGE, 1), Ok(()), "the manual page table holds it");
    m.destroy(iommu, hwpt).unwrap();
    assert_eq!(m.check_refs(iommu, va, PAGE, 0), Ok(()));
    assert_eq!(m.replace(iommu, NO_ID, ioas), Err(Errno::ENOENT));
    assert_eq!(m.replace(iommu, mock.idev, ioas), Err(Errno::ENOENT));
    assert_eq!(m.replace(iommu, mock.stdev, mock.idev), Err(Errno::EINVAL));
    m.finish();
}

#[test]
fn half_pages_are_mapped_where_they_lie() {
    let (mut m, iommu, ioas) = machine();
    let mock = m.mock(iommu, ioas).unwrap();
    let va = m.memory(4 * PAGE);
    let half = PAGE / 2;
    assert_eq!(m.map_at(iommu, ioas, va + half, 3 * half, APERTURE), Ok(APERTURE));
    assert_eq!(m.map_at(iommu, ioas, va + 2 * PAGE, half, APERTURE + 3 * half), Ok(APERTURE + 3 * half));
    assert_eq!(m.check_map(iommu, mock.hwpt, APERTURE, 3 * half, va + half), Ok(()));
    assert_eq!(m.check_map(iommu, mock.hwpt, APERTURE, 3 * half, va), Err(Errno::EINVAL));
    assert_eq!(m.check_map(iommu, mock.hwpt, APERTURE + 3 * half, half, va + 2 * PAGE), Ok(()));
    assert_eq!(m.check_refs(iommu, va, 3 * PAGE, 1), Ok(()), "whole pages are pinned");
    assert_eq!(m.check_refs(iommu, va, 4 * PAGE, 1), Err(Errno::EIO));
    // Both halves of one page, once by itself and once by COPY: one more memory, one more pin.
    assert_eq!(m.map_at(iommu, ioas, va + 2 * PAGE + half, half, APERTURE + LARGE), Ok(APERTURE + LARGE));
    assert_eq!(m.check_refs(iommu, va + 2 * PAGE, PAGE, 2), Ok(()));
    assert_eq!(m.copy(iommu, (ioas, APERTURE + half), (ioas, APERTURE + 2 * LARGE), half, RW | FIXED), Ok(APERTURE + 2 * LARGE));
    assert_eq!(m.check_refs(iommu, va, 2 * PAGE, 1), Ok(()));
    assert_eq!(m.check_map(iommu, mock.hwpt, APERTURE + 2 * LARGE, half, va + PAGE), Ok(()));
    assert_eq!(m.unmap(iommu, ioas, APERTURE, 3 * half), Ok(3 * half));
    assert_eq!(m.check_refs(iommu, va + PAGE, PAGE, 1), Ok(()), "the copy holds it");
    assert_eq!(m.check_refs(iommu, va, PAGE, 0), Ok(()));
    for (va, length, iova) in [(va + 1024, half, APERTURE), (va, 1024, APERTURE), (va, half, APERTURE + 1024)] {
        assert_eq!(m.map_at(iommu, ioas, va, length, iova), Err(Errno::EINVAL));
    }
    m.finish();
}

#[test]
fn the_aperture_bounds_what_can_be_mapped() {
    let (mut m, iommu, ioas) = machine();
    let va = m.memory(PAGE);
    m.map_at(iommu, ioas, va, PAGE, APERTURE - PAGE).unwrap();
    assert_eq!(m.mock(iommu, ioas), Err(Errno::EADDRINUSE));
    m.unmap(iommu, ioas, APERTURE - PAGE, PAGE).unwrap();
    m.map_at(iommu, ioas, va, PAGE, APERTURE).unwrap();
    let mock = m.mock(iommu, ioas).unwrap();
    for iova in [APERTURE - PAGE, 1 << 31] {
        assert_eq!(m.map_at(iommu, ioas, va, PAGE, iova), Err(Errno::EINVAL));
    }
    m.map_at(iommu, ioas, va, PAGE, (1 << 31) - PAGE).unwrap();
    assert_eq!(m.holes(iommu, ioas), (vec![(APERTURE, (1 << 31) - 1)], 2048));
    m.destroy(iommu, mock.stdev).unwrap();
    assert_eq!(m.holes(iommu, ioas), (vec![(0, u64::MAX)], 1));
    m.finish();
}

#[test]
fn a_page_table_for_huge_pages_has_no_such_bounds() {
    let (mut m, iommu, ioas) = machine();
    let mock = m.mock(iommu, ioas).unwrap();
    let next = m.ioas(iommu);
    let huge = m.hwpt_with(iommu, mock.idev, next, HWPT_DATA_SELFTEST, &[0, MOCK_IOMMUPT_HUGE]).unwrap();
    assert_eq!(m.holes(iommu, next), (vec![(0, (1 << 38) - 1)], PAGE));
    let va = m.memory(PAGE);
    m.map_at(iommu, next, va, PAGE, 0).unwrap();
    assert_eq!(m.check_map(iommu, huge, 0, PAGE, va), Ok(()));
    assert_eq!(m.check_map(iommu, huge, 0, PAGE / 2, va), Err(Errno::EINVAL));
    assert_eq!(m.map_at(iommu, next, va, PAGE / 2, 2 * PAGE), Err(Errno::EINVAL));
    m.finish();
}

#[test]
fn hwpt_alloc_takes_the_data_of_the_mock_iommu_only() {
    let (mut m, iommu, ioas) = machine();
    let mock = m.mock(iommu, ioas).unwrap();
    let mut alloc = |data_type, words: &[u32]| m.hwpt_with(iommu, mock.idev, ioas, data_type, words);
    assert_eq!(alloc(HWPT_DATA_SELFTEST, &[7]), Ok(5));
    assert_eq!(alloc(HWPT_DATA_SELFTEST, &[7, MOCK_IOMMUPT_DEFAULT]), Ok(6));
    assert_eq!(alloc(HWPT_DATA_SELFTEST, &[7, 2]), Err(Errno::EOPNOTSUPP));
    assert_eq!(alloc(HWPT_DATA_SELFTEST, &[7, 0, 0]), Err(Errno::EINVAL));
    assert_eq!(alloc(HWPT_DATA_SELFTEST, &[]), Err(Errno::EINVAL));
    assert_eq!(alloc(1, &[7]), Err(Errno::EOPNOTSUPP));
    let request = api::HwptAlloc { dev_id: mock.idev, pt_id: ioas, data_type: HWPT_DATA_SELFTEST, data_len: 3, ..Default::default() };
    assert_eq!(m.call(iommu, request).map(|_| ()), Err(Errno::EINVAL));
    let unread = api::HwptAlloc { data_len: 8, data_uptr: 8, ..request };
    assert_eq!(m.call(iommu, unread).map(|_| ()), Err(Errno::EFAULT));
    for (flags, wanted) in [
        (api::HWPT_ALLOC_PASID, Ok(())),
        (api::HWPT_ALLOC_NEST_PARENT, Ok(())),
        (api::HWPT_ALLOC_DIRTY_TRACKING, Ok(())),
        (api::HWPT_FAULT_ID_VALID, Err(Errno::ENOENT)),
        (16, Err(Errno::EOPNOTSUPP)),
    ] {
        let request = api::HwptAlloc { flags, dev_id: mock.idev, pt_id: ioas, ..Default::default() };
        assert_eq!(m.call(iommu, request).map(|_| ()), wanted, "{flags}");
    }
    m.finish();
}

#[test]
fn reserved_addresses_stay_as_long_as_the_ioas() {
    let (mut m, iommu, ioas) = machine();
    let reserve = |m: &mut Machine, id, start, length| {
        m.call(iommu, TestAddReserved { op: TEST_OP_ADD_RESERVED, id, start, length, ..Default::default() }).map(|_| ())
    };
    assert_eq!(reserve(&mut m, NO_ID, 0, 0), Err(Errno::EINVAL));
    assert_eq!(reserve(&mut m, NO_ID, u64::MAX, 2), Err(Errno::EOVERFLOW));
    assert_eq!(reserve(&mut m, NO_ID, 0, 1), Err(Errno::ENOENT));
    let va = m.memory(PAGE);
    m.map_at(iommu, ioas, va, PAGE, LARGE).unwrap();
    assert_eq!(reserve(&mut m, ioas, LARGE - 1, 2), Err(Errno::EADDRINUSE));
    assert_eq!(reserve(&mut m, ioas, 0, LARGE), Ok(()));
    assert_eq!(reserve(&mut m, ioas, u64::MAX, 1), Ok(()));
    let next = m.ioas(iommu);
    let mock = m.mock(iommu, next).unwrap();
    m.destroy(iommu, mock.stdev).unwrap();
    assert_eq!(m.map_at(iommu, ioas, va, PAGE, LARGE - PAGE), Err(Errno::EINVAL));
    assert_eq!(m.holes(iommu, ioas).0, [(LARGE, u64::MAX - 1)]);
    m.allow(iommu, ioas, &[(2 * LARGE, 3 * LARGE)]).unwrap();
    assert_eq!(reserve(&mut m, ioas, 3 * LARGE, 5), Err(Errno::EADDRINUSE));
    m.finish();
}

#[test]
fn checks_look_at_their_arguments_in_linuxs_order() {
    let (mut m, iommu, ioas) = machine();
    let mock = m.mock(iommu, ioas).unwrap();
    let edge = m.edge();
    assert_eq!(m.check_map(iommu, ioas, 1, 1, 1), Err(Errno::ENOENT));
    assert_eq!(m.check_map(iommu, mock.hwpt, 1024, 0, 0), Err(Errno::EINVAL));
    assert_eq!(m.check_map(iommu, mock.hwpt, 0, 0, 0), Ok(()));
    assert_eq!(m.check_map(iommu, mock.hwpt, 0, 4096, u64::MAX - 4095), Err(Errno::EINVAL));
    assert_eq!(m.check_map(iommu, mock.hwpt, APERTURE, 4096, edge), Err(Errno::EFAULT));
    m.map_at(iommu, ioas, edge - PAGE, PAGE, APERTURE).unwrap();
    assert_eq!(m.check_map(iommu, mock.hwpt, APERTURE, 2 * PAGE, edge - PAGE), Err(Errno::EFAULT));
    assert_eq!(m.check_refs(iommu, edge - PAGE, 2 * PAGE, 1), Err(Errno::EFAULT));
    assert_eq!(m.check_refs(iommu, 1, 0, 0), Err(Errno::EINVAL));
    assert_eq!(m.check_refs(iommu, 0, 2048, 0), Err(Errno::EINVAL));
    assert_eq!(m.check_refs(iommu, u64::MAX - 4095, 4096, 0), Err(Errno::EINVAL));
    m.finish();
}

#[test]
fn the_last_page_of_all_addresses_is_eoverflow_where_it_is_pinned_first() {
    let (mut m, iommu, ioas) = machine();
    let top = u64::MAX - 4095;
    assert_eq!(m.map_at(iommu, ioas, top, 2048, APERTURE), Ok(APERTURE), "nothing is pinned yet");
    m.unmap(iommu, ioas, APERTURE, 2048).unwrap();
    let mock = m.mock(iommu, ioas).unwrap();
    assert_eq!(m.check_map(iommu, mock.hwpt, APERTURE, 2048, top), Err(Errno::EOVERFLOW));
    for (pages, error) in [(1, Errno::EOVERFLOW), (8192, Errno::EOVERFLOW), (8193, Errno::EFAULT)] {
        assert_eq!(m.map_at(iommu, ioas, top - (pages - 1) * PAGE, pages * PAGE - 2048, APERTURE), Err(error), "{pages}");
    }
    let limit = TestSetTempMemoryLimit { op: TEST_OP_SET_TEMP_MEMORY_LIMIT, limit: 16, ..Default::default() };
    m.call(iommu, limit).unwrap();
    for (pages, error) in [(2, Errno::EOVERFLOW), (3, Errno::EFAULT)] {
        assert_eq!(m.map_at(iommu, ioas, top - (pages - 1) * PAGE, pages * PAGE - 2048, APERTURE), Err(error), "{pages}");
    }
    m.finish();
}

#[test]
fn operations_without_anything_to_work_on_say_so() {
    let (mut m, iommu, ioas) = machine();
    let mock = m.mock_with(iommu, ioas, MOCK_FLAGS_DEVICE_NO_DIRTY).unwrap();
    let mut test = |op, id, data: [u64; 6]| m.call(iommu, TestCmd { op, id, data, ..Default::default() }).map(|_| ());
    let cache = u64::from(TEST_DEV_CACHE_DEFAULT) << 32;
    assert_eq!(test(TEST_OP_DEV_CHECK_CACHE, mock.idev, [cache | 3, 0, 0, 0, 0, 0]), Ok(()));
    assert_eq!(test(TEST_OP_DEV_CHECK_CACHE, mock.idev, [cache | 4, 0, 0, 0, 0, 0]), Err(Errno::EINVAL));
    assert_eq!(test(TEST_OP_DEV_CHECK_CACHE, mock.stdev, [cache, 0, 0, 0, 0, 0]), Err(Errno::ENOENT));
    assert_eq!(test(TEST_OP_MD_CHECK_IOTLB, mock.hwpt, [0; 6]), Err(Errno::ENOENT));
    assert_eq!(test(TEST_OP_SET_TEMP_MEMORY_LIMIT, 0, [11, 0, 0, 0, 0, 0]), Err(Errno::EINVAL));
    assert_eq!(test(TEST_OP_SET_TEMP_MEMORY_LIMIT, 0, [12, 0, 0, 0, 0, 0]), Ok(()));
    for op in [0, 24, u32::MAX] {
        assert_eq!(test(op, 0, [0; 6]), Err(Errno::EOPNOTSUPP), "{op}");
    }
    m.finish();
}

#[test]
fn the_size_rule_and_the_empty_rows_before_the_request() {
    let (mut m, iommu, _) = machine();
    let sized = |size: u32, length: usize| {
        let mut bytes = vec![0; length];
        bytes[..4].copy_from_slice(&size.to_le_bytes());
        bytes
    };
    assert_eq!(m.raw(iommu, TEST_CMD, &sized(67, 72)).0, Err(Errno::EINVAL));
    assert_eq!(m.raw(iommu, TEST_CMD, &sized(68, 72)).0, Err(Errno::EOPNOTSUPP));
    let mut long = sized(80, 80);
    assert_eq!(m.raw(iommu, TEST_CMD, &long).0, Err(Errno::EOPNOTSUPP));
    long[79] = 1;
    assert_eq!(m.raw(iommu, TEST_CMD, &long).0, Err(Errno::E2BIG));
    assert_eq!(m.call_at(iommu, 0x3b96, 8), Err(Errno::EFAULT));
    assert_eq!(m.raw(iommu, 0x3b9f, &sized(72, 72)).0, Err(Errno::ENOTTY));
    assert_eq!(m.call_at(iommu, 0x3ba1, 8), Err(Errno::ENOTTY));
    m.finish();
    let mut m = Machine::new();
    let iommu = m.iommu();
    assert_eq!(m.call_at(iommu, TEST_CMD, 8), Err(Errno::ENOTTY));
    m.finish();
}

#[test]
fn hardware_information_is_the_mock_iommus() {
    let (mut m, iommu, ioas) = machine();
    let data_uptr = m.memory(PAGE);
    for (flags, bits, dirty) in [(0, 0, 1), (MOCK_FLAGS_DEVICE_NO_DIRTY, 0, 0), (MOCK_FLAGS_DEVICE_PASID, 20, 1)] {
        let mock = m.mock_with(iommu, ioas, flags).unwrap();
        let request = api::HwInfo { dev_id: mock.idev, data_len: 16, data_uptr, ..Default::default() };
        let answer = m.call(iommu, request).unwrap();
        assert_eq!((answer.data_type, answer.data_len), (HW_INFO_TYPE_SELFTEST, 8));
        assert_eq!((answer.out_max_pasid_log2, answer.out_capabilities), (bits, 8 | dirty));
        assert_eq!(m.peek(data_uptr, 8), [0, 0, 0, 0, 0xef, 0xbe, 0xad, 0xde]);
        let typed = api::HwInfo { flags: api::HW_INFO_FLAG_INPUT_TYPE, data_type: api::HW_INFO_TYPE_AMD, ..request };
        assert_eq!(m.call(iommu, typed).map(|_| ()), Err(Errno::EOPNOTSUPP));
    }
    m.finish();
}

#[test]
fn copy_with_the_flag_for_fuzzers_counts_areas() {
    let (mut m, iommu, ioas) = machine();
    let mock = m.mock(iommu, ioas).unwrap();
    let va = m.memory(3 * PAGE);
    m.map_at(iommu, ioas, va, PAGE, APERTURE).unwrap();
    m.map_at(iommu, ioas, va + PAGE, 2 * PAGE, APERTURE + LARGE).unwrap();
    let flags = RW | FIXED | MOCK_FLAGS_ACCESS_SYZ;
    let request = api::IoasCopy { flags, dst_ioas_id: ioas, src_ioas_id: ioas, length: PAGE, ..Default::default() };
    let answer = m.call(iommu, api::IoasCopy { src_iova: PAGE << 32 | 1, dst_iova: 2 * APERTURE, ..request }).unwrap();
    assert_eq!((answer.flags, answer.src_iova), (RW | FIXED, APERTURE + LARGE + PAGE));
    assert_eq!(m.check_map(iommu, mock.hwpt, 2 * APERTURE, PAGE, va + 2 * PAGE), Ok(()));
    assert_eq!(m.call(iommu, api::IoasCopy { src_iova: 9, dst_iova: 3 * APERTURE, ..request }).map(|_| ()), Err(Errno::ENOENT));
    m.finish();
    let mut m = Machine::new();
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    assert_eq!(m.copy(iommu, (ioas, 0), (ioas, 0), PAGE, flags), Err(Errno::EOPNOTSUPP));
    m.finish();
}
