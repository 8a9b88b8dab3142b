//! Areas that come and go at the same few places, beside a map: each has the value that it came with last.

use iova::{InsertError, IovaSpace, Range};
use proptest::prelude::*;
use std::collections::BTreeMap;

const PAGE: u64 = 4096;
const PLACES: u64 = 4;

#[derive(Clone, Debug)]
enum Operation {
    Insert {
        place: u64,
        value: u8,
    },
    Remove {
        place: u64,
    },
    /// Two places side by side as one area, which is then cut in two.
    Split {
        place: u64,
        values: (u8, u8),
    },
}

fn operation() -> impl Strategy<Value = Operation> {
    // One place more often than the others, so that what came last goes next.
    let place = || prop_oneof![3 => Just(0), 2 => 0..PLACES];
    prop_oneof![
        4 => (place(), any::<u8>()).prop_map(|(place, value)| Operation::Insert { place, value }),
        4 => place().prop_map(|place| Operation::Remove { place }),
        1 => (0..PLACES - 1, any::<(u8, u8)>()).prop_map(|(place, values)| Operation::Split { place, values }),
    ]
}

fn range(place: u64) -> Range {
    Range { start: PAGE * (place + 1), last: PAGE * (place + 2) - 1 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_area_has_the_value_that_it_came_with_last(operations in prop::collection::vec(operation(), 1..40)) {
        let mut space = IovaSpace::new();
        let mut model: BTreeMap<u64, u8> = BTreeMap::new();
        for operation in operations {
            match operation {
                Operation::Insert { place, value } => {
                    let expected = if model.contains_key(&place) { Err(InsertError::Overlap) } else { Ok(()) };
                    prop_assert_eq!(space.insert(range(place), value), expected);
                    model.entry(place).or_insert(value);
                }
                Operation::Remove { place } => {
                    let expected = model.remove(&place).map(|value| (range(place), value));
                    prop_assert_eq!(space.remove(range(place).start), expected);
                }
                Operation::Split { place, values } => {
                    let [first, second] = [range(place), range(place + 1)];
                    if model.contains_key(&place) || model.contains_key(&(place + 1)) {
                        continue;
                    }
                    prop_assert_eq!(space.insert(Range { start: first.start, last: second.last }, values.0), Ok(()));
                    prop_assert!(space.split(first.start, first.last, values.1).is_ok());
                    model.extend([(place, values.0), (place + 1, values.1)]);
                }
            }
            space.check_invariants();
            prop_assert_eq!(space.len(), model.len());
            let listed = model.iter().map(|(&place, &value)| (range(place), value));
            prop_assert!(space.iter_from(0).eq(listed));
            for place in 0..PLACES {
                let Range { start, last } = range(place);
                let here = model.get(&place).map(|&value| (range(place), value));
                prop_assert_eq!(space.get(start + 5), here);
                let next = model.range(place..).next().map(|(&place, &value)| (range(place), value));
                prop_assert_eq!(space.first_from(last), next);
                prop_assert_eq!(space.check_fixed(start, PAGE, PAGE).is_ok(), here.is_none());
            }
        }
    }
}

#[test]
fn what_was_placed_is_forgotten_when_a_lower_place_becomes_free() {
    let mut space = IovaSpace::new();
    let [lower, upper] = [range(0), range(1)];
    space.insert(lower, 0).unwrap();
    assert_eq!(space.place(PAGE, PAGE, PAGE), Ok(upper.start));
    assert_eq!(space.remove(lower.start), Some((lower, 0)));
    space.insert(upper, 1).unwrap();
    assert_eq!(space.remove(upper.start), Some((upper, 1)));
    assert_eq!(space.place(PAGE, PAGE, PAGE), Ok(lower.start));
}
