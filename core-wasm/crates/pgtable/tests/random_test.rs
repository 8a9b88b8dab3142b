//! Random maps and unmaps, some short of memory, against the model.

mod common;

use common::{Subject, every_geometry, granule};
use pgtable::{Format, Prot};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// An operation in units that fit every geometry; see `apply`.
#[derive(Clone, Debug)]
enum Operation {
    Map { place: Place, runs: Vec<(bool, u64, u64)>, shifted: bool, prot: u8, limit: Option<usize> },
    Unmap { place: Place, count: u64, ragged: bool },
}

/// `offset` (-4..=4) units before or after boundary number `boundary` of a table; a unit is the item of `level`.
#[derive(Clone, Debug)]
struct Place {
    boundary: u32,
    level: u32,
    offset: i64,
}

fn place() -> impl Strategy<Value = Place> {
    (0..8_u32, prop_oneof![4 => Just(0_u32), 2 => Just(1), 1 => Just(2)], -4..=4_i64).prop_map(|(boundary, level, offset)| Place {
        boundary,
        level,
        offset,
    })
}

fn operation() -> impl Strategy<Value = Operation> {
    let run = (prop::bool::ANY, 0..64_u64, 1..12_u64);
    let limit = prop::option::weighted(0.3, 0..8_usize);
    prop_oneof![
        3 => (place(), prop::collection::vec(run, 1..4), prop::bool::weighted(0.2), 1..4_u8, limit)
            .prop_map(|(place, runs, shifted, prot, limit)| Operation::Map { place, runs, shifted, prot, limit }),
        2 => (place(), 1..16_u64, prop::bool::weighted(0.3)).prop_map(|(place, count, ragged)| Operation::Unmap { place, count, ragged }),
    ]
}

impl Place {
    /// The unit in bytes, and the IOVA.
    fn resolve(&self, subject: &Subject) -> (u64, u64) {
        let format = subject.table.format();
        let last = subject.table.aperture_last();
        let level = self.level.min(u32::from(subject.table.levels()) - 2);
        let unit = 1 << format.item_lg2(level);
        let table = |level: u32| (1_u64 << format.item_lg2(level + 1)) & last;
        let boundary = match self.boundary {
            0 => 0,
            1 => last - last % unit,
            2 | 3 => table(0),
            4 => table(1),
            5 => table(1) + table(0),
            6 => table(level),
            _ => last / 2 + 1,
        };
        (unit, boundary.wrapping_add_signed(self.offset * unit as i64) & last)
    }
}

fn apply(subject: &mut Subject, operation: &Operation) {
    let format = subject.table.format();
    match operation {
        Operation::Map { place, runs, shifted, prot, limit } => {
            let (unit, iova) = place.resolve(subject);
            let mut at = 0x10_0000_0000;
            let mut list = Vec::new();
            // A shift by a page leaves only small leaves: one run, of a size at which that is not millions.
            let shift = if *shifted && unit <= 1 << 25 { granule(format) } else { 0 };
            let runs = if shift != 0 && unit > shift { &[(false, 0, 1)] } else { runs.as_slice() };
            for &(adjacent, start, count) in runs {
                let pa = if adjacent { at } else { 0x20_0000_0000 + start * unit + shift };
                list.push((pa, count * unit));
                at = pa + count * unit;
            }
            let _ = subject.map(iova, &list, Prot::from_bits(*prot), *limit);
        }
        Operation::Unmap { place, count, ragged } => {
            let (unit, iova) = place.resolve(subject);
            let first = if *ragged { iova + granule(format) / 2 } else { iova };
            subject.unmap(first, iova.saturating_add(count * unit - 1));
        }
    }
}

fn agrees_with_the_model(format: &'static Format, levels: u8) {
    let config = ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config)
        .run(&prop::collection::vec(operation(), 1..24), |operations| {
            let mut subject = Subject::new(format, levels);
            for operation in &operations {
                apply(&mut subject, operation);
                subject.check();
            }
            subject.finish();
            Ok(())
        })
        .unwrap();
}

#[test]
fn random_operations_agree_with_a_naive_model_in_every_geometry() {
    every_geometry!(agrees_with_the_model);
}
