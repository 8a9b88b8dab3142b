// GENERATED from uapi/schema by `deno task generate`, do not edit. Source hash: e4797ac1a0668d8e
//! All requests, in the order of the schema.

use crate::size_rule::{Beyond, RequestRow, SizeField};

/// One row for each request.
pub const REQUESTS: [RequestRow; 35] = [
    RequestRow::new("DESTROY", 0x3b80, 8, 8, SizeField::Size, Beyond::Zero),
    RequestRow::new("IOAS_ALLOC", 0x3b81, 12, 12, SizeField::Size, Beyond::Zero),
    RequestRow::new("IOAS_ALLOW_IOVAS", 0x3b82, 24, 24, SizeField::Size, Beyond::Zero),
    RequestRow::new("IOAS_COPY", 0x3b83, 40, 40, SizeField::Size, Beyond::Zero),
    RequestRow::new("IOAS_IOVA_RANGES", 0x3b84, 32, 32, SizeField::Size, Beyond::Zero),
    RequestRow::new("IOAS_MAP", 0x3b85, 40, 40, SizeField::Size, Beyond::Zero),
    RequestRow::new("IOAS_UNMAP", 0x3b86, 24, 24, SizeField::Size, Beyond::Zero),
    RequestRow::new("OPTION", 0x3b87, 24, 24, SizeField::Size, Beyond::Zero),
    RequestRow::new("VFIO_IOAS", 0x3b88, 12, 12, SizeField::Size, Beyond::Zero),
    RequestRow::new("HWPT_ALLOC", 0x3b89, 48, 24, SizeField::Size, Beyond::Zero),
    RequestRow::new("GET_HW_INFO", 0x3b8a, 40, 32, SizeField::Size, Beyond::Zero),
    RequestRow::new("HWPT_SET_DIRTY_TRACKING", 0x3b8b, 16, 16, SizeField::Size, Beyond::Zero),
    RequestRow::new("HWPT_GET_DIRTY_BITMAP", 0x3b8c, 48, 48, SizeField::Size, Beyond::Zero),
    RequestRow::new("HWPT_INVALIDATE", 0x3b8d, 32, 32, SizeField::Size, Beyond::Zero),
    RequestRow::new("FAULT_QUEUE_ALLOC", 0x3b8e, 16, 16, SizeField::Size, Beyond::Zero),
    RequestRow::new("IOAS_MAP_FILE", 0x3b8f, 40, 40, SizeField::Size, Beyond::Zero),
    RequestRow::new("VIOMMU_ALLOC", 0x3b90, 40, 24, SizeField::Size, Beyond::Zero),
    RequestRow::new("VDEVICE_ALLOC", 0x3b91, 24, 24, SizeField::Size, Beyond::Zero),
    RequestRow::new("IOAS_CHANGE_PROCESS", 0x3b92, 8, 8, SizeField::Size, Beyond::Zero),
    RequestRow::new("VEVENTQ_ALLOC", 0x3b93, 32, 28, SizeField::Size, Beyond::Zero),
    RequestRow::new("HW_QUEUE_ALLOC", 0x3b94, 40, 40, SizeField::Size, Beyond::Zero),
    RequestRow::new("IOAS_NOIOMMU_GET_PA", 0x3b95, 40, 40, SizeField::Size, Beyond::Zero),
    RequestRow::new("DEVICE_GET_INFO", 0x3b6b, 24, 16, SizeField::Argsz, Beyond::Data),
    RequestRow::new("DEVICE_GET_REGION_INFO", 0x3b6c, 32, 32, SizeField::Argsz, Beyond::Data),
    RequestRow::new("DEVICE_GET_IRQ_INFO", 0x3b6d, 16, 16, SizeField::Argsz, Beyond::Ignored),
    RequestRow::new("DEVICE_SET_IRQS", 0x3b6e, 20, 20, SizeField::Argsz, Beyond::Data),
    RequestRow::new("DEVICE_RESET", 0x3b6f, 0, 0, SizeField::None, Beyond::Ignored),
    RequestRow::new("DEVICE_GET_PCI_HOT_RESET_INFO", 0x3b70, 12, 12, SizeField::Argsz, Beyond::Data),
    RequestRow::new("DEVICE_PCI_HOT_RESET", 0x3b71, 12, 12, SizeField::Argsz, Beyond::Data),
    RequestRow::new("DEVICE_FEATURE", 0x3b75, 8, 8, SizeField::Argsz, Beyond::Data),
    RequestRow::new("DEVICE_BIND_IOMMUFD", 0x3b76, 24, 16, SizeField::Argsz, Beyond::Zero),
    RequestRow::new("DEVICE_ATTACH_IOMMUFD_PT", 0x3b77, 16, 12, SizeField::Argsz, Beyond::Ignored),
    RequestRow::new("DEVICE_DETACH_IOMMUFD_PT", 0x3b78, 12, 8, SizeField::Argsz, Beyond::Ignored),
    RequestRow::new("TEST_CMD", 0x3ba0, 72, 68, SizeField::Size, Beyond::Zero),
    RequestRow::new("SIMULATED_DEVICE_SET_LABEL", 0x3bf0, 16, 16, SizeField::Argsz, Beyond::Zero),
];
