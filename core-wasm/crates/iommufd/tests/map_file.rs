//! IOAS_MAP_FILE: memory of a memfd, by offset.

mod common;

use common::*;
use iommufd::FaultReason;

const IOVA: u64 = 0x10_0000;

#[test]
fn an_offset_says_which_part_of_the_file_devices_reach() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let file = m.kernel.memfd(8 * PAGE).unwrap() as i32;
    let view = m.kernel.mmap(0, 8 * PAGE, 3, 1, file, 0).unwrap();
    for page in 0..8_u64 {
        m.kernel.poke(view + page * PAGE, &page.to_le_bytes()).unwrap();
    }
    let iova = m.map_file(a.iommu, a.ioas, file, 3 * PAGE, 2 * PAGE, RW).unwrap();
    assert_eq!(m.read(EDU, iova, 8).unwrap(), 3_u64.to_le_bytes());
    assert_eq!(m.read(EDU, iova + PAGE, 8).unwrap(), 4_u64.to_le_bytes());
    m.write(EDU, iova + PAGE, b"by the device").unwrap();
    assert_eq!(m.peek(view + 4 * PAGE, 13), b"by the device");
    assert_eq!(m.read(EDU, iova + 2 * PAGE, 1), Err(FaultReason::NotPresent));
    m.finish();
}

#[test]
fn two_mappings_of_a_file_share_its_memory_and_are_charged_each() {
    let mut m = Machine::with(Setup::memlock(5 * PAGE));
    let a = m.attached(EDU);
    let file = m.kernel.memfd(4 * PAGE).unwrap() as i32;
    let first = m.map_file(a.iommu, a.ioas, file, 0, 4 * PAGE, RW).unwrap();
    let second = m.map_file(a.iommu, a.ioas, file, 3 * PAGE, PAGE, READ).unwrap();
    m.write(EDU, first + 3 * PAGE, b"shared").unwrap();
    assert_eq!(m.read(EDU, second, 6).unwrap(), b"shared");
    assert_eq!(m.write(EDU, second, b"x"), Err(FaultReason::NoWrite));
    assert_eq!(m.charged(), (5 * PAGE, 5));
    assert_eq!(m.map_file(a.iommu, a.ioas, file, 0, PAGE, RW), Err(Errno::ENOMEM));
    m.unmap(a.iommu, a.ioas, second, PAGE).unwrap();
    assert_eq!(m.charged(), (4 * PAGE, 4));
    m.finish();
}

#[test]
fn the_offset_decides_about_the_place_as_an_address_would() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    let file = m.kernel.memfd(64 * PAGE).unwrap() as i32;
    let mut place = |start, length| m.map_file(iommu, ioas, file, start, length, RW);
    assert_eq!(place(2 * PAGE, 8 * PAGE), Ok(2 * PAGE));
    assert_eq!(place(0, 3 * PAGE), Ok(12 * PAGE));
    // Within a page the offset is kept.
    assert_eq!(place(0x808, 8), Ok(PAGE + 0x808));
    m.finish();
}

#[test]
fn checks_come_in_the_order_of_linux() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let file = m.kernel.memfd(2 * PAGE).unwrap() as i32;
    m.call(a.iommu, fixed(a.ioas, file, IOVA)).unwrap();
    let mut request = api::IoasMapFile { start: PAGE, length: 2 * PAGE, ..fixed(a.ioas, file, 2 * IOVA) };
    // Each case has the mistake of the one before it as well; the earlier check decides.
    let mut expect = |change: &dyn Fn(&mut api::IoasMapFile), error| {
        change(&mut request);
        assert_eq!(m.call(a.iommu, request).map(|answer| answer.iova), Err(error), "{request:?}");
    };
    expect(&|_| {}, Errno::EINVAL);
    expect(&|r| r.iova = IOVA, Errno::EEXIST);
    expect(&|r| r.fd = 77, Errno::EBADF);
    expect(&|r| r.start = u64::MAX, Errno::EOVERFLOW);
    expect(&|r| r.length = 0, Errno::EINVAL);
    expect(&|r| r.ioas_id = NO_ID, Errno::ENOENT);
    expect(&|r| r.flags = FIXED, Errno::EINVAL);
    expect(&|r| r.length = u64::MAX, Errno::EOVERFLOW);
    expect(&|r| (r.iova, r.length) = (u64::MAX, 0), Errno::EOVERFLOW);
    expect(&|r| r.flags |= 8, Errno::EOPNOTSUPP);
    m.finish();
}

fn fixed(ioas_id: u32, fd: i32, iova: u64) -> api::IoasMapFile {
    api::IoasMapFile { size: 0, flags: RW | FIXED, ioas_id, fd, start: 0, length: PAGE, iova }
}

#[test]
fn copies_keep_the_file_when_all_else_lets_go() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let file = m.kernel.memfd(PAGE).unwrap();
    let iova = m.map_file(a.iommu, a.ioas, file as i32, 0, PAGE, RW).unwrap();
    m.write(EDU, iova, b"kept").unwrap();
    m.copy(a.iommu, (a.ioas, iova), (a.ioas, IOVA), PAGE, READ | FIXED).unwrap();
    m.unmap(a.iommu, a.ioas, iova, PAGE).unwrap();
    m.close(file);
    assert_eq!(m.kernel.usage().memfds, 1);
    assert_eq!(m.read(EDU, IOVA, 4).unwrap(), b"kept");
    // The number of the fd names another file now, which is not the one that is mapped.
    assert_eq!(m.kernel.memfd(PAGE), Ok(file));
    assert_eq!(m.read(EDU, IOVA, 4).unwrap(), b"kept");
    m.unmap(a.iommu, a.ioas, IOVA, PAGE).unwrap();
    assert_eq!(m.kernel.usage().memfds, 1);
    m.finish();
}

#[test]
fn a_file_is_kept_without_a_page_table_too() {
    let mut m = Machine::new();
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    let file = m.kernel.memfd(LARGE).unwrap();
    let view = m.kernel.mmap(0, LARGE, 3, 1, file as i32, 0).unwrap();
    m.kernel.poke(view, b"before").unwrap();
    let iova = m.map_file(iommu, ioas, file as i32, 0, LARGE, READ).unwrap();
    m.close(file);
    m.kernel.munmap(view, LARGE).unwrap();
    assert_eq!((m.kernel.usage().memfds, m.charged()), (1, (0, 0)));
    let (fd, _) = m.bound(EDU, iommu);
    m.attach(fd, ioas).unwrap();
    assert_eq!(m.read(EDU, iova, 6).unwrap(), b"before");
    m.destroy(iommu, ioas).unwrap_err();
    m.close_bound(fd, EDU);
    m.destroy(iommu, ioas).unwrap();
    assert_eq!(m.kernel.usage().memfds, 0);
    m.finish();
}

#[test]
fn a_memfd_is_mapped_by_its_fd_and_kept_by_the_mapping() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let file = m.kernel.memfd(4 * PAGE).unwrap();
    let view = m.kernel.mmap(0, 4 * PAGE, 3, 1, file as i32, 0).unwrap();
    let iova = m.map_file(a.iommu, a.ioas, file as i32, PAGE, 2 * PAGE, RW).unwrap();
    m.kernel.poke(view + PAGE, b"in the file").unwrap();
    assert_eq!(m.read(EDU, iova, 11).unwrap(), b"in the file");
    m.close(file);
    m.kernel.munmap(view, 4 * PAGE).unwrap();
    m.check();
    assert_eq!(m.kernel.usage().memfds, 1);
    assert_eq!(m.read(EDU, iova, 11).unwrap(), b"in the file");
    m.unmap(a.iommu, a.ioas, iova, 2 * PAGE).unwrap();
    assert_eq!(m.kernel.usage().memfds, 0);
    m.finish();
}

#[test]
fn what_is_no_memfd_or_beyond_its_end_is_refused_when_it_is_pinned() {
    let mut m = Machine::new();
    let a = m.attached(EDU);
    let file = m.kernel.memfd(2 * PAGE + 100).unwrap() as i32;
    let eventfd = m.kernel.eventfd(0, 0).unwrap() as i32;
    let free = m.ioas(a.iommu);
    let mut map = |ioas, fd, start, length| m.map_file(a.iommu, ioas, fd, start, length, RW);
    assert_eq!(map(a.ioas, file, 0, 0), Err(Errno::EINVAL));
    assert_eq!(map(a.ioas, file, u64::MAX, 2), Err(Errno::EOVERFLOW));
    assert_eq!(map(a.ioas, -1, 0, PAGE), Err(Errno::EBADF));
    assert_eq!(map(NO_ID, -1, 0, 0), Err(Errno::ENOENT));
    assert_eq!(map(a.ioas, eventfd, 0, PAGE), Err(Errno::EINVAL));
    // The last page of the file is not whole.
    assert_eq!(map(a.ioas, file, 0, 3 * PAGE), Err(Errno::EINVAL));
    assert_eq!(map(a.ioas, file, 0, 2 * PAGE), Ok(2 * PAGE));
    // Nobody looks before a page table is there.
    assert!(map(free, eventfd, 0, PAGE).is_ok());
    assert!(map(free, file, 64 * PAGE, PAGE).is_ok());
    assert_eq!(m.attach(a.device_fd, free), Err(Errno::EINVAL));
    m.finish();
}
