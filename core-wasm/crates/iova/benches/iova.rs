//! Time per call of the hot operations, with 1,000 and 100,000 areas live. Beside each stands `linux_scan`: placement as Linux does it, hole
//! by hole from the lowest address, here in the standard ordered map. That it chooses the same addresses is checked before it is timed.

use criterion::{Criterion, criterion_group, criterion_main};
use iova::{IovaSpace, Range};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

const PAGE: u64 = 4096;
/// The live areas of a large machine.
const MANY: u64 = 100_000;

/// What both sides can do.
trait Space {
    const NAME: &str;
    fn new() -> Self;
    fn insert(&mut self, range: Range);
    fn remove(&mut self, start: u64);
    fn place(&mut self, address: u64, length: u64) -> Option<u64>;
}

impl Space for IovaSpace<u32> {
    const NAME: &str = "iova";

    fn new() -> Self {
        IovaSpace::new()
    }

    fn insert(&mut self, range: Range) {
        IovaSpace::insert(self, range, 0).unwrap();
    }

    fn remove(&mut self, start: u64) {
        IovaSpace::remove(self, start).unwrap();
    }

    fn place(&mut self, address: u64, length: u64) -> Option<u64> {
        IovaSpace::place(self, address, length, PAGE).ok()
    }
}

/// Areas by first address, with their last.
struct Scan(BTreeMap<u64, u64>);

impl Space for Scan {
    const NAME: &str = "linux_scan";

    fn new() -> Self {
        Scan(BTreeMap::new())
    }

    fn insert(&mut self, range: Range) {
        self.0.insert(range.start, range.last);
    }

    fn remove(&mut self, start: u64) {
        self.0.remove(&start).unwrap();
    }

    fn place(&mut self, address: u64, length: u64) -> Option<u64> {
        let of_address = if address == 0 { u64::MAX } else { 1 << address.trailing_zeros() };
        let alignment = length.next_power_of_two().min(of_address).min(2 << 20);
        let fit = |from: u64, last: u64| {
            let start = from.checked_add(alignment - 1)? & !(alignment - 1);
            (start < last && last - start >= length - 1).then_some(start)
        };
        let mut from = PAGE;
        for (&start, &last) in &self.0 {
            if from < start
                && let Some(place) = fit(from, start - 1)
            {
                return Some(place);
            }
            from = last + 1;
        }
        fit(from, u64::MAX - PAGE)
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

/// How long areas are and how far apart.
#[derive(Clone, Copy)]
enum Layout {
    /// A page each, side by side.
    Dense,
    /// 1 to 16 pages, with 1 to 15 pages between.
    Fragmented,
}

/// A space with `count` areas; the areas' ranges as well.
fn filled<S: Space>(count: u64, layout: Layout) -> (S, Vec<Range>) {
    let (mut space, mut random) = (S::new(), Random(1));
    let mut start = PAGE;
    let mut areas = Vec::new();
    for _ in 0..count {
        let (pages, gap) = match layout {
            Layout::Dense => (1, 0),
            Layout::Fragmented => (1 + random.below(16), 1 + random.below(15)),
        };
        let range = Range { start, last: start + pages * PAGE - 1 };
        space.insert(range);
        areas.push(range);
        start += (pages + gap) * PAGE;
    }
    (space, areas)
}

/// Automatic placement of a page or some, then some other area goes: the number of areas stays.
fn allocate_and_free<S: Space>(c: &mut Criterion, count: u64, layout: Layout, name: &str) {
    c.bench_function(&format!("allocate+free/{name}/{count} areas/{}", S::NAME), |b| {
        let (mut space, mut areas) = filled::<S>(count, layout);
        let mut random = Random(2);
        b.iter(|| {
            let length = match layout {
                Layout::Dense => PAGE,
                Layout::Fragmented => (1 + random.below(16)) * PAGE,
            };
            let start = space.place(black_box(PAGE), length).unwrap();
            let range = Range { start, last: start + length - 1 };
            space.insert(range);
            let gone = std::mem::replace(&mut areas[random.below(count) as usize], range);
            space.remove(gone.start);
        });
    });
}

/// Automatic placement alone; each length has its answer in another part of the space, or only beyond all areas.
fn place<S: Space>(c: &mut Criterion, layout: Layout, name: &str, length: u64) {
    c.bench_function(&format!("place {} KiB/{name}/{MANY} areas/{}", length >> 10, S::NAME), |b| {
        let (mut space, _) = filled::<S>(MANY, layout);
        b.iter(|| space.place(black_box(PAGE), black_box(length)).unwrap());
    });
}

/// Finding the area of an address, as each access to a mapping does.
fn look_up(c: &mut Criterion) {
    for count in [1_000, MANY] {
        c.bench_function(&format!("look up/{count} areas/iova"), |b| {
            let (space, areas) = filled::<IovaSpace<u32>>(count, Layout::Fragmented);
            let mut random = Random(3);
            b.iter(|| space.get(black_box(areas[random.below(count) as usize].last)).unwrap());
        });
    }
}

/// Both must place alike, or their times say nothing.
fn check() {
    let (mut ours, _) = filled::<IovaSpace<u32>>(1_000, Layout::Fragmented);
    let (mut scan, _) = filled::<Scan>(1_000, Layout::Fragmented);
    let mut random = Random(4);
    for _ in 0..1_000 {
        let (address, length) = (PAGE << random.below(12), (1 + random.below(600)) * PAGE);
        let place = Space::place(&mut ours, address, length);
        assert_eq!(place, scan.place(address, length));
        let start = place.unwrap();
        let range = Range { start, last: start + length - 1 };
        Space::insert(&mut ours, range);
        scan.insert(range);
    }
}

fn both<S: Space>(c: &mut Criterion) {
    for count in [1_000, MANY] {
        allocate_and_free::<S>(c, count, Layout::Dense, "dense");
        allocate_and_free::<S>(c, count, Layout::Fragmented, "fragmented");
    }
    place::<S>(c, Layout::Dense, "dense", PAGE);
    place::<S>(c, Layout::Fragmented, "fragmented", 15 * PAGE);
    place::<S>(c, Layout::Fragmented, "fragmented", 16 * PAGE);
}

fn all(c: &mut Criterion) {
    check();
    both::<IovaSpace<u32>>(c);
    both::<Scan>(c);
    look_up(c);
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(300));
    targets = all
}
criterion_main!(benches);
