//! For tests only: make growth fail as if the heap were full.

use std::cell::Cell;

thread_local! {
    static GROWTHS_LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Lets the next `growths` growths of this thread succeed and fails every one after; `None` lifts that again.
pub fn limit_growth(growths: Option<usize>) {
    GROWTHS_LEFT.set(growths);
}

/// Counts one growth; false if it has to fail. Asked only where memory is about to be requested, hence never on a fast path.
pub(crate) fn may_grow() -> bool {
    match GROWTHS_LEFT.get() {
        None => true,
        Some(0) => false,
        Some(left) => {
            GROWTHS_LEFT.set(Some(left - 1));
            true
        }
    }
}
