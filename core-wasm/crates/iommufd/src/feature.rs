//! FEATURE of a device_fd: which features there are, and the checks that all have in common.
//!
//! Of Linux's `drivers/vfio/vfio_main.c`. A device that keeps a log has DMA_LOGGING, of which vfio-pci's own devices have none (ENOTTY); every PCI function
//! has DMA_BUF.

use crate::kernel::Kernel;
use uapi::vfio as api;
use uapi::{Errno, Result};

/// Bytes before the data of a feature.
const HEADER: u64 = api::DeviceFeature::SIZE as u64;
const OPERATIONS: u32 = api::DEVICE_FEATURE_GET | api::DEVICE_FEATURE_SET;

impl Kernel {
    /// FEATURE. EINVAL for operations that do not go together, ENOTTY for a feature that the device does not have; and what the feature answers.
    pub(crate) fn feature(&mut self, device: u32, argument: u64) -> Result<u32> {
        let mut bytes = [0; api::DeviceFeature::SIZE];
        let argsz = self.copy_vfio_struct(argument, &mut bytes, api::DeviceFeature::MIN_SIZE)?;
        let flags = api::DeviceFeature::read(&bytes).flags;
        let unknown = flags & !(api::DEVICE_FEATURE_MASK | OPERATIONS | api::DEVICE_FEATURE_PROBE) != 0;
        let both = flags & OPERATIONS == OPERATIONS && flags & api::DEVICE_FEATURE_PROBE == 0;
        if unknown || both {
            return Err(Errno::EINVAL);
        }
        let feature = flags & api::DEVICE_FEATURE_MASK;
        let (operation, size) = self.feature_of(device, feature)?;
        if flags & OPERATIONS & !operation != 0 {
            return Err(Errno::EINVAL);
        }
        if flags & api::DEVICE_FEATURE_PROBE != 0 {
            return Ok(0);
        }
        if flags & OPERATIONS == 0 || (argsz as usize) < api::DeviceFeature::SIZE + size {
            return Err(Errno::EINVAL);
        }
        let data = argument.checked_add(HEADER).ok_or(Errno::EFAULT)?;
        match feature {
            api::DEVICE_FEATURE_DMA_LOGGING_START => self.start_log(device, data)?,
            api::DEVICE_FEATURE_DMA_LOGGING_STOP => self.device_mut(device)?.log = None,
            api::DEVICE_FEATURE_DMA_BUF => return self.export_bar(device, data),
            _ => self.report_log(device, data)?,
        }
        Ok(0)
    }

    /// What can be done with a feature, GET or SET, and the bytes of its data. ENOTTY.
    fn feature_of(&self, device: u32, feature: u32) -> Result<(u32, usize)> {
        let config = &self.device(device)?.config;
        Ok(match feature {
            api::DEVICE_FEATURE_DMA_LOGGING_START if config.logs_dma => (api::DEVICE_FEATURE_SET, api::DmaLoggingControl::SIZE),
            api::DEVICE_FEATURE_DMA_LOGGING_STOP if config.logs_dma => (api::DEVICE_FEATURE_SET, 0),
            api::DEVICE_FEATURE_DMA_LOGGING_REPORT if config.logs_dma => (api::DEVICE_FEATURE_GET, api::DmaLoggingReport::SIZE),
            // The driver of an emulated device has no such memory.
            api::DEVICE_FEATURE_DMA_BUF if !config.emulated => (api::DEVICE_FEATURE_GET, api::DmaBuf::SIZE),
            _ => return Err(Errno::ENOTTY),
        })
    }
}
