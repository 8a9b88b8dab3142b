//! Attaching devices and their PASIDs to page tables: attach, replace, detach, and the choice of an automatic page table.

use crate::capability::Capabilities;
use crate::context::Context;
use crate::file::Bound;
use crate::group::AttachSet;
use crate::hardware::Hardware;
use crate::hwpt::Making;
use crate::kernel::Kernel;
use crate::nested::{Nested, Stage};
use crate::object::ObjectKind;
use iommu::{DomainId, GUESTS, NO_PASID};
use uapi::{Errno, Result};

/// Which transfers: those of a bound device with one PASID, or with [`NO_PASID`] those without.
#[derive(Clone, Copy)]
pub(crate) struct Port {
    pub(crate) device: u32,
    pub(crate) bound: Bound,
    pub(crate) pasid: u32,
}

impl Port {
    /// The transfers of a device without a PASID.
    pub(crate) fn plain(device: u32, bound: Bound) -> Port {
        Port { device, bound, pasid: NO_PASID }
    }
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    /// Of what is not attached.
    Attach,
    /// Of what is.
    Replace,
}

/// A page table that a device comes to, nested or not: its ids, and where the areas are that it shows, or its parent.
#[derive(Clone, Copy)]
struct Destination {
    id: u32,
    ioas: u32,
    domain: DomainId,
    /// Whether PASIDs may be attached to it, and beside it.
    pasid: bool,
    /// It has a queue for page faults.
    has_faults: bool,
    /// A paging one that was made for dirty tracking.
    tracks_dirty: bool,
    /// One of software alone.
    software: bool,
}

impl Kernel {
    /// Attaches a device to a page table, or to an IOAS by an automatic one. Returns the object id of the page table. EBUSY if it is attached,
    /// EINVAL if others of its set use another page table or PASIDs do not go with that one. On failure nothing has changed.
    pub(crate) fn attach(&mut self, port: Port, pt_id: u32) -> Result<u32> {
        self.change(port, pt_id, Change::Attach)
    }

    /// Replaces what a device is attached to, for its whole set, without a moment between. EINVAL if it is not attached. Otherwise as
    /// [`Self::attach`].
    pub(crate) fn replace(&mut self, port: Port, pt_id: u32) -> Result<u32> {
        self.change(port, pt_id, Change::Replace)
    }

    fn change(&mut self, port: Port, pt_id: u32, change: Change) -> Result<u32> {
        let object = self.context(port.bound.context)?.objects.get(pt_id)?;
        match object.kind {
            ObjectKind::Hwpt | ObjectKind::Nested => {
                self.change_to(port, pt_id, change)?;
                Ok(pt_id)
            }
            ObjectKind::Ioas => self.change_to_ioas(port, object.index, change),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Tries the automatic page tables of an IOAS in their order, then makes one.
    fn change_to_ioas(&mut self, port: Port, ioas: u32, change: Change) -> Result<u32> {
        for position in 0.. {
            let context = self.context(port.bound.context)?;
            let Some(&index) = context.ioases.get(ioas).and_then(|ioas| ioas.hwpts.get(position)) else { break };
            let Some(hwpt) = context.hwpts.get(index).filter(|hwpt| hwpt.automatic) else { continue };
            let id = hwpt.id;
            match self.change_to(port, id, change) {
                Ok(()) => return Ok(id),
                // This one does not suit the device.
                Err(Errno::EINVAL) => {}
                Err(error) => return Err(error),
            }
        }
        self.change_to_new(port, ioas, change)
    }

    /// Makes an automatic page table. As in Linux a first attach comes before the areas are shown to it, a replacement after.
    fn change_to_new(&mut self, port: Port, ioas: u32, change: Change) -> Result<u32> {
        let software = self.device(port.device)?.config.no_iommu;
        let (context, hardware) = self.parts(port.bound.context)?;
        let index = context.new_hwpt(hardware, ioas, Making::automatic(software))?;
        let id = context.hwpts.get(index).ok_or(Errno::EIO)?.id;
        let result = match change {
            Change::Attach => self.attach_then_fill(port, id, index),
            Change::Replace => self.fill_then_replace(port, id, index),
        };
        match result {
            Ok(()) => Ok(id),
            Err(error) => {
                let (context, hardware) = self.parts(port.bound.context)?;
                // Nothing is attached to it.
                let _ = context.destroy(hardware, id);
                Err(error)
            }
        }
    }

    fn attach_then_fill(&mut self, port: Port, id: u32, index: u32) -> Result<()> {
        let to = self.destination(port.bound.context, id)?;
        self.attach_to(port, to)?;
        let (context, hardware) = self.parts(port.bound.context)?;
        if let Err(error) = context.add_domain(hardware, index) {
            self.leave(port);
            // The page table is not used again: it goes with its object, which nothing may hold then.
            self.context_mut(port.bound.context)?.objects.hold(to.id, -1);
            return Err(error);
        }
        Ok(())
    }

    fn fill_then_replace(&mut self, port: Port, id: u32, index: u32) -> Result<()> {
        let (context, hardware) = self.parts(port.bound.context)?;
        context.add_domain(hardware, index)?;
        self.change_to(port, id, Change::Replace)
    }

    fn change_to(&mut self, port: Port, id: u32, change: Change) -> Result<()> {
        let to = self.destination(port.bound.context, id)?;
        match change {
            Change::Attach => self.attach_to(port, to),
            Change::Replace => self.replace_by(port, to),
        }
    }

    fn attach_to(&mut self, port: Port, to: Destination) -> Result<()> {
        let Port { device, bound, pasid } = port;
        let number = self.device(device)?.set;
        let set = self.set(number)?;
        if let Some(attachment) = set.attachment(pasid) {
            if attachment.devices.contains(&device) {
                return Err(Errno::EBUSY);
            }
            if attachment.hwpt != to.id {
                return Err(Errno::EINVAL);
            }
        }
        let first = set.attachment(pasid).is_none();
        if pasid == NO_PASID {
            self.reserve_for(device, bound.context, to.ioas)?;
        }
        let added = self.set_mut(number)?.add(device, pasid, to.id);
        let attached = added.and_then(|()| if first { self.point(port, to) } else { Ok(()) });
        if let Err(error) = attached {
            self.set_mut(number)?.remove(device, pasid);
            if pasid == NO_PASID {
                self.release_for(device, bound.context, to.ioas);
            }
            return Err(error);
        }
        let objects = &mut self.context_mut(bound.context)?.objects;
        objects.hold(to.id, 1);
        objects.hold(bound.id, 1);
        Ok(())
    }

    /// Moves the whole set of an attached device at once: no moment without a page table. The same page table is no change.
    fn replace_by(&mut self, port: Port, to: Destination) -> Result<()> {
        let Port { device, bound, pasid } = port;
        let number = self.device(device)?.set;
        let attachment = self.set(number)?.attachment(pasid).filter(|attachment| attachment.devices.contains(&device));
        let (old_id, count) = attachment.map(|attachment| (attachment.hwpt, attachment.devices.len())).ok_or(Errno::EINVAL)?;
        if old_id == to.id {
            return Ok(());
        }
        let old_ioas = self.destination(bound.context, old_id)?.ioas;
        let moves = pasid == NO_PASID && old_ioas != to.ioas;
        if moves {
            self.reserve_for_set(number, bound.context, to.ioas)?;
        }
        if let Err(error) = self.point(port, to) {
            if moves {
                self.release_for_set(number, bound.context, to.ioas);
            }
            return Err(error);
        }
        if moves {
            self.release_for_set(number, bound.context, old_ioas);
        }
        self.end_faults(number, pasid, bound.context, old_id);
        self.set_mut(number)?.attachment_mut(pasid).ok_or(Errno::EIO)?.hwpt = to.id;
        self.forget_partial(number, bound.context);
        let (context, hardware) = self.parts(bound.context)?;
        context.objects.hold(to.id, count as i32);
        context.objects.hold(old_id, 1 - count as i32);
        context.put_hwpt(hardware, old_id);
        Ok(())
    }

    /// Detaches a device. Nothing happens if it is not attached. Never fails.
    pub(crate) fn detach(&mut self, port: Port) {
        if let Some(hwpt) = self.leave(port)
            && let Ok((context, hardware)) = self.parts(port.bound.context)
        {
            context.put_hwpt(hardware, hwpt);
        }
    }

    /// Detaches a device with all its PASIDs.
    pub(crate) fn detach_all(&mut self, device: u32, bound: Bound) {
        while let Some(pasid) = self.first_pasid(device) {
            self.detach(Port { device, bound, pasid });
        }
    }

    /// The lowest PASID that a device is attached with.
    fn first_pasid(&self, device: u32) -> Option<u32> {
        let set = self.set(self.device(device).ok()?.set).ok()?;
        set.attachments.iter().find(|attachment| attachment.devices.contains(&device)).map(|attachment| attachment.pasid)
    }

    /// Takes a device off its page table, but for the hold on that, which is then the caller's. The last of its set is blocked.
    fn leave(&mut self, port: Port) -> Option<u32> {
        let Port { device, bound, pasid } = port;
        let number = self.device(device).ok()?.set;
        let (hwpt, last) = self.set_mut(number).ok()?.remove(device, pasid)?;
        if last {
            self.block(port);
            self.end_faults(number, pasid, bound.context, hwpt);
            self.forget_partial(number, bound.context);
        }
        self.context_mut(bound.context).ok()?.objects.hold(bound.id, -1);
        if pasid == NO_PASID {
            let ioas = self.destination(bound.context, hwpt).ok()?.ioas;
            self.release_for(device, bound.context, ioas);
        }
        Some(hwpt)
    }

    /// Points the transfers of a whole set to a page table, which has what their interrupts are written to before.
    fn point(&mut self, port: Port, to: Destination) -> Result<()> {
        let is_new = self.show_doorbell(port, to.id)?;
        self.point_transfers(port, to).inspect_err(|_| {
            if is_new {
                self.hide_doorbell(port, to.id);
            }
        })
    }

    /// Points the transfers of a whole set to a page table. EINVAL if PASIDs do not go with it, or if the PASID is beyond those that a member
    /// has.
    fn point_transfers(&mut self, port: Port, to: Destination) -> Result<()> {
        let Port { device, bound, pasid } = port;
        let number = self.device(device)?.set;
        self.check_pasids(number, bound.context, pasid, to)?;
        if self.device(device)?.config.no_iommu {
            // Nothing is between the device and memory, so that any page table will do.
            return Ok(());
        }
        if to.software {
            // As in Linux, where the two ask in different places.
            let replaces = self.set(number)?.attachment(pasid).is_some_and(|attachment| attachment.hwpt != to.id);
            return Err(if replaces { Errno::ENODEV } else { Errno::EINVAL });
        }
        if pasid == NO_PASID {
            self.mock_may_attach(device, to.tracks_dirty)?;
        }
        self.check_guest(port, to.id)?;
        self.check_asks(number, to)?;
        self.check_stage(bound.context, to.id)?;
        self.mock_may_set_pasid(device, pasid)?;
        self.point_set(number, pasid, Some(to.domain))?;
        self.mock_has_set_pasid(device, pasid, true);
        if pasid == NO_PASID {
            self.set_guest(port, Some(to.id));
        }
        self.set_mut(number)?.attachment_mut(pasid).ok_or(Errno::EIO)?.handler = bound.id;
        Ok(())
    }

    /// ENODEV for a page table with a fault queue and a device that does not ask for pages, as Intel's driver has it; AMD's does not look.
    fn check_asks(&self, set: u32, to: Destination) -> Result<()> {
        let asks = |&member: &u32| self.asks_for_pages(member);
        let wants_requests = Capabilities::of(self.hardware.iommu.config()).wants_requests;
        let refused = to.has_faults && wants_requests && !self.set(set)?.members.iter().all(asks);
        if refused { Err(Errno::ENODEV) } else { Ok(()) }
    }

    fn block(&mut self, port: Port) {
        self.mock_has_set_pasid(port.device, port.pasid, false);
        if port.pasid == NO_PASID {
            self.set_guest(port, None);
        }
        if let Ok(set) = self.device(port.device).map(|device| device.set) {
            // Blocking needs no memory.
            let _ = self.point_set(set, port.pasid, None);
        }
    }

    fn check_pasids(&self, number: u32, context: u32, pasid: u32, to: Destination) -> Result<()> {
        let set = self.set(number)?;
        if pasid == NO_PASID {
            let used = set.attachments.iter().any(|attachment| attachment.pasid != NO_PASID);
            return if used && !to.pasid { Err(Errno::EINVAL) } else { Ok(()) };
        }
        let plain = set.attachment(NO_PASID).map(|attachment| self.destination(context, attachment.hwpt));
        if !to.pasid || plain.transpose()?.is_some_and(|plain| !plain.pasid) {
            return Err(Errno::EINVAL);
        }
        if !Capabilities::of(self.hardware.iommu.config()).attaches_pasids {
            return Err(Errno::EOPNOTSUPP);
        }
        // As in Linux a device that knows of no PASIDs may be attached with any: it uses none.
        let config = self.hardware.iommu.config();
        let mut counts = set.members.iter().filter_map(|&member| self.devices.get(member as usize)).map(|device| device.max_pasids(config));
        if counts.any(|count| count != 0 && pasid >= count) { Err(Errno::EINVAL) } else { Ok(()) }
    }

    /// EINVAL for a nested page table that the IOMMU cannot walk.
    fn check_stage(&self, context: u32, id: u32) -> Result<()> {
        let context = self.context(context)?;
        match context.objects.index(id, ObjectKind::Nested) {
            Ok(index) => context.nested.get(index).ok_or(Errno::EIO)?.stage.check_attach(),
            Err(_) => Ok(()),
        }
    }

    /// ENOENT where the guest of a page table that a set of devices comes to does not know one of them. With a PASID they stay where they are.
    fn check_guest(&self, port: Port, id: u32) -> Result<()> {
        if !GUESTS {
            return Ok(());
        }
        let context = self.context(port.bound.context)?;
        let Ok(index) = context.objects.index(id, ObjectKind::Nested) else { return Ok(()) };
        let Some(Nested { viommu: Some(viommu), stage, .. }) = context.nested.get(index) else { return Ok(()) };
        let needs_number = !matches!(stage, Stage::Smmuv3 { names_device: false });
        if port.pasid != NO_PASID || !needs_number {
            return Ok(());
        }
        let members = &self.set(self.device(port.device)?.set)?.members;
        if members.iter().all(|&member| context.virt_id(*viommu, member).is_some()) { Ok(()) } else { Err(Errno::ENOENT) }
    }

    /// A set of devices has come to a page table with all that their guest knows of them, or has left. A mock device keeps its number as long as it stays with
    /// a guest.
    fn set_guest(&mut self, port: Port, id: Option<u32>) {
        let Kernel { contexts, devices, sets, .. } = self;
        let Some(context) = contexts.get(port.bound.context).filter(|_| GUESTS) else { return };
        let index = id.and_then(|id| context.objects.index(id, ObjectKind::Nested).ok());
        let viommu = index.and_then(|index| context.nested.get(index)?.viommu);
        let set = devices.get(port.device as usize).and_then(|device| sets.get(device.set as usize));
        for &member in set.map_or(&[][..], |set| &set.members) {
            let guest = viommu.and_then(|viommu| Some((viommu, context.virt_id(viommu, member)?)));
            if let Some(device) = devices.get_mut(member as usize)
                && (device.mock.is_none() || device.guest.map(|(viommu, _)| viommu) != guest.map(|(viommu, _)| viommu))
            {
                device.guest = guest;
            }
        }
    }

    /// A page table, nested or not, as a place to come to.
    fn destination(&self, context: u32, id: u32) -> Result<Destination> {
        let hwpt = self.paging_of(context, id)?;
        let context = self.context(context)?;
        let object = context.objects.get(id)?;
        let nested = if object.kind == ObjectKind::Nested { context.nested.get(object.index) } else { None };
        let hwpt = context.hwpts.get(hwpt).ok_or(Errno::EIO)?;
        let (domain, pasid) = nested.map_or((hwpt.domain, hwpt.pasid), |nested| (nested.domain, nested.pasid));
        let has_faults = context.fault_queue_of(id).is_some();
        let tracks_dirty = nested.is_none() && hwpt.tracks_dirty;
        Ok(Destination { id, ioas: hwpt.ioas, domain, pasid, has_faults, tracks_dirty, software: hwpt.software })
    }

    /// The index of a page table, or of the one below a nested one.
    pub(crate) fn paging_of(&self, context: u32, id: u32) -> Result<u32> {
        let context = self.context(context)?;
        let object = context.objects.get(id)?;
        match object.kind {
            ObjectKind::Nested => Ok(context.nested.get(object.index).ok_or(Errno::EIO)?.parent),
            _ => Ok(object.index),
        }
    }

    pub(crate) fn set(&self, number: u32) -> Result<&AttachSet> {
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
