//! Interrupts that the IOMMU translates: what they are written to is mapped where a device is attached, and nowhere else.

mod common;

use common::interrupts::*;
use common::*;
use iommufd::{FaultReason, ReservedKind};

/// Where a device writes its messages.
const MESSAGE: u64 = SOFTWARE_MSI.start + 0x40;

fn machine() -> Machine {
    Machine::with(Setup { software_msi: true, ..Setup::scalable() })
}

/// A device with one vector, and what that signals.
fn with_vector(m: &mut Machine, fd: u32) -> i32 {
    let eventfd = m.eventfd();
    m.enable(fd, MSIX, 0, &[eventfd]).unwrap();
    eventfd
}

fn last_fault(m: &Machine) -> Option<(u32, u64, bool, FaultReason)> {
    (0..).map_while(|index| m.kernel.fault(index)).last().map(|fault| (fault.device, fault.iova, fault.write, fault.reason))
}

#[test]
fn a_message_arrives_through_the_page_table() {
    let mut m = machine();
    let a = m.attached(EDU);
    let eventfd = with_vector(&mut m, a.device_fd);
    assert!(m.raise(EDU, MSIX, 0));
    assert_eq!(m.signals(eventfd), 1);
    assert_eq!(last_fault(&m), None);
    m.finish();
}

#[test]
fn vectors_cannot_be_had_while_the_device_is_attached_to_nothing() {
    let mut m = machine();
    let iommu = m.iommu();
    let (fd, _) = m.bound(EDU, iommu);
    let eventfd = m.eventfd();
    for index in [MSI_INDEX, MSIX] {
        assert_eq!(m.enable(fd, index, 0, &[eventfd]), Err(Errno::ENOSPC));
        assert!(!m.raise(EDU, index, 0));
    }
    // The pin is no message.
    m.enable(fd, INTX, 0, &[eventfd]).unwrap();
    assert!(m.raise(EDU, INTX, 0));
    m.finish();
}

#[test]
fn the_message_of_a_detached_device_is_lost_and_is_a_fault() {
    let mut m = machine();
    let a = m.attached(EDU);
    let eventfd = with_vector(&mut m, a.device_fd);
    m.detach(a.device_fd);
    assert!(!m.raise(EDU, MSIX, 0));
    assert_eq!(m.signals(eventfd), 0);
    assert_eq!(last_fault(&m), Some((EDU, MESSAGE, true, FaultReason::Blocked)));
    m.attach(a.device_fd, a.ioas).unwrap();
    assert!(m.raise(EDU, MSIX, 0));
    m.finish();
}

#[test]
fn what_messages_are_written_to_comes_along_to_other_page_tables() {
    let mut m = machine();
    let a = m.attached(EDU);
    with_vector(&mut m, a.device_fd);
    let other = m.ioas(a.iommu);
    m.attach(a.device_fd, other).unwrap();
    assert!(m.raise(EDU, MSIX, 0));
    // Within one IOAS too.
    let hwpt = m.hwpt(a.iommu, a.device_id, other).unwrap();
    m.attach(a.device_fd, hwpt).unwrap();
    assert!(m.raise(EDU, MSIX, 0));
    m.finish();
}

#[test]
fn devices_of_a_group_need_it_once_one_of_them_has_vectors() {
    let mut m = Machine::with(Setup { software_msi: true, ..Setup::ours() });
    let iommu = m.iommu();
    let spaces = [m.ioas(iommu), m.ioas(iommu)];
    let fds = [FUNCTION_0, FUNCTION_1].map(|device| m.bound(device, iommu).0);
    m.attach(fds[0], spaces[0]).unwrap();
    with_vector(&mut m, fds[0]);
    m.attach(fds[1], spaces[1]).unwrap();
    with_vector(&mut m, fds[1]);
    assert!(m.raise(FUNCTION_0, MSIX, 0) && m.raise(FUNCTION_1, MSIX, 0));
    m.finish();
}

#[test]
fn a_group_that_is_free_again_has_no_messages() {
    let mut m = machine();
    let a = m.attached(EDU);
    with_vector(&mut m, a.device_fd);
    m.close_bound(a.device_fd, EDU);
    let (fd, _) = m.bound(EDU, a.iommu);
    let tables = m.kernel.iommu_statistics().pages.iter().sum::<u64>();
    m.attach(fd, a.ioas).unwrap();
    assert_eq!(m.kernel.iommu_statistics().pages.iter().sum::<u64>(), tables);
    m.finish();
}

#[test]
fn devices_reach_the_range_by_messages_alone_and_programs_cannot_map_it() {
    let mut m = machine();
    let a = m.attached(EDU);
    assert!(m.usable(a.iommu, a.ioas, 8).ranges.iter().all(|range| range.last < SOFTWARE_MSI.start || SOFTWARE_MSI.last < range.start));
    let va = m.memory(PAGE);
    assert_eq!(m.map_at(a.iommu, a.ioas, va, PAGE, SOFTWARE_MSI.start), Err(Errno::EINVAL));
    // A mapping that is there already keeps the device out.
    m.detach(a.device_fd);
    m.map_at(a.iommu, a.ioas, va, PAGE, SOFTWARE_MSI.start).unwrap();
    assert_eq!(m.attach(a.device_fd, a.ioas), Err(Errno::EADDRINUSE));
    m.finish();
}

#[test]
fn a_guest_maps_what_messages_are_written_to_itself() {
    let mut m = machine();
    let a = m.attached(EDU);
    with_vector(&mut m, a.device_fd);
    let parent = m.hwpt_flags(a.iommu, a.device_id, a.ioas, api::HWPT_ALLOC_NEST_PARENT).unwrap();
    let va = m.memory(4 * PAGE);
    let guest = 0x10_0000;
    m.map_at(a.iommu, a.ioas, va, 4 * PAGE, guest).unwrap();
    let mut data = [0; api::HwptVtdS1::SIZE];
    api::HwptVtdS1 { flags: 0, pgtbl_addr: guest, addr_width: 48, reserved: 0 }.write(&mut data);
    let nested = m.hwpt_data(a.iommu, (a.device_id, parent), 0, api::HWPT_DATA_VTD_S1, &data).unwrap();
    m.attach(a.device_fd, nested).unwrap();
    assert!(!m.raise(EDU, MSIX, 0));
    assert_eq!(last_fault(&m), Some((EDU, MESSAGE, true, FaultReason::NotPresent)));
    // 4 levels of 512 entries: present, writable, for users.
    let index = |level: u32| (SOFTWARE_MSI.start >> (12 + 9 * level)) & 511;
    for (table, (level, to)) in
        [(3, guest + PAGE), (2, guest + 2 * PAGE), (1, guest + 3 * PAGE), (0, SOFTWARE_MSI.start)].into_iter().enumerate()
    {
        m.kernel.poke(va + table as u64 * PAGE + 8 * index(level), &(to | 7).to_le_bytes()).unwrap();
    }
    assert!(m.raise(EDU, MSIX, 0));
    m.finish();
}

#[test]
fn a_device_has_one_way_for_its_messages() {
    let mut m = machine();
    assert_eq!(m.kernel.add_reserved(EDU, MSI, ReservedKind::Msi), Err(Errno::EINVAL));
    assert_eq!(m.kernel.add_reserved(EDU, MSI, ReservedKind::SoftwareMsi), Err(Errno::EINVAL));
    let mut plain = Machine::new();
    assert_eq!(plain.kernel.add_reserved(EDU, SOFTWARE_MSI, ReservedKind::SoftwareMsi), Err(Errno::EINVAL));
    plain.kernel.add_reserved(EDU, SOFTWARE_MSI, ReservedKind::Msi).unwrap();
    plain.finish();
    m.finish();
}
