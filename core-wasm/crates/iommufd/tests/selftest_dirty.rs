//! Dirty tracking of the mock IOMMU, whose pages a test request marks.

mod common;

use common::mock::*;
use common::*;
use uapi::selftest::*;

const TRACK: u32 = api::HWPT_ALLOC_DIRTY_TRACKING;
const NO_CLEAR: u32 = api::HWPT_GET_DIRTY_BITMAP_NO_CLEAR;
const SMALLEST: u64 = PAGE / 2;

struct Tracked {
    m: Machine,
    iommu: u32,
    ioas: u32,
    mock: Mock,
    hwpt: u32,
    /// Two pages for a bitmap.
    bitmap: u64,
}

impl Tracked {
    /// Memory of so many bytes at the start of the aperture, in a page table that tracks.
    fn new(length: u64) -> Tracked {
        let (mut m, iommu, ioas) = machine();
        let mock = m.mock(iommu, ioas).unwrap();
        let hwpt = m.hwpt_flags(iommu, mock.idev, ioas, TRACK).unwrap();
        let va = m.memory(length);
        m.map_at(iommu, ioas, va, length, APERTURE).unwrap();
        let bitmap = m.memory(2 * PAGE);
        let mut t = Tracked { m, iommu, ioas, mock, hwpt, bitmap };
        t.set(1);
        t
    }

    fn set(&mut self, flags: u32) {
        self.m.call(self.iommu, api::HwptSetDirtyTracking { size: 0, flags, hwpt_id: self.hwpt, reserved: 0 }).unwrap();
    }

    /// Marks the pieces of a range whose bits are set in `bytes`. Returns how many.
    fn mark(&mut self, iova: u64, length: u64, page_size: u64, bytes: &[u8]) -> Result<u64, Errno> {
        let uptr = self.m.memory(PAGE);
        self.m.kernel.poke(uptr, bytes).unwrap();
        let request = TestDirty { op: TEST_OP_DIRTY, id: self.hwpt, iova, length, page_size, uptr, ..Default::default() };
        self.m.call(self.iommu, request).map(|answer| answer.out_nr_dirty)
    }

    /// The bytes of the bitmap for a range, with `before` in them first.
    fn read(&mut self, iova: u64, length: u64, page_size: u64, flags: u32) -> Vec<u8> {
        self.m.kernel.poke(self.bitmap, &[0; 2 * PAGE as usize]).unwrap();
        let request =
            api::HwptGetDirtyBitmap { hwpt_id: self.hwpt, flags, iova, length, page_size, data: self.bitmap, ..Default::default() };
        self.m.call(self.iommu, request).unwrap();
        let mut bytes = self.m.peek(self.bitmap, 2 * PAGE as usize);
        bytes.truncate(bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1));
        bytes
    }
}

#[test]
fn the_operation_checks_its_arguments_first() {
    let mut t = Tracked::new(4 * PAGE);
    let good = TestDirty {
        op: TEST_OP_DIRTY,
        id: t.hwpt,
        iova: APERTURE,
        length: PAGE,
        page_size: SMALLEST,
        uptr: t.bitmap,
        ..Default::default()
    };
    for (request, error) in [
        (TestDirty { page_size: 0, ..good }, Errno::EINVAL),
        (TestDirty { length: 0, ..good }, Errno::EINVAL),
        (TestDirty { iova: 1, ..good }, Errno::EINVAL),
        (TestDirty { length: SMALLEST + 1, ..good }, Errno::EINVAL),
        (TestDirty { uptr: 0, ..good }, Errno::EINVAL),
        (TestDirty { length: 1 << 60, page_size: 1, id: NO_ID, ..good }, Errno::EOVERFLOW),
        (TestDirty { id: NO_ID, ..good }, Errno::ENOENT),
        (TestDirty { id: t.ioas, ..good }, Errno::ENOENT),
        (TestDirty { id: t.mock.hwpt, ..good }, Errno::EINVAL),
        (TestDirty { uptr: 8, ..good }, Errno::EFAULT),
    ] {
        assert_eq!(t.m.call(t.iommu, request).map(|_| ()), Err(error), "{request:?}");
    }
    t.set(0);
    assert_eq!(t.m.call(t.iommu, good).map(|_| ()), Err(Errno::EINVAL));
    t.set(1);
    // Bits behind the last one, and pieces without a page, do no harm; the latter count.
    assert_eq!(t.mark(APERTURE, 3 * PAGE, PAGE, &[0xff]), Ok(3));
    assert_eq!(t.mark(0, 4 * PAGE, PAGE, &[0xf]), Ok(4));
    assert_eq!(t.mark(0u64.wrapping_sub(PAGE), 4 * PAGE, PAGE, &[0xf]), Ok(4));
    t.m.finish();
}

#[test]
fn nothing_is_marked_where_the_bitmap_cannot_be_read_to_its_end() {
    let mut t = Tracked::new(LARGE);
    t.m.kernel.munmap(t.bitmap + PAGE, PAGE).unwrap();
    t.m.kernel.poke(t.bitmap, &[0xff; 8]).unwrap();
    let length = 9 * PAGE * SMALLEST;
    let request =
        TestDirty { op: TEST_OP_DIRTY, id: t.hwpt, iova: APERTURE, length, page_size: SMALLEST, uptr: t.bitmap, ..Default::default() };
    assert_eq!(t.m.call(t.iommu, request).map(|_| ()), Err(Errno::EFAULT));
    t.bitmap = t.m.memory(2 * PAGE);
    assert_eq!(t.read(APERTURE, LARGE, SMALLEST, 0), []);
    t.m.finish();
}

#[test]
fn pages_of_every_size_show_in_bits_of_every_size() {
    // Marked with the smallest pieces, in pages of many sizes: 2 KiB where the memory is not aligned, up to 64 KiB.
    for size in [SMALLEST, PAGE, 16 * PAGE] {
        for piece in [SMALLEST, PAGE, 4 * PAGE, 64 * PAGE] {
            let (mut m, iommu, ioas) = machine();
            let mock = m.mock(iommu, ioas).unwrap();
            let hwpt = m.hwpt_flags(iommu, mock.idev, ioas, TRACK).unwrap();
            let va = m.memory(64 * PAGE);
            for at in (0..64 * PAGE).step_by(size as usize) {
                m.map_at(iommu, ioas, va + at, size, APERTURE + at).unwrap();
            }
            let bitmap = m.memory(2 * PAGE);
            let mut t = Tracked { m, iommu, ioas, mock, hwpt, bitmap };
            t.set(1);
            let dirty = 5 * SMALLEST;
            assert_eq!(t.mark(APERTURE + dirty, SMALLEST, SMALLEST, &[1]), Ok(1));
            let (first, last) = (dirty / size * size / piece, (dirty / size * size + size - 1) / piece);
            let mut wanted = vec![0_u8; (last / 8 + 1) as usize];
            (first..=last).for_each(|bit| wanted[(bit / 8) as usize] |= 1 << (bit % 8));
            assert_eq!(t.read(APERTURE, 64 * PAGE, piece, NO_CLEAR), wanted, "pages of {size}, pieces of {piece}");
            assert_eq!(t.read(APERTURE, 64 * PAGE, piece, 0), wanted);
            assert_eq!(t.read(APERTURE, 64 * PAGE, piece, 0), []);
            t.m.finish();
        }
    }
}

#[test]
fn a_large_page_at_the_edge_of_the_range_writes_beyond_the_bitmap_or_is_lost() {
    let mut t = Tracked::new(16 * PAGE);
    // One page of 64 KiB.
    assert_eq!(t.m.pages(), [(16, 2)]);
    t.mark(APERTURE, PAGE, PAGE, &[1]).unwrap();
    // Half of it is asked for, all its bits come: memory behind the bitmap is held with it.
    assert_eq!(t.read(APERTURE, 8 * PAGE, PAGE, NO_CLEAR), [0xff, 0xff]);
    // The page begins before the range, where the bitmap has no bit.
    assert_eq!(t.read(APERTURE + 8 * PAGE, 8 * PAGE, PAGE, 0), []);
    assert_eq!(t.read(APERTURE, 16 * PAGE, PAGE, 0), [], "its mark is gone");
    t.m.finish();
}

#[test]
fn a_page_size_of_several_bits_counts_with_its_lowest() {
    let mut t = Tracked::new(16 * PAGE);
    t.mark(APERTURE, PAGE, PAGE, &[1]).unwrap();
    assert_eq!(t.read(APERTURE, 16 * PAGE, 3 * PAGE, NO_CLEAR), [0xff, 0xff]);
    assert_eq!(t.read(APERTURE, PAGE, 1 << 63 | PAGE, NO_CLEAR), [0xff, 0xff]);
    t.m.finish();
}

#[test]
fn a_device_without_tracking_has_none_and_comes_to_none() {
    let (mut m, iommu, ioas) = machine();
    let able = m.mock(iommu, ioas).unwrap();
    let hwpt = m.hwpt_flags(iommu, able.idev, ioas, TRACK).unwrap();
    let unable = m.mock_with(iommu, ioas, MOCK_FLAGS_DEVICE_NO_DIRTY | MOCK_FLAGS_DEVICE_PASID).unwrap();
    assert_eq!(m.hwpt_flags(iommu, unable.idev, ioas, TRACK), Err(Errno::EOPNOTSUPP));
    assert_eq!(m.replace(iommu, unable.stdev, hwpt), Err(Errno::EINVAL));
    assert_eq!(m.mock_with(iommu, hwpt, MOCK_FLAGS_DEVICE_NO_DIRTY), Err(Errno::EINVAL));
    assert_eq!(m.replace(iommu, able.stdev, hwpt), Ok(hwpt));
    // Its PASIDs are not looked at.
    let both = m.hwpt_flags(iommu, able.idev, ioas, TRACK | api::HWPT_ALLOC_PASID).unwrap();
    let plain = m.hwpt_flags(iommu, able.idev, ioas, api::HWPT_ALLOC_PASID).unwrap();
    assert_eq!(m.replace(iommu, unable.stdev, plain), Ok(plain));
    let attach = TestPasidAttach { op: TEST_OP_PASID_ATTACH, id: unable.stdev, pasid: 5, pt_id: both, ..Default::default() };
    assert_eq!(m.call(iommu, attach).map(|answer| answer.pt_id), Ok(both));
    m.finish();
}
