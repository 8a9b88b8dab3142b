//! The formats. A new one is a file here and a line below.

any_page_table! {
    /// Intel VT-d second stage: 3 to 5 levels; 4 KiB, 2 MiB, 1 GiB.
    vtd_ss::VtdSs,
    /// AMD IOMMU host tables v1: 3 to 6 levels; every power of two from 4 KiB.
    amd_v1::AmdV1,
    /// The mock IOMMU of Linux's tests: 3 to 5 levels of AMD's entries; every power of two from 2 KiB.
    amd_mock::AmdMock,
}

// Not chosen at run time by any machine yet.
pub mod arm;
pub mod riscv;
pub mod vtd_fs;
