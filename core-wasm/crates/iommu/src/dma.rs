//! DMA: a transfer of a device, through the IOMMU, to or from memory.

use crate::domain::DomainId;
use crate::fault::{FaultReason, FaultRecord};
use crate::iommu::{Iommu, NO_PASID};
use crate::iotlb::Hit;
use crate::ram::Ram;
use crate::statistics::DeviceStatistics;
use pgtable::{Pa, Prot, Run};

/// Who starts a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Source {
    /// Index of the device, for statistics, label and fault records.
    pub device: u32,
    /// Requester id that the transfer carries; it decides about the domain.
    pub requester: u32,
    /// PASID that the transfer carries; each has a domain of its own. None is as [`NO_PASID`].
    pub pasid: Option<u32>,
}

/// Memory of another device that a transfer has come to: a piece of a BAR. The host moves it, and what lies behind it is a transfer of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Bytes before it, which have moved.
    pub done: u64,
    /// Where it is, and how many bytes it is at most: up to the end of a page or of the transfer.
    pub run: Run,
}

/// A refusal in the middle of a transfer: where, and why.
struct Refused {
    iova: u64,
    reason: FaultReason,
}

/// Which way the bytes go, from the device's point of view.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

impl Direction {
    #[inline(always)]
    pub(crate) fn prot(self) -> Prot {
        match self {
            Direction::Read => Prot::READ,
            Direction::Write => Prot::WRITE,
        }
    }

    /// Why a transfer is refused that has no such permission.
    fn denied(self) -> FaultReason {
        match self {
            Direction::Read => FaultReason::NoRead,
            Direction::Write => FaultReason::NoWrite,
        }
    }
}

impl Iommu {
    /// The device reads `length` bytes of memory from `iova` on, into its buffer at `to`, which is RAM as well.
    ///
    /// The transfer goes page by page and stops at the first page that refuses: what lies before it has moved, nothing from there on has;
    /// the refusal is in the fault log. No bytes at all need no translation. It stops as well at what is not RAM, and returns that.
    #[inline]
    pub fn dma_read(&mut self, ram: &mut Ram, source: &Source, iova: u64, to: Pa, length: u64) -> Result<Option<Peer>, FaultReason> {
        self.transfer(ram, source, iova, Run { pa: to, length }, Direction::Read)
    }

    /// The device writes the `length` bytes of its buffer at `from` to memory, from `iova` on. Otherwise as [`Iommu::dma_read`].
    #[inline]
    pub fn dma_write(&mut self, ram: &mut Ram, source: &Source, iova: u64, from: Pa, length: u64) -> Result<Option<Peer>, FaultReason> {
        self.transfer(ram, source, iova, Run { pa: from, length }, Direction::Write)
    }

    /// Where a write of `length` bytes goes that is no transfer to memory but a message, an interrupt. It is looked up and counted as a transfer; the
    /// refusal is in the fault log.
    pub fn message(&mut self, ram: &mut Ram, source: &Source, iova: u64, length: u64) -> Result<Pa, FaultReason> {
        let mut counts = DeviceStatistics::default();
        let found = self.look_up_page(ram, source, iova, Direction::Write, &mut counts);
        self.count(source, &counts, true);
        found.map(|run| run.pa).map_err(|reason| self.fault(ram, source, iova, length, true, reason))
    }

    /// Notes a transfer that was refused before it reached the IOMMU, because of [`FaultReason::BusMasterOff`], and returns the reason.
    pub fn refuse(&mut self, source: &Source, iova: u64, length: u64, write: bool, reason: FaultReason) -> FaultReason {
        let record = self.count_fault(source, iova, length, write, reason);
        self.faults.push(record);
        reason
    }

    /// Notes a transfer that the IOMMU refuses, or for [`FaultReason::BadBuffer`] the device's side, and returns the reason.
    #[cold]
    fn fault(&mut self, ram: &mut Ram, source: &Source, iova: u64, length: u64, write: bool, reason: FaultReason) -> FaultReason {
        let record = self.count_fault(source, iova, length, write, reason);
        let record = if reason == FaultReason::BadBuffer { record } else { self.report(ram, record) };
        self.faults.push(record);
        reason
    }

    fn count_fault(&mut self, source: &Source, iova: u64, length: u64, write: bool, reason: FaultReason) -> FaultRecord {
        let label = self.devices.get_mut(source.device as usize).and_then(|device| {
            device.statistics.faults += 1;
            device.label
        });
        let Source { device, requester, pasid } = *source;
        FaultRecord { sequence: 0, device, requester, pasid, label, iova, length, write, reason, code: 0, raw: None }
    }

    /// A device without an IOMMU reads `length` bytes of RAM, from `at` on, into its buffer at `to`. Nothing is in between: `at` is the address in RAM.
    ///
    /// It stops where RAM ends ([`FaultReason::NotPresent`]); what lies before has moved.
    pub fn physical_read(&mut self, ram: &mut Ram, source: &Source, at: u64, to: Pa, length: u64) -> Result<Option<Peer>, FaultReason> {
        let open = ram.length().saturating_sub(at.wrapping_sub(Ram::BASE)).min(length);
        self.pass(ram, source, at, Run { pa: to, length }, open, Direction::Read)
    }

    /// A device without an IOMMU writes the `length` bytes of its buffer at `from` to RAM, from `at` on, whatever is there.
    ///
    /// It stops where RAM ends ([`FaultReason::NotPresent`]), and where a page table begins ([`FaultReason::KernelMemory`]); what lies before has moved.
    pub fn physical_write(&mut self, ram: &mut Ram, source: &Source, at: u64, from: Pa, length: u64) -> Result<Option<Peer>, FaultReason> {
        let open = ram.exposed(Pa(at), length);
        ram.soil(Pa(at), open);
        self.pass(ram, source, at, Run { pa: from, length }, open, Direction::Write)
    }

    /// A device without an IOMMU comes to what is not RAM, but another device's. It is counted as a transfer.
    pub fn physical_peer(&mut self, source: &Source, at: u64, length: u64, write: bool) -> Peer {
        self.count(source, &DeviceStatistics { bytes: length, ..DeviceStatistics::default() }, write);
        Peer { done: 0, run: Run { pa: Pa(at), length } }
    }

    /// Moves the first `open` bytes between RAM at `at` and a buffer, and refuses the rest.
    fn pass(
        &mut self,
        ram: &mut Ram,
        source: &Source,
        at: u64,
        buffer: Run,
        open: u64,
        direction: Direction,
    ) -> Result<Option<Peer>, FaultReason> {
        let write = direction == Direction::Write;
        if !ram.contains(buffer.pa, buffer.length) {
            return Err(self.refuse(source, at, buffer.length, write, FaultReason::BadBuffer));
        }
        Pending { buffer: buffer.pa, run: Run { pa: Pa(at), length: open }, direction }.copy(ram);
        self.count(source, &DeviceStatistics { bytes: open, ..DeviceStatistics::default() }, write);
        if open == buffer.length {
            return Ok(None);
        }
        let end = at.wrapping_add(open);
        let reason = if ram.contains(Pa(end), 1) { FaultReason::KernelMemory } else { FaultReason::NotPresent };
        Err(self.refuse(source, end, buffer.length - open, write, reason))
    }

    /// Counts one transfer of a device, whose look-ups and bytes are in `counts`.
    #[inline]
    fn count(&mut self, source: &Source, counts: &DeviceStatistics, write: bool) {
        if let Some(device) = self.devices.get_mut(source.device as usize) {
            device.statistics.add(counts, write);
        }
    }

    #[inline]
    fn transfer(
        &mut self,
        ram: &mut Ram,
        source: &Source,
        iova: u64,
        buffer: Run,
        direction: Direction,
    ) -> Result<Option<Peer>, FaultReason> {
        match self.transfer_in_page(ram, source, iova, buffer, direction) {
            Some(()) => Ok(None),
            None => self.transfer_any(ram, source, iova, buffer, direction),
        }
    }

    #[inline(never)]
    fn transfer_any(
        &mut self,
        ram: &mut Ram,
        source: &Source,
        iova: u64,
        buffer: Run,
        direction: Direction,
    ) -> Result<Option<Peer>, FaultReason> {
        let mut counts = DeviceStatistics::default();
        let result = self.move_pages(ram, source, iova, buffer, direction, &mut counts);
        self.count(source, &counts, direction == Direction::Write);
        result.map_err(|at| {
            let rest = buffer.length - (at.iova - iova);
            self.fault(ram, source, at.iova, rest, direction == Direction::Write, at.reason)
        })
    }

    /// Moves the bytes. Pages that follow each other in memory are copied at once.
    fn move_pages(
        &mut self,
        ram: &mut Ram,
        source: &Source,
        iova: u64,
        buffer: Run,
        direction: Direction,
        counts: &mut DeviceStatistics,
    ) -> Result<Option<Peer>, Refused> {
        let refused = |reason| Refused { iova, reason };
        if !ram.contains(buffer.pa, buffer.length) {
            return Err(refused(FaultReason::BadBuffer));
        }
        let Some(offset_last) = buffer.length.checked_sub(1) else { return Ok(None) };
        let domain = self.domain_of(ram, source).map_err(refused)?;
        if iova.checked_add(offset_last).is_none() {
            return Err(refused(FaultReason::BeyondAperture));
        }
        let mut pending = Pending { buffer: buffer.pa, run: Run { pa: Pa(0), length: 0 }, direction };
        let mut done = 0;
        while done < buffer.length {
            done += self.move_cached(ram, domain, iova + done, buffer.length - done, &mut pending, counts);
            if done == buffer.length {
                break;
            }
            match self.look_up(ram, domain, source.device, iova + done, direction, counts) {
                Ok(page) => {
                    let length = page.length.min(buffer.length - done);
                    if !ram.contains(page.pa, length) {
                        pending.copy(ram);
                        counts.bytes += done + length;
                        return Ok(Some(Peer { done, run: Run { pa: page.pa, length } }));
                    }
                    pending = pending.with(ram, Run { pa: page.pa, length });
                    done += length;
                }
                Err(reason) => {
                    pending.copy(ram);
                    counts.bytes += done;
                    return Err(Refused { iova: iova + done, reason });
                }
            }
        }
        pending.copy(ram);
        counts.bytes += done;
        Ok(None)
    }

    /// Moves bytes of pages in RAM, as far as the IOTLB answers that the transfer may use them. Returns how many: [`Self::look_up`] knows about the next.
    #[inline(always)]
    fn move_cached(
        &mut self,
        ram: &mut Ram,
        id: DomainId,
        iova: u64,
        length: u64,
        pending: &mut Pending,
        counts: &mut DeviceStatistics,
    ) -> u64 {
        let Some(domain) = self.domains.get(id) else { return 0 };
        let (wanted, extent) = (pending.direction.prot(), ram.extent());
        let (mut done, mut hits, mut collected) = (0, 0, *pending);
        self.iotlb.get_each(&domain.space, iova, iova + (length - 1), |hit| {
            let page = hit.rest_of_page(iova + done);
            let run = Run { pa: page.pa, length: page.length.min(length - done) };
            let may = hit.prot.contains(wanted) && extent.contains(run.pa, run.length);
            if may {
                hits += 1;
                collected = collected.with(ram, run);
                done += run.length;
            }
            may
        });
        counts.tlb_hits += hits;
        *pending = collected;
        done
    }

    /// Whether a transfer may use `iova`, as a device asks that has address translation services. Nothing is counted or logged. It is looked up as for
    /// the transfer itself: what is cached answers, and the entries on the way are marked.
    pub fn probe(&mut self, ram: &mut Ram, source: &Source, iova: u64, write: bool) -> Result<(), FaultReason> {
        let direction = if write { Direction::Write } else { Direction::Read };
        self.look_up_page(ram, source, iova, direction, &mut DeviceStatistics::default()).map(drop)
    }

    /// As [`Self::look_up`] for one page, of what is no transfer.
    #[inline(never)]
    fn look_up_page(
        &mut self,
        ram: &mut Ram,
        source: &Source,
        iova: u64,
        direction: Direction,
        counts: &mut DeviceStatistics,
    ) -> Result<Run, FaultReason> {
        let domain = self.domain_of(ram, source)?;
        self.look_up(ram, domain, source.device, iova, direction, counts)
    }

    /// The domain that decides about transfers of `source`.
    #[inline]
    fn domain_of(&mut self, ram: &Ram, source: &Source) -> Result<DomainId, FaultReason> {
        self.resolve(ram, source.requester, source.pasid.unwrap_or(NO_PASID))
    }

    /// The memory behind `iova` up to the end of its page, if the transfer may use it.
    #[inline]
    fn look_up(
        &mut self,
        ram: &mut Ram,
        id: DomainId,
        device: u32,
        iova: u64,
        direction: Direction,
        counts: &mut DeviceStatistics,
    ) -> Result<Run, FaultReason> {
        let Some(domain) = self.domains.get_mut(id) else {
            let hit = self.look_up_nested(ram, id, device, iova, direction.prot(), counts)?;
            return Ok(hit.rest_of_page(iova));
        };
        let wanted = direction.prot();
        let hit = match self.iotlb.get(&domain.space, iova) {
            // Where the domain keeps marks a translation that does not allow it may be one of a page that is not marked yet.
            Some(hit) if !domain.marks || hit.prot.contains(wanted) || hit.stale.contains(wanted) => {
                counts.tlb_hits += 1;
                hit
            }
            _ => {
                counts.tlb_misses += 1;
                let found = if self.iotlb.has_structures() {
                    let mut was_cached = false;
                    let found = domain.translate_cached(ram, &mut self.iotlb, iova, &mut was_cached);
                    counts.structure_hits += u64::from(was_cached);
                    found?
                } else {
                    domain.translate(ram, iova)?
                };
                counts.walk_reads += u64::from(found.reads);
                let found = domain.marked(ram, iova, wanted, found);
                counts.evictions += u64::from(self.iotlb.fill(&mut domain.space, device, iova, &found));
                Hit::from(found)
            }
        };
        if !hit.prot.contains(wanted) {
            let is_stale = hit.stale.contains(wanted);
            return if is_stale { Iommu::use_stale(ram, hit, iova, wanted, counts) } else { Err(direction.denied()) };
        }
        Ok(hit.rest_of_page(iova))
    }
}

/// Memory that a transfer may use and that is not copied yet, with the place in the device's buffer that belongs to it.
#[derive(Clone, Copy)]
struct Pending {
    buffer: Pa,
    run: Run,
    direction: Direction,
}

impl Pending {
    /// With what comes next in the buffer.
    #[inline(always)]
    fn with(self, ram: &mut Ram, run: Run) -> Pending {
        if self.run.pa.0 + self.run.length == run.pa.0 {
            return Pending { run: Run { pa: self.run.pa, length: self.run.length + run.length }, ..self };
        }
        self.copy(ram);
        Pending { buffer: Pa(self.buffer.0 + self.run.length), run, ..self }
    }

    #[inline(never)]
    fn copy(self, ram: &mut Ram) {
        let Pending { buffer, run: Run { pa, length }, direction } = self;
        match direction {
            // Nothing yet, and then `pa` is nowhere.
            _ if length == 0 => {}
            Direction::Read => ram.copy(pa, buffer, length as usize),
            Direction::Write => ram.copy(buffer, pa, length as usize),
        }
    }
}
