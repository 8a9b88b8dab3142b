//! Numbers that look random, the same in every run and in tests/bench/random.ts.

/// A xorshift generator.
pub struct Random(u32);

impl Random {
    /// `seed` is not 0.
    pub const fn new(seed: u32) -> Random {
        Random(seed)
    }

    /// 0 to `bound` − 1.
    #[inline]
    pub fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 % bound
    }
}
