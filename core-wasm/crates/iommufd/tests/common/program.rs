//! Programs made of bytes: any bytes are one, each a list of system calls with structs that are sense or nonsense.
//!
//! A request's fields are drawn from what such fields are mostly: ids of objects, addresses of the program's memory, round IOVAs. Now and then
//! a field is anything, so that whatever a program can ask is asked by some bytes.

use super::mock::APERTURE;
use super::{DEVICES, Errno, LARGE, Machine, PAGE, PASID_BITS, Setup, api, vfio};
use iommufd::{DeviceConfig, GroupIoas, Kernel, Kind, Limits, PageRequest, PasidConfig, Rules};
use uapi::{REQUESTS, selftest};

/// Where the program has its data: an address of few bytes.
const DATA: u64 = 0x2_0000;
const DATA_PAGES: u64 = 8;
/// One more device of the machine: it has PASIDs and asks for pages that are missing.
const ASKING: u32 = DEVICES;
/// Numbers that flags, operations and counts are below.
const SMALL: u8 = 32;
/// Types of data and of objects.
const TYPES: [u32; 8] = [0, 1, 2, 3, 4, 0xdead, 0xdead_beef, 0xfeed_beef];

/// The fields behind the size, by name of the request; other requests are words of any kind.
///
/// Of 4 bytes: `g` a feature and what to do with it, `x` the feature DMA_BUF, `b` 0 to 2, `z` 0, `i` an object's id, `f` flags, `s` a small number, `t` a type, `d` a file. Of 8 bytes: `Z` 0, `P` an address of the
/// program, `L` a length, `V` an IOVA, `S` a small number.
const FIELDS: [(&str, &str); 30] = [
    ("DESTROY", "i"),
    ("IOAS_ALLOC", "zz"),
    ("IOAS_ALLOW_IOVAS", "iszP"),
    ("IOAS_COPY", "fiiLVV"),
    ("IOAS_IOVA_RANGES", "iszPZ"),
    ("IOAS_MAP", "fizPLV"),
    ("IOAS_UNMAP", "iVL"),
    ("OPTION", "ssiS"),
    ("VFIO_IOAS", "is"),
    ("HWPT_ALLOC", "fiizztsPiz"),
    ("GET_HW_INFO", "fisPtzZ"),
    ("HWPT_SET_DIRTY_TRACKING", "fiz"),
    ("HWPT_GET_DIRTY_BITMAP", "ifzVLLP"),
    ("HWPT_INVALIDATE", "iPtssz"),
    ("FAULT_QUEUE_ALLOC", "zzz"),
    ("IOAS_MAP_FILE", "fidLLV"),
    ("VIOMMU_ALLOC", "ztiizszP"),
    ("VDEVICE_ALLOC", "iizS"),
    ("IOAS_CHANGE_PROCESS", "z"),
    ("VEVENTQ_ALLOC", "zitszzz"),
    ("HW_QUEUE_ALLOC", "zitszVL"),
    ("IOAS_NOIOMMU_GET_PA", "fizVLZ"),
    ("DEVICE_SET_IRQS", "ssss"),
    ("DEVICE_BIND_IOMMUFD", "zdzZ"),
    ("DEVICE_ATTACH_IOMMUFD_PT", "fis"),
    ("DEVICE_DETACH_IOMMUFD_PT", "fs"),
    ("DEVICE_FEATURE", "gLSPP"),
    ("DEVICE_GET_IRQ_INFO", "fsz"),
    ("SIMULATED_DEVICE_SET_LABEL", "fS"),
    ("TEST_CMD", "siVLPSSSS"),
];

/// The fields of FEATURE that make a dma-buf of a BAR, every other time.
const DMA_BUF: &str = "xbzzbLLLL";

/// A program, and where it is.
pub struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    /// The next byte; 0 when all are read.
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    fn small(&mut self) -> u64 {
        u64::from(self.byte() % SMALL)
    }

    fn raw<const N: usize>(&mut self) -> [u8; N] {
        [0; N].map(|_| self.byte())
    }

    /// 8 bytes of any kind.
    fn word(&mut self) -> u64 {
        let kind = self.byte();
        match kind {
            0..=119 => u64::from(kind % SMALL) | self.small() << 32,
            120..=167 => self.field(b'P', 0),
            168..=199 => self.field(b'V', 0),
            200..=223 => self.field(b'L', 0),
            224..=239 => BORDERS[usize::from(kind % 8)],
            _ => u64::from_le_bytes(self.raw()),
        }
    }

    /// A field of a kind, which its first byte decides.
    fn field(&mut self, kind: u8, first: u8) -> u64 {
        if first >= 248 {
            return self.word();
        }
        match kind {
            b'z' | b'Z' => 0,
            b'i' => u64::from(first % 8),
            b'f' => u64::from(first % 8),
            b'g' => u64::from(first % 4) << 16 | u64::from(5 + first / 4 % 4),
            b'x' if !first.is_multiple_of(8) => u64::from(vfio::DEVICE_FEATURE_GET | vfio::DEVICE_FEATURE_DMA_BUF),
            b'x' => u64::from(first / 8 % 8) << 16 | u64::from(vfio::DEVICE_FEATURE_DMA_BUF),
            b'b' => u64::from(first % 3),
            b't' => u64::from(TYPES[usize::from(first % 8)]),
            b'd' => 3 + u64::from(first % 12),
            b'P' => DATA + self.small() % DATA_PAGES * PAGE + [0, 0, 0, 8, 2048][usize::from(first % 5)],
            b'L' => [PAGE, PAGE, 2 * PAGE, 4 * PAGE, 8 * PAGE, 2048, 1, 0][usize::from(first % 8)],
            b'V' => APERTURE + LARGE + self.small() % 8 * PAGE - 4 * PAGE + [0, 0, 0, 0, 2048][usize::from(first % 5)],
            _ => u64::from(first % SMALL),
        }
    }

    fn fields(&mut self, kinds: &str) -> Vec<u8> {
        let mut bytes = vec![0; 4];
        for &kind in kinds.as_bytes() {
            let first = self.byte();
            let value = self.field(kind, first);
            let length = if kind.is_ascii_lowercase() { 4 } else { 8 };
            bytes.extend(&value.to_le_bytes()[..length]);
        }
        bytes
    }

    fn words(&mut self, length: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..length.div_ceil(8)).flat_map(|_| self.word().to_le_bytes()).collect();
        bytes.truncate(length);
        bytes
    }
}

/// Numbers at which something ends.
const BORDERS: [u64; 8] = [u64::MAX, u64::MAX - PAGE + 1, 1 << 63, LARGE, 2048, 0xfee0_0000, 1 << 32, 1 << 48];

/// One system call, or something that a device does.
#[derive(Clone, Debug)]
pub enum Step {
    OpenIommufd,
    OpenDevice(u32),
    /// File, number, struct.
    Ioctl(u8, u32, Vec<u8>),
    Close(usize),
    Mmap(u64, u32),
    Munmap(u64),
    Memfd(u64),
    Eventfd,
    Read(usize, u64),
    Write(usize, u64),
    Poll(usize),
    /// Offset, bytes.
    Poke(u64, Vec<u8>),
    /// Device, PASID, IOVA, length, whether it writes.
    Dma(u32, Option<u32>, u64, u64, bool),
    /// The device that asks for pages does so.
    Ask(PageRequest),
    /// A device that leaves, or comes back.
    Plug(u32, bool),
    Raise(u32, u32),
    /// A device, and whether it answers to memory accesses.
    Answer(u32, bool),
}

impl Bytes<'_> {
    fn step(&mut self) -> Step {
        match self.byte() % 27 {
            0 => Step::OpenIommufd,
            1 | 2 => Step::OpenDevice(self.small() as u32 % (ASKING + 2)),
            3 => Step::Close(self.small() as usize),
            4 => Step::Mmap(DATA + self.small() % DATA_PAGES * PAGE, 1 + 2 * (self.small() as u32 & 1)),
            5 => Step::Munmap(DATA + self.small() % DATA_PAGES * PAGE),
            6 => Step::Memfd(self.small() * PAGE / 2),
            7 => Step::Eventfd,
            8 => Step::Read(self.small() as usize, 8 * self.small()),
            9 => Step::Write(self.small() as usize, 8 * self.small()),
            10 => Step::Poll(self.small() as usize),
            11 | 12 => Step::Poke(8 * self.small(), {
                let length = 8 * self.small() as usize;
                self.words(length)
            }),
            13 => {
                let device = self.small() as u32 % (ASKING + 1);
                Step::Dma(device, self.pasid(), self.word(), self.small() * 512, self.small() & 1 != 0)
            }
            14 => Step::Raise(self.small() as u32 % DEVICES, self.small() as u32 % 6),
            15 => Step::Answer(self.small() as u32 % DEVICES, self.small() & 1 != 0),
            16 | 17 => {
                let (pasid, group, permissions) = (self.pasid(), self.small() as u32 % 4, self.small() as u32);
                Step::Ask(PageRequest { pasid, group, permissions, address: self.field(b'V', 0), last: self.small() & 3 != 0 })
            }
            18 => Step::Plug(self.small() as u32 % (ASKING + 2), self.small() & 1 != 0),
            _ => self.ioctl(),
        }
    }

    /// Mostly none.
    fn pasid(&mut self) -> Option<u32> {
        Some(self.small() as u32).filter(|&pasid| pasid != 0 && pasid < 8)
    }

    fn ioctl(&mut self) -> Step {
        let (file, how, which) = (self.byte(), self.byte(), self.byte());
        let row = &REQUESTS[usize::from(which) % REQUESTS.len()];
        let kinds = FIELDS.iter().find(|(name, _)| *name == row.name).map(|(_, kinds)| *kinds);
        let kinds = if row.name == "DEVICE_FEATURE" && how & 1 != 0 { Some(DMA_BUF) } else { kinds };
        let mut bytes = match kinds {
            Some(kinds) if how < 240 => self.fields(kinds),
            _ => self.words(row.size.max(8)),
        };
        if how % 16 == 0 {
            bytes.extend(self.words(8));
        }
        // The size that the struct has; else whatever comes.
        let size = if how < 248 { bytes.len() as u32 } else { self.word() as u32 };
        bytes[..4].copy_from_slice(&size.to_le_bytes());
        let number = if how == 255 { row.number ^ 1 << (self.small() % 16) } else { row.number };
        Step::Ioctl(file, number, bytes)
    }
}

/// The steps of a program: its first byte says what machine it runs on.
pub fn parse(bytes: &[u8]) -> (Setup, Vec<Step>) {
    let mut bytes = Bytes(bytes);
    let setup = setup(bytes.byte());
    // So that the first bytes find something: two IOASes, and a device that is bound.
    let space = Step::Ioctl(0, api::IOAS_ALLOC, [12, 0, 0].map(u32::to_le_bytes).concat());
    let bind = Step::Ioctl(0, vfio::DEVICE_BIND_IOMMUFD, [24, 0, 3, 0, 0, 0].map(u32::to_le_bytes).concat());
    let mut steps = vec![Step::OpenIommufd, Step::OpenDevice(0), Step::OpenDevice(2), space.clone(), space, bind];
    while !bytes.0.is_empty() {
        steps.push(bytes.step());
    }
    (setup, steps)
}

fn setup(byte: u8) -> Setup {
    let kinds = [Kind::VtdSs, Kind::AmdV1, Kind::AmdMock, Kind::AmdMock, Kind::VtdFs, Kind::AmdV2, Kind::ArmS1Granule4K, Kind::RiscV];
    let kind = kinds[usize::from(byte % 4 + byte / 128 * 4)];
    let group_ioas = if byte & 4 == 0 { GroupIoas::Linux } else { GroupIoas::Requester };
    let memlock = (byte & 8 != 0).then_some(20 * PAGE);
    Setup {
        kind,
        levels: if kind == Kind::AmdMock { 3 } else { 4 },
        scalable: kind == Kind::VtdFs || matches!(kind, Kind::VtdSs | Kind::ArmS1Granule4K | Kind::RiscV) && byte & 32 != 0,
        both_stages: kind == Kind::ArmS1Granule4K && byte & 16 != 0,
        tracks_dirty: byte & 32 != 0,
        batch: if byte & 64 != 0 { 3 } else { 0 },
        ram: 1 << 20,
        rules: Rules { single_open: byte & 16 != 0, group_ioas },
        limits: Limits { memlock, open_files: 24, sys_resource: true, sys_rawio: true },
        ..Setup::default()
    }
}

/// What a file of the program is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FileKind {
    Iommufd,
    Device,
    Other,
}

/// A program at work.
pub struct Program {
    pub m: Machine,
    files: Vec<(FileKind, u32)>,
}

impl Program {
    pub fn new(setup: Setup) -> Program {
        let mut m = Machine::with(setup);
        let group = m.kernel.add_group().unwrap();
        let pasids = PasidConfig { bits: PASID_BITS, execute: true, privileged: true };
        let config = DeviceConfig { page_requests: true, pasids, ..DeviceConfig::new(group, 0x99) };
        assert_eq!(m.kernel.add_device(config), Ok(ASKING));
        assert_eq!(m.kernel.mmap(DATA, DATA_PAGES * PAGE, 3, 0x32, -1, 0), Ok(DATA));
        Program { m, files: Vec::new() }
    }

    fn file(&self, which: usize) -> i32 {
        self.files.get(which).map_or(which as i32, |&(_, file)| file as i32)
    }

    /// The file that a request goes to: mostly one of the kind that knows it.
    fn file_for(&self, which: u8, number: u32) -> i32 {
        let is_iommufd = number < vfio::DEVICE_GET_INFO - 7 || (api::DESTROY..0x3bf0).contains(&number);
        let kind = if is_iommufd { FileKind::Iommufd } else { FileKind::Device };
        let count = self.files.iter().filter(|file| file.0 == kind).count();
        if which >= 240 || count == 0 {
            return self.file(usize::from(which % SMALL));
        }
        let mut fitting = self.files.iter().filter(|file| file.0 == kind);
        fitting.nth(usize::from(which) % count).map_or(-1, |file| file.1 as i32)
    }

    /// A step, and what it came to. Each allocation that it takes has failed before.
    pub fn step(&mut self, step: &Step) -> Result<u64, Errno> {
        let result = match *step {
            Step::OpenIommufd => self.open(FileKind::Iommufd, Kernel::open_iommufd),
            Step::OpenDevice(device) => self.open(FileKind::Device, |kernel| kernel.open_device(device)),
            Step::Memfd(length) => self.open(FileKind::Other, |kernel| kernel.memfd(length)),
            Step::Eventfd => self.open(FileKind::Other, |kernel| kernel.eventfd(0, 0)),
            Step::Mmap(at, prot) => self.m.starving(|kernel| kernel.mmap(at, PAGE, prot, 0x32, -1, 0)),
            Step::Munmap(at) => self.m.starving(|kernel| kernel.munmap(at, PAGE)).map(|()| 0),
            Step::Raise(device, index) => self.m.starving(|kernel| kernel.raise(device, index, 0)).map(|_| 0),
            Step::Answer(device, enabled) => self.m.kernel.set_memory_enabled(device, enabled).map(|()| 0),
            Step::Ioctl(which, number, ref bytes) => {
                let file = self.file_for(which, number);
                let (result, after) = self.m.raw(file as u32, number, bytes);
                self.note_files(&after);
                self.note_files(&result.unwrap_or(0).to_le_bytes());
                result.map(u64::from)
            }
            Step::Close(which) => {
                let file = self.file(which);
                let result = self.m.starving(|kernel| kernel.close(file));
                self.files.retain(|known| known.1 as i32 != file);
                result.map(u64::from)
            }
            Step::Read(which, length) => {
                let file = self.file(which);
                self.m.starving(|kernel| kernel.read(file, DATA, length))
            }
            Step::Write(which, length) => {
                let file = self.file(which);
                self.m.starving(|kernel| kernel.write(file, DATA, length))
            }
            Step::Poll(which) => self.m.kernel.poll(self.file(which)).map(u64::from),
            Step::Poke(at, ref bytes) => self.m.kernel.poke(DATA + at, bytes).map(|_| 0),
            Step::Dma(device, pasid, iova, length, is_write) => Ok(self.transfer(device, pasid, iova, length, is_write)),
            Step::Ask(request) => self.ask(request),
            Step::Plug(device, true) => self.m.starving(|kernel| kernel.plug(device)).map(u64::from),
            Step::Plug(device, false) => self.m.starving(|kernel| kernel.unplug(device)).map(u64::from),
        };
        // Linux's mock IOMMU says this of a queue without the one before it, and of pages that are not pinned so often.
        let is_answer = match step {
            Step::Ioctl(_, selftest::TEST_CMD, bytes) => bytes.get(4..8) == Some(&selftest::TEST_OP_MD_CHECK_REFS.to_le_bytes()),
            Step::Ioctl(_, number, _) => *number == api::HW_QUEUE_ALLOC,
            _ => false,
        };
        let is_bug = result == Err(Errno::EIO) && !is_answer;
        assert!(!is_bug, "an error that means a bug: {step:?}");
        self.m.check();
        result
    }

    fn open(&mut self, kind: FileKind, open: impl Fn(&mut Kernel) -> Result<u32, Errno>) -> Result<u64, Errno> {
        let file = self.m.starving(open)?;
        self.files.push((kind, file));
        Ok(u64::from(file))
    }

    /// A request for a page; what was answered of others before is taken, as devices do.
    fn ask(&mut self, request: PageRequest) -> Result<u64, Errno> {
        while self.m.kernel.take_page_response().is_some() {}
        self.m.kernel.page_request(ASKING, request).map(|answer| answer.map_or(0, |answer| answer as u64))
    }

    /// The code of the reason for which a transfer was refused; 0 if it was not.
    fn transfer(&mut self, device: u32, pasid: Option<u32>, iova: u64, length: u64, is_write: bool) -> u64 {
        let Machine { kernel, staging, .. } = &mut self.m;
        let moved = if is_write {
            kernel.dma_write(device, pasid, iova, *staging, length)
        } else {
            kernel.dma_read(device, pasid, iova, *staging, length)
        };
        moved.map_or_else(|reason| u64::from(reason.code()), |_| 0)
    }

    /// Files that a request made stand somewhere in its struct: those that were not known are.
    fn note_files(&mut self, after: &[u8]) {
        for word in after.as_chunks::<4>().0 {
            let file = u32::from_le_bytes(*word);
            let is_known = self.files.iter().any(|known| known.1 == file);
            if (3..64).contains(&file) && !is_known && self.m.kernel.poll(file as i32).is_ok() {
                self.files.push((FileKind::Other, file));
            }
        }
    }
}
