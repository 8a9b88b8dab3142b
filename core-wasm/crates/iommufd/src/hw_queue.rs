//! Queues in a guest's memory that hardware works on by itself: HW_QUEUE_ALLOC.
//!
//! The hardware knows such memory by physical addresses, past every page table: it is pinned, all in one piece, and stays mapped as long as the
//! queue lives. Only the mock IOMMU has such queues here.

use crate::access::User;
use crate::capability::{Capabilities, NestedTables};
use crate::context::Context;
use crate::hardware::Hardware;
use crate::object::ObjectKind;
use crate::pages::PAGE;
use crate::range::range_of;
use crate::request::Call;
use crate::selftest;
use iova::Range;
use uapi::iommufd as api;
use uapi::selftest::HW_QUEUE_TYPE_SELFTEST;
use uapi::{Errno, Result};

/// Bytes that Linux's list of a queue's pages has for each.
const PAGE_ENTRY: u64 = 8;
/// Bytes of the longest such list.
const LIST_MAX: u64 = i32::MAX as u64;

/// A queue. It is its access, which has the memory pinned; the access's index is that of its object. It holds its virtual IOMMU, and the queue with the
/// number before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct HwQueue {
    /// Its object id.
    pub(crate) id: u32,
    pub(crate) viommu: u32,
    /// The object id of the queue that it was made behind.
    pub(crate) before: Option<u32>,
}

/// HW_QUEUE_ALLOC. All or nothing. In this order:
///
/// EOPNOTSUPP for flags or no type; EINVAL for no bytes, EOVERFLOW; ENOENT for no such virtual IOMMU; EOPNOTSUPP for another type than its own;
/// ERANGE for all of the space, ENOMEM for a list that Linux has no room for; EADDRINUSE where the IOAS has areas that are no whole pages; what pinning
/// refuses; EFAULT for memory in pieces; what [`selftest::add_hw_queue`] refuses.
pub(crate) fn alloc(call: &mut Call) -> Result<()> {
    let mut request = api::HwQueueAlloc::read(call.bytes()?);
    if request.flags != 0 || request.r#type == api::HW_QUEUE_TYPE_DEFAULT {
        return Err(Errno::EOPNOTSUPP);
    }
    let range = range_of(request.nesting_parent_iova, request.length)?;
    let (context, hardware) = call.parts()?;
    let (viommu, _) = context.viommu(request.viommu_id)?;
    let is_mock = selftest::PRESENT && Capabilities::of(hardware.iommu.config()).nested == NestedTables::Mock;
    if request.r#type != HW_QUEUE_TYPE_SELFTEST || !is_mock {
        return Err(Errno::EOPNOTSUPP);
    }
    let id = context.new_hw_queue(hardware, viommu, range, request.index)?;
    request.out_hw_queue_id = id;
    let mut answer = [0; api::HwQueueAlloc::SIZE];
    request.write(&mut answer);
    call.respond(&answer).inspect_err(|_| {
        // Nobody has learned the id.
        let _ = call.parts().and_then(|(context, hardware)| context.destroy(hardware, id));
    })
}

/// The pages that a range touches. ERANGE for all that there are, ENOMEM for more than a list of them has room for.
fn pages_of(range: Range) -> Result<Range> {
    let pages = Range { start: range.start & !(PAGE - 1), last: range.last | (PAGE - 1) };
    let length = (pages.last - pages.start).checked_add(1).ok_or(Errno::ERANGE)?;
    if length / PAGE > LIST_MAX / PAGE_ENTRY { Err(Errno::ENOMEM) } else { Ok(pages) }
}

impl Context {
    /// Makes a queue and returns its object id. As in Linux that is taken before the one of its access.
    fn new_hw_queue(&mut self, hardware: &mut Hardware, viommu: u32, range: Range, number: u32) -> Result<u32> {
        let id = self.objects.add(ObjectKind::Reserved, 0)?;
        let made = pages_of(range).and_then(|pages| {
            let queue = HwQueue { id, viommu, before: None };
            let access = self.new_access(User::HwQueue(queue), PAGE)?;
            self.fill_hw_queue(hardware, queue, access, pages, number).inspect_err(|_| self.destroy_access(hardware, access))
        });
        made.map(|()| id).inspect_err(|_| self.objects.remove(id))
    }

    /// Pins the memory of a queue, and makes its object what it is.
    fn fill_hw_queue(&mut self, hardware: &mut Hardware, mut queue: HwQueue, access: u32, pages: Range, number: u32) -> Result<()> {
        let parent = self.viommus.get(queue.viommu).ok_or(Errno::EIO)?.parent;
        let ioas = self.hwpts.get(parent).ok_or(Errno::EIO)?.ioas;
        self.move_access(hardware, access, Some(ioas))?;
        self.pin_range(hardware, access, pages, false, 0)?;
        if !self.is_in_one_piece(access) {
            return Err(Errno::EFAULT);
        }
        let numbers = &mut self.viommus.get_mut(queue.viommu).ok_or(Errno::EIO)?.hw_queues;
        queue.before = selftest::add_hw_queue(numbers, number, queue.id)?;
        if let Some(access) = self.accesses.get_mut(access) {
            access.user = User::HwQueue(queue);
        }
        self.objects.finish(queue.id, ObjectKind::HwQueue, access);
        self.hold_for_hw_queue(queue, 1);
        Ok(())
    }

    /// Whether what a queue has pinned lies side by side in RAM.
    fn is_in_one_piece(&self, access: u32) -> bool {
        let mut next = None;
        self.pinned_runs(access, 0)
            .is_some_and(|mut runs| runs.all(|run| next.replace(run.pa.0 + run.length).is_none_or(|expected| expected == run.pa.0)))
    }

    fn hold_for_hw_queue(&mut self, queue: HwQueue, by: i32) {
        let viommu = self.viommus.get(queue.viommu).map(|viommu| viommu.id);
        for held in [viommu, queue.before].into_iter().flatten() {
            self.objects.hold(held, by);
        }
    }

    /// The queues, those that are being made among them.
    pub(crate) fn hw_queues(&self) -> impl Iterator<Item = HwQueue> {
        self.accesses.iter().filter_map(|(_, access)| if let User::HwQueue(queue) = access.user { Some(queue) } else { None })
    }

    /// What goes with the object of a queue that nothing holds.
    pub(crate) fn destroy_hw_queue(&mut self, hardware: &mut Hardware, access: u32) {
        if let Some(User::HwQueue(queue)) = self.accesses.get(access).map(|access| access.user) {
            if let Some(viommu) = self.viommus.get_mut(queue.viommu) {
                selftest::remove_hw_queue(&mut viommu.hw_queues);
            }
            self.hold_for_hw_queue(queue, -1);
            self.destroy_access(hardware, access);
        }
    }
}
