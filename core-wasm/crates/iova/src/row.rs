//! Numbers of 32 bits for each class of alignments, worked on at once, as every processor can with four of them.

/// How many classes: one for what is aligned to less than a page, one for each alignment from a page to 2 MiB, and one for a mark.
pub(crate) const CLASSES: usize = 12;

pub(crate) use own::{Pages, Row};

/// Left to itself the compiler takes one after the other here.
#[cfg(target_arch = "wasm32")]
mod own {
    use super::CLASSES;
    use core::arch::wasm32::{
        i32x4, i32x4_eq, i32x4_extract_lane, i32x4_gt, i32x4_max, i32x4_min, i32x4_shuffle, i32x4_sub, i64x2_sub, u64x2, u64x2_shr,
        u64x2_splat, v128, v128_and, v128_andnot, v128_any_true, v128_or,
    };

    /// A number of each class.
    #[derive(Clone, Copy)]
    pub(crate) struct Row([v128; CLASSES / 4]);

    impl Row {
        #[inline(always)]
        pub(crate) const fn of([a, b, c, d, e, f, g, h, i, j, k, l]: [i32; CLASSES]) -> Row {
            Row([i32x4(a, b, c, d), i32x4(e, f, g, h), i32x4(i, j, k, l)])
        }

        /// One of them.
        #[inline(always)]
        pub(crate) fn get(&self, class: usize) -> i32 {
            let four = self.0[class / 4];
            match class % 4 {
                0 => i32x4_extract_lane::<0>(four),
                1 => i32x4_extract_lane::<1>(four),
                2 => i32x4_extract_lane::<2>(four),
                _ => i32x4_extract_lane::<3>(four),
            }
        }

        #[inline(always)]
        fn zip(self, other: Row, with: impl Fn(v128, v128) -> v128) -> Row {
            let ([a, b, c], [d, e, f]) = (self.0, other.0);
            Row([with(a, d), with(b, e), with(c, f)])
        }

        #[inline(always)]
        pub(crate) fn minus(self, other: Row) -> Row {
            self.zip(other, |four, other| i32x4_sub(four, other))
        }

        #[inline(always)]
        pub(crate) fn and(self, other: Row) -> Row {
            self.zip(other, |four, other| v128_and(four, other))
        }

        #[inline(always)]
        pub(crate) fn min(self, other: Row) -> Row {
            self.zip(other, |four, other| i32x4_min(four, other))
        }

        #[inline(always)]
        pub(crate) fn max(self, other: Row) -> Row {
            self.zip(other, |four, other| i32x4_max(four, other))
        }

        /// All bits of those that are the same.
        #[inline(always)]
        pub(crate) fn equals(self, other: Row) -> Row {
            self.zip(other, |four, other| i32x4_eq(four, other))
        }

        /// All bits of those that are above the other's.
        #[inline(always)]
        pub(crate) fn is_above(self, other: Row) -> Row {
            self.zip(other, |four, other| i32x4_gt(four, other))
        }

        /// Whether one is not 0.
        #[inline(always)]
        pub(crate) fn is_something(self) -> bool {
            let [a, b, c] = self.0;
            v128_any_true(v128_or(v128_or(a, b), c))
        }
    }

    /// Of four gaps the page that each is behind, and how many it has.
    #[derive(Clone, Copy)]
    pub(crate) struct Pages {
        before: v128,
        whole: v128,
        odd: v128,
    }

    impl Pages {
        /// Of the gaps between what ends with `afters` and what begins with `nexts`. `others` are gaps looked at before.
        #[inline(always)]
        pub(crate) fn between(&[a, b, c, d]: &[u64; 4], &[e, f, g, h]: &[u64; 4], others: Option<Pages>) -> Pages {
            let two = |after: v128, next: v128| {
                let before = u64x2_shr(after, 12);
                let whole = i64x2_sub(u64x2_shr(i64x2_sub(next, u64x2_splat(1)), 12), before);
                let odd = v128_or(v128_andnot(u64x2_splat(0xfff), after), v128_andnot(whole, u64x2_splat(0x3fff_ffff)));
                (before, whole, odd)
            };
            let (first, second) = (two(u64x2(a, b), u64x2(e, f)), two(u64x2(c, d), u64x2(g, h)));
            let odd = v128_or(first.2, second.2);
            Pages {
                before: i32x4_shuffle::<0, 2, 4, 6>(first.0, second.0),
                whole: i32x4_shuffle::<0, 2, 4, 6>(first.1, second.1),
                odd: others.map_or(odd, |others| v128_or(others.odd, odd)),
            }
        }

        /// Whether one of the gaps begins within a page or has very many, here and among the others.
        #[inline(always)]
        pub(crate) fn are_odd(self) -> bool {
            v128_any_true(self.odd)
        }

        /// Of one gap how many pages it has, without those of `masks` that are missing before an aligned one.
        #[inline(always)]
        pub(crate) fn rooms<const GAP: usize>(self, masks: Row) -> Row {
            let one = |four| i32x4_shuffle::<GAP, GAP, GAP, GAP>(four, four);
            let (before, whole) = (one(self.before), one(self.whole));
            Row(masks.0.map(|mask| i32x4_sub(whole, v128_andnot(mask, before))))
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod own {
    use super::CLASSES;

    /// A number of each class.
    #[derive(Clone, Copy)]
    pub(crate) struct Row([i32; CLASSES]);

    impl Row {
        #[inline(always)]
        pub(crate) const fn of(numbers: [i32; CLASSES]) -> Row {
            Row(numbers)
        }

        /// One of them.
        #[inline(always)]
        pub(crate) fn get(&self, class: usize) -> i32 {
            self.0[class]
        }

        #[inline(always)]
        fn zip(mut self, other: Row, with: impl Fn(i32, i32) -> i32) -> Row {
            for (number, other) in self.0.iter_mut().zip(other.0) {
                *number = with(*number, other);
            }
            self
        }

        #[inline(always)]
        pub(crate) fn minus(self, other: Row) -> Row {
            self.zip(other, i32::wrapping_sub)
        }

        #[inline(always)]
        pub(crate) fn and(self, other: Row) -> Row {
            self.zip(other, |number, other| number & other)
        }

        #[inline(always)]
        pub(crate) fn min(self, other: Row) -> Row {
            self.zip(other, i32::min)
        }

        #[inline(always)]
        pub(crate) fn max(self, other: Row) -> Row {
            self.zip(other, i32::max)
        }

        /// All bits of those that are the same.
        #[inline(always)]
        pub(crate) fn equals(self, other: Row) -> Row {
            self.zip(other, |number, other| -i32::from(number == other))
        }

        /// All bits of those that are above the other's.
        #[inline(always)]
        pub(crate) fn is_above(self, other: Row) -> Row {
            self.zip(other, |number, other| -i32::from(number > other))
        }

        /// Whether one is not 0.
        #[inline(always)]
        pub(crate) fn is_something(self) -> bool {
            self.0.iter().fold(0, |seen, number| seen | number) != 0
        }
    }

    /// Of four gaps the page that each is behind, and how many it has.
    #[derive(Clone, Copy)]
    pub(crate) struct Pages {
        before: [i32; 4],
        whole: [i32; 4],
        odd: u64,
    }

    impl Pages {
        /// Of the gaps between what ends with `afters` and what begins with `nexts`. `others` are gaps looked at before.
        #[inline(always)]
        pub(crate) fn between(afters: &[u64; 4], nexts: &[u64; 4], others: Option<Pages>) -> Pages {
            let mut pages = Pages { before: [0; 4], whole: [0; 4], odd: others.map_or(0, |others| others.odd) };
            for gap in 0..4 {
                let before = afters[gap] >> 12;
                let whole = ((nexts[gap] - 1) >> 12) - before;
                pages.odd |= (!afters[gap] & 0xfff) | (whole & !0x3fff_ffff);
                (pages.before[gap], pages.whole[gap]) = (before as i32, whole as i32);
            }
            pages
        }

        /// Whether one of the gaps begins within a page or has very many, here and among the others.
        #[inline(always)]
        pub(crate) fn are_odd(self) -> bool {
            self.odd != 0
        }

        /// Of one gap how many pages it has, without those of `masks` that are missing before an aligned one.
        #[inline(always)]
        pub(crate) fn rooms<const GAP: usize>(self, masks: Row) -> Row {
            Row(masks.0.map(|mask| self.whole[GAP].wrapping_sub(mask & !self.before[GAP])))
        }
    }
}

impl Row {
    /// The same number for all.
    #[inline(always)]
    pub(crate) const fn all(number: i32) -> Row {
        Row::of([number; CLASSES])
    }

    /// A number for the first, 0 for the others.
    #[inline(always)]
    pub(crate) const fn first(number: i32) -> Row {
        let mut numbers = [0; CLASSES];
        numbers[0] = number;
        Row::of(numbers)
    }
}
