//! Attaching devices to page tables: first attach, replace, detach, and the choice of an automatic page table.

use crate::context::Context;
use crate::domains::Reserver;
use crate::file::Bound;
use crate::group::AttachSet;
use crate::hardware::Hardware;
use crate::hwpt::Making;
use crate::kernel::Kernel;
use crate::object::ObjectKind;
use iommu::DomainId;
use uapi::{Errno, Result};

/// A page table that a device comes to: its ids, and where its areas are.
#[derive(Clone, Copy)]
struct Destination {
    id: u32,
    ioas: u32,
    domain: DomainId,
}

impl Kernel {
    /// Attaches a bound device to a page table, or to an IOAS by an automatic one; replaces what it was attached to. Returns the object id
    /// of the page table. On failure nothing has changed.
    pub(crate) fn attach(&mut self, device: u32, bound: Bound, pt_id: u32) -> Result<u32> {
        let object = self.context(bound.context)?.objects.get(pt_id)?;
        match object.kind {
            ObjectKind::Hwpt => {
                self.change(device, bound, object.index)?;
                Ok(pt_id)
            }
            ObjectKind::Ioas => self.attach_automatic(device, bound, object.index),
            ObjectKind::Device | ObjectKind::Selftest | ObjectKind::Reserved => Err(Errno::EINVAL),
        }
    }

    /// Tries the automatic page tables of an IOAS in their order, then makes one.
    fn attach_automatic(&mut self, device: u32, bound: Bound, ioas: u32) -> Result<u32> {
        for position in 0.. {
            let context = self.context(bound.context)?;
            let Some(&index) = context.ioases.get(ioas).and_then(|ioas| ioas.hwpts.get(position)) else { break };
            let Some(hwpt) = context.hwpts.get(index).filter(|hwpt| hwpt.automatic) else { continue };
            let id = hwpt.id;
            match self.change(device, bound, index) {
                Ok(()) => return Ok(id),
                // This one does not suit the device.
                Err(Errno::EINVAL) => {}
                Err(error) => return Err(error),
            }
        }
        self.attach_new(device, bound, ioas)
    }

    /// Makes an automatic page table. As in Linux a first attach comes before the areas are shown to it, a replacement after.
    fn attach_new(&mut self, device: u32, bound: Bound, ioas: u32) -> Result<u32> {
        let (context, hardware) = self.parts(bound.context)?;
        let index = context.new_hwpt(hardware, ioas, Making::AUTOMATIC)?;
        let id = context.hwpts.get(index).ok_or(Errno::EIO)?.id;
        let first = !self.device(device)?.attached;
        let result = if first { self.attach_then_fill(device, bound, index) } else { self.fill_then_replace(device, bound, index) };
        match result {
            Ok(()) => Ok(id),
            Err(error) => {
                let (context, hardware) = self.parts(bound.context)?;
                // Nothing is attached to it.
                let _ = context.destroy(hardware, id);
                Err(error)
            }
        }
    }

    fn attach_then_fill(&mut self, device: u32, bound: Bound, index: u32) -> Result<()> {
        let to = self.destination(bound.context, index)?;
        self.attach_first(device, bound, to)?;
        let (context, hardware) = self.parts(bound.context)?;
        if let Err(error) = context.add_domain(hardware, index) {
            self.leave(device, bound);
            // The page table is not used again: it goes with its object, which nothing may hold then.
            self.context_mut(bound.context)?.objects.hold(to.id, -1);
            return Err(error);
        }
        Ok(())
    }

    fn fill_then_replace(&mut self, device: u32, bound: Bound, index: u32) -> Result<()> {
        let (context, hardware) = self.parts(bound.context)?;
        context.add_domain(hardware, index)?;
        self.change(device, bound, index)
    }

    /// Attaches a device to a page table, or replaces by it what the device is attached to.
    fn change(&mut self, device: u32, bound: Bound, index: u32) -> Result<()> {
        let to = self.destination(bound.context, index)?;
        if self.device(device)?.attached { self.replace(device, bound, to) } else { self.attach_first(device, bound, to) }
    }

    /// Attaches a device that is not attached. EINVAL if others of its set use another page table; EADDRINUSE if its reserved ranges are
    /// in use in the IOAS.
    fn attach_first(&mut self, device: u32, bound: Bound, to: Destination) -> Result<()> {
        let set_number = self.device(device)?.set;
        let set_hwpt = self.set(set_number)?.hwpt;
        if set_hwpt.is_some_and(|id| id != to.id) {
            return Err(Errno::EINVAL);
        }
        self.reserve_for(device, bound.context, to.ioas)?;
        if set_hwpt.is_none()
            && let Err(error) = self.point_set(set_number, Some(to.domain))
        {
            self.release_for(device, bound.context, to.ioas);
            return Err(error);
        }
        let set = self.set_mut(set_number)?;
        set.hwpt = Some(to.id);
        set.attached += 1;
        self.device_mut(device)?.attached = true;
        let objects = &mut self.context_mut(bound.context)?.objects;
        objects.hold(to.id, 1);
        objects.hold(bound.id, 1);
        Ok(())
    }

    /// Moves the whole set of an attached device to another page table at once: no moment without one. The same page table is no change.
    fn replace(&mut self, device: u32, bound: Bound, to: Destination) -> Result<()> {
        let number = self.device(device)?.set;
        let set = self.set(number)?;
        let (old_id, count) = (set.hwpt.ok_or(Errno::EIO)?, set.attached);
        if old_id == to.id {
            return Ok(());
        }
        let old_index = self.context(bound.context)?.objects.index(old_id, ObjectKind::Hwpt)?;
        let old_ioas = self.destination(bound.context, old_index)?.ioas;
        let moves = old_ioas != to.ioas;
        if moves {
            self.reserve_for_set(number, bound.context, to.ioas)?;
        }
        if let Err(error) = self.point_set(number, Some(to.domain)) {
            if moves {
                self.release_for_set(number, bound.context, to.ioas);
            }
            return Err(error);
        }
        if moves {
            self.release_for_set(number, bound.context, old_ioas);
        }
        self.set_mut(number)?.hwpt = Some(to.id);
        let (context, hardware) = self.parts(bound.context)?;
        context.objects.hold(to.id, count as i32);
        context.objects.hold(old_id, 1 - count as i32);
        context.put_hwpt(hardware, old_id);
        Ok(())
    }

    /// Detaches a bound device. Nothing happens if it is not attached. Never fails.
    pub(crate) fn detach(&mut self, device: u32, bound: Bound) {
        if let Some(hwpt) = self.leave(device, bound)
            && let Ok((context, hardware)) = self.parts(bound.context)
        {
            context.put_hwpt(hardware, hwpt);
        }
    }

    /// Takes a device off its page table, but for the hold on that, which is then the caller's. The last of its set blocks it.
    fn leave(&mut self, device: u32, bound: Bound) -> Option<u32> {
        let entry = self.device_mut(device).ok().filter(|device| device.attached)?;
        entry.attached = false;
        let number = entry.set;
        let set = self.set_mut(number).ok()?;
        let hwpt = set.hwpt?;
        set.attached -= 1;
        if set.attached == 0 {
            set.hwpt = None;
            // Blocking needs no memory.
            let _ = self.point_set(number, None);
        }
        let context = self.context_mut(bound.context).ok()?;
        context.objects.hold(bound.id, -1);
        let index = context.objects.index(hwpt, ObjectKind::Hwpt).ok()?;
        let ioas = context.hwpts.get(index)?.ioas;
        self.release_for(device, bound.context, ioas);
        Some(hwpt)
    }

    /// Reserves a device's ranges in an IOAS. All or nothing.
    fn reserve_for(&mut self, device: u32, context: u32, ioas: u32) -> Result<()> {
        let Kernel { devices, contexts, .. } = self;
        let device_entry = devices.get(device as usize).ok_or(Errno::EIO)?;
        let ioas = contexts.get_mut(context).and_then(|context| context.ioases.get_mut(ioas)).ok_or(Errno::EIO)?;
        for range in device_entry.reserved_ranges() {
            if let Err(error) = ioas.reserve(range, Reserver::Device(device)) {
                ioas.release(Reserver::Device(device));
                return Err(error);
            }
        }
        Ok(())
    }

    fn release_for(&mut self, device: u32, context: u32, ioas: u32) {
        if let Some(ioas) = self.contexts.get_mut(context).and_then(|context| context.ioases.get_mut(ioas)) {
            ioas.release(Reserver::Device(device));
        }
    }

    /// Reserves the ranges of all attached devices of a set. All or nothing.
    fn reserve_for_set(&mut self, set: u32, context: u32, ioas: u32) -> Result<()> {
        for position in 0.. {
            let Some(member) = self.attached_member(set, position) else { break };
            let Some(device) = member else { continue };
            if let Err(error) = self.reserve_for(device, context, ioas) {
                self.release_for_set(set, context, ioas);
                return Err(error);
            }
        }
        Ok(())
    }

    fn release_for_set(&mut self, set: u32, context: u32, ioas: u32) {
        for position in 0.. {
            let Some(member) = self.attached_member(set, position) else { break };
            if let Some(device) = member {
                self.release_for(device, context, ioas);
            }
        }
    }

    /// The member of a set at this position, if it is attached; `None` beyond the last.
    fn attached_member(&self, set: u32, position: usize) -> Option<Option<u32>> {
        let &member = self.sets.get(set as usize)?.members.get(position)?;
        Some(self.devices.get(member as usize).filter(|device| device.attached).map(|_| member))
    }

    fn destination(&self, context: u32, hwpt: u32) -> Result<Destination> {
        let hwpt = self.context(context)?.hwpts.get(hwpt).ok_or(Errno::EIO)?;
        Ok(Destination { id: hwpt.id, ioas: hwpt.ioas, domain: hwpt.domain })
    }

    fn set(&self, number: u32) -> Result<&AttachSet> {
        self.sets.get(number as usize).ok_or(Errno::EIO)
    }

    fn set_mut(&mut self, number: u32) -> Result<&mut AttachSet> {
        self.sets.get_mut(number as usize).ok_or(Errno::EIO)
    }

    pub(crate) fn context(&self, index: u32) -> Result<&Context> {
        self.contexts.get(index).ok_or(Errno::EIO)
    }

    pub(crate) fn context_mut(&mut self, index: u32) -> Result<&mut Context> {
        self.contexts.get_mut(index).ok_or(Errno::EIO)
    }

    pub(crate) fn parts(&mut self, index: u32) -> Result<(&mut Context, &mut Hardware)> {
        let context = self.contexts.get_mut(index).ok_or(Errno::EIO)?;
        Ok((context, &mut self.hardware))
    }
}
