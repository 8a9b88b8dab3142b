//! Numbers that others wrote down: of Linux's headers, not of the schema.

use uapi::{Beyond, Errno, Extent, REQUESTS, RequestRow, SizeField, size_rule, vfio};

#[test]
fn a_map_request_has_the_bytes_that_linux_expects() {
    let request = uapi::iommufd::IoasMap {
        size: 40,
        flags: uapi::iommufd::IOAS_MAP_FIXED_IOVA | uapi::iommufd::IOAS_MAP_READABLE,
        ioas_id: 2,
        reserved: 0,
        user_va: 0x7fff_1234_5000,
        length: 0x2000,
        iova: 0x1_0000_0000,
    };
    let mut bytes = [0; uapi::iommufd::IoasMap::SIZE];
    request.write(&mut bytes);
    let expected = [
        40, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, // size, flags, ioas_id, reserved
        0x00, 0x50, 0x34, 0x12, 0xff, 0x7f, 0, 0, // user_va
        0x00, 0x20, 0, 0, 0, 0, 0, 0, // length
        0, 0, 0, 0, 1, 0, 0, 0, // iova
    ];
    assert_eq!(bytes, expected);
}

#[test]
fn a_negative_file_descriptor_stays_negative() {
    let request = vfio::DeviceBindIommufd { iommufd: -1, ..Default::default() };
    let mut bytes = [0; vfio::DeviceBindIommufd::SIZE];
    request.write(&mut bytes);
    assert_eq!(bytes[8..12], [0xff; 4]);
    assert_eq!(vfio::DeviceBindIommufd::read(&bytes).iommufd, -1);
}

#[test]
fn request_numbers_sizes_and_minimums_are_those_of_linux() {
    let expected = [
        ("DESTROY", 0x3b80, 8, 8),
        ("IOAS_ALLOC", 0x3b81, 12, 12),
        ("IOAS_MAP", 0x3b85, 40, 40),
        ("VFIO_IOAS", 0x3b88, 12, 12),
        ("HWPT_ALLOC", 0x3b89, 48, 24),
        ("GET_HW_INFO", 0x3b8a, 40, 32),
        ("VIOMMU_ALLOC", 0x3b90, 40, 24),
        ("VEVENTQ_ALLOC", 0x3b93, 32, 28),
        ("TEST_CMD", 0x3ba0, 72, 68),
        ("DEVICE_GET_INFO", 0x3b6b, 24, 16),
        ("DEVICE_SET_IRQS", 0x3b6e, 20, 20),
        ("DEVICE_RESET", 0x3b6f, 0, 0),
        ("DEVICE_BIND_IOMMUFD", 0x3b76, 24, 16),
        ("DEVICE_ATTACH_IOMMUFD_PT", 0x3b77, 16, 12),
        ("DEVICE_DETACH_IOMMUFD_PT", 0x3b78, 12, 8),
    ];
    for (name, number, size, min_size) in expected {
        let row = RequestRow::find(number).expect(name);
        assert_eq!((row.name, row.number, row.size, row.min_size), (name, number, size, min_size));
    }
    assert_eq!(RequestRow::find(0x3b96), None);
    assert_eq!(REQUESTS.len(), 22 + 11 + 1 + 1);
}

#[test]
fn a_struct_below_its_minimum_is_refused() {
    assert_eq!(size_rule::extent(23, 48, 24), Err(Errno::EINVAL));
    assert_eq!(size_rule::extent(0, 8, 8), Err(Errno::EINVAL));
}

#[test]
fn a_short_struct_is_copied_as_far_as_it_goes() {
    assert_eq!(size_rule::extent(24, 48, 24), Ok(Extent { copy: 24, tail: 0 }));
    assert_eq!(size_rule::extent(30, 48, 24), Ok(Extent { copy: 30, tail: 0 }));
    assert_eq!(size_rule::extent(48, 48, 24), Ok(Extent { copy: 48, tail: 0 }));
}

#[test]
fn a_long_struct_may_hold_only_zeros_behind_what_is_known() {
    assert_eq!(size_rule::extent(52, 48, 24), Ok(Extent { copy: 48, tail: 4 }));
    assert_eq!(size_rule::extent(u32::MAX, 48, 24), Ok(Extent { copy: 48, tail: u32::MAX as usize - 48 }));
    assert_eq!(size_rule::check_tail(&[0, 0, 0, 0]), Ok(()));
    assert_eq!(size_rule::check_tail(&[]), Ok(()));
    assert_eq!(size_rule::check_tail(&[0, 0, 0, 1]), Err(Errno::E2BIG));
}

#[test]
fn only_requests_that_say_so_check_their_tail() {
    let tail_of = |number: u32| RequestRow::find(number).unwrap().extent(1000).unwrap().tail;
    assert_eq!(tail_of(uapi::iommufd::IOAS_MAP), 960);
    assert_eq!(tail_of(vfio::DEVICE_BIND_IOMMUFD), 976);
    assert_eq!(tail_of(vfio::DEVICE_ATTACH_IOMMUFD_PT), 0);
    assert_eq!(tail_of(vfio::DEVICE_GET_REGION_INFO), 0);
    assert_eq!(RequestRow::find(vfio::DEVICE_RESET).map(|row| (row.kind, row.beyond)), Some((SizeField::None, Beyond::Ignored)));
}

#[test]
fn errors_have_the_names_of_linux() {
    assert_eq!((Errno::EINVAL.0, Errno::EBADFD.0, Errno::EOPNOTSUPP.0, Errno::EADDRINUSE.0), (22, 77, 95, 98));
    assert_eq!(Errno::EMSGSIZE.to_string(), "EMSGSIZE");
    assert_eq!(Errno(41).to_string(), "errno 41");
}
