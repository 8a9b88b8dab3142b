//! Raw bytes as system calls: no panic, all invariants hold after each call, each allocation may fail, memory does not grow without bound, and
//! closing everything gives everything back.
#![no_main]

#[path = "../../crates/iommufd/tests/common/mod.rs"]
mod common;

use common::program::{Program, parse};
use failing_alloc::in_use;
use libfuzzer_sys::fuzz_target;

/// Bytes of the heap that a call may take for good: the largest list that a request makes, with room to spare.
const GROWTH: isize = 64 << 10;

fuzz_target!(|bytes: &[u8]| {
    let (setup, steps) = parse(bytes);
    let mut program = Program::new(setup);
    let start = in_use();
    for (index, step) in steps.iter().enumerate() {
        let _ = program.step(step);
        let grown = in_use() - start;
        assert!(grown <= GROWTH * (index as isize + 1), "{grown} bytes after {} calls", index + 1);
    }
    program.m.finish();
});
