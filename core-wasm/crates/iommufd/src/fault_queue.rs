//! Queues of page faults that a program answers: FAULT_QUEUE_ALLOC, and the file of a queue.
//!
//! A group of faults waits in the queue until it is read, which gives it a cookie, and then for the answer that names the cookie.

use crate::context::Context;
use crate::file::{File, QueueFile};
use crate::kernel::Kernel;
use crate::object::ObjectKind;
use crate::page_request::{FaultGroup, PageResponse};
use crate::request::Call;
use crate::slab::LowestSlab;
use alloc::collections::VecDeque;
use uapi::iommufd as api;
use uapi::{Errno, Result};

const FAULT: u64 = api::HwptPgfault::SIZE as u64;
const RESPONSE: u64 = api::HwptPageResponse::SIZE as u64;

/// A queue. Its file holds it, and so does each page table that reports to it.
pub(crate) struct FaultQueue {
    /// Its object id.
    pub(crate) id: u32,
    /// Groups that nobody has read, oldest first.
    pub(crate) unread: VecDeque<FaultGroup>,
    /// Groups that were read, by their cookies, which are the lowest free numbers. 0 is none at first, and has no group.
    unanswered: LowestSlab<Option<FaultGroup>>,
}

impl FaultQueue {
    fn new(id: u32) -> Result<Self> {
        let mut unanswered = LowestSlab::new(0);
        unanswered.insert(None)?;
        Ok(Self { id, unread: VecDeque::new(), unanswered })
    }

    /// All groups, read or not.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &FaultGroup> {
        self.unread.iter().chain(self.unanswered.iter().filter_map(|(_, group)| group.as_ref()))
    }

    /// Takes the group of a cookie out. `None` for a number that is no cookie.
    ///
    /// As in Linux, asking for 0 while groups wait makes it a number like any other from then on.
    fn take(&mut self, cookie: u32) -> Option<FaultGroup> {
        if self.unanswered.len() == 1 && matches!(self.unanswered.get(cookie), Some(None)) {
            return None;
        }
        self.unanswered.remove(cookie)?
    }

    /// Takes a group of an attachment out, read or not; `None` when there is no more. Never fails.
    pub(crate) fn take_of(&mut self, is_of: impl Fn(&FaultGroup) -> bool) -> Option<FaultGroup> {
        if let Some(at) = self.unread.iter().position(&is_of) {
            return self.unread.remove(at);
        }
        let (cookie, _) = self.unanswered.iter().find(|(_, group)| group.as_ref().is_some_and(&is_of))?;
        self.unanswered.remove(cookie)?
    }
}

/// FAULT_QUEUE_ALLOC. EOPNOTSUPP for flags, and where the IOMMU is somewhere else and reports nothing here; EMFILE.
pub(crate) fn alloc(call: &mut Call) -> Result<()> {
    let mut request = api::FaultAlloc::read(call.bytes()?);
    if request.flags != 0 || call.kernel.hardware.iommu.config().remote {
        return Err(Errno::EOPNOTSUPP);
    }
    let context = call.context;
    let (id, index) = call.context()?.new_fault_queue()?;
    call.answer_queue(id, File::FaultQueue(QueueFile { context, index }), |fd| {
        request.out_fault_id = id;
        request.out_fault_fd = fd;
        let mut answer = [0; api::FaultAlloc::SIZE];
        request.write(&mut answer);
        answer
    })
}

impl Call<'_> {
    /// Opens the file of a new queue and answers what the file's number makes of the struct. On an error neither file nor object is left.
    pub(crate) fn answer_queue<const N: usize>(&mut self, id: u32, file: File, answer: impl FnOnce(u32) -> [u8; N]) -> Result<()> {
        let context = self.context;
        let opened = self.kernel.open_queue(context, id, file);
        let answered = opened.and_then(|fd| self.respond(&answer(fd)).inspect_err(|_| self.kernel.close_queue(fd, context, id)));
        answered.inspect_err(|_| {
            // Nobody has learned the id, and the file does not hold it any more.
            let _ = self.parts().and_then(|(context, hardware)| context.destroy(hardware, id));
        })
    }
}

impl Context {
    fn new_fault_queue(&mut self) -> Result<(u32, u32)> {
        let index = self.fault_queues.insert(FaultQueue::new(self.objects.next())?)?;
        let id = self.objects.add(ObjectKind::FaultQueue, index).inspect_err(|_| {
            self.fault_queues.discard(index);
        })?;
        Ok((id, index))
    }

    /// What goes with the object of a queue that no page table reports to: nothing waits in it, since faults go with what was attached.
    pub(crate) fn destroy_fault_queue(&mut self, index: u32) {
        let queue = self.fault_queues.remove(index);
        debug_assert!(queue.is_none_or(|queue| queue.groups().next().is_none()), "faults outlive no attachment");
    }
}

impl Kernel {
    /// Opens the file of a queue, which holds the queue's object and the iommufd. EMFILE, ENOMEM.
    pub(crate) fn open_queue(&mut self, context: u32, id: u32, file: File) -> Result<u32> {
        self.check_file_limit()?;
        let fd = self.files.insert(file)?;
        if let Ok(context) = self.context_mut(context) {
            context.objects.hold(id, 1);
            context.files += 1;
        }
        Ok(fd)
    }

    /// Undoes [`Kernel::open_queue`], while the iommufd is held by another file.
    pub(crate) fn close_queue(&mut self, fd: u32, context: u32, id: u32) {
        self.files.remove(fd);
        self.put_queue(context, id);
    }

    /// The file of a queue is closed. Never fails.
    pub(crate) fn put_queue(&mut self, context: u32, id: u32) {
        if let Ok(context) = self.context_mut(context) {
            context.objects.hold(id, -1);
        }
        self.put_context(context);
    }

    fn fault_queue(&mut self, file: QueueFile) -> Result<&mut FaultQueue> {
        self.context_mut(file.context)?.fault_queues.get_mut(file.index).ok_or(Errno::EIO)
    }

    /// Whether a read of a queue would find something.
    pub(crate) fn has_faults(&self, file: QueueFile) -> bool {
        let queue = self.contexts.get(file.context).and_then(|context| context.fault_queues.get(file.index));
        queue.is_some_and(|queue| !queue.unread.is_empty())
    }

    /// Reads whole groups, as many as fit, and gives each a cookie. 0 where there is none.
    ///
    /// ESPIPE for a length that is no number of records, EINVAL where the first group does not fit, EFAULT, ENOMEM. After the first group an
    /// error ends the read, and what comes after stays unread.
    pub(crate) fn read_faults(&mut self, file: QueueFile, va: u64, length: u64) -> Result<u64> {
        if !length.is_multiple_of(FAULT) {
            return Err(Errno::ESPIPE);
        }
        let mut done = 0;
        loop {
            match self.read_group(file, va.wrapping_add(done), length - done) {
                Ok(0) => return Ok(done),
                Ok(bytes) => done += bytes,
                Err(error) => return if done == 0 { Err(error) } else { Ok(done) },
            }
        }
    }

    /// Reads the next group. Returns its bytes, 0 if there is none.
    fn read_group(&mut self, file: QueueFile, va: u64, room: u64) -> Result<u64> {
        let Kernel { contexts, hardware, .. } = self;
        let queue = contexts.get_mut(file.context).and_then(|context| context.fault_queues.get_mut(file.index)).ok_or(Errno::EIO)?;
        let Some(group) = queue.unread.front() else { return Ok(0) };
        let length = group.len() * FAULT;
        if length > room {
            return Err(Errno::EINVAL);
        }
        queue.unanswered.reserve()?;
        let cookie = queue.unanswered.next();
        let mut at = va;
        for fault in group.faults() {
            let mut bytes = [0; api::HwptPgfault::SIZE];
            api::HwptPgfault { dev_id: group.dev_id, cookie, ..fault.record() }.write(&mut bytes);
            hardware.copy_out(at, &bytes)?;
            at = at.wrapping_add(FAULT);
        }
        if let Some(group) = queue.unread.pop_front() {
            queue.unanswered.insert(Some(group))?;
        }
        Ok(length)
    }

    /// Answers groups by their cookies. Returns the bytes taken.
    ///
    /// ESPIPE for a length that is no number of records, EINVAL for an answer that there is not or a cookie that names no group, EFAULT. After
    /// the first answer an error ends the write.
    pub(crate) fn write_responses(&mut self, file: QueueFile, va: u64, length: u64) -> Result<u64> {
        if !length.is_multiple_of(RESPONSE) {
            return Err(Errno::ESPIPE);
        }
        let mut done = 0;
        while done < length {
            match self.write_response(file, va.wrapping_add(done)) {
                Ok(()) => done += RESPONSE,
                Err(error) => return if done == 0 { Err(error) } else { Ok(done) },
            }
        }
        Ok(done)
    }

    fn write_response(&mut self, file: QueueFile, va: u64) -> Result<()> {
        let mut bytes = [0; api::HwptPageResponse::SIZE];
        self.hardware.copy_in(va, &mut bytes)?;
        let response = api::HwptPageResponse::read(&bytes);
        let code = match response.code {
            api::PAGE_RESP_SUCCESS => PageResponse::Success,
            api::PAGE_RESP_INVALID => PageResponse::Invalid,
            _ => return Err(Errno::EINVAL),
        };
        let group = self.fault_queue(file)?.take(response.cookie).ok_or(Errno::EINVAL)?;
        self.respond(&group, code);
        Ok(())
    }
}
