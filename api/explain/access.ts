/**
 * Why a device did not answer an access to its registers.
 *
 * @module
 */
import * as uapi from "../../uapi/codec.ts";
import { ERRNO } from "../../uapi/errno.ts";
import type { Kernel } from "../../uapi/kernel.ts";
import { guess } from "./facts.ts";

/** The command register in configuration space, whose bit 1 lets a function answer accesses to memory. */
const COMMAND = 4;
const COMMAND_MEMORY = 2;
/** Regions of a PCI device are 2^40 apart in its file. */
const REGION_SPAN = 2 ** 40;

/** What to say of an access to a BAR that answered `result`. */
export function explainAccess(kernel: Kernel, result: number, fd: number, region: number): string | undefined {
  if (result !== -ERRNO.EIO || region >= uapi.PCI_CONFIG_REGION_INDEX) return undefined;
  return guess(() => {
    using block = kernel.block(2);
    if (kernel.pread(fd, block, 2, uapi.PCI_CONFIG_REGION_INDEX * REGION_SPAN + COMMAND) !== 2) return undefined;
    const command = block.view.getUint16(0, true);
    if (command === 0xffff) return "Its configuration space does not answer either: the device is gone, or has lost its power.";
    if ((command & COMMAND_MEMORY) !== 0) return undefined;
    return `Its command register is 0x${command.toString(16).padStart(4, "0")}: switch memory on (bit 1) by config.write16(4, …) first.`;
  });
}
