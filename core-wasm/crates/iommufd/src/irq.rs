//! Interrupts of a device: from the device's signal to the eventfd of a program.

use crate::kernel::Kernel;
use alloc::vec::Vec;
use uapi::vfio as api;
use uapi::{Errno, Result};

/// Which interrupts a program has enabled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Mode {
    #[default]
    None,
    Intx,
    Msi,
    Msix,
}

impl Mode {
    /// By VFIO's index.
    pub(crate) fn from_index(index: u32) -> Mode {
        match index {
            api::PCI_INTX_IRQ_INDEX => Mode::Intx,
            api::PCI_MSI_IRQ_INDEX => Mode::Msi,
            api::PCI_MSIX_IRQ_INDEX => Mode::Msix,
            _ => Mode::None,
        }
    }
}

/// State of a device's interrupts. Eventfds are held.
#[derive(Default)]
pub(crate) struct Irqs {
    pub(crate) mode: Mode,
    /// MSI and MSI-X: by vector, what it signals.
    pub(crate) vectors: Vec<Option<u32>>,
    /// INTx: what it signals.
    pub(crate) trigger: Option<u32>,
    /// INTx: what unmasks it.
    pub(crate) unmask: Option<u32>,
    /// INTx: nothing is signalled.
    pub(crate) masked: bool,
    /// INTx: the device asserts the pin.
    pub(crate) asserted: bool,
    pub(crate) error: Option<u32>,
    pub(crate) request: Option<u32>,
}

/// The device's side of interrupts. EINVAL for a device that is not there.
impl Kernel {
    /// A device signals interrupt `vector` of VFIO's index: 0 asserts the INTx pin, 1 and 2 send a message, 3 is an error, 4 the machine's
    /// wish to have the device back. Returns 1 if a program was told, 0 if it has not enabled that interrupt or has masked it, or the message that it
    /// is does not get through the IOMMU.
    pub fn raise(&mut self, device: u32, index: u32, vector: u32) -> Result<u32> {
        let irqs = &mut self.device_mut(device)?.irqs;
        match Mode::from_index(index) {
            Mode::None => {
                let trigger = match index {
                    api::PCI_ERR_IRQ_INDEX => irqs.error,
                    api::PCI_REQ_IRQ_INDEX => irqs.request,
                    _ => return Err(Errno::EINVAL),
                };
                let Some(eventfd) = trigger else { return Ok(0) };
                self.signal(eventfd);
                Ok(1)
            }
            Mode::Intx => {
                irqs.asserted = true;
                Ok(u32::from(self.deliver_intx(device)))
            }
            mode if irqs.mode != mode => Ok(0),
            _ => {
                let Some(&Some(eventfd)) = irqs.vectors.get(vector as usize) else { return Ok(0) };
                if !self.message_arrives(device) {
                    return Ok(0);
                }
                self.signal(eventfd);
                Ok(1)
            }
        }
    }

    /// A device deasserts its INTx pin. Messages have no end. Returns 0.
    pub fn lower(&mut self, device: u32, index: u32) -> Result<u32> {
        let irqs = &mut self.device_mut(device)?.irqs;
        if Mode::from_index(index) == Mode::Intx {
            irqs.asserted = false;
        }
        Ok(0)
    }

    /// Whether a program has enabled this interrupt.
    pub fn irq_enabled(&self, device: u32, index: u32, vector: u32) -> bool {
        let Ok(irqs) = self.device(device).map(|device| &device.irqs) else { return false };
        match Mode::from_index(index) {
            Mode::None => false,
            mode if irqs.mode != mode => false,
            Mode::Intx => vector == 0,
            _ => matches!(irqs.vectors.get(vector as usize), Some(Some(_))),
        }
    }

    /// Signals an asserted INTx and masks it, as the program must see to the device first. Returns whether it did.
    pub(crate) fn deliver_intx(&mut self, device: u32) -> bool {
        let Ok(entry) = self.device_mut(device) else { return false };
        let irqs = &mut entry.irqs;
        if irqs.mode != Mode::Intx || irqs.masked || !irqs.asserted {
            return false;
        }
        irqs.masked = true;
        self.send_intx(device)
    }

    /// Signals INTx, asserted or not. Returns whether there was something to signal.
    pub(crate) fn send_intx(&mut self, device: u32) -> bool {
        let Ok(irqs) = self.device(device).map(|device| &device.irqs) else { return false };
        match irqs.trigger.filter(|_| irqs.mode == Mode::Intx) {
            Some(eventfd) => {
                self.signal(eventfd);
                true
            }
            None => false,
        }
    }

    /// Unmasks INTx. While the pin is asserted it stays masked, and the answer is that it must be signalled again.
    pub(crate) fn unmask_intx(&mut self, device: u32) -> bool {
        let Ok(entry) = self.device_mut(device) else { return false };
        let irqs = &mut entry.irqs;
        if irqs.mode != Mode::Intx || !irqs.masked {
            return false;
        }
        irqs.masked = irqs.asserted;
        irqs.asserted
    }

    /// An eventfd was signalled that unmasks INTx of some devices: its count is taken, and they are unmasked.
    pub(crate) fn wake_unmasks(&mut self, eventfd: u32) {
        // An eventfd that is both trigger and unmask of an asserted pin would go round for ever.
        if core::mem::replace(&mut self.waking, true) {
            return;
        }
        for device in 0..self.devices.len() as u32 {
            if self.device(device).is_ok_and(|entry| entry.irqs.unmask == Some(eventfd)) {
                self.take_count(eventfd);
                if self.unmask_intx(device) {
                    self.send_intx(device);
                }
            }
        }
        self.waking = false;
    }

    /// No device's INTx is unmasked by this eventfd any more.
    pub(crate) fn drop_unmasks(&mut self, eventfd: u32) {
        for device in 0..self.devices.len() as u32 {
            if self.device(device).is_ok_and(|entry| entry.irqs.unmask == Some(eventfd)) {
                self.set_unmask(device, None);
            }
        }
    }

    fn take_count(&mut self, eventfd: u32) {
        if let Some(eventfd) = self.eventfds.get_mut(eventfd) {
            eventfd.count = if eventfd.semaphore { eventfd.count.saturating_sub(1) } else { 0 };
        }
    }

    /// Disables all interrupts of a device and lets go of their eventfds, when its fd goes away.
    pub(crate) fn disable_irqs(&mut self, device: u32) {
        self.disable_vectors(device);
        self.disable_intx(device);
        let Ok(entry) = self.device_mut(device) else { return };
        let irqs = core::mem::take(&mut entry.irqs);
        for eventfd in [irqs.error, irqs.request].into_iter().flatten() {
            self.put_eventfd(eventfd);
        }
    }

    /// Disables MSI or MSI-X.
    pub(crate) fn disable_vectors(&mut self, device: u32) {
        let Ok(entry) = self.device_mut(device) else { return };
        if !matches!(entry.irqs.mode, Mode::Msi | Mode::Msix) {
            return;
        }
        entry.irqs.mode = Mode::None;
        for eventfd in core::mem::take(&mut entry.irqs.vectors).into_iter().flatten() {
            self.put_eventfd(eventfd);
        }
    }

    /// Disables INTx.
    pub(crate) fn disable_intx(&mut self, device: u32) {
        let Ok(entry) = self.device_mut(device) else { return };
        let irqs = &mut entry.irqs;
        if irqs.mode != Mode::Intx {
            return;
        }
        irqs.mode = Mode::None;
        irqs.masked = false;
        let trigger = irqs.trigger.take();
        self.set_unmask(device, None);
        if let Some(eventfd) = trigger {
            self.put_eventfd(eventfd);
        }
    }

    /// Sets what unmasks INTx. The hold on the eventfd moves in.
    pub(crate) fn set_unmask(&mut self, device: u32, eventfd: Option<u32>) {
        let Ok(entry) = self.device_mut(device) else { return };
        let old = core::mem::replace(&mut entry.irqs.unmask, eventfd);
        if let Some(entry) = eventfd.and_then(|index| self.eventfds.get_mut(index)) {
            entry.unmasks += 1;
        }
        if let Some(index) = old {
            if let Some(entry) = self.eventfds.get_mut(index) {
                entry.unmasks -= 1;
            }
            self.put_eventfd(index);
        }
    }
}
