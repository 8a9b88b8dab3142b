//! What is refused, and that a refusal leaves no trace.

mod common;

use common::{BOTH, Subject, every_geometry, granule, runs, table_of};
use pgtable::fmt::{AMD_V1, VTD_SS};
use pgtable::{Config, Format, MapError, Prot, VecMemory};

/// Fails the first, second, … table allocation of a mapping that needs many, until it succeeds.
fn fails_at_every_allocation(format: &'static Format, levels: u8) {
    let page = granule(format);
    let table = 1_u64 << format.item_lg2(1);
    let mut subject = Subject::new(format, levels);
    // Something next to it, so that tables that were there must stay.
    subject.map(table - 3 * page, &[(0x40_0000_0000, page)], Prot::READ, None).unwrap();
    let list = [(0x50_0000_0000 + page, table), (0x60_0000_0000 + page, 2 * table), (0x70_0000_0000, page)];
    let before = subject.table.tables();
    let mut failures = 0;
    while let Err(error) = subject.map(table - 2 * page, &list, BOTH, Some(failures)) {
        assert_eq!(error, MapError::OutOfMemory);
        subject.check();
        failures += 1;
    }
    assert_eq!(failures, (subject.table.tables() - before) as usize);
    assert_eq!(failures, 3);
    subject.check();
    subject.finish();
}

#[test]
fn a_map_that_runs_out_of_memory_at_any_table_changes_nothing() {
    every_geometry!(fails_at_every_allocation);
}

/// A single page takes the fast path only if its tables exist; each that is missing may fail.
fn single_page_fails_at_every_level(format: &'static Format, levels: u8) {
    let mut subject = Subject::new(format, levels);
    for tables in 0..levels - 1 {
        let result = subject.map(granule(format), &[(0x40_0000_0000, granule(format))], BOTH, Some(tables.into()));
        assert_eq!(result, Err(MapError::OutOfMemory));
    }
    subject.map(granule(format), &[(0x40_0000_0000, granule(format))], BOTH, Some((levels - 1).into())).unwrap();
    subject.map(0, &[(0x40_0000_0000, granule(format))], BOTH, Some(0)).unwrap();
    subject.check();
    subject.finish();
}

#[test]
fn one_page_needs_a_table_for_each_missing_level_and_none_next_to_another() {
    every_geometry!(single_page_fails_at_every_level);
}

fn refuses(format: &'static Format, levels: u8) {
    let page = granule(format);
    let mut subject = Subject::new(format, levels);
    let last = subject.table.aperture_last();
    let before = subject.memory.snapshot();
    let mut refused = |iova: u64, list: &[(u64, u64)], prot: Prot, error: MapError| {
        assert_eq!(subject.table.map(&mut subject.memory, iova, runs(list), prot), Err(error), "{iova:#x} {list:x?}");
        assert_eq!(subject.memory.snapshot(), before);
        assert_eq!(subject.table.leaves().iter().sum::<u64>(), 0);
    };
    refused(0, &[(0x1_0000_0000, page)], Prot::NONE, MapError::NoAccess);
    refused(page / 2, &[(0x1_0000_0000, page)], BOTH, MapError::Misaligned);
    refused(0, &[(0x1_0000_0000 + page / 2, page)], BOTH, MapError::Misaligned);
    refused(0, &[(0x1_0000_0000, page / 2)], BOTH, MapError::Misaligned);
    refused(0, &[(0x1_0000_0000, page), (0x1_0000_0000, page + 8)], BOTH, MapError::Misaligned);
    refused(0, &[(0x1_0000_0000, page), (0x1_0000_0000 + page, page + 8)], BOTH, MapError::Misaligned);
    refused(last - (page - 1), &[(0x1_0000_0000, 2 * page)], BOTH, MapError::OutOfRange);
    refused(last - (page - 1), &[(0x1_0000_0000, page), (0x1_0000_0000, page)], BOTH, MapError::OutOfRange);
    refused(0, &[(1 << format.max_output_lg2, page)], BOTH, MapError::OutOfRange);
    refused(0, &[((1 << format.max_output_lg2) - page, 2 * page)], BOTH, MapError::OutOfRange);
    refused(0, &[((1 << format.max_output_lg2) - page, page), (1 << format.max_output_lg2, page)], BOTH, MapError::OutOfRange);
    refused(0, &[(0x1_0000_0000, page), (u64::MAX - (page - 1), page)], BOTH, MapError::OutOfRange);
    if last != u64::MAX {
        refused(last + 1, &[(0x1_0000_0000, page)], BOTH, MapError::OutOfRange);
    }
    subject.finish();
}

#[test]
fn misaligned_addresses_ranges_beyond_the_aperture_and_physical_addresses_too_wide_are_refused() {
    every_geometry!(refuses);
}

#[test]
fn a_page_under_or_over_a_large_leaf_exists() {
    let mut subject = Subject::new(&VTD_SS, 4);
    subject.map(0x4020_0000, &[(0x1_0020_0000, 0x20_0000)], BOTH, None).unwrap();
    assert_eq!(subject.map(0x4020_3000, &[(0x2_0000_0000, 0x1000)], BOTH, None), Err(MapError::Exists));
    assert_eq!(subject.map(0x4000_0000, &[(0x1_4000_0000, 0x4000_0000)], BOTH, None), Err(MapError::Exists));
    assert_eq!(subject.map(0x401f_f000, &[(0x2_0000_0000, 0x2000)], BOTH, None), Err(MapError::Exists));
    subject.check();
    subject.finish();
}

#[test]
fn a_table_with_too_few_or_too_many_levels_is_refused_and_takes_no_memory() {
    fn refused(format: &'static Format, levels: u8) {
        let mut memory = VecMemory::new();
        assert_eq!(table_of(&mut memory, format, Config::new(levels)).err(), Some(MapError::OutOfRange));
        assert_eq!(memory.tables(), 0);
    }
    [0, 2, 6, 255].into_iter().for_each(|levels| refused(&VTD_SS, levels));
    [0, 2, 7, 255].into_iter().for_each(|levels| refused(&AMD_V1, levels));
    let mut memory = VecMemory::new();
    memory.limit(Some(0));
    assert_eq!(table_of(&mut memory, &VTD_SS, Config::new(4)).err(), Some(MapError::OutOfMemory));
}
