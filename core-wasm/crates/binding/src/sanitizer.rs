//! For the sanitizer of a machine: areas that came and went, and placement that keeps them apart.

use crate::answer::{nothing, number};
use crate::core::Core;
use iova::Range;
use wasm_bindgen::prelude::wasm_bindgen;

/// `area_change`: devices may read 1, write 2; the area came.
const ADDED: u64 = 4;
/// `space_of`: none.
const NO_SPACE: u64 = u64::MAX;

#[wasm_bindgen]
impl Core {
    /// Looks for areas that came or went since the last time. Returns how many, or −errno.
    pub fn find_area_changes(&mut self) -> i32 {
        number(self.kernel.find_area_changes())
    }

    /// A field of a change: space, first address, last address, flags (read 1, write 2, came 4). 0 for what is not there.
    pub fn area_change(&self, index: u32, field: u32) -> u64 {
        let Some(change) = self.kernel.area_change(index as usize) else { return 0 };
        match field {
            0 => change.space,
            1 => change.range.start,
            2 => change.range.last,
            3 => u64::from(change.prot) | if change.added { ADDED } else { 0 },
            _ => 0,
        }
    }

    /// The space that a device uses with a PASID, 0 without one; 2^64 − 1 for none.
    pub fn space_of(&self, device: u32, pasid: u32) -> u64 {
        self.kernel.space_of(device, pasid).unwrap_or(NO_SPACE)
    }

    /// The PASID of an attachment of a device, by its number; 0: without one. −1: there are no more.
    pub fn attached_pasid(&self, device: u32, index: u32) -> i32 {
        self.kernel.attached_pasid(device, index as usize).map_or(-1, |pasid| pasid as i32)
    }

    /// What the program calls a device.
    pub fn label_of(&self, device: u32) -> Option<u64> {
        self.kernel.label_of(device)
    }

    /// Whether a space is there.
    pub fn has_space(&self, space: u64) -> bool {
        self.kernel.has_space(space)
    }

    /// Keeps addresses from being chosen. Returns 0 or −errno.
    pub fn add_quarantine(&mut self, space: u64, start: u64, last: u64) -> i32 {
        nothing(self.kernel.add_quarantine(space, Range { start, last }))
    }

    /// Ends that for the range that starts there.
    pub fn end_quarantine(&mut self, space: u64, start: u64) {
        self.kernel.end_quarantine(space, start);
    }

    /// As `ioctl`, with automatic placement `margin` bytes from what is mapped and outside of the quarantine, while there is room.
    pub fn ioctl_apart(&mut self, fd: i32, request: u32, argument: u64, margin: u64) -> i32 {
        number(self.kernel.ioctl_apart(fd, request, argument, margin))
    }
}
