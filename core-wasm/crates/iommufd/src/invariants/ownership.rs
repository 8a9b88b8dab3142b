//! Files, groups, and which requester goes through which page table.

use super::report::Report;
use super::{count, counted, counters};
use crate::file::{Bound, File};
use crate::kernel::Kernel;
use crate::object::ObjectKind;
use iommu::DomainId;
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
                report.expect(!device.attached, format_args!("device {number} is attached but not bound"));
                continue;
            };
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

    /// A set has a page table exactly while a member is attached. The requesters of its members use that, or nothing.
    pub(super) fn check_sets(&self, report: &mut Report) {
        for (number, set) in self.sets.iter().enumerate() {
            let members = || set.members.iter().filter_map(|&member| self.devices.get(member as usize));
            let attached = members().filter(|device| device.attached).count();
            report.expect_count(set.attached, attached as u64, format_args!("attached devices of set {number}"));
            report.expect(
                set.hwpt.is_some() == (attached != 0),
                format_args!("set {number} has {attached} attached devices and the page table {:?}", set.hwpt),
            );
            let domain = set.hwpt.and_then(|hwpt| self.domain_of(members().find_map(|device| device.bound)?.context, hwpt));
            report.expect(
                set.hwpt.is_some() == domain.is_some(),
                format_args!("set {number} has the page table {:?}, which does not exist", set.hwpt),
            );
            for device in members() {
                let requester = device.config.requester;
                let found = self.hardware.iommu.attached(requester);
                report.expect(found == domain, format_args!("requester {requester:#x} uses {found:?}, set {number} wants {domain:?}"));
            }
        }
    }

    /// The domain of a page table, by its object id.
    fn domain_of(&self, context: u32, hwpt: u32) -> Option<DomainId> {
        let context = self.contexts.get(context)?;
        let index = context.objects.index(hwpt, ObjectKind::Hwpt).ok()?;
        Some(context.hwpts.get(index)?.domain)
    }
}

fn same(held: Option<Bound>, bound: Bound) -> bool {
    held.is_some_and(|held| held.context == bound.context && held.id == bound.id)
}
