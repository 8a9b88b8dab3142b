//! Objects of an iommufd: what an id names, and who holds it.

use crate::slab::LowestSlab;
use uapi::{Errno, Result};

/// Types of objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ObjectKind {
    /// An I/O address space.
    Ioas,
    /// A page table of an IOAS.
    Hwpt,
    /// A page table on top of one.
    Nested,
    /// A device bound by its device_fd, or by a test object.
    Device,
    /// A queue of page faults.
    FaultQueue,
    /// A virtual IOMMU.
    Viommu,
    /// A virtual device.
    Vdevice,
    /// A queue of events of a virtual IOMMU.
    EventQueue,
    /// A queue of a virtual IOMMU that hardware works on.
    HwQueue,
    /// A test object: it has a mock device.
    Selftest,
    /// A user of an IOAS without an IOMMU.
    Access,
    /// Nothing yet: the id is taken, and no request finds it.
    Reserved,
}

impl ObjectKind {
    pub(crate) const ALL: [ObjectKind; 12] = [
        ObjectKind::Ioas,
        ObjectKind::Hwpt,
        ObjectKind::Nested,
        ObjectKind::Device,
        ObjectKind::FaultQueue,
        ObjectKind::Viommu,
        ObjectKind::Vdevice,
        ObjectKind::EventQueue,
        ObjectKind::HwQueue,
        ObjectKind::Selftest,
        ObjectKind::Access,
        ObjectKind::Reserved,
    ];
    pub(crate) const COUNT: usize = Self::ALL.len();
}

/// What an id names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object {
    pub(crate) kind: ObjectKind,
    /// 1 for the table, 1 for each holder.
    pub(crate) users: u32,
    /// Where it is among those of its kind.
    pub(crate) index: u32,
}

/// The ids of one iommufd. As in Linux an id is the lowest that is free, taken before the work of a request can fail, and given back if it
/// does.
pub(crate) struct Objects {
    table: LowestSlab<Object>,
    /// Ids of objects that are gone and stay taken.
    buried: u32,
}

impl Objects {
    pub(crate) const fn new() -> Self {
        Self { table: LowestSlab::new(1), buried: 0 }
    }

    /// Takes an id for an object that has no holder yet.
    pub(crate) fn add(&mut self, kind: ObjectKind, index: u32) -> Result<u32> {
        Ok(self.table.insert(Object { kind, users: 1, index })?)
    }

    /// Says what the id stands for that was taken as [`ObjectKind::Reserved`].
    pub(crate) fn finish(&mut self, id: u32, kind: ObjectKind, index: u32) {
        if let Some(object) = self.table.get_mut(id) {
            *object = Object { kind, users: 1, index };
        }
    }

    /// The id that [`Self::add`] gives next.
    pub(crate) fn next(&self) -> u32 {
        self.table.next()
    }

    /// The object is gone, and its id stays taken for ever: no request finds it.
    pub(crate) fn bury(&mut self, id: u32) {
        if let Some(object) = self.table.get_mut(id) {
            *object = Object { kind: ObjectKind::Reserved, users: 1, index: 0 };
            self.buried += 1;
        }
    }

    /// How many ids are taken by objects that are gone.
    pub(crate) fn buried(&self) -> u32 {
        self.buried
    }

    /// Gives an id back.
    pub(crate) fn remove(&mut self, id: u32) {
        let removed = self.table.remove(id);
        debug_assert!(removed.is_some(), "an id is given back once");
    }

    #[inline]
    pub(crate) fn get(&self, id: u32) -> Result<Object> {
        self.table.get(id).filter(|object| object.kind != ObjectKind::Reserved).copied().ok_or(Errno::ENOENT)
    }

    /// Where the object of this kind is. ENOENT if the id names nothing or another kind.
    #[inline]
    pub(crate) fn index(&self, id: u32, kind: ObjectKind) -> Result<u32> {
        match self.table.get(id) {
            Some(object) if object.kind == kind => Ok(object.index),
            _ => Err(Errno::ENOENT),
        }
    }

    /// One holder more, or with a negative `by` fewer.
    pub(crate) fn hold(&mut self, id: u32, by: i32) {
        if let Some(object) = self.table.get_mut(id) {
            debug_assert!(object.users as i32 + by >= 1, "a hold is given back once");
            object.users = object.users.wrapping_add_signed(by);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Object)> {
        self.table.iter()
    }

    /// One more than the highest id that was ever in use.
    pub(crate) fn end(&self) -> u32 {
        self.table.end()
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }
}
