//! What machine hardware does: RAM, the IOMMU with its translation caches and fault log, and, beside it, the memory of the one simulated
//! process.
//!
//! - [`Ram`]: machine memory, its frames and their reference counts; page tables lie in it.
//! - [`UserMemory`], [`MemFile`]: what `mmap`, `munmap` and `memfd_create` manage on top of it.
//! - [`Iommu`]: requester and PASID → tables in RAM → domain → page table → RAM, with permissions, faults and statistics; DMA is a copy inside
//!   [`Ram`]. Folder `hardware` has the kinds.
//!
//! What holds between calls:
//! - A frame is free, or a table, or has a reference count above 0. Whoever maps, pins or keeps a page counts one.
//! - What the context cache remembers of a requester is what its entries in RAM say: attach and detach post commands that make it forget.
//! - No translation in the IOTLB outlives what it was read from: unmap, detach and destroy invalidate before they return. Where invalidation is lazy
//!   ([`Iommu::set_batch`]) unmap alone does not: translations that it leaves are known as stale, each in a range that waits, and are gone before anything
//!   is mapped there again. They may lead to memory that is somebody else's by now, but never to a write to a table, and each use is counted. That a program has changed
//!   tables of its own it must say itself; what is stale then leads nowhere but to memory of the domain below.
//! - Where a domain keeps marks, no translation in the IOTLB allows a write to a page that is not marked.
//! - A DMA moves a byte only after the page of that byte was translated and its permission checked; but that of a device without an IOMMU goes by the
//!   address in RAM, to all but tables.
//! - Freeing, unmapping and destroying neither fail nor allocate (but for `munmap` in the middle of a mapping, as on Linux).
//!
//! What is not here: objects, ids and file descriptors (crate `iommufd`), locks (one caller at a time), time.
#![no_std]

extern crate alloc;

mod deferred;
mod dirty;
mod dma;
mod domain;
mod fault;
mod frames;
mod hardware;
mod invalidation;
mod iommu;
mod iotlb;
mod mem_file;
mod mmap;
mod nested;
mod one_page;
mod ram;
mod requesters;
mod set_associative;
mod statistics;
mod user_memory;

pub use dma::{Peer, Source};
pub use domain::DomainId;
pub use fault::{FaultLog, FaultReason, FaultRecord};
pub use hardware::{Context, Refusal, Register, Root, Who, smmuv3_commands};
pub use iommu::{Iommu, IommuConfig, NO_PASID};
pub use iotlb::IotlbConfig;
pub use mem_file::MemFile;
pub use mmap::{
    MAP_32BIT, MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_GROWSDOWN, MAP_HUGETLB, MAP_PRIVATE, MAP_SHARED, MAP_SHARED_VALIDATE,
    PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE,
};
pub use nested::{FirstStage, SecondStage, VtdTables};
pub use pgtable::{DirtyLeaf, Kind, Leaf, LeafOptions, Pa, PageTable, Prot, Row, Run, Translation};
pub use ram::{FRAME, FRAME_LG2, LARGE_LG2, Ram};
pub use set_associative::Replacement;
pub use statistics::{DeviceStatistics, IommuStatistics, RamStatistics};
pub use user_memory::UserMemory;

/// Whether there are guests: SMMUv3s with both stages.
pub const GUESTS: bool = cfg!(feature = "guests");

/// The heap of the simulated kernel has no room for what was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfMemory;

impl From<OutOfMemory> for uapi::Errno {
    fn from(_: OutOfMemory) -> uapi::Errno {
        uapi::Errno::ENOMEM
    }
}

impl From<alloc::collections::TryReserveError> for OutOfMemory {
    fn from(_: alloc::collections::TryReserveError) -> OutOfMemory {
        OutOfMemory
    }
}
