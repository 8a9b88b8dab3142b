//! A bitmap in the memory of a program that says which pieces of a range of IOVAs were written to; as Linux's `iova_bitmap.c` fills it.
//!
//! Bits are set, never cleared. A part of the bitmap is held at a time, and found when a bit in it is to be set. Bits that have no memory are
//! dropped, since nothing reports them; bits of a page beyond the range, or before it, go where Linux puts them: into the memory behind the bitmap
//! that is held with it, or nowhere.

use crate::hardware::Hardware;
use crate::pages::PAGE;

/// Pages of a bitmap that are held at once: as many as a page has room for their addresses.
const PAGES_MAX: u64 = PAGE / 8;
const BITS_PER_PAGE: u64 = 8 * PAGE;

/// A bitmap that is being filled.
pub(crate) struct Bitmap {
    /// Where it is in the program's memory.
    at: u64,
    /// The IOVA of its first bit.
    iova: u64,
    /// Bytes of IOVA that it stands for.
    length: u64,
    /// Bytes of IOVA that one bit stands for, lg2.
    piece_lg2: u32,
    /// Its own bytes.
    bytes: u64,
    held: Option<Held>,
}

/// A part of a bitmap that is held.
#[derive(Clone, Copy)]
struct Held {
    /// The IOVA of its first bit.
    iova: u64,
    /// Bytes of IOVA that it stands for.
    length: u64,
    /// Where it starts in the program's memory.
    at: u64,
    /// Pages, from that in which it starts.
    pages: u64,
}

impl Held {
    fn covers(&self, iova: u64, length: u64) -> bool {
        iova >= self.iova && iova.wrapping_add(length).wrapping_sub(1) <= self.iova.wrapping_add(self.length).wrapping_sub(1)
    }
}

impl Bitmap {
    /// A bitmap at `at`, for `length` bytes from `iova` on, with a bit for the largest power of two that divides `piece`. `piece` is not 0.
    pub(crate) fn new(at: u64, iova: u64, length: u64, piece: u64) -> Bitmap {
        let piece_lg2 = piece.trailing_zeros().min(63);
        let bytes = (length.wrapping_sub(1) >> piece_lg2) / 8 + 1;
        Bitmap { at, iova, length, piece_lg2, bytes, held: None }
    }

    /// Sets the bits of `length` bytes from `iova` on; `length` is not 0.
    pub(crate) fn set(&mut self, hardware: &mut Hardware, iova: u64, length: u64) {
        let (mut iova, mut length) = (iova, length);
        loop {
            if !self.held.is_some_and(|held| held.covers(iova, length)) && !self.hold(hardware, iova) {
                return;
            }
            let Some(held) = self.held else { return };
            let bit_of = |iova: u64| (iova.wrapping_sub(held.iova) >> self.piece_lg2) + held.at % PAGE * 8;
            let (first, last) = (bit_of(iova), bit_of(iova.wrapping_add(length).wrapping_sub(1)));
            let end = held.pages * BITS_PER_PAGE;
            set_bits(hardware, held.at & !(PAGE - 1), first, last.min(end - 1));
            if last < end {
                return;
            }
            let left = (last - end + 1) << self.piece_lg2;
            (iova, length) = (iova.wrapping_add(length.wrapping_sub(left)), left);
        }
    }

    /// Holds the part of the bitmap that begins with the byte in which the bit of `iova` is. False if there is no such bit, or no memory.
    fn hold(&mut self, hardware: &Hardware, iova: u64) -> bool {
        let skipped = (iova.wrapping_sub(self.iova) >> self.piece_lg2) / 8;
        let Some(left) = self.bytes.checked_sub(skipped).filter(|&left| left != 0) else { return false };
        self.held = None;
        let at = self.at.wrapping_add(skipped);
        let wanted = (left.div_ceil(PAGE) + u64::from(!at.is_multiple_of(PAGE))).min(PAGES_MAX);
        let page_of = |number| (at & !(PAGE - 1)).checked_add(number * PAGE);
        let pages =
            (0..wanted).take_while(|&number| page_of(number).is_some_and(|page| hardware.user.is_writable(page, PAGE))).count() as u64;
        if pages == 0 {
            return false;
        }
        let start = self.iova.wrapping_add((skipped * 8) << self.piece_lg2);
        let length = (left.min(pages * PAGE - at % PAGE) * 8) << self.piece_lg2;
        let last = self.iova.wrapping_add(self.length).wrapping_sub(1);
        let beyond = start.wrapping_add(length).wrapping_sub(1).saturating_sub(last);
        self.held = Some(Held { iova: start, length: length.wrapping_sub(beyond), at, pages });
        true
    }
}

/// Sets bits `first..=last` of the pages from `at` on, which can be written.
fn set_bits(hardware: &mut Hardware, at: u64, first: u64, last: u64) {
    let Hardware { user, ram, .. } = hardware;
    let mut bit = first;
    while bit <= last {
        let end = (bit | (BITS_PER_PAGE - 1)).min(last);
        if let Ok(page) = user.view(at + bit / BITS_PER_PAGE * PAGE, PAGE) {
            let in_page = |bit: u64| (bit % BITS_PER_PAGE) as usize;
            set_bits_of_page(ram.bytes_mut(page, PAGE as usize), in_page(bit), in_page(end));
        }
        bit = end + 1;
    }
}

fn set_bits_of_page(bytes: &mut [u8], first: usize, last: usize) {
    let (low, high) = (0xff << (first % 8), 0xff >> (7 - last % 8));
    match bytes.get_mut(first / 8..=last / 8) {
        Some([only]) => *only |= low & high,
        Some([start, between @ .., end]) => {
            *start |= low;
            between.fill(0xff);
            *end |= high;
        }
        _ => {}
    }
}
