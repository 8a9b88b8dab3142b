//! The process's memory against the dumbest model: a map of pages, and a map of bytes.

use iommu::{
    FRAME, MAP_32BIT, MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_HUGETLB, MAP_PRIVATE, MAP_SHARED, MAP_SHARED_VALIDATE, MemFile,
    PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE, Pa, Ram, Run, UserMemory,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use uapi::Errno;

const RAM_BYTES: usize = 24 << 20;
const LARGE: u64 = 2 << 20;
const RW: u32 = PROT_READ | PROT_WRITE;
const ANONYMOUS: u32 = MAP_PRIVATE | MAP_ANONYMOUS;
/// Where operations at given addresses meet each other.
const WINDOW: u64 = 0x10_0000;
const WINDOW_PAGES: u64 = 24;
/// The length of the model's file: its last page is not full.
const FILE_LENGTH: u64 = 3 * FRAME - 100;

#[derive(Clone, Copy, Debug)]
enum Place {
    Window { page: u64 },
    Mapped { which: usize, page: u64 },
}

#[derive(Clone, Copy, Debug)]
enum Source {
    Anonymous,
    Shared { page: u64 },
    Private { page: u64 },
}

#[derive(Clone, Debug)]
enum Operation {
    Map { at: Option<Place>, fixed: u32, length: u64, prot: u32, source: Source },
    Unmap { at: Place, length: u64 },
    Write { at: Place, offset: u64, length: usize, value: u8 },
    Read { at: Place, offset: u64, length: usize },
    Resolve { at: Place, offset: u64, length: u64, write: bool },
}

fn places() -> impl Strategy<Value = Place> + Clone {
    prop_oneof![
        3 => (0..WINDOW_PAGES).prop_map(|page| Place::Window { page }),
        1 => (any::<usize>(), 0_u64..4).prop_map(|(which, page)| Place::Mapped { which, page }),
    ]
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let source = prop_oneof![
        3 => Just(Source::Anonymous),
        1 => (0_u64..4).prop_map(|page| Source::Shared { page }),
        1 => (0_u64..4).prop_map(|page| Source::Private { page }),
    ];
    let prot = prop_oneof![4 => Just(RW), 1 => 0_u32..8];
    let length = prop_oneof![8 => 1..9 * FRAME, 1 => LARGE..3 * LARGE];
    let fixed = prop_oneof![Just(0), Just(MAP_FIXED), Just(MAP_FIXED_NOREPLACE)];
    let byte = 0..FRAME;
    let operation = prop_oneof![
        4 => (prop::option::of(places()), fixed, length, prot, source)
            .prop_map(|(at, fixed, length, prot, source)| Operation::Map { at, fixed, length, prot, source }),
        3 => (places(), 1..6 * FRAME).prop_map(|(at, length)| Operation::Unmap { at, length }),
        4 => (places(), byte.clone(), 0_usize..9000, any::<u8>())
            .prop_map(|(at, offset, length, value)| Operation::Write { at, offset, length, value }),
        2 => (places(), byte.clone(), 0_usize..9000).prop_map(|(at, offset, length)| Operation::Read { at, offset, length }),
        2 => (places(), byte, 0..6 * FRAME, any::<bool>())
            .prop_map(|(at, offset, length, write)| Operation::Resolve { at, offset, length, write }),
    ];
    prop::collection::vec(operation, 1..80)
}

/// A page of the model: which page of which store, if any.
#[derive(Clone, Copy, Debug)]
struct Page {
    prot: u32,
    store: Option<(usize, u64)>,
}

struct Model {
    pages: BTreeMap<u64, Page>,
    /// Bytes written, by store and offset. Store 0 is the file.
    bytes: BTreeMap<(usize, u64), u8>,
    stores: usize,
}

impl Model {
    fn at(&self, va: u64, any_of: u32) -> Option<(usize, u64)> {
        let page = self.pages.get(&(va / FRAME)).filter(|page| page.prot & any_of != 0)?;
        page.store.map(|(store, at)| (store, at * FRAME + va % FRAME))
    }

    /// Bytes from `va` on that the model has, up to the first that it has not.
    fn allowed(&self, va: u64, length: u64, any_of: u32) -> u64 {
        (0..length).find(|&at| self.at(va + at, any_of).is_none()).unwrap_or(length)
    }

    fn byte(&self, va: u64) -> u8 {
        self.at(va, 7).and_then(|key| self.bytes.get(&key).copied()).unwrap_or(0)
    }

    fn map(&mut self, va: u64, pages: u64, prot: u32, source: Source) {
        let file_pages = FILE_LENGTH.div_ceil(FRAME);
        let new = self.stores;
        self.stores += 1;
        for page in 0..pages {
            let store = match source {
                Source::Anonymous => Some((new, page)),
                Source::Shared { page: from } => (from + page < file_pages).then_some((0, from + page)),
                Source::Private { page: from } if from + page < file_pages => {
                    let at = (from + page) * FRAME;
                    let copy: Vec<_> = self.bytes.range((0, at)..(0, at + FRAME)).map(|(key, byte)| (key.1 - at, *byte)).collect();
                    self.bytes.extend(copy.into_iter().map(|(offset, byte)| ((new, page * FRAME + offset), byte)));
                    Some((new, page))
                }
                Source::Private { .. } => None,
            };
            self.pages.insert(va / FRAME + page, Page { prot, store });
        }
    }
}

struct Machine {
    ram: Ram,
    user: UserMemory,
    file: MemFile,
    model: Model,
    mapped: Vec<u64>,
}

impl Machine {
    fn new() -> Machine {
        let mut ram = Ram::with_bytes(RAM_BYTES).expect("the test machine has memory");
        let file = MemFile::new(&mut ram, FILE_LENGTH).expect("there is RAM");
        let model = Model { pages: BTreeMap::new(), bytes: BTreeMap::new(), stores: 1 };
        Machine { ram, user: UserMemory::new(), file, model, mapped: Vec::new() }
    }

    fn address(&self, place: Place) -> u64 {
        match place {
            Place::Mapped { which, page } if !self.mapped.is_empty() => self.mapped[which % self.mapped.len()] + page * FRAME,
            Place::Window { page } | Place::Mapped { page, .. } => WINDOW + page * FRAME,
        }
    }

    fn map(&mut self, at: Option<Place>, fixed: u32, length: u64, prot: u32, source: Source) {
        let fixed = if at.is_none() { 0 } else { fixed };
        let at = at.map_or(0, |place| self.address(place));
        let (kind, file) = match source {
            Source::Anonymous => (ANONYMOUS, None),
            Source::Shared { page } => (MAP_SHARED, Some((&self.file, page * FRAME))),
            Source::Private { page } => (MAP_PRIVATE, Some((&self.file, page * FRAME))),
        };
        let pages = length.div_ceil(FRAME);
        let is_free = |va: u64| self.model.pages.range(va / FRAME..va / FRAME + pages).next().is_none();
        let free = self.ram.statistics().free;
        match self.user.mmap(&mut self.ram, at, length, prot, kind | fixed, file) {
            Ok(va) => {
                assert_eq!(va % FRAME, 0);
                assert!(fixed == 0 || va == at, "a fixed address is obeyed");
                assert!(fixed == MAP_FIXED || is_free(va), "only MAP_FIXED replaces");
                let hinted = fixed == 0 && at != 0 && is_free(at);
                assert!(!hinted || va == at, "a free hint is taken");
                assert!(fixed != 0 || va == at || length < LARGE || va % LARGE == 0, "long mappings are aligned");
                self.model.map(va, pages, prot, source);
                self.mapped.push(va);
            }
            Err(Errno::EEXIST) => assert!(fixed == MAP_FIXED_NOREPLACE && !is_free(at)),
            Err(errno) => {
                assert_eq!(errno, Errno::ENOMEM);
                // Memory is in one piece, which there may not be while there are bytes enough.
                assert_eq!(self.ram.alloc(length), None, "{length} bytes fit into {free}");
            }
        }
    }

    fn unmap(&mut self, at: u64, length: u64) {
        assert_eq!(self.user.munmap(&mut self.ram, at, length), Ok(()));
        for page in 0..length.div_ceil(FRAME) {
            self.model.pages.remove(&(at / FRAME + page));
        }
    }

    fn write(&mut self, va: u64, length: usize, value: u8) {
        let data: Vec<u8> = (0..length).map(|at| value.wrapping_add(at as u8)).collect();
        let allowed = self.model.allowed(va, length as u64, PROT_WRITE);
        let expected = if allowed == length as u64 { Ok(()) } else { Err(Errno::EFAULT) };
        assert_eq!(self.user.copy_out(&mut self.ram, va, &data), expected);
        for (at, &byte) in data[..allowed as usize].iter().enumerate() {
            let key = self.model.at(va + at as u64, PROT_WRITE).expect("writable");
            self.model.bytes.insert(key, byte);
        }
    }

    fn read(&mut self, va: u64, length: usize) {
        let mut data = vec![0; length];
        let allowed = self.model.allowed(va, length as u64, 7);
        let expected = if allowed == length as u64 { Ok(()) } else { Err(Errno::EFAULT) };
        assert_eq!(self.user.copy_in(&self.ram, va, &mut data), expected);
        for (at, &byte) in data[..allowed as usize].iter().enumerate() {
            assert_eq!(byte, self.model.byte(va + at as u64), "byte {at}");
        }
        match self.user.view(va, length as u64) {
            Ok(pa) => assert_eq!(self.ram.bytes(pa, length), data),
            // The first obstacle counts, and what is not contiguous may come before what is not there.
            Err(Errno::EINVAL) => assert!(allowed > 0),
            Err(errno) => assert!(errno == Errno::EFAULT && self.model.allowed(va, (length as u64).max(1), 7) < (length as u64).max(1)),
        }
    }

    fn resolve(&mut self, va: u64, length: u64, write: bool) {
        let need = if write { PROT_WRITE } else { PROT_READ };
        let marker = Run { pa: Pa(1), length: 2 };
        let mut runs = vec![marker];
        let result = self.user.resolve(va, length, write, &mut runs);
        assert_eq!(runs[0], marker);
        if self.model.allowed(va, length, need) < length {
            assert_eq!((result, runs.len()), (Err(Errno::EFAULT), 1));
            return;
        }
        assert_eq!(result, Ok(()));
        let data: Vec<u8> = runs[1..].iter().flat_map(|run| self.ram.bytes(run.pa, run.length as usize)).copied().collect();
        assert_eq!(data.len() as u64, length);
        for (at, byte) in (va..).zip(data) {
            assert_eq!(byte, self.model.byte(at));
        }
        let joined = runs[1..].windows(2).all(|pair| pair[0].pa.0 + pair[0].length != pair[1].pa.0);
        assert!(joined, "runs that follow each other are one");
    }

    fn run(&mut self, operation: &Operation) {
        match *operation {
            Operation::Map { at, fixed, length, prot, source } => self.map(at, fixed, length, prot, source),
            Operation::Unmap { at, length } => self.unmap(self.address(at), length),
            Operation::Write { at, offset, length, value } => self.write(self.address(at) + offset, length, value),
            Operation::Read { at, offset, length } => self.read(self.address(at) + offset, length),
            Operation::Resolve { at, offset, length, write } => self.resolve(self.address(at) + offset, length, write),
        }
    }
}

proptest! {
    #[test]
    fn user_memory_agrees_with_a_map_of_pages(operations in operations()) {
        let mut machine = Machine::new();
        for operation in &operations {
            machine.run(operation);
        }
        let Machine { mut ram, mut user, file, .. } = machine;
        file.close(&mut ram);
        user.clear(&mut ram);
        prop_assert_eq!(user.mappings(), 0);
        prop_assert_eq!(ram.statistics().used, 0, "every frame is given back");
    }
}

fn small() -> (Ram, UserMemory) {
    (Ram::with_bytes(4 << 20).expect("the test machine has memory"), UserMemory::new())
}

#[test]
fn arguments_that_make_no_sense_are_refused_with_linux_numbers() {
    let (mut ram, mut user) = small();
    let file = MemFile::new(&mut ram, FRAME).expect("there is RAM");
    let cases = [
        ((0, 0, RW, ANONYMOUS, None), Errno::EINVAL),
        ((0, u64::MAX, RW, ANONYMOUS, None), Errno::ENOMEM),
        ((0, 1 << 47, RW, ANONYMOUS, None), Errno::ENOMEM),
        ((0, FRAME, RW, MAP_ANONYMOUS, None), Errno::EINVAL),
        ((0, FRAME, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, None), Errno::EINVAL),
        ((0, FRAME, RW, 4 | MAP_ANONYMOUS, None), Errno::EINVAL),
        ((0, FRAME, RW, ANONYMOUS | MAP_HUGETLB, None), Errno::EINVAL),
        ((0, FRAME, RW, ANONYMOUS | MAP_32BIT, None), Errno::EINVAL),
        ((0, FRAME, RW, MAP_SHARED, None), Errno::EBADF),
        ((0, FRAME, RW, MAP_SHARED, Some((&file, 1))), Errno::EINVAL),
        ((0, FRAME, RW, MAP_SHARED, Some((&file, u64::MAX - FRAME + 1))), Errno::EOVERFLOW),
        ((0, FRAME, RW, MAP_SHARED_VALIDATE | 0x400_0000, Some((&file, 0))), Errno::EOPNOTSUPP),
        ((WINDOW + 1, FRAME, RW, ANONYMOUS | MAP_FIXED, None), Errno::EINVAL),
        ((0, FRAME, RW, ANONYMOUS | MAP_FIXED, None), Errno::EPERM),
        ((0xf000, FRAME, RW, ANONYMOUS | MAP_FIXED_NOREPLACE, None), Errno::EPERM),
        ((0x7fff_ffff_f000, FRAME, RW, ANONYMOUS | MAP_FIXED, None), Errno::ENOMEM),
        ((u64::MAX - FRAME + 1, FRAME, RW, ANONYMOUS | MAP_FIXED, None), Errno::ENOMEM),
        ((u64::MAX - FRAME + 1, 2 * FRAME, RW, ANONYMOUS | MAP_FIXED, None), Errno::ENOMEM),
        ((0, 5 << 20, RW, ANONYMOUS, None), Errno::ENOMEM),
    ];
    let used = ram.statistics().used;
    for ((at, length, prot, flags, file), errno) in cases {
        assert_eq!(user.mmap(&mut ram, at, length, prot, flags, file), Err(errno), "at {at:#x} length {length:#x} flags {flags:#x}");
        assert_eq!((user.mappings(), ram.statistics().used), (0, used));
    }
    for (va, length) in [(WINDOW + 1, FRAME), (WINDOW, 0), (WINDOW, u64::MAX), (u64::MAX - FRAME + 1, 2 * FRAME), (1 << 47, FRAME)] {
        assert_eq!(user.munmap(&mut ram, va, length), Err(Errno::EINVAL), "{va:#x} {length:#x}");
    }
    assert_eq!(user.munmap(&mut ram, WINDOW, FRAME), Ok(()), "nothing there is no error");
}

#[test]
fn placement_goes_down_and_an_address_that_is_free_again_is_used_again() {
    let (mut ram, mut user) = small();
    let mut map = |user: &mut UserMemory, length| user.mmap(&mut ram, 0, length, PROT_NONE, ANONYMOUS, None);
    assert_eq!(map(&mut user, FRAME), Ok(0x7fff_efff_f000));
    assert_eq!(map(&mut user, FRAME + 1), Ok(0x7fff_efff_d000));
    assert_eq!(map(&mut user, 1 << 21), Ok(0x7fff_efc0_0000));
    assert_eq!(user.munmap(&mut Ram::with_bytes(0).expect("no memory at all"), 0x7fff_efc0_0000, 1 << 21), Ok(()));
    assert_eq!(map(&mut user, FRAME), Ok(0x7fff_efff_c000));
}

#[test]
fn a_full_address_space_is_searched_for_the_highest_gap() {
    let (mut ram, mut user) = small();
    let top = 0x7fff_f000_0000_u64;
    let bottom = user.mmap(&mut ram, 0, top - 0x1_0000 - FRAME, PROT_NONE, ANONYMOUS, None).expect("there are addresses");
    let (low, high) = (bottom + 5 * FRAME, bottom + (1 << 30));
    for gap in [low, high] {
        assert_eq!(user.munmap(&mut ram, gap, FRAME), Ok(()));
    }
    let above = bottom + (top - 0x1_0000 - FRAME);
    let mut next = || user.mmap(&mut ram, 0, FRAME, PROT_NONE, ANONYMOUS, None);
    let mut found: Vec<u64> = std::iter::from_fn(|| next().ok()).collect();
    found.sort_unstable();
    let mut expected: Vec<u64> = (0x1_0000..bottom).chain(above..top).step_by(FRAME as usize).filter(|va| va % FRAME == 0).collect();
    expected.extend([low, high]);
    expected.sort_unstable();
    assert_eq!(found, expected, "every page that is free, once");
    assert_eq!(next(), Err(Errno::ENOMEM));
}

#[test]
fn a_hint_is_rounded_down_and_never_below_the_lowest_address() {
    let (mut ram, mut user) = small();
    assert_eq!(user.mmap(&mut ram, WINDOW + 5, FRAME, RW, ANONYMOUS, None), Ok(WINDOW));
    assert_eq!(user.mmap(&mut ram, 0x3000, FRAME, RW, ANONYMOUS, None), Ok(0x1_0000));
    assert_eq!(user.mmap(&mut ram, WINDOW, FRAME, RW, ANONYMOUS, None), Ok(0x7fff_efff_f000), "a hint in use is no error");
    assert_eq!(user.mmap(&mut ram, u64::MAX, FRAME, RW, ANONYMOUS, None), Ok(0x7fff_efff_e000));
}

#[test]
fn long_memory_is_aligned_to_2_mib_in_both_address_spaces() {
    let mut ram = Ram::with_bytes(16 << 20).expect("the test machine has memory");
    let mut user = UserMemory::new();
    user.mmap(&mut ram, 0, FRAME, RW, ANONYMOUS, None).expect("there is RAM");
    let va = user.mmap(&mut ram, 0, LARGE + FRAME, RW, ANONYMOUS, None).expect("there is RAM");
    let pa = user.view(va, LARGE + FRAME).expect("one piece");
    assert_eq!((va % LARGE, pa.0 % LARGE), (0, 0));
}

#[test]
fn protection_decides_what_system_calls_and_pins_may_do() {
    let (mut ram, mut user) = small();
    let cases = [
        (PROT_NONE, false, false, false, false),
        (PROT_READ, true, false, true, false),
        (PROT_WRITE, true, true, false, true),
        (PROT_EXEC, true, false, false, false),
        (RW, true, true, true, true),
    ];
    for (prot, reads, writes, pins_for_read, pins_for_write) in cases {
        let va = user.mmap(&mut ram, 0, FRAME, prot, ANONYMOUS, None).expect("there is RAM");
        let mut runs = Vec::new();
        assert_eq!(user.copy_in(&ram, va, &mut [0; 8]).is_ok(), reads, "{prot}");
        assert_eq!(user.copy_out(&mut ram, va, &[0; 8]).is_ok(), writes, "{prot}");
        assert_eq!(user.resolve(va, FRAME, false, &mut runs).is_ok(), pins_for_read, "{prot}");
        assert_eq!(user.resolve(va, FRAME, true, &mut runs).is_ok(), pins_for_write, "{prot}");
    }
}

#[test]
fn memory_that_is_pinned_outlives_its_mapping() {
    let (mut ram, mut user) = small();
    let va = user.mmap(&mut ram, 0, FRAME, RW, ANONYMOUS, None).expect("there is RAM");
    let mut runs = Vec::new();
    user.resolve(va, FRAME, true, &mut runs).expect("writable");
    ram.get_run(runs[0].pa, FRAME);
    user.copy_out(&mut ram, va, b"still here").expect("writable");
    user.munmap(&mut ram, va, FRAME).expect("aligned");
    assert_eq!(user.copy_in(&ram, va, &mut [0; 1]), Err(Errno::EFAULT));
    let other = user.mmap(&mut ram, 0, FRAME, RW, ANONYMOUS, None).expect("there is RAM");
    assert_ne!(user.view(other, FRAME), Ok(runs[0].pa));
    assert_eq!(ram.bytes(runs[0].pa, 10), b"still here");
    ram.put_run(runs[0].pa, FRAME);
    assert_eq!(ram.statistics().used, FRAME);
}

#[test]
fn a_file_has_memory_up_to_the_end_of_its_last_page() {
    let (mut ram, mut user) = small();
    let file = MemFile::new(&mut ram, FRAME + 1).expect("there is RAM");
    assert_eq!(file.run(0, 2 * FRAME).map(|run| run.length), Ok(2 * FRAME));
    for (offset, length) in [(0, 0), (0, 2 * FRAME + 1), (2 * FRAME, 1), (1, 2 * FRAME), (u64::MAX, 1), (1, u64::MAX)] {
        assert_eq!(file.run(offset, length), Err(Errno::EINVAL), "{offset} {length}");
    }
    let va = user.mmap(&mut ram, 0, 4 * FRAME, RW, MAP_SHARED, Some((&file, FRAME))).expect("beyond the end is allowed");
    assert_eq!(user.view(va, FRAME), file.run(FRAME, FRAME).map(|run| run.pa));
    assert_eq!(user.copy_out(&mut ram, va + FRAME, &[1]), Err(Errno::EFAULT));
    file.close(&mut ram);
    assert_eq!(ram.statistics().used, FRAME, "the page that is mapped stays");
    user.munmap(&mut ram, va, 4 * FRAME).expect("aligned");
    assert_eq!(ram.statistics().used, 0);
    assert!(MemFile::new(&mut ram, 0).is_ok_and(|empty| empty.run(0, 1).is_err()));
    assert_eq!(MemFile::new(&mut ram, u64::MAX).map(|_| ()), Err(Errno::ENOMEM));
}
