//! Results as numbers.

use uapi::Errno;

/// A result of 0 or more as it is, an error as −errno.
#[inline]
pub(crate) fn number(result: Result<u32, Errno>) -> i32 {
    match result {
        Ok(value) => value as i32,
        Err(error) => negative(error),
    }
}

/// 0, or −errno.
#[inline]
pub(crate) fn nothing(result: Result<(), Errno>) -> i32 {
    number(result.map(|()| 0))
}

/// An address, or −errno.
#[inline]
pub(crate) fn address(result: Result<u64, Errno>) -> i64 {
    match result {
        Ok(value) => value as i64,
        Err(error) => i64::from(negative(error)),
    }
}

#[inline]
pub(crate) fn negative(error: Errno) -> i32 {
    -error.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_negative_and_results_are_not() {
        assert_eq!(number(Ok(7)), 7);
        assert_eq!(number(Err(Errno::EBUSY)), -16);
        assert_eq!(nothing(Ok(())), 0);
        assert_eq!(nothing(Err(Errno::EPERM)), -1);
        assert_eq!(address(Ok(0x7000_0000_0000)), 0x7000_0000_0000);
        assert_eq!(address(Err(Errno::ENOMEM)), -12);
    }
}
