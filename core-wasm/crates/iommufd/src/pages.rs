//! Memory that areas map: what it is, and which of its pages are pinned.
//!
//! Areas share it: COPY makes further areas of the same memory. A page is pinned once, as long as one area with a page table or an access
//! covers it, and accounted once.

use crate::hardware::Hardware;
use crate::pins::{Pin, Pins};
use alloc::vec::Vec;
use iommu::{FRAME_LG2, Pa, Run};
use uapi::{Errno, Result};

/// Bytes of a page: what is pinned and accounted.
pub(crate) const PAGE: u64 = 1 << FRAME_LG2;

/// Whom pinned pages are charged to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Charge {
    /// Nobody: the process may lock as much as it likes.
    None,
    /// The user.
    User,
    /// The process.
    Process,
}

/// Where memory comes from, looked up when it is pinned. Addresses are those of its first page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Backing {
    /// The process's memory.
    User(u64),
    /// A memfd, from this offset on.
    File { memfd: u32, start: u64 },
    /// A dma-buf, from this offset on, and where that is. It is mapped as it is, without pins.
    Dmabuf { dmabuf: u32, start: u64, pa: Pa },
    /// A file that has no memory to pin: refused when it would be.
    NoMemory { start: u64 },
}

impl Backing {
    /// The address that automatic placement goes by.
    pub(crate) fn address(self) -> u64 {
        match self {
            Backing::User(start) | Backing::File { start, .. } | Backing::Dmabuf { start, .. } | Backing::NoMemory { start } => start,
        }
    }
}

/// Memory that areas map.
pub(crate) struct Pages {
    pub(crate) backing: Backing,
    /// Whether areas may let devices write.
    pub(crate) writable: bool,
    pub(crate) charge: Charge,
    /// Of a dma-buf: the device has taken the memory back since, so that no page table has it any more.
    pub(crate) revoked: bool,
    /// Areas, and requests that are about to make one.
    pub(crate) holders: u32,
    pub(crate) pins: Pins,
}

/// What of `pins` is in bytes `first..=last` of their memory, and one run behind it. The one kind of iterator that page tables are filled from: each
/// other one would be all of their code once more.
pub(crate) fn runs(pins: &[Pin], last_run: Option<Run>, first: u64, last: u64) -> impl Iterator<Item = Run> {
    let pinned = pins.iter().map(move |pin| {
        let start = pin.first * PAGE;
        let from = start.max(first);
        let to = (pin.last() * PAGE + (PAGE - 1)).min(last);
        Run { pa: Pa(pin.pa.0 + (from - start)), length: to - from + 1 }
    });
    pinned.chain(last_run)
}

impl Pages {
    pub(crate) const fn new(backing: Backing, writable: bool, charge: Charge) -> Self {
        Self { backing, writable, charge, revoked: false, holders: 1, pins: Pins::None }
    }

    /// Pins pages `first..=last`, numbered from the start of this memory, for one more area or access. All or nothing: EFAULT or EINVAL for memory
    /// that cannot be pinned, ENOMEM beyond the limit or without room. Memory of a remote IOMMU is pinned by whoever has that.
    #[inline]
    pub(crate) fn pin(&mut self, hardware: &mut Hardware, first: u64, last: u64) -> Result<()> {
        if hardware.iommu.config().remote || self.is_dmabuf() {
            return Ok(());
        }
        match self.pins {
            Pins::None => self.pin_first(hardware, first, last),
            _ => self.pin_more(hardware, first, last),
        }
    }

    /// The usual case: nothing is pinned yet.
    fn pin_first(&mut self, hardware: &mut Hardware, first: u64, last: u64) -> Result<()> {
        let pins = match self.piece(hardware, first, last) {
            Some(run) => Pins::from_runs(first, &[run])?,
            None => self.pieces(hardware, first, last)?,
        };
        hardware.accounts.add(self.charge, last - first + 1)?;
        for pin in pins.as_slice() {
            hardware.ram.get_run(pin.pa, pin.count * PAGE);
        }
        self.pins = pins;
        Ok(())
    }

    /// The memory of pages `first..=last`, if it is of the process, and in one piece.
    #[inline]
    fn piece(&self, hardware: &Hardware, first: u64, last: u64) -> Option<Run> {
        let Backing::User(start) = self.backing else { return None };
        hardware.user.pinnable(start.checked_add(first * PAGE)?, (last - first + 1) * PAGE, self.writable)
    }

    /// Pins of the memory of pages `first..=last`.
    #[cold]
    fn pieces(&self, hardware: &mut Hardware, first: u64, last: u64) -> Result<Pins> {
        let mut runs = core::mem::take(&mut hardware.runs);
        runs.clear();
        let resolved = self.resolve(hardware, first, last, self.writable, &mut runs);
        let pins = resolved.and_then(|()| Pins::from_runs(first, &runs));
        hardware.runs = runs;
        pins
    }

    /// Parts of the range may be pinned already; those get one holder more.
    fn pin_more(&mut self, hardware: &mut Hardware, first: u64, last: u64) -> Result<()> {
        let mut next = self.pins.split_for(first, last)?;
        let mut added = 0;
        let mut result = Ok(());
        let mut runs = core::mem::take(&mut hardware.runs);
        for (gap_first, gap_last) in self.pins.gaps(first, last) {
            runs.clear();
            result = self.resolve(hardware, gap_first, gap_last, self.writable, &mut runs).and_then(|()| next.push_runs(gap_first, &runs));
            if result.is_err() {
                break;
            }
            added += gap_last - gap_first + 1;
        }
        hardware.runs = runs;
        result?;
        hardware.accounts.add(self.charge, added)?;
        // From here on nothing fails. What has no holder yet is new.
        next.sort();
        for pin in next.range_mut(first, last) {
            if pin.holders == 0 {
                hardware.ram.get_run(pin.pa, pin.count * PAGE);
            }
            pin.holders += 1;
        }
        self.pins = next;
        Ok(())
    }

    /// Gives back what [`Self::pin`] did for one area or access. Never fails, never allocates.
    pub(crate) fn unpin(&mut self, hardware: &mut Hardware, first: u64, last: u64) {
        let mut freed = 0;
        for pin in self.pins.range_mut(first, last) {
            pin.holders -= 1;
            if pin.holders == 0 {
                freed += pin.count;
                hardware.ram.put_run(pin.pa, pin.count * PAGE);
            }
        }
        self.pins.drop_unheld();
        hardware.accounts.sub(self.charge, freed);
    }

    /// Whether this is memory of a dma-buf.
    #[inline]
    pub(crate) fn is_dmabuf(&self) -> bool {
        matches!(self.backing, Backing::Dmabuf { .. })
    }

    /// The memory of bytes `first..=last`, numbered from the start of this memory; their pages are pinned, or of a dma-buf that is not revoked.
    #[inline]
    pub(crate) fn pinned_runs(&self, first: u64, last: u64) -> impl Iterator<Item = Run> {
        let shared = match self.backing {
            Backing::Dmabuf { pa, .. } if !self.revoked => Some(Run { pa: Pa(pa.0 + first), length: last - first + 1 }),
            _ => None,
        };
        runs(self.pins.range(first / PAGE, last / PAGE), shared, first, last)
    }

    /// How often the page at `pa` is pinned by this memory.
    pub(crate) fn pins_of(&self, pa: Pa) -> u32 {
        let inside = |pin: &&Pin| pin.pa <= pa && pa.0 - pin.pa.0 < pin.count * PAGE;
        self.pins.as_slice().iter().filter(inside).count() as u32
    }

    /// The pins, for inspection.
    pub(crate) fn pins(&self) -> &[Pin] {
        self.pins.as_slice()
    }

    /// Appends the memory of pages `first..=last` to `runs`: of those that are pinned what is pinned, of others what would be, to be written or
    /// read.
    pub(crate) fn memory_of(&self, hardware: &Hardware, first: u64, last: u64, write: bool, runs: &mut Vec<Run>) -> Result<()> {
        let mut at = first;
        for pin in self.pins.range(first, last) {
            if at < pin.first {
                self.resolve(hardware, at, pin.first - 1, write, runs)?;
            }
            let (from, to) = (pin.first.max(first), pin.last().min(last));
            runs.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            runs.push(Run { pa: Pa(pin.pa.0 + (from - pin.first) * PAGE), length: (to - from + 1) * PAGE });
            at = to + 1;
        }
        if at <= last { self.resolve(hardware, at, last, write, runs) } else { Ok(()) }
    }

    /// Appends the memory of pages `first..=last`, to be written or read, to `runs`.
    fn resolve(&self, hardware: &Hardware, first: u64, last: u64, write: bool, runs: &mut Vec<Run>) -> Result<()> {
        // No overflow in counts of bytes: the whole memory was measured in bytes when it was mapped.
        let (offset, length) = (first * PAGE, (last - first + 1) * PAGE);
        match self.backing {
            Backing::User(start) => {
                let va = start.checked_add(offset).ok_or(Errno::EFAULT)?;
                if va.checked_add(length).is_none() {
                    // Linux pins so many pages at once, and looks at their end before it looks for memory.
                    return Err(if length / PAGE <= hardware.pages_at_once { Errno::EOVERFLOW } else { Errno::EFAULT });
                }
                hardware.user.resolve(va, length, write, runs)
            }
            Backing::File { memfd, start } => {
                let file = &hardware.memfds.get(memfd).ok_or(Errno::EIO)?.file;
                let at = start.checked_add(offset).ok_or(Errno::EINVAL)?;
                if at.checked_add(length).is_none_or(|end| end > file.length()) {
                    return Err(Errno::EINVAL);
                }
                runs.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                runs.push(file.run(at, length)?);
                Ok(())
            }
            Backing::Dmabuf { .. } | Backing::NoMemory { .. } => Err(Errno::EINVAL),
        }
    }
}
