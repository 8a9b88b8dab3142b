//! The simulated kernel: file descriptors, the object model of iommufd, and VFIO's device requests.
//!
//! [`Kernel`] is what a program talks to, by raw system calls over bytes in its own memory. Facts (which checks in which order, which error)
//! are those of Linux 7.3; where this kernel differs on purpose, the item says so.
//!
//! Read in this order: `request.rs` (the table of requests), `context.rs`, `ioas.rs`, `mapping.rs`, `pages.rs`, `domains.rs`, `attach.rs`,
//! `group.rs`, `vfio.rs`.
//!
//! What holds between calls (see [`Kernel::check_invariants`]):
//! - A page is pinned exactly while an area that covers it lies in an IOAS with a page table; it is accounted once, however many areas
//!   share it by COPY.
//! - Every page table of an IOAS maps exactly the areas of that IOAS.
//! - An object's `users` is 1 for its table and 1 for each holder.
//! - A requester reaches memory only through the page table that its devices are attached to; from the claim of its group on it is blocked
//!   otherwise.
//! - Unmap, detach, close and destroy neither fail nor allocate.
//!
//! What is not here: locks (one thread).
#![no_std]

extern crate alloc;

mod access;
mod attach;
mod bind;
mod bitmap;
mod capability;
mod config;
mod container;
mod context;
mod copy;
mod device;
mod dirty;
mod dma_log;
mod dmabuf;
mod domains;
mod emulated;
mod event_queue;
mod eventfd;
mod fault_queue;
mod feature;
mod file;
mod group;
mod hardware;
mod hot_reset;
mod hw_info;
mod hw_queue;
mod hwpt;
mod invalidate;
mod invariants;
mod ioas;
mod iova_ranges;
mod irq;
mod kernel;
mod machine;
mod mapping;
mod memory_calls;
mod nested;
mod object;
mod option;
mod page_request;
mod pages;
mod physical;
mod pins;
mod plug;
mod range;
mod request;
mod reserve;
mod sanitizer;
mod selftest;
mod set_irqs;
mod slab;
mod smmuv3;
mod software_msi;
mod unmap;
mod usage;
mod vdevice;
mod vfio;
mod vfio_attach;
mod viommu;

pub use config::{Config, DeviceConfig, GroupIoas, IrqConfig, Limits, PasidConfig, RegionConfig, ReservedKind, Rules};
pub use emulated::Notice;
pub use eventfd::{EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE};
pub use hot_reset::ResetFunction;
pub use invariants::Violation;
pub use iommu::{
    DeviceStatistics, FaultReason, FaultRecord, GUESTS, IommuConfig, IommuStatistics, IotlbConfig, Kind, Leaf, Pa, Peer, Prot, Ram,
    Replacement,
};
pub use kernel::{HOST_HOT_RESET, HOST_RELEASE, HOST_RESET, HOST_UNMAP, Kernel};
pub use machine::Moved;
pub use page_request::{Answered, PageRequest, PageResponse};
pub use sanitizer::AreaChange;
pub use usage::Usage;
