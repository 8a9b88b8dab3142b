//! What translation costs a device: look-ups, and 64 KiB of DMA against a plain copy of as much.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use iommu::{DomainId, FRAME, Iommu, IommuConfig, Kind, NO_PASID, Pa, Prot, Ram, Run, Source, UserMemory};
use std::hint::black_box;

const DEVICE: Source = Source { device: 0, requester: 0x18, pasid: None };
const LENGTH: u64 = 64 << 10;
const IOVA: u64 = 1 << 30;
const RW: Prot = Prot::from_bits(3);

struct Machine {
    ram: Ram,
    iommu: Iommu,
    domain: DomainId,
    buffer: Pa,
}

fn machine(kind: Kind) -> Machine {
    let mut ram = Ram::with_bytes(64 << 20).expect("memory");
    let mut iommu = Iommu::new(IommuConfig::new(kind, 4), &mut ram).expect("4 levels exist");
    iommu.add_device(&mut ram, 0, DEVICE.requester, 0).expect("memory");
    let domain = iommu.create_domain(&mut ram).expect("RAM");
    iommu.attach(&mut ram, DEVICE.requester, NO_PASID, Some(domain)).expect("it exists");
    let buffer = ram.alloc(LENGTH).expect("RAM");
    Machine { ram, iommu, domain, buffer }
}

impl Machine {
    fn map(&mut self, runs: &[Run]) {
        self.iommu.map(&mut self.ram, self.domain, IOVA, runs.iter().copied(), RW).expect("free");
    }

    /// `pages` pages, no two of them next to each other.
    fn scattered(&mut self, pages: u64) -> Vec<Run> {
        let memory = self.ram.alloc(2 * pages * FRAME).expect("RAM");
        (0..pages).map(|page| Run { pa: Pa(memory.0 + 2 * page * FRAME), length: FRAME }).collect()
    }

    fn contiguous(&mut self, length: u64) -> Vec<Run> {
        vec![Run { pa: self.ram.alloc(length).expect("RAM"), length }]
    }
}

fn look_ups(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("8 bytes");
    for kind in [Kind::VtdSs, Kind::AmdV1] {
        let mut machine = machine(kind);
        let runs = machine.scattered(4096);
        machine.map(&runs);
        let mut read = |iova: u64| machine.iommu.dma_read(&mut machine.ram, &DEVICE, iova, machine.buffer, 8);
        let mut page = 0;
        group.bench_function(format!("{} hit", kind.name()), |bencher| {
            bencher.iter(|| {
                page = (page + 1) % 512;
                read(IOVA + page * FRAME)
            });
        });
        // Each page comes back after the cache has seen four times as many as it has entries.
        group.bench_function(format!("{} miss", kind.name()), |bencher| {
            bencher.iter(|| {
                page = (page + 1) % 4096;
                read(IOVA + page * FRAME)
            });
        });
    }
    group.finish();
}

fn copies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("64 KiB");
    group.throughput(Throughput::Bytes(LENGTH));
    // Both begin with a page, as frames do: a copy between other places may take ten times as long.
    let mut memory = vec![1_u8; (2 * LENGTH + FRAME) as usize];
    let start = memory.as_ptr().align_offset(FRAME as usize);
    let (from, to) = memory[start..][..2 * LENGTH as usize].split_at_mut(LENGTH as usize);
    group.bench_function("copy_from_slice", |bencher| bencher.iter(|| black_box(&mut *to).copy_from_slice(black_box(from))));
    for layout in ["scattered 4 KiB pages", "contiguous 4 KiB pages", "a large page"] {
        let mut machine = machine(Kind::VtdSs);
        let runs = match layout {
            "scattered 4 KiB pages" => machine.scattered(LENGTH / FRAME),
            "contiguous 4 KiB pages" => machine.contiguous(LENGTH),
            _ => machine.contiguous(2 << 20),
        };
        machine.map(&runs);
        group.bench_function(format!("dma_read, {layout}"), |bencher| {
            bencher.iter(|| machine.iommu.dma_read(&mut machine.ram, &DEVICE, black_box(IOVA), machine.buffer, LENGTH));
        });
    }
    group.finish();
}

fn map_and_unmap(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("map and unmap");
    for (name, length) in [("4 KiB", FRAME), ("2 MiB", 2 << 20)] {
        let mut machine = machine(Kind::VtdSs);
        let runs = machine.contiguous(length);
        let pinned = machine.contiguous(FRAME);
        machine.iommu.map(&mut machine.ram, machine.domain, IOVA + (64 << 20), pinned.into_iter(), RW).expect("free");
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                machine.map(&runs);
                machine.iommu.unmap(&mut machine.ram, machine.domain, IOVA, length)
            });
        });
    }
    group.finish();
}

fn ram(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ram");
    group.bench_function("boot 2 GiB", |bencher| {
        bencher.iter_batched(|| (), |()| Ram::with_bytes((2 << 30) - FRAME as usize).expect("memory"), BatchSize::PerIteration);
    });
    let mut ram = Ram::with_bytes(1 << 30).expect("memory");
    let all = ram.alloc(1 << 29).expect("RAM");
    group.bench_function("pin and unpin 512 MiB", |bencher| {
        bencher.iter(|| {
            ram.get_run(all, 1 << 29);
            ram.put_run(all, 1 << 29);
        });
    });
    let mut user = UserMemory::new();
    let va = user.mmap(&mut ram, 0, FRAME, 3, 0x22, None).expect("RAM");
    let mut block = [0; 64];
    group.bench_function("copy_in 64 bytes", |bencher| bencher.iter(|| user.copy_in(&ram, black_box(va), &mut block)));
    group.bench_function("mmap and munmap 64 KiB", |bencher| {
        bencher.iter(|| {
            let va = user.mmap(&mut ram, 0, LENGTH, 3, 0x22, None).expect("RAM");
            user.munmap(&mut ram, va, LENGTH)
        });
    });
    group.finish();
}

criterion_group!(benches, look_ups, copies, map_and_unmap, ram);
criterion_main!(benches);
