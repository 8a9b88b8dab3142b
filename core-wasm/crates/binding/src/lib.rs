//! The core as WebAssembly: exports for JavaScript, and the layout of the memory. The only crate with `unsafe` code and the only one that
//! knows JavaScript.
//!
//! The linear memory of a machine is reserved whole by [`boot`] and never grows afterwards, so that no view of it in JavaScript ever
//! detaches: statics and stack, then the kernel's heap, then the machine's RAM.
//!
//! Numbers cross the border: a result is 0 or more, or −errno (of a transfer: −reason). 64-bit addresses are bigints, offsets in the
//! linear memory and in files are numbers. After [`boot`] nothing here panics or traps, whatever the arguments; what would need memory that is not there
//! answers −ENOMEM, or nothing.

#![allow(unsafe_code)]

mod answer;
mod core;
mod inspect;
mod machine;
mod memory;
#[cfg(feature = "sanitizer")]
mod sanitizer;
#[cfg(feature = "checks")]
mod text;

pub use crate::core::boot;
