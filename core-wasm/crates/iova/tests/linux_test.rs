//! `IovaSpace` against the model of Linux: the very same addresses and errors, whatever happened before.

mod linux;

use iova::{AllowError, FixedError, InsertError, IovaSpace, PlaceError, Range, ReserveError};
use linux::{Errno, Linux};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

const MIB: u64 = 1 << 20;

/// A request for automatic placement: user address, length, the space's alignment.
type Request = (u64, u64, u64);

#[derive(Clone, Debug)]
enum Operation {
    Fixed {
        iova: u64,
        length: u64,
        alignment: u64,
    },
    Place(Request),
    /// As drivers do: each is placed and removed again, but the last.
    PlaceAndRemove(Vec<Request>),
    /// Areas side by side, with gaps of lengths that come round and round.
    Fill {
        start: u64,
        count: usize,
        lengths: Vec<u64>,
        gaps: Vec<u64>,
    },
    /// An area in the hole with this number that leaves so many bytes of it free before and after itself.
    Cover {
        hole: usize,
        before: u64,
        after: u64,
    },
    Remove(usize),
    RemoveEvery {
        first: usize,
        step: usize,
    },
    RemoveAt(u64),
    Reserve {
        start: u64,
        length: u64,
        owner: u64,
    },
    Release(u64),
    Allow(Vec<Range>),
}

/// Bytes around a page's length or its multiples, or what makes a large page not quite fit.
fn step() -> impl Strategy<Value = u64> {
    prop_oneof![
        2 => 0_u64..5,
        2 => prop::sample::select(vec![511, 512, 2048, 4095, 4096, 4097, 8192, 2 * MIB - 4096, 2 * MIB - 1, 2 * MIB, 4 * MIB]),
        2 => (0_u64..64).prop_map(|pages| pages * 4096),
        1 => 0_u64..100_000,
    ]
}

/// Around the edges of the space, the edges of automatic placement, and powers of two between.
fn address() -> impl Strategy<Value = u64> {
    let bases = vec![0, 0, 4096, 2 * MIB, 1 << 30, 1 << 32, 1 << 63, u64::MAX - 4095, u64::MAX, u64::MAX];
    // What wraps is at the other edge.
    (prop::sample::select(bases), step(), any::<bool>()).prop_map(|(base, step, above)| match above {
        true => base.wrapping_add(step),
        false => base.wrapping_sub(step),
    })
}

fn length() -> impl Strategy<Value = u64> {
    let around = |powers: std::ops::Range<u32>| (powers, -2_i64..3).prop_map(|(lg2, more)| (1_u64 << lg2).wrapping_add_signed(more));
    prop_oneof![
        4 => (1_u64..40).prop_map(|pages| pages * 4096),
        2 => 1_u64..20_000,
        3 => around(0..31),
        1 => 1_u64..1 << 30,
        1 => around(31..64),
        1 => prop::sample::select(vec![0, 1, u64::MAX / 2 - 1, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX - 8192, u64::MAX - 1, u64::MAX]),
    ]
}

fn alignment() -> impl Strategy<Value = u64> {
    prop::sample::select(vec![1, 1, 1, 512, 2048, 4096, 4096, 4096, 2 * MIB])
}

/// User addresses differ in their low bits: they decide the alignment.
fn request() -> impl Strategy<Value = Request> {
    let low = (0_u32..64, any::<u64>()).prop_map(|(zeros, bits)| bits << zeros);
    let user = prop_oneof![1 => Just(0), 3 => low, 2 => (1_u64..1 << 35).prop_map(|page| page * 4096), 1 => 1_u64..8192];
    (user, length(), alignment())
}

/// Ranges for automatic placement: ascending and apart, or whatever comes.
fn allowed() -> impl Strategy<Value = Vec<Range>> {
    let valid = (address(), prop::collection::vec((step(), length()), 0..6), any::<bool>()).prop_map(|(start, list, reverse)| {
        let mut from = Some(start);
        let mut ranges = Vec::new();
        for (gap, length) in list {
            let Some(start) = from.and_then(|from: u64| from.checked_add(gap)) else { break };
            let Some(last) = start.checked_add(length.max(2) - 1) else { break };
            ranges.push(Range { start, last });
            from = last.checked_add(1);
        }
        if reverse {
            ranges.reverse();
        }
        ranges
    });
    let any = prop::collection::vec((address(), length()), 0..4);
    let any = any.prop_map(|list| list.iter().map(|&(start, length)| Range { start, last: start.wrapping_add(length) }).collect());
    prop_oneof![4 => valid, 1 => any]
}

/// The same request again and again, and another one in between.
fn again(request: impl Fn() -> BoxedStrategy<Request>) -> impl Strategy<Value = Operation> {
    (request(), request(), prop::collection::vec(prop::bool::weighted(0.7), 1..6))
        .prop_map(|(one, other, which)| Operation::PlaceAndRemove(which.iter().map(|&first| if first { one } else { other }).collect()))
}

fn operation() -> impl Strategy<Value = Operation> {
    let few = || prop::collection::vec(step(), 1..4);
    prop_oneof![
        4 => (address(), length(), alignment()).prop_map(|(iova, length, alignment)| Operation::Fixed { iova, length, alignment }),
        6 => request().prop_map(Operation::Place),
        3 => again(|| request().boxed()),
        2 => (address(), prop_oneof![9 => 1_usize..120, 1 => 1_usize..1200], few(), few())
            .prop_map(|(start, count, lengths, gaps)| Operation::Fill { start, count, lengths, gaps }),
        3 => (any::<usize>(), step(), step()).prop_map(|(hole, before, after)| Operation::Cover { hole, before, after }),
        4 => any::<usize>().prop_map(Operation::Remove),
        1 => (any::<usize>(), 1_usize..5).prop_map(|(first, step)| Operation::RemoveEvery { first, step }),
        1 => address().prop_map(Operation::RemoveAt),
        3 => (address(), length(), 0_u64..3).prop_map(|(start, length, owner)| Operation::Reserve { start, length, owner }),
        1 => (0_u64..3).prop_map(Operation::Release),
        2 => allowed().prop_map(Operation::Allow),
    ]
}

fn of_fixed(error: FixedError) -> Errno {
    match error {
        FixedError::Misaligned | FixedError::Reserved => Errno::EINVAL,
        FixedError::Overflow => Errno::EOVERFLOW,
        FixedError::Exists => Errno::EEXIST,
    }
}

fn of_place(error: PlaceError) -> Errno {
    match error {
        PlaceError::Overflow => Errno::EOVERFLOW,
        PlaceError::Misaligned => Errno::EINVAL,
        PlaceError::NoSpace => Errno::ENOSPC,
    }
}

fn of_reserve(error: ReserveError) -> Errno {
    match error {
        ReserveError::AreaOverlap | ReserveError::AllowedOverlap => Errno::EADDRINUSE,
        ReserveError::OutOfMemory => panic!("there is memory"),
    }
}

fn of_allow(error: AllowError) -> Errno {
    match error {
        AllowError::Inverted | AllowError::Overlap => Errno::EINVAL,
        AllowError::Reserved => Errno::EADDRINUSE,
        AllowError::OutOfMemory => panic!("there is memory"),
    }
}

#[derive(Default)]
struct Subject {
    space: IovaSpace<u64>,
    model: Linux,
}

impl Subject {
    /// An area where the caller says, which both must see alike.
    fn fixed(&mut self, iova: u64, length: u64, alignment: u64) -> Result<(), TestCaseError> {
        let checked = self.model.check(iova, length, alignment);
        prop_assert_eq!(self.space.check_fixed(iova, length, alignment).map_err(of_fixed), checked);
        match (checked, iova.checked_add(length - 1)) {
            (Ok(range), _) => {
                prop_assert_eq!(self.space.insert(range, range.start), Ok(()));
                self.model.areas.insert(range.start, range.last);
            }
            (Err(_), Some(last)) if self.model.check(iova, length, 1).is_err() => {
                prop_assert_eq!(self.space.insert(Range { start: iova, last }, 0), Err(InsertError::Overlap));
            }
            _ => {}
        }
        Ok(())
    }

    fn place(&mut self, (user, length, alignment): Request) -> Result<(), TestCaseError> {
        let chosen = self.model.place(user, length, alignment);
        prop_assert_eq!(self.space.place(user, length, alignment).map_err(of_place), chosen);
        chosen.map_or(Ok(()), |iova| self.fixed(iova, length, alignment))
    }

    fn remove(&mut self, start: u64) -> Result<(), TestCaseError> {
        let expected = self.model.areas.remove(&start).map(|last| (Range { start, last }, start));
        prop_assert_eq!(self.space.remove(start), expected);
        Ok(())
    }

    fn apply(&mut self, operation: &Operation) -> Result<(), TestCaseError> {
        let nth = |nth: usize| nth % self.model.areas.len().max(1);
        match *operation {
            Operation::Fixed { iova, length, alignment } => self.fixed(iova, length.max(1), alignment)?,
            Operation::Place(request) => self.place(request)?,
            Operation::PlaceAndRemove(ref requests) => {
                for (index, &(user, length, alignment)) in requests.iter().enumerate() {
                    let chosen = self.model.place(user, length, alignment);
                    self.place((user, length, alignment))?;
                    if let Some(start) = chosen.ok().filter(|_| index + 1 < requests.len()) {
                        self.remove(start)?;
                    }
                }
            }
            Operation::Fill { start, count, ref lengths, ref gaps } => {
                let mut iova = start;
                for index in 0..count {
                    let length = lengths[index % lengths.len()].max(1);
                    self.fixed(iova, length, 1)?;
                    iova = iova.wrapping_add(length).wrapping_add(gaps[index % gaps.len()]);
                }
            }
            Operation::Cover { hole, before, after } => {
                let holes = self.model.free(Range::ALL);
                let Some(hole) = holes.get(hole % holes.len().max(1)) else { return Ok(()) };
                let (start, last) = (hole.start.checked_add(before), hole.last.checked_sub(after));
                if let (Some(start), Some(last)) = (start, last)
                    && start < last
                    && let Some(length) = (last - start).checked_add(1)
                {
                    self.fixed(start, length, 1)?;
                }
            }
            Operation::Remove(which) => {
                let start = self.model.areas.keys().nth(nth(which)).copied();
                self.remove(start.unwrap_or(0))?;
            }
            Operation::RemoveEvery { first, step } => {
                let starts: Vec<u64> = self.model.areas.keys().skip(nth(first)).step_by(step).copied().collect();
                starts.into_iter().try_for_each(|start| self.remove(start))?;
            }
            Operation::RemoveAt(start) => self.remove(start)?,
            Operation::Reserve { start, length, owner } => {
                let range = Range { start, last: start.saturating_add(length) };
                prop_assert_eq!(self.space.reserve(range, owner).map_err(of_reserve), self.model.reserve(range, owner));
            }
            Operation::Release(owner) => {
                self.space.release(owner);
                self.model.release(owner);
            }
            Operation::Allow(ref ranges) => {
                prop_assert_eq!(self.space.set_allowed(ranges).map_err(of_allow), self.model.allow(ranges));
            }
        }
        Ok(())
    }

    /// The same areas, the same usable ranges, and the same answer to `probes`, none of which is carried out.
    fn compare(&mut self, probes: &[Request]) -> Result<(), TestCaseError> {
        self.space.check_invariants();
        prop_assert!(self.space.iter_from(0).eq(self.model.areas().map(|range| (range, range.start))));
        prop_assert_eq!((self.space.len(), self.space.is_empty()), (self.model.areas.len(), self.model.areas.is_empty()));
        prop_assert_eq!(self.space.usable().collect::<Vec<_>>(), self.model.usable());
        for &(user, length, alignment) in probes {
            let expected = self.model.place(user, length, alignment);
            prop_assert_eq!(self.space.place(user, length, alignment).map_err(of_place), expected, "{:#x} {:#x}", user, length);
            let area = self.model.areas().find(|area| area.contains(user)).map(|area| (area, area.start));
            prop_assert_eq!(self.space.get(user), area);
            let next = self.model.areas().find(|area| area.last >= user).map(|area| (area, area.start));
            prop_assert_eq!(self.space.first_from(user), next);
        }
        self.space.check_invariants();
        Ok(())
    }

    /// Gives everything back, after which all is free.
    fn empty(&mut self) -> Result<(), TestCaseError> {
        let starts: Vec<u64> = self.model.areas.keys().copied().collect();
        starts.into_iter().try_for_each(|start| self.remove(start))?;
        (0..3).for_each(|owner| {
            self.space.release(owner);
            self.model.release(owner);
        });
        self.compare(&[(0, 4096, 4096), (0, u64::MAX / 2 - 1, 1)])
    }
}

/// Very small lengths and alignments in a window of a few dozen bytes, where the last byte and the offset in the page make the difference.
fn in_bytes() -> impl Strategy<Value = (Operation, Vec<Request>)> {
    let address = || prop_oneof![4090_u64..4140, u64::MAX - 4140..u64::MAX - 4090];
    let request = || (0_u64..64, 1_u64..9, Just(1)).boxed();
    let operation = prop_oneof![
        4 => (address(), 1_u64..9).prop_map(|(iova, length)| Operation::Fixed { iova, length, alignment: 1 }),
        4 => request().prop_map(Operation::Place),
        3 => again(request),
        2 => (any::<usize>(), 0_u64..9, 0_u64..9).prop_map(|(hole, before, after)| Operation::Cover { hole, before, after }),
        3 => any::<usize>().prop_map(Operation::Remove),
        1 => (address(), 0_u64..9, 0_u64..3).prop_map(|(start, length, owner)| Operation::Reserve { start, length, owner }),
        1 => (0_u64..3).prop_map(Operation::Release),
        1 => (address(), 1_u64..20).prop_map(|(start, length)| Operation::Allow(vec![Range { start, last: start + length }])),
    ];
    (operation, prop::collection::vec(request(), 1..4))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_address_and_every_error_is_that_of_linux(
        steps in prop::collection::vec((operation(), prop::collection::vec(request(), 0..4)), 1..40)
    ) {
        let mut subject = Subject::default();
        for (operation, probes) in &steps {
            subject.apply(operation)?;
            subject.compare(probes)?;
        }
        subject.empty()?;
    }

    #[test]
    fn every_address_and_every_error_is_that_of_linux_at_the_scale_of_bytes(steps in prop::collection::vec(in_bytes(), 1..60)) {
        let mut subject = Subject::default();
        // Nearly all of the space is in use, so that what is free are crumbs.
        subject.fixed(4130, u64::MAX - 4130 - 4130, 1)?;
        for (operation, probes) in &steps {
            subject.apply(operation)?;
            subject.compare(probes)?;
        }
        subject.empty()?;
    }
}
