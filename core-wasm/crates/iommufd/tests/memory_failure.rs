//! Out of memory: whatever a request lacks, it changes nothing; and what gives back needs none.

mod common;

use common::starved::{Short, Starved, sweep};
use common::*;

const IOVA: u64 = 0x10_0000;
/// Little, so that hoarding it is quick.
const SMALL: usize = 4 << 20;

fn small() -> Machine {
    Machine::with(Setup { ram: SMALL, ..Setup::default() })
}

/// A device attached, and 4 pages of memory.
fn attached() -> (Machine, (Attached, u64)) {
    let mut m = small();
    let a = m.attached(EDU);
    let va = m.memory(4 * PAGE);
    (m, (a, va))
}

/// A device that is bound, and an IOAS with three areas far apart: device_fd, iommufd, device, IOAS.
fn mapped() -> (Machine, [u32; 4]) {
    let mut m = small();
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    let (fd, device) = m.bound(PICKY, iommu);
    let va = m.memory(3 * PAGE);
    for area in 0..3 {
        m.map_at(iommu, ioas, va + area * PAGE, PAGE, (area << 39) + PAGE).unwrap();
    }
    (m, [fd, iommu, device, ioas])
}

#[test]
fn a_mapping_lacks_its_page_tables_or_its_entry() {
    let map: fn(&mut Machine, (Attached, u64)) -> _ = |m, (a, va)| m.map_at(a.iommu, a.ioas, va, 4 * PAGE, IOVA).map(|_| ());
    // Three levels below the root.
    assert_eq!(sweep(Short::Frames, attached, map), 3);
    assert!(sweep(Short::Growth, attached, map) > 0);
    // Across the border of two tables of the last level, and with single pages.
    let border: fn(&mut Machine, (Attached, u64)) -> _ = |m, (a, va)| {
        m.huge_pages(a.iommu, a.ioas, false)?;
        let result = m.map_at(a.iommu, a.ioas, va, 4 * PAGE, (1 << 39) - 2 * PAGE).map(|_| ());
        if result.is_err() {
            m.huge_pages(a.iommu, a.ioas, true)?;
        }
        result
    };
    assert_eq!(sweep(Short::Frames, attached, border), 6);
}

#[test]
fn a_mapping_in_two_page_tables_is_in_both_or_in_none() {
    let prepare = || {
        let (mut m, (a, va)) = attached();
        m.hwpt(a.iommu, a.device_id, a.ioas).unwrap();
        (m, (a, va))
    };
    let map: fn(&mut Machine, (Attached, u64)) -> _ = |m, (a, va)| m.map_at(a.iommu, a.ioas, va, 4 * PAGE, IOVA).map(|_| ());
    assert_eq!(sweep(Short::Frames, prepare, map), 6);
}

#[test]
fn a_copy_of_several_areas_fails_at_each() {
    let prepare = || {
        let (mut m, (a, va)) = attached();
        let source = m.ioas(a.iommu);
        for page in 0..3 {
            m.map_at(a.iommu, source, va + page * PAGE, PAGE, IOVA + page * PAGE).unwrap();
        }
        (m, (a, source))
    };
    let copy: fn(&mut Machine, (Attached, u32)) -> _ =
        |m, (a, source)| m.copy(a.iommu, (source, IOVA), (a.ioas, LARGE - PAGE), 3 * PAGE, RW | FIXED).map(|_| ());
    assert_eq!(sweep(Short::Frames, prepare, copy), 4);
    assert!(sweep(Short::Growth, prepare, copy) > 0);
}

#[test]
fn a_page_table_lacks_its_root_or_what_it_shows() {
    let hwpt: fn(&mut Machine, [u32; 4]) -> _ = |m, [_, iommu, device, ioas]| m.hwpt(iommu, device, ioas).map(|_| ());
    // The root, and three tables for each area.
    assert_eq!(sweep(Short::Frames, mapped, hwpt), 10);
    assert!(sweep(Short::Growth, mapped, hwpt) > 0);
}

#[test]
fn a_first_attach_and_a_replacement_lack_the_same() {
    let attach: fn(&mut Machine, [u32; 4]) -> _ = |m, [fd, _, _, ioas]| m.attach(fd, ioas).map(|_| ());
    assert_eq!(sweep(Short::Frames, mapped, attach), 10);
    assert!(sweep(Short::Growth, mapped, attach) > 0);
    let replaced = || {
        let (mut m, [fd, iommu, device, ioas]) = mapped();
        let empty = m.ioas(iommu);
        m.attach(fd, empty).unwrap();
        (m, [fd, iommu, device, ioas])
    };
    assert_eq!(sweep(Short::Frames, replaced, attach), 10);
    assert!(sweep(Short::Growth, replaced, attach) > 0);
}

#[test]
fn allowed_ranges_lack_their_list() {
    let prepare = || {
        let mut m = small();
        let iommu = m.iommu();
        let ioas = m.ioas(iommu);
        m.allow(iommu, ioas, &[(0, 1)]).unwrap();
        (m, (iommu, ioas))
    };
    let allow: fn(&mut Machine, (u32, u32)) -> _ = |m, (iommu, ioas)| m.allow(iommu, ioas, &[(1, 2), (4, 5), (8, 9)]);
    assert!(sweep(Short::Growth, prepare, allow) > 0);
}

#[test]
fn memory_and_files_lack_their_frames() {
    let prepare = || (small(), ());
    let mmap: fn(&mut Machine, ()) -> _ = |m, ()| m.kernel.mmap(0, 3 * PAGE, 3, 0x22, -1, 0).map(|_| ());
    assert_eq!(sweep(Short::Frames, prepare, mmap), 3);
    let memfd: fn(&mut Machine, ()) -> _ = |m, ()| m.kernel.memfd(3 * PAGE).map(|_| ());
    assert_eq!(sweep(Short::Frames, prepare, memfd), 3);
}

#[test]
fn giving_back_needs_no_memory() {
    for short in [Short::Frames, Short::Growth] {
        let (mut m, [fd, iommu, device, ioas]) = mapped();
        let own = m.hwpt(iommu, device, ioas).unwrap();
        m.attach(fd, ioas).unwrap();
        m.copy(iommu, (ioas, PAGE), (ioas, 2 * LARGE), PAGE, READ | FIXED).unwrap();
        let mut starved = Starved::new(m, short, 0);
        let m = &mut starved.m;
        m.unmap(iommu, ioas, PAGE, PAGE).unwrap();
        m.detach(fd);
        m.destroy(iommu, own).unwrap();
        m.unmap(iommu, ioas, 0, u64::MAX).unwrap();
        m.destroy(iommu, ioas).unwrap();
        m.close(iommu);
        m.close_bound(fd, PICKY);
        starved.end().finish();
    }
}
