//! Ranges of 64-bit addresses: a map keyed by them, and the address space of an IOAS.
//!
//! * [`RangeMap`]: disjoint ranges with a value each, in a B+ tree. Every operation is O(log n).
//! * [`IovaSpace`]: what `io_pagetable` of Linux knows of addresses: mapped areas, allowed and reserved ranges. Its tree knows what there is
//!   room for between the areas, which answers automatic placement with the very address Linux 7.3 would choose, without walking the gaps.
//!
//! Three rules hold everywhere. Ranges are inclusive (`start..=last`), as the last address of the space is `u64::MAX` and an exclusive
//! end would overflow. Growth can fail and says so ([`OutOfMemory`]), leaving everything as it was. Removing never allocates and never
//! fails: what it may need was reserved when the thing was inserted.

mod apart;
mod error;
mod fit;
mod range;
mod range_map;
mod request;
mod reserved;
mod rooms;
mod row;
mod slab;
mod space;
mod tree;

#[doc(hidden)]
pub mod testing;

pub use error::{AllowError, FixedError, InsertError, OutOfMemory, PlaceError, ReserveError};
pub use range::Range;
pub use range_map::RangeMap;
pub use space::IovaSpace;
