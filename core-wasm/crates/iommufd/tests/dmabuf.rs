//! Dma-bufs: memory that page tables have until its device takes it back. What they map is compared with the areas after each request.

mod common;

use common::mock::*;
use common::*;

#[test]
fn page_tables_have_the_memory_of_a_dma_buf_until_it_is_revoked() {
    let (mut m, iommu, ioas) = machine();
    let file = m.dmabuf(iommu, 5000).unwrap();
    let mock = m.mock(iommu, ioas).unwrap();
    let first = m.map_file(iommu, ioas, file, 0, 2 * PAGE, RW).unwrap();
    let second = m.map_file(iommu, ioas, file, PAGE + 2048, 2048, RW).unwrap();
    let copy = m.copy(iommu, (ioas, first + PAGE), (ioas, APERTURE + LARGE), PAGE, RW | FIXED).unwrap();
    m.hwpt(iommu, mock.idev, ioas).unwrap();
    assert_eq!(m.charged(), (0, 0));
    assert_eq!(m.revoke(iommu, file, 1), Ok(()));
    assert_eq!(m.map_file(iommu, ioas, file, 0, PAGE, RW), Err(Errno::ENODEV));
    let late = m.copy(iommu, (ioas, first), (ioas, APERTURE + 2 * LARGE), PAGE, RW | FIXED).unwrap();
    m.hwpt(iommu, mock.idev, ioas).unwrap();
    m.revoke(iommu, file, 0).unwrap();
    let third = m.map_file(iommu, ioas, file, 0, PAGE, RW).unwrap();
    for (iova, length) in [(first, 2 * PAGE), (second, 2048), (copy, PAGE), (late, PAGE)] {
        assert_eq!(m.unmap(iommu, ioas, iova, length), Ok(length));
    }
    m.close(file as u32);
    assert_eq!(m.unmap(iommu, ioas, third, PAGE), Ok(PAGE), "what is mapped keeps it");
    m.finish();
}

#[test]
fn giving_memory_back_takes_it_from_what_is_mapped_too() {
    let (mut m, iommu, ioas) = machine();
    m.mock(iommu, ioas).unwrap();
    let file = m.dmabuf(iommu, 1).unwrap();
    m.map_file(iommu, ioas, file, 0, PAGE, RW).unwrap();
    // The invariants look: the area has memory no more.
    m.revoke(iommu, file, 0).unwrap();
    m.map_file(iommu, ioas, file, 0, PAGE, RW).unwrap();
    m.finish();
}

#[test]
fn what_cannot_be_done_with_a_dma_buf_is_refused() {
    let (mut m, iommu, ioas) = machine();
    for length in [0, 512 * PAGE as u32 + 1, u32::MAX] {
        assert_eq!(m.dmabuf(iommu, length), Err(Errno::EINVAL));
    }
    let file = m.dmabuf(iommu, 2 * PAGE as u32).unwrap();
    for (start, length) in [(0, 2 * PAGE + 1), (2 * PAGE, 1), (PAGE, PAGE + 1)] {
        assert_eq!(m.map_file(iommu, ioas, file, start, length, RW), Err(Errno::EINVAL));
    }
    let iova = m.map_file(iommu, ioas, file, 0, PAGE, RW).unwrap();
    let access = m.access(iommu, ioas, 1).unwrap();
    assert_eq!(m.access_pages(iommu, access, (iova, PAGE), 0, 0), Err(Errno::EINVAL));
    assert_eq!(m.access_rw(iommu, access, (iova, 1), 0x1_0000, 0), Err(Errno::EINVAL));
    let memfd = m.kernel.memfd(PAGE).unwrap() as i32;
    assert_eq!(m.revoke(iommu, memfd, 1), Err(Errno::EINVAL));
    assert_eq!(m.revoke(iommu, 99, 1), Err(Errno::EBADF));
    assert_eq!(m.kernel.mmap(0, PAGE, 3, 1, file, 0), Err(Errno::EINVAL));
    m.finish();
}
