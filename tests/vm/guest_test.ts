/**
 * The guest is the machine that the other tests take it for: its kernel, its groups, who has which device.
 */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { DEVICES } from "./devices.ts";

const VARIANT = Deno.env.get("VM_VARIANT");
const HOME = "/sys/bus/pci/devices";

const linkName = (path: string): string | undefined => {
  try {
    return Deno.readLinkSync(path).split("/").at(-1);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
};
const driverOf = (device: string) => linkName(`${HOME}/${device}/driver`);
/** The devices of a device's group. */
const groupOf = (device: string) => [...Deno.readDirSync(`${HOME}/${device}/iommu_group/devices`)].map(({ name }) => name).sort();
const isThere = (path: string) => {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
};

Deno.test("the kernel is Linux 7.3 or later", () => {
  const [major, minor] = Deno.osRelease().split(".").map(Number);
  ok(major! > 7 || (major === 7 && minor! >= 3), Deno.osRelease());
});

Deno.test("VFIO has the test devices, and a driver of the kernel the neighbour of the taken one", () => {
  const { alone, other, siblings, aliases, messages, taken } = DEVICES;
  for (const device of [alone, other, ...siblings, ...aliases, messages, taken]) strictEqual(driverOf(device), "vfio-pci", device);
  strictEqual(driverOf("0000:00:08.1"), "virtio-pci");
});

Deno.test("groups are of each kind", () => {
  const { alone, other, siblings, aliases, messages, taken } = DEVICES;
  for (const device of [alone, other, messages]) deepStrictEqual(groupOf(device), [device]);
  deepStrictEqual(groupOf(siblings[0]), [...siblings]);
  deepStrictEqual(groupOf(aliases[0]), ["0000:00:06.0", ...aliases].sort());
  deepStrictEqual(groupOf(taken), [taken, "0000:00:08.1"]);
});

Deno.test("the interfaces are those of the variant", () => {
  const isIommufd = VARIANT === "iommufd";
  strictEqual(isThere("/dev/iommu"), isIommufd);
  strictEqual([...Deno.readDirSync(`${HOME}/${DEVICES.alone}/vfio-dev`)].length, isIommufd ? 1 : 0);
  ok(isThere("/dev/vfio/vfio"));
  ok(isThere(`/dev/vfio/${linkName(`${HOME}/${DEVICES.alone}/iommu_group`)}`));
});
