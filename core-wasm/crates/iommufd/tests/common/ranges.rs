//! IOAS_IOVA_RANGES and IOAS_ALLOW_IOVAS, whose ranges lie beside the struct.

use super::{Errno, Machine, api};
use iova::Range;

/// Where ranges are, from the start of the request's memory.
const ARRAY: u64 = 0x8000;

/// What IOVA_RANGES answered. The kernel writes it even where the ranges do not fit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Usable {
    pub result: Result<u32, Errno>,
    /// How many there are.
    pub count: u32,
    /// Those that were written.
    pub ranges: Vec<Range>,
    pub alignment: u64,
}

impl Machine {
    /// IOVA_RANGES with room for `room` ranges.
    #[track_caller]
    pub fn usable(&mut self, fd: u32, ioas_id: u32, room: u32) -> Usable {
        let array = self.argument + ARRAY;
        let size = api::IoasIovaRanges::SIZE as u32;
        let request = api::IoasIovaRanges { size, ioas_id, num_iovas: room, reserved: 0, allowed_iovas: array, out_iova_alignment: 0 };
        let mut bytes = [0; api::IoasIovaRanges::SIZE];
        request.write(&mut bytes);
        let (result, after) = self.raw(fd, api::IOAS_IOVA_RANGES, &bytes);
        let answer = api::IoasIovaRanges::read(after.as_slice().try_into().unwrap());
        let written = answer.num_iovas.min(room) as usize;
        let bytes = self.peek(array, written * api::IovaRange::SIZE);
        let ranges = bytes.as_chunks().0.iter().map(|range| {
            let api::IovaRange { start, last } = api::IovaRange::read(range);
            Range { start, last }
        });
        let ranges = ranges.collect();
        Usable { result, count: answer.num_iovas, ranges, alignment: answer.out_iova_alignment }
    }

    /// ALLOW_IOVAS with these ranges.
    #[track_caller]
    pub fn allow(&mut self, fd: u32, ioas_id: u32, ranges: &[(u64, u64)]) -> Result<(), Errno> {
        let array = self.argument + ARRAY;
        for (&(start, last), at) in ranges.iter().zip((array..).step_by(api::IovaRange::SIZE)) {
            let mut bytes = [0; api::IovaRange::SIZE];
            api::IovaRange { start, last }.write(&mut bytes);
            self.kernel.poke(at, &bytes).unwrap();
        }
        self.allow_from(fd, ioas_id, ranges.len() as u32, array)
    }

    /// ALLOW_IOVAS with ranges that are wherever the caller says.
    #[track_caller]
    pub fn allow_from(&mut self, fd: u32, ioas_id: u32, num_iovas: u32, allowed_iovas: u64) -> Result<(), Errno> {
        self.call(fd, api::IoasAllowIovas { size: 0, ioas_id, num_iovas, reserved: 0, allowed_iovas }).map(|_| ())
    }
}
