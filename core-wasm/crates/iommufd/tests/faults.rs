//! Fault queues of a mock IOMMU: their file, groups and cookies, and what ends a fault.

mod common;

use common::mock::*;
use common::*;
use failing_alloc::failing_at;
use iommufd::{Kind, Limits};
use uapi::selftest::*;

const OK: u32 = api::PAGE_RESP_SUCCESS;

/// A mock device on a page table that reports to a queue.
struct Faulting {
    m: Machine,
    iommu: u32,
    ioas: u32,
    mock: Mock,
    queue: u32,
    fd: u32,
    hwpt: u32,
}

fn faulting() -> Faulting {
    let (mut m, iommu, ioas) = machine();
    let mock = m.mock(iommu, ioas).unwrap();
    let (queue, fd) = m.fault_queue(iommu);
    let hwpt = m.faulting(iommu, mock.idev, ioas, queue).unwrap();
    m.replace(iommu, mock.stdev, hwpt).unwrap();
    Faulting { m, iommu, ioas, mock, queue, fd, hwpt }
}

#[test]
fn a_queue_is_an_object_and_a_file_that_holds_it() {
    let (mut m, iommu, _) = machine();
    assert_eq!(m.call(iommu, api::FaultAlloc { flags: 1, ..Default::default() }), Err(Errno::EOPNOTSUPP));
    let (id, fd) = m.fault_queue(iommu);
    assert_eq!(id, 2);
    assert_eq!(m.destroy(iommu, id), Err(Errno::EBUSY), "its file is open");
    assert_eq!(m.kernel.ioctl(fd as i32, api::IOAS_ALLOC, m.argument), Err(Errno::ENOTTY));
    assert_eq!(m.kernel.mmap(0, PAGE, 3, 1, fd as i32, 0), Err(Errno::ENODEV));
    m.close(fd);
    assert_eq!(m.destroy(iommu, id), Ok(()));
    m.finish();
}

#[test]
fn the_file_of_a_queue_keeps_its_iommufd() {
    let Faulting { mut m, iommu, mock, fd, .. } = faulting();
    m.trigger(iommu, mock.idev, 7, 0x5000);
    m.close(iommu);
    assert_eq!(m.kernel.usage().contexts, 1);
    assert_eq!(m.faults(fd, 1), Ok(vec![(mock.idev, 7, 0x5000, 1)]), "its devices are there still");
    m.close(fd);
    assert_eq!(m.kernel.usage().contexts, 0);
    m.finish();
}

#[test]
fn what_cannot_be_opened_or_told_leaves_nothing_behind() {
    let (mut m, iommu, ioas) = machine();
    let va = m.read_only_view();
    let mut bytes = [0; api::FaultAlloc::SIZE];
    api::FaultAlloc { size: bytes.len() as u32, ..Default::default() }.write(&mut bytes);
    m.kernel.poke(va.0, &bytes).unwrap();
    assert_eq!(m.call_at(iommu, api::FAULT_QUEUE_ALLOC, va.1), Err(Errno::EFAULT));
    let files = m.kernel.usage().files;
    let mut limited = Machine::with(Setup {
        kind: Kind::AmdMock,
        levels: 3,
        limits: Limits { open_files: 4, ..Setup::default().limits },
        ..Setup::default()
    });
    let only = limited.iommu();
    assert_eq!(limited.call(only, api::FaultAlloc::default()), Err(Errno::EMFILE));
    assert_eq!(limited.ioas(only), 1, "the id was given back");
    limited.finish();
    assert_eq!((files, m.fault_queue(iommu).0), (1, ioas + 1));
    m.finish();
}

#[test]
fn faults_are_read_in_order_and_answered_by_cookie() {
    let Faulting { mut m, iommu, mock, fd, .. } = faulting();
    assert_eq!((m.kernel.poll(fd as i32), m.faults(fd, 4)), (Ok(0), Ok(vec![])));
    for group in 0..3 {
        m.trigger(iommu, mock.idev, group, 0x1000 * u64::from(group));
    }
    assert_eq!(m.kernel.poll(fd as i32), Ok(1));
    assert_eq!(m.read_bytes(fd, 0), Err(Errno::EINVAL), "no room for the first");
    assert_eq!(m.read_bytes(fd, 41), Err(Errno::ESPIPE));
    assert_eq!(m.faults(fd, 2), Ok(vec![(mock.idev, 0, 0, 1), (mock.idev, 1, 0x1000, 2)]));
    assert_eq!(m.faults(fd, 2), Ok(vec![(mock.idev, 2, 0x2000, 3)]));
    assert_eq!(m.kernel.poll(fd as i32), Ok(0));
    assert_eq!(m.answer(fd, &[(2, OK), (9, OK), (1, OK)]), Ok(1), "the first bad one ends it");
    assert_eq!([m.answer(fd, &[(2, OK)]), m.answer(fd, &[(1, 2)])], [Err(Errno::EINVAL); 2]);
    m.trigger(iommu, mock.idev, 5, 0);
    assert_eq!(m.faults(fd, 1), Ok(vec![(mock.idev, 5, 0, 2)]), "the lowest free cookie");
    assert_eq!(m.answer(fd, &[(1, 1), (2, OK), (3, 1)]), Ok(3));
    let va = m.memory(PAGE);
    assert_eq!([m.kernel.write(fd as i32, va, 4), m.kernel.write(fd as i32, 8, 8)], [Err(Errno::ESPIPE), Err(Errno::EFAULT)]);
    assert_eq!(m.kernel.write(fd as i32, va, 0), Ok(0));
    m.finish();
}

#[test]
fn zero_becomes_a_cookie_when_it_is_answered_while_others_wait() {
    let Faulting { mut m, iommu, mock, fd, .. } = faulting();
    let next = |m: &mut Machine| {
        m.trigger(iommu, mock.idev, 0, 0);
        m.faults(fd, 1).unwrap()[0].3
    };
    assert_eq!((m.answer(fd, &[(0, OK)]), next(&mut m)), (Err(Errno::EINVAL), 1), "nothing waits");
    assert_eq!((m.answer(fd, &[(0, OK)]), next(&mut m), next(&mut m)), (Err(Errno::EINVAL), 0, 2));
    assert_eq!(m.answer(fd, &[(0, OK), (1, OK), (2, OK)]), Ok(3));
    assert_eq!((next(&mut m), next(&mut m)), (0, 1), "for ever");
    m.finish();
}

#[test]
fn a_fault_that_cannot_be_delivered_stays() {
    let Faulting { mut m, iommu, mock, fd, .. } = faulting();
    m.trigger(iommu, mock.idev, 1, 0);
    m.trigger(iommu, mock.idev, 2, 0);
    let edge = m.edge();
    assert_eq!(m.kernel.read(fd as i32, edge - 40, 80), Ok(40), "the second is beyond the end");
    assert_eq!(m.kernel.read(fd as i32, edge, 40), Err(Errno::EFAULT));
    assert_eq!(m.faults(fd, 1), Ok(vec![(mock.idev, 2, 0, 2)]));
    m.finish();
}

#[test]
fn page_tables_hold_their_queue_and_nobody_else_reports() {
    let Faulting { mut m, iommu, ioas, mock, queue, fd, hwpt } = faulting();
    m.close(fd);
    assert_eq!(m.destroy(iommu, queue), Err(Errno::EBUSY), "a page table reports to it");
    let plain = m.hwpt(iommu, mock.idev, ioas).unwrap();
    m.replace(iommu, mock.stdev, plain).unwrap();
    m.trigger(iommu, mock.idev, 0, 0);
    assert_eq!(m.destroy(iommu, queue), Err(Errno::EBUSY));
    m.destroy(iommu, hwpt).unwrap();
    assert_eq!(m.destroy(iommu, queue), Ok(()));
    for bad in [NO_ID, ioas, mock.idev] {
        assert_eq!(m.faulting(iommu, mock.idev, ioas, bad), Err(Errno::ENOENT));
    }
    assert_eq!(m.replace(iommu, mock.stdev, queue), Err(Errno::ENOENT));
    let (queue, _) = m.fault_queue(iommu);
    assert_eq!(m.replace(iommu, mock.stdev, queue), Err(Errno::EINVAL), "nothing to attach to");
    assert_eq!(m.hwpt(iommu, mock.idev, queue), Err(Errno::EINVAL));
    m.finish();
}

#[test]
fn faults_end_with_their_attachment() {
    let Faulting { mut m, iommu, ioas, mock, queue, fd, hwpt } = faulting();
    let other = m.faulting(iommu, mock.idev, ioas, queue).unwrap();
    let second = m.mock(iommu, ioas).unwrap();
    m.replace(iommu, second.stdev, hwpt).unwrap();
    for device in [mock.idev, second.idev, mock.idev] {
        m.trigger(iommu, device, 0, 0);
    }
    assert_eq!(m.faults(fd, 2).unwrap().len(), 2);
    m.replace(iommu, mock.stdev, other).unwrap();
    assert_eq!(m.answer(fd, &[(1, OK)]), Err(Errno::EINVAL), "it was answered");
    assert_eq!(m.faults(fd, 2), Ok(vec![]), "and so was what was not read");
    assert_eq!(m.answer(fd, &[(2, OK)]), Ok(1), "that of another device was not");
    m.trigger(iommu, mock.idev, 3, 0);
    assert_eq!(m.replace(iommu, mock.stdev, other), Ok(other), "no change");
    assert_eq!(m.faults(fd, 2), Ok(vec![(mock.idev, 3, 0, 1)]));
    m.destroy(iommu, mock.stdev).unwrap();
    assert_eq!(m.answer(fd, &[(1, OK)]), Err(Errno::EINVAL));
    m.finish();
}

#[test]
fn faults_of_a_pasid_go_where_it_is_attached_and_end_with_that() {
    let Faulting { mut m, iommu, ioas, queue, fd, .. } = faulting();
    let mock = m.mock_with(iommu, ioas, MOCK_FLAGS_DEVICE_PASID).unwrap();
    let both = api::HWPT_FAULT_ID_VALID | api::HWPT_ALLOC_PASID;
    let request = api::HwptAlloc { flags: both, dev_id: mock.idev, pt_id: ioas, fault_id: queue, ..Default::default() };
    let tables = [0; 2].map(|_| m.call(iommu, request).unwrap().out_hwpt_id);
    m.replace(iommu, mock.stdev, tables[0]).unwrap();
    let attach = TestPasidAttach { op: TEST_OP_PASID_ATTACH, id: mock.stdev, pasid: 5, pt_id: tables[1], ..Default::default() };
    m.call(iommu, attach).unwrap();
    for pasid in [0, 5, 6] {
        m.trigger_with(iommu, TestTriggerIopf { dev_id: mock.idev, pasid, grpid: pasid, ..Default::default() });
    }
    assert_eq!(m.faults(fd, 4).unwrap().iter().map(|fault| fault.1).collect::<Vec<_>>(), [0, 5], "nobody handles that of PASID 6");
    m.call(iommu, TestPasidDetach { op: TEST_OP_PASID_DETACH, id: mock.stdev, pasid: 5, ..Default::default() }).unwrap();
    assert_eq!((m.answer(fd, &[(2, OK)]), m.answer(fd, &[(1, OK)])), (Err(Errno::EINVAL), Ok(1)));
    m.finish();
}

#[test]
fn a_pasid_that_is_not_attached_is_the_matter_of_a_nested_page_table_of_the_device() {
    let Faulting { mut m, iommu, ioas, mock, queue, fd, .. } = faulting();
    let parent = m.hwpt_flags(iommu, mock.idev, ioas, api::HWPT_ALLOC_NEST_PARENT).unwrap();
    let data = m.memory(PAGE);
    let nested = api::HwptAlloc {
        flags: api::HWPT_FAULT_ID_VALID | api::HWPT_ALLOC_PASID,
        dev_id: mock.idev,
        pt_id: parent,
        data_type: HWPT_DATA_SELFTEST,
        data_len: 4,
        data_uptr: data,
        fault_id: queue,
        ..Default::default()
    };
    let nested = m.call(iommu, nested).unwrap().out_hwpt_id;
    let fault =
        |m: &mut Machine, pasid| m.trigger_with(iommu, TestTriggerIopf { dev_id: mock.idev, pasid, grpid: 1, ..Default::default() });
    fault(&mut m, 6);
    assert_eq!(m.faults(fd, 2), Ok(vec![]), "the page table of an IOAS has no PASIDs of a guest");
    m.replace(iommu, mock.stdev, nested).unwrap();
    fault(&mut m, 6);
    let bytes = m.read_bytes(fd, api::HwptPgfault::SIZE as u64).unwrap();
    let read = api::HwptPgfault::read(bytes.as_slice().try_into().unwrap());
    let flags = api::PGFAULT_FLAGS_LAST_PAGE | api::PGFAULT_FLAGS_PASID_VALID;
    assert_eq!((read.dev_id, read.pasid, read.flags, read.cookie), (mock.idev, 6, flags, 1));
    m.replace(iommu, mock.stdev, ioas).unwrap();
    assert_eq!(m.answer(fd, &[(1, OK)]), Err(Errno::EINVAL), "it ended with the attachment of the device");
    m.finish();
}

#[test]
fn a_fault_that_there_is_no_memory_for_is_lost_and_the_next_is_not() {
    let Faulting { mut m, iommu, mock, fd, .. } = faulting();
    let size = TestTriggerIopf::SIZE as u32;
    let request = TestTriggerIopf { size, op: TEST_OP_TRIGGER_IOPF, dev_id: mock.idev, grpid: 1, ..Default::default() };
    m.kernel.poke(m.argument, &request.bytes()).unwrap();
    let argument = m.argument;
    let (result, has_failed) = failing_at(0, || m.kernel.ioctl(iommu as i32, TEST_CMD, argument));
    assert_eq!((result, has_failed), (Ok(0), true));
    m.check();
    m.trigger(iommu, mock.idev, 2, 0);
    assert_eq!(m.faults(fd, 2), Ok(vec![(mock.idev, 2, 0, 1)]));
    m.finish();
}
