//! Random requests, sense or nonsense: after each one all invariants hold, and closing everything gives everything back.

mod common;

use common::interrupts::*;
use common::mock::APERTURE;
use common::*;
use iommufd::{DeviceConfig, GroupIoas, Kind, Limits, Ram, Rules};
use proptest::prelude::*;
use uapi::selftest::{HWPT_DATA_SELFTEST, TEST_OP_PASID_ATTACH, TEST_PASID_RESERVED, TestAddReserved, TestPasidAttach};

/// Where half pages are mapped, in any aperture.
const HALVES: u64 = APERTURE + LARGE - PAGE;
/// Pages of memory that mappings are of.
const PAGES: u64 = 12;

/// Success or error: either is an answer.
fn either<T, E>(_: Result<T, E>) {}

/// What there is to make requests of. What is gone may be named still.
struct State {
    m: Machine,
    iommus: Vec<u32>,
    devices: Vec<u32>,
    others: Vec<u32>,
    /// IOASes: their iommufd and their id.
    spaces: Vec<(u32, u32)>,
    /// Devices that were bound: their fd, the iommufd and their id.
    bound: Vec<(u32, u32, u32)>,
    /// Mock devices: the iommufd and the test object.
    mocks: Vec<(u32, u32)>,
    memory: u64,
}

/// One of a list; now and then, or where there is none, something else.
fn one_of<T: Copy>(list: &[T], number: u8, other: T) -> T {
    if number >= 240 { other } else { list.get(number as usize % list.len().max(1)).copied().unwrap_or(other) }
}

impl State {
    fn new(setup: Setup) -> State {
        let mut m = Machine::with(setup);
        // One device more, which has no IOMMU; a mock machine has none such.
        let group = m.kernel.add_group().unwrap();
        either(m.kernel.add_device(DeviceConfig { no_iommu: true, ..DeviceConfig::new(group, 0x99) }));
        let memory = m.memory(PAGES * PAGE);
        let mut state = State {
            m,
            iommus: Vec::new(),
            devices: Vec::new(),
            others: Vec::new(),
            spaces: Vec::new(),
            bound: Vec::new(),
            mocks: Vec::new(),
            memory,
        };
        // So that the first requests find something: two iommufds with two IOASes and a device each.
        for number in 0..2 {
            for [op, b] in [[0, 0], [9, 0], [9, 0], [1, 0], [2, number]] {
                state.step([op, number, b, 0]);
            }
        }
        state
    }

    /// One request. Errors are as good as successes.
    fn step(&mut self, [op, a, b, c]: [u8; 4]) {
        let any = u32::from(b % 16);
        let (iommu, device) = (one_of(&self.iommus, a, any), one_of(&self.devices, a, any));
        let (owner, other) = (one_of(&self.iommus, b, any), one_of(&self.others, a, any));
        let (fd, id) = one_of(&self.spaces, b, (iommu, any));
        let (bound, its_iommu, device_id) = one_of(&self.bound, a, (device, iommu, any));
        // Another IOAS of the same iommufd, or of that of a device.
        let of = |iommu: u32| self.spaces.iter().filter(|space| space.0 == iommu).map(|space| space.1).collect::<Vec<u32>>();
        let (sibling, its_space) = (one_of(&of(fd), a, any), one_of(&of(its_iommu), b, any));
        // Few places, some of them across the border of a table, and a few pages at each; in the aperture of any page table.
        let at = |number: u8| APERTURE + LARGE + u64::from(number % 4) * PAGE - 2 * PAGE;
        let length = [1, 1, 2, 4][usize::from(c / 64)] * PAGE;
        let va = self.memory + u64::from(a % PAGES as u8) * PAGE;
        let flags = [RW, READ, WRITE, RW][usize::from(c / 8 % 4)];
        let (mock_iommu, mock) = one_of(&self.mocks, a, (iommu, any));
        let mock_space = one_of(&of(mock_iommu), b, any);
        let m = &mut self.m;
        match op % 42 {
            0 => self.iommus.extend(m.kernel.open_iommufd()),
            1 => self.devices.extend(m.kernel.open_device(u32::from(a) % (DEVICES + 2))),
            2 | 3 => self.bound.extend(m.bind(device, owner).map(|id| (device, owner, id))),
            4 | 5 => either(m.attach(bound, its_space)),
            6 => either(m.attach(bound, any)),
            7 => either(m.call(bound, vfio::DeviceDetachIommufdPt::default())),
            8 => self.close(a, b),
            9 => self.spaces.extend(m.call(iommu, api::IoasAlloc::default()).map(|answer| (iommu, answer.out_ioas_id))),
            10 => either(m.destroy(fd, any)),
            11 if c < 64 => either(m.destroy(fd, id)),
            11..=13 => either(m.map(fd, id, va, length, flags | FIXED, at(c))),
            14 => either(m.map(fd, id, va | u64::from(c & 1), length, flags, 0)),
            15 => either(m.unmap(fd, id, at(c) - u64::from(c / 8 % 2), length + PAGE)),
            16 => either(m.copy(fd, (id, at(c)), (sibling, at(c / 4)), PAGE, READ | FIXED)),
            17 => either(m.hwpt(its_iommu, device_id, its_space)),
            18 => either(m.huge_pages(fd, id, c % 2 == 0)),
            19 => either(m.allow(fd, id, &[(APERTURE, at(c)), (APERTURE + 2 * LARGE, APERTURE + 3 * LARGE)][..usize::from(c % 3)])),
            20 => either(m.map_file(fd, id, other as i32, u64::from(c % 4) * PAGE, length, flags)),
            21 => self.change_memory(c),
            22 => self.interrupt(bound, b, c),
            24 => self.mocks.extend(m.mock_with(fd, id, u32::from(c % 8)).map(|made| (fd, made.stdev))),
            25 => either(m.replace(mock_iommu, mock, if c < 128 { mock_space } else { any })),
            26 => either(m.destroy(mock_iommu, mock)),
            27 => either(m.hwpt_with(mock_iommu, mock + 1, mock_space, HWPT_DATA_SELFTEST, &[0, u32::from(c % 3)])),
            28 => {
                either(m.map(fd, id, va + u64::from(a & 2) * 1024, length / 2, flags | u32::from(c & 1), HALVES + u64::from(b & 7) * 2048))
            }
            29 if c < 32 => either(m.call(fd, TestAddReserved { op: 1, id, start: at(c), length: PAGE, ..Default::default() })),
            29 if c < 128 => either(m.check_map(fd, any, at(c), length, va)),
            29 => either(m.check_refs(fd, va, length, u32::from(c % 3))),
            30 => either(m.hwpt_flags(its_iommu, device_id, its_space, api::HWPT_ALLOC_PASID | u32::from(c & 1))),
            31 => either(m.attach_pasid(bound, u32::from(c % 4), any)),
            32 if c < 64 => either(m.call(bound, vfio::DeviceDetachIommufdPt { argsz: 0, flags: 1, pasid: u32::from(c % 4) })),
            32 => either(m.hwpt_flags(mock_iommu, mock + 1, mock_space, api::HWPT_ALLOC_PASID | u32::from(c & 1))),
            33 => {
                // Any of the three; they have the same fields.
                let (op, pasid) = (TEST_OP_PASID_ATTACH + u32::from(c / 64) % 3, [0, 1, 2, TEST_PASID_RESERVED][usize::from(c % 4)]);
                either(m.call(mock_iommu, TestPasidAttach { op, id: mock, pasid, pt_id: any, ..Default::default() }));
            }
            // Tables wherever something may be mapped: what is there is nonsense, or a table of the machine's own making.
            34 => {
                let mut data = [0; api::HwptVtdS1::SIZE];
                api::HwptVtdS1 { flags: 0, pgtbl_addr: at(c), addr_width: [48, 57, 39][usize::from(c % 3)], reserved: 0 }.write(&mut data);
                m.kernel.poke(self.memory, &(at(c) | 7).to_le_bytes().repeat(512)).unwrap_or(());
                either(m.hwpt_data(its_iommu, (device_id, any), u32::from(c & 8), api::HWPT_DATA_VTD_S1, &data));
            }
            35 => either(m.hwpt_data(mock_iommu, (mock + 1, any), u32::from(c & 8), HWPT_DATA_SELFTEST, &[c; 4])),
            36 => {
                let mut data = [0; api::HwptVtdS1Invalidate::SIZE];
                api::HwptVtdS1Invalidate { addr: at(c), npages: u64::from(c), flags: u32::from(c % 3), reserved: 0 }.write(&mut data);
                either(m.invalidate(fd, any, 0, data.len() as u32, &data).0);
            }
            37 => {
                let asked = api::IoasNoiommuGetPa { ioas_id: id, iova: at(c), length, ..Default::default() };
                let found = m.call(fd, asked).map_or(Ram::BASE + u64::from(c) * PAGE, |answer| answer.out_phys);
                either(m.kernel.dma_write(DEVICES, None, found, m.staging, 3000));
            }
            38 => {
                let request =
                    api::ViommuAlloc { r#type: api::VIOMMU_TYPE_ARM_SMMUV3, dev_id: device_id, hwpt_id: any, ..Default::default() };
                either(m.call(its_iommu, request));
                let request = api::VeventqAlloc { viommu_id: any, r#type: 1, veventq_depth: 1 + u32::from(c % 3), ..Default::default() };
                self.others.extend(m.call(its_iommu, request).map(|answer| answer.out_veventq_fd));
            }
            39 if c < 64 => either(m.hwpt_flags(its_iommu, device_id, its_space, api::HWPT_ALLOC_NEST_PARENT)),
            39 => {
                let request = api::VdeviceAlloc { viommu_id: any, dev_id: device_id, virt_id: u64::from(c % 4), ..Default::default() };
                either(m.call(its_iommu, request));
            }
            // Descriptors and tables wherever something may be mapped, as above.
            40 => {
                let low = 1 | u64::from(c % 8) << 1 | at(c) | u64::from(c % 4) << 59;
                let descriptor = 16 | u64::from(c / 16) << 6 | 1 << 30 | 1 << 31 | 5 << 32 | 1 << 41 | 3 << 45 | u64::from(a) << 48;
                let words = [descriptor, at(c), at(c), 0, at(c) | 0x443, at(c / 4) | 0x443, at(c) | 3, at(c / 4) | 3];
                let bytes = words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>().repeat(64);
                m.kernel.poke(va, &bytes).unwrap_or(());
                let data = [low, u64::from(c % 3)].map(u64::to_le_bytes).concat();
                either(m.hwpt_data(its_iommu, (device_id, any), 0, api::HWPT_DATA_ARM_SMMUV3, &data));
            }
            41 => {
                let code = [0x30, 0x10, 0x11, 0x12, 0x13, 5, 6, 0x40][usize::from(c % 8)];
                let number = if code < 0x10 { u64::from(c / 8 % 4) << 32 } else { u64::from(a) << 48 };
                let data = [code | number, at(c) & !0xfff].map(u64::to_le_bytes).concat();
                either(m.invalidate(fd, any, 1, 16, &data).0);
            }
            _ => self.transfer(a, at(c), length),
        }
        self.m.check();
    }

    fn close(&mut self, which: u8, number: u8) {
        let list = match which % 3 {
            0 => &mut self.iommus,
            1 => &mut self.devices,
            _ => &mut self.others,
        };
        if !list.is_empty() {
            let fd = list.swap_remove(usize::from(number) % list.len());
            self.m.close(fd);
        }
    }

    /// A page of memory goes away or comes back, a file is made.
    fn change_memory(&mut self, number: u8) {
        let page = self.memory + u64::from(number) % PAGES * PAGE;
        match number / 16 % 3 {
            0 => either(self.m.kernel.munmap(page, PAGE)),
            1 => either(self.m.kernel.mmap(page, PAGE, 1 + 2 * u32::from(number & 1), 0x32, -1, 0)),
            _ => self.others.extend(self.m.kernel.memfd(u64::from(number % 8) * PAGE + 1)),
        }
    }

    fn interrupt(&mut self, device: u32, number: u8, action: u8) {
        self.others.extend(self.m.kernel.eventfd(0, 0));
        let eventfd = one_of(&self.others, number, 0) as i32;
        let index = u32::from(number % 6);
        let action = [TRIGGER, MASK, UNMASK, TRIGGER][usize::from(action % 4)];
        let data = [Data::Eventfd(&[eventfd]), Data::None(0), Data::None(1), Data::Eventfd(&[eventfd, -1, eventfd])];
        either(self.m.set_irqs(device, index, action, u32::from(number / 64), data[usize::from(number / 8 % 4)]));
        either(self.m.kernel.raise(u32::from(number) % DEVICES, index, u32::from(number / 64)));
    }

    fn transfer(&mut self, device: u8, iova: u64, length: u64) {
        let device = if device < 64 { u32::from(device) % DEVICES } else { u32::from(device) % 2 };
        either(self.m.read(device, iova, length as usize));
        either(self.m.write(device, iova, &[device as u8; 5]));
        either(self.m.write_with(device, 1 + (iova >> 12) as u32 % 3, iova, &[device as u8; 5]));
    }
}

fn setups() -> impl Strategy<Value = Setup> {
    let rules = (any::<bool>(), any::<bool>())
        .prop_map(|(single_open, linux)| Rules { single_open, group_ioas: if linux { GroupIoas::Linux } else { GroupIoas::Requester } });
    let kinds = prop_oneof![
        Just((Kind::VtdSs, 4)),
        Just((Kind::VtdSs, 3)),
        Just((Kind::AmdV1, 4)),
        Just((Kind::AmdMock, 3)),
        Just((Kind::AmdMock, 3)),
        Just((Kind::VtdFs, 5)),
        Just((Kind::AmdV2, 4)),
        Just((Kind::ArmS1Granule4K, 4)),
        Just((Kind::ArmS1Granule4K, 4)),
        Just((Kind::RiscV, 3)),
    ];
    let memlocks = prop_oneof![Just(None), Just(Some(20 * PAGE))];
    (rules, kinds, memlocks, any::<[bool; 4]>()).prop_map(|(rules, (kind, levels), memlock, [scalable, software_msi, lazy, both])| Setup {
        kind,
        levels,
        scalable: scalable || kind == Kind::VtdFs,
        both_stages: both && kind == Kind::ArmS1Granule4K,
        tracks_dirty: scalable,
        remote: false,
        software_msi,
        batch: if lazy { 3 } else { 0 },
        ram: 2 << 20,
        rules,
        limits: Limits { memlock, open_files: 24, sys_resource: true, sys_rawio: true },
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn invariants_hold_after_each_request_and_nothing_is_left(setup in setups(), steps in prop::collection::vec(any::<[u8; 4]>(), 1..200)) {
        let mut state = State::new(setup);
        for step in steps {
            state.step(step);
        }
        state.m.finish();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_request_that_lacks_frames_of_memory_changes_nothing_and_succeeds_with_more(
        setup in setups(),
        steps in prop::collection::vec(any::<[u8; 4]>(), 1..60),
    ) {
        let mut state = State::new(Setup { ram: 1 << 20, ..setup });
        state.m.lacks_frames = true;
        for step in steps {
            state.step(step);
        }
        state.m.finish();
    }
}
