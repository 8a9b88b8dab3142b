//! Page requests of devices: where each goes, groups of them, and the answers that devices get.
//!
//! A device that finds a page missing asks for it instead of giving up. Requests of one group count together: they wait at the device until the
//! last one comes, then the group goes to the fault queue of the page table that the device is attached to. It is answered as a whole: by the
//! program, or with "invalid" once the device is not attached there any more. Linux has no time limit for an answer.

use crate::capability::{Capabilities, PageRequests, asks_for_pages};
use crate::kernel::Kernel;
use crate::object::ObjectKind;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use iommu::NO_PASID;
use uapi::iommufd as api;
use uapi::{Errno, Result};

/// A page that a device asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageRequest {
    /// The PASID of the access.
    pub pasid: Option<u32>,
    /// Number of the group, of the device's choice.
    pub group: u32,
    /// What the access wants: `PGFAULT_PERM_*`.
    pub permissions: u32,
    /// The address.
    pub address: u64,
    /// Whether it is the last of its group, after which the group is answered.
    pub last: bool,
}

impl PageRequest {
    /// Whether it is privileged, or would execute what it reads.
    fn is_privileged(&self) -> bool {
        let wants = |permissions| self.permissions & permissions != 0;
        let reads = wants(api::PGFAULT_PERM_READ);
        wants(api::PGFAULT_PERM_PRIV) && (reads || wants(api::PGFAULT_PERM_WRITE)) || wants(api::PGFAULT_PERM_EXEC) && reads
    }

    /// What the program reads of it, but for the device and the cookie.
    pub(crate) fn record(&self) -> api::HwptPgfault {
        let last = if self.last { api::PGFAULT_FLAGS_LAST_PAGE } else { 0 };
        let has_pasid = if self.pasid.is_some() { api::PGFAULT_FLAGS_PASID_VALID } else { 0 };
        api::HwptPgfault {
            flags: last | has_pasid,
            pasid: self.pasid.unwrap_or(0),
            grpid: self.group,
            perm: self.permissions,
            addr: self.address,
            ..Default::default()
        }
    }
}

/// The answer to a group of page requests, by the number that PCI has for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageResponse {
    /// The pages are there: try again.
    Success = 0,
    /// There is no such memory.
    Invalid = 1,
    /// Something went wrong, which more requests will not change.
    Failure = 15,
}

/// An answer on its way to a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answered {
    /// The device.
    pub device: u32,
    /// The group.
    pub group: u32,
    /// The PASID of the group.
    pub pasid: Option<u32>,
    /// The answer.
    pub response: PageResponse,
}

/// Requests that are answered together.
pub(crate) struct FaultGroup {
    /// Who waits for the answer.
    pub(crate) device: u32,
    /// The devices that use one page table, of which that is one: with their attachment the group ends.
    pub(crate) set: u32,
    /// The PASID that they have attached there.
    pub(crate) pasid: u32,
    /// What the program is told of the device: the id of the one that was attached.
    pub(crate) dev_id: u32,
    /// Those before the last, oldest first.
    before: Vec<PageRequest>,
    last: PageRequest,
}

impl FaultGroup {
    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.before.len() as u64 + 1
    }

    /// All of them, oldest first.
    pub(crate) fn faults(&self) -> impl Iterator<Item = &PageRequest> {
        self.before.iter().chain(core::iter::once(&self.last))
    }
}

/// Where faults go: an iommufd, a queue of it, the devices that share the attachment and its PASID, and what the program is told of the device.
struct Handler {
    context: u32,
    queue: u32,
    set: u32,
    pasid: u32,
    dev_id: u32,
}

/// Answers that devices have not taken yet, and groups without one.
#[derive(Default)]
pub(crate) struct Responses {
    /// Has room for an answer to each group without one, so that answering needs no memory.
    pub(crate) queue: VecDeque<Answered>,
    /// Groups of devices that take their answers.
    pub(crate) outstanding: usize,
}

impl Kernel {
    /// A device asks for a page. `None`: the answer comes later, if the request was the last of its group.
    ///
    /// Invalid where nobody handles faults: nothing is attached, or a page table without a fault queue. What the driver does not hand on
    /// ([`PageRequests`]) it answers itself. Failure where memory is short. EINVAL for a device that is not there, or has no page requests.
    pub fn page_request(&mut self, device: u32, request: PageRequest) -> Result<Option<PageResponse>> {
        if !self.device(device)?.config.page_requests {
            return Err(Errno::EINVAL);
        }
        let handed_on = Capabilities::of(self.hardware.iommu.config()).page_requests;
        match handed_on {
            _ if !self.asks_for_pages(device) => Ok(Some(PageResponse::Invalid)),
            PageRequests::Unprivileged if request.is_privileged() => Ok(Some(PageResponse::Invalid)),
            PageRequests::WithPasid if request.pasid.is_none() => Ok(Some(PageResponse::Failure)),
            _ => Ok(self.report_fault(device, request)),
        }
    }

    /// The next answer for a device.
    pub fn take_page_response(&mut self) -> Option<Answered> {
        self.responses.queue.pop_front()
    }

    /// Hands a request on to whom handles faults of the device.
    pub(crate) fn report_fault(&mut self, device: u32, request: PageRequest) -> Option<PageResponse> {
        let Some(handler) = self.fault_handler(device, request.pasid) else { return Some(PageResponse::Invalid) };
        match self.queue_fault(device, handler, request) {
            Ok(()) => None,
            // The last one is answered as Linux answers it; of others nobody waits for an answer.
            Err(_) => request.last.then_some(PageResponse::Failure),
        }
    }

    fn queue_fault(&mut self, device: u32, handler: Handler, request: PageRequest) -> Result<()> {
        let takes_answers = self.device(device)?.mock.is_none();
        let Handler { context, queue, set, pasid, dev_id } = handler;
        let Kernel { contexts, responses, devices, .. } = self;
        let partial = &mut devices.get_mut(device as usize).ok_or(Errno::EIO)?.partial;
        if !request.last {
            partial.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            partial.push(request);
            return Ok(());
        }
        let queue = contexts.get_mut(context).and_then(|context| context.fault_queues.get_mut(queue)).ok_or(Errno::EIO)?;
        queue.unread.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let mut before = Vec::new();
        before.try_reserve_exact(partial.iter().filter(|other| other.group == request.group).count()).map_err(|_| Errno::ENOMEM)?;
        if takes_answers {
            responses.queue.try_reserve(responses.outstanding + 1).map_err(|_| Errno::ENOMEM)?;
            responses.outstanding += 1;
        }
        before.extend(partial.iter().filter(|other| other.group == request.group));
        partial.retain(|other| other.group != request.group);
        queue.unread.push_back(FaultGroup { device, set, pasid, dev_id, before, last: request });
        Ok(())
    }

    /// Who handles faults of a device. A mock device's guest has PASIDs of its own: one that is not attached is the matter of the nested page table
    /// that the device itself is attached to.
    fn fault_handler(&self, device: u32, pasid: Option<u32>) -> Option<Handler> {
        let entry = self.devices.get(device as usize)?;
        let context = self.groups.get(entry.config.group as usize)?.owner?;
        let set = self.sets.get(entry.set as usize)?;
        let guest = || set.attachment(NO_PASID).filter(|own| entry.mock.is_some() && self.is_nested(context, own.hwpt));
        let attachment = set.attachment(pasid.unwrap_or(NO_PASID)).or_else(guest)?;
        let queue = self.fault_queue_of(context, attachment.hwpt)?;
        Some(Handler { context, queue, set: entry.set, pasid: attachment.pasid, dev_id: attachment.handler })
    }

    fn is_nested(&self, context: u32, hwpt: u32) -> bool {
        self.contexts.get(context).is_some_and(|context| context.objects.index(hwpt, ObjectKind::Nested).is_ok())
    }

    /// Whether a device asks for pages.
    pub(crate) fn asks_for_pages(&self, device: u32) -> bool {
        asks_for_pages(self.hardware.iommu.config()) && self.device(device).is_ok_and(|device| device.config.page_requests)
    }

    /// The queue that a page table reports to, by its object id.
    pub(crate) fn fault_queue_of(&self, context: u32, hwpt: u32) -> Option<u32> {
        self.contexts.get(context)?.fault_queue_of(hwpt)
    }

    /// The page requests of a set that was attached to a page table with a PASID end: they are answered as invalid. Never fails.
    pub(crate) fn end_faults(&mut self, set: u32, pasid: u32, context: u32, hwpt: u32) {
        let Some(queue) = self.fault_queue_of(context, hwpt) else { return };
        loop {
            let queue = self.contexts.get_mut(context).and_then(|context| context.fault_queues.get_mut(queue));
            let Some(group) = queue.and_then(|queue| queue.take_of(|group| group.set == set && group.pasid == pasid)) else { break };
            self.respond(&group, PageResponse::Invalid);
        }
    }

    /// Forgets what is not complete of the devices of a set, unless a page table that they are attached to reports faults.
    pub(crate) fn forget_partial(&mut self, set: u32, context: u32) {
        let Some(entry) = self.sets.get(set as usize) else { return };
        if entry.attachments.iter().any(|attachment| self.fault_queue_of(context, attachment.hwpt).is_some()) {
            return;
        }
        let Kernel { sets, devices, .. } = self;
        for &member in sets.get(set as usize).map_or(&[][..], |set| &set.members) {
            if let Some(device) = devices.get_mut(member as usize) {
                device.partial.clear();
            }
        }
    }

    /// Answers a group. Never allocates.
    pub(crate) fn respond(&mut self, group: &FaultGroup, response: PageResponse) {
        if self.device(group.device).is_ok_and(|device| device.mock.is_none()) {
            let FaultGroup { device, last: PageRequest { group, pasid, .. }, .. } = *group;
            self.responses.outstanding -= 1;
            self.responses.queue.push_back(Answered { device, group, pasid, response });
        }
    }
}
