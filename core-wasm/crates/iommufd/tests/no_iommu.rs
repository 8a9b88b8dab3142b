//! Devices without an IOMMU: their page tables say where memory is and keep nothing from it.

mod common;

use common::*;
use iommufd::{DeviceConfig, FaultReason, HOST_RELEASE, Kind, Limits, Pa, Ram, RegionConfig};

const IOVA: u64 = 0x10_0000;

/// Adds such a device, alone as it is. Returns its number.
fn bare(m: &mut Machine, requester: u32) -> u32 {
    let group = m.kernel.add_group().unwrap();
    m.kernel.add_device(DeviceConfig { no_iommu: true, ..DeviceConfig::new(group, requester) }).unwrap()
}

/// Where memory is, and how far.
fn physical(m: &mut Machine, iommu: u32, ioas_id: u32, iova: u64, length: u64) -> Result<(u64, u64), Errno> {
    let answer = m.call(iommu, api::IoasNoiommuGetPa { ioas_id, iova, length, ..Default::default() })?;
    assert_eq!((answer.ioas_id, answer.iova), (ioas_id, iova));
    Ok((answer.out_phys, answer.length))
}

#[test]
fn a_program_without_the_right_cannot_open_one() {
    let limits = Limits { sys_rawio: false, ..Setup::default().limits };
    let mut m = Machine::with(Setup { limits, ..Setup::default() });
    let device = bare(&mut m, 0x99);
    assert_eq!(m.kernel.open_device(device), Err(Errno::EPERM));
    m.kernel.unplug(device).unwrap();
    assert_eq!(m.kernel.open_device(device), Err(Errno::ENODEV), "what is gone comes first");
    m.open(EDU);
    m.finish();
}

#[test]
fn no_machine_has_one_whose_iommu_is_somewhere_else_or_that_of_linux_s_tests() {
    for setup in [Setup { remote: true, ..Setup::default() }, Setup::tracking(Kind::AmdMock)] {
        let mut m = Machine::with(setup);
        let group = m.kernel.add_group().unwrap();
        assert_eq!(m.kernel.add_device(DeviceConfig { no_iommu: true, ..DeviceConfig::new(group, 0x99) }), Err(Errno::EINVAL));
        m.finish();
    }
}

#[test]
fn the_kernel_says_where_what_it_has_mapped_is_and_the_device_reaches_that() {
    let mut m = Machine::new();
    let device = bare(&mut m, 0x99);
    let a = m.attached(device);
    let va = m.memory(4 * PAGE);
    m.map_at(a.iommu, a.ioas, va, 4 * PAGE, IOVA).unwrap();
    let (pa, length) = physical(&mut m, a.iommu, a.ioas, IOVA, u64::MAX).unwrap();
    assert_eq!((pa % PAGE, length), (0, 4 * PAGE), "a mapping of the process is one piece");
    assert_eq!(physical(&mut m, a.iommu, a.ioas, IOVA + 100, 50), Ok((pa + 100, 50)));
    assert_eq!(physical(&mut m, a.iommu, a.ioas, IOVA + PAGE + 1, u64::MAX), Ok((pa + PAGE + 1, 3 * PAGE - 1)));
    assert_eq!(physical(&mut m, a.iommu, a.ioas, IOVA + 4 * PAGE - 1, 2), Ok((pa + 4 * PAGE - 1, 1)), "not past the area");
    assert_eq!(physical(&mut m, a.iommu, a.ioas, IOVA + 4 * PAGE, 1), Err(Errno::ENOENT));
    m.write(device, pa + 100, b"by address").unwrap();
    assert_eq!(m.peek(va + 100, 10), b"by address");
    m.kernel.poke(va, b"there").unwrap();
    assert_eq!(m.read(device, pa, 5).unwrap(), b"there");
    // To the device an IOVA is an address like any other, where nothing is.
    assert_eq!(m.write(device, IOVA, b"nowhere"), Err(FaultReason::NotPresent));
    m.finish();
}

#[test]
fn pieces_that_lie_apart_are_told_one_by_one() {
    let mut m = Machine::new();
    let device = bare(&mut m, 0x99);
    let a = m.attached(device);
    let file = m.kernel.memfd(2 * PAGE).unwrap() as i32;
    let va = m.memory(PAGE);
    m.map_at(a.iommu, a.ioas, va, PAGE, IOVA).unwrap();
    let second = m.map_file(a.iommu, a.ioas, file, PAGE, PAGE, RW).unwrap();
    let first = m.map_file(a.iommu, a.ioas, file, 0, PAGE, RW).unwrap();
    let at = |m: &mut Machine, iova| physical(m, a.iommu, a.ioas, iova, u64::MAX).unwrap();
    let (low, high) = (at(&mut m, first), at(&mut m, second));
    assert_eq!((low.1, high), (PAGE, (low.0 + PAGE, PAGE)), "an area alone is looked at, whatever is behind it");
    m.finish();
}

#[test]
fn nothing_of_iommufd_keeps_it_from_memory() {
    let mut m = Machine::new();
    let device = bare(&mut m, 0x99);
    let a = m.attached(device);
    let va = m.memory(PAGE);
    m.map_at(a.iommu, a.ioas, va, PAGE, IOVA).unwrap();
    let (pa, _) = physical(&mut m, a.iommu, a.ioas, IOVA, 1).unwrap();
    let reaches = |m: &mut Machine, byte: u8| {
        m.write(device, pa, &[byte]).unwrap();
        assert_eq!(m.peek(va, 1), [byte]);
    };
    m.unmap(a.iommu, a.ioas, IOVA, PAGE).unwrap();
    reaches(&mut m, 1);
    m.detach(a.device_fd);
    reaches(&mut m, 2);
    assert_eq!(m.kernel.close(a.device_fd as i32), Ok(HOST_RELEASE | device), "the host resets it, which ends its transfers");
    m.finish();
}

#[test]
fn what_it_overwrites_is_anything_but_the_kernel() {
    let mut m = Machine::new();
    let device = bare(&mut m, 0x99);
    let end = Ram::BASE + m.kernel.ram().length();
    // Memory that nobody has is written to, and zero all the same when somebody gets it.
    let free = m.memory(PAGE);
    m.kernel.munmap(free, PAGE).unwrap();
    let a = m.attached(device);
    let probe = m.memory(PAGE);
    m.map_at(a.iommu, a.ioas, probe, PAGE, IOVA).unwrap();
    let (pa, _) = physical(&mut m, a.iommu, a.ioas, IOVA, 1).unwrap();
    for page in 1..20 {
        m.write(device, pa + page * PAGE, &[0xaa; 64]).unwrap();
    }
    let fresh = m.memory(20 * PAGE);
    assert!(m.peek(fresh, 20 * PAGE as usize).iter().all(|&byte| byte == 0));
    // Tables are taken from the top. They can be read, up to the end of memory.
    assert_eq!(m.write(device, end - PAGE, &[1]), Err(FaultReason::KernelMemory));
    assert_eq!(m.read(device, end - 8, 8).map(|bytes| bytes.len()), Ok(8));
    for (at, bytes) in [(end - 4, 8), (end, 1), (u64::MAX, 1), (u64::MAX, 2), (0, 1), (Ram::BASE - 1, 2)] {
        assert_eq!(m.read(device, at, bytes), Err(FaultReason::NotPresent), "{at:#x}");
    }
    assert_eq!(m.write(device, u64::MAX, &[1, 2]), Err(FaultReason::NotPresent));
    assert_eq!(m.kernel.ram().bytes(Pa(pa), 1), [0]);
    m.finish();
}

#[test]
fn what_lies_before_a_refusal_has_moved() {
    let mut m = Machine::new();
    let device = bare(&mut m, 0x99);
    let a = m.attached(device);
    let end = Ram::BASE + m.kernel.ram().length();
    let tables = (Ram::BASE..end).step_by(PAGE as usize).find(|&at| m.write(device, at, &[]).is_ok() && m.write(device, at, &[7]).is_err());
    let first = tables.expect("an attached device has page tables");
    let faults = m.kernel.faults_len();
    assert_eq!(m.write(device, first - 4, &[9; 8]), Err(FaultReason::KernelMemory));
    assert_eq!(m.kernel.ram().bytes(Pa(first - 4), 4), [9; 4]);
    let fault = m.kernel.fault(faults).unwrap();
    assert_eq!((fault.iova, fault.length, fault.write, fault.device), (first, 4, true, device));
    m.close_bound(a.device_fd, device);
    m.finish();
}

#[test]
fn its_page_tables_have_no_options() {
    let mut m = Machine::with(Setup { tracks_dirty: true, ..Setup::scalable() });
    let device = bare(&mut m, 0x99);
    let iommu = m.iommu();
    let (fd, id) = m.bound(device, iommu);
    let ioas = m.ioas(iommu);
    assert_eq!(m.call(iommu, api::HwInfo { dev_id: id, ..Default::default() }), Err(Errno::EOPNOTSUPP));
    assert_eq!(m.call(iommu, api::HwInfo { dev_id: NO_ID, ..Default::default() }), Err(Errno::ENOENT));
    for flags in [api::HWPT_ALLOC_NEST_PARENT, api::HWPT_ALLOC_DIRTY_TRACKING, api::HWPT_ALLOC_PASID, 16, 1 << 31] {
        assert_eq!(m.hwpt_flags(iommu, id, ioas, flags), Err(Errno::EOPNOTSUPP), "{flags}");
    }
    assert_eq!(m.hwpt_data(iommu, (id, ioas), 0, api::HWPT_DATA_VTD_S1, &[0; 16]), Err(Errno::EOPNOTSUPP));
    let (queue, _) = m.fault_queue(iommu);
    let reporting =
        m.call(iommu, api::HwptAlloc { dev_id: id, pt_id: ioas, flags: api::HWPT_FAULT_ID_VALID, fault_id: queue, ..Default::default() });
    assert_eq!(m.attach(fd, reporting.unwrap().out_hwpt_id).map(|_| ()), Ok(()));
    let hwpt = m.hwpt(iommu, id, ioas).unwrap();
    assert_eq!(m.hwpt(iommu, id, hwpt), Err(Errno::EOPNOTSUPP), "on top of another");
    assert_eq!(m.call(iommu, api::HwptSetDirtyTracking { hwpt_id: hwpt, flags: 1, ..Default::default() }), Err(Errno::EOPNOTSUPP));
    for to in [hwpt, ioas] {
        assert_eq!(m.attach_pasid(fd, 1, to), Err(Errno::EINVAL));
    }
    assert_eq!(m.attach(fd, hwpt), Ok(hwpt));
    m.finish();
}

#[test]
fn every_address_but_the_last_can_be_mapped_and_none_is_reserved() {
    let mut m = Machine::new();
    let device = bare(&mut m, 0x99);
    let a = m.attached(device);
    let va = m.memory(PAGE);
    for iova in [0, 0xfee0_0000, 1 << 57, u64::MAX - 2 * PAGE + 1] {
        assert_eq!(m.map_at(a.iommu, a.ioas, va, PAGE, iova), Ok(iova));
        assert_eq!(physical(&mut m, a.iommu, a.ioas, iova, PAGE).map(|(_, length)| length), Ok(PAGE));
    }
    // A device with an IOMMU has addresses that are not.
    let (fd, _) = m.bound(EDU, a.iommu);
    assert_eq!(m.attach(fd, a.ioas), Err(Errno::EADDRINUSE));
    m.finish();
}

#[test]
fn a_page_table_of_an_iommu_takes_it_but_not_the_other_way_round() {
    let mut m = Machine::new();
    let device = bare(&mut m, 0x99);
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    let (bare_fd, bare_id) = m.bound(device, iommu);
    let (edu_fd, edu_id) = m.bound(EDU, iommu);
    let software = m.hwpt(iommu, bare_id, ioas).unwrap();
    let hardware = m.hwpt(iommu, edu_id, ioas).unwrap();
    assert_eq!(m.attach(edu_fd, software), Err(Errno::EINVAL));
    assert_eq!(m.attach(edu_fd, hardware), Ok(hardware));
    assert_eq!(m.attach(edu_fd, software), Err(Errno::ENODEV), "to replace is refused in another place");
    assert_eq!(m.attach(bare_fd, hardware), Ok(hardware));
    assert_eq!(m.attach(bare_fd, software), Ok(software));
    m.detach(edu_fd);
    m.detach(bare_fd);
    m.finish();
}

#[test]
fn an_ioas_with_both_has_addresses_to_give_where_the_software_s_page_table_came_first() {
    let mut m = Machine::new();
    let (one, two) = (bare(&mut m, 0x99), bare(&mut m, 0x9a));
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    let va = m.memory(PAGE);
    m.map_at(iommu, ioas, va, PAGE, IOVA).unwrap();
    let (bare_fd, bare_id) = m.bound(one, iommu);
    let (edu_fd, edu_id) = m.bound(EDU, iommu);
    // The automatic page table of the IOMMU suits a device without one, and has no addresses to give.
    let hwpt = m.attach(edu_fd, ioas).unwrap();
    assert_eq!(m.attach(bare_fd, ioas), Ok(hwpt));
    assert_eq!(physical(&mut m, iommu, ioas, IOVA, 1), Err(Errno::EOPNOTSUPP));
    m.detach(edu_fd);
    m.detach(bare_fd);
    assert!(m.attach(bare_fd, ioas).is_ok());
    assert!(physical(&mut m, iommu, ioas, IOVA, 1).is_ok());
    // One of software does not suit a device with an IOMMU, which gets its own.
    assert!(m.attach(edu_fd, ioas).is_ok());
    assert!(physical(&mut m, iommu, ioas, IOVA, 1).is_ok());
    m.detach(edu_fd);
    m.detach(bare_fd);
    // Of three the last takes the place of the first.
    let (_, two_id) = m.bound(two, iommu);
    let first = m.hwpt(iommu, bare_id, ioas).unwrap();
    let middle = m.hwpt(iommu, edu_id, ioas).unwrap();
    let last = m.hwpt(iommu, two_id, ioas).unwrap();
    m.destroy(iommu, first).unwrap();
    assert!(physical(&mut m, iommu, ioas, IOVA, 1).is_ok());
    m.destroy(iommu, last).unwrap();
    assert_eq!(physical(&mut m, iommu, ioas, IOVA, 1), Err(Errno::EOPNOTSUPP));
    m.destroy(iommu, middle).unwrap();
    m.finish();
}

#[test]
fn it_has_no_owner_but_who_has_bound_it_and_needs_no_coherent_transfers() {
    let mut m = Machine::new();
    let group = m.kernel.add_group().unwrap();
    let device = m.kernel.add_device(DeviceConfig { no_iommu: true, coherent: false, ..DeviceConfig::new(group, 0x99) }).unwrap();
    let (first, second) = (m.iommu(), m.iommu());
    let (fd, _) = m.bound(device, first);
    let other = m.open(device);
    assert_eq!(m.bind(other, second), Err(Errno::EINVAL));
    m.close_bound(fd, device);
    assert!(m.bind(other, second).is_ok());
    m.finish();
}

#[test]
fn its_page_tables_let_devices_pass_caches_by() {
    let mut m = Machine::new();
    let device = bare(&mut m, 0x99);
    let a = m.attached(device);
    let set = api::VfioIoas { op: api::VFIO_IOAS_SET, ioas_id: a.ioas, ..Default::default() };
    m.call(a.iommu, set).unwrap();
    let coherent = |m: &mut Machine| m.kernel.ioctl(a.iommu as i32, uapi::type1::CHECK_EXTENSION, uapi::type1::DMA_CC_IOMMU.into());
    assert_eq!(coherent(&mut m), Ok(0));
    m.detach(a.device_fd);
    assert_eq!(coherent(&mut m), Ok(1));
    m.finish();
}

#[test]
fn at_the_address_of_a_bar_it_comes_to_another_device() {
    let mut m = Machine::new();
    let device = bare(&mut m, 0x99);
    let (start, size) = (0xf000_0000, 4 * PAGE);
    m.kernel.add_region(NIC, 2, RegionConfig { size, address: start, flags: 0 }).unwrap();
    let buffer = m.staging;
    for (at, length) in [(start, 2 * PAGE), (start + 3 * PAGE, PAGE), (start + 4 * PAGE - 1, 1)] {
        let peer = m.kernel.dma_write(device, None, at, buffer, 2 * PAGE).unwrap().unwrap();
        assert_eq!((peer.done, peer.run.pa.0, peer.run.length), (0, at, length));
        assert_eq!(m.kernel.dma_read(device, None, at, buffer, 2 * PAGE), Ok(Some(peer)));
    }
    for at in [start - 1, start + size] {
        assert_eq!(m.kernel.dma_read(device, None, at, buffer, 1), Err(FaultReason::NotPresent));
    }
    m.kernel.unplug(NIC).unwrap();
    assert_eq!(m.kernel.dma_read(device, None, start, buffer, 1), Err(FaultReason::NotPresent), "nobody answers there any more");
    m.finish();
}
