//! Guests of an SMMUv3 with both stages: their context descriptors and stage-1 tables, in memory that stage 2 translates; what is remembered of them, and how
//! it is told. Sections are those of IHI 0070.

mod common;

use common::Machine;
use iommu::{DomainId, FRAME, FaultReason, FirstStage, IommuConfig, Kind, NO_PASID, Pa, Prot, Run, Source};
use pgtable::TableMemory;
use uapi::Errno;

const BOTH: IommuConfig = IommuConfig { both_stages: true, scalable: true, ..IommuConfig::new(Kind::ArmS1Granule4K, 4) };
const REQUESTER: u16 = 0x0318;
const OTHER: u16 = 0x0320;
const SID: u64 = (REQUESTER as u64) << 32;
/// Where the guest has its memory, by its own addresses.
const MEMORY: u64 = 0x4000_0000;
const PAGES: u64 = 64;
/// Pages of the guest: context descriptors, a table of each level from the top, and pages that entries lead to. Those from 32 on are tables of other kinds.
const DESCRIPTORS: u64 = 0;
const TABLES: u64 = 1;
const DATA: u64 = 5;
const MORE: u64 = 6;
const IOVA: u64 = 0x0000_1234_5678_9000;
/// STE (5.2): valid, and what stage 1 does.
const TRANSLATES: u64 = 1 | 5 << 1;
/// Descriptor (5.4): valid, AArch64, 48 bits, faults recorded, aborting; without an upper half.
const DESCRIPTOR: u64 = 16 | 1 << 30 | 1 << 31 | 5 << 32 | 1 << 41 | 1 << 45 | 1 << 46;
const ASID: u64 = 7;
/// Entries (Arm ARM, D8.3): a table; a page that is accessed, for requests without privilege.
const TABLE: u64 = 3;
const PAGE: u64 = 3 | 1 << 6 | 1 << 10;
const READ_ONLY: u64 = 1 << 7;
const ACCESSED: u64 = 1 << 10;
const MODIFIER: u64 = 1 << 51;

struct Guest {
    machine: Machine,
    /// The guest's memory.
    pa: Pa,
    parent: DomainId,
}

fn at(page: u64) -> u64 {
    MEMORY + page * FRAME
}

impl Guest {
    fn new() -> Guest {
        Guest::with(BOTH)
    }

    fn with(config: IommuConfig) -> Guest {
        let mut machine = Machine::new(config, &[REQUESTER, OTHER]);
        let pa = machine.ram.alloc(PAGES * FRAME).expect("there is RAM");
        let parent = machine.iommu.create_parent_domain(&mut machine.ram).expect("there is RAM");
        let mut guest = Guest { machine, pa, parent };
        guest.map(MEMORY, pa, PAGES * FRAME, Prot::READ | Prot::WRITE);
        guest.describe(0, DESCRIPTOR | ASID << 48, at(TABLES), 0);
        for level in 0..3 {
            guest.set(TABLES + level, IOVA >> (39 - 9 * level), at(TABLES + level + 1) | TABLE);
        }
        guest.page(at(DATA) | PAGE);
        guest.mark(DATA, 0xdada);
        guest.mark(MORE, 0x3043);
        guest
    }

    fn map(&mut self, iova: u64, pa: Pa, length: u64, prot: Prot) {
        let run = [Run { pa, length }];
        self.machine.iommu.map(&mut self.machine.ram, self.parent, iova, run.into_iter(), prot).expect("nothing is there");
    }

    fn word(&self, page: u64, index: u64) -> u64 {
        self.machine.words::<1>(self.pa.0 + page * FRAME + index * 8)[0]
    }

    fn put(&mut self, page: u64, index: u64, word: u64) {
        self.machine.ram.entries_mut(Pa(self.pa.0 + page * FRAME + index * 8), 1).fill(word);
    }

    /// Sets an entry of a table of 4 KiB, by the bits of an address.
    fn set(&mut self, page: u64, index: u64, entry: u64) {
        self.put(page, index & 511, entry);
    }

    /// Sets the entry for [`IOVA`] at the lowest level.
    fn page(&mut self, entry: u64) {
        self.set(TABLES + 3, IOVA >> 12, entry);
    }

    fn leaf(&self) -> u64 {
        self.word(TABLES + 3, IOVA >> 12 & 511)
    }

    fn mark(&mut self, page: u64, word: u64) {
        self.put(page, 0, word);
    }

    fn describe(&mut self, index: u64, low: u64, lower: u64, upper: u64) {
        for (word, value) in (0..).zip([low, lower, upper]) {
            self.put(DESCRIPTORS, index * 8 + word, value);
        }
    }

    fn nested(&mut self, stream: [u64; 2]) -> DomainId {
        let first = match stream[0] & 0xe {
            0 => FirstStage::Aborted,
            8 => FirstStage::Passed,
            _ => FirstStage::Arm(stream),
        };
        self.machine.iommu.create_nested(self.parent, first).expect("the parent exists")
    }

    /// Attaches the device to what the guest's STE says.
    fn attach(&mut self, stream: [u64; 2]) -> DomainId {
        let nested = self.nested(stream);
        self.machine.attach(REQUESTER, NO_PASID, Some(nested)).expect("it is free");
        nested
    }

    fn attached() -> Guest {
        let mut guest = Guest::new();
        guest.attach([TRANSLATES | at(DESCRIPTORS), 0]);
        guest
    }

    /// Where the STE of the requester is.
    fn stream(&self) -> u64 {
        let first = (self.machine.register(0x80) & 0x000f_ffff_ffff_ffc0) + u64::from(REQUESTER >> 8) * 8;
        (self.machine.words::<1>(first)[0] & 0x000f_ffff_ffff_ffc0) + u64::from(REQUESTER & 0xff) * 64
    }

    fn read_by(&mut self, requester: u16, pasid: Option<u32>, iova: u64) -> Result<u64, FaultReason> {
        let source = Source { device: 0, requester: requester.into(), pasid };
        let Machine { ram, iommu } = &mut self.machine;
        let buffer = ram.alloc(FRAME).expect("there is RAM");
        let moved = iommu.dma_read(ram, &source, iova, buffer, 8);
        let [word] = self.machine.words(buffer.0);
        self.machine.ram.put_run(buffer, FRAME);
        moved.map(|_| word)
    }

    fn read(&mut self) -> Result<u64, FaultReason> {
        self.read_by(REQUESTER, None, IOVA)
    }

    fn write(&mut self, iova: u64) -> Result<(), FaultReason> {
        let source = Source { device: 0, requester: REQUESTER.into(), pasid: None };
        let Machine { ram, iommu } = &mut self.machine;
        let buffer = ram.alloc(FRAME).expect("there is RAM");
        let moved = iommu.dma_write(ram, &source, iova, buffer, 8);
        ram.put_run(buffer, FRAME);
        moved.map(drop)
    }

    /// Passes a command on, of translations with the guest's number.
    fn command(&mut self, low: u64, high: u64) {
        let number = if low & 0x10 != 0 { u64::from(self.machine.iommu.guest_number(self.parent)) << 32 } else { 0 };
        self.machine.iommu.pass_on(&mut self.machine.ram, [low | number, high]).expect("it has guests");
    }

    /// The event of an access that is refused.
    fn event(&mut self, pasid: Option<u32>, iova: u64, write: bool) -> Option<[u64; 4]> {
        self.machine.fault(REQUESTER, pasid, iova, write).2
    }
}

#[test]
fn entries_of_both_stages_have_the_bytes_of_the_specification() {
    let mut guest = Guest::new();
    let at_ste = guest.stream();
    let idle: [u64; 4] = guest.machine.words(at_ste);
    let stream = [TRANSLATES | 1 << 4 | at(DESCRIPTORS) | 20 << 59, 2 | 1 << 2];
    let nested = guest.attach(stream);
    // 5.2: both stages, the guest's bits of stage 1; MEV; as of stage 2 alone.
    let table = guest.machine.iommu.context_of(guest.parent).expect("it exists").host.table;
    let number = u64::from(guest.machine.iommu.guest_number(guest.parent));
    let second = [0x044d_3590_0000_0000 | number, table];
    assert_eq!(guest.machine.words(at_ste), [stream[0] | 7 << 1, stream[1] | 1 << 19, second[0], second[1]]);
    // The parent alone, and a guest that passes stage 1 by, are stage 2.
    guest.machine.attach(REQUESTER, NO_PASID, Some(guest.parent)).expect("it is replaced");
    let alone: [u64; 4] = guest.machine.words(at_ste);
    assert_eq!(alone, [1 | 6 << 1, 0, second[0], second[1]]);
    assert_eq!(guest.read_by(REQUESTER, None, at(DATA)), Ok(0xdada));
    guest.attach([1 | 4 << 1, 0]);
    assert_eq!(guest.machine.words(at_ste), alone);
    assert_eq!(guest.read_by(REQUESTER, None, at(MORE)), Ok(0x3043));
    // What aborts leaves no event.
    guest.attach([1, 0]);
    assert_eq!(guest.machine.words::<2>(at_ste), [1, 0]);
    assert_eq!(guest.machine.fault(REQUESTER, None, IOVA, false), (FaultReason::Blocked, 0, None));
    // And back to stage 1: its tables are where they were.
    let first = guest.machine.domain();
    guest.machine.attach(REQUESTER, NO_PASID, Some(first)).expect("it is replaced");
    let [low, _, third, fourth]: [u64; 4] = guest.machine.words(at_ste);
    assert_eq!((low, third, fourth), (idle[0] | 5 << 1, 0, 0));
    guest.machine.attach(REQUESTER, NO_PASID, Some(nested)).expect("it is replaced");
    assert_eq!(guest.machine.words(idle[0] & 0x000f_ffff_ffff_ffc0), [0; 4], "its descriptor is gone");
    guest.machine.attach(REQUESTER, NO_PASID, None).expect("never fails");
    assert_eq!(guest.machine.words(at_ste), idle);
}

#[test]
fn stage_2_is_not_for_requesters_whose_pasids_have_descriptors() {
    let mut guest = Guest::new();
    let first = guest.machine.domain();
    for default in [None, Some(first)] {
        guest.machine.attach(REQUESTER, 3, Some(first)).expect("there is RAM");
        guest.machine.attach(REQUESTER, NO_PASID, default).expect("there is RAM");
        let before: [u64; 4] = guest.machine.words(guest.stream());
        let nested = guest.nested([TRANSLATES | at(DESCRIPTORS), 0]);
        for to in [guest.parent, nested] {
            assert_eq!(guest.machine.attach(REQUESTER, NO_PASID, Some(to)), Err(Errno::EINVAL));
        }
        assert_eq!(guest.machine.words(guest.stream()), before);
        guest.machine.attach(REQUESTER, 3, None).expect("never fails");
        assert_eq!(guest.machine.attach(REQUESTER, NO_PASID, Some(nested)), Ok(()));
        assert_eq!(guest.machine.attach(REQUESTER, 3, Some(nested)), Err(Errno::EINVAL));
    }
}

#[test]
fn what_the_hardware_lacks_cannot_be_made() {
    let mut plain = Machine::new(IommuConfig { both_stages: false, ..BOTH }, &[REQUESTER]);
    let domain = plain.domain();
    for first in [FirstStage::Arm([0; 2]), FirstStage::Passed, FirstStage::Aborted] {
        assert_eq!(plain.iommu.create_nested(domain, first), Err(Errno::EINVAL));
    }
    assert_eq!(plain.iommu.pass_on(&mut plain.ram, [0x30, 0]), Err(Errno::EINVAL));
}

#[test]
fn transfers_go_through_both_stages() {
    let mut guest = Guest::attached();
    assert_eq!(guest.read(), Ok(0xdada));
    assert_eq!(guest.write(IOVA), Ok(()));
    assert_eq!(guest.word(DATA, 0), 0);
    // A block of 2 MiB, of which stage 2 has less.
    guest.set(TABLES + 2, (IOVA >> 21) + 1, MEMORY | PAGE & !2);
    let large = (IOVA & !0x1f_ffff) + (2 << 20);
    assert_eq!(guest.read_by(REQUESTER, None, large + MORE * FRAME), Ok(0x3043));
    // Rights of tables (D8.3.2): nothing below can be written; nothing is for requests without privilege.
    for (bit, read, write) in [(62, Ok(0), Err(FaultReason::NoWrite)), (61, Err(FaultReason::NoRead), Err(FaultReason::NoWrite))] {
        guest.set(TABLES + 1, IOVA >> 30, at(TABLES + 2) | TABLE | 1 << bit);
        guest.command(0x10, 0);
        assert_eq!((guest.read(), guest.write(IOVA)), (read, write), "{bit}");
    }
}

#[test]
fn what_was_read_is_remembered_until_a_command_says_otherwise() {
    let mut guest = Guest::attached();
    assert_eq!(guest.read(), Ok(0xdada));
    // Of another ASID, another address, and a descriptor alone: the translation stays.
    guest.page(at(MORE) | PAGE);
    for (low, high) in
        [(0x11 | (ASID + 1) << 48, 0), (0x12 | ASID << 48, IOVA + FRAME), (0x13, IOVA - FRAME), (5 | SID, 0), (0x40 | SID, 52)]
    {
        guest.command(low, high);
        assert_eq!(guest.read(), Ok(0xdada), "{low:#x}");
    }
    // Each that is about it.
    let about = [(0x10, 0), (0x11 | ASID << 48, 0), (0x12 | ASID << 48, IOVA), (0x12 | ASID << 48, IOVA | 1), (0x13, IOVA)];
    for (number, (low, high)) in (0..).zip(about) {
        let (page, word) = if number % 2 == 0 { (MORE, 0x3043) } else { (DATA, 0xdada) };
        guest.page(at(page) | PAGE);
        guest.command(low, high);
        assert_eq!(guest.read(), Ok(word), "{low:#x}");
    }
    // Tables on the way stay where leaves alone have changed.
    guest.put(32, IOVA >> 12 & 511, at(DATA) | PAGE);
    guest.set(TABLES + 2, IOVA >> 21, at(32) | TABLE);
    guest.command(0x12 | ASID << 48, IOVA | 1);
    assert_eq!(guest.read(), Ok(0x3043));
    guest.command(0x12 | ASID << 48, IOVA);
    assert_eq!(guest.read(), Ok(0xdada));
    // Another table by the descriptor: it is remembered, and what it led to by its ASID.
    guest.put(33, IOVA >> 39 & 511, 0);
    guest.describe(0, DESCRIPTOR | ASID << 48, at(33), 0);
    guest.command(0x10, 0);
    assert_eq!(guest.read(), Ok(0xdada), "the descriptor is remembered");
    guest.command(5 | SID, 0);
    assert_eq!(guest.read(), Ok(0xdada), "the translation is");
    guest.command(0x11 | ASID << 48, 0);
    assert_eq!(guest.read(), Err(FaultReason::NotPresent));
}

#[test]
fn two_devices_of_a_guest_share_what_has_one_asid() {
    let mut guest = Guest::attached();
    guest.describe(1, DESCRIPTOR | ASID << 48, at(33), 0);
    let other = guest.nested([TRANSLATES | (at(DESCRIPTORS) + 64), 0]);
    guest.machine.attach(OTHER, NO_PASID, Some(other)).expect("it is free");
    assert_eq!(guest.read_by(OTHER, None, IOVA), Err(FaultReason::NotPresent), "its table has nothing");
    assert_eq!(guest.read(), Ok(0xdada));
    assert_eq!(guest.read_by(OTHER, None, IOVA), Ok(0xdada), "the tag is the same");
    guest.describe(1, DESCRIPTOR | (ASID + 1) << 48, at(33), 0);
    guest.command(5 | u64::from(OTHER) << 32, 0);
    assert_eq!(guest.read_by(OTHER, None, IOVA), Err(FaultReason::NotPresent));
    // Another guest, whose number for the address space is the same.
    let parent = std::mem::replace(&mut guest.parent, DomainId(0));
    guest.parent = guest.machine.iommu.create_parent_domain(&mut guest.machine.ram).expect("there is RAM");
    guest.map(MEMORY, guest.pa, FRAME, Prot::READ);
    guest.describe(1, DESCRIPTOR | ASID << 48, at(TABLES), 0);
    let third = guest.nested([TRANSLATES | (at(DESCRIPTORS) + 64), 0]);
    guest.machine.attach(OTHER, NO_PASID, Some(third)).expect("it is replaced");
    assert_eq!(guest.read_by(OTHER, None, IOVA), Err(FaultReason::TableUnreachable));
    guest.parent = parent;
    assert_eq!(guest.read(), Ok(0xdada));
}

#[test]
fn more_address_spaces_than_are_kept_are_read_again() {
    let mut guest = Guest::new();
    for index in 0..40 {
        let low = DESCRIPTOR | (100 + index) << 48;
        for (word, value) in (0..).zip([low, at(TABLES)]) {
            guest.put(40, index * 8 + word, value);
        }
    }
    // Substreams of one table (5.3): 64 of them.
    guest.attach([TRANSLATES | at(40) | 6 << 59, 2]);
    for round in 0..3 {
        for pasid in 0..40 {
            let pasid = (pasid != 0).then_some(pasid);
            assert_eq!(guest.read_by(REQUESTER, pasid, IOVA), Ok(0xdada), "{round} {pasid:?}");
        }
    }
    // All are the guest's.
    guest.page(at(MORE) | PAGE);
    guest.command(0x13, IOVA);
    assert!((1..40).all(|pasid| guest.read_by(REQUESTER, Some(pasid), IOVA) == Ok(0x3043)));
}

#[test]
fn what_is_unmapped_below_is_gone_at_once() {
    let mut guest = Guest::attached();
    let twice = 0x8000_0000;
    guest.map(twice, Pa(guest.pa.0 + DATA * FRAME), FRAME, Prot::READ);
    guest.page(twice | PAGE);
    assert_eq!(guest.read(), Ok(0xdada));
    let Machine { ram, iommu } = &mut guest.machine;
    assert_eq!(iommu.unmap(ram, guest.parent, twice, FRAME), FRAME);
    assert_eq!(guest.read(), Err(FaultReason::SecondStage));
}

#[test]
fn substreams_have_descriptors_by_linear_tables_and_by_two_levels() {
    // 5.2: S1Fmt 0, 1 (leaves of 4 KiB) and 2 (of 64 KiB), S1CDMax.
    for (format, bits, pasid, second) in [(0, 5, 3, 0), (1, 10, 3 << 6 | 3, 3), (2, 12, 3, 0), (2, 12, 1 << 10 | 3, 1)] {
        let mut guest = Guest::new();
        guest.put(32, second, at(33) | 1);
        let index = u64::from(pasid) & 63;
        for (word, value) in (0..).zip([DESCRIPTOR | 9 << 48, at(TABLES)]) {
            guest.put(if format == 0 { 32 } else { 33 }, index * 8 + word, value);
        }
        guest.attach([TRANSLATES | at(32) | format << 4 | bits << 59, 2]);
        assert_eq!(guest.read_by(REQUESTER, Some(pasid), IOVA), Ok(0xdada), "{format} {pasid}");
        // C_BAD_SUBSTREAMID beyond the table or without one; C_BAD_CD where nothing is. With its SubstreamID.
        let mut beyond = vec![(1 << bits, 8)];
        if format != 0 {
            beyond.push((pasid ^ 2 << if format == 1 { 6 } else { 10 }, 8));
        }
        beyond.push((pasid ^ 1, 0xa));
        for (pasid, code) in beyond {
            let expected = Some([code | 1 << 11 | u64::from(pasid) << 12 | SID, 0, 0, 0]);
            assert_eq!(guest.event(Some(pasid), IOVA, true), expected, "{format} {pasid}");
        }
    }
}

#[test]
fn transfers_without_a_substream_go_as_the_guest_says() {
    // S1DSS: refused, past stage 1, as of substream 0.
    let mut guest = Guest::new();
    guest.attach([TRANSLATES | at(DESCRIPTORS) | 3 << 59, 0]);
    assert_eq!(guest.event(None, IOVA, false), Some([6 | SID, 0, 0, 0]));
    guest.attach([TRANSLATES | at(DESCRIPTORS) | 3 << 59, 1]);
    assert_eq!(guest.read_by(REQUESTER, None, at(DATA)), Ok(0xdada));
    // F_TRANSLATION of stage 2, IN.
    assert_eq!(guest.event(None, IOVA + 8, false), Some([0x10 | SID, 1 << 35 | 1 << 39 | 2 << 40, IOVA + 8, IOVA]));
    guest.attach([TRANSLATES | at(DESCRIPTORS) | 3 << 59, 2]);
    assert_eq!(guest.read(), Ok(0xdada));
    guest.attach([TRANSLATES | at(DESCRIPTORS) | 3 << 59, 3]);
    assert_eq!(guest.event(None, IOVA, false), Some([4 | SID, 0, 0, 0]));
    // More than there are, and a format that is none.
    for bad in [21 << 59, 3 << 59 | 3 << 4] {
        guest.attach([TRANSLATES | at(DESCRIPTORS) | bad, 2]);
        assert_eq!(guest.event(None, IOVA, false), Some([4 | SID, 0, 0, 0]), "{bad:#x}");
    }
}

#[test]
fn refusals_have_the_events_of_the_specification() {
    const OUT: u64 = 0x7000_0000;
    const READ: u64 = 1 << 35;
    const SECOND: u64 = 1 << 39;
    const CLASS_TABLE: u64 = 1 << 40;
    const CLASS_IN: u64 = 2 << 40;
    // The page's entry, how the device comes, and the event: number, its second word, the address of stage 2.
    let cases = [
        (0, false, 0x10, CLASS_IN | READ, 0),
        (1, false, 0x10, CLASS_IN | READ, 0),
        (at(DATA) | PAGE | READ_ONLY, true, 0x13, CLASS_IN, 0),
        (at(DATA) | PAGE & !(1 << 6), false, 0x13, CLASS_IN | READ, 0),
        (at(DATA) | PAGE & !ACCESSED, true, 0x12, CLASS_IN, 0),
        (OUT | PAGE, false, 0x10, CLASS_IN | READ | SECOND, OUT),
        ((OUT + FRAME) | PAGE, true, 0x13, CLASS_IN | SECOND, OUT + FRAME),
    ];
    let mut guest = Guest::attached();
    let pa = Pa(guest.pa.0 + DATA * FRAME);
    guest.map(OUT + FRAME, pa, FRAME, Prot::READ);
    guest.map(OUT + 2 * FRAME, pa, FRAME, Prot::WRITE);
    for (entry, write, number, second, address) in cases {
        guest.page(entry);
        assert_eq!(guest.event(None, IOVA + 4, write), Some([number | SID, second, IOVA + 4, address]), "{entry:#x}");
    }
    // Tables where stage 2 has nothing, or nothing to be read.
    for (table, number) in [(OUT, 0x10), (OUT + 2 * FRAME, 0x13)] {
        guest.set(TABLES + 2, IOVA >> 21, table | TABLE);
        guest.command(0x10, 0);
        let expected = Some([number | SID, CLASS_TABLE | SECOND, IOVA, table]);
        assert_eq!(guest.event(None, IOVA, true), expected);
    }
    guest.set(TABLES + 2, IOVA >> 21, at(TABLES + 3) | TABLE);
    // Addresses: of neither half; of one without tables. F_TRANSLATION.
    for iova in [1 << 48, u64::MAX << 48, u64::MAX] {
        assert_eq!(guest.event(None, iova, false), Some([0x10 | SID, CLASS_IN | READ, iova, 0]), "{iova:#x}");
    }
    // Further than the descriptor says that addresses reach (IPS 0: 32 bits): F_ADDR_SIZE.
    guest.describe(0, DESCRIPTOR & !(5 << 32) | ASID << 48, at(TABLES), 0);
    guest.page(1 << 32 | PAGE);
    guest.command(5 | SID, 0);
    assert_eq!(guest.event(None, IOVA, false), Some([0x11 | SID, CLASS_IN | READ, IOVA, 0]));
    // A descriptor that wants no record of faults.
    guest.describe(0, DESCRIPTOR & !(1 << 45) | ASID << 48, at(TABLES), 0);
    guest.command(6 | SID, 0);
    guest.page(0);
    assert_eq!(guest.machine.fault(REQUESTER, None, IOVA, false), (FaultReason::NotPresent, 0, None));
    guest.page(OUT | PAGE);
    assert_eq!(guest.event(None, IOVA, false), Some([0x10 | SID, CLASS_IN | READ | SECOND, IOVA, OUT]), "stage 2 is the host's");
    // The descriptor where stage 2 has nothing: CLASS 0.
    guest.attach([TRANSLATES | OUT, 0]);
    assert_eq!(guest.event(None, IOVA, true), Some([0x10 | SID, SECOND, IOVA, OUT]));
}

#[test]
fn descriptors_that_cannot_be_are_bad() {
    let mut guest = Guest::attached();
    // Not valid; AArch32; big-endian; stalling; not aborting; 47 bits too many; 15 too few; no granule; marks that the hardware has not; a table beyond IPS.
    let bad = [1 << 31, 1 << 41, 1 << 15, 1 << 44, 1 << 46, 31, 16 ^ 40, 3 << 6, 1 << 43, 3 << 42, 5 << 32];
    for flip in bad {
        let lower = if flip == 5 << 32 { 1 << 32 } else { at(TABLES) };
        guest.describe(0, (DESCRIPTOR ^ flip) | ASID << 48, lower, 0);
        guest.command(5 | SID, 0);
        assert_eq!(guest.event(None, IOVA, false), Some([0xa | SID, 0, 0, 0]), "{flip:#x}");
    }
    guest.describe(0, DESCRIPTOR | ASID << 48, at(TABLES), 0);
    assert_eq!(guest.read(), Ok(0xdada), "what is bad is not remembered");
}

#[test]
fn both_halves_have_tables_and_the_highest_byte_may_mean_nothing() {
    let mut guest = Guest::new();
    // T1SZ 25 with 4 KiB (TG1 2): three levels for 39 bits. TBI1.
    let upper = (25 << 16 | 2 << 22) & !(1 << 30);
    guest.describe(0, (DESCRIPTOR & !(1 << 30)) | upper | 1 << 39 | ASID << 48, at(TABLES), at(32));
    let high = 0xffff_ff80_0000_0000 | 0x7f_1234_5000;
    guest.set(32, high >> 30, at(33) | TABLE);
    guest.set(33, high >> 21, at(34) | TABLE);
    guest.set(34, high >> 12, at(MORE) | PAGE);
    guest.attach([TRANSLATES | at(DESCRIPTORS), 0]);
    let tagged = high & (!0 >> 8) | 0x5a << 56;
    for iova in [high, tagged] {
        assert_eq!(guest.read_by(REQUESTER, None, iova), Ok(0x3043), "{iova:#x}");
    }
    assert_eq!(guest.read(), Ok(0xdada));
    assert_eq!(guest.read_by(REQUESTER, None, IOVA | 0x5a << 56), Err(FaultReason::BeyondAperture));
    // Both are one to caches.
    guest.set(34, high >> 12, 0);
    guest.command(0x12 | ASID << 48, tagged & !0xfff);
    assert_eq!(guest.read_by(REQUESTER, None, high), Err(FaultReason::NotPresent));
}

#[test]
fn granules_are_as_the_descriptor_says() {
    // TG0, bits of address, the granule and the levels.
    for (code, bits, lg2, levels) in [(2_u64, 36_u32, 14_u32, 2_u64), (1, 42, 16, 2)] {
        let mut guest = Guest::new();
        let low = DESCRIPTOR & !0x3f | u64::from(64 - bits) | code << 6;
        let (top, bottom) = (at(PAGES / 2), at(PAGES / 2) + (1 << lg2));
        guest.describe(0, low | ASID << 48, top, 0);
        let iova = IOVA & ((1 << bits) - 1) & !((1 << lg2) - 1);
        let index = |level: u64| iova >> (u64::from(lg2) + level * u64::from(lg2 - 3)) & ((1 << (lg2 - 3)) - 1);
        let put = |guest: &mut Guest, ipa: u64, index: u64, entry| guest.put((ipa - MEMORY) / FRAME, index, entry);
        put(&mut guest, top, index(levels - 1), bottom | TABLE);
        put(&mut guest, bottom, index(0), MEMORY | PAGE);
        guest.attach([TRANSLATES | at(DESCRIPTORS), 0]);
        // A page of the guest is several of stage 2.
        for (page, word) in [(DATA, 0xdada), (MORE, 0x3043)].into_iter().filter(|(page, _)| page * FRAME < 1 << lg2) {
            assert_eq!(guest.read_by(REQUESTER, None, iova + page * FRAME), Ok(word), "{lg2}");
        }
        assert_eq!(guest.read_by(REQUESTER, None, iova + TABLES * FRAME), Ok(guest.word(TABLES, 0)));
        put(&mut guest, bottom, index(0), 0);
        guest.command(0x12 | ASID << 48, iova);
        let found = guest.read_by(REQUESTER, None, iova + TABLES * FRAME);
        assert_eq!(found, Err(FaultReason::NotPresent), "all of its parts are forgotten");
    }
}

#[test]
fn tables_that_stage_2_has_in_pieces_are_read_piece_by_piece() {
    let mut guest = Guest::new();
    // The guest's table of 64 KiB lies in frames that are elsewhere in the other order.
    let table = 0x9000_0000;
    for page in 0..16 {
        guest.map(table + page * FRAME, Pa(guest.pa.0 + (47 - page) * FRAME), FRAME, Prot::READ);
    }
    // 29 bits of address: one level, with all of its entries.
    guest.describe(0, DESCRIPTOR & !0x3f | 35 | 1 << 6 | ASID << 48, table, 0);
    for (index, page) in [(5, DATA), (600, MORE), (8191, DATA)] {
        guest.put(47 - index / 512, index % 512, MEMORY | PAGE);
        assert_eq!(guest.word(page, 0), if page == DATA { 0xdada } else { 0x3043 });
    }
    guest.attach([TRANSLATES | at(DESCRIPTORS), 0]);
    for (index, page, word) in [(5, DATA, 0xdada), (600, MORE, 0x3043), (8191, DATA, 0xdada)] {
        assert_eq!(guest.read_by(REQUESTER, None, (index << 16) + page * FRAME), Ok(word), "{index}");
    }
}

#[test]
fn marks_are_set_where_the_guest_asks_and_only_there() {
    let marks = IommuConfig { tracks_dirty: true, ..BOTH };
    let mut guest = Guest::with(marks);
    assert!(!guest.machine.iommu.context_of(guest.parent).expect("it exists").marks, "stage 2 keeps none");
    // Without HA and with AFFD: as it is.
    guest.describe(0, DESCRIPTOR | 1 << 35 | ASID << 48, at(TABLES), 0);
    guest.attach([TRANSLATES | at(DESCRIPTORS), 0]);
    let clean = at(DATA) | PAGE & !ACCESSED | READ_ONLY | MODIFIER;
    guest.page(clean);
    assert_eq!((guest.read(), guest.write(IOVA), guest.leaf()), (Ok(0xdada), Err(FaultReason::NoWrite), clean));
    // HA: accessed. HD with it: a write makes it writable.
    guest.describe(0, DESCRIPTOR | 1 << 43 | ASID << 48, at(TABLES), 0);
    guest.command(5 | SID, 0);
    guest.command(0x10, 0);
    assert_eq!((guest.read(), guest.leaf()), (Ok(0xdada), clean | ACCESSED));
    assert_eq!(guest.write(IOVA), Err(FaultReason::NoWrite));
    guest.describe(0, DESCRIPTOR | 3 << 42 | ASID << 48, at(TABLES), 0);
    guest.command(5 | SID, 0);
    assert_eq!((guest.read(), guest.leaf()), (Ok(0xdada), clean | ACCESSED));
    assert_eq!((guest.write(IOVA), guest.leaf()), (Ok(()), (clean | ACCESSED) & !READ_ONLY));
    // In a table that stage 2 does not let the hardware write: F_PERMISSION, TT.
    let only = 0x7000_0000;
    guest.map(only, Pa(guest.pa.0 + (TABLES + 3) * FRAME), FRAME, Prot::READ);
    guest.page(clean);
    guest.set(TABLES + 2, IOVA >> 21, only | TABLE);
    guest.command(0x10, 0);
    assert_eq!(guest.event(None, IOVA, false), Some([0x13 | SID, 1 << 35 | 1 << 39 | 1 << 40, IOVA, only]));
}
