/**
 * Devices of the mock IOMMU as the typed API takes them.
 *
 * @module
 */
import { type DeviceObject, type Hwpt, type Ioas, IommuFd, type Kernel } from "../../mod.ts";
import * as raw from "../../uapi/codec.ts";

/** A raw request of the test itself has failed. */
export class MockError extends Error {}

/** A device of the mock IOMMU, which raw requests make and drive. */
export interface MockDevice extends DeviceObject, Disposable {
  /** Attach it elsewhere. Returns 0 or −errno. */
  replace(target: { readonly id: number }): number;
  /** Have the IOMMU report an event of it. Returns 0 or −errno. */
  trigger(): number;
}

/** Make one, attached to an address space. @throws {MockError} */
export function mockDevice(iommu: IommuFd, ioas: Ioas): MockDevice {
  const { kernel, fd } = iommu;
  const test = (write: (view: DataView) => void, read: (view: DataView) => number = () => 0) => {
    using block = kernel.block(raw.TestMockDomainSize);
    write(block.view);
    const result = kernel.ioctl(fd, raw.TEST_CMD, block);
    return result < 0 ? result : read(block.view);
  };
  let id = 0;
  /** The raw requests of the test itself may be made to fail too. */
  const must = (result: number) => {
    if (result < 0) throw new MockError(`TEST_CMD answers ${result}`);
    return result;
  };
  const stdev = must(test((view) => raw.putTestMockDomain(view, 0, { id: ioas.id }), (view) => {
    id = raw.getTestMockDomain(view, 0).outIdevId;
    return raw.getTestMockDomain(view, 0).outStdevId;
  }));
  return {
    iommu,
    id,
    replace: (target) => test((view) => raw.putTestMockDomainReplace(view, 0, { id: stdev, ptId: target.id })),
    trigger: () => test((view) => raw.putTestTriggerVevent(view, 0, { devId: id })),
    [Symbol.dispose]: () => iommu.destroy(stdev),
  };
}

/** An iommufd with a device of the mock IOMMU and a page table that others may be on top of. */
export interface MockWorld extends Disposable {
  readonly iommu: IommuFd;
  readonly ioas: Ioas;
  readonly device: MockDevice;
  readonly parent: Hwpt;
}

/** Make one. Nothing is left of it where that fails. @throws {MockError} @throws {IommuError} */
export function mockWorld(kernel: Kernel): MockWorld {
  const iommu = IommuFd.open(kernel);
  let device: MockDevice | undefined;
  const dispose = () => {
    try {
      device?.[Symbol.dispose]();
    } finally {
      // Closing takes along what could not be destroyed.
      iommu[Symbol.dispose]();
    }
  };
  try {
    const ioas = iommu.createIoas();
    device = mockDevice(iommu, ioas);
    const parent = ioas.createHwpt(device, { nestParent: true });
    return { iommu, ioas, device, parent, [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}
