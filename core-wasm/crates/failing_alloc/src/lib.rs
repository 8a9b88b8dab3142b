//! For tests: a heap that fails at a chosen allocation, and counts what is in use. Each thread has its own count, so that tests do not disturb
//! each other.
//!
//! A test names it as its `#[global_allocator]`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Allocations that succeed before the one that fails.
    static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
    static FAILED: Cell<bool> = const { Cell::new(false) };
    static IN_USE: Cell<isize> = const { Cell::new(0) };
}

/// The system's heap, which fails where it is told to.
pub struct FailingAlloc;

/// Runs `work` so that the allocation with this number, from 0, fails, and no other. Returns what `work` does, and whether it came to that
/// allocation.
pub fn failing_at<T>(number: u64, work: impl FnOnce() -> T) -> (T, bool) {
    LEFT.set(Some(number));
    FAILED.set(false);
    let result = work();
    LEFT.set(None);
    (result, FAILED.get())
}

/// Bytes that this thread has allocated and not freed; negative if it has freed what others allocated.
pub fn in_use() -> isize {
    IN_USE.get()
}

/// Counts an allocation; false if it has to fail.
fn may_allocate() -> bool {
    match LEFT.get() {
        None => true,
        Some(0) => {
            LEFT.set(None);
            FAILED.set(true);
            false
        }
        Some(left) => {
            LEFT.set(Some(left - 1));
            true
        }
    }
}

fn count(bytes: isize) {
    IN_USE.set(IN_USE.get() + bytes);
}

// SAFETY: every request goes to the system's allocator as it came, or is refused by the null pointer that the contract provides for.
unsafe impl GlobalAlloc for FailingAlloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !may_allocate() {
            return std::ptr::null_mut();
        }
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !may_allocate() {
            return std::ptr::null_mut();
        }
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size > layout.size() && !may_allocate() {
            return std::ptr::null_mut();
        }
        count(size as isize - layout.size() as isize);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.dealloc(at, layout) }
    }
}
