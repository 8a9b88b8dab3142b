/**
 * The security rules of device_fd and iommu_fd, each a suite through the typed API.
 *
 * | | rule |
 * | --- | --- |
 * | 1 | A device_fd is single open |
 * | 2 | Without an iommu_fd it is inoperable; one whose bind failed stays open and binds later |
 * | 3 | The first bind obtains the group, if no other iommu_fd has it |
 * | 4 | All bound devices of a group hold it |
 * | 5 | A device leaves by closing its fd only, and leaves nothing behind |
 * | 6 | Devices move between the IOASes of their iommu_fd only; unattached they reach nothing |
 * | 7 | Devices of a group may have IOASes of their own where the IOMMU can tell them apart |
 * | 8 | A fault names the device by the label that its program gave it |
 *
 * From Jason Gunthorpe's mail "Plan for /dev/ioasid RFC v2" of 11 June 2021, as far as it became Linux's design, and where it did not.
 *
 * @module
 */
import type { Suite } from "../harness.ts";
import { GROUP_COUNT } from "./group_count.ts";
import { GROUP_OWNER } from "./group_owner.ts";
import { INOPERABLE } from "./inoperable.ts";
import { LABEL } from "./label.ts";
import { LEAVING } from "./leaving.ts";
import { MOVING } from "./moving.ts";
import { PER_DEVICE } from "./per_device.ts";
import { SINGLE_OPEN } from "./single_open.ts";
import type { Worlds } from "./world.ts";

export { EDUS, PUPPETS } from "./simulated.ts";

/** Rules 1 to 8. */
export const RULES: readonly Suite<Worlds>[] = [
  SINGLE_OPEN,
  INOPERABLE,
  GROUP_OWNER,
  GROUP_COUNT,
  LEAVING,
  MOVING,
  PER_DEVICE,
  LABEL,
];
