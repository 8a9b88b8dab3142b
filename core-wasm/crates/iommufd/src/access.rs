//! Access objects: users of an IOAS that reach its memory without an IOMMU, as the kernel's drivers of emulated devices do.
//!
//! Such a user pins ranges of IOVAs and works on the pages, or copies through the IOAS. Before an area with pins is unmapped, its users are told to
//! let go. Pins are pins of the memory, so that a page is accounted once however many areas and accesses have it.

use crate::context::Context;
use crate::hardware::Hardware;
use crate::hw_queue::HwQueue;
use crate::ioas::{Area, Ioas};
use crate::object::ObjectKind;
use crate::pages::{Backing, PAGE, Pages};
use crate::slab::Slab;
use alloc::vec::Vec;
use iommu::{Pa, Prot, Run};
use iova::Range;
use uapi::{Errno, Result};

/// An access object. Whoever made it holds it, and it holds its IOAS.
pub(crate) struct Access {
    /// Its object id.
    pub(crate) id: u32,
    pub(crate) user: User,
    /// The IOAS, while it is attached to one.
    pub(crate) ioas: Option<u32>,
    /// What it asks of the IOAS's alignment: a page if it pins, else 1.
    pub(crate) alignment: u64,
    /// What it has pinned, in that order.
    pub(crate) pins: Vec<PinnedRange>,
}

/// Who uses memory through an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum User {
    /// A test request: it lets go of pages as soon as they shall be unmapped.
    Test,
    /// The model of this device: the host tells it, and it lets go or not.
    Device(u32),
    /// A queue that hardware works on: what it has pinned cannot be unmapped, so that it is never told.
    HwQueue(HwQueue),
}

/// IOVAs whose pages an access has pinned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PinnedRange {
    /// What the user knows it by.
    pub(crate) id: u32,
    pub(crate) range: Range,
    /// Its user was told to let go: what is there shall be unmapped, so that it is neither pinned nor copied any more.
    pub(crate) told: bool,
}

/// An access in the list of its IOAS.
#[derive(Clone, Copy)]
pub(crate) struct Attached {
    pub(crate) access: u32,
    pub(crate) alignment: u64,
}

/// A part of a range that lies in one area.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    pub(crate) area: Area,
    /// First and last byte, numbered from the start of the memory.
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Part {
    /// Its pages, numbered in the same way.
    pub(crate) fn pages(&self) -> (u64, u64) {
        (self.first / PAGE, self.last / PAGE)
    }
}

/// The parts of a range up to the first IOVA without an area. The range is covered if the lengths of the parts are its own.
pub(crate) fn parts(ioas: &Ioas, wanted: Range) -> Parts<'_> {
    Parts { ioas, next: Some(wanted.start), last: wanted.last }
}

/// See [`parts`].
pub(crate) struct Parts<'a> {
    ioas: &'a Ioas,
    /// Where the next part begins, unless the last was the last.
    next: Option<u64>,
    last: u64,
}

impl Iterator for Parts<'_> {
    type Item = Part;

    // Once, not in each loop.
    #[inline(never)]
    fn next(&mut self) -> Option<Part> {
        let at = self.next.take()?;
        let (range, area) = self.ioas.space.first_from(at).filter(|(range, _)| range.start <= at)?;
        let last = range.last.min(self.last);
        self.next = if last == self.last { None } else { Some(last + 1) };
        let (start, _) = area.byte_range(range);
        Some(Part { area, first: start + (at - range.start), last: start + (last - range.start) })
    }
}

impl Context {
    /// Makes an access without an IOAS, held by its maker. Returns its index. ENOMEM.
    pub(crate) fn new_access(&mut self, user: User, alignment: u64) -> Result<u32> {
        let id = self.objects.next();
        let index = self.accesses.insert(Access { id, user, ioas: None, alignment, pins: Vec::new() })?;
        if let Err(error) = self.objects.add(ObjectKind::Access, index) {
            self.accesses.discard(index);
            return Err(error);
        }
        self.objects.hold(id, 1);
        Ok(index)
    }

    /// Gives an access another IOAS, or none. Its pins go, unless it stays where it is. EADDRINUSE for areas that do not fit its alignment, ENOMEM;
    /// never for none.
    pub(crate) fn move_access(&mut self, hardware: &mut Hardware, index: u32, to: Option<u32>) -> Result<()> {
        let access = self.accesses.get(index).ok_or(Errno::EIO)?;
        let (from, alignment) = (access.ioas, access.alignment);
        if from == to {
            return Ok(());
        }
        if let Some(to) = to {
            let ioas = self.ioases.get_mut(to).ok_or(Errno::EIO)?;
            ioas.accesses.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            ioas.accesses.push(Attached { access: index, alignment });
            if let Err(error) = ioas.update_alignment(&self.hwpts) {
                ioas.accesses.pop();
                return Err(error);
            }
            self.objects.hold(ioas.id, 1);
        }
        if let Some(from) = from {
            self.unpin_all(hardware, index, Range::ALL);
            if let Some(ioas) = self.ioases.get_mut(from) {
                ioas.accesses.retain(|attached| attached.access != index);
                // The alignment does not rise, so no area is in the way.
                let _ = ioas.update_alignment(&self.hwpts);
                self.objects.hold(ioas.id, -1);
            }
        }
        if let Some(access) = self.accesses.get_mut(index) {
            access.ioas = to;
        }
        Ok(())
    }

    /// What goes with an access, its id included. Never fails.
    pub(crate) fn destroy_access(&mut self, hardware: &mut Hardware, index: u32) {
        // To move it nowhere needs no memory.
        let _ = self.move_access(hardware, index, None);
        if let Some(access) = self.accesses.remove(index) {
            self.objects.remove(access.id);
        }
    }

    /// Pins the pages of a range for an access, by this number. All or nothing.
    ///
    /// EINVAL for no bytes, EOVERFLOW; ENOENT without an IOAS or where something is not mapped; EINVAL for what is no whole pages or of a dma-buf; EPERM for what may
    /// not be written, or read; what pinning refuses; ENOMEM.
    pub(crate) fn pin_range(&mut self, hardware: &mut Hardware, index: u32, range: Range, write: bool, id: u32) -> Result<()> {
        self.check_told(index, range)?;
        let access = self.accesses.get_mut(index).ok_or(Errno::EIO)?;
        access.pins.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let ioas = self.ioases.get(access.ioas.ok_or(Errno::ENOENT)?).ok_or(Errno::EIO)?;
        let mut done = 0;
        let mut covered = 0;
        let mut result = Ok(());
        for part in parts(ioas, range) {
            result = pin_part(&mut self.pages, hardware, &part, write, covered + (part.last - part.first) == range.last - range.start);
            if result.is_err() {
                break;
            }
            done += 1;
            // Up to 2^64, which is 0.
            covered = covered.wrapping_add(part.last - part.first + 1);
        }
        let whole = (range.last - range.start).wrapping_add(1);
        let result = result.and(if covered == whole && done != 0 { Ok(()) } else { Err(Errno::ENOENT) });
        if let Err(error) = result {
            unpin_parts(&mut self.pages, hardware, parts(ioas, range).take(done));
            return Err(error);
        }
        access.pins.push(PinnedRange { id, range, told: false });
        Ok(())
    }

    /// Undoes [`Self::pin_range`]. ENOENT for an unknown number.
    pub(crate) fn unpin_range(&mut self, hardware: &mut Hardware, index: u32, id: u32) -> Result<()> {
        let access = self.accesses.get_mut(index).ok_or(Errno::EIO)?;
        let at = access.pins.iter().position(|pinned| pinned.id == id).ok_or(Errno::ENOENT)?;
        let pinned = access.pins.remove(at);
        let ioas = access.ioas.and_then(|ioas| self.ioases.get(ioas)).ok_or(Errno::EIO)?;
        unpin_parts(&mut self.pages, hardware, parts(ioas, pinned.range));
        Ok(())
    }

    /// Undoes all pins of an access that touch a range. Never fails, never allocates.
    pub(crate) fn unpin_all(&mut self, hardware: &mut Hardware, index: u32, range: Range) {
        let Some(access) = self.accesses.get_mut(index) else { return };
        let Some(ioas) = access.ioas.and_then(|ioas| self.ioases.get(ioas)) else { return };
        let pages = &mut self.pages;
        access.pins.retain(|pinned| {
            let stays = !pinned.range.overlaps(range);
            if !stays {
                unpin_parts(pages, hardware, parts(ioas, pinned.range));
            }
            stays
        });
    }

    /// Tells all users with pins in a range of an IOAS that it shall be unmapped. Test users let go at once; models are told by the host. ENOMEM.
    pub(crate) fn notify_unmap(&mut self, hardware: &mut Hardware, ioas: u32, range: Range) -> Result<()> {
        for position in 0.. {
            let Some(attached) = self.ioases.get(ioas).and_then(|ioas| ioas.accesses.get(position)) else { break };
            let index = attached.access;
            let Some(access) = self.accesses.get_mut(index) else { continue };
            match access.user {
                User::Test => self.unpin_all(hardware, index, range),
                User::HwQueue(_) => {}
                User::Device(device) => {
                    hardware.waiting.push(device, range)?;
                    access.pins.iter_mut().filter(|pinned| pinned.range.overlaps(range)).for_each(|pinned| pinned.told = true);
                }
            }
        }
        Ok(())
    }

    /// EINVAL where users have been told to let go of something in a range, and have not.
    fn check_told(&self, index: u32, range: Range) -> Result<()> {
        let ioas = self.accesses.get(index).and_then(|access| self.ioases.get(access.ioas?));
        let accesses = ioas.map_or(&[][..], |ioas| &ioas.accesses);
        let mut pins = accesses.iter().filter_map(|attached| self.accesses.get(attached.access)).flat_map(|access| &access.pins);
        if pins.any(|pinned| pinned.told && pinned.range.overlaps(range)) { Err(Errno::EINVAL) } else { Ok(()) }
    }

    /// The memory that an access has pinned by this number.
    pub(crate) fn pinned_runs(&self, index: u32, id: u32) -> Option<impl Iterator<Item = Run>> {
        let access = self.accesses.get(index)?;
        let pinned = access.pins.iter().find(|pinned| pinned.id == id)?;
        let ioas = self.ioases.get(access.ioas?)?;
        let runs = parts(ioas, pinned.range).filter_map(|part| Some((self.pages.get(part.area.pages)?, part)));
        Some(runs.flat_map(|(pages, part)| pages.pinned_runs(part.first, part.last)))
    }

    /// Whether an access has pinned something in a range of an IOAS.
    pub(crate) fn has_pins(&self, ioas: u32, range: Range) -> bool {
        self.has_pins_of(ioas, range, false)
    }

    /// Whether hardware works on something in a range of an IOAS, which must stay mapped then.
    pub(crate) fn is_locked(&self, ioas: u32, range: Range) -> bool {
        self.has_pins_of(ioas, range, true)
    }

    fn has_pins_of(&self, ioas: u32, range: Range, of_queues: bool) -> bool {
        let accesses = self.ioases.get(ioas).map_or(&[][..], |ioas| &ioas.accesses);
        let mut found = accesses.iter().filter_map(|attached| self.accesses.get(attached.access));
        let counts = |access: &Access| !of_queues || matches!(access.user, User::HwQueue(_));
        found.any(|access| counts(access) && access.pins.iter().any(|pinned| pinned.range.overlaps(range)))
    }

    /// How many bytes from the beginning of a range are mapped where an access looks.
    pub(crate) fn covered(&self, index: u32, range: Range) -> u64 {
        let ioas = self.accesses.get(index).and_then(|access| self.ioases.get(access.ioas?));
        ioas.map_or(0, |ioas| parts(ioas, range).fold(0, |sum: u64, part| sum.wrapping_add(part.last - part.first + 1)))
    }

    /// Copies between memory of the kernel and an IOAS, part by part; what lies before an error is copied.
    ///
    /// ENOENT without an IOAS or where something is not mapped, EPERM for what may not be written, or read; EFAULT where the process has no memory.
    pub(crate) fn copy_range(&self, hardware: &mut Hardware, index: u32, range: Range, buffer: Pa, how: Copying) -> Result<()> {
        self.check_told(index, range)?;
        let access = self.accesses.get(index).ok_or(Errno::EIO)?;
        let ioas = self.ioases.get(access.ioas.ok_or(Errno::ENOENT)?).ok_or(Errno::EIO)?;
        let mut covered = 0_u64;
        for part in parts(ioas, range) {
            let pages = self.pages.get(part.area.pages).ok_or(Errno::EIO)?;
            check_prot(&part, pages, how.write)?;
            if pages.is_dmabuf() {
                return Err(Errno::EINVAL);
            }
            pages.copy(hardware, &part, Pa(buffer.0 + covered), how)?;
            covered = covered.wrapping_add(part.last - part.first + 1);
        }
        if covered == (range.last - range.start).wrapping_add(1) { Ok(()) } else { Err(Errno::ENOENT) }
    }
}

/// Which way a copy goes, and how it gets at memory.
#[derive(Clone, Copy)]
pub(crate) struct Copying {
    /// To the IOAS.
    pub(crate) write: bool,
    /// As for a process that is not the caller: by pinning for the time of the copy.
    pub(crate) by_pinning: bool,
}

impl Pages {
    /// Copies between a part of this memory and memory of the kernel.
    fn copy(&self, hardware: &mut Hardware, part: &Part, buffer: Pa, how: Copying) -> Result<()> {
        let (first, last) = part.pages();
        let mut runs = core::mem::take(&mut hardware.runs);
        let result = match self.backing {
            // The process's memory as it is now, page by page, whatever is pinned.
            Backing::User(start) if !how.by_pinning || first == last => {
                (first..=last).try_for_each(|page| copy_page(hardware, part, (start, page), buffer, how.write, &mut runs))
            }
            _ => {
                runs.clear();
                self.memory_of(hardware, first, last, self.writable, &mut runs).map(|()| {
                    copy_runs(hardware, part, buffer, first * PAGE, &runs, how.write);
                })
            }
        };
        hardware.runs = runs;
        result
    }
}

/// Copies the bytes that a part has in one page of the process's memory, which begins at `start`. EFAULT.
fn copy_page(hardware: &mut Hardware, part: &Part, (start, page): (u64, u64), buffer: Pa, write: bool, runs: &mut Vec<Run>) -> Result<()> {
    runs.clear();
    let va = start.checked_add(page * PAGE).ok_or(Errno::EFAULT)?;
    if write {
        hardware.user.resolve(va, PAGE, true, runs)?;
    } else {
        let pa = hardware.user.view(va, PAGE)?;
        runs.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        runs.push(Run { pa, length: PAGE });
    }
    copy_runs(hardware, part, buffer, page * PAGE, runs, write);
    Ok(())
}

/// Copies what `runs`, which begin at byte `start` of the memory, have of a part.
fn copy_runs(hardware: &mut Hardware, part: &Part, buffer: Pa, start: u64, runs: &[Run], write: bool) {
    let mut at = start;
    for run in runs {
        let (from, to) = (at.max(part.first), (at + (run.length - 1)).min(part.last));
        if from <= to {
            let (memory, here) = (Pa(run.pa.0 + (from - at)), Pa(buffer.0 + (from - part.first)));
            let (source, target) = if write { (here, memory) } else { (memory, here) };
            hardware.ram.copy(source, target, (to - from + 1) as usize);
        }
        at += run.length;
    }
}

/// EPERM unless the area and its memory may be used so.
fn check_prot(part: &Part, pages: &Pages, write: bool) -> Result<()> {
    let wanted = if write { Prot::WRITE } else { Prot::READ };
    if !part.area.prot.contains(wanted) || (write && !pages.writable) { Err(Errno::EPERM) } else { Ok(()) }
}

fn pin_part(pages: &mut Slab<Pages>, hardware: &mut Hardware, part: &Part, write: bool, is_last: bool) -> Result<()> {
    if !part.first.is_multiple_of(PAGE) || (!is_last && part.last % PAGE != PAGE - 1) {
        return Err(Errno::EINVAL);
    }
    let entry = pages.get_mut(part.area.pages).ok_or(Errno::EIO)?;
    check_prot(part, entry, write)?;
    if entry.is_dmabuf() {
        return Err(Errno::EINVAL);
    }
    let (first, last) = part.pages();
    // Linux has a list of all pages of an access, so that it pins all at once whatever the limit is.
    let at_once = core::mem::replace(&mut hardware.pages_at_once, u64::MAX);
    let result = entry.pin(hardware, first, last);
    hardware.pages_at_once = at_once;
    result
}

fn unpin_parts(pages: &mut Slab<Pages>, hardware: &mut Hardware, parts: impl Iterator<Item = Part>) {
    for part in parts {
        if let Some(entry) = pages.get_mut(part.area.pages) {
            let (first, last) = part.pages();
            entry.unpin(hardware, first, last);
        }
    }
}
