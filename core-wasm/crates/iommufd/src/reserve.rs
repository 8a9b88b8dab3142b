//! The IOVAs that no mapping may use while a device is attached: reserved in the IOAS that its transfers without a PASID go through.

use crate::domains::Reserver;
use crate::kernel::Kernel;
use iommu::NO_PASID;
use uapi::{Errno, Result};

impl Kernel {
    /// Reserves a device's ranges in an IOAS. EADDRINUSE, ENOMEM. All or nothing.
    pub(crate) fn reserve_for(&mut self, device: u32, context: u32, ioas: u32) -> Result<()> {
        let Kernel { devices, contexts, .. } = self;
        let device_entry = devices.get(device as usize).ok_or(Errno::EIO)?;
        let ioas = contexts.get_mut(context).and_then(|context| context.ioases.get_mut(ioas)).ok_or(Errno::EIO)?;
        for range in device_entry.reserved_ranges() {
            if let Err(error) = ioas.reserve(range, Reserver::Device(device)) {
                ioas.release(Reserver::Device(device));
                return Err(error);
            }
        }
        Ok(())
    }

    pub(crate) fn release_for(&mut self, device: u32, context: u32, ioas: u32) {
        if let Some(ioas) = self.contexts.get_mut(context).and_then(|context| context.ioases.get_mut(ioas)) {
            ioas.release(Reserver::Device(device));
        }
    }

    /// Reserves the ranges of all attached devices of a set. All or nothing.
    pub(crate) fn reserve_for_set(&mut self, set: u32, context: u32, ioas: u32) -> Result<()> {
        for position in 0.. {
            let Some(device) = self.attached_member(set, position) else { break };
            if let Err(error) = self.reserve_for(device, context, ioas) {
                self.release_for_set(set, context, ioas);
                return Err(error);
            }
        }
        Ok(())
    }

    pub(crate) fn release_for_set(&mut self, set: u32, context: u32, ioas: u32) {
        for position in 0.. {
            let Some(device) = self.attached_member(set, position) else { break };
            self.release_for(device, context, ioas);
        }
    }

    /// The attached member of a set at this position; `None` beyond the last.
    fn attached_member(&self, set: u32, position: usize) -> Option<u32> {
        self.sets.get(set as usize)?.attachment(NO_PASID)?.devices.get(position).copied()
    }
}
