//! Files, groups, and which requester goes through which page table.

use super::report::Report;
use super::{count, counted, counters};
use crate::device::Device;
use crate::file::{Bound, File, QueueFile};
use crate::group::{AttachSet, Attachment};
use crate::hardware::Hardware;
use crate::kernel::Kernel;
use crate::object::ObjectKind;
use crate::plug::Plug;
use iommu::{DomainId, NO_PASID};
use uapi::Result;

impl Kernel {
    /// Each file names something that exists; what exists because of a file knows how many there are.
    pub(super) fn check_files(&self, report: &mut Report) -> Result<()> {
        let mut context_files = counters(self.contexts.span())?;
        let mut device_files = counters(self.device_files.span())?;
        let mut open = counters(self.devices.len())?;
        let mut bound_files = counters(self.devices.len())?;
        for (fd, file) in self.files.iter() {
            let exists = match *file {
                File::Iommufd(index) => {
                    count(&mut context_files, index);
                    self.contexts.get(index).is_some()
                }
                File::Device(index) => {
                    count(&mut device_files, index);
                    self.device_files.get(index).is_some()
                }
                File::Eventfd(index) => self.eventfds.get(index).is_some(),
                File::Memfd(index) => self.hardware.memfds.get(index).is_some(),
                File::Dmabuf(index) => self.hardware.dmabufs.get(index).is_some(),
                File::Access(index) => {
                    let file = self.access_files.get(index);
                    if let Some(file) = file {
                        count(&mut context_files, file.context);
                    }
                    file.is_some_and(|file| {
                        self.contexts.get(file.context).is_some_and(|context| context.accesses.get(file.access).is_some())
                    })
                }
                File::EventQueue(QueueFile { context, index }) => {
                    count(&mut context_files, context);
                    self.contexts.get(context).is_some_and(|context| context.event_queues.get(index).is_some())
                }
                File::FaultQueue(QueueFile { context, index }) => {
                    count(&mut context_files, context);
                    self.contexts.get(context).is_some_and(|context| context.fault_queues.get(index).is_some())
                }
            };
            report.expect(exists, format_args!("fd {fd} names {file:?}, which does not exist"));
        }
        for (index, file) in self.device_files.iter() {
            report.expect_count(1_u32, counted(&device_files, index), format_args!("fds of device file {index}"));
            count(&mut open, file.device);
            if let Some(bound) = file.bound {
                let held = self.devices.get(file.device as usize).and_then(|device| device.bound);
                report.expect(same(held, bound), format_args!("device file {index} is bound, its device {} is not", file.device));
                count(&mut context_files, bound.context);
                count(&mut bound_files, file.device);
            }
        }
        for (device, entry) in (0..).zip(&self.devices) {
            report.expect_count(entry.open_files, counted(&open, device), format_args!("open files of device {device}"));
            let right = match entry.plug {
                Plug::Present => true,
                Plug::Leaving => entry.open_files != 0,
                Plug::Gone => entry.open_files == 0 && entry.bound.is_none(),
            };
            report.expect(right, format_args!("device {device} is {:?} with {} open files", entry.plug, entry.open_files));
            report.expect(entry.log.is_none() || entry.bound.is_some(), format_args!("device {device} keeps a log and is not bound"));
            // A mock device is held by its test object, and has no file.
            let bound = u32::from(entry.bound.is_some() && entry.mock.is_none());
            report.expect_count(bound, counted(&bound_files, device), format_args!("bound files of device {device}"));
        }
        for (index, context) in self.contexts.iter() {
            report.expect_count(context.files, counted(&context_files, index), format_args!("files that hold iommufd {index}"));
            report.expect(context.files != 0, format_args!("iommufd {index} has no file"));
        }
        Ok(())
    }

    /// A group has an owner exactly while a device of it is bound, and all of them are bound to that owner.
    pub(super) fn check_groups(&self, report: &mut Report) -> Result<()> {
        let mut bound = counters(self.groups.len())?;
        for (number, device) in self.devices.iter().enumerate() {
            let group = device.config.group;
            let Some(to) = device.bound else {
                let attachments = self.sets.get(device.set as usize).map_or(&[][..], |set| &set.attachments);
                let attached = attachments.iter().any(|attachment| attachment.devices.contains(&(number as u32)));
                report.expect(!attached, format_args!("device {number} is attached but not bound"));
                continue;
            };
            if device.config.emulated {
                let held = device
                    .access
                    .is_some_and(|access| self.contexts.get(to.context).is_some_and(|context| context.accesses.get(access).is_some()));
                report.expect(held, format_args!("device {number} is bound and has no access"));
                continue;
            }
            count(&mut bound, group);
            let owner = self.groups.get(group as usize).and_then(|group| group.owner);
            report.expect(
                owner == Some(to.context),
                format_args!("device {number} is bound to iommufd {}, its group {group} belongs to {owner:?}", to.context),
            );
            let object = self.contexts.get(to.context).and_then(|context| context.objects.get(to.id).ok());
            let named = object.is_some_and(|object| object.kind == ObjectKind::Device && object.index as usize == number);
            report.expect(named, format_args!("device {number} is bound as object {}, which is not that device", to.id));
        }
        for (number, group) in (0..).zip(&self.groups) {
            report.expect_count(group.bound, counted(&bound, number), format_args!("bound devices of group {number}"));
            report.expect(
                group.owner.is_some() == (group.bound != 0),
                format_args!("group {number} has {} bound devices and the owner {:?}", group.bound, group.owner),
            );
        }
        Ok(())
    }

    /// The attachments of a set have devices of that set, each once, and page tables that exist. The requesters of its members use those, or
    /// nothing; a member without PASIDs uses none.
    pub(super) fn check_sets(&self, report: &mut Report) {
        let mut used = 0;
        for (number, set) in self.sets.iter().enumerate() {
            let sorted = set.attachments.is_sorted_by(|one, next| one.pasid < next.pasid);
            report.expect(sorted, format_args!("the attachments of set {number} are out of order"));
            self.check_requesters(report, number, set, NO_PASID, set.attachment(NO_PASID));
            for attachment in &set.attachments {
                let Attachment { pasid, devices, .. } = attachment;
                let member =
                    |(at, device): (usize, &u32)| set.members.contains(device) && !devices.iter().take(at).any(|other| other == device);
                let good = !devices.is_empty() && devices.iter().enumerate().all(member);
                report.expect(good, format_args!("PASID {pasid} of set {number} is attached for the devices {devices:?}"));
                self.check_requesters(report, number, set, *pasid, Some(attachment));
                used += self.concerned(set, *pasid).count();
            }
        }
        // Devices of a set may share a requester.
        let kept = self.hardware.iommu.attachments();
        report.expect(kept <= used, format_args!("{kept} PASIDs of requesters go through a domain, {used} are attached"));
    }

    fn check_requesters(&self, report: &mut Report, number: usize, set: &AttachSet, pasid: u32, attachment: Option<&Attachment>) {
        let domain = attachment.and_then(|attachment| {
            let device = self.devices.get(*attachment.devices.first()? as usize)?;
            self.domain_of(device.bound?.context, attachment.hwpt)
        });
        report.expect(
            attachment.is_some() == domain.is_some(),
            format_args!("PASID {pasid} of set {number} is attached to a page table which does not exist"),
        );
        for device in self.concerned(set, pasid) {
            let requester = device.config.requester;
            let found = self.hardware.iommu.attached(requester, pasid);
            // Nothing goes through a page table of a device without an IOMMU.
            let domain = domain.filter(|_| !device.config.no_iommu);
            report.expect(
                found == domain,
                format_args!("PASID {pasid} of requester {requester:#x} uses {found:?}, set {number} wants {domain:?}"),
            );
            self.check_context_entry(report, requester, pasid, domain);
        }
    }

    /// What the IOMMU's tables in RAM say of a requester is the domain that it is to use.
    fn check_context_entry(&self, report: &mut Report, requester: u32, pasid: u32, domain: Option<DomainId>) {
        let Hardware { iommu, ram, .. } = &self.hardware;
        let found = u16::try_from(requester).ok().and_then(|requester| iommu.look_up_context(ram, requester, pasid));
        if let Some(context) = found {
            let wanted = domain.and_then(|domain| iommu.context_of(domain).ok()).filter(|context| !context.aborts());
            report.expect(
                context.ok() == wanted,
                format_args!("the tables in RAM do not say that PASID {pasid} of requester {requester} uses {domain:?}"),
            );
        }
    }

    /// The members of a set that have a PASID.
    fn concerned(&self, set: &AttachSet, pasid: u32) -> impl Iterator<Item = &Device> {
        let config = self.hardware.iommu.config();
        let devices = set.members.iter().filter_map(|&member| self.devices.get(member as usize));
        devices.filter(move |device| pasid == NO_PASID || device.max_pasids(config) != 0)
    }

    /// The domain of a page table, by its object id.
    fn domain_of(&self, context: u32, hwpt: u32) -> Option<DomainId> {
        let context = self.contexts.get(context)?;
        let object = context.objects.get(hwpt).ok()?;
        match object.kind {
            ObjectKind::Hwpt => Some(context.hwpts.get(object.index)?.domain),
            ObjectKind::Nested => Some(context.nested.get(object.index)?.domain),
            _ => None,
        }
    }
}

fn same(held: Option<Bound>, bound: Bound) -> bool {
    held.is_some_and(|held| held.context == bound.context && held.id == bound.id)
}
