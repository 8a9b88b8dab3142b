//! What the core's lines and their peers have in common.

use bench::LARGE;
use criterion::Criterion;
use std::time::{Duration, Instant};

/// Live areas of a large machine.
pub const MANY: u32 = 100_000;

/// How long to measure: there are many lines.
pub fn settings() -> Criterion {
    Criterion::default().sample_size(20).measurement_time(Duration::from_millis(600)).warm_up_time(Duration::from_millis(200))
}

/// Of 64 MiB the first page of each table, which stays mapped, and the others.
pub fn small_pages() -> (Vec<u32>, Vec<u32>) {
    (0..32 * LARGE).partition(|page| page % LARGE == 0)
}

/// Measures calls on a `state`, whose choices are drawn in advance for so many of them.
pub fn drawn<S>(c: &mut Criterion, name: &str, state: &mut S, draw: impl Fn(&mut S, u32), call: impl Fn(&mut S)) {
    c.bench_function(name, |b| {
        b.iter_custom(|count| {
            let mut taken = Duration::ZERO;
            let mut left = count;
            while left > 0 {
                let now = left.min(1_000) as u32;
                left -= u64::from(now);
                draw(state, now);
                let start = Instant::now();
                (0..now).for_each(|_| call(state));
                taken += start.elapsed();
            }
            taken
        });
    });
}

/// Measures two halves apart, each a number of calls on a `state`: the first undone by the second.
pub fn halves<S>(
    c: &mut Criterion,
    names: [&str; 2],
    state: &mut S,
    calls: &[u32],
    forth: impl Fn(&mut S, u32),
    back: impl Fn(&mut S, u32),
) {
    for (half, name) in names.iter().enumerate() {
        c.bench_function(name, |b| {
            b.iter_custom(|count| {
                let mut taken = Duration::ZERO;
                let mut left = count as usize;
                while left > 0 {
                    let now = &calls[..left.min(calls.len())];
                    left -= now.len();
                    let start = Instant::now();
                    now.iter().for_each(|&call| forth(state, call));
                    let middle = Instant::now();
                    now.iter().for_each(|&call| back(state, call));
                    taken += if half == 0 { middle - start } else { middle.elapsed() };
                }
                taken
            });
        });
    }
}
