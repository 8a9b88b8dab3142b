//! Files in memory, as `memfd_create` makes them: what can be mapped into the process and into IOASes by descriptor.

use crate::ram::{FRAME, Ram};
use pgtable::{Pa, Run};
use uapi::{Errno, Result};

/// A file in RAM of a fixed length, zero at first. Its memory is contiguous and all there from the beginning.
///
/// It keeps a reference to each of its frames until [`MemFile::close`]; mappings and pins keep theirs.
#[derive(Debug)]
pub struct MemFile {
    /// `None` for an empty file.
    pa: Option<Pa>,
    length: u64,
}

impl MemFile {
    /// A file of `length` bytes. ENOMEM if there is no such run of RAM.
    pub fn new(ram: &mut Ram, length: u64) -> Result<MemFile> {
        if length > ram.length() {
            return Err(Errno::ENOMEM);
        }
        let pa = if length == 0 { None } else { Some(ram.alloc(length).ok_or(Errno::ENOMEM)?) };
        Ok(MemFile { pa, length })
    }

    /// Length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The memory of `length` bytes from `offset` on, which must lie in the pages of the file: EINVAL otherwise, and for 0 bytes.
    pub fn run(&self, offset: u64, length: u64) -> Result<Run> {
        let backed = self.backed_from(offset);
        match self.pa {
            Some(pa) if 0 < length && length <= backed => Ok(Run { pa: Pa(pa.0 + offset), length }),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Writes bytes at an offset; nothing happens beyond the end.
    pub fn write(&self, ram: &mut Ram, offset: u64, bytes: &[u8]) {
        if let Ok(run) = self.run(offset, bytes.len() as u64) {
            ram.bytes_mut(run.pa, bytes.len()).copy_from_slice(bytes);
        }
    }

    /// Whether anybody beside the file has memory of it.
    pub fn is_used(&self, ram: &Ram) -> bool {
        let frames = (0..self.length).step_by(FRAME as usize);
        self.pa.is_some_and(|pa| frames.map(|offset| Pa(pa.0 + offset)).any(|frame| ram.references(frame) > 1))
    }

    /// The file's own references go. Memory that is still mapped or pinned stays until that ends.
    pub fn close(self, ram: &mut Ram) {
        if let Some(pa) = self.pa {
            ram.put_run(pa, self.length);
        }
    }

    /// Bytes from `offset` to the end of the last page.
    pub(crate) fn backed_from(&self, offset: u64) -> u64 {
        // No overflow: the length is not more than that of RAM.
        self.length.next_multiple_of(FRAME).saturating_sub(offset)
    }
}
