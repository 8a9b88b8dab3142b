//! Numbered things: growth can fail, removal neither fails nor allocates, look-up is an index.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use iommu::OutOfMemory;

/// Things with any number that is free.
pub(crate) struct Slab<T> {
    slots: Vec<Slot<T>>,
    /// First slot of the list of empty ones; the length of `slots` if there is none.
    free: u32,
    len: usize,
}

enum Slot<T> {
    Taken(T),
    /// The next empty slot.
    Free(u32),
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new(), free: 0, len: 0 }
    }

    /// Makes sure that the next [`Self::insert`] succeeds.
    pub(crate) fn reserve(&mut self) -> Result<(), OutOfMemory> {
        if self.free as usize == self.slots.len() { self.grow() } else { Ok(()) }
    }

    /// Adds an empty slot. There is none.
    #[inline]
    fn grow(&mut self) -> Result<(), OutOfMemory> {
        let next = self.free.checked_add(1).ok_or(OutOfMemory)?;
        self.slots.try_reserve(1)?;
        self.slots.push(Slot::Free(next));
        Ok(())
    }

    pub(crate) fn insert(&mut self, value: T) -> Result<u32, OutOfMemory> {
        self.insert_with(|| value)
    }

    /// As [`Self::insert`], of what is made in its place, and not moved there.
    #[inline]
    pub(crate) fn insert_with(&mut self, make: impl FnOnce() -> T) -> Result<u32, OutOfMemory> {
        self.reserve()?;
        let index = self.free;
        // It is empty.
        if let Some(slot) = self.slots.get_mut(index as usize)
            && let Slot::Free(next) = *slot
        {
            self.free = next;
            *slot = Slot::Taken(make());
            self.len += 1;
        }
        Ok(index)
    }

    pub(crate) fn remove(&mut self, index: u32) -> Option<T> {
        let slot = self.slots.get_mut(index as usize)?;
        if matches!(slot, Slot::Free(_)) {
            return None;
        }
        let Slot::Taken(value) = core::mem::replace(slot, Slot::Free(self.free)) else { return None };
        self.free = index;
        self.len -= 1;
        Some(value)
    }

    /// As [`Self::remove`], of what nobody needs any more: it is not moved.
    pub(crate) fn discard(&mut self, index: u32) {
        if let Some(slot @ Slot::Taken(_)) = self.slots.get_mut(index as usize) {
            *slot = Slot::Free(self.free);
            self.free = index;
            self.len -= 1;
        }
    }

    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        match self.slots.get(index as usize) {
            Some(Slot::Taken(value)) => Some(value),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        match self.slots.get_mut(index as usize) {
            Some(Slot::Taken(value)) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| match slot {
            Slot::Taken(value) => Some((index as u32, value)),
            Slot::Free(_) => None,
        })
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().filter_map(|slot| match slot {
            Slot::Taken(value) => Some(value),
            Slot::Free(_) => None,
        })
    }

    /// One more than the highest number that was ever in use.
    pub(crate) fn span(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

/// Things whose number is the lowest that is free, as file descriptors and object ids are. O(log n) for what was freed in between.
pub(crate) struct LowestSlab<T> {
    first: u32,
    slots: Vec<Option<T>>,
    /// The empty slots. Has room for all of them, so that removal needs no memory.
    free: BinaryHeap<Reverse<u32>>,
}

impl<T> LowestSlab<T> {
    /// Numbers count from `first` on.
    pub(crate) const fn new(first: u32) -> Self {
        Self { first, slots: Vec::new(), free: BinaryHeap::new() }
    }

    /// The number that [`Self::insert`] gives next.
    pub(crate) fn next(&self) -> u32 {
        self.first + self.free.peek().map_or(self.slots.len() as u32, |&Reverse(slot)| slot)
    }

    pub(crate) fn insert(&mut self, value: T) -> Result<u32, OutOfMemory> {
        let slot = match self.free.pop() {
            Some(Reverse(slot)) => slot,
            None => self.grow()?,
        };
        if let Some(entry) = self.slots.get_mut(slot as usize) {
            *entry = Some(value);
        }
        Ok(self.first + slot)
    }

    /// Makes sure that the next [`Self::insert`] succeeds.
    pub(crate) fn reserve(&mut self) -> Result<(), OutOfMemory> {
        if self.free.is_empty() {
            let slot = self.grow()?;
            self.free.push(Reverse(slot));
        }
        Ok(())
    }

    /// Adds an empty slot.
    fn grow(&mut self) -> Result<u32, OutOfMemory> {
        let count = self.slots.len();
        let slot = u32::try_from(count).ok().filter(|&slot| slot < i32::MAX as u32 - self.first).ok_or(OutOfMemory)?;
        self.slots.try_reserve(1)?;
        if self.free.capacity() < self.slots.capacity() {
            self.free.try_reserve(self.slots.capacity() - self.free.len())?;
        }
        self.slots.push(None);
        Ok(slot)
    }

    pub(crate) fn remove(&mut self, number: u32) -> Option<T> {
        let slot = number.checked_sub(self.first)?;
        let value = self.slots.get_mut(slot as usize)?.take()?;
        self.free.push(Reverse(slot));
        Some(value)
    }

    #[inline]
    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        self.slots.get(number.wrapping_sub(self.first) as usize)?.as_ref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.slots.get_mut(number.wrapping_sub(self.first) as usize)?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.slots.iter().enumerate().filter_map(|(slot, value)| Some((self.first + slot as u32, value.as_ref()?)))
    }

    /// One more than the highest number that was ever in use.
    pub(crate) fn end(&self) -> u32 {
        self.first + self.slots.len() as u32
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_number_comes_first_whatever_the_order_of_removal() {
        let mut slab = LowestSlab::new(3);
        for number in 3..10 {
            assert_eq!(slab.next(), number);
            assert_eq!(slab.insert(number).unwrap(), number);
        }
        for number in [7, 4, 9, 5] {
            assert_eq!(slab.remove(number), Some(number));
            assert_eq!(slab.remove(number), None);
        }
        let given: Vec<u32> = (0..5).map(|_| slab.insert(0).unwrap()).collect();
        assert_eq!(given, [4, 5, 7, 9, 10]);
        assert_eq!(slab.len(), 8);
        assert_eq!((slab.get(2), slab.get(11)), (None, None));
    }

    #[test]
    fn a_slab_uses_its_slots_again() {
        let mut slab = Slab::new();
        let [a, b, c] = [1, 2, 3].map(|value| slab.insert(value).unwrap());
        assert_eq!(slab.remove(b), Some(2));
        assert_eq!(slab.remove(b), None);
        assert_eq!(slab.remove(a), Some(1));
        assert_eq!([slab.insert(4).unwrap(), slab.insert(5).unwrap(), slab.insert(6).unwrap()], [a, b, 3]);
        assert_eq!(slab.get(c), Some(&3));
        assert_eq!((slab.len(), slab.span()), (4, 4));
    }
}
