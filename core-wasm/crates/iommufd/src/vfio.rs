//! Requests of a device_fd.

use crate::kernel::{HOST_RESET, Kernel};
use crate::plug::Plug;
use uapi::simulated as private;
use uapi::size_rule;
use uapi::vfio as api;
use uapi::{Errno, Result};

/// The regions lie one after the other in the file, each this many bits wide.
const REGION_OFFSET_LG2: u32 = 40;

impl Kernel {
    /// One request to a device_fd. Before it is bound there is only BIND, and our label.
    pub(crate) fn device_ioctl(&mut self, file: u32, request: u32, argument: u64) -> Result<u32> {
        if request == api::DEVICE_BIND_IOMMUFD {
            return self.bind(file, argument);
        }
        let (device, bound) = self.device_files.get(file).map(|file| (file.device, file.bound)).ok_or(Errno::EIO)?;
        if request == private::SIMULATED_DEVICE_SET_LABEL {
            return self.set_label(device, argument);
        }
        let bound = bound.ok_or(Errno::EINVAL)?;
        match request {
            api::DEVICE_ATTACH_IOMMUFD_PT => self.attach_request(device, bound, argument),
            api::DEVICE_DETACH_IOMMUFD_PT => self.detach_request(device, bound, argument),
            api::DEVICE_GET_INFO => self.get_info(device, argument),
            api::DEVICE_GET_REGION_INFO => self.get_region_info(device, argument),
            api::DEVICE_GET_IRQ_INFO => self.get_irq_info(device, argument),
            api::DEVICE_SET_IRQS => self.set_irqs(device, argument),
            api::DEVICE_RESET => self.reset(device),
            api::DEVICE_GET_PCI_HOT_RESET_INFO => self.hot_reset_info(device, bound, argument),
            api::DEVICE_PCI_HOT_RESET => self.hot_reset(device, bound, argument),
            api::DEVICE_FEATURE => self.feature(device, argument),
            _ => Err(Errno::ENOTTY),
        }
    }

    /// GET_INFO.
    fn get_info(&mut self, device: u32, argument: u64) -> Result<u32> {
        let mut bytes = [0; api::DeviceInfo::SIZE];
        let argsz = self.copy_vfio_struct(argument, &mut bytes, api::DeviceInfo::MIN_SIZE)?;
        let reset = if self.device(device)?.config.reset { api::DEVICE_FLAGS_RESET } else { 0 };
        let info = api::DeviceInfo {
            argsz,
            flags: api::DEVICE_FLAGS_PCI | reset,
            num_regions: api::PCI_NUM_REGIONS,
            num_irqs: api::PCI_NUM_IRQS,
            ..api::DeviceInfo::default()
        };
        info.write(&mut bytes);
        let length = bytes.len().min(argsz as usize);
        self.hardware.copy_out(argument, &bytes[..length])?;
        Ok(0)
    }

    /// GET_REGION_INFO.
    fn get_region_info(&mut self, device: u32, argument: u64) -> Result<u32> {
        let mut bytes = [0; api::RegionInfo::SIZE];
        self.copy_vfio_struct(argument, &mut bytes, api::RegionInfo::MIN_SIZE)?;
        let mut info = api::RegionInfo::read(&bytes);
        let region = *self.device(device)?.regions.get(info.index as usize).ok_or(Errno::EINVAL)?;
        if info.index == api::PCI_VGA_REGION_INDEX && region.size == 0 {
            return Err(Errno::EINVAL);
        }
        info.offset = u64::from(info.index) << REGION_OFFSET_LG2;
        info.size = region.size;
        info.flags = if region.size == 0 { 0 } else { region.flags };
        info.write(&mut bytes);
        self.hardware.copy_out(argument, &bytes)?;
        Ok(0)
    }

    /// GET_IRQ_INFO.
    fn get_irq_info(&mut self, device: u32, argument: u64) -> Result<u32> {
        let mut bytes = [0; api::IrqInfo::SIZE];
        self.copy_vfio_struct(argument, &mut bytes, api::IrqInfo::MIN_SIZE)?;
        let mut info = api::IrqInfo::read(&bytes);
        let irq = *self.device(device)?.irq_configs.get(info.index as usize).ok_or(Errno::EINVAL)?;
        info.count = irq.count;
        info.flags = api::IRQ_INFO_EVENTFD
            | match info.index {
                api::PCI_INTX_IRQ_INDEX => api::IRQ_INFO_MASKABLE | api::IRQ_INFO_AUTOMASKED,
                // Who has no vectors cannot get any.
                api::PCI_MSIX_IRQ_INDEX if irq.count > 0 => irq.flags & api::IRQ_INFO_NORESIZE,
                _ => api::IRQ_INFO_NORESIZE,
            };
        info.write(&mut bytes);
        self.hardware.copy_out(argument, &bytes)?;
        Ok(0)
    }

    /// RESET. EINVAL for a device that cannot be reset, EAGAIN for one that leaves. The host resets the model; its pin is low then. Either way dma-bufs
    /// of its BARs lose what is mapped.
    fn reset(&mut self, device: u32) -> Result<u32> {
        if !self.device(device)?.config.reset {
            return Err(Errno::EINVAL);
        }
        self.interrupt_dmabufs(device);
        let entry = self.device_mut(device)?;
        if entry.plug != Plug::Present {
            return Err(Errno::EAGAIN);
        }
        entry.irqs.asserted = false;
        Ok(HOST_RESET | device)
    }

    /// SIMULATED_DEVICE_SET_LABEL: what fault records of this device carry. Linux does not know it.
    fn set_label(&mut self, device: u32, argument: u64) -> Result<u32> {
        let mut bytes = [0; private::SimulatedDeviceSetLabel::SIZE];
        let argsz = self.copy_vfio_struct(argument, &mut bytes, private::SimulatedDeviceSetLabel::MIN_SIZE)?;
        let request = private::SimulatedDeviceSetLabel::read(&bytes);
        let extent = size_rule::extent(argsz, bytes.len(), bytes.len())?;
        self.check_tail(argument, bytes.len() as u64, extent.tail as u64)?;
        if request.flags != 0 {
            return Err(Errno::EINVAL);
        }
        self.hardware.iommu.set_label(device, Some(request.label));
        Ok(0)
    }

    /// Copies the first `minimum` bytes of a request's struct, as VFIO's requests do before they look at its size. Returns that size.
    /// EFAULT, EINVAL if it is smaller.
    pub(crate) fn copy_vfio_struct(&mut self, argument: u64, bytes: &mut [u8], minimum: usize) -> Result<u32> {
        let start = bytes.get_mut(..minimum).ok_or(Errno::EIO)?;
        self.hardware.copy_in(argument, start)?;
        let argsz = start.first_chunk().copied().map_or(0, u32::from_le_bytes);
        if (argsz as usize) < minimum { Err(Errno::EINVAL) } else { Ok(argsz) }
    }
}
