//! What is in use: all zero once a program has given everything back.

use crate::kernel::Kernel;
use crate::pages::PAGE;

/// Counts of what exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Open file descriptors.
    pub files: u64,
    /// Objects of all iommufds.
    pub objects: u64,
    /// Mappings in IOASes.
    pub areas: u64,
    /// Pages pinned for devices.
    pub pinned_pages: u64,
    /// Bytes of them that are charged to the user or the process.
    pub locked_bytes: u64,
    /// Bytes of RAM that are not free, without page tables: the process's memory, files, buffers of devices, pinned pages.
    pub used_bytes: u64,
    /// Frames that hold page tables.
    pub tables: u64,
    /// iommufds that are open or held by a bound device.
    pub contexts: u64,
    /// Eventfds that are open or held by an interrupt.
    pub eventfds: u64,
    /// Memfds that are open or held by a mapping of MAP_FILE.
    pub memfds: u64,
    /// Mappings of the process.
    pub mappings: u64,
}

impl Kernel {
    /// What is in use now.
    pub fn usage(&self) -> Usage {
        let contexts = || self.contexts.iter().map(|(_, context)| context);
        let areas = contexts().flat_map(|context| context.ioases.iter()).map(|(_, ioas)| ioas.space.len() as u64);
        let ram = self.hardware.ram.statistics();
        let accounts = &self.hardware.accounts;
        Usage {
            files: self.files.len() as u64,
            objects: contexts().map(|context| context.objects.len() as u64).sum(),
            areas: areas.sum(),
            pinned_pages: accounts.pinned,
            locked_bytes: (accounts.user + accounts.process) * PAGE,
            used_bytes: ram.used,
            tables: self.hardware.iommu.statistics().tables,
            contexts: self.contexts.len() as u64,
            eventfds: self.eventfds.len() as u64,
            memfds: self.hardware.memfds.len() as u64,
            mappings: self.hardware.user.mappings() as u64,
        }
    }
}
