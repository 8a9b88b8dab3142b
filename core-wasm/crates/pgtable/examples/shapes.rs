//! Random page tables, and what our own walk says of accesses to them, as text: for tests/referee, where another implementation walks the same.
//!
//! `shapes FORMAT LEVELS IOVA_LG2 PAGE_SIZES SEED COUNT [KEEP r|w IOVA]`: COUNT shapes, of SEED and the numbers after it, in IOVAs below
//! 2^IOVA_LG2 with leaves of PAGE_SIZES (hexadecimal, bit n for 2^n bytes). With KEEP, a set of the shape's operations (hexadecimal, bit n
//! for operation n), only these are done, and only the access named is asked about: so a difference is made small.
//!
//! A line is a word and its numbers, all hexadecimal: `shape SEED ROOT`, `op …` (for people), `words PA WORD…`, `window IOVA PA` (a page that
//! may be read and written), `access r|w IOVA ok|absent|denied PA`, `end`. An access that is refused must leave PA alone, if that is not 0.

use pgtable::{Config, Kind, Pa, PageTable, Prot, Run, VecMemory};
use std::io::Write;

/// Where the referee's machine has memory for data: above the tables, which begin at 4 GiB.
const DATA_FIRST: u64 = 8 << 30;
const DATA_LAST: u64 = (64 << 30) - 1;
const WINDOW_PA: u64 = 6 << 30;
const GIB: u64 = 1 << 30;
const ACCESSES: usize = 2;
const BOTH: Prot = Prot::from_bits(3);

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, count: u64) -> u64 {
        self.next() % count
    }

    fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Map { iova: u64, run: Run, prot: Prot },
    Unmap { first: u64, last: u64 },
}

/// What the command line says.
struct Plan {
    kind: Kind,
    levels: u8,
    iova_last: u64,
    page_sizes: u64,
    keep: u64,
    probe: Option<(bool, u64)>,
}

struct Shape<'a> {
    plan: &'a Plan,
    random: Random,
    memory: VecMemory,
    table: PageTable,
    /// IOVAs of which accesses are made: ends of what operations were about.
    places: Vec<u64>,
    last: u64,
}

impl<'a> Shape<'a> {
    fn new(plan: &'a Plan, seed: u64) -> Self {
        let mut memory = VecMemory::new();
        let config = Config { page_sizes: plan.page_sizes, ..Config::new(plan.levels) };
        let table = PageTable::new(&mut memory, plan.kind, config).expect("a geometry of the format");
        let last = table.aperture_last().min(plan.iova_last);
        Shape { plan, random: Random(seed), memory, table, places: vec![0, last & !3], last }
    }

    /// An IOVA some units from a boundary of a table; a unit is the item of `level`.
    fn place(&mut self, unit: u64) -> u64 {
        let table = |level: u32| 1_u64.checked_shl(self.plan.kind.format().item_lg2(level + 1)).unwrap_or(0) & self.last;
        let boundary = match self.random.below(7) {
            0 => 0,
            1 => self.last - self.last % unit,
            2 => table(0),
            3 => table(1),
            4 => table(1) + table(0),
            5 => self.last / 2 + 1,
            _ => self.random.next() & self.last,
        };
        let offset = self.random.below(9) as i64 - 4;
        (boundary - boundary % unit).wrapping_add_signed(offset * unit as i64) & self.last
    }

    fn operation(&mut self) -> Operation {
        let levels = u32::from(self.plan.levels);
        let level = self.random.one_of(&[0, 0, 0, 0, 1, 1, 1, 2, 2, 3]).min(levels - 1);
        let unit = 1_u64 << self.plan.kind.format().item_lg2(level).min(50);
        let count: u64 = self.random.one_of(&[1, 1, 2, 3, 5, 9, 16, 32, 64, 128, 200]);
        let count = if unit >= GIB { count.min(if unit > GIB { 2 } else { 16 }) } else { count };
        let mut iova = self.place(unit);
        if self.random.below(2) == 0 {
            iova -= iova % (unit * count.next_power_of_two());
        }
        // A sixteenth at most, so that there is room for the window; and few leaves where the level has none of its own.
        let of_leaves = (0..=level).rev().find(|&level| self.plan.kind.format().leaf_sizes[level as usize] != 0).unwrap_or(0);
        let most = if of_leaves == level { u64::MAX } else { 256 << self.plan.kind.format().item_lg2(of_leaves) };
        let length = (unit * count).min((self.last - iova).saturating_add(1)).min(self.last / 16 + 1).min(most);
        if self.random.below(4) == 0 {
            return Operation::Unmap { first: iova, last: iova + (length - 1) };
        }
        let prot = Prot::from_bits(self.random.one_of(&[1, 2, 3, 3]));
        Operation::Map { iova, run: Run { pa: Pa(self.output(iova, unit, length)), length }, prot }
    }

    /// A physical address for a mapping: in memory where it fits, as aligned as the IOVA or only to the granule.
    fn output(&mut self, iova: u64, unit: u64, length: u64) -> u64 {
        if unit > GIB {
            return 0;
        }
        let room = DATA_LAST + 1 - DATA_FIRST;
        let align = length.next_power_of_two().min(16 * GIB);
        let granule = 1 << self.plan.kind.format().granule_lg2;
        let start = DATA_FIRST + self.random.below(room / align) * align;
        // Shifted by a granule all leaves are small ones: only where that is not too many.
        let shift = if length <= 512 * granule && self.random.below(4) == 0 { granule } else { iova % align };
        let fits = |pa: u64| pa.checked_add(length - 1).is_some_and(|last| last <= DATA_LAST);
        [start + shift, start, DATA_FIRST].into_iter().find(|&pa| fits(pa)).unwrap_or(DATA_FIRST) & !(granule - 1)
    }

    fn apply(&mut self, operation: Operation) {
        let (first, last) = match operation {
            Operation::Map { iova, run, prot } => {
                // One that overlaps is refused and changes nothing.
                let _ = self.table.map(&mut self.memory, iova, std::iter::once(run), prot);
                (iova, iova + (run.length - 1))
            }
            Operation::Unmap { first, last } => {
                let _ = self.table.unmap_range(&mut self.memory, first, last);
                (first, last)
            }
        };
        let middle = first + self.random.below(last - first) / 4 * 4;
        let in_memory = first.saturating_add(DATA_FIRST + self.random.below(32 * GIB)).min(last) & !3;
        self.places.extend([first, last & !3, middle, in_memory]);
        self.places.extend([first.wrapping_sub(4), (last & !3).wrapping_add(4)].into_iter().filter(|&iova| iova <= self.last));
    }

    /// Maps a page that the device may read and write, where nothing is yet.
    fn window(&mut self) -> u64 {
        let granule = 1 << self.plan.kind.format().granule_lg2;
        loop {
            let iova = self.random.next() & self.last & !(granule - 1);
            let run = Run { pa: Pa(WINDOW_PA), length: granule };
            if !is_special(iova) && self.table.map(&mut self.memory, iova, std::iter::once(run), BOTH).is_ok() {
                return iova;
            }
        }
    }

    /// What our walk says of an access of 4 bytes; nothing if it ends where the referee has no memory.
    fn judge(&self, write: bool, iova: u64) -> Option<(&'static str, u64)> {
        let needed = if write { Prot::WRITE } else { Prot::READ };
        match self.table.translate(&self.memory, iova) {
            None => Some(("absent", if is_data(iova) { iova } else { 0 })),
            Some(found) if !found.prot.contains(needed) => Some(("denied", if is_data(found.pa.0) { found.pa.0 } else { 0 })),
            Some(found) => is_data(found.pa.0).then_some(("ok", found.pa.0)),
        }
    }

    fn accesses(&mut self) -> Vec<(bool, u64)> {
        if let Some(probe) = self.plan.probe {
            return vec![probe];
        }
        let mut accesses = Vec::new();
        for _ in 0..ACCESSES * 8 {
            let places = std::mem::take(&mut self.places);
            let iova = self.random.one_of(&places);
            self.places = places;
            let write = self.random.below(2) == 1;
            if accesses.len() < ACCESSES && !is_special(iova) && self.judge(write, iova).is_some() {
                accesses.push((write, iova));
            }
        }
        accesses
    }

    fn print(mut self, seed: u64, out: &mut impl Write) -> std::io::Result<()> {
        writeln!(out, "shape {seed:x} {:x}", self.table.root().0)?;
        let count = 1 + self.random.below(10);
        for number in 0..count {
            let operation = self.operation();
            if self.plan.keep >> number & 1 == 1 {
                writeln!(out, "op {number:x} {operation:x?}")?;
                self.apply(operation);
            }
        }
        let window = self.window();
        writeln!(out, "window {window:x} {WINDOW_PA:x}")?;
        print_words(&self.memory, out)?;
        for (write, iova) in self.accesses() {
            if let Some((verdict, pa)) = self.judge(write, iova) {
                writeln!(out, "access {} {iova:x} {verdict} {pa:x}", if write { "w" } else { "r" })?;
            }
        }
        writeln!(out, "end")
    }
}

fn is_data(pa: u64) -> bool {
    (DATA_FIRST..=DATA_LAST).contains(&pa)
}

/// Where x86 machines have their interrupts, which no table translates.
fn is_special(iova: u64) -> bool {
    iova >> 20 == 0xfee
}

/// Everything that is not zero, a line a stretch.
fn print_words(memory: &VecMemory, out: &mut impl Write) -> std::io::Result<()> {
    let mut next = None;
    for (index, word) in memory.words() {
        if next != Some(index) {
            if next.is_some() {
                writeln!(out)?;
            }
            write!(out, "words {:x}", VecMemory::BASE + index as u64 * 8)?;
        }
        write!(out, " {word:x}")?;
        next = Some(index + 1);
    }
    writeln!(out)
}

fn print_all(plan: &Plan, first: u64, count: u64) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for seed in first..first + count {
        Shape::new(plan, seed).print(seed, &mut out)?;
    }
    out.flush()
}

fn main() -> std::io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [format, levels, iova_lg2, page_sizes, seed, count, probe @ ..] = words.as_slice() else {
        panic!("shapes FORMAT LEVELS IOVA_LG2 PAGE_SIZES SEED COUNT [KEEP r|w IOVA]");
    };
    let hexadecimal = |text: &str| u64::from_str_radix(text, 16).expect("a hexadecimal number");
    let decimal = |text: &str| text.parse::<u64>().expect("a number");
    let kind = Kind::ALL.iter().find(|kind| kind.name() == format).unwrap_or_else(|| panic!("no format {format}"));
    let plan = Plan {
        kind: *kind,
        levels: decimal(levels) as u8,
        iova_last: u64::MAX >> (64 - decimal(iova_lg2)),
        page_sizes: hexadecimal(page_sizes),
        keep: probe.first().map_or(u64::MAX, |keep| hexadecimal(keep)),
        probe: probe.get(1).map(|access| (access == "w", hexadecimal(&probe[2]))),
    };
    print_all(&plan, decimal(seed), decimal(count))
}
