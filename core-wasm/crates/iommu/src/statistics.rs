//! Counters, for inspection. Nothing in the machine depends on them.

/// How RAM is used at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RamStatistics {
    /// Size, in bytes.
    pub total: u64,
    /// Bytes that are free; tables kept for later not among them.
    pub free: u64,
    /// Bytes in use for anything but tables.
    pub used: u64,
    /// Frames that hold page tables.
    pub tables: u64,
    /// Frames that are kept, zeroed, for further tables.
    pub cached_tables: u64,
}

/// What one device did, since boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DeviceStatistics {
    /// Transfers from memory to the device that were started.
    pub reads: u64,
    /// Transfers from the device to memory that were started.
    pub writes: u64,
    /// Bytes moved in either direction.
    pub bytes: u64,
    /// Look-ups that the IOTLB answered.
    pub tlb_hits: u64,
    /// Look-ups that needed a walk.
    pub tlb_misses: u64,
    /// Table entries read by these walks.
    pub walk_reads: u64,
    /// Transfers refused.
    pub faults: u64,
    /// Walks that began at a cached table instead of the top.
    pub structure_hits: u64,
    /// Translations that its misses drove out of the IOTLB.
    pub evictions: u64,
    /// Translations found for it that the IOTLB had to forget, because what they were read from changed.
    pub dropped: u64,
    /// Look-ups that the IOTLB answered by what was not mapped any more, which is possible where invalidation is lazy. They are hits as well.
    pub stale_hits: u64,
}

impl DeviceStatistics {
    /// Adds one transfer, whose look-ups and bytes are in `counts`.
    pub(crate) fn add(&mut self, counts: &DeviceStatistics, write: bool) {
        self.reads += u64::from(!write);
        self.writes += u64::from(write);
        self.bytes += counts.bytes;
        self.tlb_hits += counts.tlb_hits;
        self.stale_hits += counts.stale_hits;
        if counts.tlb_misses != 0 {
            self.tlb_misses += counts.tlb_misses;
            self.walk_reads += counts.walk_reads;
            self.structure_hits += counts.structure_hits;
            self.evictions += counts.evictions;
        }
    }
}

/// What the IOMMU did since boot, and what it holds now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IommuStatistics {
    /// Calls of `map` that succeeded.
    pub maps: u64,
    /// Calls of `unmap` on a domain that exists.
    pub unmaps: u64,
    /// Invalidations of the IOTLB: ranges and whole domains.
    pub invalidations: u64,
    /// Domains that exist now.
    pub domains: u64,
    /// Page tables in use now, of all domains.
    pub tables: u64,
    /// Frames of RAM that the hardware's own tables and queues have.
    pub hardware_frames: u64,
    /// Pages mapped now in all domains, by lg2 of their size in bytes.
    pub pages: [u64; 64],
}
