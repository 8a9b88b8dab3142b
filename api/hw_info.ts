/**
 * What an IOMMU says of itself.
 *
 * @module
 */
import * as uapi from "../uapi/codec.ts";
import { allocateBlock, failed } from "./error.ts";
import { explainType1 } from "./explain/type1.ts";
import type { Session } from "./session.ts";

/** The IOMMU of a device: GET_HW_INFO. */
export interface HwInfo {
  /** Whose layout `data` has; "none": the IOMMU's driver tells nothing. A type that the library does not know is its number. */
  readonly type: "none" | "intel-vtd" | "arm-smmuv3" | "tegra241-cmdqv" | "amd" | number;
  /** Whether page tables can tell which pages devices have written. */
  readonly dirtyTracking: boolean;
  /** Whether the device may mark requests with a PASID to be executed. */
  readonly pasidExecute: boolean;
  /** Whether the device may mark requests with a PASID as privileged. */
  readonly pasidPrivileged: boolean;
  /** Bits of a PASID that the device may use; 0: none. */
  readonly maxPasidLog2: number;
  /** The raw data, for what the library does not decode. */
  readonly data: Uint8Array;
  /** Registers of an Intel IOMMU: VT-d specification, 11.4.2 and 11.4.3. */
  readonly vtd?: { readonly flags: number; readonly capability: bigint; readonly extendedCapability: bigint };
  /** Registers of an AMD IOMMU: Extended Feature and Extended Feature 2. */
  readonly amd?: { readonly extendedFeature: bigint; readonly extendedFeature2: bigint };
  /** Registers of an Arm SMMUv3: IDR0 to IDR5, IIDR and AIDR: IHI 0070, 6.3; and which errata the user must heed. */
  readonly smmuv3?: { readonly flags: number; readonly idr: readonly number[]; readonly iidr: number; readonly aidr: number };
}

const TYPES: Readonly<Record<number, HwInfo["type"]>> = {
  [uapi.HW_INFO_TYPE_NONE]: "none",
  [uapi.HW_INFO_TYPE_INTEL_VTD]: "intel-vtd",
  [uapi.HW_INFO_TYPE_ARM_SMMUV3]: "arm-smmuv3",
  [uapi.HW_INFO_TYPE_TEGRA241_CMDQV]: "tegra241-cmdqv",
  [uapi.HW_INFO_TYPE_AMD]: "amd",
};

/** Bytes for the data: more than any type has today. */
const DATA_LENGTH = 64;

/** Ask about the IOMMU of a device. @throws {IommuError} */
export function readHwInfo(session: Session, device: number): HwInfo {
  session.begin("GET_HW_INFO");
  using block = allocateBlock(session.kernel, uapi.HwInfoSize + DATA_LENGTH);
  const request = { flags: 0, devId: device, dataLen: DATA_LENGTH, dataUptr: block.address + BigInt(uapi.HwInfoSize), dataType: 0 };
  uapi.putHwInfo(block.view, 0, request);
  const result = session.kernel.ioctl(session.fd, uapi.GET_HW_INFO, block);
  if (result < 0) throw failed("hwInfo", result, { device }, explainType1(session.kernel, result, "facts of the IOMMU"));
  const { dataLen, dataType, outMaxPasidLog2, outCapabilities } = uapi.getHwInfo(block.view, 0);
  const has = (capability: bigint) => (outCapabilities & capability) !== 0n;
  return {
    type: TYPES[dataType] ?? dataType,
    dirtyTracking: has(uapi.HW_CAP_DIRTY_TRACKING),
    pasidExecute: has(uapi.HW_CAP_PCI_PASID_EXEC),
    pasidPrivileged: has(uapi.HW_CAP_PCI_PASID_PRIV),
    maxPasidLog2: outMaxPasidLog2,
    data: block.bytes.slice(uapi.HwInfoSize, uapi.HwInfoSize + Math.min(dataLen, DATA_LENGTH)),
    ...decode(dataType, block.view),
  };
}

function decode(type: number, view: DataView): Pick<HwInfo, "vtd" | "amd" | "smmuv3"> {
  if (type === uapi.HW_INFO_TYPE_INTEL_VTD) {
    const { flags, capReg, ecapReg } = uapi.getHwInfoVtd(view, uapi.HwInfoSize);
    return { vtd: { flags, capability: capReg, extendedCapability: ecapReg } };
  }
  if (type === uapi.HW_INFO_TYPE_AMD) {
    const { efr, efr2 } = uapi.getHwInfoAmd(view, uapi.HwInfoSize);
    return { amd: { extendedFeature: efr, extendedFeature2: efr2 } };
  }
  if (type === uapi.HW_INFO_TYPE_ARM_SMMUV3) {
    const { flags, idr, iidr, aidr } = uapi.getHwInfoArmSmmuv3(view, uapi.HwInfoSize);
    return { smmuv3: { flags, idr: [...idr], iidr, aidr } };
  }
  return {};
}
