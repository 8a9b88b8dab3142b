//! HWPT_ALLOC: page tables as objects of their own.

mod common;

use common::*;
use iommufd::Kind;

const IOVA: u64 = 0x10_0000;

/// A bound device and an empty IOAS: iommufd, device_fd, device, IOAS.
fn bound(setup: Setup) -> (Machine, u32, u32, u32, u32) {
    let mut m = Machine::with(setup);
    let iommu = m.iommu();
    let (fd, device) = m.bound(EDU, iommu);
    let ioas = m.ioas(iommu);
    (m, iommu, fd, device, ioas)
}

#[test]
fn a_new_page_table_shows_all_areas_before_a_device_comes() {
    let (mut m, iommu, fd, device, ioas) = bound(Setup::memlock(LARGE));
    let va = m.memory(3 * PAGE);
    m.kernel.poke(va + 2 * PAGE, b"there").unwrap();
    m.map_at(iommu, ioas, va, 2 * PAGE, IOVA).unwrap();
    m.map_at(iommu, ioas, va + 2 * PAGE, PAGE, 2 * IOVA).unwrap();
    assert_eq!(m.charged(), (0, 0));
    let hwpt = m.hwpt(iommu, device, ioas).unwrap();
    assert_eq!(m.charged(), (3 * PAGE, 3));
    assert_eq!(m.attach(fd, hwpt), Ok(hwpt));
    assert_eq!(m.read(EDU, 2 * IOVA, 5).unwrap(), b"there");
    m.detach(fd);
    // What a program made stays without a device, and its memory stays pinned, until it is destroyed.
    assert_eq!(m.charged(), (3 * PAGE, 3));
    m.destroy(iommu, hwpt).unwrap();
    assert_eq!((m.charged(), m.pages()), ((0, 0), vec![]));
    m.finish();
}

#[test]
fn page_tables_of_one_ioas_share_its_pins() {
    let (mut m, iommu, _, device, ioas) = bound(Setup::memlock(2 * PAGE));
    let va = m.memory(2 * PAGE);
    m.map_at(iommu, ioas, va, PAGE, IOVA).unwrap();
    let hwpts = [0; 3].map(|_| m.hwpt(iommu, device, ioas).unwrap());
    m.map_at(iommu, ioas, va + PAGE, PAGE, 2 * IOVA).unwrap();
    assert_eq!((m.charged(), m.pages()), ((2 * PAGE, 2), vec![(12, 6)]));
    for hwpt in hwpts {
        assert_eq!(m.usable(iommu, ioas, 1).alignment, PAGE);
        m.destroy(iommu, hwpt).unwrap();
    }
    assert_eq!((m.charged(), m.usable(iommu, ioas, 1).alignment), ((0, 0), 1));
    m.finish();
}

#[test]
fn flags_are_what_the_iommu_can_do() {
    const FLAGS: [u32; 6] =
        [api::HWPT_ALLOC_NEST_PARENT, api::HWPT_ALLOC_DIRTY_TRACKING, api::HWPT_FAULT_ID_VALID, api::HWPT_ALLOC_PASID, 16, 5];
    let no = Err(Errno::EOPNOTSUPP);
    for (kind, results) in
        [(Kind::VtdSs, [no, no, Err(Errno::ENOENT), Ok(()), no, no]), (Kind::AmdV1, [no, no, Err(Errno::ENOENT), no, no, no])]
    {
        let (mut m, iommu, _, dev_id, pt_id) = bound(Setup { kind, ..Setup::default() });
        for (flags, result) in FLAGS.into_iter().zip(results) {
            let request = api::HwptAlloc { dev_id, pt_id, flags, fault_id: NO_ID, ..Default::default() };
            let answer = m.call(iommu, request);
            assert_eq!(answer.map(|_| ()), result, "{kind:?} {flags}");
            // A failure leaves neither an object nor a hold on the IOAS.
            if let Ok(answer) = answer {
                m.destroy(iommu, answer.out_hwpt_id).unwrap();
            }
            assert_eq!(m.kernel.usage().objects, 2);
        }
        m.destroy(iommu, pt_id).unwrap();
        m.finish();
    }
}

#[test]
fn checks_come_in_the_order_of_linux() {
    for (kind, nested) in [(Kind::VtdSs, Errno::EINVAL), (Kind::AmdV1, Errno::EOPNOTSUPP)] {
        let (mut m, iommu, _, dev_id, ioas) = bound(Setup { kind, ..Setup::default() });
        let hwpt = m.hwpt(iommu, dev_id, ioas).unwrap();
        let good = api::HwptAlloc { dev_id, pt_id: ioas, ..Default::default() };
        let with_data = api::HwptAlloc { data_type: api::HWPT_DATA_VTD_S1, data_len: 16, ..good };
        for (request, error) in [
            (api::HwptAlloc { reserved: 1, data_len: 1, ..good }, Errno::EOPNOTSUPP),
            (api::HwptAlloc { data_len: 1, dev_id: NO_ID, ..good }, Errno::EINVAL),
            (api::HwptAlloc { data_len: 0, ..with_data }, Errno::EINVAL),
            (api::HwptAlloc { dev_id: NO_ID, pt_id: NO_ID, ..good }, Errno::ENOENT),
            (api::HwptAlloc { dev_id: ioas, ..good }, Errno::ENOENT),
            // An unknown page table is no missing object but a bad argument.
            (api::HwptAlloc { pt_id: NO_ID, ..good }, Errno::EINVAL),
            (api::HwptAlloc { pt_id: dev_id, ..good }, Errno::EINVAL),
            (with_data, Errno::EOPNOTSUPP),
            (api::HwptAlloc { pt_id: hwpt, ..good }, Errno::EOPNOTSUPP),
            (api::HwptAlloc { pt_id: hwpt, flags: api::HWPT_ALLOC_NEST_PARENT, ..with_data }, Errno::EOPNOTSUPP),
            (api::HwptAlloc { pt_id: hwpt, ..with_data }, nested),
        ] {
            assert_eq!(m.call(iommu, request), Err(error), "{kind:?} {request:?}");
        }
        assert_eq!(m.kernel.usage().objects, 3);
        m.finish();
    }
}

#[test]
fn areas_that_do_not_fit_refuse_the_page_table() {
    const BEYOND: u64 = 1 << 48;
    let (mut m, iommu, _, device, ioas) = bound(Setup::memlock(PAGE));
    let va = m.memory(2 * PAGE);
    for (at, length, iova, error) in [
        (va + 8, PAGE, IOVA + 8, Errno::EADDRINUSE),
        (va, PAGE + 8, IOVA, Errno::EADDRINUSE),
        (va, PAGE, BEYOND, Errno::EADDRINUSE),
        (va, 2 * PAGE, IOVA, Errno::ENOMEM),
        (0x10_0000, PAGE, IOVA, Errno::EFAULT),
    ] {
        // An area that fits, so that something must be undone.
        m.map_at(iommu, ioas, va, PAGE, PAGE).unwrap();
        m.map_at(iommu, ioas, at, length, iova).unwrap();
        let before = m.kernel.usage();
        assert_eq!(m.hwpt(iommu, device, ioas), Err(error), "{iova:#x}");
        assert_eq!(m.kernel.usage(), before);
        m.unmap(iommu, ioas, 0, u64::MAX).unwrap();
    }
    m.allow(iommu, ioas, &[(BEYOND - 1, BEYOND)]).unwrap();
    assert_eq!(m.hwpt(iommu, device, ioas), Err(Errno::EADDRINUSE));
    m.allow(iommu, ioas, &[(BEYOND - 2, BEYOND - 1)]).unwrap();
    assert!(m.hwpt(iommu, device, ioas).is_ok());
    // From now on nothing is mapped beyond.
    assert_eq!(m.map_at(iommu, ioas, va, PAGE, BEYOND), Err(Errno::EINVAL));
    assert_eq!(m.map_at(iommu, ioas, va, PAGE, BEYOND - PAGE), Ok(BEYOND - PAGE));
    m.finish();
}

#[test]
fn a_page_table_whose_id_nobody_learns_is_not_made() {
    let (mut m, iommu, _, dev_id, pt_id) = bound(Setup::default());
    let (writable, read_only) = m.read_only_view();
    let request = api::HwptAlloc { size: 48, dev_id, pt_id, ..Default::default() };
    m.kernel.poke(writable, &request.bytes()).unwrap();
    assert_eq!(m.call_at(iommu, api::HWPT_ALLOC, read_only), Err(Errno::EFAULT));
    assert_eq!(m.kernel.usage().objects, 2);
    assert_eq!(m.call_at(iommu, api::HWPT_ALLOC, writable), Ok(0));
    m.finish();
}
