//! Guests of an SMMUv3 with both stages: parents, virtual IOMMUs and what is made of them, their commands and events; checks and answers of Linux's
//! arm-smmu-v3. What the hardware makes of it is the matter of crate `iommu`.

mod common;

use common::interrupts::*;
use common::*;
use iommufd::FaultReason;

const SMMUV3: u32 = api::VIOMMU_TYPE_ARM_SMMUV3;
const DATA: u32 = api::HWPT_DATA_ARM_SMMUV3;
const COMMANDS: u32 = api::VIOMMU_INVALIDATE_DATA_ARM_SMMUV3;
const PARENT: u32 = api::HWPT_ALLOC_NEST_PARENT;
/// Where the guest's memory is in its own address space.
const MEMORY: u64 = 0x4000_0000;
const PAGES: u64 = 16;
/// Pages of the guest: a context descriptor, a table of each level, two pages of data.
const TABLES: u64 = 1;
const FIRST: u64 = 5;
const SECOND: u64 = 6;
const IOVA: u64 = 0x40_5060_7000;
/// What the guest calls its device.
const VIRTUAL: u64 = 0x1001;
const SID: u64 = VIRTUAL << 32;
/// STE, IHI 0070, 5.2.
const ABORTS: u64 = 1;
const PASSES: u64 = 1 | 4 << 1;
const TRANSLATES: u64 = 1 | 5 << 1;

struct Guest {
    m: Machine,
    iommu: u32,
    ioas: u32,
    fd: u32,
    device: u32,
    parent: u32,
    viommu: u32,
    /// The guest's memory in the process.
    va: u64,
}

fn at(page: u64) -> u64 {
    MEMORY + page * PAGE
}

fn ste(low: u64, high: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    api::HwptArmSmmuv3 { ste: [low, high] }.write(&mut bytes);
    bytes
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

impl Guest {
    fn new() -> Guest {
        Guest::with(Setup::guests())
    }

    fn with(setup: Setup) -> Guest {
        let mut m = Machine::with(setup);
        let iommu = m.iommu();
        let ioas = m.ioas(iommu);
        let (fd, device) = m.bound(EDU, iommu);
        let va = m.memory(PAGES * PAGE);
        m.map_at(iommu, ioas, va, PAGES * PAGE, MEMORY).unwrap();
        let parent = m.hwpt_flags(iommu, device, ioas, PARENT).unwrap();
        let viommu = Guest::viommu(&mut m, iommu, device, parent).unwrap();
        let mut guest = Guest { m, iommu, ioas, fd, device, parent, viommu, va };
        // 5.4: 48 bits, no upper half, valid, AArch64, ASID 7.
        guest.put(0, 0, 16 | 1 << 30 | 1 << 31 | 5 << 32 | 1 << 41 | 3 << 45 | 7 << 48);
        guest.put(0, 1, at(TABLES));
        for level in 0..3 {
            guest.put(TABLES + level, IOVA >> (39 - 9 * level) & 511, at(TABLES + level + 1) | 3);
        }
        guest.page(at(FIRST) | 0x443);
        guest.put(FIRST, 0, 0xaaaa);
        guest.put(SECOND, 0, 0xbbbb);
        guest
    }

    fn viommu(m: &mut Machine, iommu: u32, dev_id: u32, hwpt_id: u32) -> Result<u32, Errno> {
        let request = api::ViommuAlloc { r#type: SMMUV3, dev_id, hwpt_id, ..Default::default() };
        m.call(iommu, request).map(|answer| answer.out_viommu_id)
    }

    fn put(&mut self, page: u64, index: u64, word: u64) {
        self.m.kernel.poke(self.va + page * PAGE + index * 8, &word.to_le_bytes()).unwrap();
    }

    /// The entry for [`IOVA`].
    fn page(&mut self, entry: u64) {
        self.put(TABLES + 3, IOVA >> 12 & 511, entry);
    }

    fn vdevice(&mut self, dev_id: u32, virt_id: u64) -> Result<u32, Errno> {
        let request = api::VdeviceAlloc { viommu_id: self.viommu, dev_id, virt_id, ..Default::default() };
        self.m.call(self.iommu, request).map(|answer| answer.out_vdevice_id)
    }

    fn nested(&mut self, low: u64, high: u64) -> Result<u32, Errno> {
        self.m.hwpt_data(self.iommu, (self.device, self.viommu), 0, DATA, &ste(low, high))
    }

    /// Of a guest that knows its device, which works by the guest's tables.
    fn attached() -> Guest {
        let mut guest = Guest::new();
        guest.vdevice(guest.device, VIRTUAL).unwrap();
        let nested = guest.nested(TRANSLATES | MEMORY, 0).unwrap();
        guest.m.attach(guest.fd, nested).unwrap();
        guest
    }

    fn read(&mut self) -> Result<u64, FaultReason> {
        self.m.read(EDU, IOVA, 8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
    }

    fn commands(&mut self, commands: &[u64]) -> (Result<(), Errno>, u32) {
        self.m.invalidate(self.iommu, self.viommu, COMMANDS, 16, &words(commands))
    }

    fn queue(&mut self, depth: u32) -> (u32, u32) {
        let (viommu_id, r#type) = (self.viommu, api::VEVENTQ_TYPE_ARM_SMMUV3);
        let request = api::VeventqAlloc { viommu_id, r#type, veventq_depth: depth, ..Default::default() };
        let answer = self.m.call(self.iommu, request).unwrap();
        (answer.out_veventq_id, answer.out_veventq_fd)
    }
}

#[test]
fn the_hardware_says_that_it_has_both_stages() {
    let mut g = Guest::new();
    let data_uptr = g.m.memory(PAGE);
    let request = api::HwInfo { dev_id: g.device, data_len: 64, data_uptr, ..Default::default() };
    let answer = g.m.call(g.iommu, request).unwrap();
    assert_eq!((answer.data_type, answer.out_max_pasid_log2), (api::HW_INFO_TYPE_ARM_SMMUV3, PASID_BITS));
    let idr = |m: &Machine, number: u64| u32::from_le_bytes(m.peek(data_uptr + 8 + number * 4, 4).try_into().unwrap());
    // 6.3.1: S1P, S2P, VMID16, CD2L. 6.3.6: all granules.
    assert_eq!((idr(&g.m, 0) & (3 | 3 << 18), idr(&g.m, 5)), (3 | 3 << 18, 0x75));
    g.m.finish();
}

#[test]
fn parents_have_no_other_flag_and_nothing_is_nested_on_them_without_a_virtual_iommu() {
    let mut g = Guest::with(Setup { tracks_dirty: true, ..Setup::guests() });
    for flag in [api::HWPT_ALLOC_DIRTY_TRACKING, api::HWPT_ALLOC_PASID, api::HWPT_FAULT_ID_VALID] {
        assert_eq!(g.m.hwpt_flags(g.iommu, g.device, g.ioas, PARENT | flag), Err(Errno::EOPNOTSUPP), "{flag}");
    }
    let both = g.m.hwpt_flags(g.iommu, g.device, g.ioas, api::HWPT_ALLOC_DIRTY_TRACKING | api::HWPT_ALLOC_PASID);
    assert!(both.is_ok(), "these are of stage 1");
    let direct = g.m.hwpt_data(g.iommu, (g.device, g.parent), 0, DATA, &ste(ABORTS, 0));
    assert_eq!(direct, Err(Errno::EOPNOTSUPP));
    g.m.finish();
}

#[test]
fn one_stage_has_no_guests() {
    for kind in [iommufd::Kind::ArmS1Granule4K, iommufd::Kind::ArmS2Granule4K] {
        let mut m = Machine::with(Setup { both_stages: false, kind, scalable: false, ..Setup::guests() });
        let (iommu, fd) = (m.iommu(), m.open(EDU));
        let (ioas, device) = (m.ioas(iommu), m.bind(fd, iommu).unwrap());
        assert_eq!(m.hwpt_flags(iommu, device, ioas, PARENT), Err(Errno::EOPNOTSUPP));
        assert_eq!(Guest::viommu(&mut m, iommu, device, NO_ID), Err(Errno::EOPNOTSUPP));
        m.finish();
    }
}

#[test]
fn virtual_iommus_are_made_of_parents_and_hold_them() {
    let mut g = Guest::new();
    let plain = g.m.hwpt(g.iommu, g.device, g.ioas).unwrap();
    let request = api::ViommuAlloc { r#type: SMMUV3, dev_id: g.device, hwpt_id: g.parent, ..Default::default() };
    for (request, error) in [
        (api::ViommuAlloc { flags: 1, dev_id: NO_ID, ..request }, Errno::EOPNOTSUPP),
        (api::ViommuAlloc { r#type: 0, dev_id: NO_ID, ..request }, Errno::EOPNOTSUPP),
        (api::ViommuAlloc { r#type: 2, dev_id: NO_ID, ..request }, Errno::ENOENT),
        (api::ViommuAlloc { r#type: 2, hwpt_id: NO_ID, ..request }, Errno::EOPNOTSUPP),
        (api::ViommuAlloc { hwpt_id: NO_ID, ..request }, Errno::ENOENT),
        (api::ViommuAlloc { hwpt_id: plain, ..request }, Errno::EINVAL),
    ] {
        assert_eq!(g.m.call(g.iommu, request).map(|_| ()), Err(error), "{request:?}");
    }
    // It takes no data, and looks at none.
    assert!(g.m.call(g.iommu, api::ViommuAlloc { data_len: 8, data_uptr: 1, ..request }).is_ok());
    assert_eq!(g.m.destroy(g.iommu, g.parent), Err(Errno::EBUSY));
    g.m.finish();
}

#[test]
fn what_is_of_a_guest_in_a_stream_table_entry_is_taken_and_nothing_else() {
    let mut g = Guest::new();
    let all = [TRANSLATES | 3 << 4 | 0x000f_ffff_ffff_ffc0 | 31 << 59, 0xff | 1 << 27 | 1 << 28];
    let good = [all, [PASSES, 0], [ABORTS, 1 << 28], [0, 0], [!1, !0]];
    for [low, high] in good {
        assert!(g.nested(low, high).is_ok(), "{low:#x} {high:#x}");
    }
    let bits = (0..64).map(|bit| 1_u64 << bit);
    for bit in bits.clone().filter(|bit| (all[0] | 0xe) & bit == 0) {
        assert_eq!(g.nested(ABORTS | bit, 0), Err(Errno::EIO), "{bit:#x}");
    }
    for bit in bits.filter(|bit| all[1] & bit == 0) {
        assert_eq!(g.nested(ABORTS, bit), Err(Errno::EIO), "{bit:#x}");
    }
    // Config: of stage 2, and what is reserved.
    for config in [1, 2, 3, 6, 7] {
        assert_eq!(g.nested(1 | config << 1, 0), Err(Errno::EIO), "{config}");
    }
    assert_eq!(g.nested(TRANSLATES, 3 << 28), Err(Errno::EIO), "EATS");
    let (ids, good) = ((g.device, g.viommu), ste(ABORTS, 0));
    for (flags, data_type, data, error) in [
        (api::HWPT_ALLOC_PASID, 0x99, &good[..], Errno::EOPNOTSUPP),
        (PARENT, DATA, &good[..], Errno::EOPNOTSUPP),
        (0, api::HWPT_DATA_VTD_S1, &good[..], Errno::EINVAL),
        (0, DATA, &good[..15], Errno::EINVAL),
        (0, DATA, &[&good[..], &[0]].concat()[..], Errno::EINVAL),
    ] {
        assert_eq!(g.m.hwpt_data(g.iommu, ids, flags, data_type, data), Err(error), "{flags} {data_type}");
    }
    let edge = g.m.edge();
    let request = api::HwptAlloc { dev_id: ids.0, pt_id: ids.1, data_type: DATA, data_len: 16, data_uptr: edge - 8, ..Default::default() };
    assert_eq!(g.m.call(g.iommu, request).map(|_| ()), Err(Errno::EFAULT));
    g.m.finish();
}

#[test]
fn a_guest_knows_the_devices_whose_tables_it_has() {
    let mut g = Guest::new();
    let [translates, passes, aborts] = [TRANSLATES | MEMORY, PASSES, ABORTS].map(|low| g.nested(low, 0).unwrap());
    assert_eq!(g.m.attach(g.fd, translates), Err(Errno::ENOENT));
    // What needs no commands and has no events goes without.
    assert_eq!(g.m.attach(g.fd, aborts), Ok(aborts));
    assert_eq!(g.read(), Err(FaultReason::Blocked));
    assert_eq!(g.m.attach(g.fd, passes), Ok(passes));
    assert_eq!(g.m.read(EDU, at(SECOND), 1), Ok(vec![0xbb]));
    assert_eq!(g.m.attach(g.fd, translates), Err(Errno::ENOENT));
    assert_eq!(g.m.read(EDU, at(SECOND), 1), Ok(vec![0xbb]), "it stays where it was");
    let vdevice = g.vdevice(g.device, VIRTUAL).unwrap();
    assert_eq!(g.vdevice(g.device, 9), Err(Errno::EEXIST));
    assert_eq!(g.m.attach(g.fd, translates), Ok(translates));
    assert_eq!(g.read(), Ok(0xaaaa));
    for id in [translates, g.viommu, g.parent] {
        assert_eq!(g.m.destroy(g.iommu, id), Err(Errno::EBUSY));
    }
    // PASIDs are the guest's own.
    let pasid = g.m.hwpt_flags(g.iommu, g.device, g.ioas, api::HWPT_ALLOC_PASID).unwrap();
    assert_eq!(g.m.attach_pasid(g.fd, 1, pasid), Err(Errno::EINVAL));
    g.m.detach(g.fd);
    assert_eq!(g.read(), Err(FaultReason::Blocked));
    assert_eq!(g.m.attach_pasid(g.fd, 1, pasid), Ok(pasid));
    assert_eq!(g.m.attach(g.fd, translates), Err(Errno::EINVAL), "its own do not go with them");
    g.m.detach_pasid(g.fd, 1);
    assert_eq!(g.m.destroy(g.iommu, vdevice), Ok(()));
    g.m.finish();
}

#[test]
fn a_guest_knows_all_devices_of_a_set() {
    let mut m = Machine::with(Setup::guests());
    let iommu = m.iommu();
    let ioas = m.ioas(iommu);
    let (fd, first) = m.bound(FUNCTION_0, iommu);
    let (_, second) = m.bound(FUNCTION_1, iommu);
    let parent = m.hwpt_flags(iommu, first, ioas, PARENT).unwrap();
    let viommu = Guest::viommu(&mut m, iommu, first, parent).unwrap();
    let nested = m.hwpt_data(iommu, (first, viommu), 0, DATA, &ste(TRANSLATES, 0)).unwrap();
    for (dev_id, result) in [(first, Err(Errno::ENOENT)), (second, Ok(nested))] {
        m.call(iommu, api::VdeviceAlloc { viommu_id: viommu, dev_id, virt_id: dev_id.into(), ..Default::default() }).unwrap();
        assert_eq!(m.attach(fd, nested), result);
    }
    m.finish();
}

#[test]
fn commands_are_passed_on_with_the_numbers_that_the_hardware_has() {
    let mut g = Guest::attached();
    assert_eq!(g.read(), Ok(0xaaaa));
    g.page(at(SECOND) | 0x443);
    assert_eq!(g.read(), Ok(0xaaaa), "it is remembered");
    // Whatever VMID the guest has in them.
    for (number, command) in
        (0..).zip([[0x30, 0], [0x10 | 99 << 32, 0], [0x11 | 99 << 32 | 7 << 48, 0], [0x12 | 7 << 48, IOVA | 1], [0x13, IOVA]])
    {
        let (page, word) = if number % 2 == 0 { (SECOND, 0xbbbb) } else { (FIRST, 0xaaaa) };
        g.page(at(page) | 0x443);
        assert_eq!(g.commands(&command), (Ok(()), 1), "{command:x?}");
        assert_eq!(g.read(), Ok(word), "{command:x?}");
    }
    // Descriptors, by the guest's number of the device.
    g.put(0, 0, 0);
    for command in [[5 | SID, 0], [5 | SID | 3 << 12, 1], [6 | SID, 0]] {
        assert_eq!(g.commands(&command), (Ok(()), 1), "{command:x?}");
    }
    assert_eq!(g.read(), Err(FaultReason::Blocked));
    g.m.finish();
}

#[test]
fn commands_that_are_no_guest_s_are_refused() {
    let mut g = Guest::attached();
    let stream = 0xffff_ffff_u64 << 32;
    // By code: the bits that a guest may set; beyond them none.
    for (code, low, high) in [
        (0x30, 0, 0),
        (0x10, 0xffff << 32, 0),
        (0x11, stream, 0),
        (0x12, stream, !0xfff | 1),
        (0x13, 0xffff << 32, !0xfff | 1),
        (0x05, stream | 0xf_ffff << 12, 1),
        (0x06, stream, 0),
    ] {
        let of_device = if code < 0x10 { SID } else { 0 };
        for bit in (8..64).map(|bit| 1_u64 << bit).filter(|bit| low & bit == 0) {
            assert_eq!(g.commands(&[code | of_device | bit, 0]), (Err(Errno::EIO), 0), "{code:#x} {bit:#x}");
        }
        for bit in (0..64).map(|bit| 1_u64 << bit).filter(|bit| high & bit == 0) {
            assert_eq!(g.commands(&[code | of_device, bit]), (Err(Errno::EIO), 0), "{code:#x} {bit:#x}");
        }
        let allowed = if of_device != 0 { of_device | low & !stream } else { low };
        assert_eq!(g.commands(&[code | allowed, high]), (Ok(()), 1), "{code:#x}");
    }
    // Of streams, of stage 2, of hypervisors, fences; and of devices' caches, which there are none of.
    for code in [0, 1, 2, 3, 4, 7, 0x20, 0x28, 0x2a, 0x40, 0x41, 0x46] {
        assert_eq!(g.commands(&[code | SID, 0]), (Err(Errno::EIO), 0), "{code:#x}");
    }
    // Of a device that the guest does not have.
    assert_eq!(g.commands(&[6 | 3 << 32, 0]), (Err(Errno::EIO), 0));
    g.m.finish();
}

#[test]
fn without_substreams_commands_have_none_and_with_ats_there_are_caches() {
    let mut g = Guest::with(Setup { scalable: false, ..Setup::guests() });
    g.vdevice(g.device, VIRTUAL).unwrap();
    assert_eq!(g.commands(&[5 | SID, 0]), (Ok(()), 1));
    assert_eq!(g.commands(&[5 | SID | 1 << 12, 0]), (Err(Errno::EIO), 0));
    let config = iommufd::DeviceConfig { page_requests: true, ..iommufd::DeviceConfig::new(g.m.kernel.add_group().unwrap(), 0x700) };
    g.m.kernel.add_device(config).unwrap();
    for (command, result) in [([0x40 | SID, 52], Ok(())), ([0x40 | SID, 53], Err(Errno::EIO)), ([0x40 | SID | 1 << 11, 0], Err(Errno::EIO))]
    {
        assert_eq!(g.commands(&command).0, result, "{command:x?}");
    }
    g.m.finish();
}

#[test]
fn entries_of_a_request_are_counted_and_looked_at_as_linux_does_it() {
    let mut g = Guest::attached();
    let (viommu, iommu) = (g.viommu, g.iommu);
    let good = words(&[0x30, 0]);
    assert_eq!(g.m.invalidate(iommu, viommu, 0, 16, &good), (Err(Errno::EINVAL), 0));
    assert_eq!(g.m.invalidate(iommu, viommu, COMMANDS, 16, &[]), (Err(Errno::EINVAL), 0));
    // Shorter entries end with zeroes, and so may longer ones.
    assert_eq!(g.m.invalidate(iommu, viommu, COMMANDS, 1, &[0x30, 0x30]), (Ok(()), 2));
    assert_eq!(g.m.invalidate(iommu, viommu, COMMANDS, 24, &words(&[0x30, 0, 0])), (Ok(()), 1));
    assert_eq!(g.m.invalidate(iommu, viommu, COMMANDS, 24, &words(&[0x30, 0, 0, 0x30, 0, 1])), (Err(Errno::E2BIG), 0));
    // A batch that a bad command is in is not given to the hardware, though what is before it counts.
    assert_eq!(g.read(), Ok(0xaaaa));
    g.page(at(SECOND) | 0x443);
    assert_eq!(g.commands(&[0x30, 0, 0x30, 0, 0x99, 0]), (Err(Errno::EIO), 2));
    assert_eq!(g.read(), Ok(0xaaaa));
    let mut long = [0x30, 0].repeat(64);
    long.extend([0x99, 0]);
    assert_eq!(g.commands(&long), (Err(Errno::EIO), 64));
    assert_eq!(g.read(), Ok(0xbbbb), "a batch before it is");
    let request = |entry_num| api::HwptInvalidate {
        hwpt_id: viommu,
        data_uptr: 1,
        data_type: COMMANDS,
        entry_len: 16,
        entry_num,
        ..Default::default()
    };
    for (entry_num, error) in [((1 << 19) + 1, Errno::EINVAL), ((1 << 18) + 1, Errno::ENOMEM), (1 << 18, Errno::EFAULT)] {
        assert_eq!(g.m.call(iommu, request(entry_num)).map(|_| ()), Err(error), "{entry_num}");
    }
    // Of the page table itself nothing can be said.
    let nested = g.nested(ABORTS, 0).unwrap();
    assert_eq!(g.m.invalidate(iommu, nested, COMMANDS, 16, &good), (Err(Errno::EOPNOTSUPP), 0));
    g.m.finish();
}

#[test]
fn events_of_stage_1_are_the_guest_s_and_others_are_not() {
    let mut g = Guest::attached();
    g.page(0);
    assert_eq!(g.read(), Err(FaultReason::NotPresent), "without a queue it is lost");
    let (queue, fd) = g.queue(2);
    assert_eq!(g.m.read_bytes(fd, 256), Ok(Vec::new()));
    // F_TRANSLATION, IN, of a read.
    let expected = |sequence: u32, iova: u64| {
        let mut bytes = [0, sequence].map(u32::to_le_bytes).concat();
        bytes.extend(words(&[0x10 | SID, 1 << 35 | 2 << 40, iova, 0]));
        bytes
    };
    for _ in 0..3 {
        assert_eq!(g.read(), Err(FaultReason::NotPresent));
    }
    assert_eq!(g.m.read_bytes(fd, 39), Err(Errno::EINVAL));
    assert_eq!(g.m.read_bytes(fd, 79), Ok(expected(0, IOVA)));
    assert_eq!(g.m.read_bytes(fd, 80), Ok([expected(1, IOVA), [1, 2].map(u32::to_le_bytes).concat()].concat()));
    // Of stage 2: the host's.
    g.page(0x7000_0000 | 0x443);
    assert_eq!(g.read(), Err(FaultReason::SecondStage));
    assert_eq!(g.m.read_bytes(fd, 256), Ok(Vec::new()));
    // An interrupt that the guest has not mapped is a transfer like others.
    let eventfd = g.m.eventfd();
    g.m.enable(g.fd, MSIX, 0, &[eventfd]).unwrap();
    assert!(!g.m.raise(EDU, MSIX, 0));
    let seen = g.m.read_bytes(fd, 256).unwrap();
    assert_eq!(seen[8..], words(&[0x10 | SID, 2 << 40, SOFTWARE_MSI.start + 0x40, 0])[..]);
    // What is not the guest's any more has no event for it.
    g.m.attach(g.fd, g.parent).unwrap();
    assert_eq!(g.read(), Err(FaultReason::NotPresent));
    assert_eq!(g.m.read_bytes(fd, 256), Ok(Vec::new()));
    g.m.close(fd);
    assert_eq!(g.m.destroy(g.iommu, queue), Ok(()));
    g.m.finish();
}

#[test]
fn interrupts_go_through_what_the_guest_has_mapped() {
    let mut g = Guest::attached();
    // Page 8 to 10 are tables that lead the address of messages to itself.
    let message = SOFTWARE_MSI.start;
    g.put(TABLES, message >> 39 & 511, at(8) | 3);
    g.put(8, message >> 30 & 511, at(9) | 3);
    g.put(9, message >> 21 & 511, at(10) | 3);
    g.put(10, message >> 12 & 511, message | 0x443);
    let eventfd = g.m.eventfd();
    g.m.enable(g.fd, MSIX, 0, &[eventfd]).unwrap();
    assert!(g.m.raise(EDU, MSIX, 0));
    assert_eq!(g.m.signals(eventfd), 1);
    g.m.finish();
}
