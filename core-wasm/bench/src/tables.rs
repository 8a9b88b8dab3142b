//! Page tables alone: VT-d second stage, four levels, in RAM as the machine has it.

use crate::PAGE;
use iommu::{Pa, Prot, Ram, Run};
use pgtable::{Config, Kind, PageTable};

const BOTH: Prot = Prot::from_bits(3);
/// Where page 0 leads: to no multiple of 2 MiB, so that pages of 4 KiB are all that fits.
const TARGET: u64 = 0x2_0000_1000;

/// A page table and the memory of its tables.
pub struct Tables {
    ram: Ram,
    table: PageTable,
}

impl Tables {
    /// With nothing mapped; tables may take `bytes`.
    pub fn new(bytes: usize) -> Tables {
        let mut ram = Ram::with_bytes(bytes).expect("memory");
        let table = PageTable::new(&mut ram, Kind::VtdSs, Config::new(4)).expect("RAM");
        Tables { ram, table }
    }

    /// Maps `pages` pages from `page` on.
    #[inline]
    pub fn map(&mut self, page: u32, pages: u32) {
        let iova = u64::from(page) * PAGE;
        let run = Run { pa: Pa(TARGET + iova), length: u64::from(pages) * PAGE };
        self.table.map(&mut self.ram, iova, [run].into_iter(), BOTH).expect("free");
    }

    /// Unmaps them. Returns how many there were.
    #[inline]
    pub fn unmap(&mut self, page: u32, pages: u32) -> u32 {
        (self.table.unmap(&mut self.ram, u64::from(page) * PAGE, u64::from(pages) * PAGE).length / PAGE) as u32
    }

    /// The page that `page` leads to.
    #[inline]
    pub fn translate(&self, page: u32) -> u32 {
        self.table.translate(&self.ram, u64::from(page) * PAGE).map_or(0, |found| (found.pa.0 / PAGE) as u32)
    }

    /// Bytes that its tables take.
    pub fn bytes(&self) -> u32 {
        self.table.tables() * PAGE as u32
    }
}
