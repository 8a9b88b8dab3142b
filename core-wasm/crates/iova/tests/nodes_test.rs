//! What placement costs, counted in tree nodes, as time is no measure for a test: logarithmic with 100,000 areas, wherever it ends, but for what the changes
//! before have left to correct, which is done once.

use iova::{IovaSpace, PlaceError, Range};

const PAGE: u64 = 4096;
const MIB: u64 = 1 << 20;
const AREAS: u64 = 100_000;
const LG2_AREAS: usize = 17;
/// Nodes for one answer: two descents, one of which may turn back once at each level, in a tree with far fewer levels than this.
const MOST: usize = LG2_AREAS;
/// More than the tree has.
const NODES: u64 = AREAS / 8;

/// Areas of a page each, `stride` apart from `start` on.
fn comb(count: u64, start: u64, stride: u64) -> IovaSpace<u32> {
    let mut space = IovaSpace::new();
    for index in 0..count {
        let start = start + index * stride;
        space.insert(Range { start, last: start + PAGE - 1 }, index as u32).unwrap();
    }
    space
}

/// Where a request goes, and the same request again, which has nothing to correct any more.
fn place(space: &mut IovaSpace<u32>, address: u64, length: u64, alignment: u64) -> Result<u64, PlaceError> {
    let first = space.place(address, length, alignment);
    let (again, visited) = space.place_counting(address, length, alignment);
    assert_eq!(first, again);
    assert!(visited <= MOST, "{visited} nodes for {length:#x} bytes at {address:#x}");
    first
}

/// The lengths that have this alignment: the least, more than a gap of it, and more than anything.
fn lengths(alignment: u64, gap: u64) -> Vec<u64> {
    let multiples = [1, 2, 3, 7, 512].map(|factor| alignment * factor);
    multiples.into_iter().chain([gap, gap + PAGE, 1 << 40]).filter(|length| *length >= alignment).collect()
}

/// Places everything in `space`, whose areas are in `range`, with the answer on this side of the range's end, beyond it, or nowhere.
fn place_all(space: &mut IovaSpace<u32>, range: Range, gap: u64) {
    let (mut fitting, mut beyond, mut nowhere) = (0, 0, 0);
    for restricted in [false, true] {
        space.set_allowed(if restricted { std::slice::from_ref(&range) } else { &[] }).unwrap();
        for lg2 in 12..=21 {
            for length in lengths(1 << lg2, gap) {
                match place(space, 1 << lg2, length, PAGE) {
                    Ok(iova) if range.contains(iova) => fitting += 1,
                    Ok(_) => beyond += 1,
                    Err(error) => {
                        assert_eq!(error, PlaceError::NoSpace);
                        nowhere += 1;
                    }
                }
            }
        }
    }
    assert!(fitting > 0 && beyond > 0 && nowhere > 0, "{fitting} {beyond} {nowhere}: all three must occur");
}

/// The index knows alignments from a page on. For less it knows only how long gaps are, so here it may look at all that are long enough,
/// at each of its nodes once. Only an IOAS without a domain takes such requests.
fn parts_of_pages(space: &mut IovaSpace<u32>) {
    let (found, visited) = space.place_counting(512, PAGE, 1);
    assert_eq!(found, Ok(2 * PAGE * AREAS + 512));
    assert!(visited as u64 <= NODES, "{visited} nodes");
    assert_eq!(place(space, 512, PAGE - 512, 1), Ok(2 * PAGE + 512));
}

#[test]
fn gaps_of_a_page() {
    let mut space = comb(AREAS, PAGE, 2 * PAGE);
    parts_of_pages(&mut space);
    place_all(&mut space, Range { start: PAGE, last: 2 * PAGE * AREAS }, PAGE);
}

/// Gaps large enough but never aligned: the index must know what is left of a gap at each alignment.
#[test]
fn gaps_that_are_large_and_badly_aligned() {
    place_all(&mut comb(AREAS, 2 * MIB - PAGE, 2 * MIB), Range { start: 2 * MIB, last: 2 * MIB * AREAS }, 2 * MIB - PAGE);
}

/// What lies beyond the allowed range has room, but must not even be looked at.
#[test]
fn an_allowed_range_before_larger_gaps() {
    let mut space = comb(AREAS / 2, PAGE, 2 * PAGE);
    let middle = (AREAS + 1) * PAGE;
    for index in 0..AREAS / 2 {
        let start = middle + index * 3 * PAGE;
        space.insert(Range { start, last: start + PAGE - 1 }, 0).unwrap();
    }
    for (last, answer) in [(middle, Err(PlaceError::NoSpace)), (u64::MAX, Ok(middle + PAGE))] {
        space.set_allowed(&[Range { start: PAGE, last }]).unwrap();
        for (user, length) in [(PAGE, 2 * PAGE), (512, 2 * PAGE - 512)] {
            assert_eq!(place(&mut space, user, length, 1), answer.map(|start| start + user % PAGE));
        }
    }
}

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn every_placement_in_mixed_traffic() {
    let mut space = comb(AREAS, PAGE, 3 * PAGE);
    let mut random = Random(1);
    let mut areas: Vec<u64> = space.iter_from(0).map(|(range, _)| range.start).collect();
    const CHANGES: usize = 20_000;
    let mut corrections = 0;
    for _ in 0..CHANGES {
        if random.below(2) == 0 {
            let start = areas.swap_remove(random.below(areas.len() as u64) as usize);
            space.remove(start).unwrap();
        } else {
            let length = PAGE << random.below(6);
            let (place, visited) = space.place_counting(PAGE << random.below(10), length, PAGE);
            corrections += visited.saturating_sub(MOST);
            let start = place.unwrap();
            space.insert(Range { start, last: start + length - 1 }, 0).unwrap();
            areas.push(start);
        }
    }
    assert!(corrections <= CHANGES, "{corrections} nodes: a change is corrected at most once");
    space.check_invariants();
}

/// Areas at fixed addresses take from every gap, and no search in between could learn of it: the first one looks at each node once.
#[test]
fn the_first_placement_after_many_changes() {
    let mut space = comb(AREAS / 2, PAGE, 4 * PAGE);
    for index in 0..AREAS / 2 {
        let start = (4 * index + 3) * PAGE;
        space.insert(Range { start, last: start + PAGE - 1 }, 0).unwrap();
    }
    let end = (2 * AREAS + 1) * PAGE;
    for length in [2 * PAGE, 3 * PAGE] {
        let (_, visited) = space.place_counting(PAGE, length, PAGE);
        assert!(visited as u64 <= NODES, "{visited} nodes for {length:#x} bytes");
        assert_eq!(place(&mut space, PAGE, length, PAGE), Ok(end - PAGE), "the last gap goes on beyond the areas");
    }
}
