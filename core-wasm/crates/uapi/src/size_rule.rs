//! The size rule: how a kernel and a program of different ages agree on a struct.
//!
//! The program says how large its struct is. Too small is an error. A field that a shorter struct lacks reads as zero. What a longer struct
//! has behind the kernel's last field depends on the request: it must be zero, or is ignored, or is data that belongs to the request.
//! Answers go back for as many bytes as both know. Source: `iommufd_fops_ioctl` and `copy_struct_from_user` of Linux 7.3; VFIO's requests
//! each in their own handler.

use crate::{Errno, Result};

/// Where a request's struct says how large it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SizeField {
    /// iommufd's `size`.
    Size,
    /// VFIO's `argsz`.
    Argsz,
    /// The request takes no struct.
    None,
}

/// What becomes of the bytes behind the struct that the kernel knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beyond {
    /// They must be zero, else E2BIG.
    Zero,
    /// Nobody looks at them.
    Ignored,
    /// They belong to the request.
    Data,
}

/// One request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestRow {
    /// Its name without `IOMMU_` or `VFIO_`.
    pub name: &'static str,
    /// The number that `ioctl` takes.
    pub number: u32,
    /// Bytes of its struct, without what may follow; 0 without one.
    pub size: usize,
    /// Bytes that the caller's struct must have at least.
    pub min_size: usize,
    /// Where the struct says how large it is.
    pub kind: SizeField,
    /// What becomes of the bytes behind the struct.
    pub beyond: Beyond,
}

impl RequestRow {
    pub(crate) const fn new(name: &'static str, number: u32, size: usize, min_size: usize, kind: SizeField, beyond: Beyond) -> Self {
        Self { name, number, size, min_size, kind, beyond }
    }

    /// The row of a request number.
    pub fn find(number: u32) -> Option<&'static RequestRow> {
        static ROWS: [RequestRow; crate::REQUESTS.len()] = crate::REQUESTS;
        ROWS.iter().find(|row| row.number == number)
    }

    /// The size rule of this request for a caller's struct of `user_size` bytes; see [`extent`].
    pub fn extent(&self, user_size: u32) -> Result<Extent> {
        let mut extent = extent(user_size, self.size, self.min_size)?;
        if self.beyond != Beyond::Zero {
            extent.tail = 0;
        }
        Ok(extent)
    }
}

/// Which bytes of the caller's struct the kernel looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    /// Bytes to copy in before the request and back after it; the rest of the kernel's struct is zero.
    pub copy: usize,
    /// Bytes behind these that must be zero, to be given to [`check_tail`].
    pub tail: usize,
}

/// Decides on a caller's struct of `user_size` bytes where the kernel knows `known` bytes and needs `min`.
///
/// EINVAL if it is too small.
#[inline]
pub const fn extent(user_size: u32, known: usize, min: usize) -> Result<Extent> {
    let user_size = user_size as usize;
    if user_size < min {
        return Err(Errno::EINVAL);
    }
    if user_size <= known {
        return Ok(Extent { copy: user_size, tail: 0 });
    }
    Ok(Extent { copy: known, tail: user_size - known })
}

/// E2BIG if a byte behind the struct that the kernel knows is set. May be called piece by piece.
#[inline]
pub fn check_tail(tail: &[u8]) -> Result<()> {
    if tail.iter().all(|&byte| byte == 0) { Ok(()) } else { Err(Errno::E2BIG) }
}
