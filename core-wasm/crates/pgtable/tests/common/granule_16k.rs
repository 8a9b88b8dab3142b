//! A format in the shape of Arm's with a 16 KiB granule: 11 bits a table, a contiguous hint whose entries are numbered, and a top table
//! of two tables side by side. Nothing that the crate ships has these, and the algorithms must not rely on that.

use pgtable::{Entry, Format, LeafOptions, Pa, Prot};

const VALID: u64 = 1;
const TABLE_OR_PAGE: u64 = 2;
const ACCESS_SHIFT: u32 = 6;
const CONTIGUOUS: u64 = 1 << 52;
const ADDRESS: u64 = 0x0000_ffff_ffff_c000;

#[derive(Debug)]
pub enum Granule16K {}

impl Granule16K {
    const fn contiguous_lg2(level: u32) -> u32 {
        if level == 0 { 7 } else { 5 }
    }
}

impl Format for Granule16K {
    const NAME: &'static str = "granule_16k";
    const GRANULE_LG2: u32 = 14;
    const MIN_LEVELS: u32 = 2;
    const MAX_LEVELS: u32 = 4;
    const MAX_ADDRESS_LG2: u32 = 48;
    const MAX_OUTPUT_LG2: u32 = 48;
    const CONTIGUOUS: bool = true;

    fn address_lg2(levels: u32) -> u32 {
        (Self::item_lg2(levels) + 1).min(Self::MAX_ADDRESS_LG2)
    }

    fn leaf_sizes(level: u32) -> u64 {
        match level {
            0 | 1 => 1 << Self::item_lg2(level) | 1 << (Self::item_lg2(level) + Self::contiguous_lg2(level)),
            _ => 0,
        }
    }

    fn load(entry: u64, level: u32) -> Entry {
        if entry & VALID == 0 {
            Entry::Empty
        } else if level != 0 && entry & TABLE_OR_PAGE != 0 {
            Entry::Table
        } else {
            Entry::Leaf
        }
    }

    fn table_pa(entry: u64) -> Pa {
        Pa(entry & ADDRESS)
    }

    fn leaf_lg2(entry: u64, level: u32) -> u32 {
        Self::item_lg2(level) + if entry & CONTIGUOUS != 0 { Self::contiguous_lg2(level) } else { 0 }
    }

    fn encode_table(pa: Pa, _level: u32) -> u64 {
        pa.0 | VALID | TABLE_OR_PAGE | 3 << ACCESS_SHIFT
    }

    fn encode_leaf(pa: Pa, level: u32, lg2: u32, attributes: u64) -> u64 {
        let kind = if level == 0 { TABLE_OR_PAGE } else { 0 };
        let contiguous = if lg2 == Self::item_lg2(level) { 0 } else { CONTIGUOUS };
        pa.0 | VALID | kind | contiguous | attributes
    }

    fn attributes(prot: Prot, _options: LeafOptions) -> u64 {
        u64::from(prot.bits()) << ACCESS_SHIFT
    }

    fn prot(entry: u64) -> Prot {
        Prot::from_bits((entry >> ACCESS_SHIFT) as u8)
    }
}
