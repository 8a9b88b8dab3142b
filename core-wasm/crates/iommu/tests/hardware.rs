//! Each kind of IOMMU hardware: what its driver half writes to RAM, and what its hardware half makes of that.

mod common;

use common::{AMD_V2, FIRST_STAGE, Machine, PASID_BITS};
use iommu::{
    Context, DomainId, FRAME, FaultReason, FirstStage, Iommu, IommuConfig, Kind, NO_PASID, Pa, Prot, Ram, Refusal, Run, SecondStage,
    Source, VtdTables, Who,
};
use pgtable::TableMemory;
use proptest::prelude::*;
use std::collections::BTreeMap;
use uapi::Errno;

const RW: Prot = Prot::from_bits(3);
/// Functions of several buses, of both halves of a bus.
const REQUESTERS: [u16; 6] = [0x0000, 0x0018, 0x0088, 0x0301, 0x03f8, 0xff80];
/// Within one table of PASIDs, in another, behind the directory of one frame, and the highest.
const PASIDS: [u32; 6] = [NO_PASID, 1, 63, 64, 1 << 15, (1 << 20) - 1];

const LEGACY: IommuConfig = IommuConfig::new(Kind::VtdSs, 4);
const SCALABLE: IommuConfig = IommuConfig { scalable: true, tracks_dirty: true, ..LEGACY };
const AMD: IommuConfig = IommuConfig { tracks_dirty: true, ..IommuConfig::new(Kind::AmdV1, 4) };
const SMMU: IommuConfig = IommuConfig::new(Kind::ArmS1Granule4K, 4);
const SMMU_PASIDS: IommuConfig = IommuConfig { scalable: true, tracks_dirty: true, ..SMMU };
const SMMU_SECOND: IommuConfig = IommuConfig::new(Kind::ArmS2Granule4K, 3);
const RISCV: IommuConfig = IommuConfig::new(Kind::RiscV, 4);
const RISCV_PASIDS: IommuConfig = IommuConfig { scalable: true, ..RISCV };
const RISCV_SECOND: IommuConfig = IommuConfig::new(Kind::RiscVx4, 3);

impl Machine {
    fn look_up(&self, requester: u16, pasid: u32) -> Result<Context, Refusal> {
        self.iommu.look_up_context(&self.ram, requester, pasid).expect("the kind has tables")
    }
}

#[derive(Clone, Debug)]
enum Step {
    Attach { requester: usize, pasid: usize, domain: Option<usize> },
    Marks { domain: usize, marks: bool },
    Destroy { domain: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let requester = 0..REQUESTERS.len();
    let step = prop_oneof![
        8 => (requester, 0..PASIDS.len(), prop::option::weighted(0.6, 0..4_usize))
            .prop_map(|(requester, pasid, domain)| Step::Attach { requester, pasid, domain }),
        1 => (0..3_usize, any::<bool>()).prop_map(|(domain, marks)| Step::Marks { domain, marks }),
        1 => (0..4_usize).prop_map(|domain| Step::Destroy { domain }),
    ];
    prop::collection::vec(step, 1..200)
}

/// Three domains, and where the kind has nested ones, one of these on top of the first.
struct Model {
    machine: Machine,
    domains: [Option<DomainId>; 4],
    attached: BTreeMap<(u16, u32), DomainId>,
}

impl Model {
    fn new(config: IommuConfig) -> Model {
        let mut machine = Machine::new(config, &REQUESTERS);
        let [second, third] = [(); 2].map(|()| Some(machine.domain()));
        let first = Some(machine.iommu.create_second_stage_domain(&mut machine.ram).expect("there is RAM"));
        let stage = FirstStage::Vtd(VtdTables { root: 0x1234_5000, levels: 5, extended_accessed: true });
        let nested = first
            .filter(|_| [SCALABLE, FIRST_STAGE].contains(&config))
            .map(|parent| machine.iommu.create_nested(parent, stage).expect("the parent exists"));
        Model { machine, domains: [first, second, third, nested], attached: BTreeMap::new() }
    }

    fn run(&mut self, step: &Step) {
        let has_pasids = self.machine.iommu.config().scalable;
        match *step {
            Step::Attach { requester, pasid, domain } => {
                let (requester, pasid) = (REQUESTERS[requester], if has_pasids { PASIDS[pasid] } else { NO_PASID });
                let domain = domain.and_then(|domain| self.domains[domain]);
                assert_eq!(self.machine.attach(requester, pasid, domain), Ok(()));
                match domain {
                    Some(domain) => self.attached.insert((requester, pasid), domain),
                    None => self.attached.remove(&(requester, pasid)),
                };
            }
            Step::Marks { domain, marks } => {
                // Legacy mode has no marks.
                if let Some(id) = self.domains[domain].filter(|_| self.machine.iommu.config().tracks_dirty) {
                    self.machine.iommu.set_marks(&mut self.machine.ram, id, marks);
                }
            }
            Step::Destroy { domain } => {
                // A parent outlives what is on top of it.
                if domain == 0 && self.domains[3].is_some() {
                    return;
                }
                let Some(id) = self.domains[domain].take() else { return };
                let Machine { ram, iommu } = &mut self.machine;
                if domain == 3 {
                    iommu.destroy_nested(ram, id)
                } else {
                    iommu.destroy_domain(ram, id)
                }
                self.attached.retain(|_, attached| *attached != id);
            }
        }
    }

    fn check(&self) {
        for requester in REQUESTERS {
            for pasid in PASIDS {
                let wanted = self.attached.get(&(requester, pasid)).map(|&id| self.machine.iommu.context_of(id).expect("it exists"));
                assert_eq!(self.machine.look_up(requester, pasid).ok(), wanted, "requester {requester:#x}, PASID {pasid}");
            }
        }
        assert_eq!(self.machine.iommu.attachments(), self.attached.len());
    }
}

fn agree(config: IommuConfig, steps: &[Step]) {
    let mut model = Model::new(config);
    let at_boot = model.machine.iommu.statistics().hardware_frames;
    for step in steps {
        model.run(step);
        model.check();
    }
    for domain in [3, 2, 1, 0] {
        model.run(&Step::Destroy { domain });
    }
    model.check();
    assert_eq!(model.machine.iommu.statistics().hardware_frames, at_boot, "tables of nobody are given back");
    assert_eq!(model.machine.ram.statistics().tables, at_boot);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn vtd_finds_in_its_tables_what_is_attached(steps in steps()) {
        agree(LEGACY, &steps);
    }

    #[test]
    fn vtd_in_scalable_mode_finds_in_its_tables_what_is_attached(steps in steps()) {
        agree(SCALABLE, &steps);
    }

    #[test]
    fn amd_vi_finds_in_its_tables_what_is_attached(steps in steps()) {
        agree(AMD, &steps);
    }

    #[test]
    fn first_stages_of_vtd_and_amd_vi_are_found_in_their_tables(steps in steps()) {
        [FIRST_STAGE, AMD_V2].into_iter().for_each(|config| agree(config, &steps));
    }

    #[test]
    fn smmuv3_finds_in_its_tables_what_is_attached(steps in steps()) {
        agree(SMMU, &steps);
    }

    #[test]
    fn smmuv3_with_substreams_finds_in_its_tables_what_is_attached(steps in steps()) {
        agree(SMMU_PASIDS, &steps);
    }

    #[test]
    fn smmuv3_of_stage_2_finds_in_its_tables_what_is_attached(steps in steps()) {
        agree(SMMU_SECOND, &steps);
    }

    #[test]
    fn riscv_finds_in_its_tables_what_is_attached(steps in steps()) {
        agree(RISCV, &steps);
    }

    #[test]
    fn riscv_with_processes_finds_in_its_tables_what_is_attached(steps in steps()) {
        agree(RISCV_PASIDS, &steps);
    }

    #[test]
    fn riscv_of_the_second_stage_finds_in_its_tables_what_is_attached(steps in steps()) {
        agree(RISCV_SECOND, &steps);
    }
}

#[test]
fn whoever_is_detached_or_moved_is_not_served_from_a_cache() {
    for config in [LEGACY, SCALABLE, FIRST_STAGE, AMD, AMD_V2, SMMU, SMMU_PASIDS, SMMU_SECOND, RISCV, RISCV_PASIDS, RISCV_SECOND] {
        let mut machine = Machine::new(config, &[0x18]);
        let (one, other) = (machine.domain(), machine.domain());
        let page = machine.ram.alloc(FRAME).expect("there is RAM");
        machine.iommu.map(&mut machine.ram, one, 0, [Run { pa: page, length: FRAME }].into_iter(), RW).expect("it is free");
        let source = Source { device: 0, requester: 0x18, pasid: None };
        // Enough for queues to wrap around many times.
        for _ in 0..500 {
            machine.attach(0x18, NO_PASID, Some(one)).expect("there is RAM");
            assert_eq!(machine.iommu.dma_read(&mut machine.ram, &source, 0, page, 1), Ok(None));
            machine.attach(0x18, NO_PASID, Some(other)).expect("it is attached");
            assert_eq!(machine.fault(0x18, None, 0, false).0, FaultReason::NotPresent);
            machine.attach(0x18, NO_PASID, None).expect("never fails");
            assert_eq!(machine.fault(0x18, None, 0, false).0, FaultReason::Blocked);
        }
    }
}

#[test]
fn a_command_that_invalidates_all_makes_translations_be_walked_again() {
    let mut machine = Machine::new(AMD, &[0x18]);
    let domain = machine.domain();
    let page = machine.ram.alloc(FRAME).expect("there is RAM");
    machine.iommu.map(&mut machine.ram, domain, 0, [Run { pa: page, length: FRAME }].into_iter(), RW).expect("it is free");
    machine.attach(0x18, NO_PASID, Some(domain)).expect("there is RAM");
    let source = Source { device: 0, requester: 0x18, pasid: None };
    let mut misses = [0; 3];
    for (time, place) in misses.iter_mut().enumerate() {
        if time == 2 {
            // The device table of 128 entries becomes a larger one, and the driver posts INVALIDATE_IOMMU_ALL.
            machine.iommu.add_device(&mut machine.ram, 1, 0x3f8, PASID_BITS).expect("there is RAM");
        }
        assert_eq!(machine.iommu.dma_read(&mut machine.ram, &source, 0, page, 1), Ok(None));
        *place = machine.iommu.device_statistics(0).tlb_misses;
    }
    assert_eq!(misses, [1, 1, 2]);
}

#[test]
fn an_attachment_without_memory_for_its_pasid_table_changes_nothing() {
    let mut machine = Machine::new(SCALABLE, &[0x18]);
    let domain = machine.domain();
    let hoard: Vec<Pa> = std::iter::from_fn(|| machine.ram.alloc_frames(1, 12)).collect();
    let before = machine.iommu.statistics();
    assert_eq!(machine.attach(0x18, 70, Some(domain)), Err(Errno::ENOMEM));
    assert_eq!((machine.iommu.statistics(), machine.iommu.attachments()), (before, 0));
    assert!(machine.look_up(0x18, 70).is_err());
    machine.ram.put_run(hoard[0], FRAME);
    assert_eq!(machine.attach(0x18, 70, Some(domain)), Ok(()));
    // The table is there, and an entry that is there can be changed.
    assert_eq!(machine.attach(0x18, 71, Some(domain)), Ok(()));
    let other = machine
        .iommu
        .create_nested(domain, FirstStage::Vtd(VtdTables { root: 0, levels: 4, extended_accessed: false }))
        .expect("it takes no RAM");
    assert_eq!(machine.attach(0x18, 70, Some(other)), Ok(()));
}

#[test]
fn an_attachment_without_memory_for_its_process_directory_makes_none_of_its_tables() {
    let mut machine = Machine::new(RISCV_PASIDS, &[0x18]);
    let domain = machine.domain();
    let hoard: Vec<Pa> = std::iter::from_fn(|| machine.ram.alloc_frames(1, 12)).collect();
    let before = machine.iommu.statistics();
    // Two tables are wanted.
    for room in &hoard[..2] {
        assert_eq!(machine.attach(0x18, 70, Some(domain)), Err(Errno::ENOMEM));
        assert_eq!((machine.iommu.statistics(), machine.iommu.attachments()), (before, 0));
        assert_eq!(machine.look_up(0x18, 70), Err(Refusal { reason: FaultReason::Blocked, code: 266, second: SecondStage::NONE }));
        machine.ram.put_run(*room, FRAME);
    }
    assert_eq!(machine.attach(0x18, 70, Some(domain)), Ok(()));
}

#[test]
fn vtd_tables_have_the_bytes_of_the_specification() {
    let mut machine = Machine::new(LEGACY, &[0x0318]);
    let domain = machine.domain();
    machine.attach(0x0318, NO_PASID, Some(domain)).expect("there is RAM");
    let table = machine.iommu.context_of(domain).expect("it exists").host.table;
    // 11.4.6: legacy mode. 9.1: present, context table pointer. 9.3: present, type 0, top table; 4 levels, domain 2.
    let [low, high] = machine.words(machine.register(0x20) + 3 * 16);
    assert_eq!((low & 0xfff, high), (1, 0));
    assert_eq!(machine.words((low & !0xfff) + 0x18 * 16), [table | 1, 0x202]);
    // 6.5.2: global at the start, then nothing is posted for what was not present; by requester and by domain for what goes.
    let (queue, status) = (machine.register(0x90), 1_u64 << 32 | 0x65);
    assert_eq!(machine.words::<3>(queue), [0x11, 0, 0x12]);
    assert_eq!((machine.words::<1>(queue + 0x20), machine.register(0x88)), ([status], 0x30));
    machine.attach(0x0318, NO_PASID, None).expect("never fails");
    let posted: [u64; 5] = machine.words(queue + 0x30);
    assert_eq!(posted, [0x0318_0002_0031, 0, 0x0002_0022, 0, status]);
    let [address] = machine.words(queue + 0x58);
    assert_eq!((machine.words(address), machine.register(0x88)), ([1], 0x60));
}

#[test]
fn vtd_tables_of_scalable_mode_have_the_bytes_of_the_specification() {
    let mut machine = Machine::new(SCALABLE, &[0x0390]);
    let domain = machine.domain();
    let stage = FirstStage::Vtd(VtdTables { root: 0x1234_5000, levels: 5, extended_accessed: true });
    let nested = machine.iommu.create_nested(domain, stage).expect("the parent exists");
    machine.iommu.set_marks(&mut machine.ram, domain, true);
    machine.attach(0x0390, 65, Some(domain)).expect("there is RAM");
    machine.attach(0x0390, NO_PASID, Some(nested)).expect("there is RAM");
    let table = machine.iommu.context_of(domain).expect("it exists").host.table;
    // 11.4.6: scalable mode. 9.2: the upper half of the bus. 9.4: PASIDs enabled, 2^(7 + 7) directory entries, requests without a PASID use 0.
    let root = machine.register(0x20);
    assert_eq!(root & 0xfff, 0x400);
    let [lower, upper] = machine.words((root & !0xfff) + 3 * 16);
    assert_eq!((lower, upper & 0xfff), (0, 1));
    let [context, rest @ ..]: [u64; 4] = machine.words((upper & !0xfff) + 0x10 * 32);
    assert_eq!((context & 0xfff, rest), (0xe09, [0; 3]));
    // 9.5: two tables. 9.6: second stage only (2) or nested (3), 4 levels, SSADE; 5 levels of the first stage, EAFE, SRE.
    let [first, second]: [u64; 2] = machine.words(context & !0xfff);
    assert_eq!((first & 0xfff, second & 0xfff), (1, 1));
    assert_eq!(machine.words((second & !0xfff) + 64), [table | 0x289, 2, 0, 0, 0, 0, 0, 0]);
    assert_eq!(machine.words(first & !0xfff), [table | 0x2c9, 3, 0x1234_5085, 0, 0, 0, 0, 0]);
    // 11.4.10.3: descriptors of 32 bytes. 6.5.2.4: of a PASID of a domain.
    let queue = machine.register(0x90);
    assert_eq!(queue & 0xfff, 0x800);
    let tail = machine.register(0x88);
    machine.attach(0x0390, 65, None).expect("never fails");
    assert_eq!(machine.words((queue & !0xfff) + tail), [0x41_0002_0017, 0, 0, 0, 0x0002_0022, 0, 0, 0]);
}

#[test]
fn amd_vi_tables_have_the_bytes_of_the_specification() {
    let mut machine = Machine::new(AMD, &[0x0318]);
    let domain = machine.domain();
    // 3.4.1: 0x400 entries are 8 frames.
    let base = machine.register(0);
    assert_eq!(base & 0xfff, 7);
    let (commands, entry) = (machine.register(8), (base & !0xfff) + 0x0318 * 32);
    // 2.2.2: valid, without a page table or permission.
    assert_eq!(machine.words(entry), [3, 0, 0, 0]);
    machine.iommu.set_marks(&mut machine.ram, domain, true);
    machine.attach(0x0318, NO_PASID, Some(domain)).expect("the table is there");
    let table = machine.iommu.context_of(domain).expect("it exists").host.table;
    assert_eq!(machine.words(entry), [table | 0x6000_0000_0000_0983, 2, 0, 0]);
    // 3.4.2: 256 commands. 2.4: all at the start and when the table has moved, then the entry; each time a completion is stored.
    assert_eq!(commands & !(0xf_ffff_ffff_f000), 8 << 56);
    let at = commands & 0xf_ffff_ffff_f000;
    let [all, _, wait, data]: [u64; 4] = machine.words(at);
    let store = wait & 0xf_ffff_ffff_fff8;
    assert_eq!((all, wait & !store, data), (8 << 60, 1 << 60 | 1, 1));
    // What is cached has no marks.
    assert_eq!(machine.words(at + 0x40), [3 << 60 | 2 << 32, 0x7fff_ffff_ffff_f003, wait, 1]);
    assert_eq!(machine.words(at + 0x60), [2 << 60 | 0x0318, 0, wait, 1]);
    assert_eq!((machine.words(store), machine.register(0x2008)), ([1], 0x80));
    machine.attach(0x0318, NO_PASID, None).expect("never fails");
    assert_eq!(machine.words(at + 0x80), [2 << 60 | 0x0318, 0, 3 << 60 | 2 << 32, 0x7fff_ffff_ffff_f003]);
}

#[test]
fn riscv_tables_have_the_bytes_of_the_specification() {
    let mut machine = Machine::new(RISCV, &[0x0318]);
    let domain = machine.domain();
    machine.attach(0x0318, NO_PASID, Some(domain)).expect("the directory is there");
    let table = machine.iommu.context_of(domain).expect("it exists").host.table;
    // 5.5: two levels. 2.1: entries for 64 devices, with the page number from bit 10 on.
    let directory = machine.register(0x10);
    assert_eq!(directory & 0x3ff, 3);
    let [step] = machine.words(page_of(directory) + (0x0318 >> 6) * 8);
    assert_eq!(step & 0x3ff, 1);
    // 2.1.3: valid; no guest; PSCID 2; Sv48.
    let context = page_of(step) + 0x18 * 64;
    assert_eq!(machine.words(context), [1, 0, 2 << 12, 9 << 60 | table >> 12, 0, 0, 0, 0]);
    // 5.6: 256 commands; 5.9: 128 records; both on. 3.1: all, twice, as the directory has grown; nothing for what was not valid.
    let commands = machine.register(0x18);
    assert_eq!((commands & 0x3ff, machine.register(0x28) & 0x3ff), (7, 6));
    assert_eq!((machine.register(0x48), machine.register(0x4c), machine.register(0x30), machine.register(0x24)), (1, 1, 0, 6));
    assert_eq!(machine.words(page_of(commands) + 3 * 16), [3, 0, 1, 0, 0x3002, 0]);
    machine.attach(0x0318, NO_PASID, None).expect("never fails");
    assert_eq!(machine.words::<4>(context), [0; 4]);
    let posted = [3 | 1 << 33 | 0x0318 << 40, 0, 1 | 2 << 12 | 1 << 32, 0, 0x3002, 0];
    assert_eq!((machine.words(page_of(commands) + 6 * 16), machine.register(0x24)), (posted, 9));
}

#[test]
fn riscv_process_directories_have_the_bytes_of_the_specification() {
    let mut machine = Machine::new(RISCV_PASIDS, &[0x18]);
    let domain = machine.domain();
    let table = machine.iommu.context_of(domain).expect("it exists").host.table;
    let context = page_of(machine.register(0x10)) + 0x18 * 64;
    for pasid in [0x2_2345, 0x2_2346] {
        machine.attach(0x18, pasid, Some(domain)).expect("there is RAM");
    }
    // 2.1.3: valid, PDTV, DPE; PD20. 2.2: bits 19:17, 16:8 and 7:0 of the process id; PSCID 2, valid; Sv48.
    let [tc, iohgatp, ta, fsc] = machine.words(context);
    assert_eq!((tc, iohgatp, ta, fsc >> 44), (0x221, 0, 0, 3 << 16));
    let [high] = machine.words((fsc << 12) + 8);
    let [low] = machine.words(page_of(high) + 0x23 * 8);
    assert_eq!((high & 0x3ff, low & 0x3ff), (1, 1));
    assert_eq!(machine.words(page_of(low) + 0x45 * 16), [2 << 12 | 1, 9 << 60 | table >> 12, 2 << 12 | 1, 9 << 60 | table >> 12]);
    // 3.1.3: of a process; of the device, when a table of the directory goes.
    let (at, tail) = (page_of(machine.register(0x18)), machine.register(0x24));
    machine.attach(0x18, 0x2_2345, None).expect("never fails");
    machine.attach(0x18, 0x2_2346, None).expect("never fails");
    let space = 1 | 2 << 12 | 1 << 32;
    let [process, device] = [0x83 | 0x2_2345 << 12 | 1 << 33 | 0x18 << 40, 3 | 1 << 33 | 0x18 << 40];
    assert_eq!(machine.words(at + tail * 16), [process, 0, space, 0, 0x3002, 0, device, 0, space, 0, 0x3002, 0]);
    assert_eq!(machine.words::<1>((fsc << 12) + 8), [0]);
}

#[test]
fn riscv_contexts_of_the_second_stage_have_the_bytes_of_the_specification() {
    let mut machine = Machine::new(RISCV_SECOND, &[0x18]);
    let domain = machine.domain();
    machine.attach(0x18, NO_PASID, Some(domain)).expect("the directory is there");
    let table = machine.iommu.context_of(domain).expect("it exists").host.table;
    // 2.1.3: GSCID 2, Sv39x4, a top table of 16 KiB.
    let context = page_of(machine.register(0x10)) + 0x18 * 64;
    assert_eq!((machine.words(context), table & 0x3fff), ([1, 8 << 60 | 2 << 44 | table >> 12, 0, 0], 0));
    // 3.1.1: of a guest.
    let (at, tail) = (page_of(machine.register(0x18)), machine.register(0x24));
    machine.attach(0x18, NO_PASID, None).expect("never fails");
    let guest = 1 << 33 | 2 << 44;
    assert_eq!(machine.words(at + tail * 16), [3 | 1 << 33 | 0x18 << 40, 0, 1 | guest, 0, 0x81 | guest, 0]);
}

#[test]
fn riscv_process_directories_have_as_many_levels_as_the_device_needs() {
    let mut ram = Ram::with_bytes(1 << 20).expect("the test machine has memory");
    let mut iommu = Iommu::new(RISCV_PASIDS, &mut ram).expect("there is RAM");
    let domain = iommu.create_domain(&mut ram).expect("there is RAM");
    for (requester, (bits, mode)) in (0..).zip([(0, 9), (1, 1), (8, 1), (9, 2), (17, 2), (18, 3), (20, 3)]) {
        iommu.add_device(&mut ram, requester, requester, bits).expect("there is RAM");
        iommu.attach(&mut ram, requester, NO_PASID, Some(domain)).expect("there is RAM");
        let directory = iommu.register(5).expect("the directory is told").value;
        let fsc = ram.entries(Pa(page_of(directory) + u64::from(requester) * 64), 4)[3];
        assert_eq!(fsc >> 60, mode, "{bits} bits");
        let beyond = [1, 1 << 8, 1 << 17][(mode as usize) % 9 % 3];
        let code = iommu.look_up_context(&ram, requester as u16, beyond).expect("the kind has tables").map_err(|refusal| refusal.code);
        assert_eq!(code.is_err_and(|code| code == 260), mode != 3, "{bits} bits");
    }
}

#[test]
fn faults_are_recorded_in_the_bytes_of_the_kind() {
    // VT-d, 11.4.14: page; F, type (62: read), reason, requester. AMD-Vi, 2.5.3: code, flags, domain, requester; address. RISC-V, 3.2: cause, type (2:
    // read, 3: write), requester; address; of a guest page fault the guest's.
    let cases: [(IommuConfig, bool, u16, [u64; 4]); 7] = [
        (LEGACY, false, 0x6, [0x5000, 0xc000_0006_0000_0318, 0, 0]),
        (LEGACY, true, 0x5, [0x5000, 0x8000_0005_0000_0318, 0, 0]),
        (SCALABLE, true, 0x79, [0x5000, 0x8000_0079_0000_0318, 0, 0]),
        (AMD, true, 0x2020, [0x2020_0002_0000_0318, 0x567a, 0, 0]),
        (RISCV, false, 13, [0x0003_1808_0000_000d, 0, 0x567a, 0]),
        (RISCV_PASIDS, true, 15, [0x0003_180c_0000_000f, 0, 0x567a, 0]),
        (RISCV_SECOND, true, 23, [0x0003_180c_0000_0017, 0, 0x567a, 0x5678]),
    ];
    for (config, write, code, raw) in cases {
        let mut machine = Machine::new(config, &[0x0318]);
        let domain = machine.domain();
        machine.attach(0x0318, NO_PASID, Some(domain)).expect("there is RAM");
        assert_eq!(machine.fault(0x0318, None, 0x567a, write), (FaultReason::NotPresent, code, Some(raw)));
    }
    let cases = [
        (SCALABLE, 0x59, [0x5000, 0xc000_0000_8000_0318 | 7 << 40 | 0x59 << 32, 0, 0]),
        (RISCV_PASIDS, 266, [0x0003_1809_0000_0000 | 7 << 12 | 266, 0, 0x5678, 0]),
    ];
    for (config, code, raw) in cases {
        let mut machine = Machine::new(config, &[0x0318]);
        let domain = machine.domain();
        machine.attach(0x0318, NO_PASID, Some(domain)).expect("there is RAM");
        assert_eq!(machine.fault(0x0318, Some(7), 0x5678, false), (FaultReason::Blocked, code, Some(raw)));
    }
}

#[test]
fn what_the_iommu_did_not_refuse_has_no_record_of_the_kind() {
    let mut machine = Machine::new(LEGACY, &[0x18]);
    let source = Source { device: 0, requester: 0x18, pasid: None };
    machine.iommu.refuse(&source, 0, 1, false, FaultReason::BusMasterOff);
    let record = machine.iommu.faults().get(0).expect("it is logged");
    assert_eq!((record.code, record.raw), (0, None));
    let mut mock = Machine::new(IommuConfig::new(Kind::AmdMock, 5), &[0x18]);
    assert_eq!(mock.fault(0x18, None, 0, false), (FaultReason::Blocked, 0, None));
    assert_eq!((mock.iommu.look_up_context(&mock.ram, 0x18, 0), mock.iommu.register(0)), (None, None));
}

/// Where a page number leads that stands as registers and directories of RISC-V have it.
fn page_of(word: u64) -> u64 {
    word >> 10 << 12
}

/// The address of each entry that a look-up goes through in RISC-V's directories, of two levels for devices and three for processes.
fn riscv_path(machine: &Machine, who: Who) -> Vec<u64> {
    let follow = |at: u64| page_of(machine.words::<1>(at)[0]);
    let (requester, pasid) = (u64::from(who.requester), u64::from(who.pasid));
    let step = page_of(machine.register(0x10)) + (requester >> 6) * 8;
    let context = follow(step) + (requester & 63) * 64;
    if !machine.iommu.config().scalable {
        return vec![step, context];
    }
    let high = (machine.words::<1>(context + 24)[0] << 12) + (pasid >> 17) * 8;
    let low = follow(high) + (pasid >> 8 & 511) * 8;
    vec![step, context, high, low, follow(low) + (pasid & 255) * 16]
}

/// The address of each entry that a look-up goes through, in its order.
fn path(machine: &Machine, who: Who) -> Vec<u64> {
    let (bus, function) = (u64::from(who.requester >> 8), u64::from(who.requester & 0xff));
    let follow = |at: u64| machine.words::<1>(at)[0] & 0xf_ffff_ffff_f000;
    let config = machine.iommu.config();
    if config.kind == Kind::RiscV {
        return riscv_path(machine, who);
    }
    if config.kind == Kind::AmdV1 {
        return vec![(machine.register(0) & !0xfff) + u64::from(who.requester) * 32];
    }
    let root = (machine.register(0x20) & !0xfff) + bus * 16 + if config.scalable { (function >> 7) * 8 } else { 0 };
    let context = follow(root) + if config.scalable { (function & 0x7f) * 32 } else { function * 16 };
    if !config.scalable {
        return vec![root, context];
    }
    let directory = follow(context) + u64::from(who.pasid >> 6) * 8;
    vec![root, context, directory, follow(directory) + u64::from(who.pasid & 63) * 64]
}

/// Which entry of the path, which of its words, what is flipped there; the reason and the kind's number.
type Corruption = (usize, u64, u64, FaultReason, u16);

/// Flipped in an address, it leads out of memory.
const AWAY: u64 = 1 << 50;

fn corrupt(config: IommuConfig, pasid: u32, cases: &[Corruption]) {
    let mut machine = Machine::new(config, &[0x0390]);
    let domain = machine.domain();
    machine.attach(0x0390, pasid, Some(domain)).expect("there is RAM");
    let path = path(&machine, Who { requester: 0x0390, pasid });
    for &(place, word, flip, reason, code) in cases {
        let at = Pa(path[place] + word * 8);
        machine.ram.entries_mut(at, 1)[0] ^= flip;
        let found = machine.look_up(0x0390, pasid);
        assert_eq!(found, Err(Refusal { reason, code, second: SecondStage::NONE }), "entry {place}, word {word}, bits {flip:#x}");
        machine.ram.entries_mut(at, 1)[0] ^= flip;
    }
    assert!(machine.look_up(0x0390, pasid).is_ok());
}

#[test]
fn a_corrupted_entry_gives_the_fault_of_the_specification() {
    use FaultReason::{BadTable, Blocked, TableUnreachable};
    let legacy: &[Corruption] = &[
        (0, 0, 1, Blocked, 0x1),
        (0, 0, 1 << 4, BadTable, 0xa),
        (0, 1, 1 << 63, BadTable, 0xa),
        (0, 0, AWAY, TableUnreachable, 0x9),
        (1, 0, 1, Blocked, 0x2),
        (1, 0, 1 << 4, BadTable, 0xb),
        (1, 1, 1 << 24, BadTable, 0xb),
        (1, 0, 1 << 3, BadTable, 0x3),
        (1, 1, 1, BadTable, 0x3),
    ];
    let scalable: &[Corruption] = &[
        (0, 0, 1, Blocked, 0x39),
        (0, 0, 1 << 11, BadTable, 0x3a),
        (0, 0, AWAY, TableUnreachable, 0x40),
        (1, 0, 1, Blocked, 0x41),
        (1, 0, 1 << 5, BadTable, 0x42),
        (1, 1, 1 << 21, BadTable, 0x42),
        (1, 3, 1, BadTable, 0x42),
        (1, 0, 1 << 3, Blocked, 0x45),
        (1, 0, AWAY, TableUnreachable, 0x50),
        (2, 0, 1, Blocked, 0x51),
        (2, 0, 1 << 2, BadTable, 0x52),
        (2, 0, AWAY, TableUnreachable, 0x58),
        (3, 0, 1, Blocked, 0x59),
        (3, 0, 1 << 10, BadTable, 0x5a),
        (3, 7, 1, BadTable, 0x5a),
        (3, 0, 1 << 2, BadTable, 0x5b),
        (3, 0, 1 << 8, BadTable, 0x5b),
    ];
    let amd: &[Corruption] = &[
        (0, 0, 1, BadTable, 0x1000),
        (0, 0, 1 << 1, BadTable, 0x1000),
        (0, 0, 1 << 2, BadTable, 0x1000),
        (0, 0, 3 << 9, BadTable, 0x1000),
        (0, 0, 4 << 9, Blocked, 0x2040),
        (0, 0, 1 << 61, Blocked, 0x2040),
    ];
    corrupt(LEGACY, NO_PASID, legacy);
    corrupt(SCALABLE, 70, scalable);
    corrupt(AMD, NO_PASID, amd);
}

#[test]
fn a_corrupted_entry_of_riscv_gives_the_fault_of_the_specification() {
    use FaultReason::{BadTable, Blocked, TableUnreachable};
    // Tables that lead on; tc, iohgatp, ta, fsc and the words of the extended format; process contexts.
    let riscv: &[Corruption] = &[
        (0, 0, 1, Blocked, 258),
        (0, 0, 1 << 1, BadTable, 259),
        (0, 0, AWAY, TableUnreachable, 257),
        (1, 0, 1, Blocked, 258),
        (1, 0, 1 << 1, BadTable, 259),
        (1, 0, 1 << 5, BadTable, 259),
        (1, 0, 1 << 9, BadTable, 259),
        (1, 1, 1 << 63, BadTable, 259),
        (1, 2, 1, BadTable, 259),
        (1, 3, 1 << 44, BadTable, 259),
        (1, 3, 1 << 61, BadTable, 259),
        (1, 3, 9 << 60, BadTable, 259),
        (1, 4, 1 << 60, BadTable, 259),
        (1, 7, 1, BadTable, 259),
    ];
    let processes: &[Corruption] = &[
        (1, 0, 1 << 5, BadTable, 259),
        (1, 1, 1 << 63, BadTable, 259),
        (1, 3, 3 << 60, BadTable, 259),
        (1, 3, 1 << 44, BadTable, 259),
        (1, 3, 1 << 40, TableUnreachable, 265),
        (2, 0, 1, Blocked, 266),
        (2, 0, 1 << 1, BadTable, 267),
        (2, 0, AWAY, TableUnreachable, 265),
        (3, 0, 1, Blocked, 266),
        (3, 0, AWAY, TableUnreachable, 265),
        (4, 0, 1, Blocked, 266),
        (4, 0, 1 << 3, BadTable, 267),
        (4, 1, 1 << 44, BadTable, 267),
        (4, 1, 9 << 60, BadTable, 267),
    ];
    corrupt(RISCV, NO_PASID, riscv);
    corrupt(RISCV_PASIDS, 70, processes);
}

#[test]
fn a_pasid_that_the_tables_do_not_reach_is_refused() {
    let mut machine = Machine::new(SCALABLE, &[0x18]);
    let domain = machine.domain();
    machine.attach(0x18, 3, Some(domain)).expect("there is RAM");
    let code = |pasid| machine.look_up(0x18, pasid).map_err(|refusal| refusal.code);
    assert_eq!((code(1 << 20), code(64), code(4)), (Err(0x46), Err(0x51), Err(0x59)));
    assert_eq!(machine.attach(0x18, 1 << 20, Some(domain)), Err(Errno::EINVAL));
    let legacy = Machine::new(LEGACY, &[0x18]);
    assert_eq!(legacy.look_up(0x18, 1), Err(Refusal { reason: FaultReason::Blocked, code: 0x31, second: SecondStage::NONE }));
    let mut amd = Machine::new(AMD, &[0x18]);
    let domain = amd.domain();
    assert_eq!(amd.attach(0x18, 1, Some(domain)), Err(Errno::EINVAL));
    assert_eq!(amd.look_up(0x18, 1), Err(Refusal { reason: FaultReason::Blocked, code: 0x8000, second: SecondStage::NONE }));
    let mut riscv = Machine::new(RISCV, &[0x18]);
    let domain = riscv.domain();
    assert_eq!(riscv.attach(0x18, 1, Some(domain)), Err(Errno::EINVAL));
    riscv.attach(0x18, NO_PASID, Some(domain)).expect("the directory is there");
    let disallowed = Err(Refusal { reason: FaultReason::Blocked, code: 260, second: SecondStage::NONE });
    assert_eq!((riscv.look_up(0x18, 1), riscv.look_up(0x40, NO_PASID)), (disallowed, disallowed));
    assert_eq!(riscv.attach(0x40, NO_PASID, Some(domain)), Err(Errno::EINVAL));
    let mut riscv = Machine::new(RISCV_PASIDS, &[0x18]);
    let domain = riscv.domain();
    assert_eq!(riscv.attach(0x18, 1 << 20, Some(domain)), Err(Errno::EINVAL));
    assert_eq!(riscv.look_up(0x18, 1 << 20), disallowed);
    // The device table reaches the requesters that there are.
    assert_eq!(amd.attach(0x0318, NO_PASID, Some(domain)), Err(Errno::EINVAL));
    assert_eq!(amd.look_up(0x0318, NO_PASID), Err(Refusal { reason: FaultReason::BadTable, code: 0x1000, second: SecondStage::NONE }));
}

#[test]
fn a_page_table_that_no_domain_has_is_not_walked() {
    let mut machine = Machine::new(LEGACY, &[0x18]);
    let domain = machine.domain();
    machine.attach(0x18, NO_PASID, Some(domain)).expect("there is RAM");
    let at = Pa(path(&machine, Who { requester: 0x18, pasid: NO_PASID })[1]);
    machine.ram.entries_mut(at, 1)[0] ^= 1 << 20;
    assert_eq!(machine.fault(0x18, None, 0, false).0, FaultReason::BadTable);
}
