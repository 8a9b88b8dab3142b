//! What a sanitizer of DMA asks of the kernel: changes of areas, the space of a device, and placement that keeps mappings apart.

mod common;

use common::*;
use iommufd::AreaChange;
use iova::Range;

const MARGIN: u64 = 4 * PAGE;

/// IOAS_MAP of a page anywhere, kept apart.
#[track_caller]
fn map_apart(m: &mut Machine, iommu: u32, ioas: u32, margin: u64) -> Result<u64, Errno> {
    let va = m.memory(PAGE);
    let request = api::IoasMap { flags: RW, ioas_id: ioas, user_va: va, length: PAGE, ..Default::default() };
    let mut bytes = [0; api::IoasMap::SIZE];
    request.write(&mut bytes);
    m.kernel.poke(m.argument, &bytes).unwrap();
    let size = api::IoasMap::SIZE as u32;
    m.kernel.poke(m.argument, &size.to_le_bytes()).unwrap();
    let result = m.kernel.ioctl_apart(iommu as i32, api::IOAS_MAP, m.argument, margin);
    m.check();
    result?;
    m.kernel.peek(m.argument, &mut bytes).unwrap();
    Ok(api::IoasMap::read(&bytes).iova)
}

#[track_caller]
fn changes(m: &mut Machine) -> Vec<AreaChange> {
    let count = m.kernel.find_area_changes().unwrap();
    assert_eq!(m.kernel.area_change(count as usize), None);
    (0..count as usize).map(|index| m.kernel.area_change(index).unwrap()).collect()
}

#[test]
fn areas_that_come_and_go_are_noticed_once() {
    let mut m = Machine::new();
    let Attached { iommu, ioas, device_fd, .. } = m.attached(EDU);
    assert_eq!(changes(&mut m), []);
    let space = m.kernel.space_of(EDU, 0).unwrap();
    assert_eq!(m.kernel.space_of(NIC, 0), None);
    let va = m.memory(PAGE);
    m.map_at(iommu, ioas, va, PAGE, TAGGED).unwrap();
    let change = |added| AreaChange { space, range: Range { start: TAGGED, last: TAGGED + PAGE - 1 }, prot: 3, added };
    assert_eq!(changes(&mut m), [change(true)]);
    assert_eq!(changes(&mut m), []);
    m.unmap(iommu, ioas, TAGGED, PAGE).unwrap();
    assert_eq!(changes(&mut m), [change(false)]);
    m.map_at(iommu, ioas, va, PAGE, TAGGED).unwrap();
    assert_eq!(changes(&mut m), [change(true)]);
    // The device holds the iommufd until its own file is closed.
    m.close(iommu);
    assert_eq!(changes(&mut m), []);
    assert!(m.kernel.has_space(space) && !m.kernel.has_space(space + 1) && !m.kernel.has_space(space + (1 << 32)));
    m.close(device_fd);
    assert_eq!((m.kernel.space_of(EDU, 0), m.kernel.has_space(space)), (None, false));
    assert_eq!(changes(&mut m), [change(false)]);
    m.finish();
}

#[test]
fn automatic_placement_keeps_apart_and_out_of_the_quarantine_while_there_is_room() {
    let mut m = Machine::new();
    let Attached { iommu, ioas, .. } = m.attached(EDU);
    let space = m.kernel.space_of(EDU, 0).unwrap();
    let first = map_apart(&mut m, iommu, ioas, MARGIN).unwrap();
    let second = map_apart(&mut m, iommu, ioas, MARGIN).unwrap();
    assert_eq!(second, first + PAGE + MARGIN);
    m.unmap(iommu, ioas, first, PAGE).unwrap();
    m.kernel.add_quarantine(space, Range { start: first, last: first + PAGE - 1 }).unwrap();
    m.kernel.add_quarantine(space + 1, Range { start: 0, last: u64::MAX }).unwrap();
    let third = map_apart(&mut m, iommu, ioas, 0).unwrap();
    assert_ne!(third, first);
    m.unmap(iommu, ioas, third, PAGE).unwrap();
    m.kernel.end_quarantine(space, first);
    assert_eq!(map_apart(&mut m, iommu, ioas, 0), Ok(first));
    m.finish();
}

#[test]
fn what_the_program_allows_holds_and_a_full_space_is_used_to_its_end() {
    let mut m = Machine::new();
    let Attached { iommu, ioas, .. } = m.attached(EDU);
    let space = m.kernel.space_of(EDU, 0).unwrap();
    let room = Range { start: 0x10_0000, last: 0x10_0000 + 3 * PAGE - 1 };
    m.allow(iommu, ioas, &[(room.start, room.last)]).unwrap();
    m.kernel.add_quarantine(space, Range { start: room.start, last: room.start + PAGE - 1 }).unwrap();
    let mut taken = Vec::new();
    for _ in 0..3 {
        taken.push((map_apart(&mut m, iommu, ioas, MARGIN).unwrap() - room.start) / PAGE);
    }
    // First beside the quarantine, then where Linux puts them.
    assert_eq!(taken, [1, 0, 2]);
    assert_eq!(map_apart(&mut m, iommu, ioas, MARGIN), Err(Errno::ENOSPC));
    // The restriction was taken back each time.
    m.unmap(iommu, ioas, room.start, PAGE).unwrap();
    m.kernel.end_quarantine(space, room.start);
    assert_eq!(map_apart(&mut m, iommu, ioas, 0), Ok(room.start));
    m.finish();
}

#[test]
fn a_fixed_address_in_the_quarantine_is_the_programs_choice() {
    let mut m = Machine::new();
    let Attached { iommu, ioas, .. } = m.attached(EDU);
    let space = m.kernel.space_of(EDU, 0).unwrap();
    m.kernel.add_quarantine(space, Range { start: 0, last: u64::MAX }).unwrap();
    let va = m.memory(PAGE);
    assert_eq!(m.map_at(iommu, ioas, va, PAGE, TAGGED).map(|_| ()), Ok(()));
    // Everything is in quarantine: then there is no quarantine.
    map_apart(&mut m, iommu, ioas, MARGIN).unwrap();
    m.finish();
}
