//! Dma-bufs of BARs: VFIO's feature DMA_BUF, peer-to-peer DMA, and what takes the memory back. What page tables map is compared with the areas after each
//! request.

mod common;

use common::*;
use iommufd::{DeviceConfig, FaultReason, HOST_HOT_RESET, HOST_RELEASE, HOST_RESET, HOST_UNMAP, Kind, Limits, Pa, Peer, ResetFunction};
use uapi::vfio::*;

const GET: u32 = DEVICE_FEATURE_GET | DEVICE_FEATURE_DMA_BUF;

/// The data of the feature, of a file to be read and written: BAR, flags, ranges.
fn data(region_index: u32, flags: u32, ranges: &[(u64, u64)]) -> Vec<u8> {
    let mut bytes = vec![0; DmaBuf::SIZE];
    let request = DmaBuf { region_index, open_flags: 2, flags, nr_ranges: ranges.len() as u32 };
    request.write(bytes.as_mut_slice().try_into().unwrap());
    bytes.extend(ranges.iter().flat_map(|&(offset, length)| [offset, length]).flat_map(u64::to_le_bytes));
    bytes
}

fn feature(m: &mut Machine, fd: u32, flags: u32, data: &[u8]) -> Result<u32, Errno> {
    let mut bytes = DeviceFeature { argsz: (8 + data.len()) as u32, flags }.bytes();
    bytes.extend(data);
    m.raw(fd, DEVICE_FEATURE, &bytes).0
}

fn export(m: &mut Machine, fd: u32, ranges: &[(u64, u64)]) -> Result<i32, Errno> {
    feature(m, fd, GET, &data(0, 0, ranges)).map(|file| file as i32)
}

/// A machine with a device attached and another one bound to the same iommufd: that, its file, and a dma-buf of two pages of its BAR.
fn shared(setup: Setup) -> (Machine, Attached, u32, i32) {
    let mut m = Machine::with(setup);
    let a = m.attached(EDU);
    let (target, _) = m.bound(NIC, a.iommu);
    let file = export(&mut m, target, &[(PAGE, 2 * PAGE)]).unwrap();
    (m, a, target, file)
}

fn map(m: &mut Machine, a: &Attached, file: i32) -> Result<u64, Errno> {
    m.map_file(a.iommu, a.ioas, file, 0, 2 * PAGE, RW)
}

/// Where a write of 8 bytes comes out.
fn reach(m: &mut Machine, iova: u64) -> Result<Option<Pa>, FaultReason> {
    m.kernel.dma_write(EDU, None, iova, m.staging, 8).map(|peer| peer.map(|peer| peer.run.pa))
}

#[test]
fn the_request_is_checked_in_the_order_of_linux() {
    let (mut m, _, target, _) = shared(Setup::default());
    let good = [(0, PAGE)];
    assert_eq!(feature(&mut m, target, GET | DEVICE_FEATURE_PROBE, &[]), Ok(0));
    assert_eq!(feature(&mut m, target, DEVICE_FEATURE_SET | DEVICE_FEATURE_DMA_BUF, &data(0, 0, &good)), Err(Errno::EINVAL));
    assert_eq!(feature(&mut m, target, DEVICE_FEATURE_DMA_BUF, &data(0, 0, &good)), Err(Errno::EINVAL));
    assert_eq!(feature(&mut m, target, GET, &[0; 15]), Err(Errno::EINVAL), "too short");
    assert_eq!(feature(&mut m, target, GET, &data(9, 0, &[])), Err(Errno::EINVAL), "no ranges");
    assert_eq!(feature(&mut m, target, GET, &data(9, 1, &good)), Err(Errno::EINVAL), "a flag");
    for region in [1, 6, 7, 9, u32::MAX] {
        assert_eq!(feature(&mut m, target, GET, &data(region, 0, &[(1, 1)])), Err(Errno::ENODEV), "region {region}");
    }
    let mut many = data(0, 0, &[]);
    many[12..].copy_from_slice(&((1_u32 << 18) + 1).to_le_bytes());
    assert_eq!(feature(&mut m, target, GET, &many), Err(Errno::ENOMEM));
    let cases: [(&[(u64, u64)], Errno); 9] = [
        (&[(0, 0)], Errno::EINVAL),
        (&[(1, PAGE)], Errno::EINVAL),
        (&[(0, 1)], Errno::EINVAL),
        (&[(0, PAGE), (0, PAGE + 1)], Errno::EINVAL),
        (&[(0, 1 << 63)], Errno::EINVAL),
        (&[(0, 1 << 63), (0, 1 << 63)], Errno::EINVAL),
        (&[(u64::MAX - PAGE + 1, PAGE)], Errno::EOVERFLOW),
        (&[(0, PAGE), (4 * PAGE, PAGE)], Errno::EINVAL),
        (&[(3 * PAGE, 2 * PAGE)], Errno::EINVAL),
    ];
    for (ranges, error) in cases {
        assert_eq!(export(&mut m, target, ranges), Err(error), "{ranges:x?}");
    }
    assert!(export(&mut m, target, &[(0, BAR_LENGTH)]).is_ok());
    m.finish();
}

#[test]
fn a_list_that_cannot_be_read_is_found_before_what_is_in_it() {
    let (mut m, _, target, _) = shared(Setup::default());
    let edge = m.edge();
    let mut bytes = DeviceFeature { argsz: 64, flags: GET }.bytes();
    bytes.extend(data(0, 0, &[(1, 1), (1, 1)]));
    bytes.truncate(40);
    let at = edge - bytes.len() as u64;
    m.kernel.poke(at, &bytes).unwrap();
    assert_eq!(m.call_at(target, DEVICE_FEATURE, at), Err(Errno::EFAULT));
    m.kernel.poke(edge - 8, &bytes[..8]).unwrap();
    assert_eq!(m.call_at(target, DEVICE_FEATURE, edge - 8), Err(Errno::EFAULT));
    m.finish();
}

#[test]
fn files_run_out_after_all_checks() {
    let limits = Limits { open_files: 7, ..Setup::default().limits };
    let (mut m, _, target, file) = shared(Setup { limits, ..Setup::default() });
    assert_eq!(export(&mut m, target, &[(0, PAGE)]), Err(Errno::EMFILE));
    assert_eq!(export(&mut m, target, &[(0, 1)]), Err(Errno::EINVAL));
    m.close(file as u32);
    assert_eq!(export(&mut m, target, &[(0, PAGE)]), Ok(file));
    m.finish();
}

#[test]
fn the_dma_of_another_device_comes_to_the_bar() {
    for kind in [Kind::VtdSs, Kind::AmdV1] {
        let (mut m, a, _, file) = shared(Setup { kind, ..Setup::default() });
        let iova = map(&mut m, &a, file).unwrap();
        assert_eq!(m.charged(), (0, 0));
        assert_eq!(reach(&mut m, iova + 0x18), Ok(Some(Pa(bar(NIC) + PAGE + 0x18))));
        // Memory before it moves, and what is behind it is the host's.
        let va = m.memory(PAGE);
        m.map_at(a.iommu, a.ioas, va, PAGE, iova - PAGE).unwrap();
        m.kernel.ram_mut().bytes_mut(m.staging, 4).copy_from_slice(b"here");
        let peer = m.kernel.dma_write(EDU, None, iova - 4, m.staging, 4 + PAGE + 8).unwrap();
        assert_eq!(peer.map(|Peer { done, run }| (done, run.pa, run.length)), Some((4, Pa(bar(NIC) + PAGE), PAGE)));
        assert_eq!(m.peek(va + PAGE - 4, 4), b"here");
        let statistics = m.kernel.device_statistics(EDU);
        assert_eq!((statistics.writes, statistics.bytes), (2, 8 + 4 + PAGE));
        assert_eq!(m.kernel.dma_read(EDU, None, iova + 2 * PAGE, m.staging, 8), Err(FaultReason::NotPresent));
        m.finish();
    }
}

#[test]
fn an_ioas_takes_a_dma_buf_of_one_range() {
    let (mut m, a, target, file) = shared(Setup::default());
    let several = export(&mut m, target, &[(0, PAGE), (2 * PAGE, PAGE)]).unwrap();
    assert_eq!(m.map_file(a.iommu, a.ioas, several, 0, 2 * PAGE + 1, RW), Err(Errno::EINVAL));
    assert_eq!(m.map_file(a.iommu, a.ioas, several, 0, PAGE, RW), Err(Errno::EOPNOTSUPP));
    m.kernel.set_memory_enabled(NIC, false).unwrap();
    assert_eq!(m.map_file(a.iommu, a.ioas, several, 0, PAGE, RW), Err(Errno::ENODEV));
    assert_eq!(m.kernel.mmap(0, PAGE, 3, 1, file, 0), Err(Errno::EINVAL));
    assert_eq!(m.kernel.read(file, m.argument, 8), Err(Errno::EINVAL));
    m.finish();
}

#[test]
fn what_the_file_was_opened_for_decides_why_the_process_is_refused() {
    let (mut m, _, target, _) = shared(Setup::default());
    let (einval, eacces, ebadf) = (Errno::EINVAL, Errno::EACCES, Errno::EBADF);
    let expected = [
        // Flags of the file; mapped shared to be read, to be written, privately to be written, without a kind; read, written.
        (0, [einval, eacces, einval, einval], [einval, ebadf]),
        (1, [eacces, eacces, eacces, einval], [ebadf, einval]),
        (2, [einval, einval, einval, einval], [einval, einval]),
        (3, [eacces, eacces, eacces, einval], [ebadf, ebadf]),
    ];
    for (open_flags, maps, calls) in expected {
        let mut bytes = data(0, 0, &[(0, PAGE)]);
        bytes[4] = open_flags;
        let file = feature(&mut m, target, GET, &bytes).unwrap() as i32;
        for ((prot, flags), error) in [(1, 1), (3, 1), (3, 2), (3, 0)].into_iter().zip(maps) {
            assert_eq!(m.kernel.mmap(0, PAGE, prot, flags, file, 0), Err(error), "{open_flags}: {prot}, {flags}");
        }
        assert_eq!([m.kernel.read(file, m.argument, 8), m.kernel.write(file, m.argument, 8)], calls.map(Err));
        let execute = if open_flags % 2 == 0 { Errno::EPERM } else { eacces };
        assert_eq!(m.kernel.mmap(0, PAGE, 5, 2, file, 0), Err(execute));
        assert_eq!(m.kernel.mmap(0, 0, 5, 2, file, 0), Err(einval));
    }
    m.finish();
}

#[test]
fn what_is_mapped_is_gone_for_good_when_the_device_stops_answering() {
    let (mut m, a, target, file) = shared(Setup::default());
    let iova = map(&mut m, &a, file).unwrap();
    assert_eq!(reach(&mut m, iova), Ok(Some(Pa(bar(NIC) + PAGE))));
    m.kernel.set_memory_enabled(NIC, false).unwrap();
    m.check();
    assert_eq!(reach(&mut m, iova), Err(FaultReason::NotPresent));
    assert_eq!(map(&mut m, &a, file), Err(Errno::ENODEV));
    let late = export(&mut m, target, &[(0, PAGE)]).unwrap();
    assert_eq!(m.map_file(a.iommu, a.ioas, late, 0, PAGE, RW), Err(Errno::ENODEV), "it is revoked from the start");
    m.kernel.set_memory_enabled(NIC, true).unwrap();
    m.check();
    assert_eq!(reach(&mut m, iova), Err(FaultReason::NotPresent));
    let again = map(&mut m, &a, file).unwrap();
    assert_eq!(reach(&mut m, again), Ok(Some(Pa(bar(NIC) + PAGE))));
    for iova in [iova, again] {
        assert_eq!(m.unmap(a.iommu, a.ioas, iova, 2 * PAGE), Ok(2 * PAGE));
    }
    m.finish();
}

#[test]
fn a_reset_takes_what_is_mapped_and_lets_it_be_mapped_again() {
    let (mut m, a, target, file) = shared(Setup::default());
    let iova = map(&mut m, &a, file).unwrap();
    assert_eq!(m.call_at(target, DEVICE_RESET, 0), Ok(HOST_RESET | NIC));
    assert_eq!(reach(&mut m, iova), Err(FaultReason::NotPresent));
    let again = map(&mut m, &a, file).unwrap();
    m.kernel.unplug(NIC).unwrap();
    assert_eq!(m.call_at(target, DEVICE_RESET, 0), Err(Errno::EAGAIN));
    assert_eq!(reach(&mut m, again), Err(FaultReason::NotPresent), "it was revoked before it was found out");
    map(&mut m, &a, file).unwrap();
    m.finish();
}

#[test]
fn a_hot_reset_takes_from_devices_up_to_one_that_is_not_the_callers() {
    let (mut m, a, target, file) = shared(Setup::default());
    let bus = m.kernel.add_reset_bus().unwrap();
    for (location, device) in [(0x18, NIC), (0x30, PICKY)] {
        m.kernel.add_reset_function(bus, ResetFunction { location, device: Some(device), in_set: true }).unwrap();
    }
    let iova = map(&mut m, &a, file).unwrap();
    let reset = |m: &mut Machine| m.raw(target, DEVICE_PCI_HOT_RESET, &PciHotReset { argsz: 12, flags: 0, count: 0 }.bytes()).0;
    assert_eq!(reset(&mut m), Err(Errno::EINVAL));
    assert_eq!(reach(&mut m, iova), Err(FaultReason::NotPresent));
    let again = map(&mut m, &a, file).unwrap();
    m.bound(PICKY, a.iommu);
    assert_eq!(reset(&mut m), Ok(HOST_HOT_RESET | NIC));
    assert_eq!(reach(&mut m, again), Err(FaultReason::NotPresent));
    map(&mut m, &a, file).unwrap();
    m.finish();
}

#[test]
fn the_end_of_the_device_revokes_for_good_and_the_end_of_the_file_nothing() {
    let (mut m, a, target, file) = shared(Setup::default());
    let other = export(&mut m, target, &[(0, PAGE)]).unwrap();
    let kept = m.map_file(a.iommu, a.ioas, other, 0, PAGE, READ).unwrap();
    m.close(other as u32);
    assert!(m.kernel.dma_read(EDU, None, kept, m.staging, 8).unwrap().is_some(), "what is mapped keeps it");
    let iova = map(&mut m, &a, file).unwrap();
    m.kernel.set_memory_enabled(NIC, false).unwrap();
    m.close_bound(target, NIC);
    assert_eq!(reach(&mut m, iova), Err(FaultReason::NotPresent));
    let (target, _) = m.bound(NIC, a.iommu);
    assert_eq!(map(&mut m, &a, file), Err(Errno::ENODEV), "the device is open again, but this is nobody's");
    let new = export(&mut m, target, &[(0, 2 * PAGE)]).unwrap();
    map(&mut m, &a, new).unwrap();
    assert_eq!(m.unmap(a.iommu, a.ioas, kept, PAGE), Ok(PAGE));
    m.finish();
}

#[test]
fn copies_and_new_page_tables_have_the_memory_too() {
    let (mut m, a, _, file) = shared(Setup::default());
    let iova = map(&mut m, &a, file).unwrap();
    let other = m.ioas(a.iommu);
    let copy = m.copy(a.iommu, (a.ioas, iova), (other, 8 * LARGE), 2 * PAGE, RW | FIXED).unwrap();
    m.attach(a.device_fd, other).unwrap();
    assert_eq!(reach(&mut m, copy), Ok(Some(Pa(bar(NIC) + PAGE))));
    m.kernel.set_memory_enabled(NIC, false).unwrap();
    assert_eq!(reach(&mut m, copy), Err(FaultReason::NotPresent));
    assert_eq!(m.unmap(a.iommu, other, copy, 2 * PAGE), Ok(2 * PAGE));
    m.finish();
}

#[test]
fn the_model_of_an_emulated_device_does_not_reach_the_bar() {
    let mut m = Machine::new();
    let group = m.kernel.add_group().unwrap();
    let emulated = m.kernel.add_device(DeviceConfig { emulated: true, coherent: false, ..DeviceConfig::new(group, 0x99) }).unwrap();
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    let (target, _) = m.bound(NIC, iommu);
    let (user, _) = m.bound(emulated, iommu);
    m.attach(user, ioas).unwrap();
    let file = export(&mut m, target, &[(0, PAGE)]).unwrap();
    let iova = m.map_file(iommu, ioas, file, 0, PAGE, RW).unwrap();
    assert_eq!(m.kernel.access_copy(emulated, iova, m.staging, 8, true), Err(FaultReason::NotPresent));
    assert_eq!(m.kernel.access_pin(emulated, iova, PAGE, true, 1), Err(Errno::EINVAL));
    assert_eq!(feature(&mut m, user, GET, &data(0, 0, &[(0, PAGE)])), Err(Errno::ENOTTY), "nor has it one itself");
    // Its model is told to let go, and has nothing.
    assert_eq!(m.kernel.close(user as i32), Ok(HOST_UNMAP));
    while m.kernel.take_notice().is_some() {}
    assert_eq!(m.kernel.restart(), Ok(HOST_RELEASE | emulated));
    m.finish();
}
