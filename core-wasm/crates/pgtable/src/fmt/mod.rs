//! The formats. A new one is a file here and a line below.

mod amd_mock;
mod amd_v1;
mod arm;
mod riscv;
mod vtd_fs;
mod vtd_ss;

pub use amd_mock::AMD_MOCK;
pub use amd_v1::AMD_V1;
pub use arm::{ARM_S1_4K, ARM_S1_16K, ARM_S1_64K, ARM_S2_4K, ARM_S2_16K, ARM_S2_64K};
pub use riscv::{RISCV, RISCV_X4};
pub use vtd_fs::{AMD_V2, VTD_FS, VtdFs};
pub use vtd_ss::VTD_SS;

use crate::format::Format;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $format:ident,)*) => {
        /// The formats there are.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Kind { $($(#[$doc])* $kind,)* }

        impl Kind {
            /// Every format, in the order of their declaration.
            pub const ALL: &[Kind] = &[$(Kind::$kind,)*];

            /// What its entries are.
            pub const fn format(self) -> &'static Format {
                match self { $(Kind::$kind => &$format,)* }
            }
        }
    };
}

kinds! {
    /// Intel VT-d second stage: 3 to 5 levels; 4 KiB, 2 MiB, 1 GiB.
    VtdSs = VTD_SS,
    /// Intel VT-d first stage: 4 or 5 levels; 4 KiB, 2 MiB, 1 GiB.
    VtdFs = VTD_FS,
    /// AMD IOMMU host tables v1: 3 to 6 levels; every power of two from 4 KiB.
    AmdV1 = AMD_V1,
    /// AMD IOMMU guest tables v2: 4 or 5 levels; 4 KiB, 2 MiB, 1 GiB.
    AmdV2 = AMD_V2,
    /// The mock IOMMU of Linux's tests: 3 to 5 levels of AMD's entries; every power of two from 2 KiB.
    AmdMock = AMD_MOCK,
    /// Arm stage 1, 4 KiB: 2 to 4 levels; also 64 KiB, 2 MiB, 32 MiB, 1 GiB, 16 GiB.
    ArmS1Granule4K = ARM_S1_4K,
    /// Arm stage 1, 16 KiB: 2 to 4 levels; also 2 MiB, 32 MiB, 1 GiB.
    ArmS1Granule16K = ARM_S1_16K,
    /// Arm stage 1, 64 KiB: 2 or 3 levels; also 2 MiB, 512 MiB, 16 GiB.
    ArmS1Granule64K = ARM_S1_64K,
    /// Arm stage 2, 4 KiB: 2 to 4 levels; pages as of stage 1.
    ArmS2Granule4K = ARM_S2_4K,
    /// Arm stage 2, 16 KiB: 2 or 3 levels; pages as of stage 1.
    ArmS2Granule16K = ARM_S2_16K,
    /// Arm stage 2, 64 KiB: 2 or 3 levels; pages as of stage 1.
    ArmS2Granule64K = ARM_S2_64K,
    /// RISC-V first stage: 3 to 5 levels; 4 KiB, 64 KiB, 2 MiB, 1 GiB, 512 GiB, 256 TiB.
    RiscV = RISCV,
    /// RISC-V second stage: the same with a top table four times as large.
    RiscVx4 = RISCV_X4,
}

/// Evaluates an expression with the format of a page table: compiled for each format that a kind of IOMMU has by default, and once for all others, whose
/// fields are read. For what is frequent alone: it is a third faster so, where WebAssembly checks each read, and half a kilobyte larger for each format.
macro_rules! compiled {
    ($table:expr, $format:ident => $body:expr) => {
        $crate::fmt::compiled!($table, $format => $body; VtdSs VTD_SS, AmdV1 AMD_V1, ArmS1Granule4K ARM_S1_4K, RiscV RISCV)
    };
    ($table:expr, $format:ident => $body:expr; $($kind:ident $constant:ident),*) => {
        match $table.kind {
            $(Some($crate::fmt::Kind::$kind) => {
                let $format = &$crate::fmt::$constant;
                $body
            })*
            _ => {
                let $format = $table.format;
                $body
            }
        }
    };
}
pub(crate) use compiled;

impl Kind {
    /// Name for people.
    pub const fn name(self) -> &'static str {
        self.format().name
    }

    /// Whether it is one of Arm's.
    pub const fn is_arm(self) -> bool {
        use Kind::{ArmS1Granule4K, ArmS1Granule16K, ArmS1Granule64K, ArmS2Granule4K, ArmS2Granule16K, ArmS2Granule64K};
        matches!(self, ArmS1Granule4K | ArmS1Granule16K | ArmS1Granule64K | ArmS2Granule4K | ArmS2Granule16K | ArmS2Granule64K)
    }

    /// Whether it is one of the first stage, or of Arm's stage 1.
    pub const fn is_first_stage(self) -> bool {
        self.format().first_stage
    }

    /// The format of the second stage that IOMMUs have beside this one of the first, where they have both; else this one.
    pub const fn second_stage(self) -> Kind {
        match self {
            Kind::VtdFs => Kind::VtdSs,
            Kind::AmdV2 => Kind::AmdV1,
            other => other,
        }
    }

    /// The numbers of levels that the format allows.
    pub const fn levels(self) -> core::ops::RangeInclusive<u8> {
        let format = self.format();
        format.min_levels as u8..=format.max_levels as u8
    }
}
