//! For the sanitizer of a machine: areas that came and went, and placement that keeps them apart.

use crate::answer::{nothing, number};
use crate::core::with;
use iova::Range;
use wasm_bindgen::prelude::wasm_bindgen;

/// `area_change`: devices may read 1, write 2; the area came.
const ADDED: u64 = 4;
/// `space_of`: none.
const NO_SPACE: u64 = u64::MAX;

/// Looks for areas that came or went since the last time. Returns how many, or −errno.
#[wasm_bindgen]
pub fn find_area_changes() -> i32 {
    with(|core| number(core.kernel.find_area_changes()))
}

/// A field of a change: space, first address, last address, flags (read 1, write 2, came 4). 0 for what is not there.
#[wasm_bindgen]
pub fn area_change(index: u32, field: u32) -> u64 {
    with(|core| {
        let Some(change) = core.kernel.area_change(index as usize) else { return 0 };
        match field {
            0 => change.space,
            1 => change.range.start,
            2 => change.range.last,
            3 => u64::from(change.prot) | if change.added { ADDED } else { 0 },
            _ => 0,
        }
    })
}

/// The space that a device uses with a PASID, 0 without one; 2^64 − 1 for none.
#[wasm_bindgen]
pub fn space_of(device: u32, pasid: u32) -> u64 {
    with(|core| core.kernel.space_of(device, pasid).unwrap_or(NO_SPACE))
}

/// The PASID of an attachment of a device, by its number; 0: without one. −1: there are no more.
#[wasm_bindgen]
pub fn attached_pasid(device: u32, index: u32) -> i32 {
    with(|core| core.kernel.attached_pasid(device, index as usize).map_or(-1, |pasid| pasid as i32))
}

/// What the program calls a device.
#[wasm_bindgen]
pub fn label_of(device: u32) -> Option<u64> {
    with(|core| core.kernel.label_of(device))
}

/// Whether a space is there.
#[wasm_bindgen]
pub fn has_space(space: u64) -> bool {
    with(|core| core.kernel.has_space(space))
}

/// Keeps addresses from being chosen. Returns 0 or −errno.
#[wasm_bindgen]
pub fn add_quarantine(space: u64, start: u64, last: u64) -> i32 {
    with(|core| nothing(core.kernel.add_quarantine(space, Range { start, last })))
}

/// Ends that for the range that starts there.
#[wasm_bindgen]
pub fn end_quarantine(space: u64, start: u64) {
    with(|core| {
        core.kernel.end_quarantine(space, start);
    })
}

/// As `ioctl`, with automatic placement `margin` bytes from what is mapped and outside of the quarantine, while there is room.
#[wasm_bindgen]
pub fn ioctl_apart(fd: i32, request: u32, argument: u64, margin: u64) -> i32 {
    with(|core| number(core.kernel.ioctl_apart(fd, request, argument, margin)))
}
