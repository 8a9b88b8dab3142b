/**
 * A device as an object of an iommufd.
 *
 * @module
 */
import { ERRNO } from "../uapi/errno.ts";
import { closed, failed, type FailedValues } from "./error.ts";
import type { OperationKey } from "./advice.ts";
import type { IommuFd } from "./iommu_fd.ts";

/** A device of an iommufd: a {@linkcode BoundDevice}, or one that raw requests have bound. */
export interface DeviceObject {
  /** The iommufd. */
  readonly iommu: IommuFd;
  /** Its id there. */
  readonly id: number;
  /** Its file, if it has a handle. */
  readonly deviceFd?: { readonly isOpen: boolean };
  /** Its PCI address; undefined: not known. */
  readonly address?: string | undefined;
}

/** Refuse a device that is gone, or another iommufd's: its id may be that of another device. @throws {IommuError} EBADF, ENOENT */
export function checkDevice(device: DeviceObject, iommu: IommuFd, operation: string, key: OperationKey, values: FailedValues): void {
  if (device.deviceFd?.isOpen === false) throw closed("BoundDevice", operation);
  if (device.iommu !== iommu) throw failed(key, -ERRNO.ENOENT, values, "The device is bound to another iommu_fd.");
}
