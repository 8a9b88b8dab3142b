//! What a program pays for IOAS_MAP and IOAS_UNMAP, as two system calls with their structs in its memory: with a device attached, where
//! memory is pinned and page tables are written, and without, where neither happens.

use criterion::{Criterion, criterion_group, criterion_main};
use iommufd::{Config, DeviceConfig, GroupIoas, IommuConfig, Kernel, Kind, Limits, Ram, Rules};
use std::time::Duration;
use uapi::iommufd::{
    HWPT_ALLOC, HwptAlloc, IOAS_ALLOC, IOAS_MAP, IOAS_MAP_FIXED_IOVA, IOAS_MAP_READABLE, IOAS_MAP_WRITEABLE, IOAS_UNMAP, IoasAlloc,
    IoasMap, IoasUnmap, OPTION, OPTION_HUGE_PAGES, OPTION_OP_SET, Option as SetOption,
};
use uapi::vfio::{DEVICE_ATTACH_IOMMUFD_PT, DEVICE_BIND_IOMMUFD, DeviceAttachIommufdPt, DeviceBindIommufd};

const PAGE: u64 = 4096;
const LARGE: u64 = 2 << 20;
const GIB: u64 = 1 << 30;
/// Aligned to the largest page there is.
const IOVA: u64 = 4 * GIB;
const DEVICE: u32 = 0;

/// A program with memory, an IOAS, and a device that is attached to it or not.
struct Program {
    kernel: Kernel,
    /// Where requests are.
    argument: u64,
    iommu: i32,
    ioas: u32,
    memory: u64,
}

impl Program {
    fn new(kind: Kind, length: u64, attached: bool, large_pages: bool) -> Program {
        let rules = Rules { single_open: true, group_ioas: GroupIoas::Requester };
        let limits = Limits { memlock: Some(2 * GIB), open_files: 16, sys_resource: false, sys_rawio: false };
        let ram = Ram::with_bytes((2 * length + (16 << 20)) as usize).expect("memory");
        let mut kernel = Kernel::new(Config { iommu: IommuConfig::new(kind, 4), rules, limits }, ram).expect("memory");
        let group = kernel.add_group().expect("memory");
        kernel.add_device(DeviceConfig::new(group, 0x18)).expect("memory");
        let argument = kernel.mmap(0, PAGE, 3, 0x22, -1, 0).expect("RAM");
        // From an aligned address on, so that 2 MiB pages are possible: memory lies in RAM as aligned as that.
        let memory = kernel.mmap(0, 2 * length, 3, 0x22, -1, 0).expect("RAM").next_multiple_of(length);
        let iommu = kernel.open_iommufd().expect("memory") as i32;
        let mut program = Program { kernel, argument, iommu, ioas: 0, memory };
        program.ioas = program.call(iommu, IOAS_ALLOC, |bytes| IoasAlloc { size: 12, ..Default::default() }.write(bytes), 8);
        if !large_pages {
            let option =
                SetOption { size: 24, option_id: OPTION_HUGE_PAGES, op: OPTION_OP_SET, object_id: program.ioas, ..Default::default() };
            program.call(iommu, OPTION, |bytes| option.write(bytes), 0);
        }
        if attached {
            program.attach();
        }
        program
    }

    /// A request; `N` is the size of its struct. Returns the number at `answer` in the struct afterwards.
    #[inline]
    fn call<const N: usize>(&mut self, fd: i32, number: u32, write: impl FnOnce(&mut [u8; N]), answer: u64) -> u32 {
        let mut bytes = [0; N];
        write(&mut bytes);
        self.kernel.poke(self.argument, &bytes).expect("it is there");
        self.kernel.ioctl(fd, number, self.argument).expect("nothing is in its way");
        let mut word = [0; 4];
        self.kernel.peek(self.argument + answer, &mut word).expect("it is there");
        u32::from_le_bytes(word)
    }

    fn attach(&mut self) {
        let (iommu, pt_id) = (self.iommu, self.ioas);
        let fd = self.kernel.open_device(DEVICE).expect("it is there") as i32;
        let bind = DeviceBindIommufd { argsz: 24, iommufd: iommu, ..Default::default() };
        let dev_id = self.call(fd, DEVICE_BIND_IOMMUFD, |bytes| bind.write(bytes), 12);
        let hwpt = HwptAlloc { size: 48, dev_id, pt_id, ..Default::default() };
        let pt_id = self.call(iommu, HWPT_ALLOC, |bytes| hwpt.write(bytes), 16);
        let attach = DeviceAttachIommufdPt { argsz: 16, pt_id, ..Default::default() };
        self.call(fd, DEVICE_ATTACH_IOMMUFD_PT, |bytes| attach.write(bytes), 8);
    }

    #[inline]
    fn map(&mut self, length: u64, iova: u64) {
        let flags = IOAS_MAP_FIXED_IOVA | IOAS_MAP_READABLE | IOAS_MAP_WRITEABLE;
        let request = IoasMap { size: 40, flags, ioas_id: self.ioas, reserved: 0, user_va: self.memory, length, iova };
        self.call(self.iommu, IOAS_MAP, |bytes| request.write(bytes), 0);
    }

    /// Returns how much went, in its low 32 bits.
    #[inline]
    fn unmap(&mut self, length: u64, iova: u64) -> u32 {
        let request = IoasUnmap { size: 24, ioas_id: self.ioas, iova, length };
        self.call(self.iommu, IOAS_UNMAP, |bytes| request.write(bytes), 16)
    }

    /// What is measured must be what happens: the pages of the size that is meant, pinned, and reached by the device.
    fn check(&mut self, length: u64, attached: bool, large: bool) {
        self.map(length, IOVA);
        let pinned = self.kernel.usage().pinned_pages;
        assert_eq!(pinned, if attached { length / PAGE } else { 0 });
        if attached {
            let small: u64 = self.kernel.iommu_statistics().pages[..21].iter().sum();
            assert_eq!(small, if large { 0 } else { length / PAGE });
            let to = self.kernel.staging_alloc(PAGE).expect("RAM");
            self.kernel.poke(self.memory + length - 8, b"the last").expect("it is there");
            self.kernel.dma_read(DEVICE, None, IOVA + length - 8, to, 8).expect("mapped");
            assert_eq!(self.kernel.ram().bytes(to, 8), b"the last");
            self.kernel.staging_free(to, PAGE);
        }
        assert_eq!(self.unmap(length, IOVA), length as u32);
        assert_eq!(self.kernel.usage().areas, 0);
    }
}

fn map_and_unmap(criterion: &mut Criterion) {
    for kind in [Kind::VtdSs, Kind::AmdV1] {
        for (name, length, large) in [
            ("4 KiB", PAGE, false),
            ("2 MiB as 4 KiB pages", LARGE, false),
            ("2 MiB as one page", LARGE, true),
            ("1 GiB as 4 KiB pages", GIB, false),
            // VT-d has 2 MiB for this, AMD's format larger ones too.
            ("1 GiB as large pages", GIB, true),
        ] {
            let mut group = criterion.benchmark_group(format!("{}/map and unmap {name}", kind.name()));
            for attached in [true, false] {
                let mut program = Program::new(kind, length, attached, large);
                program.check(length, attached, large);
                // A neighbour keeps the upper tables, as in a program that has more than one mapping.
                program.map(PAGE, IOVA - PAGE);
                group.bench_function(if attached { "attached" } else { "detached" }, |bencher| {
                    bencher.iter(|| {
                        program.map(length, IOVA);
                        program.unmap(length, IOVA)
                    });
                });
            }
            group.finish();
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(300));
    targets = map_and_unmap
}
criterion_main!(benches);
