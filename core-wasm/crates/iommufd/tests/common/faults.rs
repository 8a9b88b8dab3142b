//! Fault queues, with requests as arguments.

use super::*;
use uapi::selftest::{TEST_CMD, TEST_OP_TRIGGER_IOPF, TestTriggerIopf};

/// A fault as it is read, without what is always the same: device, group, address, cookie.
pub type Seen = (u32, u32, u64, u32);

impl Machine {
    /// FAULT_QUEUE_ALLOC. Returns the object's id and the file.
    #[track_caller]
    pub fn fault_queue(&mut self, iommu: u32) -> (u32, u32) {
        let answer = self.call(iommu, api::FaultAlloc::default()).unwrap();
        (answer.out_fault_id, answer.out_fault_fd)
    }

    /// A page table that reports to a queue.
    #[track_caller]
    pub fn faulting(&mut self, iommu: u32, dev_id: u32, pt_id: u32, fault_id: u32) -> Result<u32, Errno> {
        let request = api::HwptAlloc { flags: api::HWPT_FAULT_ID_VALID, dev_id, pt_id, fault_id, ..Default::default() };
        self.call(iommu, request).map(|answer| answer.out_hwpt_id)
    }

    /// A mock device asks for a page, to write it.
    #[track_caller]
    pub fn trigger(&mut self, iommu: u32, dev_id: u32, grpid: u32, addr: u64) {
        self.trigger_with(iommu, TestTriggerIopf { dev_id, grpid, perm: api::PGFAULT_PERM_WRITE, addr, ..Default::default() });
    }

    /// As [`Self::trigger`], for any request. Not by [`Machine::call`]: where memory is short the request succeeds, and the device is answered.
    #[track_caller]
    pub fn trigger_with(&mut self, iommu: u32, request: TestTriggerIopf) {
        let request = TestTriggerIopf { size: TestTriggerIopf::SIZE as u32, op: TEST_OP_TRIGGER_IOPF, ..request };
        self.kernel.poke(self.argument, &request.bytes()).unwrap();
        self.kernel.ioctl(iommu as i32, TEST_CMD, self.argument).unwrap();
        self.check();
    }

    /// Reads as many records from a file as fit into so many bytes.
    #[track_caller]
    pub fn read_bytes(&mut self, fd: u32, length: u64) -> Result<Vec<u8>, Errno> {
        let va = self.memory(PAGE);
        let result = self.kernel.read(fd as i32, va, length);
        self.check();
        let count = result?;
        Ok(self.peek(va, count as usize))
    }

    /// Reads up to so many faults.
    #[track_caller]
    pub fn faults(&mut self, fd: u32, count: u64) -> Result<Vec<Seen>, Errno> {
        let bytes = self.read_bytes(fd, count * api::HwptPgfault::SIZE as u64)?;
        let records = bytes.chunks_exact(api::HwptPgfault::SIZE).map(|record| api::HwptPgfault::read(record.try_into().unwrap()));
        Ok(records.map(|fault| (fault.dev_id, fault.grpid, fault.addr, fault.cookie)).collect())
    }

    /// Answers groups by cookie and code. Returns how many were taken.
    #[track_caller]
    pub fn answer(&mut self, fd: u32, answers: &[(u32, u32)]) -> Result<u64, Errno> {
        let bytes: Vec<u8> = answers.iter().flat_map(|(cookie, code)| [cookie.to_le_bytes(), code.to_le_bytes()].concat()).collect();
        let va = self.memory(PAGE);
        self.kernel.poke(va, &bytes).unwrap();
        let result = self.kernel.write(fd as i32, va, bytes.len() as u64);
        self.check();
        result.map(|length| length / api::HwptPageResponse::SIZE as u64)
    }
}
