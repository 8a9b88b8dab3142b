//! Queues of events that an IOMMU reports to a guest: VEVENTQ_ALLOC, and the file of a queue.

use crate::file::{File, QueueFile};
use crate::kernel::Kernel;
use crate::object::ObjectKind;
use crate::request::Call;
use alloc::collections::VecDeque;
use uapi::iommufd as api;
use uapi::{Errno, Result};

/// Most events that a queue may hold.
const DEPTH_MAX: u32 = 1 << 19;
/// Sequence numbers wrap behind this.
const SEQUENCE_LAST: u32 = i32::MAX as u32;
const HEADER: u64 = api::VeventHeader::SIZE as u64;
/// Most bytes of an event's data: those of an SMMUv3.
const EVENT: usize = api::VeventArmSmmuv3::SIZE;

/// An event: its number, and its data.
struct Event {
    sequence: u32,
    data: [u8; EVENT],
    length: u8,
}

impl Event {
    fn data(&self) -> &[u8] {
        self.data.get(..self.length.into()).unwrap_or(&[])
    }
}

/// A queue. It holds its virtual IOMMU, and its file holds it.
pub(crate) struct EventQueue {
    /// Its object id.
    pub(crate) id: u32,
    pub(crate) viommu: u32,
    /// Which kind of events; a virtual IOMMU has one queue for each.
    kind: u32,
    depth: u32,
    /// Events that nobody has read, oldest first.
    unread: VecDeque<Event>,
    /// Behind them events were lost: the number of the last one.
    lost: Option<u32>,
    /// The number of the next event, lost ones counted.
    sequence: u32,
}

impl EventQueue {
    /// Takes an event, or counts it as lost where the queue is full or memory is short, which is ENOMEM.
    fn report(&mut self, data: &[u8]) -> Result<()> {
        let sequence = self.sequence;
        self.sequence = (sequence + 1) & SEQUENCE_LAST;
        let room = self.unread.try_reserve(1);
        if room.is_err() || self.unread.len() as u32 >= self.depth {
            self.lost = Some(sequence);
            return room.map_err(|_| Errno::ENOMEM);
        }
        // The gap in the numbers says by itself that events were lost before this one.
        self.lost = None;
        let mut event = Event { sequence, data: [0; EVENT], length: data.len() as u8 };
        event.data.get_mut(..data.len()).ok_or(Errno::EIO)?.copy_from_slice(data);
        self.unread.push_back(event);
        Ok(())
    }

    /// The next record that is to be read.
    fn next(&self) -> Option<(api::VeventHeader, Option<&[u8]>)> {
        if let Some(event) = self.unread.front() {
            return Some((api::VeventHeader { flags: 0, sequence: event.sequence }, Some(event.data())));
        }
        let sequence = self.lost?;
        Some((api::VeventHeader { flags: api::VEVENTQ_FLAG_LOST_EVENTS, sequence }, None))
    }

    fn drop_next(&mut self) {
        if self.unread.pop_front().is_none() {
            self.lost = None;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.unread.is_empty() && self.lost.is_none()
    }
}

/// VEVENTQ_ALLOC. EEXIST if the virtual IOMMU has a queue of this kind.
pub(crate) fn alloc(call: &mut Call) -> Result<()> {
    let mut request = api::VeventqAlloc::read(call.bytes()?);
    if request.flags != 0 || request.reserved != 0 || request.r#type == api::VEVENTQ_TYPE_DEFAULT {
        return Err(Errno::EOPNOTSUPP);
    }
    if request.veventq_depth == 0 || request.veventq_depth > DEPTH_MAX {
        return Err(Errno::EINVAL);
    }
    let number = call.context;
    let context = call.context()?;
    let (viommu, _) = context.viommu(request.viommu_id)?;
    if context.event_queues.iter().any(|(_, queue)| (queue.viommu, queue.kind) == (viommu, request.r#type)) {
        return Err(Errno::EEXIST);
    }
    let id = context.objects.next();
    let (kind, depth) = (request.r#type, request.veventq_depth);
    let queue = EventQueue { id, viommu, kind, depth, unread: VecDeque::new(), lost: None, sequence: 0 };
    let index = context.event_queues.insert(queue)?;
    context.objects.add(ObjectKind::EventQueue, index).inspect_err(|_| {
        context.event_queues.discard(index);
    })?;
    context.objects.hold(request.viommu_id, 1);
    call.answer_queue(id, File::EventQueue(QueueFile { context: number, index }), |fd| {
        request.out_veventq_id = id;
        request.out_veventq_fd = fd;
        let mut answer = [0; api::VeventqAlloc::SIZE];
        request.write(&mut answer);
        answer
    })
}

impl crate::context::Context {
    /// What goes with the object of a queue.
    pub(crate) fn destroy_event_queue(&mut self, index: u32) {
        let Some(queue) = self.event_queues.remove(index) else { return };
        if let Some(viommu) = self.viommus.get(queue.viommu) {
            self.objects.hold(viommu.id, -1);
        }
    }

    /// Reports an event of a virtual IOMMU. EOPNOTSUPP if it has no queue of that kind, ENOMEM; an event that does not fit is lost, which is no error.
    pub(crate) fn report_event(&mut self, viommu: u32, kind: u32, data: &[u8]) -> Result<()> {
        let found = self.event_queues.iter().find(|(_, queue)| (queue.viommu, queue.kind) == (viommu, kind)).map(|(index, _)| index);
        self.event_queues.get_mut(found.ok_or(Errno::EOPNOTSUPP)?).ok_or(Errno::EIO)?.report(data)
    }
}

impl Kernel {
    /// Whether a read of a queue would find something.
    pub(crate) fn has_events(&self, file: QueueFile) -> bool {
        let queue = self.contexts.get(file.context).and_then(|context| context.event_queues.get(file.index));
        queue.is_some_and(|queue| !queue.is_empty())
    }

    /// Reads records, as many as fit: a header each, and data behind it unless it says that events were lost. 0 where there is none.
    ///
    /// EINVAL without room for a header, or for the first event; EFAULT. After the first record an error ends the read.
    pub(crate) fn read_events(&mut self, file: QueueFile, va: u64, length: u64) -> Result<u64> {
        if length < HEADER {
            return Err(Errno::EINVAL);
        }
        let mut done = 0;
        while let Some(bytes) = self.read_event(file, va.wrapping_add(done), length - done, done == 0).or_else(|error| {
            // What was read before counts.
            if done == 0 { Err(error) } else { Ok(None) }
        })? {
            done += bytes;
        }
        Ok(done)
    }

    /// Reads the next record. Returns its bytes; `None` if there is none, or one that does not fit and is not the first.
    fn read_event(&mut self, file: QueueFile, va: u64, room: u64, first: bool) -> Result<Option<u64>> {
        let Kernel { contexts, hardware, .. } = self;
        let queue = contexts.get_mut(file.context).and_then(|context| context.event_queues.get_mut(file.index)).ok_or(Errno::EIO)?;
        let Some((header, data)) = queue.next() else { return Ok(None) };
        let length = HEADER + data.map_or(0, |data| data.len() as u64);
        if length > room {
            return if first { Err(Errno::EINVAL) } else { Ok(None) };
        }
        let mut bytes = [0; api::VeventHeader::SIZE];
        header.write(&mut bytes);
        hardware.copy_out(va, &bytes)?;
        if let Some(data) = data {
            hardware.copy_out(va.wrapping_add(HEADER), data)?;
        }
        queue.drop_next();
        Ok(Some(length))
    }
}
