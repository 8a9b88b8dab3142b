//! Out of memory: whatever fails leaves everything as it was, and removing, releasing and placing need none.

use iova::testing::limit_growth;
use iova::{AllowError, InsertError, IovaSpace, OutOfMemory, PlaceError, Range, RangeMap, ReserveError};
use proptest::prelude::*;
use std::fmt::Debug;

/// Everything that a caller can see of a space. Where placement goes tells of gaps and allowed ranges.
#[derive(PartialEq, Debug)]
struct Content {
    areas: Vec<(Range, u32)>,
    usable: Vec<Range>,
    places: Vec<Result<u64, PlaceError>>,
}

fn content(space: &mut IovaSpace<u32>) -> Content {
    space.check_invariants();
    let places = [1, 4096, 8192, 1 << 16, 1 << 21, 1 << 32, 1 << 60].map(|length| space.place(0, length, 1));
    let (areas, usable) = (space.iter_from(0).collect(), space.usable().collect());
    space.check_invariants();
    Content { areas, usable, places: places.to_vec() }
}

/// Runs `operation` until it does not fail for want of memory, which it first gets none of, and then for one growth at each attempt: as a
/// list that grew stays so, each growth fails once. How often it failed.
fn sweep<R: PartialEq + Debug>(
    space: &mut IovaSpace<u32>,
    out_of_memory: &R,
    mut operation: impl FnMut(&mut IovaSpace<u32>) -> R,
) -> usize {
    let before = content(space);
    for attempt in 0..32 {
        limit_growth(Some(attempt.min(1)));
        let result = operation(space);
        limit_growth(None);
        if result != *out_of_memory {
            return attempt;
        }
        assert_eq!(content(space), before, "after failure {attempt}");
    }
    panic!("no operation needs so many growths");
}

fn page(index: u64) -> Range {
    Range { start: index * 8192, last: index * 8192 + 4095 }
}

const FULL: Result<(), InsertError> = Err(InsertError::OutOfMemory);

#[test]
fn an_insert_fails_at_every_growth_without_a_trace() {
    let mut space = IovaSpace::new();
    let mut failures = 0;
    for index in 0..400 {
        let failed = sweep(&mut space, &FULL, |space| space.insert(page(index), index as u32));
        assert!(index != 0 || failed == 2, "leaves, and a list of free ones");
        failures += failed;
        assert_eq!(space.len() as u64, index + 1);
    }
    assert!((20..400).contains(&failures), "lists grow now and then, not each time: {failures}");
}

#[test]
fn an_insert_that_overlaps_says_so_or_that_memory_is_short() {
    let mut space = IovaSpace::new();
    space.insert(page(1), 1).unwrap();
    limit_growth(Some(0));
    assert_eq!(space.insert(page(1), 2), Err(InsertError::Overlap));
    limit_growth(None);
    assert_eq!(space.iter_from(0).collect::<Vec<_>>(), [(page(1), 1)]);
}

#[test]
fn reserving_fails_at_every_growth_without_a_trace() {
    let mut space = IovaSpace::new();
    let mut failures = 0;
    for index in 0..100 {
        let range = page(3 * index);
        failures += sweep(&mut space, &Err(ReserveError::OutOfMemory), |space| space.reserve(range, index % 3));
        failures += sweep(&mut space, &FULL, |space| space.insert(page(3 * index + 1), 0));
    }
    assert!(failures > 20, "{failures}");
    assert_eq!(space.usable().count(), 100);
}

#[test]
fn allowing_fails_without_a_trace() {
    let mut space = IovaSpace::new();
    space.insert(page(2), 2).unwrap();
    for count in [1, 2, 50, 0] {
        let ranges: Vec<Range> = (10..10 + count).map(page).collect();
        let failed = sweep(&mut space, &Err(AllowError::OutOfMemory), |space| space.set_allowed(&ranges));
        assert_eq!(failed, usize::from(count > 0), "only a list needs memory");
        let first = if count == 0 { 4096 } else { page(10).start };
        assert_eq!(space.place(0, 4096, 4096), Ok(first));
    }
}

#[test]
fn removing_needs_no_memory_however_many_gaps_it_makes() {
    let mut space = IovaSpace::new();
    // Side by side, so that there is one gap before and hundreds after.
    let side_by_side = |index: u64| Range { start: index * 4096, last: index * 4096 + 4095 };
    for index in 0..3000 {
        space.insert(side_by_side(index), index as u32).unwrap();
    }
    limit_growth(Some(0));
    for index in (0..1500).map(|half| half * 2).chain((0..1500).rev().map(|half| half * 2 + 1)) {
        let range = side_by_side(index);
        assert_eq!(space.remove(range.start), Some((range, index as u32)));
        if index % 100 < 2 {
            space.check_invariants();
        }
    }
    assert_eq!(space.place(0, 1 << 60, 4096), Ok(1 << 21));
    // What was in use at once before can be so again, wherever it lies.
    for index in 0..3000 {
        space.insert(page(index), 0).unwrap();
    }
    limit_growth(None);
    space.check_invariants();
}

#[test]
fn releasing_needs_no_memory() {
    let mut space = IovaSpace::<()>::new();
    for index in 0..300 {
        space.reserve(Range { start: index * 4096, last: index * 4096 + 4095 }, index % 2).unwrap();
    }
    assert_eq!(space.usable().count(), 1);
    limit_growth(Some(0));
    // The union falls apart into one range for each other entry.
    space.release(0);
    limit_growth(None);
    space.check_invariants();
    assert_eq!(space.usable().count(), 151);
    limit_growth(Some(0));
    space.release(1);
    limit_growth(None);
    space.check_invariants();
    assert!(space.usable().eq([Range::ALL]));
}

#[test]
fn room_that_a_map_reserved_is_enough_whatever_happens_in_between() {
    let mut map = RangeMap::new();
    for index in 0..100_u64 {
        map.insert(page(index), index).unwrap();
    }
    limit_growth(Some(0));
    assert_eq!(map.reserve(2000), Err(OutOfMemory));
    limit_growth(None);
    assert_eq!(map.reserve(usize::MAX), Err(OutOfMemory), "more than there are numbers");
    map.reserve(2000).unwrap();
    limit_growth(Some(0));
    for index in 100..2100 {
        map.insert(page(index), index).unwrap();
        if index % 3 == 0 {
            map.remove(page(index / 2).start);
        }
    }
    map.check_invariants();
    map.clear();
    (0..2100).for_each(|index| map.insert(page(index), index).unwrap());
    limit_growth(None);
    map.check_invariants();
}

#[derive(Clone, Debug)]
enum Operation {
    Insert(u64, u64),
    Remove(u64),
    Reserve(u64, u64),
    Release(u64),
    Allow(Vec<u64>),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => (0_u64..400, 0_u64..3).prop_map(|(index, more)| Operation::Insert(index, more)),
        3 => (0_u64..400).prop_map(Operation::Remove),
        3 => (0_u64..400, 0_u64..3).prop_map(|(index, owner)| Operation::Reserve(index, owner)),
        1 => (0_u64..3).prop_map(Operation::Release),
        1 => prop::collection::vec(400_u64..420, 0..4).prop_map(Operation::Allow),
    ]
}

/// Whether the operation failed for want of memory.
fn apply(space: &mut IovaSpace<u32>, operation: &Operation) -> bool {
    match operation {
        Operation::Insert(index, more) => {
            let range = Range { start: page(*index).start, last: page(index + more).last };
            space.insert(range, *index as u32) == FULL
        }
        Operation::Remove(index) => {
            space.remove(page(*index).start);
            false
        }
        Operation::Reserve(index, owner) => space.reserve(page(*index), *owner) == Err(ReserveError::OutOfMemory),
        Operation::Release(owner) => {
            space.release(*owner);
            false
        }
        Operation::Allow(pages) => {
            let ranges: Vec<Range> = pages.iter().map(|index| page(*index)).collect();
            space.set_allowed(&ranges) == Err(AllowError::OutOfMemory)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// A space that now and then runs out of memory stays equal to one that does so never, but for what failed.
    #[test]
    fn random_failures_leave_no_trace(steps in prop::collection::vec((operation(), prop::option::weighted(0.6, 0_usize..6)), 1..150)) {
        let mut space = IovaSpace::new();
        let mut twin = IovaSpace::new();
        for (operation, limit) in &steps {
            limit_growth(*limit);
            let failed = apply(&mut space, operation);
            limit_growth(None);
            if !failed {
                prop_assert!(!apply(&mut twin, operation));
            }
            prop_assert_eq!(content(&mut space), content(&mut twin));
        }
    }
}
