//! Page tables: each maps exactly the areas of its IOAS, and what interrupts are written to.

use super::report::Report;
use crate::context::Context;
use crate::ioas::{Area, Ioas};
use crate::kernel::Kernel;
use crate::nested::Stage;
use crate::pages::PAGE;
use iommu::DomainId;
use iova::Range;

impl Kernel {
    /// Walks every area in every page table of its IOAS. As all of them are mapped, equal sums mean that nothing else is but doorbells.
    pub(super) fn check_tables(&self, report: &mut Report) {
        let statistics = self.hardware.iommu.statistics();
        let mut hwpts = 0_u64;
        let mut nested = 0_u64;
        let mut wanted = 0_u128;
        for (_, context) in self.contexts.iter() {
            hwpts += context.hwpts.len() as u64;
            nested +=
                context.nested.iter().filter(|(_, nested)| matches!(nested.stage, Stage::Vtd { .. } | Stage::Smmuv3 { .. })).count() as u64;
            for (_, ioas) in context.ioases.iter() {
                for hwpt in ioas.hwpts.iter().filter_map(|&hwpt| context.hwpts.get(hwpt)) {
                    wanted += self.check_table(report, context, ioas, hwpt.domain) + if hwpt.has_doorbell { u128::from(PAGE) } else { 0 };
                }
            }
        }
        let mapped: u128 = (0..).zip(statistics.pages).map(|(lg2, count): (u32, u64)| u128::from(count) << lg2).sum();
        report.expect(mapped == wanted, format_args!("page tables map {mapped} bytes, the areas of their IOASes have {wanted}"));
        report.expect_count(statistics.domains, hwpts, format_args!("page tables of the IOMMU"));
        report.expect_count(self.hardware.iommu.nested_domains() as u64, nested, format_args!("nested page tables of the IOMMU"));
        let stale = self.hardware.iommu.stale_translations(&self.hardware.ram) as u64;
        report.expect_count(stale, 0_u64, format_args!("translations in the IOTLB that no table bears out"));
        let frames = self.hardware.ram.statistics().tables;
        report.expect_count(frames, statistics.tables + statistics.hardware_frames, format_args!("frames that hold tables"));
    }

    /// Walks all areas in one page table. Returns their bytes.
    fn check_table(&self, report: &mut Report, context: &Context, ioas: &Ioas, domain: DomainId) -> u128 {
        // The tables of a remote IOMMU are not here.
        if self.hardware.iommu.config().remote {
            return 0;
        }
        let mut wanted = 0;
        for (range, area) in ioas.space.iter_from(0) {
            if context.pages.get(area.pages).is_some_and(|pages| pages.revoked) {
                continue;
            }
            wanted += u128::from(range.last - range.start) + 1;
            if let Some(at) = self.first_difference(context, domain, range, area) {
                report.add(format_args!("the page table {domain:?} of IOAS {} does not map {at:#x} as its area says", ioas.id));
            }
        }
        wanted
    }

    /// The first IOVA of an area that a page table translates to anything but the area's pinned memory and permissions, as far as these can be said.
    fn first_difference(&self, context: &Context, domain: DomainId, range: Range, area: Area) -> Option<u64> {
        let Some(pages) = context.pages.get(area.pages) else { return Some(range.start) };
        let (first, last) = area.byte_range(range);
        let prot = self.hardware.iommu.allows(domain, area.prot);
        let mut at = range.start;
        for run in pages.pinned_runs(first, last) {
            let mut done = 0;
            while done < run.length {
                let found = self.hardware.iommu.translate_in(&self.hardware.ram, domain, at);
                let Some(found) = found.filter(|found| found.pa.0 == run.pa.0 + done && found.prot == prot) else {
                    return Some(at);
                };
                // The rest of a large page is translated alike.
                let rest = (1_u64 << found.lg2_size) - (at & ((1 << found.lg2_size) - 1));
                let step = rest.min(run.length - done);
                done += step;
                // Past the last page of the space this wraps, and is not used.
                at = at.wrapping_add(step);
            }
        }
        (at != range.last.wrapping_add(1)).then_some(at)
    }
}
