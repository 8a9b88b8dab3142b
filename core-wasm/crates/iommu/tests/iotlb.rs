//! The translation caches against the dumbest model: sets that are lists, each with its policy spelt out.

use iommu::{
    DeviceStatistics, DomainId, FRAME, FRAME_LG2, Iommu, IommuConfig, IotlbConfig, Kind, NO_PASID, Pa, Prot, Ram, Replacement, Run, Source,
    Translation,
};
use proptest::prelude::*;
use std::collections::BTreeSet;
use uapi::Errno;

const RW: Prot = Prot::from_bits(3);
const LARGE: u64 = 2 << 20;
const LEVELS: u32 = 4;
const DEVICES: u32 = 2;
/// Bytes that are read at most.
const LONGEST: u64 = 40 * FRAME;
/// Pages and runs of pages that are mapped and unmapped as a whole: where, and how many bytes. Many meet in few sets, at each size.
const AREAS: [(u64, u64); 20] = [
    (0x10_0000, FRAME),
    (0x10_8000, FRAME),
    (0x11_0000, 3 * FRAME),
    (0x12_0000, 0x1_0000),
    (0x18_0000, 0x4_0000),
    (LARGE + 0x1000, FRAME),
    (LARGE + 0x9000, 2 * FRAME),
    (2 * LARGE, LARGE),
    (3 * LARGE, LARGE),
    (5 * LARGE, LARGE + 0x8000),
    (1 << 30, FRAME),
    ((1 << 30) + 0x8000, FRAME),
    ((1 << 30) + LARGE, LARGE),
    (2 << 30, 2 * FRAME),
    (3 << 30, FRAME),
    (1 << 39, FRAME),
    ((1 << 39) + LARGE, FRAME),
    (2 << 39, LARGE),
    (3 << 39, FRAME),
    ((3 << 39) + 0x1_0000, 0x2000),
];

/// What an entry is for: the domain, the size of the page (lg2), and its number.
type Key = (DomainId, u32, u64);

/// A cache as a table of sets and ways.
struct Cache {
    sets: Vec<Vec<Option<Key>>>,
    /// By set: the ways from the one that goes first, for LRU and FIFO.
    order: Vec<Vec<usize>>,
    /// By set: the nodes of its tree, by the path from the root. True: the upper half goes.
    trees: Vec<std::collections::BTreeMap<Vec<bool>, bool>>,
    replacement: Replacement,
    random: u64,
}

impl Cache {
    fn new(entries: u32, ways: u32, replacement: Replacement) -> Cache {
        let sets = (entries / ways) as usize;
        let random = if let Replacement::Random(seed) = replacement { seed.wrapping_mul(2).wrapping_add(1) } else { 0 };
        let order = vec![(0..ways as usize).collect(); sets];
        Cache { sets: vec![vec![None; ways as usize]; sets], order, trees: vec![Default::default(); sets], replacement, random }
    }

    fn set(&self, (domain, _, page): Key) -> usize {
        // The number of a domain to the caches is twice its own.
        (page ^ u64::from(domain.0 * 2).wrapping_mul(0x9e37_79b9)) as usize % self.sets.len()
    }

    /// The path to a way: from the highest bit of its number.
    fn path(ways: usize, way: usize) -> Vec<bool> {
        (0..ways.ilog2()).rev().map(|bit| way >> bit & 1 == 1).collect()
    }

    fn use_way(&mut self, set: usize, way: usize, is_new: bool) {
        if is_new || self.replacement == Replacement::Lru {
            self.order[set].retain(|&other| other != way);
            self.order[set].push(way);
        }
        if self.replacement == Replacement::TreePlru {
            let path = Cache::path(self.sets[set].len(), way);
            for depth in 0..path.len() {
                self.trees[set].insert(path[..depth].to_vec(), !path[depth]);
            }
        }
    }

    fn find(&mut self, key: Key) -> bool {
        if self.sets.is_empty() {
            return false;
        }
        let set = self.set(key);
        let way = self.sets[set].iter().position(|entry| *entry == Some(key));
        way.inspect(|&way| self.use_way(set, way, false)).is_some()
    }

    /// Returns whether something good went.
    fn fill(&mut self, key: Key) -> Option<Key> {
        if self.sets.is_empty() {
            return None;
        }
        let set = self.set(key);
        let ways = self.sets[set].len();
        let way = self.sets[set].iter().position(Option::is_none).unwrap_or_else(|| match self.replacement {
            Replacement::Lru | Replacement::Fifo => self.order[set][0],
            Replacement::TreePlru => {
                let mut path = Vec::new();
                while 1 << path.len() < ways {
                    path.push(*self.trees[set].get(&path).unwrap_or(&false));
                }
                path.iter().fold(0, |way, &upper| way * 2 + usize::from(upper))
            }
            Replacement::Random(_) => {
                self.random ^= self.random >> 12;
                self.random ^= self.random << 25;
                self.random ^= self.random >> 27;
                (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as usize % ways
            }
        });
        let gone = self.sets[set][way].replace(key);
        self.use_way(set, way, true);
        gone
    }

    /// Forgets what `goes`; returns it.
    fn forget(&mut self, goes: impl Fn(&Key) -> bool) -> Vec<Key> {
        let entries = self.sets.iter_mut().flatten().filter(|entry| entry.as_ref().is_some_and(&goes));
        entries.filter_map(Option::take).collect()
    }
}

#[derive(Clone, Debug)]
enum Operation {
    Map {
        domain: usize,
        area: usize,
    },
    Unmap {
        domain: usize,
        area: usize,
    },
    Attach {
        device: u32,
        domain: usize,
    },
    Read {
        device: u32,
        area: usize,
        offset: u64,
        length: u64,
    },
    /// The domain goes, and another one comes in its place.
    Renew {
        domain: usize,
    },
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let (domain, area, device) = (0..2_usize, 0..AREAS.len(), 0..DEVICES);
    let operation = prop_oneof![
        6 => (domain.clone(), area.clone()).prop_map(|(domain, area)| Operation::Map { domain, area }),
        3 => (domain.clone(), area.clone()).prop_map(|(domain, area)| Operation::Unmap { domain, area }),
        1 => (device.clone(), domain.clone()).prop_map(|(device, domain)| Operation::Attach { device, domain }),
        24 => (device, area, prop_oneof![0..FRAME, 0..LARGE], prop_oneof![Just(8), 1..LONGEST])
            .prop_map(|(device, area, offset, length)| Operation::Read { device, area, offset, length }),
        1 => domain.prop_map(|domain| Operation::Renew { domain }),
    ];
    prop::collection::vec(operation, 1..250)
}

fn configurations() -> impl Strategy<Value = IotlbConfig> {
    let replacement = prop_oneof![
        Just(Replacement::Lru),
        Just(Replacement::TreePlru),
        Just(Replacement::Fifo),
        any::<u64>().prop_map(Replacement::Random)
    ];
    (prop::sample::select(vec![0_u32, 1, 2, 4]), 0..4_u32, replacement, prop::sample::select(vec![0_u32, 1, 2, 16]))
        .prop_map(|(sets, ways, replacement, structures)| IotlbConfig { entries: sets << ways, ways: 1 << ways, replacement, structures })
}

/// What commands tell the hardware of `first..=last`: a range, and whether tables on the way are meant too; `None`: all of the domain.
fn told(kind: Kind, first: u64, last: u64, leaves: u64, tables: bool) -> Option<(u64, u64, bool)> {
    match kind {
        // A block whose size and alignment is a power of two.
        Kind::VtdSs | Kind::AmdV1 => {
            let size = (FRAME_LG2..64).map(|lg2| 1_u64 << lg2).find(|size| first / size == last / size)?;
            let start = first / size * size;
            let most = if kind == Kind::VtdSs { FRAME << 18 } else { 1 << 52 };
            (size <= most).then_some((start, start + (size - 1), tables || kind == Kind::AmdV1))
        }
        // Pages of 4 KiB, and never tables.
        _ if tables => None,
        _ if leaves == 1 => Some((first, first, false)),
        _ => (last / FRAME - first / FRAME < 128).then_some((first, last, false)),
    }
}

struct Machine {
    kind: Kind,
    ram: Ram,
    iommu: Iommu,
    pool: Pa,
    buffer: Pa,
    domains: [DomainId; 2],
    mapped: [BTreeSet<usize>; 2],
    attached: [usize; DEVICES as usize],
    pages: Cache,
    structures: Vec<Cache>,
    /// For whom each translation was found.
    fillers: std::collections::BTreeMap<Key, u32>,
    expected: [DeviceStatistics; DEVICES as usize],
}

fn source(device: u32) -> Source {
    Source { device, requester: 0x10 + device, pasid: None }
}

impl Machine {
    fn new(kind: Kind, iotlb: IotlbConfig) -> Machine {
        let mut ram = Ram::with_bytes(16 << 20).expect("memory");
        let mut iommu =
            Iommu::new(IommuConfig { iotlb, ..IommuConfig::new(kind, LEVELS as u8) }, &mut ram).expect("there is such an IOMMU");
        for device in 0..DEVICES {
            iommu.add_device(&mut ram, device, source(device).requester, 0).expect("memory");
        }
        let pool = ram.alloc(2 * LARGE).expect("RAM");
        let buffer = ram.alloc(LONGEST).expect("RAM");
        let domains = [(); 2].map(|()| iommu.create_domain(&mut ram).expect("RAM"));
        for device in 0..DEVICES {
            iommu.attach(&mut ram, source(device).requester, NO_PASID, Some(domains[0])).expect("it exists");
        }
        let structures = if iotlb.structures == 0 { 0 } else { LEVELS - 1 };
        let ways = iotlb.structures.min(4);
        Machine {
            kind,
            ram,
            iommu,
            pool,
            buffer,
            domains,
            mapped: Default::default(),
            attached: [0; DEVICES as usize],
            pages: Cache::new(iotlb.entries, iotlb.ways, iotlb.replacement),
            structures: (0..structures).map(|_| Cache::new(iotlb.structures, ways, iotlb.replacement)).collect(),
            fillers: Default::default(),
            expected: [DeviceStatistics::default(); DEVICES as usize],
        }
    }

    fn drop_pages(&mut self, goes: impl Fn(&Key) -> bool) {
        for key in self.pages.forget(goes) {
            self.expected[self.fillers[&key] as usize].dropped += 1;
        }
    }

    fn drop_domain(&mut self, domain: usize) {
        let id = self.domains[domain];
        self.drop_pages(|key| key.0 == id);
        self.structures.iter_mut().for_each(|cache| drop(cache.forget(|key| key.0 == id)));
    }

    fn unmap(&mut self, domain: usize, area: usize) {
        let ((start, length), id) = (AREAS[area], self.domains[domain]);
        let before = self.iommu.statistics();
        let was = self.mapped[domain].remove(&area);
        assert_eq!(self.iommu.unmap(&mut self.ram, id, start, length), if was { length } else { 0 });
        if !was {
            return;
        }
        let after = self.iommu.statistics();
        let leaves = before.pages.iter().sum::<u64>() - after.pages.iter().sum::<u64>();
        let Some((first, last, tables)) = told(self.kind, start, start + length - 1, leaves, before.tables != after.tables) else {
            return self.drop_domain(domain);
        };
        let goes = |&(owner, lg2, page): &Key| owner == id && (first >> lg2..=last >> lg2).contains(&page);
        self.drop_pages(goes);
        if tables {
            self.structures.iter_mut().for_each(|cache| drop(cache.forget(goes)));
        }
    }

    /// What a walk costs, and what it leaves in the caches of tables.
    fn walk(&mut self, domain: usize, iova: u64, leaf_level: u32, counts: &mut DeviceStatistics) -> u64 {
        let id = self.domains[domain];
        let key = |level: u32| (id, 12 + 9 * (level + 1), iova >> (12 + 9 * (level + 1)));
        let cached = (0..self.structures.len() as u32).find(|&level| self.structures[level as usize].find(key(level)));
        counts.structure_hits += u64::from(cached.is_some());
        let from = cached.unwrap_or(LEVELS - 1);
        let passed = if self.structures.is_empty() { from } else { leaf_level };
        for level in (passed..from).rev() {
            self.structures[level as usize].fill(key(level));
        }
        u64::from(from + 1 - leaf_level)
    }

    /// Reads a part of an area, which is looked up page by page.
    fn read(&mut self, device: u32, area: usize, offset: u64, length: u64) {
        let domain = self.attached[device as usize];
        let (start, size) = AREAS[area];
        let offset = offset % size / 8 * 8;
        let (iova, length) = (start + offset, length.min(size - offset));
        let requester = source(device).requester;
        let is_mapped = self.mapped[domain].contains(&area);
        assert_eq!(self.iommu.translate(&self.ram, requester, iova).is_ok(), is_mapped);
        if !is_mapped {
            let id = self.domains[domain];
            assert!((12..40).all(|lg2| !self.pages.find((id, lg2, iova >> lg2))), "the model has forgotten what went");
            // It comes as far as there are tables, which cannot be told from here: such walks are left out.
            return;
        }
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < length {
            let at = iova + bytes.len() as u64;
            let found = self.iommu.translate(&self.ram, requester, at).expect("it is mapped");
            self.look_up(device, at, found);
            let page = 1 << found.lg2_size;
            let here = (page - at % page).min(length - bytes.len() as u64);
            bytes.extend_from_slice(self.ram.bytes(found.pa, here as usize));
        }
        self.expected[device as usize].reads += 1;
        self.expected[device as usize].bytes += length;
        self.iommu.dma_read(&mut self.ram, &source(device), iova, self.buffer, length).expect("it is mapped");
        assert!(self.ram.bytes(self.buffer, length as usize) == bytes, "the bytes are those of the pages");
    }

    fn look_up(&mut self, device: u32, iova: u64, found: Translation) {
        let domain = self.attached[device as usize];
        let id = self.domains[domain];
        let mut counts = self.expected[device as usize];
        if (12..40).any(|lg2| self.pages.find((id, lg2, iova >> lg2))) {
            counts.tlb_hits += 1;
        } else {
            counts.tlb_misses += 1;
            counts.walk_reads += self.walk(domain, iova, LEVELS - u32::from(found.reads), &mut counts);
            let key = (id, u32::from(found.lg2_size), iova >> found.lg2_size);
            counts.evictions += u64::from(self.pages.fill(key).is_some());
            self.fillers.insert(key, device);
        }
        self.expected[device as usize] = counts;
    }

    fn run(&mut self, operation: &Operation) {
        match *operation {
            Operation::Map { domain, area } if self.mapped[domain].insert(area) => {
                let (start, length) = AREAS[area];
                // Small areas lie where no two of their pages can become one.
                let pa = Pa(self.pool.0 + start % LARGE);
                self.iommu.map(&mut self.ram, self.domains[domain], start, [Run { pa, length }].into_iter(), RW).expect("free");
            }
            Operation::Unmap { domain, area } => self.unmap(domain, area),
            Operation::Attach { device, domain } => {
                // The hardware is told to forget the domain that the requester used.
                self.drop_domain(self.attached[device as usize]);
                self.attached[device as usize] = domain;
                self.iommu.attach(&mut self.ram, source(device).requester, NO_PASID, Some(self.domains[domain])).expect("it exists");
            }
            Operation::Read { device, area, offset, length } => self.read(device, area, offset, length),
            Operation::Renew { domain } => {
                self.drop_domain(domain);
                self.mapped[domain].clear();
                self.iommu.destroy_domain(&mut self.ram, self.domains[domain]);
                self.domains[domain] = self.iommu.create_domain(&mut self.ram).expect("RAM");
                for device in 0..DEVICES {
                    let id = self.domains[self.attached[device as usize]];
                    self.drop_domain(self.attached[device as usize]);
                    self.iommu.attach(&mut self.ram, source(device).requester, NO_PASID, Some(id)).expect("it exists");
                }
            }
            Operation::Map { .. } => {}
        }
    }
}

proptest! {
    #[test]
    fn hits_misses_and_evictions_are_those_of_the_dumbest_cache(
        kind in prop::sample::select(vec![Kind::VtdSs, Kind::AmdV1, Kind::ArmS1Granule4K, Kind::ArmS2Granule4K, Kind::RiscV]),
        iotlb in configurations(),
        operations in operations(),
    ) {
        let mut machine = Machine::new(kind, iotlb);
        for area in 0..AREAS.len() {
            machine.run(&Operation::Map { domain: 0, area });
        }
        for operation in &operations {
            machine.run(operation);
            prop_assert_eq!(machine.iommu.stale_translations(&machine.ram), 0);
            for device in 0..DEVICES {
                prop_assert_eq!(machine.iommu.device_statistics(device), machine.expected[device as usize]);
            }
        }
    }
}

fn machine(iotlb: IotlbConfig) -> Machine {
    let mut machine = Machine::new(Kind::VtdSs, iotlb);
    for area in 0..AREAS.len() {
        machine.run(&Operation::Map { domain: 0, area });
    }
    machine
}

impl Machine {
    fn reads(&mut self, iova: u64) -> u64 {
        let before = self.iommu.device_statistics(0).walk_reads;
        self.iommu.dma_read(&mut self.ram, &source(0), iova, self.buffer, 8).expect("it is mapped");
        self.iommu.device_statistics(0).walk_reads - before
    }
}

#[test]
fn without_entries_every_look_up_is_a_walk_from_the_top() {
    let mut machine = machine(IotlbConfig { entries: 0, ways: 1, replacement: Replacement::Lru, structures: 0 });
    assert_eq!([0, 8, 16].map(|offset| machine.reads(0x10_0000 + offset)), [4, 4, 4]);
    let DeviceStatistics { tlb_hits, tlb_misses, structure_hits, evictions, dropped, .. } = machine.iommu.device_statistics(0);
    assert_eq!((tlb_hits, tlb_misses, structure_hits, evictions, dropped), (0, 3, 0, 0, 0));
}

#[test]
fn cached_tables_leave_one_entry_to_read() {
    let mut machine = machine(IotlbConfig { entries: 0, ways: 1, replacement: Replacement::Lru, structures: 4 });
    let near = machine.reads(1 << 30);
    assert_eq!(
        (near, machine.reads((1 << 30) + 0x8000), machine.reads((1 << 30) + LARGE)),
        (4, 1, 1),
        "a large page is in the table above"
    );
    assert_eq!(machine.reads(3 << 30), 3, "the second table from the top is the same");
    machine.unmap(0, 10);
    assert_eq!(machine.reads((1 << 30) + 0x8000), 1, "no table went");
    machine.unmap(0, 11);
    machine.run(&Operation::Map { domain: 0, area: 11 });
    assert_eq!(machine.reads((1 << 30) + 0x8000), 4, "the table went, and what is cached above it as well");
}

#[test]
fn a_large_page_takes_one_entry() {
    let mut machine = machine(IotlbConfig { entries: 2, ways: 2, replacement: Replacement::Lru, structures: 0 });
    assert_eq!(machine.reads(2 * LARGE), 3);
    for offset in (0..LARGE).step_by(FRAME as usize) {
        assert_eq!(machine.reads(2 * LARGE + offset), 0);
    }
    assert_eq!((machine.reads(0x10_0000), machine.reads(2 * LARGE), machine.iommu.device_statistics(0).evictions), (4, 0, 0));
}

#[test]
fn there_is_no_cache_of_an_odd_shape() {
    let good = IotlbConfig::DEFAULT;
    let odd = [
        IotlbConfig { ways: 0, ..good },
        IotlbConfig { ways: 65, entries: 65, ..good },
        IotlbConfig { ways: 3, ..good },
        IotlbConfig { entries: 12, ..good },
        IotlbConfig { entries: 3, ways: 3, replacement: Replacement::TreePlru, ..good },
        IotlbConfig { entries: 1 << 17, ..good },
        IotlbConfig { structures: 3, ..good },
        IotlbConfig { structures: 1 << 17, ..good },
    ];
    let mut ram = Ram::with_bytes(1 << 20).expect("memory");
    for iotlb in odd {
        let config = IommuConfig { iotlb, ..IommuConfig::new(Kind::VtdSs, 4) };
        assert_eq!(Iommu::new(config, &mut ram).map(|_| ()), Err(Errno::EINVAL), "{iotlb:?}");
    }
    for iotlb in [IotlbConfig { entries: 12, ways: 3, ..good }, IotlbConfig { entries: 64, ways: 64, ..good }] {
        assert!(Iommu::new(IommuConfig { iotlb, ..IommuConfig::new(Kind::VtdSs, 4) }, &mut ram).is_ok(), "{iotlb:?}");
    }
}
