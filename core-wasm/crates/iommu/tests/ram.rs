//! RAM against the dumbest model: an array of reference counts.

use iommu::{FRAME, FRAME_LG2, LARGE_LG2, Pa, Ram};
use pgtable::TableMemory;
use proptest::prelude::*;

const FRAMES: usize = 1500;
const LARGE_FRAMES: usize = 512;

fn ram_of(frames: usize) -> Ram {
    Ram::with_bytes(frames << FRAME_LG2).expect("the test machine has memory")
}

fn pa(frame: usize) -> Pa {
    Pa(Ram::BASE + ((frame as u64) << FRAME_LG2))
}

fn frame(pa: Pa) -> usize {
    usize::try_from((pa.0 - Ram::BASE) >> FRAME_LG2).expect("in RAM")
}

#[derive(Clone, Debug)]
enum Operation {
    Frames { count: usize, align_lg2: u32 },
    Bytes { length: u64 },
    Get { which: usize, from: usize, count: usize },
    Put { which: usize },
    Table { lg2: u32 },
    FreeTable { which: usize },
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let any = any::<usize>();
    let operation = prop_oneof![
        4 => (prop_oneof![Just(1), 1_usize..200], 12_u32..18).prop_map(|(count, align_lg2)| Operation::Frames { count, align_lg2 }),
        2 => (1_u64..5 << 20).prop_map(|length| Operation::Bytes { length }),
        2 => (any, any, any).prop_map(|(which, from, count)| Operation::Get { which, from, count }),
        8 => any.prop_map(|which| Operation::Put { which }),
        6 => prop_oneof![5 => Just(12), 1 => Just(14)].prop_map(|lg2| Operation::Table { lg2 }),
        3 => any.prop_map(|which| Operation::FreeTable { which }),
    ];
    prop::collection::vec(operation, 1..150)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Frame {
    Free,
    Used(u32),
    Table,
    Cached,
}

/// References are held by runs, each of which is put once.
struct Model {
    frames: Vec<Frame>,
    runs: Vec<(usize, usize)>,
    tables: Vec<(usize, u32)>,
}

impl Model {
    fn lowest(&self, count: usize, align: usize) -> Option<usize> {
        (0..FRAMES)
            .step_by(align)
            .find(|&start| start + count <= FRAMES && self.frames[start..start + count].iter().all(|&frame| frame == Frame::Free))
    }

    fn flush(&mut self) {
        for frame in self.frames.iter_mut().filter(|frame| **frame == Frame::Cached) {
            *frame = Frame::Free;
        }
    }

    /// The lowest run, given that cached tables become free only when there is none.
    fn allocate(&mut self, count: usize, align: usize) -> Option<usize> {
        let found = self.lowest(count, align).or_else(|| {
            self.flush();
            self.lowest(count, align)
        })?;
        self.frames[found..found + count].fill(Frame::Used(1));
        self.runs.push((found, count));
        Some(found)
    }

    fn change(&mut self, (first, count): (usize, usize), by: i32) {
        for frame in &mut self.frames[first..first + count] {
            let Frame::Used(references) = *frame else { panic!("a run of frames in use") };
            let references = references.checked_add_signed(by).expect("no reference is dropped twice");
            *frame = if references == 0 { Frame::Free } else { Frame::Used(references) };
        }
    }
}

fn assert_zero_and_soil(ram: &mut Ram, first: usize, count: usize) {
    for frame in ram.bytes_mut(pa(first), count << FRAME_LG2).chunks_exact_mut(FRAME as usize) {
        assert!(*frame == [0; FRAME as usize], "what is allocated is zero");
        frame[0] = 0xaa;
        frame[FRAME as usize - 1] = 0xbb;
    }
}

fn allocate(ram: &mut Ram, model: &mut Model, operation: &Operation) {
    let (actual, count, expected) = match *operation {
        Operation::Frames { count, align_lg2 } => {
            (ram.alloc_frames(count as u64, align_lg2), count, model.allocate(count, 1 << (align_lg2 - FRAME_LG2)))
        }
        Operation::Bytes { length } => {
            let count = length.div_ceil(FRAME) as usize;
            let large = if length >= 1 << LARGE_LG2 { model.allocate(count, LARGE_FRAMES) } else { None };
            (ram.alloc(length), count, large.or_else(|| model.allocate(count, 1)))
        }
        _ => unreachable!("only allocations come here"),
    };
    assert_eq!(actual.map(frame), expected);
    if let Some(first) = expected {
        assert_zero_and_soil(ram, first, count);
    }
}

fn allocate_table(ram: &mut Ram, model: &mut Model, lg2: u32) {
    let count = 1 << (lg2 - FRAME_LG2);
    let Some(table) = ram.alloc_table(lg2) else {
        model.flush();
        assert_eq!((0..=FRAMES - count).step_by(count).find(|&at| model.frames[at..at + count].iter().all(|&f| f == Frame::Free)), None);
        return;
    };
    let first = frame(table);
    assert_eq!(first % count, 0, "a table is aligned to its size");
    let cached = model.frames[first] == Frame::Cached;
    if !cached {
        assert!(!(count == 1 && model.frames.contains(&Frame::Cached)), "tables that are kept are used first");
        let above = (first + 1..=FRAMES - count).filter(|at| at % count == 0);
        let higher = above.into_iter().find(|&at| model.frames[at..at + count].iter().all(|&f| f == Frame::Free));
        if higher.is_some() {
            panic!("tables come from the top");
        }
        if model.frames[first..first + count].contains(&Frame::Cached) {
            model.flush();
        }
        assert!(model.frames[first..first + count].iter().all(|&f| f == Frame::Free));
    }
    model.frames[first..first + count].fill(Frame::Table);
    model.tables.push((first, lg2));
    assert_eq!(ram.live(table), 0);
    let entries = ram.entries_mut(table, 512 * count);
    assert!(entries.iter().all(|&entry| entry == 0), "a new table is zero");
    entries[0] = 7;
    ram.set_live(table, 1);
}

fn free_table(ram: &mut Ram, model: &mut Model, which: usize) {
    if model.tables.is_empty() {
        return;
    }
    let (first, lg2) = model.tables.swap_remove(which % model.tables.len());
    assert_eq!((ram.live(pa(first)), ram.entries(pa(first), 1)), (1, &[7][..]));
    ram.entries_mut(pa(first), 1)[0] = 0;
    ram.set_live(pa(first), 0);
    ram.free_table(pa(first), lg2);
    let count = 1 << (lg2 - FRAME_LG2);
    model.frames[first..first + count].fill(if count == 1 { Frame::Cached } else { Frame::Free });
}

fn assert_agrees(ram: &Ram, model: &Model) {
    let count = |wanted: fn(&Frame) -> bool| model.frames.iter().filter(|frame| wanted(frame)).count() as u64;
    let statistics = ram.statistics();
    assert_eq!(statistics.total, (FRAMES as u64) << FRAME_LG2);
    assert_eq!(statistics.free, count(|&frame| frame == Frame::Free) << FRAME_LG2);
    assert_eq!(statistics.used, count(|frame| matches!(frame, Frame::Used(_))) << FRAME_LG2);
    assert_eq!(statistics.tables, count(|&frame| frame == Frame::Table));
    assert_eq!(statistics.cached_tables, count(|&frame| frame == Frame::Cached));
    for (at, frame) in model.frames.iter().enumerate() {
        match frame {
            Frame::Free => assert_eq!(ram.references(pa(at)), 0),
            Frame::Used(references) => assert_eq!(ram.references(pa(at)), *references),
            Frame::Table | Frame::Cached => {}
        }
    }
}

proptest! {
    #[test]
    fn ram_agrees_with_an_array_of_counts(operations in operations()) {
        let mut ram = ram_of(FRAMES);
        let mut model = Model { frames: vec![Frame::Free; FRAMES], runs: Vec::new(), tables: Vec::new() };
        for operation in &operations {
            match *operation {
                Operation::Frames { .. } | Operation::Bytes { .. } => allocate(&mut ram, &mut model, operation),
                Operation::Get { which, from, count } => if !model.runs.is_empty() {
                    let (first, length) = model.runs[which % model.runs.len()];
                    let from = from % length;
                    let run = (first + from, count % (length - from) + 1);
                    ram.get_run(pa(run.0), (run.1 as u64) << FRAME_LG2);
                    model.change(run, 1);
                    model.runs.push(run);
                },
                Operation::Put { which } => if !model.runs.is_empty() {
                    let run = model.runs.swap_remove(which % model.runs.len());
                    // Any byte of a frame stands for the frame.
                    ram.put_run(Pa(pa(run.0).0 + 5), ((run.1 as u64) << FRAME_LG2) - 10);
                    model.change(run, -1);
                },
                Operation::Table { lg2 } => allocate_table(&mut ram, &mut model, lg2),
                Operation::FreeTable { which } => free_table(&mut ram, &mut model, which),
            }
        }
        assert_agrees(&ram, &model);
        for run in std::mem::take(&mut model.runs) {
            ram.put_run(pa(run.0), (run.1 as u64) << FRAME_LG2);
        }
        while !model.tables.is_empty() {
            free_table(&mut ram, &mut model, 0);
        }
        let all = ram.alloc_frames(FRAMES as u64, FRAME_LG2);
        prop_assert_eq!(all, Some(pa(0)), "everything freed is one run again");
        assert_zero_and_soil(&mut ram, 0, FRAMES);
    }
}

#[test]
fn ram_that_is_used_up_refuses_and_serves_again_after_a_free() {
    let mut ram = ram_of(64);
    let all: Vec<Pa> = std::iter::from_fn(|| ram.alloc_frames(1, FRAME_LG2)).collect();
    assert_eq!(all.len(), 64);
    assert_eq!(ram.alloc_table(FRAME_LG2), None);
    ram.put_run(all[17], FRAME);
    assert_eq!(ram.alloc_frames(2, FRAME_LG2), None);
    assert_eq!(ram.alloc_table(FRAME_LG2), Some(all[17]));
    ram.put_run(all[40], FRAME);
    assert_eq!(ram.alloc_frames(1, FRAME_LG2), Some(all[40]));
}

#[test]
fn tables_that_are_kept_serve_users_when_ram_runs_out() {
    let mut ram = ram_of(64);
    let tables: Vec<Pa> = std::iter::from_fn(|| ram.alloc_table(FRAME_LG2)).collect();
    for &table in &tables {
        ram.free_table(table, FRAME_LG2);
    }
    assert_eq!(ram.statistics().cached_tables, 64);
    assert_eq!(ram.alloc_frames(64, FRAME_LG2), Some(pa(0)));
    assert_eq!(ram.statistics().cached_tables, 0);
}

#[test]
fn what_is_not_ram_is_not_contained() {
    let ram = ram_of(2);
    assert!(ram.contains(Pa(Ram::BASE), 2 * FRAME));
    assert!(ram.contains(Pa(Ram::BASE + 2 * FRAME), 0));
    assert!(!ram.contains(Pa(Ram::BASE + 1), 2 * FRAME));
    assert!(!ram.contains(Pa(Ram::BASE - 1), 1));
    assert!(!ram.contains(Pa(u64::MAX), 1));
    assert!(!ram.contains(Pa(Ram::BASE + 1), u64::MAX));
    assert_eq!(ram.references(Pa(0)), 0);
}

#[test]
fn impossible_sizes_and_alignments_are_refused() {
    let mut ram = ram_of(8);
    for (count, align_lg2) in [(0, 12), (u64::MAX, 12), (9, 12), (1, 63), (1, 64), (1, u32::MAX), (u64::MAX >> FRAME_LG2, 12)] {
        let expected = (count == 1 && align_lg2 == 63).then_some(pa(0));
        assert_eq!(ram.alloc_frames(count, align_lg2), expected, "{count} frames aligned to 2^{align_lg2}");
    }
    assert_eq!(ram.alloc(0), None);
    assert_eq!(ram.alloc(u64::MAX), None);
    assert_eq!(ram.alloc_table(FRAME_LG2 - 1), None);
    assert_eq!(ram.alloc_table(63), None);
    assert_eq!(ram.alloc_table(200), None);
}

#[test]
fn ram_may_be_given_words_and_ignores_what_does_not_fill_a_frame() {
    let words = Box::leak(vec![0; 512 * 3 + 100].into_boxed_slice());
    let mut ram = Ram::new(words).expect("the test machine has memory");
    assert_eq!(ram.length(), 3 * FRAME);
    ram.bytes_mut(pa(1), 4).copy_from_slice(b"abcd");
    ram.copy(pa(1), Pa(pa(2).0 + 4092), 4);
    assert_eq!(ram.bytes(Pa(pa(2).0 + 4092), 4), b"abcd");
    assert!(Ram::metadata_bytes(3 << 30) < 7 << 20);
}
