//! Any bytes as a program: no panic, all invariants hold after each call, and closing everything gives everything back.

mod common;

use common::program::{Program, parse};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_a_program(bytes in prop::collection::vec(any::<u8>(), 1..2000)) {
        let (setup, steps) = parse(&bytes);
        let mut program = Program::new(setup);
        for step in &steps {
            let _ = program.step(step);
        }
        program.m.finish();
    }
}
