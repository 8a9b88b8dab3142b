//! Access objects, which use an IOAS without an IOMMU: pins, copies, notifications, lifetimes.

mod common;

use common::mock::*;
use common::*;
use iommufd::Kind;

const PIN: u32 = 1;
const WRITE: u32 = 1;
const SLOW: u32 = 4;

#[test]
fn an_access_holds_its_ioas_and_its_iommufd() {
    let (mut m, iommu, ioas) = machine();
    let access = m.access(iommu, ioas, PIN).unwrap();
    assert_eq!(m.destroy(iommu, ioas), Err(Errno::EBUSY));
    assert_eq!(m.destroy(iommu, ioas + 1), Err(Errno::EBUSY), "whoever made the access holds it");
    let other = m.ioas(iommu);
    assert_eq!(m.access_replace(iommu, access, other), Ok(()));
    assert_eq!(m.destroy(iommu, ioas), Ok(()));
    for wrong in [NO_ID, 0, ioas + 1] {
        assert_eq!(m.access_replace(iommu, access, wrong), Err(Errno::ENOENT), "{wrong}");
    }
    m.close(iommu);
    let late = m.iommu();
    assert_eq!(m.access_replace(late, access, other), Ok(()), "the access has its own iommufd");
    m.close(access);
    assert_eq!(m.access_replace(late, access, other), Err(Errno::EBADFD));
    assert_eq!(m.access_replace(late, late, other), Err(Errno::EBADFD));
    m.finish();
}

#[test]
fn what_cannot_be_made_leaves_nothing_behind() {
    let (mut m, iommu, ioas) = machine();
    assert_eq!(m.access(iommu, ioas, 2), Err(Errno::EOPNOTSUPP));
    assert_eq!(m.access(iommu, NO_ID, PIN), Err(Errno::ENOENT));
    let va = m.memory(PAGE);
    m.map_at(iommu, ioas, va, 2048, 0x1000).unwrap();
    assert_eq!(m.access(iommu, ioas, PIN), Err(Errno::EADDRINUSE), "half a page is no page");
    assert_eq!(m.holes(iommu, ioas).1, 1);
    let copier = m.access(iommu, ioas, 0).unwrap();
    assert_eq!(m.holes(iommu, ioas).1, 1, "who only copies does not ask for pages");
    m.close(copier);
    m.unmap(iommu, ioas, 0x1000, 2048).unwrap();
    let pinner = m.access(iommu, ioas, PIN).unwrap();
    assert_eq!(m.holes(iommu, ioas).1, PAGE);
    assert_eq!(m.map_at(iommu, ioas, va, 2048, 0x1000), Err(Errno::EINVAL));
    m.close(pinner);
    assert_eq!(m.holes(iommu, ioas).1, 1);
    assert_eq!(m.ioas(iommu), 2, "the ids are free again");
    m.finish();
}

#[test]
fn pins_hold_pages_until_they_are_destroyed_or_the_area_is_unmapped() {
    let (mut m, iommu, ioas) = machine();
    let access = m.access(iommu, ioas, PIN).unwrap();
    let va = m.memory(4 * PAGE);
    m.map_at(iommu, ioas, va, 2 * PAGE, 0x10000).unwrap();
    m.map_at(iommu, ioas, va + 2 * PAGE, 2 * PAGE, 0x12000).unwrap();
    assert_eq!(m.access_pages(iommu, access, (0x11000, 2 * PAGE), va + PAGE, WRITE), Ok(0));
    assert_eq!(m.access_pages(iommu, access, (0x11000, 2 * PAGE), 0, 0), Ok(1));
    assert_eq!(m.check_refs(iommu, va, PAGE, 0), Ok(()));
    assert_eq!(m.check_refs(iommu, va + PAGE, 2 * PAGE, 1), Ok(()), "pinned once, however often");
    assert_eq!(m.destroy_access_pages(iommu, access, 0), Ok(()));
    assert_eq!(m.destroy_access_pages(iommu, access, 0), Err(Errno::ENOENT));
    assert_eq!(m.check_refs(iommu, va + PAGE, 2 * PAGE, 1), Ok(()));
    assert_eq!(m.unmap(iommu, ioas, 0x12000, 2 * PAGE), Ok(2 * PAGE), "the user has let go");
    assert_eq!(m.check_refs(iommu, va, 4 * PAGE, 0), Ok(()));
    assert_eq!(m.destroy_access_pages(iommu, access, 1), Err(Errno::ENOENT));
    let mock = m.ioas(iommu);
    assert_eq!(m.access_pages(iommu, access, (0x10000, PAGE), va, WRITE), Ok(2));
    assert_eq!(m.access_replace(iommu, access, ioas), Ok(()), "where it is already: the pins stay");
    assert_eq!(m.check_refs(iommu, va, PAGE, 1), Ok(()));
    assert_eq!(m.access_replace(iommu, access, mock), Ok(()));
    assert_eq!(m.check_refs(iommu, va, PAGE, 0), Ok(()));
    m.finish();
}

#[test]
fn pins_and_page_tables_share_pages() {
    let (mut m, iommu, ioas) = machine();
    let access = m.access(iommu, ioas, PIN).unwrap();
    let va = m.memory(4 * PAGE);
    m.map_at(iommu, ioas, va, 4 * PAGE, APERTURE).unwrap();
    m.access_pages(iommu, access, (APERTURE + PAGE, 2 * PAGE), va + PAGE, WRITE).unwrap();
    let mock = m.mock(iommu, ioas).unwrap();
    assert_eq!(m.check_refs(iommu, va, 4 * PAGE, 1), Ok(()));
    assert_eq!(m.check_map(iommu, mock.hwpt, APERTURE, 4 * PAGE, va), Ok(()));
    m.destroy(iommu, mock.stdev).unwrap();
    assert_eq!(m.check_refs(iommu, va + PAGE, 2 * PAGE, 1), Ok(()));
    assert_eq!(m.check_refs(iommu, va, PAGE, 0), Ok(()));
    m.close(access);
    assert_eq!(m.check_refs(iommu, va, 4 * PAGE, 0), Ok(()));
    m.finish();
}

#[test]
fn pinning_refuses_each_thing_in_its_order() {
    let (mut m, iommu, ioas) = machine();
    let copier = m.access(iommu, ioas, 0).unwrap();
    let access = m.access(iommu, ioas, PIN).unwrap();
    let va = m.memory(4 * PAGE);
    m.map(iommu, ioas, va, 2 * PAGE, 4 | FIXED, 0x10000).unwrap();
    m.map(iommu, ioas, va, PAGE, 2 | FIXED, 0x12000).unwrap();
    m.map(iommu, ioas, 0x1000, PAGE, RW | FIXED, 0x20000).unwrap();
    let mut pin = |range, uptr, flags| m.access_pages(iommu, access, range, uptr, flags);
    assert_eq!(pin((0x10000, (16 << 20) + 1), 0, 8), Err(Errno::ENOMEM));
    assert_eq!(pin((0x10000, PAGE), 0, 2), Err(Errno::EOPNOTSUPP));
    assert_eq!(pin((0x10000, 0), 0, 0), Err(Errno::EINVAL));
    assert_eq!(pin((u64::MAX, 2), 0, 0), Err(Errno::EOVERFLOW));
    assert_eq!(pin((0x10800, PAGE), 0, WRITE), Err(Errno::EINVAL));
    assert_eq!(pin((0x10000, PAGE), 0, WRITE), Err(Errno::EPERM));
    assert_eq!(pin((0x11000, 2 * PAGE), 0, 0), Err(Errno::EPERM), "the second area cannot be read");
    assert_eq!(pin((0x12000, 2 * PAGE), 0, WRITE), Err(Errno::ENOENT));
    assert_eq!(pin((0x30000, PAGE), 0, 0), Err(Errno::ENOENT));
    assert_eq!(pin((0x20000, PAGE), 0, WRITE), Err(Errno::EFAULT), "the process has nothing there");
    assert_eq!(pin((0x10000, PAGE), va + PAGE, 0), Err(Errno::EBADE));
    assert_eq!(pin((0x10000, PAGE), 0x1000, 0), Err(Errno::EFAULT));
    assert_eq!(pin((0x10000, PAGE + 1), va, 0), Ok(0), "part of a page is that page; what failed used no number");
    assert_eq!(m.access_pages(iommu, copier, (0x10000, PAGE), 0, 0), Err(Errno::EOPNOTSUPP));
    assert_eq!(m.access_pages(iommu, iommu, (0x10000, PAGE), 0, 0), Err(Errno::EBADFD));
    m.finish();
}

#[test]
fn copies_go_through_areas_that_lie_side_by_side() {
    let (mut m, iommu, ioas) = machine();
    let access = m.access(iommu, ioas, 0).unwrap();
    let va = m.memory(2 * PAGE);
    m.map_at(iommu, ioas, va + 100, 300, 0x10001).unwrap();
    m.map_at(iommu, ioas, va + PAGE, PAGE, 0x10001 + 300).unwrap();
    let other = m.memory(PAGE);
    let bytes: Vec<u8> = (0..400).map(|byte| byte as u8).collect();
    m.kernel.poke(other, &bytes).unwrap();
    for flags in [WRITE, WRITE | SLOW] {
        m.kernel.poke(va, &[0; 512]).unwrap();
        assert_eq!(m.access_rw(iommu, access, (0x10001, 400), other, flags), Ok(()));
        let mut seen = [0; 400];
        m.kernel.peek(va + 100, &mut seen[..300]).unwrap();
        m.kernel.peek(va + PAGE, &mut seen[300..]).unwrap();
        assert_eq!(seen[..], bytes);
    }
    m.kernel.poke(other, &[0; 400]).unwrap();
    for flags in [0, SLOW] {
        assert_eq!(m.access_rw(iommu, access, (0x10002, 399), other + flags as u64, flags), Ok(()));
        let mut seen = [0; 399];
        m.kernel.peek(other + flags as u64, &mut seen).unwrap();
        assert_eq!(seen[..], bytes[1..]);
    }
    assert_eq!(m.access_rw(iommu, access, (0x10000, 1), other, 0), Err(Errno::ENOENT));
    assert_eq!(m.access_rw(iommu, access, (0x10001, PAGE + 301), other, 0), Err(Errno::ENOENT));
    assert_eq!(m.access_rw(iommu, access, (0x10001, 0), other, 0), Err(Errno::EINVAL));
    assert_eq!(m.access_rw(iommu, access, (0x10001, 8), 0x1000, WRITE), Err(Errno::EFAULT));
    assert_eq!(m.access_rw(iommu, access, (0x10001, 8), 0x1000, 0), Err(Errno::EFAULT));
    assert_eq!(m.access_rw(iommu, access, (0x10001, 8), other, 8), Err(Errno::EOPNOTSUPP));
    assert_eq!(m.access_rw(iommu, access, (0x10001, (16 << 20) + 1), other, 8), Err(Errno::ENOMEM));
    m.finish();
}

#[test]
fn a_copy_longer_than_what_is_mapped_takes_no_more_memory_than_that() {
    const LENGTH: u64 = 16 << 20;
    let mut m = Machine::with(Setup { kind: Kind::AmdMock, levels: 3, ram: 8 << 20, ..Setup::default() });
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    let access = m.access(iommu, ioas, 0).unwrap();
    let va = m.memory(PAGE);
    m.kernel.poke(va, &[7; 8]).unwrap();
    for flags in [0, SLOW] {
        assert_eq!(m.access_rw(iommu, access, (0x10000, LENGTH), va, flags), Err(Errno::ENOENT));
        assert_eq!(m.access_rw(iommu, access, (0x10000, LENGTH), va, flags | WRITE), Err(Errno::EFAULT), "all of it is read first");
    }
    let target = m.memory(PAGE);
    m.map_at(iommu, ioas, target, PAGE, 0x10000).unwrap();
    assert_eq!(m.access_rw(iommu, access, (0x10000, LENGTH), va, 0), Err(Errno::ENOENT));
    // What lies before the hole is copied.
    assert_eq!(m.access_rw(iommu, access, (0x10000 + PAGE - 8, 16), va, WRITE), Err(Errno::ENOENT));
    assert_eq!(m.peek(target + PAGE - 8, 8), [7; 8]);
    m.finish();
}

#[test]
fn a_slow_copy_of_pinned_memory_reaches_the_pages_that_were_pinned() {
    let (mut m, iommu, ioas) = machine();
    let access = m.access(iommu, ioas, PIN).unwrap();
    let va = m.memory(2 * PAGE);
    m.kernel.poke(va, &[7; 16]).unwrap();
    m.map_at(iommu, ioas, va, 2 * PAGE, APERTURE).unwrap();
    m.access_pages(iommu, access, (APERTURE, 2 * PAGE), va, WRITE).unwrap();
    let other = m.memory(2 * PAGE);
    m.kernel.munmap(va, 2 * PAGE).unwrap();
    assert_eq!(m.access_rw(iommu, access, (APERTURE, 2 * PAGE), other, 0), Err(Errno::EFAULT));
    assert_eq!(m.access_rw(iommu, access, (APERTURE, 16), other, SLOW), Err(Errno::EFAULT), "one page is looked up anew");
    assert_eq!(m.access_rw(iommu, access, (APERTURE, 2 * PAGE), other, SLOW), Ok(()));
    let mut seen = [0; 16];
    m.kernel.peek(other, &mut seen).unwrap();
    assert_eq!(seen, [7; 16]);
    m.finish();
}
