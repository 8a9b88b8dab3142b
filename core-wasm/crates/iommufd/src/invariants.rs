//! What holds between calls, recomputed from what exists. For tests, fuzzing and the host's inspection; nothing else depends on it.
//!
//! Each rule is checked from the side that can be counted: holders are counted and compared with the count that is kept, areas are walked
//! and compared with what page tables say. The time it takes is proportional to what exists: files, objects, areas, pinned pages.

mod faults;
mod holders;
mod memory;
mod objects;
mod ownership;
mod report;
mod tables;

use crate::kernel::Kernel;
use alloc::vec::Vec;
use report::Report;
pub use report::Violation;
use uapi::{Errno, Result};

impl Kernel {
    /// Checks all that holds between calls. Returns what does not, each in words; nothing when all is well.
    pub fn check_invariants(&self) -> Vec<Violation> {
        self.find_violations().unwrap_or_else(|_| {
            let mut report = Report::default();
            report.add(format_args!("the heap has no room for checking the invariants"));
            report.into_violations().unwrap_or_default()
        })
    }

    /// As [`Kernel::check_invariants`]. ENOMEM where the heap has no room for finding out, so that nothing is known.
    pub fn find_violations(&self) -> Result<Vec<Violation>> {
        let mut report = Report::default();
        let complete = self.check_all(&mut report);
        let violations = report.into_violations()?;
        if violations.is_empty() {
            complete?;
        }
        Ok(violations)
    }

    /// ENOMEM: the rest is not checked.
    fn check_all(&self, report: &mut Report) -> Result<()> {
        report.expect(!self.waking, format_args!("a signal is still on its way"));
        self.check_files(report)?;
        self.check_groups(report)?;
        self.check_sets(report);
        self.check_eventfds(report)?;
        self.check_memfds(report)?;
        self.check_dmabufs(report)?;
        for (index, context) in self.contexts.iter() {
            self.check_context(report, index, context)?;
        }
        self.check_faults(report);
        self.check_tables(report);
        self.check_pins(report)?;
        self.check_frames(report)
    }
}

/// Counters, all 0. ENOMEM.
fn counters(count: usize) -> Result<Vec<u32>> {
    let mut counters = Vec::new();
    counters.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    counters.resize(count, 0);
    Ok(counters)
}

/// Counts one more; what has no counter is counted nowhere, and is found by whoever looks it up.
fn count(counters: &mut [u32], index: u32) {
    if let Some(counter) = counters.get_mut(index as usize) {
        *counter += 1;
    }
}

fn counted(counters: &[u32], index: u32) -> u32 {
    counters.get(index as usize).copied().unwrap_or(0)
}
