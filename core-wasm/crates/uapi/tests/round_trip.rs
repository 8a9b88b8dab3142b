//! Every struct survives reading and writing, byte for byte: no field is left out, none overlaps another.

use proptest::prelude::*;

/// For each struct of a module: any bytes that are read and written back are the same bytes, also over garbage.
macro_rules! round_trips {
    ($module:ident: $($name:ident)*) => {
        #[allow(non_snake_case)]
        mod $module {
            use super::*;

            $(proptest! {
                #[test]
                fn $name(bytes in prop::collection::vec(any::<u8>(), uapi::$module::$name::SIZE)) {
                    let bytes: [u8; uapi::$module::$name::SIZE] = bytes.try_into().unwrap();
                    let value = uapi::$module::$name::read(&bytes);
                    let mut written = [0xa5; uapi::$module::$name::SIZE];
                    value.write(&mut written);
                    prop_assert_eq!(written, bytes);
                    prop_assert_eq!(uapi::$module::$name::read(&written), value);
                    prop_assert!(uapi::$module::$name::MIN_SIZE <= uapi::$module::$name::SIZE);
                }
            })*

            /// The list above names every struct of the module.
            #[test]
            fn the_list_is_complete() {
                let source = include_str!(concat!("../src/", stringify!($module), ".rs"));
                assert_eq!(source.matches("pub struct ").count(), [$(stringify!($name)),*].len());
            }
        }
    };
}

round_trips! { iommufd:
    Destroy Option VfioIoas IoasAlloc IoasAllowIovas IoasCopy IoasIovaRanges IoasMap IoasMapFile IoasUnmap IoasChangeProcess IoasNoiommuGetPa
    HwptAlloc HwInfo HwptSetDirtyTracking HwptGetDirtyBitmap HwptInvalidate FaultAlloc ViommuAlloc VdeviceAlloc VeventqAlloc HwQueueAlloc
    IovaRange HwptVtdS1 HwptArmSmmuv3 HwptAmdGuest HwptVtdS1Invalidate ViommuArmSmmuv3Invalidate HwInfoVtd HwInfoArmSmmuv3
    HwInfoTegra241Cmdqv HwInfoAmd ViommuTegra241Cmdqv HwptPgfault HwptPageResponse VeventHeader VeventArmSmmuv3 VeventTegra241Cmdqv
}

round_trips! { vfio:
    InfoCapHeader DeviceInfo DeviceInfoCapPciAtomicComp RegionInfo RegionSparseMmapArea RegionInfoCapSparseMmap RegionInfoCapType
    IrqInfo IrqSet PciDependentDevice PciHotResetInfo PciHotReset DeviceFeature DeviceBindIommufd DeviceAttachIommufdPt DeviceDetachIommufdPt
    DmaLoggingControl DmaLoggingRange DmaLoggingReport DmaBuf RegionDmaRange
}

round_trips! { simulated: SimulatedDeviceSetLabel }
