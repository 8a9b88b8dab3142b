//! Virtual devices: what a guest calls a device that is bound. VDEVICE_ALLOC.

use crate::context::Context;
use crate::kernel::Kernel;
use crate::object::ObjectKind;
use crate::request::Call;
use uapi::iommufd as api;
use uapi::{Errno, Result};

/// A virtual device. It holds its virtual IOMMU, and goes with its device, which has one at most.
pub(crate) struct Vdevice {
    /// Its object id.
    pub(crate) id: u32,
    pub(crate) viommu: u32,
    pub(crate) device: u32,
    /// What the guest calls the device: another of no other device of that virtual IOMMU.
    pub(crate) virt_id: u64,
}

/// VDEVICE_ALLOC. ENOENT for no such virtual IOMMU or device, EINVAL for one behind no IOMMU, EEXIST if the device has one or the number is another's.
pub(crate) fn alloc(call: &mut Call) -> Result<()> {
    let mut request = api::VdeviceAlloc::read(call.bytes()?);
    let context = call.context()?;
    let (viommu, _) = context.viommu(request.viommu_id)?;
    let device = context.objects.index(request.dev_id, ObjectKind::Device)?;
    if call.kernel.device(device)?.config.no_iommu {
        return Err(Errno::EINVAL);
    }
    let context = call.context()?;
    let taken =
        context.vdevices.iter().any(|(_, other)| other.device == device || (other.viommu, other.virt_id) == (viommu, request.virt_id));
    if taken {
        return Err(Errno::EEXIST);
    }
    let vdevice = Vdevice { id: context.objects.next(), viommu, device, virt_id: request.virt_id };
    let index = context.vdevices.insert(vdevice)?;
    let id = context.objects.add(ObjectKind::Vdevice, index).inspect_err(|_| {
        context.vdevices.discard(index);
    })?;
    context.objects.hold(request.viommu_id, 1);
    request.out_vdevice_id = id;
    let mut answer = [0; api::VdeviceAlloc::SIZE];
    request.write(&mut answer);
    call.respond(&answer).inspect_err(|_| {
        // Nobody has learned the id.
        if let Ok(context) = call.context() {
            context.destroy_vdevice(index);
            context.objects.remove(id);
        }
    })
}

impl Context {
    /// What goes with the object of a virtual device. Its id is the caller's to give back.
    pub(crate) fn destroy_vdevice(&mut self, index: u32) {
        let Some(vdevice) = self.vdevices.remove(index) else { return };
        if let Some(viommu) = self.viommus.get(vdevice.viommu) {
            self.objects.hold(viommu.id, -1);
        }
    }

    /// What a guest of a virtual IOMMU calls a device.
    pub(crate) fn virt_id(&self, viommu: u32, device: u32) -> Option<u64> {
        let of = |vdevice: &Vdevice| vdevice.viommu == viommu && vdevice.device == device;
        self.vdevices.iter().find(|(_, vdevice)| of(vdevice)).map(|(_, vdevice)| vdevice.virt_id)
    }
}

impl Kernel {
    /// The device is about to go, and its virtual device with it. As in Linux the id of that stays taken until the iommufd is closed.
    pub(crate) fn bury_vdevice(&mut self, context: u32, device: u32) {
        let Ok(context) = self.context_mut(context) else { return };
        let Some((index, id)) =
            context.vdevices.iter().find(|(_, vdevice)| vdevice.device == device).map(|(index, vdevice)| (index, vdevice.id))
        else {
            return;
        };
        context.destroy_vdevice(index);
        context.objects.bury(id);
    }
}
