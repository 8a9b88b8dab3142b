//! The tables of the mock IOMMU with which Linux tests its iommufd: those of `amd_v1.rs` with a granule of 2 KiB, so that a page of the process
//! is two of the IOMMU. There is no such hardware.
//!
//! | level | IOVA bits | leaf of one entry |
//! | --- | --- | --- |
//! | 0 | 19:11 | 2 KiB |
//! | 1 | 28:20 | 1 MiB |
//! | 2 | 37:29 | 512 MiB |
//! | 3 | 46:38 | 256 GiB |
//! | 4 | 55:47 | – |

use super::amd_v1::amd;
use crate::format::Format;

/// AMD's entries with a granule of 2 KiB; 3 to 5 levels for 38, 47 or 56 bits.
pub const AMD_MOCK: Format = amd("amd_mock", 11, 5);
