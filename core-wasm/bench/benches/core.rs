//! The core natively: the lines of `deno task bench`, by the same names.

mod common;

use bench::{Addresses, GIB, LARGE, Program, Random, Tables, Transfers};
use common::{MANY, drawn, halves, settings, small_pages};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Instant;

const MEBIBYTE: usize = 1 << 20;
/// Of 64 MiB all pages but the first of each table, which stays mapped.
fn tables(c: &mut Criterion) {
    let mut made = Tables::new(8 * MEBIBYTE);
    let (kept, pages) = small_pages();
    kept.iter().for_each(|&page| made.map(page, 1));
    let unmap = |tables: &mut Tables, page, pages| assert_eq!(tables.unmap(page, pages), pages);
    halves(c, ["map 4 KiB", "unmap 4 KiB"], &mut made, &pages, |t, page| t.map(page, 1), |t, page| unmap(t, page, 1));

    let mut made = Tables::new(8 * MEBIBYTE);
    made.map(0, 1);
    let pages: Vec<u32> = (1..=64).map(|index| index * LARGE).collect();
    let names = ["map 2 MiB as 512 PTEs", "unmap 2 MiB as 512 PTEs"];
    halves(c, names, &mut made, &pages, |t, page| t.map(page, LARGE), |t, page| unmap(t, page, LARGE));

    let names = ["map 1 GiB as 4 KiB pages", "unmap 1 GiB as 4 KiB pages"];
    halves(c, names, &mut made, &[GIB], |t, page| t.map(page, GIB), |t, page| unmap(t, page, GIB));

    made.map(GIB, GIB);
    let mut random = Random::new(1);
    let pages: Vec<u32> = (0..1 << 16).map(|_| GIB + random.below(GIB)).collect();
    let mut next = 0;
    c.bench_function("translate, random over 1 GiB", |b| {
        b.iter(|| {
            next = (next + 1) & (pages.len() - 1);
            made.translate(pages[next])
        });
    });
}

/// One page among so many others goes and comes back.
fn table_growth(c: &mut Criterion) {
    for (live, name) in [(1_000, "1,000"), (1_000_000, "1,000,000")] {
        let mut made = Tables::new(32 * MEBIBYTE);
        made.map(0, live);
        let mut random = Random::new(1);
        c.bench_function(&format!("unmap + map 4 KiB, random of {name} pages"), |b| {
            b.iter(|| {
                let page = random.below(live);
                black_box(made.unmap(page, 1));
                made.map(page, 1);
            });
        });
    }
}

fn addresses(c: &mut Criterion) {
    let mut made = Addresses::new(MANY);
    c.bench_function("IOVA free + allocate the size freed last, 100,000 live", |b| {
        let mut page = made.allocate(1);
        b.iter(|| {
            made.free(page);
            page = made.allocate(1);
        });
        made.free(page);
    });
    for (live, name) in [(1_000, "1,000"), (MANY, "100,000"), (1_000_000, "1,000,000")] {
        let mut made = Addresses::new(live);
        drawn(c, &format!("IOVA free + allocate, random, {name} live"), &mut made, Addresses::draw, Addresses::replace);
    }
}

fn requests(c: &mut Criterion) {
    let mut program = Program::new(LARGE, false);
    (0..MANY).for_each(|index| program.map(1 + 2 * index, 1));
    let mut random = Random::new(1);
    c.bench_function("IOAS map + unmap 4 KiB between neighbours, 100,000 live", |b| {
        b.iter(|| {
            let page = 2 * random.below(MANY - 1) + 2;
            program.map(page, 1);
            program.unmap(page, 1)
        });
    });
    let name = "IOAS map, automatic IOVA, 100,000 areas";
    c.bench_function(name, |b| {
        b.iter_custom(|count| {
            let start = Instant::now();
            let pages: Vec<u32> = (0..count).map(|_| program.map_anywhere(2)).collect();
            let taken = start.elapsed();
            pages.iter().for_each(|&page| assert_eq!(program.unmap(page, 2), 2));
            taken
        });
    });
    for (length, name) in [(1, "4 KiB"), (LARGE, "2 MiB"), (128 * LARGE, "256 MiB")] {
        let mut program = Program::new(length, true);
        // It keeps the tables on the way; what is below is in other tables.
        program.map(GIB + length, 1);
        c.bench_function(&format!("IOAS map + unmap {name}, VT-d domain"), |b| {
            b.iter(|| {
                program.map(GIB, length);
                program.unmap(GIB, length)
            });
        });
    }
}

fn transfers(c: &mut Criterion) {
    let mut made = Transfers::scattered(16);
    c.bench_function("memcpy 64 KiB", |b| b.iter(|| made.copy(black_box(65_536))));
    c.bench_function("DMA 64 KiB, IOTLB hits", |b| b.iter(|| made.read(black_box(0), 65_536)));
    let mut made = Transfers::scattered(16_384);
    let mut page = 0;
    c.bench_function("DMA 8 bytes, a walk of 4 levels", |b| {
        b.iter(|| {
            page = (page + 1) & 16_383;
            made.read(page, 8);
        });
    });
}

criterion_group! {
    name = benches;
    config = settings();
    targets = tables, table_growth, addresses, requests, transfers
}
criterion_main!(benches);
