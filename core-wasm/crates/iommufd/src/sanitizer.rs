//! What a sanitizer of DMA needs of the kernel: which areas came and went, which address space a device uses, and placement that keeps
//! mappings apart. Nothing of it is on the way of a machine without one: areas are compared with what was known, after a request.

use crate::file::File;
use crate::kernel::Kernel;
use crate::object::ObjectKind;
use alloc::vec::Vec;
use iova::Range;
use uapi::iommufd as api;
use uapi::{Errno, Result};

/// Where nothing is placed: Linux leaves out the last address.
const NOWHERE: Range = Range { start: u64::MAX, last: u64::MAX };

/// An area of an address space, as it was when it was looked at last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Known {
    space: u64,
    range: Range,
    prot: u8,
}

/// An area that came or went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AreaChange {
    /// The IOAS: number of the iommufd << 32 | object id.
    pub space: u64,
    /// Its addresses.
    pub range: Range,
    /// 1: devices may read; 2: devices may write.
    pub prot: u8,
    /// Whether it came.
    pub added: bool,
}

/// What is known of areas, and where none shall be placed.
#[derive(Default)]
pub(crate) struct Sanitizer {
    /// Ascending.
    known: Vec<Known>,
    seen: Vec<Known>,
    changes: Vec<AreaChange>,
    /// Addresses that were given back a short time ago, by space; ascending.
    quarantine: Vec<(u64, Range)>,
}

impl Kernel {
    /// Looks at all areas. Returns how many came or went since the last time; first those that went. ENOMEM: nothing was noticed, the next
    /// look finds it.
    pub fn find_area_changes(&mut self) -> Result<u32> {
        let Kernel { sanitizer: Sanitizer { known, seen, changes, .. }, contexts, .. } = self;
        seen.clear();
        changes.clear();
        for (index, context) in contexts.iter() {
            for (_, ioas) in context.ioases.iter() {
                let space = space_key(index, ioas.id);
                seen.try_reserve(ioas.space.len()).map_err(|_| Errno::ENOMEM)?;
                seen.extend(ioas.space.iter_from(0).map(|(range, area)| Known { space, range, prot: area.prot.bits() }));
            }
        }
        seen.sort_unstable();
        changes.try_reserve(differences(known, seen).count() + differences(seen, known).count()).map_err(|_| Errno::ENOMEM)?;
        let change = |&Known { space, range, prot }: &Known, added| AreaChange { space, range, prot, added };
        changes.extend(differences(known, seen).map(|gone| change(gone, false)));
        changes.extend(differences(seen, known).map(|new| change(new, true)));
        core::mem::swap(known, seen);
        Ok(changes.len() as u32)
    }

    /// A change that [`Kernel::find_area_changes`] found.
    pub fn area_change(&self, index: usize) -> Option<AreaChange> {
        self.sanitizer.changes.get(index).copied()
    }

    /// The IOAS that decides about transfers of a device with a PASID, or with [`iommu::NO_PASID`], as [`AreaChange::space`]. `None`: it is attached to none,
    /// or to a page table of another kind.
    pub fn space_of(&self, device: u32, pasid: u32) -> Option<u64> {
        let entry = self.device(device).ok()?;
        let bound = entry.bound?;
        let context = self.contexts.get(bound.context)?;
        let attachment = self.sets.get(entry.set as usize)?.attachment(pasid).filter(|attachment| attachment.devices.contains(&device))?;
        let hwpt = context.hwpts.get(context.objects.index(attachment.hwpt, ObjectKind::Hwpt).ok()?)?;
        Some(space_key(bound.context, context.ioases.get(hwpt.ioas)?.id))
    }

    /// The PASID of an attachment of a device, by its number: 0 for transfers without one, which come first. `None`: there are no more.
    pub fn attached_pasid(&self, device: u32, index: usize) -> Option<u32> {
        let set = self.sets.get(self.device(device).ok()?.set as usize)?;
        set.attachments.iter().filter(|attachment| attachment.devices.contains(&device)).nth(index).map(|attachment| attachment.pasid)
    }

    /// What the program calls a device.
    pub fn label_of(&self, device: u32) -> Option<u64> {
        self.hardware.iommu.label(device)
    }

    /// Whether an IOAS is there.
    pub fn has_space(&self, space: u64) -> bool {
        let ioases = self.contexts.get((space >> 32) as u32).map(|context| &context.ioases);
        ioases.is_some_and(|ioases| ioases.iter().any(|(_, ioas)| ioas.id == space as u32))
    }

    /// Keeps addresses of a space from being chosen by [`Kernel::ioctl_apart`]. ENOMEM.
    pub fn add_quarantine(&mut self, space: u64, range: Range) -> Result<()> {
        let list = &mut self.sanitizer.quarantine;
        list.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let at = list.partition_point(|entry| *entry < (space, range));
        list.insert(at, (space, range));
        Ok(())
    }

    /// Takes back what [`Kernel::add_quarantine`] did for the range that starts there.
    pub fn end_quarantine(&mut self, space: u64, start: u64) {
        self.sanitizer.quarantine.retain(|(of, range)| *of != space || range.start != start);
    }

    /// As [`Kernel::ioctl`]; but a mapping whose address the kernel chooses comes `margin` bytes or more from others and outside of the
    /// quarantine, where there is room: else nearer, and else where Linux has it.
    pub fn ioctl_apart(&mut self, fd: i32, request: u32, argument: u64, margin: u64) -> Result<u32> {
        if let (Ok(File::Iommufd(context)), api::IOAS_MAP | api::IOAS_MAP_FILE | api::IOAS_COPY) = (self.file(fd), request) {
            for with_quarantine in [true, false] {
                // Without memory for it, placement is Linux's.
                let Ok(mut allowed) = self.allowed_apart(context, margin, with_quarantine) else { break };
                self.swap_allowed(context, &mut allowed);
                let result = self.ioctl(fd, request, argument);
                self.swap_allowed(context, &mut allowed);
                if result != Err(Errno::ENOSPC) {
                    return result;
                }
            }
        }
        self.ioctl(fd, request, argument)
    }

    /// For each IOAS of an iommufd, by its index, what automatic placement may use.
    fn allowed_apart(&self, context: u32, margin: u64, with_quarantine: bool) -> Result<Vec<(u32, Vec<Range>)>> {
        let ioases = &self.context(context)?.ioases;
        let mut allowed = Vec::new();
        let mut others = Vec::new();
        for (index, ioas) in ioases.iter() {
            let space = space_key(context, ioas.id);
            let list = &self.sanitizer.quarantine;
            let mine = list.get(list.partition_point(|entry| entry.0 < space)..).unwrap_or_default();
            others.clear();
            for &(_, range) in mine.iter().take_while(|entry| with_quarantine && entry.0 == space) {
                others.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                others.push(range);
            }
            let mut ranges = ioas.space.allowed_apart(margin, &others).map_err(|_| Errno::ENOMEM)?;
            if ranges.is_empty() {
                // No ranges would allow everything.
                ranges.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                ranges.push(NOWHERE);
            }
            allowed.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            allowed.push((index, ranges));
        }
        Ok(allowed)
    }

    fn swap_allowed(&mut self, context: u32, allowed: &mut [(u32, Vec<Range>)]) {
        let Some(context) = self.contexts.get_mut(context) else { return };
        for (index, ranges) in allowed {
            if let Some(ioas) = context.ioases.get_mut(*index) {
                ioas.space.swap_allowed(ranges);
            }
        }
    }
}

fn space_key(context: u32, ioas: u32) -> u64 {
    u64::from(context) << 32 | u64::from(ioas)
}

/// What is in `one` and not in `other`, both ascending.
fn differences<'a>(one: &'a [Known], other: &'a [Known]) -> impl Iterator<Item = &'a Known> {
    one.iter().filter(|known| other.binary_search(known).is_err())
}
