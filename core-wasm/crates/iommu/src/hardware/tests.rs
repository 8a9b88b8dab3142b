//! Queues: what no request leads to, since both halves of a kind are right.

use super::queue::CommandQueue;
use super::ring::Ring;
use super::riscv::RiscV;
use super::{Caches, Context, Fault, Hardware, Refusal, Root, Unit, Who, alloc, entry, word};
use crate::fault::FaultReason;
use crate::iommu::{IommuConfig, NO_PASID};
use crate::nested::{SecondStage, Stale};
use crate::ram::Ram;
use ::alloc::vec::Vec;
use pgtable::Kind;

const SCALABLE: IommuConfig = IommuConfig { scalable: true, ..IommuConfig::new(Kind::VtdSs, 4) };
const FIRST_STAGE: IommuConfig = IommuConfig { scalable: true, ..IommuConfig::new(Kind::VtdFs, 4) };
const KINDS: [IommuConfig; 6] = [
    IommuConfig::new(Kind::VtdSs, 4),
    SCALABLE,
    FIRST_STAGE,
    IommuConfig::new(Kind::AmdV1, 4),
    IommuConfig::new(Kind::ArmS1Granule4K, 4),
    IommuConfig::new(Kind::RiscV, 4),
];

fn ram() -> Ram {
    Ram::with_bytes(1 << 20).expect("the test machine has memory")
}

/// What commands have forgotten.
#[derive(Default, PartialEq, Debug)]
struct Forgotten {
    contexts: Vec<(Option<u16>, Option<u32>, Option<u16>)>,
    translations: Vec<Option<u16>>,
}

impl Caches for Forgotten {
    fn forget_contexts(&mut self, requester: Option<u16>, pasid: Option<u32>, domain: Option<u16>) {
        self.contexts.push((requester, pasid, domain));
    }

    fn forget_translations(&mut self, domain: Option<u16>) {
        self.translations.push(domain);
    }

    fn forget_pages(&mut self, _domain: u16, _first: u64, _last: u64, _tables: bool) {
        unreachable!("no test has pages forgotten");
    }

    fn forget_guest(&mut self, _domain: u16, _stale: Stale) {
        unreachable!("there is no guest");
    }
}

/// Has the queue executed.
fn executed(unit: &mut dyn Unit, ram: &mut Ram) -> Forgotten {
    let mut forgotten = Forgotten::default();
    unit.execute(ram, &mut forgotten);
    forgotten
}

#[test]
fn a_queue_takes_one_entry_less_than_fit_and_gives_them_back_in_order() {
    let mut ram = ram();
    let mut ring = Ring::new(&mut ram, 16).expect("there is RAM");
    let mut next = 0;
    for round in 0..5 {
        for number in 0..255 {
            assert!(ring.push(&mut ram, [round, number]));
        }
        assert!(!ring.push(&mut ram, [9, 9]), "it is full");
        for number in 0..255 {
            assert_eq!(ring.pop(&ram), Some([round, number]));
            next += 1;
        }
        assert_eq!(ring.pop::<2>(&ram), None);
        assert_eq!(ring.tail(), next * 16 % 4096);
    }
}

#[test]
fn a_bad_command_is_replaced_and_those_behind_it_are_executed() {
    for config in KINDS {
        let mut ram = ram();
        let mut hardware = Hardware::new(&config, &mut ram).expect("there is RAM");
        let (bad, translations): (u64, &[Option<u16>]) = match &mut hardware {
            Hardware::Vtd(unit) => {
                unit.post(&mut ram, [0xf, 0]);
                unit.post(&mut ram, [0x11, 0]);
                (0xf, &[])
            }
            Hardware::AmdVi(unit) => {
                unit.post(&mut ram, [0xf << 60, 0]);
                unit.post(&mut ram, [8 << 60, 0]);
                (0xf << 60, &[None])
            }
            Hardware::Smmuv3(unit) => {
                unit.post(&mut ram, [0xff, 0]);
                // Stage 2 is not there.
                unit.post(&mut ram, [0x28, 0]);
                unit.post(&mut ram, [4, 31]);
                (0xff, &[])
            }
            Hardware::RiscV(unit) => {
                unit.post(&mut ram, [0x7f, 0]);
                // A fence that writes to no memory stops the queue too.
                unit.post(&mut ram, [2 | 1 << 10, 0]);
                unit.post(&mut ram, [3, 0]);
                (0x7f, &[])
            }
            Hardware::None => unreachable!("each of the kinds has hardware"),
        };
        let unit = hardware.unit_mut().expect("each of the kinds has hardware");
        let good = Forgotten { contexts: [(None, None, None)].into(), translations: translations.into() };
        assert_eq!(executed(unit, &mut ram), good, "the command {bad:#x}");
    }
}

#[test]
fn records_that_nobody_takes_are_lost_when_there_is_no_room() {
    for (config, room) in KINDS.into_iter().zip([1, 1, 1, 255, 127, 127]) {
        let mut ram = ram();
        let mut hardware = Hardware::new(&config, &mut ram).expect("there is RAM");
        let unit: &mut dyn Unit = hardware.unit_mut().expect("each of the kinds has hardware");
        for page in 0..300 {
            unit.record(
                &mut ram,
                &Fault { requester: 1, pasid: None, domain: 2, iova: page << 12, write: false, code: 5, second: SecondStage::NONE },
            );
        }
        let mut kept = 0;
        while unit.take_record(&mut ram).is_some() {
            kept += 1;
        }
        assert_eq!(kept, room);
        unit.record(&mut ram, &Fault { requester: 1, pasid: None, domain: 2, iova: 0, write: false, code: 5, second: SecondStage::NONE });
        assert!(unit.take_record(&mut ram).is_some(), "there is room again");
    }
}

#[test]
fn a_fence_of_riscv_writes_its_word() {
    let mut ram = ram();
    let mut unit = RiscV::new(&mut ram, &IommuConfig::new(Kind::RiscV, 3)).expect("there is RAM");
    let at = alloc(&mut ram, 12).expect("there is RAM");
    unit.post(&mut ram, [0x1234_5678 << 32 | 2 | 1 << 10, (at + 4) >> 2]);
    assert_eq!((executed(&mut unit, &mut ram), word(&ram, at)), (Forgotten::default(), Some(0x1234_5678 << 32)));
}

#[test]
fn device_contexts_of_the_base_format_have_32_bytes() {
    // Sv39 alone, without page tables for interrupts.
    let mut ram = ram();
    let mut unit = RiscV::with(&mut ram, 1 << 9).expect("there is RAM");
    let to = Context { domain: 7, host: Root { table: 0x8123_4000, levels: 3, first_stage: true }, first: None, marks: false };
    // Of one level for 7 bits of the requester, of two for all 16.
    for (requester, mode) in [(0x7f, 2), (0xffff, 3)] {
        let who = Who { requester, pasid: NO_PASID };
        unit.reach(&mut ram, requester, 20).expect("there is RAM");
        unit.attach(&mut ram, who, &to).expect("it has a place");
        assert_eq!(unit.look_up(&ram, who), Ok(to));
        let directory = unit.register(5).expect("the directory is told").value;
        assert_eq!(directory & 0x3ff, mode);
        let mut table = directory >> 10 << 12;
        if mode == 3 {
            table = word(&ram, table + 0x1ff * 8).expect("it is there") >> 10 << 12;
        }
        assert_eq!(entry(&ram, table + 0x7f * 32), Some([1, 0, 7 << 12, 8 << 60 | 0x8_1234]));
    }
    // What the capabilities lack is misconfigured: 4 levels here.
    let who = Who { requester: 0, pasid: NO_PASID };
    unit.attach(&mut ram, who, &Context { host: Root { levels: 4, ..to.host }, ..to }).expect("nobody asks the driver");
    assert_eq!(unit.look_up(&ram, who), Err(Refusal { reason: FaultReason::BadTable, code: 259, second: SecondStage::NONE }));
}
