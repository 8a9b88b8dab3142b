//! Nested translation of VT-d: tables of the program's own, walked through its IOAS; what caches keep, and how they are told.

mod common;

use common::*;
use iommufd::{FaultReason, Kind};

const VTD: u32 = api::HWPT_DATA_VTD_S1;
const PRESENT: u64 = 1;
const WRITABLE: u64 = 2;
const USER: u64 = 4;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
const LARGE_PAGE: u64 = 1 << 7;
const EXTENDED: u64 = 1 << 10;
const FULL: u64 = PRESENT | WRITABLE | USER;

/// Where the guest's memory is in its own address space: what the parent maps.
const GUEST: u64 = 0x10_0000;
const GUEST_PAGES: u64 = 16;
/// Pages of the guest, by number: a table of each level, and pages with data.
const ROOT: u64 = 0;
const PDP: u64 = 1;
const PD: u64 = 2;
const PT: u64 = 3;
const DATA: u64 = 4;
const OTHER: u64 = 5;
/// What the guest's device uses.
const IOVA: u64 = 0x40_5060_7000;

struct Guest {
    m: Machine,
    iommu: u32,
    ioas: u32,
    fd: u32,
    device: u32,
    parent: u32,
    /// The guest's memory in the process.
    va: u64,
}

fn page(number: u64) -> u64 {
    GUEST + number * PAGE
}

fn data(root: u64, width: u32, flags: u64) -> [u8; api::HwptVtdS1::SIZE] {
    let mut bytes = [0; api::HwptVtdS1::SIZE];
    api::HwptVtdS1 { flags, pgtbl_addr: root, addr_width: width, reserved: 0 }.write(&mut bytes);
    bytes
}

impl Guest {
    fn new() -> Guest {
        Guest::with(Setup::scalable(), api::HWPT_ALLOC_NEST_PARENT)
    }

    fn with(setup: Setup, flags: u32) -> Guest {
        let mut m = Machine::with(setup);
        let iommu = m.iommu();
        let ioas = m.ioas(iommu);
        let (fd, device) = m.bound(EDU, iommu);
        let va = m.memory(GUEST_PAGES * PAGE);
        m.map_at(iommu, ioas, va, GUEST_PAGES * PAGE, GUEST).unwrap();
        let parent = m.hwpt_flags(iommu, device, ioas, flags).unwrap();
        let mut guest = Guest { m, iommu, ioas, fd, device, parent, va };
        guest.set(ROOT, IOVA >> 39, page(PDP) | FULL);
        guest.set(PDP, IOVA >> 30, page(PD) | FULL);
        guest.set(PD, IOVA >> 21, page(PT) | FULL);
        guest.set(PT, IOVA >> 12, page(DATA) | FULL);
        guest.tag(DATA, b"data");
        guest.tag(OTHER, b"more");
        guest
    }

    /// Sets an entry of a table, by the bits of an address.
    fn set(&mut self, table: u64, index: u64, entry: u64) {
        self.m.kernel.poke(self.va + table * PAGE + (index & 511) * 8, &entry.to_le_bytes()).unwrap();
    }

    fn entry(&self, table: u64, index: u64) -> u64 {
        u64::from_le_bytes(self.m.peek(self.va + table * PAGE + (index & 511) * 8, 8).try_into().unwrap())
    }

    fn tag(&mut self, number: u64, text: &[u8]) {
        self.m.kernel.poke(self.va + number * PAGE, text).unwrap();
    }

    fn nested(&mut self) -> u32 {
        let bytes = data(page(ROOT), 48, 0);
        self.m.hwpt_data(self.iommu, (self.device, self.parent), 0, VTD, &bytes).unwrap()
    }

    fn attached(&mut self) -> u32 {
        let nested = self.nested();
        assert_eq!(self.m.attach(self.fd, nested), Ok(nested));
        nested
    }

    fn read(&mut self, iova: u64) -> Result<Vec<u8>, FaultReason> {
        self.m.read(EDU, iova, 4)
    }

    /// Says that pages have changed.
    fn flush(&mut self, nested: u32, addr: u64, npages: u64, flags: u32) {
        let mut bytes = [0; api::HwptVtdS1Invalidate::SIZE];
        api::HwptVtdS1Invalidate { addr, npages, flags, reserved: 0 }.write(&mut bytes);
        assert_eq!(self.m.invalidate(self.iommu, nested, 0, bytes.len() as u32, &bytes), (Ok(()), 1));
    }
}

#[test]
fn a_device_that_asks_first_is_answered_by_both_stages_and_what_is_cached_of_them() {
    let mut g = Guest::new();
    assert_eq!(g.m.kernel.probe(EDU, None, IOVA, false), Err(FaultReason::Blocked));
    let nested = g.attached();
    assert_eq!(g.m.kernel.probe(EDU, None, IOVA + PAGE, false), Err(FaultReason::NotPresent));
    assert_eq!(g.m.kernel.probe(EDU, None, IOVA, true), Ok(()));
    assert_eq!(g.entry(PT, IOVA >> 12) & (ACCESSED | DIRTY), ACCESSED | DIRTY);
    g.set(PT, IOVA >> 12, page(DATA) | PRESENT | USER);
    assert_eq!(g.m.kernel.probe(EDU, None, IOVA, true), Ok(()), "the cache answers");
    g.flush(nested, IOVA, 1, api::VTD_INV_FLAGS_LEAF);
    assert_eq!(g.m.kernel.probe(EDU, None, IOVA, true), Err(FaultReason::NoWrite));
    assert_eq!(g.m.kernel.probe(EDU, None, IOVA, false), Ok(()));
    g.set(PT, (IOVA >> 12) + 1, page(GUEST_PAGES) | FULL);
    assert_eq!(g.m.kernel.probe(EDU, None, IOVA + PAGE, false), Err(FaultReason::SecondStage));
    let counts = g.m.kernel.device_statistics(EDU);
    assert_eq!((counts.tlb_hits, counts.tlb_misses, counts.faults), (0, 0, 0), "it is no transfer");
    g.m.detach(g.fd);
    g.m.finish();
}

#[test]
fn a_transfer_goes_through_both_stages_and_leaves_its_marks() {
    let mut g = Guest::new();
    let nested = g.attached();
    assert_eq!(g.read(IOVA).unwrap(), b"data");
    for (table, shift) in [(ROOT, 39), (PDP, 30), (PD, 21), (PT, 12)] {
        assert_eq!(g.entry(table, IOVA >> shift) & (ACCESSED | DIRTY | EXTENDED), ACCESSED);
    }
    // Each of the 4 tables, and the page, by a walk of 4 levels; the second stage has them as pages of 4 KiB.
    let counts = g.m.kernel.device_statistics(EDU);
    assert_eq!((counts.tlb_misses, counts.walk_reads), (1, 5 * 4 + 4));
    assert_eq!(g.m.write(EDU, IOVA + 8, b"new"), Ok(()));
    assert_eq!(g.entry(PT, IOVA >> 12) & DIRTY, DIRTY);
    assert_eq!(g.entry(PD, IOVA >> 21) & DIRTY, 0);
    assert_eq!(g.m.peek(g.va + DATA * PAGE + 8, 3), b"new");
    // Now that it is marked, writes are served from the cache.
    let before = g.m.kernel.device_statistics(EDU);
    assert_eq!(g.m.write(EDU, IOVA + 8, b"old"), Ok(()));
    let after = g.m.kernel.device_statistics(EDU);
    assert_eq!((after.tlb_hits - before.tlb_hits, after.walk_reads), (1, before.walk_reads));
    assert_eq!(g.m.destroy(g.iommu, nested), Err(Errno::EBUSY));
    assert_eq!(g.m.destroy(g.iommu, g.parent), Err(Errno::EBUSY));
    g.m.detach(g.fd);
    assert_eq!(g.read(IOVA), Err(FaultReason::Blocked));
    assert_eq!(g.m.destroy(g.iommu, g.parent), Err(Errno::EBUSY), "the nested one holds it");
    g.m.destroy(g.iommu, nested).unwrap();
    g.m.destroy(g.iommu, g.parent).unwrap();
    g.m.finish();
}

#[test]
fn what_is_not_invalidated_stays_in_the_caches() {
    let mut g = Guest::new();
    let nested = g.attached();
    assert_eq!(g.read(IOVA).unwrap(), b"data");
    g.set(PT, IOVA >> 12, page(OTHER) | FULL);
    assert_eq!(g.read(IOVA).unwrap(), b"data", "stale");
    // Another page is invalidated: no help.
    g.flush(nested, IOVA + PAGE, 1, 0);
    assert_eq!(g.read(IOVA).unwrap(), b"data", "stale");
    g.flush(nested, IOVA, 1, api::VTD_INV_FLAGS_LEAF);
    assert_eq!(g.read(IOVA).unwrap(), b"more");
    // The entry is gone, and its table too; with leaves alone invalidated the table is used still.
    g.set(PT, IOVA >> 12, 0);
    assert_eq!(g.read(IOVA).unwrap(), b"more", "stale");
    g.set(PT, IOVA >> 12, page(DATA) | FULL);
    g.set(PD, IOVA >> 21, 0);
    g.flush(nested, IOVA, 1, api::VTD_INV_FLAGS_LEAF);
    assert_eq!(g.read(IOVA).unwrap(), b"data", "through a table that is cached");
    g.flush(nested, 0, u64::MAX, 0);
    assert_eq!(g.read(IOVA), Err(FaultReason::NotPresent));
    // Absence is not cached.
    g.set(PD, IOVA >> 21, page(PT) | FULL);
    assert_eq!(g.read(IOVA).unwrap(), b"data");
    g.m.finish();
}

#[test]
fn a_large_page_is_invalidated_by_any_part_of_it() {
    let mut g = Guest::new();
    let nested = g.attached();
    let large = IOVA & !(LARGE - 1);
    // 2 MiB of the guest from 0 on, of which the parent maps a part.
    g.set(PD, IOVA >> 21, FULL | LARGE_PAGE);
    let [one, two] = [page(DATA), page(OTHER)].map(|at| large + at);
    assert_eq!((g.read(one).unwrap(), g.read(two).unwrap()), (b"data".to_vec(), b"more".to_vec()));
    assert_eq!(g.read(large), Err(FaultReason::SecondStage));
    g.set(PD, IOVA >> 21, 0);
    assert_eq!(g.read(two).unwrap(), b"more", "stale");
    g.flush(nested, one, 1, 0);
    assert_eq!(g.read(two), Err(FaultReason::NotPresent));
    // Address bits below the size are none.
    g.set(PD, IOVA >> 21, FULL | LARGE_PAGE | 1 << 13);
    assert_eq!(g.read(two), Err(FaultReason::BadTable));
    g.m.finish();
}

#[test]
fn both_stages_must_allow_it() {
    let mut g = Guest::new();
    let nested = g.attached();
    for (entry, read, write) in [
        (page(DATA) | FULL, Ok(()), Ok(())),
        (page(DATA) | PRESENT | USER, Ok(()), Err(FaultReason::NoWrite)),
        (page(DATA) | PRESENT | WRITABLE, Err(FaultReason::NoRead), Err(FaultReason::NoWrite)),
        (page(DATA) | WRITABLE | USER, Err(FaultReason::NotPresent), Err(FaultReason::NotPresent)),
        (page(GUEST_PAGES) | FULL, Err(FaultReason::SecondStage), Err(FaultReason::SecondStage)),
    ] {
        g.set(PT, IOVA >> 12, entry);
        g.flush(nested, IOVA, 1, 0);
        assert_eq!((g.read(IOVA).map(|_| ()), g.m.write(EDU, IOVA, &[1])), (read, write), "{entry:#x}");
    }
    // A right that is given later needs no invalidation; one that is taken away does.
    g.set(PT, IOVA >> 12, page(DATA) | PRESENT | USER);
    g.flush(nested, IOVA, 1, 0);
    assert!(g.read(IOVA).is_ok());
    g.set(PT, IOVA >> 12, page(DATA) | FULL);
    assert_eq!(g.m.write(EDU, IOVA, &[1]), Ok(()));
    g.set(PT, IOVA >> 12, page(DATA) | PRESENT | USER);
    assert_eq!(g.m.write(EDU, IOVA, &[1]), Ok(()), "stale");
    // Each level counts.
    g.set(PT, IOVA >> 12, page(DATA) | FULL);
    g.set(PDP, IOVA >> 30, page(PD) | PRESENT | USER);
    g.flush(nested, 0, u64::MAX, 0);
    assert_eq!(g.m.write(EDU, IOVA, &[1]), Err(FaultReason::NoWrite));
    // A table where the second stage has nothing, an address that no table translates, a mark of a page where there is none.
    g.set(PDP, IOVA >> 30, page(GUEST_PAGES) | FULL);
    g.flush(nested, 0, u64::MAX, 0);
    assert_eq!(g.read(IOVA), Err(FaultReason::TableUnreachable));
    assert_eq!(g.read(1 << 47), Err(FaultReason::BeyondAperture));
    assert_eq!(g.read(u64::MAX - 0xfff), Err(FaultReason::NotPresent), "the sign is repeated");
    g.set(ROOT, IOVA >> 39, page(PDP) | FULL | LARGE_PAGE);
    g.flush(nested, 0, u64::MAX, 0);
    assert_eq!(g.read(IOVA), Err(FaultReason::BadTable));
    g.m.finish();
}

#[test]
fn what_changes_below_is_never_stale() {
    let mut g = Guest::new();
    let nested = g.attached();
    assert_eq!(g.read(IOVA).unwrap(), b"data");
    g.m.unmap(g.iommu, g.ioas, GUEST, GUEST_PAGES * PAGE).unwrap();
    assert_eq!(g.read(IOVA), Err(FaultReason::TableUnreachable));
    g.m.map_at(g.iommu, g.ioas, g.va, GUEST_PAGES * PAGE, GUEST).unwrap();
    assert_eq!(g.read(IOVA).unwrap(), b"data");
    // Moving away and back forgets what is stale, as on hardware.
    g.set(PT, IOVA >> 12, page(OTHER) | FULL);
    assert_eq!(g.m.attach(g.fd, g.parent), Ok(g.parent));
    assert_eq!(g.read(page(DATA)).unwrap(), b"data", "the parent alone");
    assert_eq!(g.m.attach(g.fd, nested), Ok(nested));
    assert_eq!(g.read(IOVA).unwrap(), b"more");
    g.m.finish();
}

#[test]
fn five_levels_and_the_extended_accessed_bit() {
    let mut g = Guest::new();
    let top = 6;
    let iova = 0x12_3456_789a_b000_u64 << 1;
    for (table, shift, target) in [(top, 48, ROOT), (ROOT, 39, PDP), (PDP, 30, PD), (PD, 21, PT), (PT, 12, DATA)] {
        g.set(table, iova >> shift, page(target) | FULL);
    }
    let bytes = data(page(top), 57, api::VTD_S1_EAFE);
    let nested = g.m.hwpt_data(g.iommu, (g.device, g.parent), 0, VTD, &bytes).unwrap();
    g.m.attach(g.fd, nested).unwrap();
    assert_eq!(g.read(iova).unwrap(), b"data");
    assert_eq!(g.entry(top, iova >> 48) & (ACCESSED | EXTENDED), ACCESSED | EXTENDED);
    assert_eq!(g.read(1 << 56), Err(FaultReason::BeyondAperture));
    g.m.finish();
}

#[test]
fn making_and_attaching_have_checks_of_their_own() {
    let mut g = Guest::new();
    let ids = (g.device, g.parent);
    let good = data(page(ROOT), 48, 0);
    let plain = g.m.hwpt(g.iommu, g.device, g.ioas).unwrap();
    let before = g.m.kernel.usage();
    let pasid = api::HWPT_ALLOC_PASID;
    for (ids, flags, kind, length, error) in [
        (ids, 0, 0, 0, Errno::EOPNOTSUPP),
        (ids, api::HWPT_ALLOC_NEST_PARENT, VTD, 24, Errno::EOPNOTSUPP),
        ((g.device, plain), 0, VTD, 24, Errno::EINVAL),
        (ids, 0, 2, 24, Errno::EOPNOTSUPP),
        (ids, 0, VTD, 23, Errno::EINVAL),
        (ids, 0, VTD, 16, Errno::EINVAL),
        (ids, api::HWPT_FAULT_ID_VALID, VTD, 24, Errno::ENOENT),
    ] {
        assert_eq!(g.m.hwpt_data(g.iommu, ids, flags, kind, &good[..length]), Err(error), "{flags} {kind} {length}");
    }
    let request = api::HwptAlloc { dev_id: g.device, pt_id: g.parent, data_type: VTD, data_len: 24, data_uptr: 8, ..Default::default() };
    assert_eq!(g.m.call(g.iommu, request), Err(Errno::EFAULT));
    assert_eq!(
        g.m.hwpt_data(g.iommu, (g.device, g.ioas), api::HWPT_ALLOC_NEST_PARENT | api::HWPT_FAULT_ID_VALID, 0, &[]),
        Err(Errno::EOPNOTSUPP)
    );
    assert_eq!(g.m.kernel.usage().objects, before.objects);
    // Widths and flags are looked at when a device comes.
    for (width, flags) in [(0, 0), (39, 0), (47, 0), (48, api::VTD_S1_SRE)] {
        let nested = g.m.hwpt_data(g.iommu, ids, pasid, VTD, &data(page(ROOT), width, flags)).unwrap();
        assert_eq!(
            (g.m.attach(g.fd, nested), g.m.attach_pasid(g.fd, 1, nested)),
            (Err(Errno::EINVAL), Err(Errno::EINVAL)),
            "{width} {flags}"
        );
        g.m.destroy(g.iommu, nested).unwrap();
    }
    let nested = g.m.hwpt_data(g.iommu, ids, pasid, VTD, &good).unwrap();
    assert_eq!(g.m.hwpt_data(g.iommu, (g.device, nested), 0, VTD, &good), Err(Errno::EINVAL), "none on top of one");
    assert_eq!(g.m.attach_pasid(g.fd, 9, nested), Ok(nested));
    assert_eq!(g.m.read_with(EDU, 9, IOVA, 4).unwrap(), b"data");
    assert_eq!(g.m.read(EDU, IOVA, 4), Err(FaultReason::Blocked));
    g.m.finish();
}

#[test]
fn a_parent_maps_nothing_for_reading_alone() {
    let mut g = Guest::new();
    assert_eq!(g.m.map(g.iommu, g.ioas, g.va, PAGE, READ | FIXED, 0x80_0000), Err(Errno::EINVAL));
    let other = g.m.ioas(g.iommu);
    g.m.map(g.iommu, other, g.va, PAGE, READ | FIXED, 0x80_0000).unwrap();
    assert_eq!(g.m.hwpt_flags(g.iommu, g.device, other, api::HWPT_ALLOC_NEST_PARENT), Err(Errno::EINVAL));
    assert!(g.m.hwpt(g.iommu, g.device, other).is_ok());
    g.m.finish();
}

#[test]
fn invalidation_tells_how_far_it_came() {
    let mut g = Guest::new();
    let nested = g.nested();
    let entry = |addr: u64, npages: u64, flags: u32, reserved: u32| {
        let mut bytes = [0; 24];
        api::HwptVtdS1Invalidate { addr, npages, flags, reserved }.write(&mut bytes);
        bytes
    };
    let good = entry(0x1000, 1, 0, 0);
    for (bad, error) in [
        (entry(0x1001, 1, 0, 0), Errno::EINVAL),
        (entry(0x1000, u64::MAX, 0, 0), Errno::EINVAL),
        (entry(0, 1, 2, 0), Errno::EOPNOTSUPP),
        (entry(0, 1, 0, 1), Errno::EOPNOTSUPP),
    ] {
        let list = [good, entry(0, u64::MAX, 1, 0), bad, good].concat();
        assert_eq!(g.m.invalidate(g.iommu, nested, 0, 24, &list), (Err(error), 2));
    }
    assert_eq!(g.m.invalidate(g.iommu, nested, 0, 24, &[good, good].concat()), (Ok(()), 2));
    assert_eq!(g.m.invalidate(g.iommu, nested, 1, 24, &good), (Err(Errno::EINVAL), 0));
    assert_eq!(g.m.invalidate(g.iommu, nested, 0, 16, &good[..16]), (Err(Errno::EINVAL), 0));
    assert_eq!(g.m.invalidate(g.iommu, nested, 0, 24, &[]), (Ok(()), 0));
    assert_eq!(g.m.invalidate(g.iommu, nested, 1, 24, &[]), (Err(Errno::EINVAL), 0));
    for other in [g.parent, g.ioas, g.device] {
        assert_eq!(g.m.invalidate(g.iommu, other, 0, 24, &good), (Err(Errno::EINVAL), 0));
    }
    assert_eq!(g.m.invalidate(g.iommu, NO_ID, 0, 24, &good), (Err(Errno::ENOENT), 0));
    g.m.finish();
}

#[test]
fn closing_everything_ends_nested_page_tables_too() {
    let mut g = Guest::new();
    g.attached();
    g.nested();
    g.m.finish();
}

/// The pages of the guest that were written to since this was asked last.
fn dirty_pages(g: &mut Guest) -> Vec<u64> {
    let data = g.m.memory(PAGE);
    let length = GUEST_PAGES * PAGE;
    let request = api::HwptGetDirtyBitmap { hwpt_id: g.parent, iova: GUEST, length, page_size: PAGE, data, ..Default::default() };
    g.m.call(g.iommu, request).unwrap();
    let bits = u64::from_le_bytes(g.m.peek(data, 8).try_into().unwrap());
    (0..GUEST_PAGES).filter(|page| bits >> page & 1 != 0).collect()
}

#[test]
fn the_second_stage_knows_what_was_written_through_the_first_and_which_tables_were_marked() {
    let flags = api::HWPT_ALLOC_NEST_PARENT | api::HWPT_ALLOC_DIRTY_TRACKING;
    let mut g = Guest::with(Setup::tracking(Kind::VtdSs), flags);
    g.attached();
    let set = api::HwptSetDirtyTracking { size: 0, flags: 1, hwpt_id: g.parent, reserved: 0 };
    g.m.call(g.iommu, set).unwrap();
    // A read: the tables get their accessed bits, which are written.
    g.read(IOVA).unwrap();
    assert_eq!(dirty_pages(&mut g), [ROOT, PDP, PD, PT]);
    g.read(IOVA).unwrap();
    assert_eq!(dirty_pages(&mut g), []);
    // A write: the dirty bit of the last table, and the page.
    g.m.write(EDU, IOVA, b"new").unwrap();
    assert_eq!(dirty_pages(&mut g), [PT, DATA]);
    // Neither stage's cache hides the next one, nor does a read before it.
    g.m.write(EDU, IOVA, b"new").unwrap();
    assert_eq!(dirty_pages(&mut g), [DATA]);
    g.read(IOVA).unwrap();
    g.m.write(EDU, IOVA, b"new").unwrap();
    g.m.write(EDU, IOVA, b"new").unwrap();
    assert_eq!(dirty_pages(&mut g), [DATA]);
    g.m.finish();
}

#[test]
fn a_guest_reaches_the_bar_of_another_device_but_has_no_tables_there() {
    let mut g = Guest::new();
    let (target, _) = g.m.bound(NIC, g.iommu);
    let get = vfio::DEVICE_FEATURE_GET | vfio::DEVICE_FEATURE_DMA_BUF;
    let mut bytes = vfio::DeviceFeature { argsz: 40, flags: get }.bytes();
    bytes.extend([0_u32, 2, 0, 1].into_iter().flat_map(u32::to_le_bytes));
    bytes.extend([0, PAGE].into_iter().flat_map(u64::to_le_bytes));
    let file = g.m.raw(target, vfio::DEVICE_FEATURE, &bytes).0.unwrap() as i32;
    let at = g.m.map_file(g.iommu, g.ioas, file, 0, PAGE, RW).unwrap();
    let nested = g.attached();
    g.set(PT, IOVA >> 12, at | FULL);
    let peer = g.m.kernel.dma_write(EDU, None, IOVA + 8, g.m.staging, 8).unwrap();
    assert_eq!(peer.map(|peer| peer.run.pa.0), Some(bar(NIC) + 8));
    g.set(PD, IOVA >> 21, at | FULL);
    g.flush(nested, 0, u64::MAX, 0);
    assert_eq!(g.read(IOVA), Err(FaultReason::TableUnreachable));
    g.set(PD, IOVA >> 21, page(PT) | FULL);
    g.flush(nested, 0, u64::MAX, 0);
    g.m.kernel.set_memory_enabled(NIC, false).unwrap();
    assert_eq!(g.read(IOVA), Err(FaultReason::SecondStage), "revoked, and nothing of it is cached");
    g.m.finish();
}
