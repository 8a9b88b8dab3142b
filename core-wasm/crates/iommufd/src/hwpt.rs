//! Page tables of an IOAS as objects, and the request that makes them and nested ones.

use crate::capability::{Capabilities, paging_flags};
use crate::context::Context;
use crate::hardware::Hardware;
use crate::object::ObjectKind;
use crate::request::Call;
use crate::selftest;
use iommu::{DomainId, IommuConfig};
use uapi::iommufd as api;
use uapi::{Errno, Result};

/// A page table. It holds its IOAS.
pub(crate) struct Hwpt {
    /// Its object id.
    pub(crate) id: u32,
    /// Which IOAS.
    pub(crate) ioas: u32,
    pub(crate) domain: DomainId,
    /// Bytes of its smallest page.
    pub(crate) smallest_page: u64,
    /// Made by attaching to the IOAS: goes with the last device.
    pub(crate) automatic: bool,
    /// Whether PASIDs may be attached to it, and beside it.
    pub(crate) pasid: bool,
    /// The queue that it reports page faults to.
    pub(crate) fault_queue: Option<u32>,
    /// Whether nested ones may be on top of it.
    pub(crate) nest_parent: bool,
    /// Made for dirty tracking, which may be on or off.
    pub(crate) tracks_dirty: bool,
    /// What translated interrupts are written to is mapped in it.
    pub(crate) has_doorbell: bool,
    /// Of a device without an IOMMU: nothing goes through it, it says where memory is.
    pub(crate) software: bool,
    /// Its place among the page tables of its IOAS: the one at 0 has the areas for all, as Linux keeps it.
    pub(crate) place: u32,
}

/// How a page table is made.
#[derive(Clone, Copy)]
pub(crate) struct Making {
    pub(crate) automatic: bool,
    /// A mock IOMMU's for huge pages.
    pub(crate) huge: bool,
    /// As [`Hwpt::pasid`].
    pub(crate) pasid: bool,
    /// As [`Hwpt::nest_parent`].
    pub(crate) nest_parent: bool,
    /// As [`Hwpt::tracks_dirty`].
    pub(crate) tracks_dirty: bool,
    /// As [`Hwpt::software`].
    pub(crate) software: bool,
}

impl Making {
    /// By HWPT_ALLOC without flags.
    const BY_REQUEST: Making =
        Making { automatic: false, huge: false, pasid: false, nest_parent: false, tracks_dirty: false, software: false };

    /// By attaching a device to an IOAS; `software` as [`Hwpt::software`].
    pub(crate) fn automatic(software: bool) -> Making {
        Making { automatic: true, software, ..Making::BY_REQUEST }
    }
}

/// HWPT_ALLOC: makes a page table of an IOAS, which is shown all areas at once, or a nested one on top of such a page table.
pub(crate) fn alloc(call: &mut Call) -> Result<()> {
    let mut request = api::HwptAlloc::read(call.bytes()?);
    if request.reserved != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    if (request.data_type == api::HWPT_DATA_NONE) != (request.data_len == 0) {
        return Err(Errno::EINVAL);
    }
    let device = call.context()?.objects.index(request.dev_id, ObjectKind::Device)?;
    let entry = call.kernel.device(device)?;
    let (can_track, software) = (entry.tracks_dirty(call.kernel.hardware.iommu.config()), entry.config.no_iommu);
    let (context, hardware) = call.parts()?;
    let parent = context.objects.get(request.pt_id).map_err(|_| Errno::EINVAL)?;
    let id = match parent.kind {
        ObjectKind::Ioas if software => context.new_software(hardware, parent.index, &request)?,
        ObjectKind::Hwpt if software => return Err(Errno::EOPNOTSUPP),
        ObjectKind::Viommu if software => return Err(Errno::EINVAL),
        ObjectKind::Ioas => context.new_paging(hardware, parent.index, &request, can_track)?,
        ObjectKind::Hwpt => context.new_nested(hardware, parent.index, &request)?,
        ObjectKind::Viommu => context.new_nested_of(hardware, parent.index, &request)?,
        _ => return Err(Errno::EINVAL),
    };
    request.out_hwpt_id = id;
    let mut answer = [0; api::HwptAlloc::SIZE];
    request.write(&mut answer);
    let queue = if request.flags & api::HWPT_FAULT_ID_VALID == 0 { Ok(()) } else { context.report_to(id, request.fault_id) };
    queue.and_then(|()| call.respond(&answer)).inspect_err(|_| {
        // Nobody has learned the id.
        let _ = call.parts().and_then(|(context, hardware)| context.destroy(hardware, id));
    })
}

/// EOPNOTSUPP for what a paging page table cannot do here.
fn check_flags(request: &api::HwptAlloc, config: &IommuConfig, can_track: bool) -> Result<()> {
    const FAULTS_OF_PARENT: u32 = api::HWPT_FAULT_ID_VALID | api::HWPT_ALLOC_NEST_PARENT;
    let tracking = if can_track && !config.remote { api::HWPT_ALLOC_DIRTY_TRACKING } else { 0 };
    const TRACKED_PASIDS: u32 = api::HWPT_ALLOC_PASID | api::HWPT_ALLOC_DIRTY_TRACKING;
    let row = Capabilities::of(config);
    let untracked = request.flags & TRACKED_PASIDS == TRACKED_PASIDS && !row.pasids_track;
    let lacking =
        untracked || request.flags & !(paging_flags(config) | tracking) != 0 || request.flags & FAULTS_OF_PARENT == FAULTS_OF_PARENT;
    let has_data = request.data_len != 0 && !row.paging_data;
    let lacking = lacking || row.parents_alone && request.flags & api::HWPT_ALLOC_NEST_PARENT != 0 && request.flags.count_ones() > 1;
    if lacking || has_data { Err(Errno::EOPNOTSUPP) } else { Ok(()) }
}

impl Context {
    /// HWPT_ALLOC of an IOAS: makes a page table and shows it all areas at once. `can_track`: the device's IOMMU marks what is written to. Returns its
    /// object id. EOPNOTSUPP for what the IOMMU lacks; otherwise as [`Self::add_domain`].
    fn new_paging(&mut self, hardware: &mut Hardware, ioas: u32, request: &api::HwptAlloc, can_track: bool) -> Result<u32> {
        check_flags(request, hardware.iommu.config(), can_track)?;
        let pasid = request.flags & api::HWPT_ALLOC_PASID != 0;
        let nest_parent = request.flags & api::HWPT_ALLOC_NEST_PARENT != 0;
        let tracks_dirty = request.flags & api::HWPT_ALLOC_DIRTY_TRACKING != 0;
        let huge = selftest::wants_huge(hardware, request)?;
        self.new_filled(hardware, ioas, Making { huge, pasid, nest_parent, tracks_dirty, ..Making::BY_REQUEST })
    }

    /// The same for a device without an IOMMU: EOPNOTSUPP for every flag but that of a fault queue, which nothing is ever reported to, and for data.
    fn new_software(&mut self, hardware: &mut Hardware, ioas: u32, request: &api::HwptAlloc) -> Result<u32> {
        if request.flags & !api::HWPT_FAULT_ID_VALID != 0 || request.data_len != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        self.new_filled(hardware, ioas, Making { software: true, ..Making::BY_REQUEST })
    }

    fn new_filled(&mut self, hardware: &mut Hardware, ioas: u32, making: Making) -> Result<u32> {
        let hwpt = self.new_hwpt(hardware, ioas, making)?;
        let id = self.hwpts.get(hwpt).ok_or(Errno::EIO)?.id;
        self.add_domain(hardware, hwpt).inspect_err(|_| {
            // Nobody has learned the id.
            let _ = self.destroy(hardware, id);
        })?;
        Ok(id)
    }

    /// Makes a page table for an IOAS, which does not show it its areas yet. Returns its index.
    pub(crate) fn new_hwpt(&mut self, hardware: &mut Hardware, ioas: u32, making: Making) -> Result<u32> {
        let ioas_id = self.ioases.get(ioas).ok_or(Errno::EIO)?.id;
        let Hardware { iommu, ram, .. } = hardware;
        let domain = match making {
            Making { software: true, .. } => iommu.create_software_domain(ram),
            Making { nest_parent: true, .. } => iommu.create_parent_domain(ram),
            Making { tracks_dirty: true, .. } => iommu.create_second_stage_domain(ram),
            _ => iommu.create_domain(ram),
        }?;
        if making.huge {
            hardware.iommu.make_huge(domain);
        }
        if making.nest_parent {
            hardware.iommu.make_parent(domain);
        }
        let page_sizes = hardware.iommu.page_sizes(domain);
        let smallest_page = page_sizes & page_sizes.wrapping_neg();
        let Making { automatic, pasid, nest_parent, tracks_dirty, software, .. } = making;
        let id = self.objects.next();
        let (fault_queue, has_doorbell, place) = (None, false, 0);
        let hwpt = Hwpt {
            id,
            ioas,
            domain,
            smallest_page,
            automatic,
            pasid,
            fault_queue,
            nest_parent,
            tracks_dirty,
            has_doorbell,
            software,
            place,
        };
        let added = self.hwpts.insert(hwpt).map_err(Errno::from).and_then(|index| {
            self.objects.add(ObjectKind::Hwpt, index).inspect_err(|_| {
                self.hwpts.discard(index);
            })?;
            Ok(index)
        });
        match added {
            Ok(_) => self.objects.hold(ioas_id, 1),
            Err(_) => hardware.iommu.destroy_domain(&mut hardware.ram, domain),
        }
        added
    }

    /// Makes a page table, nested or not, report page faults to a queue, which it holds. ENOENT for no such queue.
    fn report_to(&mut self, id: u32, queue: u32) -> Result<()> {
        let index = self.objects.index(queue, ObjectKind::FaultQueue)?;
        let object = self.objects.get(id)?;
        let place = match object.kind {
            ObjectKind::Nested => &mut self.nested.get_mut(object.index).ok_or(Errno::EIO)?.fault_queue,
            _ => &mut self.hwpts.get_mut(object.index).ok_or(Errno::EIO)?.fault_queue,
        };
        *place = Some(index);
        self.objects.hold(queue, 1);
        Ok(())
    }

    /// The queue that a page table, nested or not, reports page faults to.
    pub(crate) fn fault_queue_of(&self, id: u32) -> Option<u32> {
        let object = self.objects.get(id).ok()?;
        match object.kind {
            ObjectKind::Hwpt => self.hwpts.get(object.index)?.fault_queue,
            ObjectKind::Nested => self.nested.get(object.index)?.fault_queue,
            _ => None,
        }
    }

    /// What goes with the object of a page table that nothing is attached to. Its id is the caller's to give back.
    pub(crate) fn destroy_hwpt(&mut self, hardware: &mut Hardware, index: u32) {
        self.remove_domain(hardware, index);
        let Some(hwpt) = self.hwpts.remove(index) else { return };
        hardware.iommu.destroy_domain(&mut hardware.ram, hwpt.domain);
        if let Some(queue) = hwpt.fault_queue.and_then(|queue| self.fault_queues.get(queue)) {
            self.objects.hold(queue.id, -1);
        }
        if let Some(ioas) = self.ioases.get(hwpt.ioas) {
            self.objects.hold(ioas.id, -1);
        }
    }

    /// Lets go of a page table that a device was attached to. An automatic one is destroyed with its last device.
    pub(crate) fn put_hwpt(&mut self, hardware: &mut Hardware, id: u32) {
        self.objects.hold(id, -1);
        let Ok(object) = self.objects.get(id) else { return };
        let automatic = object.kind == ObjectKind::Hwpt && self.hwpts.get(object.index).is_some_and(|hwpt| hwpt.automatic);
        if object.users == 1 && automatic {
            // It has no holder, so this does not fail.
            let _ = self.destroy(hardware, id);
        }
    }
}
