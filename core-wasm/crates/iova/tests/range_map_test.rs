//! `RangeMap` against a naive model: the standard ordered map, searched from its beginning.

use iova::{InsertError, Range, RangeMap};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Operation {
    Insert(Range, u32),
    /// Neighbours, so that nodes fill up and split.
    InsertMany {
        start: u64,
        length: u64,
        stride: u64,
        count: u64,
        downwards: bool,
    },
    RemoveAt(u64),
    RemoveNth(usize),
    /// Every `step`-th entry from `first` on, at most `count`, so that nodes empty and join.
    RemoveMany {
        first: usize,
        step: usize,
        count: usize,
        downwards: bool,
    },
    Clear,
}

/// The beginning, the middle and the end of the space, so near to each other that ranges meet.
fn address() -> impl Strategy<Value = u64> {
    let offset = prop_oneof![4 => -200_i64..200, 1 => -50_000_i64..50_000];
    (prop::sample::select(vec![0, 1 << 32, u64::MAX / 2, u64::MAX]), offset).prop_map(|(base, offset)| base.wrapping_add_signed(offset))
}

fn range() -> impl Strategy<Value = Range> {
    let length = prop_oneof![8 => 0_u64..12, 2 => 0_u64..300, 1 => any::<u64>()];
    // Where the last address wraps, the range ends before it starts and must be refused.
    (address(), length).prop_map(|(start, length)| Range { start, last: start.wrapping_add(length) })
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => (range(), any::<u32>()).prop_map(|(range, value)| Operation::Insert(range, value)),
        2 => (address(), 1_u64..4, 4_u64..9, 1_u64..400, any::<bool>())
            .prop_map(|(start, length, stride, count, downwards)| Operation::InsertMany { start, length, stride, count, downwards }),
        2 => address().prop_map(Operation::RemoveAt),
        4 => any::<usize>().prop_map(Operation::RemoveNth),
        2 => (any::<usize>(), 1_usize..4, 1_usize..300, any::<bool>())
            .prop_map(|(first, step, count, downwards)| Operation::RemoveMany { first, step, count, downwards }),
        1 => Just(Operation::Clear),
    ]
}

#[derive(Default)]
struct Subject {
    map: RangeMap<u32>,
    model: BTreeMap<u64, (u64, u32)>,
}

impl Subject {
    fn model(&self) -> impl DoubleEndedIterator<Item = (Range, u32)> + '_ {
        self.model.iter().map(|(&start, &(last, value))| (Range { start, last }, value))
    }

    fn insert(&mut self, range: Range, value: u32) -> Result<(), TestCaseError> {
        let refused = range.start > range.last || self.model().any(|(other, _)| other.overlaps(range));
        let expected = if refused { Err(InsertError::Overlap) } else { Ok(()) };
        prop_assert_eq!(self.map.insert(range, value), expected);
        if !refused {
            self.model.insert(range.start, (range.last, value));
        }
        self.map.check_invariants();
        Ok(())
    }

    fn remove(&mut self, start: u64) -> Result<(), TestCaseError> {
        let expected = self.model.remove(&start).map(|(last, value)| (Range { start, last }, value));
        prop_assert_eq!(self.map.remove(start), expected);
        self.map.check_invariants();
        Ok(())
    }

    fn apply(&mut self, operation: &Operation) -> Result<(), TestCaseError> {
        match *operation {
            Operation::Insert(range, value) => self.insert(range, value)?,
            Operation::InsertMany { start, length, stride, count, downwards } => {
                for index in 0..count {
                    let index = if downwards { count - 1 - index } else { index };
                    let Some(start) = start.checked_add(index * stride) else { continue };
                    self.insert(Range { start, last: start.saturating_add(length - 1) }, index as u32)?;
                }
            }
            Operation::RemoveAt(start) => self.remove(start)?,
            Operation::RemoveNth(nth) => {
                let start = self.model.keys().nth(nth % self.model.len().max(1)).copied();
                self.remove(start.unwrap_or(0))?;
            }
            Operation::RemoveMany { first, step, count, downwards } => {
                let first = first % self.model.len().max(1);
                let mut starts: Vec<u64> = self.model.keys().skip(first).step_by(step).take(count).copied().collect();
                if downwards {
                    starts.reverse();
                }
                starts.into_iter().try_for_each(|start| self.remove(start))?;
            }
            Operation::Clear => {
                self.map.clear();
                self.model.clear();
            }
        }
        self.map.check_invariants();
        Ok(())
    }

    /// All that can be asked about an address or a range.
    fn compare(&self, address: u64, range: Range) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.map.get(address), self.model().find(|(entry, _)| entry.contains(address)));
        let above: Vec<_> = self.model().filter(|(entry, _)| entry.last >= address).collect();
        prop_assert_eq!(self.map.first_from(address), above.first().copied());
        prop_assert!(self.map.iter_from(address).eq(above));
        if range.start <= range.last {
            prop_assert_eq!(self.map.overlaps(range), self.model().any(|(entry, _)| entry.overlaps(range)));
        }
        prop_assert_eq!((self.map.len(), self.map.is_empty()), (self.model.len(), self.model.is_empty()));
        prop_assert!(self.map.iter().eq(self.model()));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_operations_agree_with_a_naive_map(steps in prop::collection::vec((operation(), address(), range()), 1..40)) {
        let mut subject = Subject::default();
        for (operation, address, range) in &steps {
            subject.apply(operation)?;
            subject.compare(*address, *range)?;
            // An entry of the map itself and its neighbours are the interesting addresses.
            if let Some((entry, _)) = subject.model().find(|(entry, _)| entry.last >= *address) {
                for edge in [entry.start.wrapping_sub(1), entry.start, entry.last, entry.last.wrapping_add(1)] {
                    subject.compare(edge, Range { start: edge, last: range.last.max(edge) })?;
                }
            }
        }
    }
}

/// Numbers below `count`, a power of two, each once, in an order that jumps about.
fn scattered(count: u64) -> impl Iterator<Item = u64> {
    (0..count).map(move |index| (index.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x155) & (count - 1))
}

/// Grows a map to `COUNT` entries in one order and empties it in another.
fn grow_and_empty(inserts: impl Iterator<Item = u64>, removals: impl Iterator<Item = u64>) {
    let range = |index: u64| Range { start: index * 16, last: index * 16 + 9 };
    let mut map = RangeMap::new();
    let mut count = 0;
    for index in inserts {
        map.insert(range(index), index).unwrap();
        count += 1;
        if count % 1021 == 0 {
            map.check_invariants();
        }
    }
    assert_eq!(map.len(), count);
    assert!(map.iter().map(|(_, value)| value).eq(0..count as u64));
    map.check_invariants();
    for index in removals {
        assert_eq!(map.get(index * 16 + 9), Some((range(index), index)));
        assert_eq!(map.remove(index * 16), Some((range(index), index)));
        assert_eq!(map.get(index * 16 + 9), None);
        count -= 1;
        if count % 1021 == 0 || count < 70 {
            map.check_invariants();
        }
    }
    assert!(map.is_empty());
}

/// Enough for four levels when the leaves are half full, which ascending inserts leave behind.
const COUNT: u64 = 1 << 14;

#[test]
fn a_map_of_many_levels_grows_and_empties_upwards() {
    grow_and_empty(0..COUNT, 0..COUNT);
}

#[test]
fn a_map_of_many_levels_grows_upwards_and_empties_downwards() {
    grow_and_empty(0..COUNT, (0..COUNT).rev());
}

#[test]
fn a_map_of_many_levels_grows_downwards_and_empties_in_scattered_order() {
    grow_and_empty((0..COUNT).rev(), scattered(COUNT));
}

#[test]
fn a_map_of_many_levels_grows_in_scattered_order_and_empties_upwards() {
    grow_and_empty(scattered(COUNT), 0..COUNT);
}

/// Splits the node above the leaves at each of its children in turn.
#[test]
fn a_full_node_splits_right_wherever_its_child_does() {
    const SPACING: u64 = 1 << 20;
    for place in 0..34 {
        let mut map = RangeMap::new();
        for index in 0..600 {
            map.insert(Range { start: index * SPACING, last: index * SPACING }, index).unwrap();
        }
        // Each leaf holds 16 of the entries so far; all the others go into one of them.
        let base = place * 16 * SPACING + SPACING / 2;
        for index in 0..600 {
            map.insert(Range { start: base + index, last: base + index }, index).unwrap();
            map.check_invariants();
        }
        assert!(map.iter_from(base).take(600).map(|(range, _)| range.start).eq(base..base + 600));
        assert_eq!(map.len(), 1200);
    }
}
