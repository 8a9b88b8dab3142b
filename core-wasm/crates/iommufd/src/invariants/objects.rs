//! The objects of an iommufd, and what belongs to each.

use super::report::Report;
use super::{count, counted, counters};
use crate::access::{Access, User};
use crate::context::Context;
use crate::domains::{Reserver, outside};
use crate::file::File;
use crate::hardware::Hardware;
use crate::ioas::Ioas;
use crate::kernel::Kernel;
use crate::object::{Object, ObjectKind};
use crate::pages::PAGE;
use alloc::vec::Vec;
use iommu::{NO_PASID, Prot};
use iova::Range;
use uapi::{Errno, Result};

impl Kernel {
    /// Ids name what exists, nothing exists without an id, and each object has as many users as there are holders.
    pub(super) fn check_context(&self, report: &mut Report, number: u32, context: &Context) -> Result<()> {
        let users = self.count_users(number, context)?;
        let mut kinds = [0_u64; ObjectKind::COUNT];
        for (id, object) in context.objects.iter() {
            kinds[object.kind as usize] += 1;
            report.expect_count(object.users, counted(&users, id), format_args!("users of object {id} of iommufd {number}"));
            report.expect(
                self.is_named(number, context, id, object),
                format_args!("object {id} of iommufd {number} names {:?} {}, which has another id", object.kind, object.index),
            );
        }
        let mocks = self.bound_to(number).filter(|&device| self.devices[device].mock.is_some()).count();
        let [ioases, hwpts, nested] = [context.ioases.len(), context.hwpts.len(), context.nested.len()];
        let existing = [
            ioases,
            hwpts,
            nested,
            self.bound_to(number).count(),
            context.fault_queues.len(),
            context.viommus.len(),
            context.vdevices.len(),
            context.event_queues.len(),
            context.hw_queues().count(),
            mocks,
            context.accesses.len(),
            context.objects.buried() as usize,
        ];
        for (kind, existing) in ObjectKind::ALL.into_iter().zip(existing) {
            report.expect_count(existing as u64, kinds[kind as usize], format_args!("{kind:?} objects of iommufd {number}"));
        }
        let compatible = context.vfio_ioas.is_none_or(|id| context.objects.index(id, ObjectKind::Ioas).is_ok());
        report.expect(compatible, format_args!("iommufd {number} has the VFIO IOAS {:?}, which is none", context.vfio_ioas));
        check_hwpts(report, number, context, &self.hardware)?;
        check_accesses(report, number, context)?;
        let reserved = self.reserved_of(number, context)?;
        let mut rest = reserved.as_slice();
        for (index, ioas) in context.ioases.iter() {
            check_alignment(report, context, ioas);
            check_areas(report, context, ioas);
            let here;
            (here, rest) = rest.split_at(rest.partition_point(|(ioas, _)| *ioas <= index));
            let same = ioas.space.usable().eq(holes(here.iter().map(|&(_, range)| range)));
            report.expect(same, format_args!("IOAS {} reserves other IOVAs than its devices and page tables", ioas.id));
        }
        Ok(())
    }

    /// By object id: 1 for the table of ids, 1 for each holder.
    fn count_users(&self, number: u32, context: &Context) -> Result<Vec<u32>> {
        let mut users = counters(context.objects.end() as usize)?;
        for (id, _) in context.objects.iter() {
            count(&mut users, id);
        }
        for (_, hwpt) in context.hwpts.iter() {
            if let Some(ioas) = context.ioases.get(hwpt.ioas) {
                count(&mut users, ioas.id);
            }
            if let Some(queue) = hwpt.fault_queue.and_then(|queue| context.fault_queues.get(queue)) {
                count(&mut users, queue.id);
            }
        }
        for (_, viommu) in context.viommus.iter() {
            if let Some(parent) = context.hwpts.get(viommu.parent) {
                count(&mut users, parent.id);
            }
        }
        let vdevices = context.vdevices.iter().map(|(_, vdevice)| vdevice.viommu);
        let event_queues = context.event_queues.iter().map(|(_, queue)| queue.viommu);
        let hw_queues = context.hw_queues().map(|queue| queue.viommu);
        for viommu in vdevices.chain(event_queues).chain(hw_queues) {
            if let Some(viommu) = context.viommus.get(viommu) {
                count(&mut users, viommu.id);
            }
        }
        for before in context.hw_queues().filter_map(|queue| queue.before) {
            count(&mut users, before);
        }
        for (_, file) in self.files.iter() {
            if let File::EventQueue(file) = *file
                && file.context == number
                && let Some(queue) = context.event_queues.get(file.index)
            {
                count(&mut users, queue.id);
            }
            if let File::FaultQueue(file) = *file
                && file.context == number
                && let Some(queue) = context.fault_queues.get(file.index)
            {
                count(&mut users, queue.id);
            }
        }
        for (_, nested) in context.nested.iter() {
            let viommu = nested.viommu.and_then(|viommu| context.viommus.get(viommu)).map(|viommu| viommu.id);
            if let Some(id) = viommu.or(context.hwpts.get(nested.parent).map(|parent| parent.id)) {
                count(&mut users, id);
            }
            if let Some(queue) = nested.fault_queue.and_then(|queue| context.fault_queues.get(queue)) {
                count(&mut users, queue.id);
            }
        }
        for (_, access) in context.accesses.iter() {
            // Who made it.
            count(&mut users, access.id);
            if let Some(ioas) = access.ioas.and_then(|ioas| context.ioases.get(ioas)) {
                count(&mut users, ioas.id);
            }
        }
        for device in self.bound_to(number) {
            let entry = &self.devices[device];
            let (Some(bound), Some(set)) = (entry.bound, self.sets.get(entry.set as usize)) else { continue };
            // The fd of the device, and its attachments.
            count(&mut users, bound.id);
            for attachment in set.attachments.iter().filter(|attachment| attachment.devices.contains(&(device as u32))) {
                count(&mut users, bound.id);
                count(&mut users, attachment.hwpt);
            }
        }
        Ok(users)
    }

    fn is_named(&self, number: u32, context: &Context, id: u32, object: &Object) -> bool {
        match object.kind {
            ObjectKind::Ioas => context.ioases.get(object.index).is_some_and(|ioas| ioas.id == id),
            ObjectKind::Hwpt => context.hwpts.get(object.index).is_some_and(|hwpt| hwpt.id == id),
            ObjectKind::Nested => context.nested.get(object.index).is_some_and(|nested| nested.id == id),
            ObjectKind::Device => {
                let bound = self.devices.get(object.index as usize).and_then(|device| device.bound);
                bound.is_some_and(|bound| bound.context == number && bound.id == id)
            }
            ObjectKind::Selftest => {
                let device = self.devices.get(object.index as usize);
                device.is_some_and(|device| device.mock.is_some() && device.bound.is_some_and(|bound| bound.context == number))
            }
            ObjectKind::FaultQueue => context.fault_queues.get(object.index).is_some_and(|queue| queue.id == id),
            ObjectKind::Access => context.accesses.get(object.index).is_some_and(|access| access.id == id),
            ObjectKind::Viommu => context.viommus.get(object.index).is_some_and(|viommu| viommu.id == id),
            ObjectKind::Vdevice => context.vdevices.get(object.index).is_some_and(|vdevice| vdevice.id == id),
            ObjectKind::EventQueue => context.event_queues.get(object.index).is_some_and(|queue| queue.id == id),
            ObjectKind::HwQueue => context.accesses.get(object.index).is_some_and(|access| is_hw_queue(context, access, id)),
            // An object that is gone, and whose id stays taken.
            ObjectKind::Reserved => true,
        }
    }

    /// The devices that are bound to an iommufd.
    fn bound_to(&self, context: u32) -> impl Iterator<Item = usize> {
        let bound =
            move |device: &crate::device::Device| !device.config.emulated && device.bound.is_some_and(|bound| bound.context == context);
        self.devices.iter().enumerate().filter(move |(_, device)| bound(device)).map(|(number, _)| number)
    }

    /// What must be reserved in the IOASes of an iommufd, sorted by IOAS and range: the ranges of the devices attached there, and what lies
    /// beyond the aperture of the page tables, and what test requests reserved.
    fn reserved_of(&self, number: u32, context: &Context) -> Result<Vec<(u32, Range)>> {
        let mut reserved = Vec::new();
        let mut add = |ioas: u32, range: Range| {
            reserved.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            reserved.push((ioas, range));
            Ok::<_, Errno>(())
        };
        for device in self.bound_to(number) {
            let entry = &self.devices[device];
            let attachment = self.sets.get(entry.set as usize).and_then(|set| set.attachment(NO_PASID));
            let attachment = attachment.filter(|attachment| attachment.devices.contains(&(device as u32)));
            let hwpt = attachment.and_then(|found| {
                let object = context.objects.get(found.hwpt).ok()?;
                let nested = if object.kind == ObjectKind::Nested { Some(context.nested.get(object.index)?.parent) } else { None };
                context.hwpts.get(nested.unwrap_or(object.index))
            });
            if let Some(hwpt) = hwpt {
                entry.reserved_ranges().try_for_each(|range| add(hwpt.ioas, range))?;
            }
        }
        for (_, hwpt) in context.hwpts.iter() {
            outside(self.hardware.iommu.aperture(hwpt.domain)).try_for_each(|range| add(hwpt.ioas, range))?;
        }
        for (index, ioas) in context.ioases.iter() {
            ioas.space.reserved_by(Reserver::Test.owner()).try_for_each(|range| add(index, range))?;
        }
        reserved.sort_unstable();
        Ok(reserved)
    }
}

/// Each page table is in the list of its IOAS, once; an automatic one has a device.
fn check_hwpts(report: &mut Report, number: u32, context: &Context, hardware: &Hardware) -> Result<()> {
    let mut listed = counters(context.hwpts.span())?;
    for (index, ioas) in context.ioases.iter() {
        for &hwpt in &ioas.hwpts {
            count(&mut listed, hwpt);
            let belongs = context.hwpts.get(hwpt).is_some_and(|hwpt| hwpt.ioas == index);
            report.expect(belongs, format_args!("IOAS {} of iommufd {number} lists the page table {hwpt} of another", ioas.id));
        }
    }
    for (_, nested) in context.nested.iter() {
        let fits = context.hwpts.get(nested.parent).is_some_and(|parent| parent.nest_parent && !parent.automatic);
        report.expect(fits, format_args!("the nested page table {} of iommufd {number} has no parent that was made for it", nested.id));
    }
    for (index, hwpt) in context.hwpts.iter() {
        report.expect_count(1_u32, counted(&listed, index), format_args!("entries of page table {} in its IOAS", hwpt.id));
        let users = context.objects.get(hwpt.id).map_or(0, |object| object.users);
        report.expect(!hwpt.automatic || users > 1, format_args!("the automatic page table {} outlived its last device", hwpt.id));
        let marks = hardware.iommu.has_marks(hwpt.domain) && !hardware.iommu.always_marks(hwpt.domain);
        report.expect(!marks || hwpt.tracks_dirty, format_args!("devices leave marks in page table {}, which tracks nothing", hwpt.id));
    }
    Ok(())
}

/// Each access is in the list of its IOAS, once; without one it has no pins.
fn check_accesses(report: &mut Report, number: u32, context: &Context) -> Result<()> {
    let mut listed = counters(context.accesses.span())?;
    for (index, ioas) in context.ioases.iter() {
        for attached in &ioas.accesses {
            count(&mut listed, attached.access);
            let belongs = context.accesses.get(attached.access).is_some_and(|access| access.ioas == Some(index));
            report.expect(belongs, format_args!("IOAS {} of iommufd {number} lists the access {} of another", ioas.id, attached.access));
        }
    }
    for (index, access) in context.accesses.iter() {
        let entries = u32::from(access.ioas.is_some());
        report.expect_count(entries, counted(&listed, index), format_args!("entries of access {} in its IOAS", access.id));
        report.expect(access.ioas.is_some() || access.pins.is_empty(), format_args!("access {} has pins without an IOAS", access.id));
    }
    Ok(())
}

/// Whether an access is a queue for hardware with this object id, and has memory pinned in the IOAS of its parent.
fn is_hw_queue(context: &Context, access: &Access, id: u32) -> bool {
    let User::HwQueue(queue) = access.user else { return false };
    let parent = context.viommus.get(queue.viommu).and_then(|viommu| context.hwpts.get(viommu.parent));
    queue.id == id && access.pins.len() == 1 && parent.is_some_and(|parent| access.ioas == Some(parent.ioas))
}

fn check_alignment(report: &mut Report, context: &Context, ioas: &Ioas) {
    let smallest = ioas.hwpts.iter().filter_map(|&hwpt| context.hwpts.get(hwpt)).map(|hwpt| hwpt.smallest_page);
    let accesses = ioas.accesses.iter().filter_map(|attached| context.accesses.get(attached.access)).map(|access| access.alignment);
    let wanted = smallest.chain(accesses).fold(if ioas.small_pages { PAGE } else { 1 }, u64::max);
    report.expect(
        ioas.alignment == wanted,
        format_args!("IOAS {} has the alignment {}, its page tables, accesses and options want {wanted}", ioas.id, ioas.alignment),
    );
}

/// Areas lie side by side in usable IOVAs, are of memory that exists, and allow no more than that does.
fn check_areas(report: &mut Report, context: &Context, ioas: &Ioas) {
    let mut number = 0;
    let mut free_from = Some(0);
    let mut usable = ioas.space.usable().peekable();
    for (range, area) in ioas.space.iter_from(0) {
        number += 1;
        let after = free_from.is_some_and(|free| free <= range.start) && range.start <= range.last;
        report.expect(after, format_args!("IOAS {}: the area at {:#x} overlaps the one before it", ioas.id, range.start));
        free_from = range.last.checked_add(1);
        while usable.next_if(|hole| hole.last < range.start).is_some() {}
        let inside = usable.peek().is_some_and(|hole| hole.start <= range.start && range.last <= hole.last);
        report.expect(inside, format_args!("IOAS {}: the area at {:#x} touches reserved IOVAs", ioas.id, range.start));
        match context.pages.get(area.pages) {
            None => report.add(format_args!("IOAS {}: the area at {:#x} is of memory that does not exist", ioas.id, range.start)),
            Some(pages) => report.expect(
                pages.writable || !area.prot.contains(Prot::WRITE),
                format_args!("IOAS {}: the area at {:#x} lets devices write read-only memory", ioas.id, range.start),
            ),
        }
        // A container's request makes areas without any permission, which no page table takes.
        let allows = !area.prot.is_empty() || ioas.hwpts.is_empty();
        report.expect(allows, format_args!("IOAS {}: the area at {:#x} allows nothing", ioas.id, range.start));
    }
    report.expect_count(ioas.space.len() as u64, number as u64, format_args!("areas of IOAS {}", ioas.id));
}

/// What sorted ranges, which may overlap, leave of all IOVAs.
fn holes(mut reserved: impl Iterator<Item = Range>) -> impl Iterator<Item = Range> {
    let mut from = Some(0);
    core::iter::from_fn(move || {
        loop {
            let start = from?;
            let Some(range) = reserved.next() else {
                from = None;
                return Some(Range { start, last: u64::MAX });
            };
            if range.last >= start {
                from = range.last.checked_add(1);
            }
            if start < range.start {
                return Some(Range { start, last: range.start - 1 });
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_what_overlapping_ranges_leave() {
        let range = |start, last| Range { start, last };
        let left = |reserved: &[Range]| holes(reserved.iter().copied()).collect::<Vec<_>>();
        assert_eq!(left(&[]), [Range::ALL]);
        assert_eq!(left(&[Range::ALL]), []);
        assert_eq!(left(&[range(0, 9), range(5, 7), range(20, 29), range(30, 39)]), [range(10, 19), range(40, u64::MAX)]);
        assert_eq!(left(&[range(5, 9), range(8, u64::MAX)]), [range(0, 4)]);
    }
}
