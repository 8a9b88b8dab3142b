//! Eventfds and memfds: who holds them.

use super::report::Report;
use super::{count, counted, counters};
use crate::file::File;
use crate::hardware::Owner;
use crate::irq::{Irqs, Mode};
use crate::kernel::Kernel;
use crate::pages::Backing;
use uapi::Result;

impl Kernel {
    /// An eventfd is held by its fd, and by each interrupt that signals it or is unmasked by it.
    pub(super) fn check_eventfds(&self, report: &mut Report) -> Result<()> {
        let mut holders = counters(self.eventfds.span())?;
        let mut unmasks = counters(self.eventfds.span())?;
        for (_, file) in self.files.iter() {
            if let File::Eventfd(index) = *file {
                count(&mut holders, index);
            }
        }
        for (number, device) in self.devices.iter().enumerate() {
            let irqs = &device.irqs;
            let single = [irqs.trigger, irqs.unmask, irqs.error, irqs.request];
            let held = || irqs.vectors.iter().chain(&single).flatten();
            for &index in held() {
                report.expect(
                    self.eventfds.get(index).is_some(),
                    format_args!("an interrupt of device {number} holds eventfd {index}, which does not exist"),
                );
                count(&mut holders, index);
            }
            if let Some(index) = irqs.unmask {
                count(&mut unmasks, index);
            }
            report.expect(
                device.bound.is_some() || (irqs.mode == Mode::None && held().next().is_none()),
                format_args!("device {number} is not bound and has interrupts enabled"),
            );
            check_mode(report, number, irqs);
        }
        for (index, eventfd) in self.eventfds.iter() {
            report.expect_count(eventfd.holders, counted(&holders, index), format_args!("holders of eventfd {index}"));
            report.expect_count(eventfd.unmasks, counted(&unmasks, index), format_args!("interrupts unmasked by eventfd {index}"));
            report.expect(eventfd.holders != 0, format_args!("eventfd {index} has no holder"));
        }
        Ok(())
    }

    /// A memfd is held by its fd, and by memory of MAP_FILE.
    pub(super) fn check_memfds(&self, report: &mut Report) -> Result<()> {
        let mut holders = counters(self.hardware.memfds.span())?;
        for (_, file) in self.files.iter() {
            if let File::Memfd(index) = *file {
                count(&mut holders, index);
            }
        }
        for (number, context) in self.contexts.iter() {
            for (index, pages) in context.pages.iter() {
                let Backing::File { memfd, .. } = pages.backing else { continue };
                report.expect(
                    self.hardware.memfds.get(memfd).is_some(),
                    format_args!("memory {index} of iommufd {number} is of memfd {memfd}, which does not exist"),
                );
                count(&mut holders, memfd);
            }
        }
        for (index, memfd) in self.hardware.memfds.iter() {
            report.expect_count(memfd.holders, counted(&holders, index), format_args!("holders of memfd {index}"));
            report.expect(memfd.holders != 0, format_args!("memfd {index} has no holder"));
        }
        Ok(())
    }
}

impl Kernel {
    /// A dma-buf is held by its fd, and by memory of MAP_FILE; of one that is revoked nothing is mapped.
    pub(super) fn check_dmabufs(&self, report: &mut Report) -> Result<()> {
        let mut holders = counters(self.hardware.dmabufs.span())?;
        for (_, file) in self.files.iter() {
            if let File::Dmabuf(index) = *file {
                count(&mut holders, index);
            }
        }
        for (number, context) in self.contexts.iter() {
            for (index, pages) in context.pages.iter() {
                let Backing::Dmabuf { dmabuf, start, pa } = pages.backing else {
                    report.expect(!pages.revoked, format_args!("memory {index} of iommufd {number} is revoked and of no dma-buf"));
                    continue;
                };
                count(&mut holders, dmabuf);
                let entry = self.hardware.dmabufs.get(dmabuf);
                let same = entry.is_some_and(|entry| entry.pa.0 + start == pa.0 && (pages.revoked || !entry.revoked));
                report.expect(same, format_args!("memory {index} of iommufd {number} is not that of dma-buf {dmabuf}"));
            }
        }
        for (index, dmabuf) in self.hardware.dmabufs.iter() {
            report.expect_count(dmabuf.holders, counted(&holders, index), format_args!("holders of dma-buf {index}"));
            let shall_be = match dmabuf.owner {
                Owner::Test => dmabuf.revoked,
                Owner::Device(device) => {
                    let entry = self.device(device)?;
                    report.expect(entry.bound.is_some(), format_args!("dma-buf {index} is of device {device}, which is not bound"));
                    !entry.memory_enabled
                }
                Owner::Nobody => true,
            };
            let revoked = dmabuf.revoked;
            report.expect(revoked == shall_be, format_args!("dma-buf {index} of {:?} is revoked: {revoked}", dmabuf.owner));
        }
        Ok(())
    }
}

/// Interrupts of a kind that is not enabled hold nothing.
fn check_mode(report: &mut Report, device: usize, irqs: &Irqs) {
    let messages = matches!(irqs.mode, Mode::Msi | Mode::Msix);
    report.expect(
        messages != irqs.vectors.is_empty(),
        format_args!("device {device} is in mode {:?} with {} vectors", irqs.mode, irqs.vectors.len()),
    );
    let pin = irqs.trigger.is_some() || irqs.unmask.is_some() || irqs.masked;
    report.expect(irqs.mode == Mode::Intx || !pin, format_args!("device {device} has state of INTx in mode {:?}", irqs.mode));
}
