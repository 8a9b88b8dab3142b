//! A machine that runs short of memory.

use super::{Errno, Machine, PAGE};
use iommufd::Pa;
use iova::testing::limit_growth;

/// What a request may run short of.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Short {
    /// Frames of RAM: page tables, memory of the process and of files.
    Frames,
    /// Growth of the lists that hold areas, reserved and allowed ranges.
    Growth,
}

/// A machine in which little is left.
pub struct Starved {
    pub m: Machine,
    hoard: Vec<Pa>,
}

impl Starved {
    /// Takes all but `left` of it.
    pub fn new(mut m: Machine, short: Short, left: usize) -> Starved {
        let mut hoard = Vec::new();
        match short {
            Short::Frames => {
                while let Ok(frame) = m.kernel.staging_alloc(PAGE) {
                    hoard.push(frame);
                }
                for frame in hoard.drain(..left) {
                    m.kernel.staging_free(frame, PAGE);
                }
            }
            Short::Growth => limit_growth(Some(left)),
        }
        Starved { m, hoard }
    }

    /// Gives it back.
    pub fn end(self) -> Machine {
        let mut m = self.m;
        limit_growth(None);
        for frame in self.hoard {
            m.kernel.staging_free(frame, PAGE);
        }
        m
    }
}

/// Runs a request with nothing left, then with 1, 2, … left until it succeeds. How often it failed.
pub fn sweep<T: Copy>(short: Short, prepare: fn() -> (Machine, T), request: fn(&mut Machine, T) -> Result<(), Errno>) -> usize {
    for left in 0..64 {
        let (m, with) = prepare();
        let mut starved = Starved::new(m, short, left);
        let before = starved.m.kernel.usage();
        let result = request(&mut starved.m, with);
        starved.m.check();
        if result.is_err() {
            assert_eq!((result, starved.m.kernel.usage()), (Err(Errno::ENOMEM), before), "{short:?}, {left} left");
        }
        let mut m = starved.end();
        if result.is_err() {
            // Nothing is in the way of another try.
            request(&mut m, with).unwrap();
        }
        m.finish();
        if result.is_ok() {
            return left;
        }
    }
    panic!("no request needs so much");
}
