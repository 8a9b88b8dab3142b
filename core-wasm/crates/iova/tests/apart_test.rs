//! What is left for automatic placement beside areas and other ranges, against looking at each address.

use iova::{IovaSpace, Range};

/// Addresses of the small space that is looked at whole.
const END: u64 = 24;

/// A generator that is good enough for drawing ranges.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % limit
    }

    fn range(&mut self) -> Range {
        let start = self.below(END - 2);
        Range { start, last: start + 1 + self.below(END - 1 - start) }
    }
}

#[test]
fn what_is_left_is_what_no_area_margin_or_other_range_has() {
    let mut draw = Draw(7);
    for _ in 0..4000 {
        let mut space = IovaSpace::new();
        for _ in 0..draw.below(4) {
            let _ = space.insert(draw.range(), ());
        }
        let mut allowed: Vec<Range> = (0..draw.below(3)).map(|_| draw.range()).collect();
        if space.set_allowed(&allowed).is_err() {
            allowed.clear();
        }
        let mut others: Vec<Range> = (0..draw.below(4)).map(|_| draw.range()).collect();
        others.sort_unstable();
        let margin = draw.below(3);
        let left = space.allowed_apart(margin, &others).unwrap();
        assert!(left.windows(2).all(|pair| pair[0].last < pair[1].start), "{left:?} ascends");
        for address in 0..END {
            let near = |range: Range| range.start.saturating_sub(margin) <= address && address <= range.last + margin;
            let free = (allowed.is_empty() || allowed.iter().any(|range| range.contains(address)))
                && !space.iter_from(0).any(|(range, ())| near(range))
                && !others.iter().any(|range| range.contains(address));
            assert_eq!(left.iter().any(|range| range.contains(address)), free, "address {address} of {left:?}");
        }
    }
}

#[test]
fn the_last_address_is_no_edge() {
    let mut space = IovaSpace::new();
    space.insert(Range { start: u64::MAX - 1, last: u64::MAX }, ()).unwrap();
    assert_eq!(space.allowed_apart(1, &[]), Ok(vec![Range { start: 0, last: u64::MAX - 3 }]));
    assert_eq!(space.allowed_apart(0, &[Range::ALL]), Ok(vec![]));
    assert_eq!(IovaSpace::<()>::new().allowed_apart(5, &[]), Ok(vec![Range::ALL]));
    let mut ranges = vec![Range { start: 0x8000, last: 0x8fff }];
    space.swap_allowed(&mut ranges);
    assert_eq!((space.place(0, 8, 1), ranges), (Ok(0x8000), vec![]));
}
