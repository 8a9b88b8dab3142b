//! Which IOVAs can be used: IOAS_IOVA_RANGES tells, IOAS_ALLOW_IOVAS restricts automatic placement.

use crate::request::Call;
use alloc::vec::Vec;
use iova::{AllowError, Range};
use uapi::iommufd as api;
use uapi::{Errno, Result};

const RANGE: u64 = api::IovaRange::SIZE as u64;

/// IOAS_IOVA_RANGES: the holes between reserved ranges, as many as fit, and how many there are. EMSGSIZE, after writing all that, if there
/// are more.
pub(crate) fn ranges(call: &mut Call) -> Result<()> {
    let mut request = api::IoasIovaRanges::read(call.bytes()?);
    if request.reserved != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let room = request.num_iovas;
    let mut count = 0;
    let (context, hardware) = call.parts()?;
    let ioas = context.ioas(request.ioas_id)?;
    for range in ioas.space.usable() {
        if count < room {
            let mut bytes = [0; api::IovaRange::SIZE];
            api::IovaRange { start: range.start, last: range.last }.write(&mut bytes);
            let to = element(request.allowed_iovas, count).ok_or(Errno::EFAULT)?;
            hardware.copy_out(to, &bytes)?;
        }
        count += 1;
    }
    request.num_iovas = count;
    request.out_iova_alignment = ioas.alignment;
    let mut answer = [0; api::IoasIovaRanges::SIZE];
    request.write(&mut answer);
    call.respond(&answer)?;
    if count > room { Err(Errno::EMSGSIZE) } else { Ok(()) }
}

/// IOAS_ALLOW_IOVAS: replaces the ranges for automatic placement at once; none allows everything.
pub(crate) fn allow(call: &mut Call) -> Result<()> {
    let request = api::IoasAllowIovas::read(call.bytes()?);
    if request.reserved != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    call.context()?.ioas(request.ioas_id)?;
    let mut allowed = Vec::new();
    if let Err(error) = load(call, &request, &mut allowed) {
        // As in Linux ranges are compared while they are read: what came before counts.
        return Err(if overlap(&mut allowed) { Errno::EINVAL } else { error });
    }
    let ioas = call.context()?.ioas(request.ioas_id)?;
    ioas.space.set_allowed(&allowed).map_err(|error| match error {
        AllowError::Inverted | AllowError::Overlap => Errno::EINVAL,
        AllowError::Reserved => Errno::EADDRINUSE,
        AllowError::OutOfMemory => Errno::ENOMEM,
    })
}

/// Reads the caller's ranges. EFAULT, EINVAL for an empty or inverted one, ENOMEM.
fn load(call: &mut Call, request: &api::IoasAllowIovas, allowed: &mut Vec<Range>) -> Result<()> {
    for index in 0..request.num_iovas {
        let mut bytes = [0; api::IovaRange::SIZE];
        let from = element(request.allowed_iovas, index).ok_or(Errno::EFAULT)?;
        call.kernel.hardware.copy_in(from, &mut bytes)?;
        let api::IovaRange { start, last } = api::IovaRange::read(&bytes);
        if start >= last {
            return Err(Errno::EINVAL);
        }
        allowed.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        allowed.push(Range { start, last });
    }
    Ok(())
}

/// Whether two of the ranges have an address in common. Sorts them.
fn overlap(ranges: &mut [Range]) -> bool {
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.windows(2).any(|pair| matches!(pair, [before, after] if after.start <= before.last))
}

/// Where the range with this index is in the caller's array.
fn element(array: u64, index: u32) -> Option<u64> {
    array.checked_add(u64::from(index) * RANGE)
}
