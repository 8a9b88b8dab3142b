//! Examples at the edges: the first and the last address, neighbours, single addresses, and what is refused there.

use iova::{AllowError, FixedError, InsertError, IovaSpace, PlaceError, Range, RangeMap, ReserveError};

const PAGE: u64 = 4096;
const TOP: u64 = u64::MAX;

fn range(start: u64, last: u64) -> Range {
    Range { start, last }
}

#[test]
fn ranges_share_addresses_up_to_both_ends_of_the_space() {
    assert!(Range::ALL.contains(0) && Range::ALL.contains(TOP));
    assert!(range(0, 4).overlaps(range(4, 9)) && range(4, 9).overlaps(range(0, 4)));
    assert!(!range(0, 4).overlaps(range(5, TOP)) && !range(5, TOP).overlaps(range(0, 4)));
    assert_eq!(range(0, 4).intersection(range(4, TOP)), Some(range(4, 4)));
    assert_eq!(range(0, 3).intersection(range(4, TOP)), None);
    assert_eq!(Range::ALL.intersection(range(TOP, TOP)), Some(range(TOP, TOP)));
}

#[test]
fn a_map_takes_the_whole_space_as_one_entry() {
    let mut map = RangeMap::new();
    map.insert(Range::ALL, 'a').unwrap();
    assert_eq!(map.get(0), Some((Range::ALL, 'a')));
    assert_eq!(map.get(TOP), Some((Range::ALL, 'a')));
    assert_eq!(map.first_from(TOP), Some((Range::ALL, 'a')));
    for other in [range(0, 0), range(TOP, TOP), range(7, 9), Range::ALL] {
        assert_eq!(map.insert(other, 'b'), Err(InsertError::Overlap));
        assert!(map.overlaps(other));
    }
    assert_eq!(map.remove(1), None);
    assert_eq!(map.remove(0), Some((Range::ALL, 'a')));
    assert!(map.is_empty() && !map.overlaps(Range::ALL) && map.first_from(0).is_none());
}

#[test]
fn a_map_takes_neighbours_and_single_addresses_at_both_ends() {
    let mut map = RangeMap::new();
    let entries = [range(0, 0), range(1, 9), range(10, TOP - 2), range(TOP - 1, TOP - 1), range(TOP, TOP)];
    for entry in entries.into_iter().rev() {
        map.insert(entry, entry.start).unwrap();
        map.check_invariants();
    }
    assert!(map.iter().map(|(entry, _)| entry).eq(entries));
    assert_eq!(map.get(9), Some((range(1, 9), 1)));
    assert_eq!(map.get(10), Some((range(10, TOP - 2), 10)));
    assert!(map.iter_from(TOP).map(|(entry, _)| entry).eq([range(TOP, TOP)]));
    assert_eq!(map.remove(TOP), Some((range(TOP, TOP), TOP)));
    assert_eq!((map.get(TOP), map.first_from(TOP)), (None, None));
    assert_eq!(map.insert(range(TOP, TOP - 1), 0), Err(InsertError::Overlap), "it ends before it starts");
}

#[test]
fn a_space_without_areas_owns_nothing_and_places_at_the_first_page() {
    let mut space = IovaSpace::<()>::new();
    space.check_invariants();
    assert!(space.usable().eq([Range::ALL]));
    assert_eq!(space.place(0, 1, 1), Ok(PAGE));
    assert_eq!(space.place(0, 1, PAGE), Err(PlaceError::Misaligned), "one byte is worth no page's alignment");
    assert_eq!(space.place(0, 3 * PAGE, PAGE), Ok(4 * PAGE), "aligned to the next power of two");
    assert_eq!(space.place(5 * PAGE, 3 * PAGE, PAGE), Ok(PAGE), "but no more than the memory is");
    assert_eq!(space.place(0, 1 << 40, PAGE), Ok(2 << 20), "nor more than a large page");
    assert_eq!(space.place(3, 9, 1), Ok(PAGE + 3), "the offset in the page stays");
    assert_eq!(space.place(0, 0, 1), Err(PlaceError::Overflow));
    assert_eq!(space.place(0, TOP / 2, 1), Err(PlaceError::Overflow));
    assert_eq!(space.place(0, TOP / 2 - 1, 1), Ok(2 << 20));
}

#[test]
fn a_space_that_is_full_takes_nothing_and_frees_all() {
    let mut space = IovaSpace::new();
    space.insert(Range::ALL, ()).unwrap();
    space.check_invariants();
    assert_eq!(space.place(0, 1, 1), Err(PlaceError::NoSpace));
    assert_eq!(space.check_fixed(0, 1, 1), Err(FixedError::Exists));
    assert_eq!(space.reserve(range(TOP, TOP), 1), Err(ReserveError::AreaOverlap));
    assert_eq!(space.remove(0), Some((Range::ALL, ())));
    space.check_invariants();
    assert_eq!(space.place(0, PAGE, PAGE), Ok(PAGE));
}

#[test]
fn automatic_placement_uses_neither_the_first_page_nor_the_last() {
    let mut space = IovaSpace::new();
    // Free: all below 2 pages, and all from 3 pages below the end.
    space.insert(range(2 * PAGE, TOP - 3 * PAGE), ()).unwrap();
    assert_eq!(space.place(0, PAGE, PAGE), Ok(PAGE));
    space.insert(range(PAGE, 2 * PAGE - 1), ()).unwrap();
    // Up to TOP - PAGE, which as an inclusive last address leaves one byte of the last page but one unused.
    assert_eq!(space.place(0, PAGE, PAGE), Ok(TOP - 3 * PAGE + 1));
    space.insert(range(TOP - 3 * PAGE + 1, TOP - 2 * PAGE), ()).unwrap();
    assert_eq!(space.place(0, PAGE, PAGE), Ok(TOP - 2 * PAGE + 1));
    space.insert(range(TOP - 2 * PAGE + 1, TOP - PAGE), ()).unwrap();
    assert_eq!(space.place(0, PAGE, PAGE), Err(PlaceError::NoSpace));
    assert_eq!(space.place(0, 1, 1), Err(PlaceError::NoSpace));
    // By a fixed address both can be had.
    for first in [0, TOP - PAGE + 1] {
        let page = space.check_fixed(first, PAGE, PAGE).unwrap();
        assert_eq!(page, range(first, first + (PAGE - 1)));
        space.insert(page, ()).unwrap();
        space.check_invariants();
    }
    assert_eq!(space.check_fixed(TOP, 1, 1), Err(FixedError::Exists));
}

#[test]
fn fixed_addresses_are_refused_in_the_order_of_linux() {
    let mut space = IovaSpace::new();
    space.insert(range(0, PAGE - 1), ()).unwrap();
    space.reserve(range(TOP - PAGE, TOP), 1).unwrap();
    assert_eq!(space.check_fixed(TOP - 1, 8, PAGE), Err(FixedError::Misaligned), "before the overflow");
    assert_eq!(space.check_fixed(TOP - PAGE + 1, 2 * PAGE, PAGE), Err(FixedError::Overflow), "before the reserved range");
    assert_eq!(space.check_fixed(0, TOP, PAGE), Err(FixedError::Reserved), "before the area");
    assert_eq!(space.check_fixed(PAGE - 1, 2, 1), Err(FixedError::Exists));
    assert_eq!(space.check_fixed(PAGE, PAGE, PAGE), Ok(range(PAGE, 2 * PAGE - 1)), "a neighbour is no obstacle");
    assert_eq!(space.insert(range(TOP, TOP), ()), Err(InsertError::Overlap), "no area touches a reserved range");
}

#[test]
fn a_single_free_address_is_no_place() {
    let mut space = IovaSpace::new();
    space.insert(range(0, 2 * PAGE - 1), ()).unwrap();
    space.insert(range(2 * PAGE + 1, TOP), ()).unwrap();
    assert_eq!(space.place(0, 1, 1), Err(PlaceError::NoSpace), "Linux never gives the last address of a hole");
    assert_eq!(space.check_fixed(2 * PAGE, 1, 1), Ok(range(2 * PAGE, 2 * PAGE)));
    space.remove(2 * PAGE + 1).unwrap();
    assert_eq!(space.place(0, 1, 1), Ok(2 * PAGE));
}

#[test]
fn reserved_ranges_may_overlap_and_go_by_owner() {
    let mut space = IovaSpace::<()>::new();
    space.reserve(range(0, 99), 1).unwrap();
    space.reserve(range(50, 149), 2).unwrap();
    space.reserve(range(150, 199), 1).unwrap();
    space.reserve(range(TOP - 9, TOP), 2).unwrap();
    space.reserve(range(TOP - 4, TOP), 1).unwrap();
    assert!(space.usable().eq([range(200, TOP - 10)]));
    space.release(1);
    space.check_invariants();
    assert!(space.usable().eq([range(0, 49), range(150, TOP - 10)]));
    space.release(7);
    space.release(2);
    space.check_invariants();
    assert!(space.usable().eq([Range::ALL]));
    space.reserve(Range::ALL, 3).unwrap();
    space.check_invariants();
    assert_eq!(space.usable().next(), None);
    assert_eq!(space.place(0, PAGE, PAGE), Err(PlaceError::NoSpace));
}

#[test]
fn allowed_ranges_are_tried_from_the_lowest_on_and_joined_where_they_touch() {
    let mut space = IovaSpace::new();
    let (low, high) = (range(8 * PAGE, 9 * PAGE - 1), range(9 * PAGE, 10 * PAGE - 1));
    space.set_allowed(&[high, low]).unwrap();
    assert_eq!(space.place(PAGE, 2 * PAGE, PAGE), Ok(8 * PAGE), "half in each");
    space.insert(low, ()).unwrap();
    assert_eq!(space.place(PAGE, PAGE, PAGE), Ok(9 * PAGE));
    assert_eq!(space.place(PAGE, 2 * PAGE, PAGE), Err(PlaceError::NoSpace));
    assert_eq!(space.reserve(high, 1), Err(ReserveError::AllowedOverlap));
    // Refused lists leave the one before in force.
    space.reserve(range(20 * PAGE, 21 * PAGE), 1).unwrap();
    assert_eq!(space.set_allowed(&[range(5, 5)]), Err(AllowError::Inverted), "a single address");
    assert_eq!(space.set_allowed(&[range(6, 5)]), Err(AllowError::Inverted));
    assert_eq!(space.set_allowed(&[range(0, 5), range(5, 9)]), Err(AllowError::Overlap));
    assert_eq!(space.set_allowed(&[range(0, 5), range(21 * PAGE, TOP)]), Err(AllowError::Reserved));
    assert_eq!(space.place(PAGE, PAGE, PAGE), Ok(9 * PAGE));
    space.set_allowed(&[range(21 * PAGE + 1, TOP)]).unwrap();
    assert_eq!(space.place(PAGE, PAGE, PAGE), Ok(22 * PAGE));
    space.set_allowed(&[]).unwrap();
    assert_eq!(space.place(PAGE, PAGE, PAGE), Ok(PAGE));
}
