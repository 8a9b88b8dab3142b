//! Page tables of an IOAS as objects.

use crate::context::Context;
use crate::hardware::Hardware;
use crate::object::ObjectKind;
use crate::request::Call;
use crate::selftest;
use iommu::{DomainId, IommuConfig, Kind};
use uapi::iommufd as api;
use uapi::{Errno, Result};

const KNOWN_FLAGS: u32 = api::HWPT_ALLOC_NEST_PARENT | api::HWPT_ALLOC_DIRTY_TRACKING | api::HWPT_FAULT_ID_VALID | api::HWPT_ALLOC_PASID;

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
}

/// How a page table is made.
#[derive(Clone, Copy)]
pub(crate) struct Making {
    pub(crate) automatic: bool,
    /// A mock IOMMU's for huge pages.
    pub(crate) huge: bool,
    /// As [`Hwpt::pasid`].
    pub(crate) pasid: bool,
}

impl Making {
    /// By attaching to an IOAS.
    pub(crate) const AUTOMATIC: Making = Making { automatic: true, huge: false, pasid: false };
}

/// HWPT_ALLOC: makes a page table and shows it all areas of the IOAS at once. Nested types answer as on an IOMMU without nesting.
pub(crate) fn alloc(call: &mut Call) -> Result<()> {
    let mut request = api::HwptAlloc::read(call.bytes()?);
    if request.reserved != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    if (request.data_type == api::HWPT_DATA_NONE) != (request.data_len == 0) {
        return Err(Errno::EINVAL);
    }
    let (context, hardware) = call.parts()?;
    context.objects.index(request.dev_id, ObjectKind::Device)?;
    let parent = context.objects.get(request.pt_id).map_err(|_| Errno::EINVAL)?;
    match parent.kind {
        ObjectKind::Ioas => check_flags(&request, hardware.iommu.config())?,
        ObjectKind::Hwpt => return Err(refuse_nested(&request, hardware.iommu.config())),
        ObjectKind::Device | ObjectKind::FaultQueue | ObjectKind::Selftest | ObjectKind::Reserved => return Err(Errno::EINVAL),
    }
    let pasid = request.flags & api::HWPT_ALLOC_PASID != 0;
    let making = Making { automatic: false, huge: selftest::wants_huge(hardware, &request)?, pasid };
    let hwpt = context.new_hwpt(hardware, parent.index, making)?;
    let id = context.hwpts.get(hwpt).ok_or(Errno::EIO)?.id;
    request.out_hwpt_id = id;
    let mut answer = [0; api::HwptAlloc::SIZE];
    request.write(&mut answer);
    let filled = context.add_domain(hardware, hwpt);
    let queue = filled
        .and_then(|()| if request.flags & api::HWPT_FAULT_ID_VALID == 0 { Ok(()) } else { context.report_to(hwpt, request.fault_id) });
    queue.and_then(|()| call.respond(&answer)).inspect_err(|_| {
        // Nobody has learned the id.
        let _ = call.parts().and_then(|(context, hardware)| context.destroy(hardware, id));
    })
}

/// EOPNOTSUPP for what a paging page table cannot do here.
fn check_flags(request: &api::HwptAlloc, config: &IommuConfig) -> Result<()> {
    let unknown = request.flags & !KNOWN_FLAGS != 0;
    let lacking = request.flags & (api::HWPT_ALLOC_NEST_PARENT | api::HWPT_ALLOC_DIRTY_TRACKING) != 0;
    // AMD's first page table format has no PASIDs; VT-d takes the flag whether or not a device has them.
    let no_pasid = request.flags & api::HWPT_ALLOC_PASID != 0 && config.kind == Kind::AmdV1;
    // The mock IOMMU alone takes data.
    let has_data = request.data_len != 0 && config.kind != Kind::AmdMock;
    // The interface to a remote IOMMU has page tables without any option.
    let no_option = request.flags != 0 && config.remote;
    if unknown || lacking || no_pasid || no_option || has_data { Err(Errno::EOPNOTSUPP) } else { Ok(()) }
}

/// Why there is no page table on top of another one. VT-d's driver could make one, and then looks at the parent, which is never made for that;
/// AMD's makes them through a virtual IOMMU only.
fn refuse_nested(request: &api::HwptAlloc, config: &IommuConfig) -> Errno {
    const NESTED_FLAGS: u32 = api::HWPT_FAULT_ID_VALID | api::HWPT_ALLOC_PASID;
    let unknown = request.flags & !NESTED_FLAGS != 0 || request.data_len == 0;
    if unknown || config.kind == Kind::AmdV1 || config.remote { Errno::EOPNOTSUPP } else { Errno::EINVAL }
}

impl Context {
    /// Makes a page table for an IOAS, which does not show it its areas yet. Returns its index.
    pub(crate) fn new_hwpt(&mut self, hardware: &mut Hardware, ioas: u32, making: Making) -> Result<u32> {
        let ioas_id = self.ioases.get(ioas).ok_or(Errno::EIO)?.id;
        let domain = hardware.iommu.create_domain(&mut hardware.ram)?;
        if making.huge {
            hardware.iommu.make_huge(domain);
        }
        let page_sizes = hardware.iommu.page_sizes(domain);
        let smallest_page = page_sizes & page_sizes.wrapping_neg();
        let Making { automatic, pasid, .. } = making;
        let hwpt = Hwpt { id: self.objects.next(), ioas, domain, smallest_page, automatic, pasid, fault_queue: None };
        let added = self.hwpts.insert(hwpt).map_err(Errno::from).and_then(|index| {
            self.objects.add(ObjectKind::Hwpt, index).inspect_err(|_| {
                self.hwpts.remove(index);
            })?;
            Ok(index)
        });
        match added {
            Ok(_) => self.objects.hold(ioas_id, 1),
            Err(_) => hardware.iommu.destroy_domain(&mut hardware.ram, domain),
        }
        added
    }

    /// Makes a page table report page faults to a queue, which it holds. ENOENT for no such queue.
    fn report_to(&mut self, hwpt: u32, queue: u32) -> Result<()> {
        let index = self.objects.index(queue, ObjectKind::FaultQueue)?;
        self.hwpts.get_mut(hwpt).ok_or(Errno::EIO)?.fault_queue = Some(index);
        self.objects.hold(queue, 1);
        Ok(())
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
        if object.users == 1 && self.hwpts.get(object.index).is_some_and(|hwpt| hwpt.automatic) {
            // It has no holder, so this does not fail.
            let _ = self.destroy(hardware, id);
        }
    }
}
