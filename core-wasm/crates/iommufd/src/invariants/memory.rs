//! Pinned memory, its accounting, and who holds each frame of RAM.

use super::report::Report;
use super::{counted, counters};
use crate::access::parts;
use crate::context::Context;
use crate::hardware::{Accounts, Owner};
use crate::kernel::Kernel;
use crate::pages::{PAGE, Pages};
use alloc::vec::Vec;
use iommu::{Pa, Run};
use uapi::{Errno, Result};

impl Kernel {
    /// A page is pinned once for each area that covers it in an IOAS with a page table, and accounted once.
    pub(super) fn check_pins(&self, report: &mut Report) -> Result<()> {
        let mut sums = Accounts::default();
        for (number, context) in self.contexts.iter() {
            check_context(report, number, context, self.hardware.iommu.config().remote)?;
            for (_, pages) in context.pages.iter() {
                let pinned = pages.pins().iter().map(|pin| pin.count).sum();
                // There is no limit, so this does not fail.
                let _ = sums.add(pages.charge, pinned);
            }
        }
        let kept = &self.hardware.accounts;
        report.expect_count(kept.pinned, sums.pinned, format_args!("pinned pages"));
        report.expect_count(kept.user, sums.user, format_args!("pages charged to the user"));
        report.expect_count(kept.process, sums.process, format_args!("pages charged to the process"));
        let limit = kept.limit.unwrap_or(u64::MAX);
        report.expect(
            kept.user.max(kept.process) <= limit,
            format_args!("{} and {} pages are charged, the limit is {limit}", kept.user, kept.process),
        );
        Ok(())
    }

    /// Each frame of the process, of files and of pins has as many references as there are of those; no other frame is used but the
    /// devices' own buffers.
    pub(super) fn check_frames(&self, report: &mut Report) -> Result<()> {
        let mut edges = Vec::new();
        for run in self.hardware.user.runs() {
            add_edges(&mut edges, run)?;
        }
        for (_, memfd) in self.hardware.memfds.iter() {
            if let Ok(run) = memfd.file.run(0, memfd.file.length()) {
                add_edges(&mut edges, run)?;
            }
        }
        for (_, dmabuf) in self.hardware.dmabufs.iter().filter(|(_, dmabuf)| dmabuf.owner == Owner::Test) {
            add_edges(&mut edges, Run { pa: dmabuf.pa, length: dmabuf.length })?;
        }
        for (_, viommu) in self.contexts.iter().flat_map(|(_, context)| context.viommus.iter()) {
            if let Some((file, _)) = &viommu.memory {
                add_edges(&mut edges, file.run(0, file.length())?)?;
            }
        }
        for pages in self.contexts.iter().flat_map(|(_, context)| context.pages.iter()).map(|(_, pages)| pages) {
            for pin in pages.pins() {
                add_edges(&mut edges, Run { pa: pin.pa, length: pin.count * PAGE })?;
            }
        }
        edges.sort_unstable();
        let held = self.sweep(report, &edges);
        let used = self.hardware.ram.statistics().used;
        report.expect_count(used, held + self.staging, format_args!("bytes of RAM in use"));
        Ok(())
    }

    /// Compares the references of each frame with the runs that cover it, from the sorted starts and ends of these. Returns the bytes covered.
    fn sweep(&self, report: &mut Report, edges: &[(u64, i32)]) -> u64 {
        let (mut covered, mut depth, mut at) = (0, 0_i32, 0);
        for &(edge, change) in edges {
            if depth > 0 {
                covered += edge - at;
                let wrong = |frame: &u64| self.hardware.ram.references(Pa(*frame)) != depth as u32;
                if let Some(frame) = (at..edge).step_by(PAGE as usize).find(wrong) {
                    let kept = self.hardware.ram.references(Pa(frame));
                    report.expect_count(kept, depth as u64, format_args!("references to the frame at {frame:#x}"));
                }
            }
            (at, depth) = (edge, depth + change);
        }
        covered
    }
}

/// Holders of memory, and holders of each pinned stretch of it, in one iommufd. Nothing is pinned for a remote IOMMU.
fn check_context(report: &mut Report, number: u32, context: &Context, remote: bool) -> Result<()> {
    let mut holders = counters(context.pages.span())?;
    // Pins of all memories in one list; where each memory's begin in it.
    let mut starts = counters(context.pages.span())?;
    let mut total = 0;
    for (index, pages) in context.pages.iter() {
        starts[index as usize] = total;
        total += pages.pins().len() as u32;
        check_sorted(report, number, index, pages);
    }
    let mut pin_holders = counters(total as usize)?;
    // Something holds the pins of these bytes of a memory; `who` are its IOAS and its first IOVA.
    let mut hold = |report: &mut Report, number: u32, (first, last): (u64, u64), who: (u32, u64)| {
        let Some(pages) = context.pages.get(number) else { return };
        let mut next = first;
        let skipped = pages.pins().partition_point(|pin| pin.last() < first);
        for (position, pin) in pages.pins().iter().enumerate().skip(skipped).take_while(|(_, pin)| pin.first <= last) {
            pin_holders[starts[number as usize] as usize + position] += 1;
            report
                .expect(pin.first == next, format_args!("IOAS {}: page {next} of what is at {:#x} is not pinned by itself", who.0, who.1));
            next = pin.last() + 1;
        }
        report.expect(next == last + 1, format_args!("IOAS {}: what is at {:#x} is pinned up to page {next} of {last}", who.0, who.1));
    };
    for (_, ioas) in context.ioases.iter() {
        for (range, area) in ioas.space.iter_from(0) {
            if context.pages.get(area.pages).is_none() {
                continue;
            }
            holders[area.pages as usize] += 1;
            let has_pins = context.pages.get(area.pages).is_some_and(|pages| !pages.is_dmabuf());
            if !ioas.hwpts.is_empty() && !remote && has_pins {
                hold(report, area.pages, area.page_range(range), (ioas.id, range.start));
            }
        }
    }
    for (_, access) in context.accesses.iter().filter(|_| !remote) {
        let Some(ioas) = access.ioas.and_then(|ioas| context.ioases.get(ioas)) else { continue };
        for pinned in &access.pins {
            let mut bytes = 0_u64;
            for part in parts(ioas, pinned.range) {
                hold(report, part.area.pages, part.pages(), (ioas.id, pinned.range.start));
                bytes = bytes.wrapping_add(part.last - part.first + 1);
            }
            let whole = (pinned.range.last - pinned.range.start).wrapping_add(1);
            report.expect_count(bytes, whole, format_args!("mapped bytes of what access {} has pinned", access.id));
        }
    }
    for (index, pages) in context.pages.iter() {
        report.expect_count(pages.holders, counted(&holders, index), format_args!("areas of memory {index} of iommufd {number}"));
        for (position, pin) in pages.pins().iter().enumerate() {
            let counted = pin_holders[starts[index as usize] as usize + position];
            report.expect_count(
                pin.holders,
                counted,
                format_args!("areas and accesses that pin page {} of memory {index} of iommufd {number}", pin.first),
            );
        }
    }
    Ok(())
}

/// Pinned stretches are in order, apart, and hold something.
fn check_sorted(report: &mut Report, number: u32, index: u32, pages: &Pages) {
    let apart = pages.pins().windows(2).all(|pair| matches!(pair, [before, after] if before.last() < after.first));
    let full = pages.pins().iter().all(|pin| pin.count != 0 && pin.holders != 0);
    report.expect(apart && full, format_args!("the pins of memory {index} of iommufd {number} are out of order"));
}

/// Where whole frames of a run start and end.
fn add_edges(edges: &mut Vec<(u64, i32)>, run: Run) -> Result<()> {
    edges.try_reserve(2).map_err(|_| Errno::ENOMEM)?;
    edges.push((run.pa.0, 1));
    edges.push((run.pa.0 + run.length.next_multiple_of(PAGE), -1));
    Ok(())
}
