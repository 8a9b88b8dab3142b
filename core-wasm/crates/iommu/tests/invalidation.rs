//! What tells the hardware of pages that were unmapped: commands in its queue, with the bytes of the specifications.

mod common;

use common::{AMD_V2, FIRST_STAGE, Machine};
use iommu::{DomainId, FRAME, FaultReason, IommuConfig, Kind, NO_PASID, Pa, Prot, Run, Source};

const REQUESTER: u16 = 0x18;
const RW: Prot = Prot::from_bits(3);
const LARGE: u64 = 2 << 20;

const VTD: IommuConfig = IommuConfig::new(Kind::VtdSs, 4);
const AMD: IommuConfig = IommuConfig::new(Kind::AmdV1, 4);
const SMMU: IommuConfig = IommuConfig::new(Kind::ArmS1Granule4K, 4);
const SMMU_SECOND: IommuConfig = IommuConfig::new(Kind::ArmS2Granule4K, 4);
const RISCV: IommuConfig = IommuConfig::new(Kind::RiscV, 4);
const RISCV_SECOND: IommuConfig = IommuConfig::new(Kind::RiscVx4, 4);
const KINDS: [IommuConfig; 8] = [VTD, FIRST_STAGE, AMD, AMD_V2, SMMU, SMMU_SECOND, RISCV, RISCV_SECOND];

/// An IOMMU with one device, and a domain that it is attached to. A page at 1 GiB and one at 5 GiB keep the upper tables.
struct Bench {
    machine: Machine,
    domain: DomainId,
    memory: Pa,
}

impl Bench {
    fn new(config: IommuConfig) -> Bench {
        let mut machine = Machine::new(config, &[REQUESTER]);
        let memory = machine.ram.alloc(2 * LARGE).expect("there is RAM");
        let domain = machine.domain();
        machine.attach(REQUESTER, NO_PASID, Some(domain)).expect("there is RAM");
        let mut bench = Bench { machine, domain, memory };
        bench.map(1 << 30, FRAME);
        bench.map(5 << 30, FRAME);
        bench
    }

    fn map(&mut self, iova: u64, length: u64) {
        // Where IOVA and memory have as much in common pages are large.
        let run = Run { pa: Pa(self.memory.0 + iova % LARGE), length };
        self.machine.iommu.map(&mut self.machine.ram, self.domain, iova, [run].into_iter(), RW).expect("free");
    }

    fn unmap(&mut self, iova: u64, length: u64) {
        self.machine.iommu.unmap(&mut self.machine.ram, self.domain, iova, length);
    }

    /// Whether the device reads a byte.
    fn reads(&mut self, iova: u64) -> Result<(), FaultReason> {
        let source = Source { device: 0, requester: REQUESTER.into(), pasid: None };
        let to = Pa(self.memory.0 + LARGE);
        self.machine.iommu.dma_read(&mut self.machine.ram, &source, iova, to, 1).map(drop)
    }

    /// Address and tail of the queue, in bytes.
    fn queue(&self) -> (u64, u64) {
        let register = |offset| self.machine.register(offset);
        match self.machine.iommu.config().kind {
            Kind::VtdSs | Kind::VtdFs => (register(0x90) & !0xfff, register(0x88)),
            Kind::AmdV1 | Kind::AmdV2 => (register(8) & 0xf_ffff_ffff_f000, register(0x2008)),
            Kind::RiscV | Kind::RiscVx4 => (register(0x18) >> 10 << 12, register(0x24) * 16),
            _ => (register(0x90) & 0xf_ffff_ffff_ffe0, register(0x98) % 256 * 16),
        }
    }

    /// The first two words of each command that an unmap has posted.
    fn posted(&mut self, iova: u64, length: u64) -> Vec<[u64; 2]> {
        let (base, before) = self.queue();
        self.unmap(iova, length);
        let size = if self.machine.iommu.config().scalable { 32 } else { 16 };
        let count = (self.queue().1 + FRAME - before) % FRAME / size;
        (0..count).map(|index| self.machine.words(base + (before + index * size) % FRAME)).collect()
    }
}

#[test]
fn vt_d_is_told_of_a_block_of_pages_of_a_domain() {
    let mut bench = Bench::new(VTD);
    bench.map(0x4000_3000, 3 * FRAME);
    let wait = |words: [u64; 2]| assert_eq!(words[0], 1 << 32 | 0x65);
    // 6.5.2.3: PSI of domain 2; IH, as no table went, and AM 3: 8 pages from 0x4000_0000 on hold 3 to 5.
    let [command, done] = bench.posted(0x4000_3000, 3 * FRAME)[..] else { panic!("two commands") };
    assert_eq!(command, [0x0002_0032, 0x4000_0043]);
    wait(done);
    // A page whose table goes with it.
    bench.map(0x8000_5000, FRAME);
    assert_eq!(bench.posted(0x8000_5000, FRAME)[0], [0x0002_0032, 0x8000_5000]);
    // More pages than AM can say.
    bench.map(0x8000_0000, FRAME);
    assert_eq!(bench.posted(0x8000_0000, 3 << 30)[0], [0x0002_0022, 0]);
}

#[test]
fn vt_d_is_told_of_the_first_stage_by_each_pasid() {
    let mut bench = Bench::new(FIRST_STAGE);
    for pasid in [7, 9] {
        bench.machine.attach(REQUESTER, pasid, Some(bench.domain)).expect("there is RAM");
    }
    bench.map(0x4000_3000, FRAME);
    // 6.5.2.4: pages of a PASID of a domain.
    let commands = bench.posted(0x4000_3000, FRAME);
    let told: Vec<[u64; 2]> = commands.into_iter().step_by(2).collect();
    assert_eq!(told, [0, 7, 9].map(|pasid: u64| [pasid << 32 | 0x0002_0036, 0x4000_3040]));
}

#[test]
fn amd_vi_is_told_of_a_block_of_pages_and_tables() {
    for (config, guest) in [(AMD, 0), (AMD_V2, 4)] {
        let mut bench = Bench::new(config);
        bench.map(0x4000_3000, 3 * FRAME);
        // 2.4.3: S, with two ones from bit 12 on for 8 pages, and PDE; GN of guest tables.
        let [command, done] = bench.posted(0x4000_3000, 3 * FRAME)[..] else { panic!("two commands") };
        assert_eq!(command, [3 << 60 | 2 << 32, 0x4000_3003 | guest]);
        assert_eq!(done[0] >> 60, 1);
        bench.map(0x4000_3000, FRAME);
        assert_eq!(bench.posted(0x4000_3000, FRAME)[0][1], 0x4000_3002 | guest);
    }
}

#[test]
fn smmuv3_is_told_of_each_page_at_its_last_level() {
    for (config, page, all) in [(SMMU, 0x12 | 2 << 48, 0x11 | 2 << 48), (SMMU_SECOND, 0x2a | 2 << 32, 0x28 | 2 << 32)] {
        let mut bench = Bench::new(config);
        bench.map(0x4000_3000, 2 * FRAME);
        // 4.4.1 and 4.4.3: LEAF; 4.7.3: CMD_SYNC.
        assert_eq!(bench.posted(0x4000_3000, 2 * FRAME), [[page, 0x4000_3001], [page, 0x4000_4001], [0x46, 0]]);
        // Of a page of 2 MiB, any address in it.
        bench.map(0x4020_0000, LARGE);
        assert_eq!(bench.posted(0x4020_0000, LARGE), [[page, 0x4020_0001], [0x46, 0]]);
        // A table has gone, which LEAF says nothing of.
        bench.map(0x8000_5000, FRAME);
        assert_eq!(bench.posted(0x8000_5000, FRAME), [[all, 0], [0x46, 0]]);
    }
}

#[test]
fn riscv_is_told_of_each_page_or_of_the_whole_space() {
    let done = |words: &[u64; 2]| words[0] & 0x3ff == 2;
    let mut bench = Bench::new(RISCV);
    bench.map(0x4000_3000, 2 * FRAME);
    // 3.1.1: IOTINVAL.VMA with AV and PSCV; the address from bit 10 of the second word on.
    let of_space = 1 | 1 << 32 | 2 << 12;
    let commands = bench.posted(0x4000_3000, 2 * FRAME);
    assert_eq!(commands[..2], [[of_space | 1 << 10, 0x4000_3000 >> 2], [of_space | 1 << 10, 0x4000_4000 >> 2]]);
    assert!(commands.len() == 3 && done(&commands[2]));
    bench.map(0x8000_5000, FRAME);
    assert_eq!(bench.posted(0x8000_5000, FRAME)[0], [of_space, 0]);
    // More pages than the queue has room for, each for itself.
    bench.map(0x4000_1000, 200 * FRAME);
    assert_eq!(bench.posted(0x4000_1000, 200 * FRAME)[0], [of_space, 0]);

    let mut bench = Bench::new(RISCV_SECOND);
    bench.map(0x4000_3000, FRAME);
    // IOTINVAL.VMA and IOTINVAL.GVMA, with GV.
    let of_guest = 1 | 1 << 33 | 2 << 44;
    let commands = bench.posted(0x4000_3000, FRAME);
    assert_eq!(commands[..2], [[of_guest, 0], [of_guest | 1 << 7 | 1 << 10, 0x4000_3000 >> 2]]);
}

#[test]
fn what_was_unmapped_is_not_served_wherever_in_the_range_it_was() {
    for config in KINDS {
        let mut bench = Bench::new(config);
        for pages in [1, 2, 3] {
            bench.map(0x4000_0000 + 3 * FRAME, pages * FRAME);
            assert_eq!((0..pages).map(|page| bench.reads(0x4000_3000 + page * FRAME)).find(Result::is_err), None);
            bench.unmap(0x4000_1000, 7 * FRAME);
            for page in 0..pages {
                assert_eq!(bench.reads(0x4000_3000 + page * FRAME), Err(FaultReason::NotPresent), "{config:?}");
            }
        }
        assert_eq!(bench.reads(1 << 30), Ok(()), "what stays is there");
    }
}

#[test]
fn a_domain_that_waited_is_told_of_as_a_whole() {
    for config in KINDS {
        let mut bench = Bench::new(config);
        bench.machine.iommu.set_batch(&mut bench.machine.ram, 2).expect("memory");
        for iova in [0x4000_3000, 0x4000_5000] {
            bench.map(iova, FRAME);
        }
        assert_eq!(bench.posted(0x4000_3000, FRAME), <[[u64; 2]; 0]>::default(), "it waits");
        assert!(!bench.posted(0x4000_5000, FRAME).is_empty(), "the batch is full");
        assert_eq!((bench.machine.iommu.waiting(), bench.reads(0x4000_3000)), (0, Err(FaultReason::NotPresent)));
    }
}
