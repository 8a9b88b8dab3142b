//! Hot plug: devices that leave the machine and come back.
//!
//! A device whose fds are open leaves in two steps, as a driver's removal does in Linux: from the request on nobody opens it any more, but
//! files that are open go on working until their program closes them. The last one lets it go.

use crate::kernel::Kernel;
use uapi::vfio as api;
use uapi::{Errno, Result};

/// Whether a device is in its slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Plug {
    #[default]
    Present,
    /// It cannot be opened; files that are open keep it.
    Leaving,
    /// It is not there. Its number stays its own.
    Gone,
}

impl Kernel {
    /// A device is asked to leave: it cannot be opened from now on, and programs that listen for the request are told. Returns its state as
    /// [`Kernel::plug_state`] does. EINVAL unless it is there.
    pub fn unplug(&mut self, device: u32) -> Result<u32> {
        let entry = self.device_mut(device)?;
        if entry.plug != Plug::Present || entry.mock.is_some() {
            return Err(Errno::EINVAL);
        }
        entry.plug = if entry.open_files == 0 { Plug::Gone } else { Plug::Leaving };
        self.raise(device, api::PCI_REQ_IRQ_INDEX, 0)?;
        Ok(self.plug_state(device))
    }

    /// A device that is gone comes back, as new. EINVAL unless it is gone.
    pub fn plug(&mut self, device: u32) -> Result<u32> {
        let entry = self.device_mut(device)?;
        if entry.plug != Plug::Gone {
            return Err(Errno::EINVAL);
        }
        entry.plug = Plug::Present;
        Ok(0)
    }

    /// What became of the last request to give a device back: 0 nobody listens for it, 1 it was told and nobody has looked, 2 nothing is
    /// left to be looked at.
    pub fn request_state(&self, device: u32) -> u32 {
        let Some(eventfd) = self.device(device).ok().and_then(|device| device.irqs.request) else { return 0 };
        if self.eventfds.get(eventfd).is_some_and(|eventfd| eventfd.count != 0) { 1 } else { 2 }
    }

    /// Whether a device is there: 0 it is not, 1 it leaves once its files are closed, 2 it is.
    pub fn plug_state(&self, device: u32) -> u32 {
        match self.device(device).map(|device| device.plug) {
            Ok(Plug::Present) => 2,
            Ok(Plug::Leaving) => 1,
            Ok(Plug::Gone) | Err(_) => 0,
        }
    }
}
