//! What the driver half of an IOMMU kind does while devices are attached and detached and pages come and go at random, and what our hardware half says of
//! accesses, as text: for tests/referee, where QEMU's IOMMU stands in the place of our hardware half.
//!
//! `contexts vtd|vtd_scalable|vtd_first|amdvi|smmuv3|smmuv3_second|smmuv3_nested|riscv|riscv_processes|riscv_second SEED STEPS`. A line is a word and its numbers, all hexadecimal but what is for people:
//! - `step …`: what was done then;
//! - `words PA WORD…`: RAM that has changed by it;
//! - `register OFFSET BYTES VALUE`: what the driver wrote to registers, after that;
//! - `access REQUESTER r|w IOVA ok PA WINDOW_IOVA WINDOW_PA`: the window is a page that the requester may read and write;
//! - `access REQUESTER r|w IOVA absent|denied|blocked WORD…`: refused, with the record that our hardware half writes.

use iommu::{DomainId, FaultReason, FirstStage, Iommu, IommuConfig, Kind, NO_PASID, Pa, Prot, Ram, Register, Run, Source};
use pgtable::TableMemory;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Slots 4 to 9 of the first bus.
const REQUESTERS: [u32; 6] = [0x20, 0x28, 0x30, 0x38, 0x40, 0x48];
/// Bits of their PASIDs, which no access here has: what matters is the size of their tables.
const PASID_BITS: [u8; 6] = [0, 8, 17, 20, 1, 9];
const RAM_BYTES: usize = 8 << 20;
const FRAME: u64 = 4096;
const WORDS: usize = 512;
const BOTH: Prot = Prot::from_bits(3);
const ACCESSES: usize = 6;
const DOMAINS_MAX: usize = 5;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % count as u64) as usize
    }
}

/// Where a guest has its tables, by its own addresses: descriptors, then tables of three levels from the top.
const GUEST: u64 = 0x5000_0000;
const GUEST_PAGES: u64 = 8;
const WINDOW: u64 = 0x10_0000;
/// Where no guest has memory.
const NOWHERE: u64 = 0x6000_0000;
/// A descriptor (IHI 0070, 5.4) of 39 bits of address in one half: valid, AArch64, 44 bits out, faults recorded, aborting.
const DESCRIPTOR: u64 = 25 | 1 << 30 | 1 << 31 | 4 << 32 | 1 << 41 | 1 << 45 | 1 << 46;
/// A table; a page that is accessed, for requests without privilege.
const TABLE: u64 = 3;
const PAGE: u64 = 3 | 1 << 6 | 1 << 10;
const READ_ONLY: u64 = 1 << 7;

/// A guest's tables.
struct Guest {
    nested: DomainId,
    memory: Pa,
    asid: u64,
    /// Tables in use.
    used: u64,
    /// Where its pages lead.
    pages: BTreeMap<u64, u64>,
}

/// A domain, and the page of it that may be read and written.
struct Domain {
    id: DomainId,
    window: (u64, Pa),
    guest: Option<Guest>,
}

impl Domain {
    /// What devices are attached to.
    fn attached(&self) -> DomainId {
        self.guest.as_ref().map_or(self.id, |guest| guest.nested)
    }
}

struct Machine {
    random: Random,
    ram: Ram,
    iommu: Iommu,
    domains: Vec<Domain>,
    /// Where data goes; the last is where our own transfers have their other end.
    data: Vec<Pa>,
    /// RAM as the referee has it.
    seen: Vec<u64>,
    registers: Vec<Register>,
}

impl Machine {
    fn new(config: IommuConfig, seed: u64) -> Machine {
        let mut ram = Ram::with_bytes(RAM_BYTES).expect("the test machine has memory");
        let mut iommu = Iommu::new(config, &mut ram).expect("there is RAM");
        // QEMU's RISC-V IOMMU has process directories of one level alone.
        let most = if config.kind == Kind::RiscV { 8 } else { 20 };
        for ((device, requester), pasid_bits) in (0..).zip(REQUESTERS).zip(PASID_BITS) {
            iommu.add_device(&mut ram, device, requester, pasid_bits.min(most)).expect("there is RAM");
        }
        let data = (0..32).map(|_| ram.alloc(FRAME).expect("there is RAM")).collect();
        let seen = vec![0; RAM_BYTES / 8];
        Machine { random: Random(seed), ram, iommu, domains: Vec::new(), data, seen, registers: Vec::new() }
    }

    fn frame(&mut self) -> Pa {
        self.data[self.random.below(self.data.len() - 1)]
    }

    /// One of few pages, so that domains have some in common.
    fn page(&mut self) -> u64 {
        // The highest are the last that QEMU's SMMUv3 walks in tables of three levels side by side.
        let bases = [0, 0x1f_f000, 0x4000_0000, 0x7f_ffff_d000];
        bases[self.random.below(bases.len())] + self.random.below(3) as u64 * FRAME
    }

    fn map(&mut self, id: DomainId, iova: u64, pa: Pa, prot: Prot) {
        // Where something is mapped already it stays.
        let _ = self.iommu.map(&mut self.ram, id, iova, std::iter::once(Run { pa, length: FRAME }), prot);
    }

    /// Writes a word of a guest's memory.
    fn put(&mut self, guest: &Guest, page: u64, index: u64, word: u64) {
        self.ram.entries_mut(Pa(guest.memory.0 + page * FRAME + index * 8), 1).fill(word);
    }

    /// Writes an entry of a guest's tables, with tables on the way where there are none.
    fn guest_map(&mut self, guest: &mut Guest, iova: u64, entry: u64) {
        let mut table = 1;
        for level in [2, 1] {
            let index = iova >> (12 + 9 * level) & 511;
            let at = Pa(guest.memory.0 + table * FRAME + index * 8);
            let found = self.ram.entries(at, 1)[0];
            if found == 0 && guest.used == GUEST_PAGES {
                return;
            }
            if found == 0 {
                self.put(guest, table, index, (GUEST + guest.used * FRAME) | TABLE);
                guest.used += 1;
            }
            table = (self.ram.entries(at, 1)[0].wrapping_sub(GUEST)) / FRAME;
            if table >= GUEST_PAGES {
                return;
            }
        }
        self.put(guest, table, iova >> 12 & 511, entry);
        guest.pages.insert(iova, entry & !0xfff);
    }

    /// A page as a guest may have it, of memory that it has or has not.
    fn guest_page(&mut self, guest: &mut Guest) -> u64 {
        let (iova, to) = (self.page(), self.page());
        if self.random.below(16) == 0 && iova >> 30 != WINDOW >> 30 {
            // In place of a table of the middle level.
            self.put(guest, 1, iova >> 30 & 511, NOWHERE | TABLE);
            return iova;
        }
        let rights = [PAGE, PAGE, PAGE | READ_ONLY, PAGE & !(1 << 10), 0][self.random.below(5)];
        self.guest_map(guest, iova, to | rights);
        iova
    }

    /// A guest, whose window leads to that of its memory.
    fn add_guest(&mut self, parent: DomainId) -> Guest {
        let memory = self.ram.alloc(GUEST_PAGES * FRAME).expect("there is RAM");
        self.ram.entries_mut(memory, GUEST_PAGES as usize * WORDS).fill(0);
        let run = std::iter::once(Run { pa: memory, length: GUEST_PAGES * FRAME });
        self.iommu.map(&mut self.ram, parent, GUEST, run, BOTH).expect("nothing is there");
        // Now and then its descriptor is nowhere.
        let descriptors = if self.random.below(6) == 0 { NOWHERE } else { GUEST };
        let first = FirstStage::Arm([1 | 5 << 1 | descriptors, 0]);
        let nested = self.iommu.create_nested(parent, first).expect("the parent exists");
        let mut guest = Guest { nested, memory, asid: 1 + self.random.below(3) as u64, used: 2, pages: BTreeMap::new() };
        self.put(&guest, 0, 0, DESCRIPTOR | guest.asid << 48);
        self.put(&guest, 0, 1, GUEST + FRAME);
        self.guest_map(&mut guest, WINDOW, WINDOW | PAGE);
        for _ in 0..self.random.below(8) {
            self.guest_page(&mut guest);
        }
        guest
    }

    /// A guest changes a page or its ASID, and says so.
    fn change_guest(&mut self, at: usize) -> String {
        let Some(mut guest) = self.domains[at].guest.take() else { return "nothing".into() };
        let number = u64::from(self.iommu.guest_number(self.domains[at].id)) << 32;
        let text = match self.random.below(4) {
            0 => {
                guest.asid = guest.asid % 3 + 1;
                self.put(&guest, 0, 0, DESCRIPTOR | guest.asid << 48);
                for requester in REQUESTERS {
                    let code = [5, 6][self.random.below(2)];
                    self.iommu.pass_on(&mut self.ram, [code | u64::from(requester) << 32, 0]).expect("it has guests");
                }
                self.iommu.pass_on(&mut self.ram, [0x11 | number | guest.asid << 48, 0]).expect("it has guests");
                format!("the ASID of {:?} is {}", guest.nested, guest.asid)
            }
            how => {
                let iova = self.guest_page(&mut guest);
                let command = match how {
                    1 => [0x12 | number | guest.asid << 48, iova | self.random.below(2) as u64],
                    2 => [0x13 | number, iova],
                    _ => [[0x10, 0x11 | guest.asid << 48][self.random.below(2)] | number, 0],
                };
                self.iommu.pass_on(&mut self.ram, command).expect("it has guests");
                format!("{:?} has changed {iova:x}, and says {:x}", guest.nested, command[0])
            }
        };
        self.domains[at].guest = Some(guest);
        text
    }

    fn add_domain(&mut self) -> String {
        if self.iommu.config().nests() && self.random.below(4) != 0 {
            return self.add_guest_domain();
        }
        let id = self.iommu.create_domain(&mut self.ram).expect("there is RAM");
        let window = (WINDOW, self.frame());
        self.map(id, window.0, window.1, BOTH);
        for _ in 0..self.random.below(8) {
            let (iova, pa, prot) = (self.page(), self.frame(), Prot::from_bits(1 + self.random.below(3) as u8));
            self.map(id, iova, pa, prot);
        }
        self.domains.push(Domain { id, window, guest: None });
        format!("a new domain {id:?}")
    }

    /// Memory of a guest, with the guest or without.
    fn add_guest_domain(&mut self) -> String {
        let id = self.iommu.create_parent_domain(&mut self.ram).expect("there is RAM");
        let window = (WINDOW, self.frame());
        self.map(id, window.0, window.1, BOTH);
        for _ in 0..4 + self.random.below(8) {
            let (iova, pa, prot) = (self.page(), self.frame(), Prot::from_bits(1 + self.random.below(3) as u8));
            self.map(id, iova, pa, prot);
        }
        let guest = (self.random.below(4) != 0).then(|| self.add_guest(id));
        self.domains.push(Domain { id, window, guest });
        format!("a new guest's memory {id:?}")
    }

    fn remove_domain(&mut self) -> String {
        let at = self.random.below(self.domains.len());
        let domain = self.domains.swap_remove(at);
        if let Some(guest) = domain.guest {
            self.iommu.destroy_nested(&mut self.ram, guest.nested);
        }
        self.iommu.destroy_domain(&mut self.ram, domain.id);
        format!("domain {:?} is destroyed", domain.id)
    }

    /// Unmaps pages in a row, which hardware may have cached, and maps others in the place of some.
    fn replace_pages(&mut self) -> String {
        let id = self.domains[self.random.below(self.domains.len())].id;
        let (iova, pages) = (self.page(), 1 + self.random.below(4) as u64);
        let gone = self.iommu.unmap(&mut self.ram, id, iova, pages * FRAME);
        for page in 0..pages {
            if self.random.below(2) == 0 {
                let (pa, prot) = (self.frame(), Prot::from_bits(1 + self.random.below(3) as u8));
                self.map(id, iova + page * FRAME, pa, prot);
            }
        }
        format!("{gone:x} bytes from {iova:x} on in {id:?} make room for others")
    }

    fn step(&mut self) -> String {
        let choice = self.random.below(14);
        if self.domains.is_empty() || (choice == 0 && self.domains.len() < DOMAINS_MAX) {
            return self.add_domain();
        }
        if choice == 1 {
            return self.remove_domain();
        }
        if self.iommu.config().nests() && choice < 6 {
            let at = self.random.below(self.domains.len());
            return self.change_guest(at);
        }
        if choice >= 10 {
            return self.replace_pages();
        }
        let requester = REQUESTERS[self.random.below(REQUESTERS.len())];
        let at = self.random.below(self.domains.len() + 1);
        let id = self.domains.get(at).map(Domain::attached);
        self.iommu.attach(&mut self.ram, requester, NO_PASID, id).expect("there is RAM");
        format!("{requester:x} is attached to {id:?}")
    }

    /// Whatever has changed in RAM since it was last looked at.
    fn changes(&mut self, mut each: impl FnMut(u64, u64)) {
        for frame in 0..RAM_BYTES / FRAME as usize {
            let pa = Ram::BASE + frame as u64 * FRAME;
            let seen = &mut self.seen[frame * WORDS..][..WORDS];
            let now = self.ram.entries(Pa(pa), WORDS);
            // Nearly always, and quick to see.
            if seen == now {
                continue;
            }
            for (index, (seen, &now)) in seen.iter_mut().zip(now).enumerate().filter(|(_, (seen, now))| **seen != **now) {
                *seen = now;
                each(pa + index as u64 * 8, now);
            }
        }
    }

    fn print_changes(&mut self, out: &mut String) -> std::fmt::Result {
        let mut lines = String::new();
        self.changes(|pa, word| lines += &format!("words {pa:x} {word:x}\n"));
        out.write_str(&lines)?;
        let registers: Vec<Register> = (0..).map_while(|index| self.iommu.register(index)).collect();
        for (_, now) in registers.iter().enumerate().filter(|&(index, now)| self.registers.get(index) != Some(now)) {
            writeln!(out, "register {:x} {} {:x}", now.offset, now.bytes, now.value)?;
        }
        self.registers = registers;
        Ok(())
    }

    fn print_access(&mut self, out: &mut String) -> std::fmt::Result {
        let device = self.random.below(REQUESTERS.len());
        let (requester, write) = (REQUESTERS[device], self.random.below(2) == 1);
        let iova = self.page() + self.random.below(1024) as u64 * 4;
        let source = Source { device: device as u32, requester, pasid: None };
        let (other, direction) = (self.data[self.data.len() - 1], if write { "w" } else { "r" });
        let result = match write {
            true => self.iommu.dma_write(&mut self.ram, &source, iova, other, 4),
            false => self.iommu.dma_read(&mut self.ram, &source, iova, other, 4),
        };
        write!(out, "access {requester:x} {direction} {iova:x} ")?;
        match result {
            Ok(_) => {
                let id = self.iommu.attached(requester, NO_PASID);
                let domain = self.domains.iter().find(|domain| Some(domain.attached()) == id).expect("it is attached");
                let below = match &domain.guest {
                    Some(guest) => guest.pages[&(iova & !0xfff)] | iova & 0xfff,
                    None => iova,
                };
                let found = self.iommu.translate_in(&self.ram, domain.id, below).expect("it was found");
                writeln!(out, "ok {:x} {:x} {:x}", found.pa.0, domain.window.0, domain.window.1.0)
            }
            Err(reason) => {
                let record = self.iommu.faults().iter().last().map(|fault| (fault.code, fault.raw.unwrap_or_default()));
                let (code, record) = record.expect("it is logged");
                let verdict = match reason {
                    // F_PERMISSION of stage 2.
                    FaultReason::SecondStage if code == 0x13 => "denied",
                    FaultReason::NotPresent | FaultReason::NotAccessed => "absent",
                    FaultReason::SecondStage | FaultReason::TableUnreachable => "absent",
                    FaultReason::NoRead | FaultReason::NoWrite => "denied",
                    FaultReason::Blocked => "blocked",
                    other => unreachable!("a refusal for {other:?}"),
                };
                let words = if matches!(self.iommu.config().kind, Kind::VtdSs | Kind::VtdFs | Kind::AmdV1) { 2 } else { 4 };
                let record: String = record.iter().take(words).map(|word| format!(" {word:x}")).collect();
                writeln!(out, "{verdict}{record}")
            }
        }
    }
}

fn main() -> std::fmt::Result {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [kind, seed, steps] = words.as_slice() else { panic!("contexts KIND SEED STEPS") };
    let config = match kind.as_str() {
        "vtd" => IommuConfig::new(Kind::VtdSs, 4),
        "vtd_scalable" => IommuConfig { scalable: true, ..IommuConfig::new(Kind::VtdSs, 4) },
        "vtd_first" => IommuConfig { scalable: true, ..IommuConfig::new(Kind::VtdFs, 4) },
        "amdvi" => IommuConfig::new(Kind::AmdV1, 4),
        "smmuv3" => IommuConfig::new(Kind::ArmS1Granule4K, 4),
        "smmuv3_second" => IommuConfig::new(Kind::ArmS2Granule4K, 3),
        "smmuv3_nested" => IommuConfig { both_stages: true, ..IommuConfig::new(Kind::ArmS1Granule4K, 3) },
        "riscv" => IommuConfig::new(Kind::RiscV, 4),
        "riscv_processes" => IommuConfig { scalable: true, ..IommuConfig::new(Kind::RiscV, 5) },
        "riscv_second" => IommuConfig::new(Kind::RiscVx4, 3),
        _ => panic!("no kind {kind}"),
    };
    let config = IommuConfig { coherent: false, ..config };
    let mut machine = Machine::new(config, seed.parse().expect("a number"));
    let mut out = String::new();
    for number in 0..steps.parse().expect("a number") {
        let text = if number == 0 { "the start".into() } else { machine.step() };
        writeln!(out, "step {text}")?;
        machine.print_changes(&mut out)?;
        for _ in 0..ACCESSES {
            machine.print_access(&mut out)?;
        }
        // What our hardware half writes is not the referee's business: it writes its own.
        machine.changes(|_, _| {});
    }
    print!("{out}");
    Ok(())
}
