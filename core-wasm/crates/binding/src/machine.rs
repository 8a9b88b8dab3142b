//! What the host says of its machine at boot, and the device side: transfers, buffers, interrupts.

use crate::answer::{negative, nothing, number};
use crate::core::{Core, with};
use iommufd::{
    Answered, DeviceConfig, FaultReason, IotlbConfig, IrqConfig, Moved, PageRequest, PasidConfig, RegionConfig, Replacement, ReservedKind,
    ResetFunction,
};
use iova::Range;
use uapi::Errno;
use wasm_bindgen::prelude::wasm_bindgen;

/// `add_device`: the group may be given to programs.
const VIABLE: u32 = 1;
/// `add_device`: the device can be reset.
const RESET: u32 = 2;
/// `add_device`: transfers are coherent with caches.
const COHERENT: u32 = 4;
/// `add_device`: requests with a PASID may be for execution.
const PASID_EXECUTE: u32 = 8;
/// `add_device`: requests with a PASID may be privileged.
const PASID_PRIVILEGED: u32 = 16;
/// `add_device`: where the bits of a PASID are in the flags.
const PASID_BITS_SHIFT: u32 = 8;
/// `add_device`: the device asks for pages that are missing.
const PAGE_REQUESTS: u32 = 32;

/// `add_device`: the device has no IOMMU, its model reaches memory through an access.
const EMULATED: u32 = 64;

/// `add_device`: the device has no IOMMU, and reaches all memory.
const NO_IOMMU: u32 = 1 << 16;

/// `add_device`: the device keeps a log of what it writes.
const LOGS_DMA: u32 = 128;

/// By the number that stands for each at the border.
const RESERVED_KINDS: [ReservedKind; 5] =
    [ReservedKind::Direct, ReservedKind::DirectRelaxable, ReservedKind::Reserved, ReservedKind::Msi, ReservedKind::SoftwareMsi];

/// Gives the IOMMU other translation caches, before anything else. `replacement`: LRU 0, tree-PLRU 1, FIFO 2, else random by `seed`. Returns 0 or
/// −errno.
#[wasm_bindgen]
pub fn set_iotlb(entries: u32, ways: u32, structures: u32, replacement: u32, seed: u64) -> i32 {
    with(|core| {
        let replacement = match replacement {
            0 => Replacement::Lru,
            1 => Replacement::TreePlru,
            2 => Replacement::Fifo,
            _ => Replacement::Random(seed),
        };
        nothing(core.kernel.set_iotlb(IotlbConfig { entries, ways, replacement, structures }))
    })
}

/// Has unmapped ranges wait until there are `batch` of them; 0: none waits. Returns 0 or −errno.
#[wasm_bindgen]
pub fn set_batch(batch: u32) -> i32 {
    with(|core| nothing(core.kernel.set_batch(batch)))
}

/// Tells the translation caches of what waits.
#[wasm_bindgen]
pub fn flush_iotlb() {
    with(|core| {
        core.kernel.flush_iotlb();
    })
}

/// Adds an IOMMU group. Returns its number, or −errno.
#[wasm_bindgen]
pub fn add_group() -> i32 {
    with(|core| number(core.kernel.add_group()))
}

/// Adds a device. `flags`: viable 1, can be reset 2, coherent 4, PASIDs may be executed 8, or privileged 16, page requests 32, emulated 64, a log of
/// DMA 128; in bits 15:8 how
/// many bits a PASID has; no IOMMU 65,536. Returns its number, which counts from 0, or −errno.
#[wasm_bindgen]
pub fn add_device(group: u32, requester: u32, flags: u32) -> i32 {
    with(|core| {
        number(core.kernel.add_device(DeviceConfig {
            group,
            requester,
            viable: flags & VIABLE != 0,
            reset: flags & RESET != 0,
            coherent: flags & COHERENT != 0,
            pasids: PasidConfig {
                bits: (flags >> PASID_BITS_SHIFT) as u8,
                execute: flags & PASID_EXECUTE != 0,
                privileged: flags & PASID_PRIVILEGED != 0,
            },
            page_requests: flags & PAGE_REQUESTS != 0,
            emulated: flags & EMULATED != 0,
            logs_dma: flags & LOGS_DMA != 0,
            no_iommu: flags & NO_IOMMU != 0,
        }))
    })
}

/// Describes a region of a device, by VFIO's index; of a BAR also its physical address. Returns 0 or −errno.
#[wasm_bindgen]
pub fn add_region(device: u32, index: u32, size: u64, flags: u32, address: u64) -> i32 {
    with(|core| nothing(core.kernel.add_region(device, index, RegionConfig { size, address, flags })))
}

/// Describes an interrupt of a device, by VFIO's index. Returns 0 or −errno.
#[wasm_bindgen]
pub fn add_irq(device: u32, index: u32, count: u32, flags: u32) -> i32 {
    with(|core| nothing(core.kernel.add_irq(device, index, IrqConfig { count, flags })))
}

/// Reserves IOVAs for a device. `kind`: direct 0, relaxable 1, reserved 2, MSI 3. Returns 0 or −errno.
#[wasm_bindgen]
pub fn add_reserved(device: u32, start: u64, last: u64, kind: u32) -> i32 {
    with(|core| {
        let Some(&kind) = RESERVED_KINDS.get(kind as usize) else { return negative(Errno::EINVAL) };
        nothing(core.kernel.add_reserved(device, Range { start, last }, kind))
    })
}

/// Says whether a device answers to memory accesses; its dma-bufs are revoked while it does not. Returns 0 or −errno.
#[wasm_bindgen]
pub fn set_memory_enabled(device: u32, enabled: bool) -> i32 {
    with(|core| nothing(core.kernel.set_memory_enabled(device, enabled)))
}

/// Says how far a remote IOMMU translates, for page tables that are made from now on.
#[wasm_bindgen]
pub fn set_remote_aperture(last: u64) {
    with(|core| {
        core.kernel.set_remote_aperture(last);
    })
}

/// Says whether a kernel driver that does DMA has the device. Returns 0 or −errno.
#[wasm_bindgen]
pub fn set_driver_blocks(device: u32, blocks: bool) -> i32 {
    with(|core| nothing(core.kernel.set_driver_blocks(device, blocks)))
}

/// Adds a bus that can be reset. Returns its number, or −errno.
#[wasm_bindgen]
pub fn add_reset_bus() -> i32 {
    with(|core| number(core.kernel.add_reset_bus()))
}

/// Says that a reset of the bus reaches the function at `location` (bus << 8 | devfn). `device`: negative for none. `in_set`: it sits on this
/// very bus and VFIO's driver has it. Returns 0 or −errno.
#[wasm_bindgen]
pub fn add_reset_function(bus: u32, location: u16, device: i32, in_set: bool) -> i32 {
    with(|core| nothing(core.kernel.add_reset_function(bus, ResetFunction { location, device: u32::try_from(device).ok(), in_set })))
}

/// Asks for a device to leave. Returns its state as `plug_state`, or −errno.
#[wasm_bindgen]
pub fn unplug(device: u32) -> i32 {
    with(|core| number(core.kernel.unplug(device)))
}

/// A device that is gone comes back. Returns 0 or −errno.
#[wasm_bindgen]
pub fn plug(device: u32) -> i32 {
    with(|core| number(core.kernel.plug(device)))
}

/// What became of the last request to give a device back: 0 nobody listens, 1 it was told and nobody has looked, 2 it was taken.
#[wasm_bindgen]
pub fn request_state(device: u32) -> u32 {
    with(|core| core.kernel.request_state(device))
}

/// Whether a device is there: 0 it is not, 1 it leaves once its files are closed, 2 it is.
#[wasm_bindgen]
pub fn plug_state(device: u32) -> u32 {
    with(|core| core.kernel.plug_state(device))
}

/// Memory for a device's own buffers, zeroed: its offset in the linear memory, or −errno.
#[wasm_bindgen]
pub fn staging_alloc(length: u32) -> f64 {
    with(|core| match core.kernel.staging_alloc(u64::from(length)) {
        Ok(at) => core.offset_of(at),
        Err(error) => f64::from(negative(error)),
    })
}

/// Gives back what `staging_alloc` gave, with the same length.
#[wasm_bindgen]
pub fn staging_free(offset: u32, length: u32) {
    with(|core| {
        let at = core.pa_of(offset);
        core.kernel.staging_free(at, u64::from(length));
    })
}

/// A device reads memory at `iova` into its buffer at `offset`. A negative `pasid` is none. Returns 0, or −reason, or 1 where it has come
/// to memory of another device: then `peer_done` bytes have moved, the host moves the next `peer_length` at `peer_address`, and what is left is another transfer.
#[wasm_bindgen]
pub fn dma_read(device: u32, pasid: i32, iova: u64, offset: u32, length: u32) -> i32 {
    with(|core| {
        let to = core.pa_of(offset);
        let moved = core.kernel.dma_read(device, pasid_of(pasid), iova, to, u64::from(length));
        core.note_peer(moved)
    })
}

/// A device writes its buffer at `offset` to memory at `iova`, as `dma_read`.
#[wasm_bindgen]
pub fn dma_write(device: u32, pasid: i32, iova: u64, offset: u32, length: u32) -> i32 {
    with(|core| {
        let from = core.pa_of(offset);
        let moved = core.kernel.dma_write(device, pasid_of(pasid), iova, from, u64::from(length));
        core.note_peer(moved)
    })
}

/// Bytes that the last transfer to come to memory of another device had moved.
#[wasm_bindgen]
pub fn peer_done() -> u32 {
    with(|core| core.peer.map_or(0, |peer| peer.done as u32))
}

/// Physical address of that memory.
#[wasm_bindgen]
pub fn peer_address() -> u64 {
    with(|core| core.peer.map_or(0, |peer| peer.run.pa.0))
}

/// Bytes of it.
#[wasm_bindgen]
pub fn peer_length() -> u32 {
    with(|core| core.peer.map_or(0, |peer| peer.run.length as u32))
}

/// Whether a device may read or write at an IOVA: 0 or −reason. Nothing is logged.
#[wasm_bindgen]
pub fn probe(device: u32, pasid: i32, iova: u64, write: bool) -> i32 {
    with(|core| refusal(core.kernel.probe(device, pasid_of(pasid), iova, write)))
}

/// A device asks for a page. `permissions`: `PGFAULT_PERM_*`. Returns 0 if it is answered later, or not at all as it is not the last of its group; else
/// the answer: invalid 1, failure 15; or −errno.
#[wasm_bindgen]
pub fn page_request(device: u32, pasid: i32, group: u32, permissions: u32, address: u64, last: bool) -> i32 {
    with(|core| {
        let request = PageRequest { pasid: pasid_of(pasid), group, permissions, address, last };
        match core.kernel.page_request(device, request) {
            Ok(answer) => answer.map_or(0, |answer| answer as i32),
            Err(error) => negative(error),
        }
    })
}

/// The next answer to a page request: the device above 32 bits, the group above 8, the answer: success 0, invalid 1, failure 15. −1 if there is none.
#[wasm_bindgen]
pub fn take_page_response() -> i64 {
    with(|core| {
        core.kernel.take_page_response().map_or(-1, |Answered { device, group, response, .. }| {
            i64::from(device) << 32 | i64::from(group & 0xff_ffff) << 8 | response as i64
        })
    })
}

/// Notes a transfer that a device gave up, since the page that it asked for is not there.
#[wasm_bindgen]
pub fn give_up(device: u32, pasid: i32, iova: u64, length: u32, write: bool) {
    with(|core| {
        core.kernel.give_up(device, pasid_of(pasid), iova, u64::from(length), write);
    })
}

/// The model of an emulated device copies between its buffer at `offset` and memory at `iova`. Returns 0 or −reason.
#[wasm_bindgen]
pub fn access_copy(device: u32, iova: u64, offset: u32, length: u32, write: bool) -> i32 {
    with(|core| {
        let buffer = core.pa_of(offset);
        refusal(core.kernel.access_copy(device, iova, buffer, u64::from(length), write))
    })
}

/// The model of an emulated device pins pages, by a number of its choice. Returns 0 or −errno.
#[wasm_bindgen]
pub fn access_pin(device: u32, iova: u64, length: u32, write: bool, id: u32) -> i32 {
    with(|core| nothing(core.kernel.access_pin(device, iova, u64::from(length), write, id)))
}

/// The model of an emulated device lets go of what it has pinned. Returns 0 or −errno.
#[wasm_bindgen]
pub fn access_unpin(device: u32, id: u32) -> i32 {
    with(|core| nothing(core.kernel.access_unpin(device, id)))
}

/// A piece of what a model has pinned: its offset in the linear memory, or with `length` its length. −1 behind the last.
#[wasm_bindgen]
pub fn pinned_run(device: u32, id: u32, position: u32, length: bool) -> f64 {
    with(|core| match core.kernel.pinned_run(device, id, position) {
        Some(run) if length => run.length as f64,
        Some(run) => core.offset_of(run.pa),
        None => -1.0,
    })
}

/// The next model to tell that it must let go of memory: its device, or −1. What it must let go of is `notice_start` and `notice_last`.
#[wasm_bindgen]
pub fn take_notice() -> i32 {
    with(|core| {
        core.notice = core.kernel.take_notice();
        core.notice.map_or(-1, |notice| notice.device as i32)
    })
}

/// First IOVA of the last notice.
#[wasm_bindgen]
pub fn notice_start() -> u64 {
    with(|core| core.notice.map_or(0, |notice| notice.start))
}

/// Last IOVA of the last notice.
#[wasm_bindgen]
pub fn notice_last() -> u64 {
    with(|core| core.notice.map_or(0, |notice| notice.last))
}

/// Goes on with the system call that waits for models. Its answer.
#[wasm_bindgen]
pub fn restart() -> i32 {
    with(|core| number(core.kernel.restart()))
}

/// A device signals an interrupt, by VFIO's index. Returns 1 if a program was told, 0 if not, or −errno.
#[wasm_bindgen]
pub fn raise(device: u32, index: u32, vector: u32) -> i32 {
    with(|core| number(core.kernel.raise(device, index, vector)))
}

/// A device deasserts its INTx pin. Returns 0 or −errno.
#[wasm_bindgen]
pub fn lower(device: u32, index: u32) -> i32 {
    with(|core| number(core.kernel.lower(device, index)))
}

/// Whether a program has enabled an interrupt.
#[wasm_bindgen]
pub fn irq_enabled(device: u32, index: u32, vector: u32) -> bool {
    with(|core| core.kernel.irq_enabled(device, index, vector))
}

impl Core {
    #[inline]
    fn note_peer(&mut self, moved: Moved) -> i32 {
        match moved {
            Ok(None) => 0,
            Ok(peer) => {
                self.peer = peer;
                1
            }
            Err(reason) => -i32::from(reason.code()),
        }
    }
}

#[inline]
fn pasid_of(pasid: i32) -> Option<u32> {
    u32::try_from(pasid).ok()
}

#[inline]
fn refusal(result: Result<(), FaultReason>) -> i32 {
    match result {
        Ok(()) => 0,
        Err(reason) => -i32::from(reason.code()),
    }
}
