// GENERATED from uapi/schema by `deno task generate`, do not edit. Source hash: e4797ac1a0668d8e
//! Requests that only the simulated kernel knows.

use crate::bytes::{put_u32, put_u64, u32_at, u64_at};

/// Request: Give the device the label that its fault records carry.
pub const SIMULATED_DEVICE_SET_LABEL: u32 = 0x3bf0;

/// Names a device for fault records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimulatedDeviceSetLabel {
    /// Bytes of this struct as the caller knows it.
    pub argsz: u32,
    /// No flag is defined: must be zero.
    pub flags: u32,
    /// The number that fault records of this device carry from now on.
    pub label: u64,
}

impl SimulatedDeviceSetLabel {
    /// Bytes of the struct.
    pub const SIZE: usize = 16;
    /// Bytes that the caller's struct must have at least.
    pub const MIN_SIZE: usize = 16;

    /// Reads the struct from its bytes.
    #[inline]
    pub fn read(bytes: &[u8; Self::SIZE]) -> Self {
        Self { argsz: u32_at(bytes, 0), flags: u32_at(bytes, 4), label: u64_at(bytes, 8) }
    }

    /// Writes the struct as bytes.
    #[inline]
    pub fn write(&self, bytes: &mut [u8; Self::SIZE]) {
        put_u32(bytes, 0, self.argsz);
        put_u32(bytes, 4, self.flags);
        put_u64(bytes, 8, self.label);
    }
}
