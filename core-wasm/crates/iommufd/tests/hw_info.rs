//! GET_HW_INFO: what the IOMMU of a device is and can do.

mod common;

use common::*;
use iommufd::Kind;

/// A bound device of a machine with this IOMMU, and memory full of ones for the answer.
fn bound(kind: Kind, levels: u8) -> (Machine, u32, u32, u64) {
    let mut m = Machine::with(Setup { kind, levels, ..Setup::default() });
    let iommu = m.iommu();
    let (_, id) = m.bound(EDU, iommu);
    let buffer = m.memory(PAGE);
    m.kernel.poke(buffer, &[0xff; 64]).unwrap();
    (m, iommu, id, buffer)
}

#[test]
fn vtd_tells_its_registers() {
    for (levels, supported, address_bits) in [(3, 1 << 1, 39), (4, 1 << 2, 48), (5, 1 << 3, 57)] {
        let (mut m, iommu, dev_id, data_uptr) = bound(Kind::VtdSs, levels);
        let request = api::HwInfo { dev_id, data_len: 24, data_uptr, ..Default::default() };
        let answer = m.call(iommu, request).unwrap();
        assert_eq!((answer.data_type, answer.data_len), (api::HW_INFO_TYPE_INTEL_VTD, 24));
        assert_eq!((answer.out_max_pasid_log2, answer.out_capabilities), (0, api::HW_CAP_PCI_ATS_NOT_SUPPORTED));
        let info = api::HwInfoVtd::read(m.peek(data_uptr, 24).as_slice().try_into().unwrap());
        // Capability register: SAGAW in bits 8 to 12, MGAW in bits 16 to 21, SLLPS in bits 34 to 37.
        assert_eq!(info.cap_reg >> 8 & 0x1f, supported);
        assert_eq!((info.cap_reg >> 16 & 0x3f) + 1, address_bits);
        assert_eq!(info.cap_reg >> 34 & 0xf, 3);
        assert_eq!(info.reserved, 0);
        // Extended capability register: no nested translation (26), no PASIDs (40).
        assert_eq!(info.ecap_reg & (1 << 26 | 1 << 40), 0);
        m.finish();
    }
}

#[test]
fn amd_tells_its_features() {
    let (mut m, iommu, dev_id, data_uptr) = bound(Kind::AmdV1, 4);
    let answer = m.call(iommu, api::HwInfo { dev_id, data_len: 16, data_uptr, ..Default::default() }).unwrap();
    assert_eq!((answer.data_type, answer.data_len), (api::HW_INFO_TYPE_AMD, 16));
    let info = api::HwInfoAmd::read(m.peek(data_uptr, 16).as_slice().try_into().unwrap());
    // HATS 2, bits 10 and 11: up to six levels. No guest translation (4).
    assert_eq!((info.efr >> 10 & 3, info.efr & 1 << 4, info.efr2), (2, 0, 0));
    m.finish();
}

#[test]
fn a_short_buffer_gets_what_fits_and_a_long_one_zeroes_behind() {
    let (mut m, iommu, dev_id, data_uptr) = bound(Kind::VtdSs, 4);
    let request = |data_len| api::HwInfo { dev_id, data_len, data_uptr, ..Default::default() };
    assert_eq!(m.call(iommu, request(8)).unwrap().data_len, 24);
    let short = m.peek(data_uptr, 64);
    assert_eq!(short[8..], [0xff; 56]);
    assert_eq!(m.call(iommu, request(40)).unwrap().data_len, 24);
    let long = m.peek(data_uptr, 64);
    assert_eq!(long[..8], short[..8]);
    assert_eq!(long[24..40], [0; 16]);
    assert_eq!(long[40..], [0xff; 24]);
    // More than one piece of zeroes.
    m.kernel.poke(data_uptr, &[0xff; 1000]).unwrap();
    assert!(m.call(iommu, request(999)).is_ok());
    assert_eq!(m.peek(data_uptr + 24, 976), [&[0; 975][..], &[0xff]].concat());
    m.finish();
}

#[test]
fn without_a_buffer_the_length_is_told_alone() {
    let (mut m, iommu, dev_id, _) = bound(Kind::VtdSs, 4);
    let answer = m.call(iommu, api::HwInfo { dev_id, ..Default::default() }).unwrap();
    assert_eq!((answer.data_len, answer.data_type), (24, api::HW_INFO_TYPE_INTEL_VTD));
    m.finish();
}

#[test]
fn a_type_can_be_asked_for() {
    for (kind, own, other) in [
        (Kind::VtdSs, api::HW_INFO_TYPE_INTEL_VTD, api::HW_INFO_TYPE_AMD),
        (Kind::AmdV1, api::HW_INFO_TYPE_AMD, api::HW_INFO_TYPE_INTEL_VTD),
    ] {
        let (mut m, iommu, dev_id, data_uptr) = bound(kind, 4);
        let request = api::HwInfo { dev_id, data_len: 64, data_uptr, ..Default::default() };
        let typed = |data_type| api::HwInfo { flags: api::HW_INFO_FLAG_INPUT_TYPE, data_type, ..request };
        assert_eq!(m.call(iommu, typed(own)).map(|answer| answer.data_type), Ok(own));
        assert_eq!(m.call(iommu, typed(api::HW_INFO_TYPE_DEFAULT)).map(|answer| answer.data_type), Ok(own));
        assert_eq!(m.call(iommu, typed(other)), Err(Errno::EOPNOTSUPP));
        // Without the flag the field is an answer alone.
        assert_eq!(m.call(iommu, api::HwInfo { data_type: other, ..request }).map(|answer| answer.data_type), Ok(own));
        m.finish();
    }
}

#[test]
fn checks_come_in_the_order_of_linux() {
    let (mut m, iommu, dev_id, data_uptr) = bound(Kind::VtdSs, 4);
    let (ioas, edge) = (m.ioas(iommu), m.edge());
    let good = api::HwInfo { dev_id, data_len: 64, data_uptr, ..Default::default() };
    for (request, error) in [
        (api::HwInfo { flags: 2, dev_id: NO_ID, ..good }, Errno::EOPNOTSUPP),
        (api::HwInfo { reserved: [0, 0, 1], dev_id: NO_ID, ..good }, Errno::EOPNOTSUPP),
        (api::HwInfo { dev_id: NO_ID, data_uptr: 0, ..good }, Errno::ENOENT),
        (api::HwInfo { dev_id: ioas, ..good }, Errno::ENOENT),
        (api::HwInfo { data_uptr: 0, ..good }, Errno::EFAULT),
        (api::HwInfo { data_uptr: edge - 24, ..good }, Errno::EFAULT),
        (api::HwInfo { data_uptr: u64::MAX - 30, ..good }, Errno::EFAULT),
    ] {
        assert_eq!(m.call(iommu, request), Err(error), "{request:?}");
    }
    m.finish();
}
