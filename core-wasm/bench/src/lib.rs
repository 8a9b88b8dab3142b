//! What is measured of the core, once: criterion calls it natively (`benches/core.rs`), callgrind counts its instructions
//! (`bin/counts.rs`), and JavaScript calls it as WebAssembly (`exports.rs`, tests/bench). Addresses are in pages of 4 KiB, so that an argument
//! from JavaScript is a plain number.

mod addresses;
mod dma;
#[cfg(target_family = "wasm")]
mod exports;
mod random;
mod requests;
mod tables;

pub use addresses::Addresses;
pub use dma::Transfers;
pub use random::Random;
pub use requests::Program;
pub use tables::Tables;

/// Bytes of a page.
pub const PAGE: u64 = 4096;
/// Pages of 2 MiB and of 1 GiB.
pub const LARGE: u32 = 512;
/// Pages of 1 GiB.
pub const GIB: u32 = 262_144;
