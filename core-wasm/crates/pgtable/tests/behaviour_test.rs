//! What callers rely on, case by case.

mod common;

use common::{BOTH, Subject, every_geometry, granted, granule, runs};
use pgtable::fmt::{AMD_V1, VTD_SS};
use pgtable::{Config, Format, Kind, MapError, Pa, PageTable, Prot, Unmapped, VecMemory};

/// The addresses are those of a case that Linux tests too (`kunit_iommu_pt.h`).
fn maps_where_only_small_pages_fit(format: &'static Format, levels: u8) {
    let mut subject = Subject::new(format, levels);
    if format.granule_lg2 != 12 || subject.table.aperture_last() < u64::from(u32::MAX) {
        return;
    }
    subject.map(0xfef8_0000, &[(0x20_8b95_d000, 0x2_0000)], BOTH, None).unwrap();
    assert_eq!(subject.table.leaves()[12], 32);
    for offset in (0..0x2_0000).step_by(0x800) {
        let translation = subject.table.translate(&subject.memory, 0xfef8_0000 + offset).unwrap();
        assert_eq!(translation.pa, Pa(0x20_8b95_d000 + offset));
    }
    subject.check();
    subject.finish();
}

#[test]
fn an_iova_and_a_pa_with_different_offsets_map_by_small_pages() {
    every_geometry!(maps_where_only_small_pages_fit);
}

#[test]
fn an_identity_map_across_a_gigabyte_boundary_uses_large_pages_inside_and_smaller_ones_at_both_ends() {
    for levels in 3..=5 {
        let mut subject = Subject::new(&VTD_SS, levels);
        subject.map(0x3_fe40_0000, &[(0x3_fe40_0000, 0xc220_0000)], BOTH, None).unwrap();
        assert_eq!(subject.table.leaves().iter().sum::<u64>(), 20);
        assert_eq!((subject.table.leaves()[21], subject.table.leaves()[30]), (14 + 3, 3));
        let size = |iova| subject.table.translate(&subject.memory, iova).unwrap().lg2_size;
        assert_eq!(
            [0x3_fe40_0000, 0x3_ffff_ffff, 0x4_0000_0000, 0x4_bfff_ffff, 0x4_c000_0000, 0x4_c05f_ffff].map(size),
            [21, 21, 30, 30, 21, 21]
        );
        subject.check();
        subject.finish();
    }
}

#[test]
fn runs_that_continue_each_other_are_joined_into_large_pages() {
    let mut subject = Subject::new(&VTD_SS, 4);
    let pages: Vec<(u64, u64)> = (0..512).map(|page| (0x1_0000_0000 + page * 0x1000, 0x1000)).collect();
    subject.map(0x20_0000, &pages, BOTH, None).unwrap();
    assert_eq!((subject.table.leaves()[12], subject.table.leaves()[21]), (0, 1));
    subject.finish();
}

#[test]
fn runs_of_no_bytes_and_no_runs_at_all_map_nothing() {
    let mut subject = Subject::new(&VTD_SS, 4);
    let before = subject.memory.snapshot();
    assert_eq!(subject.table.map(&mut subject.memory, 0x1000, runs(&[]), BOTH), Ok(()));
    assert_eq!(subject.table.map(&mut subject.memory, 0x1000, runs(&[(5, 0), (0x1000, 0)]), BOTH), Ok(()));
    assert_eq!(subject.memory.snapshot(), before);
    let list = [(0, 0), (0x1_0000_0000, 0x1000), (7, 0), (0x1_0000_1000, 0x1000), (9, 0)];
    subject.table.map(&mut subject.memory, 0x1000, runs(&list), BOTH).unwrap();
    assert_eq!(subject.table.translate(&subject.memory, 0x2008).unwrap().pa, Pa(0x1_0000_1008));
    assert_eq!(subject.table.leaves()[12], 2);
}

#[test]
fn page_sizes_that_are_not_configured_are_not_used_and_the_smallest_always_is() {
    let mut subject = Subject::with(&VTD_SS, Config { page_sizes: 1 << 21 | 1 << 13, ..Config::new(4) });
    assert_eq!(subject.table.page_sizes(), 1 << 21 | 1 << 12);
    subject.map(0x4000_0000, &[(0x1_4000_0000, 0x4000_1000)], BOTH, None).unwrap();
    assert_eq!((subject.table.leaves()[12], subject.table.leaves()[21], subject.table.leaves()[30]), (1, 512, 0));
    subject.check();
    subject.finish();
}

#[test]
fn amd_leaves_out_512_gib_and_maps_two_halves() {
    let mut subject = Subject::new(&AMD_V1, 5);
    subject.map(1 << 39, &[(1 << 40, 1 << 39)], BOTH, None).unwrap();
    assert_eq!((subject.table.leaves()[38], subject.table.leaves()[39]), (2, 0));
    subject.map(1 << 40, &[(1 << 40, 1 << 40)], BOTH, None).unwrap();
    assert_eq!(subject.table.leaves()[40], 1);
    subject.check();
    subject.finish();
}

#[test]
fn unmapping_part_of_a_large_leaf_takes_it_whole_and_says_so() {
    let mut subject = Subject::new(&VTD_SS, 4);
    subject.map(0x20_0000, &[(0x1_0020_0000, 0x60_0000)], BOTH, None).unwrap();
    let done = subject.table.unmap(&mut subject.memory, 0x3f_f000, 0x2000);
    let expected = Unmapped { length: 0x40_0000, leaves: 2, tables: 0, first: 0x20_0000, last: 0x5f_ffff };
    assert_eq!(done, expected);
    assert!(subject.table.translate(&subject.memory, 0x5f_ffff).is_none());
    assert!(subject.table.translate(&subject.memory, 0x60_0000).is_some());
    let done = subject.table.unmap(&mut subject.memory, 0x7f_f000, 0x1000);
    assert_eq!(done, Unmapped { length: 0x20_0000, leaves: 1, tables: 2, first: 0x60_0000, last: 0x7f_ffff });
}

#[test]
fn unmapping_part_of_a_contiguous_leaf_takes_all_its_entries() {
    let mut subject = Subject::new(&AMD_V1, 4);
    subject.map(0x1_0000, &[(0x1_0001_0000, 0x1_0000)], BOTH, None).unwrap();
    assert_eq!(subject.table.leaves()[16], 1);
    let done = subject.table.unmap(&mut subject.memory, 0x1_5000, 0x1000);
    assert_eq!(done, Unmapped { length: 0x1_0000, leaves: 1, tables: 3, first: 0x1_0000, last: 0x1_ffff });
    subject.model.clear();
    subject.check();
}

#[test]
fn holes_in_an_unmapped_range_are_skipped_and_not_counted() {
    let mut subject = Subject::new(&VTD_SS, 4);
    for iova in [0x1000, 0x1f_f000, 0x4000_0000, 0x80_0000_0000] {
        subject.map(iova, &[(0x1_0000_3000, 0x1000)], BOTH, None).unwrap();
    }
    assert_eq!(subject.table.unmap(&mut subject.memory, 0x2000, 0x1000).length, 0);
    let done = subject.table.unmap(&mut subject.memory, 0, 0x80_0000_0000);
    assert_eq!((done.length, done.leaves, done.tables), (0x3000, 3, 5));
    assert!(subject.table.translate(&subject.memory, 0x80_0000_0fff).is_some());
    subject.model.retain(|&iova, _| iova == 0x80_0000_0000);
    subject.check();
    subject.finish();
}

#[test]
fn unmapping_nothing_or_beyond_the_aperture_does_nothing() {
    let mut subject = Subject::new(&VTD_SS, 3);
    subject.map(0, &[(0x1_0000_0000, 0x1000)], BOTH, None).unwrap();
    assert_eq!(subject.table.unmap(&mut subject.memory, 0, 0), Unmapped::default());
    assert_eq!(subject.table.unmap(&mut subject.memory, 1 << 39, u64::MAX), Unmapped::default());
    assert_eq!(subject.table.unmap_range(&mut subject.memory, 0x2000, 0xfff).leaves, 0);
    assert_eq!(subject.table.unmap(&mut subject.memory, u64::MAX, u64::MAX), Unmapped::default());
    subject.check();
    assert_eq!(subject.table.unmap(&mut subject.memory, 0, u64::MAX).length, 0x1000);
}

fn maps_the_last_page(format: &'static Format, levels: u8) {
    let page = granule(format);
    let mut subject = Subject::new(format, levels);
    let last = subject.table.aperture_last();
    subject.map(last - (page - 1), &[(0x1_0000_0000, page)], Prot::WRITE, None).unwrap();
    let translation = subject.table.translate(&subject.memory, last).unwrap();
    assert_eq!((translation.pa, translation.prot), (Pa(0x1_0000_0000 + (page - 1)), granted(format, Prot::WRITE)));
    assert!(last == u64::MAX || subject.table.translate(&subject.memory, last + 1).is_none());
    assert!(subject.table.translate(&subject.memory, 0).is_none());
    subject.check();
    let done = subject.table.unmap(&mut subject.memory, last, u64::MAX);
    assert_eq!((done.length, done.last, done.tables), (page, last, u32::from(levels) - 1));
}

#[test]
fn the_last_page_of_the_aperture_maps_translates_and_unmaps() {
    every_geometry!(maps_the_last_page);
}

#[test]
fn a_full_64_bit_space_can_be_mapped_to_its_last_byte_and_not_further() {
    let mut subject = Subject::new(&AMD_V1, 6);
    let mut list = vec![(0, 1_u64 << 51); 1 << 13];
    subject.map(0, &list, BOTH, None).unwrap();
    assert_eq!(subject.table.leaves()[51], 1 << 13);
    assert_eq!(subject.table.translate(&subject.memory, u64::MAX).unwrap().pa, Pa((1 << 51) - 1));
    subject.check();
    let done = subject.table.unmap_range(&mut subject.memory, 0, u64::MAX);
    assert_eq!((done.length, done.leaves, done.last), (u64::MAX, 1 << 13, u64::MAX));
    assert_eq!(subject.table.tables(), 1);
    list.push((0, 0x1000));
    let before = subject.memory.snapshot();
    assert_eq!(subject.table.map(&mut subject.memory, 0, runs(&list), BOTH), Err(MapError::OutOfRange));
    assert_eq!(subject.memory.snapshot(), before);
}

#[test]
fn the_aperture_follows_from_the_levels() {
    let aperture = |kind: Kind, levels: u8| {
        let mut memory = VecMemory::new();
        let table = PageTable::new(&mut memory, kind, Config::new(levels)).unwrap();
        assert_eq!((table.format(), table.levels(), table.smallest_page_lg2()), (kind.format(), levels, 12));
        table.aperture_last()
    };
    let bits = |bits: u32| u64::MAX >> (64 - bits);
    assert_eq!(Kind::VtdSs.levels().map(|levels| aperture(Kind::VtdSs, levels)).collect::<Vec<_>>(), [39, 48, 57].map(bits));
    assert_eq!(Kind::AmdV1.levels().map(|levels| aperture(Kind::AmdV1, levels)).collect::<Vec<_>>(), [39, 48, 57, 64].map(bits));
}

#[test]
fn page_sizes_are_those_of_the_specification_up_to_the_levels() {
    let sizes = |kind: Kind, levels: u8| PageTable::new(&mut VecMemory::new(), kind, Config::new(levels)).unwrap().page_sizes();
    for levels in 3..=5 {
        assert_eq!(sizes(Kind::VtdSs, levels), 0x4020_1000);
    }
    // Every power of two from 4 KiB below half of what is translated, without 512 GiB.
    assert_eq!(sizes(Kind::AmdV1, 3), 0x0000_003f_ffff_f000);
    assert_eq!(sizes(Kind::AmdV1, 4), 0x0000_7f7f_ffff_f000);
    assert_eq!(sizes(Kind::AmdV1, 5), 0x000f_ff7f_ffff_f000);
    assert_eq!(sizes(Kind::AmdV1, 6), 0x000f_ff7f_ffff_f000);
}
