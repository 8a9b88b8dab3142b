//! Hot reset: a bus is reset, and every function on it with it. Only who owns all of them may do that.

use crate::file::Bound;
use crate::kernel::{HOST_HOT_RESET, Kernel};
use crate::plug::Plug;
use alloc::vec::Vec;
use uapi::vfio as api;
use uapi::{Errno, Result};

/// In place of an object id: the caller's iommufd has the group of the device, which is not bound.
const DEVID_OWNED: u32 = 0;
/// In place of an object id: somebody else has the device, or nobody.
const DEVID_NOT_OWNED: u32 = u32::MAX;

/// The functions on a bus, and on those below it: what one reset reaches.
#[derive(Default)]
pub(crate) struct ResetBus {
    functions: Vec<ResetFunction>,
}

/// A PCI function, as the host describes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ResetFunction {
    /// Its bus number << 8 | device number << 3 | function number.
    pub location: u16,
    /// The device, if it is one.
    pub device: Option<u32>,
    /// Whether it sits on this very bus and VFIO's driver has it.
    pub in_set: bool,
}

/// What the host says of its machine. Errors are the host's mistakes (EINVAL), or ENOMEM.
impl Kernel {
    /// Adds a bus that can be reset. Returns its number.
    pub fn add_reset_bus(&mut self) -> Result<u32> {
        self.reset_buses.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.reset_buses.push(ResetBus::default());
        Ok(self.reset_buses.len() as u32 - 1)
    }

    /// Says that resetting the bus resets a function too.
    pub fn add_reset_function(&mut self, bus: u32, function: ResetFunction) -> Result<()> {
        if let Some(device) = function.device {
            self.device(device)?;
        } else if function.in_set {
            return Err(Errno::EINVAL);
        }
        let functions = &mut self.reset_buses.get_mut(bus as usize).ok_or(Errno::EINVAL)?.functions;
        functions.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        functions.push(function);
        if let Some(device) = function.device.filter(|_| function.in_set) {
            self.device_mut(device)?.reset_bus = Some(bus);
        }
        Ok(())
    }
}

impl Kernel {
    /// GET_PCI_HOT_RESET_INFO. ENODEV where the bus cannot be reset; ENOSPC, with the count, for a list that is too short.
    pub(crate) fn hot_reset_info(&mut self, device: u32, bound: Bound, argument: u64) -> Result<u32> {
        let mut bytes = [0; api::PciHotResetInfo::SIZE];
        let argsz = self.copy_vfio_struct(argument, &mut bytes, api::PciHotResetInfo::MIN_SIZE)?;
        let bus = self.device(device)?.reset_bus.ok_or(Errno::ENODEV)?;
        let count = (0..).map_while(|position| self.reset_function(bus, position)).filter(|&function| self.is_there(function)).count();
        let room = (argsz as usize - api::PciHotResetInfo::SIZE) / api::PciDependentDevice::SIZE;
        let mut info = api::PciHotResetInfo { argsz, flags: 0, count: count as u32 };
        if count <= room {
            info.flags = self.list_functions(bus, bound, argument)?;
        }
        info.write(&mut bytes);
        self.hardware.copy_out(argument, &bytes)?;
        if count <= room { Ok(0) } else { Err(Errno::ENOSPC) }
    }

    /// Writes the list of functions behind the struct. Returns the flags that go with it.
    fn list_functions(&mut self, bus: u32, bound: Bound, argument: u64) -> Result<u32> {
        let mut flags = api::PCI_HOT_RESET_FLAG_DEV_ID | api::PCI_HOT_RESET_FLAG_DEV_ID_OWNED;
        let mut to = argument.checked_add(api::PciHotResetInfo::SIZE as u64).ok_or(Errno::EFAULT)?;
        for position in 0.. {
            let Some(function) = self.reset_function(bus, position) else { break };
            if !self.is_there(function) {
                continue;
            }
            let devid = self.owner_id(function, bound);
            if devid == DEVID_NOT_OWNED {
                flags &= !api::PCI_HOT_RESET_FLAG_DEV_ID_OWNED;
            }
            let [bus, devfn] = function.location.to_be_bytes();
            let mut bytes = [0; api::PciDependentDevice::SIZE];
            api::PciDependentDevice { devid, segment: 0, bus, devfn }.write(&mut bytes);
            self.hardware.copy_out(to, &bytes)?;
            to = to.checked_add(bytes.len() as u64).ok_or(Errno::EFAULT)?;
        }
        Ok(flags)
    }

    /// PCI_HOT_RESET of a device that is bound to an iommufd, which names no groups. EINVAL unless that iommufd owns all devices on the
    /// bus, EAGAIN while one of them leaves. The host resets the models; their pins are low then.
    pub(crate) fn hot_reset(&mut self, device: u32, bound: Bound, argument: u64) -> Result<u32> {
        let mut bytes = [0; api::PciHotReset::SIZE];
        self.copy_vfio_struct(argument, &mut bytes, api::PciHotReset::MIN_SIZE)?;
        let reset = api::PciHotReset::read(&bytes);
        if reset.flags != 0 || reset.count != 0 {
            return Err(Errno::EINVAL);
        }
        let bus = self.device(device)?.reset_bus.ok_or(Errno::ENODEV)?;
        if self.functions_there(bus).any(|function| !function.in_set) {
            return Err(Errno::EINVAL);
        }
        // As in Linux, dma-bufs lose what is mapped before it is known that all devices are the caller's.
        for position in 0.. {
            let Some(function) = self.reset_function(bus, position) else { break };
            if self.is_there(function) && self.owner_id(function, bound) == DEVID_NOT_OWNED {
                return Err(Errno::EINVAL);
            }
            if let Some(device) = function.device {
                self.interrupt_dmabufs(device);
            }
        }
        if self.functions_there(bus).any(|function| self.plug_of(function) == Some(Plug::Leaving)) {
            return Err(Errno::EAGAIN);
        }
        for position in 0.. {
            let Some(function) = self.reset_function(bus, position) else { break };
            if let Some(Ok(entry)) = function.device.map(|device| self.device_mut(device)) {
                entry.irqs.asserted = false;
            }
        }
        Ok(HOST_HOT_RESET | device)
    }

    /// The functions that are reset with a bus, but for those that are gone.
    fn functions_there(&self, bus: u32) -> impl Iterator<Item = ResetFunction> {
        (0..).map_while(move |position| self.reset_function(bus, position)).filter(|&function| self.is_there(function))
    }

    /// The id of a function in the caller's iommufd, or what stands for its lack. A function that VFIO does not have is owned by nobody.
    fn owner_id(&self, function: ResetFunction, caller: Bound) -> u32 {
        let Some(Ok(entry)) = function.device.filter(|_| function.in_set).map(|device| self.device(device)) else { return DEVID_NOT_OWNED };
        match entry.bound {
            Some(bound) if bound.context == caller.context => bound.id,
            _ if self.groups.get(entry.config.group as usize).is_some_and(|group| group.owner == Some(caller.context)) => DEVID_OWNED,
            _ => DEVID_NOT_OWNED,
        }
    }

    fn reset_function(&self, bus: u32, position: usize) -> Option<ResetFunction> {
        self.reset_buses.get(bus as usize)?.functions.get(position).copied()
    }

    /// Bridges stay.
    fn is_there(&self, function: ResetFunction) -> bool {
        self.plug_of(function) != Some(Plug::Gone)
    }

    fn plug_of(&self, function: ResetFunction) -> Option<Plug> {
        Some(self.device(function.device?).ok()?.plug)
    }
}
