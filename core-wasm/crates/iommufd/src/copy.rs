//! IOAS_COPY: further areas of memory that is mapped already. It is pinned and accounted once.

use crate::context::Context;
use crate::mapping::{Piece, Target, map_pieces, put_pages};
use crate::object::ObjectKind;
use crate::range::range_of;
use crate::request::Call;
use crate::selftest;
use alloc::vec::Vec;
use uapi::iommufd as api;
use uapi::{Errno, Result};

/// IOAS_COPY.
pub(crate) fn copy(call: &mut Call) -> Result<()> {
    let mut request = api::IoasCopy::read(call.bytes()?);
    selftest::convert_iova(call, &mut request)?;
    let target = Target::from_flags(request.flags, 0, request.dst_iova, [request.length, request.src_iova])?;
    let (context, hardware) = call.parts()?;
    let source = context.objects.index(request.src_ioas_id, ObjectKind::Ioas)?;
    let pieces = collect(context, source, request.src_iova, request.length)?;
    let destination = context.objects.index(request.dst_ioas_id, ObjectKind::Ioas)?;
    for piece in &pieces {
        if let Some(pages) = context.pages.get_mut(piece.pages) {
            pages.holders += 1;
        }
    }
    let result = map_pieces(context, hardware, destination, &pieces, request.length, target);
    if result.is_err() {
        pieces.iter().for_each(|piece| put_pages(&mut context.pages, hardware, piece.pages));
    }
    request.dst_iova = result?;
    let mut answer = [0; api::IoasCopy::SIZE];
    request.write(&mut answer);
    call.respond(&answer)
}

/// The memory behind `length` bytes from `iova` on. EINVAL for no bytes, EOVERFLOW, ENOENT unless all of it is mapped, ENOMEM.
fn collect(context: &Context, ioas: u32, iova: u64, length: u64) -> Result<Vec<Piece>> {
    let wanted = range_of(iova, length)?;
    let space = &context.ioases.get(ioas).ok_or(Errno::EIO)?.space;
    let mut pieces = Vec::new();
    let mut at = wanted.start;
    for (range, area) in space.iter_from(wanted.start) {
        if at < range.start {
            return Err(Errno::ENOENT);
        }
        let last = range.last.min(wanted.last);
        pieces.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        pieces.push(Piece { pages: area.pages, start_byte: area.start_byte + (at - range.start), length: last - at + 1 });
        if last == wanted.last {
            return Ok(pieces);
        }
        at = last + 1;
    }
    Err(Errno::ENOENT)
}
