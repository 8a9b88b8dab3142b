//! The IOTLB: translations that walks have found. Direct-mapped, pages of 4 KiB; a larger page fills the entry of the 4 KiB that was asked for,
//! but says how large it is.

use crate::OutOfMemory;
use crate::frames::zeroed;
use pgtable::{Pa, Prot, Run, Translation};

const PAGE_LG2: u32 = 12;
const ENTRIES: usize = 1024;
/// Where an entry keeps what is not address, below the bits of the page.
const PROT_MASK: u64 = 0b11;
const SIZE_SHIFT: u32 = 2;
const SIZE_MASK: u64 = 0x3f;

/// From this many pages on it is cheaper to forget a whole domain than to look for each page.
pub(crate) const MANY_PAGES: u64 = 64;

/// A domain in the eyes of the cache. Never given out twice: a new tag for a domain makes all its entries stale at once, and entries of
/// a domain that is gone match nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tag(u64);

/// An entry; its tag is 0, which no domain has, when it is empty.
#[derive(Clone, Copy, Default)]
struct Entry {
    tag: Tag,
    page: u64,
    /// Address of the 4 KiB, with permission and page size in the bits below.
    target: u64,
}

/// A translation from the cache.
#[derive(Clone, Copy)]
pub(crate) struct Hit {
    pub(crate) pa: Pa,
    pub(crate) lg2_size: u32,
    pub(crate) prot: Prot,
}

impl Hit {
    /// The memory from `iova`, which it is the translation of, to the end of the page.
    #[inline(always)]
    pub(crate) fn rest_of_page(self, iova: u64) -> Run {
        let page_last = (1_u64 << self.lg2_size) - 1;
        Run { pa: self.pa, length: page_last - (iova & page_last) + 1 }
    }
}

/// The cache of all domains.
pub(crate) struct Iotlb {
    entries: alloc::vec::Vec<Entry>,
    last_tag: u64,
}

impl Iotlb {
    pub(crate) fn new() -> Result<Iotlb, OutOfMemory> {
        Ok(Iotlb { entries: zeroed(ENTRIES)?, last_tag: 0 })
    }

    /// A tag that no domain ever had.
    pub(crate) fn new_tag(&mut self) -> Tag {
        self.last_tag += 1;
        Tag(self.last_tag)
    }

    /// The translation of `iova`, if it is here.
    #[inline]
    pub(crate) fn get(&self, tag: Tag, iova: u64) -> Option<Hit> {
        let page = iova >> PAGE_LG2;
        let entry = self.entries.get(Self::index(tag, page))?;
        if entry.tag != tag || entry.page != page {
            return None;
        }
        let offset = iova & ((1 << PAGE_LG2) - 1);
        Some(Hit {
            pa: Pa(entry.target & !((1 << PAGE_LG2) - 1) | offset),
            lg2_size: (entry.target >> SIZE_SHIFT & SIZE_MASK) as u32,
            prot: Prot::from_bits((entry.target & PROT_MASK) as u8),
        })
    }

    /// Keeps what a walk found for `iova`, in place of whatever was there. A page of less than 4 KiB has no entry.
    #[inline]
    pub(crate) fn fill(&mut self, tag: Tag, iova: u64, found: &Translation) {
        if u32::from(found.lg2_size) < PAGE_LG2 {
            return;
        }
        let page = iova >> PAGE_LG2;
        let about = u64::from(found.lg2_size) << SIZE_SHIFT | u64::from(found.prot.bits());
        let target = found.pa.0 & !((1 << PAGE_LG2) - 1) | about;
        if let Some(entry) = self.entries.get_mut(Self::index(tag, page)) {
            *entry = Entry { tag, page, target };
        }
    }

    /// Forgets the pages of `first..=last`, fewer than [`MANY_PAGES`]; for more the domain takes a new tag.
    pub(crate) fn forget(&mut self, tag: Tag, first: u64, last: u64) {
        for page in first >> PAGE_LG2..=last >> PAGE_LG2 {
            if let Some(entry) = self.entries.get_mut(Self::index(tag, page))
                && entry.tag == tag
                && entry.page == page
            {
                *entry = Entry::default();
            }
        }
    }

    /// Domains start at different entries, since most of them begin at the same IOVAs.
    #[inline(always)]
    fn index(tag: Tag, page: u64) -> usize {
        (page ^ tag.0.wrapping_mul(0x9e37_79b9)) as usize % ENTRIES
    }
}
