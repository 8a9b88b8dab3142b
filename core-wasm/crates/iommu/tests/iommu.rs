//! The IOMMU against the dumbest model: a map of 4 KiB pages for each domain, and a copy of all memory.

use iommu::{
    DeviceStatistics, DomainId, FRAME, FaultReason, Iommu, IommuConfig, IotlbConfig, Kind, LeafOptions, NO_PASID, Pa, Peer, Prot, Ram,
    Replacement, Run, Source,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use uapi::Errno;

const RW: Prot = Prot::from_bits(3);
const LARGE: u64 = 2 << 20;
const LARGE_PAGES: u64 = LARGE / FRAME;
/// User memory that mappings refer to: two large pages and a few small ones.
const POOL_PAGES: u64 = 2 * LARGE_PAGES + 32;
/// IOVAs that mappings and transfers meet in: around a border between large pages.
const WINDOW: u64 = 5 * LARGE - 16 * FRAME;
const WINDOW_PAGES: u64 = LARGE_PAGES + 64;
const BUFFER: u64 = 80 * FRAME;
const REQUESTERS: u32 = 3;

#[derive(Clone, Debug)]
enum Operation {
    Create,
    Destroy {
        which: usize,
    },
    Map {
        which: usize,
        at: u64,
        from: u64,
        pages: u64,
        bits: u8,
    },
    /// One that `Map` made, as a whole.
    Unmap {
        area: usize,
    },
    /// Any range. Only of domains without large pages, as large pages go whole.
    UnmapRange {
        which: usize,
        at: u64,
        pages: u64,
    },
    Attach {
        requester: u32,
        which: Option<usize>,
    },
    Transfer {
        requester: u32,
        iova: u64,
        length: u64,
        write: bool,
        seed: u8,
    },
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let index = any::<usize>();
    // Near the lower border nearly everything happens; a large page fits behind it.
    let page = prop_oneof![6 => 0_u64..24, 1 => Just(16), 1 => 0..WINDOW_PAGES];
    let pool = prop_oneof![3 => 0..POOL_PAGES, 1 => Just(0), 1 => Just(LARGE_PAGES)];
    let pages = prop_oneof![6 => 1_u64..8, 2 => Just(LARGE_PAGES), 1 => Just(LARGE_PAGES + 3)];
    let byte = page.clone().prop_flat_map(|page| (0..FRAME).prop_map(move |offset| WINDOW + page * FRAME + offset));
    let operation = prop_oneof![
        1 => Just(Operation::Create),
        1 => index.prop_map(|which| Operation::Destroy { which }),
        8 => (index, page.clone(), pool, pages.clone(), 1_u8..4)
            .prop_map(|(which, at, from, pages, bits)| Operation::Map { which, at: WINDOW + at * FRAME, from, pages, bits }),
        4 => index.prop_map(|area| Operation::Unmap { area }),
        2 => (index, page, pages).prop_map(|(which, at, pages)| Operation::UnmapRange { which, at: WINDOW + at * FRAME, pages }),
        3 => (0..REQUESTERS, prop::option::weighted(0.8, index)).prop_map(|(requester, which)| Operation::Attach { requester, which }),
        16 => (0..REQUESTERS, byte, prop_oneof![4 => 0..3 * FRAME, 1 => 0..80 * FRAME], any::<bool>(), any::<u8>())
            .prop_map(|(requester, iova, length, write, seed)| Operation::Transfer { requester, iova, length, write, seed }),
    ];
    prop::collection::vec(operation, 1..120)
}

/// Every format, its levels from `lowest` on, with and without large pages, and with caches of all kinds.
fn configurations() -> impl Strategy<Value = IommuConfig> {
    let choices: Vec<IommuConfig> = Kind::ALL
        .iter()
        // A first stage of VT-d is one of scalable mode.
        .flat_map(|&kind| kind.levels().map(move |levels| IommuConfig { scalable: kind == Kind::VtdFs, ..IommuConfig::new(kind, levels) }))
        // Pages as small as those of the model, and room for it.
        .filter(|config| config.kind.format().granule_lg2 <= 12 && config.kind.format().address_lg2(config.levels.into()) >= 38)
        .flat_map(|config| [config, IommuConfig { page_sizes: FRAME, ..config }])
        .collect();
    let caches = [(1024, 4, 0), (0, 1, 0), (0, 1, 2), (8, 2, 4)].map(|(entries, ways, structures)| IotlbConfig {
        entries,
        ways,
        replacement: Replacement::Lru,
        structures,
    });
    (prop::sample::select(choices), prop::sample::select(caches.to_vec())).prop_map(|(config, iotlb)| IommuConfig { iotlb, ..config })
}

#[derive(Default)]
struct Domain {
    /// Page of IOVA → page of the pool, permission.
    pages: BTreeMap<u64, (u64, Prot)>,
    /// What was mapped in one go, and is still there whole: first page of IOVA, count.
    areas: Vec<(u64, u64)>,
}

struct Machine {
    ram: Ram,
    iommu: Iommu,
    pool: Pa,
    buffer: Pa,
    domains: BTreeMap<DomainId, Domain>,
    attached: [Option<DomainId>; REQUESTERS as usize],
    pool_bytes: Vec<u8>,
    statistics: DeviceStatistics,
    faults: u64,
}

impl Machine {
    fn new(config: IommuConfig) -> Machine {
        let mut ram = Ram::with_bytes(24 << 20).expect("the test machine has memory");
        let mut iommu = Iommu::new(config, &mut ram).expect("the format has these levels");
        for requester in 0..REQUESTERS {
            iommu.add_device(&mut ram, 0, requester, 0).expect("the test machine has memory");
        }
        let pool = ram.alloc(POOL_PAGES * FRAME).expect("there is RAM");
        let buffer = ram.alloc(BUFFER).expect("there is RAM");
        let mut pool_bytes = vec![0; (POOL_PAGES * FRAME) as usize];
        for (page, bytes) in (0_u64..).zip(pool_bytes.chunks_exact_mut(FRAME as usize)) {
            bytes.fill(page as u8);
            bytes[..8].copy_from_slice(&page.to_le_bytes());
        }
        ram.bytes_mut(pool, pool_bytes.len()).copy_from_slice(&pool_bytes);
        let (domains, attached, statistics) = (BTreeMap::new(), [None; REQUESTERS as usize], DeviceStatistics::default());
        Machine { ram, iommu, pool, buffer, domains, attached, pool_bytes, statistics, faults: 0 }
    }

    fn domain(&self, which: usize) -> Option<DomainId> {
        self.domains.keys().nth(which % self.domains.len().max(1)).copied()
    }

    fn small_pages_only(&self) -> bool {
        self.iommu.config().page_sizes == FRAME
    }

    fn map(&mut self, id: DomainId, iova: u64, from: u64, pages: u64, prot: Prot) {
        let pages = pages.min(POOL_PAGES - from);
        let run = |page: u64| Run { pa: Pa(self.pool.0 + (from + page) * FRAME), length: FRAME };
        let result = self.iommu.map(&mut self.ram, id, iova, (0..pages).map(run), prot);
        let first = iova / FRAME;
        let domain = self.domains.get_mut(&id).expect("it exists");
        if domain.pages.range(first..first + pages).next().is_some() {
            assert_eq!(result, Err(Errno::EADDRINUSE));
            return;
        }
        assert_eq!(result, Ok(()));
        // Some formats cannot say that a page may be written but not read.
        let format = self.iommu.config().kind.format();
        let prot = format.prot(format.attributes(prot, LeafOptions::default()));
        domain.pages.extend((0..pages).map(|page| (first + page, (from + page, prot))));
        domain.areas.push((first, pages));
    }

    fn unmap(&mut self, id: DomainId, first: u64, pages: u64) {
        let domain = self.domains.get_mut(&id).expect("it exists");
        let before = domain.pages.len();
        domain.pages.retain(|page, _| !(first <= *page && *page < first + pages));
        domain.areas.retain(|&(start, count)| start + count <= first || first + pages <= start);
        let gone = (before - domain.pages.len()) as u64 * FRAME;
        assert_eq!(self.iommu.unmap(&mut self.ram, id, first * FRAME, pages * FRAME), gone);
    }

    /// What the model says of one byte: where in the pool, or why not.
    fn judge(&self, requester: u32, iova: u64, write: bool) -> Result<u64, FaultReason> {
        let domain = self.attached[requester as usize].and_then(|id| self.domains.get(&id)).ok_or(FaultReason::Blocked)?;
        let &(page, prot) = domain.pages.get(&(iova / FRAME)).ok_or(FaultReason::NotPresent)?;
        match write {
            true if !prot.contains(Prot::WRITE) => Err(FaultReason::NoWrite),
            false if !prot.contains(Prot::READ) => Err(FaultReason::NoRead),
            _ => Ok(page * FRAME + iova % FRAME),
        }
    }

    fn transfer(&mut self, requester: u32, iova: u64, length: u64, write: bool, seed: u8) {
        let source = Source { device: 0, requester, pasid: None };
        let mut expected: Vec<u8> = (0..length).map(|at| seed.wrapping_add(((at * 7) >> 3) as u8)).collect();
        self.ram.bytes_mut(self.buffer, length as usize).copy_from_slice(&expected);
        let mut moved = 0;
        let mut verdict = Ok(());
        while moved < length {
            match self.judge(requester, iova + moved, write) {
                Ok(at) => {
                    let piece = (FRAME - at % FRAME).min(length - moved) as usize;
                    let (pool, buffer) = (&mut self.pool_bytes[at as usize..][..piece], &mut expected[moved as usize..][..piece]);
                    if write {
                        pool.copy_from_slice(buffer)
                    } else {
                        buffer.copy_from_slice(pool)
                    }
                    moved += piece as u64;
                }
                Err(reason) => {
                    verdict = Err(reason);
                    break;
                }
            }
        }
        self.assert_translates(requester, iova);
        let result = match write {
            false => self.iommu.dma_read(&mut self.ram, &source, iova, self.buffer, length),
            true => self.iommu.dma_write(&mut self.ram, &source, iova, self.buffer, length),
        };
        assert_eq!(result, verdict.map(|()| None));
        assert!(self.ram.bytes(self.buffer, length as usize) == expected, "the buffer holds what may have moved, nothing else");
        self.account(&source, iova + moved, moved, length, write, verdict.err());
    }

    fn account(&mut self, source: &Source, stopped: u64, moved: u64, length: u64, write: bool, reason: Option<FaultReason>) {
        self.statistics.bytes += moved;
        self.statistics.reads += u64::from(!write);
        self.statistics.writes += u64::from(write);
        let Some(reason) = reason else { return };
        self.statistics.faults += 1;
        let log = self.iommu.faults();
        let record = *log.get(log.len() - 1).expect("a refusal is logged");
        assert_eq!((record.sequence, record.requester, record.pasid), (self.faults, source.requester, None));
        assert_eq!((record.iova, record.length, record.write, record.reason), (stopped, length - moved, write, reason));
        self.faults += 1;
    }

    /// A query answers as the model does.
    fn assert_translates(&self, requester: u32, iova: u64) {
        match (self.iommu.translate(&self.ram, requester, iova), self.attached[requester as usize]) {
            (Ok(found), Some(id)) => {
                let (page, prot) = self.domains[&id].pages[&(iova / FRAME)];
                assert_eq!((found.pa.0, found.prot), (self.pool.0 + page * FRAME + iova % FRAME, prot));
                assert_eq!(Some(found), self.iommu.translate_in(&self.ram, id, iova));
            }
            (Err(FaultReason::NotPresent), Some(id)) => assert!(!self.domains[&id].pages.contains_key(&(iova / FRAME))),
            (answer, attached) => assert_eq!((answer, attached), (Err(FaultReason::Blocked), None)),
        }
    }

    fn run(&mut self, operation: &Operation) {
        match *operation {
            Operation::Create if self.domains.len() < 6 => {
                let id = self.iommu.create_domain(&mut self.ram).expect("there is RAM");
                assert!(self.domains.insert(id, Domain::default()).is_none(), "ids are unique");
            }
            Operation::Destroy { which } => {
                let Some(id) = self.domain(which) else { return };
                self.domains.remove(&id);
                self.attached.iter_mut().filter(|attached| **attached == Some(id)).for_each(|attached| *attached = None);
                self.iommu.destroy_domain(&mut self.ram, id);
            }
            Operation::Map { which, at, from, pages, bits } => {
                let Some(id) = self.domain(which) else { return };
                self.map(id, at, from, pages, Prot::from_bits(bits));
            }
            Operation::Unmap { area } => {
                let areas: Vec<_> =
                    self.domains.iter().flat_map(|(&id, domain)| domain.areas.iter().map(move |&area| (id, area))).collect();
                if let Some(&(id, (first, pages))) = areas.get(area % areas.len().max(1)) {
                    self.unmap(id, first, pages);
                }
            }
            Operation::UnmapRange { which, at, pages } if self.small_pages_only() => {
                let Some(id) = self.domain(which) else { return };
                self.unmap(id, at / FRAME, pages);
            }
            Operation::Attach { requester, which } => {
                let id = which.and_then(|which| self.domain(which));
                self.iommu.attach(&mut self.ram, requester, NO_PASID, id).expect("it exists");
                self.attached[requester as usize] = id;
            }
            Operation::Transfer { requester, iova, length, write, seed } => self.transfer(requester, iova, length, write, seed),
            Operation::Create | Operation::UnmapRange { .. } => {}
        }
    }

    fn assert_agrees(&mut self) {
        assert_eq!(self.iommu.stale_translations(&self.ram), 0);
        assert!(self.ram.bytes(self.pool, self.pool_bytes.len()) == self.pool_bytes, "memory holds what was allowed, nothing else");
        let actual = self.iommu.device_statistics(0);
        let DeviceStatistics { tlb_hits, tlb_misses, walk_reads, structure_hits, evictions, dropped, .. } = actual;
        let looked_up = DeviceStatistics { tlb_hits, tlb_misses, walk_reads, structure_hits, evictions, dropped, ..self.statistics };
        assert_eq!(actual, looked_up);
        assert!(walk_reads <= tlb_misses * 6);
        let statistics = self.iommu.statistics();
        let mapped: u64 = statistics.pages.iter().enumerate().map(|(lg2, count)| count << lg2).sum();
        assert_eq!(mapped, self.domains.values().map(|domain| domain.pages.len() as u64 * FRAME).sum::<u64>());
        // Top tables side by side are one table of several frames.
        let (format, levels) = (self.iommu.config().kind.format(), u32::from(self.iommu.config().levels));
        let top_lg2 = (format.address_lg2(levels) - format.item_lg2(levels - 1)).max(format.index_lg2()) - format.index_lg2();
        let frames = statistics.tables + statistics.hardware_frames + statistics.domains * ((1 << top_lg2) - 1);
        assert_eq!((statistics.domains, frames), (self.domains.len() as u64, self.ram.statistics().tables));
        while let Some(id) = self.domain(0) {
            self.run(&Operation::Destroy { which: 0 });
            assert_eq!(self.iommu.aperture(id).last, 0, "it is gone");
        }
        let statistics = self.iommu.statistics();
        assert_eq!((statistics.tables, self.ram.statistics().tables), (0, statistics.hardware_frames));
    }
}

proptest! {
    #[test]
    fn dma_agrees_with_a_map_of_pages(config in configurations(), operations in operations()) {
        let mut machine = Machine::new(config);
        // Most cases begin with something to talk to.
        for operation in [Operation::Create, Operation::Create, Operation::Attach { requester: 0, which: Some(0) }] {
            machine.run(&operation);
        }
        for operation in &operations {
            machine.run(operation);
        }
        machine.assert_agrees();
    }
}

const DEVICE: Source = Source { device: 2, requester: 0x18, pasid: None };

/// A machine with one page of memory at IOVA 0x1000, for [`DEVICE`], and a page for its buffer.
struct Small {
    ram: Ram,
    iommu: Iommu,
    domain: DomainId,
    page: Pa,
    buffer: Pa,
}

fn small() -> Small {
    let mut ram = Ram::with_bytes(8 << 20).expect("the test machine has memory");
    let mut iommu = Iommu::new(IommuConfig::new(Kind::VtdSs, 3), &mut ram).expect("the format has 3 levels");
    iommu.add_device(&mut ram, DEVICE.device, DEVICE.requester, 0).expect("the test machine has memory");
    let domain = iommu.create_domain(&mut ram).expect("there is RAM");
    iommu.attach(&mut ram, DEVICE.requester, NO_PASID, Some(domain)).expect("it exists");
    let [page, buffer] = [(); 2].map(|()| ram.alloc(FRAME).expect("there is RAM"));
    iommu.map(&mut ram, domain, 0x1000, [Run { pa: page, length: FRAME }].into_iter(), RW).expect("free");
    Small { ram, iommu, domain, page, buffer }
}

impl Small {
    fn read(&mut self, iova: u64, length: u64) -> Result<Option<Peer>, FaultReason> {
        self.iommu.dma_read(&mut self.ram, &DEVICE, iova, self.buffer, length)
    }
}

#[test]
fn the_reason_of_a_refusal_is_the_first_that_holds() {
    let mut machine = small();
    let Small { ram, iommu, buffer, .. } = &mut machine;
    let end = Pa(Ram::BASE + ram.length());
    let stranger = Source { requester: 0x19, ..DEVICE };
    let with_pasid = Source { pasid: Some(1), ..DEVICE };
    let aperture = (1_u64 << 39) - 1;
    let cases = [
        (stranger, 0x1000, *buffer, 8, FaultReason::Blocked, 0x1000),
        (with_pasid, 0x1000, *buffer, 8, FaultReason::Blocked, 0x1000),
        (DEVICE, 0x2000, *buffer, 8, FaultReason::NotPresent, 0x2000),
        (DEVICE, 0x1ff8, *buffer, 16, FaultReason::NotPresent, 0x2000),
        (DEVICE, aperture, *buffer, 1, FaultReason::NotPresent, aperture),
        (DEVICE, aperture + 1, *buffer, 1, FaultReason::BeyondAperture, aperture + 1),
        (DEVICE, u64::MAX, *buffer, 2, FaultReason::BeyondAperture, u64::MAX),
        (DEVICE, 0x1000, end, 1, FaultReason::BadBuffer, 0x1000),
        (DEVICE, 0x1000, Pa(0), 1, FaultReason::BadBuffer, 0x1000),
        (DEVICE, 0x1000, *buffer, u64::MAX, FaultReason::BadBuffer, 0x1000),
    ];
    for (count, (source, iova, to, length, reason, at)) in cases.into_iter().enumerate() {
        assert_eq!(iommu.dma_read(ram, &source, iova, to, length), Err(reason), "{iova:#x}");
        let record = iommu.faults().get(count).expect("logged");
        assert_eq!((record.iova, record.length, record.pasid), (at, length - (at - iova), source.pasid));
    }
    assert_eq!(iommu.device_statistics(DEVICE.device).faults, cases.len() as u64);
    assert_eq!(machine.read(0xdead_0000, 0), Ok(None), "no bytes need no translation");
}

#[test]
fn permissions_are_checked_for_cached_translations_as_well() {
    let mut machine = small();
    let Small { ram, iommu, domain, page, buffer } = &mut machine;
    for (iova, prot, reads, writes) in [(0x2000, Prot::READ, true, false), (0x3000, Prot::WRITE, false, true)] {
        iommu.map(ram, *domain, iova, [Run { pa: *page, length: FRAME }].into_iter(), prot).expect("free");
        for _ in 0..2 {
            let read = iommu.dma_read(ram, &DEVICE, iova, *buffer, 1);
            let write = iommu.dma_write(ram, &DEVICE, iova, *buffer, 1);
            assert_eq!(read, if reads { Ok(None) } else { Err(FaultReason::NoRead) });
            assert_eq!(write, if writes { Ok(None) } else { Err(FaultReason::NoWrite) });
        }
    }
    let DeviceStatistics { tlb_hits, tlb_misses, walk_reads, .. } = iommu.device_statistics(DEVICE.device);
    assert_eq!((tlb_hits, tlb_misses, walk_reads), (6, 2, 6));
}

#[test]
fn no_translation_outlives_unmap_destroy_or_detach() {
    let mut machine = small();
    assert_eq!(machine.read(0x1000, 8), Ok(None));
    machine.iommu.attach(&mut machine.ram, DEVICE.requester, NO_PASID, None).expect("never fails");
    assert_eq!(machine.read(0x1000, 8), Err(FaultReason::Blocked));
    machine.iommu.attach(&mut machine.ram, DEVICE.requester, NO_PASID, Some(machine.domain)).expect("it exists");
    assert_eq!(machine.read(0x1000, 8), Ok(None));
    assert_eq!(machine.iommu.unmap(&mut machine.ram, machine.domain, 0x1000, FRAME), FRAME);
    assert_eq!(machine.read(0x1000, 8), Err(FaultReason::NotPresent));

    let run = Run { pa: machine.page, length: FRAME };
    machine.iommu.map(&mut machine.ram, machine.domain, 0x1000, [run].into_iter(), RW).expect("free");
    assert_eq!(machine.read(0x1000, 8), Ok(None));
    machine.iommu.destroy_domain(&mut machine.ram, machine.domain);
    assert_eq!(machine.read(0x1000, 8), Err(FaultReason::Blocked));
    let next = machine.iommu.create_domain(&mut machine.ram).expect("there is RAM");
    assert_eq!(next, machine.domain, "the id is used again, or this test shows nothing");
    machine.iommu.attach(&mut machine.ram, DEVICE.requester, NO_PASID, Some(next)).expect("it exists");
    assert_eq!(machine.read(0x1000, 8), Err(FaultReason::NotPresent));
}

#[test]
fn a_large_page_is_forgotten_wherever_it_was_cached() {
    let mut machine = small();
    let Small { ram, iommu, domain, buffer, .. } = &mut machine;
    let large = ram.alloc(LARGE).expect("there is RAM");
    iommu.map(ram, *domain, 4 * LARGE, [Run { pa: large, length: LARGE }].into_iter(), RW).expect("free");
    assert_eq!(iommu.statistics().pages[21], 1);
    let pages: Vec<u64> = (0..LARGE_PAGES).map(|page| 4 * LARGE + page * FRAME).collect();
    assert!(pages.iter().all(|&iova| iommu.dma_read(ram, &DEVICE, iova, *buffer, 8).is_ok()));
    assert_eq!(iommu.unmap(ram, *domain, 4 * LARGE + 5 * FRAME, FRAME), LARGE, "a page goes whole");
    assert!(pages.iter().all(|&iova| iommu.dma_read(ram, &DEVICE, iova, *buffer, 8) == Err(FaultReason::NotPresent)));
    assert_eq!(iommu.dma_read(ram, &DEVICE, 0x1000, *buffer, 8), Ok(None));
}

#[test]
fn a_transfer_needs_one_look_up_a_large_page() {
    let mut machine = small();
    let Small { ram, iommu, domain, .. } = &mut machine;
    let [memory, buffer] = [(); 2].map(|()| ram.alloc(LARGE).expect("there is RAM"));
    iommu.map(ram, *domain, LARGE, [Run { pa: memory, length: LARGE }].into_iter(), RW).expect("free");
    ram.bytes_mut(memory, LARGE as usize).fill(0x5a);
    assert_eq!(iommu.dma_read(ram, &DEVICE, LARGE, buffer, LARGE), Ok(None));
    assert!(ram.bytes(buffer, LARGE as usize).iter().all(|&byte| byte == 0x5a));
    let DeviceStatistics { tlb_hits, tlb_misses, walk_reads, bytes, .. } = iommu.device_statistics(DEVICE.device);
    assert_eq!((tlb_hits, tlb_misses, walk_reads, bytes), (0, 1, 2, LARGE));
}

#[test]
fn a_query_leaves_no_trace() {
    let machine = small();
    let before = machine.iommu.device_statistics(DEVICE.device);
    let translation = machine.iommu.translate(&machine.ram, DEVICE.requester, 0x1234).expect("mapped");
    assert_eq!((translation.pa.0, translation.lg2_size), (machine.page.0 + 0x234, 12));
    assert_eq!(machine.iommu.translate(&machine.ram, DEVICE.requester, 1 << 39), Err(FaultReason::BeyondAperture));
    assert_eq!(machine.iommu.translate(&machine.ram, 7, 0x1234), Err(FaultReason::Blocked));
    assert_eq!(machine.iommu.device_statistics(DEVICE.device), before);
    assert!(machine.iommu.faults().is_empty());
}

#[test]
fn the_fault_log_keeps_the_newest_and_counts_the_lost() {
    let mut machine = small();
    for count in 0..300 {
        assert_eq!(machine.read(0x10_0000 + count, 1), Err(FaultReason::NotPresent));
    }
    let log = machine.iommu.faults_mut();
    assert_eq!((log.len(), log.lost(), log.total()), (256, 44, 300));
    assert!(log.iter().zip(44..).all(|(record, count)| (record.sequence, record.iova) == (count, 0x10_0000 + count)));
    log.clear();
    assert!(log.is_empty());
    assert_eq!(machine.read(0, 1), Err(FaultReason::NotPresent));
    let log = machine.iommu.faults();
    assert_eq!((log.get(0).map(|record| record.sequence), log.lost()), (Some(300), 44));
}

#[test]
fn a_fault_carries_the_label_that_the_device_had() {
    let mut machine = small();
    machine.iommu.set_label(DEVICE.device, Some(0x1abe1));
    machine.iommu.set_label(1000, Some(1));
    assert_eq!(machine.read(0, 1), Err(FaultReason::NotPresent));
    machine.iommu.set_label(DEVICE.device, Some(2));
    let reason = machine.iommu.refuse(&DEVICE, 0x1000, 4, true, FaultReason::BusMasterOff);
    assert_eq!(reason, FaultReason::BusMasterOff);
    let labels: Vec<Option<u64>> = machine.iommu.faults().iter().map(|record| record.label).collect();
    assert_eq!(labels, [Some(0x1abe1), Some(2)]);
    let unknown = Source { device: 1000, requester: 1, pasid: None };
    let buffer = machine.buffer;
    assert_eq!(machine.iommu.dma_write(&mut machine.ram, &unknown, 0, buffer, 1), Err(FaultReason::Blocked));
    assert_eq!(machine.iommu.device_statistics(1000), DeviceStatistics::default());
}

#[test]
fn reasons_have_the_codes_that_the_binding_publishes() {
    assert!(FaultReason::ALL.iter().map(|reason| reason.code()).eq(1..=12));
}

#[test]
fn requests_about_no_domain_are_refused() {
    let mut machine = small();
    let none = DomainId(7);
    assert_eq!(machine.iommu.attach(&mut machine.ram, 1, NO_PASID, Some(none)), Err(Errno::ENOENT));
    assert_eq!(machine.iommu.attach(&mut machine.ram, 1, NO_PASID, None), Ok(()));
    assert_eq!(machine.iommu.map(&mut machine.ram, none, 0, [].into_iter(), RW), Err(Errno::ENOENT));
    assert_eq!(machine.iommu.unmap(&mut machine.ram, none, 0, FRAME), 0);
    assert_eq!((machine.iommu.aperture(none).last, machine.iommu.page_sizes(none)), (0, 0));
    machine.iommu.destroy_domain(&mut machine.ram, none);
    assert_eq!(machine.read(0x1000, 1), Ok(None));
    assert_eq!(Iommu::new(IommuConfig::new(Kind::VtdSs, 7), &mut machine.ram).map(|_| ()), Err(Errno::EINVAL));
}

#[test]
fn a_mapping_for_which_tables_are_out_changes_nothing_and_succeeds_later() {
    let mut machine = small();
    let Small { ram, iommu, domain, page, buffer } = &mut machine;
    let hoard: Vec<Pa> = std::iter::from_fn(|| ram.alloc_frames(1, 12)).collect();
    let before = (iommu.statistics(), ram.statistics());
    let run = [Run { pa: *page, length: FRAME }];
    assert_eq!(iommu.map(ram, *domain, 1 << 30, run.into_iter(), RW), Err(Errno::ENOMEM));
    assert_eq!(iommu.create_domain(ram), Err(Errno::ENOMEM));
    assert_eq!((iommu.statistics(), ram.statistics()), before);
    for &frame in hoard.iter().rev().take(2) {
        ram.put_run(frame, FRAME);
    }
    assert_eq!(iommu.map(ram, *domain, 1 << 30, run.into_iter(), RW), Ok(()));
    assert_eq!(iommu.dma_read(ram, &DEVICE, 1 << 30, *buffer, FRAME), Ok(None));
}

#[test]
fn errors_of_map_are_linux_numbers() {
    let mut machine = small();
    let Small { ram, iommu, domain, page, .. } = &mut machine;
    let cases = [
        (0x1000, FRAME, RW, Errno::EADDRINUSE),
        (1 << 39, FRAME, RW, Errno::ERANGE),
        (0x2001, FRAME, RW, Errno::ENXIO),
        (0x2000, FRAME - 1, RW, Errno::ENXIO),
        (0x2000, FRAME, Prot::NONE, Errno::EINVAL),
    ];
    for (iova, length, prot, errno) in cases {
        assert_eq!(iommu.map(ram, *domain, iova, [Run { pa: *page, length }].into_iter(), prot), Err(errno), "{iova:#x}");
    }
}

#[test]
fn a_transfer_stops_at_what_is_not_ram_and_says_where() {
    let mut machine = small();
    let Small { ram, iommu, domain, page, buffer } = &mut machine;
    let bar = Pa(0xc000_0000);
    iommu.map(ram, *domain, 0x2000, [Run { pa: bar, length: 2 * FRAME }].into_iter(), RW).expect("free");
    iommu.map(ram, *domain, 0x4000, [Run { pa: *page, length: FRAME }].into_iter(), RW).expect("free");
    ram.bytes_mut(*buffer, 8).copy_from_slice(b"peerless");
    let peer = iommu.dma_write(ram, &DEVICE, 0x1ffc, *buffer, 0x2008).expect("all of it is mapped");
    assert_eq!(peer, Some(Peer { done: 4, run: Run { pa: bar, length: FRAME } }), "up to the end of a page");
    assert_eq!(ram.bytes(Pa(page.0 + FRAME - 4), 4), b"peer");
    let peer = iommu.dma_write(ram, &DEVICE, 0x3000, *buffer, 8).expect("cached or not");
    assert_eq!(peer, Some(Peer { done: 0, run: Run { pa: Pa(bar.0 + FRAME), length: 8 } }), "or of the transfer");
    assert_eq!(iommu.dma_read(ram, &DEVICE, 0x4000, *buffer, 8), Ok(None));
    let statistics = iommu.device_statistics(DEVICE.device);
    assert_eq!((statistics.writes, statistics.reads, statistics.bytes, statistics.faults), (2, 1, 4 + FRAME + 8 + 8, 0));
    iommu.unmap(ram, *domain, 0x2000, 2 * FRAME);
    assert_eq!(iommu.dma_write(ram, &DEVICE, 0x2000, *buffer, 8), Err(FaultReason::NotPresent));
}
