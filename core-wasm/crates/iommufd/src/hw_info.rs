//! GET_HW_INFO: what the IOMMU of a device is and can do.

use crate::capability::{Capabilities, HwInfo};
use crate::config::PasidConfig;
use crate::device::Device;
use crate::hardware::Hardware;
use crate::kernel::Kernel;
use crate::object::ObjectKind;
use crate::request::Call;
use iommu::{IommuConfig, NO_PASID};
use uapi::iommufd as api;
use uapi::selftest as test_api;
use uapi::{Errno, Result};

/// Room for what any IOMMU tells.
const DATA_MAX: usize = api::HwInfoArmSmmuv3::SIZE;

/// GET_HW_INFO. Copies what fits of the IOMMU's description, zeroes the rest of the caller's buffer, and answers the full length.
pub(crate) fn get(call: &mut Call) -> Result<()> {
    let mut request = api::HwInfo::read(call.bytes()?);
    if request.flags & !api::HW_INFO_FLAG_INPUT_TYPE != 0 || request.reserved != [0; 3] {
        return Err(Errno::EOPNOTSUPP);
    }
    let wanted = if request.flags & api::HW_INFO_FLAG_INPUT_TYPE == 0 { api::HW_INFO_TYPE_DEFAULT } else { request.data_type };
    let (context, hardware) = call.parts()?;
    let device = context.objects.index(request.dev_id, ObjectKind::Device)?;
    let is_remote = hardware.iommu.config().remote;
    if is_remote || call.kernel.device(device)?.config.no_iommu {
        // Whoever has it may know what it is; here nobody does.
        return Err(Errno::EOPNOTSUPP);
    }
    let mut data = [0; DATA_MAX];
    let asked_for_pages = call.kernel.asked_for_pages();
    let (_, hardware) = call.parts()?;
    let (data_type, length) = describe(hardware.iommu.config(), asked_for_pages, &mut data);
    // Who tells nothing does not look at what is asked for.
    if wanted != api::HW_INFO_TYPE_DEFAULT && wanted != data_type && data_type != api::HW_INFO_TYPE_NONE {
        return Err(Errno::EOPNOTSUPP);
    }
    let copied = length.min(request.data_len as usize);
    hardware.copy_out(request.data_uptr, &data[..copied])?;
    clear(hardware, request.data_uptr, copied as u64, u64::from(request.data_len))?;
    request.data_type = data_type;
    request.data_len = length as u32;
    let config = *hardware.iommu.config();
    let device = call.kernel.device(device)?;
    request.out_max_pasid_log2 = device.max_pasids(&config).checked_ilog2().unwrap_or(0) as u8;
    let table = call.kernel.hardware.iommu.table_of(device.config.requester, NO_PASID);
    let enabled = !Capabilities::of(&config).pasids_by_attachment || table.is_some_and(|table| table.format().first_stage);
    request.out_capabilities = capabilities(device, &config, if enabled { request.out_max_pasid_log2 } else { 0 });
    let mut answer = [0; api::HwInfo::SIZE];
    request.write(&mut answer);
    call.respond(&answer)
}

/// What the device may do. No function of the machine has address translation services.
fn capabilities(device: &Device, config: &IommuConfig, pasid_bits: u8) -> u64 {
    let PasidConfig { execute, privileged, .. } = device.config.pasids;
    let execute = if execute && pasid_bits != 0 { api::HW_CAP_PCI_PASID_EXEC } else { 0 };
    let privileged = if privileged && pasid_bits != 0 { api::HW_CAP_PCI_PASID_PRIV } else { 0 };
    let dirty = if device.tracks_dirty(config) { api::HW_CAP_DIRTY_TRACKING } else { 0 };
    // A function asks for pages where its address translation services did not find them; no other has those.
    let has_ats = device.mock.is_none() && device.config.page_requests && Capabilities::of(config).has_ats;
    let no_ats = if has_ats { 0 } else { api::HW_CAP_PCI_ATS_NOT_SUPPORTED };
    no_ats | execute | privileged | dirty
}

/// Zeroes bytes `from..to` of the buffer at `va`. EFAULT.
fn clear(hardware: &mut Hardware, va: u64, from: u64, to: u64) -> Result<()> {
    const ZEROES: [u8; 256] = [0; 256];
    let mut at = from;
    while at < to {
        let length = (to - at).min(ZEROES.len() as u64);
        hardware.copy_out(va.checked_add(at).ok_or(Errno::EFAULT)?, &ZEROES[..length as usize])?;
        at += length;
    }
    Ok(())
}

/// Writes the registers that describe the IOMMU. Returns their layout's number and length.
fn describe(config: &IommuConfig, page_requests: bool, data: &mut [u8; DATA_MAX]) -> (u32, usize) {
    match Capabilities::of(config).hw_info {
        HwInfo::Vtd => {
            // Linux reports the erratum for every VT-d unit.
            let flags = api::HW_INFO_VTD_ERRATA_772415_SPR17;
            let [cap_reg, ecap_reg] = vtd(config, page_requests);
            let mut bytes = [0; api::HwInfoVtd::SIZE];
            api::HwInfoVtd { flags, reserved: 0, cap_reg, ecap_reg }.write(&mut bytes);
            data[..bytes.len()].copy_from_slice(&bytes);
            (api::HW_INFO_TYPE_INTEL_VTD, api::HwInfoVtd::SIZE)
        }
        HwInfo::Amd => {
            let [efr, efr2] = amd(config);
            let mut bytes = [0; api::HwInfoAmd::SIZE];
            api::HwInfoAmd { efr, efr2 }.write(&mut bytes);
            data[..bytes.len()].copy_from_slice(&bytes);
            (api::HW_INFO_TYPE_AMD, api::HwInfoAmd::SIZE)
        }
        HwInfo::Mock => {
            let mut bytes = [0; test_api::TestHwInfo::SIZE];
            test_api::TestHwInfo { flags: 0, test_reg: test_api::HW_INFO_SELFTEST_REGVAL }.write(&mut bytes);
            data[..bytes.len()].copy_from_slice(&bytes);
            (test_api::HW_INFO_TYPE_SELFTEST, bytes.len())
        }
        HwInfo::Smmuv3 => {
            smmuv3(config, page_requests).write(data);
            (api::HW_INFO_TYPE_ARM_SMMUV3, data.len())
        }
        HwInfo::None => (api::HW_INFO_TYPE_NONE, 0),
    }
}

impl Kernel {
    /// The registers that say what a VT-d can do (capabilities, extended ones) or an AMD-Vi (extended features, and those after them); 0 of other kinds.
    pub fn iommu_registers(&self) -> [u64; 2] {
        let config = self.hardware.iommu.config();
        match Capabilities::of(config).hw_info {
            HwInfo::Vtd => vtd(config, self.asked_for_pages()),
            HwInfo::Amd => amd(config),
            HwInfo::Smmuv3 | HwInfo::Mock | HwInfo::None => [0; 2],
        }
    }

    /// Whether a device of the machine has page requests.
    pub(crate) fn asked_for_pages(&self) -> bool {
        self.devices.iter().any(|device| device.config.page_requests)
    }
}

/// The registers of a VT-d: capabilities, and extended ones.
fn vtd(config: &IommuConfig, page_requests: bool) -> [u64; 2] {
    let capabilities = vtd_capabilities(config) | if config.scalable { VTD_SCALABLE_CAPABILITIES } else { 0 };
    let extended = VTD_EXTENDED
        | if config.scalable { VTD_SCALABLE } else { 0 }
        | if config.kind.is_first_stage() { VTD_FIRST_STAGE } else { 0 }
        | if page_requests { VTD_PAGE_REQUESTS } else { 0 }
        | if config.tracks_dirty { VTD_DIRTY } else { 0 };
    [capabilities, extended]
}

/// The registers of an AMD-Vi: extended features, and those after them.
fn amd(config: &IommuConfig) -> [u64; 2] {
    let guest = if config.kind.is_first_stage() { AMD_GUEST | u64::from(config.levels - 4) << 12 } else { 0 };
    [AMD_FEATURES | guest | if config.tracks_dirty { AMD_DIRTY } else { 0 }, 0]
}

/// VT-d specification, capability register: 16-bit domain ids (ND), the levels of page tables (SAGAW), the widest IOVA (MGAW), 2 MiB and
/// 1 GiB pages (SSLPS), invalidation of up to 2^18 pages (PSI, MAMV).
fn vtd_capabilities(config: &IommuConfig) -> u64 {
    let levels = u64::from(config.levels);
    let address_bits = 9 * levels + 12;
    let large = u64::from(config.page_sizes >> 21 & 1 != 0) | u64::from(config.page_sizes >> 30 & 1 != 0) << 1;
    6 | 1 << (8 + levels - 2) | (address_bits - 1) << 16 | large << 34 | 1 << 39 | 18 << 48
}

/// VT-d specification, extended capability register: coherent walks (C), queued invalidation (QI), interrupt remapping (IR), snoop
/// control (SC).
const VTD_EXTENDED: u64 = 1 | 1 << 1 | 1 << 3 | 1 << 7;

/// The same register in scalable mode (SMTS): nested translation (NEST), the extended accessed bit (EAFS), PASIDs (PASID) of 20 bits (PSS) and
/// second-stage tables (SSTS).
const VTD_SCALABLE: u64 = 1 << 26 | 1 << 34 | 19 << 35 | 1 << 40 | 1 << 43 | 1 << 46;
/// The same where first-stage tables can be without a second stage (FSTS), which Linux then takes for its own page tables, and the walks of PASID tables
/// and of these are coherent (SMPWC).
const VTD_FIRST_STAGE: u64 = 1 << 47 | 1 << 48;
/// The capability register in scalable mode: first-stage tables with pages of 1 GiB (FS1GP) and with 5 levels (FS5LP).
const VTD_SCALABLE_CAPABILITIES: u64 = 1 << 56 | 1 << 60;

/// The same of an IOMMU that takes page requests: device IOTLBs (DT), page requests (PRS) and their draining (PDS).
const VTD_PAGE_REQUESTS: u64 = 1 << 2 | 1 << 29 | 1 << 42;

/// The same of an IOMMU that marks pages of the second stage as accessed and dirty (SSADS).
const VTD_DIRTY: u64 = 1 << 45;

/// SMMUv3 specification, 6.3.1 to 6.3.6: one stage or both (S1P, S2P) of AArch64's tables (TTF), coherent walks (COHACC), ASIDs and VMIDs of 16 bits, marks (HTTU);
/// little-endian tables (TTENDIAN), no stalls (STALL_MODEL, TERM_MODEL), two levels of streams (ST_LEVEL) and context descriptors (CD2L); StreamIDs of 16
/// bits and SubstreamIDs of 20, queues of 2^8 and 2^7 entries; addresses of 48 bits (OAS) and one granule, or all that guests may
/// have.
fn smmuv3(config: &IommuConfig, page_requests: bool) -> api::HwInfoArmSmmuv3 {
    let set = |bits: u32, when: bool| if when { bits } else { 0 };
    let common = 2 << 2 | 1 << 4 | 1 << 12 | 1 << 18 | 2 << 21 | 1 << 24 | 1 << 26 | 1 << 27;
    let first = config.kind.is_first_stage();
    let stage = set(1, !first || config.nests()) | set(1 << 1 | 1 << 19, first);
    let idr0 = common | stage | set(2 << 6, config.tracks_dirty) | set(1 << 10, page_requests);
    let idr1 = 16 | 7 << 16 | 8 << 21 | set(20 << 6, config.scalable);
    let granules = if config.nests() { 7 } else { 1 << ((config.kind.format().granule_lg2 - 12) / 2) };
    let idr5 = 5 | granules << 4;
    api::HwInfoArmSmmuv3 { flags: 0, reserved: 0, idr: [idr0, idr1, 0, 0, 0, idr5], iidr: 0, aidr: 0 }
}

/// AMD I/O virtualization specification, extended feature register: invalidate-all (IASup), and page tables of up to 6 levels (HATS 2).
const AMD_FEATURES: u64 = 1 << 6 | 2 << 10;
/// The same register of an IOMMU with guest tables: page requests (PPRSup), guest translation (GTSup), GCR3 tables of up to 3 levels (GLXSup), PASIDs of 20
/// bits (PASmax), guest tables for requests without a PASID (GIOSup); the levels of guest tables (GATS) are apart.
const AMD_GUEST: u64 = 1 << 1 | 1 << 4 | 2 << 14 | 19 << 32 | 1 << 48;
/// The same register of an IOMMU that marks host pages as accessed (HASup) and dirty (HDSup).
const AMD_DIRTY: u64 = 1 << 49 | 1 << 52;
