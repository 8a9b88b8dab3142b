//! The layout of the linear memory: statics and stack | the kernel's heap | RAM.

/// Where RAM is.
pub(crate) struct Layout {
    /// Offset of RAM in the linear memory.
    pub(crate) ram_start: usize,
    /// The words of RAM, all zero.
    pub(crate) ram: &'static mut [u64],
}

#[cfg(target_family = "wasm")]
pub(crate) use wasm::reserve;

/// Natively there is no linear memory to lay out.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn reserve(_heap_bytes: usize, _ram_bytes: usize) -> Option<Layout> {
    None
}

#[cfg(target_family = "wasm")]
mod wasm {
    use super::Layout;
    use core::alloc::{GlobalAlloc, Layout as Allocation};
    use core::arch::wasm32::{memory_grow, memory_size};
    use core::slice;
    use core::sync::atomic::{AtomicBool, Ordering};
    use talc::{cell::TalcCell, source::Manual, wasm::WasmBinning};

    /// Bytes of a page of WebAssembly.
    const PAGE: usize = 65536;
    /// Alignment of the heap's ends.
    const ALIGN: usize = 16;

    unsafe extern "C" {
        /// The end of statics and stack, from the linker. Its address is what it says; it has no content.
        static __heap_base: u8;
    }

    /// The allocator: it serves from the heap that [`reserve`] claims, and has nothing before that and no more after it.
    struct KernelHeap(TalcCell<Manual, WasmBinning>);

    // SAFETY: the target has no threads (no `atomics` feature), so that nothing is ever shared between two.
    unsafe impl Sync for KernelHeap {}

    // SAFETY: every call goes on to the cell's own implementation, which keeps the contract.
    unsafe impl GlobalAlloc for KernelHeap {
        unsafe fn alloc(&self, layout: Allocation) -> *mut u8 {
            // SAFETY: the caller keeps the same contract.
            unsafe { self.0.alloc(layout) }
        }

        unsafe fn dealloc(&self, pointer: *mut u8, layout: Allocation) {
            // SAFETY: the caller keeps the same contract.
            unsafe { self.0.dealloc(pointer, layout) }
        }

        unsafe fn realloc(&self, pointer: *mut u8, layout: Allocation, new_size: usize) -> *mut u8 {
            // SAFETY: the caller keeps the same contract.
            unsafe { self.0.realloc(pointer, layout, new_size) }
        }
    }

    #[global_allocator]
    static HEAP: KernelHeap = KernelHeap(TalcCell::new(Manual));
    static RESERVED: AtomicBool = AtomicBool::new(false);

    /// Grows the linear memory to its final size and lays it out. `None` if the runtime does not give that much, if RAM is 2 GiB or more,
    /// if the heap is too small for its own bookkeeping, or if the memory is laid out already.
    pub(crate) fn reserve(heap_bytes: usize, ram_bytes: usize) -> Option<Layout> {
        // No slice of Rust may be longer.
        isize::try_from(ram_bytes).ok()?;
        let heap_start = &raw const __heap_base as usize;
        let heap_start = heap_start.checked_next_multiple_of(ALIGN)?;
        let ram_start = heap_start.checked_add(heap_bytes)?.checked_next_multiple_of(PAGE)?;
        let pages = ram_start.checked_add(ram_bytes)?.div_ceil(PAGE);
        let more = pages.checked_sub(memory_size(0))?;
        if RESERVED.swap(true, Ordering::Relaxed) || memory_grow(0, more) == usize::MAX {
            return None;
        }
        // SAFETY: the range lies behind everything that the linker placed and inside the memory, is handed out once (see RESERVED), and
        // ends before RAM.
        unsafe { HEAP.0.claim(heap_start as *mut u8, ram_start - heap_start) }?;
        // SAFETY: the range begins behind the heap, is aligned to a page, lies inside the memory, has less than 2^31 bytes, is zero since the
        // memory grew by it, and is handed out once. JavaScript writes to it only between calls, as a device would.
        let ram = unsafe { slice::from_raw_parts_mut(ram_start as *mut u64, ram_bytes / 8) };
        Some(Layout { ram_start, ram })
    }
}
