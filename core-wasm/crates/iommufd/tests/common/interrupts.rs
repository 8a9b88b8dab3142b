//! SET_IRQS with its data, and eventfds.

use super::{Errno, Machine, vfio};

pub const INTX: u32 = vfio::PCI_INTX_IRQ_INDEX;
pub const MSI_INDEX: u32 = vfio::PCI_MSI_IRQ_INDEX;
pub const MSIX: u32 = vfio::PCI_MSIX_IRQ_INDEX;
pub const ERR: u32 = vfio::PCI_ERR_IRQ_INDEX;
pub const REQ: u32 = vfio::PCI_REQ_IRQ_INDEX;
pub const TRIGGER: u32 = vfio::IRQ_SET_ACTION_TRIGGER;
pub const MASK: u32 = vfio::IRQ_SET_ACTION_MASK;
pub const UNMASK: u32 = vfio::IRQ_SET_ACTION_UNMASK;

/// What comes behind the struct of SET_IRQS.
#[derive(Clone, Copy, Debug)]
pub enum Data<'a> {
    /// Nothing, for this many vectors.
    None(u32),
    Bool(&'a [u8]),
    Eventfd(&'a [i32]),
}

impl Machine {
    /// SET_IRQS from vector `start` on.
    #[track_caller]
    pub fn set_irqs(&mut self, fd: u32, index: u32, action: u32, start: u32, data: Data) -> Result<(), Errno> {
        let (flag, count, bytes) = match data {
            Data::None(count) => (vfio::IRQ_SET_DATA_NONE, count, Vec::new()),
            Data::Bool(bools) => (vfio::IRQ_SET_DATA_BOOL, bools.len() as u32, bools.to_vec()),
            Data::Eventfd(fds) => (vfio::IRQ_SET_DATA_EVENTFD, fds.len() as u32, fds.iter().flat_map(|fd| fd.to_le_bytes()).collect()),
        };
        self.call_with(fd, vfio::IrqSet { argsz: 0, flags: action | flag, index, start, count }, &bytes).map(|_| ())
    }

    /// TRIGGER with eventfds: enables vectors from `start` on.
    #[track_caller]
    pub fn enable(&mut self, fd: u32, index: u32, start: u32, fds: &[i32]) -> Result<(), Errno> {
        self.set_irqs(fd, index, TRIGGER, start, Data::Eventfd(fds))
    }

    /// TRIGGER with no data and no vectors: disables all of them.
    #[track_caller]
    pub fn disable(&mut self, fd: u32, index: u32) -> Result<(), Errno> {
        self.set_irqs(fd, index, TRIGGER, 0, Data::None(0))
    }

    pub fn eventfd(&mut self) -> i32 {
        self.kernel.eventfd(0, 0).unwrap() as i32
    }

    /// How often an eventfd was signalled since this was asked last.
    #[track_caller]
    pub fn signals(&mut self, fd: i32) -> u64 {
        match self.kernel.read(fd, self.argument, 8) {
            Ok(8) => u64::from_le_bytes(self.peek(self.argument, 8).try_into().unwrap()),
            Err(Errno::EAGAIN) => 0,
            other => panic!("reading an eventfd answered {other:?}"),
        }
    }

    /// Adds to an eventfd, as a program does.
    #[track_caller]
    pub fn add(&mut self, fd: i32, value: u64) -> Result<u64, Errno> {
        self.kernel.poke(self.argument, &value.to_le_bytes()).unwrap();
        let result = self.kernel.write(fd, self.argument, 8);
        self.check();
        result
    }

    /// A device signals an interrupt. Returns whether a program was told.
    #[track_caller]
    pub fn raise(&mut self, device: u32, index: u32, vector: u32) -> bool {
        let told = self.kernel.raise(device, index, vector).unwrap();
        self.check();
        told == 1
    }
}
