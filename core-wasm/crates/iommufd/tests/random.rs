//! Random requests, sense or nonsense: after each one all invariants hold, and closing everything gives everything back.

mod common;

use common::interrupts::*;
use common::*;
use iommufd::{GroupIoas, Kind, Limits, Rules};
use proptest::prelude::*;

/// Pages of memory that mappings are of.
const PAGES: u64 = 12;

/// Success or error: either is an answer.
fn either<T, E>(_: Result<T, E>) {}

/// What there is to make requests of.
struct State {
    m: Machine,
    iommus: Vec<u32>,
    devices: Vec<u32>,
    others: Vec<u32>,
    memory: u64,
}

impl State {
    fn new(setup: Setup) -> State {
        let mut m = Machine::with(setup);
        let memory = m.memory(PAGES * PAGE);
        let iommus = vec![m.iommu()];
        State { m, iommus, devices: Vec::new(), others: Vec::new(), memory }
    }

    /// One of those fds; now and then a number that may be anything.
    fn fd(&self, list: &[u32], number: u8) -> u32 {
        match list {
            [] => u32::from(number % 16),
            _ if number >= 240 => u32::from(number % 16),
            _ => list[number as usize % list.len()],
        }
    }

    /// One request. Errors are as good as successes.
    fn step(&mut self, [op, a, b, c]: [u8; 4]) {
        let (iommu, device) = (self.fd(&self.iommus, a), self.fd(&self.devices, a));
        let (owner, other) = (self.fd(&self.iommus, b), self.fd(&self.others, a));
        let id = u32::from(b % 10);
        // Few places, some of them across the border of a table, and lengths of up to four pages.
        let at = |number: u8| LARGE + u64::from(number % 8) * PAGE - 4 * PAGE;
        let length = u64::from(c / 16 % 4 + 1) * PAGE;
        let va = self.memory + u64::from(c % PAGES as u8) * PAGE;
        let flags = [RW, READ, WRITE, RW][usize::from(c % 4)];
        let m = &mut self.m;
        match op % 24 {
            0 => self.iommus.extend(m.kernel.open_iommufd()),
            1 => self.devices.extend(m.kernel.open_device(u32::from(a) % (DEVICES + 1))),
            2 | 3 => either(m.bind(device, owner)),
            4..=6 => either(m.attach(device, id)),
            7 => either(m.call(device, vfio::DeviceDetachIommufdPt::default())),
            8 => self.close(a, b),
            9 | 10 => either(m.call(iommu, api::IoasAlloc::default())),
            11 => either(m.destroy(iommu, id)),
            12 | 13 => either(m.map(iommu, id, va, length, flags | FIXED, at(c))),
            14 => either(m.map(iommu, id, va | u64::from(c & 1), length, flags, 0)),
            15 => either(m.unmap(iommu, id, at(c) - PAGE, length + 2 * PAGE)),
            16 => either(m.copy(iommu, (id, at(c)), (u32::from(a % 10), at(c / 2)), length, flags | (u32::from(c) & FIXED))),
            17 => either(m.hwpt(iommu, id, u32::from(c % 10))),
            18 => either(m.huge_pages(iommu, id, c % 2 == 0)),
            19 => either(m.allow(iommu, id, &[(0, at(c)), (2 * LARGE, 3 * LARGE)][..usize::from(c % 3)])),
            20 => either(m.map_file(iommu, id, other as i32, u64::from(c % 4) * PAGE, length, flags)),
            21 => self.change_memory(c),
            22 => self.interrupt(device, b, c),
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
        let eventfd = self.fd(&self.others, number) as i32;
        let index = u32::from(number % 6);
        let action = [TRIGGER, MASK, UNMASK, TRIGGER][usize::from(action % 4)];
        let data = [Data::Eventfd(&[eventfd]), Data::None(0), Data::None(1), Data::Eventfd(&[eventfd, -1, eventfd])];
        either(self.m.set_irqs(device, index, action, u32::from(number / 64), data[usize::from(number / 8 % 4)]));
        either(self.m.kernel.raise(u32::from(number) % DEVICES, index, u32::from(number / 64)));
    }

    fn transfer(&mut self, device: u8, iova: u64, length: u64) {
        let device = u32::from(device) % DEVICES;
        either(self.m.read(device, iova, length as usize));
        either(self.m.write(device, iova, &[device as u8; 5]));
    }
}

fn setups() -> impl Strategy<Value = Setup> {
    let rules = (any::<bool>(), any::<bool>())
        .prop_map(|(single_open, linux)| Rules { single_open, group_ioas: if linux { GroupIoas::Linux } else { GroupIoas::Requester } });
    let kinds = prop_oneof![Just((Kind::VtdSs, 4)), Just((Kind::VtdSs, 3)), Just((Kind::AmdV1, 4))];
    (rules, kinds, prop_oneof![Just(None), Just(Some(20 * PAGE))]).prop_map(|(rules, (kind, levels), memlock)| Setup {
        kind,
        levels,
        ram: 2 << 20,
        rules,
        limits: Limits { memlock, open_files: 24, sys_resource: true },
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
