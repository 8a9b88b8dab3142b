//! Guests of an Arm SMMUv3: the stream table entry, commands and events that a guest's driver has, as Linux's arm-smmu-v3 takes and gives them. Sections are
//! those of IHI 0070, issue G.

use crate::hardware::Hardware;
use crate::invalidate::Entries;
use crate::kernel::Kernel;
use iommu::smmuv3_commands::{
    ASID_SHIFT, ATC_INV, CFGI_CD, CFGI_CD_ALL, CODE, STREAM_SHIFT, SUBSTREAM_SHIFT, TLBI_ADDRESS, TLBI_LEAF, TLBI_NH_ALL, TLBI_NH_ASID,
    TLBI_NH_VA, TLBI_NH_VAA, TLBI_NSNH_ALL,
};
use iommu::{FirstStage, GUESTS};
use uapi::iommufd as api;
use uapi::{Errno, Result};

/// STE, word 0 (5.2): V; Config, where 0 aborts, 4 passes and 5 is stage 1.
const VALID: u64 = 1;
const CONFIG: u64 = 7 << 1;
const ABORTS: u64 = 0;
const PASSES: u64 = 4 << 1;
const TRANSLATES: u64 = 5 << 1;
/// What of an STE is a guest's: word 0 but for bits 58:52; of word 1 S1DSS, S1CIR, S1COR, S1CSH, S1STALLD and EATS.
const OF_GUEST: [u64; 2] = [!(0x7f << 52), 0xff | 1 << 27 | ATS];
/// Word 1: EATS, of which 0 and 1 are full.
const ATS: u64 = 3 << 28;
const ATS_FULL: u64 = 1 << 28;

/// Commands (4.3 to 4.5): their fields.
const GLOBAL: u64 = 1 << 9;
const HAS_SUBSTREAM: u64 = 1 << 11;
const SUBSTREAM: u64 = 0xf_ffff << SUBSTREAM_SHIFT;
const STREAM: u64 = 0xffff_ffff << STREAM_SHIFT;
const VMID: u64 = 0xffff << STREAM_SHIFT;
const ASID: u64 = 0xffff << ASID_SHIFT;
/// Of ATC_INV: lg2 of pages; 52 is everything.
const SIZE: u64 = 0x3f;
const SIZE_ALL: u64 = 52;

/// Bytes that Linux's heap gives at once.
const ARRAY_MAX: usize = 4 << 20;
/// Commands that Linux gives to the queue at once.
const BATCH: usize = 63;

/// Events that Linux hands on, by number (7.3): those of configuration that a guest can be wrong in, and those of a transfer's address.
const HANDED_ON: [u64; 8] = [0x4, 0x6, 0x8, 0xa, 0x10, 0x11, 0x12, 0x13];
/// Word 1 of an event: it is of stage 2.
const OF_STAGE_2: u64 = 1 << 39;

/// What a guest's STE makes of a stream.
pub(crate) struct Stream {
    words: [u64; 2],
}

impl Stream {
    /// The STE of HWPT_ALLOC. EINVAL for another type or length of data, EFAULT; EIO for bits that are not a guest's.
    pub(crate) fn copy_in(hardware: &mut Hardware, request: &api::HwptAlloc) -> Result<Stream> {
        let mut bytes = [0; api::HwptArmSmmuv3::SIZE];
        if request.data_type != api::HWPT_DATA_ARM_SMMUV3 || request.data_len as usize != bytes.len() {
            return Err(Errno::EINVAL);
        }
        hardware.copy_in(request.data_uptr, &mut bytes)?;
        let [low, high] = api::HwptArmSmmuv3::read(&bytes).ste;
        if low & VALID == 0 {
            return Ok(Stream { words: [0; 2] });
        }
        let is_known = matches!(low & CONFIG, ABORTS | PASSES | TRANSLATES) && matches!(high & ATS, 0 | ATS_FULL);
        if low & !OF_GUEST[0] != 0 || high & !OF_GUEST[1] != 0 || !is_known {
            return Err(Errno::EIO);
        }
        Ok(Stream { words: [low, high & !ATS] })
    }

    pub(crate) fn first_stage(&self) -> FirstStage {
        match self.words[0] & CONFIG {
            TRANSLATES => FirstStage::Arm(self.words),
            PASSES => FirstStage::Passed,
            _ => FirstStage::Aborted,
        }
    }

    /// Whether its commands and events name the device.
    pub(crate) fn names_device(&self) -> bool {
        self.words[0] & CONFIG == TRANSLATES
    }
}

/// What decides which commands the hardware takes.
#[derive(Clone, Copy)]
struct Features {
    /// Devices have caches of translations (ATS).
    ats: bool,
    /// Substreams.
    substreams: bool,
}

/// HWPT_INVALIDATE of a virtual IOMMU: commands of its guest. EINVAL for another type of data or no entries, EFAULT, E2BIG; EIO for a command that a guest
/// cannot have, or of a device that it does not have.
///
/// As in Linux commands before a bad one count as done, even those of the last batch, which the hardware is not told of.
pub(crate) fn invalidate(kernel: &mut Kernel, context: u32, viommu: u32, data_type: u32, entries: Entries, done: &mut u32) -> Result<()> {
    const LENGTH: usize = api::ViommuArmSmmuv3Invalidate::SIZE;
    if entries.count as usize * LENGTH > ARRAY_MAX {
        // Linux has no such array, and then says that all of them are done.
        *done = entries.count;
        return Err(Errno::ENOMEM);
    }
    if data_type != api::VIOMMU_INVALIDATE_DATA_ARM_SMMUV3 || entries.count == 0 {
        return Err(Errno::EINVAL);
    }
    // All of them are read before the first is done.
    for index in 0..entries.count {
        entries.copy_struct_in::<LENGTH>(kernel, index)?;
    }
    let ats = kernel.asked_for_pages();
    let features = Features { ats, substreams: kernel.hardware.iommu.config().scalable };
    let objects = kernel.context(context)?;
    let parent = objects.viommus.get(viommu).and_then(|viommu| objects.hwpts.get(viommu.parent)).ok_or(Errno::EIO)?.domain;
    let number = kernel.hardware.iommu.guest_number(parent);
    let mut batch = [[0; 2]; BATCH];
    let mut held = 0;
    for index in 0..entries.count {
        let command = api::ViommuArmSmmuv3Invalidate::read(&entries.copy_struct_in(kernel, index)?).cmd;
        check(command, features)?;
        *batch.get_mut(held).ok_or(Errno::EIO)? = kernel.translate_command(context, viommu, number, command)?;
        held += 1;
        *done += 1;
        if held == BATCH || *done == entries.count {
            for command in batch.iter().take(core::mem::take(&mut held)) {
                let Hardware { iommu, ram, .. } = &mut kernel.hardware;
                iommu.pass_on(ram, *command)?;
            }
        }
    }
    Ok(())
}

/// EIO for a command that a guest cannot have, or bits that it does not.
fn check([low, high]: [u64; 2], features: Features) -> Result<()> {
    let Features { ats, substreams } = features;
    let of_substream = |bits| if substreams { bits } else { 0 };
    let (first, second) = match low & CODE {
        TLBI_NSNH_ALL => (0, 0),
        TLBI_NH_VA => (ASID | VMID, TLBI_LEAF | TLBI_ADDRESS),
        TLBI_NH_VAA => (VMID, TLBI_LEAF | TLBI_ADDRESS),
        TLBI_NH_ASID => (ASID | VMID, 0),
        TLBI_NH_ALL => (VMID, 0),
        ATC_INV if ats && high & SIZE <= SIZE_ALL => (of_substream(HAS_SUBSTREAM | SUBSTREAM | GLOBAL) | STREAM, SIZE | TLBI_ADDRESS),
        CFGI_CD => (of_substream(SUBSTREAM) | STREAM, TLBI_LEAF),
        CFGI_CD_ALL => (STREAM, 0),
        _ => return Err(Errno::EIO),
    };
    if low & !(CODE | first) != 0 || high & !second != 0 { Err(Errno::EIO) } else { Ok(()) }
}

impl Kernel {
    /// A command with the numbers that the hardware has for a guest and its device. EIO for a device that the guest does not have.
    fn translate_command(&self, context: u32, viommu: u32, number: u16, [low, high]: [u64; 2]) -> Result<[u64; 2]> {
        let of_guest = u64::from(number) << STREAM_SHIFT;
        Ok(match low & CODE {
            TLBI_NSNH_ALL => [TLBI_NH_ALL | of_guest, 0],
            TLBI_NH_ALL | TLBI_NH_ASID | TLBI_NH_VA | TLBI_NH_VAA => [low & !VMID | of_guest, high],
            _ => {
                let virt_id = low >> STREAM_SHIFT;
                let mut vdevices = self.context(context)?.vdevices.iter().map(|(_, vdevice)| vdevice);
                let found = vdevices.find(|vdevice| (vdevice.viommu, vdevice.virt_id) == (viommu, virt_id)).ok_or(Errno::EIO)?;
                [low & !STREAM | u64::from(self.device(found.device)?.config.requester) << STREAM_SHIFT, high]
            }
        })
    }

    /// What came of a device's transfer. Of one that was refused the event is handed on.
    #[inline(always)]
    pub(crate) fn with_event<T, E>(&mut self, device: u32, moved: core::result::Result<T, E>) -> core::result::Result<T, E> {
        if GUESTS && moved.is_err() {
            self.hand_event_on(device);
        }
        moved
    }

    /// Hands an event of a device's last transfer, which was refused, on to the guest that has the device, by what that calls it: of stage 1 alone. It is lost
    /// where the guest has no queue for it.
    #[cold]
    fn hand_event_on(&mut self, device: u32) {
        let Some(entry) = self.devices.get(device as usize) else { return };
        let Some(((viommu, virt_id), bound)) = entry.guest.zip(entry.bound).filter(|_| entry.mock.is_none()) else { return };
        let Some([low, second, third, fourth]) = self.hardware.iommu.faults().iter().last().and_then(|record| record.raw) else { return };
        if !HANDED_ON.contains(&(low & CODE)) || second & OF_STAGE_2 != 0 {
            return;
        }
        let event = api::VeventArmSmmuv3 { evt: [low & !STREAM | virt_id << STREAM_SHIFT, second, third, fourth] };
        let mut bytes = [0; api::VeventArmSmmuv3::SIZE];
        event.write(&mut bytes);
        if let Ok(context) = self.context_mut(bound.context) {
            let _ = context.report_event(viommu, api::VEVENTQ_TYPE_ARM_SMMUV3, &bytes);
        }
    }
}
