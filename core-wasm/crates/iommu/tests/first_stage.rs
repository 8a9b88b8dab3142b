//! IOMMUs whose own page tables are of the first stage: VT-d in scalable mode, and AMD-Vi with v2 tables. What their driver half writes to RAM, and what
//! their hardware half says of what it refuses.

mod common;

use common::{AMD_V2, FIRST_STAGE, Machine};
use iommu::{FRAME, FaultReason, Iommu, IommuConfig, NO_PASID, Prot, Ram, Run};
use uapi::Errno;

impl Machine {
    /// Where an entry is: the place of the first table, and the offsets in it and those that its entries lead to.
    fn follow(&self, path: &[u64]) -> u64 {
        let [table, offsets @ ..] = path else { panic!("a path starts somewhere") };
        offsets.iter().fold(*table, |at, offset| (self.words::<1>(at)[0] & 0xf_ffff_ffff_f000) + offset)
    }
}

#[test]
fn vtd_entries_of_the_first_stage_have_the_bytes_of_the_specification() {
    for (levels, mode) in [(4, 0), (5, 1)] {
        let mut machine = Machine::new(IommuConfig { levels, ..FIRST_STAGE }, &[0x0010]);
        let domain = machine.domain();
        machine.iommu.set_marks(&mut machine.ram, domain, true);
        machine.attach(0x0010, 1, Some(domain)).expect("there is RAM");
        let host = machine.iommu.context_of(domain).expect("it exists").host;
        assert_eq!((host.levels, host.first_stage), (levels, true));
        // 9.6: first stage only (1), no SSPTPTR and no SSADE; FSPTPTR, FSPM. The width is that of a second stage, as QEMU's model wants it.
        let entry = machine.follow(&[machine.register(0x20) & !0xfff, 0x10 * 32, 0, 64]);
        let width = u64::from(levels - 2) << 2;
        assert_eq!(machine.words(entry), [width | 0x41, 2, host.table | mode << 2, 0, 0, 0, 0, 0]);
        // 6.5.2.4: what goes is invalidated by its PASID, in its domain; the PASID cache comes first, a wait last.
        let (queue, tail) = (machine.register(0x90) & !0xfff, machine.register(0x88));
        machine.attach(0x0010, 1, None).expect("never fails");
        let posted: [u64; 10] = machine.words(queue + tail);
        assert_eq!((posted[0], posted[4]), (1 << 32 | 0x0002_0017, 1 << 32 | 0x0002_0026));
        assert_eq!(posted[8] & 0xf, 5);
    }
}

#[test]
fn a_first_stage_needs_pasid_tables_and_levels_that_it_has() {
    let mut ram = Ram::with_bytes(1 << 20).expect("the test machine has memory");
    for config in [IommuConfig { scalable: false, ..FIRST_STAGE }, IommuConfig { levels: 3, ..FIRST_STAGE }] {
        assert_eq!(Iommu::new(config, &mut ram).err(), Some(Errno::EINVAL));
    }
    assert!(Iommu::new(FIRST_STAGE, &mut ram).is_ok());
}

#[test]
fn first_stages_are_refused_as_the_specification_has_it() {
    let mut machine = Machine::new(IommuConfig { levels: 4, ..FIRST_STAGE }, &[0x0010]);
    let domain = machine.domain();
    let page = machine.ram.alloc(FRAME).expect("there is RAM");
    machine.attach(0x0010, NO_PASID, Some(domain)).expect("there is RAM");
    machine.iommu.map(&mut machine.ram, domain, 0, [Run { pa: page, length: FRAME }].into_iter(), Prot::READ).expect("it is free");
    // 3.6.1: the upper half is canonical too, where nothing is; between the halves nothing is.
    let cases = [(0, true, FaultReason::NoWrite, 0x85), (0x1000, false, FaultReason::NotPresent, 0x71)];
    let halves = [(u64::MAX << 47, true, FaultReason::NotPresent, 0x71), (1 << 47, true, FaultReason::BeyondAperture, 0x80)];
    for (iova, write, reason, code) in cases.into_iter().chain(halves) {
        let (found, number, raw) = machine.fault(0x0010, None, iova, write);
        assert_eq!((found, number, raw.map(|raw| raw[1] >> 32 & 0xff)), (reason, code, Some(u64::from(code))), "{iova:#x}");
    }
}

#[test]
fn amd_vi_entries_of_v2_tables_have_the_bytes_of_the_specification() {
    for (levels, mode) in [(4, 0), (5, 1)] {
        let mut machine = Machine::new(IommuConfig { levels, ..AMD_V2 }, &[0x0010]);
        let domain = machine.domain();
        machine.attach(0x0010, NO_PASID, Some(domain)).expect("there is RAM");
        let host = machine.iommu.context_of(domain).expect("it exists").host;
        assert_eq!((host.levels, host.first_stage), (levels, true));
        // 2.2.2: V, TV, GIOV, GV, GLX for 20 bits of PASID, IR, IW; the domain; the GCR3 table in three pieces; the guest paging mode.
        let at = (machine.register(0) & !0xfff) + 0x10 * 32;
        let [low, high, third]: [u64; 3] = machine.words(at);
        assert_eq!(low & !(7 << 58), 3 | 1 << 54 | 1 << 55 | 2 << 56 | 3 << 61);
        assert_eq!((high & 0xffff, third), (2, mode << 54));
        let mut table = (low >> 58 & 7) << 12 | (high >> 16 & 0xffff) << 15 | high >> 43 << 31;
        for _ in 0..2 {
            let [entry] = machine.words(table);
            assert_eq!(entry & 0xfff, 1);
            table = entry & !0xfff;
        }
        assert_eq!(machine.words(table), [host.table | 1, 0]);
        // 2.4.3: all pages (S), tables on the way (PDE), of the guest (GN), PASID 0 of the domain.
        let (commands, tail) = (machine.register(8) & 0xf_ffff_ffff_f000, machine.register(0x2008));
        machine.attach(0x0010, NO_PASID, None).expect("never fails");
        let posted: [u64; 4] = machine.words(commands + tail);
        assert_eq!(posted, [2 << 60 | 0x10, 0, 3 << 60 | 2 << 32, 0x7fff_ffff_ffff_f007]);
        assert_eq!((machine.words::<1>(at)[0] & (3 << 54 | 3 << 61 | 3), machine.words(table)), (3, [0]));
    }
}
