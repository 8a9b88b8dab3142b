//! Virtual IOMMUs: a guest's share of an IOMMU, on top of a page table that was made to be a parent. VIOMMU_ALLOC.
//!
//! The mock IOMMU has them here, and an SMMUv3 with both stages. Intel's driver in Linux has none, AMD's has them where the kernel was built with
//! CONFIG_AMD_IOMMU_IOMMUFD, which this one was not.

use crate::capability::Capabilities;
use crate::context::Context;
use crate::hardware::Hardware;
use crate::object::ObjectKind;
use crate::request::Call;
use crate::selftest;
use iommu::{GUESTS, MemFile};
use uapi::iommufd as api;
use uapi::selftest::VIOMMU_TYPE_SELFTEST;
use uapi::{Errno, Result};

/// A virtual IOMMU. It holds its parent; what is made of it holds it.
pub(crate) struct Viommu {
    /// Its object id.
    pub(crate) id: u32,
    /// The page table that it is on top of.
    pub(crate) parent: u32,
    /// Memory that the program can map, with the offset in the iommufd.
    pub(crate) memory: Option<(MemFile, u64)>,
    /// What the mock IOMMU has noted of queues for hardware.
    pub(crate) hw_queues: selftest::HwQueues,
}

/// VIOMMU_ALLOC. All or nothing.
pub(crate) fn alloc(call: &mut Call) -> Result<()> {
    let mut request = api::ViommuAlloc::read(call.bytes()?);
    if request.flags != 0 || request.r#type == api::VIOMMU_TYPE_DEFAULT {
        return Err(Errno::EOPNOTSUPP);
    }
    let device = call.context()?.objects.index(request.dev_id, ObjectKind::Device)?;
    let no_iommu = call.kernel.device(device)?.config.no_iommu;
    let (context, hardware) = call.parts()?;
    let config = hardware.iommu.config();
    if !GUESTS || no_iommu || config.remote || request.r#type != Capabilities::of(config).viommu {
        return Err(Errno::EOPNOTSUPP);
    }
    let parent = context.objects.index(request.hwpt_id, ObjectKind::Hwpt)?;
    if !context.hwpts.get(parent).ok_or(Errno::EIO)?.nest_parent {
        return Err(Errno::EINVAL);
    }
    let id = context.new_viommu(parent)?;
    request.out_viommu_id = id;
    let mut answer = [0; api::ViommuAlloc::SIZE];
    request.write(&mut answer);
    // That of an SMMUv3 takes no data, whatever there is.
    let has_memory = selftest::PRESENT && request.r#type == VIOMMU_TYPE_SELFTEST && request.data_len != 0;
    let given = if !has_memory { Ok(()) } else { selftest::give_memory(context, hardware, id, &request) };
    given.and_then(|()| call.respond(&answer)).inspect_err(|_| {
        // Nobody has learned the id.
        let _ = call.parts().and_then(|(context, hardware)| context.destroy(hardware, id));
    })
}

impl Context {
    /// The virtual IOMMU with this object id. ENOENT.
    pub(crate) fn viommu(&self, id: u32) -> Result<(u32, &Viommu)> {
        if !GUESTS {
            return Err(Errno::ENOENT);
        }
        let index = self.objects.index(id, ObjectKind::Viommu)?;
        Ok((index, self.viommus.get(index).ok_or(Errno::EIO)?))
    }

    fn new_viommu(&mut self, parent: u32) -> Result<u32> {
        let parent_id = self.hwpts.get(parent).ok_or(Errno::EIO)?.id;
        let index = self.viommus.insert(Viommu { id: self.objects.next(), parent, memory: None, hw_queues: [None; _] })?;
        let id = self.objects.add(ObjectKind::Viommu, index).inspect_err(|_| {
            self.viommus.discard(index);
        })?;
        self.objects.hold(parent_id, 1);
        Ok(id)
    }

    /// Whether the program has memory of a virtual IOMMU mapped, which keeps the object.
    pub(crate) fn is_mapped(&self, hardware: &Hardware, viommu: u32) -> bool {
        let memory = self.viommus.get(viommu).and_then(|viommu| viommu.memory.as_ref());
        memory.is_some_and(|(file, _)| file.is_used(&hardware.ram))
    }

    /// What goes with the object of a virtual IOMMU that nothing holds.
    pub(crate) fn destroy_viommu(&mut self, hardware: &mut Hardware, index: u32) {
        let Some(viommu) = self.viommus.remove(index) else { return };
        if let Some((file, _)) = viommu.memory {
            file.close(&mut hardware.ram);
        }
        if let Some(parent) = self.hwpts.get(viommu.parent) {
            self.objects.hold(parent.id, -1);
        }
    }
}
