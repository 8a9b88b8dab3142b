//! PASIDs of mock devices.

mod common;

use common::mock::machine;
use common::*;
use uapi::selftest::*;

const PASID: u32 = api::HWPT_ALLOC_PASID;

fn attach(m: &mut Machine, fd: u32, id: u32, pasid: u32, pt_id: u32) -> Result<u32, Errno> {
    m.call(fd, TestPasidAttach { op: TEST_OP_PASID_ATTACH, id, pasid, pt_id, ..Default::default() }).map(|answer| answer.pt_id)
}

fn replace(m: &mut Machine, fd: u32, id: u32, pasid: u32, pt_id: u32) -> Result<u32, Errno> {
    m.call(fd, TestPasidReplace { op: TEST_OP_PASID_REPLACE, id, pasid, pt_id, ..Default::default() }).map(|answer| answer.pt_id)
}

fn detach(m: &mut Machine, fd: u32, id: u32, pasid: u32) -> Result<(), Errno> {
    m.call(fd, TestPasidDetach { op: TEST_OP_PASID_DETACH, id, pasid, ..Default::default() }).map(|_| ())
}

fn check(m: &mut Machine, fd: u32, id: u32, pasid: u32, hwpt_id: u32) -> Result<(), Errno> {
    m.call(fd, TestPasidCheckHwpt { op: TEST_OP_PASID_CHECK_HWPT, id, pasid, hwpt_id, ..Default::default() }).map(|_| ())
}

/// A device with PASIDs on a page table for them. Returns iommufd, IOAS, the device, two such page tables.
fn ready() -> (Machine, u32, u32, mock::Mock, [u32; 2]) {
    let (mut m, iommu, ioas) = machine();
    let device = m.mock_with(iommu, ioas, MOCK_FLAGS_DEVICE_PASID).unwrap();
    let hwpts = [(); 2].map(|()| m.hwpt_flags(iommu, device.idev, ioas, PASID).unwrap());
    (m, iommu, ioas, device, hwpts)
}

#[test]
fn a_pasid_is_attached_replaced_and_detached() {
    let (mut m, iommu, ioas, device, [one, two]) = ready();
    // The device's own page table is automatic and takes no PASIDs beside it.
    assert_eq!(attach(&mut m, iommu, device.stdev, 1, one), Err(Errno::EINVAL));
    m.replace(iommu, device.stdev, one).unwrap();
    assert_eq!(replace(&mut m, iommu, device.stdev, 1, one), Err(Errno::EINVAL));
    assert_eq!(attach(&mut m, iommu, device.stdev, 1, one), Ok(one));
    assert_eq!(attach(&mut m, iommu, device.stdev, 1, one), Err(Errno::EBUSY));
    assert_eq!(attach(&mut m, iommu, device.stdev, 1, ioas), Err(Errno::EBUSY));
    assert_eq!(attach(&mut m, iommu, device.stdev, 2, ioas), Err(Errno::EINVAL));
    assert_eq!(replace(&mut m, iommu, device.stdev, 1, two), Ok(two));
    assert_eq!(m.replace(iommu, device.stdev, ioas), Err(Errno::EINVAL));
    assert_eq!(m.destroy(iommu, two), Err(Errno::EBUSY));
    for (pasid, hwpt, expected) in [
        (1, two, Ok(())),
        (1, one, Err(Errno::EINVAL)),
        (1, 0, Err(Errno::EINVAL)),
        (0, one, Ok(())),
        (2, 0, Ok(())),
        (2, one, Err(Errno::EINVAL)),
        (1, ioas, Err(Errno::EINVAL)),
        (1, NO_ID, Err(Errno::ENOENT)),
    ] {
        assert_eq!(check(&mut m, iommu, device.stdev, pasid, hwpt), expected, "{pasid} {hwpt}");
    }
    assert_eq!(detach(&mut m, iommu, device.stdev, 1), Ok(()));
    assert_eq!(detach(&mut m, iommu, device.stdev, 1), Ok(()));
    m.destroy(iommu, two).unwrap();
    for id in [NO_ID, device.idev, one] {
        assert_eq!(attach(&mut m, iommu, id, 1, one), Err(Errno::ENOENT));
        assert_eq!(replace(&mut m, iommu, id, 1, one), Err(Errno::ENOENT));
        assert_eq!(detach(&mut m, iommu, id, 1), Err(Errno::ENOENT));
        assert_eq!(check(&mut m, iommu, id, 1, 0), Err(Errno::ENOENT));
    }
    m.finish();
}

#[test]
fn pasid_0_is_the_device_itself() {
    let (mut m, iommu, ioas, device, [one, _]) = ready();
    assert_eq!(attach(&mut m, iommu, device.stdev, 0, one), Err(Errno::EBUSY));
    assert_eq!(detach(&mut m, iommu, device.stdev, 0), Ok(()));
    assert_eq!(m.destroy(iommu, device.hwpt), Err(Errno::ENOENT), "it was automatic");
    assert_eq!(m.replace(iommu, device.stdev, one), Err(Errno::EINVAL), "nothing is there to replace");
    let automatic = attach(&mut m, iommu, device.stdev, 0, ioas).unwrap();
    assert_eq!(m.replace(iommu, device.stdev, ioas), Ok(automatic));
    assert_eq!(check(&mut m, iommu, device.stdev, 0, automatic), Ok(()));
    m.destroy(iommu, device.stdev).unwrap();
    m.finish();
}

#[test]
fn devices_have_pasids_of_20_bits_or_none() {
    let (mut m, iommu, _, device, [one, _]) = ready();
    m.replace(iommu, device.stdev, one).unwrap();
    for (pasid, expected) in [(0xf_ffff, Ok(one)), (0x10_0000, Err(Errno::EINVAL)), (u32::MAX, Err(Errno::EINVAL))] {
        assert_eq!(attach(&mut m, iommu, device.stdev, pasid, one), expected, "{pasid:#x}");
    }
    let plain = m.mock(iommu, one).unwrap();
    for pasid in [1, TEST_PASID_RESERVED, u32::MAX] {
        assert_eq!(attach(&mut m, iommu, plain.stdev, pasid, one), Err(Errno::EINVAL), "{pasid:#x}");
    }
    assert_eq!(check(&mut m, iommu, plain.stdev, 1, 0), Ok(()));
    // A device goes with all its PASIDs.
    m.destroy(iommu, plain.stdev).unwrap();
    m.destroy(iommu, device.stdev).unwrap();
    m.destroy(iommu, one).unwrap();
    m.finish();
}

#[test]
fn one_pasid_is_refused_every_second_time() {
    let (mut m, iommu, _, device, [one, two]) = ready();
    m.replace(iommu, device.stdev, one).unwrap();
    assert_eq!(attach(&mut m, iommu, device.stdev, TEST_PASID_RESERVED, one), Ok(one));
    let before = m.kernel.usage();
    assert_eq!(replace(&mut m, iommu, device.stdev, TEST_PASID_RESERVED, two), Err(Errno::ENOMEM));
    assert_eq!((m.kernel.usage(), check(&mut m, iommu, device.stdev, TEST_PASID_RESERVED, one)), (before, Ok(())));
    assert_eq!(replace(&mut m, iommu, device.stdev, TEST_PASID_RESERVED, two), Ok(two));
    assert_eq!(replace(&mut m, iommu, device.stdev, TEST_PASID_RESERVED, two), Ok(two), "no change");
    assert_eq!(replace(&mut m, iommu, device.stdev, TEST_PASID_RESERVED, one), Err(Errno::ENOMEM));
    // Detaching ends the sequence.
    detach(&mut m, iommu, device.stdev, TEST_PASID_RESERVED).unwrap();
    for _ in 0..2 {
        assert_eq!(attach(&mut m, iommu, device.stdev, TEST_PASID_RESERVED, one), Ok(one));
        detach(&mut m, iommu, device.stdev, TEST_PASID_RESERVED).unwrap();
    }
    m.finish();
}

#[test]
fn an_attachment_whose_answer_cannot_be_written_is_undone_and_a_replacement_is_not() {
    let (mut m, iommu, _, device, [one, two]) = ready();
    m.replace(iommu, device.stdev, one).unwrap();
    let (writable, read_only) = m.read_only_view();
    let ask = |m: &mut Machine, op: u32, pt_id: u32| {
        let request = TestPasidAttach { size: TestPasidAttach::SIZE as u32, op, id: device.stdev, pasid: 9, pt_id, ..Default::default() };
        m.kernel.poke(writable, &request.bytes()).unwrap();
        m.call_at(iommu, TEST_CMD, read_only)
    };
    assert_eq!(ask(&mut m, TEST_OP_PASID_ATTACH, one), Err(Errno::EFAULT));
    assert_eq!(check(&mut m, iommu, device.stdev, 9, 0), Ok(()));
    attach(&mut m, iommu, device.stdev, 9, one).unwrap();
    assert_eq!(ask(&mut m, TEST_OP_PASID_REPLACE, two), Err(Errno::EFAULT));
    assert_eq!(check(&mut m, iommu, device.stdev, 9, two), Ok(()));
    m.finish();
}
