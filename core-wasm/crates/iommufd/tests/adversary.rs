//! What devices reach before a bind, between attach and detach, after a close, whatever programs ask for.

mod common;

use common::world::World;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_device_reaches_what_it_is_attached_to_and_nothing_else(ours: bool, steps in prop::collection::vec(any::<[u8; 4]>(), 1..200)) {
        let mut world = World::new(ours);
        for step in steps {
            world.step(step);
        }
        world.finish();
    }
}
