//! Time per call of the hot operations, on warm tables. Names and sizes are those of Linux's generic page tables in
//! `docs/performance.md`, so that figures stand side by side.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use pgtable::{Config, Kind, Pa, PageTable, Prot, Run, VecMemory};
use std::hint::black_box;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const BOTH: Prot = Prot::from_bits(3);

/// A PA to which no IOVA used here is aligned for more than 4 KiB.
const ODD_PA: u64 = 0x2_0000_1000;
const EVEN_PA: u64 = 0x2_0000_0000;
const IOVA: u64 = 0x40_0000_0000;
const SAME_TABLE: Option<u64> = Some(IOVA + 2 * MIB - 4 * KIB);
const NEXT_TABLE: Option<u64> = Some(IOVA + 2 * MIB);

struct Bench {
    memory: VecMemory,
    table: PageTable,
}

impl Bench {
    /// With one page mapped at `neighbour`, so that tables on the way are not made and freed each time.
    fn new(kind: Kind, levels: u8, neighbour: Option<u64>) -> Self {
        let mut memory = VecMemory::new();
        let mut table = PageTable::new(&mut memory, kind, Config::new(levels)).unwrap();
        if let Some(iova) = neighbour {
            table.map(&mut memory, iova, [Run { pa: Pa(ODD_PA), length: 4 * KIB }].into_iter(), BOTH).unwrap();
        }
        Bench { memory, table }
    }

    fn map(&mut self, iova: u64, pa: u64, length: u64) {
        let run = Run { pa: Pa(pa), length };
        self.table.map(&mut self.memory, black_box(iova), [black_box(run)].into_iter(), BOTH).unwrap();
    }

    fn unmap(&mut self, iova: u64, length: u64) {
        assert_eq!(self.table.unmap(&mut self.memory, black_box(iova), length).length, length);
    }
}

/// `length` at once: map and unmap in turn, then each alone.
fn pair(c: &mut Criterion, kind: Kind, name: &str, neighbour: Option<u64>, levels: u8, pa: u64, length: u64) {
    let id = |what: &str| format!("{}/{name}/{what}", kind.name());
    c.bench_function(&id("map+unmap"), |b| {
        let mut bench = Bench::new(kind, levels, neighbour);
        b.iter(|| {
            bench.map(IOVA, pa, length);
            bench.unmap(IOVA, length);
        });
    });
    if length < GIB {
        return;
    }
    c.bench_function(&id("map"), |b| {
        let mut bench = Bench::new(kind, levels, neighbour);
        b.iter_custom(|count| {
            (0..count)
                .map(|_| {
                    let start = std::time::Instant::now();
                    bench.map(IOVA, pa, length);
                    let taken = start.elapsed();
                    bench.unmap(IOVA, length);
                    taken
                })
                .sum()
        });
    });
}

/// Single pages in random order over 1 GiB.
fn random(c: &mut Criterion, kind: Kind, levels: u8) {
    let mut bench = Bench::new(kind, levels, None);
    bench.map(IOVA, ODD_PA, GIB);
    let mut seed = 1_u64;
    let addresses: Vec<u64> = (0..1 << 16)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            IOVA + (seed >> 34)
        })
        .collect();
    let mut next = 0;
    c.bench_function(&format!("{}/translate random over 1 GiB", kind.name()), |b| {
        b.iter(|| {
            next = (next + 1) & (addresses.len() - 1);
            bench.table.translate(&bench.memory, addresses[next])
        });
    });
    c.bench_function(&format!("{}/translate hot", kind.name()), |b| {
        b.iter(|| bench.table.translate(&bench.memory, black_box(IOVA)));
    });
    c.bench_function(&format!("{}/4 KiB random over 1 GiB/unmap+map", kind.name()), |b| {
        b.iter_batched(
            || {
                next = (next + 1) & (addresses.len() - 1);
                addresses[next] & !0xfff
            },
            |iova| {
                bench.unmap(iova, 4 * KIB);
                bench.map(iova, ODD_PA + (iova - IOVA), 4 * KIB);
            },
            BatchSize::NumIterations(1 << 12),
        );
    });
}

fn format(c: &mut Criterion, kind: Kind, levels: u8) {
    pair(c, kind, "4 KiB, table warm", SAME_TABLE, levels, ODD_PA, 4 * KIB);
    pair(c, kind, "64 KiB as 16 PTEs", SAME_TABLE, levels, ODD_PA, 64 * KIB);
    pair(c, kind, "1 MiB as 256 PTEs", SAME_TABLE, levels, ODD_PA, MIB);
    pair(c, kind, "2 MiB as 512 PTEs, table made and freed", NEXT_TABLE, levels, ODD_PA, 2 * MIB);
    pair(c, kind, "2 MiB large page", NEXT_TABLE, levels, EVEN_PA, 2 * MIB);
    pair(c, kind, "1 GiB as 262144 PTEs", None, levels, ODD_PA, GIB);
    random(c, kind, levels);
}

fn all(c: &mut Criterion) {
    format(c, Kind::VtdSs, 4);
    format(c, Kind::AmdV1, 4);
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(std::time::Duration::from_secs(1)).warm_up_time(std::time::Duration::from_millis(300));
    targets = all
}
criterion_main!(benches);
