//! Binding a device_fd to an iommufd, and what closing the fd undoes.

use crate::device::VfioAttachments;
use crate::file::{Bound, File};
use crate::kernel::Kernel;
use crate::object::ObjectKind;
use crate::plug::Plug;
use uapi::size_rule;
use uapi::vfio as api;
use uapi::{Errno, Result};

/// Where the answer is in the struct.
const OUT_DEVID: u64 = 12;

impl Kernel {
    /// BIND_IOMMUFD. On failure the fd stays as it was, and can be bound later.
    pub(crate) fn bind(&mut self, file: u32, argument: u64) -> Result<u32> {
        let mut size = [0; 4];
        self.hardware.copy_in(argument, &mut size)?;
        let extent = size_rule::extent(u32::from_le_bytes(size), api::DeviceBindIommufd::SIZE, api::DeviceBindIommufd::MIN_SIZE)?;
        if extent.tail != 0 {
            self.check_tail(argument, api::DeviceBindIommufd::SIZE as u64, extent.tail as u64)?;
        }
        let mut bytes = [0; api::DeviceBindIommufd::SIZE];
        self.hardware.copy_in(argument, bytes.get_mut(..extent.copy).ok_or(Errno::EIO)?)?;
        let request = api::DeviceBindIommufd::read(&bytes);
        if request.iommufd < 0 || request.flags & !api::DEVICE_BIND_FLAG_TOKEN != 0 {
            return Err(Errno::EINVAL);
        }
        let (device, bound) = self.device_files.get(file).map(|file| (file.device, file.bound)).ok_or(Errno::EIO)?;
        if bound.is_some() {
            return Err(Errno::EINVAL);
        }
        self.check_token(&request)?;
        let context = match self.file(request.iommufd)? {
            File::Iommufd(context) => context,
            _ => return Err(Errno::EBADFD),
        };
        let bound = self.bind_to(file, device, context)?;
        let to = argument.checked_add(OUT_DEVID).ok_or(Errno::EFAULT)?;
        self.hardware.copy_out(to, &bound.id.to_le_bytes()).inspect_err(|_| {
            if let Some(file) = self.device_files.get_mut(file) {
                file.bound = None;
            }
            self.unbind(device, bound);
        })?;
        Ok(0)
    }

    /// The functions have no virtual functions, so that a token is a mistake.
    fn check_token(&mut self, request: &api::DeviceBindIommufd) -> Result<()> {
        if request.flags & api::DEVICE_BIND_FLAG_TOKEN == 0 {
            return Ok(());
        }
        self.hardware.copy_in(request.token_uuid_ptr, &mut [0; 16])?;
        Err(Errno::EINVAL)
    }

    fn bind_to(&mut self, file: u32, device: u32, context: u32) -> Result<Bound> {
        if self.device(device)?.bound.is_some() {
            return Err(Errno::EINVAL);
        }
        if self.device(device)?.config.emulated {
            let bound = self.bind_emulated(device, context)?;
            return self.keep_bound(file, device, bound);
        }
        // The id is taken first, as in Linux, and given back on failure.
        let id = self.context_mut(context)?.objects.add(ObjectKind::Device, device)?;
        let config = self.device(device)?.config;
        let claimed = if config.coherent || config.no_iommu { self.claim_group(device, context) } else { Err(Errno::EINVAL) };
        let claimed = claimed.and_then(|()| self.check_first_reset(device));
        let entry = self.context_mut(context)?;
        if let Err(error) = claimed {
            entry.objects.remove(id);
            return Err(error);
        }
        entry.objects.hold(id, 1);
        entry.files += 1;
        self.keep_bound(file, device, Bound { context, id })
    }

    fn keep_bound(&mut self, file: u32, device: u32, bound: Bound) -> Result<Bound> {
        self.device_mut(device)?.bound = Some(bound);
        self.device_files.get_mut(file).ok_or(Errno::EIO)?.bound = Some(bound);
        Ok(bound)
    }

    /// A device is reset as it is bound. EAGAIN where it can be reset, but leaves: who takes it away holds it. Gives the group back then.
    fn check_first_reset(&mut self, device: u32) -> Result<()> {
        let entry = self.device(device)?;
        if entry.plug == Plug::Present || !entry.config.reset {
            return Ok(());
        }
        self.release_group(device);
        Err(Errno::EAGAIN)
    }

    /// What the end of a bound fd undoes: interrupts, attachment, the object, the claim of the group, the hold on the iommufd. Never fails.
    pub(crate) fn unbind(&mut self, device: u32, bound: Bound) {
        if self.device(device).is_ok_and(|device| device.config.emulated) {
            self.leave_emulated(device, bound);
        } else {
            self.leave_context(device, bound);
        }
        self.put_context(bound.context);
    }

    /// The same without the hold on the iommufd, which a mock device does not have.
    pub(crate) fn leave_context(&mut self, device: u32, bound: Bound) {
        self.disable_irqs(device);
        self.give_up_dmabufs(device);
        self.detach_all(device, bound);
        self.bury_vdevice(bound.context, device);
        if let Ok(context) = self.context_mut(bound.context) {
            context.objects.remove(bound.id);
        }
        self.release_group(device);
        if let Ok(device) = self.device_mut(device) {
            device.bound = None;
            device.vfio = VfioAttachments::default();
            device.log = None;
        }
    }
}
