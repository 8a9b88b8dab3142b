//! Boot, and the system calls of the simulated process.

use crate::answer::{address, negative, nothing, number};
use crate::memory;
use core::cell::RefCell;
use core::mem::ManuallyDrop;
use iommufd::{Config, GUESTS, GroupIoas, IommuConfig, Kernel, Kind, Limits, Notice, Pa, Peer, Ram, Rules};
use wasm_bindgen::prelude::wasm_bindgen;

/// What `boot` takes for the kind of IOMMU, by its format of page tables: the index here.
const KINDS: [Kind; 9] = [
    Kind::VtdSs,
    Kind::VtdFs,
    Kind::AmdV1,
    Kind::AmdV2,
    Kind::ArmS1Granule4K,
    Kind::ArmS2Granule4K,
    Kind::ArmS1Granule4K,
    Kind::RiscV,
    Kind::AmdMock,
];
/// The number of an SMMUv3 of both stages.
const BOTH_STAGES: u32 = 6;
/// Pages that Linux maps by an SMMUv3: none of its contiguous leaves.
const SMMUV3_PAGES: u64 = 1 << 12 | 1 << 21 | 1 << 30;

/// `boot`: an open device cannot be opened again.
const SINGLE_OPEN: u32 = 1;
/// `boot`: devices of a group that have requester ids of their own may use different page tables.
const GROUP_BY_REQUESTER: u32 = 2;
/// `boot`: the process may choose whom pinned memory is charged to.
const SYS_RESOURCE: u32 = 4;
/// `boot`: the page tables are those of a kernel below, which pins and maps.
const REMOTE: u32 = 8;
/// `boot`: devices may use PASIDs and nested page tables.
const SCALABLE: u32 = 16;
/// `boot`: the IOMMU marks pages that devices write to.
const TRACKS_DIRTY: u32 = 32;
/// `boot`: the process may have hardware do as it likes, without an IOMMU between.
const SYS_RAWIO: u32 = 64;
/// `boot`: no pages of 64 KiB, which RISC-V alone has as an extension.
const NO_NAPOT: u32 = 128;
const NAPOT_PAGES: u64 = 1 << 16;

thread_local! {
    /// An instance has one machine. An object of wasm-bindgen's would be counted and borrowed anew by each call.
    static CORE: RefCell<Option<Core>> = const { RefCell::new(None) };
}

/// The core of one machine.
pub(crate) struct Core {
    /// Never dropped: it ends with its instance, whose memory goes as a whole. What takes it apart would be 3 % of the code.
    pub(crate) kernel: ManuallyDrop<Kernel>,
    /// Offset of RAM in the linear memory.
    ram_start: usize,
    /// The notice that was taken last.
    pub(crate) notice: Option<Notice>,
    /// Where a transfer came to another device last.
    pub(crate) peer: Option<Peer>,
}

/// Lays out the memory and starts the kernel: once in an instance.
///
/// `kind`: VT-d with second-stage tables 0, with first-stage ones 1, AMD-Vi 2, with v2 page tables 3, SMMUv3 4, of stage 2
/// alone 5, of both stages 6, RISC-V 7, mock 8. `flags`: single open 1,
/// groups by requester 2, CAP_SYS_RESOURCE 4, remote 8, scalable 16, dirty tracking 32, CAP_SYS_RAWIO 64, no pages of 64 KiB 128. `memlock` is in bytes;
/// infinite: no limit. Returns false if memory is short, or there is no such kind, 6 of the full core alone: then the
/// instance is of no use, and its other functions trap.
#[wasm_bindgen]
pub fn boot(heap_bytes: u32, ram_bytes: u32, kind: u32, flags: u32, levels: u8, memlock: f64, open_files: u32) -> bool {
    let core = start(heap_bytes, ram_bytes, kind, flags, levels, memlock, open_files);
    let started = core.is_some();
    CORE.set(core);
    started
}

fn start(heap_bytes: u32, ram_bytes: u32, kind: u32, flags: u32, levels: u8, memlock: f64, open_files: u32) -> Option<Core> {
    let memory::Layout { ram_start, ram } = memory::reserve(heap_bytes as usize, ram_bytes as usize)?;
    let both_stages = kind == BOTH_STAGES;
    if both_stages && !GUESTS {
        return None;
    }
    let kind = *KINDS.get(kind as usize)?;
    let group_ioas = if flags & GROUP_BY_REQUESTER != 0 { GroupIoas::Requester } else { GroupIoas::Linux };
    let config = Config {
        iommu: IommuConfig {
            remote: flags & REMOTE != 0,
            scalable: flags & SCALABLE != 0,
            both_stages,
            tracks_dirty: flags & TRACKS_DIRTY != 0,
            page_sizes: match flags & NO_NAPOT {
                0 if kind.is_arm() => SMMUV3_PAGES,
                0 => u64::MAX,
                _ => !NAPOT_PAGES,
            },
            ..IommuConfig::new(kind, levels)
        },
        rules: Rules { single_open: flags & SINGLE_OPEN != 0, group_ioas },
        limits: Limits {
            memlock: memlock.is_finite().then_some(memlock as u64),
            open_files,
            sys_resource: flags & SYS_RESOURCE != 0,
            sys_rawio: flags & SYS_RAWIO != 0,
        },
    };
    let kernel = Kernel::new(config, Ram::new(ram).ok()?).map(ManuallyDrop::new).ok()?;
    Some(Core { kernel, ram_start, notice: None, peer: None })
}

/// Has the core do something; all exports but [`boot`] do.
#[inline]
pub(crate) fn with<R>(ask: impl FnOnce(&mut Core) -> R) -> R {
    CORE.with_borrow_mut(|core| ask(core.as_mut().expect("boot comes first")))
}

impl Core {
    /// The offset in the linear memory of an address in RAM.
    pub(crate) fn offset_of(&self, at: Pa) -> f64 {
        (self.ram_start as u64 + (at.0 - Ram::BASE)) as f64
    }

    /// The address in RAM of an offset in the linear memory. Below RAM the address is none of RAM's either.
    #[inline]
    pub(crate) fn pa_of(&self, offset: u32) -> Pa {
        Pa((Ram::BASE + u64::from(offset)) - self.ram_start as u64)
    }
}

/// Opens `/dev/iommu`. Returns the fd or −errno.
#[wasm_bindgen]
pub fn open_iommufd() -> i32 {
    with(|core| number(core.kernel.open_iommufd()))
}

/// Opens a device's node. Returns the fd or −errno.
#[wasm_bindgen]
pub fn open_device(device: u32) -> i32 {
    with(|core| number(core.kernel.open_device(device)))
}

/// Closes an fd. Returns 0, a bit with the device that the host resets, or −errno.
#[wasm_bindgen]
pub fn close(fd: i32) -> i32 {
    with(|core| number(core.kernel.close(fd)))
}

/// One request to a file. Returns 0 or more, a bit with the device that the host resets, or −errno.
#[wasm_bindgen]
pub fn ioctl(fd: i32, request: u32, argument: u64) -> i32 {
    with(|core| number(core.kernel.ioctl(fd, request, argument)))
}

/// Reads at most `length` bytes to the process's memory. Returns their number or −errno.
#[wasm_bindgen]
pub fn read(fd: i32, va: u64, length: u32) -> i32 {
    with(|core| number(core.kernel.read(fd, va, u64::from(length)).map(|count| count as u32)))
}

/// Writes `length` bytes of the process's memory. Returns their number or −errno.
#[wasm_bindgen]
pub fn write(fd: i32, va: u64, length: u32) -> i32 {
    with(|core| number(core.kernel.write(fd, va, u64::from(length)).map(|count| count as u32)))
}

/// Whether a read would find something: 1 or 0, or −errno.
#[wasm_bindgen]
pub fn poll(fd: i32) -> i32 {
    with(|core| number(core.kernel.poll(fd)))
}

/// The device behind a bound device_fd, or −errno.
#[wasm_bindgen]
pub fn device_of(fd: i32) -> i32 {
    with(|core| number(core.kernel.device_of(fd)))
}

/// Maps memory of the process. Returns its address or −errno.
#[wasm_bindgen]
pub fn mmap(at: u64, length: u32, prot: u32, flags: u32, fd: i32, offset: f64) -> i64 {
    with(|core| address(core.kernel.mmap(at, u64::from(length), prot, flags, fd, offset as u64)))
}

/// Unmaps memory of the process. Returns 0 or −errno.
#[wasm_bindgen]
pub fn munmap(at: u64, length: u32) -> i32 {
    with(|core| nothing(core.kernel.munmap(at, u64::from(length))))
}

/// The offset in the linear memory of memory of the process, or −errno where it is not one mapped piece.
#[wasm_bindgen]
pub fn view(at: u64, length: u32) -> f64 {
    with(|core| match core.kernel.view(at, u64::from(length)) {
        Ok(found) => core.offset_of(found),
        Err(error) => f64::from(negative(error)),
    })
}

/// Makes an eventfd. Returns the fd or −errno.
#[wasm_bindgen]
pub fn eventfd(initial: u32, flags: u32) -> i32 {
    with(|core| number(core.kernel.eventfd(initial, flags)))
}

/// Makes an anonymous file. Returns the fd or −errno.
#[wasm_bindgen]
pub fn memfd(length: u32) -> i32 {
    with(|core| number(core.kernel.memfd(u64::from(length))))
}
