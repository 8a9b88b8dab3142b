//! A look into the machine: faults, counters, invariants. No program of the machine sees any of it.

use crate::core::Core;
use crate::text::Text;
use core::fmt::Write;
use wasm_bindgen::prelude::wasm_bindgen;

/// A transfer that was refused. See `iommu::FaultRecord`.
#[wasm_bindgen]
#[derive(Clone, Copy)]
pub struct Fault {
    /// Number of the fault since boot, from 0.
    pub sequence: f64,
    /// Number of the device.
    pub device: u32,
    /// What the program calls the device.
    pub label: Option<u64>,
    /// PASID of the transfer.
    pub pasid: Option<u32>,
    /// First byte that was refused.
    pub iova: u64,
    /// Bytes from there to the end of the transfer.
    pub length: f64,
    /// Whether the device wanted to write.
    pub write: bool,
    /// Why, as −reason.
    pub reason: i32,
}

#[wasm_bindgen]
impl Core {
    /// Fault records that are kept.
    pub fn faults_len(&self) -> u32 {
        self.kernel.faults_len() as u32
    }

    /// Fault records that made room for others.
    pub fn faults_lost(&self) -> f64 {
        self.kernel.faults_lost() as f64
    }

    /// A fault record; 0 is the oldest that is kept. The caller frees it.
    pub fn fault(&self, index: u32) -> Option<Fault> {
        let record = self.kernel.fault(index as usize)?;
        Some(Fault {
            sequence: record.sequence as f64,
            device: record.device,
            label: record.label,
            pasid: record.pasid,
            iova: record.iova,
            length: record.length as f64,
            write: record.write,
            reason: -i32::from(record.reason.code()),
        })
    }

    /// Of a device since boot: reads, writes, bytes, IOTLB hits and misses, entries read by walks, faults.
    pub fn device_statistics(&self, device: u32) -> Vec<f64> {
        let counts = self.kernel.device_statistics(device);
        list(&[counts.reads, counts.writes, counts.bytes, counts.tlb_hits, counts.tlb_misses, counts.walk_reads, counts.faults])
    }

    /// Maps, unmaps and invalidations since boot, page tables now.
    pub fn global_statistics(&self) -> Vec<f64> {
        let counts = self.kernel.iommu_statistics();
        list(&[counts.maps, counts.unmaps, counts.invalidations, counts.tables])
    }

    /// Pages mapped now, by lg2 of their bytes.
    pub fn pages_by_size(&self) -> Vec<f64> {
        list(&self.kernel.iommu_statistics().pages)
    }

    /// Open files, objects, pinned pages.
    pub fn usage(&self) -> Vec<f64> {
        let usage = self.kernel.usage();
        list(&[usage.files, usage.objects, usage.pinned_pages])
    }

    /// Violated invariants, a line each. Empty when all is well.
    pub fn check(&self) -> String {
        let Some(mut text) = Text::new() else { return String::new() };
        for violation in self.kernel.check_invariants() {
            if writeln!(text, "{violation}").is_err() {
                break;
            }
        }
        text.into_string()
    }
}

/// Counts as numbers of JavaScript; empty if the heap has no room.
fn list(counts: &[u64]) -> Vec<f64> {
    let mut numbers = Vec::new();
    if numbers.try_reserve_exact(counts.len()).is_ok() {
        numbers.extend(counts.iter().map(|&count| count as f64));
    }
    numbers
}
