//! Where an automatic IOVA goes as Linux finds it: area after area from the lowest on, here in the standard ordered map.

use bench::{PAGE, Random};
use iova::{IovaSpace, Range};
use std::collections::BTreeMap;

const LARGE_BYTES: u64 = 2 << 20;

/// Areas by first address, with their last.
pub struct Scan(BTreeMap<u64, u64>);

impl Scan {
    /// With no areas.
    pub fn new() -> Scan {
        Scan(BTreeMap::new())
    }

    /// Takes `length` bytes, which are free, from `start` on.
    pub fn insert(&mut self, start: u64, length: u64) {
        self.0.insert(start, start + (length - 1));
    }

    /// The lowest place for `length` bytes at memory address `address`.
    pub fn place(&self, address: u64, length: u64) -> Option<u64> {
        let of_address = if address == 0 { u64::MAX } else { 1 << address.trailing_zeros() };
        let alignment = length.next_power_of_two().min(of_address).min(LARGE_BYTES);
        let fit = |from: u64, last: u64| {
            let start = from.checked_add(alignment - 1)? & !(alignment - 1);
            (start < last && last - start >= length - 1).then_some(start)
        };
        let mut from = PAGE;
        for (&start, &last) in &self.0 {
            if let Some(place) = start.checked_sub(1).filter(|&end| from <= end).and_then(|end| fit(from, end)) {
                return Some(place);
            }
            from = last + 1;
        }
        fit(from, u64::MAX - PAGE)
    }
}

/// The core gives the same addresses, or times of the two say nothing.
pub fn check() {
    let (mut ours, mut scan, mut random) = (IovaSpace::<u32>::new(), Scan::new(), Random::new(4));
    for _ in 0..1_000 {
        let (address, length) = (PAGE << random.below(12), u64::from(1 + random.below(600)) * PAGE);
        let start = ours.place(address, length, PAGE).expect("room");
        assert_eq!(Some(start), scan.place(address, length));
        ours.insert(Range { start, last: start + (length - 1) }, 0).expect("free");
        scan.insert(start, length);
        // Holes for those to come.
        if random.below(3) == 0 {
            ours.remove(start).expect("taken");
            scan.0.remove(&start);
        }
    }
}
