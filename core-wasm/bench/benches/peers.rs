//! Crates that do the same work as the core, each under the name of the line of `core.rs` that it is a peer of.
//!
//! Mapping: `x86_64` keeps no counters and gives no table back; `aarch64-paging` maps ranges and unmaps by mapping nothing. Addresses:
//! `vm-allocator` gives the first place, as the core does, `range-alloc` the best; a `BTreeMap` is told the address. A scan of all areas is how
//! Linux finds an automatic IOVA.
// x86_64's mapper is unsafe to make and to use, since its tables may be those that the processor uses.
#![allow(unsafe_code)]

mod common;
mod scan;

use aarch64_paging::descriptor::Stage2Attributes;
use aarch64_paging::linearmap::LinearMap;
use aarch64_paging::paging::{Constraints, MemoryRegion, Stage2};
use bench::{GIB, LARGE, PAGE, Random};
use common::{MANY, drawn, halves, settings, small_pages};
use criterion::{Criterion, criterion_group, criterion_main};
use range_alloc::RangeAllocator;
use scan::Scan;
use std::collections::BTreeMap;
use std::hint::black_box;
use vm_allocator::{AddressAllocator, AllocPolicy};
use x86_64::structures::paging::mapper::{MappedPageTable, PageTableFrameMapping, Translate};
use x86_64::structures::paging::{FrameAllocator, Mapper, Page, PageTable, PageTableFlags, PhysFrame, Size4KiB};
use x86_64::{PhysAddr, VirtAddr};

/// Where page 0 leads: to no multiple of 2 MiB.
const TARGET: u64 = 0x2_0000_1000;
const PAGES_MOST: u32 = 16;

/// Tables are where the heap puts them, at "physical" addresses that are pointers.
struct Heap;

// SAFETY: every frame that it is asked for came from `allocate_frame`, or is that of the top table.
unsafe impl PageTableFrameMapping for Heap {
    fn frame_to_pointer(&self, frame: PhysFrame) -> *mut PageTable {
        frame.start_address().as_u64() as *mut PageTable
    }
}

// SAFETY: a leaked box is used by nobody else.
unsafe impl FrameAllocator<Size4KiB> for Heap {
    fn allocate_frame(&mut self) -> Option<PhysFrame> {
        let table = Box::leak(Box::new(PageTable::new()));
        Some(PhysFrame::containing_address(PhysAddr::new(std::ptr::from_mut(table) as u64)))
    }
}

struct X86(MappedPageTable<'static, Heap>);

impl X86 {
    fn new() -> X86 {
        // SAFETY: the table is fresh, and frames are pointers.
        X86(unsafe { MappedPageTable::new(Box::leak(Box::new(PageTable::new())), Heap) })
    }

    fn page(page: u32) -> Page {
        Page::containing_address(VirtAddr::new(u64::from(page) * PAGE))
    }

    fn map(&mut self, page: u32, pages: u32) {
        for page in page..page + pages {
            let frame = PhysFrame::containing_address(PhysAddr::new(TARGET + u64::from(page) * PAGE));
            let flags = PageTableFlags::PRESENT | PageTableFlags::WRITABLE;
            // SAFETY: no processor uses these tables.
            unsafe { self.0.map_to(X86::page(page), frame, flags, &mut Heap) }.expect("free").ignore();
        }
    }

    fn unmap(&mut self, page: u32, pages: u32) {
        (page..page + pages).for_each(|page| self.0.unmap(X86::page(page)).expect("mapped").1.ignore());
    }
}

struct Arm(LinearMap<Stage2>);

impl Arm {
    fn new() -> Arm {
        Arm(LinearMap::new(1, TARGET as isize, Stage2))
    }

    fn set(&mut self, page: u32, pages: u32, flags: Stage2Attributes) {
        let start = page as usize * PAGE as usize;
        let region = MemoryRegion::new(start, start + pages as usize * PAGE as usize);
        self.0.map_range_with_constraints(&region, flags, Constraints::NO_BLOCK_MAPPINGS).expect("allowed");
    }

    fn map(&mut self, page: u32, pages: u32) {
        let flags = Stage2Attributes::VALID | Stage2Attributes::S2AP_ACCESS_RW | Stage2Attributes::ACCESS_FLAG;
        self.set(page, pages, flags);
    }

    fn unmap(&mut self, page: u32, pages: u32) {
        self.set(page, pages, Stage2Attributes::empty());
    }
}

fn pairs<T>(c: &mut Criterion, peer: &str, new: fn() -> T, map: fn(&mut T, u32, u32), unmap: fn(&mut T, u32, u32)) {
    let sizes = [("4 KiB", 1), ("2 MiB as 512 PTEs", LARGE), ("1 GiB as 4 KiB pages", GIB)];
    for (name, length) in sizes {
        let mut made = new();
        let (kept, pages) = match length {
            1 => small_pages(),
            LARGE => (vec![0], (1..=64).map(|index| index * LARGE).collect()),
            _ => (vec![0], vec![GIB]),
        };
        kept.iter().for_each(|&page| map(&mut made, page, 1));
        let names = ["map", "unmap"].map(|what| format!("{what} {name} / {peer}"));
        let names = [names[0].as_str(), names[1].as_str()];
        halves(c, names, &mut made, &pages, |made, page| map(made, page, length), |made, page| unmap(made, page, length));
    }
}

fn mapping(c: &mut Criterion) {
    pairs(c, "crate x86_64", X86::new, X86::map, X86::unmap);
    pairs(c, "crate aarch64-paging", Arm::new, Arm::map, Arm::unmap);
    let mut made = X86::new();
    made.map(GIB, GIB);
    let mut random = Random::new(1);
    let pages: Vec<u32> = (0..1 << 16).map(|_| GIB + random.below(GIB)).collect();
    let mut next = 0;
    c.bench_function("translate, random over 1 GiB / crate x86_64", |b| {
        b.iter(|| {
            next = (next + 1) & (pages.len() - 1);
            made.0.translate_addr(VirtAddr::new(u64::from(pages[next]) * PAGE))
        });
    });
}

/// Frees any of many areas and allocates one of any size. `allocate` has what is to be freed first, or else where the area has to be: to
/// search for a place for each of them would take some peers minutes.
fn replace<R>(c: &mut Criterion, peer: &str, mut allocate: impl FnMut(Result<R, u64>, u64) -> R) {
    let mut random = Random::new(1);
    let live: Vec<R> = (1..=MANY)
        .map(|index| {
            let at = u64::from(index * PAGES_MOST) * PAGE;
            allocate(Err(at), u64::from(1 + random.below(PAGES_MOST)) * PAGE)
        })
        .collect();
    let mut state = (live, Vec::new(), random, allocate);
    let name = format!("IOVA free + allocate, random, 100,000 live / {peer}");
    // As `Addresses::draw` does it.
    let draw = |(live, chosen, random, _): &mut (Vec<R>, Vec<(R, u64)>, Random, _), count| {
        for _ in 0..count {
            let index = random.below(live.len() as u32) as usize;
            chosen.push((live.swap_remove(index), u64::from(1 + random.below(PAGES_MOST)) * PAGE));
        }
    };
    drawn(c, &name, &mut state, draw, |(live, chosen, _, allocate)| {
        let (gone, length) = chosen.pop().expect("drawn");
        live.push(allocate(Ok(gone), length));
    });
}

fn addresses(c: &mut Criterion) {
    let mut ranges = RangeAllocator::new(PAGE..1 << 48);
    replace(c, "crate range-alloc", |gone, length| {
        gone.into_iter().for_each(|range| ranges.free_range(range));
        ranges.allocate_range(length).expect("room")
    });
    let mut space = AddressAllocator::new(PAGE, 1 << 48).expect("a range");
    replace(c, "crate vm-allocator", |gone, length| {
        let policy = match gone {
            Ok(range) => {
                space.free(&range).expect("taken");
                AllocPolicy::FirstMatch
            }
            Err(at) => AllocPolicy::ExactMatch(at),
        };
        space.allocate(length, PAGE, policy).expect("room")
    });
    let mut map = BTreeMap::new();
    replace(c, "BTreeMap, address given", |gone, length| {
        let start = gone.inspect(|start| assert!(map.remove(start).is_some())).unwrap_or_else(|at| at);
        map.insert(start, start + length - 1);
        start
    });
}

/// Areas of a page in every other place, as the line's own; two pages fit behind them all.
fn automatic_iova(c: &mut Criterion) {
    scan::check();
    let mut scan = Scan::new();
    (0..MANY).for_each(|index| scan.insert(u64::from(1 + 2 * index) * PAGE, PAGE));
    c.bench_function("IOAS map, automatic IOVA, 100,000 areas / a scan as Linux's, the search alone", |b| {
        b.iter(|| scan.place(black_box(PAGE), 2 * PAGE).expect("room"));
    });
}

criterion_group! {
    name = benches;
    config = settings();
    targets = mapping, addresses, automatic_iova
}
criterion_main!(benches);
