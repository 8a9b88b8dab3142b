//! The search for the first place that takes a request.

use crate::range::Range;
use crate::request::Request;
use crate::reserved::Reserved;
use crate::rooms::{Need, Rooms};
use crate::tree::Wanted;

/// A place for a request between areas, which is not reserved.
pub(crate) struct Fit<'a> {
    request: &'a Request,
    need: Need,
    reserved: &'a Reserved,
}

impl<'a> Fit<'a> {
    pub(crate) fn new(request: &'a Request, reserved: &'a Reserved) -> Self {
        Fit { request, need: Need::new(request.class(), request.room()), reserved }
    }
}

impl Wanted<Rooms> for Fit<'_> {
    type Found = u64;

    #[inline(always)]
    fn may_be_in(&self, below: &Rooms) -> bool {
        below.has(self.need)
    }

    #[inline(always)]
    fn least(&self) -> u64 {
        self.request.length
    }

    #[inline]
    fn find_in(&self, gap: Range) -> Option<u64> {
        // Summaries know nothing of what is reserved: of that there is little.
        if self.reserved.overlaps(gap) {
            return self.reserved.holes(gap).find_map(|hole| self.request.place_in(hole));
        }
        self.request.place_in(gap)
    }
}
