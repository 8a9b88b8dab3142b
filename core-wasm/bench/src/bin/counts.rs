//! `counts`: the names of the hot paths. `counts NAME`: goes one of them [`TIMES`] times, for callgrind to count what is in [`measured`].
//! tests/bench/counts.ts runs it.

use bench::{Addresses, LARGE, Program, Random, Tables, Transfers};
use std::hint::black_box;
use std::process::ExitCode;

/// How often a path is gone.
const TIMES: u32 = 1_000;
const MEBIBYTE: usize = 1 << 20;
/// Areas that are live.
const LIVE: u32 = 10_000;
/// Pages of 2 GiB: no other mapping is in the same table.
const FAR: u32 = 4 * 131_072;
/// More pages than the IOTLB has entries.
const PAGES: u32 = 8_192;

/// What callgrind counts: all that happens between this function's call and its return.
#[inline(never)]
fn measured(mut path: impl FnMut(u32)) {
    (0..TIMES).for_each(|time| path(black_box(time)));
}

/// A page of a table that has another page.
const fn page_of(time: u32) -> u32 {
    (time / (LARGE - 1)) * LARGE + time % (LARGE - 1) + 1
}

fn small_tables() -> Tables {
    let mut tables = Tables::new(8 * MEBIBYTE);
    (0..=TIMES / (LARGE - 1)).for_each(|table| tables.map(table * LARGE, 1));
    tables
}

fn map_small() {
    let mut tables = small_tables();
    measured(|time| tables.map(page_of(time), 1));
}

fn unmap_small() {
    let mut tables = small_tables();
    (0..TIMES).for_each(|time| tables.map(page_of(time), 1));
    measured(|time| assert_eq!(tables.unmap(page_of(time), 1), 1));
}

fn map_large() {
    let mut tables = Tables::new(8 * MEBIBYTE);
    measured(|time| tables.map(time * LARGE, LARGE));
}

fn unmap_large() {
    let mut tables = Tables::new(8 * MEBIBYTE);
    tables.map(0, TIMES * LARGE);
    measured(|time| assert_eq!(tables.unmap(time * LARGE, LARGE), LARGE));
}

fn translate() {
    let mut tables = Tables::new(8 * MEBIBYTE);
    tables.map(0, PAGES);
    let mut random = Random::new(1);
    measured(|_| assert_ne!(tables.translate(random.below(PAGES)), 0));
}

fn addresses_random() {
    let mut addresses = Addresses::new(LIVE);
    addresses.draw(TIMES);
    measured(|_| addresses.replace());
}

fn addresses_same() {
    let mut addresses = Addresses::new(LIVE);
    let mut page = addresses.allocate(1);
    measured(|_| {
        addresses.free(page);
        page = addresses.allocate(1);
    });
}

/// A program whose IOAS has a page in every other place.
fn crowded() -> Program {
    let mut program = Program::new(LARGE, false);
    (0..LIVE).for_each(|index| program.map(1 + 2 * index, 1));
    program
}

fn request_between() {
    let (mut program, mut random) = (crowded(), Random::new(1));
    measured(|_| {
        let page = 2 * random.below(LIVE - 1) + 2;
        program.map(page, 1);
        assert_eq!(program.unmap(page, 1), 1);
    });
}

fn request_automatic() {
    let mut program = crowded();
    measured(|_| {
        program.map_anywhere(2);
    });
}

/// A program with a device attached, and a page that keeps the upper tables.
fn attached() -> Program {
    let mut program = Program::new(LARGE, true);
    program.map(FAR - 1, 1);
    program
}

fn request_map() {
    let mut program = attached();
    measured(|time| program.map(FAR + time, 1));
}

fn request_unmap() {
    let mut program = attached();
    (0..TIMES).for_each(|time| program.map(FAR + time, 1));
    measured(|time| assert_eq!(program.unmap(FAR + time, 1), 1));
}

fn request_large() {
    let mut program = attached();
    measured(|time| {
        program.map(FAR + time * LARGE, LARGE);
        assert_eq!(program.unmap(FAR + time * LARGE, LARGE), LARGE);
    });
}

fn hit() {
    let mut transfers = Transfers::scattered(PAGES);
    (0..16).for_each(|page| transfers.read(page, 8));
    measured(|time| transfers.read(time % 16, 8));
}

fn miss() {
    let mut transfers = Transfers::scattered(PAGES);
    measured(|time| transfers.read(time * 8, 8));
}

const PATHS: &[(&str, fn())] = &[
    ("map 4 KiB", map_small),
    ("unmap 4 KiB", unmap_small),
    ("map 2 MiB as 512 PTEs", map_large),
    ("unmap 2 MiB as 512 PTEs", unmap_large),
    ("translate, random", translate),
    ("IOVA free + allocate, random, 10,000 live", addresses_random),
    ("IOVA free + allocate the size freed last", addresses_same),
    ("IOAS map + unmap 4 KiB between neighbours, no domain", request_between),
    ("IOAS map, automatic IOVA, no domain", request_automatic),
    ("IOAS map 4 KiB, VT-d domain", request_map),
    ("IOAS unmap 4 KiB, VT-d domain", request_unmap),
    ("IOAS map + unmap 2 MiB, VT-d domain", request_large),
    ("DMA 8 bytes, IOTLB hit", hit),
    ("DMA 8 bytes, a walk of 4 levels", miss),
];

fn main() -> ExitCode {
    let Some(name) = std::env::args().nth(1) else {
        PATHS.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    };
    let Some((_, path)) = PATHS.iter().find(|(known, _)| *known == name) else {
        eprintln!("counts: there is no path \"{name}\"");
        return ExitCode::from(2);
    };
    path();
    ExitCode::SUCCESS
}
