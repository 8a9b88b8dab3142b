//! One request for automatic placement: what Linux derives from length and user address, and where it fits in a range.

use crate::error::PlaceError;
use crate::range::Range;

/// Bytes of a page.
const PAGE: u64 = 4096;
/// Largest alignment that placement goes for: a large page, as in a Linux with transparent huge pages.
const LARGE: u64 = 1 << LARGE_LG2;
/// Its lg2.
pub(crate) const LARGE_LG2: u32 = 21;

/// Where automatic placement may go if nobody said where: not the first page and not the last address (`iopt_alloc_iova`).
pub(crate) const ANYWHERE: Range = Range { start: PAGE, last: u64::MAX - PAGE };

/// A request for a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Request {
    pub(crate) length: u64,
    /// A power of two, at most 2 MiB.
    pub(crate) alignment: u64,
    /// What the address has of the user's address beside its alignment; 0 from a page's alignment on.
    pub(crate) offset: u64,
}

impl Request {
    /// What is wanted for memory at `address`, in a space with alignment `smallest`.
    pub(crate) fn new(address: u64, length: u64, smallest: u64) -> Result<Request, PlaceError> {
        if length == 0 || length >= u64::MAX / 2 {
            return Err(PlaceError::Overflow);
        }
        // The address keeps the alignment that the memory has, so that large pages stay possible; no more than the length is worth.
        let of_address = if address == 0 { u64::MAX } else { 1 << address.trailing_zeros() };
        let alignment = length.next_power_of_two().min(of_address).min(LARGE);
        if alignment < smallest {
            return Err(PlaceError::Misaligned);
        }
        Ok(Request { length, alignment, offset: address % PAGE })
    }

    /// lg2 of the alignment.
    pub(crate) fn class(&self) -> u32 {
        self.alignment.trailing_zeros()
    }

    /// Bytes from the first aligned address of a range to its end that a range needs at least. A place on a range's very last address is
    /// none in Linux.
    pub(crate) fn room(&self) -> u64 {
        self.length.max(2)
    }

    /// The address that the request gets in a free range, if it fits.
    pub(crate) fn place_in(&self, range: Range) -> Option<u64> {
        let aligned = range.start.checked_add(self.alignment - 1)? & !(self.alignment - 1);
        let start = aligned | self.offset;
        (start < range.last && range.last - start >= self.length - 1).then_some(start)
    }
}
