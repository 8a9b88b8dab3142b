//! Structs with the number of their request.

use uapi::{iommufd as api, selftest, simulated, type1, vfio};

/// The struct of a request.
pub trait Request: Sized {
    const NUMBER: u32;
    const LENGTH: usize;

    fn bytes(&self) -> Vec<u8>;
    /// From exactly [`Self::LENGTH`] bytes.
    fn from(bytes: &[u8]) -> Self;
}

macro_rules! requests {
    ($($number:path => $layout:ty,)*) => {$(
        impl Request for $layout {
            const NUMBER: u32 = $number;
            const LENGTH: usize = <$layout>::SIZE;

            fn bytes(&self) -> Vec<u8> {
                let mut bytes = [0; <$layout>::SIZE];
                self.write(&mut bytes);
                bytes.to_vec()
            }

            fn from(bytes: &[u8]) -> Self {
                <$layout>::read(bytes.try_into().unwrap())
            }
        }
    )*};
}

requests! {
    api::DESTROY => api::Destroy,
    api::IOAS_ALLOC => api::IoasAlloc,
    api::IOAS_ALLOW_IOVAS => api::IoasAllowIovas,
    api::IOAS_COPY => api::IoasCopy,
    api::IOAS_IOVA_RANGES => api::IoasIovaRanges,
    api::IOAS_MAP => api::IoasMap,
    api::IOAS_UNMAP => api::IoasUnmap,
    api::OPTION => api::Option,
    api::VFIO_IOAS => api::VfioIoas,
    api::HWPT_ALLOC => api::HwptAlloc,
    api::GET_HW_INFO => api::HwInfo,
    api::HWPT_SET_DIRTY_TRACKING => api::HwptSetDirtyTracking,
    api::HWPT_GET_DIRTY_BITMAP => api::HwptGetDirtyBitmap,
    api::HWPT_INVALIDATE => api::HwptInvalidate,
    api::FAULT_QUEUE_ALLOC => api::FaultAlloc,
    api::IOAS_MAP_FILE => api::IoasMapFile,
    api::VIOMMU_ALLOC => api::ViommuAlloc,
    api::VDEVICE_ALLOC => api::VdeviceAlloc,
    api::IOAS_CHANGE_PROCESS => api::IoasChangeProcess,
    api::VEVENTQ_ALLOC => api::VeventqAlloc,
    api::HW_QUEUE_ALLOC => api::HwQueueAlloc,
    api::IOAS_NOIOMMU_GET_PA => api::IoasNoiommuGetPa,
    vfio::DEVICE_GET_INFO => vfio::DeviceInfo,
    vfio::DEVICE_GET_REGION_INFO => vfio::RegionInfo,
    vfio::DEVICE_GET_IRQ_INFO => vfio::IrqInfo,
    vfio::DEVICE_SET_IRQS => vfio::IrqSet,
    vfio::DEVICE_GET_PCI_HOT_RESET_INFO => vfio::PciHotResetInfo,
    vfio::DEVICE_PCI_HOT_RESET => vfio::PciHotReset,
    vfio::DEVICE_FEATURE => vfio::DeviceFeature,
    vfio::DEVICE_BIND_IOMMUFD => vfio::DeviceBindIommufd,
    vfio::DEVICE_ATTACH_IOMMUFD_PT => vfio::DeviceAttachIommufdPt,
    vfio::DEVICE_DETACH_IOMMUFD_PT => vfio::DeviceDetachIommufdPt,
    selftest::TEST_CMD => selftest::TestCmd,
    selftest::TEST_CMD => selftest::TestAddReserved,
    selftest::TEST_CMD => selftest::TestMockDomain,
    selftest::TEST_CMD => selftest::TestMockDomainFlags,
    selftest::TEST_CMD => selftest::TestMockDomainReplace,
    selftest::TEST_CMD => selftest::TestSetTempMemoryLimit,
    selftest::TEST_CMD => selftest::TestMdCheckMap,
    selftest::TEST_CMD => selftest::TestMdCheckRefs,
    selftest::TEST_CMD => selftest::TestMdCheckIotlb,
    selftest::TEST_CMD => selftest::TestPasidAttach,
    selftest::TEST_CMD => selftest::TestPasidReplace,
    selftest::TEST_CMD => selftest::TestPasidDetach,
    selftest::TEST_CMD => selftest::TestPasidCheckHwpt,
    selftest::TEST_CMD => selftest::TestDirty,
    selftest::TEST_CMD => selftest::TestTriggerIopf,
    selftest::TEST_CMD => selftest::TestTriggerVevent,
    selftest::TEST_CMD => selftest::TestDmabufGet,
    selftest::TEST_CMD => selftest::TestDmabufRevoke,
    selftest::TEST_CMD => selftest::TestCreateAccess,
    selftest::TEST_CMD => selftest::TestDestroyAccessPages,
    selftest::TEST_CMD => selftest::TestAccessPages,
    selftest::TEST_CMD => selftest::TestAccessRw,
    selftest::TEST_CMD => selftest::TestAccessReplaceIoas,
    type1::IOMMU_MAP_DMA => type1::IommuType1DmaMap,
    type1::IOMMU_UNMAP_DMA => type1::IommuType1DmaUnmap,
    simulated::SIMULATED_DEVICE_SET_LABEL => simulated::SimulatedDeviceSetLabel,
}
