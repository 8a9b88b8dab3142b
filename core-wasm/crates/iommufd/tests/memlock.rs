//! Accounting of pinned memory: what counts, when it comes back, and what going over the limit leaves.

mod common;

use common::*;

const IOVA: u64 = 0x10_0000;

#[test]
fn memory_counts_while_a_page_table_shows_it() {
    let mut m = Machine::with(Setup::memlock(4 * PAGE));
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    let va = m.memory(4 * PAGE);
    m.map_at(iommu, ioas, va, 4 * PAGE, IOVA).unwrap();
    assert_eq!(m.charged(), (0, 0));
    let (fd, _) = m.bound(EDU, iommu);
    for _ in 0..3 {
        m.attach(fd, ioas).unwrap();
        assert_eq!(m.charged(), (4 * PAGE, 4));
        m.detach(fd);
        assert_eq!(m.charged(), (0, 0));
    }
    m.finish();
}

#[test]
fn an_attach_over_the_limit_is_refused_whole() {
    let mut m = Machine::with(Setup::memlock(4 * PAGE));
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    let va = m.memory(8 * PAGE);
    for page in 0..5 {
        m.map_at(iommu, ioas, va + page * PAGE, PAGE, IOVA + page * PAGE).unwrap();
    }
    let (fd, device) = m.bound(EDU, iommu);
    let before = m.kernel.usage();
    assert_eq!(m.attach(fd, ioas), Err(Errno::ENOMEM));
    assert_eq!(m.hwpt(iommu, device, ioas), Err(Errno::ENOMEM));
    assert_eq!((m.kernel.usage(), m.pages()), (before, vec![]));
    m.unmap(iommu, ioas, IOVA + 2 * PAGE, PAGE).unwrap();
    assert!(m.attach(fd, ioas).is_ok());
    assert_eq!(m.charged(), (4 * PAGE, 4));
    m.finish();
}

#[test]
fn the_limit_is_met_exactly_and_a_refusal_takes_nothing() {
    for limit in [0, 1, 3] {
        // Bytes that fill no page lock none.
        let mut m = Machine::with(Setup::memlock(limit * PAGE + PAGE - 1));
        let a = m.attached(EDU);
        let va = m.memory(8 * PAGE);
        for pages in (limit + 1..=8).rev() {
            assert_eq!(m.map_at(a.iommu, a.ioas, va, pages * PAGE, IOVA), Err(Errno::ENOMEM));
            assert_eq!((m.charged(), m.pages(), m.kernel.usage().areas), ((0, 0), vec![], 0));
        }
        for page in 0..limit {
            m.map_at(a.iommu, a.ioas, va + page * PAGE, PAGE, IOVA + page * PAGE).unwrap();
        }
        assert_eq!(m.map_at(a.iommu, a.ioas, va, PAGE, 2 * IOVA), Err(Errno::ENOMEM));
        m.finish();
    }
}

#[test]
fn a_replacement_pins_the_new_before_it_lets_go_of_the_old() {
    for (limit, result) in [(3 * PAGE, Err(Errno::ENOMEM)), (4 * PAGE, Ok(()))] {
        let mut m = Machine::with(Setup::memlock(limit));
        let a = m.attached(EDU);
        let other = m.ioas(a.iommu);
        let va = m.memory(2 * PAGE);
        m.map_at(a.iommu, a.ioas, va, 2 * PAGE, IOVA).unwrap();
        m.map_at(a.iommu, other, va, 2 * PAGE, IOVA).unwrap();
        assert_eq!(m.attach(a.device_fd, other).map(|_| ()), result);
        // Never both afterwards, and never none.
        assert_eq!(m.charged(), (2 * PAGE, 2));
        m.finish();
    }
}

#[test]
fn a_replacement_by_a_copy_needs_no_more_than_there_is() {
    let mut m = Machine::with(Setup::memlock(2 * PAGE));
    let a = m.attached(EDU);
    let other = m.ioas(a.iommu);
    let va = m.memory(2 * PAGE);
    m.map_at(a.iommu, a.ioas, va, 2 * PAGE, IOVA).unwrap();
    m.copy(a.iommu, (a.ioas, IOVA), (other, 2 * IOVA), 2 * PAGE, RW | FIXED).unwrap();
    assert!(m.attach(a.device_fd, other).is_ok());
    assert_eq!(m.charged(), (2 * PAGE, 2));
    m.finish();
}

#[test]
fn the_limit_is_one_for_all_iommufds_and_comes_back_with_the_last_file() {
    let mut m = Machine::with(Setup::memlock(4 * PAGE));
    let (a, b) = (m.attached(EDU), m.attached(NIC));
    let va = m.memory(4 * PAGE);
    m.map_at(a.iommu, a.ioas, va, 3 * PAGE, IOVA).unwrap();
    assert_eq!(m.map_at(b.iommu, b.ioas, va, 2 * PAGE, IOVA), Err(Errno::ENOMEM));
    m.close(a.iommu);
    assert_eq!(m.map_at(b.iommu, b.ioas, va, 2 * PAGE, IOVA), Err(Errno::ENOMEM));
    m.close_bound(a.device_fd, EDU);
    assert_eq!(m.charged(), (0, 0));
    assert_eq!(m.map_at(b.iommu, b.ioas, va, 4 * PAGE, IOVA), Ok(IOVA));
    m.finish();
}

#[test]
fn a_process_that_may_lock_anything_is_not_charged() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let va = m.memory(16 * LARGE);
    m.map_at(a.iommu, a.ioas, va, 16 * LARGE, LARGE).unwrap();
    assert_eq!(m.charged(), (0, 16 * 512));
    m.finish();
}

#[test]
fn the_process_letting_go_of_its_memory_changes_no_charge() {
    let mut m = Machine::with(Setup::memlock(2 * PAGE));
    let a = m.attached(EDU);
    let va = m.memory(2 * PAGE);
    m.map_at(a.iommu, a.ioas, va, 2 * PAGE, IOVA).unwrap();
    m.kernel.munmap(va, 2 * PAGE).unwrap();
    m.check();
    assert_eq!(m.charged(), (2 * PAGE, 2));
    let used = m.kernel.usage().used_bytes;
    m.unmap(a.iommu, a.ioas, IOVA, 2 * PAGE).unwrap();
    assert_eq!(m.charged(), (0, 0));
    assert_eq!(m.kernel.usage().used_bytes, used - 2 * PAGE);
    m.finish();
}
