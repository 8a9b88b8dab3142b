//! Bytes of entries of x86-64, RISC-V and Arm, written by hand from the specifications that the files of `fmt/` name; and their marks.

mod common;

use common::{runs, table_of};
use pgtable::fmt::{ARM_S1_4K, ARM_S1_16K, ARM_S1_64K, ARM_S2_4K, RISCV, RISCV_X4, VTD_FS};
use pgtable::{Config, DirtyLeaf, Format, Kind, LeafOptions, PageTable, Prot, TableMemory, VecMemory};

const RW: Prot = Prot::from_bits(3);
const PLAIN: LeafOptions = LeafOptions { coherent: false, tracks_dirty: false };
const COHERENT: LeafOptions = LeafOptions { coherent: true, tracks_dirty: false };
const TRACKED: LeafOptions = LeafOptions { coherent: true, tracks_dirty: true };

struct Tables {
    memory: VecMemory,
    table: PageTable,
}

impl Tables {
    fn map(format: &'static Format, levels: u8, options: LeafOptions, (iova, pa, length): (u64, u64, u64), prot: Prot) -> Self {
        let mut memory = VecMemory::new();
        let mut table = table_of(&mut memory, format, Config { options, ..Config::new(levels) }).unwrap();
        table.map(&mut memory, iova, runs(&[(pa, length)]), prot).unwrap();
        Tables { memory, table }
    }

    /// Follows indices from the root. Returns all entries read.
    fn entries(&self, indices: &[usize]) -> Vec<u64> {
        let mut at = self.table.root();
        let mut found = Vec::new();
        for &index in indices {
            let entry = self.memory.entries(at, index + 1)[index];
            found.push(entry);
            at = self.table.format().table_pa(entry);
        }
        found
    }

    fn last_entry(&self, indices: &[usize]) -> u64 {
        *self.entries(indices).last().unwrap()
    }
}

/// A 4 KiB page at 1 << 30 | 2 << 21 | 3 << 12.
const PAGE: (u64, u64, u64) = (0x4040_3000, 0x1_2345_6000, 0x1000);
const LARGE: (u64, u64, u64) = (0x4040_0000, 0x2_0020_0000, 0x20_0000);

#[test]
fn x86_64_a_page_is_present_for_users_and_marked() {
    let entries = Tables::map(&VTD_FS, 4, PLAIN, PAGE, RW).entries(&[0, 1, 2, 3]);
    assert_eq!(entries[3], 0x0000_0001_2345_6067);
    assert!(entries[..3].iter().all(|entry| entry & 0xfff == 0x27));
    assert_eq!(Tables::map(&VTD_FS, 4, PLAIN, PAGE, Prot::READ).last_entry(&[0, 1, 2, 3]), 0x0000_0001_2345_6025);
    assert_eq!(Tables::map(&VTD_FS, 5, TRACKED, PAGE, RW).last_entry(&[0, 0, 1, 2, 3]), 0x0000_0001_2345_6027);
    assert_eq!(Tables::map(&VTD_FS, 4, PLAIN, LARGE, RW).last_entry(&[0, 1, 2]), 0x0000_0002_0020_00e7);
}

#[test]
fn riscv_a_page_has_its_number_from_bit_10_on_and_a_table_no_rights() {
    let entries = Tables::map(&RISCV, 3, PLAIN, PAGE, RW).entries(&[1, 2, 3]);
    assert_eq!(entries[2], 0x0000_0000_48d1_58d7);
    assert!(entries[..2].iter().all(|entry| entry & 0x3ff == 1));
    assert_eq!(Tables::map(&RISCV, 5, PLAIN, PAGE, Prot::READ).last_entry(&[0, 0, 1, 2, 3]), 0x0000_0000_48d1_5853);
    assert_eq!(Tables::map(&RISCV, 4, TRACKED, PAGE, RW).last_entry(&[0, 1, 2, 3]), 0x0000_0000_48d1_5857);
    assert_eq!(Tables::map(&RISCV, 3, PLAIN, LARGE, RW).last_entry(&[1, 2]), 0x0000_0000_8008_00d7);
}

#[test]
fn riscv_64_kib_are_16_entries_that_are_the_same() {
    let tables = Tables::map(&RISCV, 3, PLAIN, (0x1_0000, 0x1_0001_0000, 0x1_0000), RW);
    for index in 16..32 {
        assert_eq!(tables.last_entry(&[0, 0, index]), 0x8000_0000_4000_60d7);
    }
    // Other encodings of a size are reserved.
    assert_eq!(RISCV.leaf_lg2(0x8000_0000_4000_40d7, 0), 12);
}

#[test]
fn arm_stage_1_a_page_is_of_type_3_and_a_block_of_type_1() {
    let entries = Tables::map(&ARM_S1_4K, 4, PLAIN, PAGE, RW).entries(&[0, 1, 2, 3]);
    assert_eq!(entries[3], 0x0060_0001_2345_6e43);
    assert!(entries[..3].iter().all(|entry| entry & 3 == 3));
    assert_eq!(Tables::map(&ARM_S1_4K, 4, COHERENT, PAGE, RW).last_entry(&[0, 1, 2, 3]), 0x0060_0001_2345_6f47);
    assert_eq!(Tables::map(&ARM_S1_4K, 4, COHERENT, PAGE, Prot::READ).last_entry(&[0, 1, 2, 3]), 0x0060_0001_2345_6fc7);
    assert_eq!(Tables::map(&ARM_S1_4K, 4, TRACKED, PAGE, RW).last_entry(&[0, 1, 2, 3]), 0x0068_0001_2345_6fc7);
    assert_eq!(Tables::map(&ARM_S1_4K, 3, COHERENT, LARGE, RW).last_entry(&[1, 2]), 0x0060_0002_0020_0f45);
}

#[test]
fn arm_stage_2_says_read_and_write_apart() {
    let entry = |prot, options| Tables::map(&ARM_S2_4K, 3, options, PAGE, prot).last_entry(&[1, 2, 3]);
    assert_eq!(entry(RW, COHERENT), 0x0060_0001_2345_67ff);
    assert_eq!(entry(Prot::WRITE, COHERENT), 0x0060_0001_2345_67bf);
    assert_eq!(entry(Prot::READ, PLAIN), 0x0060_0001_2345_6657);
    assert_eq!(entry(RW, TRACKED), 0x0068_0001_2345_677f);
}

#[test]
fn arm_contiguous_entries_have_the_hint_and_addresses_of_their_own() {
    let tables = Tables::map(&ARM_S1_4K, 3, COHERENT, (0x1_0000, 0x1_0001_0000, 0x1_0000), RW);
    for index in 0..16 {
        assert_eq!(tables.last_entry(&[0, 0, 16 + index]), 0x0070_0001_0001_0f47 + 0x1000 * index as u64);
    }
    let counts = |sizes: u64| (0..64).filter(|lg2| sizes >> lg2 & 1 != 0).collect::<Vec<u32>>();
    assert_eq!(counts(ARM_S1_4K.leaf_sizes[0] | ARM_S1_4K.leaf_sizes[1]), [12, 16, 21, 25]);
    assert_eq!(counts(ARM_S1_16K.leaf_sizes[0] | ARM_S1_16K.leaf_sizes[1]), [14, 21, 25, 30]);
    assert_eq!(counts(ARM_S1_64K.leaf_sizes[0] | ARM_S1_64K.leaf_sizes[1]), [16, 21, 29, 34]);
}

#[test]
fn arm_stage_2_begins_with_16_tables_side_by_side() {
    let iova = 9 << 39 | 5 << 30;
    let tables = Tables::map(&ARM_S2_4K, 3, COHERENT, (iova, 0x1_2345_6000, 0x1000), RW);
    assert_eq!((tables.table.aperture_last(), tables.table.root().0 % 0x1_0000), ((1 << 43) - 1, 0));
    assert_eq!(tables.last_entry(&[9 * 512 + 5, 0, 0]), 0x0060_0001_2345_67ff);
}

/// What a write marks, what is found, and that it is clean afterwards.
fn marks(format: &'static Format, levels: u8) {
    let granule = 1 << format.granule_lg2;
    let at = 16 * granule;
    let mut tables = Tables::map(format, levels, TRACKED, (at, 0x1_0000_0000 + granule, granule), RW);
    let Tables { memory, table } = &mut tables;
    let dirty = |memory: &mut VecMemory, clear| table.next_dirty(memory, 0, u64::MAX, clear);
    assert_eq!(dirty(memory, false), None, "{}", format.name);
    assert!(table.touch(memory, at, false));
    assert_eq!(dirty(memory, false), None, "{}: a read", format.name);
    assert_eq!(table.translate(memory, at).unwrap().prot, RW, "{}: a clean page may be written", format.name);
    assert!(table.touch(memory, at + 5, true));
    let found = Some(DirtyLeaf { first: at, lg2: format.granule_lg2 });
    assert_eq!([dirty(memory, true), dirty(memory, false)], [found, None], "{}", format.name);
    assert_eq!(table.translate(memory, at).unwrap().prot, RW);
    // What may be read alone is never dirty, whatever goes on.
    let mut readable = Tables::map(format, levels, TRACKED, (at, 0x1_0000_0000 + granule, granule), Prot::READ);
    assert_eq!(readable.table.next_dirty(&mut readable.memory, 0, u64::MAX, false), None);
    assert_eq!(readable.table.translate(&readable.memory, at).unwrap().prot, Prot::READ);
}

#[test]
fn every_format_marks_what_is_written_where_that_is_asked_for() {
    for kind in Kind::ALL {
        marks(kind.format(), *kind.levels().end());
    }
}

#[test]
fn riscv_second_stage_begins_with_a_table_of_16_kib() {
    let iova = 3 << 39 | 1 << 30;
    let tables = Tables::map(&RISCV_X4, 3, PLAIN, (iova, 0x1_2345_6000, 0x1000), RW);
    assert_eq!((tables.table.aperture_last(), tables.table.root().0 % 0x4000), ((1 << 41) - 1, 0));
    assert_eq!(tables.last_entry(&[3 * 512 + 1, 0, 0]), 0x0000_0000_48d1_58d7);
}
