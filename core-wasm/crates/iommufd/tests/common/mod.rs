//! A machine to test on, and requests as a program makes them: structs in its own memory. Invariants are checked after every request.
#![allow(dead_code, reason = "each test file uses its part")]

mod calls;
pub mod faults;
pub mod interrupts;
pub mod mock;
pub mod program;
pub mod ranges;
mod requests;
pub mod starved;
pub mod world;

use failing_alloc::{FailingAlloc, failing_at};
use iommufd::{
    Config, DeviceConfig, FaultReason, GroupIoas, HOST_RELEASE, IommuConfig, IrqConfig, Kernel, Kind, Limits, Pa, PasidConfig, Ram,
    RegionConfig, ReservedKind, Rules, Usage,
};
use iova::Range;
pub use requests::Request;
pub use uapi::iommufd as api;
pub use uapi::{Errno, vfio};

/// Lets [`Machine::starving`] make any allocation fail.
#[global_allocator]
static HEAP: FailingAlloc = FailingAlloc;

pub const PAGE: u64 = 4096;
pub const LARGE: u64 = 2 << 20;
pub const READ: u32 = api::IOAS_MAP_READABLE;
pub const WRITE: u32 = api::IOAS_MAP_WRITEABLE;
pub const FIXED: u32 = api::IOAS_MAP_FIXED_IOVA;
pub const RW: u32 = READ | WRITE;
/// Where writes of devices are interrupts: reserved for every device.
pub const MSI: Range = Range { start: 0xfee0_0000, last: 0xfeef_ffff };

/// Where the kernel maps what translated interrupts are written to.
pub const SOFTWARE_MSI: Range = Range { start: 0x800_0000, last: 0x80f_ffff };

/// No object has this id.
pub const NO_ID: u32 = 999;

/// Devices of the machine, by number. Each is in a group of its own but where it says so.
pub const EDU: u32 = 0;
pub const NIC: u32 = 1;
/// Two functions of one group, each with its own requester id.
pub const FUNCTION_0: u32 = 2;
pub const FUNCTION_1: u32 = 3;
/// Two devices behind a bridge: one group, one requester id.
pub const BRIDGED_0: u32 = 4;
pub const BRIDGED_1: u32 = 5;
/// With a range of its own that nothing may be mapped at.
pub const PICKY: u32 = 6;
pub const DEVICES: u32 = 7;

/// Bytes of the BAR that each device has.
pub const BAR_LENGTH: u64 = 0x4000;

/// Where that is.
pub fn bar(device: u32) -> u64 {
    0xc000_0000 + u64::from(device) * 0x1_0000
}

/// What [`PICKY`] reserves.
pub const PICKY_RANGE: Range = Range { start: 0x10_0000, last: 0x1f_ffff };

/// Bits of a PASID of the devices that have them.
pub const PASID_BITS: u8 = 12;

/// Group and requester id of each device.
const TOPOLOGY: [(u32, u32); DEVICES as usize] = [(0, 0x10), (1, 0x18), (2, 0x20), (2, 0x21), (3, 0x28), (3, 0x28), (4, 0x30)];
const GROUPS: u32 = 5;

/// Largest struct with data that [`Machine::call`] places.
const ARGUMENT_BYTES: u64 = 0x1_0000;
/// Most bytes of one transfer of [`Machine::write`] and [`Machine::read`].
pub const STAGING: u64 = 0x1_0000;

#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub kind: Kind,
    pub levels: u8,
    /// PASIDs and nested page tables; [`EDU`] and [`FUNCTION_0`] have [`PASID_BITS`] then.
    pub scalable: bool,
    /// An SMMUv3 with both stages, which has guests.
    pub both_stages: bool,
    /// The IOMMU marks what devices write to.
    pub tracks_dirty: bool,
    /// The page tables are somewhere else.
    pub remote: bool,
    /// Interrupts are translated: [`SOFTWARE_MSI`] is reserved in place of [`MSI`].
    pub software_msi: bool,
    /// Unmapped ranges that wait for the translation caches to be told; 0: none waits.
    pub batch: u32,
    pub ram: usize,
    pub rules: Rules,
    pub limits: Limits,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            kind: Kind::VtdSs,
            levels: 4,
            scalable: false,
            both_stages: false,
            tracks_dirty: false,
            remote: false,
            software_msi: false,
            batch: 0,
            ram: 64 << 20,
            rules: Rules { single_open: false, group_ioas: GroupIoas::Linux },
            limits: Limits { memlock: None, open_files: 1024, sys_resource: true, sys_rawio: true },
        }
    }
}

impl Setup {
    /// What this project adds to Linux's rules.
    pub fn ours() -> Setup {
        Setup { rules: Rules { single_open: true, group_ioas: GroupIoas::Requester }, ..Setup::default() }
    }

    /// An IOMMU with PASIDs and nested page tables.
    pub fn scalable() -> Setup {
        Setup { scalable: true, ..Setup::default() }
    }

    /// An SMMUv3 with guests.
    pub fn guests() -> Setup {
        Setup { kind: Kind::ArmS1Granule4K, both_stages: true, software_msi: true, ..Setup::scalable() }
    }

    /// An IOMMU that marks what devices write to, with all else that it needs.
    pub fn tracking(kind: Kind) -> Setup {
        Setup {
            kind,
            levels: if kind == Kind::AmdMock { 3 } else { 4 },
            scalable: kind == Kind::VtdSs,
            tracks_dirty: true,
            ..Setup::default()
        }
    }

    pub fn memlock(bytes: u64) -> Setup {
        Setup { limits: Limits { memlock: Some(bytes), ..Setup::default().limits }, ..Setup::default() }
    }
}

pub struct Machine {
    pub kernel: Kernel,
    /// Where requests are.
    pub argument: u64,
    pub staging: Pa,
    /// Whether calls are short of frames of RAM too, see [`Machine::starving`]. That takes long.
    pub lacks_frames: bool,
    /// Whether EIO is an answer to a guest's mistakes; elsewhere it means a bug.
    pub has_guests: bool,
}

/// Where [`tagged`] maps its page.
pub const TAGGED: u64 = 0x10_0000;

/// An IOAS with a page at [`TAGGED`] that says who it is.
pub fn tagged(m: &mut Machine, iommu: u32, tag: &[u8]) -> u32 {
    let ioas = m.ioas(iommu);
    let va = m.memory(PAGE);
    m.kernel.poke(va, tag).unwrap();
    m.map_at(iommu, ioas, va, PAGE, TAGGED).unwrap();
    ioas
}

/// A device that is attached to an IOAS.
#[derive(Clone, Copy, Debug)]
pub struct Attached {
    pub iommu: u32,
    pub ioas: u32,
    pub device_fd: u32,
    pub device_id: u32,
    pub hwpt: u32,
}

impl Machine {
    pub fn new() -> Machine {
        Machine::with(Setup::default())
    }

    pub fn with(setup: Setup) -> Machine {
        let iommu = IommuConfig {
            remote: setup.remote,
            scalable: setup.scalable,
            both_stages: setup.both_stages,
            tracks_dirty: setup.tracks_dirty,
            ..IommuConfig::new(setup.kind, setup.levels)
        };
        let config = Config { iommu, rules: setup.rules, limits: setup.limits };
        let mut kernel = Kernel::new(config, Ram::with_bytes(setup.ram).unwrap()).unwrap();
        kernel.set_batch(setup.batch).unwrap();
        for group in 0..GROUPS {
            assert_eq!(kernel.add_group(), Ok(group));
        }
        for (device, (group, requester)) in (0..).zip(TOPOLOGY) {
            let bits = if [EDU, FUNCTION_0].contains(&device) { PASID_BITS } else { 0 };
            let pasids = PasidConfig { bits, execute: true, privileged: device == EDU };
            let config = DeviceConfig { pasids, logs_dma: device == PICKY, ..DeviceConfig::new(group, requester) };
            assert_eq!(kernel.add_device(config), Ok(device));
            let (range, kind) = if setup.software_msi { (SOFTWARE_MSI, ReservedKind::SoftwareMsi) } else { (MSI, ReservedKind::Msi) };
            kernel.add_reserved(device, range, kind).unwrap();
            let rw = vfio::REGION_INFO_FLAG_READ | vfio::REGION_INFO_FLAG_WRITE;
            kernel
                .add_region(device, vfio::PCI_BAR0_REGION_INDEX, RegionConfig { size: BAR_LENGTH, flags: rw, address: bar(device) })
                .unwrap();
            kernel.add_region(device, vfio::PCI_CONFIG_REGION_INDEX, RegionConfig { size: 4096, flags: rw, address: 0 }).unwrap();
            for (index, count) in [(vfio::PCI_INTX_IRQ_INDEX, 1), (vfio::PCI_MSI_IRQ_INDEX, 4), (vfio::PCI_MSIX_IRQ_INDEX, 8)] {
                kernel.add_irq(device, index, IrqConfig { count, flags: vfio::IRQ_INFO_NORESIZE }).unwrap();
            }
        }
        kernel.add_reserved(PICKY, PICKY_RANGE, ReservedKind::Reserved).unwrap();
        let argument = kernel.mmap(0, ARGUMENT_BYTES, 3, 0x22, -1, 0).unwrap();
        let staging = kernel.staging_alloc(STAGING).unwrap();
        Machine { kernel, argument, staging, lacks_frames: false, has_guests: setup.both_stages }
    }

    /// Makes a call once for each allocation of the heap that it takes, which fails: the call answers ENOMEM and has changed nothing. Then makes it
    /// with memory enough. So every request of every test has been short of memory in each way, and has succeeded after that.
    ///
    /// Where [`Machine::lacks_frames`] says so, all that with no frame of RAM left before, then with 1, 2, 4, … of them, as long as it answers ENOMEM.
    #[track_caller]
    pub fn starving<T>(&mut self, call: impl Fn(&mut Kernel) -> Result<T, Errno>) -> Result<T, Errno> {
        let mut left = 0_u64;
        while self.lacks_frames {
            let hoard = self.hoard(left);
            if hoard.is_empty() {
                break;
            }
            let before = self.kernel.usage();
            let result = self.starving_heap(&call);
            let is_short = matches!(result, Err(Errno::ENOMEM));
            if is_short {
                self.check();
                assert_eq!(self.kernel.usage(), before, "something is left of what had {left} frames");
            }
            for (frames, length) in hoard {
                self.kernel.staging_free(frames, length);
            }
            if !is_short {
                return result;
            }
            left = (left * 2).max(1);
        }
        self.starving_heap(call)
    }

    /// Takes all frames of RAM but some; none where there are no more than those.
    fn hoard(&mut self, left: u64) -> Vec<(Pa, u64)> {
        let spared: Vec<Pa> = (0..left).map_while(|_| self.kernel.staging_alloc(PAGE).ok()).collect();
        let mut hoard = Vec::new();
        if spared.len() as u64 == left {
            let mut length = 1 << 30;
            while length >= PAGE {
                match self.kernel.staging_alloc(length) {
                    Ok(frames) => hoard.push((frames, length)),
                    Err(_) => length /= 2,
                }
            }
        }
        for frame in spared {
            self.kernel.staging_free(frame, PAGE);
        }
        hoard
    }

    /// Makes a call once for each allocation of the heap that it takes, which fails, and then with memory enough.
    #[track_caller]
    fn starving_heap<T>(&mut self, call: impl Fn(&mut Kernel) -> Result<T, Errno>) -> Result<T, Errno> {
        for number in 0.. {
            let before = self.kernel.usage();
            let (result, has_failed) = failing_at(number, || call(&mut self.kernel));
            if !has_failed || !matches!(result, Err(Errno::ENOMEM)) {
                // A call may do without what it did not get; then it has to come to the same.
                return result;
            }
            self.check();
            assert_eq!(self.kernel.usage(), before, "something is left after allocation {number} failed");
        }
        unreachable!("a call makes only so many allocations")
    }

    /// Panics with what does not hold.
    #[track_caller]
    pub fn check(&self) {
        let violations: Vec<String> = self.kernel.check_invariants().iter().map(ToString::to_string).collect();
        assert!(violations.is_empty(), "{violations:#?}");
    }

    /// Gives everything back, and checks that nothing is left.
    #[track_caller]
    pub fn finish(mut self) {
        for fd in 0..self.kernel.usage().files as i32 + 64 {
            let _ = self.kernel.close(fd);
            self.check();
        }
        self.kernel.munmap(0x1_0000, 0x7fff_fffe_0000).unwrap();
        self.kernel.staging_free(self.staging, STAGING);
        self.check();
        assert_eq!(self.kernel.usage(), Usage::default());
    }

    /// The bytes of a request to its file, as they are. Returns the result and the bytes afterwards.
    #[track_caller]
    pub fn raw(&mut self, fd: u32, number: u32, bytes: &[u8]) -> (Result<u32, Errno>, Vec<u8>) {
        let argument = self.argument;
        let result = self.starving(|kernel| {
            kernel.poke(argument, bytes).unwrap();
            kernel.ioctl(fd as i32, number, argument)
        });
        self.check();
        let mut after = vec![0; bytes.len()];
        self.kernel.peek(self.argument, &mut after).unwrap();
        (result, after)
    }

    /// A request with its size filled in. Returns the struct with the answer.
    #[track_caller]
    pub fn call<R: Request>(&mut self, fd: u32, request: R) -> Result<R, Errno> {
        self.call_with(fd, request, &[])
    }

    /// As [`Self::call`], with data behind the struct.
    #[track_caller]
    pub fn call_with<R: Request>(&mut self, fd: u32, request: R, data: &[u8]) -> Result<R, Errno> {
        let mut bytes = request.bytes();
        bytes.extend(data);
        let size = bytes.len() as u32;
        bytes[..4].copy_from_slice(&size.to_le_bytes());
        let (result, after) = self.raw(fd, R::NUMBER, &bytes);
        assert!(result != Err(Errno::EIO) || self.has_guests, "an error that means a bug");
        result.map(|_| R::from(&after[..R::LENGTH]))
    }

    /// A request whose struct is at `argument`, wherever that is.
    #[track_caller]
    pub fn call_at(&mut self, fd: u32, number: u32, argument: u64) -> Result<u32, Errno> {
        let result = self.starving(|kernel| kernel.ioctl(fd as i32, number, argument));
        self.check();
        result
    }

    pub fn iommu(&mut self) -> u32 {
        self.kernel.open_iommufd().unwrap()
    }

    pub fn open(&mut self, device: u32) -> u32 {
        self.kernel.open_device(device).unwrap()
    }

    #[track_caller]
    pub fn close(&mut self, fd: u32) {
        self.kernel.close(fd as i32).unwrap();
        self.check();
    }

    /// Closes a device_fd and checks whether it was bound.
    #[track_caller]
    pub fn close_bound(&mut self, fd: u32, device: u32) {
        assert_eq!(self.kernel.close(fd as i32), Ok(HOST_RELEASE | device));
        self.check();
    }

    /// Memory of the process, zeroed.
    #[track_caller]
    pub fn memory(&mut self, length: u64) -> u64 {
        self.kernel.mmap(0, length, 3, 0x22, -1, 0).unwrap()
    }

    /// The end of a page that has nothing behind it.
    #[track_caller]
    pub fn edge(&mut self) -> u64 {
        let va = self.memory(2 * PAGE);
        self.kernel.munmap(va + PAGE, PAGE).unwrap();
        va + PAGE
    }

    /// A page of memory seen twice: where it can be written, and where it cannot.
    #[track_caller]
    pub fn read_only_view(&mut self) -> (u64, u64) {
        let file = self.kernel.memfd(PAGE).unwrap() as i32;
        let views = [3, 1].map(|prot| self.kernel.mmap(0, PAGE, prot, 1, file, 0).unwrap());
        self.close(file as u32);
        views.into()
    }

    /// Memory that cannot be written.
    #[track_caller]
    pub fn read_only_memory(&mut self, length: u64) -> u64 {
        self.kernel.mmap(0, length, 1, 0x22, -1, 0).unwrap()
    }

    /// Opens a device and binds it. Returns its fd and its object id.
    #[track_caller]
    pub fn bound(&mut self, device: u32, iommu: u32) -> (u32, u32) {
        let fd = self.open(device);
        let id = self.bind(fd, iommu).unwrap();
        (fd, id)
    }

    /// A device attached to a new IOAS of a new iommufd.
    #[track_caller]
    pub fn attached(&mut self, device: u32) -> Attached {
        let iommu = self.iommu();
        let ioas = self.ioas(iommu);
        let (device_fd, device_id) = self.bound(device, iommu);
        let hwpt = self.attach(device_fd, ioas).unwrap();
        Attached { iommu, ioas, device_fd, device_id, hwpt }
    }

    /// A device writes bytes at an IOVA.
    pub fn write(&mut self, device: u32, iova: u64, bytes: &[u8]) -> Result<(), FaultReason> {
        self.kernel.ram_mut().bytes_mut(self.staging, bytes.len()).copy_from_slice(bytes);
        self.kernel.dma_write(device, None, iova, self.staging, bytes.len() as u64).map(|peer| assert_eq!(peer, None))
    }

    /// A device reads bytes at an IOVA.
    pub fn read(&mut self, device: u32, iova: u64, length: usize) -> Result<Vec<u8>, FaultReason> {
        assert_eq!(self.kernel.dma_read(device, None, iova, self.staging, length as u64)?, None);
        Ok(self.kernel.ram().bytes(self.staging, length).to_vec())
    }

    /// A device reads bytes at an IOVA with a PASID.
    pub fn read_with(&mut self, device: u32, pasid: u32, iova: u64, length: usize) -> Result<Vec<u8>, FaultReason> {
        self.kernel.dma_read(device, Some(pasid), iova, self.staging, length as u64)?;
        Ok(self.kernel.ram().bytes(self.staging, length).to_vec())
    }

    /// A device writes bytes at an IOVA with a PASID.
    pub fn write_with(&mut self, device: u32, pasid: u32, iova: u64, bytes: &[u8]) -> Result<(), FaultReason> {
        self.kernel.ram_mut().bytes_mut(self.staging, bytes.len()).copy_from_slice(bytes);
        self.kernel.dma_write(device, Some(pasid), iova, self.staging, bytes.len() as u64).map(|peer| assert_eq!(peer, None))
    }

    /// What the process has in its memory.
    #[track_caller]
    pub fn peek(&self, va: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.kernel.peek(va, &mut bytes).unwrap();
        bytes
    }

    /// Bytes that are charged, and pages that are pinned.
    pub fn charged(&self) -> (u64, u64) {
        let usage = self.kernel.usage();
        (usage.locked_bytes, usage.pinned_pages)
    }

    /// The pages mapped in all page tables, as (lg2 of their size, how many).
    pub fn pages(&self) -> Vec<(usize, u64)> {
        self.kernel.iommu_statistics().pages.iter().copied().enumerate().filter(|&(_, count)| count != 0).collect()
    }
}
