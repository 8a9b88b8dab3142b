//! Ranges as requests name them: by where they begin and how long they are.

use iova::Range;
use uapi::{Errno, Result};

/// A range by its length. EINVAL for no bytes, EOVERFLOW.
#[inline]
pub(crate) fn range_of(start: u64, length: u64) -> Result<Range> {
    let last_of = length.checked_sub(1).ok_or(Errno::EINVAL)?;
    Ok(Range { start, last: start.checked_add(last_of).ok_or(Errno::EOVERFLOW)? })
}
