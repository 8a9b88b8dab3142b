//! What the host says of its machine: its mistakes are refused, and leave everything as it was.

mod common;

use common::*;
use iommufd::{Config, DeviceConfig, IommuConfig, IrqConfig, Kernel, Kind, Pa, Ram, RegionConfig, ReservedKind};
use iova::Range;

const GOOD: DeviceConfig = DeviceConfig::new(0, 0x99);

#[test]
fn a_device_is_in_one_group_and_so_is_its_requester_id() {
    let mut m = Machine::new();
    assert_eq!(m.kernel.add_device(DeviceConfig { group: 77, ..GOOD }), Err(Errno::EINVAL));
    // The id of the NIC, which is in another group: its transfers could not be told from these.
    assert_eq!(m.kernel.add_device(DeviceConfig { requester: 0x18, ..GOOD }), Err(Errno::EINVAL));
    assert_eq!(m.kernel.add_device(DeviceConfig { group: 1, requester: 0x18, ..GOOD }), Ok(DEVICES));
    assert_eq!(m.kernel.add_device(GOOD), Ok(DEVICES + 1));
    m.finish();
}

#[test]
fn a_group_that_programs_have_is_not_changed() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let (fd, _) = m.bound(FUNCTION_0, iommu);
    let range = Range { start: 0, last: 0xfff };
    assert_eq!(m.kernel.add_device(DeviceConfig { group: 2, ..GOOD }), Err(Errno::EINVAL));
    assert_eq!(m.kernel.add_reserved(FUNCTION_1, range, ReservedKind::Direct), Err(Errno::EINVAL));
    assert_eq!(m.kernel.set_driver_blocks(FUNCTION_1, true), Err(Errno::EINVAL));
    m.check();
    m.close(fd);
    assert_eq!(m.kernel.add_device(DeviceConfig { group: 2, ..GOOD }), Ok(DEVICES));
    assert_eq!(m.kernel.add_reserved(FUNCTION_1, range, ReservedKind::Direct), Ok(()));
    m.finish();
}

#[test]
fn what_is_not_there_cannot_be_described() {
    let mut m = Machine::new();
    let (region, irq) = (RegionConfig::default(), IrqConfig::default());
    let range = Range { start: 0, last: 0xfff };
    assert_eq!(m.kernel.add_region(DEVICES, 0, region), Err(Errno::EINVAL));
    assert_eq!(m.kernel.add_region(EDU, vfio::PCI_NUM_REGIONS, region), Err(Errno::EINVAL));
    assert_eq!(m.kernel.add_irq(DEVICES, 0, irq), Err(Errno::EINVAL));
    assert_eq!(m.kernel.add_irq(EDU, vfio::PCI_NUM_IRQS, irq), Err(Errno::EINVAL));
    assert_eq!(m.kernel.add_reserved(DEVICES, range, ReservedKind::Msi), Err(Errno::EINVAL));
    assert_eq!(m.kernel.add_reserved(EDU, Range { start: 1, last: 0 }, ReservedKind::Msi), Err(Errno::EINVAL));
    for blocks in [true, false] {
        assert_eq!(m.kernel.set_driver_blocks(DEVICES, blocks), Err(Errno::EINVAL));
    }
    m.finish();
}

#[test]
fn a_buffer_of_a_device_is_frames_of_its_own() {
    let mut m = Machine::new();
    let used = m.kernel.usage().used_bytes;
    assert_eq!(m.kernel.staging_alloc(0), Err(Errno::EINVAL));
    assert_eq!(m.kernel.staging_alloc(1 << 40), Err(Errno::ENOMEM));
    let buffer = m.kernel.staging_alloc(PAGE + 1).unwrap();
    assert_eq!(m.kernel.usage().used_bytes, used + 2 * PAGE);
    assert_eq!(m.kernel.ram().bytes(buffer, PAGE as usize), [0; PAGE as usize]);
    m.check();
    // What is no RAM was never given.
    m.kernel.staging_free(Pa(0), PAGE);
    m.kernel.staging_free(buffer, PAGE + 1);
    assert_eq!(m.kernel.usage().used_bytes, used);
    m.finish();
}

#[test]
fn transfers_of_a_device_that_is_not_there_are_refused() {
    let mut m = Machine::new();
    assert_eq!(m.read(DEVICES, 0, 1), Err(iommufd::FaultReason::BadBuffer));
    assert_eq!(m.write(DEVICES, 0, &[1]), Err(iommufd::FaultReason::BadBuffer));
    assert_eq!((m.kernel.faults_len(), m.kernel.device_statistics(DEVICES)), (0, Default::default()));
    m.finish();
}

#[test]
fn an_iommu_has_the_levels_that_its_format_has() {
    for (kind, levels) in [(Kind::VtdSs, 2), (Kind::VtdSs, 6), (Kind::AmdV1, 7), (Kind::AmdV1, 0)] {
        let setup = Setup::default();
        let config = Config { iommu: IommuConfig::new(kind, levels), rules: setup.rules, limits: setup.limits };
        assert!(Kernel::new(config, Ram::with_bytes(1 << 20).unwrap()).is_err(), "{kind:?} {levels}");
    }
}
