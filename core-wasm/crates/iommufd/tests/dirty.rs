//! Dirty tracking: which pages devices wrote to, what caches do to that, and how a bitmap is filled.

mod common;

use common::*;
use iommufd::Kind;

const IOVA: u64 = 0x1000_0000;
const TRACK: u32 = api::HWPT_ALLOC_DIRTY_TRACKING;
const NO_CLEAR: u32 = api::HWPT_GET_DIRTY_BITMAP_NO_CLEAR;

/// A device attached to a page table with dirty tracking, which is off, and memory mapped at [`IOVA`].
struct Tracked {
    m: Machine,
    iommu: u32,
    ioas: u32,
    hwpt: u32,
    /// A page for the bitmap, and one behind it.
    bitmap: u64,
}

impl Tracked {
    fn new(kind: Kind, length: u64, huge: bool) -> Tracked {
        let mut m = Machine::with(Setup::tracking(kind));
        let iommu = m.iommu();
        let ioas = m.ioas(iommu);
        let (fd, device) = m.bound(EDU, iommu);
        if !huge {
            m.huge_pages(iommu, ioas, false).unwrap();
        }
        let va = m.memory(length);
        m.map_at(iommu, ioas, va, length, IOVA).unwrap();
        let hwpt = m.hwpt_flags(iommu, device, ioas, TRACK).unwrap();
        m.attach(fd, hwpt).unwrap();
        let bitmap = m.memory(2 * PAGE);
        Tracked { m, iommu, ioas, hwpt, bitmap }
    }

    fn set(&mut self, flags: u32) -> Result<(), Errno> {
        set(&mut self.m, self.iommu, self.hwpt, flags)
    }

    fn write(&mut self, page: u64) {
        self.m.write(EDU, IOVA + page * PAGE + 8, b"dirty").unwrap();
    }

    /// The numbers of the bits that are set for some pages from [`IOVA`] on.
    fn bits(&mut self, pages: u64, flags: u32) -> Vec<u64> {
        self.bits_of(IOVA, pages * PAGE, PAGE, flags)
    }

    fn bits_of(&mut self, iova: u64, length: u64, page_size: u64, flags: u32) -> Vec<u64> {
        self.m.kernel.poke(self.bitmap, &[0; 2 * PAGE as usize]).unwrap();
        let request =
            api::HwptGetDirtyBitmap { hwpt_id: self.hwpt, flags, iova, length, page_size, data: self.bitmap, ..Default::default() };
        self.m.call(self.iommu, request).unwrap();
        bits(&self.m, self.bitmap)
    }
}

fn set(m: &mut Machine, fd: u32, hwpt_id: u32, flags: u32) -> Result<(), Errno> {
    m.call(fd, api::HwptSetDirtyTracking { size: 0, flags, hwpt_id, reserved: 0 }).map(|_| ())
}

/// The numbers of the bits that are set in two pages.
fn bits(m: &Machine, at: u64) -> Vec<u64> {
    let bytes = m.peek(at, 2 * PAGE as usize);
    (0..16 * PAGE).filter(|bit| bytes[(bit / 8) as usize] >> (bit % 8) & 1 != 0).collect()
}

#[test]
fn only_an_iommu_that_can_tracks() {
    for (setup, can) in [
        (Setup::default(), false),
        (Setup::scalable(), false),
        (Setup::tracking(Kind::VtdSs), true),
        (Setup { kind: Kind::AmdV1, ..Setup::default() }, false),
        (Setup::tracking(Kind::AmdV1), true),
    ] {
        let mut m = Machine::with(setup);
        let iommu = m.iommu();
        let ioas = m.ioas(iommu);
        let (_, dev_id) = m.bound(EDU, iommu);
        let data_uptr = m.memory(PAGE);
        let info = m.call(iommu, api::HwInfo { dev_id, data_len: 32, data_uptr, ..Default::default() }).unwrap();
        assert_eq!(info.out_capabilities & api::HW_CAP_DIRTY_TRACKING != 0, can, "{setup:?}");
        // VT-d: the second stage's accessed and dirty bits, in the extended capabilities. AMD: the host's, in the extended features.
        let (at, mask) = if setup.kind == Kind::VtdSs { (16, 1 << 45) } else { (0, 1 << 49 | 1 << 52) };
        let register = u64::from_le_bytes(m.peek(data_uptr + at, 8).try_into().unwrap());
        assert_eq!(register & mask, if can { mask } else { 0 }, "{setup:?}");
        let made = m.hwpt_flags(iommu, dev_id, ioas, TRACK);
        assert_eq!(made.map(|_| ()), if can { Ok(()) } else { Err(Errno::EOPNOTSUPP) }, "{setup:?}");
        m.finish();
    }
}

#[test]
fn checks_come_in_the_order_of_linux() {
    let mut t = Tracked::new(Kind::VtdSs, 8 * PAGE, true);
    let device = 2;
    let plain = t.m.hwpt(t.iommu, device, t.ioas).unwrap();
    assert_eq!(set(&mut t.m, t.iommu, NO_ID, 2), Err(Errno::EOPNOTSUPP));
    assert_eq!(set(&mut t.m, t.iommu, t.ioas, 1), Err(Errno::ENOENT));
    for flags in [0, 1] {
        assert_eq!(set(&mut t.m, t.iommu, plain, flags), Err(Errno::EOPNOTSUPP));
        assert_eq!(t.set(flags), Ok(()));
    }
    let good =
        api::HwptGetDirtyBitmap { hwpt_id: t.hwpt, iova: IOVA, length: 4 * PAGE, page_size: PAGE, data: t.bitmap, ..Default::default() };
    for (request, error) in [
        (api::HwptGetDirtyBitmap { flags: 2, hwpt_id: NO_ID, ..good }, Errno::EOPNOTSUPP),
        (api::HwptGetDirtyBitmap { reserved: 1, hwpt_id: NO_ID, ..good }, Errno::EOPNOTSUPP),
        (api::HwptGetDirtyBitmap { hwpt_id: NO_ID, length: 0, ..good }, Errno::ENOENT),
        (api::HwptGetDirtyBitmap { hwpt_id: plain, length: 0, ..good }, Errno::EINVAL),
        (api::HwptGetDirtyBitmap { length: 0, ..good }, Errno::EINVAL),
        (api::HwptGetDirtyBitmap { iova: u64::MAX, length: 2, ..good }, Errno::EOVERFLOW),
        (api::HwptGetDirtyBitmap { iova: 8, ..good }, Errno::EINVAL),
        (api::HwptGetDirtyBitmap { length: PAGE + 8, ..good }, Errno::EINVAL),
        (api::HwptGetDirtyBitmap { page_size: 0, ..good }, Errno::EINVAL),
        (api::HwptGetDirtyBitmap { page_size: 8 * PAGE, ..good }, Errno::EINVAL),
        (api::HwptGetDirtyBitmap { hwpt_id: plain, ..good }, Errno::EOPNOTSUPP),
        // The last page of the space ends at 2^64, which is 0 in the sum.
        (api::HwptGetDirtyBitmap { hwpt_id: plain, iova: 0u64.wrapping_sub(PAGE), length: PAGE, ..good }, Errno::EOPNOTSUPP),
    ] {
        assert_eq!(t.m.call(t.iommu, request), Err(error), "{request:?}");
    }
    // What no answer says: a range with a hole, one that begins in a hole, a bitmap without memory.
    for request in [
        api::HwptGetDirtyBitmap { length: 16 * PAGE, ..good },
        api::HwptGetDirtyBitmap { iova: 0u64.wrapping_sub(PAGE), length: PAGE, ..good },
        api::HwptGetDirtyBitmap { data: 8, ..good },
    ] {
        assert_eq!(t.m.call(t.iommu, request), Ok(api::HwptGetDirtyBitmap { size: 48, ..request }));
    }
    t.m.finish();
}

#[test]
fn pages_that_a_device_wrote_to_are_found_once() {
    for kind in [Kind::VtdSs, Kind::AmdV1] {
        let mut t = Tracked::new(kind, 64 * PAGE, false);
        t.write(1);
        assert_eq!(t.bits(64, 0), [], "nothing is marked before tracking is on");
        t.set(1).unwrap();
        t.write(3);
        t.write(9);
        t.m.write(EDU, IOVA + 21 * PAGE - 4, b"two pages").unwrap();
        t.m.read(EDU, IOVA + 30 * PAGE, 64).unwrap();
        assert_eq!(t.bits(64, NO_CLEAR), [3, 9, 20, 21]);
        assert_eq!(t.bits_of(IOVA + 8 * PAGE, 8 * PAGE, PAGE, 0), [1]);
        assert_eq!(t.bits(64, 0), [3, 20, 21]);
        assert_eq!(t.bits(64, 0), []);
        t.m.finish();
    }
}

#[test]
fn what_caches_hold_neither_hides_a_write_nor_repeats_one() {
    for kind in [Kind::VtdSs, Kind::AmdV1] {
        let mut t = Tracked::new(kind, 8 * PAGE, false);
        t.write(5);
        t.set(1).unwrap();
        // Cached as writable before it was marked; by a read; and after its mark went.
        t.write(5);
        t.m.read(EDU, IOVA, 8).unwrap();
        t.write(0);
        assert_eq!(t.bits(8, 0), [0, 5]);
        t.write(0);
        let misses = t.m.kernel.device_statistics(EDU).tlb_misses;
        t.write(0);
        assert_eq!(t.m.kernel.device_statistics(EDU).tlb_misses, misses, "a page that is marked is served from the cache");
        assert_eq!(t.bits(8, 0), [0]);
        t.set(0).unwrap();
        t.write(1);
        assert_eq!(t.bits(8, 0), []);
        t.m.finish();
    }
}

#[test]
fn marks_stay_without_tracking_and_go_when_it_is_turned_on() {
    let mut t = Tracked::new(Kind::VtdSs, 8 * PAGE, false);
    t.set(1).unwrap();
    t.write(2);
    t.set(0).unwrap();
    t.write(3);
    assert_eq!(t.bits(8, NO_CLEAR), [2]);
    t.set(1).unwrap();
    assert_eq!(t.bits(8, NO_CLEAR), []);
    t.write(4);
    // Turned on while it is on.
    t.set(1).unwrap();
    assert_eq!(t.bits(8, NO_CLEAR), []);
    t.write(4);
    assert_eq!(t.bits(8, 0), [4]);
    t.m.finish();
}

#[test]
fn a_page_that_may_only_be_read_is_never_dirty() {
    let mut t = Tracked::new(Kind::VtdSs, PAGE, false);
    let va = t.m.memory(PAGE);
    t.m.map(t.iommu, t.ioas, va, PAGE, READ | FIXED, IOVA + PAGE).unwrap();
    t.m.map(t.iommu, t.ioas, va, PAGE, WRITE | FIXED, IOVA + 2 * PAGE).unwrap();
    t.set(1).unwrap();
    assert!(t.m.write(EDU, IOVA + PAGE, b"no").is_err());
    assert!(t.m.read(EDU, IOVA + 2 * PAGE, 8).is_err());
    assert_eq!(t.bits(3, 0), []);
    // The refusal is not in the way of what is allowed.
    t.m.write(EDU, IOVA + 2 * PAGE, b"yes").unwrap();
    assert_eq!(t.bits(3, 0), [2]);
    t.m.finish();
}

#[test]
fn a_large_page_is_dirty_as_a_whole() {
    // AMD has 64 KiB pages, of 16 entries; VT-d has 2 MiB.
    for (kind, length) in [(Kind::AmdV1, 16 * PAGE), (Kind::VtdSs, LARGE)] {
        let mut t = Tracked::new(kind, length, true);
        let pages = length / PAGE;
        assert_eq!(t.m.pages().len(), 1, "{kind:?}");
        t.set(1).unwrap();
        t.write(3);
        t.write(3 + pages / 2);
        assert_eq!(t.bits(pages, NO_CLEAR), (0..pages).collect::<Vec<_>>());
        assert_eq!(t.bits_of(IOVA, length, length / 2, NO_CLEAR), [0, 1]);
        assert_eq!(t.bits_of(IOVA, length, length, 0), [0]);
        assert_eq!(t.bits(pages, 0), []);
        t.write(pages - 1);
        assert_eq!(t.bits_of(IOVA, length, length, 0), [0]);
        t.m.finish();
    }
}

#[test]
fn bits_lie_from_any_byte_on_and_others_stay() {
    let mut t = Tracked::new(Kind::VtdSs, 64 * PAGE, false);
    t.set(1).unwrap();
    t.write(0);
    t.write(13);
    let at = t.bitmap + PAGE - 1;
    t.m.kernel.poke(at, &[0x80, 0, 0x11]).unwrap();
    let request =
        api::HwptGetDirtyBitmap { hwpt_id: t.hwpt, iova: IOVA, length: 20 * PAGE, page_size: PAGE, data: at, ..Default::default() };
    t.m.call(t.iommu, request).unwrap();
    assert_eq!(t.m.peek(at - 1, 5), [0, 0x81, 0x20, 0x11, 0]);
    t.m.finish();
}

#[test]
fn a_bitmap_that_ends_early_loses_what_has_no_memory() {
    let mut t = Tracked::new(Kind::VtdSs, 64 * PAGE, false);
    t.set(1).unwrap();
    t.write(2);
    t.write(40);
    let at = t.m.edge() - 2;
    let request =
        api::HwptGetDirtyBitmap { hwpt_id: t.hwpt, iova: IOVA, length: 64 * PAGE, page_size: PAGE, data: at, ..Default::default() };
    t.m.call(t.iommu, request).unwrap();
    assert_eq!(t.m.peek(at, 2), [4, 0]);
    assert_eq!(t.bits(64, 0), [], "what is lost is not found again");
    let read_only = t.m.read_only_memory(PAGE);
    t.write(2);
    t.m.call(t.iommu, api::HwptGetDirtyBitmap { data: read_only, ..request }).unwrap();
    assert_eq!(t.m.peek(read_only, 8), [0; 8]);
    t.m.finish();
}

#[test]
fn a_range_is_read_up_to_its_first_hole() {
    let mut t = Tracked::new(Kind::VtdSs, 4 * PAGE, false);
    let va = t.m.memory(PAGE);
    t.m.map_at(t.iommu, t.ioas, va, PAGE, IOVA + 4 * PAGE).unwrap();
    t.m.map_at(t.iommu, t.ioas, va, PAGE, IOVA + 6 * PAGE).unwrap();
    t.set(1).unwrap();
    [1, 4, 6].into_iter().for_each(|page| t.write(page));
    assert_eq!(t.bits(8, 0), [1, 4]);
    assert_eq!(t.bits(8, 0), []);
    assert_eq!(t.bits_of(IOVA + 6 * PAGE, 2 * PAGE, PAGE, 0), [0]);
    t.m.finish();
}
