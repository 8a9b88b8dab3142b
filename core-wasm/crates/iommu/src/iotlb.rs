//! The IOTLB: translations that walks have found, and tables that they came through (paging-structure caches).
//!
//! Pages of all sizes share one set-associative cache. An entry is for a whole page, of whatever size, and its set follows from the number of the page at
//! that size; a look-up asks one set for each size that the domain has there, the smallest first. So do the main TLBs of Arm's SMMUs and the second-level
//! TLBs of processors: large pages take one entry, and no part of the cache is idle because a program uses one size alone. Tables are cached by level, as
//! VT-d does (6.2.3, caching of paging structures): an entry for a table of level n leads past all levels above.

use crate::OutOfMemory;
use crate::frames::zeroed;
use crate::set_associative::{Cache, KEY_LOW, Replacement, WAYS_MAX};
use alloc::vec::Vec;
use pgtable::{Pa, Prot, Run, Step, Translation};
use uapi::{Errno, Result};

/// Where a target keeps what is not address, below the bits of the page: the smallest page has 2 KiB.
const PROT_MASK: u64 = 0b11;
/// Where it keeps what a page allowed that is not mapped any more.
const STALE_SHIFT: u32 = 2;
const ABOUT_MASK: u64 = (1 << 11) - 1;

/// When more keys than these would have to be looked for it is cheaper to look at all entries.
const MANY: u64 = 64;
/// Ways of the caches of tables.
const STRUCTURE_WAYS: u32 = 4;
/// Levels whose tables are cached: all but the top one of the format that has most.
const STRUCTURE_LEVELS: usize = 5;
/// Most entries.
const ENTRIES_MAX: u32 = 1 << 16;

/// What the IOTLB is like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IotlbConfig {
    /// Translations that it has room for, at most 65,536: `ways` times a power of two. 0: none are kept.
    pub entries: u32,
    /// Entries of a set, 1 to 64; for [`Replacement::TreePlru`] a power of two.
    pub ways: u32,
    /// Which entry of a full set goes; of the caches of tables as well.
    pub replacement: Replacement,
    /// Tables of each level that are cached, a power of two; 0: none.
    pub structures: u32,
}

impl IotlbConfig {
    /// 1,024 translations in sets of four, which go by their last use, and no tables: what costs the host least.
    pub const DEFAULT: IotlbConfig = IotlbConfig { entries: 1024, ways: 4, replacement: Replacement::Lru, structures: 0 };

    fn is_valid(&self) -> bool {
        let IotlbConfig { entries, ways, replacement, structures } = *self;
        let power = |count: u32| count.is_power_of_two();
        let sets = entries.checked_div(ways).unwrap_or(0);
        (1..=WAYS_MAX).contains(&ways)
            && (replacement != Replacement::TreePlru || power(ways))
            && entries <= ENTRIES_MAX
            && (entries == 0 || power(sets) && sets * ways == entries)
            && structures <= ENTRIES_MAX
            && (structures == 0 || power(structures))
    }
}

/// A domain in the eyes of the IOTLB.
#[derive(Clone, Copy)]
pub(crate) struct Space {
    /// A number that no other domain has now.
    owner: u32,
    /// Sizes of pages that may be cached, bit n for 2^n bytes.
    sizes: u64,
    /// What tables that may be cached cover, bit n for 2^n bytes.
    tables: u64,
}

impl Space {
    /// Nothing is cached yet of the domain with this number.
    pub(crate) const fn new(owner: u32) -> Space {
        Space { owner, sizes: 0, tables: 0 }
    }
}

/// A translation from the cache.
#[derive(Clone, Copy)]
pub(crate) struct Hit {
    pub(crate) pa: Pa,
    pub(crate) lg2_size: u32,
    pub(crate) prot: Prot,
    /// What it allows though it is not mapped any more, until the cache is told; then `prot` is nothing.
    pub(crate) stale: Prot,
}

impl Hit {
    /// The memory from `iova`, which it is the translation of, to the end of the page.
    #[inline(always)]
    pub(crate) fn rest_of_page(self, iova: u64) -> Run {
        let page_last = (1_u64 << self.lg2_size) - 1;
        Run { pa: self.pa, length: page_last - (iova & page_last) + 1 }
    }
}

impl From<Translation> for Hit {
    #[inline(always)]
    fn from(found: Translation) -> Hit {
        Hit { pa: found.pa, lg2_size: u32::from(found.lg2_size), prot: found.prot, stale: Prot::NONE }
    }
}

/// The caches of all domains.
pub(crate) struct Iotlb {
    pages: Cache,
    /// By level of the tables; none where they are not cached.
    structures: Vec<Cache>,
    /// Which device each entry of `pages` was filled for.
    fillers: Vec<u32>,
    /// By device: entries filled for it that were forgotten.
    dropped: Vec<u64>,
}

impl Iotlb {
    /// EINVAL if no hardware is like that, ENOMEM.
    pub(crate) fn new(config: &IotlbConfig) -> Result<Iotlb> {
        if !config.is_valid() {
            return Err(Errno::EINVAL);
        }
        let IotlbConfig { entries, ways, replacement, structures: tables } = *config;
        let levels = if tables == 0 { 0 } else { STRUCTURE_LEVELS };
        let mut structures = Vec::new();
        structures.try_reserve_exact(levels).map_err(OutOfMemory::from)?;
        for _ in 0..levels {
            structures.push(Cache::new(tables, tables.min(STRUCTURE_WAYS), replacement)?);
        }
        let pages = Cache::new(entries, ways, replacement)?;
        Ok(Iotlb { pages, structures, fillers: zeroed(entries as usize)?, dropped: Vec::new() })
    }

    /// Makes room for the counts of `count` devices.
    pub(crate) fn add_devices(&mut self, count: usize) -> core::result::Result<(), OutOfMemory> {
        self.dropped.try_reserve(count.saturating_sub(self.dropped.len()))?;
        self.dropped.resize(count.max(self.dropped.len()), 0);
        Ok(())
    }

    /// The translation of `iova`, if it is here.
    #[inline(always)]
    pub(crate) fn get(&mut self, space: &Space, iova: u64) -> Option<Hit> {
        let mut sizes = space.sizes;
        while sizes != 0 {
            let lg2_size = sizes.trailing_zeros();
            sizes &= sizes - 1;
            if let Some(target) = self.pages.find(space.owner, key(iova, lg2_size)) {
                let offset = iova & ((1 << lg2_size) - 1);
                return Some(hit_of(target, offset, lg2_size));
            }
        }
        None
    }

    /// Gives `take` the translations of the pages from that of `first` to that of `last`, one after the other, as long as they are here and it takes them.
    /// None, unless pages of one size are all that is cached of the domain.
    #[inline(always)]
    pub(crate) fn get_each(&mut self, space: &Space, first: u64, last: u64, mut take: impl FnMut(Hit) -> bool) {
        if space.sizes.is_power_of_two() {
            let lg2_size = space.sizes.trailing_zeros();
            let mut offset = first & ((1 << lg2_size) - 1);
            self.pages.find_each(space.owner, key(first, lg2_size), key(last, lg2_size), |target| {
                take(hit_of(target, core::mem::take(&mut offset), lg2_size))
            });
        }
    }

    /// Keeps what a walk found for `iova`, for a device. Returns whether another translation went for it.
    #[inline]
    pub(crate) fn fill(&mut self, space: &mut Space, device: u32, iova: u64, found: &Translation) -> bool {
        let lg2_size = u32::from(found.lg2_size);
        let target = found.pa.0 & !((1 << lg2_size) - 1) | u64::from(found.prot.bits());
        let Some(filled) = self.pages.fill(space.owner, key(iova, lg2_size), target) else { return false };
        space.sizes |= 1 << lg2_size;
        if let Some(filler) = self.fillers.get_mut(filled.index) {
            *filler = device;
        }
        filled.evicted
    }

    /// Whether tables are cached.
    #[inline]
    pub(crate) fn has_structures(&self) -> bool {
        !self.structures.is_empty()
    }

    /// The lowest table on the way to `iova` that is cached. `covered` says how much a table of a level covers, lg2 of bytes; `top` is the level of the top.
    pub(crate) fn table(&mut self, space: &Space, iova: u64, top: u32, covered: impl Fn(u32) -> u32) -> Option<Step> {
        (0..top).zip(&mut self.structures).find_map(|(level, cache)| {
            let target = cache.find(space.owner, key(iova, covered(level)))?;
            Some(Step { level, table: Pa(target) })
        })
    }

    /// Keeps a table that a walk for `iova` has come through, which covers 2^`covered` bytes.
    pub(crate) fn fill_table(&mut self, space: &mut Space, iova: u64, covered: u32, step: Step) {
        if let Some(cache) = self.structures.get_mut(step.level as usize) {
            cache.fill(space.owner, key(iova, covered), step.table.0);
            space.tables |= 1 << covered;
        }
    }

    /// Forgets everything of a domain.
    pub(crate) fn forget_all(&mut self, space: &mut Space) {
        self.forget(space, 0, u64::MAX, true);
        *space = Space::new(space.owner);
    }

    /// Forgets the pages that `first..=last` meets and, with `tables`, the tables on the way.
    pub(crate) fn forget(&mut self, space: &Space, first: u64, last: u64, tables: bool) {
        let Iotlb { pages, fillers, dropped, .. } = self;
        for_range(pages, space.owner, space.sizes, first, last, |pages, index| {
            pages.clear(index);
            let filler = fillers.get(index).copied().unwrap_or(0);
            if let Some(count) = dropped.get_mut(filler as usize) {
                *count += 1;
            }
        });
        if tables {
            self.forget_tables(space, first, last);
        }
    }

    /// Forgets the tables on the way to `first..=last`.
    fn forget_tables(&mut self, space: &Space, first: u64, last: u64) {
        for cache in &mut self.structures {
            for_range(cache, space.owner, space.tables, first, last, Cache::clear);
        }
    }

    /// As [`Self::forget`], but pages stay, as stale ones.
    pub(crate) fn let_go(&mut self, space: &Space, first: u64, last: u64, tables: bool) {
        for_range(&mut self.pages, space.owner, space.sizes, first, last, |pages, index| {
            pages.retarget(index, |target| target & !PROT_MASK | (target & PROT_MASK) << STALE_SHIFT);
        });
        if tables {
            self.forget_tables(space, first, last);
        }
    }

    /// Translations found for a device that were forgotten since boot, because mappings changed.
    pub(crate) fn dropped(&self, device: u32) -> u64 {
        self.dropped.get(device as usize).copied().unwrap_or(0)
    }

    /// All translations: the number of the domain, the first IOVA of the page, and where it leads.
    pub(crate) fn pages(&self) -> impl Iterator<Item = (u32, u64, Hit)> {
        self.pages.entries().iter().filter(|entry| entry.key != 0).map(|entry| {
            let (key, target, owner) = (entry.key, entry.target, entry.owner());
            let lg2_size = size_of_key(key);
            (owner, key >> KEY_LOW << lg2_size, hit_of(target, 0, lg2_size))
        })
    }
}

/// Calls `act` for each entry of an owner that `first..=last` meets. They have sizes of `sizes`.
fn for_range(cache: &mut Cache, owner: u32, sizes: u64, first: u64, last: u64, mut act: impl FnMut(&mut Cache, usize)) {
    if sizes == 0 {
        return;
    }
    let count = |lg2: u32| (last >> lg2) - (first >> lg2) + 1;
    if bits(sizes).map(count).fold(0, u64::saturating_add) <= MANY {
        for lg2 in bits(sizes) {
            for page in first >> lg2..=last >> lg2 {
                if let Some(index) = cache.place(owner, page << KEY_LOW | u64::from(lg2)) {
                    act(cache, index);
                }
            }
        }
        return;
    }
    for index in 0..cache.entries().len() {
        let Some(entry) = cache.entries().get(index).filter(|entry| entry.owner() == owner && entry.key != 0) else { continue };
        let (page, lg2) = (entry.key >> KEY_LOW, size_of_key(entry.key));
        if first >> lg2 <= page && page <= last >> lg2 {
            act(cache, index);
        }
    }
}

/// The number of a page, or of what a table covers, with its size.
#[inline(always)]
fn key(iova: u64, lg2_size: u32) -> u64 {
    (iova >> lg2_size) << KEY_LOW | u64::from(lg2_size)
}

/// The size in a key, lg2 of bytes.
#[inline(always)]
fn size_of_key(key: u64) -> u32 {
    (key & ((1 << KEY_LOW) - 1)) as u32
}

/// What a target says of a page of 2^`lg2_size` bytes, at an offset in it.
#[inline(always)]
fn hit_of(target: u64, offset: u64, lg2_size: u32) -> Hit {
    Hit { pa: Pa(target & !ABOUT_MASK | offset), lg2_size, prot: prot_of(target), stale: prot_of(target >> STALE_SHIFT) }
}

#[inline(always)]
fn prot_of(target: u64) -> Prot {
    Prot::from_bits((target & PROT_MASK) as u8)
}

/// The bits that are set, from the lowest.
fn bits(mut set: u64) -> impl Iterator<Item = u32> {
    core::iter::from_fn(move || {
        let bit = set.trailing_zeros();
        set &= set.wrapping_sub(1);
        (bit < u64::BITS).then_some(bit)
    })
}
