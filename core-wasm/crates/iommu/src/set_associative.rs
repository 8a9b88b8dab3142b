//! A set-associative cache of translations: a key belongs to one set, and can be in any of its ways. Which way makes room is a matter of policy.
//!
//! A cache knows nothing of pages. What an entry is for is its owner, the number of a domain, and its key.

use crate::OutOfMemory;
use crate::frames::zeroed;
use alloc::vec::Vec;

/// Most ways of a set; what a tree of [`Replacement::TreePlru`] has bits for.
pub(crate) const WAYS_MAX: u32 = 64;
/// Bits of the number of a way.
const WAY_BITS: u32 = WAYS_MAX.ilog2();
/// Bits of a key that do not count for the set.
pub(crate) const KEY_LOW: u32 = 6;
/// From the key of a page to that of the next one.
const KEY_STEP: u64 = 1 << KEY_LOW;
/// Domains begin at different sets, since most of them begin at the same IOVAs: 2^32 by the golden ratio.
const SCATTER: u64 = 0x9e37_79b9;

/// Which entry of a full set goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replacement {
    /// The one that was used longest ago.
    Lru,
    /// One that a tree of bits leads to, each of which points away from the half that was used last. Ways are a power of two.
    TreePlru,
    /// The one that came first.
    Fifo,
    /// Any, by a generator of pseudorandom numbers (xorshift64*) with this seed.
    Random(u64),
}

/// An entry; its key is 0, which nothing has, when it is empty.
#[derive(Clone, Copy, Default)]
pub(crate) struct Entry {
    pub(crate) key: u64,
    pub(crate) target: u64,
    /// The owner, and below it when the entry was used last, or came, by the policy: 0 when it is empty. One number, as WebAssembly checks each access.
    about: u64,
}

impl Entry {
    #[inline(always)]
    fn is_of(&self, owner: u32, key: u64) -> bool {
        self.key == key && self.owner() == owner
    }

    #[inline(always)]
    pub(crate) fn owner(&self) -> u32 {
        (self.about >> u32::BITS) as u32
    }

    #[inline(always)]
    fn stamp(&self) -> u32 {
        self.about as u32
    }

    #[inline(always)]
    fn set_about(&mut self, owner: u32, stamp: u32) {
        self.about = about(owner, stamp);
    }
}

/// See [`Entry::about`].
#[inline(always)]
fn about(owner: u32, stamp: u32) -> u64 {
    u64::from(owner) << u32::BITS | u64::from(stamp)
}

/// Where an entry went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Filled {
    /// Number of the entry in the cache.
    pub(crate) index: usize,
    /// Whether another one went for it.
    pub(crate) evicted: bool,
}

/// A cache. Without entries it never has anything.
pub(crate) struct Cache {
    entries: Vec<Entry>,
    /// By set, for [`Replacement::TreePlru`]: bit n is node n of the tree, the root is 1; set where the upper half makes room.
    trees: Vec<u64>,
    ways: usize,
    set_mask: usize,
    replacement: Replacement,
    clock: u32,
    random: u64,
}

impl Cache {
    /// A cache of `entries`, a multiple of `ways`, in a power of two of sets; or of none.
    pub(crate) fn new(entries: u32, ways: u32, replacement: Replacement) -> Result<Cache, OutOfMemory> {
        let ways = ways.clamp(1, WAYS_MAX);
        let sets = entries / ways;
        let random = match replacement {
            // The generator's state is never 0.
            Replacement::Random(seed) => seed.wrapping_mul(2).wrapping_add(1),
            _ => 0,
        };
        Ok(Cache {
            entries: zeroed(entries as usize)?,
            trees: zeroed(if replacement == Replacement::TreePlru { sets as usize } else { 0 })?,
            ways: ways as usize,
            set_mask: (sets as usize).saturating_sub(1),
            replacement,
            clock: 0,
            random,
        })
    }

    /// All entries, empty ones included.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The target of a key, which is in use now.
    #[inline(always)]
    pub(crate) fn find(&mut self, owner: u32, key: u64) -> Option<u64> {
        let first = self.first(owner, key);
        let set = self.entries.get_mut(first..first + self.ways)?;
        let (way, entry) = set.iter_mut().enumerate().find(|(_, entry)| entry.is_of(owner, key))?;
        let target = entry.target;
        if self.replacement == Replacement::Lru && self.clock < u32::MAX {
            self.clock += 1;
            entry.set_about(owner, self.clock);
        } else {
            self.touch_again(first + way);
        }
        Some(target)
    }

    /// Gives `take` the targets of `first`, `first` and [`KEY_STEP`] more, and so on up to `last`, as long as they are here and it takes them. What it takes
    /// is in use now. None, where the policy is another than [`Replacement::Lru`].
    #[inline(always)]
    pub(crate) fn find_each(&mut self, owner: u32, first: u64, last: u64, mut take: impl FnMut(u64) -> bool) {
        // All in variables, since WebAssembly reads a field again after each write.
        let Cache { entries, ways, set_mask, replacement, clock, .. } = self;
        if *replacement != Replacement::Lru {
            return;
        }
        let (entries, ways, set_mask, mut now, mut key) = (entries.as_mut_slice(), *ways, *set_mask, *clock, first);
        while now < u32::MAX {
            let first = first_of(owner, key, set_mask, ways);
            let Some(set) = entries.get_mut(first..first + ways) else { break };
            let Some(entry) = set.iter_mut().find(|entry| entry.is_of(owner, key)) else { break };
            if !take(entry.target) {
                break;
            }
            now += 1;
            entry.set_about(owner, now);
            if key == last {
                break;
            }
            key += KEY_STEP;
        }
        *clock = now;
    }

    /// Keeps the target of a key: in place of what it was before, else where nothing is, else where the policy has it. Nothing happens without entries.
    #[inline]
    pub(crate) fn fill(&mut self, owner: u32, key: u64, target: u64) -> Option<Filled> {
        let first = self.first(owner, key);
        let set = self.entries.get(first..first + self.ways)?;
        // Most caches have four ways, and a loop whose length is known is none.
        let lowest = match <&[Entry; 4]>::try_from(set) {
            Ok(set) => lowest_of(set, owner, key),
            Err(_) => lowest_of(set, owner, key),
        };
        let evicted = lowest >> WAY_BITS > 1;
        let mut way = (lowest & ((1 << WAY_BITS) - 1)) as usize;
        if evicted && self.replacement != Replacement::Lru {
            way = self.victim(first, way);
        }
        let index = first + way;
        let stamp = self.tick();
        *self.entries.get_mut(index)? = Entry { key, target, about: about(owner, stamp) };
        if self.replacement == Replacement::TreePlru {
            self.point_away(index);
        }
        Some(Filled { index, evicted })
    }

    /// Which entry a key has, if it is there.
    pub(crate) fn place(&self, owner: u32, key: u64) -> Option<usize> {
        let first = self.first(owner, key);
        let entries = self.entries.get(first..first + self.ways)?;
        Some(first + entries.iter().position(|entry| entry.is_of(owner, key))?)
    }

    /// Changes the target of an entry.
    pub(crate) fn retarget(&mut self, index: usize, change: impl FnOnce(u64) -> u64) {
        if let Some(entry) = self.entries.get_mut(index) {
            entry.target = change(entry.target);
        }
    }

    /// Empties an entry.
    pub(crate) fn clear(&mut self, index: usize) {
        if let Some(entry) = self.entries.get_mut(index) {
            *entry = Entry::default();
        }
    }

    /// The first entry of the set of a key.
    #[inline(always)]
    fn first(&self, owner: u32, key: u64) -> usize {
        first_of(owner, key, self.set_mask, self.ways)
    }

    /// The way of a full set that makes room; the one with the lowest stamp is `oldest`.
    fn victim(&mut self, first: usize, oldest: usize) -> usize {
        match self.replacement {
            Replacement::Lru | Replacement::Fifo => oldest,
            Replacement::TreePlru => {
                let tree = self.trees.get(first / self.ways).copied().unwrap_or(0);
                let mut node = 1;
                while node < self.ways {
                    node = node * 2 + (tree >> node & 1) as usize;
                }
                node - self.ways
            }
            Replacement::Random(_) => {
                self.random ^= self.random >> 12;
                self.random ^= self.random << 25;
                self.random ^= self.random >> 27;
                (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as usize % self.ways
            }
        }
    }

    /// Notes that an entry that was there already is in use now.
    #[inline(never)]
    fn touch_again(&mut self, index: usize) {
        match self.replacement {
            Replacement::Lru => {
                let stamp = self.tick();
                if let Some(entry) = self.entries.get_mut(index) {
                    entry.set_about(entry.owner(), stamp);
                }
            }
            Replacement::TreePlru => self.point_away(index),
            Replacement::Fifo | Replacement::Random(_) => {}
        }
    }

    /// The next stamp. Every 2^32 times it is forgotten in which order entries were used.
    #[inline(always)]
    fn tick(&mut self) -> u32 {
        if self.clock == u32::MAX {
            self.clock = 1;
            self.entries.iter_mut().for_each(|entry| entry.set_about(entry.owner(), entry.stamp().min(1)));
        }
        self.clock += 1;
        self.clock
    }

    /// Has the nodes above an entry point to the other half.
    fn point_away(&mut self, index: usize) {
        let Some(tree) = self.trees.get_mut(index / self.ways) else { return };
        let mut node = self.ways + index % self.ways;
        while node > 1 {
            let upper = node & 1;
            node /= 2;
            *tree = *tree & !(1 << node) | (1 - upper as u64) << node;
        }
    }
}

#[inline(always)]
fn first_of(owner: u32, key: u64, set_mask: usize, ways: usize) -> usize {
    let set = (key >> KEY_LOW ^ u64::from(owner).wrapping_mul(SCATTER)) as usize & set_mask;
    set * ways
}

/// Of the entries of a set, the rank of the one to be written, with its way below [`WAY_BITS`]: 0 if it has the key already, 1 if it is empty, else more
/// the later it was used. Without a branch for each way: which one it is cannot be predicted.
#[inline(always)]
fn lowest_of(set: &[Entry], owner: u32, key: u64) -> u64 {
    let rank = |entry: &Entry| if entry.is_of(owner, key) { 0 } else { u64::from(entry.stamp()) + 1 };
    (0..).zip(set).map(|(way, entry)| rank(entry) << WAY_BITS | way).fold(u64::MAX, u64::min)
}
