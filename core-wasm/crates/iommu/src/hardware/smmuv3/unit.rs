//! The hardware half of the SMMUv3: look-ups, the command queue, events.

use super::super::{Caches, Context, Fault, Found, Refusal, Root, Who, absent, bad, entry, unreachable, word};
use super::commands::{
    ASID_SHIFT, ATC_INV, CFGI_ALL, CFGI_CD, CFGI_CD_ALL, CFGI_STE, CODE, PREFETCHES, STREAM_SHIFT, SUBSTREAM_SHIFT, SYNC, TLBI_ADDRESS,
    TLBI_LEAF, TLBI_NH_ALL, TLBI_NH_ASID, TLBI_NH_VA, TLBI_NH_VAA, TLBI_NSNH_ALL, TLBI_S2_IPA, TLBI_S12_VMALL,
};
use super::layout::{
    ACCESS, ADDRESS_SIZE, BAD_CD, BAD_STE, BAD_STREAM, BAD_SUBSTREAM, CD_AARCH64, CD_ABORTS, CD_ASID_SHIFT, CD_BIG_ENDIAN, CD_FETCH,
    CD_GRANULE_SHIFT, CD_LG2, CD_MARKS_ACCESSED, CD_MARKS_DIRTY, CD_NO_LOWER, CD_NO_UPPER, CD_OUTPUT_SHIFT, CD_RECORDS, CD_SIZE, CD_STALLS,
    CD_TAKES_UNACCESSED, CD_TOP_BYTE_SHIFT, CD_UPPER_SHIFT, CD_VALID, CDS_64K_LG2, CDS_LG2, CONFIG, CONFIG_NESTED, CONFIG_STAGE_1,
    CONFIG_STAGE_2, DEFAULT_IS_0, DEFAULT_PASSES, DEFAULT_SUBSTREAM, EVENT_CLASS_SHIFT, EVENT_HAS_SUBSTREAM, EVENT_OF_INPUT,
    EVENT_OF_TABLE, EVENT_READ, EVENT_STAGE_2, FORMAT_SHIFT, MERGES_EVENTS, PERMISSION, POINTER, S2_AARCH64, S2_BIG_ENDIAN,
    S2_GRANULE_SHIFT, S2_SIZE_SHIFT, S2_STALLS, S2_START_SHIFT, SPAN, SPLIT, STE_FETCH, STE_LG2, STREAM_DISABLED, SUBSTREAMS_SHIFT, TABLE,
    TRANSLATION, VALID, WALK_ABORT,
};
use super::{Smmuv3, granule_of, size_of, start_of};
use crate::GUESTS;
use crate::domain::Domain;
use crate::fault::FaultReason;
use crate::iommu::NO_PASID;
use crate::nested::{ArmTables, FirstStage, Half, SecondStage, Stale, Wanted};
use crate::ram::{FRAME, Ram};
use pgtable::fmt::{ARM_S1_4K, ARM_S1_16K, ARM_S1_64K};
use pgtable::{Format, Prot};

/// Guests' tables by the code of their granule, for the lower half of addresses and for the upper one.
const LOWER: [Option<&Format>; 4] = [Some(&ARM_S1_4K), Some(&ARM_S1_64K), Some(&ARM_S1_16K), None];
const UPPER: [Option<&Format>; 4] = [None, Some(&ARM_S1_16K), Some(&ARM_S1_4K), Some(&ARM_S1_64K)];
/// T0SZ that there can be.
const SIZES: core::ops::RangeInclusive<u64> = 16..=39;
/// Bits of an address by the code of IPS.
const OUTPUT_LG2: [u32; 5] = [32, 36, 40, 42, 44];
const OUTPUT_LG2_MAX: u32 = 48;
/// Where a command has the VMID.
const VMID: u64 = 0xffff << STREAM_SHIFT;

impl Smmuv3 {
    /// What the STE of a requester says. One that lets everything pass, which this driver never writes, is taken for a bad one.
    pub(super) fn look_up_stream(&self, ram: &Ram, who: Who) -> Found<Context> {
        let (bus, function) = (u64::from(who.requester) >> SPLIT, u64::from(who.requester) & ((1 << SPLIT) - 1));
        let first = word(ram, self.streams + bus * 8).ok_or(unreachable(STE_FETCH))?;
        let span = first & SPAN;
        if span > SPLIT + 1 || function >= 1 << span >> 1 {
            return Err(absent(BAD_STREAM));
        }
        let words: [u64; 4] = entry(ram, (first & POINTER) + (function << STE_LG2)).ok_or(unreachable(STE_FETCH))?;
        match words[0] & CONFIG {
            _ if words[0] & VALID == 0 => Err(absent(BAD_STE)),
            // Aborted, which is no event.
            config if config & 4 << 1 == 0 => Err(absent(0)),
            CONFIG_STAGE_1 if let Some(format) = self.first => self.look_up_descriptor(ram, format, who.pasid, words[0], words[1]),
            CONFIG_STAGE_2 if let Some(format) = self.second => {
                if who.pasid != NO_PASID {
                    return Err(absent(BAD_SUBSTREAM));
                }
                read_second(format, &words)
            }
            CONFIG_NESTED
                if self.nests()
                    && let Some(format) = self.second =>
            {
                // The guest's words as it has written them.
                let first = Some(FirstStage::Arm([words[0] ^ (CONFIG_NESTED ^ CONFIG_STAGE_1), words[1] & !MERGES_EVENTS]));
                Ok(Context { first, ..read_second(format, &words)? })
            }
            _ => Err(bad(BAD_STE)),
        }
    }

    /// What the context descriptor of a PASID says, by the words of the STE.
    fn look_up_descriptor(&self, ram: &Ram, format: &Format, pasid: u32, stream: u64, high: u64) -> Found<Context> {
        match self.find_descriptor(ram, None, pasid, stream, high)? {
            Some([low, table, ..]) => read_descriptor(format, low, table),
            None => Err(bad(BAD_STE)),
        }
    }

    /// The context descriptor of a PASID; `None`: stage 1 is passed by. `parent` translates where its tables are.
    fn find_descriptor(&self, ram: &Ram, parent: Option<&Domain>, pasid: u32, stream: u64, high: u64) -> Found<Option<[u64; 4]>> {
        let bits = (stream >> SUBSTREAMS_SHIFT) as u32;
        // Without substreams there is one descriptor, whatever the format.
        let format = if bits == 0 { 0 } else { stream >> FORMAT_SHIFT & 3 };
        if bits > self.substream_bits || format > 2 {
            return Err(bad(BAD_STE));
        }
        if pasid >> bits != 0 {
            return Err(absent(BAD_SUBSTREAM));
        }
        if pasid == NO_PASID && bits != 0 {
            match high & DEFAULT_SUBSTREAM {
                0 => return Err(absent(STREAM_DISABLED)),
                DEFAULT_IS_0 => {}
                DEFAULT_PASSES => return Ok(None),
                _ => return Err(bad(BAD_STE)),
            }
        }
        let (mut table, mut index) = (stream & POINTER, u64::from(pasid));
        if format != 0 {
            let lg2 = if format == 1 { CDS_LG2 } else { CDS_64K_LG2 };
            let step = word(ram, placed(ram, parent, table + (index >> lg2) * 8)?).ok_or(unreachable(CD_FETCH))?;
            if step & VALID == 0 {
                return Err(absent(BAD_SUBSTREAM));
            }
            (table, index) = (step & POINTER, index & ((1 << lg2) - 1));
        }
        let at = placed(ram, parent, table + (index << CD_LG2))?;
        entry(ram, at).map(Some).ok_or(unreachable(CD_FETCH))
    }

    /// What a guest's context descriptor says; `None`: its stage 1 is passed by.
    pub(super) fn read_guest_descriptor(&self, ram: &Ram, parent: &Domain, pasid: u32, low: u64, high: u64) -> Found<Option<ArmTables>> {
        const ALL: u64 = CD_VALID | CD_AARCH64 | CD_BIG_ENDIAN | CD_STALLS | CD_ABORTS;
        const MARKS: u64 = CD_MARKS_ACCESSED | CD_MARKS_DIRTY;
        let Some([low, lower, upper, _]) = self.find_descriptor(ram, Some(parent), pasid, low, high)? else { return Ok(None) };
        if low & CD_VALID == 0 {
            return Err(absent(BAD_CD));
        }
        if low & ALL != CD_VALID | CD_AARCH64 | CD_ABORTS || low & MARKS == CD_MARKS_DIRTY || low & MARKS != 0 && !self.marks {
            return Err(bad(BAD_CD));
        }
        let output_lg2 = OUTPUT_LG2.get((low >> CD_OUTPUT_SHIFT & 7) as usize).copied().unwrap_or(OUTPUT_LG2_MAX);
        let half = |fields: u64, formats: [Option<&'static Format>; 4], absent: u64, top_byte: u64, table: u64| {
            if low & absent != 0 {
                return Ok(None);
            }
            let size = fields & CD_SIZE;
            let format = formats.get((fields >> CD_GRANULE_SHIFT & 3) as usize).copied().flatten();
            let format = format.filter(|_| SIZES.contains(&size) && (table & TABLE) >> output_lg2 == 0).ok_or(bad(BAD_CD))?;
            let address_lg2 = 64 - size as u32;
            // A table is aligned to its size, and lies on the words of a descriptor at least.
            let top_lg2 = (address_lg2 - format.granule_lg2 - 1) % format.index_lg2() + 4;
            let root = table & TABLE & !((1 << top_lg2) - 1);
            Ok(Some(Half { format, root, address_lg2, ignores_top_byte: low >> (CD_TOP_BYTE_SHIFT + top_byte as u32) & 1 != 0 }))
        };
        let halves = [half(low, LOWER, CD_NO_LOWER, 0, lower)?, half(low >> CD_UPPER_SHIFT, UPPER, CD_NO_UPPER, 1, upper)?];
        Ok(Some(ArmTables {
            asid: (low >> CD_ASID_SHIFT) as u16,
            halves,
            output_lg2,
            marks_accessed: low & CD_MARKS_ACCESSED != 0,
            marks_dirty: low & CD_MARKS_DIRTY != 0,
            takes_unaccessed: low & CD_TAKES_UNACCESSED != 0,
            records: low & CD_RECORDS != 0,
        }))
    }

    /// Executes a command. False for a bad one.
    pub(super) fn obey_command(&self, [low, high]: [u64; 2], caches: &mut dyn Caches) -> bool {
        let (number, asid) = ((low >> STREAM_SHIFT) as u16, (low >> ASID_SHIFT) as u16);
        let (first, last, tables) = (high & !(FRAME - 1), high | (FRAME - 1), high & TLBI_LEAF == 0);
        match low & CODE {
            CFGI_STE | CFGI_CD_ALL => caches.forget_contexts(Some(number), None, None),
            CFGI_CD => caches.forget_contexts(Some(number), Some((low >> SUBSTREAM_SHIFT) as u32 & 0xf_ffff), None),
            // Of a range of streams all are.
            CFGI_ALL => caches.forget_contexts(None, None, None),
            TLBI_NH_ALL | TLBI_NH_ASID | TLBI_NH_VA | TLBI_NH_VAA if self.nests() && low & VMID != 0 => {
                caches.forget_guest(number, Stale([low, high]));
            }
            TLBI_NH_ASID if self.first.is_some() => caches.forget_translations(Some(asid)),
            TLBI_NH_VA if self.first.is_some() => caches.forget_pages(asid, first, last, tables),
            TLBI_S12_VMALL if self.second.is_some() => caches.forget_translations(Some(number)),
            TLBI_S2_IPA if self.second.is_some() => caches.forget_pages(number, first, last, tables),
            TLBI_NH_ALL | TLBI_NH_VAA if self.first.is_some() => caches.forget_translations(None),
            TLBI_NSNH_ALL => caches.forget_translations(None),
            SYNC => {}
            // No device has caches.
            ATC_INV if self.nests() => {}
            code if PREFETCHES.contains(&code) => {}
            // GERROR: CERROR_ILL. The consumer stays at the command.
            _ => return false,
        }
        true
    }

    /// Writes a record, unless the queue is full or there is none of what aborts. Addresses of tables that could not be read are not in it.
    pub(super) fn write_event(&mut self, ram: &mut Ram, fault: &Fault) {
        if fault.code == 0 {
            return;
        }
        let substream = fault.pasid.map_or(0, |pasid| u64::from(pasid) << SUBSTREAM_SHIFT | EVENT_HAS_SUBSTREAM);
        let low = u64::from(fault.code) | substream | u64::from(fault.requester) << STREAM_SHIFT;
        let of = match fault.code {
            WALK_ABORT => EVENT_OF_TABLE,
            TRANSLATION.. => EVENT_OF_INPUT,
            // Of configuration: nothing but who it was.
            _ => {
                self.events.push(ram, [low, 0, 0, 0]);
                return;
            }
        };
        let direction = if fault.write { 0 } else { EVENT_READ };
        let (of, page) = match fault.second {
            second if second.refused() => (second.wanted() << EVENT_CLASS_SHIFT | EVENT_STAGE_2, second.page()),
            _ => (of, 0),
        };
        self.events.push(ram, [low, of | direction, fault.iova, page]);
    }
}

/// What an STE says of stage 2.
fn read_second(format: &Format, &[_, _, walk, table]: &[u64; 4]) -> Found<Context> {
    let levels = levels_of(format, walk >> S2_SIZE_SHIFT & CD_SIZE).ok_or(bad(BAD_STE))?;
    let granule = walk >> S2_GRANULE_SHIFT & 3;
    let start = walk >> S2_START_SHIFT & 3;
    let is_known = walk & (S2_AARCH64 | S2_BIG_ENDIAN | S2_STALLS) == S2_AARCH64;
    if !is_known || granule != granule_of(format) || start != start_of(format, levels) {
        return Err(bad(BAD_STE));
    }
    Ok(Context { domain: walk as u16, host: Root { table: table & TABLE, levels, first_stage: false }, first: None, marks: false })
}

/// What a context descriptor of the driver half says.
fn read_descriptor(format: &Format, low: u64, table: u64) -> Found<Context> {
    const ALL: u64 = CD_AARCH64 | CD_BIG_ENDIAN | CD_STALLS | CD_ABORTS | CD_NO_LOWER;
    if low & CD_VALID == 0 {
        return Err(absent(BAD_CD));
    }
    let marks = low & (CD_MARKS_ACCESSED | CD_MARKS_DIRTY);
    let levels = levels_of(format, low & CD_SIZE).ok_or(bad(BAD_CD))?;
    if low & ALL != CD_AARCH64 | CD_ABORTS || marks == CD_MARKS_DIRTY || low >> CD_GRANULE_SHIFT & 3 != granule_of(format) {
        return Err(bad(BAD_CD));
    }
    let host = Root { table: table & TABLE, levels, first_stage: true };
    Ok(Context { domain: (low >> CD_ASID_SHIFT) as u16, host, first: None, marks: marks & CD_MARKS_DIRTY != 0 })
}

/// The levels that translate addresses of so many bits less than 64.
fn levels_of(format: &Format, size: u64) -> Option<u8> {
    let range = format.min_levels as u8..=format.max_levels as u8;
    range.into_iter().find(|&levels| size_of(format, levels) == size)
}

impl Stale {
    /// All of a guest's.
    pub(crate) const ALL: Stale = Stale([TLBI_NH_ALL, 0]);

    /// The one ASID that it is of.
    pub(crate) fn asid(self) -> Option<u16> {
        matches!(self.0[0] & CODE, TLBI_NH_ASID | TLBI_NH_VA).then_some((self.0[0] >> ASID_SHIFT) as u16)
    }

    /// The one address that it is about.
    pub(crate) fn address(self) -> Option<u64> {
        matches!(self.0[0] & CODE, TLBI_NH_VA | TLBI_NH_VAA).then_some(self.0[1] & TLBI_ADDRESS)
    }

    /// Whether tables on the way are as they were.
    pub(crate) fn leaves_only(self) -> bool {
        self.0[1] & TLBI_LEAF != 0
    }
}

/// Where an address is that a table has.
fn placed(ram: &Ram, parent: Option<&Domain>, address: u64) -> Found<u64> {
    let Some(parent) = parent.filter(|_| GUESTS) else { return Ok(address) };
    let found = parent.translate(ram, address).ok();
    if let Some(found) = found.filter(|found| found.prot.contains(Prot::READ)) {
        return Ok(found.pa.0);
    }
    let second = SecondStage::new(Wanted::Descriptor, address, found.is_some());
    Err(Refusal { second, ..unreachable(number_of_guest(FaultReason::TableUnreachable, second, true)) })
}

/// The number of what a guest's tables or stage 2 below them refuse; 0: the guest wants no event of it.
pub(super) const fn number_of_guest(reason: FaultReason, second: SecondStage, records: bool) -> u16 {
    match reason {
        _ if second.denied() => PERMISSION,
        _ if second.refused() => TRANSLATION,
        FaultReason::TableUnreachable => WALK_ABORT,
        _ if !records => 0,
        FaultReason::BadTable => ADDRESS_SIZE,
        FaultReason::NotAccessed => ACCESS,
        _ => number_of(reason),
    }
}

/// The number of what a walk refuses.
pub(super) const fn number_of(reason: FaultReason) -> u16 {
    match reason {
        FaultReason::NoRead | FaultReason::NoWrite => PERMISSION,
        FaultReason::TableUnreachable => WALK_ABORT,
        FaultReason::BadTable => BAD_CD,
        _ => TRANSLATION,
    }
}
