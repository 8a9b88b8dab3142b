//! What a device_fd tells of its device, RESET, and that it tells nothing before it is bound.

mod common;

use common::*;
use iommufd::{DeviceConfig, FaultReason, HOST_RESET, RegionConfig};
use uapi::simulated::{SIMULATED_DEVICE_SET_LABEL, SimulatedDeviceSetLabel};

/// An address where no struct can be.
const NOWHERE: u64 = 8;

/// Every request that a device_fd has.
const REQUESTS: [u32; 11] = [
    vfio::DEVICE_GET_INFO,
    vfio::DEVICE_GET_REGION_INFO,
    vfio::DEVICE_GET_IRQ_INFO,
    vfio::DEVICE_SET_IRQS,
    vfio::DEVICE_RESET,
    vfio::DEVICE_GET_PCI_HOT_RESET_INFO,
    vfio::DEVICE_PCI_HOT_RESET,
    vfio::DEVICE_FEATURE,
    vfio::DEVICE_BIND_IOMMUFD,
    vfio::DEVICE_ATTACH_IOMMUFD_PT,
    vfio::DEVICE_DETACH_IOMMUFD_PT,
];

fn bound(device: u32) -> (Machine, u32) {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let (fd, _) = m.bound(device, iommu);
    (m, fd)
}

#[test]
fn before_bind_an_fd_is_good_for_nothing_else() {
    let mut m = Machine::new();
    let fd = m.open(EDU);
    for number in REQUESTS.into_iter().chain([api::DESTROY, 0, u32::MAX]) {
        // Nobody looks at the argument, but for that of BIND.
        let error = if number == vfio::DEVICE_BIND_IOMMUFD { Errno::EFAULT } else { Errno::EINVAL };
        assert_eq!(m.call_at(fd, number, NOWHERE), Err(error), "{number:#x}");
    }
    assert_eq!(m.kernel.read(fd as i32, m.argument, 8), Err(Errno::EINVAL));
    assert_eq!(m.kernel.write(fd as i32, m.argument, 8), Err(Errno::EINVAL));
    assert_eq!(m.kernel.mmap(0, PAGE, 3, 1, fd as i32, 0), Err(Errno::EINVAL));
    m.finish();
}

#[test]
fn once_bound_a_bad_address_and_an_unknown_request_are_told() {
    let (mut m, fd) = bound(EDU);
    for number in REQUESTS.into_iter().filter(|&number| number != vfio::DEVICE_RESET) {
        assert_eq!(m.call_at(fd, number, NOWHERE), Err(Errno::EFAULT), "{number:#x}");
    }
    for number in [api::DESTROY, api::IOAS_MAP, 0x3b6a, 0x3b79, 0, u32::MAX] {
        assert_eq!(m.call_at(fd, number, NOWHERE), Err(Errno::ENOTTY), "{number:#x}");
    }
    m.finish();
}

#[test]
fn a_device_tells_its_kind_and_how_many_parts_it_has() {
    let (mut m, fd) = bound(EDU);
    let info = m.call(fd, vfio::DeviceInfo::default()).unwrap();
    assert_eq!(info.flags, vfio::DEVICE_FLAGS_PCI | vfio::DEVICE_FLAGS_RESET);
    assert_eq!((info.argsz, info.num_regions, info.num_irqs, info.cap_offset), (24, 9, 5, 0));
    // An older program knows less of the struct, and gets no more.
    let mut bytes = [0xff; 24];
    bytes[..4].copy_from_slice(&16_u32.to_le_bytes());
    let (result, after) = m.raw(fd, vfio::DEVICE_GET_INFO, &bytes);
    assert_eq!((result, &after[8..16], &after[16..]), (Ok(0), &[9, 0, 0, 0, 5, 0, 0, 0][..], &[0xff; 8][..]));
    m.finish();
}

#[test]
fn regions_are_told_by_their_index() {
    let (mut m, fd) = bound(EDU);
    let rw = vfio::REGION_INFO_FLAG_READ | vfio::REGION_INFO_FLAG_WRITE;
    for index in 0..12 {
        let answer = m.call(fd, vfio::RegionInfo { index, ..Default::default() });
        let expected = match index {
            vfio::PCI_BAR0_REGION_INDEX => Ok((0x4000, rw)),
            vfio::PCI_CONFIG_REGION_INDEX => Ok((4096, rw)),
            vfio::PCI_VGA_REGION_INDEX.. => Err(Errno::EINVAL),
            _ => Ok((0, 0)),
        };
        assert_eq!(answer.map(|info| (info.size, info.flags)), expected, "{index}");
        if let Ok(info) = answer {
            assert_eq!((info.offset, info.cap_offset), (u64::from(index) << 40, 0));
        }
    }
    m.kernel.add_region(EDU, vfio::PCI_VGA_REGION_INDEX, RegionConfig { size: 0xc0000, flags: rw, address: 0 }).unwrap();
    let vga = m.call(fd, vfio::RegionInfo { index: vfio::PCI_VGA_REGION_INDEX, ..Default::default() });
    assert_eq!(vga.map(|info| info.size), Ok(0xc0000));
    m.finish();
}

#[test]
fn interrupts_are_told_by_their_index() {
    let (mut m, fd) = bound(EDU);
    let eventfd = vfio::IRQ_INFO_EVENTFD;
    let fixed = eventfd | vfio::IRQ_INFO_NORESIZE;
    let expected = [
        Ok((1, eventfd | vfio::IRQ_INFO_MASKABLE | vfio::IRQ_INFO_AUTOMASKED)),
        Ok((4, fixed)),
        Ok((8, fixed)),
        Ok((1, fixed)),
        Ok((1, fixed)),
        Err(Errno::EINVAL),
    ];
    for (index, expected) in (0..).zip(expected) {
        let answer = m.call(fd, vfio::IrqInfo { index, ..Default::default() });
        assert_eq!(answer.map(|info| (info.count, info.flags)), expected, "{index}");
    }
    m.kernel.add_irq(EDU, vfio::PCI_MSIX_IRQ_INDEX, iommufd::IrqConfig { count: 8, flags: 0 }).unwrap();
    let msix = m.call(fd, vfio::IrqInfo { index: vfio::PCI_MSIX_IRQ_INDEX, ..Default::default() });
    assert_eq!(msix.map(|info| info.flags), Ok(eventfd));
    m.finish();
}

#[test]
fn reset_is_the_hosts_where_the_device_can_be_reset() {
    let (mut m, fd) = bound(NIC);
    assert_eq!(m.call_at(fd, vfio::DEVICE_RESET, NOWHERE), Ok(HOST_RESET | NIC));
    let config = DeviceConfig { reset: false, ..DeviceConfig::new(0, 0x99) };
    let device = m.kernel.add_device(config).unwrap();
    let iommu = m.iommu();
    let (fd, _) = m.bound(device, iommu);
    assert_eq!(m.call_at(fd, vfio::DEVICE_RESET, NOWHERE), Err(Errno::EINVAL));
    assert_eq!(m.call(fd, vfio::DeviceInfo::default()).map(|info| info.flags), Ok(vfio::DEVICE_FLAGS_PCI));
    m.finish();
}

#[test]
fn what_the_machine_lacks_is_refused_as_linux_does() {
    let (mut m, fd) = bound(EDU);
    let (get, set, probe) = (vfio::DEVICE_FEATURE_GET, vfio::DEVICE_FEATURE_SET, vfio::DEVICE_FEATURE_PROBE);
    for (flags, error) in
        [(get | 3, Errno::ENOTTY), (get | set | probe | 3, Errno::ENOTTY), (get | set | 3, Errno::EINVAL), (get | 1 << 19, Errno::EINVAL)]
    {
        assert_eq!(m.call(fd, vfio::DeviceFeature { argsz: 0, flags }), Err(error), "{flags:#x}");
    }
    assert_eq!(m.call(fd, vfio::PciHotResetInfo::default()), Err(Errno::ENODEV));
    for (flags, count, error) in [(0, 0, Errno::ENODEV), (1, 0, Errno::EINVAL), (0, 1, Errno::EINVAL)] {
        assert_eq!(m.call(fd, vfio::PciHotReset { argsz: 0, flags, count }), Err(error));
    }
    m.finish();
}

#[test]
fn fault_records_carry_the_label_of_the_fd_that_is_open() {
    let mut m = Machine::new();
    let fd = m.open(EDU);
    let label = |flags| SimulatedDeviceSetLabel { argsz: 0, flags, label: 42 };
    assert_eq!(m.call(fd, label(1)), Err(Errno::EINVAL));
    assert!(m.call(fd, label(0)).is_ok());
    assert_eq!(m.read(EDU, 7, 8), Err(FaultReason::Blocked));
    m.close(fd);
    m.open(EDU);
    assert_eq!(m.read(EDU, 9, 8), Err(FaultReason::Blocked));
    let faults = [0, 1].map(|index| m.kernel.fault(index).unwrap());
    assert_eq!(faults.map(|fault| (fault.device, fault.label, fault.iova)), [(EDU, Some(42), 7), (EDU, None, 9)]);
    assert_eq!((m.kernel.faults_len(), m.kernel.faults_lost()), (2, 0));
    assert_eq!(SIMULATED_DEVICE_SET_LABEL & 0xff, 0xf0);
    m.finish();
}
