//! IOMMU page tables: algorithms written and compiled once, for every [`Format`]; tables live in memory that the caller provides.
//!
//! Words used throughout:
//! - *IOVA*: the address a device puts on the bus. *PA*: the address it becomes.
//! - *entry*: one 64-bit word of a table. *leaf*: what translates a page; it takes one entry, or a power of two of them (contiguous).
//! - *level* 0 holds only leaves; the *top* level is `levels - 1`. *item*: what one entry of a level covers.
//! - *last* is inclusive. No exclusive end is ever computed, as the end of a 64-bit space does not fit in 64 bits.
//! - *lg2* is a base-2 logarithm, of bytes unless said otherwise.
//!
//! What holds between calls:
//! - An entry is zero or present. Every table but the top one has at least one present entry, so "there is a table" means "something
//!   is mapped below".
//! - The live counter of a table is the number of its present entries.
//! - `map` that fails has changed nothing. `unmap` and `destroy` neither fail nor allocate.
//!
//! What is not here: locks (one caller at a time), invalidation of translation caches ([`Unmapped`] says what to invalidate), splitting
//! of large leaves (a large leaf is unmapped whole).
//!
//! Read in this order: `format.rs`, `fmt/vtd_ss.rs`, `walk.rs`, `map.rs`, `unmap.rs`, `dirty.rs`.
#![no_std]

extern crate alloc;

mod dirty;
mod dump;
pub mod fmt;
mod format;
mod map;
mod memory;
mod table;
mod types;
mod unmap;
mod walk;

pub use dirty::DirtyLeaf;
pub use dump::{Leaf, Row};
pub use fmt::Kind;
pub use format::{Dirty, Entry, Format, Groups, MAX_LEVELS, Test};
pub use memory::{Snapshot, TableMemory, VecMemory};
pub use table::{Config, PageTable};
pub use types::{LeafOptions, MapError, Pa, Prot, Run, Step, Translation, Unmapped};
