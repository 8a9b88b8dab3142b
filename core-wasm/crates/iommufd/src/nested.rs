//! Nested page tables as objects: tables of the program's own on top of a page table that was made for that.

use crate::capability::{Capabilities, NestedTables};
use crate::context::Context;
use crate::hardware::Hardware;
use crate::object::ObjectKind;
use crate::selftest;
use crate::smmuv3::Stream;
use iommu::{DomainId, FirstStage, GUESTS, VtdTables};
use uapi::iommufd as api;
use uapi::{Errno, Result};

/// Address widths that VT-d's tables of 4 and of 5 levels have by name.
const WIDTHS: [(u32, u32); 2] = [(48, 4), (57, 5)];

/// Flags that nested page tables take.
const NESTED_FLAGS: u32 = api::HWPT_FAULT_ID_VALID | api::HWPT_ALLOC_PASID;

/// A nested page table. It holds its parent, or its virtual IOMMU.
pub(crate) struct Nested {
    /// Its object id.
    pub(crate) id: u32,
    /// Which page table it is on top of.
    pub(crate) parent: u32,
    /// The virtual IOMMU that it was made of, which it then holds in place of its parent.
    pub(crate) viommu: Option<u32>,
    /// What transfers of attached devices go through.
    pub(crate) domain: DomainId,
    /// Whether PASIDs may be attached to it, and beside it.
    pub(crate) pasid: bool,
    /// The queue that it reports page faults to.
    pub(crate) fault_queue: Option<u32>,
    pub(crate) stage: Stage,
}

/// What is on top.
pub(crate) enum Stage {
    /// Arm's stage 1, or what a guest has in its place. A device comes to it that the guest knows, if that `names_device`.
    Smmuv3 { names_device: bool },
    /// VT-d's first stage: the domain is its own. Without one the IOMMU cannot walk such tables, which nobody can attach to.
    Vtd { walked: bool },
    /// The mock IOMMU's: no tables, but entries of a cache. Its devices make no transfers; the domain is the parent's.
    Mock { iotlb: [u32; selftest::IOTLB] },
}

impl Stage {
    /// EINVAL for tables that the IOMMU cannot walk, which it finds out only here.
    pub(crate) fn check_attach(&self) -> Result<()> {
        match self {
            Stage::Vtd { walked: false } => Err(Errno::EINVAL),
            Stage::Vtd { walked: true } | Stage::Smmuv3 { .. } | Stage::Mock { .. } => Ok(()),
        }
    }
}

impl Context {
    /// HWPT_ALLOC on top of a page table. Returns the object id.
    ///
    /// EOPNOTSUPP for flags, data or types that nested page tables do not have here; EINVAL for a parent that was not made for that, or data of
    /// another length; EFAULT, ENOMEM.
    pub(crate) fn new_nested(&mut self, hardware: &mut Hardware, parent: u32, request: &api::HwptAlloc) -> Result<u32> {
        let config = *hardware.iommu.config();
        let nests = matches!(Capabilities::of(&config).nested, NestedTables::Vtd | NestedTables::Mock) && !config.remote;
        if request.flags & !NESTED_FLAGS != 0 || request.data_len == 0 || !nests {
            return Err(Errno::EOPNOTSUPP);
        }
        let below = self.hwpts.get(parent).ok_or(Errno::EIO)?;
        if below.automatic || !below.nest_parent {
            return Err(Errno::EINVAL);
        }
        self.add_nested(hardware, parent, None, request)
    }

    /// HWPT_ALLOC of a virtual IOMMU. Returns the object id. EOPNOTSUPP, EINVAL, EFAULT, ENOMEM as [`Self::new_nested`], and EIO.
    pub(crate) fn new_nested_of(&mut self, hardware: &mut Hardware, viommu: u32, request: &api::HwptAlloc) -> Result<u32> {
        if request.flags & !NESTED_FLAGS != 0 || request.data_len == 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let parent = self.viommus.get(viommu).ok_or(Errno::EIO)?.parent;
        self.add_nested(hardware, parent, Some(viommu), request)
    }

    fn add_nested(&mut self, hardware: &mut Hardware, parent: u32, viommu: Option<u32>, request: &api::HwptAlloc) -> Result<u32> {
        let config = *hardware.iommu.config();
        let below = self.hwpts.get(parent).ok_or(Errno::EIO)?;
        let (parent_id, parent_domain) = (below.id, below.domain);
        let holds = viommu.and_then(|viommu| self.viommus.get(viommu)).map_or(parent_id, |viommu| viommu.id);
        self.nested.reserve()?;
        let (domain, stage) = match Capabilities::of(&config).nested {
            NestedTables::Mock if selftest::PRESENT => (parent_domain, Stage::Mock { iotlb: selftest::nested_data(hardware, request)? }),
            NestedTables::Smmuv3 if GUESTS => smmuv3_stage(hardware, parent_domain, request)?,
            NestedTables::Vtd => vtd_stage(hardware, parent_domain, request)?,
            _ => return Err(Errno::EOPNOTSUPP),
        };
        let nested = Nested {
            id: self.objects.next(),
            parent,
            viommu,
            domain,
            pasid: request.flags & api::HWPT_ALLOC_PASID != 0,
            fault_queue: None,
            stage,
        };
        let added = self.nested.insert(nested).map_err(Errno::from).and_then(|index| {
            self.objects.add(ObjectKind::Nested, index).inspect_err(|_| {
                self.nested.discard(index);
            })
        });
        match added {
            Ok(_) => self.objects.hold(holds, 1),
            Err(_) => destroy_stage(hardware, domain, parent_domain),
        }
        added
    }

    /// What goes with the object of a nested page table that nothing is attached to. Its id is the caller's to give back.
    pub(crate) fn destroy_nested(&mut self, hardware: &mut Hardware, index: u32) {
        let Some(nested) = self.nested.remove(index) else { return };
        if let Some(queue) = nested.fault_queue.and_then(|queue| self.fault_queues.get(queue)) {
            self.objects.hold(queue.id, -1);
        }
        if let Some(parent) = self.hwpts.get(nested.parent) {
            destroy_stage(hardware, nested.domain, parent.domain);
            let viommu = nested.viommu.and_then(|viommu| self.viommus.get(viommu));
            self.objects.hold(viommu.map_or(parent.id, |viommu| viommu.id), -1);
        }
    }
}

/// The mock IOMMU's nested page tables have no domain of their own.
fn destroy_stage(hardware: &mut Hardware, domain: DomainId, parent: DomainId) {
    if domain != parent {
        hardware.iommu.destroy_nested(&mut hardware.ram, domain);
    }
}

/// Data of Arm: a guest's stream table entry. EOPNOTSUPP for PASIDs, of which it has its own.
fn smmuv3_stage(hardware: &mut Hardware, parent: DomainId, request: &api::HwptAlloc) -> Result<(DomainId, Stage)> {
    if request.flags & api::HWPT_ALLOC_PASID != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let stream = Stream::copy_in(hardware, request)?;
    Ok((hardware.iommu.create_nested(parent, stream.first_stage())?, Stage::Smmuv3 { names_device: stream.names_device() }))
}

/// Data of VT-d: where the tables are, and how they are walked. Nothing but their place is looked at before they are attached.
fn vtd_stage(hardware: &mut Hardware, parent: DomainId, request: &api::HwptAlloc) -> Result<(DomainId, Stage)> {
    if request.data_type != api::HWPT_DATA_VTD_S1 {
        return Err(Errno::EOPNOTSUPP);
    }
    let mut bytes = [0; api::HwptVtdS1::SIZE];
    if request.data_len as usize != bytes.len() {
        return Err(Errno::EINVAL);
    }
    hardware.copy_in(request.data_uptr, &mut bytes)?;
    let data = api::HwptVtdS1::read(&bytes);
    let levels = WIDTHS.iter().find(|(width, _)| *width == data.addr_width).map(|&(_, levels)| levels);
    // This IOMMU takes no requests of supervisors; write protection would concern those alone.
    let walked = levels.is_some() && data.flags & api::VTD_S1_SRE == 0;
    let extended_accessed = data.flags & api::VTD_S1_EAFE != 0;
    let first = FirstStage::Vtd(VtdTables { root: data.pgtbl_addr, levels: levels.unwrap_or(4), extended_accessed });
    Ok((hardware.iommu.create_nested(parent, first)?, Stage::Vtd { walked }))
}
