//! A page table whose format is chosen at run time: one `match`, then code compiled for that format.

macro_rules! any_page_table {
    ($($(#[$doc:meta])* $module:ident :: $format:ident,)*) => {
        $(pub mod $module; pub use $module::$format;)*

        use crate::{Config, DirtyLeaf, Format, MapError, Pa, PageTable, Prot, Run, Step, TableMemory, Translation, Unmapped};

        /// The formats there are.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Kind { $($(#[$doc])* $format,)* }

        impl Kind {
            /// Every format, in the order of their declaration.
            pub const ALL: &[Kind] = &[$(Kind::$format,)*];

            /// Name for people.
            pub const fn name(self) -> &'static str {
                match self { $(Kind::$format => $format::NAME,)* }
            }

            /// The numbers of levels that the format allows.
            pub const fn levels(self) -> core::ops::RangeInclusive<u8> {
                match self { $(Kind::$format => $format::MIN_LEVELS as u8..=$format::MAX_LEVELS as u8,)* }
            }
        }

        /// A [`PageTable`] of a format chosen at run time. The methods are those of [`PageTable`]; look there.
        #[derive(Debug)]
        pub enum AnyPageTable { $($(#[$doc])* $format(PageTable<$format>),)* }

        impl AnyPageTable {
            /// See [`PageTable::new`].
            pub fn new(memory: &mut impl TableMemory, kind: Kind, config: Config) -> Result<Self, MapError> {
                match kind { $(Kind::$format => PageTable::new(memory, config).map(AnyPageTable::$format),)* }
            }

            /// The format.
            pub const fn kind(&self) -> Kind {
                match self { $(AnyPageTable::$format(_) => Kind::$format,)* }
            }

            /// See [`PageTable::map`].
            #[inline]
            pub fn map(&mut self, memory: &mut impl TableMemory, iova: u64, runs: impl Iterator<Item = Run>, prot: Prot) -> Result<(), MapError> {
                match self { $(AnyPageTable::$format(table) => table.map(memory, iova, runs, prot),)* }
            }

            /// See [`PageTable::unmap`].
            #[inline]
            pub fn unmap(&mut self, memory: &mut impl TableMemory, iova: u64, length: u64) -> Unmapped {
                match self { $(AnyPageTable::$format(table) => table.unmap(memory, iova, length),)* }
            }

            /// See [`PageTable::unmap_range`].
            #[inline]
            pub fn unmap_range(&mut self, memory: &mut impl TableMemory, first: u64, last: u64) -> Unmapped {
                match self { $(AnyPageTable::$format(table) => table.unmap_range(memory, first, last),)* }
            }

            /// See [`PageTable::translate`].
            #[inline]
            pub fn translate(&self, memory: &impl TableMemory, iova: u64) -> Option<Translation> {
                match self { $(AnyPageTable::$format(table) => table.translate(memory, iova),)* }
            }

            /// See [`PageTable::translate_from`].
            pub fn translate_from(&self, memory: &impl TableMemory, iova: u64, from: Step, passed: impl FnMut(Step)) -> Option<Translation> {
                match self { $(AnyPageTable::$format(table) => table.translate_from(memory, iova, from, passed),)* }
            }

            /// See [`PageTable::top_step`].
            pub fn top_step(&self) -> Step {
                match self { $(AnyPageTable::$format(table) => table.top_step(),)* }
            }

            /// See [`PageTable::table_lg2`].
            pub fn table_lg2(&self, level: u32) -> u32 {
                match self { $(AnyPageTable::$format(table) => table.table_lg2(level),)* }
            }

            /// See [`PageTable::touch`].
            pub fn touch(&self, memory: &mut impl TableMemory, iova: u64, write: bool) -> bool {
                match self { $(AnyPageTable::$format(table) => table.touch(memory, iova, write),)* }
            }

            /// See [`PageTable::next_dirty`].
            pub fn next_dirty(&self, memory: &mut impl TableMemory, first: u64, last: u64, clear: bool) -> Option<DirtyLeaf> {
                match self { $(AnyPageTable::$format(table) => table.next_dirty(memory, first, last, clear),)* }
            }

            /// See [`PageTable::destroy`].
            pub fn destroy(self, memory: &mut impl TableMemory) {
                match self { $(AnyPageTable::$format(table) => table.destroy(memory),)* }
            }

            /// See [`PageTable::root`].
            pub const fn root(&self) -> Pa {
                match self { $(AnyPageTable::$format(table) => table.root(),)* }
            }

            /// See [`PageTable::levels`].
            pub const fn levels(&self) -> u8 {
                match self { $(AnyPageTable::$format(table) => table.levels(),)* }
            }

            /// See [`PageTable::aperture_last`].
            #[inline]
            pub fn aperture_last(&self) -> u64 {
                match self { $(AnyPageTable::$format(table) => table.aperture_last(),)* }
            }

            /// See [`PageTable::page_sizes`].
            pub const fn page_sizes(&self) -> u64 {
                match self { $(AnyPageTable::$format(table) => table.page_sizes(),)* }
            }

            /// See [`PageTable::smallest_page_lg2`].
            pub const fn smallest_page_lg2(&self) -> u32 {
                match self { $(AnyPageTable::$format(table) => table.smallest_page_lg2(),)* }
            }

            /// See [`PageTable::leaves`].
            pub const fn leaves(&self) -> &[u64; 64] {
                match self { $(AnyPageTable::$format(table) => table.leaves(),)* }
            }

            /// See [`PageTable::tables`].
            pub const fn tables(&self) -> u32 {
                match self { $(AnyPageTable::$format(table) => table.tables(),)* }
            }
        }
    };
}
