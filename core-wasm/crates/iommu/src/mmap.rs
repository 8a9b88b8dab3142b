//! `mmap` and `munmap` of the simulated process, by Linux's rules for x86-64.
//!
//! Different from Linux: all memory is there from the start (nothing is populated on access, so there is no overcommit); anonymous memory
//! is physically contiguous; a private mapping of a file is a copy made by `mmap`, not at the first write; addresses are not random.

use crate::mem_file::MemFile;
use crate::ram::{FRAME, LARGE_LG2, Ram};
use crate::user_memory::{UserMemory, Vma};
use iova::Range;
use pgtable::Pa;
use uapi::{Errno, Result};

/// No access. Such a mapping takes addresses and no memory.
pub const PROT_NONE: u32 = 0;
/// May be read.
pub const PROT_READ: u32 = 1;
/// May be written.
pub const PROT_WRITE: u32 = 2;
/// May be executed; nothing here executes.
pub const PROT_EXEC: u32 = 4;

/// Writes go to the file.
pub const MAP_SHARED: u32 = 1;
/// Writes stay with the mapping.
pub const MAP_PRIVATE: u32 = 2;
/// As [`MAP_SHARED`], for files; on Linux unknown flags fail then.
pub const MAP_SHARED_VALIDATE: u32 = 3;
/// At that very address; what is mapped there goes.
pub const MAP_FIXED: u32 = 0x10;
/// Zeroed memory, no file.
pub const MAP_ANONYMOUS: u32 = 0x20;
/// In the first 2 GiB. Not supported.
pub const MAP_32BIT: u32 = 0x40;
/// Grows downwards when touched. Not supported.
pub const MAP_GROWSDOWN: u32 = 0x100;
/// From the pool of huge pages. Not supported: the pool is empty; memory of 2 MiB and more is contiguous anyway.
pub const MAP_HUGETLB: u32 = 0x4_0000;
/// At that very address, or EEXIST.
pub const MAP_FIXED_NOREPLACE: u32 = 0x10_0000;

const PROT_ANY: u32 = PROT_READ | PROT_WRITE | PROT_EXEC;
const MAP_TYPE: u32 = 0xf;
/// The flags that a kernel older than [`MAP_SHARED_VALIDATE`] knew, with those above.
const MAP_KNOWN: u32 = MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_UNSUPPORTED | MAP_FIXED_NOREPLACE | MAP_HINTS;
/// MAP_DENYWRITE, EXECUTABLE, LOCKED, NORESERVE, POPULATE, NONBLOCK, STACK: nothing to do here, as all memory is there from the start.
const MAP_HINTS: u32 = 0x800 | 0x1000 | 0x2000 | 0x4000 | 0x8000 | 0x1_0000 | 0x2_0000;
const MAP_UNSUPPORTED: u32 = MAP_32BIT | MAP_GROWSDOWN | MAP_HUGETLB;

/// The last address that a process may map: 47 bits less one guard page.
const ADDRESS_LAST: u64 = 0x7fff_ffff_efff;
/// The first address that a process without privileges may map (`vm.mmap_min_addr`).
const ADDRESS_FIRST: u64 = 0x1_0000;
/// Automatic placement goes down from here.
pub(crate) const PLACEMENT_TOP: u64 = 0x7fff_f000_0000;
/// The most ranges that `mmap` or `munmap` can add: two of a mapping whose middle is taken out, two of a file that ends inside a new mapping.
const MOST_INSERTS: usize = 4;

/// A new mapping, not yet entered: memory for the first bytes, none for the rest (beyond the end of a file, or without protection).
struct Backing {
    pa: Option<Pa>,
    /// Bytes that have memory; 0 if `pa` is `None`.
    length: u64,
}

impl UserMemory {
    /// Maps `length` bytes, rounded up to pages, and returns their address. `file` is the file and the offset in it of the first byte, a multiple
    /// of the page size; it is ignored for anonymous memory.
    ///
    /// `at` is the address for [`MAP_FIXED`] and [`MAP_FIXED_NOREPLACE`], else a hint, 0 for none.
    /// Bits of `prot` and `flags` that are not listed in this file are ignored, as on Linux.
    ///
    /// Errors, looked for in this order: EINVAL (offset misaligned, length 0, or a flag that is not supported here), ENOMEM (the length
    /// overflows), EOVERFLOW (offset + length overflows), ENOMEM (beyond 47 bits, or no free range), EINVAL (fixed address misaligned),
    /// EPERM (fixed address below 64 KiB), EEXIST, EINVAL (neither shared nor private), EOPNOTSUPP (unknown flags with
    /// [`MAP_SHARED_VALIDATE`]), EBADF (neither file nor anonymous), ENOMEM (no RAM, or the heap is full). On an error nothing has changed.
    pub fn mmap(&mut self, ram: &mut Ram, at: u64, length: u64, prot: u32, flags: u32, file: Option<(&MemFile, u64)>) -> Result<u64> {
        let file = if flags & MAP_ANONYMOUS != 0 { None } else { file };
        let length = check_request(length, flags, file.map_or(0, |(_, offset)| offset))?;
        let (start, cursor) = match flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) {
            0 => self.place(at, length)?,
            fixed => (self.check_fixed(at, length, fixed & MAP_FIXED_NOREPLACE != 0)?, self.cursor),
        };
        let shared = check_type(flags)?;
        self.vmas.reserve(MOST_INSERTS).map_err(|_| Errno::ENOMEM)?;
        let backing = match file {
            Some((file, offset)) => back_with_file(ram, file, offset, length, shared)?,
            None if flags & MAP_ANONYMOUS == 0 => return Err(Errno::EBADF),
            None if prot & PROT_ANY == 0 => Backing { pa: None, length: 0 },
            None => Backing { pa: Some(alloc(ram, length)?), length },
        };
        if flags & MAP_FIXED != 0 {
            self.take_out(ram, start, start + (length - 1))?;
        }
        self.enter(start, length, &backing, (prot & PROT_ANY) as u8)?;
        self.cursor = cursor;
        Ok(start)
    }

    /// Unmaps whatever is mapped in `length` bytes, rounded up to pages, from `va` on. Nothing mapped there is no error.
    ///
    /// EINVAL: `va` is misaligned, the length is 0, or the range goes beyond 47 bits. ENOMEM: a mapping would have to be split, and the heap
    /// is full; nothing has changed then.
    pub fn munmap(&mut self, ram: &mut Ram, va: u64, length: u64) -> Result<()> {
        let length = length.checked_next_multiple_of(FRAME).filter(|&length| length != 0).ok_or(Errno::EINVAL)?;
        let last = va.checked_add(length - 1).ok_or(Errno::EINVAL)?;
        if !va.is_multiple_of(FRAME) || last > ADDRESS_LAST {
            return Err(Errno::EINVAL);
        }
        self.take_out(ram, va, last)
    }

    /// Unmaps everything, as the end of the process does. Never fails.
    pub fn clear(&mut self, ram: &mut Ram) {
        self.forget_last();
        while let Some((range, vma)) = self.vmas.first_from(0) {
            self.vmas.remove(range.start);
            put(ram, range, vma);
        }
        self.cursor = PLACEMENT_TOP;
    }

    fn check_fixed(&self, at: u64, length: u64, keep: bool) -> Result<u64> {
        let last = at.checked_add(length - 1).ok_or(Errno::ENOMEM)?;
        if last > ADDRESS_LAST {
            return Err(Errno::ENOMEM);
        }
        if !at.is_multiple_of(FRAME) {
            return Err(Errno::EINVAL);
        }
        if at < ADDRESS_FIRST {
            return Err(Errno::EPERM);
        }
        if keep && self.vmas.overlaps(Range { start: at, last }) {
            return Err(Errno::EEXIST);
        }
        Ok(at)
    }

    /// A free range: at the hint if that is free, else below what was placed before, else the highest there is; aligned to 2 MiB if it
    /// is that long and possible. With it, where to go on the next time. ENOMEM.
    fn place(&self, hint: u64, length: u64) -> Result<(u64, u64)> {
        let hint = hint & !(FRAME - 1);
        if hint != 0 {
            let start = hint.max(ADDRESS_FIRST);
            if let Some(last) = start.checked_add(length - 1)
                && last <= ADDRESS_LAST
                && !self.vmas.overlaps(Range { start, last })
            {
                return Ok((start, self.cursor));
            }
        }
        let align = if length >= 1 << LARGE_LG2 { 1 << LARGE_LG2 } else { FRAME };
        let start = self
            .place_below(self.cursor, length, align)
            .or_else(|| self.place_highest(length, align))
            .or_else(|| self.place_highest(length, FRAME))
            .ok_or(Errno::ENOMEM)?;
        Ok((start, start))
    }

    /// The first free range met on the way down from `top`.
    fn place_below(&self, top: u64, length: u64, align: u64) -> Option<u64> {
        let mut end = top;
        loop {
            let start = fit_below(end, length, align).filter(|&start| start >= ADDRESS_FIRST)?;
            match self.vmas.first_from(start) {
                Some((obstacle, _)) if obstacle.start < start + length => end = obstacle.start,
                _ => return Some(start),
            }
        }
    }

    /// The highest free range; looks at every mapping. Only once the way down has reached the bottom.
    fn place_highest(&self, length: u64, align: u64) -> Option<u64> {
        let mut highest = None;
        let mut gap_start = ADDRESS_FIRST;
        let ends = self.vmas.iter().map(|(range, _)| range).chain([Range { start: PLACEMENT_TOP, last: u64::MAX - 1 }]);
        for used in ends {
            let gap_end = used.start.min(PLACEMENT_TOP);
            highest = fit_below(gap_end, length, align).filter(|&start| start >= gap_start).or(highest);
            gap_start = used.last + 1;
        }
        highest
    }

    /// Takes `start..=last` out of all mappings.
    fn take_out(&mut self, ram: &mut Ram, start: u64, last: u64) -> Result<()> {
        // Room for the new pieces is kept from the last mmap on, so that this does nothing, but after another split.
        if self.splits(start, last) {
            self.vmas.reserve(2).map_err(|_| Errno::ENOMEM)?;
        }
        self.forget_last();
        while let Some((range, vma)) = self.vmas.first_from(start) {
            if range.start > last {
                break;
            }
            self.vmas.remove(range.start);
            if range.start < start {
                self.insert(Range { start: range.start, last: start - 1 }, vma)?;
            }
            if last < range.last {
                self.insert(Range { start: last + 1, last: range.last }, advance(vma, last + 1 - range.start))?;
            }
            let gone = Range { start: range.start.max(start), last: range.last.min(last) };
            put(ram, gone, advance(vma, gone.start - range.start));
        }
        if start <= self.cursor && self.cursor <= last {
            let above = self.vmas.first_from(self.cursor).map_or(PLACEMENT_TOP, |(range, _)| range.start);
            self.cursor = above.min(PLACEMENT_TOP);
        }
        Ok(())
    }

    /// Whether taking `start..=last` out leaves a part of a mapping.
    fn splits(&self, start: u64, last: u64) -> bool {
        let begins_before = self.vmas.get(start).is_some_and(|(range, _)| range.start < start);
        begins_before || self.vmas.get(last).is_some_and(|(range, _)| last < range.last)
    }

    /// Enters a new mapping, for which there is room.
    fn enter(&mut self, start: u64, length: u64, backing: &Backing, prot: u8) -> Result<()> {
        self.forget_last();
        if backing.length != 0 {
            self.insert(Range { start, last: start + (backing.length - 1) }, Vma { pa: backing.pa, prot })?;
        }
        if backing.length < length {
            self.insert(Range { start: start + backing.length, last: start + (length - 1) }, Vma { pa: None, prot })?;
        }
        Ok(())
    }

    fn insert(&mut self, range: Range, vma: Vma) -> Result<()> {
        let result = self.vmas.insert(range, vma);
        debug_assert!(result.is_ok(), "room was reserved, and the range is free");
        result.map_err(|_| Errno::ENOMEM)
    }
}

/// The checks that need no address; returns the length in whole pages.
fn check_request(length: u64, flags: u32, offset: u64) -> Result<u64> {
    if !offset.is_multiple_of(FRAME) || length == 0 || flags & MAP_UNSUPPORTED != 0 {
        return Err(Errno::EINVAL);
    }
    let length = length.checked_next_multiple_of(FRAME).ok_or(Errno::ENOMEM)?;
    offset.checked_add(length).ok_or(Errno::EOVERFLOW)?;
    if length > ADDRESS_LAST { Err(Errno::ENOMEM) } else { Ok(length) }
}

/// Whether writes are shared. Flags that this kernel does not know matter only for [`MAP_SHARED_VALIDATE`], which files alone have.
fn check_type(flags: u32) -> Result<bool> {
    let anonymous = flags & MAP_ANONYMOUS != 0;
    match flags & MAP_TYPE {
        MAP_PRIVATE => Ok(false),
        MAP_SHARED => Ok(true),
        MAP_SHARED_VALIDATE if !anonymous && flags & !MAP_KNOWN != 0 => Err(Errno::EOPNOTSUPP),
        MAP_SHARED_VALIDATE if !anonymous => Ok(true),
        _ => Err(Errno::EINVAL),
    }
}

/// The highest multiple of `align`, a power of two, from which `length` bytes end at `end` or below.
fn fit_below(end: u64, length: u64, align: u64) -> Option<u64> {
    Some(end.checked_sub(length)? & !(align - 1))
}

fn back_with_file(ram: &mut Ram, file: &MemFile, offset: u64, length: u64, shared: bool) -> Result<Backing> {
    let length = length.min(file.backed_from(offset));
    if length == 0 {
        return Ok(Backing { pa: None, length });
    }
    let source = file.run(offset, length)?;
    if shared {
        ram.get_run(source.pa, length);
        return Ok(Backing { pa: Some(source.pa), length });
    }
    let pa = alloc(ram, length)?;
    ram.copy(source.pa, pa, length as usize);
    Ok(Backing { pa: Some(pa), length })
}

fn alloc(ram: &mut Ram, length: u64) -> Result<Pa> {
    ram.alloc(length).ok_or(Errno::ENOMEM)
}

/// The mapping that begins `bytes` further on.
fn advance(vma: Vma, bytes: u64) -> Vma {
    Vma { pa: vma.pa.map(|pa| Pa(pa.0 + bytes)), ..vma }
}

/// The references of a mapping go.
fn put(ram: &mut Ram, range: Range, vma: Vma) {
    if let Some(pa) = vma.pa {
        ram.put_run(pa, range.last - range.start + 1);
    }
}
