//! Why an operation was refused. Each leaves everything as it was.

/// The heap cannot hold what the operation needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfMemory;

/// Why a range was not inserted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InsertError {
    /// The heap cannot hold the entry.
    OutOfMemory,
    /// The range shares an address with an entry (or, in an [`IovaSpace`](crate::IovaSpace), with a reserved range), or ends before it
    /// starts.
    Overlap,
}

/// Why a mapping cannot have the IOVA it asks for, in the order in which Linux looks (`iopt_check_iova`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FixedError {
    /// The IOVA is no multiple of the alignment (EINVAL).
    Misaligned,
    /// The range would leave the 64-bit space (EOVERFLOW).
    Overflow,
    /// The range touches a reserved one (EINVAL).
    Reserved,
    /// The range touches an area (EEXIST).
    Exists,
}

/// Why no IOVA could be chosen (`iopt_alloc_iova`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlaceError {
    /// The length is 0 or at least 2^63 - 1 (EOVERFLOW).
    Overflow,
    /// Length and user address allow less alignment than the space demands (EINVAL).
    Misaligned,
    /// No free gap takes it (ENOSPC).
    NoSpace,
}

/// Why a range was not reserved (`iopt_reserve_iova`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReserveError {
    /// An area has one of its addresses (EADDRINUSE).
    AreaOverlap,
    /// An allowed range has one of its addresses (EADDRINUSE).
    AllowedOverlap,
    /// The heap cannot hold the entry.
    OutOfMemory,
}

/// Why a list of allowed ranges was not taken over (`iommufd_ioas_allow_iovas`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AllowError {
    /// A range does not start before its last address; one address alone is refused too (EINVAL).
    Inverted,
    /// Two of the ranges share an address (EINVAL).
    Overlap,
    /// One of the ranges touches a reserved one (EADDRINUSE).
    Reserved,
    /// The heap cannot hold the list.
    OutOfMemory,
}

impl From<OutOfMemory> for InsertError {
    fn from(_: OutOfMemory) -> Self {
        InsertError::OutOfMemory
    }
}

impl From<OutOfMemory> for ReserveError {
    fn from(_: OutOfMemory) -> Self {
        ReserveError::OutOfMemory
    }
}

impl From<OutOfMemory> for AllowError {
    fn from(_: OutOfMemory) -> Self {
        AllowError::OutOfMemory
    }
}
