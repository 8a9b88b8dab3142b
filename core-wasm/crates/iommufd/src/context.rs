//! An iommufd: its objects, from open until the last file that holds it is closed.

use crate::access::Access;
use crate::event_queue::EventQueue;
use crate::fault_queue::FaultQueue;
use crate::hardware::Hardware;
use crate::hwpt::Hwpt;
use crate::ioas::Ioas;
use crate::nested::Nested;
use crate::object::{ObjectKind, Objects};
use crate::pages::{Charge, Pages};
use crate::slab::Slab;
use crate::vdevice::Vdevice;
use crate::viommu::Viommu;
use uapi::{Errno, Result};

/// What `open("/dev/iommu")` makes. Its fd holds it, and so does the fd of each device bound to it.
pub(crate) struct Context {
    /// Files that hold it.
    pub(crate) files: u32,
    /// Whom pinned memory is charged to, where it is charged at all.
    pub(crate) charge: Charge,
    /// The IOAS that VFIO's older requests would use: its object id.
    pub(crate) vfio_ioas: Option<u32>,
    pub(crate) objects: Objects,
    pub(crate) ioases: Slab<Ioas>,
    pub(crate) hwpts: Slab<Hwpt>,
    pub(crate) nested: Slab<Nested>,
    pub(crate) pages: Slab<Pages>,
    pub(crate) fault_queues: Slab<FaultQueue>,
    pub(crate) accesses: Slab<Access>,
    pub(crate) viommus: Slab<Viommu>,
    pub(crate) vdevices: Slab<Vdevice>,
    pub(crate) event_queues: Slab<EventQueue>,
}

impl Context {
    pub(crate) const fn new() -> Self {
        Self {
            files: 1,
            charge: Charge::User,
            vfio_ioas: None,
            objects: Objects::new(),
            ioases: Slab::new(),
            hwpts: Slab::new(),
            nested: Slab::new(),
            pages: Slab::new(),
            fault_queues: Slab::new(),
            accesses: Slab::new(),
            viommus: Slab::new(),
            vdevices: Slab::new(),
            event_queues: Slab::new(),
        }
    }

    /// The IOAS with this object id. ENOENT.
    #[inline]
    pub(crate) fn ioas(&mut self, id: u32) -> Result<&mut Ioas> {
        let index = self.objects.index(id, ObjectKind::Ioas)?;
        self.ioases.get_mut(index).ok_or(Errno::EIO)
    }

    /// Makes an IOAS and returns its object id.
    pub(crate) fn new_ioas(&mut self) -> Result<u32> {
        let id = self.objects.next();
        let index = self.ioases.insert(Ioas::new(id))?;
        match self.objects.add(ObjectKind::Ioas, index) {
            Ok(id) => Ok(id),
            Err(error) => {
                self.ioases.discard(index);
                Err(error)
            }
        }
    }

    /// DESTROY: ENOENT for an unknown id, EBUSY while anything holds the object.
    pub(crate) fn destroy(&mut self, hardware: &mut Hardware, id: u32) -> Result<()> {
        let object = self.objects.get(id)?;
        if object.users != 1 {
            return Err(Errno::EBUSY);
        }
        if self.vfio_ioas == Some(id) {
            self.vfio_ioas = None;
        }
        match object.kind {
            ObjectKind::Ioas => self.destroy_ioas(hardware, object.index),
            ObjectKind::Hwpt => self.destroy_hwpt(hardware, object.index),
            ObjectKind::Nested => self.destroy_nested(hardware, object.index),
            ObjectKind::FaultQueue => self.destroy_fault_queue(object.index),
            ObjectKind::Viommu => self.destroy_viommu(hardware, object.index),
            ObjectKind::Vdevice => self.destroy_vdevice(object.index),
            ObjectKind::EventQueue => self.destroy_event_queue(object.index),
            ObjectKind::HwQueue => self.destroy_hw_queue(hardware, object.index),
            // Its device_fd holds it for as long as it exists.
            ObjectKind::Device => return Err(Errno::EBUSY),
            // What it has is the kernel's, which destroys both, or a queue's that lives.
            ObjectKind::Selftest | ObjectKind::Access | ObjectKind::Reserved => return Err(Errno::EBUSY),
        }
        self.objects.remove(id);
        Ok(())
    }

    fn destroy_ioas(&mut self, hardware: &mut Hardware, index: u32) {
        if let Some(ioas) = self.ioases.get_mut(index) {
            // No page table is left: they hold the IOAS.
            ioas.unmap_all(&self.hwpts, &mut self.pages, hardware);
        }
        self.ioases.discard(index);
    }

    /// Destroys all objects, leaves first. Devices are gone: they hold the files.
    pub(crate) fn destroy_all(&mut self, hardware: &mut Hardware) {
        let mut left = self.objects.len();
        while left != 0 {
            for id in 1..self.objects.end() {
                // What still has holders goes in the next round.
                let _ = self.destroy(hardware, id);
            }
            if core::mem::replace(&mut left, self.objects.len()) == self.objects.len() {
                break;
            }
        }
        debug_assert!(self.objects.len() == self.objects.buried() as usize, "holders form no circle");
    }
}
