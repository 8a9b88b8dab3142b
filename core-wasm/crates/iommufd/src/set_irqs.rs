//! SET_IRQS: enabling, disabling, masking and testing the interrupts of a device.

use crate::irq::Mode;
use crate::kernel::Kernel;
use alloc::vec::Vec;
use uapi::vfio as api;
use uapi::{Errno, Result};

const DATA_TYPES: u32 = api::IRQ_SET_DATA_NONE | api::IRQ_SET_DATA_BOOL | api::IRQ_SET_DATA_EVENTFD;
const ACTIONS: u32 = api::IRQ_SET_ACTION_MASK | api::IRQ_SET_ACTION_UNMASK | api::IRQ_SET_ACTION_TRIGGER;

/// What comes with the request, one for each vector.
enum Data {
    None,
    /// Whether the action is meant for it.
    Bool(Vec<u8>),
    /// An eventfd each, or -1.
    Eventfd(Vec<u8>),
}

impl Data {
    fn is_set(&self, position: usize) -> bool {
        match self {
            Data::None => true,
            Data::Bool(flags) => flags.get(position).is_some_and(|&flag| flag != 0),
            Data::Eventfd(_) => false,
        }
    }

    /// The eventfd at a position; -1 where there is none.
    fn fd(&self, position: usize) -> i32 {
        let Data::Eventfd(bytes) = self else { return -1 };
        bytes.as_chunks::<4>().0.get(position).map_or(-1, |&fd| i32::from_le_bytes(fd))
    }
}

impl Kernel {
    /// SET_IRQS.
    pub(crate) fn set_irqs(&mut self, device: u32, argument: u64) -> Result<u32> {
        let mut bytes = [0; api::IrqSet::SIZE];
        self.hardware.copy_in(argument, &mut bytes)?;
        let request = api::IrqSet::read(&bytes);
        self.check_irq_set(device, &request)?;
        let data = self.irq_data(argument, &request)?;
        match (request.index, request.flags & ACTIONS) {
            (api::PCI_INTX_IRQ_INDEX, api::IRQ_SET_ACTION_MASK) => self.set_intx_mask(device, &request, &data)?,
            (api::PCI_INTX_IRQ_INDEX, api::IRQ_SET_ACTION_UNMASK) => self.set_intx_unmask(device, &request, &data)?,
            (api::PCI_INTX_IRQ_INDEX, api::IRQ_SET_ACTION_TRIGGER) => self.set_intx_trigger(device, &request, &data)?,
            (api::PCI_MSI_IRQ_INDEX | api::PCI_MSIX_IRQ_INDEX, api::IRQ_SET_ACTION_TRIGGER) => {
                self.set_msi_trigger(device, &request, &data)?;
            }
            (api::PCI_ERR_IRQ_INDEX | api::PCI_REQ_IRQ_INDEX, api::IRQ_SET_ACTION_TRIGGER) => {
                self.set_single_trigger(device, &request, &data)?;
            }
            _ => return Err(Errno::ENOTTY),
        }
        Ok(0)
    }

    /// The checks that do not depend on what is enabled.
    fn check_irq_set(&self, device: u32, request: &api::IrqSet) -> Result<()> {
        let irqs = &self.device(device)?.irq_configs;
        let count = irqs.get(request.index as usize).ok_or(Errno::EINVAL)?.count;
        let sane = request.argsz >= api::IrqSet::SIZE as u32
            && request.count < u32::MAX - request.start
            && request.flags & !(DATA_TYPES | ACTIONS) == 0
            && request.start < count
            && request.start + request.count <= count
            && (request.flags & DATA_TYPES).is_power_of_two();
        if sane { Ok(()) } else { Err(Errno::EINVAL) }
    }

    /// Copies what follows the struct. EINVAL if the caller says there is less, EFAULT, ENOMEM.
    fn irq_data(&mut self, argument: u64, request: &api::IrqSet) -> Result<Data> {
        let (size, data): (u32, fn(Vec<u8>) -> Data) = match request.flags & DATA_TYPES {
            api::IRQ_SET_DATA_BOOL => (1, Data::Bool),
            api::IRQ_SET_DATA_EVENTFD => (4, Data::Eventfd),
            _ => return Ok(Data::None),
        };
        let length = u64::from(size) * u64::from(request.count);
        if u64::from(request.argsz) - (api::IrqSet::SIZE as u64) < length {
            return Err(Errno::EINVAL);
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length as usize).map_err(|_| Errno::ENOMEM)?;
        bytes.resize(length as usize, 0);
        let from = argument.checked_add(api::IrqSet::SIZE as u64).ok_or(Errno::EFAULT)?;
        self.hardware.copy_in(from, &mut bytes)?;
        Ok(data(bytes))
    }

    fn check_intx(&self, device: u32, request: &api::IrqSet) -> Result<()> {
        let intx = self.device(device)?.irqs.mode == Mode::Intx;
        if intx && request.start == 0 && request.count == 1 { Ok(()) } else { Err(Errno::EINVAL) }
    }

    fn set_intx_mask(&mut self, device: u32, request: &api::IrqSet, data: &Data) -> Result<()> {
        self.check_intx(device, request)?;
        if matches!(data, Data::Eventfd(_)) {
            return Err(Errno::ENOTTY);
        }
        if data.is_set(0) {
            self.device_mut(device)?.irqs.masked = true;
        }
        Ok(())
    }

    fn set_intx_unmask(&mut self, device: u32, request: &api::IrqSet, data: &Data) -> Result<()> {
        self.check_intx(device, request)?;
        if matches!(data, Data::Eventfd(_)) {
            return self.set_unmask_eventfd(device, data.fd(0));
        }
        if data.is_set(0) && self.unmask_intx(device) {
            self.send_intx(device);
        }
        Ok(())
    }

    fn set_unmask_eventfd(&mut self, device: u32, fd: i32) -> Result<()> {
        if fd < 0 {
            self.set_unmask(device, None);
            return Ok(());
        }
        let eventfd = self.get_eventfd(fd)?;
        if self.device(device)?.irqs.unmask.is_some() {
            self.put_eventfd(eventfd);
            return Err(Errno::EBUSY);
        }
        self.set_unmask(device, Some(eventfd));
        // A signal from before counts.
        if self.eventfds.get(eventfd).is_some_and(|eventfd| eventfd.count != 0) && self.unmask_intx(device) {
            self.send_intx(device);
        }
        Ok(())
    }

    fn set_intx_trigger(&mut self, device: u32, request: &api::IrqSet, data: &Data) -> Result<()> {
        let mode = self.device(device)?.irqs.mode;
        if mode == Mode::Intx && request.count == 0 && matches!(data, Data::None) {
            self.disable_intx(device);
            return Ok(());
        }
        if !matches!(mode, Mode::Intx | Mode::None) || request.start != 0 || request.count != 1 {
            return Err(Errno::EINVAL);
        }
        if matches!(data, Data::Eventfd(_)) {
            return self.enable_intx(device, data.fd(0));
        }
        if mode != Mode::Intx {
            return Err(Errno::EINVAL);
        }
        if data.is_set(0) {
            self.send_intx(device);
        }
        Ok(())
    }

    /// Enables INTx, or changes what it signals; -1 for nothing.
    fn enable_intx(&mut self, device: u32, fd: i32) -> Result<()> {
        let trigger = if fd >= 0 { Some(self.get_eventfd(fd)?) } else { None };
        let irqs = &mut self.device_mut(device)?.irqs;
        let old = core::mem::replace(&mut irqs.trigger, trigger);
        if irqs.mode == Mode::None {
            irqs.mode = Mode::Intx;
        }
        if let Some(old) = old {
            self.put_eventfd(old);
        }
        self.deliver_intx(device);
        Ok(())
    }

    fn set_msi_trigger(&mut self, device: u32, request: &api::IrqSet, data: &Data) -> Result<()> {
        let wanted = Mode::from_index(request.index);
        let mode = self.device(device)?.irqs.mode;
        if mode == wanted && request.count == 0 && matches!(data, Data::None) {
            self.disable_vectors(device);
            return Ok(());
        }
        if mode != wanted && mode != Mode::None {
            return Err(Errno::EINVAL);
        }
        if matches!(data, Data::Eventfd(_)) {
            return self.enable_vectors(device, wanted, request, data);
        }
        if mode != wanted {
            return Err(Errno::EINVAL);
        }
        for position in 0..request.count as usize {
            let vector = request.start as usize + position;
            if let Some(&Some(eventfd)) = self.device(device)?.irqs.vectors.get(vector)
                && data.is_set(position)
            {
                self.signal(eventfd);
            }
        }
        Ok(())
    }

    /// Enables MSI or MSI-X with vectors up to the last one named, or changes what vectors signal.
    fn enable_vectors(&mut self, device: u32, mode: Mode, request: &api::IrqSet, data: &Data) -> Result<()> {
        let enabled = self.device(device)?.irqs.mode == mode;
        if !enabled {
            let count = request.start + request.count;
            if count == 0 {
                return Err(Errno::ERANGE);
            }
            grow(&mut self.device_mut(device)?.irqs.vectors, count)?;
            let prepared = self.prepare_messages(device);
            let irqs = &mut self.device_mut(device)?.irqs;
            if prepared.is_err() {
                irqs.vectors.clear();
                return prepared;
            }
            irqs.mode = mode;
        }
        for position in 0..request.count {
            if let Err(error) = self.set_vector(device, request.start + position, data.fd(position as usize)) {
                // As in Linux the whole block is off then, up to the vector that failed.
                for vector in request.start..=request.start + position {
                    let _ = self.set_vector(device, vector, -1);
                }
                if !enabled {
                    self.disable_vectors(device);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Sets what one vector signals; -1 for nothing. What it signalled before is gone in any case.
    fn set_vector(&mut self, device: u32, vector: u32, fd: i32) -> Result<()> {
        let entry = self.device_mut(device)?;
        let can_grow =
            entry.irqs.mode == Mode::Msix && entry.irq_configs[api::PCI_MSIX_IRQ_INDEX as usize].flags & api::IRQ_INFO_NORESIZE == 0;
        let old = entry.irqs.vectors.get_mut(vector as usize).and_then(Option::take);
        let known = (vector as usize) < entry.irqs.vectors.len();
        if let Some(old) = old {
            self.put_eventfd(old);
        }
        if fd < 0 {
            return Ok(());
        }
        if !known {
            if !can_grow {
                return Err(Errno::EINVAL);
            }
            grow(&mut self.device_mut(device)?.irqs.vectors, vector + 1)?;
        }
        let eventfd = self.get_eventfd(fd)?;
        if let Some(slot) = self.device_mut(device)?.irqs.vectors.get_mut(vector as usize) {
            *slot = Some(eventfd);
        }
        Ok(())
    }

    /// The triggers that a device has one of: errors, and the request to give the device back.
    fn set_single_trigger(&mut self, device: u32, request: &api::IrqSet, data: &Data) -> Result<()> {
        if request.start != 0 || request.count > 1 {
            return Err(Errno::EINVAL);
        }
        let current = *self.single_trigger(device, request.index)?;
        match data {
            Data::None if request.count == 0 && current.is_some() => self.replace_single(device, request.index, None),
            Data::None => {
                self.signal(current.ok_or(Errno::EINVAL)?);
                Ok(())
            }
            _ if request.count == 0 => Err(Errno::EINVAL),
            Data::Bool(_) => {
                if let Some(eventfd) = current.filter(|_| data.is_set(0)) {
                    self.signal(eventfd);
                }
                Ok(())
            }
            Data::Eventfd(_) => match data.fd(0) {
                -1 => self.replace_single(device, request.index, None),
                fd if fd < 0 => Err(Errno::EINVAL),
                fd => {
                    let eventfd = self.get_eventfd(fd)?;
                    self.replace_single(device, request.index, Some(eventfd))
                }
            },
        }
    }

    fn replace_single(&mut self, device: u32, index: u32, eventfd: Option<u32>) -> Result<()> {
        if let Some(old) = core::mem::replace(self.single_trigger(device, index)?, eventfd) {
            self.put_eventfd(old);
        }
        Ok(())
    }

    fn single_trigger(&mut self, device: u32, index: u32) -> Result<&mut Option<u32>> {
        let irqs = &mut self.device_mut(device)?.irqs;
        Ok(if index == api::PCI_ERR_IRQ_INDEX { &mut irqs.error } else { &mut irqs.request })
    }
}

/// Adds vectors that signal nothing, up to `count`. ENOMEM.
fn grow(vectors: &mut Vec<Option<u32>>, count: u32) -> Result<()> {
    let more = (count as usize).saturating_sub(vectors.len());
    vectors.try_reserve(more).map_err(|_| Errno::ENOMEM)?;
    vectors.resize(vectors.len() + more, None);
    Ok(())
}
