//! Page requests: who waits for an answer is attached to what reports to the queue that it waits in.

use super::report::Report;
use crate::kernel::Kernel;

impl Kernel {
    pub(super) fn check_faults(&self, report: &mut Report) {
        let mut waiting = 0_u64;
        for (number, context) in self.contexts.iter() {
            for (index, queue) in context.fault_queues.iter() {
                for group in queue.groups() {
                    report.expect(
                        self.reports(group.device, Some(group.pasid)) == Some((number, index)),
                        format_args!(
                            "queue {} of iommufd {number} has a fault of device {}, which reports elsewhere",
                            queue.id, group.device
                        ),
                    );
                    waiting += u64::from(self.devices.get(group.device as usize).is_some_and(|device| device.mock.is_none()));
                }
            }
        }
        report.expect_count(self.responses.outstanding as u64, waiting, format_args!("page requests without an answer"));
        let room = self.responses.queue.capacity() - self.responses.queue.len();
        report.expect(room as u64 >= waiting, format_args!("{waiting} page requests have room for {room} answers"));
        for (number, device) in (0..).zip(&self.devices) {
            report.expect(
                self.reports(number, None).is_some() || device.partial.is_empty(),
                format_args!("device {number} reports to nobody and has page requests"),
            );
        }
    }

    /// The iommufd that has a device, and a queue of the page tables that it is attached to, with this PASID or any.
    fn reports(&self, device: u32, pasid: Option<u32>) -> Option<(u32, u32)> {
        let entry = self.devices.get(device as usize)?;
        let owner = self.groups.get(entry.config.group as usize)?.owner?;
        let mut attachments = self.sets.get(entry.set as usize)?.attachments.iter();
        attachments.find_map(|attachment| {
            let queue = self.fault_queue_of(owner, attachment.hwpt)?;
            pasid.is_none_or(|pasid| attachment.pasid == pasid).then_some((owner, queue))
        })
    }
}
