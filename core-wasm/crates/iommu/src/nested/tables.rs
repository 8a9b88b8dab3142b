//! Tables of a program's own, of VT-d's first stage or of Arm's stage 1: where a walk of them begins, and what their entries say.

use crate::fault::FaultReason;
use pgtable::fmt::{VTD_FS, VtdFs};
use pgtable::{Entry, Format, Prot};

/// Both rights.
const BOTH: Prot = Prot::from_bits(3);
/// Arm's APTable, of an entry that leads to a table: nothing below is for requests that are not privileged; nothing below can be written.
const TABLE_PRIVILEGED: u64 = 1 << 61;
const TABLE_READ_ONLY: u64 = 1 << 62;
/// Arm: the bit of an address that says which half it is of, whatever the byte above is.
const HALF: u32 = 55;

/// Tables of VT-d's first stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VtdTables {
    /// Where the top table is: an address of the second stage. Bits below a page are ignored.
    pub root: u64,
    /// 4 or 5.
    pub levels: u32,
    /// Whether the hardware sets the extended accessed bit too.
    pub extended_accessed: bool,
}

/// What is on top of a page table, as entries of the hardware's tables name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FirstStage {
    /// VT-d's tables.
    Vtd(VtdTables),
    /// Arm's stage 1: the words of a guest's stream table entry, which lead to its context descriptors.
    Arm([u64; 2]),
    /// Nothing, as an Arm guest wants it: addresses are those of its memory.
    Passed,
    /// What refuses all that comes, and says nothing, as an Arm guest wants it.
    Aborted,
}

/// Tables for one half of the addresses, as an Arm context descriptor names them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Half {
    pub(crate) format: &'static Format,
    /// Where the top table is.
    pub(crate) root: u64,
    /// Bits of address that they translate.
    pub(crate) address_lg2: u32,
    /// Whether the highest byte of an address means nothing (TBI).
    pub(crate) ignores_top_byte: bool,
}

/// What an Arm context descriptor of a guest says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ArmTables {
    /// What the guest has its translations tagged by.
    pub(crate) asid: u16,
    /// The lower half of addresses and the upper one; none: nothing is translated there.
    pub(crate) halves: [Option<Half>; 2],
    /// Bits of address that entries may lead to.
    pub(crate) output_lg2: u32,
    /// Pages are marked as accessed (HA); without it one that is not is refused, unless [`Self::takes_unaccessed`].
    pub(crate) marks_accessed: bool,
    /// Writes make clean pages dirty (HD).
    pub(crate) marks_dirty: bool,
    /// AFFD.
    pub(crate) takes_unaccessed: bool,
    /// Whether what they refuse is recorded.
    pub(crate) records: bool,
}

/// Tables that a walk can go through.
#[derive(Clone, Copy)]
pub(super) enum Tables {
    Vtd(VtdTables),
    Arm(ArmTables),
}

/// Where a walk begins.
#[derive(Clone, Copy)]
pub(super) struct Start {
    pub(super) format: &'static Format,
    pub(super) root: u64,
    /// The level of the top table.
    pub(super) top: u32,
    /// Bits of address that are translated.
    address_lg2: u32,
}

impl Start {
    /// Which entry of its table at `level` is about `address`.
    pub(super) fn index(&self, address: u64, level: u32) -> u64 {
        let within = address & ((1 << self.address_lg2) - 1);
        within >> self.format.item_lg2(level) & ((1 << self.format.index_lg2()) - 1)
    }
}

/// Why an entry leads no further.
type Read<T> = Result<T, FaultReason>;

impl Tables {
    /// An address as tables and caches know it: without a byte that means nothing.
    pub(super) fn known(&self, address: u64) -> u64 {
        match self.half(address) {
            Some(half) if half.ignores_top_byte => extended(address),
            _ => address,
        }
    }

    fn half(&self, address: u64) -> Option<&Half> {
        match self {
            Tables::Arm(tables) => tables.halves.get((address >> HALF & 1) as usize)?.as_ref(),
            Tables::Vtd(_) => None,
        }
    }

    /// Where the walk for an address, as [`Self::known`], begins.
    pub(super) fn start(&self, address: u64) -> Read<Start> {
        match self {
            Tables::Vtd(first) if VtdFs::is_canonical(address, first.levels) => {
                let (format, root) = (&VTD_FS, first.root & !((1 << VTD_FS.granule_lg2) - 1));
                Ok(Start { format, root, top: first.levels - 1, address_lg2: format.item_lg2(first.levels) })
            }
            Tables::Vtd(_) => Err(FaultReason::BeyondAperture),
            Tables::Arm(_) => {
                let &Half { format, root, address_lg2, .. } = self.half(address).ok_or(FaultReason::NotPresent)?;
                let top = (address_lg2 - format.granule_lg2 - 1) / format.index_lg2();
                let above = (address as i64) >> address_lg2;
                if above == 0 || above == -1 { Ok(Start { format, root, top, address_lg2 }) } else { Err(FaultReason::BeyondAperture) }
            }
        }
    }

    /// What an entry is, if it is anything, and the address in it.
    pub(super) fn read(&self, format: &Format, entry: u64, level: u32) -> Read<(Entry, u64)> {
        match self {
            Tables::Vtd(_) => {
                let kind = VtdFs::load(entry, level);
                if kind == Entry::Empty {
                    return Err(FaultReason::NotPresent);
                }
                if VtdFs::is_malformed(entry, level) { Err(FaultReason::BadTable) } else { Ok((kind, VtdFs::address(entry, level))) }
            }
            Tables::Arm(tables) => {
                let kind = format.load(entry, level);
                let is_page = level == 0 && format.is_table.passes(entry);
                let has_blocks = level != 0 && format.leaf_sizes.get(level as usize).is_some_and(|&sizes| sizes != 0);
                let address = match kind {
                    Entry::Table => format.table_pa(entry).0,
                    // That it may be one of several is a hint, which is not taken.
                    Entry::Leaf if is_page || has_blocks => format.table_pa(entry).0 & !((1 << format.item_lg2(level)) - 1),
                    _ => return Err(FaultReason::NotPresent),
                };
                if address >> tables.output_lg2 == 0 { Ok((kind, address)) } else { Err(FaultReason::BadTable) }
            }
        }
    }

    /// What an entry allows. A page that is not marked as accessed is refused where the hardware does not mark it.
    pub(super) fn prot(&self, format: &Format, entry: u64, kind: Entry) -> Read<Prot> {
        match self {
            Tables::Vtd(_) => Ok(VtdFs::prot(entry)),
            Tables::Arm(_) if kind == Entry::Table => Ok(match entry & (TABLE_PRIVILEGED | TABLE_READ_ONLY) {
                0 => BOTH,
                TABLE_READ_ONLY => Prot::READ,
                _ => Prot::NONE,
            }),
            Tables::Arm(tables) => {
                let may_be_used = tables.marks_accessed || tables.takes_unaccessed || entry & format.accessed != 0;
                let entry = if tables.marks_dirty { entry } else { entry & !format.dirty.guard };
                if may_be_used { Ok(format.prot(entry)) } else { Err(FaultReason::NotAccessed) }
            }
        }
    }

    /// An entry after the hardware has used it.
    pub(super) fn mark(&self, format: &Format, entry: u64, is_leaf: bool, write: bool) -> u64 {
        match self {
            Tables::Vtd(first) => VtdFs::mark(entry, first.extended_accessed, is_leaf && write),
            Tables::Arm(tables) if is_leaf && tables.marks_accessed => format.touch(entry, write && tables.marks_dirty),
            Tables::Arm(_) => entry,
        }
    }

    /// Whether a write through a leaf would leave it as it is.
    pub(super) fn is_settled(&self, format: &Format, leaf: u64) -> bool {
        match self {
            Tables::Vtd(_) => VtdFs::is_dirty(leaf),
            Tables::Arm(_) => format.prot(leaf & !format.dirty.guard).contains(Prot::WRITE),
        }
    }
}

/// An Arm address with its highest byte as the bit below says.
pub(super) fn extended(address: u64) -> u64 {
    ((address << (63 - HALF)) as i64 >> (63 - HALF)) as u64
}
