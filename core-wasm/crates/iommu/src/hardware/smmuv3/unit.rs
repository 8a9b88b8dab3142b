//! The hardware half of the SMMUv3: look-ups, the command queue, events.

use super::super::{Context, Fault, Forget, Found, Root, Who, absent, bad, entry, unreachable, word};
use super::Smmuv3;
use super::layout::{
    ASID_SHIFT, BAD_CD, BAD_STE, BAD_STREAM, BAD_SUBSTREAM, CD_AARCH64, CD_ABORTS, CD_ASID_SHIFT, CD_BIG_ENDIAN, CD_FETCH,
    CD_GRANULE_SHIFT, CD_LG2, CD_MARKS_ACCESSED, CD_MARKS_DIRTY, CD_NO_LOWER, CD_SIZE, CD_STALLS, CD_VALID, CDS_64K_LG2, CDS_LG2, CFGI_ALL,
    CFGI_CD, CFGI_CD_ALL, CFGI_STE, CONFIG, CONFIG_STAGE_1, CONFIG_STAGE_2, DEFAULT_IS_0, DEFAULT_SUBSTREAM, EVENT_HAS_SUBSTREAM,
    EVENT_OF_INPUT, EVENT_OF_TABLE, EVENT_READ, EVENT_STAGE_2, FORMAT_SHIFT, PERMISSION, POINTER, PREFETCHES, S2_AARCH64, S2_BIG_ENDIAN,
    S2_GRANULE_SHIFT, S2_SIZE_SHIFT, S2_STALLS, S2_START_SHIFT, SPAN, SPLIT, STE_FETCH, STE_LG2, STREAM_DISABLED, STREAM_SHIFT,
    SUBSTREAM_SHIFT, SUBSTREAMS_SHIFT, SYNC, TABLE, TLBI_NH_ALL, TLBI_NH_ASID, TLBI_NH_VA, TLBI_NH_VAA, TLBI_NSNH_ALL, TLBI_S2_IPA,
    TLBI_S12_VMALL, TRANSLATION, VALID, WALK_ABORT,
};
use crate::fault::FaultReason;
use crate::iommu::NO_PASID;
use crate::ram::Ram;

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
            CONFIG_STAGE_1 if !self.second => self.look_up_descriptor(ram, who.pasid, words[0], words[1]),
            CONFIG_STAGE_2 if self.second => self.read_second(who.pasid, &words),
            _ => Err(bad(BAD_STE)),
        }
    }

    /// What an STE of stage 2 says.
    fn read_second(&self, pasid: u32, &[_, _, walk, table]: &[u64; 4]) -> Found<Context> {
        if pasid != NO_PASID {
            return Err(absent(BAD_SUBSTREAM));
        }
        let levels = self.levels_of(walk >> S2_SIZE_SHIFT & CD_SIZE).ok_or(bad(BAD_STE))?;
        let granule = walk >> S2_GRANULE_SHIFT & 3;
        let start = walk >> S2_START_SHIFT & 3;
        let is_known = walk & (S2_AARCH64 | S2_BIG_ENDIAN | S2_STALLS) == S2_AARCH64;
        if !is_known || granule != self.granule() || start != self.start_of(levels) {
            return Err(bad(BAD_STE));
        }
        Ok(Context { domain: walk as u16, host: Root { table: table & TABLE, levels, first_stage: false }, first: None, marks: false })
    }

    /// What the context descriptor of a PASID says, by the words of the STE.
    fn look_up_descriptor(&self, ram: &Ram, pasid: u32, stream: u64, high: u64) -> Found<Context> {
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
                _ => return Err(bad(BAD_STE)),
            }
        }
        let (mut table, mut index) = (stream & POINTER, u64::from(pasid));
        if format != 0 {
            let lg2 = if format == 1 { CDS_LG2 } else { CDS_64K_LG2 };
            let step = word(ram, table + (index >> lg2) * 8).ok_or(unreachable(CD_FETCH))?;
            if step & VALID == 0 {
                return Err(absent(BAD_SUBSTREAM));
            }
            (table, index) = (step & POINTER, index & ((1 << lg2) - 1));
        }
        self.read_descriptor(&entry(ram, table + (index << CD_LG2)).ok_or(unreachable(CD_FETCH))?)
    }

    /// What a context descriptor says.
    fn read_descriptor(&self, &[low, table]: &[u64; 2]) -> Found<Context> {
        const ALL: u64 = CD_AARCH64 | CD_BIG_ENDIAN | CD_STALLS | CD_ABORTS | CD_NO_LOWER;
        if low & CD_VALID == 0 {
            return Err(absent(BAD_CD));
        }
        let marks = low & (CD_MARKS_ACCESSED | CD_MARKS_DIRTY);
        let levels = self.levels_of(low & CD_SIZE).ok_or(bad(BAD_CD))?;
        if low & ALL != CD_AARCH64 | CD_ABORTS || marks == CD_MARKS_DIRTY || low >> CD_GRANULE_SHIFT & 3 != self.granule() {
            return Err(bad(BAD_CD));
        }
        let host = Root { table: table & TABLE, levels, first_stage: true };
        Ok(Context { domain: (low >> CD_ASID_SHIFT) as u16, host, first: None, marks: marks & CD_MARKS_DIRTY != 0 })
    }

    /// The levels that translate addresses of so many bits less than 64.
    fn levels_of(&self, size: u64) -> Option<u8> {
        let range = self.format.min_levels as u8..=self.format.max_levels as u8;
        range.into_iter().find(|&levels| self.size_of(levels) == size)
    }

    /// Executes commands up to one that has something forgotten. Of one address alone all of its domain is.
    pub(super) fn run_queue(&mut self, ram: &mut Ram) -> Option<Forget> {
        while let Some([low, _]) = self.commands.peek::<2>(ram).filter(|_| !self.stopped) {
            let number = Some((low >> STREAM_SHIFT) as u16);
            let contexts = |requester, pasid| Some(Forget::Contexts { requester, pasid, domain: None });
            let forget = match low & 0xff {
                CFGI_STE | CFGI_CD_ALL => contexts(number, None),
                CFGI_CD => contexts(number, Some((low >> SUBSTREAM_SHIFT) as u32 & 0xf_ffff)),
                // Of a range of streams all are.
                CFGI_ALL => contexts(None, None),
                TLBI_NH_ASID | TLBI_NH_VA if !self.second => Some(Forget::Translations { domain: Some((low >> ASID_SHIFT) as u16) }),
                TLBI_S12_VMALL | TLBI_S2_IPA if self.second => Some(Forget::Translations { domain: number }),
                TLBI_NH_ALL | TLBI_NH_VAA if !self.second => Some(Forget::Translations { domain: None }),
                TLBI_NSNH_ALL => Some(Forget::Translations { domain: None }),
                SYNC => None,
                code if PREFETCHES.contains(&code) => None,
                _ => {
                    // GERROR: CERROR_ILL. The consumer stays at the command.
                    self.stopped = true;
                    return None;
                }
            };
            self.commands.skip();
            if forget.is_some() {
                return forget;
            }
        }
        None
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
                self.events.push(ram, &[low, 0, 0, 0]);
                return;
            }
        };
        let direction = if fault.write { 0 } else { EVENT_READ };
        let stage = if self.second { EVENT_STAGE_2 } else { 0 };
        // An address of a page in stage 2 is that of the transfer.
        let page = if self.second { fault.iova & !0xfff } else { 0 };
        self.events.push(ram, &[low, of | direction | stage, fault.iova, page]);
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
