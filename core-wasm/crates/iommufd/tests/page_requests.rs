//! Page requests of devices of the machine: groups, answers, and who may be attached to a page table with a fault queue.

mod common;

use common::*;
use iommufd::{Answered, DeviceConfig, FaultReason, Kind, PageRequest, PageResponse};

const OK: u32 = api::PAGE_RESP_SUCCESS;

fn request(group: u32, address: u64, last: bool) -> PageRequest {
    PageRequest { pasid: None, group, permissions: api::PGFAULT_PERM_READ, address, last }
}

/// Adds a device that asks for pages, in a group of its own.
fn asking(m: &mut Machine) -> u32 {
    let group = m.kernel.add_group().unwrap();
    let config = DeviceConfig { page_requests: true, ..DeviceConfig::new(group, 0x99) };
    m.kernel.add_device(config).unwrap()
}

struct Asking {
    m: Machine,
    device: u32,
    iommu: u32,
    fd: u32,
    id: u32,
    queue_fd: u32,
    hwpt: u32,
}

fn attached(kind: Kind) -> Asking {
    let mut m = Machine::with(Setup { kind, scalable: kind == Kind::VtdSs, ..Setup::default() });
    let device = asking(&mut m);
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    let (fd, id) = m.bound(device, iommu);
    let (queue, queue_fd) = m.fault_queue(iommu);
    let hwpt = m.faulting(iommu, id, ioas, queue).unwrap();
    m.attach(fd, hwpt).unwrap();
    Asking { m, device, iommu, fd, id, queue_fd, hwpt }
}

#[test]
fn a_group_is_delivered_with_its_last_request_and_answered_as_a_whole() {
    let Asking { mut m, device, id, queue_fd, .. } = attached(Kind::VtdSs);
    for (group, address, last) in [(1, 0x1000, false), (2, 0x8000, false), (1, 0x2000, false), (1, 0x3000, true)] {
        assert_eq!(m.kernel.page_request(device, request(group, address, last)), Ok(None));
        m.check();
    }
    assert_eq!(m.faults(queue_fd, 2), Err(Errno::EINVAL), "the group does not fit");
    assert_eq!(m.faults(queue_fd, 8), Ok(vec![(id, 1, 0x1000, 1), (id, 1, 0x2000, 1), (id, 1, 0x3000, 1)]));
    assert_eq!(m.kernel.take_page_response(), None);
    assert_eq!(m.answer(queue_fd, &[(1, OK)]), Ok(1));
    let answered = Answered { device, group: 1, pasid: None, response: PageResponse::Success };
    assert_eq!((m.kernel.take_page_response(), m.kernel.take_page_response()), (Some(answered), None));
    assert_eq!(m.kernel.page_request(device, request(2, 0x9000, true)), Ok(None));
    assert_eq!(m.faults(queue_fd, 8), Ok(vec![(id, 2, 0x8000, 1), (id, 2, 0x9000, 1)]));
    m.finish();
}

#[test]
fn detaching_answers_with_invalid_and_forgets_what_is_not_complete() {
    let Asking { mut m, device, iommu, fd, queue_fd, hwpt, .. } = attached(Kind::VtdSs);
    m.kernel.page_request(device, request(1, 0, true)).unwrap();
    m.kernel.page_request(device, request(2, 0, true)).unwrap();
    m.kernel.page_request(device, request(3, 0, false)).unwrap();
    m.faults(queue_fd, 1).unwrap();
    m.detach(fd);
    let answers: Vec<_> = std::iter::from_fn(|| m.kernel.take_page_response()).map(|answer| (answer.group, answer.response)).collect();
    assert_eq!(answers, [(2, PageResponse::Invalid), (1, PageResponse::Invalid)]);
    assert_eq!(m.kernel.page_request(device, request(4, 0, true)), Ok(Some(PageResponse::Invalid)), "nobody handles it");
    m.attach(fd, hwpt).unwrap();
    m.kernel.page_request(device, request(3, 0x1000, true)).unwrap();
    assert_eq!(m.faults(queue_fd, 8).unwrap().len(), 1, "the first of the group is gone");
    m.close_bound(fd, device);
    assert_eq!(m.kernel.take_page_response().map(|answer| answer.response), Some(PageResponse::Invalid));
    m.close(iommu);
    m.finish();
}

#[test]
fn intel_attaches_only_devices_that_ask_to_page_tables_with_a_queue() {
    let Asking { mut m, iommu, fd, hwpt, .. } = attached(Kind::VtdSs);
    let (plain_fd, _) = m.bound(EDU, iommu);
    assert_eq!(m.attach(plain_fd, hwpt), Err(Errno::ENODEV));
    let ioas = m.ioas(iommu);
    m.attach(plain_fd, ioas).unwrap();
    assert_eq!(m.attach(plain_fd, hwpt), Err(Errno::ENODEV));
    assert_eq!(m.read(EDU, 0, 1), Err(FaultReason::NotPresent), "it stays attached");
    m.attach(fd, ioas).unwrap();
    assert_eq!(m.kernel.page_request(EDU, request(0, 0, true)), Err(Errno::EINVAL));
    m.finish();
}

#[test]
fn amd_attaches_any_device_and_hands_on_no_request_without_a_pasid() {
    let Asking { mut m, device, iommu, queue_fd, hwpt, .. } = attached(Kind::AmdV1);
    let (plain_fd, _) = m.bound(EDU, iommu);
    assert_eq!(m.attach(plain_fd, hwpt), Ok(hwpt));
    assert_eq!(m.kernel.page_request(device, request(1, 0, true)), Ok(Some(PageResponse::Failure)));
    assert_eq!(m.faults(queue_fd, 1), Ok(vec![]));
    m.finish();
}

#[test]
fn intel_has_page_requests_in_scalable_mode_only() {
    let mut m = Machine::new();
    let device = asking(&mut m);
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    let (fd, id) = m.bound(device, iommu);
    let (queue, _) = m.fault_queue(iommu);
    let hwpt = m.faulting(iommu, id, ioas, queue).unwrap();
    assert_eq!(m.attach(fd, hwpt), Err(Errno::ENODEV));
    assert_eq!(m.kernel.page_request(device, request(0, 0, true)), Ok(Some(PageResponse::Invalid)));
    m.finish();
}

#[test]
fn intels_driver_hands_on_no_privileged_request_and_none_to_execute() {
    let (read, write) = (api::PGFAULT_PERM_READ, api::PGFAULT_PERM_WRITE);
    let (execute, privileged) = (api::PGFAULT_PERM_EXEC, api::PGFAULT_PERM_PRIV);
    let refused = [read | privileged, write | privileged, read | execute];
    let handed_on = [read, write, read | write, execute, privileged, write | execute];
    for kind in [Kind::VtdSs, Kind::AmdV1] {
        let pasid = (kind == Kind::AmdV1).then_some(0);
        for permissions in refused.into_iter().chain(handed_on) {
            let Asking { mut m, device, queue_fd, .. } = attached(kind);
            let request = PageRequest { pasid, permissions, ..request(1, 0x1000, true) };
            let is_refused = kind == Kind::VtdSs && refused.contains(&permissions);
            assert_eq!(m.kernel.page_request(device, request), Ok(is_refused.then_some(PageResponse::Invalid)), "{kind:?} {permissions}");
            assert_eq!(m.faults(queue_fd, 1).map(|faults| faults.len()), Ok(usize::from(!is_refused)));
            m.finish();
        }
    }
}
