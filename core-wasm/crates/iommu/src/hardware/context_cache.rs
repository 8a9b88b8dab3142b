//! The context cache: which domain a requester uses with a PASID, as it was looked up. What blocks is not cached.

use crate::domain::DomainId;

const ENTRIES: usize = 64;

/// The cache of all requesters, direct-mapped.
pub(crate) struct ContextCache {
    entries: [Entry; ENTRIES],
}

#[derive(Clone, Copy)]
struct Entry {
    /// All bits of the key inverted, so that an entry of zeros is empty: there is no key of ones.
    tag: u64,
    domain: DomainId,
}

const EMPTY: Entry = Entry { tag: 0, domain: DomainId(0) };

impl ContextCache {
    /// How many there are.
    pub(crate) const ENTRIES: usize = ENTRIES;

    pub(crate) const fn new() -> ContextCache {
        ContextCache { entries: [EMPTY; ENTRIES] }
    }

    /// Where the domain of a key is kept.
    #[inline(always)]
    pub(crate) const fn place(key: u64) -> usize {
        // Functions of a device and PASIDs of a function lie next to each other.
        ((key >> 32) ^ (key << 3)) as usize % ENTRIES
    }

    /// The domain of a key, if it is here.
    #[inline(always)]
    pub(crate) fn get(&self, key: u64) -> Option<DomainId> {
        let entry = self.entries[Self::place(key)];
        (entry.tag == !key).then_some(entry.domain)
    }

    /// Keeps the domain of a key, in place of whatever was there.
    pub(crate) fn fill(&mut self, key: u64, domain: DomainId) {
        self.entries[Self::place(key)] = Entry { tag: !key, domain };
    }

    /// Forgets the entries for which `goes` holds.
    pub(crate) fn forget(&mut self, goes: impl Fn(u64, DomainId) -> bool) {
        for entry in &mut self.entries {
            if entry.tag != EMPTY.tag && goes(!entry.tag, entry.domain) {
                *entry = EMPTY;
            }
        }
    }
}
