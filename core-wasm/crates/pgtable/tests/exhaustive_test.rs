//! All pairs of ranges in a few pages around a table boundary.

mod common;

use common::{BOTH, Subject, every_geometry, granule};
use pgtable::{Format, MapError, Prot};

const PAGES: u64 = 6;

fn ranges() -> impl Iterator<Item = (u64, u64)> {
    (0..PAGES).flat_map(|first| (first..PAGES).map(move |last| (first, last)))
}

/// Windows of a few pages: across tables of level 0, of level 1, and the last pages of the aperture.
fn windows(format: &Format, subject: &Subject) -> [u64; 3] {
    let half = PAGES / 2 * granule(format);
    let before_last = subject.table.aperture_last() - (2 * half - 1);
    [(1 << format.item_lg2(1)) - half, (1_u64 << (format.item_lg2(2) - 1)) - half, before_last]
}

/// Aligned as the IOVA (contiguous leaves where the format has them), and off by a page (none).
fn bases(format: &Format, window: u64) -> [u64; 2] {
    let low = window & ((1 << 40) - 1);
    [low + (1 << 41), low + (1 << 41) + granule(format)]
}

fn second_map_or_unmap(format: &'static Format, levels: u8) {
    let page = granule(format);
    for window in windows(format, &Subject::new(format, levels)) {
        for pa in bases(format, window) {
            for ((first, last), (other_first, other_last)) in ranges().flat_map(|a| ranges().map(move |b| (a, b))) {
                let at = |index: u64| window + index * page;
                let mut subject = Subject::new(format, levels);
                subject.map(at(first), &[(pa + first * page, (last - first + 1) * page)], BOTH, None).unwrap();
                let run = (pa + other_first * page, (other_last - other_first + 1) * page);
                let overlap = first <= other_last && other_first <= last;
                let expected = if overlap { Err(MapError::Exists) } else { Ok(()) };
                assert_eq!(subject.map(at(other_first), &[run], Prot::READ, None), expected);
                subject.check();
                subject.unmap(at(other_first), at(other_last) + (page - 1));
                subject.check();
                subject.finish();
            }
        }
    }
}

#[test]
fn every_pair_of_ranges_around_a_table_boundary_maps_and_unmaps_as_the_model_says() {
    every_geometry!(second_map_or_unmap);
}
