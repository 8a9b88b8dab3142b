//! The structs, numbers and errors of iommufd's and VFIO's requests.
//!
//! `iommufd`, `vfio`, `type1`, `selftest`, `simulated`, `requests` and `errno` are generated from `uapi/schema` (TypeScript) by
//! `deno task generate`; a layout is written nowhere else. Hand-written are the size rule, which every request obeys, and the few functions
//! on bytes.
//!
//! Nothing here allocates.

#![no_std]

#[cfg(test)]
extern crate std;

mod bytes;
mod errno;
pub mod iommufd;
mod requests;
pub mod selftest;
pub mod simulated;
pub mod size_rule;
pub mod type1;
pub mod vfio;

pub use requests::REQUESTS;
pub use size_rule::{Beyond, Extent, RequestRow, SizeField};

/// An error number of Linux, positive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Errno(pub i32);

impl core::fmt::Display for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

impl core::error::Error for Errno {}

/// The result of a system call or of a part of one.
pub type Result<T> = core::result::Result<T, Errno>;
