//! Out of memory: whatever a request lacks, it changes nothing; and what gives back needs none.

mod common;

use common::*;
use iommufd::Pa;
use iova::testing::limit_growth;

const IOVA: u64 = 0x10_0000;
/// Little, so that hoarding it is quick.
const SMALL: usize = 4 << 20;

/// What a request may run short of.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Short {
    /// Frames of RAM: page tables, memory of the process and of files.
    Frames,
    /// Growth of the lists that hold areas, reserved and allowed ranges.
    Growth,
}

/// A machine in which little is left.
struct Starved {
    m: Machine,
    hoard: Vec<Pa>,
}

impl Starved {
    /// Takes all but `left` of it.
    fn new(mut m: Machine, short: Short, left: usize) -> Starved {
        let mut hoard = Vec::new();
        match short {
            Short::Frames => {
                while let Ok(frame) = m.kernel.staging_alloc(PAGE) {
                    hoard.push(frame);
                }
                for frame in hoard.drain(..left) {
                    m.kernel.staging_free(frame, PAGE);
                }
            }
            Short::Growth => limit_growth(Some(left)),
        }
        Starved { m, hoard }
    }

    /// Gives it back.
    fn end(self) -> Machine {
        let mut m = self.m;
        limit_growth(None);
        for frame in self.hoard {
            m.kernel.staging_free(frame, PAGE);
        }
        m
    }
}

/// Runs a request with nothing left, then with 1, 2, … left until it succeeds. How often it failed.
fn sweep<T: Copy>(short: Short, prepare: fn() -> (Machine, T), request: fn(&mut Machine, T) -> Result<(), Errno>) -> usize {
    for left in 0..64 {
        let (m, with) = prepare();
        let mut starved = Starved::new(m, short, left);
        let before = starved.m.kernel.usage();
        let result = request(&mut starved.m, with);
        starved.m.check();
        if result.is_err() {
            assert_eq!((result, starved.m.kernel.usage()), (Err(Errno::ENOMEM), before), "{short:?}, {left} left");
        }
        let mut m = starved.end();
        if result.is_err() {
            // Nothing is in the way of another try.
            request(&mut m, with).unwrap();
        }
        m.finish();
        if result.is_ok() {
            return left;
        }
    }
    panic!("no request needs so much");
}

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
