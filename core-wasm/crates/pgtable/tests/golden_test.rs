//! Bytes of entries, written by hand from the specifications: VT-d section 9.8, AMD IOMMU section 2.2.3.

mod common;

use common::{runs, table_of};
use pgtable::fmt::{AMD_MOCK, AMD_V1, VTD_SS};
use pgtable::{Config, Format, LeafOptions, Pa, PageTable, Prot, TableMemory, VecMemory};

const READ_WRITE: Prot = Prot::from_bits(3);
const COHERENT: LeafOptions = LeafOptions { coherent: true, tracks_dirty: false };

struct Tables {
    memory: VecMemory,
    table: PageTable,
}

impl Tables {
    fn map(format: &'static Format, config: Config, iova: u64, pa: u64, length: u64, prot: Prot) -> Self {
        let mut memory = VecMemory::new();
        let mut table = table_of(&mut memory, format, config).unwrap();
        table.map(&mut memory, iova, runs(&[(pa, length)]), prot).unwrap();
        Tables { memory, table }
    }

    /// Follows indices from the root; every entry but the last must point to a table of the mask `address`. Returns all entries read.
    fn entries(&self, indices: &[usize]) -> Vec<u64> {
        let mut at = self.table.root();
        let mut found = Vec::new();
        for &index in indices {
            let entry = self.memory.entries(at, 512)[index];
            found.push(entry);
            at = Pa((entry & 0x000f_ffff_ffff_f000) >> (12 - self.table.format().granule_lg2));
        }
        found
    }
}

/// What is left of an entry without its address bits 51:12.
fn flags(entry: &u64) -> u64 {
    entry & 0xfff0_0000_0000_0fff
}

#[test]
fn vtd_a_4_kib_page_is_its_address_with_read_and_write() {
    // 1 << 39 | 2 << 30 | 3 << 21 | 4 << 12
    let tables = Tables::map(&VTD_SS, Config::new(4), 0x0080_8060_4000, 0x1_2345_6000, 0x1000, READ_WRITE);
    let entries = tables.entries(&[1, 2, 3, 4]);
    assert_eq!(entries[3], 0x0000_0001_2345_6003);
    assert_eq!(entries[..3].iter().map(flags).collect::<Vec<_>>(), [3, 3, 3]);
    let tables = Tables::map(&VTD_SS, Config::new(5), 5 << 48 | 0x0080_8060_4000, 0x1_2345_6000, 0x1000, Prot::WRITE);
    assert_eq!(tables.entries(&[5, 1, 2, 3, 4])[4], 0x0000_0001_2345_6002);
}

#[test]
fn vtd_a_2_mib_page_has_ps_in_the_directory() {
    let tables = Tables::map(&VTD_SS, Config::new(4), 0x4020_0000, 0xf_ff00_0020_0000, 0x20_0000, Prot::READ);
    assert_eq!(tables.entries(&[0, 1, 1])[2], 0x000f_ff00_0020_0081);
}

#[test]
fn vtd_a_1_gib_page_has_ps_in_the_directory_pointer_table() {
    let tables = Tables::map(&VTD_SS, Config::new(3), 0x1_4000_0000, 0x2_c000_0000, 0x4000_0000, READ_WRITE);
    assert_eq!(tables.entries(&[5])[0], 0x0000_0002_c000_0083);
}

#[test]
fn vtd_a_coherent_leaf_has_snoop_and_tables_have_not() {
    let config = Config { options: COHERENT, ..Config::new(4) };
    let tables = Tables::map(&VTD_SS, config, 0, 0x1_2345_6000, 0x1000, Prot::READ);
    let entries = tables.entries(&[0, 0, 0, 0]);
    assert_eq!(entries[3], 0x0000_0001_2345_6801);
    assert_eq!(flags(&entries[2]), 3);
}

#[test]
fn vtd_hardware_marks_accessed_in_bit_8_and_dirty_in_bit_9() {
    assert_eq!(VTD_SS.touch(0x1003, false), 0x1103);
    assert_eq!(VTD_SS.touch(0x1003, true), 0x1303);
    assert!(VTD_SS.is_dirty(0x1203) && !VTD_SS.is_dirty(0x1103));
    assert_eq!(VTD_SS.clean(0x1303), 0x1103);
}

#[test]
fn amd_a_4_kib_page_has_next_level_0_and_tables_name_the_mode_below() {
    let tables = Tables::map(&AMD_V1, Config::new(4), 0x0080_8060_4000, 0x1_2345_6000, 0x1000, READ_WRITE);
    let entries = tables.entries(&[1, 2, 3, 4]);
    // PR is bit 0, next level bits 11:9, IR bit 61, IW bit 62.
    assert_eq!(entries[3], 0x6000_0001_2345_6001);
    assert_eq!(entries[..3].iter().map(flags).collect::<Vec<_>>(), [0x6000_0000_0000_0601, 0x6000_0000_0000_0401, 0x6000_0000_0000_0201]);
    let tables = Tables::map(&AMD_V1, Config::new(6), 0x7f << 57 | 6 << 48 | 0x0080_8060_4000, 0x1_2345_6000, 0x1000, READ_WRITE);
    let entries = tables.entries(&[127, 6, 1, 2, 3, 4]);
    assert_eq!([0, 1].map(|level| flags(&entries[level])), [0x6000_0000_0000_0a01, 0x6000_0000_0000_0801]);
    assert_eq!(entries[5], 0x6000_0001_2345_6001);
}

#[test]
fn amd_read_is_bit_61_write_bit_62_and_forced_coherence_bit_60() {
    let entry = |prot: Prot, coherent: bool| {
        let config = Config { options: LeafOptions { coherent, ..COHERENT }, ..Config::new(3) };
        Tables::map(&AMD_V1, config, 0, 0x1_2345_6000, 0x1000, prot).entries(&[0, 0, 0])[2]
    };
    assert_eq!(entry(Prot::READ, false), 0x2000_0001_2345_6001);
    assert_eq!(entry(Prot::WRITE, false), 0x4000_0001_2345_6001);
    assert_eq!(entry(READ_WRITE, true), 0x7000_0001_2345_6001);
}

#[test]
fn amd_sizes_between_are_next_level_7_with_ones_below_the_size_in_the_address() {
    // (size, path, entry at that path): the table "Example Page Size Encodings", with the PA at 64 GiB.
    let cases: [(u64, &[usize], u64); 9] = [
        (0x2000, &[0, 0, 0, 0], 0x6000_0010_0000_0e01),
        (0x4000, &[0, 0, 0, 0], 0x6000_0010_0000_1e01),
        (0x8000, &[0, 0, 0, 0], 0x6000_0010_0000_3e01),
        (0x1_0000, &[0, 0, 0, 0], 0x6000_0010_0000_7e01),
        (0x10_0000, &[0, 0, 0, 0], 0x6000_0010_0007_fe01),
        (0x20_0000, &[0, 0, 0], 0x6000_0010_0000_0001),
        (0x40_0000, &[0, 0, 0], 0x6000_0010_001f_fe01),
        (0x4000_0000, &[0, 0], 0x6000_0010_0000_0001),
        (0x1_0000_0000, &[0, 0], 0x6000_0010_7fff_fe01),
    ];
    for (size, path, expected) in cases {
        let tables = Tables::map(&AMD_V1, Config::new(4), 0, 0x10_0000_0000, size, READ_WRITE);
        assert_eq!(*tables.entries(path).last().unwrap(), expected, "{size:#x}");
    }
}

#[test]
fn amd_a_contiguous_leaf_is_repeated_in_each_entry_it_covers() {
    let tables = Tables::map(&AMD_V1, Config::new(4), 0x1_0000, 0x1_0001_0000, 0x1_0000, READ_WRITE);
    for index in 0..512 {
        let expected = if (16..32).contains(&index) { 0x6000_0001_0001_7e01 } else { 0 };
        assert_eq!(tables.entries(&[0, 0, 0, index])[3], expected);
    }
}

/// Addresses are in units of 2 KiB, in the same bits: a 2 KiB page has twice its address there.
#[test]
fn mock_leaves_are_amds_with_a_granule_of_2_kib() {
    // 1 << 29 | 2 << 20 | 3 << 11
    let cases: [(u64, &[usize], u64); 5] = [
        (0x800, &[0, 0, 0], 0x6000_0020_0000_0001),
        (0x1000, &[0, 0, 0], 0x6000_0020_0000_0e01),
        (0x2000, &[0, 0, 0], 0x6000_0020_0000_1e01),
        (0x10_0000, &[0, 0], 0x6000_0020_0000_0001),
        (0x20_0000, &[0, 0], 0x6000_0020_001f_fe01),
    ];
    for (size, path, expected) in cases {
        let tables = Tables::map(&AMD_MOCK, Config::new(3), 0, 0x10_0000_0000, size, READ_WRITE);
        assert_eq!(*tables.entries(path).last().unwrap(), expected, "{size:#x}");
    }
    let table = Tables::map(&AMD_MOCK, Config::new(3), 0x2020_1800, 0x1_2345_6800, 0x800, Prot::READ).table;
    assert_eq!((table.aperture_last(), table.page_sizes()), ((1 << 38) - 1, 0x1f_ffff_f800));
}

#[test]
fn amd_hardware_marks_accessed_in_bit_5_and_dirty_in_bit_6() {
    assert_eq!(AMD_V1.touch(0x1001, false), 0x1021);
    assert_eq!(AMD_V1.touch(0x1001, true), 0x1061);
    assert!(AMD_V1.is_dirty(0x1041) && !AMD_V1.is_dirty(0x1021));
    assert_eq!(AMD_V1.clean(0x1061), 0x1021);
}
