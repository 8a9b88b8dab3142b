//! The size rule, for every request there is: a shorter struct, a longer one, and memory that ends within it.

mod common;

use common::*;
use uapi::size_rule::{Beyond, RequestRow, SizeField};

const TAILS: [usize; 5] = [1, 8, 255, 300, 5000];

/// The requests that have a struct.
fn rows() -> impl Iterator<Item = &'static RequestRow> {
    static ROWS: [RequestRow; uapi::REQUESTS.len()] = uapi::REQUESTS;
    ROWS.iter().filter(|row| row.kind != SizeField::None)
}

/// A machine where a request finds what it needs, and the fd for it.
fn machine(row: &RequestRow) -> (Machine, u32) {
    if row.number == uapi::selftest::TEST_CMD {
        let (m, iommu, _) = mock::machine();
        return (m, iommu);
    }
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let fd = match row.kind {
        SizeField::Size => a.iommu,
        _ if row.number == vfio::DEVICE_BIND_IOMMUFD => m.open(NIC),
        _ => a.device_fd,
    };
    (m, fd)
}

/// A struct that is zero but for its size, with a tail of zeroes.
fn zeroes(row: &RequestRow, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; row.size.max(size)];
    bytes[..4].copy_from_slice(&(size as u32).to_le_bytes());
    bytes
}

/// What a request answers on a machine of its own.
fn answer(row: &RequestRow, bytes: &[u8]) -> Result<u32, Errno> {
    let (mut m, fd) = machine(row);
    m.raw(fd, row.number, bytes).0
}

#[test]
fn every_request_of_the_table_is_known() {
    assert_eq!(rows().filter(|row| row.kind == SizeField::Size).count(), 23);
    // A device without a feature answers so for any.
    for row in rows().filter(|row| row.number != vfio::DEVICE_FEATURE) {
        assert_ne!(answer(row, &zeroes(row, row.size)), Err(Errno::ENOTTY), "{}", row.name);
    }
}

#[test]
fn a_struct_below_the_minimum_is_refused() {
    for row in rows() {
        let (mut m, fd) = machine(row);
        let before = m.kernel.usage();
        for size in 0..row.min_size {
            assert_eq!(m.raw(fd, row.number, &zeroes(row, size)).0, Err(Errno::EINVAL), "{} {size}", row.name);
        }
        assert_eq!(m.kernel.usage(), before);
    }
}

#[test]
fn missing_fields_and_zeroes_behind_change_nothing() {
    for row in rows() {
        let expected = answer(row, &zeroes(row, row.size));
        let longer = TAILS.into_iter().map(|tail| row.size + tail);
        for size in (row.min_size..row.size).chain(longer) {
            assert_eq!(answer(row, &zeroes(row, size)), expected, "{} {size}", row.name);
        }
    }
}

#[test]
fn bytes_behind_the_struct_must_be_zero_where_the_kernel_would_miss_them() {
    for row in rows() {
        let (mut m, fd) = machine(row);
        for tail in TAILS {
            let size = row.size + tail;
            for set in [row.size, size - 1] {
                let mut bytes = zeroes(row, size);
                bytes[set] = 1;
                if row.beyond == Beyond::Zero {
                    assert_eq!(m.raw(fd, row.number, &bytes).0, Err(Errno::E2BIG), "{} {size}", row.name);
                } else {
                    assert_eq!(answer(row, &bytes), answer(row, &zeroes(row, size)), "{} {size}", row.name);
                }
            }
        }
    }
}

/// Puts a struct so that memory ends after `there` of its bytes.
fn at_the_edge(row: &RequestRow, bytes: &[u8], there: usize) -> Result<u32, Errno> {
    let (mut m, fd) = machine(row);
    let at = m.edge() - there as u64;
    m.kernel.poke(at, &bytes[..there]).unwrap();
    let before = m.kernel.usage();
    let result = m.call_at(fd, row.number, at);
    assert_eq!(m.kernel.usage(), before);
    result
}

#[test]
fn memory_that_ends_within_the_struct_is_found() {
    for row in rows() {
        // The size says that there is more: a request looks at no less than its minimum.
        for there in [0, 3, 4, row.min_size - 1].into_iter().filter(|&there| there < row.min_size) {
            let full = zeroes(row, row.size);
            assert_eq!(at_the_edge(row, &full, there), Err(Errno::EFAULT), "{} {there}", row.name);
        }
        if row.beyond != Beyond::Zero {
            continue;
        }
        let mut long = zeroes(row, row.size + 300);
        for tail in [0, 1, 299] {
            assert_eq!(at_the_edge(row, &long, row.size + tail), Err(Errno::EFAULT), "{} {tail}", row.name);
        }
        // Whichever comes first: a byte that is set, or the end of memory.
        long[row.size + 100] = 1;
        assert_eq!(at_the_edge(row, &long, row.size + 101), Err(Errno::E2BIG), "{}", row.name);
        assert_eq!(at_the_edge(row, &long, row.size + 100), Err(Errno::EFAULT), "{}", row.name);
    }
}

#[test]
fn an_iommufd_compares_the_whole_number_after_it_has_read_the_size() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let at = m.argument;
    for number in [api::DESTROY, api::IOAS_ALLOC | 1 << 30, 0x80, 0xffff_ff80] {
        assert_eq!(m.call_at(iommu, number, 8), Err(Errno::EFAULT), "{number:#x}");
    }
    for number in [api::IOAS_ALLOC | 1 << 30, 0x81, 0xffff_ff81, api::IOAS_NOIOMMU_GET_PA - 0x100] {
        m.kernel.poke(at, &12_u32.to_le_bytes()).unwrap();
        assert_eq!(m.call_at(iommu, number, at), Err(Errno::ENOTTY), "{number:#x}");
    }
    // Without a row nobody looks at the argument.
    for number in [0, 0x3b7f, api::IOAS_NOIOMMU_GET_PA + 1, 0x3bff, u32::MAX] {
        assert_eq!(m.call_at(iommu, number, 8), Err(Errno::ENOTTY), "{number:#x}");
    }
    m.finish();
}

#[test]
fn an_answer_goes_back_as_far_as_the_program_knows_the_struct() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let request = api::HwInfo { size: 32, dev_id: a.device_id, ..Default::default() };
    let mut bytes = request.bytes();
    bytes[32..].fill(0xff);
    let (result, after) = m.raw(a.iommu, api::GET_HW_INFO, &bytes);
    assert_eq!((result, &after[32..]), (Ok(0), &[0xff; 8][..]));
    assert_eq!(after[24], api::HW_INFO_TYPE_INTEL_VTD as u8);
    let request = api::HwptAlloc { size: 24, dev_id: a.device_id, pt_id: a.ioas, ..Default::default() };
    let mut bytes = request.bytes();
    // What lies behind is not part of the request.
    bytes[24..].fill(0xff);
    let (result, after) = m.raw(a.iommu, api::HWPT_ALLOC, &bytes);
    assert_eq!((result, after[16]), (Ok(0), 4));
    m.finish();
}
