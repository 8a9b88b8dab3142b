//! Lazy invalidation against the dumbest model: what is mapped, what is cached, and how many ranges wait.

use iommu::{DomainId, FRAME, FaultReason, Iommu, IommuConfig, Kind, NO_PASID, Pa, Prot, Ram, Run, Source};
use proptest::prelude::*;
use std::collections::BTreeMap;

const RW: Prot = Prot::from_bits(3);
const DEVICE: Source = Source { device: 0, requester: 0x18, pasid: None };
const IOVA: u64 = 0x10_0000;
/// Pages of IOVA, and pages of memory, that are used.
const PAGES: u64 = 6;
const POOL: u64 = 12;

#[derive(Clone, Debug)]
enum Operation {
    Map {
        at: u64,
        from: u64,
    },
    Unmap {
        at: u64,
        pages: u64,
    },
    Read {
        at: u64,
    },
    Write {
        at: u64,
        value: u8,
    },
    Flush,
    /// The domain's caches are told of everything, as for dirty tracking.
    Forget,
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let at = 0..PAGES;
    let operation = prop_oneof![
        6 => (at.clone(), 0..POOL).prop_map(|(at, from)| Operation::Map { at, from }),
        5 => (at.clone(), 1..3_u64).prop_map(|(at, pages)| Operation::Unmap { at, pages }),
        8 => at.clone().prop_map(|at| Operation::Read { at }),
        8 => (at, any::<u8>()).prop_map(|(at, value)| Operation::Write { at, value }),
        1 => Just(Operation::Flush),
        1 => Just(Operation::Forget),
    ];
    prop::collection::vec(operation, 1..150)
}

struct Machine {
    ram: Ram,
    iommu: Iommu,
    domain: DomainId,
    pool: Pa,
    buffer: Pa,
}

fn machine(kind: Kind, batch: u32) -> Machine {
    let mut ram = Ram::with_bytes(4 << 20).expect("memory");
    let mut iommu = Iommu::new(IommuConfig::new(kind, 4), &mut ram).expect("there is such an IOMMU");
    iommu.add_device(&mut ram, 0, DEVICE.requester, 0).expect("memory");
    iommu.set_batch(&mut ram, batch).expect("memory");
    let domain = iommu.create_domain(&mut ram).expect("RAM");
    iommu.attach(&mut ram, DEVICE.requester, NO_PASID, Some(domain)).expect("it exists");
    let pool = ram.alloc(POOL * FRAME).expect("RAM");
    let buffer = ram.alloc(FRAME).expect("RAM");
    Machine { ram, iommu, domain, pool, buffer }
}

impl Machine {
    fn map(&mut self, at: u64, from: u64) -> bool {
        let run = Run { pa: Pa(self.pool.0 + from * FRAME), length: FRAME };
        self.iommu.map(&mut self.ram, self.domain, IOVA + at * FRAME, [run].into_iter(), RW).is_ok()
    }

    fn unmap(&mut self, at: u64, pages: u64) -> u64 {
        self.iommu.unmap(&mut self.ram, self.domain, IOVA + at * FRAME, pages * FRAME) / FRAME
    }

    /// The byte at a page, read by the device.
    fn read(&mut self, at: u64) -> Result<u8, FaultReason> {
        self.iommu.dma_read(&mut self.ram, &DEVICE, IOVA + at * FRAME + 5, self.buffer, 1)?;
        Ok(self.ram.bytes(self.buffer, 1)[0])
    }

    fn write(&mut self, at: u64, value: u8) -> Result<(), FaultReason> {
        self.ram.bytes_mut(self.buffer, 1)[0] = value;
        self.iommu.dma_write(&mut self.ram, &DEVICE, IOVA + at * FRAME + 5, self.buffer, 1).map(drop)
    }

    fn stale_hits(&self) -> u64 {
        self.iommu.device_statistics(0).stale_hits
    }
}

#[derive(Default)]
struct Model {
    mapped: BTreeMap<u64, u64>,
    /// What the IOTLB has; no page is driven out of it.
    cached: BTreeMap<u64, u64>,
    /// First and last page.
    waiting: Vec<(u64, u64)>,
    bytes: [u8; POOL as usize],
    stale_hits: u64,
}

impl Model {
    fn forget(&mut self) {
        self.cached.clear();
        self.waiting.clear();
    }

    /// The page of memory that an access reaches.
    fn look_up(&mut self, at: u64) -> Result<usize, FaultReason> {
        if let Some(&from) = self.mapped.get(&at) {
            assert!(self.cached.insert(at, from).is_none_or(|cached| cached == from), "what is mapped again is not stale");
            return Ok(from as usize);
        }
        let from = *self.cached.get(&at).ok_or(FaultReason::NotPresent)?;
        self.stale_hits += 1;
        Ok(from as usize)
    }
}

fn step(machine: &mut Machine, model: &mut Model, batch: u32, operation: &Operation) {
    match *operation {
        Operation::Map { at, from } => {
            let free = !model.mapped.contains_key(&at);
            assert_eq!(machine.map(at, from), free);
            if free {
                model.mapped.insert(at, from);
                if model.waiting.iter().any(|&(first, last)| first <= at && at <= last) {
                    model.forget();
                }
            }
        }
        Operation::Unmap { at, pages } => {
            let last = at + pages - 1;
            let gone: Vec<u64> = model.mapped.keys().copied().filter(|page| at <= *page && *page <= last).collect();
            model.mapped.retain(|page, _| !gone.contains(page));
            assert_eq!(machine.unmap(at, pages), gone.len() as u64);
            if gone.is_empty() {
                return;
            }
            model.waiting.push((at, last));
            if batch == 0 {
                model.waiting.clear();
                model.cached.retain(|page, _| !(at <= *page && *page <= last));
            } else if model.waiting.len() >= batch as usize {
                model.forget();
            }
        }
        Operation::Read { at } => {
            let found = model.look_up(at).map(|from| model.bytes[from]);
            assert_eq!(machine.read(at), found);
        }
        Operation::Write { at, value } => {
            let found = model.look_up(at).map(|from| model.bytes[from] = value);
            assert_eq!(machine.write(at, value), found);
        }
        Operation::Flush => {
            machine.iommu.flush(&mut machine.ram);
            if !model.waiting.is_empty() {
                model.forget();
            }
        }
        Operation::Forget => {
            machine.iommu.forget_domain(&mut machine.ram, machine.domain);
            model.forget();
        }
    }
}

proptest! {
    #[test]
    fn a_stale_translation_leads_where_it_led_and_only_as_long_as_its_range_waits(
        kind in prop::sample::select(vec![Kind::VtdSs, Kind::AmdV1]),
        batch in 0..5_u32,
        operations in operations(),
    ) {
        let (mut machine, mut model) = (machine(kind, batch), Model::default());
        for operation in &operations {
            step(&mut machine, &mut model, batch, operation);
            prop_assert_eq!(machine.iommu.stale_translations(&machine.ram), 0);
            prop_assert_eq!((machine.iommu.waiting(), machine.stale_hits()), (model.waiting.len(), model.stale_hits));
            for (page, &value) in (0..).zip(&model.bytes) {
                prop_assert_eq!(machine.ram.bytes(Pa(machine.pool.0 + page * FRAME + 5), 1)[0], value);
            }
        }
        prop_assert!(batch != 0 || model.stale_hits == 0);
    }
}

#[test]
fn a_batch_is_one_invalidation() {
    let mut machine = machine(Kind::VtdSs, 4);
    let invalidations = |machine: &Machine| machine.iommu.statistics().invalidations;
    for at in 0..4 {
        assert_eq!((machine.iommu.waiting(), invalidations(&machine)), (at as usize, 0));
        assert!(machine.map(at, at) && machine.read(at).is_ok());
        assert_eq!(machine.unmap(at, 1), 1);
    }
    assert_eq!((machine.iommu.waiting(), invalidations(&machine), machine.iommu.device_statistics(0).dropped), (0, 1, 4));
}

#[test]
fn a_stale_translation_never_writes_to_a_table() {
    let mut machine = machine(Kind::VtdSs, 4);
    assert!(machine.map(0, 0) && machine.write(0, 7).is_ok());
    assert_eq!(machine.unmap(0, 1), 1);
    while machine.ram.alloc_frames(1, 12).is_some() {}
    // The only frame that is free becomes the table of another domain.
    machine.ram.put_run(machine.pool, FRAME);
    let other = machine.iommu.create_domain(&mut machine.ram).expect("there is one frame");
    assert_eq!(machine.write(0, 8), Err(FaultReason::KernelMemory));
    assert_eq!(machine.read(0), Ok(0), "it is read as it is");
    assert_eq!(machine.stale_hits(), 2);
    machine.iommu.destroy_domain(&mut machine.ram, other);
    machine.iommu.flush(&mut machine.ram);
    assert_eq!(machine.write(0, 8), Err(FaultReason::NotPresent));
}

#[test]
fn what_a_stale_translation_writes_to_a_free_frame_is_gone_when_the_frame_is_used() {
    let mut machine = machine(Kind::VtdSs, 4);
    assert!(machine.map(3, 3) && machine.write(3, 7).is_ok());
    assert_eq!(machine.unmap(3, 1), 1);
    let frame = Pa(machine.pool.0 + 3 * FRAME);
    machine.ram.put_run(frame, FRAME);
    assert_eq!(machine.write(3, 8), Ok(()));
    let mut taken = Vec::new();
    while let Some(pa) = machine.ram.alloc_frames(1, 12) {
        assert!(machine.ram.bytes(pa, FRAME as usize).iter().all(|&byte| byte == 0));
        taken.push(pa);
    }
    assert!(taken.contains(&frame));
}

#[test]
fn a_domain_that_goes_leaves_nothing_that_waits() {
    let mut machine = machine(Kind::VtdSs, 4);
    assert!(machine.map(0, 0) && machine.read(0).is_ok());
    assert_eq!((machine.unmap(0, 1), machine.iommu.waiting()), (1, 1));
    machine.iommu.destroy_domain(&mut machine.ram, machine.domain);
    assert_eq!(machine.iommu.waiting(), 0);
    machine.domain = machine.iommu.create_domain(&mut machine.ram).expect("RAM");
    machine.iommu.attach(&mut machine.ram, DEVICE.requester, NO_PASID, Some(machine.domain)).expect("it exists");
    assert_eq!(machine.read(0), Err(FaultReason::NotPresent));
}
