//! Nodes by number. All memory is requested in `ensure`; taking and putting back never allocate.

use crate::error::OutOfMemory;
use crate::testing;
use core::ops::{Index, IndexMut};

pub(crate) struct Slab<T> {
    slots: Vec<T>,
    /// Numbers of slots that were put back; its capacity is that of `slots`.
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Slab { slots: Vec::new(), free: Vec::new() }
    }

    /// Makes room for `total` nodes in use at the same time.
    pub(crate) fn ensure(&mut self, total: usize) -> Result<(), OutOfMemory> {
        if total >= u32::MAX as usize {
            return Err(OutOfMemory);
        }
        grow(&mut self.slots, total)?;
        grow(&mut self.free, total)
    }

    pub(crate) fn take(&mut self, node: T) -> u32 {
        if let Some(id) = self.free.pop() {
            self.slots[id as usize] = node;
            return id;
        }
        debug_assert!(self.slots.len() < self.slots.capacity(), "a node was taken without ensure()");
        self.slots.push(node);
        self.slots.len() as u32 - 1
    }

    pub(crate) fn put(&mut self, id: u32) {
        debug_assert!(self.free.len() < self.free.capacity());
        self.free.push(id);
    }

    pub(crate) fn clear(&mut self) {
        self.slots.clear();
        self.free.clear();
    }

    pub(crate) fn used(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Two different nodes at once, the first of them given first.
    pub(crate) fn pair(&mut self, a: u32, b: u32) -> (&mut T, &mut T) {
        let (low, high) = (a.min(b) as usize, a.max(b) as usize);
        let (head, tail) = self.slots.split_at_mut(high);
        if a < b { (&mut head[low], &mut tail[0]) } else { (&mut tail[0], &mut head[low]) }
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    #[inline]
    fn index(&self, id: u32) -> &T {
        &self.slots[id as usize]
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, id: u32) -> &mut T {
        &mut self.slots[id as usize]
    }
}

/// Makes `list` able to hold `total` without further growth: half as much again as it holds, so that growing is seldom, but exactly
/// `total` where only that fits.
pub(crate) fn grow<T>(list: &mut Vec<T>, total: usize) -> Result<(), OutOfMemory> {
    let capacity = list.capacity();
    if total <= capacity {
        return Ok(());
    }
    if !testing::may_grow() {
        return Err(OutOfMemory);
    }
    let roomy = total.max(capacity + capacity / 2);
    let length = list.len();
    list.try_reserve_exact(roomy - length).or_else(|_| list.try_reserve_exact(total - length)).map_err(|_| OutOfMemory)
}
