//! Making areas: IOAS_MAP, IOAS_MAP_FILE, and what COPY shares with them.
//!
//! The hot path of the library: no allocation but for the area and its memory's entry, both in slabs.

use crate::context::Context;
use crate::file::File;
use crate::hardware::Hardware;
use crate::hwpt::Hwpt;
use crate::ioas::{Area, Ioas};
use crate::kernel::Kernel;
use crate::pages::{Backing, Charge, PAGE, Pages};
use crate::range::range_of;
use crate::request::Call;
use crate::slab::Slab;
use iommu::{Pa, Prot};
use iova::{FixedError, InsertError, PlaceError, Range};
use uapi::iommufd as api;
use uapi::{Errno, Result};

const KNOWN_FLAGS: u32 = api::IOAS_MAP_FIXED_IOVA | api::IOAS_MAP_WRITEABLE | api::IOAS_MAP_READABLE;
/// The longest length, so that rounding up to pages does not overflow.
const LENGTH_MAX: u64 = u64::MAX - PAGE;

/// Bytes of some memory, to become an area.
#[derive(Clone, Copy)]
pub(crate) struct Piece {
    pub(crate) pages: u32,
    pub(crate) start_byte: u64,
    pub(crate) length: u64,
}

impl Piece {
    /// Its area at `iova`, from which on there is room for it.
    #[inline]
    fn area(&self, iova: u64, prot: Prot) -> (Range, Area) {
        let range = Range { start: iova, last: iova.wrapping_add(self.length - 1) };
        (range, Area { pages: self.pages, prot, start_byte: self.start_byte })
    }
}

/// Where an area goes, and what devices may do with it.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    /// The IOVA; `None`: the kernel chooses.
    pub(crate) fixed: Option<u64>,
    pub(crate) prot: Prot,
}

impl Target {
    /// Checks that MAP, MAP_FILE and COPY begin with. `bounds` are the values that must be below 2^64 - 1.
    #[inline]
    pub(crate) fn from_flags<const N: usize>(flags: u32, reserved: u32, iova: u64, bounds: [u64; N]) -> Result<Target> {
        if flags & !KNOWN_FLAGS != 0 || reserved != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        if iova == u64::MAX || bounds.contains(&u64::MAX) {
            return Err(Errno::EOVERFLOW);
        }
        let read = if flags & api::IOAS_MAP_READABLE != 0 { Prot::READ } else { Prot::NONE };
        let write = if flags & api::IOAS_MAP_WRITEABLE != 0 { Prot::WRITE } else { Prot::NONE };
        if (read | write).is_empty() {
            return Err(Errno::EINVAL);
        }
        let fixed = (flags & api::IOAS_MAP_FIXED_IOVA != 0).then_some(iova);
        Ok(Target { fixed, prot: read | write })
    }

    fn writes(&self) -> bool {
        self.prot.contains(Prot::WRITE)
    }
}

/// IOAS_MAP: maps memory of the process.
pub(crate) fn map(call: &mut Call) -> Result<()> {
    let mut request = api::IoasMap::read(call.bytes()?);
    let target = Target::from_flags(request.flags, request.reserved, request.iova, [request.length])?;
    let (context, hardware) = call.parts()?;
    let ioas = context.objects.index(request.ioas_id, crate::object::ObjectKind::Ioas)?;
    request.user_va.checked_add(request.length).ok_or(Errno::EOVERFLOW)?;
    let backing = Backing::User(request.user_va & !(PAGE - 1));
    request.iova = map_new(context, hardware, ioas, backing, request.user_va % PAGE, request.length, target)?;
    let mut answer = [0; api::IoasMap::SIZE];
    request.write(&mut answer);
    call.respond(&answer)
}

/// IOAS_MAP_FILE: maps memory of a memfd or a dma-buf.
pub(crate) fn map_file(call: &mut Call) -> Result<()> {
    let mut request = api::IoasMapFile::read(call.bytes()?);
    let target = Target::from_flags(request.flags, 0, request.iova, [request.length])?;
    let ioas = call.context()?.objects.index(request.ioas_id, crate::object::ObjectKind::Ioas)?;
    let bytes = range_of(request.start, request.length)?;
    let backing = call.kernel.backing_of(request.fd, request.start & !(PAGE - 1), bytes.last)?;
    let (context, hardware) = call.parts()?;
    request.iova = map_new(context, hardware, ioas, backing, request.start % PAGE, request.length, target)?;
    let mut answer = [0; api::IoasMapFile::SIZE];
    request.write(&mut answer);
    call.respond(&answer)
}

impl Kernel {
    /// What can be mapped of an fd, up to byte `last`. EBADF; of a dma-buf EINVAL beyond its end, ENODEV if it is revoked, EOPNOTSUPP if it has more
    /// than one range. Whether others have memory is found out when that is pinned.
    fn backing_of(&self, fd: i32, start: u64, last: u64) -> Result<Backing> {
        match self.file(fd)? {
            File::Memfd(memfd) => Ok(Backing::File { memfd, start }),
            File::Dmabuf(dmabuf) => {
                let entry = self.hardware.dmabufs.get(dmabuf).ok_or(Errno::EIO)?;
                if entry.length <= last {
                    return Err(Errno::EINVAL);
                }
                if entry.revoked {
                    return Err(Errno::ENODEV);
                }
                if entry.ranges != 1 {
                    return Err(Errno::EOPNOTSUPP);
                }
                Ok(Backing::Dmabuf { dmabuf, start, pa: Pa(entry.pa.0 + start) })
            }
            _ => Ok(Backing::NoMemory { start }),
        }
    }
}

/// Maps memory that is not mapped yet. Returns the IOVA.
#[inline]
pub(crate) fn map_new(
    context: &mut Context,
    hardware: &mut Hardware,
    ioas: u32,
    backing: Backing,
    start_byte: u64,
    length: u64,
    target: Target,
) -> Result<u64> {
    if length == 0 || length > LENGTH_MAX {
        return Err(Errno::EINVAL);
    }
    let unlimited = hardware.accounts.limit.is_none() || matches!(backing, Backing::Dmabuf { .. });
    let charge = if unlimited { Charge::None } else { context.charge };
    let pages = context.pages.insert_with(|| Pages::new(backing, target.writes(), charge))?;
    hold_file(hardware, backing);
    let result = map_pieces(context, hardware, ioas, &[Piece { pages, start_byte, length }], length, target);
    if result.is_err() {
        put_pages(&mut context.pages, hardware, pages);
    }
    result
}

/// Lets go of memory. Never fails, never allocates.
#[inline]
pub(crate) fn put_pages(pages: &mut Slab<Pages>, hardware: &mut Hardware, index: u32) {
    let Some(entry) = pages.get_mut(index) else { return };
    entry.holders -= 1;
    if entry.holders != 0 {
        return;
    }
    debug_assert!(entry.pins().is_empty(), "nobody holds pages that are pinned");
    let backing = entry.backing;
    pages.discard(index);
    match backing {
        Backing::File { memfd, .. } => hardware.put_memfd(memfd),
        Backing::Dmabuf { dmabuf, .. } => hardware.put_dmabuf(dmabuf),
        Backing::User(_) | Backing::NoMemory { .. } => {}
    }
}

/// Pages of a file hold it.
fn hold_file(hardware: &mut Hardware, backing: Backing) {
    let holders = match backing {
        Backing::File { memfd, .. } => hardware.memfds.get_mut(memfd).map(|memfd| &mut memfd.holders),
        Backing::Dmabuf { dmabuf, .. } => hardware.dmabufs.get_mut(dmabuf).map(|dmabuf| &mut dmabuf.holders),
        Backing::User(_) | Backing::NoMemory { .. } => None,
    };
    if let Some(holders) = holders {
        *holders += 1;
    }
}

/// Makes an area of each piece, one after the other, `length` bytes in all, and shows them to the page tables. The holds on the pages
/// become the areas'; on failure they stay with the caller, and nothing has changed. Returns the IOVA.
pub(crate) fn map_pieces(
    context: &mut Context,
    hardware: &mut Hardware,
    ioas: u32,
    pieces: &[Piece],
    length: u64,
    target: Target,
) -> Result<u64> {
    let Context { ioases, hwpts, pages, .. } = context;
    let ioas = ioases.get_mut(ioas).ok_or(Errno::EIO)?;
    if length == 0 || length & (ioas.alignment - 1) != 0 {
        return Err(Errno::EINVAL);
    }
    let iova = choose_iova(ioas, pages, pieces, length, target)?;
    insert_areas(ioas, pages, iova, pieces, target.prot)?;
    if !ioas.hwpts.is_empty()
        && let Err(error) = fill_areas(ioas, hwpts, pages, hardware, iova, pieces, target.prot)
    {
        remove_areas(ioas, iova, pieces);
        return Err(error);
    }
    Ok(iova)
}

/// Where the pieces go: where the caller says, or where Linux would put them.
#[inline]
fn choose_iova(ioas: &mut Ioas, pages: &Slab<Pages>, pieces: &[Piece], length: u64, target: Target) -> Result<u64> {
    match target.fixed {
        Some(iova) => match ioas.space.check_fixed(iova, length, ioas.alignment) {
            Ok(_) => Ok(iova),
            Err(FixedError::Misaligned | FixedError::Reserved) => Err(Errno::EINVAL),
            Err(FixedError::Overflow) => Err(Errno::EOVERFLOW),
            Err(FixedError::Exists) => Err(Errno::EEXIST),
        },
        None => {
            // The first piece decides about the alignment.
            let piece = pieces.first().ok_or(Errno::EIO)?;
            let address = pages.get(piece.pages).ok_or(Errno::EIO)?.backing.address().wrapping_add(piece.start_byte);
            ioas.space.place(address, length, ioas.alignment).map_err(|error| match error {
                PlaceError::Overflow => Errno::EOVERFLOW,
                PlaceError::Misaligned => Errno::EINVAL,
                PlaceError::NoSpace => Errno::ENOSPC,
            })
        }
    }
}

/// Enters an area for each piece, from `iova` on. All or nothing. As in Linux all of them are entered before the first is pinned.
#[inline]
fn insert_areas(ioas: &mut Ioas, pages: &Slab<Pages>, iova: u64, pieces: &[Piece], prot: Prot) -> Result<()> {
    for (done, (at, piece)) in placed(iova, pieces).enumerate() {
        if let Err(error) = insert_area(ioas, pages, at, piece, prot) {
            remove_areas(ioas, iova, &pieces[..done]);
            return Err(error);
        }
    }
    Ok(())
}

/// EPERM for writing to read-only pages, EINVAL for an offset in the page that does not suit the IOAS, ENOMEM.
#[inline]
fn insert_area(ioas: &mut Ioas, pages: &Slab<Pages>, iova: u64, piece: &Piece, prot: Prot) -> Result<()> {
    let entry = pages.get(piece.pages).ok_or(Errno::EIO)?;
    if prot.contains(Prot::WRITE) && !entry.writable {
        return Err(Errno::EPERM);
    }
    if (piece.start_byte % PAGE) & (ioas.alignment - 1) != 0 {
        return Err(Errno::EINVAL);
    }
    let (range, area) = piece.area(iova, prot);
    ioas.space.insert(range, area).map_err(|error| match error {
        InsertError::OutOfMemory => Errno::ENOMEM,
        InsertError::Overlap => Errno::EEXIST,
    })
}

/// Takes the areas of `pieces` out again; their holds on the pages go back to the caller.
#[cold]
fn remove_areas(ioas: &mut Ioas, iova: u64, pieces: &[Piece]) {
    for (at, _) in placed(iova, pieces) {
        ioas.space.remove(at);
    }
}

/// Pins the areas of `pieces` and shows them to the page tables, of which there is one. All or nothing.
#[inline]
fn fill_areas(
    ioas: &Ioas,
    hwpts: &Slab<Hwpt>,
    pages: &mut Slab<Pages>,
    hardware: &mut Hardware,
    iova: u64,
    pieces: &[Piece],
    prot: Prot,
) -> Result<()> {
    for (done, (at, piece)) in placed(iova, pieces).enumerate() {
        let (range, area) = piece.area(at, prot);
        let entry = pages.get_mut(piece.pages).ok_or(Errno::EIO)?;
        if let Err(error) = ioas.fill_area(hwpts, entry, hardware, range, area) {
            for (at, piece) in placed(iova, &pieces[..done]) {
                let (range, area) = piece.area(at, prot);
                if let Some(entry) = pages.get_mut(piece.pages) {
                    ioas.unfill_area(hwpts, entry, hardware, range, area);
                }
            }
            return Err(error);
        }
    }
    Ok(())
}

/// The pieces with their IOVAs, one after the other from `iova` on.
fn placed(iova: u64, pieces: &[Piece]) -> impl Iterator<Item = (u64, &Piece)> {
    let mut next = iova;
    pieces.iter().map(move |piece| {
        let at = next;
        // Past the last piece this may wrap, and is not used.
        next = next.wrapping_add(piece.length);
        (at, piece)
    })
}
