//! What devices reach, as a model that knows nothing of objects, page tables and pins: which iommufd has a group, which IOAS each set of
//! devices is attached to, and which page each IOVA is. After each request every device tries every IOVA.

use super::*;
use std::collections::BTreeMap;

const DEVICE_LIST: [u32; 5] = [EDU, FUNCTION_0, FUNCTION_1, BRIDGED_0, BRIDGED_1];
/// Their groups, and their sets where requesters can be told apart.
const GROUPS: [usize; 5] = [0, 1, 1, 2, 2];
const REQUESTERS: [usize; 5] = [0, 1, 2, 3, 3];
/// Pages of memory, and IOVAs of each IOAS that are used.
const SLOTS: usize = 4;
/// Across the border of two tables.
const IOVA: u64 = LARGE - 2 * PAGE;
/// An iommufd's IOASes have these ids. An IOAS's number is that of its iommufd, times two, plus 0 or 1.
const IDS: [u32; 2] = [1, 2];

/// A machine, and what it must be like.
pub struct World {
    m: Machine,
    /// For each device, which set it is in.
    sets: [usize; 5],
    iommus: [Option<u32>; 2],
    fds: [Option<u32>; 5],
    /// Which iommufd.
    bound: [Option<usize>; 5],
    /// Which IOAS.
    attached: [Option<usize>; 5],
    /// For each IOAS, by slot: the page and what devices may do.
    maps: [BTreeMap<usize, (usize, u32)>; 4],
    memory: u64,
    /// What each page holds.
    content: [[u8; 2]; SLOTS],
}

impl World {
    /// A machine by Linux's rules or by ours, with two iommufds of two IOASes each. No device is open.
    pub fn new(ours: bool) -> World {
        let mut m = Machine::with(if ours { Setup::ours() } else { Setup::default() });
        let iommus = [0; 2].map(|_| {
            let iommu = m.iommu();
            assert_eq!([m.ioas(iommu), m.ioas(iommu)], IDS);
            Some(iommu)
        });
        let memory = m.memory(SLOTS as u64 * PAGE);
        let sets = if ours { REQUESTERS } else { GROUPS };
        let mut world = World {
            m,
            sets,
            iommus,
            fds: [None; 5],
            bound: [None; 5],
            attached: [None; 5],
            maps: Default::default(),
            memory,
            content: [[0; 2]; SLOTS],
        };
        for page in 0..SLOTS {
            world.content[page] = [page as u8 + 1, 0];
            world.m.kernel.poke(world.page(page) + 5, &world.content[page]).unwrap();
        }
        world
    }

    fn page(&self, page: usize) -> u64 {
        self.memory + page as u64 * PAGE
    }

    /// The IOAS that transfers of a device go through: that of its set.
    fn view(&self, device: usize) -> Option<usize> {
        let members = (0..5).filter(|&member| self.sets[member] == self.sets[device]);
        members.filter_map(|member| self.attached[member]).next()
    }

    /// One request, which must answer as the model says; then every device tries everything.
    pub fn step(&mut self, [op, a, b, c]: [u8; 4]) {
        let (device, ioas) = (a as usize % 5, b as usize % 4);
        let (slot, page) = (c as usize % SLOTS, c as usize / SLOTS % SLOTS);
        match op % 12 {
            0 | 1 => self.open(device),
            2 | 3 => self.bind(device, b as usize % 2),
            4 | 5 => self.attach(device, b as usize % 2),
            6 => self.detach(device),
            7 => self.close(device),
            8 | 9 => self.map(ioas, slot, page, [RW, READ, WRITE, RW][c as usize / 16 % 4]),
            10 => self.unmap(ioas, slot),
            _ if c < 16 => self.close_iommu(b as usize % 2),
            _ => self.copy(ioas, slot, page),
        }
        self.probe_all();
        self.write(device, slot, c);
        (0..SLOTS).for_each(|page| assert_eq!(self.m.peek(self.page(page) + 5, 2), self.content[page]));
    }

    fn probe_all(&mut self) {
        for device in 0..5 {
            (0..SLOTS).for_each(|slot| self.probe(device, slot));
        }
    }

    /// Closes all devices: with its fd each loses all that it could reach.
    pub fn finish(mut self) {
        for device in 0..5 {
            self.close(device);
            self.probe_all();
        }
        self.m.finish();
    }

    fn open(&mut self, device: usize) {
        if self.fds[device].is_none() {
            self.fds[device] = Some(self.m.open(DEVICE_LIST[device]));
        }
    }

    fn bind(&mut self, device: usize, iommu: usize) {
        let (Some(fd), Some(iommufd)) = (self.fds[device], self.iommus[iommu]) else { return };
        let owner = (0..5).filter(|&member| GROUPS[member] == GROUPS[device]).find_map(|member| self.bound[member]);
        let expected = match owner {
            _ if self.bound[device].is_some() => Err(Errno::EINVAL),
            Some(owner) if owner != iommu => Err(Errno::EPERM),
            _ => Ok(()),
        };
        assert_eq!(self.m.bind(fd, iommufd).map(|_| ()), expected);
        if expected.is_ok() {
            self.bound[device] = Some(iommu);
        }
    }

    fn attach(&mut self, device: usize, which: usize) {
        let Some(fd) = self.fds[device] else { return };
        let Some(iommu) = self.bound[device] else {
            assert_eq!(self.m.attach(fd, IDS[which]), Err(Errno::EINVAL));
            return;
        };
        let ioas = 2 * iommu + which;
        let elsewhere = self.attached[device].is_none() && self.view(device).is_some_and(|view| view != ioas);
        let expected = if elsewhere { Err(Errno::EINVAL) } else { Ok(()) };
        assert_eq!(self.m.attach(fd, IDS[which]).map(|_| ()), expected);
        if expected.is_ok() {
            self.attached[device] = Some(ioas);
            // Those of its set that are attached come along.
            for member in (0..5).filter(|&member| self.sets[member] == self.sets[device]) {
                self.attached[member] = self.attached[member].map(|_| ioas);
            }
        }
    }

    fn detach(&mut self, device: usize) {
        if let (Some(fd), Some(_)) = (self.fds[device], self.bound[device]) {
            self.m.detach(fd);
            self.attached[device] = None;
        }
    }

    fn close(&mut self, device: usize) {
        if let Some(fd) = self.fds[device].take() {
            self.m.close(fd);
            (self.bound[device], self.attached[device]) = (None, None);
        }
    }

    fn close_iommu(&mut self, iommu: usize) {
        if let Some(fd) = self.iommus[iommu].take() {
            self.m.close(fd);
        }
    }

    fn map(&mut self, ioas: usize, slot: usize, page: usize, prot: u32) {
        let Some(iommu) = self.iommus[ioas / 2] else { return };
        let expected = if self.maps[ioas].contains_key(&slot) { Err(Errno::EEXIST) } else { Ok(()) };
        let va = self.page(page);
        let result = self.m.map(iommu, IDS[ioas % 2], va, PAGE, prot | FIXED, iova(slot));
        assert_eq!(result.map(|_| ()), expected);
        self.maps[ioas].entry(slot).or_insert((page, prot));
    }

    fn unmap(&mut self, ioas: usize, slot: usize) {
        let Some(iommu) = self.iommus[ioas / 2] else { return };
        let expected = if self.maps[ioas].remove(&slot).is_some() { Ok(PAGE) } else { Err(Errno::ENOENT) };
        assert_eq!(self.m.unmap(iommu, IDS[ioas % 2], iova(slot), PAGE), expected);
    }

    /// From one IOAS of an iommufd to the other, to be read.
    fn copy(&mut self, from: usize, slot: usize, to: usize) {
        let Some(iommu) = self.iommus[from / 2] else { return };
        let other = from ^ 1;
        let expected = match self.maps[from].get(&slot) {
            None => Err(Errno::ENOENT),
            Some(_) if self.maps[other].contains_key(&to) => Err(Errno::EEXIST),
            Some(&(page, _)) => Ok(page),
        };
        let result = self.m.copy(iommu, (IDS[from % 2], iova(slot)), (IDS[other % 2], iova(to)), PAGE, READ | FIXED);
        assert_eq!(result, expected.map(|_| iova(to)));
        if let Ok(page) = expected {
            self.maps[other].insert(to, (page, READ));
        }
    }

    /// What a transfer of a device at a slot must come to: the page, or why not.
    fn expected(&self, device: usize, slot: usize, right: u32, denied: FaultReason) -> Result<usize, FaultReason> {
        let ioas = self.view(device).ok_or(FaultReason::Blocked)?;
        let &(page, prot) = self.maps[ioas].get(&slot).ok_or(FaultReason::NotPresent)?;
        if prot & right != 0 { Ok(page) } else { Err(denied) }
    }

    fn probe(&mut self, device: usize, slot: usize) {
        let expected = self.expected(device, slot, READ, FaultReason::NoRead).map(|page| self.content[page].to_vec());
        assert_eq!(self.m.read(DEVICE_LIST[device], iova(slot) + 5, 2), expected, "device {device} at slot {slot}");
    }

    fn write(&mut self, device: usize, slot: usize, value: u8) {
        let expected = self.expected(device, slot, WRITE, FaultReason::NoWrite);
        assert_eq!(self.m.write(DEVICE_LIST[device], iova(slot) + 6, &[value]), expected.map(|_| ()));
        if let Ok(page) = expected {
            self.content[page][1] = value;
        }
    }
}

fn iova(slot: usize) -> u64 {
    IOVA + slot as u64 * PAGE
}
