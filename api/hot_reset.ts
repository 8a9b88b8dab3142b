/**
 * What a hot reset of a device resets besides: DEVICE_GET_PCI_HOT_RESET_INFO.
 *
 * @module
 */
import * as uapi from "../uapi/codec.ts";
import { ERRNO } from "../uapi/errno.ts";
import type { DeviceState } from "./device_state.ts";
import { allocateBlock, failed } from "./error.ts";

/** A function that a hot reset reaches. */
export interface HotResetDevice {
  /** Its PCI address: "0000:01:02.0". */
  readonly address: string;
  /** Its id in the iommufd of the device that was asked; undefined: it is not bound there. */
  readonly id: number | undefined;
  /** Whether that iommufd has it or its group, so that it does not keep the device from being reset. */
  readonly isOwned: boolean;
}

/** In place of an id: not bound, but its group is the iommufd's; and somebody else's or nobody's. */
const OWNED = 0;
const NOT_OWNED = 0xffff_ffff;
/** Functions that are asked for at first: all that most buses have. */
const COUNT = 8;

/** Ask for the list, again with more room where the kernel says that it is longer. */
export function readHotResetDevices(state: DeviceState): HotResetDevice[] {
  for (let room = COUNT;;) {
    const length = uapi.PciHotResetInfoSize + room * uapi.PciDependentDeviceSize;
    using block = allocateBlock(state.kernel, length);
    uapi.putPciHotResetInfo(block.view, 0, {}, length);
    const result = state.kernel.ioctl(state.fd, uapi.DEVICE_GET_PCI_HOT_RESET_INFO, block);
    const { count, flags } = uapi.getPciHotResetInfo(block.view, 0);
    // Without the flag the kernel names groups, for a device that its group gave.
    const hasIds = (flags & uapi.PCI_HOT_RESET_FLAG_DEV_ID) !== 0;
    if (result === -ERRNO.ENOSPC && count > room) {
      room = count;
      continue;
    }
    if (result < 0) throw failed("hotResetInfo", result, { device: state.name });
    return Array.from(
      { length: count },
      (_, index) => describe(block.view, uapi.PciHotResetInfoSize + index * uapi.PciDependentDeviceSize, hasIds),
    );
  }
}

function describe(view: DataView, at: number, hasIds: boolean): HotResetDevice {
  const { devid, segment, bus, devfn } = uapi.getPciDependentDevice(view, at);
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, "0");
  return {
    address: `${hex(segment, 4)}:${hex(bus, 2)}:${hex(devfn >> 3, 2)}.${devfn & 7}`,
    id: !hasIds || devid === OWNED || devid === NOT_OWNED ? undefined : devid,
    isOwned: hasIds && devid !== NOT_OWNED,
  };
}
