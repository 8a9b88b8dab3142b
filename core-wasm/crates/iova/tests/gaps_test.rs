//! The index of gaps in a tree of three levels: exact after each change, whatever it splits, joins or evens out.

use iova::{IovaSpace, Range};

const PAGE: u64 = 4096;
const GAPS: u64 = 1024;
/// Gaps are at most half as long as this.
const STRIDE: u64 = 512 * PAGE;

/// A permutation of the gaps' numbers that jumps about.
fn scattered(salt: u64) -> impl DoubleEndedIterator<Item = u64> {
    (0..GAPS).map(move |index| (index.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt) % GAPS)
}

/// The gap with this number: from one page to 256, all lengths about equally often.
fn gap(index: u64) -> Range {
    let pages = 1 + index.wrapping_mul(0xd134_2543_de82_ef95) % 256;
    Range { start: index * STRIDE, last: index * STRIDE + pages * PAGE - 1 }
}

/// The ranges between the gaps, and all behind the last.
fn walls() -> IovaSpace<u64> {
    let mut space = IovaSpace::new();
    for index in 0..GAPS {
        let last = if index + 1 == GAPS { u64::MAX } else { gap(index + 1).start - 1 };
        space.insert(Range { start: gap(index).last + 1, last }, index).unwrap();
    }
    space.check_invariants();
    space
}

/// Fills all gaps in one order and frees them in another; at each step the longest gap that is left must be found.
fn fill_and_free(fill: impl Iterator<Item = u64>, free: impl Iterator<Item = u64>) {
    let mut space = walls();
    let mut left: Vec<bool> = vec![true; GAPS as usize];
    let check = |space: &mut IovaSpace<u64>, left: &[bool]| {
        space.check_invariants();
        let gaps = || (0..GAPS).filter(|&index| left[index as usize] && index > 0).map(gap);
        let length = gaps().map(|gap| gap.last - gap.start + 1).max();
        if let Some(length) = length {
            let first = gaps().find(|gap| gap.last - gap.start + 1 == length).map(|gap| gap.start);
            assert_eq!(space.place(PAGE, length, PAGE).ok(), first);
        }
    };
    for index in fill {
        space.insert(gap(index), index).unwrap();
        left[index as usize] = false;
        check(&mut space, &left);
    }
    assert!(space.place(0, PAGE, PAGE).is_err());
    for index in free {
        space.remove(gap(index).start).unwrap();
        left[index as usize] = true;
        check(&mut space, &left);
    }
}

#[test]
fn filled_in_scattered_order_and_freed_in_another() {
    fill_and_free(scattered(0x2a5), scattered(0x13c).rev());
}

#[test]
fn filled_upwards_and_freed_downwards() {
    fill_and_free(0..GAPS, (0..GAPS).rev());
}

#[test]
fn filled_from_the_longest_on_and_freed_upwards() {
    let mut order: Vec<u64> = (0..GAPS).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(gap(index).last - gap(index).start));
    fill_and_free(order.into_iter(), 0..GAPS);
}

/// Walls that go and come again join and part gaps.
#[test]
fn joined_and_parted() {
    let mut space = walls();
    let walls: Vec<(Range, u64)> = space.iter_from(0).collect();
    for index in scattered(0x0f3) {
        space.remove(walls[index as usize].0.start).unwrap();
        space.check_invariants();
    }
    assert!(space.is_empty());
    for index in scattered(0x31f) {
        let (range, value) = walls[index as usize];
        space.insert(range, value).unwrap();
        space.check_invariants();
    }
    assert!(space.iter_from(0).eq(walls));
}
