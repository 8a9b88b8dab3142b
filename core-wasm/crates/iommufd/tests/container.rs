//! Requests of VFIO's containers, above all the cutting of areas.

mod common;

use common::mock::*;
use common::*;
use uapi::type1::*;

/// An iommufd whose IOAS is that of containers, of the kind that cuts.
fn cutting() -> (Machine, u32, u32) {
    let (mut m, iommu, ioas) = machine();
    m.call(iommu, api::VfioIoas { ioas_id: ioas, op: api::VFIO_IOAS_SET, ..Default::default() }).unwrap();
    assert_eq!(m.kernel.ioctl(iommu as i32, SET_IOMMU, u64::from(TYPE1_IOMMU)), Ok(0));
    (m, iommu, ioas)
}

impl Machine {
    fn map_dma(&mut self, fd: u32, iova: u64, vaddr: u64, size: u64) -> Result<(), Errno> {
        self.call(fd, IommuType1DmaMap { flags: 3, vaddr, iova, size, ..Default::default() }).map(|_| ())
    }

    fn unmap_dma(&mut self, fd: u32, iova: u64, size: u64) -> Result<u64, Errno> {
        self.call(fd, IommuType1DmaUnmap { iova, size, ..Default::default() }).map(|answer| answer.size)
    }
}

#[test]
fn every_range_of_pages_can_be_taken_out_of_an_area() {
    const PAGES: u64 = 5;
    for (first, last) in (0..PAGES).flat_map(|first| (first..PAGES).map(move |last| (first, last))) {
        let (mut m, iommu, ioas) = cutting();
        let mock = m.mock(iommu, ioas).unwrap();
        let va = m.memory(PAGES * PAGE);
        m.map_dma(iommu, APERTURE, va, PAGES * PAGE).unwrap();
        // Further areas of the same memory keep all its pages.
        m.copy(iommu, (ioas, APERTURE), (ioas, APERTURE + LARGE), PAGES * PAGE, RW | FIXED).unwrap();
        assert_eq!(m.unmap_dma(iommu, APERTURE + first * PAGE, (last - first + 1) * PAGE), Ok((last - first + 1) * PAGE));
        assert_eq!(m.check_refs(iommu, va, PAGES * PAGE, 1), Ok(()));
        m.unmap(iommu, ioas, APERTURE + LARGE, PAGES * PAGE).unwrap();
        for page in 0..PAGES {
            let gone = (first..=last).contains(&page);
            assert_eq!(m.check_refs(iommu, va + page * PAGE, PAGE, u32::from(!gone)), Ok(()), "{first}..={last}: {page}");
            let found = m.check_map(iommu, mock.hwpt, APERTURE + page * PAGE, PAGE, va + page * PAGE);
            assert_eq!(found, if gone { Err(Errno::EINVAL) } else { Ok(()) });
        }
        m.finish();
    }
}

#[test]
fn memory_that_was_cut_is_pinned_when_a_page_table_comes_later() {
    let (mut m, iommu, ioas) = cutting();
    let va = m.memory(3 * PAGE);
    m.map_dma(iommu, APERTURE, va, 3 * PAGE).unwrap();
    assert_eq!(m.unmap_dma(iommu, APERTURE + PAGE, PAGE), Ok(PAGE));
    let mock = m.mock(iommu, ioas).unwrap();
    for (page, refs) in [(0, 1), (1, 0), (2, 1)] {
        assert_eq!(m.check_refs(iommu, va + page * PAGE, PAGE, refs), Ok(()));
    }
    assert_eq!(m.check_map(iommu, mock.hwpt, APERTURE + 2 * PAGE, PAGE, va + 2 * PAGE), Ok(()));
    m.finish();
}
