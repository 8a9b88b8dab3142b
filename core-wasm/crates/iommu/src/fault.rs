//! The fault log: what the IOMMU refused, most recent last.

use crate::OutOfMemory;
use alloc::collections::VecDeque;

/// Why a transfer was refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum FaultReason {
    /// No domain is attached to the requester (or to its PASID).
    Blocked = 1,
    /// Nothing is mapped at that IOVA.
    NotPresent = 2,
    /// Mapped, but not for reading.
    NoRead = 3,
    /// Mapped, but not for writing.
    NoWrite = 4,
    /// The IOVA is beyond what the page table can translate, or the transfer goes beyond 2^64.
    BeyondAperture = 5,
    /// The device's bus master bit is clear: the access never left the device. Reported by the device's side with [`crate::Iommu::refuse`].
    BusMasterOff = 6,
    /// The device's own end of the transfer is not machine memory: a mistake in a device model.
    BadBuffer = 7,
    /// A first-stage table has an entry with reserved bits set.
    BadTable = 8,
    /// The second stage does not let the IOMMU reach a first-stage table, or mark it as used.
    TableUnreachable = 9,
    /// The first stage leads to an address that the second does not map, or not for that access.
    SecondStage = 10,
    /// A device without an IOMMU writes to a page table. Hardware would let it, and the kernel would be lost.
    KernelMemory = 11,
    /// A page is not marked as used in a first-stage table, and the hardware is not told to mark it.
    NotAccessed = 12,
}

impl FaultReason {
    /// The reasons, in the order of their codes.
    pub const ALL: [FaultReason; 12] = [
        FaultReason::Blocked,
        FaultReason::NotPresent,
        FaultReason::NoRead,
        FaultReason::NoWrite,
        FaultReason::BeyondAperture,
        FaultReason::BusMasterOff,
        FaultReason::BadBuffer,
        FaultReason::BadTable,
        FaultReason::TableUnreachable,
        FaultReason::SecondStage,
        FaultReason::KernelMemory,
        FaultReason::NotAccessed,
    ];

    /// A number from 1 on, fixed for ever.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// A transfer that was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FaultRecord {
    /// Number of the fault since boot, from 0.
    pub sequence: u64,
    /// Index of the device.
    pub device: u32,
    /// Requester id that the transfer carried.
    pub requester: u32,
    /// PASID that the transfer carried.
    pub pasid: Option<u32>,
    /// Label of the device at that time.
    pub label: Option<u64>,
    /// First byte that was refused.
    pub iova: u64,
    /// Bytes from there to the end of the transfer; none of them moved.
    pub length: u64,
    /// Whether the device wanted to write.
    pub write: bool,
    /// Why.
    pub reason: FaultReason,
    /// The hardware's own number for that: VT-d's fault reason; AMD-Vi's event code and flags; SMMUv3's event number; RISC-V's cause. 0 if it was not the IOMMU that refused, or one without
    /// tables in RAM.
    pub code: u16,
    /// The hardware's record as its driver took it, of two words (VT-d, AMD-Vi) or four, with 0 behind; none if `code` is 0.
    pub raw: Option<[u64; 4]>,
}

/// The most recent faults. When it is full, the oldest makes room and counts as lost.
pub struct FaultLog {
    records: VecDeque<FaultRecord>,
    next_sequence: u64,
    lost: u64,
}

impl FaultLog {
    /// Most records kept.
    pub const CAPACITY: usize = 256;

    pub(crate) fn new() -> Result<FaultLog, OutOfMemory> {
        let mut records = VecDeque::new();
        records.try_reserve_exact(Self::CAPACITY)?;
        Ok(FaultLog { records, next_sequence: 0, lost: 0 })
    }

    /// Adds `record` with the next sequence number, whatever its own says.
    pub(crate) fn push(&mut self, record: FaultRecord) {
        if self.records.len() == Self::CAPACITY {
            self.records.pop_front();
            self.lost += 1;
        }
        self.records.push_back(FaultRecord { sequence: self.next_sequence, ..record });
        self.next_sequence += 1;
    }

    /// Records kept.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The record at `index`; 0 is the oldest kept.
    pub fn get(&self, index: usize) -> Option<&FaultRecord> {
        self.records.get(index)
    }

    /// The records kept, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &FaultRecord> {
        self.records.iter()
    }

    /// Records that made room for others before they were cleared.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Faults since boot: the sequence number of the next one.
    pub fn total(&self) -> u64 {
        self.next_sequence
    }

    /// Forgets the records kept. Sequence numbers and the lost count go on.
    pub fn clear(&mut self) {
        self.records.clear();
    }
}
