//! A look into the machine: faults, counters, invariants. No program of the machine sees any of it.
//!
//! What is asked for here comes number by number, so that looking needs no memory: a machine whose heap is full can be looked at too.

use crate::core::with;
#[cfg(feature = "checks")]
use crate::text::Text;
#[cfg(feature = "checks")]
use core::fmt::Write;
use iommufd::{Leaf, Prot};
use wasm_bindgen::prelude::wasm_bindgen;

/// `page_table_row`: there is one; the entry leads to a page; which may be read; or written; was used; was written to.
const ROW: [u64; 6] = [1 << 16, 1 << 17, 1 << 18, 1 << 19, 1 << 20, 1 << 21];

/// `fault`: the transfer was a write.
const FAULT_WRITE: u64 = 1;
/// `fault`: the device has a label.
const FAULT_LABEL: u64 = 2;
/// `fault`: the transfer carried a PASID.
const FAULT_PASID: u64 = 4;
/// `fault`: the IOMMU has written a record of its own.
const FAULT_RECORD: u64 = 8;

/// Fault records that are kept.
#[wasm_bindgen]
pub fn faults_len() -> u32 {
    with(|core| core.kernel.faults_len() as u32)
}

/// Fault records that made room for others.
#[wasm_bindgen]
pub fn faults_lost() -> f64 {
    with(|core| core.kernel.faults_lost() as f64)
}

/// A field of a fault record; record 0 is the oldest that is kept. Fields: number of the fault since boot, device, flags (write 1, has a
/// label 2, has a PASID 4, has a record of the hardware's 8), label, PASID, first byte that was refused, bytes from there to the end of the
/// transfer, reason, the hardware's code, the four words of its record. 0 for what is not there.
#[wasm_bindgen]
pub fn fault(index: u32, field: u32) -> u64 {
    with(|core| {
        let Some(record) = core.kernel.fault(index as usize) else { return 0 };
        match field {
            0 => record.sequence,
            1 => u64::from(record.device),
            2 => {
                let write = if record.write { FAULT_WRITE } else { 0 };
                let label = if record.label.is_some() { FAULT_LABEL } else { 0 };
                let pasid = if record.pasid.is_some() { FAULT_PASID } else { 0 };
                let raw = if record.raw.is_some() { FAULT_RECORD } else { 0 };
                write | label | pasid | raw
            }
            3 => record.label.unwrap_or(0),
            4 => u64::from(record.pasid.unwrap_or(0)),
            5 => record.iova,
            6 => record.length,
            7 => u64::from(record.reason.code()),
            8 => u64::from(record.code),
            word => record.raw.iter().flatten().nth((word as usize).wrapping_sub(9)).copied().unwrap_or(0),
        }
    })
}

/// A field of the page table of a device's transfers, those with a PASID or, where it is negative, those without. Fields: levels (0: it has none),
/// address of the top table, last IOVA, number of the format.
#[wasm_bindgen]
pub fn page_table(device: u32, pasid: i32, field: u32) -> u64 {
    with(|core| {
        let Some(table) = core.kernel.page_table(device, u32::try_from(pasid).ok()) else { return 0 };
        match field {
            0 => u64::from(table.levels()),
            1 => table.root().0,
            2 => table.aperture_last(),
            _ => table.kind().map_or(u64::MAX, |kind| kind as u64),
        }
    })
}

/// A field of the first entry of that page table from an IOVA on, of those that begin there from `level` downwards. Fields: what it is (bytes
/// that it covers, lg2; level in bits 15:8; there is one 65,536, page and not table 131,072, readable, writable, accessed, dirty); its first IOVA, where
/// it leads, the entry.
#[wasm_bindgen]
pub fn page_table_row(device: u32, pasid: i32, iova: u64, level: u32, field: u32) -> u64 {
    with(|core| {
        let Some(row) = core.kernel.page_table_row(device, u32::try_from(pasid).ok(), (iova, level)) else { return 0 };
        let leaf = row.leaf.map_or([false; 5], |Leaf { prot, accessed, dirty }| {
            [true, prot.contains(Prot::READ), prot.contains(Prot::WRITE), accessed, dirty]
        });
        let [there, bits @ ..] = ROW;
        let what = bits.iter().zip(leaf).fold(there, |all, (bit, is)| if is { all | bit } else { all });
        [what | u64::from(row.level) << 8 | u64::from(row.lg2), row.iova, row.pa.0, row.entry].get(field as usize).copied().unwrap_or(0)
    })
}

/// A count of what a device did since boot. Counts: reads, writes, bytes, IOTLB hits and misses, entries read by walks, faults,
/// walks that began at a cached table, translations driven out of the IOTLB, those forgotten, and
/// stale ones used.
#[wasm_bindgen]
pub fn device_statistic(device: u32, count: u32) -> f64 {
    with(|core| {
        let counts = core.kernel.device_statistics(device);
        let all = [counts.reads, counts.writes, counts.bytes, counts.tlb_hits, counts.tlb_misses, counts.walk_reads, counts.faults];
        let caches = [counts.structure_hits, counts.evictions, counts.dropped, counts.stale_hits];
        all.iter().chain(&caches).nth(count as usize).map_or(0.0, |&count| count as f64)
    })
}

/// A count of the whole machine: maps, unmaps and invalidations since boot, page tables now, unmapped ranges that wait.
#[wasm_bindgen]
pub fn global_statistic(count: u32) -> f64 {
    with(|core| {
        let counts = core.kernel.iommu_statistics();
        one_of(&[counts.maps, counts.unmaps, counts.invalidations, counts.tables, core.kernel.waiting() as u64], count)
    })
}

/// Pages of 2^`lg2` bytes that are mapped now.
#[wasm_bindgen]
pub fn pages_of_size(lg2: u32) -> f64 {
    with(|core| one_of(&core.kernel.iommu_statistics().pages, lg2))
}

/// A register of the IOMMU, of those that say what it can do. See [`Kernel::iommu_registers`](iommufd::Kernel::iommu_registers).
#[wasm_bindgen]
pub fn iommu_register(index: u32) -> u64 {
    with(|core| core.kernel.iommu_registers().get(index as usize).copied().unwrap_or(0))
}

/// What is in use now: open files, objects, pinned pages.
#[wasm_bindgen]
pub fn usage(count: u32) -> f64 {
    with(|core| {
        let usage = core.kernel.usage();
        one_of(&[usage.files, usage.objects, usage.pinned_pages], count)
    })
}

/// Violated invariants, a line each. Empty when all is well; nothing where the heap has no room for finding out.
#[cfg(feature = "checks")]
#[wasm_bindgen]
pub fn check() -> Option<String> {
    with(|core| {
        let violations = core.kernel.find_violations().ok()?;
        if violations.is_empty() {
            return Some(String::new());
        }
        let mut text = Text::new()?;
        for (index, violation) in violations.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            if write!(text, "{separator}{violation}").is_err() {
                break;
            }
        }
        Some(text.into_string())
    })
}

/// A count as a number of JavaScript; 0 for none of them.
fn one_of(counts: &[u64], index: u32) -> f64 {
    counts.get(index as usize).copied().unwrap_or(0) as f64
}
