//! PASIDs of devices: several address spaces a device, which page tables take them, what goes with what.

mod common;

use common::*;
use iommufd::FaultReason;

const PASID: u32 = api::HWPT_ALLOC_PASID;

/// An IOMMU with PASIDs, a bound device that has them, and an IOAS with a page table for them. Returns iommufd, fd, device, page table.
fn ready(m: &mut Machine, tag: &[u8]) -> (u32, u32, u32, u32) {
    let iommu = m.iommu();
    let ioas = tagged(m, iommu, tag);
    let (fd, device) = m.bound(EDU, iommu);
    let hwpt = m.hwpt_flags(iommu, device, ioas, PASID).unwrap();
    (iommu, fd, device, hwpt)
}

#[test]
fn a_device_has_an_address_space_for_each_pasid() {
    let mut m = Machine::with(Setup::scalable());
    let (iommu, fd, device, one) = ready(&mut m, b"one");
    let ioas = tagged(&mut m, iommu, b"two");
    let two = m.hwpt_flags(iommu, device, ioas, PASID).unwrap();
    assert_eq!(m.attach_pasid(fd, 7, one), Ok(one));
    assert_eq!(m.attach_pasid(fd, 4095, two), Ok(two));
    assert_eq!(m.read_with(EDU, 7, TAGGED, 3).unwrap(), b"one");
    assert_eq!(m.read_with(EDU, 4095, TAGGED, 3).unwrap(), b"two");
    for blocked in [0, 1, 8] {
        assert_eq!(m.read_with(EDU, blocked, TAGGED, 3), Err(FaultReason::Blocked), "{blocked}");
    }
    assert_eq!(m.read(EDU, TAGGED, 3), Err(FaultReason::Blocked));
    assert_eq!(m.kernel.fault(0).and_then(|record| record.pasid), Some(0));
    // Transfers without a PASID are those with PASID 0.
    assert_eq!(m.attach(fd, two), Ok(two));
    assert_eq!((m.read(EDU, TAGGED, 3), m.read_with(EDU, 0, TAGGED, 3)), (Ok(b"two".to_vec()), Ok(b"two".to_vec())));
    // Again is a replacement, of this PASID alone.
    assert_eq!(m.attach_pasid(fd, 7, two), Ok(two));
    assert_eq!(m.read_with(EDU, 7, TAGGED, 3).unwrap(), b"two");
    m.destroy(iommu, one).unwrap();
    assert_eq!(m.destroy(iommu, two), Err(Errno::EBUSY));
    m.detach_pasid(fd, 7);
    m.detach_pasid(fd, 7);
    assert_eq!(m.read_with(EDU, 7, TAGGED, 3), Err(FaultReason::Blocked));
    assert_eq!(m.read_with(EDU, 4095, TAGGED, 3).unwrap(), b"two");
    // Closing the fd detaches all of them.
    m.close_bound(fd, EDU);
    m.destroy(iommu, two).unwrap();
    m.finish();
}

#[test]
fn page_tables_with_and_without_pasids_do_not_mix() {
    let mut m = Machine::with(Setup::scalable());
    let (iommu, fd, device, with) = ready(&mut m, b"with");
    let ioas = m.ioas(iommu);
    let without = m.hwpt(iommu, device, ioas).unwrap();
    let before = m.kernel.usage();
    assert_eq!(m.attach_pasid(fd, 1, without), Err(Errno::EINVAL));
    assert_eq!(m.attach_pasid(fd, 1, ioas), Err(Errno::EINVAL), "automatic page tables take none");
    assert_eq!(m.kernel.usage(), before);
    m.attach(fd, without).unwrap();
    assert_eq!(m.attach_pasid(fd, 1, with), Err(Errno::EINVAL), "the device itself is attached to one that takes none");
    m.attach(fd, with).unwrap();
    m.attach_pasid(fd, 1, with).unwrap();
    let before = m.kernel.usage();
    for target in [without, ioas] {
        assert_eq!(m.attach(fd, target), Err(Errno::EINVAL), "while a PASID is attached");
        assert_eq!((m.kernel.usage(), m.read(EDU, TAGGED, 4).unwrap()), (before, b"with".to_vec()));
    }
    m.detach(fd);
    assert_eq!(m.attach(fd, without), Err(Errno::EINVAL));
    m.detach_pasid(fd, 1);
    m.attach(fd, without).unwrap();
    m.finish();
}

#[test]
fn pasids_have_limits() {
    let mut m = Machine::with(Setup::scalable());
    let (iommu, fd, _, hwpt) = ready(&mut m, b"");
    for (pasid, expected) in [
        (4095, Ok(hwpt)),
        (4096, Err(Errno::EINVAL)),
        (i32::MAX as u32, Err(Errno::EINVAL)),
        (1 << 31, Err(Errno::ENOSPC)),
        (u32::MAX, Err(Errno::ENOSPC)),
        // Linux takes -EINVAL for a PASID that is attached.
        (-22_i32 as u32, Err(Errno::EINVAL)),
    ] {
        assert_eq!(m.attach_pasid(fd, pasid, hwpt), expected, "{pasid:#x}");
        m.detach_pasid(fd, pasid);
    }
    assert_eq!(m.attach_pasid(fd, -22_i32 as u32, NO_ID), Err(Errno::ENOENT));
    assert_eq!(m.attach_pasid(fd, 1 << 31, NO_ID), Err(Errno::ENOSPC));
    // A device without PASIDs may be attached with any, as in Linux, and uses none.
    let (other, _) = m.bound(NIC, iommu);
    assert_eq!(m.attach_pasid(other, 0x10_0000, hwpt), Ok(hwpt));
    assert_eq!(m.read_with(NIC, 0x10_0000, TAGGED, 1), Err(FaultReason::Blocked));
    m.attach(other, hwpt).unwrap();
    assert_eq!(m.read_with(NIC, 0, TAGGED, 1), Err(FaultReason::Blocked), "its requests carry no PASID");
    assert!(m.read(NIC, TAGGED, 1).is_ok());
    m.finish();
}

#[test]
fn without_scalable_mode_no_device_has_pasids() {
    let mut m = Machine::new();
    let (iommu, fd, device, hwpt) = ready(&mut m, b"");
    assert_eq!(m.attach_pasid(fd, 1, hwpt), Ok(hwpt));
    assert_eq!(m.read_with(EDU, 1, TAGGED, 1), Err(FaultReason::Blocked));
    let info = m.call(iommu, api::HwInfo { dev_id: device, ..Default::default() }).unwrap();
    assert_eq!((info.out_max_pasid_log2, info.out_capabilities), (0, api::HW_CAP_PCI_ATS_NOT_SUPPORTED));
    m.finish();
}

#[test]
fn hw_info_tells_what_pasids_a_device_has() {
    let mut m = Machine::with(Setup::scalable());
    let iommu = m.iommu();
    let ats = api::HW_CAP_PCI_ATS_NOT_SUPPORTED;
    for (device, bits, capabilities) in [
        (EDU, PASID_BITS, ats | api::HW_CAP_PCI_PASID_EXEC | api::HW_CAP_PCI_PASID_PRIV),
        (FUNCTION_0, PASID_BITS, ats | api::HW_CAP_PCI_PASID_EXEC),
        (NIC, 0, ats),
    ] {
        let (_, dev_id) = m.bound(device, iommu);
        let info = m.call(iommu, api::HwInfo { dev_id, ..Default::default() }).unwrap();
        assert_eq!((info.out_max_pasid_log2, info.out_capabilities), (bits, capabilities));
    }
    m.finish();
}

#[test]
fn pasid_0_is_the_device_itself_by_another_name() {
    let mut m = Machine::with(Setup::scalable());
    let (_, fd, _, hwpt) = ready(&mut m, b"zero");
    // VFIO keeps its own account of either name.
    m.attach_pasid(fd, 0, hwpt).unwrap();
    assert_eq!(m.read(EDU, TAGGED, 4).unwrap(), b"zero");
    assert_eq!(m.attach(fd, hwpt), Err(Errno::EBUSY));
    m.detach(fd);
    assert_eq!(m.read(EDU, TAGGED, 4).unwrap(), b"zero");
    m.detach_pasid(fd, 0);
    assert_eq!(m.read(EDU, TAGGED, 4), Err(FaultReason::Blocked));
    m.attach(fd, hwpt).unwrap();
    assert_eq!(m.attach_pasid(fd, 0, hwpt), Err(Errno::EBUSY));
    m.detach_pasid(fd, 0);
    assert_eq!(m.read(EDU, TAGGED, 4).unwrap(), b"zero");
    m.finish();
}

#[test]
fn a_group_shares_each_pasid() {
    let mut m = Machine::with(Setup::scalable());
    let iommu = m.iommu();
    let ioas = tagged(&mut m, iommu, b"group");
    let (first, device) = m.bound(FUNCTION_0, iommu);
    let (second, _) = m.bound(FUNCTION_1, iommu);
    let [one, two] = [(); 2].map(|()| m.hwpt_flags(iommu, device, ioas, PASID).unwrap());
    m.attach_pasid(second, 5, one).unwrap();
    // The whole group has it now, as far as its functions have PASIDs.
    assert_eq!(m.read_with(FUNCTION_0, 5, TAGGED, 5).unwrap(), b"group");
    assert_eq!(m.read_with(FUNCTION_1, 5, TAGGED, 5), Err(FaultReason::Blocked));
    assert_eq!(m.attach_pasid(first, 5, two), Err(Errno::EINVAL));
    m.attach_pasid(first, 5, one).unwrap();
    m.attach_pasid(first, 5, two).unwrap();
    m.destroy(iommu, one).unwrap();
    m.detach_pasid(first, 5);
    assert_eq!(m.read_with(FUNCTION_0, 5, TAGGED, 5).unwrap(), b"group");
    m.detach_pasid(second, 5);
    assert_eq!(m.read_with(FUNCTION_0, 5, TAGGED, 5), Err(FaultReason::Blocked));
    m.destroy(iommu, two).unwrap();
    m.finish();
}

#[test]
fn an_answer_that_cannot_be_written_detaches_the_device_and_not_the_pasid() {
    let mut m = Machine::with(Setup::scalable());
    let (_, fd, _, hwpt) = ready(&mut m, b"stay");
    m.attach(fd, hwpt).unwrap();
    let at = {
        let (writable, read_only) = m.read_only_view();
        let mut bytes = [0; vfio::DeviceAttachIommufdPt::SIZE];
        vfio::DeviceAttachIommufdPt { argsz: 16, flags: vfio::DEVICE_ATTACH_PASID, pt_id: hwpt, pasid: 3 }.write(&mut bytes);
        m.kernel.poke(writable, &bytes).unwrap();
        read_only
    };
    assert_eq!(m.call_at(fd, vfio::DEVICE_ATTACH_IOMMUFD_PT, at), Err(Errno::EFAULT));
    assert_eq!(m.read_with(EDU, 3, TAGGED, 4).unwrap(), b"stay");
    assert_eq!(m.read(EDU, TAGGED, 4), Err(FaultReason::Blocked));
    m.finish();
}
