//! ATTACH and DETACH of a device_fd, with a PASID and without.

use crate::attach::Port;
use crate::file::Bound;
use crate::kernel::Kernel;
use uapi::vfio as api;
use uapi::{Errno, Result};

/// Where the answer of ATTACH is in its struct.
const PT_ID: u64 = 8;
/// −EINVAL: Linux looks a PASID up as a signed number, and takes this error of its search for the PASID that it looked for.
const TAKEN_FOR_ATTACHED: u32 = -22_i32 as u32;

impl Kernel {
    /// ATTACH_IOMMUFD_PT. What is attached it replaces, without a moment between.
    pub(crate) fn attach_request(&mut self, device: u32, bound: Bound, argument: u64) -> Result<u32> {
        let mut bytes = [0; api::DeviceAttachIommufdPt::SIZE];
        self.copy_vfio_struct(argument, &mut bytes, api::DeviceAttachIommufdPt::MIN_SIZE)?;
        let mut request = api::DeviceAttachIommufdPt::read(&bytes);
        if request.flags & !api::DEVICE_ATTACH_PASID != 0 {
            return Err(Errno::EINVAL);
        }
        if self.device(device)?.config.emulated {
            if request.flags & api::DEVICE_ATTACH_PASID != 0 {
                return Err(Errno::EOPNOTSUPP);
            }
            return self.answer_emulated(device, bound, request.pt_id, argument);
        }
        let id = if request.flags & api::DEVICE_ATTACH_PASID == 0 {
            self.attach_plain(device, bound, request.pt_id)?
        } else {
            self.copy_pasid(argument, &mut bytes, request.argsz, api::DeviceAttachIommufdPt::MIN_SIZE)?;
            request = api::DeviceAttachIommufdPt::read(&bytes);
            self.attach_pasid(Port { device, bound, pasid: request.pasid }, request.pt_id)?
        };
        let to = argument.checked_add(PT_ID).ok_or(Errno::EFAULT)?;
        // As in Linux it is the transfers without a PASID that are detached, whichever were attached.
        self.hardware.copy_out(to, &id.to_le_bytes()).inspect_err(|_| self.detach_plain(device, bound))?;
        Ok(0)
    }

    /// The IOAS that was asked for is the answer; without an answer the device is detached.
    fn answer_emulated(&mut self, device: u32, bound: Bound, pt_id: u32, argument: u64) -> Result<u32> {
        let id = self.attach_emulated(device, bound, pt_id)?;
        let to = argument.checked_add(PT_ID).ok_or(Errno::EFAULT)?;
        if let Err(error) = self.hardware.copy_out(to, &id.to_le_bytes()) {
            self.detach_emulated(device, bound)?;
            return Err(error);
        }
        Ok(0)
    }

    fn attach_plain(&mut self, device: u32, bound: Bound, pt_id: u32) -> Result<u32> {
        let port = Port::plain(device, bound);
        let id = if self.device(device)?.vfio.plain { self.replace(port, pt_id)? } else { self.attach(port, pt_id)? };
        self.device_mut(device)?.vfio.plain = true;
        Ok(id)
    }

    fn attach_pasid(&mut self, port: Port, pt_id: u32) -> Result<u32> {
        let Port { device, pasid, .. } = port;
        let pasids = &mut self.device_mut(device)?.vfio.pasids;
        if pasids.contains(&pasid) || pasid == TAKEN_FOR_ATTACHED {
            return self.replace(port, pt_id);
        }
        if pasid > i32::MAX as u32 {
            return Err(Errno::ENOSPC);
        }
        pasids.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let id = self.attach(port, pt_id)?;
        self.device_mut(device)?.vfio.pasids.push(pasid);
        Ok(id)
    }

    /// DETACH_IOMMUFD_PT. Detaching what is not attached is no error.
    pub(crate) fn detach_request(&mut self, device: u32, bound: Bound, argument: u64) -> Result<u32> {
        let mut bytes = [0; api::DeviceDetachIommufdPt::SIZE];
        self.copy_vfio_struct(argument, &mut bytes, api::DeviceDetachIommufdPt::MIN_SIZE)?;
        let request = api::DeviceDetachIommufdPt::read(&bytes);
        if request.flags & !api::DEVICE_DETACH_PASID != 0 {
            return Err(Errno::EINVAL);
        }
        if self.device(device)?.config.emulated {
            return if request.flags == 0 { self.detach_emulated(device, bound).map(|()| 0) } else { Err(Errno::EOPNOTSUPP) };
        }
        if request.flags & api::DEVICE_DETACH_PASID == 0 {
            self.detach_plain(device, bound);
            return Ok(0);
        }
        self.copy_pasid(argument, &mut bytes, request.argsz, api::DeviceDetachIommufdPt::MIN_SIZE)?;
        let pasid = api::DeviceDetachIommufdPt::read(&bytes).pasid;
        let pasids = &mut self.device_mut(device)?.vfio.pasids;
        if let Some(at) = pasids.iter().position(|&attached| attached == pasid) {
            pasids.swap_remove(at);
            self.detach(Port { device, bound, pasid });
        }
        Ok(0)
    }

    fn detach_plain(&mut self, device: u32, bound: Bound) {
        let Ok(entry) = self.device_mut(device) else { return };
        if core::mem::take(&mut entry.vfio.plain) {
            self.detach(Port::plain(device, bound));
        }
    }

    /// Copies the rest of a struct, which ends with a PASID.
    fn copy_pasid(&mut self, argument: u64, bytes: &mut [u8], argsz: u32, minimum: usize) -> Result<()> {
        if (argsz as usize) < bytes.len() {
            return Err(Errno::EINVAL);
        }
        let from = argument.checked_add(minimum as u64).ok_or(Errno::EFAULT)?;
        let rest = bytes.get_mut(minimum..).ok_or(Errno::EIO)?;
        self.hardware.copy_in(from, rest)
    }
}
