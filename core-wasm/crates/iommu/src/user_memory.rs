//! The address space of the one simulated process: what its addresses mean, for system calls and for pinning.

use crate::mmap::{PLACEMENT_TOP, PROT_EXEC, PROT_READ, PROT_WRITE};
use crate::ram::Ram;
use alloc::vec::Vec;
use core::cell::Cell;
use iova::{Range, RangeMap};
use pgtable::{Pa, Run};
use uapi::{Errno, Result};

/// A mapping: what a range of addresses stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vma {
    /// Memory of the first byte; the rest follows it. `None`: an access faults, whatever the protection says.
    pub(crate) pa: Option<Pa>,
    /// `PROT_READ`, `PROT_WRITE`, `PROT_EXEC`.
    pub(crate) prot: u8,
}

/// Any of them makes a page readable for the process, as on x86.
const ACCESSIBLE: u8 = (PROT_READ | PROT_WRITE | PROT_EXEC) as u8;

/// The simulated process's memory. Each mapped page holds a reference to its frame; [`UserMemory::clear`] gives all of them back.
pub struct UserMemory {
    pub(crate) vmas: RangeMap<Vma>,
    /// The mappings that were looked up last, one for each [`Purpose`]: most system calls use the same block again and again, and memory to map is
    /// often in one piece. An inverted range when there is none.
    last: [Cell<(Range, Vma)>; 2],
    /// Where automatic placement goes on, downwards.
    pub(crate) cursor: u64,
}

/// What memory is looked up for; by it one look-up does not drive out what another will look for.
#[derive(Clone, Copy)]
enum Purpose {
    /// The arguments of system calls.
    Argument,
    /// Memory that devices use.
    Pin,
}

const NO_ENTRY: (Range, Vma) = (Range { start: 1, last: 0 }, Vma { pa: None, prot: 0 });

impl UserMemory {
    /// An empty address space.
    pub const fn new() -> UserMemory {
        UserMemory { vmas: RangeMap::new(), last: [const { Cell::new(NO_ENTRY) }; 2], cursor: PLACEMENT_TOP }
    }

    /// Number of mappings.
    pub fn mappings(&self) -> usize {
        self.vmas.len()
    }

    /// The memory of each mapping that has some, for inspection.
    pub fn runs(&self) -> impl Iterator<Item = Run> {
        self.vmas.iter().filter_map(|(range, vma)| Some(Run { pa: vma.pa?, length: range.last - range.start + 1 }))
    }

    /// Fills `into` from `va` on. EFAULT if a byte of it is not mapped or not readable; `into` may be filled in part then.
    pub fn copy_in(&self, ram: &Ram, va: u64, into: &mut [u8]) -> Result<()> {
        let mut rest = into;
        self.pieces(Purpose::Argument, va, rest.len() as u64, ACCESSIBLE, |run| {
            let (piece, after) = core::mem::take(&mut rest).split_at_mut(run.length as usize);
            piece.copy_from_slice(ram.bytes(run.pa, piece.len()));
            rest = after;
            Ok(())
        })
    }

    /// Writes `from` to memory from `va` on. EFAULT if a byte of it is not mapped or not writable; what lies before that is written.
    pub fn copy_out(&self, ram: &mut Ram, va: u64, from: &[u8]) -> Result<()> {
        let mut rest = from;
        self.pieces(Purpose::Argument, va, from.len() as u64, PROT_WRITE as u8, |run| {
            let (piece, after) = rest.split_at(run.length as usize);
            ram.bytes_mut(run.pa, piece.len()).copy_from_slice(piece);
            rest = after;
            Ok(())
        })
    }

    /// Where `length` bytes from `va` on are, which are not none, if they are readable and in one mapping: what [`Self::copy_in`] would copy. And whether
    /// they are writable.
    #[inline]
    pub fn piece(&self, va: u64, length: usize) -> Option<(Pa, bool)> {
        let (pa, prot) = self.whole(Purpose::Argument, va, length as u64)?;
        (prot & ACCESSIBLE != 0).then_some((pa, prot & PROT_WRITE as u8 != 0))
    }

    /// The same of what [`Self::resolve`] would find.
    #[inline]
    pub fn pinnable(&self, va: u64, length: u64, write: bool) -> Option<Run> {
        let (pa, prot) = self.whole(Purpose::Pin, va, length)?;
        (prot & needed(write) != 0).then_some(Run { pa, length })
    }

    /// Where `length` bytes from `va` on are, if one mapping has them all, and its protection.
    #[inline]
    fn whole(&self, purpose: Purpose, va: u64, length: u64) -> Option<(Pa, u8)> {
        let (range, vma) = self.find(purpose, va)?;
        let pa = vma.pa.filter(|_| range.last - va >= length - 1)?;
        Some((Pa(pa.0 + (va - range.start)), vma.prot))
    }

    /// Appends to `runs` the memory of `length` bytes from `va` on, in order, joined where it is contiguous: what pinning needs. References
    /// are the caller's to take, before anything else happens to this address space.
    ///
    /// EFAULT if a byte is not mapped, or its mapping lacks PROT_WRITE (for `write`) or PROT_READ (otherwise); ENOMEM if `runs` cannot grow.
    /// `runs` is then as before.
    pub fn resolve(&self, va: u64, length: u64, write: bool, runs: &mut Vec<Run>) -> Result<()> {
        let before = runs.len();
        let result = self.pieces(Purpose::Pin, va, length, needed(write), |run| {
            match runs.get_mut(before..).and_then(|runs| runs.last_mut()) {
                Some(last) if last.pa.0 + last.length == run.pa.0 => last.length += run.length,
                _ => {
                    runs.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                    runs.push(run);
                }
            }
            Ok(())
        });
        if result.is_err() {
            runs.truncate(before);
        }
        result
    }

    /// Where `length` bytes from `va` on are in RAM, if that is one piece. EFAULT where a byte is not mapped or not accessible, EINVAL where
    /// the memory is not contiguous, whichever comes first. For no bytes, where the byte at `va` is.
    pub fn view(&self, va: u64, length: u64) -> Result<Pa> {
        let mut found: Option<Run> = None;
        self.pieces(Purpose::Pin, va, length.max(1), ACCESSIBLE, |run| match &mut found {
            None => {
                found = Some(run);
                Ok(())
            }
            Some(before) if before.pa.0 + before.length == run.pa.0 => {
                before.length += run.length;
                Ok(())
            }
            Some(_) => Err(Errno::EINVAL),
        })?;
        found.map(|run| run.pa).ok_or(Errno::EFAULT)
    }

    /// Whether the process may write each of `length` bytes from `va` on.
    pub fn is_writable(&self, va: u64, length: u64) -> bool {
        self.pieces(Purpose::Argument, va, length, PROT_WRITE as u8, |_| Ok(())).is_ok()
    }

    /// Calls `visit` with the memory of each mapping that `length` bytes from `va` on go through, in order. EFAULT at the first byte
    /// that is not mapped or whose mapping has none of the protections `any_of`.
    #[inline]
    fn pieces(&self, purpose: Purpose, va: u64, length: u64, any_of: u8, mut visit: impl FnMut(Run) -> Result<()>) -> Result<()> {
        let (mut at, mut left) = (va, length);
        while left > 0 {
            let (range, vma) = self.find(purpose, at).ok_or(Errno::EFAULT)?;
            let Some(pa) = vma.pa.filter(|_| vma.prot & any_of != 0) else { return Err(Errno::EFAULT) };
            let length = left.min(range.last - at + 1);
            visit(Run { pa: Pa(pa.0 + (at - range.start)), length })?;
            left -= length;
            // Mappings end far below 2^64.
            at += length;
        }
        Ok(())
    }

    /// The mapping that contains `va`.
    #[inline]
    fn find(&self, purpose: Purpose, va: u64) -> Option<(Range, Vma)> {
        let (range, vma) = self.last[purpose as usize].get();
        if range.start <= va && va <= range.last {
            return Some((range, vma));
        }
        self.find_other(purpose, va)
    }

    #[cold]
    #[inline(never)]
    fn find_other(&self, purpose: Purpose, va: u64) -> Option<(Range, Vma)> {
        let found = self.vmas.get(va)?;
        self.last[purpose as usize].set(found);
        Some(found)
    }

    /// Before any change of the mappings.
    pub(crate) fn forget_last(&self) {
        self.last.iter().for_each(|last| last.set(NO_ENTRY));
    }
}

/// The protection that devices need of memory.
const fn needed(write: bool) -> u8 {
    if write { PROT_WRITE as u8 } else { PROT_READ as u8 }
}

impl Default for UserMemory {
    fn default() -> Self {
        Self::new()
    }
}
