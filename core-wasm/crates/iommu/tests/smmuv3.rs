//! The bytes of the SMMUv3: tables and commands that its driver half writes, and events. Sections are those of IHI 0070.

use iommu::{Context, DomainId, FRAME, FaultReason, Iommu, IommuConfig, Kind, NO_PASID, Pa, Prot, Ram, Refusal, Run, SecondStage, Source};
use pgtable::TableMemory;
use uapi::Errno;

const STAGE_1: IommuConfig = IommuConfig::new(Kind::ArmS1Granule4K, 4);
const SUBSTREAMS: IommuConfig = IommuConfig { scalable: true, tracks_dirty: true, ..STAGE_1 };
const STAGE_2: IommuConfig = IommuConfig::new(Kind::ArmS2Granule4K, 4);
// Registers.
const STRTAB: u32 = 0x80;
const STRTAB_CFG: u32 = 0x88;
const COMMANDS: u32 = 0x90;
const PRODUCER: u32 = 0x98;
const EVENTS: u32 = 0xa0;
const CR0: u32 = 0x20;
const CR1: u32 = 0x28;
const POINTER: u64 = 0x000f_ffff_ffff_ffc0;
const SID: u64 = 0x0318 << 32;

struct Machine {
    ram: Ram,
    iommu: Iommu,
}

impl Machine {
    /// With one requester, 03:03.0.
    fn new(config: IommuConfig, pasid_bits: u8) -> Machine {
        let mut ram = Ram::with_bytes(4 << 20).expect("the test machine has memory");
        let mut iommu = Iommu::new(config, &mut ram).expect("there is RAM");
        iommu.add_device(&mut ram, 0, 0x0318, pasid_bits).expect("there is RAM");
        Machine { ram, iommu }
    }

    fn domain(&mut self) -> DomainId {
        self.iommu.create_domain(&mut self.ram).expect("there is RAM")
    }

    fn table(&self, id: DomainId) -> u64 {
        self.iommu.context_of(id).expect("it exists").host.table
    }

    fn attach(&mut self, pasid: u32, domain: Option<DomainId>) -> Result<(), Errno> {
        self.iommu.attach(&mut self.ram, 0x0318, pasid, domain)
    }

    fn look_up(&self, pasid: u32) -> Result<Context, Refusal> {
        self.iommu.look_up_context(&self.ram, 0x0318, pasid).expect("the kind has tables")
    }

    fn code(&self, pasid: u32) -> u16 {
        self.look_up(pasid).expect_err("it is refused").code
    }

    fn words<const COUNT: usize>(&self, pa: u64) -> [u64; COUNT] {
        self.ram.entries(Pa(pa), COUNT).try_into().expect("as many")
    }

    /// What the driver has written to a register last.
    fn register(&self, offset: u32) -> u64 {
        let registers = (0..).map_while(|index| self.iommu.register(index));
        registers.filter(|register| register.offset == offset).last().expect("it is written").value
    }

    /// Where the entry of the first level, and the STE, of the requester are.
    fn stream(&self) -> [u64; 2] {
        let first = (self.register(STRTAB) & POINTER) + 3 * 8;
        [first, (self.words::<1>(first)[0] & POINTER) + 0x18 * 64]
    }

    /// The commands that were posted since the queue stood at `from`, each with both words.
    fn commands<const WORDS: usize>(&self, from: u64) -> [u64; WORDS] {
        assert_eq!(self.register(PRODUCER), from + WORDS as u64 / 2);
        self.words((self.register(COMMANDS) & POINTER & !0xfff) + from * 16)
    }

    fn fault(&mut self, pasid: Option<u32>, iova: u64, write: bool) -> (FaultReason, u16, Option<[u64; 4]>) {
        let source = Source { device: 0, requester: 0x0318, pasid };
        let buffer = self.ram.alloc(FRAME).expect("there is RAM");
        let moved = if write {
            self.iommu.dma_write(&mut self.ram, &source, iova, buffer, 1)
        } else {
            self.iommu.dma_read(&mut self.ram, &source, iova, buffer, 1)
        };
        self.ram.put_run(buffer, FRAME);
        let record = self.iommu.faults().iter().last().expect("it is logged");
        (moved.expect_err("it is refused"), record.code, record.raw)
    }
}

#[test]
fn stream_tables_and_context_descriptors_have_the_bytes_of_the_specification() {
    let mut machine = Machine::new(STAGE_1, 20);
    let domain = machine.domain();
    // 6.3.25: two levels, split at 8 bits, of 16. 5.1: 2^(9 - 1) STEs. 5.2: valid, aborted, until something is attached.
    assert_eq!((machine.register(STRTAB) & !POINTER, machine.register(STRTAB_CFG)), (1 << 62, 0x1_0210));
    let [first, at] = machine.stream();
    assert_eq!(machine.words::<1>(first)[0] & !POINTER, 9);
    let [before] = machine.words(at);
    assert_eq!((before & !POINTER, machine.words(at - 64)), (1, [1, 0, 0, 0]));
    machine.attach(NO_PASID, Some(domain)).expect("the table is there");
    // 5.2: S1Config, the context of substream 0, tables write-back and inner shareable. 5.4: 16 bits less than 64, 4 KiB, one half of addresses, 48 bits.
    assert_eq!(machine.words(at), [before | 5 << 1, 0xd6, 0, 0]);
    let descriptor = [0x0002_e205_c000_3510, machine.table(domain), 0, 0xf404_ff44];
    assert_eq!(machine.words(before & POINTER), descriptor);
    // 4: everything at the start; the STE when it is in use; and the ASID when it is left.
    assert_eq!(machine.register(COMMANDS) & !POINTER | machine.register(EVENTS) & !POINTER, 1 << 62 | 8 | 7);
    assert_eq!((machine.register(CR0), machine.register(CR1)), (0xd, 0xd75));
    assert_eq!(machine.commands(0), [4, 31, 0x30, 0, 0x46, 0, 3 | SID, 0, 0x46, 0]);
    machine.attach(NO_PASID, None).expect("never fails");
    assert_eq!((machine.words(at), machine.words(before & POINTER)), ([before, 0, 0, 0], [0; 4]));
    assert_eq!(machine.commands(5), [3 | SID, 0, 0x11 | 2 << 48, 0, 0x46, 0]);
}

#[test]
fn the_number_of_the_producer_has_a_bit_that_changes_with_each_turn() {
    let mut machine = Machine::new(STAGE_1, 0);
    let domain = machine.domain();
    let mut posted = machine.register(PRODUCER);
    for _ in 0..300 {
        machine.attach(NO_PASID, Some(domain)).expect("the table is there");
        machine.attach(NO_PASID, None).expect("never fails");
        posted += 5;
        assert_eq!(machine.register(PRODUCER), posted % 512);
    }
}

#[test]
fn tables_of_substreams_have_the_bytes_of_the_specification() {
    let mut machine = Machine::new(SUBSTREAMS, 17);
    let [one, other] = [machine.domain(), machine.domain()];
    let [_, at] = machine.stream();
    machine.attach(0x1_2345, Some(one)).expect("there is RAM");
    // 5.2: S1CDMax 17, tables of 4 KiB; nothing without a substream. 5.3: valid. 5.4: HA and HD.
    let [stream, high] = machine.words(at);
    assert_eq!((stream & !POINTER, high), (17 << 59 | 1 << 4 | 5 << 1 | 1, 0xd4));
    let step = (stream & POINTER) + (0x1_2345 >> 6) * 8;
    let [leads] = machine.words(step);
    assert_eq!(leads & !POINTER, 1);
    let place = (leads & POINTER) + 5 * 64;
    assert_eq!(machine.words(place), [0x0002_ee05_c000_3510, machine.table(one), 0, 0xf404_ff44]);
    assert_eq!((machine.look_up(0x1_2345), machine.code(NO_PASID)), (machine.iommu.context_of(one).map_err(|_| unreachable!()), 6));
    // 4.3.4: the descriptor alone when the STE stays; its ASID.
    let from = machine.register(PRODUCER);
    machine.attach(0x1_2345, Some(other)).expect("it is attached");
    assert_eq!(machine.commands(from), [5 | SID | 0x1_2345 << 12, 0, 0x11 | 2 << 48, 0, 0x46, 0]);
    machine.attach(NO_PASID, Some(one)).expect("there is RAM");
    assert_eq!(machine.words::<2>(at)[1], 0xd6);
    machine.attach(0x1_2345, None).expect("never fails");
    assert_eq!((machine.words(step), machine.words(at)), ([0], [stream, 0xd6]));
}

#[test]
fn tables_of_64_kib_are_read_as_others() {
    // 5.2: S1Fmt 2; 1,024 context descriptors a table.
    let mut machine = Machine::new(SUBSTREAMS, 20);
    let domain = machine.domain();
    let [_, at] = machine.stream();
    let pasid = 5 << 10 | 70;
    machine.attach(pasid, Some(domain)).expect("there is RAM");
    let [stream] = machine.words(at);
    let [leads] = machine.words((stream & POINTER) + u64::from(pasid >> 6) * 8);
    let descriptor: [u64; 4] = machine.words((leads & POINTER) + 6 * 64);
    let table = machine.ram.alloc_table(16).expect("there is RAM");
    machine.ram.entries_mut(Pa(table.0 + 70 * 64), 4).copy_from_slice(&descriptor);
    machine.ram.entries_mut(Pa((stream & POINTER) + 5 * 8), 1)[0] = table.0 | 1;
    machine.ram.entries_mut(Pa(at), 1)[0] ^= 3 << 4;
    assert_eq!(machine.look_up(pasid), machine.iommu.context_of(domain).map_err(|_| unreachable!()));
    assert_eq!(machine.code(pasid + 1), 0xa);
}

#[test]
fn as_many_substreams_as_the_device_has_fit_its_table() {
    // 7.3.9: none; in the one table; beyond its end; in tables that are not there.
    for (bits, pasid, code) in [(0, 1, 8), (1, 1, 0xa), (6, 63, 0xa), (6, 64, 8), (7, 64, 8), (7, 128, 8), (16, 0xffff, 8)] {
        let mut machine = Machine::new(SUBSTREAMS, bits);
        let domain = machine.domain();
        machine.attach(NO_PASID, Some(domain)).expect("there is RAM");
        assert_eq!(machine.code(pasid), code, "{bits} bits");
        let reaches = if pasid >> bits == 0 { Ok(()) } else { Err(Errno::EINVAL) };
        assert_eq!(machine.attach(pasid, Some(domain)), reaches, "{bits} bits");
        assert_eq!(machine.look_up(pasid).is_ok(), reaches.is_ok());
    }
    // SSIDSIZE is 0.
    let mut machine = Machine::new(STAGE_1, 20);
    let domain = machine.domain();
    assert_eq!(machine.attach(1, Some(domain)), Err(Errno::EINVAL));
}

#[test]
fn an_attachment_without_memory_for_its_context_descriptor_changes_nothing() {
    let mut machine = Machine::new(SUBSTREAMS, 20);
    let domain = machine.domain();
    let hoard: Vec<Pa> = std::iter::from_fn(|| machine.ram.alloc_frames(1, 12)).collect();
    let before = (machine.iommu.statistics(), machine.words::<4>(machine.stream()[1]));
    assert_eq!(machine.attach(70, Some(domain)), Err(Errno::ENOMEM));
    assert_eq!((machine.iommu.statistics(), machine.words(machine.stream()[1])), before);
    machine.ram.put_run(hoard[0], FRAME);
    assert_eq!(machine.attach(70, Some(domain)), Ok(()));
}

#[test]
fn stream_table_entries_of_stage_2_have_the_bytes_of_the_specification() {
    // Granule 4 KiB: S2TG 0, S2SL0 2 for 4 levels and 1 for 3; 64 KiB: 1, 2; 16 KiB: 2, 2. S2T0SZ; of top tables side by side 16.
    let cases = [
        (Kind::ArmS2Granule4K, 4, 0, 2, 16),
        (Kind::ArmS2Granule4K, 3, 0, 1, 21),
        (Kind::ArmS2Granule64K, 3, 1, 2, 16),
        (Kind::ArmS2Granule64K, 2, 1, 1, 18),
        (Kind::ArmS2Granule16K, 3, 2, 2, 16),
    ];
    for (kind, levels, granule, start, size) in cases {
        let mut machine = Machine::new(IommuConfig::new(kind, levels), 20);
        let domain = machine.domain();
        let [_, at] = machine.stream();
        assert_eq!(machine.words(at), [1, 0, 0, 0]);
        machine.attach(NO_PASID, Some(domain)).expect("it needs no table");
        // 5.2: VMID 2; inner shareable, write-back; 48 bits; AArch64, S2PTW, S2R.
        let walk = 0x044d_3500_0000_0002 | granule << 46 | start << 38 | size << 32;
        assert_eq!(machine.words(at), [0xd, 0, walk, machine.table(domain)]);
        assert_eq!((machine.attach(1, Some(domain)), machine.code(1)), (Err(Errno::EINVAL), 8));
        let from = machine.register(PRODUCER);
        machine.attach(NO_PASID, None).expect("never fails");
        assert_eq!(machine.words(at), [1, 0, 0, 0]);
        assert_eq!(machine.commands(from), [3 | SID, 0, 0x28 | 2 << 32, 0, 0x46, 0]);
    }
}

#[test]
fn granules_of_stage_1_have_the_codes_of_the_specification() {
    for (kind, levels, granule, size) in [
        (Kind::ArmS1Granule4K, 3, 0, 25),
        (Kind::ArmS1Granule16K, 4, 2, 16),
        (Kind::ArmS1Granule16K, 3, 2, 17),
        (Kind::ArmS1Granule64K, 2, 1, 22),
    ] {
        let mut machine = Machine::new(IommuConfig::new(kind, levels), 0);
        let domain = machine.domain();
        machine.attach(NO_PASID, Some(domain)).expect("the table is there");
        let [stream] = machine.words(machine.stream()[1]);
        assert_eq!(machine.words::<1>(stream & POINTER)[0] & 0xff, granule << 6 | size);
        assert_eq!(machine.look_up(NO_PASID), machine.iommu.context_of(domain).map_err(|_| unreachable!()));
    }
}

#[test]
fn events_have_the_bytes_of_the_specification() {
    let mut machine = Machine::new(SUBSTREAMS, 6);
    let domain = machine.domain();
    // 5.2: nothing is recorded of what aborts.
    assert_eq!(machine.fault(None, 0x5678, true), (FaultReason::Blocked, 0, None));
    machine.attach(7, Some(domain)).expect("the table is there");
    let record = |code: u64, substream: u64, high, iova| Some([code | substream << 12 | SID, high, iova, 0]);
    assert_eq!(machine.fault(None, 0x5678, true), (FaultReason::Blocked, 6, record(6, 0, 0, 0)));
    assert_eq!(machine.fault(Some(8), 0x5678, true), (FaultReason::Blocked, 0xa, record(0x80a, 8, 0, 0)));
    assert_eq!(machine.fault(Some(64), 0x5678, true), (FaultReason::Blocked, 8, record(0x808, 64, 0, 0)));
    // 7.3.13, 7.3.16: RnW, CLASS IN, the address.
    assert_eq!(machine.fault(Some(7), 0x5678, true), (FaultReason::NotPresent, 0x10, record(0x810, 7, 2 << 40, 0x5678)));
    let page = machine.ram.alloc(FRAME).expect("there is RAM");
    let run = Run { pa: page, length: FRAME };
    machine.iommu.map(&mut machine.ram, domain, 0x5000, std::iter::once(run), Prot::READ).expect("it is free");
    assert_eq!(machine.fault(Some(7), 0x5678, true), (FaultReason::NoWrite, 0x13, record(0x813, 7, 2 << 40, 0x5678)));
    assert_eq!(machine.fault(Some(7), 1 << 48, false), (FaultReason::BeyondAperture, 0x10, record(0x810, 7, 0x208 << 32, 1 << 48)));
    let mut machine = Machine::new(STAGE_2, 0);
    let domain = machine.domain();
    machine.attach(NO_PASID, Some(domain)).expect("it needs no table");
    let raw = [0x10 | SID, 0x288 << 32, 0x5678, 0x5000];
    assert_eq!(machine.fault(None, 0x5678, false), (FaultReason::NotPresent, 0x10, Some(raw)));
}

#[test]
fn pages_are_always_marked_where_a_clean_one_cannot_be_written_to() {
    let mut machine = Machine::new(SUBSTREAMS, 0);
    let domain = machine.domain();
    assert!(machine.iommu.has_marks(domain));
    machine.iommu.set_marks(&mut machine.ram, domain, false);
    let page = machine.ram.alloc(FRAME).expect("there is RAM");
    let run = Run { pa: page, length: FRAME };
    machine.iommu.map(&mut machine.ram, domain, 0x5000, std::iter::once(run), Prot::from_bits(3)).expect("it is free");
    machine.attach(NO_PASID, Some(domain)).expect("the table is there");
    let source = Source { device: 0, requester: 0x0318, pasid: None };
    let dirty = |machine: &mut Machine| machine.iommu.next_dirty(&mut machine.ram, domain, 0, u64::MAX, false).is_some();
    assert!(!dirty(&mut machine));
    assert_eq!(machine.iommu.dma_write(&mut machine.ram, &source, 0x5000, page, 1), Ok(None));
    assert!(dirty(&mut machine));
}

#[test]
fn a_corrupted_entry_gives_the_event_of_the_specification() {
    use FaultReason::{BadTable, Blocked, TableUnreachable};
    const AWAY: u64 = 1 << 50;
    // Which entry of the way, which of its words, what is flipped there; the reason and the event.
    type Case = (usize, u64, u64, FaultReason, u16);
    let of_all: [Case; 9] = [
        (0, 0, 9, Blocked, 2),
        (0, 0, 9 ^ 5, Blocked, 2),
        (0, 0, 9 ^ 10, Blocked, 2),
        (0, 0, AWAY, TableUnreachable, 3),
        (1, 0, 1, Blocked, 4),
        (1, 0, 4 << 1, Blocked, 0),
        (1, 0, 3 << 1, BadTable, 4),
        (1, 0, 2 << 1, BadTable, 4),
        (1, 0, 1 << 1, BadTable, 4),
    ];
    let stage_1: [Case; 15] = [
        (1, 0, 2 << 4, BadTable, 4),
        (1, 0, 3 << 4, Blocked, 8),
        (1, 0, 1 << 59, BadTable, 4),
        (1, 0, AWAY, TableUnreachable, 9),
        (2, 0, 1, Blocked, 8),
        (2, 0, AWAY, TableUnreachable, 9),
        (3, 0, 1 << 31, Blocked, 0xa),
        (3, 0, 1, BadTable, 0xa),
        (3, 0, 1 << 6, BadTable, 0xa),
        (3, 0, 1 << 14, BadTable, 0xa),
        (3, 0, 1 << 15, BadTable, 0xa),
        (3, 0, 1 << 41, BadTable, 0xa),
        (3, 0, 1 << 43, BadTable, 0xa),
        (3, 0, 1 << 44, BadTable, 0xa),
        (3, 0, 1 << 46, BadTable, 0xa),
    ];
    let stage_2: [Case; 6] = [
        (1, 2, 1 << 32, BadTable, 4),
        (1, 2, 1 << 38, BadTable, 4),
        (1, 2, 1 << 46, BadTable, 4),
        (1, 2, 1 << 51, BadTable, 4),
        (1, 2, 1 << 52, BadTable, 4),
        (1, 2, 1 << 57, BadTable, 4),
    ];
    for (config, pasid, more) in [(SUBSTREAMS, 70, &stage_1[..]), (STAGE_2, NO_PASID, &stage_2[..])] {
        let mut machine = Machine::new(config, 20);
        let domain = machine.domain();
        machine.attach(pasid, Some(domain)).expect("there is RAM");
        let mut path = machine.stream().to_vec();
        if config == SUBSTREAMS {
            path.push((machine.words::<1>(path[1])[0] & POINTER) + 8);
            path.push((machine.words::<1>(path[2])[0] & POINTER) + 6 * 64);
        }
        for &(place, word, flip, reason, code) in of_all.iter().chain(more) {
            let at = Pa(path[place] + word * 8);
            machine.ram.entries_mut(at, 1)[0] ^= flip;
            assert_eq!(
                machine.look_up(pasid),
                Err(Refusal { reason, code, second: SecondStage::NONE }),
                "entry {place}, word {word}, bits {flip:#x}"
            );
            machine.ram.entries_mut(at, 1)[0] ^= flip;
        }
        assert!(machine.look_up(pasid).is_ok());
    }
    // 5.2: what is said of transfers without a substream.
    let mut machine = Machine::new(SUBSTREAMS, 20);
    let domain = machine.domain();
    machine.attach(NO_PASID, Some(domain)).expect("there is RAM");
    let at = Pa(machine.stream()[1] + 8);
    for (flip, code) in [(3, 4), (1, 4), (2, 6)] {
        machine.ram.entries_mut(at, 1)[0] ^= flip;
        assert_eq!(machine.code(NO_PASID), code);
        machine.ram.entries_mut(at, 1)[0] ^= flip;
    }
}
