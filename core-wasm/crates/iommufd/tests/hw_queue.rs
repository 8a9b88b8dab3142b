//! Queues that hardware works on, of a mock IOMMU, with every allocation failing once: HW_QUEUE_ALLOC.

mod common;

use common::mock::*;
use common::*;
use uapi::selftest::*;

/// Where the queues' memory is mapped.
const AT: u64 = APERTURE + LARGE;

/// A machine whose guest has a virtual IOMMU, and memory.
struct Guest {
    m: Machine,
    iommu: u32,
    ioas: u32,
    mock: Mock,
    parent: u32,
    viommu: u32,
    memory: u64,
}

/// With 4 pages mapped at [`AT`].
fn guest() -> Guest {
    let (mut m, iommu, ioas) = machine();
    let mock = m.mock(iommu, ioas).unwrap();
    let request = api::HwptAlloc { flags: api::HWPT_ALLOC_NEST_PARENT, dev_id: mock.idev, pt_id: ioas, ..Default::default() };
    let parent = m.call(iommu, request).unwrap().out_hwpt_id;
    let request = api::ViommuAlloc { r#type: VIOMMU_TYPE_SELFTEST, dev_id: mock.idev, hwpt_id: parent, ..Default::default() };
    let viommu = m.call(iommu, request).unwrap().out_viommu_id;
    let memory = m.memory(4 * PAGE);
    m.map_at(iommu, ioas, memory, 4 * PAGE, AT).unwrap();
    Guest { m, iommu, ioas, mock, parent, viommu, memory }
}

impl Guest {
    fn request(&self, index: u32, iova: u64, length: u64) -> api::HwQueueAlloc {
        let (viommu_id, r#type) = (self.viommu, HW_QUEUE_TYPE_SELFTEST);
        api::HwQueueAlloc { viommu_id, r#type, index, nesting_parent_iova: iova, length, ..Default::default() }
    }

    /// EIO is what it answers, so that this does not go through [`Machine::call`], which takes that for a bug.
    fn ask(&mut self, request: api::HwQueueAlloc) -> Result<u32, Errno> {
        let (result, after) = self.m.raw(self.iommu, api::HW_QUEUE_ALLOC, &api::HwQueueAlloc { size: 40, ..request }.bytes());
        result.map(|_| api::HwQueueAlloc::read(after.as_slice().try_into().unwrap()).out_hw_queue_id)
    }

    fn queue(&mut self, index: u32, iova: u64, length: u64) -> Result<u32, Errno> {
        self.ask(self.request(index, iova, length))
    }

    fn destroy(&mut self, id: u32) -> Result<(), Errno> {
        self.m.destroy(self.iommu, id)
    }

    fn unmap(&mut self, iova: u64, length: u64) -> Result<u64, Errno> {
        self.m.unmap(self.iommu, self.ioas, iova, length)
    }
}

#[test]
fn each_check_comes_in_its_order_and_takes_no_id() {
    let mut g = guest();
    let good = g.request(0, AT, PAGE);
    let next = g.m.ioas(g.iommu);
    g.destroy(next).unwrap();
    for (request, error) in [
        (api::HwQueueAlloc { flags: 1, length: 0, ..good }, Errno::EOPNOTSUPP),
        (api::HwQueueAlloc { r#type: 0, length: 0, ..good }, Errno::EOPNOTSUPP),
        (api::HwQueueAlloc { length: 0, viommu_id: NO_ID, ..good }, Errno::EINVAL),
        (api::HwQueueAlloc { nesting_parent_iova: u64::MAX, length: 2, viommu_id: NO_ID, ..good }, Errno::EOVERFLOW),
        (api::HwQueueAlloc { viommu_id: g.parent, r#type: 1, ..good }, Errno::ENOENT),
        (api::HwQueueAlloc { r#type: 1, index: 9, nesting_parent_iova: 0, length: u64::MAX, ..good }, Errno::EOPNOTSUPP),
        (api::HwQueueAlloc { index: 9, nesting_parent_iova: 0, length: u64::MAX, ..good }, Errno::ERANGE),
        (api::HwQueueAlloc { index: 9, nesting_parent_iova: PAGE, length: u64::MAX - PAGE, ..good }, Errno::ENOMEM),
        (api::HwQueueAlloc { index: 9, nesting_parent_iova: AT - 1, ..good }, Errno::ENOENT),
        (api::HwQueueAlloc { index: 9, nesting_parent_iova: AT + 4 * PAGE, ..good }, Errno::ENOENT),
        (api::HwQueueAlloc { index: TEST_HW_QUEUE_MAX, ..good }, Errno::EINVAL),
        (api::HwQueueAlloc { index: 1, ..good }, Errno::EIO),
    ] {
        assert_eq!(g.ask(request), Err(error), "{request:?}");
    }
    assert_eq!(g.ask(good), Ok(next));
    // The access behind it has the id after its own, and cannot be destroyed.
    assert_eq!((g.destroy(next + 1), g.m.ioas(g.iommu)), (Err(Errno::EBUSY), next + 2));
    g.m.finish();
}

#[test]
fn the_list_of_its_pages_has_an_end() {
    let mut g = guest();
    let most = (i32::MAX as u64) / 8 * PAGE;
    assert_eq!(g.queue(0, 0, most), Err(Errno::ENOENT));
    assert_eq!(g.queue(0, 0, most + 1), Err(Errno::ENOMEM));
    // The pages that it touches count.
    assert_eq!(g.queue(0, 1, most), Err(Errno::ENOMEM));
    g.m.finish();
}

#[test]
fn its_memory_stays_mapped_as_long_as_it_lives() {
    let mut g = guest();
    let other = AT + 16 * PAGE;
    g.m.map_at(g.iommu, g.ioas, g.memory, PAGE, other).unwrap();
    g.m.map_at(g.iommu, g.ioas, g.memory, PAGE, APERTURE).unwrap();
    let pinned = g.m.kernel.usage().pinned_pages;
    let queue = g.queue(0, AT + PAGE + 8, PAGE).unwrap();
    assert_eq!(g.m.kernel.usage().pinned_pages, pinned, "the page table has pinned the same");
    // Whatever part of the area is named, and although it would be refused for another reason.
    for (iova, length) in [(AT, 4 * PAGE), (AT, PAGE), (AT + PAGE, 8 * PAGE)] {
        assert_eq!(g.unmap(iova, length), Err(Errno::EBUSY));
    }
    assert_eq!(g.unmap(0, u64::MAX), Err(Errno::EBUSY));
    assert_eq!(g.unmap(APERTURE, PAGE), Err(Errno::ENOENT), "what lies before it is gone");
    assert_eq!(g.unmap(other, PAGE), Ok(PAGE));
    g.destroy(queue).unwrap();
    assert_eq!(g.unmap(AT, 4 * PAGE), Ok(4 * PAGE));
    g.m.finish();
}

#[test]
fn it_holds_its_virtual_iommu_and_the_queue_before_it() {
    let mut g = guest();
    let first = g.queue(0, AT, PAGE).unwrap();
    let second = g.queue(1, AT + PAGE, 2 * PAGE).unwrap();
    assert_eq!(g.queue(0, AT, PAGE), Err(Errno::EEXIST));
    assert_eq!(g.queue(1, AT, PAGE), Err(Errno::EEXIST));
    for id in [first, g.viommu, g.parent, g.ioas] {
        assert_eq!(g.destroy(id), Err(Errno::EBUSY));
    }
    g.destroy(second).unwrap();
    // The mock IOMMU takes the one that went for the first.
    assert_eq!(g.queue(1, AT, PAGE), Err(Errno::EEXIST));
    let another = g.queue(0, AT, PAGE).unwrap();
    for id in [first, another] {
        g.destroy(id).unwrap();
    }
    assert_eq!(g.queue(1, AT, PAGE), Err(Errno::EEXIST));
    // Another virtual IOMMU has numbers of its own, on the same memory too.
    let request = api::ViommuAlloc { r#type: VIOMMU_TYPE_SELFTEST, dev_id: g.mock.idev, hwpt_id: g.parent, ..Default::default() };
    let other = g.m.call(g.iommu, request).unwrap().out_viommu_id;
    let first = g.queue(0, AT, PAGE).unwrap();
    let theirs = g.ask(api::HwQueueAlloc { viommu_id: other, ..g.request(0, AT, PAGE) }).unwrap();
    for id in [first, g.viommu, theirs, other] {
        g.destroy(id).unwrap();
    }
    g.m.finish();
}

#[test]
fn its_memory_is_in_one_piece_and_can_be_read() {
    let mut g = guest();
    let at = AT + 16 * PAGE;
    for page in 0..2 {
        g.m.map_at(g.iommu, g.ioas, g.memory, PAGE, at + page * PAGE).unwrap();
    }
    assert_eq!(g.queue(0, at, 2 * PAGE), Err(Errno::EFAULT), "the same page twice");
    assert_eq!(g.queue(0, at + PAGE - 1, 2), Err(Errno::EFAULT), "a byte of each");
    assert_eq!(g.queue(0, at + PAGE, PAGE + 1), Err(Errno::ENOENT));
    // Two areas of pages that are neighbours are one piece.
    g.m.map_at(g.iommu, g.ioas, g.memory + PAGE, PAGE, at + 2 * PAGE).unwrap();
    let queue = g.queue(0, at + PAGE, 2 * PAGE).unwrap();
    for page in 1..3 {
        assert_eq!(g.unmap(at + page * PAGE, PAGE), Err(Errno::EBUSY));
    }
    assert_eq!(g.unmap(at, PAGE), Ok(PAGE));
    g.destroy(queue).unwrap();
    let request = api::IoasMap { flags: WRITE | FIXED, ioas_id: g.ioas, user_va: g.memory, length: PAGE, iova: at, ..Default::default() };
    g.m.call(g.iommu, request).unwrap();
    assert_eq!(g.queue(0, at, PAGE), Err(Errno::EPERM));
    g.m.finish();
}

#[test]
fn areas_of_half_pages_are_in_its_way() {
    let mut g = guest();
    g.m.map_at(g.iommu, g.ioas, g.memory, 2048, APERTURE + 2048).unwrap();
    assert_eq!(g.queue(0, AT, PAGE), Err(Errno::EADDRINUSE));
    assert_eq!(g.unmap(APERTURE + 2048, 2048), Ok(2048));
    let queue = g.queue(0, AT, PAGE).unwrap();
    assert_eq!(g.m.map_at(g.iommu, g.ioas, g.memory, 2048, APERTURE + 2048), Err(Errno::EINVAL));
    g.destroy(queue).unwrap();
    g.m.map_at(g.iommu, g.ioas, g.memory, 2048, APERTURE + 2048).unwrap();
    g.m.finish();
}

#[test]
fn a_test_access_is_not_told_of_what_stays_mapped() {
    let mut g = guest();
    let access = g.m.access(g.iommu, g.ioas, MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES).unwrap();
    let object = (1..64).find(|&id| g.m.access_pages(g.iommu, id, (AT, PAGE), g.memory, 0).is_ok()).unwrap();
    let queue = g.queue(0, AT + 2 * PAGE, PAGE).unwrap();
    assert_eq!(g.unmap(AT, 4 * PAGE), Err(Errno::EBUSY));
    // So that it still pins what it likes.
    g.m.access_pages(g.iommu, object, (AT + PAGE, PAGE), g.memory + PAGE, 0).unwrap();
    g.destroy(queue).unwrap();
    assert_eq!(g.unmap(AT, 4 * PAGE), Ok(4 * PAGE));
    g.m.close(access);
    g.m.finish();
}

#[test]
fn an_answer_that_cannot_be_written_leaves_nothing() {
    let mut g = guest();
    let (writable, read_only) = g.m.read_only_view();
    let request = api::HwQueueAlloc { size: 40, ..g.request(0, AT, PAGE) };
    g.m.kernel.poke(writable, &request.bytes()).unwrap();
    let before = g.m.kernel.usage();
    assert_eq!(g.m.call_at(g.iommu, api::HW_QUEUE_ALLOC, read_only), Err(Errno::EFAULT));
    assert_eq!(g.m.kernel.usage(), before);
    g.queue(0, AT, PAGE).unwrap();
    g.m.finish();
}

#[test]
fn a_file_that_closes_last_takes_queues_along() {
    let mut g = guest();
    g.queue(0, AT, PAGE).unwrap();
    g.queue(1, AT, 4 * PAGE).unwrap();
    g.m.close(g.iommu);
    assert_eq!((g.m.kernel.usage().contexts, g.m.kernel.usage().objects, g.m.kernel.usage().pinned_pages), (0, 0, 0));
    g.m.finish();
}
